"""Run ``docs/notebook.ipynb`` on the starter models and keep what its cells show.

Usage: ``python scripts/make_notebook.py``

The notebook is its own source: change its cells, then run this, so that who only reads it sees
what it shows. The tests run the cells again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"
CELL_SECONDS = 240  # of a busy machine


def executed(path: Path = NOTEBOOK) -> Any:
    """Return the notebook with what its cells show when they are run in its folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(
        notebook, timeout=CELL_SECONDS, resources=place, record_timing=False
    ).execute()
    return notebook


def main() -> None:
    """Run the notebook and write it."""
    import nbformat

    notebook = executed()
    notebook.metadata.pop("language_info", None)  # of the Python that happened to run it
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
