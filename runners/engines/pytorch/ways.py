"""Finds out how a model's tokens can be decoded: the fastest way that computes the same numbers.

A few tokens are read at once without a cache, and again with one, the last of them by itself.
Where that gives other numbers, or the cache was not used, the next slower way is tried. What was
found is remembered for a model, so that it costs three short forward passes once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runners.engines.pytorch import adapter
from runners.engines.pytorch.cuda_graphs import Graphs, GraphStepper
from runners.engines.pytorch.forward import CachedStepper, PreparedStepper, RecomputingStepper

CACHED, PREPARED, RECOMPUTING, GRAPH = "cached", "prepared", "recomputing", "graph"
FEWEST_TOKENS = 4
_MOST_TOKENS = 8
# How far scores may lie apart, as a share of their size, by the bits of the number type.
_TOLERANCES = {8: 0.1, 11: 0.02, 24: 1e-3, 53: 1e-3}
_NOISE = 4.0  # times as far as the model's own numbers depend on how many tokens are read


@dataclass(frozen=True)
class Way:
    """How a model's tokens are decoded.

    Attributes:
        kind: ``cached``, ``prepared``, ``recomputing`` or ``graph``.
        cache_name: what forward calls the cache; empty where there is none.
        growing: whether the layers of the cache grow in place.
        keeps_logits: whether forward computes only the scores that are needed.
        reason: why a faster way was not taken, part of a sentence; empty where none is faster.
        compared: whether its numbers were compared with those of one pass without a cache.
    """

    kind: str
    cache_name: str = ""
    growing: bool = True
    keeps_logits: bool = True
    reason: str = ""
    compared: bool = True

    def stepper(
        self,
        model: Any,
        device: Any,
        *,
        one_row_onednn: bool | None = None,
        length: int = _MOST_TOKENS,
        graphs: Graphs | None = None,
    ) -> RecomputingStepper:
        """Return what reads tokens this way.

        Args:
            model: the one for which the way was found.
            device: of its inputs.
            one_row_onednn: as of ``forward.one_row_products``.
            length: tokens of prompt and answer, for a recorded graph.
            graphs: how work is recorded; CUDA's own where none is given.
        """
        if self.kind == RECOMPUTING:
            return RecomputingStepper(model, device)
        if self.kind == GRAPH:
            return GraphStepper(
                model, device, self.cache_name, length, graphs, keeps_logits=self.keeps_logits
            )
        stepper = CachedStepper if self.kind == CACHED else PreparedStepper
        return stepper(
            model,
            device,
            self.cache_name,
            growing=self.growing,
            keeps_logits=self.keeps_logits,
            one_row_onednn=one_row_onednn,
        )

    def sentences(self, engine: str) -> list[str]:
        """Return what is slower than it could be, for the model's ``fallbacks``."""
        said = []
        why = f" ({self.reason})" if self.reason else ""
        if self.kind == RECOMPUTING:
            said.append(
                f"The whole text is read again for each token, so that the answer slows down as it "
                f"grows: {engine} has no memory of past tokens for this model that gives the same "
                f"numbers{why}. A GGUF of the same model is faster."
            )
        elif self.reason:
            said.append(f"Tokens are decoded in a slower way than {engine} should allow{why}.")
        if not self.compared:
            said.append(
                f"Whether tokens are decoded rightly could not be tried: read at once, without a "
                f"memory of past tokens, {engine} gives no numbers for this model."
            )
        if not self.growing and self.kind in (CACHED, PREPARED):
            said.append(
                f"The memory of past tokens is copied for each new one: its layers in {engine} "
                "cannot be replaced by ones that grow in place."
            )
        if not self.keeps_logits and self.kind != RECOMPUTING:
            said.append(
                f"The scores of every token of the prompt are computed, not those of the last "
                f"alone: this model takes no logits_to_keep in {engine}. Long prompts take longer."
            )
        return said


def no_graphs(engine: str) -> str:
    """Return the sentence for a GPU on which nothing can be recorded."""
    return (
        f"Decoding starts hundreds of small works on the GPU for each token: {engine} lacks what "
        "a recorded graph needs. Another version of transformers may have it."
    )


def candidates(model: Any, with_graph: bool = False) -> list[Way]:
    """Return the ways that may be right for a model, the fastest first; the last one is."""
    names = adapter.cache_names(model)
    is_special = adapter.prepares_special_inputs(model) or adapter.is_stateful(model)
    kinds = [PREPARED] if is_special else [CACHED, PREPARED]
    graphs = [Way(GRAPH, name) for name in names] if with_graph and not is_special else []
    cached = [
        Way(kind, name, growing) for kind in kinds for name in names for growing in (True, False)
    ]
    return [*graphs, *cached, Way(RECOMPUTING)]


def find(
    model: Any,
    device: Any,
    tokens: Sequence[int] = (),
    *,
    with_graph: bool = False,
    graphs: Graphs | None = None,
) -> Way:
    """Return the fastest way that computes what one pass without a cache computes.

    Args:
        model: a causal language model of transformers, loaded.
        device: of its inputs.
        tokens: of an ordinary text, at least four; some of the vocabulary where there are fewer.
        with_graph: try a recorded graph first.
        graphs: how work is recorded; CUDA's own where none is given.
    """
    import torch

    with torch.inference_mode():
        return _Search(model, device, list(tokens), graphs).best(candidates(model, with_graph))


