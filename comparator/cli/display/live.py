"""A comparison while it runs: columns side by side in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from comparator.comparison.exports.words import figures, remarks, thinking_figures, title
from comparator.core.models import InferenceResult, RunState
from comparator.core.text import with_controls_shown

UPDATES_PER_SECOND = 10
_COLOURS = {
    RunState.DONE: "green",
    RunState.FAILED: "red",
    RunState.STOPPED: "yellow",
    RunState.WRITING: "cyan",
}

Show = Callable[[Sequence[InferenceResult]], None]


class LiveColumns:
    """Shows results side by side, redrawn in place; thoughts dimmed, or not at all."""

    def __init__(self, stream: TextIO, with_thoughts: bool = True) -> None:
        self._with_thoughts = with_thoughts
        self._console = Console(file=stream)
        self._live = Live(
            console=self._console, refresh_per_second=UPDATES_PER_SECOND, transient=False
        )

    def __enter__(self) -> Show:
        """Begin to draw and return the function that takes new results."""
        self._live.__enter__()
        return self._show

    def __exit__(self, *error: object) -> None:
        """Leave the last picture on the screen."""
        self._live.__exit__(None, None, None)

    def _show(self, results: Sequence[InferenceResult]) -> None:
        width, height = self._console.width, self._console.height
        self._live.update(side_by_side(results, width, height, self._with_thoughts))


class StateLines:
    """Tells each change of state, and what is off in a run, as a line, for logs and pipes.

    A run's notice is told at its end, when it is whole.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: dict[str, RunState] = {}
        self._told_sentences: set[tuple[str, str]] = set()

    def __enter__(self) -> Show:
        """Return the function that takes new results."""
        return self._show

    def __exit__(self, *error: object) -> None:
        """Leave nothing open."""

    def _show(self, results: Sequence[InferenceResult]) -> None:
        for result in results:
            if self._told.get(result.model_id) is not result.state:
                self._told[result.model_id] = result.state
                self._tell(result, state_words(result))
            for sentence in remarks(result) if result.is_complete else result.fallbacks:
                shown = with_controls_shown(sentence)
                if (result.model_id, shown) not in self._told_sentences:
                    self._told_sentences.add((result.model_id, shown))
                    self._tell(result, shown)

    def _tell(self, result: InferenceResult, words: str) -> None:
        print(f"{title(result)}: {words}", file=self._stream, flush=True)


def side_by_side(
    results: Sequence[InferenceResult], width: int, height: int, with_thoughts: bool = True
) -> Columns:
    """Return one panel a model, as wide as the terminal allows and never taller than it."""
    columns = max(1, min(len(results), width // 30))
    rows = -(-len(results) // columns)
    tall = max(6, height // rows - 1)
    panels = [_panel(result, width // columns - 1, tall, with_thoughts) for result in results]
    return Columns(panels, width=width // columns - 1, padding=(0, 1, 0, 0))


def _panel(result: InferenceResult, width: int, tall: int, with_thoughts: bool = True) -> Panel:
    body = Text()
    if result.thinking and with_thoughts:
        body.append(f"{with_controls_shown(result.thinking.text)}\n\n", style="dim")
    body.append(with_controls_shown(result.content))
    if result.error:
        body.append(f"\n{with_controls_shown(result.error)}", style="red")
    for sentence in remarks(result):
        body.append(f"\n{sentence}", style="yellow")
    lines = body.wrap(Console(width=max(10, width - 4)), max(10, width - 4))
    shown = Text("\n").join(list(lines)[-(tall - 3) :])
    return Panel(
        shown,
        title=title(result),
        subtitle=figures(result) if result.is_complete else state_words(result),
        border_style=_COLOURS.get(result.state, "white"),
        width=width,
    )


def state_words(result: InferenceResult) -> str:
    """Return the state, with the share of the load where it is known."""
    if result.state is RunState.LOADING and result.progress is not None:
        return f"loading {result.progress:.0%}"
    if result.state is RunState.FAILED:
        return f"failed: {with_controls_shown(result.error or '')}"
    if result.state is RunState.WRITING and result.thinking and not result.content.strip():
        return f"thinking, {thinking_figures(result.thinking)}"
    return str(result.state.value)
