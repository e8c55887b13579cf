"""Run ``docs/notebook.ipynb`` on the starter models and keep what its cells show.

Usage: ``python scripts/make_notebook.py``

The notebook is its own source: change its cells, then run this, so that who only reads it sees
what it shows. The tests run the cells again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbclient
import nbformat

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"
CELL_SECONDS = 240  # of a busy machine


def executed(**options: Any) -> Any:
    """Return the notebook with what its cells show when they are run in its folder.

    ``options`` are those of the process of the kernel, as ``subprocess.Popen`` takes them.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = nbclient.NotebookClient(
        notebook, timeout=CELL_SECONDS, resources=place, record_timing=False
    )
    client.execute(**options)
    return notebook


def main() -> None:
    """Run the notebook and write it."""
    notebook = executed()
    notebook.metadata.pop("language_info", None)  # of the Python that happened to run it
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
