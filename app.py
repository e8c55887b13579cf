"""The web page with default settings: ``python app.py``. A Hugging Face Space starts it so."""


def main() -> None:
    """Serve the page until a signal ends it; on a Space, with the starter models in place."""
    import os

    from comparator.hosting.options import ServerOptions, default_models_dir
    from comparator.ui import serve

    models_dir = default_models_dir()
    if os.environ.get("SPACE_ID"):
        from comparator.cli.commands.starter import bring

        bring(models_dir)
    serve(ServerOptions(models_dir=models_dir))


if __name__ == "__main__":
    from comparator.cli.main import end_with

    end_with(main)
