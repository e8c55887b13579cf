"""An engine is tried before it is believed: once on each machine and build, in children that
are thrown away, from its best settings to its safest, until one computes what it should.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from comparator.comparison.engine_trials import trial_job, trial_words
from comparator.comparison.engine_trials.builds import Build, FileStamp, build_of, stamps_of
from comparator.comparison.engine_trials.trial_job import NotTried
from comparator.core.countdown import Countdown
from comparator.core.exceptions import MultiLLMError
from comparator.core.models import ModelInfo
from comparator.core.quiet import quiet
from comparator.core.trial_figures import LOADED_BYTES
from comparator.library.changes.child_jobs import ShouldStop, never
from comparator.library.facts.store import stamp_of
from comparator.memory.need import VALUES_STAY
from comparator.storage.digests import Digests
from comparator.storage.trial_verdicts import SAFE_FOR_DAYS, BuildVerdict, Failure, TrialVerdicts
from runners import registry, safe_settings
from runners.registry import Engine

CLOSE_SECONDS = 5.0
RETRY_SECONDS = 600.0  # a trial that could not be made is made again, in a long-lived program
_BUSY = "another model was running when it was to be tried; it is tried when none is"

TryLevel = Callable[[str, str, dict[str, Any], ShouldStop], trial_job.Tried]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialVerdict:
    """What an engine may use on this machine, and what is to be said of it.

    Attributes:
        settings: for the engine; empty for its own defaults.
        library: the one that answers; empty for the usual one.
        sentences: what is off and why; empty when nothing is.
        notes: what the trial itself told, for those who look closer.
        figures: what it measured.
        key: of the build on this machine; empty for a kind that needs no trial.
        is_tried: whether a trial has found it.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    library: str = ""
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    key: str = ""
    is_tried: bool = False


_Stamps = tuple[tuple[FileStamp, ...], ...]
_Found = tuple[Build, BuildVerdict]


@dataclass
class _Known:
    stamps: _Stamps
    verdict: TrialVerdict
    is_final: bool  # of a trial that was made; any other counts for a while
    at: float = field(default_factory=time.monotonic)

    def counts(self) -> bool:
        return self.is_final or time.monotonic() - self.at < RETRY_SECONDS


