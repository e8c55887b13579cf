"""The moment that a chat template is told when it asks which day it is."""

from __future__ import annotations

import datetime

from comparator.core.exceptions import ConfigurationError


def moment_of(text: str) -> datetime.datetime:
    """Return the moment of a date (``2026-11-26``) or of a date and a time, as ISO 8601 has them.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"date must be a date such as 2026-11-26 or 2026-11-26T13:30:00, not {text!r:.60}."
        ) from None


def moment_told(date: str | None) -> str:
    """Return the moment that all models of a comparison are told: a given one, or now.

    Raises:
        ConfigurationError: what is given is no date.
    """
    moment = moment_of(date) if date else datetime.datetime.now()
    return moment.replace(microsecond=0).isoformat()


class Clock:
    """Tells a chat template the time, the same at every look, and notes what it asked for.

    Attributes:
        date: None until it is asked; then the date, with the time of day where that was asked for.
    """

    def __init__(self, date: str | None = None) -> None:
        """Stand still at a date, or at the moment of the first look.

        Raises:
            ConfigurationError: it is no date.
        """
        self.date: str | None = None
        self._moment = moment_of(date) if date else None

    def strftime_now(self, layout: str) -> str:
        """Return the time in a layout of ``strftime``."""
        if self._moment is None:
            self._moment = datetime.datetime.now()
        text = self._moment.strftime(layout)
        day = self._moment.date()
        midnight = datetime.datetime.combine(day, datetime.time(), self._moment.tzinfo)
        if midnight.strftime(layout) != text:
            self.date = self._moment.replace(microsecond=0).isoformat()
        elif self.date is None:
            self.date = day.isoformat()
        return text
