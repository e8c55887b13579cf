"""All that this project does with ``huggingface_hub`` beyond what that documents.

Each of these is tried by what it does. Where a later version does it otherwise, there is another
way, and ``findings`` says so for ``comparator doctor``; one thing is never left to the library:
that a token goes to the hub alone. What is held here by contract is in
``tests/contract/test_hub_adapter.py``, which runs at the lowest, pinned and newest version.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any, BinaryIO

from huggingface_hub import SpaceStage, constants, errors, file_download, utils

# Stages of a Space in which it can be used, and in which nothing more will come.
RUNS = frozenset({"RUNNING", "SLEEPING"})
ENDS_BADLY = frozenset(
    {"BUILD_ERROR", "CONFIG_ERROR", "DELETING", "NO_APP_FILE", "PAUSED", "RUNTIME_ERROR", "STOPPED"}
)
PLAIN_PIECE_BYTES = 512 * 1024  # also of what is received without the library's own way
_RECEIVING = ("resume_size", "headers", "expected_size", "displayed_filename")


def _http_error() -> type[Exception]:
    """Return the base class of what the hub client's HTTP client raises: httpx's or httpx2's."""
    for base in errors.HfHubHTTPError.__mro__[1:]:
        if base.__name__ == "HTTPError":
            return base
    return errors.HfHubHTTPError


HTTPError = _http_error()


def findings() -> list[str]:
    """Return in sentences what of this module does not work with the installed version."""
    told = []
    if HTTPError is errors.HfHubHTTPError:
        told.append("a broken network cannot be told from other errors, so its words are rougher.")
    if not _receives():
        told.append("files are received by plain requests, which begin fewer times anew.")
    if not isinstance(getattr(constants, "DOWNLOAD_CHUNK_SIZE", None), int):
        told.append("an interrupted download may lose some MB more.")
    if not {stage.value for stage in SpaceStage} >= {"RUNNING"} | ENDS_BADLY:
        told.append("the stages of a Space have other names, so 'space deploy' may wait too long.")
    return [f"huggingface_hub {version('huggingface_hub')}: {sentence}" for sentence in told]


def _receives() -> bool:
    known = inspect.signature(getattr(file_download, "http_get", lambda: None)).parameters
    return all(name in known for name in _RECEIVING)


def keep_small_pieces(piece_bytes: int) -> None:
    """Let files be written in pieces of that many bytes, so that a killed process loses less."""
    if hasattr(constants, "DOWNLOAD_CHUNK_SIZE"):
        constants.DOWNLOAD_CHUNK_SIZE = piece_bytes


def headers(with_token: bool) -> dict[str, str]:
    """Return the headers of a request; the token is in them only where that is said."""
    said = utils.build_hf_headers(token=None if with_token else False)  # type: ignore[attr-defined]
    if with_token:
        return dict(said)
    return {name: value for name, value in said.items() if name.lower() != "authorization"}


def receive(address: str, stream: BinaryIO, said: dict[str, str], size: int, name: str) -> None:
    """Receive a file from where a stream ends to its end.

    Args:
        address: of the bytes, after the hub's redirect.
        stream: what came before, open for more.
        said: the request's headers.
        size: bytes of the whole file.
        name: for messages.

    Raises:
        HTTPError, OSError: the connection or the answer is no good; what came is in the stream.
    """
    if not _receives():
        _receive_plainly(address, stream, said, size)
        return
    file_download.http_get(
        address,
        stream,
        resume_size=stream.tell(),
        headers=said,
        expected_size=size,
        displayed_filename=name,
    )


def _receive_plainly(address: str, stream: BinaryIO, said: dict[str, str], size: int) -> None:
    begin = stream.tell()
    wanted = {**said, "Range": f"bytes={begin}-"} if begin else said
    session: Any = utils.get_session()  # type: ignore[attr-defined]
    with session.stream("GET", address, headers=wanted) as answer:
        utils.hf_raise_for_status(answer)  # type: ignore[attr-defined]
        if begin and answer.status_code != 206:  # all of it comes again
            stream.seek(0)
            stream.truncate()
        for piece in answer.iter_bytes(chunk_size=PLAIN_PIECE_BYTES):
            stream.write(piece)
    stream.flush()
    if stream.tell() != size:
        raise OSError(f"{stream.tell()} of {size} bytes came")


def commit_of(runtime: Any) -> str | None:
    """Return the commit that a Space's stage is of; None where the hub does not say it."""
    said = _raw(runtime).get("sha")
    return said if isinstance(said, str) and said else None


def error_of(runtime: Any) -> str:
    """Return what the hub says of a Space that does not run."""
    return str(_raw(runtime).get("errorMessage") or "").strip()


def stage_of(runtime: Any) -> str:
    """Return a Space's stage by the hub's name, such as ``RUNNING``."""
    return str(getattr(runtime.stage, "value", runtime.stage))


def _raw(runtime: Any) -> dict[str, Any]:
    raw = getattr(runtime, "raw", None)
    return raw if isinstance(raw, dict) else {}
