"""What a page's visitors may do with suites: read, run, stop, resume, look at and delete them.

On one's own page all suites are one's own, and one that runs goes on when the page is closed. On
a public page they belong to a browser, are small, wait in line like comparisons, and end when
their visitor leaves. Nothing here knows of Gradio.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from comparator.comparison.request import Request, Slot
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.text import without_paths
from comparator.evaluation import resuming
from comparator.evaluation.new_suite import MOST_REPEATS
from comparator.evaluation.suite_run import SuiteRun, new_suite
from comparator.hosting.admission_queue import Admission
from comparator.hosting.limits import Rates
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import AdapterLookUp, LookUp, RequestDraft, SlotDraft
from comparator.hosting.session import BusyError
from comparator.hosting.suites import suite_sources
from comparator.hosting.suites.live_suite import LiveSuite, OnNews, RunningSuite
from comparator.hosting.suites.suite_drafts import (
    SuiteDraft,
    batch_of,
    refuse_assertions,
    refuse_parquet,
    whole,
)
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.kept_suite import Item, KeptSuite, Suite
from comparator.storage.suites import Suites

MakeRun = Callable[[KeptSuite, OnNews, "Sequence[Slot]", "Slot | None"], RunningSuite]

MOST_ANSWERS = 20_000  # that a page's matrix shows; the command line takes any number
MOST_AT_HAND = 2  # suites, of up to 100 MB each
MOST_NAME = 200  # characters
A_SUITE_RUNS = "A suite is running here already. Stop it first, or wait for its end."
NO_JUDGE = "A judge is asked on one's own page alone: it takes as long as the suite again."
TOO_MANY = (
    "{} prompts of {} models, {} times each, are {} answers; {} takes {}. Take fewer prompts, "
    "models or repeats{}."
)
GONE = "This suite is not kept here any more."
RUNS = "This suite is running. Stop it first."
CLOSED = "The page is being closed."
READS = "The page is reading another visitor's suite. Try again in a moment."
_READ_WAIT_SECONDS = 2.0  # each who waits holds one of the threads that visitors share


class Evaluations:
    """The suites of one page; usable from any thread.

    Args:
        options: how the page is served.
        engine: what runs suites.
        admission: the line, which suites and comparisons share.
        request_of: checks models and settings as a comparison's.
        comparison: finds a comparison by id and browser.
        models: finds models and adapters of the library, for suites that go on.
        rates: counts what visitors of a public page begin.
        store: the kept suites; by default those of the user's data folder.
        make_run: makes the run of a suite; by default the engine's.
    """

    def __init__(
        self,
        options: ServerOptions,
        engine: InferenceEngine,
        admission: Admission,
        request_of: Callable[[RequestDraft], Request],
        comparison: Callable[[str, str], KeptComparison | None],
        models: Callable[[], tuple[LookUp, AdapterLookUp]],
        rates: Rates,
        store: Suites | None = None,
        make_run: MakeRun | None = None,
    ) -> None:
        self._options, self._engine, self._admission = options, engine, admission
        self._request_of, self._comparison, self._rates = request_of, comparison, rates
        self._models = models
        self._store, self._make_run = store, make_run or self._run_of_engine
        self._live: list[LiveSuite] = []
        self._ended: OrderedDict[tuple[str, str], KeptSuite] = OrderedDict()
        self._lock = threading.Lock()
        self._reading = threading.Lock()  # of a public page: what a stranger brings may take long
        self._closed = False

    @property
    def store(self) -> Suites:
        """The kept suites."""
        if self._store is None:
            self._store = Suites()
        return self._store

    def read(self, source: Any, owner: str, browser: str = "") -> Suite:
        """Return the suite of a source, checked. Reads files: not for the loop.

        Raises:
            ConfigurationError: it cannot be read, or a public page does not take it.
        """
        if not self._options.is_public:
            return self._read(source, owner, browser)
        refuse_parquet(source)
        if not self._reading.acquire(timeout=_READ_WAIT_SECONDS):
            raise ConfigurationError(READS)
        try:
            suite = self._read(source, owner, browser)
        finally:
            self._reading.release()
        refuse_assertions(suite.items)
        return suite

    def _read(self, source: Any, owner: str, browser: str) -> Suite:
        suite = suite_sources.suite_of(
            source, lambda name: self._comparison(name, browser), lambda name: self.get(name, owner)
        )
        if not suite.items:
            raise ConfigurationError(suite_sources.NO_SOURCE)
        return suite

    def most_seconds(self, asked: RequestDraft, prompts: int, repeats: Any) -> float | None:
        """Return how long it takes where each answer is as long as it may be, one at a time.

        None where that cannot be told: a model that never wrote here, an answer without a limit,
        or a draft that is wrong, which its start says.
        """
        try:
            slots = self._request_of(replace(asked, prompt="…")).slots
            answers = prompts * whole("repeats", repeats, MOST_REPEATS)
        except MultiLLMError:
            return None
        known = [self._engine.measurements.of(slot.model) for slot in slots]
        speeds = [one.best_tokens_per_second if one else None for one in known]
        told = [
            slot.config.max_tokens / speed if speed and slot.config.max_tokens else None
            for slot, speed in zip(slots, speeds, strict=True)
        ]
        seconds = [one for one in told if one is not None]
        return answers * sum(seconds) if seconds and len(seconds) == len(told) else None

    def begin(
        self, session_key: str, draft: SuiteDraft, owner: str, visitor: str = "", browser: str = ""
    ) -> LiveSuite:
        """Check a draft and put it in line. Reads whole files of models: not for the loop.

        Raises:
            BusyError: another suite runs, of this page or, on a public one, of this visitor.
            MultiLLMError: the draft is wrong, the line is full, or the limits do not allow it.
        """
        self._refuse_second(owner, visitor)
        suite = self.read(draft.source, owner, browser)
        repeats = whole("repeats", draft.repeats, MOST_REPEATS)
        self._check_size(suite, len(draft.asked.slots), repeats)
        slots = self._slots(draft.asked, suite.items)
        judge = self._judge(draft)
        kept = new_suite(
            self._engine,
            suite,
            slots,
            repeats=repeats,
            batch=batch_of(draft.batch),
            judge=judge,
            name=draft.name.strip()[:MOST_NAME] or suite.name,
            owner=owner,
        )
        return self._take(session_key, kept, visitor, slots, judge)

    def resume(self, session_key: str, name: str, owner: str, visitor: str = "") -> LiveSuite:
        """Go on with a suite that was interrupted. Not for the loop.

        Raises:
            BusyError: as ``begin``.
            MultiLLMError: it is gone, or as ``begin``.
        """
        self._refuse_second(owner, visitor)
        kept = self.get(name, owner)
        if kept is None:
            raise ConfigurationError(self.store.trouble or GONE)
        models, adapters = self._models()
        slots = resuming.slots_of(kept, models, adapters)
        judge = None
        with contextlib.suppress(ConfigurationError):  # said when all was asked, should it be gone
            judge = resuming.judge_slot(kept, models)
        return self._take(session_key, kept, visitor, slots, judge)

    def live(self, owner: str, name: str = "") -> LiveSuite | None:
        """Return an owner's suite that waits or runs, that of an id where one is given."""
        with self._lock:
            own = [live for live in self._live if live.owner == owner]
        return next((live for live in own if name in ("", live.id)), None)

    def get(self, name: str, owner: str) -> KeptSuite | None:
        """Return an owner's suite as it stands, by id, a beginning of it, or ``last``."""
        live = self.live(owner, name) if name else None
        if live is not None:
            return live.kept()
        with self._lock:
            ended = self._ended.get((owner, name))
        found = ended or self.store.get(name, owner)
        if found is None:
            return None
        live = self.live(owner, found.id)
        if live is not None:
            return live.kept()
        if found.state == "done":
            self._remember(found)
        return found

    def _remember(self, kept: KeptSuite) -> None:
        """Keep a suite at hand that changes no more, for whoever looks into its answers."""
        with self._lock:
            self._ended[kept.owner, kept.id] = kept
            self._ended.move_to_end((kept.owner, kept.id))
            while len(self._ended) > MOST_AT_HAND:
                self._ended.popitem(last=False)

    def find(self, owner: str, most: int) -> Sequence[Any]:
        """Return an owner's kept suites, the newest first."""
        return self.store.find(owner, most)

    def remove(self, name: str, owner: str) -> None:
        """Delete an owner's suite.

        Raises:
            ConfigurationError: it runs, or is not there any more.
        """
        found = self.store.get(name, owner)
        if found is None:
            raise ConfigurationError(self.store.trouble or GONE)
        if self.live(owner, found.id) is not None:
            raise ConfigurationError(RUNS)
        with self._lock:
            self._ended.pop((owner, found.id), None)
        if not self.store.remove(found.id, owner):
            raise ConfigurationError(self.store.trouble or GONE)

    def stop(self, owner: str) -> bool:
        """Stop an owner's suites; return whether any ran. They can be resumed."""
        with self._lock:
            own = [live for live in self._live if live.owner == owner]
        for live in own:
            live.stop()
        return bool(own)

    def stop_session(self, session_key: str) -> bool:
        """Stop what a session began; return whether anything ran."""
        with self._lock:
            own = [live for live in self._live if live.session_key == session_key]
        for live in own:
            live.stop()
        return bool(own)

    def leave(self, session_key: str) -> None:
        """Note that a session's page was closed: on a public page its suite ends."""
        if self._options.is_public:
            self.stop_session(session_key)

    def close(self) -> list[LiveSuite]:
        """Take none any more, ask all to end, and return them."""
        with self._lock:
            self._closed = True
            left = list(self._live)
        for live in left:
            live.stop()
        return left

    def close_files(self) -> None:
        """Close the kept suites, so that the file alone is all of them."""
        if self._store is not None:
            self._store.close()

    def _take(
        self,
        session_key: str,
        kept: KeptSuite,
        visitor: str,
        slots: Sequence[Slot],
        judge: Slot | None,
    ) -> LiveSuite:
        def make_run(on_news: OnNews) -> RunningSuite:
            return self._make_run(kept, on_news, slots, judge)

        most = self._options.limits.suite_seconds if self._options.is_public else None
        seen = self._without_places if self._options.is_public else str
        live = LiveSuite(kept, make_run, session_key, visitor, most, seen)
        with self._lock:
            if self._closed:
                raise ConfigurationError(CLOSED)
            self._refuse(kept.owner, visitor)
            self._live.append(live)
        try:
            if self._options.is_public:
                self._rates.note(visitor or session_key)
            live.begin(self._admission, lambda: self._forget(live))
        except BaseException:
            self._forget(live)
            raise
        return live

    def _without_places(self, sentence: str) -> str:
        return without_paths(sentence, os.path.abspath(self._options.models_dir))

    def _forget(self, live: LiveSuite) -> None:
        with self._lock:
            self._live = [other for other in self._live if other is not live]

    def _refuse_second(self, owner: str, visitor: str) -> None:
        with self._lock:
            self._refuse(owner, visitor)

    def _refuse(self, owner: str, visitor: str) -> None:
        for live in self._live:
            if live.owner == owner or (visitor and live.visitor == visitor):
                raise BusyError(A_SUITE_RUNS)

    def _run_of_engine(
        self, kept: KeptSuite, on_news: OnNews, slots: Sequence[Slot], judge: Slot | None
    ) -> RunningSuite:
        return SuiteRun(self._engine, self.store, kept, on_news, slots, judge)

    def _slots(self, asked: RequestDraft, items: Sequence[Item]) -> Sequence[Slot]:
        """Return the models with their settings, each item checked as a comparison's prompt."""
        if self._options.is_public:
            for item in items:
                self._options.limits.check(replace(asked, prompt=item.messages))
        # A text and not messages: a system message of the first item is not for the others.
        return self._request_of(replace(asked, prompt=items[0].question or "…")).slots

    def _judge(self, draft: SuiteDraft) -> Slot | None:
        if not draft.judge:
            return None
        if self._options.is_public:
            raise ConfigurationError(NO_JUDGE)
        asked = RequestDraft("…", [SlotDraft(draft.judge)])
        return self._request_of(asked).slots[0]

    def _check_size(self, suite: Suite, models: int, repeats: int) -> None:
        answers = len(suite.items) * max(1, models) * repeats
        is_public = self._options.is_public
        most = self._options.limits.suite_answers if is_public else MOST_ANSWERS
        if answers <= most:
            return
        who = "this public page" if is_public else "the page"
        other = "" if is_public else ", or use 'comparator suite run'"
        told = (len(suite.items), models, repeats, answers, who, most, other)
        raise ConfigurationError(TOO_MANY.format(*told))
