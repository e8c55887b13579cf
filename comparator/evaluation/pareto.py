"""Which models are worth their place: quality against speed, memory and disk, and what may go."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from comparator.core.models import ModelInfo, ModelType
from comparator.core.units import fine_size, percent, speed
from comparator.evaluation.ratings import Ratings
from comparator.evaluation.statistics import pairs_of, summary_of
from comparator.library.duplicates import parts_of
from comparator.storage.kept_suite import KeptSuite, SuiteSlot

NO_DIFFERENCE = 0.05  # of a speed or of a peak: two runs of one model differ as much
_AS_RATE, _AS_RATING = "pass_rate", "rating"


@dataclass(frozen=True)
class ParetoPoint:
    """One slot.

    Attributes:
        slot: its number.
        label: for people.
        quality: its pass rate, 0 to 1, or its rating in points; None where neither is known.
        quality_interval: in which that is with 95 %.
        tokens_per_second: of one answer; of all answers of a batch where ``is_batch``.
        speed_range: the slowest and the fastest answer; None for batches.
        peak_bytes: the most memory that it took.
        disk_bytes: of its model's files.
        is_dominated: whether another is at least as good in everything, and better in something,
            beyond doubt.
    """

    slot: int
    label: str
    quality: float | None
    quality_interval: tuple[float, float] | None
    tokens_per_second: float | None
    speed_range: tuple[float, float] | None
    is_batch: bool
    peak_bytes: int | None
    disk_bytes: int | None
    is_dominated: bool = False


@dataclass(frozen=True)
class Domination:
    """One slot that another makes needless.

    Attributes:
        slot: which.
        by: the slot that is at least as good in everything.
        is_certain: whether the figures' intervals say so; otherwise only the figures do.
        better_in: where ``by`` is better: ``quality``, ``speed``, ``memory``, ``disk``.
        freed_bytes: what deleting the slot's model frees; 0 where the same files serve a slot that
            stays, or have another name somewhere.
    """

    slot: int
    by: int
    is_certain: bool
    better_in: tuple[str, ...]
    freed_bytes: int


@dataclass(frozen=True)
class Pareto:
    """What a suite tells of what to keep.

    Attributes:
        quality: what quality is: ``pass_rate`` or ``rating``.
        points: of all slots.
        dominated: of every slot that is dominated, by whom (by one, the most certain).
        freed_bytes: what deleting all that is dominated beyond doubt frees, shared files once.
        sentences: what to keep for what, and what may go.
    """

    quality: str
    points: list[ParetoPoint]
    dominated: list[Domination]
    freed_bytes: int
    sentences: list[str]

    def to_record(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def pareto_of(kept: KeptSuite, ratings: Ratings | None = None) -> Pareto:
    """Return what is worth keeping of a suite's slots.

    Args:
        kept: the suite as far as it is.
        ratings: of configurations, by votes; where it has two slots of the suite or more, quality
            is theirs. None takes the pass rates.
    """
    quality = _AS_RATING if ratings and _rated(kept, ratings) else _AS_RATE
    points = _points(kept, ratings if quality == _AS_RATING else None)
    verdicts = _verdicts(kept, ratings if quality == _AS_RATING else None)
    files = [_files(slot) for slot in kept.slots]
    found = [
        _domination(points, verdicts, files, one, other)
        for one, other in itertools.permutations(range(len(points)), 2)
    ]
    dominated = _strongest([one for one in found if one])
    gone = {one.slot for one in dominated if one.is_certain}
    points = [replace(point, is_dominated=point.slot in gone) for point in points]
    said = _sentences(points, dominated, verdicts, quality, files)
    return Pareto(quality, points, dominated, _freed(files, gone), said)


def _rated(kept: KeptSuite, ratings: Ratings) -> bool:
    known = {one.key for one in ratings.ratings}
    return ratings.by == "configuration" and (
        sum(slot.configuration in known for slot in kept.slots) > 1
    )


def _points(kept: KeptSuite, ratings: Ratings | None) -> list[ParetoPoint]:
    return [_point(line, kept.slots[line["slot"]], ratings) for line in summary_of(kept)]


def _point(line: Mapping[str, Any], slot: SuiteSlot, ratings: Ratings | None) -> ParetoPoint:
    quality, interval = line["pass_rate"], line["interval"]
    if ratings is not None:
        rating = next((one for one in ratings.ratings if one.key == slot.configuration), None)
        quality, interval = (rating.rating, rating.interval) if rating else (None, None)
    alone, together = line["tokens_per_second"], line["aggregate_tokens_per_second"]
    size = slot.model.get("size")
    return ParetoPoint(
        line["slot"],
        slot.label or f"Slot {line['slot'] + 1}",
        quality,
        tuple(interval) if interval else None,
        alone if alone is not None else together,
        tuple(line["tokens_per_second_range"]) if alone is not None else None,
        alone is None and together is not None,
        line["peak_bytes"],
        int(size) if size else None,
    )


# By a pair of slots, the smaller first: a (the first is better), b, alike, unclear.
PairVerdicts = dict[tuple[int, int], str]


def _verdicts(kept: KeptSuite, ratings: Ratings | None) -> PairVerdicts:
    if ratings is None:
        return {(line["a"], line["b"]): line["verdict"] for line in pairs_of(kept)}
    told = {(pair.a, pair.b): pair.verdict for pair in ratings.pairs}
    other = {(b, a): _turned(verdict) for (a, b), verdict in told.items()}
    keys = [slot.configuration for slot in kept.slots]
    both = {**other, **told}
    return {
        (a, b): "alike" if keys[a] == keys[b] else both.get((keys[a], keys[b]), "unclear")
        for a, b in itertools.combinations(range(len(keys)), 2)
    }


def _turned(verdict: str) -> str:
    return {"a": "b", "b": "a"}.get(verdict, verdict)


def _verdict(verdicts: PairVerdicts, one: int, other: int) -> str:
    """Return how one slot's quality stands to another's: ``a`` where the one is better."""
    if one < other:
        return verdicts.get((one, other), "unclear")
    return _turned(verdicts.get((other, one), "unclear"))


def _domination(
    points: Sequence[ParetoPoint],
    verdicts: PairVerdicts,
    files: Sequence[FilesOnDisk],
    worse: int,
    better: int,
) -> Domination | None:
    """Return that a slot is dominated by another; None where it is not, or nothing tells."""
    weak, strong = points[worse], points[better]
    if weak.quality is None or strong.quality is None:
        return None
    quality = _verdict(verdicts, better, worse)
    if quality == "b" or (quality == "unclear" and strong.quality < weak.quality):
        return None
    told = {"quality": 1 if quality == "a" else 0, **_measures(strong, weak)}
    if min(told.values()) < 0 or max(told.values()) < 1:
        return None
    is_told = _is_all_known(strong, weak) and not _speeds_overlap(strong, weak, told)
    is_certain = quality != "unclear" and is_told
    better_in = tuple(name for name, sign in told.items() if sign > 0)
    return Domination(worse, better, is_certain, better_in, _freed(files, {worse}))


def _measures(strong: ParetoPoint, weak: ParetoPoint) -> dict[str, int]:
    """Return where the one is better (1), alike (0) or worse (-1), of what is known of both."""
    told = {}
    if strong.is_batch == weak.is_batch:
        told["speed"] = _sign(strong.tokens_per_second, weak.tokens_per_second)
    told["memory"] = _sign(weak.peak_bytes, strong.peak_bytes)
    if strong.disk_bytes and weak.disk_bytes:
        smaller, larger = strong.disk_bytes < weak.disk_bytes, strong.disk_bytes > weak.disk_bytes
        told["disk"] = smaller - larger
    return told


def _sign(more: float | None, less: float | None) -> int:
    if not more or not less or abs(more - less) <= NO_DIFFERENCE * max(more, less):
        return 0
    return 1 if more > less else -1


def _is_all_known(strong: ParetoPoint, weak: ParetoPoint) -> bool:
    """Return whether the one was measured in all that the other was, and in the same way."""
    speed = weak.tokens_per_second is None or (
        strong.tokens_per_second is not None and strong.is_batch == weak.is_batch
    )
    return speed and (weak.peak_bytes is None or strong.peak_bytes is not None)


def _speeds_overlap(strong: ParetoPoint, weak: ParetoPoint, told: Mapping[str, int]) -> bool:
    """Return whether being faster is all that speaks for one, and single answers contradict it."""
    if [name for name, sign in told.items() if sign > 0] != ["speed"]:
        return False
    if not strong.speed_range or not weak.speed_range:
        return False
    return strong.speed_range[0] <= weak.speed_range[1]


def _strongest(found: Iterable[Domination]) -> list[Domination]:
    """Return one for each dominated slot: a certain one, and of those the best in most."""
    best: dict[int, Domination] = {}
    for one in found:
        known = best.get(one.slot)
        if known is None or _strength(one) > _strength(known):
            best[one.slot] = one
    return [best[slot] for slot in sorted(best)]


def _strength(one: Domination) -> tuple[bool, int]:
    return one.is_certain, len(one.better_in)


# What a model's files are on the disk: by device and inode, their bytes and how many names.
FilesOnDisk = dict[tuple[int, int], tuple[int, int]]


def _files(slot: SuiteSlot) -> FilesOnDisk:
    """Return the files of a slot's model, those that are still there, links followed."""
    path = str(slot.model.get("path") or "")
    if not path or not Path(path).exists():
        return {}
    kind = ModelType(slot.model["model_type"])
    found: dict[tuple[int, int], tuple[int, int]] = {}
    try:
        for _name, part in parts_of(ModelInfo("", "", path, kind, 0)):
            status = os.stat(part)
            found[status.st_dev, status.st_ino] = status.st_size, status.st_nlink
    except OSError:  # it goes away while we look
        return {}
    return found


