"""What the page and its endpoints are served from: models, the line, and each visitor's run.

Nothing here knows of Gradio. A visitor is a session key that only that visitor's browser or
client knows; stop and leave act on that session's comparisons alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from comparator.comparison import warm_up
from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.core.quiet import quiet
from comparator.hosting.admission_queue import Admission
from comparator.hosting.library_actions import LibraryDesk
from comparator.hosting.library_table import LibraryView, Shelf
from comparator.hosting.limits import Rates
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import Question, models_and_configs, refuse_foreign_code
from comparator.hub.downloads import Downloads
from comparator.library.changes import starter
from comparator.library.discovery import Skipped
from comparator.library.facts.lookup import facts_of, store
from comparator.library.facts.purposes import why_not_offered
from comparator.services.inference_engine import InferenceEngine
from comparator.services.model_manager import ModelManager

CLOSE_SECONDS = 5.0
OnNews = Callable[[], None]


class BusyError(ConfigurationError):
    """The session has a comparison under way."""


class Session:
    """One visitor's comparison, from the line to the exit of its last child.

    One reader drains it. A thread of its own waits for the turn and for the end, so that the
    place is given back when the children are reaped, whoever still looks.

    Args:
        engine: what runs it.
        comparison: what is run.
        columns: which columns of the visitor's page it fills; as many as it has, by default.
        visitor: who asked, whatever the session.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        comparison: Comparison,
        columns: Sequence[int] | None = None,
        visitor: str = "",
    ) -> None:
        self.visitor = visitor
        self.comparison = comparison
        self._columns = columns or range(len(comparison.request.slots))
        self.trouble: str | None = None
        self._engine = engine
        self._ticket: Any = None
        self._stop_asked = False

    def begin(self, admission: Admission, on_news: OnNews, on_end: OnNews) -> None:
        """Join the line.

        Raises:
            LineFullError: no further comparison is taken.
        """
        self._ticket = admission.enter(on_news)
        threading.Thread(
            target=self._live, args=(on_end,), name="comparator-session", daemon=True
        ).start()

    @property
    def position(self) -> int:
        """Return the place in line, counted from 1; 0 when it no longer waits."""
        return int(self._ticket.position)

    @property
    def is_stopping(self) -> bool:
        """Whether all of it was asked to stop."""
        return self._stop_asked

    @property
    def is_complete(self) -> bool:
        """Whether the reader has seen the end of every column."""
        return self.comparison.is_complete

    @property
    def is_running(self) -> bool:
        """Whether it waits or has children, and nobody has asked it to stop."""
        return not self._stop_asked and not self.comparison.has_ended

    def stop(self, column: int | None = None) -> None:
        """Stop one column of the page or all; returns at once and is harmless at any time."""
        if column is None:
            self._stop_asked = True
            self.comparison.stop()
        elif column in self._columns:
            self.comparison.stop(self._columns.index(column))
        if self.comparison.has_ended:
            self._ticket.leave()

    def join(self, timeout_seconds: float) -> bool:
        """Wait until no child is left."""
        return self.comparison.wait_until_ended(timeout_seconds)

    def _live(self, on_end: OnNews) -> None:
        try:
            if self._ticket.wait() and not self.comparison.has_ended:
                self._engine.start(self.comparison)
            self.comparison.wait_until_ended()
        except OSError as error:
            self.trouble = f"The model processes could not be started: {error}."
            self.comparison.stop()
        finally:
            self._engine.finish(self.comparison)
            self._ticket.leave()
            on_end()


