"""Which models there are, and which of them are chosen for a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.library import discovery

MOST_MODELS = 4


class ModelManager:
    """Finds the models below one folder and keeps a choice of up to four.

    Attributes:
        models_dir: the folder that is scanned by default.
        available_models: what the last scan found, those that can be loaded first.
        selected_models: the choice, in order; the same model may stand in it twice.
        skipped: entries that the last scan passed over, each with a reason.
        max_models: how many may be chosen.
    """

    def __init__(self, models_dir: str | Path = "models") -> None:
        self.models_dir = Path(models_dir)
        self.available_models: list[ModelInfo] = []
        self.selected_models: list[ModelInfo] = []
        self.skipped: list[discovery.Skipped] = []
        self.max_models = MOST_MODELS

    def scan_models(self, directory: str | Path | None = None) -> list[ModelInfo]:
        """Scan a folder, ``models_dir`` by default, and return its models.

        A model whose ``problem`` is not None is listed but cannot be run.

        Raises:
            ModelNotFoundError: there is no such folder.
        """
        folder = Path(directory) if directory is not None else self.models_dir
        if not folder.is_dir():
            raise ModelNotFoundError(
                f"There is no models folder at {folder}. Create it and put models into it, "
                "name another one, or let 'comparator starter' bring a set to begin with."
            )
        found = discovery.scan(folder)
        self.available_models, self.skipped = found.models, found.skipped
        return self.get_available_models()

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
        """Return the available model of that id, or None."""
        plain = str(model_id).partition("#")[0]
        return next((model for model in self.available_models if model.id == plain), None)

    def get_available_models(self) -> list[ModelInfo]:
        """Return what the last scan found, as a list of its own."""
        return self.available_models.copy()

    def get_selected_models(self) -> list[ModelInfo]:
        """Return the choice, as a list of its own."""
        return self.selected_models.copy()

    def find_model(self, wanted: str) -> ModelInfo:
        """Return the model that an id, a name or a path means.

        Raises:
            ModelNotFoundError: nothing or more than one thing answers to it.
        """
        matches = [m for m in self.available_models if wanted in (m.id, m.path)]
        matches = matches or [m for m in self.available_models if m.name == wanted]
        if len(matches) == 1:
            return matches[0]
        if len(matches) > 1:
            ids = ", ".join(f"{m.id} ({m.path})" for m in matches)
            raise ModelNotFoundError(f"Several models are named {wanted!r}. Use an id: {ids}.")
        return self._model_at(wanted)

    def _model_at(self, wanted: str) -> ModelInfo:
        path = Path(wanted).expanduser()
        if wanted and _exists(path):
            model = discovery.inspect(path)
            if model is not None:
                return model
            raise ModelNotFoundError(
                f"{path} is neither a GGUF file nor a transformers folder "
                "(config.json beside weights)."
            )
        names = ", ".join(m.name for m in self.available_models[:20] if not m.problem)
        known = (
            f"There are: {names}." if names else "There are no models; see 'comparator starter'."
        )
        raise ModelNotFoundError(f"No model {wanted!r}. {known}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def told_apart(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    """Return models with ids that differ: the second of an id gets ``#2`` and so on."""
    result: list[ModelInfo] = []
    for model in models:
        taken = {other.id for other in result}
        plain, number, name = model.id, 1, model.id
        while name in taken:
            number += 1
            name = f"{plain}#{number}"
        result.append(model if name == plain else replace(model, id=name))
    return result
