"""What a model was given, as a run's record tells it: in both engines, on small models of ours."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_files
import pytest

from comparator.comparison.exports.texts import as_text
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import InferenceResult, ModelInfo
from comparator.services.inference_engine import InferenceEngine

# The case of the public reports (LiteRT-LM 3688, trl 5868).
PARTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}: {% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant\n"
)
DROPPING = "{% for m in messages %}[{{ m.role }}: {{ m.text }}]{% endfor %}"
DATED = (
    "{{ strftime_now('%d %b %Y') }}{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('no system role') }}{% endif %}[{{ m.content }}]{% endfor %}"
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_files.write_directory(tmp_path_factory.mktemp("weights") / "m")


@pytest.fixture
def ask(weights: Path, tmp_path: Path) -> Callable[..., list[InferenceResult]]:
    """Ask a GGUF file and a folder with a chat template of choice."""

    def models(template: str) -> list[ModelInfo]:
        folder = tmp_path / "m"
        if not folder.exists():
            model_files.own_copy(weights, tmp_path)
        model_files.write_tokenizer(folder, template=template)
        path = model_files.write_gguf(tmp_path / "m.gguf", weights, template=template)
        return [model_files.as_model(path) for path in (path, folder)]

    def run(template: str, prompt: Any, date: str | None = None, **settings: Any) -> Any:
        asked = models(template)
        config = ModelConfig(max_tokens=2, n_threads=1, do_sample=False, **settings)
        configs = {model.id: config for model in asked}
        *_, last = InferenceEngine().run_inference(prompt, asked, configs, date=date)
        return list(last.values())

    return run


def test_the_question_arrives_in_a_template_of_parts(ask: Any) -> None:
    for result in ask(PARTS, "What is 1+1?"):
        assert result.error is None
        assert "<|im_start|>user: What is 1+1?<|im_end|>" in result.prompt.rendered
        assert result.prompt.notes == []


def test_a_run_whose_question_a_template_drops_is_refused_by_name(ask: Any) -> None:
    for result in ask(DROPPING, "What is 1+1?"):
        assert "chat template leaves out message 1 (user)" in (result.error or "")
        assert result.error_kind == "refused"
        assert result.content == ""


def test_the_record_tells_the_date_and_the_merged_system_prompt(ask: Any) -> None:
    now = ask(DATED, "Why?", system_prompt="Be brief.")
    dates = {result.to_record()["prompt"]["date"] for result in now}
    today = datetime.date.today()
    assert dates <= {str(today), str(today - datetime.timedelta(days=1))}
    assert len(dates) == 1, "the same moment for every model"
    for result in ask(DATED, "Why?", "2001-02-03", system_prompt="Be brief."):
        record = result.to_record()
        assert record["prompt"]["rendered"] == "03 Feb 2001[Be brief.\n\nWhy?]"
        assert record["prompt"]["date"] == "2001-02-03"
        (note,) = record["prompt"]["notes"]
        assert "takes no system message" in note
        assert note in record["notice"]
        assert note in as_text([result])
        assert record["engine"]["fallbacks"] == []


def test_the_same_request_again_is_told_the_same_date(tmp_path: Path) -> None:
    path = tmp_path / "m.echo.json"
    path.write_text("{}")
    engine, model = InferenceEngine(), model_files.as_model(path)
    request = engine.request("Why?", [model], date="2001-02-03T04:05:06")
    assert engine.again(request, 0).date == request.date == "2001-02-03T04:05:06"
    with pytest.raises(ConfigurationError, match="date must be a date such as"):
        engine.request("Why?", [model], date="yesterday")
