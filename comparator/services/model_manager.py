"""Which models there are, and which of them are chosen for a comparison."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.limits import MOST_MODELS
from comparator.core.models import ModelInfo, told_apart
from comparator.library import discovery, lookup, sources
from comparator.library.adapters import LibraryAdapter, adapters_among
from comparator.library.duplicates import merged_by_content
from comparator.storage.digests import Digests


class ModelManager:
    """Finds the models of folders and other programs, and keeps a choice of up to four.

    Args:
        models_dir: the folder of our own.
        more_dirs: further folders of the user's, which are only read.
        sources: keys of ``comparator.library.sources.SOURCES``: whose models are offered too.

    Attributes:
        models_dir: the folder that is scanned first.
        more_dirs: those scanned after it.
        sources: the programs whose models are looked for.
        available_models: what the last scan found, those that can be loaded first.
        selected_models: the choice, in order; the same model may stand in it twice.
        skipped: entries that the last scan passed over, each with a reason.
        max_models: how many may be chosen.
    """

    def __init__(
        self,
        models_dir: str | Path = "models",
        *,
        more_dirs: Iterable[str | Path] = (),
        sources: Collection[str] = (),
    ) -> None:
        self.models_dir = Path(models_dir)
        self.more_dirs = tuple(Path(folder) for folder in more_dirs)
        self.sources = tuple(sources)
        self.available_models: list[ModelInfo] = []
        self.selected_models: list[ModelInfo] = []
        self.skipped: list[discovery.Skipped] = []
        self.max_models = MOST_MODELS
        self._digests = Digests()
        self._adapters: list[LibraryAdapter] | None = None

    def scan_models(self, directory: str | Path | None = None) -> list[ModelInfo]:
        """Scan everything, or only one folder, and return the models, each once.

        A model whose ``problem`` is not None is listed but cannot be run. Copies of the same
        content are one model as far as it is known; ``find_copies`` reads what is not.

        Raises:
            ModelNotFoundError: there is no such folder; of ``models_dir`` only where no
                other source has a model.
        """
        if directory is not None:
            found = sources.find_all([_existing(Path(directory))], ())
        else:
            folders = [_existing(folder) for folder in self.more_dirs]
            if self.models_dir.is_dir():
                folders.insert(0, self.models_dir)
            found = sources.find_all(folders, self.sources)
            if not found.found:
                _existing(self.models_dir)
        self.skipped, self._adapters = found.skipped, None
        self.available_models = merged_by_content(found.models, self._digests.known)
        return self.get_available_models()

    def find_copies(self) -> list[ModelInfo]:
        """Merge models of the same content, reading files of equal size: may take long.

        What was read is known from then on; the next scan merges it at once.
        """
        self.available_models = merged_by_content(self.available_models, self._digests.of)
        return self.get_available_models()

    def close(self) -> None:
        """Close the cache of digests; the next scan opens it again."""
        self._digests.close()

    def select_models(self, model_ids: Sequence[str]) -> bool:
        """Choose models by id; return whether every id was known.

        An id that comes again stands for the same model under an id of its own (``id#2``).

        Raises:
            ConfigurationError: (a ValueError) more than ``max_models`` ids.
        """
        if len(model_ids) > self.max_models:
            raise ConfigurationError(
                f"Cannot select more than {self.max_models} models; {len(model_ids)} were given."
            )
        found = [self.get_model_by_id(model_id) for model_id in model_ids]
        self.selected_models = told_apart([model for model in found if model is not None])
        return len(self.selected_models) == len(model_ids)

    def get_model_by_id(self, model_id: str) -> ModelInfo | None:
        """Return the available model of that id, or of one of its other places; or None."""
        return lookup.by_id(self.available_models, model_id)

    def get_available_models(self) -> list[ModelInfo]:
        """Return what the last scan found, as a list of its own."""
        return self.available_models.copy()

    def get_adapters(self) -> list[LibraryAdapter]:
        """Return the LoRA adapters that the last scan found, by path; reads their headers."""
        if self._adapters is None:
            self._adapters = adapters_among(self.available_models, self.skipped)
        return self._adapters.copy()

    def get_selected_models(self) -> list[ModelInfo]:
        """Return the choice, as a list of its own."""
        return self.selected_models.copy()

    def find_model(self, wanted: str) -> ModelInfo:
        """Return the model that an id, a name or a path means.

        Raises:
            ModelNotFoundError: nothing or more than one thing answers to it.
        """
        return lookup.meant(self.available_models, wanted)


def _existing(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise ModelNotFoundError(f"The models folder {folder} is no folder. Name another one.")
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"There is no models folder at {folder}. Create it and put models into it, "
            "name another one, or let 'comparator starter' bring a set to begin with."
        )
    return folder
