"""The page: the only package that imports gradio, and it decides nothing.

Gradio is imported when a page is built or served, and not before: serving first takes away what
Gradio would read from the environment, some of it while it is imported.
"""

from __future__ import annotations

import importlib
from typing import Any

from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.surroundings import prepare, without_proxies

__all__ = ["build_page", "serve"]


def build_page(service: Host | ServerOptions) -> Any:
    """Return the page, a ``gr.Blocks``, over a host or the settings for one."""
    page = _imported("comparator.ui.page")
    return page.build_page(service if isinstance(service, Host) else Host(service))


def serve(options: ServerOptions) -> None:
    """Serve the page and block until Ctrl-C (exit code 130), SIGTERM (143) or SIGHUP (129).

    Raises:
        ConfigurationError: the address, the port or the models folder is not to be had.
        SystemExit: a signal ended the page; every comparison and fork server was ended first.
    """
    prepare(options)
    _imported("comparator.ui.server").serve(options)


def _imported(module: str) -> Any:
    """Import a module, and with it gradio, which needs no proxy for that."""
    with without_proxies():
        return importlib.import_module(module)