class Trials:
    """Gives each engine's verdict, and makes its trial where there is none. Not for event loops.

    Args:
        verdicts: where they are kept.
        digests: what is known of the native files.
        try_level: makes one trial; for tests.
    """

    def __init__(
        self,
        verdicts: TrialVerdicts | None = None,
        digests: Digests | None = None,
        try_level: TryLevel = trial_job.try_level,
    ) -> None:
        self.verdicts = verdicts or TrialVerdicts()
        self._digests = digests or Digests()
        self._try_level = try_level
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._closed = threading.Event()

    def verdict_for(self, kind: str, should_stop: ShouldStop = never) -> TrialVerdict:
        """Return the verdict of a kind of model, from memory, the store, or a trial.

        A trial takes the processor for about half a second, so that none is made while a model
        is measured. It never raises: where no trial can be made, a sentence says so.
        """
        builds = _builds(kind)
        if not builds:
            return TrialVerdict()
        closed = self._closed  # of now: whoever asks after a close is not meant by it
        with self._lock_of(kind):
            return self._believed(kind, builds) or self._tried(
                kind, builds, lambda: should_stop() or closed.is_set()
            )

    def known(self, kind: str) -> TrialVerdict | None:
        """Return the verdict of a kind of model without a trial; None where there is none yet."""
        builds = _builds(kind)
        if not builds:
            return TrialVerdict()
        with self._lock_of(kind):
            return self._believed(kind, builds)

    def figures_of(self, kind: str) -> dict[str, float]:
        """Return what the trial of a kind of model measured; empty before it, or during it.

        Beside that, the bytes of a number as it is loaded, by the type that is stored, and whether
        flash attention is off.
        """
        builds, lock = _builds(kind), self._lock_of(kind)
        if not builds or not lock.acquire(blocking=False):
            return {}
        try:
            verdict = self._believed(kind, builds)
        finally:
            lock.release()
        if not verdict:
            return {}
        off = {VALUES_STAY: 1.0} if verdict.settings.get("flash_attention") == "off" else {}
        return {**verdict.figures, **_loaded_bytes(verdict.settings), **off}

    def server_of(self, kind: str) -> str:
        """Return the fork server that runs a kind of model, as far as its verdict is known."""
        verdict = self.known(kind)
        return registry.server_of(kind, verdict.library if verdict else "")

    def in_background(self, kinds: Sequence[str]) -> None:
        """Make the trials of these kinds, as long as nobody wants to run a model.

        The heavier engine is first: until its fork server is ready, the processor is not free
        for the others either.
        """
        closed = self._closed
        for kind in sorted(kinds, reverse=True):
            if not closed.is_set():
                self.verdict_for(kind, lambda: quiet.is_wanted or closed.is_set())

    def for_model(
        self, model: ModelInfo, should_stop: ShouldStop = never
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return what a run of a model is told (``Assignment.verdict``) and what is said of it."""
        kind = model.model_type.value
        verdict = self.verdict_for(kind, should_stop)
        told: dict[str, Any] = {"settings": verdict.settings} if verdict.settings else {}
        if verdict.library:
            told["library"] = verdict.library
        if not verdict.key:
            return told, verdict.sentences
        remembered = self.verdicts.remembered(verdict.key, _mark(model))
        if remembered.learned:
            told["learned"] = remembered.learned
        if not remembered.crash:
            return told, verdict.sentences
        told["settings"] = safe_settings.safest_of(kind, verdict.settings)
        said = safe_settings.before(kind, remembered.crash, SAFE_FOR_DAYS)
        return told, (*verdict.sentences, said)

    def learn(self, model: ModelInfo, told: dict[str, Any], learned: dict[str, Any]) -> None:
        """Keep what an engine has learned of a model, where it is more than it was told."""
        key = self._key_of(model.model_type.value)
        if key and learned and learned != told.get("learned"):
            self.verdicts.learn(key, _mark(model), learned)

    def note_crash(self, model: ModelInfo, reason: str) -> None:
        """Keep that a model died before its first token, so that it starts safely from now on."""
        key = self._key_of(model.model_type.value)
        if key:
            self.verdicts.note_crash(key, _mark(model), reason)

    def stop(self) -> None:
        """End the trials that are under way or wait; returns at once."""
        closed, self._closed = self._closed, threading.Event()
        closed.set()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """End what is under way, and close the files; the next use opens them again.

        What has not ended in time is left to end by itself.
        """
        self.stop()
        countdown = Countdown(timeout_seconds)
        for lock in list(self._locks.values()):
            if lock.acquire(timeout=countdown.left):
                lock.release()
        self.verdicts.close()
        self._digests.close()

    def _key_of(self, kind: str) -> str:
        """Return the key of the build that runs a kind here; empty where none needs a trial."""
        verdict, builds = self.known(kind), _builds(kind)
        if verdict is None and builds:
            return build_of(kind, builds[0], self._digests).key
        return verdict.key if verdict else ""

    def _lock_of(self, kind: str) -> threading.Lock:
        return self._locks.setdefault(kind, threading.Lock())

    def _believed(self, kind: str, builds: Sequence[Engine]) -> TrialVerdict | None:
        """Return what is known of a kind from this program's memory or the store."""
        stamps = _stamps(builds)
        known = self._known.get(kind)
        if known and known.stamps == stamps and known.counts():
            return known.verdict
        found: list[_Found] = []
        for engine in builds:
            build = build_of(kind, engine, self._digests)
            verdict = self.verdicts.of(build.key)
            if verdict is None:
                return None
            found.append((build, verdict))
            if verdict.level is not None:
                break
        return self._kept(kind, stamps, _concluded(found))

    def _kept(self, kind: str, stamps: _Stamps, verdict: TrialVerdict) -> TrialVerdict:
        self._known[kind] = _Known(stamps, verdict, is_final=verdict.is_tried)
        return verdict

    def _tried(self, kind: str, builds: Sequence[Engine], should_stop: ShouldStop) -> TrialVerdict:
        with quiet.for_trial() as may_try:
            if not may_try:
                return self._untried(kind, builds[0], _BUSY)
            if should_stop():  # while this one waited for another trial's end
                return self._untried(kind, builds[0], trial_job.PUT_OFF)
            try:
                return self._try_builds(kind, builds, should_stop)
            except NotTried as error:
                verdict = self._untried(kind, builds[0], str(error))
                return verdict if error.is_passing else self._kept(kind, _stamps(builds), verdict)

    def _untried(self, kind: str, engine: Engine, reason: str) -> TrialVerdict:
        key = build_of(kind, engine, self._digests).key
        return TrialVerdict(sentences=(trial_words.untried(kind, reason),), key=key)

    def _try_builds(
        self, kind: str, builds: Sequence[Engine], should_stop: ShouldStop
    ) -> TrialVerdict:
        """Try one build after another until one is right; keep what is found.

        A build that cannot be used at all is passed over, which counts for this program alone.
        """
        found: list[_Found] = []
        passed_over: list[tuple[Engine, NotTried]] = []
        for engine in builds:
            build = build_of(kind, engine, self._digests)
            verdict = self.verdicts.of(build.key)
            try:
                if verdict is None:
                    verdict = self._try_levels(kind, engine, should_stop)
                    self.verdicts.keep(build.key, verdict)
            except NotTried as error:
                if not error.is_unusable:
                    if not found:
                        raise
                    return self._believed_untried(*found[0], build, str(error))
                passed_over.append((engine, error))
                continue
            found.append((build, verdict))
            if verdict.level is not None:
                break
        if not found:
            raise passed_over[0][1]
        concluded = _concluded(found)
        if passed_over and found[-1][1].level is not None:
            concluded = _instead(concluded, found[-1][0], *passed_over[0])
        return self._kept(kind, _stamps(builds), concluded)

    def _believed_untried(
        self, first: Build, failed: BuildVerdict, build: Build, reason: str
    ) -> TrialVerdict:
        """Return what is left where one build is wrong and the other could not be tried."""
        said = trial_words.other_build(first.library, build.library, failed.failures)
        note = trial_words.untried(build.kind, reason)
        return TrialVerdict(library=build.library, sentences=(said, note), key=build.key)

    def _try_levels(self, kind: str, engine: Engine, should_stop: ShouldStop) -> BuildVerdict:
        failures: list[Failure] = []
        for number, level in enumerate(engine.trial):
            tried = self._try_level(kind, engine.library, dict(level), should_stop)
            if tried.failure is None:
                settings = trial_job.within(level, tried.chosen)
                return BuildVerdict(number, settings, tuple(failures), tried.notes, tried.figures)
            _log.warning("%s failed its trial: %s", engine.library, tried.failure)
            failures.append(tried.failure)
        return BuildVerdict(None, dict(engine.trial[-1]), tuple(failures))


def _loaded_bytes(settings: Mapping[str, Any]) -> dict[str, float]:
    types = settings.get("auto_dtype") or {}
    return {
        f"{LOADED_BYTES}{stored}": 4.0 if loaded == "float32" else 2.0
        for stored, loaded in types.items()
        if loaded
    }


def _builds(kind: str) -> Sequence[Engine]:
    """Return the builds of a kind that are installed and can be tried."""
    if kind not in registry.ENGINES:
        return ()
    try:
        return [build for build in registry.builds(kind) if build.trial]
    except MultiLLMError:  # a choice of the user's that the run itself refuses
        return ()


def _stamps(builds: Sequence[Engine]) -> _Stamps:
    return tuple(stamps_of(build.library) for build in builds)


def _concluded(found: Sequence[_Found]) -> TrialVerdict:
    """Return what follows of the builds' own verdicts: the first that is right is used.

    Where none is, the first build is used with its safest settings.
    """
    first, first_found = found[0]
    build, chosen = found[-1] if found[-1][1].level is not None else found[0]
    said = trial_words.sentences(build.kind, build.library, chosen)
    if build is not first:
        said = (
            trial_words.other_build(first.library, build.library, first_found.failures),
            *said,
        )
    library = build.library if build is not first else ""
    return TrialVerdict(
        chosen.settings, library, said, chosen.notes, chosen.figures, build.key, is_tried=True
    )


def _instead(verdict: TrialVerdict, build: Build, engine: Engine, error: NotTried) -> TrialVerdict:
    """Return a verdict for a build that takes the place of one that cannot be used."""
    said = trial_words.unusable(engine.library, build.library, str(error))
    return replace(verdict, library=build.library, sentences=(said, *verdict.sentences))


def _mark(model: ModelInfo) -> str:
    """Return what a model is known by: where it is, and what changes with its files."""
    return f"{model.path!a} {stamp_of(model)}"
