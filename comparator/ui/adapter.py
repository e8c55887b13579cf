"""All that this project does with Gradio and uvicorn beyond what they document.

Each of these is tried by what it does, not by its name. Where a later version does it otherwise,
the page goes on in a slower or plainer way and ``findings`` says so, in the log of a page and in
``comparator doctor``; only without its door no page is opened. What is held here by contract is in
``tests/contract/test_gradio_adapter.py``, which runs at the lowest, pinned and newest Gradio.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import inspect
import json
import logging
import secrets
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from typing import Any, TypeVar

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.ui.door import NOT_OFFERED

EVENT_LOOK_SECONDS = 0.05  # between two looks for new events: Gradio's on Windows, elsewhere 0.001
PROGRESS_LOOK_SECONDS = 1.0  # for Gradio's progress bars, which this page does not have
LOST_SECONDS = 30  # until a client that acknowledges nothing any more counts as gone
PROBE_SECONDS = 20.0
# What Gradio has no argument for in some of the versions that are allowed, which then have no
# such feature either: 6.18 keeps no history of runs.
NEWER_ARGUMENTS = frozenset({"run_history"})
# Names that Gradio's own elements have in the page, on which page.css and the scripts rest.
CLASS_NAMES = (
    *(".gradio-container", ".main", ".row", ".column", ".block", ".form", ".html-container"),
    *(".secondary-wrap", ".icon-wrap", ".tab-wrapper"),
    *("[data-testid='block-info']", "#more > button"),
)
NO_DOOR = (
    "This version of Gradio ({}) does not let this page put its door before it, so every address "
    "of Gradio's would be open. The page is not opened. Install a version that was tested: "
    "pip install 'gradio=={}'"
)
TESTED = "6.31.0"
PROXIES = (
    " For a public link the proxies are asked that HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name; "
    "if they are not right, change them, or leave --share out."
)

T = TypeVar("T")
log = logging.getLogger(__name__)
_met: list[str] = []  # what a page that is served has found
_unlisted: set[str | None] = (
    set()
)  # the lists that ``unlisted`` was asked for, by their ``elem_id``


def findings() -> list[str]:
    """Return in sentences what of this module does not work with the installed versions."""
    probes = (_probe_arguments, _probe_events, _probe_numbers, _probe_pauses)
    return [*filter(None, (probe() for probe in probes)), *_met]


def tell_findings() -> None:
    """Write what was found to the log, a line each."""
    for finding in findings():
        log.warning(finding)


def in_a_loop(work: Callable[[], T]) -> T:
    """Do work inside an event loop, as in a notebook.

    Outside of one Gradio makes and drops a loop for each of its locks, and when those are
    collected after their sockets, each prints a traceback (gradio issue 12699, seen on Spaces).
    """

    async def inside() -> T:
        return work()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with closing(asyncio.new_event_loop()) as loop:
            return loop.run_until_complete(inside())
    return work()


def _of_gradio(sentence: str) -> str:
    return f"Gradio {version('gradio')}: {sentence}"


# ---- launch ----


def launch(page: Any, **arguments: Any) -> tuple[Any, str, str | None]:
    """Start a page's server in the background; return its application, address and public link.

    Raises:
        ConfigurationError: it could not listen, although it could a moment ago, or something
            else of what Gradio does at its start did not work.
    """
    known = inspect.signature(page.launch).parameters
    try:
        app, address, shared = page.launch(
            **{name: value for name, value in arguments.items() if name in known}
        )
    except Exception as error:
        hint = PROXIES if arguments.get("share") else ""
        raise ConfigurationError(f"The page could not be opened: {error}.{hint}") from error
    return app, str(address), shared


@functools.cache
def _probe_arguments() -> str:
    """Find what closes further processes and doors, but is no argument of ``launch`` any more."""
    known = inspect.signature(gr.Blocks.launch).parameters
    missing = [name for name in SHUT if name not in known and name not in NEWER_ARGUMENTS]
    if not missing:
        return ""
    return _of_gradio(
        f"launch() takes no {', '.join(missing)} any more, so these are as Gradio has them. "
        "Requests of theirs are refused at the door."
    )


def has_mcp() -> bool:
    """Whether the package ``mcp`` is there in a version that this Gradio can use.

    Gradio itself passes over what it cannot import, and fails only when a page is opened.
    """
    try:
        importlib.import_module("mcp.server.lowlevel.helper_types")
        importlib.import_module("mcp.server.streamable_http_manager")
    except ImportError:
        return False
    return True


def tools_in_json(page: Any) -> None:
    """Let MCP tools answer in JSON, where Gradio writes lists and objects as Python does.

    Where it has no tools although they were asked for, that is said.
    """
    tools = getattr(page, "mcp_server_obj", None)
    write = getattr(tools, "postprocess_output_data", None)
    if tools is None:
        reason = getattr(page, "mcp_error", None) or "nobody says why"
        _met.append(_of_gradio(f"there are no tools for MCP clients: {reason}."))
    elif not callable(write):
        _met.append(_of_gradio("MCP tools answer as Python writes lists and objects, not as JSON."))
    else:
        tools.postprocess_output_data = lambda data, url: write([*map(_as_json, data)], url)


def _as_json(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


# What Gradio offers and this page does not: each would otherwise follow the environment.
SHUT: dict[str, Any] = {
    "ssr_mode": False,  # a Node server
    "num_workers": 0,  # further processes that hand out files, without our door
    "mcp_server": False,
    "run_history": False,  # what is asked, kept in the browser or in a bucket
    "enable_monitoring": False,
    "pwa": False,
    "debug": False,
    "show_error": False,
}


# ---- the door ----


def stand_before(app: Any, door: Callable[[Any], Any], address: str) -> None:
    """Put the door before Gradio's own layers too, which answer some requests themselves.

    The door stands among the application's layers already (``app_kwargs``), so nothing was
    open meanwhile.

    Raises:
        ConfigurationError: there is no door at all.
    """
    stack = getattr(app, "middleware_stack", None)
    if stack is not None:
        app.middleware_stack = door(stack)
    place = f"{address.rstrip('/')}/gradio_api/{secrets.token_hex(8)}"
    if not _refuses(place, "GET"):
        raise ConfigurationError(NO_DOOR.format(version("gradio"), TESTED))
    if not _refuses(place, "OPTIONS"):
        _met.append(
            _of_gradio(
                "the page's door stands behind Gradio's own layers, which answer the questions "
                "that browsers ask for pages of other servers."
            )
        )


def _refuses(place: str, method: str) -> bool:
    """Whether the door answers a request for what the page does not have."""
    headers = {"Origin": "http://door.invalid", "Access-Control-Request-Method": "GET"}
    request = urllib.request.Request(place, method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(request, timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 404 and error.read().decode("utf-8", "replace") == NOT_OFFERED
    except OSError:
        return False
    return False


# ---- what a page costs while nothing happens ----


def look_for_no_plots() -> None:
    """Let Gradio's two looks for matplotlib at every update fail at once where it is not there.

    Each of them searches all folders of Python's path.
    """
    if importlib.util.find_spec("matplotlib") is None:
        sys.modules["matplotlib"] = None  # type: ignore[assignment]  # Python's sign for it


def look_less_often(page: Any) -> None:
    """Save the wakes that Gradio's queue costs whether or not anything happens.

    It looks for new events a thousand times a second and for progress a hundred times, which
    takes time from the model that writes (docs/speed.md). An event waits half of the time
    between two looks on average.
    """
    if not _probe_pauses():
        page._queue.sleep_when_free = EVENT_LOOK_SECONDS
        page._queue.progress_update_sleep_when_free = PROGRESS_LOOK_SECONDS


@functools.cache
def _probe_pauses() -> str:
    names = ("sleep_when_free", "progress_update_sleep_when_free")
    page = in_a_loop(lambda: gr.Blocks(analytics_enabled=False).queue())
    queue = getattr(page, "_queue", None)
    if all(isinstance(getattr(queue, name, None), float) for name in names):
        return ""
    return _of_gradio(
        "how often its queue looks for events cannot be set, so it may take some time of a core "
        "from the models."
    )


# ---- clients that are gone, and the end ----


def notice_lost_clients(page: Any) -> None:
    """Let the system end connections whose other side has vanished without a word.

    A closed tab says so itself. A client that lost its network, or its power, does not: Linux
    would go on sending to it for a quarter of an hour, and its run would hold the line up.
    Connections inherit this from the socket that listens.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    kind = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    listeners = _listeners(page)
    for listener in listeners:
        listener.setsockopt(*kind, LOST_SECONDS * 1000)
    if not listeners:
        _met.append(
            f"uvicorn {version('uvicorn')}: the page's sockets are not to be found, so a client "
            "that vanishes without a word may hold its run up for a quarter of an hour."
        )


