"""What a person may do with the library: compare, propose and make a ladder, remove.

All of it is checked here. On a page that others can reach nothing is made or removed, whatever
the page's widgets offer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.models import ModelInfo
from comparator.core.quiet import quiet
from comparator.core.text import with_controls_shown
from comparator.hosting.library_table import LibraryView, Shelf
from comparator.library import families
from comparator.library.changes import quantising, removal
from comparator.services.model_manager import MOST_MODELS

CLOSE_SECONDS = 10.0
UNEXPECTED = "Something went wrong; the server's log has the details."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Making:
    """How far the making of a ladder is, or how the last one ended.

    Attributes:
        ladder: what is made.
        progress: the latest news; None before the first.
        made: names of the models that are finished.
        is_over: whether nothing more will come.
        trouble: why it ended early, in words.
        was_stopped: whether somebody stopped it.
    """

    ladder: quantising.Ladder
    progress: quantising.Progress | None = None
    made: tuple[str, ...] = ()
    is_over: bool = False
    trouble: str = ""
    was_stopped: bool = False


class LadderWork:
    """Makes one ladder at a time in a thread; it belongs to the server, not to a visitor."""

    def __init__(self, on_made: Callable[[], object]) -> None:
        self._on_made = on_made
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._status: Making | None = None

    @property
    def status(self) -> Making | None:
        """Return how far it is; None where nothing was made yet."""
        return self._status

    def begin(self, ladder: quantising.Ladder) -> None:
        """Start making a ladder.

        Raises:
            ConfigurationError: another one is being made.
        """
        with self._lock:
            if self._status is not None and not self._status.is_over:
                raise ConfigurationError("A ladder is being made. Wait for its end, or cancel it.")
            self._stop.clear()
            self._status = Making(ladder)
            self._thread = threading.Thread(
                target=self._live, args=(ladder,), name="comparator-ladder", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Ask for the end; what is finished stays, nothing half-made does."""
        self._stop.set()

    def close(self) -> None:
        """Stop and wait until its child is gone."""
        self.stop()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _live(self, ladder: quantising.Ladder) -> None:
        trouble, made, progress = "", [], None
        try:
            with quiet.background("quantising"):
                for progress in quantising.make(ladder, self._stop.is_set):
                    if progress.model is not None:
                        made.append(progress.model.name)
                    self._status = Making(ladder, progress, tuple(made))
            self._on_made()
        except MultiLLMError as error:
            trouble = str(error)
        except Exception:
            log.exception("A ladder could not be made")
            trouble = UNEXPECTED
        was_stopped = self._stop.is_set() and len(made) < len(ladder.rungs)
        self._status = Making(ladder, progress, tuple(made), True, trouble, was_stopped)


class LibraryDesk:
    """The library of one server.

    Args:
        view: the table.
        scan: looks for models.
        models_dir: the folder of our own, the only one that is written to.
        is_public: whether others than this machine's users can reach the page.
        most_models: of one comparison.
    """

    def __init__(
        self,
        view: LibraryView,
        scan: Callable[[], Shelf],
        models_dir: Path,
        is_public: bool = False,
        most_models: int = MOST_MODELS,
    ) -> None:
        self.view, self.most_models = view, most_models
        self.work = LadderWork(self.rescan)
        self._scan, self._models_dir, self._is_public = scan, models_dir, is_public

    def rescan(self) -> Shelf:
        """Look for models, show them, and return what was found. Reads folders."""
        shelf = self._scan()
        self.view.show(shelf)
        return shelf

    def names(self, model_ids: object) -> list[str]:
        """Return the names of models that something is to be made of.

        Raises:
            MultiLLMError: the page is public, or a model is not there.
        """
        self._refuse_where_public()
        return [model.name for model in self._models_of(model_ids)]

    def chosen(self, model_ids: object) -> list[str]:
        """Return the ids of models to be compared, when they can be.

        Raises:
            MultiLLMError: none, too many, or one that is not there.
        """
        models = self._models_of(model_ids)
        if len(models) > self.most_models:
            raise ConfigurationError(
                f"Up to {self.most_models} models are compared at once; {len(models)} are selected."
            )
        return [model.id for model in models]

    def ladder_of(self, model_ids: object) -> list[str]:
        """Return the ids of a proposal: quantisations of a model's family, most bits first.

        Raises:
            MultiLLMError: the model is not there, or it is the only one of its family.
        """
        first = self._models_of(model_ids)[0]
        for family in families.families(self.view.models()):
            if first.id in [member.id for member in family.members]:
                rungs = families.ladder(family, self.most_models)
                if len(rungs) > 1:
                    return [model.id for model in rungs]
        raise ConfigurationError(
            f"{with_controls_shown(first.name)} is the only one of its family here. Make further "
            "quantisations of it, or get them from the Hub."
        )

    def plan_ladder(self, model_ids: object, quantisations: object) -> quantising.Ladder:
        """Say what making quantisations of one model means. Starts a child process.

        Raises:
            MultiLLMError: it is not possible here, and why.
        """
        self._refuse_where_public()
        models = self._models_of(model_ids)
        if len(models) > 1:
            raise ConfigurationError("Select one model to make a ladder of.")
        return quantising.plan(models[0], _texts(quantisations), self._models_dir)

    def make(self, ladder: object) -> None:
        """Start making a planned ladder.

        Raises:
            ConfigurationError: the page is public, nothing was planned, or another is being made.
        """
        self._refuse_where_public()
        if not isinstance(ladder, quantising.Ladder):
            raise ConfigurationError("Check the sizes first; then the files can be made.")
        self.work.begin(ladder)

    def stop_making(self) -> None:
        """Stop the ladder that is being made.

        Raises:
            ConfigurationError: the page is public.
        """
        self._refuse_where_public()
        self.work.stop()

    def plan_removal(self, model_ids: object) -> list[removal.Removal]:
        """Say what removing models would delete; nothing is touched.

        Raises:
            MultiLLMError: the page is public, or a model is not ours to delete.
        """
        self._refuse_where_public()
        models = self._models_of(model_ids)
        return [removal.plan_removal(model, self._models_dir) for model in models]

    def remove(self, plans: Sequence[removal.Removal]) -> Shelf:
        """Delete what plans name, and return what is there then.

        Raises:
            MultiLLMError: the page is public, or something could not be deleted.
        """
        self._refuse_where_public()
        try:
            for plan in plans:
                removal.remove(plan)
        finally:
            shelf = self.rescan()
        return shelf

    def close(self) -> None:
        """End what goes on behind."""
        self.view.close()
        self.work.close()

    def _models_of(self, model_ids: object) -> list[ModelInfo]:
        """Return the models of ids that came from a browser, which may send anything."""
        known = _texts(model_ids)
        if not known:
            raise ConfigurationError("Select a model first.")
        return [self.view.model(model_id) for model_id in known]

    def _refuse_where_public(self) -> None:
        if self._is_public:
            raise ConfigurationError(
                "Models are neither made nor removed through a page that others can reach. "
                "Use the page on the machine itself, without --share."
            )


def _texts(values: object) -> list[str]:
    """Return the texts of a list, each once; empty for anything else."""
    if not isinstance(values, list):
        return []
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))
