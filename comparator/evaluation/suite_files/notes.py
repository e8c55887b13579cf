"""What a reader of suites wants to tell beside the suite: each sentence once, and where."""

from __future__ import annotations

from comparator.evaluation.assertions.findings import quoted


class Notes:
    """Sentences, each with the places that it is about."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, None]] = {}  # both in the order in which they came

    def add(self, sentence: str, where: str = "") -> None:
        """Note a sentence that ends without a full stop, and where it holds."""
        places = self._places.setdefault(sentence, {})
        if where:
            places[where] = None

    def unknown(self, what: str, name: object, where: str = "", why: str = "") -> None:
        """Note that something by a name was passed over."""
        self.add(f"{what} {quoted(str(name))} is not known here and was passed over{why}", where)

    def sentences(self) -> list[str]:
        """Return the sentences in the order in which they were noted first."""
        return [f"{sentence}{_told(list(places))}." for sentence, places in self._places.items()]


def _told(places: list[str]) -> str:
    if not places:
        return ""
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f" ({places[0]}{more})"
