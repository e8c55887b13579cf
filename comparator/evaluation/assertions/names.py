"""The names of assertions: what is known here, and what promptfoo has besides and why not here."""

from __future__ import annotations

import difflib

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown

TEXT_TYPES = ("contains", "icontains", "starts-with")
LIST_TYPES = ("contains-all", "contains-any", "icontains-all", "icontains-any")
JSON_TYPES = ("is-json", "contains-json")
NAMES = (
    *("equals", *TEXT_TYPES, *LIST_TYPES, "regex", *JSON_TYPES),
    *("similar", "python", "llm-rubric"),
)
NOT = "not-"

_NO_SCRIPT = "programs of a suite are not run; write it as `python`, a single expression"
_MEASURED = "it is measured for each answer anyway, and slow is not wrong"
_FREE = "local models cost nothing by the token"
_RUBRIC = "models judge by `llm-rubric` alone here"
_NO_TOOLS = "no tools are offered to models here"
_NO_CONTEXT = "there is no retrieval here"
_NO_METRIC = "it is not made here; `similar` or `python` may say the same"
_FORMAT = "its parser is not here; `regex` or `python` may say the same"
_NO_TRACE = "answers have no traces here"
_NO_SERVICE = "nothing is asked over a network"
# promptfoo's other types, and why each is refused.
REFUSED = {
    **dict.fromkeys(("javascript", "ruby"), _NO_SCRIPT),
    **dict.fromkeys(("webhook", "moderation", "guardrails", "pi", "search-rubric"), _NO_SERVICE),
    "classifier": _NO_SERVICE,
    "latency": _MEASURED,
    "cost": _FREE,
    "finish-reason": "why an answer ended stands beside it in every result",
    **dict.fromkeys(
        (
            *("answer-relevance", "conversation-relevance", "factuality", "g-eval"),
            *("model-graded-closedqa", "model-graded-factuality"),
        ),
        _RUBRIC,
    ),
    **dict.fromkeys(("context-faithfulness", "context-recall", "context-relevance"), _NO_CONTEXT),
    **dict.fromkeys(
        (
            *("is-valid-function-call", "is-valid-openai-function-call"),
            *("is-valid-openai-tools-call", "tool-call-f1", "skill-used"),
        ),
        _NO_TOOLS,
    ),
    **dict.fromkeys(
        (
            *("bleu", "gleu", "meteor", "rouge-n", "levenshtein", "word-count"),
            *("perplexity", "perplexity-score"),
        ),
        _NO_METRIC,
    ),
    **dict.fromkeys(
        (
            *("contains-html", "contains-sql", "contains-xml", "is-html", "is-sql", "is-xml"),
            "is-refusal",
        ),
        _FORMAT,
    ),
    **dict.fromkeys(("similar:dot", "similar:euclidean"), "`similar` is the cosine here"),
    "similar:cosine": "write `similar`, which is the cosine",
    "assert-set": "write its assertions one by one: an answer passes where all of them do",
    **dict.fromkeys(
        ("select-best", "max-score"), "answers are compared by the judge and by votes instead"
    ),
    "human": "people vote on the page or with `comparator vote`",
}
_FAMILIES = {"trace-": _NO_TRACE, "trajectory:": _NO_TRACE, "promptfoo:": _NO_SERVICE}


def split(name: str) -> tuple[str, bool]:
    """Return a type's name without ``not-``, and whether that stood before it."""
    return (name[len(NOT) :], True) if name.startswith(NOT) else (name, False)


def known(name: object, where: str) -> tuple[str, bool]:
    """Return the same of a type that is known here.

    Args:
        where: what the assertion belongs to, as the beginning of a sentence.

    Raises:
        ConfigurationError: it is none; with the reason, or with the nearest name that is one.
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{where}: an assertion has no type. Write type: contains.")
    base, is_inverse = split(name)
    if base in NAMES:
        return base, is_inverse
    told = name_shown(name[:60])
    why = REFUSED.get(base) or next(
        (reason for begin, reason in _FAMILIES.items() if base.startswith(begin)), None
    )
    if why:
        raise ConfigurationError(f"{where}: the assertion {told!r} is not known here: {why}.")
    near = difflib.get_close_matches(base.lower().replace("_", "-"), NAMES, n=1, cutoff=0.5)
    hint = f" Did you mean {NOT * is_inverse}{near[0]}?" if near else ""
    raise ConfigurationError(
        f"{where}: there is no assertion {told!r}.{hint} There are: {', '.join(NAMES)}; "
        "each also with not- before it."
    )
