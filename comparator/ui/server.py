"""Serving the page until a signal ends it, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any, TypeVar

from comparator.hosting.host import Host
from comparator.hosting.options import Settings
from comparator.ui.middleware import middleware
from comparator.ui.page import STATIC, build_page, theme

T = TypeVar("T")

LONGEST_QUEUE = 256  # events that Gradio itself holds; comparisons wait in our own line
MOST_SESSIONS = 500  # of 0.11 MB each, which Gradio keeps
EVENT_BYTES_LIMIT = "4mb"
EVENT_LOOK_SECONDS = 0.05  # between two looks for new events: Gradio's on Windows, elsewhere 0.001
PROGRESS_LOOK_SECONDS = 1.0  # for Gradio's progress bars, which this page does not have
LOST_SECONDS = 30  # until a client that acknowledges nothing any more counts as gone
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


def serve(settings: Settings) -> None:
    """Serve the page and block until Ctrl-C (exit code 130), SIGTERM (143) or SIGHUP (129).

    Raises:
        SystemExit: a signal ended the page; every comparison and fork server was ended first.
    """
    with signals_end_the_program():
        host = Host(settings)
        page: Any = None
        try:
            host.warm_up()
            _look_for_no_plots()
            page = _in_a_loop(lambda: build_page(host))
            _in_a_loop(lambda: launch(page, settings))
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write("\nStopped.\n")
            raise SystemExit(130) from None
        finally:
            _close(host, page)


def _in_a_loop(work: Callable[[], T]) -> T:
    """Do work inside an event loop, as in a notebook.

    Outside of one Gradio makes and drops a loop for each of its locks, and when those are
    collected after their sockets, each prints a traceback (gradio issue 12699, seen on Spaces).
    """

    async def inside() -> T:
        return work()

    with closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(inside())


def launch(page: Any, settings: Settings) -> str:
    """Start the server in the background and return its local address."""
    page.queue(max_size=LONGEST_QUEUE, default_concurrency_limit=16)
    _look_less_often(page)
    _app, address, shared = page.launch(
        share=settings.share,
        server_name=settings.server_name,
        server_port=settings.server_port,
        auth=list(settings.auth) or None,
        root_path=settings.root_path,
        inbrowser=settings.inbrowser,
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        show_error=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=EVENT_BYTES_LIMIT,
        state_session_capacity=MOST_SESSIONS,
        app_kwargs={"middleware": middleware(settings)},
        theme=theme(),
        css_paths=[STATIC / name for name in ("page.css", "library.css", "hub.css")],
    )
    _notice_lost_clients(page)
    _tell_where(settings, str(address), shared)
    return str(address)


def _look_for_no_plots() -> None:
    """Let Gradio's two looks for matplotlib at every update fail at once where it is not there.

    Each of them searches all folders of Python's path.
    """
    if importlib.util.find_spec("matplotlib") is None:
        sys.modules["matplotlib"] = None  # type: ignore[assignment]  # Python's sign for it


def _look_less_often(page: Any) -> None:
    """Save the wakes that Gradio's queue costs whether or not anything happens.

    It looks for new events a thousand times a second and for progress a hundred times, which
    takes time from the model that writes (docs/speed.md). An event waits half of the time
    between two looks on average.
    """
    page._queue.sleep_when_free = EVENT_LOOK_SECONDS
    page._queue.progress_update_sleep_when_free = PROGRESS_LOOK_SECONDS


def _notice_lost_clients(page: Any) -> None:
    """Let the system end connections whose other side has vanished without a word.

    A closed tab says so itself. A client that lost its network, or its power, does not: Linux
    would go on sending to it for a quarter of an hour, and its run would hold the line up.
    Connections inherit this from the socket that listens.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    for server in getattr(page.server, "servers", ()):
        for listener in server.sockets:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_SECONDS * 1000)


def _tell_where(settings: Settings, address: str, shared: str | None) -> None:
    """Say where the page is, and loudly when everybody may use it."""
    print(f"The page is at {address}", flush=True)
    if settings.share:
        print(f"Public link: {shared}" if shared else NO_LINK, flush=True)
    if settings.is_public and not settings.auth:
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
    server = getattr(page, "server", None)
    if server is not None:
        server.force_exit = True  # do not wait for browsers that keep their streams open,
        logging.getLogger("uvicorn.error").disabled = True  # nor print that they were cut off
        page.close(verbose=False)
