"""With what the page's form begins: a link, else what was used last, else two models that differ.

The browser remembers and the address tells; which of it holds is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import MultiLLMError
from comparator.core.models import ModelInfo
from comparator.core.text import without_surrogates
from comparator.hosting.links import Link, Note, note, read_link, sendable
from comparator.hosting.requests import FOREIGN_CODE, from_page
from comparator.library.facts.lookup import facts_of

_LONGEST_TEXT = 4_000_000  # characters of a remembered prompt: what fits a browser's store


@dataclass(frozen=True)
class Start:
    """What stands in the form.

    Attributes:
        models: an id for each slot, empty where none is chosen.
        own: each slot's own settings.
        form: fields for all models, by name, as ``from_page`` reads them; those that are left out
            stay as they are.
        prompt: the question; None leaves it as it is.
        system_prompt: what every model is told first; None leaves it as it is.
        together: whether all run at once; None leaves it as it is.
        notes: what is to be said, by key.
    """

    models: Sequence[str] = ()
    own: Sequence[Mapping[str, Any]] = ()
    form: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None
    system_prompt: str | None = None
    together: bool | None = None
    notes: Sequence[Note] = ()


def start_of(
    told: object, offered: Sequence[ModelInfo], most: int, usual: ModelConfig, names: Sequence[str]
) -> Start:
    """Return what the form begins with.

    Args:
        told: what the browser sends: ``kept`` (what was used last), ``prompt`` (typed before this
            tab was loaded anew) and ``link`` (the query of the address); anything else is
            passed over.
        offered: the models that can be asked.
        most: the number of slots that the page offers.
        usual: the settings that the page offers before anything is changed.
        names: the settings that the form has fields for.
    """
    told = told if isinstance(told, Mapping) else {}
    link = read_link(told.get("link"))
    if not link.is_empty:
        return _of_link(link, offered, most, usual, names)
    kept = told.get("kept")
    start = _of_kept(kept, offered, most, names) if isinstance(kept, Mapping) else None
    prompt = _text(told.get("prompt"))
    if start is None:
        models = first_models(offered)[:most]
        return Start(models, [{} for _ in models], prompt=prompt)
    return Start(
        start.models, start.own, start.form, prompt, start.system_prompt, start.together,
        start.notes,
    )  # fmt: skip


def usual_form(usual: ModelConfig, names: Sequence[str]) -> dict[str, Any]:
    """Return the fields for all models as they are before anything is changed."""
    return as_form(asdict(usual), names)


def first_models(offered: Sequence[ModelInfo]) -> list[str]:
    """Return the ids of two models that differ in engine or quantisation, else of the first two."""
    if not offered:
        return []
    kind = _kind(offered[0])
    others = [model for model in offered[1:] if _kind(model) != kind] or list(offered[1:])
    return [model.id for model in (offered[0], *others[:1])]


def as_form(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return settings as the fields of the page hold them: the inverse of ``from_page``."""
    form = {}
    for name in names:
        source = "do_sample" if name == "greedy" else name
        if source in settings:
            form[name] = _as_field(name, settings[source])
    return form


def _as_field(name: str, value: Any) -> Any:
    if name == "greedy":
        return not value
    if name == "stop":
        return "\n".join(text.replace("\n", "\\n").replace("\t", "\\t") for text in value)
    if name in ("seed", "n_threads", "max_tokens", "n_ctx"):
        return "" if value is None else str(value)
    return value


def _kind(model: ModelInfo) -> tuple[str, str | None]:
    return model.model_type.value, facts_of(model).quantisation


def _of_link(
    link: Link, offered: Sequence[ModelInfo], most: int, usual: ModelConfig, names: Sequence[str]
) -> Start:
    models, notes = _named(link.models, offered)
    notes = [*link.notes, *notes]
    if len(models) > most:
        notes.append(note("slots.too_many", most=most))
        models = models[:most]
    if not any(models):
        models = first_models(offered)[:most]
    own = [dict(link.own.get(number, {})) for number in range(len(models))]
    fields = {"do_sample" if name == "greedy" else name for name in names}
    for name, value in link.settings.items():  # no field for all of them: one for each
        if name not in fields and name != "system_prompt":
            own = [{name: value, **settings} for settings in own]
    form = as_form({**asdict(usual), **link.settings}, names)
    system = link.system_prompt
    if system is None:
        system = str(link.settings.get("system_prompt", ""))
    changed = sorted(link.settings)
    if changed:
        notes.append(note("slots.link_settings", names=", ".join(changed)))
    together = bool(link.together)
    return Start(models, own, form, link.prompt, system, together, notes)