def _freed(files: Sequence[FilesOnDisk], gone: set[int]) -> int:
    """Return what deleting the models of some slots gives back.

    A file that a slot which stays uses as well stays; so does what has more names on the disk
    than those that go.
    """
    staying = {key for slot, kept in enumerate(files) if slot not in gone for key in kept}
    names: dict[tuple[int, int], set[int]] = {}
    for slot in gone:
        for key in files[slot]:
            names.setdefault(key, set()).add(slot)
    sizes = {key: value for slot in gone for key, value in files[slot].items()}
    return sum(
        size
        for key, (size, links) in sizes.items()
        if key not in staying and links <= len(names[key])
    )


def _sentences(
    points: Sequence[ParetoPoint],
    dominated: Sequence[Domination],
    verdicts: PairVerdicts,
    quality: str,
    files: Sequence[FilesOnDisk],
) -> list[str]:
    said = [_best(points, verdicts, quality), *_extremes(points)]
    said += [_dominated(points, one, bool(files[one.slot])) for one in dominated]
    certain = [one.slot for one in dominated if one.is_certain]
    freed = _freed(files, set(certain))
    if len(certain) > 1 and freed:
        labels = _listed([points[slot].label for slot in certain])
        said.append(f"Deleting {labels} frees {fine_size(freed)} together.")
    return [sentence for sentence in said if sentence]


