"""What a model thinks told apart from what it answers, in the text as it comes.

Whichever engine writes, its text passes through here in the child (``runners.child.thoughts``).
A thought is opened by the prompt's end, where the chat template does that, or by the model; it is
closed, never closed, or closed without having been opened: then all before was the thought.

In a text, an opener counts where nothing was answered before it. Where the vocabulary has it as a
control token, which no ordinary text contains, it counts everywhere. A closer without an opener
ends a thought where it begins a line, or where template or vocabulary have it; but never in code
or quotes, nor where the answer names its opener before: such an answer only talks of marks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from runners.engines.answer_so_far import AnswerSoFar
from runners.engines.marks_in_text import marks_in_text

LONGEST_HEADER = 200  # characters between two marks of a channel; what is longer is no header
_MOST_SPACE_HELD = 200  # characters that may be the end of a thought


@dataclass(frozen=True)
class Pair:
    """The marks around a thought.

    Attributes:
        opener: what begins it; empty where only its end is known.
        closer: what ends it.
        label: a word that may follow the opener and is no part of the thought.
    """

    opener: str
    closer: str
    label: str = ""


# As the makers publish them, in their chat templates and model cards.
KNOWN = (
    Pair("<think>", "</think>"),  # DeepSeek R1, Qwen 3, GLM, SmolLM3, Nemotron and most others
    Pair("[THINK]", "[/THINK]"),  # Magistral, Ministral 3
    Pair("<|channel>", "<channel|>", "thought"),  # Gemma 4
    Pair("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    Pair("<seed:think>", "</seed:think>"),  # Seed-OSS
    Pair("<thought>", "</thought>"),  # EXAONE Deep
    Pair("<thinking>", "</thinking>"),
    Pair("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker
    Pair("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Pair("◁think▷", "◁/think▷"),  # Kimi
)
# gpt-oss: <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…
CHANNEL, MESSAGE, THINKING_CHANNEL = "<|channel|>", "<|message|>", "analysis"
_HEADS = (CHANNEL, "<|start|>")
_TAILS = ("<|end|>", "<|return|>", "<|call|>")
CHANNELS = (*_HEADS, MESSAGE, *_TAILS, "<|constrain|>")


@dataclass(frozen=True)
class ThoughtMarks:
    """What marks thoughts in the text of one model.

    Attributes:
        pairs: openers and closers.
        special: those marks that are control tokens of its vocabulary.
        expected: closers that its template or its vocabulary has.
    """

    pairs: tuple[Pair, ...] = KNOWN
    special: frozenset[str] = frozenset()
    expected: frozenset[str] = frozenset()

    def kept(self, special: Iterable[str]) -> ThoughtMarks:
        """Return these marks for a vocabulary with such control tokens, as far as they are marks.

        Those of channels are marks together alone: of other families ``<|end|>`` ends a turn.
        """
        there = frozenset(special)
        if not {CHANNEL, MESSAGE} <= there:
            there -= frozenset(CHANNELS)
        return replace(self, special=there & frozenset(self.texts))

    def known_by(self, vocabulary: Iterable[str]) -> ThoughtMarks:
        """Return these marks for a vocabulary with such tokens: those closers are expected."""
        there = frozenset(vocabulary) & frozenset(self.closers)
        return replace(self, expected=self.expected | there)

    @property
    def openers(self) -> tuple[str, ...]:
        """What begins a thought, channels included."""
        return (*(pair.opener for pair in self.pairs if pair.opener), *_HEADS)

    @property
    def closers(self) -> tuple[str, ...]:
        """What ends a thought; channels have marks of their own."""
        return tuple(pair.closer for pair in self.pairs)

    @property
    def texts(self) -> tuple[str, ...]:
        """All marks."""
        return (*self.openers, *self.closers, *CHANNELS)


@dataclass
class Split:
    """What one piece of text was.

    Attributes:
        answer: text of the answer.
        thought: text of a thought.
        was_thought: whether all that was told as the answer before is a thought.
        has_mark: whether a thought began or ended in it.
    """

    answer: str = ""
    thought: str = ""
    was_thought: bool = False
    has_mark: bool = False


class ThoughtSplitter:
    """Takes the text of one answer in pieces of any size.

    Attributes:
        state: ``start`` (only white space yet), ``thought``, ``header`` (of a channel),
            ``after`` (a thought has ended, no answer yet) or ``answer``.
    """

    def __init__(
        self,
        marks: ThoughtMarks | None = None,
        opened: Pair | None = None,
        had_thought: bool = False,
        is_in_answer: bool = False,
    ) -> None:
        """Begin an answer.

        Args:
            marks: what marks the thoughts of this model.
            opened: the pair whose opener ends the prompt.
            had_thought: whether the prompt ends in a thought that is closed, if only an empty one.
            is_in_answer: whether the prompt ends in the begin of the answer itself.
        """
        self._marks = marks or ThoughtMarks()
        self._held = ""
        self._header = ""  # the mark that began it
        self._label = ""  # what may yet follow an opener
        self._so_far = AnswerSoFar()
        self._had_thought, self._in_channels = had_thought or is_in_answer, False
        self._told = {"answer": is_in_answer, "thought": False}
        self._enter("answer" if is_in_answer else "start")
        self._is_fresh = not is_in_answer
        if opened is not None:
            self._open(opened)

    @property
    def is_undecided(self) -> bool:
        """Whether it depends on what comes what the latest pieces are."""
        return self.state in ("start", "header", "after")

    def feed(self, text: str) -> Split:
        """Take text and return what of it is known by now; the rest is held back."""
        if self.state == "answer" and not self._held and not self._watched.begins(text):
            return self._plain(text)
        self._held += text
        split = Split()
        while self._step(split):
            pass
        return split

    def rest(self) -> Split:
        """Return what was held back, when no more text will come."""
        split, held = Split(), self._held
        self._held = ""
        if self.state == "thought":
            self._think(split, held.rstrip())
        elif self.state == "header" and self._header not in self._marks.special:
            self._say(split, self._header + held)
        elif self.state == "after":
            self._say(split, held.strip())
        elif self.state != "header":
            self._say(split, held)
        return split

    def _plain(self, text: str) -> Split:
        split = Split()
        self._say(split, text)
        return split

    def _step(self, split: Split) -> bool:
        """Take one step through what is held; return whether there may be a further one."""
        if self.state in ("start", "after"):
            return self._begin(split)
        if self.state == "thought":
            return self._go_on_thinking(split)
        if self.state == "header":
            return self._read_header(split)
        return self._go_on_answering(split)

    # ---- each state ----

    def _begin(self, split: Split) -> bool:
        """Look whether a thought begins before anything was answered."""
        text = self._held.lstrip()
        mark = self._watched.at_start(text)
        if mark:
            self._held = text[len(mark) :]
            self._meet(mark, split)
            return True
        if not text or self._watched.may_become(text):
            return False
        if self.state == "after":
            self._held = text
        self._enter("answer")
        return True

    def _go_on_thinking(self, split: Split) -> bool:
        if self._is_fresh and not self._is_past_label():
            return False
        found = self._watched.first(self._held)
        if found is None:
            end = self._watched.certain(self._held)
            shown = self._held[:end].rstrip()
            if end - len(shown) > _MOST_SPACE_HELD:
                shown = self._held[:end]
            self._held = self._held[len(shown) :]
            self._think(split, shown)
            return False
        at, mark = found
        self._think(split, self._held[:at].rstrip())
        self._held = self._held[at + len(mark) :]
        self._meet(mark, split)
        return True

    def _is_past_label(self) -> bool:
        """Drop white space and the label that follow an opener; False where it may yet come."""
        self._held = self._held.lstrip()
        label = self._label
        if label and self._held.startswith(label):
            self._held, self._label = self._held[len(label) :].lstrip(), ""
        elif label and label.startswith(self._held):
            return False
        return bool(self._held)

    def _read_header(self, split: Split) -> bool:
        header, found, rest = self._held.partition(MESSAGE)
        if not found and len(header) <= LONGEST_HEADER:
            return False
        if not found or len(header) > LONGEST_HEADER:
            shown = "" if self._header in self._marks.special else self._header
            self._held = shown + self._held
            self._enter("answer")
            self._say(split, self._held[:1])  # so that the same is not taken for a header again
            self._held = self._held[1:]
            return True
        self._held, self._in_channels = rest, True
        if _channel(self._header + header) == THINKING_CHANNEL:
            self._open(None)
            split.has_mark = True
        else:
            self._enter("answer")
        return True

    def _go_on_answering(self, split: Split) -> bool:
        found = self._watched.first(self._held)
        if found is None:
            end = self._watched.certain(self._held)
            self._say(split, self._held[:end])
            self._held = self._held[end:]
            return False
        at, mark = found
        before, self._held = self._held[:at], self._held[at + len(mark) :]
        self._say(split, before)
        if self._counts(mark):
            self._meet(mark, split)
        elif mark not in self._marks.special:
            self._so_far.named.add(mark)
            self._say(split, mark)
        return True

    def _is_closer(self, mark: str) -> bool:
        return mark in self._marks.closers

    def _counts(self, mark: str) -> bool:
        """Tell whether a mark in an answer is one; where it is not, it is but a text."""
        if self._is_closer(mark):
            return not self._had_thought and self._ends_thought(mark)
        return mark in self._marks.special or mark in (*_TAILS, *_HEADS)

    def _ends_thought(self, closer: str) -> bool:
        """Tell whether a closer without opener ends a thought."""
        marks, so_far = self._marks, self._so_far
        if closer in marks.special:
            return True
        if so_far.talks_of(pair.opener for pair in marks.pairs if pair.closer == closer):
            return False
        return so_far.is_at_line_begin or closer in marks.expected

    # ---- from one state to another ----

    def _meet(self, mark: str, split: Split) -> None:
        """Go on after a mark."""
        if mark in _HEADS:
            self._header = mark
            self._enter("header")
        elif self._is_closer(mark) or mark in _TAILS:
            self._close(mark, split)
        else:
            split.has_mark = True
            self._open(next(pair for pair in self._marks.pairs if pair.opener == mark))

    def _open(self, pair: Pair | None) -> None:
        """Begin a thought, of a channel where there is no pair."""
        self._had_thought = True
        self._label = pair.label if pair else ""
        self._enter("thought", (pair.closer,) if pair else (*_TAILS, *_HEADS))

    def _close(self, mark: str, split: Split) -> None:
        if self.state == "thought":
            split.has_mark = True
        elif self._is_closer(mark) and not self._had_thought:
            self._relabel(split)
        self._enter("after")

    def _relabel(self, split: Split) -> None:
        """Note that all before was a thought, if there was anything."""
        self._had_thought = split.has_mark = True
        if not self._told["answer"]:
            return
        split.was_thought = True
        split.thought, split.answer = split.answer.rstrip(), ""
        self._told = {"answer": False, "thought": True}

    def _enter(self, state: str, watched: tuple[str, ...] = ()) -> None:
        self.state, self._is_fresh = state, True
        marks = self._marks
        if state in ("start", "after"):
            watched = (*marks.openers, *marks.closers)
        elif state == "answer":
            everywhere = (*marks.openers, *marks.closers)
            special = tuple(mark for mark in everywhere if mark in marks.special)
            ends = (*_TAILS, *_HEADS) if self._in_channels else ()
            texts = (pair.opener for pair in marks.pairs if pair.opener)  # which it may talk of
            watched = (*special, *ends)
            if not self._had_thought:
                watched = (*watched, *texts, *marks.closers)
        self._watched = marks_in_text(watched)

    # ---- telling ----

    def _think(self, split: Split, text: str) -> None:
        split.thought += self._apart("thought", text)

    def _say(self, split: Split, text: str) -> None:
        if not self._had_thought:
            self._so_far.add(text)
        split.answer += self._apart("answer", text)

    def _apart(self, kind: str, text: str) -> str:
        """Return a text, parted from an earlier one of its kind that something came between."""
        if not text:
            return ""
        between = "\n\n" if self._is_fresh and self._told[kind] else ""
        self._is_fresh, self._told[kind] = False, True
        return between + text


def _channel(header: str) -> str:
    words = header.rpartition(CHANNEL)[2].split()
    return words[0] if CHANNEL in header and words else ""
