"""Links that open the page with a comparison in its form.

``?models=A&models=B&prompt=…&system=…&seed=1&temperature=0.5&2.temperature=1.5&together=1``: models
by id or name, several also with commas, one as often as wanted; any setting for all of them, or
for the N-th alone as on the command line. Whoever opens a link sees a form; nothing runs by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from comparator.core.config import WITHOUT_A_LIMIT, ModelConfig
from comparator.core.config_text import number_or_none
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import MOST_MODELS
from comparator.core.text import with_controls_shown, without_surrogates
from comparator.hosting.requests import FOREIGN_CODE

LONGEST_LINK = 1_000_000  # characters of a query; no browser sends as much to a server
_MOST_PARAMETERS = 200
_MOST_PROBLEMS = 10
_LONGEST_SHOWN = 60
_ONE_SLOT = re.compile(r"([1-9])\.(.+)")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SWITCHES = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
_TEXTS = frozenset({"system_prompt", "reasoning_effort", "thinking"})
_LISTS = frozenset({"stop", "lora"})

Note = dict[str, Any]  # {"key": of the page's texts, "values": what is put in}


@dataclass(frozen=True)
class Link:
    """What a link asks for; of its models nobody knows yet whether they are there.

    Attributes:
        models: ids or names, or several with commas, as they stand in the link.
        prompt: the question; None where it names none.
        system_prompt: likewise.
        settings: for all models.
        own: for one slot, by its number counted from 0.
        together: whether all run at once; None where it does not say.
        notes: what was left out of it.
    """

    models: tuple[str, ...] = ()
    prompt: str | None = None
    system_prompt: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    together: bool | None = None
    notes: tuple[Note, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing."""
        asked = (self.models, self.settings, self.own, self.notes)
        texts = (self.prompt, self.system_prompt, self.together)
        return not any(asked) and all(value is None for value in texts)


def note(key: str, **values: Any) -> Note:
    """Return a sentence for the page by its key; texts in it are short and harmless."""
    return {"key": key, "values": {name: _shown(value) for name, value in values.items()}}


def sendable(value: Any) -> Any:
    """Return a setting in whose texts nothing is that UTF-8 cannot carry; else no page would come.

    What is deeper than a list of texts is judged by the setting's own rule.
    """
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [sendable(one) if isinstance(one, str) else one for one in value]
    return value


def read_link(query: object) -> Link:
    """Read what stands behind the ``?`` of the page's address; parameters of others are passed by.

    Never raises: what cannot be read is left out and told.
    """
    if not isinstance(query, str) or not query:
        return Link()
    if len(query) > LONGEST_LINK:
        return Link(notes=(note("slots.link_too_long", most=LONGEST_LINK),))
    try:
        pairs = parse_qsl(
            query.removeprefix("?"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        return Link(notes=(note("slots.link_too_many", most=_MOST_PARAMETERS),))
    reading = _Reading()
    for name, text in pairs:
        reading.take(name, text)
    return reading.link()


class _Reading:
    """What has been read of a link so far."""

    def __init__(self) -> None:
        self._models: list[str] = []
        self._texts: dict[str, str] = {}
        self._settings: dict[str, Any] = {}
        self._own: dict[int, dict[str, Any]] = {}
        self._together: bool | None = None
        self._notes: list[Note] = []

    def take(self, name: str, text: str) -> None:
        """Read one parameter."""
        if name == "models":
            self._models.append(text)
        elif name in ("prompt", "system", "system_prompt"):
            self._texts["prompt" if name == "prompt" else "system"] = self._harmless(name, text)
        elif name == "together":
            self._together = _SWITCHES.get(text.lower(), False)
        elif one := _ONE_SLOT.fullmatch(name):
            self._take_own(int(one[1]), one[2], text)
        elif name in _known():
            self._set(self._settings, name, name, text)

    def link(self) -> Link:
        """Return what was read."""
        return Link(
            tuple(self._models),
            self._texts.get("prompt"),
            self._texts.get("system"),
            self._settings,
            self._own,
            self._together,
            tuple(self._notes[:_MOST_PROBLEMS]),
        )

    def _take_own(self, number: int, name: str, text: str) -> None:
        if name not in _known():
            return
        if number > MOST_MODELS:
            self._notes.append(note("slots.link_no_slot", name=f"{number}.{name}"))
            return
        self._set(self._own.setdefault(number - 1, {}), name, f"{number}.{name}", text)

    def _set(self, settings: dict[str, Any], name: str, shown: str, text: str) -> None:
        if name == FOREIGN_CODE:
            self._notes.append(note("slots.link_no_code", name=shown))
            return
        try:
            value = sendable(_value(name, self._harmless(shown, text)))
            ModelConfig.from_dict({name: value})
        except ConfigurationError as error:
            self._notes.append(note("slots.link_no_setting", name=shown, why=str(error)))
            return
        settings[name] = value

    def _harmless(self, name: str, text: str) -> str:
        """Return a text without control characters, which a person could not see in a field."""
        text = without_surrogates(text).replace("\r\n", "\n").replace("\r", "\n")
        clean = _CONTROLS.sub("", text)
        if clean != text:
            self._notes.append(note("slots.link_controls", name=name))
        return clean


def _known() -> frozenset[str]:
    return frozenset(vars(ModelConfig()))


def _value(name: str, text: str) -> Any:
    """Return the value of a setting that a text means; its rule judges it."""
    if name in WITHOUT_A_LIMIT:
        return number_or_none(name, text)
    if name in _TEXTS:
        return text
    usual = getattr(ModelConfig(), name)
    if isinstance(usual, bool):
        return _SWITCHES.get(text.lower(), text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if name in _LISTS and not isinstance(value, list):
        return [text]
    return value


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = with_controls_shown(without_surrogates(value))
    limit = 4 * _LONGEST_SHOWN
    return text if len(text) <= limit else f"{text[:limit]}…"
