"""From what a visitor sends to models and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.request import Files, Request
from comparator.core.exceptions import ModelNotFoundError, MultiLLMError
from comparator.core.models import ModelInfo
from comparator.hosting.requests import (
    RequestDraft,
    SlotDraft,
    adapters_offered_by,
    advice_of,
    from_endpoint,
    from_page,
    offered_by,
    refuse_foreign_code,
    request_of,
)
from comparator.services.inference_engine import InferenceEngine
from comparator.services.model_manager import ModelManager


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.echo.json").write_text("{}")
    (tmp_path / "empty.gguf").touch()
    manager = ModelManager(tmp_path)
    manager.scan_models()
    return manager


def _request(manager: ModelManager, draft: RequestDraft) -> Request:
    return request_of(draft, InferenceEngine(), offered_by(manager))


def _ask(manager: ModelManager, *arguments: Any) -> Request:
    return _request(manager, from_endpoint(*arguments))


def test_names_and_ids_and_the_same_model_twice(manager: ModelManager) -> None:
    beta = next(model for model in manager.available_models if model.name == "beta")
    config = {"seed": 1, "per_model": {"beta#2": {"seed": 2}, beta.id: {"top_k": 7}}}
    slots = _ask(manager, "hi", ["beta", "beta", beta.id], "", config).slots
    assert [slot.model.id for slot in slots] == [beta.id, f"{beta.id}#2", f"{beta.id}#3"]
    assert [slot.config.seed for slot in slots] == [1, 2, 1]
    assert slots[2].config.top_k == 7


MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


def test_an_endpoint_takes_the_messages_of_a_conversation(manager: ModelManager) -> None:
    request = _ask(manager, MESSAGES, ["alpha"], "", {})
    assert request.conversation.records() == MESSAGES
    assert request.slots[0].config.system_prompt == "be brief"
    (slot,) = _ask(manager, MESSAGES, ["alpha"], "be long", {}).slots
    assert slot.config.system_prompt == "be long"


def test_an_endpoint_takes_the_date_that_templates_are_told(manager: ModelManager) -> None:
    assert _ask(manager, "hi", ["alpha"], "", {"date": "2001-02-03"}).date == "2001-02-03T00:00:00"


def test_models_may_be_json_text(manager: ModelManager) -> None:
    slots = _ask(manager, "hi", '["alpha", "beta"]', None, None).slots
    assert [slot.model.name for slot in slots] == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((5, ["alpha"], "", {}), "prompt must be text or a list of messages"),
        (({"a": 1}, ["alpha"], "", {}), "prompt must be text or a list of messages"),
        ((["hi"], ["alpha"], "", {}), "list of messages with role and content; message 1"),
        ((" \n", ["alpha"], "", {}), "Type a prompt first"),
        (("hi", 5, "", {}), "models must be a list"),
        (("hi", [{"id": "alpha"}], "", {}), "models must be a list"),
        (("hi", [], "", {}), "Choose at least one model"),
        (("hi", ["alpha"] * 5, "", {}), "Choose up to 4 models"),
        (("hi", ["gamma"], "", {}), "No model 'gamma'. There are: alpha, beta"),
        (("hi", ["/etc/passwd"], "", {}), "No model '/etc/passwd'"),
        (("hi", ["empty"], "", {}), "empty cannot be loaded"),
        (("hi", ["alpha"], 5, {}), "system_prompt must be text"),
        (("hi", ["alpha"], "", [1]), "config must be an object"),
        (("hi", ["alpha"], "", {"temprature": 1}), "Did you mean temperature"),
        (("hi", ["alpha"], "", {"max_tokens": -1}), "max_tokens must be"),
        (("hi", ["alpha"], "", {"together": 1}), "together must be true or false"),
        (("hi", ["alpha"], "", {"date": "soon"}), "date must be a date such as"),
        (("hi", ["alpha"], "", {"date": 5}), "date must be a date such as"),
        (("hi", ["alpha"], "", {"per_model": {"beta": {}}}), "not among the models asked"),
        (("hi", ["alpha"], "", {"per_model": {"alpha": 3}}), "must be an object"),
    ],
)
def test_what_an_endpoint_refuses(manager: ModelManager, arguments: Any, words: str) -> None:
    with pytest.raises(MultiLLMError, match=words):
        _ask(manager, *arguments)


def test_a_path_is_no_model_even_where_it_is_one(manager: ModelManager) -> None:
    with pytest.raises(MultiLLMError, match="No model"):
        _ask(manager, "hi", [manager.available_models[0].path], "", {})


def test_the_page_form(manager: ModelManager) -> None:
    first = manager.available_models[0].id
    form = {
        "temperature": 0.5,
        "seed": " 12 ",
        "n_threads": "",
        "stop": "a\\n\n\nb",
        "greedy": True,
    }
    draft = from_page("hi", "be brief", [(first, "seed=3"), ("", "x"), (None, "")], form, True)
    request = _request(manager, draft)
    config = request.slots[0].config
    assert (len(request.slots), request.wants_together) == (1, True)
    assert (config.temperature, config.seed, config.n_threads) == (0.5, 3, None)
    assert (config.stop, config.do_sample, config.system_prompt) == (
        ["a\n", "b"],
        False,
        "be brief",
    )


def test_the_page_form_says_which_model_has_wrong_settings() -> None:
    with pytest.raises(MultiLLMError, match="Own settings of model 2: Unknown setting 'sed'"):
        from_page("hi", "", [("a", ""), ("b", "sed=3")], {}, False)


def test_a_seed_that_is_no_number() -> None:
    with pytest.raises(MultiLLMError, match=r"seed must be a whole number or empty, not '1\.5'"):
        from_page("hi", "", [("a", "")], {"seed": "1.5"}, False)


@pytest.mark.parametrize(
    "config",
    [
        {"trust_remote_code": True},
        {"trust_remote_code": "yes"},
        {"per_model": {"alpha": {"trust_remote_code": True}}},
    ],
)
def test_a_models_own_code_is_refused_in_public(config: Any) -> None:
    with pytest.raises(MultiLLMError, match="trust_remote_code is refused on a page that others"):
        refuse_foreign_code(from_endpoint("hi", ["alpha"], "", config))


def test_what_asks_for_no_code_is_taken_in_public() -> None:
    refuse_foreign_code(from_endpoint("hi", ["alpha"], "", {"trust_remote_code": False}))
    refuse_foreign_code(from_page("hi", "", [("a", "seed=3")], {}, False))
    with pytest.raises(MultiLLMError, match="refused"):
        refuse_foreign_code(from_page("hi", "", [("a", "trust_remote_code=true")], {}, False))


def test_only_who_looks_models_up_says_what_may_name_one(manager: ModelManager) -> None:
    path = manager.available_models[0].path
    draft = RequestDraft("hi", [SlotDraft(path)])
    (slot,) = request_of(draft, InferenceEngine(), manager.find_model).slots
    assert slot.model.path == path
    with pytest.raises(ModelNotFoundError, match="No model"):
        _request(manager, draft)


def test_too_many_models_are_refused_before_any_is_looked_up() -> None:
    looked_up: list[str] = []

    def look_up(wanted: str) -> ModelInfo:
        looked_up.append(wanted)
        raise ModelNotFoundError(wanted)

    with pytest.raises(MultiLLMError, match="Choose up to 4 models; 5 were given"):
        request_of(RequestDraft("hi", [SlotDraft("a")] * 5), InferenceEngine(), look_up)
    assert looked_up == []


def test_every_door_asks_an_engine_for_the_same(manager: ModelManager) -> None:
    """The page's form, an endpoint's arguments and a command's options, of the same meaning."""
    from comparator.cli.commands.shared_options import SettingOptions

    page = from_page(
        "hi", "be brief", [("alpha", "seed=3"), ("beta", "")],
        {"max_tokens": 9, "seed": "", "n_threads": "2", "stop": "a\\nb", "greedy": True}, False,
    )  # fmt: skip
    common = {"max_tokens": 9, "n_threads": 2, "stop": ["a\nb"], "do_sample": False}
    options = SettingOptions(
        "9", threads=2, greedy=True, assignments=['stop=["a\\nb"]', "1.seed=3"]
    )
    endpoint = from_endpoint(
        "hi", ["alpha", "beta"], "be brief", {**common, "per_model": {"alpha": {"seed": 3}}}
    )
    command = RequestDraft("hi", options.slots_of(["alpha", "beta"]), "be brief", options.for_all())
    asked = [_request(manager, draft).slots for draft in (page, endpoint, command)]
    assert [[(slot.model, slot.config) for slot in slots] for slots in asked[1:]] == [
        [(slot.model, slot.config) for slot in asked[0]]
    ] * 2


