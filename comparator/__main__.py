"""``python -m comparator`` is the command line."""

from comparator.cli.main import main

if __name__ == "__main__":
    main()
