"""Models that attack: nothing in their files runs, and nothing in them takes for ever.

The bombs make a file, in a process without a sandbox, so that only the loaders stand between.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import model_files
import pytest
from bad_models import ENDLESS, Bomb, Workshop, bomb_maker, template_maker

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import InferenceResult, ModelInfo
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft
from comparator.services.inference_engine import InferenceEngine
from runners.process import Deadlines
from runners.supervision.fork_server import fork_servers

FACTORY_TEMPLATE_SECONDS = 1.0


def built_in_without_a_sandbox(_model: ModelInfo) -> None:
    """A factory that leaves the model to the built-in engine; whoever brings one has no sandbox."""
    from runners.engines import template_limits

    template_limits.LONGEST_SECONDS = 1.0


@pytest.fixture
def exposed() -> Iterator[InferenceEngine]:
    """An engine whose model processes have no sandbox."""
    engine = InferenceEngine(deadlines=Deadlines(60, 60, 60, 90))
    engine.register_inferencer_factory(built_in_without_a_sandbox)
    return engine


def ask(engine: InferenceEngine, model: ModelInfo, **settings: object) -> InferenceResult:
    values = {"max_tokens": 2, "n_threads": 1, "do_sample": False, **settings}
    *_, last = engine.run_inference("ab", [model], {model.id: ModelConfig(**values)})
    return last[model.id]


def test_the_bomb_is_one(tmp_path: Path) -> None:
    """Whoever unpickles it has the file: without this, its absence would prove nothing."""
    bomb = pickle.dumps(Bomb(tmp_path / "marker"), protocol=2)
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", code], input=bomb, check=True, timeout=30)
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth"])
@pytest.mark.parametrize("archive", [True, False])
def test_a_bomb_in_the_weights_does_not_run(
    shop: Workshop, exposed: InferenceEngine, name: str, archive: bool
) -> None:
    folder = bomb_maker(name, archive=archive)(shop)
    result = ask(exposed, model_files.as_model(folder))
    assert result.error_kind == "load"
    assert not shop.marker.exists()


def test_bombs_beside_safetensors_do_not_run(shop: Workshop, exposed: InferenceEngine) -> None:
    """What training leaves behind, and tokenizer files of older formats."""
    import torch

    folder = shop.folder()
    for name in ("optimizer.pt", "training_args.bin", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": Bomb(shop.marker)}, folder / name)
    for name in ("tokenizer.bin", "tokenizer.pkl", "vocab.pkl", "vocab.bin", "pytorch_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Bomb(shop.marker), protocol=2))
    result = ask(exposed, model_files.as_model(folder))
    assert (result.error, result.stats.token_count) == (None, 2)
    assert result.engine["sandbox"].startswith("off")
    assert not shop.marker.exists()


def test_a_tokenizer_with_code_of_its_own_does_not_run_it(
    shop: Workshop, exposed: InferenceEngine
) -> None:
    folder = shop.folder()
    (folder / "evil.py").write_text(f"open({str(shop.marker)!r}, 'w').close()\n")
    model_files.change_json(
        folder / "tokenizer_config.json",
        tokenizer_class="EvilTokenizer",
        auto_map={"AutoTokenizer": ["evil.EvilTokenizer", "evil.EvilTokenizer"]},
    )
    result = ask(exposed, model_files.as_model(folder))
    assert result.error is None or result.error.endswith(".")
    assert not shop.marker.exists()


OWN_CODE = """
from transformers import LlamaConfig, LlamaForCausalLM

open({marker!r}, "w").close()


class OwnConfig(LlamaConfig):
    model_type = "own"


class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own_code(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model whose classes come with it, and a home into which they may be copied."""
    folder = shop.folder()
    (folder / "own.py").write_text(OWN_CODE.format(marker=str(shop.marker)))
    model_files.change_json(
        folder / "config.json",
        model_type="own",
        architectures=["OwnModel"],
        auto_map={"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    )
    monkeypatch.setenv("HOME", str(shop.place))
    fork_servers.close()
    yield folder
    fork_servers.close()


def test_own_code_runs_only_for_the_model_for_which_it_was_allowed(
    shop: Workshop, own_code: Path
) -> None:
    engine = InferenceEngine()
    model = model_files.as_model(own_code)
    refused = ask(engine, model)
    assert "own.py" in (refused.error or "")
    assert refused.stats.duration == 0, "refused before any process started"
    assert not shop.marker.exists()
    answered = ask(engine, model, trust_remote_code=True)
    assert (answered.error, answered.stats.token_count) == (None, 2)
    assert answered.engine["sandbox"] == "off (the model's own code is trusted)"
    assert shop.marker.exists()


@pytest.mark.parametrize(
    ("settings", "private"),
    [
        ({}, True),
        ({"server_name": "localhost"}, True),
        ({"server_name": "0.0.0.0"}, False),
        ({"share": True}, False),
        ({"root_path": "/compare"}, False),
    ],
)
def test_own_code_is_refused_on_a_public_page(
    tmp_path: Path, settings: dict[str, object], private: bool
) -> None:
    (tmp_path / "alpha.echo.json").write_text("{}")
    host = Host(ServerOptions(models_dir=tmp_path, **settings))
    for draft in (
        RequestDraft("hi", [SlotDraft("alpha")], settings={"trust_remote_code": True}),
        RequestDraft("hi", [SlotDraft("alpha", {"trust_remote_code": True})]),
    ):
        if private:
            assert host.begin("one", draft, lambda: None).join(60)
            continue
        with pytest.raises(
            ConfigurationError, match="trust_remote_code is refused on a page that others"
        ):
            host.begin("one", draft, lambda: None)
        assert host.current("one") is None
    host.close()


@pytest.mark.parametrize("kind", ["gguf", "pytorch"])
def test_an_endless_template_is_stopped(
    shop: Workshop, exposed: InferenceEngine, kind: str
) -> None:
    model = model_files.as_model(template_maker(ENDLESS, kind)(shop))
    result = ask(exposed, model)
    assert "chat template ran longer than 1 s and was stopped" in (result.error or "")
    assert result.error_kind == "inference"


@pytest.mark.slow
def test_an_endless_template_is_stopped_inside_the_sandbox(shop: Workshop, ask, sentence) -> None:
    begun = time.monotonic()
    result = ask(model_files.as_model(template_maker(ENDLESS, "gguf")(shop)))
    assert time.monotonic() - begun >= 10
    assert "chat template ran longer than 10 s and was stopped" in sentence(result)


def test_what_a_template_hides_for_answers_only_is_bounded_too(
    shop: Workshop, exposed: InferenceEngine
) -> None:
    """The search for the end of a turn renders a talk with an answer in it."""
    source = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        + ENDLESS
        + ("{% endif %}{{ m.content }}{% endfor %}")
    )
    result = ask(exposed, model_files.as_model(template_maker(source, "pytorch")(shop)))
    assert (result.error, result.stats.token_count) == (None, 2)


def test_a_plain_prompt_does_without_the_template(shop: Workshop, ask) -> None:
    for kind in ("gguf", "pytorch"):
        model = model_files.as_model(template_maker(ENDLESS, kind)(shop))
        assert ask(model, prompt_format="plain").error is None
        os.rename(model.path, model.path + ".done")


def test_links_out_of_the_folder_lead_nowhere_inside_the_sandbox(shop: Workshop, ask) -> None:
    """A model may link to a file of yours; what it is not is a model."""
    folder = shop.folder()
    secret = shop.file("secret.json", b"password")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(secret)
    result = ask(model_files.as_model(folder))
    assert result.error
    assert "password" not in result.error + result.log_tail
