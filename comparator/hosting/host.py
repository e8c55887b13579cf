"""What the page and its endpoints are served from: models, the line, and each visitor's run.

Nothing here knows of Gradio.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from comparator.comparison import warm_up
from comparator.comparison.comparison import Comparison
from comparator.comparison.kept import KeptComparison, in_columns_of, new_id
from comparator.comparison.kept import kept as kept_of
from comparator.comparison.request import Request
from comparator.comparison.turns import Turn, Turns
from comparator.core.countdown import Countdown
from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.core.quiet import quiet
from comparator.hosting import records, reruns
from comparator.hosting.admission_queue import Admission
from comparator.hosting.library.library_actions import LibraryActions
from comparator.hosting.library.library_table import LibraryTable
from comparator.hosting.limits import Rates
from comparator.hosting.options import ServerOptions
from comparator.hosting.records import Record
from comparator.hosting.requests import (
    AdapterLookUp,
    LookUp,
    RequestDraft,
    adapters_offered_by,
    advice_of,
    offered_by,
    refuse_foreign_code,
    request_of,
)
from comparator.hosting.session import BusyError, OnNews, Session, Sessions
from comparator.hosting.suites.evaluations import Evaluations
from comparator.hosting.turn_requests import by_id, request_of_turns
from comparator.hosting.voting import Voting
from comparator.hub.downloads import Downloads
from comparator.library.changes import starter
from comparator.library.shelf import Shelf
from comparator.services import prompt_fit
from comparator.services.inference_engine import InferenceEngine
from comparator.services.model_manager import ModelManager
from comparator.services.token_counts import ModelPromptSize
from comparator.storage.history import History

CLOSE_SECONDS = 5.0
NOBODY = "nobody"  # owns what is asked of a public page without a browser; never its owner
_log = logging.getLogger(__name__)


class Host:
    """The service behind one page."""

    def __init__(
        self,
        options: ServerOptions,
        engine: InferenceEngine | None = None,
        history: History | None = None,
    ) -> None:
        self.options = options
        self.history = history or History(retention=options.retention)
        self.voting = Voting(self.history, adapter=lambda name: self._offered()[1](name))
        self.engine = engine or InferenceEngine(deadlines=options.allowed_deadlines)
        self.engine.keep_warm_seconds = options.keep_warm_minutes * 60
        self.manager = ModelManager(
            options.models_dir, more_dirs=options.offered_dirs, sources=options.offered_sources
        )
        self.library = self._library()
        self.downloads = None if options.is_public else Downloads(options.models_dir)
        self.admission = Admission(options.comparisons_at_once, options.allowed_line_length)
        self.rates = Rates(options.limits)
        self._sessions = Sessions(one_a_visitor=options.is_public)
        finding = (self.kept, self._offered)
        line = (self.admission, self._request, *finding, self.rates)
        self.evaluations = Evaluations(options, self.engine, *line)

    def _offered(self) -> tuple[LookUp, AdapterLookUp]:
        self.shelf()  # a model may be gone since it was asked
        return offered_by(self.manager), adapters_offered_by(self.manager)

    def _library(self) -> LibraryActions:
        options, engine = self.options, self.engine
        table = LibraryTable(engine.memory_manager, engine.measurements, options.is_public)
        place, most = options.models_dir, options.most_models
        return LibraryActions(table, self.shelf, place, options.is_public, most)

    def shelf(self) -> Shelf:
        """Scan the models folder and return what it holds; empty where there is no folder.

        Listing waits for no facts: what is known to be no language model is passed over.
        """
        try:
            models = self.manager.scan_models()
        except ModelNotFoundError:
            return Shelf()
        return Shelf.of(models, self.manager.skipped)

    def warm_up(self) -> None:
        """Read facts and try the engines that were never tried here, in the background."""
        warm_up.begin(self.library.rescan().offered, self.engine.trials)

    def choose(self, model_ids: Sequence[object]) -> None:
        """Start the engines of models that a visitor has chosen, before the question comes.

        Ids that are not in the library are passed over.
        """
        known = {model.id: model for model in self.library.table.models()}
        self.engine.warm_up([known[i] for i in model_ids if isinstance(i, str) and i in known])

    def model_records(self) -> list[Record]:
        """Return every model as an object ready for JSON, without paths of this machine."""
        return records.of_models(self.shelf(), self.options.models_dir)

    def records(self, comparison: Comparison, position: int = 0) -> list[Record]:
        """Return every column's record as visitors may see it, with its place in line."""
        return records.of_comparison(comparison, self.options.models_dir, position)

    def begin(
        self,
        session_key: str,
        draft: RequestDraft,
        on_news: OnNews,
        visitor: str = "",
        browser: str = "",
    ) -> Session:
        """Check a draft and put it in line for a session. May read files: not for the loop.

        Args:
            session_key: whose it is to stop.
            draft: what is asked.
            on_news: called from other threads when there is something to see.
            visitor: what one visitor's sessions have in common.
            browser: whose history it belongs to on a public page.

        Raises:
            BusyError: the visitor's last comparison still goes on.
            TooOftenError: on a public page, more than its limits allow in a minute.
            MultiLLMError: the draft is wrong, or the line is full. Nothing was started.
        """
        whose = self._allowed(session_key, visitor)
        request = self._request(draft)
        self._sizes(request)  # so that a slot whose context is too small is refused at once
        return self._take(session_key, request, None, on_news, whose, browser)

    def blindly(self, draft: RequestDraft, browser: str = "") -> RequestDraft:
        """Return a draft in the order in which its answers are shown without names.

        May read files: not for the loop.

        Raises:
            MultiLLMError: the draft is wrong, or has one model alone.
        """
        slots = self._request(draft).slots
        return self.voting.ordered(draft, slots, self.owner_of(browser))

    def ask_on(
        self,
        session_key: str,
        turns: Turns,
        on_news: OnNews,
        visitor: str = "",
        browser: str = "",
    ) -> Session:
        """Ask the columns of a kept comparison what ``comparison.turns`` makes of it.

        It is a comparison of its own, kept with the columns that it does not ask. A column whose
        model is gone is left out, as the session says. May read files: not for the loop.

        Raises:
            BusyError: something of this session still goes on.
            MultiLLMError: as ``begin``; or all models are gone.
        """
        whose = self._allowed(session_key, visitor)
        request, there = request_of_turns(turns, self._of_turns(), self._request)
        request = replace(request, on_page=not visitor)
        columns = [turn.column for turn in there.turns]
        session = self._take(session_key, request, columns, on_news, whose, browser)
        session.left_out = there.left_out
        return session

    def _request(self, draft: RequestDraft, look_up: LookUp | None = None) -> Request:
        if self.options.is_public:
            refuse_foreign_code(draft)
            self.options.limits.check(draft)
            draft = self.options.limits.with_usual_settings(draft)
        if not self.manager.available_models:
            self.shelf()
        adapters = adapters_offered_by(self.manager)
        return request_of(draft, self.engine, look_up or offered_by(self.manager), adapters)

    def rerun(
        self,
        session_key: str,
        earlier: KeptComparison,
        on_news: OnNews,
        visitor: str = "",
        browser: str = "",
    ) -> Session:
        """Ask what a kept comparison asked once more: models, settings, seeds, messages and date.

        A column whose model is gone is left out, and said. May read files: not for the loop.

        Raises:
            MultiLLMError: as ``begin``; or all models are gone.
        """
        whose = self._allowed(session_key, visitor)
        request = reruns.rerun_of(earlier, self._of_turns(), self._request)
        request = replace(request, on_page=not visitor)
        return self._take(session_key, request, None, on_news, whose, browser)

    def prompt_fit(self, draft: RequestDraft) -> list[tuple[int, str]]:
        """Return for which slots a draft's prompt is too long: their numbers, and what to do.

        Empty where it fits all, and on a public page, where strangers start no further process.
        Not for the loop: a child may read a vocabulary.

        Raises:
            MultiLLMError: the draft is wrong.
        """
        if self.options.is_public:
            return []
        sizes = self._sizes(self._request(draft))
        return [
            (number, size.refusal) for number, size in enumerate(sizes) if size and size.refusal
        ]

    def _sizes(self, request: Request) -> list[ModelPromptSize | None]:
        """Count the tokens of prompts that may be too long; strangers' are not counted."""
        if self.options.is_public:
            return []
        return prompt_fit.sizes(self.engine.token_counts, request)

    def advice(self, draft: RequestDraft) -> list[str]:
        """Return for each slot what its maker advises where it is not what would be sent.

        Empty where nothing is to be said. May read files: not for the loop.
        """
        return [advice_of(draft, slot, offered_by(self.manager)) for slot in draft.slots]

    def again(
        self,
        session_key: str,
        earlier: Comparison,
        slot: int,
        column: int,
        on_news: OnNews,
        visitor: str = "",
        browser: str = "",
        beside: str | None = None,
    ) -> Session:
        """Ask one model of an earlier comparison the same once more, with the same settings.

        It is a comparison of its own, which waits in line like any other and fills one column
        of the visitor's page. It is kept with the other columns of ``beside``, the comparison
        that the page shows. May read files: not for the loop.

        Raises:
            BusyError: something of this session still goes on.
            MultiLLMError: the line is full. Nothing was started.
        """
        whose = self._allowed(session_key, visitor)
        if not earlier.status(slot).is_complete:
            raise BusyError
        again = self.engine.again(earlier.request, slot)
        request = replace(again, parent=beside or earlier.name)
        return self._take(session_key, request, [column], on_news, whose, browser)

    def _allowed(self, session_key: str, visitor: str) -> str:
        """Return whose run begins: of a visitor's sessions together, or of one alone.

        Raises:
            BusyError: something of theirs still goes on.
        """
        self._sessions.refuse_second(session_key, visitor or session_key)
        return visitor or session_key

    def _of_turns(self) -> Callable[[Turn], ModelInfo]:
        self.shelf()  # a model may be gone since it was asked
        return by_id(offered_by(self.manager))

    def _take(
        self,
        session_key: str,
        request: Request,
        columns: Sequence[int] | None,
        on_news: OnNews,
        visitor: str,
        browser: str,
    ) -> Session:
        comparison = Comparison(request, on_news)
        comparison.name = new_id() if self.history.is_on else None
        keep = functools.partial(self._keep, owner=self.owner_of(browser), columns=columns)
        session = Session(self.engine, comparison, columns, visitor, keep)
        self._sessions.add(session_key, session)
        try:
            if self.options.is_public:
                self.rates.note(visitor)
            session.begin(
                self.admission, on_news, lambda: self._sessions.forget(session_key, session)
            )
        except BaseException:
            self._sessions.forget(session_key, session)
            raise
        return session

    def owner_of(self, browser: str) -> str:
        """Return whose history a browser sees: on one's own page all of it is one's own."""
        return (browser or NOBODY) if self.options.is_public else ""

    def kept(self, name: str, browser: str = "") -> KeptComparison | None:
        """Return a comparison of a browser's history, by its id, a beginning of it, or ``last``.

        Whose names it tells may be hidden until a vote: ``voting.opened`` refuses it then.
        """
        return self.history.get(name, self.owner_of(browser))

    def _keep(self, comparison: Comparison, owner: str, columns: Sequence[int] | None) -> str:
        """Keep a comparison that has ended, and return in a sentence why that did not work.

        What goes wrong with that is no trouble of the comparison.
        """
        try:
            ended = kept_of(comparison.request, comparison.results(), comparison.name, owner)
            earlier = self.history.get(ended.parent, owner) if columns and ended.parent else None
            if columns and earlier is not None:
                ended = in_columns_of(earlier, ended, columns)
            if self.history.add(ended):
                return ""
        except Exception:
            _log.exception("A comparison could not be kept")
        return f"This comparison is not in the history. {self.history.trouble}".rstrip()

    def current(self, session_key: str) -> Session | None:
        """Return the session's latest comparison while it has children or waits."""
        sessions = self._sessions.of(session_key)
        return sessions[-1] if sessions else None

    def stop(self, session_key: str, column: int | None = None) -> bool:
        """Stop what a session runs, or one column of it; return whether anything ran."""
        sessions = self._sessions.of(session_key)
        for session in sessions:
            session.stop(column)
        return bool(sessions)

    def install_starter(self, on_progress: starter.Progress) -> None:
        """Put the starter models in place. Takes long: not for the loop.

        Raises:
            MultiLLMError: a sentence that says why it did not work.
        """
        with quiet.background("making the starter models"):
            starter.install(self.options.models_dir, on_progress)
        self.warm_up()

    def close(self) -> None:
        """Stop everything, wait for the children to be gone, and end the fork servers.

        All is asked to end before anything is waited for, and all waits share one time: whoever
        ends this page, such as the host of a Space, kills it when it takes long.
        """
        countdown = Countdown(CLOSE_SECONDS)
        sessions = self._sessions.close()
        for session in sessions:
            session.stop()
        suites = self.evaluations.close()
        self.library.stop()
        if self.downloads is not None:
            self.downloads.stop()
        self.engine.trials.stop()
        for session in sessions:
            session.join(countdown.left)
        for suite in suites:
            suite.join(countdown.left)
        self.library.join(countdown.left)
        if self.downloads is not None:
            self.downloads.close(countdown.left)
        self.engine.cleanup_resources(countdown.left)
        self.evaluations.close_files()
        self.voting.close()
        self.history.close()  # so that the file alone is all of it
