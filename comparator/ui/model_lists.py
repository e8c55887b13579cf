"""The lists of models to choose from, which every tab may change, and what stands beside them."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.hosting.host import Host
from comparator.hosting.page_start import first_models
from comparator.library.facts.lookup import facts_of
from comparator.library.facts.template_arguments import in_words, settings_known
from comparator.library.labels import kind_line
from comparator.library.shelf import Shelf
from comparator.ui.events import AT_ONCE, Handler, Updates, Values, Widget
from comparator.ui.language import text
from comparator.ui.threads import in_thread
from comparator.ui.worded import said

MOST_REASONS = 100


@dataclass(frozen=True)
class ModelLists:
    """What is drawn anew when models come or go.

    Attributes:
        models: the lists to choose from, one a column.
        catalogue: hands each model's name and kind to the page's script.
        unusable: the folded list of what cannot be loaded.
        starter_panel: shown while there are no models.
    """

    models: Sequence[Widget]
    catalogue: Widget
    unusable: Widget
    starter_panel: Widget

    @property
    def widgets(self) -> list[Widget]:
        """Return all of them."""
        return [*self.models, self.catalogue, self.unusable, self.starter_panel]


def shelf_updates(lists: ModelLists, shelf: Shelf, values: Values | None = None) -> Updates:
    """Return updates of all lists; what is chosen by ``values`` stays so while it is there."""
    shelf = shelf.by_facts()
    told = names_and_kinds(shelf.offered)
    labels = [(" · ".join(words[:2]), model_id) for model_id, words in told.items()]
    choices = [(text("compare.none"), ""), *labels]
    chosen = _chosen(lists, shelf, values or {})
    note = unusable_note(shelf)
    updates = (gr.update(choices=choices, value=model_id) for model_id in chosen)
    return {
        **dict(zip(lists.models, updates, strict=True)),
        lists.catalogue: told,
        lists.unusable: gr.update(value=note, visible=bool(note)),
        lists.starter_panel: gr.update(visible=not shelf.offered),
    }


def _chosen(lists: ModelLists, shelf: Shelf, values: Values) -> list[str]:
    """Return the chosen model of each list by id: two to begin with, empty where none is."""
    known = [model.id for model in shelf.offered]
    chosen = [values.get(widget) for widget in lists.models]
    if any(model_id in known for model_id in chosen):
        return [model_id if model_id in known else "" for model_id in chosen]
    return [*first_models(shelf.offered), *[""] * len(chosen)][: len(chosen)]


def make_refresh(host: Host, lists: ModelLists) -> Handler:
    """Return the handler that looks for models; its inputs are the lists."""

    async def refresh(values: Values) -> Updates:
        return await in_thread(shelf_updates, lists, await in_thread(host.shelf), values)

    return refresh


def refresh_at(event: Any, host: Host, lists: ModelLists, **names: str) -> None:
    """Look for models when a widget's event comes, such as ``button.click``."""
    event(make_refresh(host, lists), set(lists.models), lists.widgets, **names, **AT_ONCE)


def names_and_kinds(models: Sequence[ModelInfo]) -> dict[str, list[Any]]:
    """Return by each model's id its name, its kind in words, and what its template knows.

    The latter in words, and as the names of the settings that are offered for it.

    Models of one name, such as the ``checkpoint-500`` of two trainings, are told apart by the
    folder in which they lie.
    """
    counts = Counter(model.name for model in models)
    return {
        model.id: [
            with_controls_shown(_name(model, counts[model.name] > 1)),
            kind_line(model),
            in_words(names := facts_of(model).template_arguments),
            settings_known(names),
        ]
        for model in models
    }


def _name(model: ModelInfo, is_shared: bool) -> str:
    folder = os.path.basename(os.path.dirname(model.path)) if is_shared else ""
    return f"{folder}/{model.name}" if folder else model.name


def unusable_note(shelf: Shelf) -> str:
    """Return the folded list of what cannot be loaded, as HTML; empty where all is well."""
    reasons = [(model.name, model.problem or "") for model in shelf.unusable]
    reasons += [(skipped.path.rsplit("/", 1)[-1], skipped.reason) for skipped in shelf.skipped]
    if not reasons:
        return ""
    rows = "".join(
        f"<li><b>{_escaped(name)}</b> {_escaped(reason)}</li>"
        for name, reason in reasons[:MOST_REASONS]
    )
    words = f"library.unusable_{'one' if len(reasons) == 1 else 'many'}"
    told = said(words, count=len(reasons))
    return f"<details><summary>{told}</summary><ul>{rows}</ul></details>"


def _escaped(text: str) -> str:
    return html.escape(with_controls_shown(text))
