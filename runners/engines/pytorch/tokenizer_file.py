"""Whether a tokenizer's class reads a prompt as its ``tokenizer.json`` does.

transformers builds the tokenizers of some classes anew and takes only the vocabulary from the
file, so that rules of the file (single digits, patterns) may be lost in silence. Whether the rules
are the same is told from the file's begin in about a millisecond; only where they are not is the
whole file loaded, and the tokens of the prompt are compared.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runners.engines.pytorch import adapter

NAME = "tokenizer.json"
_FIRST_READ_CHARACTERS = 64 * 1024
_RULES = ("normalizer", "pre_tokenizer")
_TOKEN_RULES = ("content", "special", "lstrip", "rstrip", "single_word", "normalized")
_MODEL_RULES = (
    *("unk_token", "fuse_unk", "byte_fallback", "ignore_merges", "dropout"),
    *("continuing_subword_prefix", "end_of_word_suffix"),
)


class TokenizerFile:
    """The ``tokenizer.json`` of a folder, beside the tokenizer that was made of the folder."""

    def __init__(self, folder: str, tokenizer: Any) -> None:
        self._folder, self._tokenizer = folder, tokenizer
        self._path = Path(folder) / NAME
        self._same_rules: bool | None = None
        self._whole: Any = None
        self._mended: Any = None

    def sentences(self, text: str) -> tuple[str, ...]:
        """Return what is to be said of how a prompt is read; nothing where all agree."""
        told = (self._of_file(text), self._of_pattern(text))
        return tuple(sentence for sentence in told if sentence)

    def _of_file(self, text: str) -> str:
        if self._same_rules is None:
            self._same_rules = not self._path.is_file() or self._has_same_rules()
        if self._same_rules:
            return ""
        self._whole = self._whole or adapter.tokenizer_of_file(str(self._path))
        if self._whole is None:
            return ""
        ours = adapter.encode(self._tokenizer, text, add_special_tokens=False)
        theirs = self._whole.encode(text, add_special_tokens=False).ids
        if ours == theirs:
            return ""
        name, first = type(self._tokenizer).__name__, _parted_at(ours, theirs)
        said = (
            f"transformers' {name} and the model's tokenizer.json read this prompt differently: "
            f"as {len(ours)} and {len(theirs)} tokens, which part at the {first}. one. "
        )
        if adapter.mistral_pattern(self._tokenizer):
            return f"{said}That is what fix_mistral_regex in tokenizer_config.json asks for."
        return (
            f"{said}The first are used; for the others set tokenizer_class to "
            "PreTrainedTokenizerFast in tokenizer_config.json."
        )

    def _has_same_rules(self) -> bool:
        backend = adapter.backend_of(self._tokenizer)
        head = _head(self._path)
        if backend is None or head is None:
            return False
        same = all(adapter.state_of(getattr(backend, name)) == head.get(name) for name in _RULES)
        return same and _same_model(backend, head) and _same_added_tokens(backend, head)

    def _of_pattern(self, text: str) -> str:
        """Return a sentence where the prompt is read by a pattern that transformers calls wrong."""
        if adapter.mistral_pattern(self._tokenizer) is not False or not self._splits_first():
            return ""
        self._mended = self._mended or adapter.mended_tokenizer(self._folder)
        if self._mended is None:
            return ""
        ours = adapter.encode(self._tokenizer, text, add_special_tokens=False)
        theirs = adapter.encode(self._mended, text, add_special_tokens=False)
        if ours == theirs:
            return ""
        return (
            "This prompt is cut into words by a pattern that transformers calls wrong for this "
            f"model: {len(ours)} tokens instead of {len(theirs)}, which part at the "
            f"{_parted_at(ours, theirs)}. one. Set fix_mistral_regex to true in "
            "tokenizer_config.json, or use a newer copy of the model."
        )

    def _splits_first(self) -> bool:
        """Tell whether words are cut by a pattern, as by those that the mending is for."""
        backend = adapter.backend_of(self._tokenizer)
        state = adapter.state_of(backend.pre_tokenizer) if backend is not None else None
        rules = state.get("pretokenizers") if isinstance(state, dict) else None
        first = rules[0] if isinstance(rules, list) and rules else None
        return isinstance(first, dict) and first.get("type") == "Split"


def _parted_at(ours: list[int], theirs: list[int]) -> int:
    """Return the number of the first token that differs, counted from 1."""
    pairs = zip(ours, theirs, strict=False)
    differing = (number for number, (a, b) in enumerate(pairs, 1) if a != b)
    return next(differing, min(len(ours), len(theirs)) + 1)


def _same_model(backend: Any, head: dict[str, Any]) -> bool:
    model = head.get("model") or {}
    names = [name for name in _MODEL_RULES if hasattr(backend.model, name) and name in model]
    is_same_kind = model.get("type") in (None, type(backend.model).__name__)
    return is_same_kind and all(
        (getattr(backend.model, name) or None) == (model[name] or None) for name in names
    )


def _same_added_tokens(backend: Any, head: dict[str, Any]) -> bool:
    ours = {
        number: tuple(getattr(token, name) for name in _TOKEN_RULES)
        for number, token in backend.get_added_tokens_decoder().items()
    }
    theirs = {
        token.get("id"): tuple(token.get(name) for name in _TOKEN_RULES)
        for token in head.get("added_tokens") or ()
    }
    return ours == theirs


def _head(path: Path) -> dict[str, Any] | None:
    """Return what a tokenizer.json says before its vocabulary; None where that is not its order."""
    length = _FIRST_READ_CHARACTERS
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(length)
            while True:
                try:
                    return _members(text, text.index("{") + 1)
                except (ValueError, IndexError):
                    more = file.read(len(text))
                    if not more:
                        return None
                    text += more
    except (OSError, UnicodeError, RecursionError):
        return None


def _members(text: str, place: int) -> dict[str, Any]:
    """Return the members of a JSON object up to a vocabulary; of ``model`` likewise.

    Raises:
        ValueError: the text ends before, or it is no JSON.
    """
    decoder = json.JSONDecoder()
    found: dict[str, Any] = {}
    while True:
        place = _next(text, place, ",")
        name, place = decoder.raw_decode(text, place)
        place = _next(text, place, ":")
        if name == "model" and text[place] == "{":
            found[name] = _members(text, place + 1)
            return found
        if name in ("vocab", "merges"):
            return found
        found[name], place = decoder.raw_decode(text, place)


def _next(text: str, place: int, skipped: str) -> int:
    while text[place] in f"{skipped} \t\r\n":
        place += 1
    return place