def test_how_the_files_are_to_be_is_asked_of_the_engine(manager: ModelManager) -> None:
    draft = RequestDraft("hi", [SlotDraft("alpha")], files=Files.COLD)
    assert _request(manager, draft).files is Files.COLD
    assert _request(manager, RequestDraft("hi", [SlotDraft("alpha")])).files is Files.AS_THEY_ARE


@pytest.mark.parametrize(
    ("cold", "warm", "files"),
    [(False, False, Files.AS_THEY_ARE), (True, False, Files.COLD), (False, True, Files.WARM)],
)
def test_the_commands_options_say_how_files_are_to_be(cold: bool, warm: bool, files: Files) -> None:
    from comparator.cli.commands.run import files_of

    assert files_of(cold, warm) is files
    with pytest.raises(MultiLLMError, match="--cold and --warm exclude each other"):
        files_of(True, True)


# ---- limits that may be left out ----


@pytest.mark.parametrize(
    ("tokens", "context", "expected"),
    [
        ("", "", (None, None)),
        (" none ", "fit", (None, None)),
        ("NONE", "none", (None, None)),
        ("12", "+300", (12, 300)),
        (12, 300, (12, 300)),
        (None, None, (None, None)),
    ],
)
def test_an_empty_field_is_no_limit(tokens: Any, context: Any, expected: Any) -> None:
    form = {"max_tokens": tokens, "n_ctx": context}
    draft = from_page("hi", "", [("a", "")], form, False)
    assert (draft.settings["max_tokens"], draft.settings["n_ctx"]) == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_tokens", "1.5", "a whole number, or none to write until the model ends, not '1.5'"),
        ("max_tokens", "fit", "max_tokens must be a whole number"),
        ("n_ctx", "lots", "a whole number, or fit for as much as fits, not 'lots'"),
        ("n_ctx", "9" * 30, "n_ctx must be a whole number"),
    ],
)
def test_what_is_no_limit_and_no_word_for_none_is_refused(
    name: str, value: str, words: str
) -> None:
    with pytest.raises(MultiLLMError, match=words):
        from_page("hi", "", [("a", "")], {name: value}, False)


