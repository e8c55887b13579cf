"""Putting a bundle on Hugging Face as a Space, and waiting until it runs.

Every step may be repeated: what is there already is kept, and only changed files are sent.
The hub's own client does the work: https://huggingface.co/docs/huggingface_hub/guides/manage-spaces
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    SpaceHardware,
    SpaceRuntime,
    get_token,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    are_progress_bars_disabled,
    disable_progress_bars,
)

from comparator.core.exceptions import ConfigurationError, HubError
from comparator.core.text import with_controls_shown
from comparator.hub import adapter
from comparator.hub.adapter import HTTPError
from comparator.hub.space_bundle import build_bundle

VARIABLES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
HARDWARE = tuple(kind.value for kind in SpaceHardware)
POLL_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 45 * 60.0
LOOKS_AT_AN_UNNAMED_FAILURE = 12  # a minute
_WORDS = {
    401: "Hugging Face does not accept the token: it is mistyped, revoked or expired. Make a new "
    "one with write access at https://huggingface.co/settings/tokens and log in again with: "
    "hf auth login",
    402: "Hugging Face asks for a payment or a PRO account for this hardware. Choose another, "
    "such as --hardware cpu-basic.",
    403: "You may not write to this Space: the name is taken by somebody else or belongs to "
    "another account, or your token may only read. Choose a name below your own account, or make "
    "a token with write access at https://huggingface.co/settings/tokens.",
    404: "Hugging Face knows no such Space or account. Is the name spelled right?",
    429: "Hugging Face says that this was too much at once. Wait some minutes and repeat it.",
}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """A Space that was made: its address, the commit, and the stage in which it was left."""

    address: str
    commit: str
    stage: str


def deploy(
    name: str,
    tell: Tell,
    *,
    hardware: str | None = None,
    private: bool = False,
    poll_seconds: float = POLL_SECONDS,
    longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
) -> Deployment:
    """Make or renew a Space of this project and wait until it runs.

    Args:
        name: ``OWNER/NAME``.
        tell: takes a line for each step and each stage of the build.
        hardware: one of HARDWARE; None leaves what there is, at first the free one.
        private: show it to its owner only.
        poll_seconds: between two looks at the stage.
        longest_wait_seconds: then it is left to itself.

    Raises:
        ConfigurationError: the name or the hardware is none, there is no token, or this is no
            checkout of the source.
        HubError: the hub refuses, cannot be reached, or the Space does not come up.
    """
    _check(name, hardware)
    api = HfApi(token=_token())
    with _quietly(), _errors_in_words(name):
        _create(api, name, private)
        address = f"{api.endpoint}/spaces/{name}"
        tell(f"Space: {address}")
        commit = _upload(api, name, _is_gpu(hardware), tell)
        if hardware is not None:
            api.request_space_hardware(name, SpaceHardware(hardware))
            tell(f"hardware: {hardware}")
        waiting = _Waiting(api, name, commit.oid, tell)
        stage = waiting.until_it_runs(poll_seconds, longest_wait_seconds)
    return Deployment(address, commit.oid, stage)


def _check(name: str, hardware: str | None) -> None:
    owner, _, rest = name.partition("/")
    if not owner or not rest or "/" in rest:
        raise ConfigurationError(
            f"{name!r} is no name of a Space. Give OWNER/NAME, such as anna/comparator."
        )
    if hardware is not None and hardware not in HARDWARE:
        raise ConfigurationError(
            f"{hardware!r} is no hardware of a Space. There is: {', '.join(HARDWARE)}."
        )


def _token() -> str:
    token = get_token()
    if not token:
        raise ConfigurationError(
            "No Hugging Face token is known here. Make one with write access at "
            "https://huggingface.co/settings/tokens, then log in with: hf auth login "
            "(or set HF_TOKEN)."
        )
    return token


def _is_gpu(hardware: str | None) -> bool:
    return hardware is not None and not hardware.startswith("cpu-")


def _create(api: HfApi, name: str, private: bool) -> None:
    api.create_repo(
        name, repo_type="space", space_sdk="gradio", private=private or None, exist_ok=True
    )
    if private:  # an older one of that name may be public
        api.update_repo_settings(name, private=True, repo_type="space")
    for key, value in VARIABLES.items():
        api.add_space_variable(name, key, value)


def _upload(api: HfApi, name: str, gpu: bool, tell: Tell) -> CommitInfo:
    with tempfile.TemporaryDirectory(prefix="comparator-space-") as folder:
        bundle = Path(folder, "bundle")
        files = build_bundle(bundle, gpu=gpu)
        tell(f"uploading {len(files)} files, {sum(file.size for file in files)} bytes")
        return api.create_commit(
            name,
            _changes(api, name, bundle),
            repo_type="space",
            commit_message="Multi-LLM comparator",
        )


def _changes(
    api: HfApi, name: str, bundle: Path
) -> list[CommitOperationAdd | CommitOperationDelete]:
    """Return what makes a Space hold a bundle and nothing else, for one commit.

    ``upload_folder`` splits many files over several commits, and half a bundle would be built.
    """
    new = {
        path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()
    }
    old = set(api.list_repo_files(name, repo_type="space")) - {".gitattributes"}
    return [
        *(CommitOperationAdd(place, path) for place, path in sorted(new.items())),
        *(CommitOperationDelete(place) for place in sorted(old - set(new))),
    ]


class _Waiting:
    """Tells each new stage of a Space's build until it runs or fails."""

    def __init__(self, api: HfApi, name: str, commit: str, tell: Tell) -> None:
        self._api, self._name, self._commit, self._tell = api, name, commit, tell
        self._told = ""
        self._has_begun = False  # a build was seen to go on since the files were sent
        self._failed_looks = 0

    def until_it_runs(self, poll_seconds: float, longest_wait_seconds: float) -> str:
        """Return the stage in which it runs.

        Raises:
            HubError: it fails, or it takes too long.
        """
        end = time.monotonic() + longest_wait_seconds
        while True:
            runtime = self._api.get_space_runtime(self._name)
            stage = self._stage(runtime)
            if stage in adapter.RUNS and self._is_of_this_build(runtime):
                return stage
            if stage in adapter.ENDS_BADLY and self._has_failed(runtime):
                raise self._failure(stage, runtime)
            if time.monotonic() > end:
                raise HubError(
                    f"After {longest_wait_seconds / 60:.0f} minutes the Space is in the stage "
                    f"{stage}, and it is not known that this is of the new files. It goes on "
                    "without this command: look at its page."
                )
            time.sleep(poll_seconds)

    def _stage(self, runtime: SpaceRuntime) -> str:
        stage = with_controls_shown(adapter.stage_of(runtime))
        self._has_begun |= stage not in adapter.RUNS | adapter.ENDS_BADLY
        if stage != self._told:
            self._told = stage
            self._tell(f"stage: {stage}")
        return stage

    def _is_of_this_build(self, runtime: SpaceRuntime) -> bool:
        """Whether the stage is that of the files just sent, and not still of those before.

        Where the hub does not say of which commit it is, a build must have been seen to go on:
        what ran before goes on running until then.
        """
        commit = adapter.commit_of(runtime)
        return self._has_begun if commit is None else commit == self._commit

    def _has_failed(self, runtime: SpaceRuntime) -> bool:
        """Whether a bad end is that of the files just sent; one of no commit has to last."""
        if adapter.commit_of(runtime) is None:
            self._failed_looks += 1
        return self._is_of_this_build(runtime) or self._failed_looks > LOOKS_AT_AN_UNNAMED_FAILURE

    def _failure(self, stage: str, runtime: SpaceRuntime) -> HubError:
        said = adapter.error_of(runtime)[-2000:]
        reason = f": {with_controls_shown(said)}" if said else ""
        address = f"{self._api.endpoint}/spaces/{self._name}"
        return HubError(
            f"The Space does not run ({stage}){reason}. Its logs are on its page, {address}."
        )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the hub's client from drawing bars for files that are sent in a moment."""
    if not are_progress_bars_disabled():
        disable_progress_bars()
    yield


@contextlib.contextmanager
def _errors_in_words(name: str) -> Iterator[None]:
    try:
        yield
    except HFValidationError as error:
        raise ConfigurationError(f"{name!r} is no name of a Space: {error}") from error
    except HfHubHTTPError as error:
        raise HubError(_words(error)) from error
    except (HTTPError, OfflineModeIsEnabled, OSError) as error:
        raise HubError(
            f"Hugging Face cannot be reached ({type(error).__name__}: {error}). Check the network "
            "(and that HF_HUB_OFFLINE is not set), then repeat the command: it goes on where it "
            "was."
        ) from error


def _words(error: Any) -> str:
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    said = str(getattr(error, "server_message", None) or "").strip()
    words = _WORDS.get(
        status, f"Hugging Face could not do it (HTTP {status}). Repeat the command later."
    )
    return f"{words} (It says: {with_controls_shown(said[:500])})" if said else words