class Host:
    """The service behind one page."""

    def __init__(self, options: ServerOptions, engine: InferenceEngine | None = None) -> None:
        self.options = options
        self.engine = engine or InferenceEngine(deadlines=options.allowed_deadlines)
        self.engine.keep_warm_seconds = options.keep_warm_minutes * 60
        self.manager = ModelManager(
            options.models_dir, more_dirs=options.offered_dirs, sources=options.offered_sources
        )
        self.library = self._desk()
        self.downloads = None if options.is_public else Downloads(options.models_dir)
        self.admission = Admission(options.comparisons_at_once, options.allowed_line_length)
        self.rates = Rates(options.limits)
        self._sessions: dict[str, list[Session]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def _desk(self) -> LibraryDesk:
        options, engine = self.options, self.engine
        view = LibraryView(engine.memory_manager, engine.measurements, options.is_public)
        place, most = options.models_dir, options.most_models
        return LibraryDesk(view, self.shelf, place, options.is_public, most)

    def shelf(self) -> Shelf:
        """Scan the models folder and return what it holds; empty where there is no folder.

        Listing waits for no facts: what is known to be no language model is passed over.
        """
        try:
            models = self.manager.scan_models()
        except ModelNotFoundError:
            return Shelf()
        others = {model.id: reason for model in models if (reason := _known_reason(model))}
        return Shelf(
            [model for model in models if not model.problem and model.id not in others],
            [model for model in models if model.problem],
            [
                *self.manager.skipped,
                *(Skipped(m.path, others[m.id]) for m in models if m.id in others),
            ],
        )

    def warm_up(self) -> None:
        """Read facts and try the engines that were never tried here, in the background."""
        warm_up.begin(self.library.rescan().offered, self.engine.trials)

    def choose(self, model_ids: Sequence[object]) -> None:
        """Start the engines of models that a visitor has chosen, before the question comes.

        Ids that are not in the library are passed over.
        """
        known = {model.id: model for model in self.library.view.models()}
        self.engine.warm_up([known[i] for i in model_ids if isinstance(i, str) and i in known])

    def model_records(self) -> list[dict[str, Any]]:
        """Return every model as an object ready for JSON, without paths of this machine."""
        shelf = self.shelf()
        return [
            {
                **self._without_path(model.to_record()),
                "quantisation": facts_of(model).quantisation,
                "problem": model.problem,
            }
            for model in [*shelf.offered, *shelf.unusable]
        ]

    def records(self, comparison: Comparison, position: int = 0) -> list[dict[str, Any]]:
        """Return every column's record as visitors may see it, with its place in line."""
        records = [result.to_record() for result in comparison.results()]
        return [
            {**record, "model": self._without_path(record["model"]), "position": position}
            for record in records
        ]

    def _without_path(self, model: dict[str, Any]) -> dict[str, Any]:
        """Replace a model's path by null, and add it as seen from the models folder.

        Visitors need not know where the folder is; and ``gradio_client`` takes any object
        whose ``path`` is text for a file that it has to download.
        """
        path = model.get("path") or ""
        folder = os.path.abspath(self.options.models_dir)
        inside = path.startswith(folder + os.sep)
        file = os.path.relpath(path, folder) if inside else os.path.basename(path)
        return {**model, "path": None, "file": file}

    def begin(
        self, session_key: str, question: Question, on_news: OnNews, visitor: str = ""
    ) -> Session:
        """Check a question and put it in line for a session. May read files: not for the loop.

        Raises:
            BusyError: the visitor's last comparison still goes on.
            TooOftenError: on a public page, more than its limits allow in a minute.
            MultiLLMError: the question is wrong, or the line is full. Nothing was started.
        """
        visitor = visitor or session_key
        self._refuse_second(session_key, visitor)
        if self.options.is_public:
            refuse_foreign_code(question)
            self.options.limits.check(question)
            question = self.options.limits.settings_of(question)
        if not self.manager.available_models:
            self.shelf()
        models, configs = models_and_configs(question, self.manager)
        request = self.engine.request(question.prompt, models, configs, None, question.together)
        return self._take(session_key, request, None, on_news, visitor)

    def again(
        self,
        session_key: str,
        earlier: Comparison,
        slot: int,
        column: int,
        on_news: OnNews,
        visitor: str = "",
    ) -> Session:
        """Ask one model of an earlier comparison the same once more, with the same settings.

        It is a comparison of its own, which waits in line like any other and fills one column
        of the visitor's page. May read files: not for the loop.

        Raises:
            BusyError: something of this session still goes on.
            MultiLLMError: the line is full. Nothing was started.
        """
        visitor = visitor or session_key
        self._refuse_second(session_key, visitor)
        if not earlier.status(slot).is_complete:
            raise _busy()
        request = self.engine.again(earlier.request, slot)
        return self._take(session_key, request, [column], on_news, visitor)

    def _take(
        self,
        session_key: str,
        request: Request,
        columns: Sequence[int] | None,
        on_news: OnNews,
        visitor: str,
    ) -> Session:
        session = Session(self.engine, Comparison(request, on_news), columns, visitor)
        with self._lock:
            if self._closed:
                raise ConfigurationError("The page is being closed.")
            if self._has_running(session_key, visitor):
                raise _busy()
            if self.options.is_public:
                self.rates.note(visitor)
            self._sessions.setdefault(session_key, []).append(session)
        try:
            session.begin(self.admission, on_news, lambda: self._forget(session_key, session))
        except BaseException:
            self._forget(session_key, session)
            raise
        return session

    def current(self, session_key: str) -> Session | None:
        """Return the session's latest comparison while it has children or waits."""
        with self._lock:
            sessions = self._sessions.get(session_key)
            return sessions[-1] if sessions else None

    def stop(self, session_key: str, column: int | None = None) -> bool:
        """Stop what a session runs, or one column of it; return whether anything ran."""
        with self._lock:
            sessions = list(self._sessions.get(session_key, ()))
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
        """Stop everything, wait for the children to be gone, and end the fork servers."""
        with self._lock:
            self._closed = True
            sessions = [session for several in self._sessions.values() for session in several]
        for session in sessions:
            session.stop()
        self.library.close()
        if self.downloads is not None:
            self.downloads.close()
        for session in sessions:
            session.join(CLOSE_SECONDS)
        self.engine.cleanup_resources()

    def _refuse_second(self, session_key: str, visitor: str) -> None:
        with self._lock:
            if self._has_running(session_key, visitor):
                raise _busy()

    def _has_running(self, session_key: str, visitor: str) -> bool:
        """Whether a session has something running; on a public page, all of a visitor's."""
        return any(
            session.is_running
            for key, sessions in self._sessions.items()
            for session in sessions
            if key == session_key or (self.options.is_public and session.visitor == visitor)
        )

    def _forget(self, session_key: str, session: Session) -> None:
        with self._lock:
            left = [other for other in self._sessions.get(session_key, ()) if other is not session]
            if left:
                self._sessions[session_key] = left
            else:
                self._sessions.pop(session_key, None)


def _known_reason(model: ModelInfo) -> str | None:
    """Return why a model cannot be asked, from facts that were read before; None otherwise."""
    facts = None if model.problem else store().known(model)
    return why_not_offered(facts.purpose) if facts else None


def _busy() -> BusyError:
    return BusyError("Your comparison is still running. Stop it first, or wait for its end.")
