"""Serving the page until a signal ends it, and leaving nothing behind."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.options import LOCAL, ServerOptions
from comparator.hosting.surroundings import own_names, without_proxies
from comparator.ui import adapter
from comparator.ui.language import translations
from comparator.ui.middleware import door, middleware
from comparator.ui.page import build_page
from comparator.ui.routes import API
from comparator.ui.static_files import STYLES
from comparator.ui.theme import theme

MCP_PATH = f"{API}/mcp/"
NO_MCP_PACKAGE = (
    "--mcp needs a package that is not installed, or in a version that Gradio does not know. "
    "Install it: pip install 'mcp>=1.24,<2'"
)
NO_PUBLIC_MCP = (
    "--mcp works on a page of this machine alone, without --auth. On one that others can reach, "
    "Gradio passes all MCP clients on as one visitor of this machine itself: they would share a "
    "session and stop each other's comparisons, and no limit for visitors would hold."
)
LONGEST_QUEUE = 256  # events that Gradio itself holds; comparisons wait in our own line
MOST_SESSIONS = 500  # of 0.11 MB each, which Gradio keeps
EVENT_BYTES_LIMIT = "4mb"
NO_LINK = (
    "The public link could not be opened, so the page runs on this machine alone. Most likely the "
    "tunnel's server cannot be reached: no network, a firewall, or a program for it that could not "
    "be downloaded (the lines above say more). Try again later, use --server-name 0.0.0.0 for "
    "your own network, or 'comparator space deploy' for a Hugging Face Space."
)
NO_LOG_IN = (
    "\nWARNING: others can reach this page and nobody has to log in. "
    "Add --auth USER:PASSWORD, or set COMPARATOR_AUTH to it (on a Space as a secret), unless "
    "everybody may use this machine.\n\n"
)
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def serve(options: ServerOptions) -> None:
    """Serve the page and block until Ctrl-C (exit code 130), SIGTERM (143) or SIGHUP (129).

    Raises:
        SystemExit: a signal ended the page; every comparison and fork server was ended first.
    """
    refuse_mcp_where_it_cannot_be(options)
    with signals_end_the_program():
        host = Host(options)
        page: Any = None
        try:
            host.warm_up()
            adapter.look_for_no_plots()
            page = adapter.in_a_loop(lambda: build_page(host))
            adapter.in_a_loop(lambda: launch(page, options))
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write("\nStopped.\n")
            raise SystemExit(130) from None
        finally:
            _close(host, page)


def refuse_mcp_where_it_cannot_be(options: ServerOptions) -> None:
    """Refuse ``--mcp`` where its tools would not work, or would open what limits keep shut.

    Raises:
        ConfigurationError: why, and what to do.
    """
    if not options.mcp:
        return
    if options.is_public or options.auth:
        raise ConfigurationError(NO_PUBLIC_MCP)
    if not adapter.has_mcp():
        raise ConfigurationError(NO_MCP_PACKAGE)


def launch(page: Any, options: ServerOptions) -> str:
    """Start the server in the background and return its local address."""
    page.queue(max_size=LONGEST_QUEUE, default_concurrency_limit=16)
    adapter.look_less_often(page)
    with without_proxies(own_names(options)):
        app, address, shared = adapter.launch(page, **_arguments(options))
    adapter.stand_before(app, functools.partial(door, options), address)
    adapter.notice_lost_clients(page)
    if options.mcp:
        adapter.tools_in_json(page)
    adapter.tell_findings()
    _tell_where(options, address, shared)
    return address


def _arguments(options: ServerOptions) -> dict[str, Any]:
    """Return what Gradio is told of how to serve a page."""
    return {
        "share": options.share,
        "server_name": _bracketed(options.server_name or LOCAL),
        "server_port": options.server_port,
        "auth": list(options.auth) or None,
        "root_path": options.root_path or "",
        "inbrowser": options.inbrowser,
        "prevent_thread_lock": True,
        "quiet": True,
        "footer_links": [],
        "max_file_size": EVENT_BYTES_LIMIT,
        "state_session_capacity": MOST_SESSIONS,
        "app_kwargs": {"middleware": middleware(options)},
        "theme": theme(),
        "css_paths": list(STYLES),
        "i18n": translations(),
        **adapter.SHUT,
        "mcp_server": options.mcp,
    }


def _bracketed(name: str) -> str:
    """Return an address as it stands in a URL, which Gradio makes of it."""
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _tell_where(options: ServerOptions, address: str, shared: str | None) -> None:
    """Say where the page is, and loudly when everybody may use it."""
    print(f"The page is at {address}", flush=True)
    if options.mcp:
        print(f"MCP clients find its tools at {address.rstrip('/')}{MCP_PATH}", flush=True)
    if options.share:
        print(f"Public link: {shared}" if shared else NO_LINK, flush=True)
    if options.is_public and not options.auth:
        sys.stderr.write(NO_LOG_IN)


@contextmanager
def signals_end_the_program() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit in the main thread, where finally is waiting."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    raise SystemExit(128 + number)


def _ignore_signals() -> None:
    for number in (*_ENDINGS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _close(host: Host, page: Any) -> None:
    """End the children first, then the server, whatever signals come meanwhile."""
    if threading.current_thread() is threading.main_thread():
        _ignore_signals()
    host.close()
    if page is not None:
        adapter.close(page)
