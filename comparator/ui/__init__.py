"""The page: the only package that imports gradio, and it decides nothing."""

from __future__ import annotations

from typing import Any

from comparator.hosting.host import Host
from comparator.hosting.options import Settings
from comparator.ui.page import build_page as _build_page
from comparator.ui.server import serve

__all__ = ["build_page", "serve"]


def build_page(service: Host | Settings) -> Any:
    """Return the page, a ``gr.Blocks``, over a host or the settings for one."""
    return _build_page(service if isinstance(service, Host) else Host(service))
