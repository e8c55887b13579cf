"""Which board each session of the page has."""

from __future__ import annotations

from collections import OrderedDict

from comparator.ui.compare.board import Board

MOST_BOARDS = 256


class Boards:
    """The latest board of each session, whose columns can be asked once more."""

    def __init__(self) -> None:
        self._by_session: OrderedDict[str, Board] = OrderedDict()

    def keep(self, session_key: str, board: Board) -> None:
        """Remember a session's board in place of its last one."""
        self._by_session[session_key] = board
        self._by_session.move_to_end(session_key)
        while len(self._by_session) > MOST_BOARDS:
            self._by_session.popitem(last=False)

    def of(self, session_key: str) -> Board | None:
        """Return a session's board, if it has one."""
        return self._by_session.get(session_key)

    def drop(self, session_key: str) -> None:
        """Forget a session."""
        self._by_session.pop(session_key, None)
