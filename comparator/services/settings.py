"""How the page is served: one object, read from flags in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Settings:
    """What ``comparator serve`` was asked for.

    Attributes:
        models_dir: the folder whose models are offered.
        share: open a public link through Gradio's tunnel.
        server_name: address to listen on; None is the loopback address.
        server_port: port; None takes the first free one from 7860.
        auth: pairs of user and password; empty for none.
        root_path: the path under which a proxy shows the page.
        inbrowser: open the page in a browser.
        comparisons_at_once: how many comparisons run at a time; the others wait in line.
        line_length: how many may wait.
    """

    models_dir: Path
    share: bool = False
    server_name: str | None = None
    server_port: int | None = None
    auth: tuple[tuple[str, str], ...] = ()
    root_path: str | None = None
    inbrowser: bool = False
    comparisons_at_once: int = 1
    line_length: int = 32


def default_models_dir() -> Path:
    """Return ``COMPARATOR_MODELS_DIR``, else ``./models`` if it is there, else the user's own."""
    named = os.environ.get("COMPARATOR_MODELS_DIR")
    if named:
        return Path(named).expanduser()
    here = Path("models")
    if here.is_dir():
        return here
    return Path(platformdirs.user_data_dir("multi-llm-comparator", appauthor=False)) / "models"
