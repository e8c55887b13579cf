"""With what the page's form begins: a link, what was used last, or two models that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.page_start import Start, as_form, first_models, start_of, usual_form
from comparator.hosting.requests import from_page

LANGUAGE_FOLDER = Path(__file__).parents[3] / "comparator" / "ui" / "texts"
NAMES = ("temperature", "max_tokens", "seed", "greedy", "n_ctx", "stop", "trust_remote_code")
MODELS = [
    ModelInfo("a", "Alpha", "/a.echo.json", ModelType.ECHO, 1),
    ModelInfo("b", "Beta", "/b.echo.json", ModelType.ECHO, 1),
    ModelInfo("c", "Comma, Inc", "/c", ModelType.CUSTOM, 1),
    ModelInfo("d", "Twin", "/1/d.echo.json", ModelType.ECHO, 1),
    ModelInfo("e", "Twin", "/2/e.echo.json", ModelType.ECHO, 1),
]


def _start(told: Any, most: int = 4) -> Start:
    return start_of(told, MODELS, most, ModelConfig(), NAMES)


def _keys(start: Start) -> list[str]:
    return [note["key"] for note in start.notes]


def test_who_comes_first_gets_two_models_that_differ_in_engine() -> None:
    assert list(_start({}).models) == ["a", "c"]
    assert first_models(MODELS[:2]) == ["a", "b"]
    assert first_models(MODELS[:1]) == ["a"]
    assert first_models([]) == []


def test_two_quantisations_of_one_engine_differ(tmp_path: Path) -> None:
    from gguf import GGUFWriter, LlamaFileType

    from comparator.services.model_manager import ModelManager

    for name, kind in (("one", 7), ("other", 7), ("small", 2)):
        writer = GGUFWriter(tmp_path / f"{name}.gguf", "llama")
        writer.add_file_type(LlamaFileType(kind))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
    manager = ModelManager(tmp_path)
    by_id = {model.id: model.name for model in manager.scan_models()}
    assert [by_id[name] for name in first_models(manager.available_models)] == ["one", "small"]


@pytest.mark.parametrize(
    "told", [None, 3, "x", [], {"kept": 3}, {"kept": {"slots": 5}}, {"kept": []}, {"link": 7}]
)
def test_what_a_browser_may_send_instead_is_as_nothing(told: Any) -> None:
    assert (list(_start(told).models), _start(told).notes) == (["a", "c"], ())


def _kept(*slots: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kept": {"slots": list(slots), **more}}


def test_what_was_used_last_is_there_again() -> None:
    kept = _kept(
        {"model": "b", "name": "Beta", "settings": {}},
        {"model": "b", "name": "Beta", "settings": {"temperature": 1.5}},
        form={"temperature": 0.2, "seed": "7", "greedy": True, "stop": "a\\nb"},
        system_prompt="be brief",
        together=True,
    )
    start = _start({**kept, "prompt": "half a que"})
    assert (list(start.models), list(start.own)) == (["b", "b"], [{}, {"temperature": 1.5}])
    assert start.form == {"temperature": 0.2, "seed": "7", "greedy": True, "stop": "a\\nb"}
    assert (start.prompt, start.system_prompt, start.together) == ("half a que", "be brief", True)
    assert start.notes == []


def test_a_model_that_is_gone_is_left_out_with_a_sentence() -> None:
    start = _start(_kept({"model": "gone", "name": "Old"}, {"model": "b", "settings": {"seed": 1}}))
    assert (list(start.models), list(start.own)) == (["b"], [{"seed": 1}])
    assert start.notes == [{"key": "slots.gone", "values": {"model": "Old"}}]
    assert list(_start(_kept({"model": "gone", "name": "Old"})).models) == ["a", "c"]


def test_remembered_nonsense_is_left_out_and_told_once() -> None:
    kept = _kept(
        {"model": "a", "settings": {"temperature": 99, "nonsense": 1, "seed": 3}},
        {"model": "b", "settings": {"temperature": 99}},
        form={"max_tokens": "lots", "temperature": "hot", "stop": 5, "greedy": "x", "n_ctx": ""},
    )
    start = _start(kept)
    assert list(start.own) == [{"seed": 3}, {}]
    assert start.form == {"n_ctx": ""}
    names = [note["values"]["name"] for note in start.notes]
    assert names == ["temperature", "nonsense", "temperature", "max_tokens", "greedy", "stop"]


@pytest.mark.parametrize("model", [["x"], {"a": 1}, 5, True])
def test_a_remembered_model_that_is_no_text_is_as_gone(model: Any) -> None:
    start = _start(_kept({"model": model}))
    assert (list(start.models), _keys(start)) == (["a", "c"], ["slots.gone"])


def test_nothing_that_no_page_can_carry_is_put_into_the_form() -> None:
    lone = "\ud800"
    slot = {"model": "a", "settings": {"stop": [lone], "system_prompt": lone, "lora": [lone]}}
    arguments = ({"a": lone}, {"a": 10**20}, {"a": json.loads("[" * 200 + "]" * 200)})
    slots = [slot, *({"model": "a", "settings": {"template_args": one}} for one in arguments)]
    told = _kept(*slots, form={"stop": lone}, system_prompt=lone)
    start = _start({**told, "prompt": lone})
    json.dumps([vars(start)], ensure_ascii=False).encode()
    assert (start.prompt, start.system_prompt, start.form["stop"]) == ("\ufffd",) * 3
    assert list(start.own[1:]) == [{}, {}, {}]
    assert set(_keys(start)) == {"slots.kept_no_setting"}


def test_a_models_own_code_is_never_remembered() -> None:
    slot = {"model": "a", "settings": {"trust_remote_code": True}}
    start = _start(_kept(slot, form={"trust_remote_code": True}))
    assert (list(start.own), start.form, start.notes) == ([{}], {}, [])


def test_a_page_with_fewer_slots_takes_the_first_ones() -> None:
    kept = _kept(*({"model": name} for name in "abc"))
    assert list(_start(kept, 2).models) == ["a", "b"]
    start = _start({"link": "?models=a,b,c"}, 2)
    assert (list(start.models), _keys(start)) == (["a", "b"], ["slots.too_many"])


def test_a_link_goes_before_what_was_used_last() -> None:
    link = "?models=Beta,a&models=Comma, Inc&models=Beta&prompt=hi&seed=3&2.top_k=5"
    start = _start({**_kept({"model": "a"}), "link": link, "prompt": "typed"})
    assert list(start.models) == ["b", "a", "c", "b"]
    assert list(start.own) == [{}, {"top_k": 5}, {}, {}]
    assert (start.prompt, start.system_prompt, start.together) == ("hi", "", False)
    assert (start.form["seed"], start.form["temperature"], start.form["max_tokens"]) == (
        "3",
        0.7,
        "512",
    )
    assert start.notes == [{"key": "slots.link_settings", "values": {"names": "seed"}}]


def test_a_link_tells_what_is_not_here_and_what_is_there_twice() -> None:
    start = _start({"link": "?models=Nobody&models=Twin&models=%00evil"})
    assert list(start.models) == ["d"]
    assert _keys(start) == ["slots.link_no_model", "slots.several", "slots.link_no_model"]
    assert start.notes[2]["values"] == {"model": "\\x00evil"}


def test_what_has_no_field_for_all_is_set_for_each_slot() -> None:
    start = _start({"link": "?models=a,b&lora=x.gguf&2.lora=y.gguf"})
    assert list(start.own) == [{"lora": ["x.gguf"]}, {"lora": ["y.gguf"]}]


def test_the_form_is_read_back_as_it_was_written() -> None:
    settings = {
        "temperature": 0.2,
        "max_tokens": None,
        "n_ctx": 300,
        "seed": 5,
        "do_sample": False,
        "stop": ["a\nb", "c\t"],
    }
    form = as_form(settings, NAMES)
    draft = from_page("hi", "", [], form, False)
    assert {name: draft.settings[name] for name in settings} == settings
    assert usual_form(ModelConfig(), NAMES)["greedy"] is False


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_sentence_that_it_may_say_has_its_text(language: str) -> None:
    texts = json.loads((LANGUAGE_FOLDER / language / "slots.json").read_text("utf-8"))
    source = Path(__file__).parents[3] / "comparator" / "hosting"
    code = "".join((source / name).read_text() for name in ("links.py", "page_start.py"))
    keys = {part.split('"')[0] for part in code.split('"slots.')[1:]}
    assert len(keys) >= 8
    assert keys <= texts.keys()
