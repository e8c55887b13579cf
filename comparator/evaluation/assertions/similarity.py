"""How alike two texts are in meaning: the cosine of the vectors of a small static model.

No model comes with this program. One is a folder of model2vec's (https://github.com/MinishLab):
``COMPARATOR_EMBEDDINGS`` names it.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import with_controls_shown
from comparator.evaluation.assertions.findings import AnswerFinding, quoted
from comparator.evaluation.assertions.texts import as_text

VARIABLE = "COMPARATOR_EMBEDDINGS"
THRESHOLD = 0.75  # promptfoo's
_FILES = ("config.json", "model.safetensors", "tokenizer.json")
_GET_ONE = (
    "Download one of model2vec, such as https://huggingface.co/minishlab/potion-base-8M, and name "
    f"its folder by {VARIABLE}"
)


def place() -> Path:
    """Return the folder of the model that there is.

    Raises:
        ConfigurationError: there is none, or it cannot be used, and what to do; without a place.
    """
    if importlib.util.find_spec("model2vec") is None:
        raise ConfigurationError(
            'similar needs model2vec, which is not installed: pip install "model2vec>=0.6"'
        )
    named = os.environ.get(VARIABLE, "").strip()
    if not named:
        raise ConfigurationError(f"similar needs a model that turns texts into vectors. {_GET_ONE}")
    folder = Path(named).expanduser()
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        shown = with_controls_shown(str(folder))
        raise ConfigurationError(
            f"{VARIABLE} names {shown}, which has no {missing[0]}: it is no folder of model2vec. "
            f"{_GET_ONE}"
        )
    return folder


class Embeddings:
    """Compares texts; loads its model when it is asked first, and keeps it until ``close``."""

    def __init__(self) -> None:
        self._model: Any = None
        self._vectors: dict[str, Any] = {}  # of what suites compare with, not of answers

    def close(self) -> None:
        """Forget the model."""
        self._model = None
        self._vectors.clear()

    def similar(self, answer: str, value: Any, threshold: float | None) -> AnswerFinding:
        """Whether an answer is like a text, or the most alike of several, in meaning."""
        try:
            best, likeness = self._nearest(answer, value)
        except ConfigurationError as error:
            return AnswerFinding(None, f"It could not be told: {error}.", is_undecided=True)
        least = THRESHOLD if threshold is None else threshold
        relation = "at least" if likeness >= least else "less than"
        why = (
            f"The answer is like {quoted(best)} by {likeness:.2f}; {relation} the {least:g} asked."
        )
        if not answer.strip():
            why = f"The answer is empty; it should be like {quoted(best)}."
        return AnswerFinding(likeness >= least, why, max(0.0, min(1.0, likeness)))

    def _nearest(self, answer: str, value: Any) -> tuple[str, float]:
        texts = [as_text(one) for one in (value if isinstance(value, list) else [value])]
        own = self._vector(answer)
        likenesses = [(_cosine(own, self._kept_vector(text)), text) for text in texts]
        likeness, text = max(likenesses)
        return text, likeness

    def _kept_vector(self, text: str) -> Any:
        if text not in self._vectors:
            self._vectors[text] = self._vector(text)
        return self._vectors[text]

    def _vector(self, text: str) -> Any:
        if self._model is None:
            self._model = _loaded(place())
        (vector,) = self._model.encode([text], max_length=None)  # all of it, not 512 tokens
        return vector.astype("float64")


def _loaded(folder: Path) -> Any:
    from model2vec import StaticModel

    try:
        return StaticModel.from_pretrained(folder)
    except BaseException as error:  # the tokenizer's own panic is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise ConfigurationError(
            f"the model at {with_controls_shown(str(folder))} cannot be loaded "
            f"({type(error).__name__}: {str(error)[:200]}). {_GET_ONE}"
        ) from None


def _cosine(one: Any, other: Any) -> float:
    """Return the cosine of two vectors; 0 where one has no length, as that of an empty text."""
    lengths = float((one @ one) ** 0.5 * (other @ other) ** 0.5)
    return float(one @ other) / lengths if lengths > 0 else 0.0