# ---- the maker's sampling ----


@pytest.fixture
def advised(tmp_path: Path) -> ModelManager:
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "wise.gguf", "llama")
    writer.add_float32("general.sampling.temp", 0.6)
    writer.add_int32("general.sampling.top_k", 20)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    manager = ModelManager(tmp_path)
    manager.scan_models()
    return manager


def _sampled(manager: ModelManager, draft: RequestDraft) -> list[tuple[float, int]]:
    slots = _request(manager, draft).slots
    return [(slot.config.temperature, slot.config.top_k) for slot in slots]


def test_the_makers_values_for_all_or_for_one(advised: ModelManager) -> None:
    """A value for all goes before the maker's for all, and behind the maker's for one slot."""
    two = [SlotDraft("wise"), SlotDraft("wise", {"sampling": "maker"})]
    assert _sampled(advised, RequestDraft("hi", two)) == [(0.7, 40), (0.6, 20)]
    common = {"temperature": 0.7, "top_k": 5}
    assert _sampled(advised, RequestDraft("hi", two, settings=common)) == [(0.7, 5), (0.6, 20)]
    common["sampling"] = "maker"
    own = [SlotDraft("wise"), SlotDraft("wise", {"temperature": 0.9})]
    assert _sampled(advised, RequestDraft("hi", own, settings=common)) == [(0.7, 5), (0.9, 5)]


def test_a_form_that_was_not_touched_gives_nothing(advised: ModelManager) -> None:
    form = {"temperature": 0.7, "top_k": 40, "sampling": "maker", "greedy": False, "seed": ""}
    draft = from_page("hi", "", [("wise", ""), ("wise", "top_k=3")], form, False)
    request = _request(advised, draft)
    assert [slot.config.temperature for slot in request.slots] == [0.6, 0.6]
    assert [slot.config.top_k for slot in request.slots] == [20, 3]
    assert [slot.sources["top_k"] for slot in request.slots] == ["maker", "given"]
    assert [slot.sources["seed"] for slot in request.slots] == ["drawn", "drawn"]
    assert request.slots[0].sources["max_tokens"] == "default"


def test_the_hint_beside_a_slot(advised: ModelManager) -> None:
    slots = [SlotDraft("wise"), SlotDraft("wise", {"sampling": "maker"}), SlotDraft("gone")]
    draft = RequestDraft("hi", slots, settings={"temperature": 0.6})
    said = [advice_of(draft, slot, offered_by(advised)) for slot in slots]
    assert said == ["wise: Its maker advises top_k 20.", "", ""]


# ---- adapters ----


@pytest.fixture
def with_adapter(tmp_path: Path) -> ModelManager:
    import lora_files
    import model_files

    base = model_files.write_directory(tmp_path / "base")
    lora_files.write_peft(tmp_path / "polite", base)
    manager = ModelManager(tmp_path)
    manager.scan_models()
    return manager


def test_visitors_name_adapters_of_the_library_and_never_paths(
    with_adapter: ModelManager, tmp_path: Path
) -> None:
    (adapter,) = with_adapter.get_adapters()
    offered = adapters_offered_by(with_adapter)

    def asked(text: str) -> Request:
        draft = from_endpoint("hi", ["base"], "", {"lora": [text]})
        return request_of(draft, InferenceEngine(), offered_by(with_adapter), offered)

    for text, path in (
        ("polite", f"{tmp_path}/polite"),
        (f"{adapter.id}:0.5", f"{tmp_path}/polite:0.5"),
    ):
        (slot,) = asked(text).slots
        assert slot.adapters == (path,)
        assert slot.config.lora == [text], "a record tells no place"
    for path in (adapter.path, f"{adapter.path}:1", "/etc/passwd", "../polite"):
        with pytest.raises(ModelNotFoundError, match=r"No adapter .* There are: polite"):
            asked(path)