def _named(wanted: Sequence[str], offered: Sequence[ModelInfo]) -> tuple[list[str], list[Note]]:
    """Return the ids of models by id or name, and what is to be said of those that are not here."""
    by_id = {model.id: model.id for model in offered}
    by_name: dict[str, list[str]] = {}
    for model in offered:
        by_name.setdefault(model.name, []).append(model.id)
    found: list[str] = []
    notes: list[Note] = []
    for text in _parted(wanted, {*by_id, *by_name}):
        ids = [by_id[text]] if text in by_id else by_name.get(text, [])
        if not ids:
            notes.append(note("slots.link_no_model", model=text))
            continue
        if len(ids) > 1:
            notes.append(note("slots.several", model=text))
        found.append(ids[0])
    return found, notes


def _parted(texts: Sequence[str], known: set[str]) -> list[str]:
    """Part what has commas, except for a name that has them itself."""
    parted: list[str] = []
    for text in texts:
        parted += [text] if text in known else [part.strip() for part in text.split(",")]
    return [text for text in parted if text]


def _of_kept(
    kept: Mapping[str, Any], offered: Sequence[ModelInfo], most: int, names: Sequence[str]
) -> Start | None:
    """Return what was used last, as far as it is there still; None where none of it is."""
    slots = kept.get("slots")
    if not isinstance(slots, list):
        return None
    ids = {model.id for model in offered}
    models: list[str] = []
    own: list[dict[str, Any]] = []
    notes: list[Note] = []
    for slot in [slot for slot in slots if isinstance(slot, Mapping)][:most]:
        model = slot.get("model")
        if model and (not isinstance(model, str) or model not in ids):
            notes.append(note("slots.gone", model=str(slot.get("name") or model)))
            continue
        models.append(model or "")
        own.append(_taken(slot.get("settings"), notes))
    if not any(models):
        models = first_models(offered)[:most]
        own = [{} for _ in models]
    form = _taken_form(kept.get("form"), names, notes)
    together = kept.get("together")
    return Start(
        models,
        own,
        form,
        system_prompt=_text(kept.get("system_prompt")),
        together=together if isinstance(together, bool) else None,
        notes=[one for place, one in enumerate(notes) if one not in notes[:place]],
    )


def _taken(settings: object, notes: list[Note]) -> dict[str, Any]:
    """Return those of a slot's remembered settings that hold; the others are told."""
    taken: dict[str, Any] = {}
    for name, value in settings.items() if isinstance(settings, Mapping) else ():
        if name == FOREIGN_CODE:  # asked for anew each time
            continue
        try:
            ModelConfig.from_dict({name: value})
        except MultiLLMError as error:
            notes.append(note("slots.kept_no_setting", name=str(name), why=str(error)))
        else:
            taken[str(name)] = sendable(value)
    return taken


def _taken_form(form: object, names: Sequence[str], notes: list[Note]) -> dict[str, Any]:
    """Return those of the remembered fields that can be read; the others are told."""
    taken: dict[str, Any] = {}
    for name in names:
        if not isinstance(form, Mapping) or name not in form or name == FOREIGN_CODE:
            continue
        if problem := _problem(name, form[name]):
            notes.append(note("slots.kept_no_setting", name=name, why=problem))
        else:
            taken[name] = sendable(form[name])
    return taken


def _problem(name: str, value: Any) -> str:
    """Return why a field of the form cannot hold a value, in words; empty where it can."""
    texts = ("stop", "seed", "n_threads")
    if (name == "greedy" and not isinstance(value, bool)) or (
        name in texts and value is not None and not isinstance(value, str)
    ):
        return f"{name} cannot be {str(value)[:40]!r}."
    try:
        draft = from_page("", "", [], {name: value}, False)
        ModelConfig.from_dict(draft.settings)
    except MultiLLMError as error:
        return str(error)
    return ""


def _text(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    return without_surrogates(value)
