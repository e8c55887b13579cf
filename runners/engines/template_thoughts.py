"""Marks of thoughts that a chat template tells: what it cuts earlier answers at.

A template that leaves earlier thoughts out of a conversation has to know how its model writes
them, such as ``content.split('</think>')[0].split('<think>')[-1]``. What all know is not looked
for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from comparator.core.exceptions import InferenceError
from comparator.formats.chat_template import parsed
from runners.engines.template_limits import within_limits
from runners.engines.thinking import KNOWN, Pair, ThoughtMarks

MOST_PAIRS = 8
_LONGEST_MARK = 64
_SPLITS = re.compile(r"\.split\(\s*(['\"])(.{1,64}?)\1\s*[,)]")
_OF_THOUGHTS = re.compile(r"think|thought|reason|reflect", re.IGNORECASE)
_CLOSINGS = (("/", ""), ("end_of", "begin_of"), ("END", "START"), ("end", "begin"))


def marks_of(source: str | None) -> ThoughtMarks:
    """Return what marks thoughts: what all know, and what a template's source tells beside it."""
    told = told_by_template(source or "")
    expected = {pair.closer for pair in KNOWN if source and pair.closer in source}
    expected |= {pair.closer for pair in told}
    return ThoughtMarks((*KNOWN, *told), expected=frozenset(expected))


def told_by_template(source: str) -> tuple[Pair, ...]:
    """Return the pairs that only this template tells; none where it cannot be read."""
    known = {mark for pair in KNOWN for mark in (pair.opener, pair.closer)}
    cut_at = {match[2] for match in _SPLITS.finditer(source)}
    if not any(_may_mark(text) for text in cut_at - known):
        return ()
    try:
        told = within_limits(lambda: list(_pairs(parsed(source))))
    except InferenceError:
        return ()  # whoever renders it says what is wrong with it
    fresh = [pair for pair in told if pair.closer not in known]
    return tuple(dict.fromkeys(fresh))[:MOST_PAIRS]


def _pairs(tree: Any) -> Iterator[Pair]:
    from jinja2 import nodes

    assigned = list(tree.find_all(nodes.Assign))
    written = [part for output in tree.find_all(nodes.Output) for part in output.nodes]
    for statement in (*assigned, *written):
        name = getattr(getattr(statement, "target", None), "name", "")
        of_thoughts = _OF_THOUGHTS.search(str(name)) is not None
        cuts = list(_cuts(statement))
        befores = [mark for mark, index in cuts if index == 0 and of_thoughts]
        afters = [mark for mark, index in cuts if index != 0 and of_thoughts]
        closers = befores or [mark for mark, _index in cuts if _is_closer(mark)]
        for closer in closers[:1]:
            yield Pair(afters[0] if befores and afters else _opener_of(closer), closer)


def _cuts(statement: Any) -> Iterator[tuple[str, Any]]:
    """Yield each text that something is cut at, and which of the parts is taken."""
    from jinja2 import nodes

    itself = [statement] if isinstance(statement, nodes.Getitem) else []
    for part in (*itself, *statement.find_all(nodes.Getitem)):
        call = part.node
        is_cut = isinstance(call, nodes.Call) and isinstance(call.node, nodes.Getattr)
        if is_cut and call.node.attr == "split" and call.args:
            mark, index = _value(call.args[0]), _value(part.arg)
            if isinstance(mark, str) and _may_mark(mark):
                yield mark, index


def _value(node: Any) -> Any:
    """Return a constant, also one with a sign; None for what is computed."""
    from jinja2 import nodes

    if isinstance(node, nodes.Neg):
        return -1
    return getattr(node, "value", None) if isinstance(node, nodes.Const) else None


def _may_mark(text: str) -> bool:
    """Tell whether a text looks like a mark: none of words or of white space alone."""
    is_plain = text[:1].isalnum() or text[-1:].isalnum() or text != text.strip()
    return 3 <= len(text) <= _LONGEST_MARK and not is_plain


def _is_closer(mark: str) -> bool:
    return _OF_THOUGHTS.search(mark) is not None and bool(_opener_of(mark))


def _opener_of(closer: str) -> str:
    """Return what begins a thought that ends so; empty where that cannot be told."""
    for closing, opening in _CLOSINGS:
        if closing in closer:
            return closer.replace(closing, opening, 1)
    return ""
