"""Whether a run's speeds are its own, by what its process got of the processor, and in words.

Pure: shares in, sentences out. Nothing is judged where the system tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runners.machine.processor_share import ProcessorShare

# Below this share a stage was disturbed: what a quiet machine never reaches (docs/speed.md has the
# measurements). Reading a short prompt wakes all threads at once, which costs some of its share.
UNDISTURBED_SHARES = {"load": 0.9, "prefill": 0.75, "decode": 0.9}
# The same while a browser on this machine draws the page that shows the run.
UNDISTURBED_ON_A_PAGE = {"load": 0.8, "prefill": 0.65, "decode": 0.7}
LEAST_ASKED_SECONDS = 0.2  # of processor time; of less, a tick of the clock is too much
QUOTA_BITES = 0.01  # of what was asked for; one period's end is no limit that is felt
LEAST_PART = 0.03  # of what was asked for; who took less is not named

LOAD, PREFILL, DECODE = "load", "prefill", "decode"
STAGES = {DECODE: "while it wrote", PREFILL: "while it read the prompt", LOAD: "while it loaded"}

# Who took it -> how it is named, and what would have been without it.
PROGRAMS, COMPARISON, JOB, TOGETHER = "programs", "comparison", "job", "together"
PAGE = "page"
QUOTA, HOST, ITSELF = "quota", "host", "itself"
_ALONE = "alone it would have been faster"
_WITHOUT = "without that it would have been faster"
_FEWER = "with fewer threads it may be faster"
_WORDS = {
    TOGETHER: ("The models that ran beside it", _ALONE),
    COMPARISON: ("Another comparison here", _ALONE),
    JOB: ("Work of this program in the background", _ALONE),
    PAGE: ("The browser that shows this page, or another program,", _ALONE),
    PROGRAMS: ("Other programs", _ALONE),
    QUOTA: ("The limit of processor time of its container", _WITHOUT),
    HOST: ("The host of this virtual machine", _WITHOUT),
    ITSELF: ("Its own threads, which are more than the free cores,", _FEWER),
}


@dataclass(frozen=True)
class Beside:
    """What of ours ran at any time of the run, beside it.

    Attributes:
        comparisons: models of other comparisons.
        jobs: work on files, such as quantising, checking a download or reading facts.
        together: other models of the same comparison, by choice.
        page: whether a browser on this machine shows it on a page.
    """

    comparisons: int = 0
    jobs: int = 0
    together: int = 0
    page: bool = False

    @property
    def least(self) -> Mapping[str, float]:
        """The share of each stage below which it is disturbed."""
        return UNDISTURBED_ON_A_PAGE if self.page else UNDISTURBED_SHARES

    @property
    def who(self) -> str:
        """Who is likely to have taken what other processes took."""
        if self.together:
            return TOGETHER
        if self.comparisons:
            return COMPARISON
        if self.jobs:
            return JOB
        return PAGE if self.page else PROGRAMS


@dataclass(frozen=True)
class Disturbance:
    """What was wrong with the speeds of a run; empty where nothing was.

    Attributes:
        stages: those whose speed counts as disturbed, of ``STAGES``.
        taken: by whom how much of what the model asked for, by stage; only parts that count.
        sentence: all of it in words; empty where nothing was taken.
    """

    stages: tuple[str, ...] = ()
    taken: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sentence: str = ""

    def __bool__(self) -> bool:
        return bool(self.stages)

    def said_of(self, beside: Beside, share: float | None) -> str:
        """Return what is to be said of a run; where models ran together, that comes first.

        Args:
            beside: what of ours ran beside it.
            share: what it got while it read and wrote, 0 to 1; None where nobody tells.
        """
        if not beside.together:
            return self.sentence
        others = {
            stage: {who: part for who, part in parts.items() if who != TOGETHER}
            for stage, parts in self.taken.items()
        }
        return f"{shared(beside.together, share)} {in_words(others)}".strip()


def disturbance(shares: Mapping[str, ProcessorShare], beside: Beside | None = None) -> Disturbance:
    """Judge a run by its shares, by stage; a stage that is missing or unknown is not judged."""
    beside = beside or Beside()
    stages = tuple(
        stage for stage in STAGES if is_disturbed(shares.get(stage), beside.least[stage])
    )
    taken = {stage: takers(shares[stage], beside) for stage in stages}
    return Disturbance(stages, taken, in_words(taken))


def is_disturbed(share: ProcessorShare | None, least: float) -> bool:
    """Whether so much was taken from a stage that its speed is not the model's own.

    Args:
        share: what the model got.
        least: of what it asked for, 0 to 1; what is not less is undisturbed.
    """
    if share is None or share.share is None:
        return False
    return share.share < least and _asked(share) >= LEAST_ASKED_SECONDS


def takers(share: ProcessorShare, beside: Beside) -> dict[str, float]:
    """Return who took how much of what a model asked for (0 to 1), who took most first.

    Waiting is divided by what is known of the span. A quota that kept threads back took what it
    does not pay for, others what they ran of the rest. Where neither did, the model's own threads
    were in each other's way. The kernel does not say for whom a thread waited, so the parts are
    estimates; their sum is none.
    """
    asked = _asked(share)
    if not asked:
        return {}
    waited = share.waited_seconds or 0.0
    quota = min(waited, _unpaid_seconds(share, asked))
    others = waited if share.others_seconds is None else share.others_seconds
    weights = {QUOTA: quota, beside.who: min(others, waited - quota)}
    weights[ITSELF] = 0.0 if quota else waited - weights[beside.who]
    whole = sum(weights.values())
    parts = {who: waited * weight / whole / asked for who, weight in weights.items() if whole}
    parts[HOST] = (share.stolen_seconds or 0.0) / asked
    named = {who: part for who, part in parts.items() if part >= LEAST_PART}
    return dict(sorted(named.items(), key=lambda item: -item[1]))


def in_words(taken: Mapping[str, Mapping[str, float]]) -> str:
    """Return a sentence for each who took something, with how much at which stage."""
    whos = dict.fromkeys(who for parts in taken.values() for who in parts)
    return " ".join(_sentence(who, taken) for who in whos)


def _sentence(who: str, taken: Mapping[str, Mapping[str, float]]) -> str:
    name, without = _WORDS[who]
    parts = [(STAGES[stage], parts[who]) for stage, parts in taken.items() if who in parts]
    (first_stage, first), *later = parts
    told = [f"{first:.0%} of the processor {first_stage}".replace("%", " %")]
    told += [f"{part:.0%} {stage}".replace("%", " %") for stage, part in later]
    return f"{name} took {_listed(told)}; {without}."


def shared(models: int, share: float | None) -> str:
    """Return what is to be said of the speed of one of several models that ran at once.

    Args:
        models: how many ran beside it.
        share: what it got of the processor time that it asked for; None where nobody tells.
    """
    others = "another model" if models == 1 else f"{models} other models"
    got = "" if share is None else f" It got {share:.0%} of the processor time that it asked for."
    return f"It ran at once with {others}, so its speed is shared.{got.replace('%', ' %')}"


def _unpaid_seconds(share: ProcessorShare, asked: float) -> float:
    """Return what a quota took: at least as long as it kept threads back, none where it did not.

    The kernel counts a time of no core once for all threads that wait on it.
    """
    kept_back = share.throttled_seconds or 0.0
    if kept_back < QUOTA_BITES * asked or share.quota_cores is None:
        return kept_back
    return max(kept_back, asked - share.quota_cores * share.elapsed_seconds)


def _asked(share: ProcessorShare) -> float:
    parts = (share.run_seconds, share.waited_seconds, share.stolen_seconds)
    return sum(part or 0.0 for part in parts)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
