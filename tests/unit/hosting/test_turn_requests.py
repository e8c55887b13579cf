"""A further turn of a kept comparison as a request, on a page and where paths are known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.turns import continued, next_turn
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.hosting.host import Host
from comparator.hosting.limits import PublicLimits
from comparator.hosting.options import ServerOptions
from comparator.hosting.turn_requests import by_place
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_comparison import KeptComparison


class IdleEngine(InferenceEngine):
    """Starts comparisons in name only."""

    def start(self, comparison: Comparison) -> Comparison:
        return comparison


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.echo.json").write_text("{}")
    return tmp_path


def host_of(folder: Path, **options: Any) -> Host:
    return Host(ServerOptions(models_dir=folder, **options), IdleEngine())


def record(model: ModelInfo, content: str, system: str = "", **settings: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": "One?"}]
    if system:
        asked.insert(0, {"role": "system", "content": system})
        settings["system_prompt"] = system
    return {
        "model": model.to_record(),
        "content": content,
        "state": "done",
        "stats": {"finish_reason": "length"},
        "config": {**asdict(ModelConfig()), **settings},
        "config_sources": dict.fromkeys(settings, "given"),
        "prompt": {"messages": asked},
    }


def kept(host: Host, *columns: tuple[str, str, str], **settings: Any) -> KeptComparison:
    models = {model.name: model for model in host.manager.scan_models()}
    records = [record(models[name], said, system, **settings) for name, said, system in columns]
    return KeptComparison(id="1234abcd", created=1.0, records=records)


def test_each_column_keeps_its_model_its_settings_and_its_system_prompt(folder: Path) -> None:
    host = host_of(folder)
    earlier = kept(host, ("beta", "B.", ""), ("alpha", "A.", "Be brief."), top_k=7)
    session = host.ask_on("one", next_turn(earlier, "Two?"), lambda: None)
    request = session.comparison.request
    assert [slot.model.name for slot in request.slots] == ["beta", "alpha"]
    assert [slot.config.system_prompt for slot in request.slots] == ["", "Be brief."]
    assert [slot.config.top_k for slot in request.slots] == [7, 7]
    for slot, answer in zip(request.slots, ("B.", "A."), strict=True):
        *_, said, question = request.asked(slot).records()
        assert (said["content"], question["content"]) == (answer, "Two?")
    assert request.slots[0].sources["top_k"] == "given"
    assert (request.parent, list(session.columns)) == ("1234abcd", [0, 1])
    host.stop("one")


def test_a_column_whose_model_is_gone_is_left_out_and_the_others_keep_their_places(
    folder: Path,
) -> None:
    host = host_of(folder)
    earlier = kept(host, ("alpha", "A.", ""), ("beta", "B.", ""))
    (folder / "alpha.echo.json").unlink()
    host.shelf()
    session = host.ask_on("one", next_turn(earlier, "Two?"), lambda: None)
    assert list(session.columns) == [1]
    assert "alpha is left out: its model is gone." in (session.comparison.request.notice or "")
    host.stop("one")
    (folder / "beta.echo.json").unlink()
    host.shelf()
    with pytest.raises(ConfigurationError, match="its model is gone"):
        host.ask_on("one", next_turn(earlier, "Two?"), lambda: None)


def test_a_public_page_holds_its_limits_for_histories_too(folder: Path) -> None:
    limits = PublicLimits(prompt_bytes=20)
    host = host_of(folder, public=True, limits=limits)
    with pytest.raises(ConfigurationError, match="this public page takes 20"):
        host.ask_on("one", next_turn(kept(host, ("beta", "x" * 20, "")), "Two?"), lambda: None)
    with pytest.raises(ConfigurationError, match="this public page takes 20"):
        host.ask_on("one", continued(kept(host, ("beta", "x" * 20, ""))), lambda: None)
    trusting = kept(host, ("beta", "B.", ""), trust_remote_code=True)
    with pytest.raises(ConfigurationError, match="trust_remote_code is refused"):
        host.ask_on("one", next_turn(trusting, "Two?"), lambda: None)


def test_a_path_goes_before_an_id_which_finds_what_was_moved(folder: Path) -> None:
    host = host_of(folder)
    (turn,) = next_turn(kept(host, ("beta", "B.", "")), "Two?").turns
    asked: list[str] = []

    def look_up(wanted: str) -> ModelInfo:
        asked.append(wanted)
        if wanted.endswith(".json"):
            raise ModelNotFoundError("moved")
        return host.manager.available_models[0]

    by_place(look_up)(turn)
    assert asked == [turn.model["path"], turn.model["id"]]