class _Search:
    def __init__(self, model: Any, device: Any, tokens: list[int], graphs: Graphs | None) -> None:
        self._model, self._device, self._graphs = model, device, graphs
        self._tokens = tried_tokens(model, tokens)
        self._keeps_logits = False
        self._expected = self._read_at_once()

    def best(self, ways: list[Way]) -> Way:
        """Return the first way that is right, with the reason why those before it are not."""
        reason = ""
        for way in ways[:-1]:
            compared = self._expected is not None
            tried = Way(way.kind, way.cache_name, way.growing, self._keeps_logits, reason, compared)
            wrong = self._wrong_with(tried)
            if not wrong:
                return tried
            reason = reason or wrong
        return Way(RECOMPUTING, reason=reason)

    def _read_at_once(self) -> Any | None:
        """Return the scores after the last two tokens; None where they are no numbers."""
        import torch

        try:
            two, is_asked = self._logits({"logits_to_keep": 2})
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return None  # what cannot be read without a cache cannot be compared
        self._keeps_logits = is_asked and two.shape[1] == 2
        scores = two[0, -2:].float()
        return scores if bool(torch.isfinite(scores).all()) else None

    def _logits(self, wish: dict[str, Any]) -> tuple[Any, bool]:
        ids = RecomputingStepper(self._model, self._device).tensor(self._tokens)
        names = adapter.forward_parameters(self._model)
        if set(wish) <= set(names) or adapter.takes_any_name(self._model):
            try:
                return self._model(input_ids=ids, use_cache=False, **wish).logits, True
            except TypeError:  # the name is not taken after all
                pass
        return self._model(input_ids=ids, use_cache=False).logits, False

    def _wrong_with(self, way: Way) -> str:
        """Return why a way is not right; empty where it is."""
        try:
            return self._difference(way)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"

    def _difference(self, way: Way) -> str:
        stepper = way.stepper(
            self._model, self._device, length=len(self._tokens), graphs=self._graphs
        )
        cache = getattr(stepper, "cache", None)
        layers = len(adapter.places_of_keys(cache))
        first: Any = stepper.read(self._tokens[:-1], lambda: False)
        places = adapter.places_of_keys(cache)
        found = (first.float().clone(), stepper.step(self._tokens[-1]).float().clone())
        length = adapter.length_of(cache)
        if length not in (None, len(self._tokens)):
            return f"the cache given as {way.cache_name} is not used"
        if getattr(stepper, "trouble", ""):
            return f"no graph could be recorded: {stepper.trouble}"  # type: ignore[attr-defined]
        if adapter.places_of_keys(cache) != places or len(places) != layers:
            return "the memory of past tokens is copied for each new one"
        return "" if self._expected is None else self._apart(found, self._expected)

    def _apart(self, found: Sequence[Any], expected: Any) -> str:
        bound = tolerance(self._model.dtype)
        error = max(map(distance, found, expected))
        if error > bound and error > _NOISE * self._noise(expected):
            return f"its numbers lie {error:.2g} of their size apart"
        return ""

    def _noise(self, expected: Any) -> float:
        """Return how far the scores of a token change when one more is read after it."""
        stepper = RecomputingStepper(self._model, self._device)
        alone: Any = stepper.read(self._tokens[:-1], lambda: False)
        return distance(alone.float(), expected[0])


def tried_tokens(model: Any, tokens: Sequence[int]) -> list[int]:
    """Return a few tokens to try a model with; some of the vocabulary where there are too few."""
    size = int(model.get_input_embeddings().weight.shape[0])
    if len(tokens) < FEWEST_TOKENS or max(tokens) >= size:
        return [(7 + 11 * number) % size for number in range(_MOST_TOKENS)]
    return list(tokens[:_MOST_TOKENS])


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out, whichever library says it in which words."""
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def distance(found: Any, expected: Any) -> float:
    """Return the length of a difference as a share of the length of what was expected."""
    size = float(expected.norm())
    difference = float((found - expected).norm())
    return difference / size if size else difference


def tolerance(dtype: Any) -> float:
    """Return how far scores in a type of number may lie apart, as a share of their size."""
    import torch

    if not dtype.is_floating_point:
        return 0.1
    digits = round(1 - torch.log2(torch.tensor(torch.finfo(dtype).eps)).item())
    return _TOLERANCES.get(digits, 0.1)


# ---- what is remembered of a model ----


def remembered(learned: Any, key: str) -> Way | None:
    """Return the way that was found before under the same versions; None where it is unknown."""
    fields = learned.get(key) if isinstance(learned, dict) else None
    if not isinstance(fields, dict) or set(fields) != set(asdict(Way(CACHED))):
        return None
    way = Way(**fields)
    texts = (way.kind, way.cache_name, way.reason)
    switches = (way.growing, way.keeps_logits, way.compared)
    is_sound = all(isinstance(text, str) for text in texts)
    is_sound = is_sound and all(isinstance(switch, bool) for switch in switches)
    has_name = way.kind == RECOMPUTING or way.cache_name in adapter.CACHE_NAMES
    known = way.kind in (CACHED, PREPARED, RECOMPUTING, GRAPH)
    return way if is_sound and has_name and known else None


def to_remember(way: Way) -> dict[str, Any]:
    """Return a way as data for JSON."""
    return asdict(way)
