"""The panel of ratings: what votes say of configurations, and which pair is worth asking next.

Drawn by ``static/ratings.js``, which asks for it when somebody comes to see it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.text import with_controls_shown
from comparator.evaluation.ratings import By
from comparator.hosting.asked_before import apart, slots_of
from comparator.hosting.host import Host
from comparator.hosting.page_start import usual_form
from comparator.hosting.vote_ratings import (
    LARGEST_LOG_BYTES,
    OF,
    Record,
    log_of,
    rated,
    read_log,
)
from comparator.ui import adapter
from comparator.ui.compare.exporting import build_receiver
from comparator.ui.compare.tab import CompareTab
from comparator.ui.events import AT_ONCE, Handler, Updates, Widget, telling
from comparator.ui.language import script
from comparator.ui.static_files import static_text
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of

MOST_TOLD_APART = 20  # names that several configurations have
MOST_PAIRS = 60  # that are shown, the most votes first
_SHORT_ID = 6
Read = tuple[int, str]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class RatingsPanel:
    """The panel's widgets.

    Attributes:
        table: what is drawn.
        taken_away: what the log of votes comes through.
    """

    table: Widget
    taken_away: Widget


def build_ratings(host: Host) -> RatingsPanel:
    """Build the panel where it is called."""
    constants = f"const RATINGS_BYTES = {LARGEST_LOG_BYTES};"
    table = gr.HTML(
        {"imports": not host.options.is_public},
        html_template='<div id="ratings-root"></div>',
        js_on_load="\n".join([constants, script(), static_text("ratings.js")]),
        apply_default_css=False,
        padding=False,
        elem_id="ratings",
    )
    return RatingsPanel(table, build_receiver("votes-taken-away"))


def wire_ratings(host: Host, panel: RatingsPanel, tabs: Widget, compare: CompareTab) -> None:
    """Let the panel's events call their handlers.

    Args:
        host: what the page is served from.
        panel: of ``build_ratings``.
        tabs: the page's tabs, to go to the form.
        compare: the tab in whose form a pair is put.
    """
    does = make_ratings_handlers(host, panel, tabs, compare)
    table = panel.table
    filled = [table, tabs, compare.slots, compare.together, compare.blind]
    filled += [*compare.lists.models, *compare.settings.values()]
    table.look(does.look, None, table, api_name="ratings_look", **AT_ONCE)
    table.ask_pair(does.ask_pair, None, filled, api_name="ratings_ask_pair", **AT_ONCE)
    table.export_votes(does.export, None, panel.taken_away, api_name="ratings_export", **AT_ONCE)
    if not host.options.is_public:  # what strangers bring is neither checked nor kept
        table.import_votes(does.read, None, table, api_name="ratings_import", **AT_ONCE)


@dataclass(frozen=True)
class RatingsHandlers:
    """Every handler of the panel."""

    look: Handler
    ask_pair: Handler
    export: Handler
    read: Handler


def make_ratings_handlers(
    host: Host, panel: RatingsPanel, tabs: Widget, compare: CompareTab
) -> RatingsHandlers:
    """Return the handlers of a panel."""

    def told(sentence: str) -> Updates:
        return {panel.table: {"trouble": sentence, "imports": not host.options.is_public}}

    def drawn(event: gr.EventData, request: gr.Request, read: Read | None = None) -> Updates:
        by: By = "model" if adapter.carried(event, "by") == "model" else "configuration"
        owner = host.owner_of(browser_of(request))
        blind = host.voting.count(owner, only_blind=True)
        votes = {"all": host.voting.count(owner), "blind": blind}
        of = adapter.carried(event, "of")
        if of not in OF:  # nobody has chosen yet
            of = "blind" if votes["blind"] or not votes["all"] else "all"
        found = rated(host.voting, owner, by, of)
        names = shown_names(host, owner, found)
        view = view_of(found, names, votes, not host.options.is_public, read)
        return {panel.table: view}

    @telling(told)
    async def look(event: gr.EventData, request: gr.Request) -> Updates:
        """Rate what was voted on."""
        return await in_thread(drawn, event, request)

    @telling(told)
    async def ask_pair(event: gr.EventData, request: gr.Request) -> Updates:
        """Put a pair into the form, to be asked blind."""
        wanted = [str(adapter.carried(event, name)) for name in ("a", "b")]
        owner = host.owner_of(browser_of(request))
        votes = await in_thread(host.voting.votes, owner)
        slots = await in_thread(slots_of, host.history, votes, wanted, owner)
        models = [slot.model for slot in slots]
        ids = [*models, *([""] * len(compare.lists.models))]
        usual = usual_form(host.options.usual_settings, list(compare.settings))
        return {
            **dict(zip(compare.lists.models, ids, strict=False)),
            **{compare.settings[name]: value for name, value in usual.items()},
            compare.slots: {"own": [dict(slot.settings) for slot in slots]},
            compare.together: False,
            compare.blind: True,
            tabs: gr.update(selected="compare"),
        }

    @telling(told)
    async def read(event: gr.EventData, request: gr.Request) -> Updates:
        """Take in the votes of a log."""
        text = str(adapter.carried(event, "text"))
        read = await in_thread(read_log, host.voting, text)
        return await in_thread(drawn, event, request, read)

    return RatingsHandlers(look, ask_pair, _make_export(host, panel), read)


def _make_export(host: Host, panel: RatingsPanel) -> Handler:
    def log_text(message: str = "") -> Updates:
        return {panel.taken_away: {"number": next(_numbers), "trouble": message}}

    @telling(log_text)
    async def export(request: gr.Request) -> Updates:
        """Hand the votes to the browser, which saves them."""
        owner = host.owner_of(browser_of(request))
        text = await in_thread(log_of, host.voting, host.history, owner)
        name = "votes.jsonl"
        saved = {"form": "jsonl", "name": name, "how": "save", "note": "", "trouble": ""}
        told = {"number": next(_numbers), "media_type": "application/jsonl", "text": text}
        return {panel.taken_away: {**saved, **told}}

    return export


def view_of(
    found: Record,
    names: Mapping[str, str],
    votes: Mapping[str, int],
    imports: bool,
    read: Read | None = None,
) -> Record:
    """Return what the panel shows: names that are told apart, and at most so many pairs.

    Args:
        found: of ``rated``.
        names: what each contender is called.
        votes: how many there are, ``all`` and ``blind``.
        imports: whether logs may be read.
        read: how many votes of a log were read just now, and what was left out.
    """
    pairs = sorted(found["pairs"], key=lambda pair: -pair["votes"])[:MOST_PAIRS]
    following = found["next"]
    return {
        "number": next(_numbers),
        "by": found["by"],
        "of": found["of"],
        "imports": imports,
        "read": read[0] if read else None,
        "left_out": with_controls_shown(read[1]) if read else "",
        "votes": votes,
        "ratings": [{**row, "shown": names[row["configuration"]]} for row in found["ratings"]],
        "pairs": [_named(pair, names) for pair in pairs],
        "next": _named(dict(zip("ab", following, strict=True)), names) if following else None,
        "notes": [with_controls_shown(note) for note in found["notes"]],
        "trouble": "",
    }


def shown_names(host: Host, owner: str, found: Record) -> dict[str, str]:
    """Return what each contender is called; the same name twice with what sets them apart."""
    names = {row["configuration"]: with_controls_shown(row["name"]) for row in found["ratings"]}
    shown = dict(names)
    counted = Counter(names.values())
    twice = [name for name, count in counted.items() if count > 1]
    votes = host.voting.votes(owner) if twice else []
    for name in twice[:MOST_TOLD_APART]:
        keys = [key for key, one in names.items() if one == name]
        words = apart(host.history, votes, keys, owner)
        for key, told in zip(keys, words, strict=True):
            unclear = not told or words.count(told) > 1
            more = " · ".join(filter(None, (told, key[:_SHORT_ID] if unclear else "")))
            shown[key] = f"{name} · {with_controls_shown(more)}"
    return shown


def _named(pair: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {**pair, "first": names.get(pair["a"], "?"), "second": names.get(pair["b"], "?")}