def _best(points: Sequence[ParetoPoint], verdicts: PairVerdicts, quality: str) -> str:
    """Return which slot is best, and which others may be."""
    told = sorted(
        (point for point in points if point.quality is not None),
        key=lambda point: -(point.quality or 0),
    )
    if not told:
        return "No quality is known: the suite has no assertions that could be told, nor votes."
    best, others = told[0], told[1:]
    figure = f"{best.label} ({_quality(best, quality)})"
    same = [one.label for one in others if _verdict(verdicts, best.slot, one.slot) == "alike"]
    unclear = [one.label for one in others if _verdict(verdicts, best.slot, one.slot) == "unclear"]
    sentence = f"For quality keep {figure}"
    if same:
        sentence += f"; {_listed(same)} {_is_or_are(same)} as good"
    if unclear:
        sentence += f"; {_listed(unclear)} may be better still: not enough to tell"
    return f"{sentence}."


def _quality(point: ParetoPoint, quality: str) -> str:
    low, high = point.quality_interval or (0.0, 0.0)
    if quality == _AS_RATING:
        return f"rated {point.quality:.0f}, {low:.0f} to {high:.0f}"
    return f"passes {percent(point.quality)}, {100 * low:.0f} to {percent(high)}"


def _extremes(points: Sequence[ParetoPoint]) -> list[str]:
    """Return the fastest, the smallest in memory and on the disk; nothing where all are alike."""
    return [
        _fastest([point for point in points if point.tokens_per_second]),
        _least(points, "peak_bytes", NO_DIFFERENCE, "For the least memory keep {} ({} at most)."),
        _least(points, "disk_bytes", 0.0, "For the least room on the disk keep {} ({})."),
    ]


def _fastest(points: Sequence[ParetoPoint]) -> str:
    if len({point.is_batch for point in points}) != 1:
        return ""
    best = max(points, key=lambda point: point.tokens_per_second or 0)
    least = (1 - NO_DIFFERENCE) * (best.tokens_per_second or 0)
    same = [point for point in points if (point.tokens_per_second or 0) >= least]
    if len(same) == len(points):
        return ""
    kind = "all answers of a batch together" if best.is_batch else "the median answer"
    figure = f"{speed(best.tokens_per_second)}, {kind}{_range(best)}"
    return f"For speed keep {_listed([one.label for one in same], 'or')} ({figure})."


def _range(point: ParetoPoint) -> str:
    if not point.speed_range:
        return ""
    return f"; answers had {point.speed_range[0]:.1f} to {point.speed_range[1]:.1f}"


def _least(points: Sequence[ParetoPoint], name: str, tolerance: float, words: str) -> str:
    known = [point for point in points if getattr(point, name)]
    if not known:
        return ""
    least = min(getattr(point, name) for point in known)
    same = [point.label for point in known if getattr(point, name) <= (1 + tolerance) * least]
    if len(same) == len(known):
        return ""
    return words.format(_listed(same, "or"), fine_size(least))


def _dominated(points: Sequence[ParetoPoint], one: Domination, has_files: bool) -> str:
    weak, strong = points[one.slot].label, points[one.by].label
    better = _listed([_IN[name] for name in one.better_in])
    frees = (
        f" Deleting it frees {fine_size(one.freed_bytes)}."
        if one.freed_bytes
        else " Deleting it frees nothing here: its files serve another slot, or have other names."
    )
    if not one.is_certain:
        return (
            f"{weak} is perhaps not needed beside {strong}, which is better in {better} and "
            "seems no worse in anything; there is not enough to tell."
        )
    said = f"{weak} is not needed: {strong} is better in {better} and worse in nothing."
    return said + frees * has_files


_IN = {"quality": "quality", "speed": "speed", "memory": "memory", "disk": "room on the disk"}


def _listed(words: Sequence[str], last: str = "and") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _is_or_are(words: Sequence[str]) -> str:
    return "is" if len(words) == 1 else "are"
