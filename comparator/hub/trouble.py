"""What the hub and the network answer instead of a file, as sentences for people."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from urllib.parse import urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from comparator.core.exceptions import HubError, MultiLLMError
from comparator.hub.adapter import HTTPError

TROUBLE = (HTTPError, HfHubHTTPError, OSError, FileMetadataError)
# What the hub's client runs into where an answer is not the JSON that it expects.
_STRANGE = (ValueError, TypeError, AttributeError, LookupError)
_LOG_IN = "set HF_TOKEN to a token of yours, or log in with: hf auth login"
_AGAIN = "What has come is kept; the same command goes on from there."


def hub_name() -> str:
    """Return the address of the hub in use (``HF_ENDPOINT``), without a scheme."""
    return urlsplit(constants.ENDPOINT).netloc


@contextlib.contextmanager
def told_in_words(repository: str | None = None) -> Iterator[None]:
    """Tell what goes wrong inside as a ``HubError``, also an answer that is no hub's."""
    try:
        yield
    except MultiLLMError:
        raise
    except TROUBLE as error:
        raise in_words(error, repository) from error
    except _STRANGE as error:
        raise HubError(_no_hub(error)) from error


def in_words(error: Exception, repository: str | None = None) -> HubError:
    """Return the error that says what happened, why, and what to do."""
    what = repository or "The search"
    if isinstance(error, OfflineModeIsEnabled):
        return HubError(
            "HF_HUB_OFFLINE is set, so the hub is not asked. Unset it to search and to fetch."
        )
    if isinstance(error, HfHubHTTPError):
        return HubError(_refusal(error, what))
    if isinstance(error, FileMetadataError):
        return HubError(_no_hub(error))
    if isinstance(error, HTTPError):
        return HubError(_network(error))
    return HubError(_disk(error))


def _no_hub(error: Exception) -> str:
    return (
        f"{hub_name()} does not answer as a hub does ({type(error).__name__}). Is HF_ENDPOINT "
        "right, and is no proxy or log-in page of a network in between?"
    )


def _refusal(error: HfHubHTTPError, what: str) -> str:
    """Say what an answer with a status of 400 and more means."""
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return (
            f"{what} is gated: its owner wants you to accept conditions first. Do so at "
            f"{constants.ENDPOINT}/{what}, then {_LOG_IN}."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{what} has changed while it was fetched. Start again."
    if isinstance(error, EntryNotFoundError):
        return f"A file of {what} is not on the hub any more. Look at what there is with --list."
    if status == 401 and "credentials" in str(error.response.headers.get("X-Error-Message")):
        return (
            f"{hub_name()} does not accept your token: it is wrong or has ended. Make a new one "
            f"at {constants.ENDPOINT}/settings/tokens and {_LOG_IN}."
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return (
            f"There is no {what} on {hub_name()}, or it is private. Check the spelling "
            f"(ORG/NAME); for a private one {_LOG_IN}."
        )
    return _status(error, status)


def _status(error: HfHubHTTPError, status: int) -> str:
    if status in (401, 403):
        return (
            f"{hub_name()} refuses this (error {status}): your token may not read it. Use one "
            f"that may: {_LOG_IN}."
        )
    if status == 429:
        seconds = error.response.headers.get("Retry-After", "")
        when = f"in {seconds} seconds" if seconds.isdecimal() else "in some minutes"
        return (
            f"{hub_name()} has had too many requests from here (error 429). Try again {when}; "
            "with HF_TOKEN set the limit is higher."
        )
    if status >= 500:
        return (
            f"{hub_name()} has a trouble of its own (error {status}). Try again in some minutes. "
            f"{_AGAIN}"
        )
    return f"{hub_name()} refuses the request (error {status})."


def _network(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "UnsupportedProtocol":
        return (
            f"HF_ENDPOINT is {constants.ENDPOINT!r}, which is no address of a hub. Write it with "
            "https://, or unset it."
        )
    if kind in ("ConnectError", "ConnectTimeout", "ProxyError", "PoolTimeout"):
        return (
            f"{hub_name()} cannot be reached ({error or kind}). Is the network up, and are "
            "HF_ENDPOINT and the proxy right?"
        )
    return f"The connection to {hub_name()} broke off several times ({error or kind}). {_AGAIN}"


def _disk(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full. Free some space. {_AGAIN}"
    if number is None:  # the hub's client found fewer bytes than were announced
        return f"The download ended too early. {_AGAIN}"
    place = getattr(error, "filename", None) or "the models folder"
    reason = getattr(error, "strerror", None) or error
    return (
        f"{place} cannot be written: {reason}. Choose a folder that you may write to with "
        "--models-dir."
    )