def _listeners(page: Any) -> list[Any]:
    servers = getattr(getattr(page, "server", None), "servers", None) or ()
    return [listener for server in servers for listener in getattr(server, "sockets", None) or ()]


def close(page: Any) -> None:
    """End a page's server, without waiting for browsers that keep their streams open."""
    server = getattr(page, "server", None)
    if server is None:
        return
    server.force_exit = True
    logging.getLogger("uvicorn.error").disabled = True  # it would print that they were cut off
    page.close(verbose=False)


# ---- widgets and events ----


def unbounded(field: Any) -> Any:
    """Return a ``gr.Number`` whose range the browser knows and Gradio does not check.

    Gradio would refuse more without naming the field and with a traceback in the server's log;
    the service says it in words.
    """
    # Of the class: what an event may change is made anew by Gradio for each session.
    type(field).raise_if_out_of_bounds = staticmethod(lambda *_values: None)
    if _takes(field, field.maximum):
        return field
    field.maximum = field.minimum = None
    return field


def unlisted(field: Any) -> Any:
    """Return a ``gr.Dropdown`` whose text may have gone from its list since it was chosen.

    Gradio would refuse it with a traceback in the server's log and an id in place of a name; the
    service says which model is gone.
    """
    _unlisted.add(field.elem_id)
    kind = type(field)
    if not hasattr(kind.preprocess, "__wrapped__"):  # of the class: as in ``unbounded``
        kind.preprocess = _unchecked(kind.preprocess)
    return field


def _unchecked(checked: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @functools.wraps(checked)
    def preprocess(field: Any, payload: Any) -> Any:
        if isinstance(payload, str) and field.elem_id in _unlisted:
            return payload
        return checked(field, payload)

    return preprocess


def _takes(field: Any, most: float | None) -> bool:
    try:
        field.preprocess((most or 0) + 1)
    except gr.Error:
        return False
    return True


@functools.cache
def _probe_numbers() -> str:
    field = in_a_loop(lambda: unbounded(gr.Number(1, maximum=2, render=False)))
    if field.maximum == 2:
        return ""
    return _of_gradio("fields for numbers cannot be left to our own checks, so none has a range.")


def carried(event: Any, name: str) -> Any:
    """Return what an event of the page's scripts carries under a name; None where nothing."""
    try:
        return getattr(event, name)
    except Exception:  # the page may send anything in place of an object
        return None


@functools.cache
def _probe_events() -> str:
    try:
        said = carried(gr.EventData(None, {"slot": 2, "ids": ["a"]}), "slot")
    except TypeError:
        said = None
    if said == 2:
        return ""
    return _of_gradio(
        "what events of the page's scripts carry cannot be read, so Stop and Retry of single "
        "columns, and the buttons in the Library's and the Hub's tables, do nothing."
    )
