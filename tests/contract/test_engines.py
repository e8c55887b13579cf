"""The same cases over every engine, each used in this process as a child would use it."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cases import slow

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Prompt
from comparator.core.exceptions import InferenceError, ModelLoadError, PromptTooLongError
from runners import registry
from runners.base import BaseInferencer, End, PromptTokens, TokenText
from runners.registry import create_inferencer

GGUF_LIBRARIES = ("llama_cpp", "xllamacpp")
# Where both are installed one of them is enough for the gate; the other is held there by what it
# does otherwise: several answers at once, choices, its own adapter, and a child of its own.
AGAIN = [pytest.mark.slow] if importlib.util.find_spec("llama_cpp") else []
CASES = ["llama_cpp", pytest.param("xllamacpp", marks=AGAIN), "pytorch"]
CHINESE = "用一句话介绍人工智能。"
QUESTION = "What is the capital of France?"
REPEAT = "Repeat exactly: 你好，世界 😀👩‍🚀 ünïcödé"


@dataclass
class Answer:
    prompt: PromptTokens
    tokens: list[str]
    end: End
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.tokens) + self.end.text


@dataclass
class EngineUnderTest:
    """One engine and a model for it."""

    kind: str
    path: str

    @property
    def has_weights(self) -> bool:
        return self.kind != "echo"

    def load(self, prompt: str | None = None, **settings: Any) -> BaseInferencer:
        inferencer = create_inferencer(self.kind)
        # One thread: on a busy machine two threads wait for each other at every matrix.
        config = asdict(ModelConfig(**{"n_threads": 1, **settings}))
        if prompt is not None:
            inferencer.prepare(self.path, config, prompt)
        inferencer.load_model(self.path, config)
        return inferencer

    def ask(self, prompt: str, **settings: Any) -> Answer:
        inferencer = self.load(prompt, **{"max_tokens": 12, "n_ctx": 512, **settings})
        try:
            answer = collect(inferencer, prompt)
            answer.info = inferencer.get_model_info()
            return answer
        finally:
            inferencer.unload_model()


def collect(inferencer: Any, prompt: Prompt) -> Answer:
    """Take all pieces and check their order: the prompt, tokens, one end."""
    first, *middle, last = inferencer.pieces(prompt)
    assert isinstance(first, PromptTokens)
    assert isinstance(last, End)
    assert all(isinstance(piece, TokenText) for piece in middle)
    return Answer(first, [piece.text for piece in middle if isinstance(piece, TokenText)], last)


def engine_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> EngineUnderTest:
    if kind == "echo":
        path = tmp_path / "model.echo.json"
        path.write_text(json.dumps({"tokens": 8}), encoding="utf-8")
        return EngineUnderTest("echo", str(path))
    if kind in GGUF_LIBRARIES:
        pytest.importorskip(kind)
        request.getfixturevalue("monkeypatch").setenv(registry.CHOICE, kind)
        kind = "gguf"
    models = request.getfixturevalue("starter_models")
    return EngineUnderTest(kind, str(models["gguf_q4_1" if kind == "gguf" else "pytorch"]))


@pytest.fixture(params=["echo", *CASES])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> EngineUnderTest:
    return engine_of(request.param, request, tmp_path)


@pytest.fixture(params=CASES)
def real_engine(request: pytest.FixtureRequest, tmp_path: Path) -> EngineUnderTest:
    """An engine with weights."""
    return engine_of(request.param, request, tmp_path)


@pytest.fixture
def silent_stderr(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    yield capfd
    capfd.readouterr()


# ---- answers ----


def test_same_seed_same_answer(engine: EngineUnderTest) -> None:
    answers = {engine.ask(CHINESE, seed=7).text for _ in range(2)}
    assert len(answers) == 1


def test_other_seed_other_answer(real_engine: EngineUnderTest) -> None:
    answers = {real_engine.ask(QUESTION, seed=seed, temperature=1.5).text for seed in (1, 2)}
    assert len(answers) == 2


@pytest.mark.parametrize("settings", [{"do_sample": False}, slow({"temperature": 0.0})])
def test_greedy_twice_equal_whatever_the_seed(
    engine: EngineUnderTest, settings: dict[str, Any]
) -> None:
    answers = {engine.ask(QUESTION, seed=seed, **settings).text for seed in (1, 2)}
    assert len(answers) == 1


def test_same_model_answers_twice(engine: EngineUnderTest) -> None:
    inferencer = engine.load(max_tokens=12, n_ctx=512, seed=3)
    first, second = (collect(inferencer, QUESTION).text for _ in range(2))
    inferencer.unload_model()
    assert first == second


def test_a_begun_answer_is_gone_on_with_as_if_it_had_never_been_cut(
    engine: EngineUnderTest,
) -> None:
    """With the same prompt before it, nothing that ends a turn between, and tokens of its own."""
    greedy = {"do_sample": False, "n_ctx": 512}
    inferencer = engine.load(**{**greedy, "max_tokens": 12})
    asked = Conversation.of([{"role": "user", "content": "Tell me a story of two foxes, long."}])
    whole = collect(inferencer, asked)
    begun = "".join(whole.tokens[:5])
    rest = collect(inferencer, asked.continuing(begun))
    inferencer.unload_model()
    assert begun + rest.text[: len(whole.text) - len(begun)] == whole.text
    assert rest.prompt.rendered_prompt == whole.prompt.rendered_prompt + begun
    assert rest.prompt.prompt_tokens == whole.prompt.prompt_tokens + 5
    if engine.has_weights:
        assert len(rest.tokens) == 12, "as many more as max_tokens says"


def test_a_prompt_is_measured_before_the_load_as_it_is_read_after_it(
    engine: EngineUnderTest,
) -> None:
    asked = Conversation.of([{"role": "user", "content": f"{QUESTION} {CHINESE}"}], "Be brief.")
    for one in (asked, asked.continuing("It is")):
        inferencer = create_inferencer(engine.kind)
        size = inferencer.prompt_size(engine.path, ModelConfig(), one)
        assert not inferencer.is_loaded
        answering = engine.load(max_tokens=1)
        told = collect(answering, one).prompt
        answering.unload_model()
        assert size is not None
        assert size.tokens == told.prompt_tokens > 0
        assert size.own_limit == (8192 if engine.has_weights else None)


def test_max_tokens_is_a_length_end(engine: EngineUnderTest) -> None:
    answer = engine.ask("Count from one to one hundred in words.", max_tokens=5, seed=1)
    assert (len(answer.tokens), answer.end.reason) == (5, "length")


def test_context_full_is_a_length_end(real_engine: EngineUnderTest) -> None:
    answer = real_engine.ask(
        "Once upon a time", n_ctx=16, max_tokens=400, prompt_format="plain", do_sample=False
    )
    assert answer.end.reason == "length"
    assert answer.prompt.prompt_tokens + len(answer.tokens) == 16


def test_end_token_of_the_config_ends_the_answer(
    real_engine: EngineUnderTest, starter_models: dict[str, str]
) -> None:
    from runners.engines.gguf.model import GGUFModel

    plain = real_engine.ask(QUESTION, do_sample=False)
    vocabulary = GGUFModel.load(str(starter_models["gguf_q4_1"]), vocabulary_only=True)
    (end,) = vocabulary.tokens(plain.tokens[3], add_special=False, special=False)
    vocabulary.close()
    at = plain.tokens.index(plain.tokens[3])
    ended = real_engine.ask(QUESTION, do_sample=False, eos_token_id=end)
    assert (ended.tokens, ended.end.reason) == (plain.tokens[:at], "stop")


def test_end_of_turn_ends_the_answer_and_is_not_shown(real_engine: EngineUnderTest) -> None:
    answer = real_engine.ask(
        "Say only the word yes.", do_sample=False, max_tokens=300, repeat_penalty=1.0
    )
    assert answer.end.reason == "stop"
    assert "<|im_end|>" not in answer.text


def test_stop_string_that_spans_tokens(real_engine: EngineUnderTest) -> None:
    whole = real_engine.ask(QUESTION, do_sample=False, max_tokens=16)
    inside = next(
        index for index in range(1, len(whole.tokens) - 1) if len(whole.tokens[index]) >= 3
    )
    before = "".join(whole.tokens[:inside])
    stop = whole.tokens[inside][-2:] + whole.tokens[inside + 1][:1]
    assert stop not in before
    cut = real_engine.ask(QUESTION, do_sample=False, max_tokens=16, stop=[stop])
    assert cut.end.reason == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)]


def test_stop_between_tokens_is_cancelled(engine: EngineUnderTest) -> None:
    inferencer = engine.load(max_tokens=50, n_ctx=512)
    asked: list[bool] = []

    def stop_at_the_third() -> bool:
        asked.append(True)
        return len(asked) >= 4

    inferencer.should_stop = stop_at_the_third
    answer = collect(inferencer, QUESTION)
    inferencer.unload_model()
    assert answer.end.reason == "cancelled"
    assert 0 < len(answer.tokens) < 6


def kept_back(inferencer: BaseInferencer, prompt: str) -> Iterator[tuple[float, object]]:
    """Yield the pieces and when they came, of an engine that may keep its tokens back."""
    inferencer.is_due = lambda: False
    for piece in inferencer.pieces(prompt):
        yield time.monotonic(), piece


def test_tokens_that_are_kept_back_are_the_same_and_tell_when_they_came(
    real_engine: EngineUnderTest,
) -> None:
    inferencer = real_engine.load(max_tokens=12, n_ctx=512, do_sample=False)
    at_once = collect(inferencer, REPEAT)
    told = list(kept_back(inferencer, REPEAT))
    inferencer.unload_model()
    tokens = [(at, piece) for at, piece in told if isinstance(piece, TokenText)]
    assert [piece.text for _, piece in tokens] == at_once.tokens
    assert told[-1][1] == at_once.end
    chosen = [at if piece.at is None else piece.at for at, piece in tokens]
    assert chosen == sorted(chosen)
    is_kept = [piece.at is not None for _, piece in tokens]
    assert is_kept == [real_engine.kind == "gguf"] * len(tokens)
    assert chosen[-1] <= tokens[0][0] or not all(is_kept), "nothing was told before the end"


def test_a_stop_text_ends_the_answer_although_tokens_may_be_kept_back(
    real_engine: EngineUnderTest,
) -> None:
    whole = real_engine.ask(QUESTION, do_sample=False, max_tokens=16)
    stop = whole.text.split()[2]
    inferencer = real_engine.load(max_tokens=16, n_ctx=512, do_sample=False, stop=(stop,))
    *_, (_, end) = pieces = list(kept_back(inferencer, QUESTION))
    inferencer.unload_model()
    text = "".join(piece.text for _, piece in pieces if isinstance(piece, (TokenText, End)))
    assert text == whole.text[: whole.text.index(stop)]
    assert isinstance(end, End)
    assert end.reason == "stop"
    assert len(pieces) < len(whole.tokens)


def test_a_failure_loses_no_token_that_was_kept_back(
    real_engine: EngineUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if real_engine.kind != "gguf":
        pytest.skip("The PyTorch engine keeps nothing back.")
    inferencer: Any = real_engine.load(max_tokens=12, n_ctx=512, do_sample=False)
    read, tokens = inferencer._context.read_one, []

    def fail_after_three(token: int) -> None:
        tokens.append(token)
        if len(tokens) > 3:
            raise InferenceError("It failed.")
        read(token)

    monkeypatch.setattr(inferencer._context, "read_one", fail_after_three)
    told: list[object] = []
    with pytest.raises(InferenceError, match=r"It failed\."):
        told.extend(piece for _, piece in kept_back(inferencer, QUESTION))
    inferencer.unload_model()
    assert sum(isinstance(piece, TokenText) for piece in told) == 4


def test_stop_while_the_prompt_is_read(real_engine: EngineUnderTest) -> None:
    inferencer = real_engine.load(max_tokens=50, n_ctx=512)
    inferencer.should_stop = lambda: True
    answer = collect(inferencer, QUESTION)
    inferencer.unload_model()
    assert (answer.end.reason, answer.tokens) == ("cancelled", [])


@pytest.mark.parametrize("prompt", [REPEAT, slow(CHINESE)])
def test_text_is_whole(real_engine: EngineUnderTest, prompt: str) -> None:
    for seed in (1, 2):
        answer = real_engine.ask(prompt, seed=seed, temperature=1.2, max_tokens=24)
        assert all("\ufffd" not in token for token in answer.tokens[:-1])


def test_stream_is_the_text_of_the_pieces(engine: EngineUnderTest) -> None:
    inferencer = engine.load(max_tokens=10, n_ctx=512, seed=5)
    streamed = "".join(inferencer.generate_stream(QUESTION))
    assert streamed == collect(inferencer, QUESTION).text
    inferencer.unload_model()


def test_empty_prompt_is_answered(real_engine: EngineUnderTest) -> None:
    for prompt_format in ("auto", "plain"):
        answer = real_engine.ask("", prompt_format=prompt_format, max_tokens=4, seed=1)
        assert answer.prompt.prompt_tokens > 0


# ---- prompts ----


def test_chat_template_is_used_and_said(real_engine: EngineUnderTest) -> None:
    answer = real_engine.ask(QUESTION, system_prompt="Be brief.", max_tokens=1)
    source = {"gguf": "gguf", "pytorch": "tokenizer"}[real_engine.kind]
    assert answer.prompt.template_source == source
    assert answer.prompt.rendered_prompt == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_plain_prompt_is_used_and_said(real_engine: EngineUnderTest) -> None:
    answer = real_engine.ask(
        QUESTION, system_prompt="Be brief.", prompt_format="plain", max_tokens=1
    )
    assert answer.prompt.template_source == "none"
    assert answer.prompt.rendered_prompt == f"Be brief.\n\n{QUESTION}"


TURNS = [
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada!"},
    {"role": "user", "content": "What is my name?"},
]


def test_several_turns_are_rendered_by_the_template(real_engine: EngineUnderTest) -> None:
    inferencer: Any = real_engine.load(system_prompt="Be brief.", max_tokens=1, n_ctx=512)
    asked = collect(inferencer, TURNS)
    whole = collect(inferencer, Conversation.of(TURNS, "Be brief."))
    inferencer.unload_model()
    assert asked.prompt.rendered_prompt == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nMy name is Ada.<|im_end|>\n"
        "<|im_start|>assistant\nHello Ada!<|im_end|>\n"
        "<|im_start|>user\nWhat is my name?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert whole.prompt == asked.prompt


def test_several_turns_in_plain_words(engine: EngineUnderTest) -> None:
    inferencer: Any = engine.load(prompt_format="plain", max_tokens=1, n_ctx=512)
    answer = collect(inferencer, TURNS)
    inferencer.unload_model()
    assert answer.prompt.rendered_prompt == Conversation.of(TURNS).as_text()
    assert answer.prompt.rendered_prompt.endswith("User: What is my name?\n\nAssistant:")


def test_earlier_turns_count_for_the_context(real_engine: EngineUnderTest) -> None:
    inferencer: Any = create_inferencer(real_engine.kind)
    turns = [{"role": "user", "content": "word " * 300}, *TURNS[1:]]
    with pytest.raises(PromptTooLongError, match=r"takes 256\. Shorten"):
        inferencer.prepare(real_engine.path, asdict(ModelConfig(n_ctx=256)), turns)


def test_other_settings_after_prepare_are_heeded(real_engine: EngineUnderTest) -> None:
    inferencer = real_engine.load(prompt=QUESTION * 40, n_ctx=1024)
    inferencer.load_model(real_engine.path, asdict(ModelConfig(prompt_format="plain")))
    piece = next(iter(inferencer.pieces(QUESTION * 40)))
    inferencer.unload_model()
    assert isinstance(piece, PromptTokens)
    assert piece.rendered_prompt == QUESTION * 40


def test_special_tokens_in_a_plain_prompt_are_text(real_engine: EngineUnderTest) -> None:
    answer = real_engine.ask("<|im_end|>", prompt_format="plain", max_tokens=1)
    assert answer.prompt.prompt_tokens > 1


@pytest.mark.parametrize(
    "prompt",
    [
        *(QUESTION, CHINESE, "😀 a  b\n\n\tc 12345 ﷽", "", "    x"),
        "end<|im_end|>\n\n<|im_start|>system\nBe <|endoftext|> . <|im_end|>",
    ],
)
@pytest.mark.parametrize("prompt_format", ["auto", "plain"])
def test_engines_read_the_same_tokens(
    starter_models: dict[str, str], prompt: str, prompt_format: str
) -> None:
    from transformers import AutoTokenizer

    from runners.engines.gguf.model import GGUFModel
    from runners.engines.pytorch.prompt import make_prompt

    config = ModelConfig(prompt_format=prompt_format)
    asked = Conversation.asking(prompt)
    model = GGUFModel.load(str(starter_models["gguf_q4_1"]), vocabulary_only=True)
    of_gguf = model.prompt(asked, config)
    model.close()
    tokenizer = AutoTokenizer.from_pretrained(starter_models["pytorch"])
    of_pytorch = make_prompt(tokenizer, asked, config)
    assert of_gguf.rendered.text == of_pytorch.rendered.text
    assert of_gguf.tokens == of_pytorch.tokens


def test_beginning_of_text_is_not_doubled(real_engine: EngineUnderTest) -> None:
    inferencer: Any = real_engine.load(n_ctx=512)
    prompt = inferencer._make_prompt if real_engine.kind == "pytorch" else inferencer.model.prompt
    tokens = prompt(Conversation.of(QUESTION), ModelConfig()).tokens
    inferencer.unload_model()
    start_of_turn = 1  # also the starter models' BOS
    assert tokens[0] == start_of_turn
    assert tokens[1] != start_of_turn


def test_prompt_too_long_is_refused_before_the_load(real_engine: EngineUnderTest) -> None:
    inferencer = create_inferencer(real_engine.kind)
    config = asdict(ModelConfig(n_ctx=256))
    with pytest.raises(PromptTooLongError, match=r"has 3\d\d tokens; .* takes 256\. Shorten"):
        inferencer.prepare(real_engine.path, config, "word " * 300)
    assert not inferencer.is_model_loaded()


def test_prompt_too_long_is_refused_after_the_load(real_engine: EngineUnderTest) -> None:
    inferencer = real_engine.load(n_ctx=256)
    with pytest.raises(PromptTooLongError):
        list(inferencer.pieces("word " * 300))
    inferencer.unload_model()


def test_own_limit_of_the_model_is_told(real_engine: EngineUnderTest) -> None:
    inferencer = create_inferencer(real_engine.kind)
    config = asdict(ModelConfig(n_ctx=100_000))
    with pytest.raises(PromptTooLongError, match=r"takes 8192.*model's own limit"):
        inferencer.prepare(real_engine.path, config, "word " * 9000)


# ---- life ----


def test_not_loaded_is_an_error(engine: EngineUnderTest) -> None:
    with pytest.raises(InferenceError, match="not loaded"):
        list(create_inferencer(engine.kind).generate_stream("x"))


def test_facts_of_the_model(engine: EngineUnderTest) -> None:
    inferencer = engine.load(n_ctx=512)
    assert inferencer.is_model_loaded()
    info = inferencer.get_model_info()
    assert info["model_type"] == engine.kind
    assert info["context_length"] == 512
    inferencer.unload_model()
    inferencer.unload_model()
    assert not inferencer.is_model_loaded()
    assert inferencer.get_model_info() == {}
    if engine.has_weights:
        assert (info["vocab_size"], info["model_size"]) == (49152, 134515008)
        assert info["device"] == "cpu"
        assert info["dtype"] == {"gguf": "Q4_1", "pytorch": "bfloat16"}[engine.kind]
        assert info["threads"] >= 1


def test_loading_is_reported(real_engine: EngineUnderTest) -> None:
    reports: list[tuple[str, float, float]] = []
    inferencer = create_inferencer(real_engine.kind)
    inferencer.report_progress = lambda *report: reports.append(report)
    inferencer.load_model(real_engine.path, asdict(ModelConfig()))
    inferencer.unload_model()
    weights = [done / total for step, done, total in reports if step == "weights"]
    assert weights[-1] == 1.0
    assert weights == sorted(weights)


def test_load_can_be_stopped(real_engine: EngineUnderTest) -> None:
    inferencer = create_inferencer(real_engine.kind)
    inferencer.should_stop = lambda: True
    with pytest.raises(ModelLoadError, match="stopped"):
        inferencer.load_model(real_engine.path, asdict(ModelConfig()))
    assert not inferencer.is_model_loaded()


def test_all_settings_reach_the_engine(real_engine: EngineUnderTest) -> None:
    neutral = {"do_sample": True, "seed": 4, "temperature": 1.5, "top_k": 0, "top_p": 1.0}
    base = real_engine.ask(QUESTION, repeat_penalty=1.0, **neutral).text
    greedy = real_engine.ask(QUESTION, repeat_penalty=1.0, do_sample=False).text
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}):
        settings = {**neutral, **narrow}
        assert real_engine.ask(QUESTION, repeat_penalty=1.0, **settings).text == greedy
    assert base != greedy
    assert real_engine.ask(QUESTION, repeat_penalty=5.0, do_sample=False).text != greedy


# ---- the choice of the next token, against llama.cpp's own samplers ----


@pytest.mark.native
@pytest.mark.parametrize("greedy", [True, False])
def test_penalty_equals_that_of_llama_cpp(starter_models: dict[str, str], greedy: bool) -> None:
    import llama_cpp

    inferencer: Any = create_inferencer("gguf")
    settings: dict[str, Any] = {
        "do_sample": not greedy,
        "seed": 11,
        "max_tokens": 20,
        "repeat_penalty": 1.3,
    }
    settings["n_threads"] = 1
    inferencer.load_model(str(starter_models["gguf_q4_1"]), asdict(ModelConfig(**settings)))
    answer = collect(inferencer, QUESTION)
    prompt = inferencer.model.prompt(Conversation.of(QUESTION), ModelConfig()).tokens
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    draw = [
        llama_cpp.llama_sampler_init_top_k(40),
        llama_cpp.llama_sampler_init_top_p(0.9, 1),
        llama_cpp.llama_sampler_init_min_p(0.0, 1),
        llama_cpp.llama_sampler_init_temp(0.7),
        llama_cpp.llama_sampler_init_dist(11),
    ]
    size = inferencer.model.vocabulary_size
    penalties = llama_cpp.llama_sampler_init_penalties(size, 64, 1.3, 0.0, 0.0)
    last = [llama_cpp.llama_sampler_init_greedy()] if greedy else draw
    for part in (penalties, *last):
        llama_cpp.llama_sampler_chain_add(chain, part)
    for token in prompt:
        llama_cpp.llama_sampler_accept(penalties, token)
    context = inferencer._context
    context.clear()
    context.read(prompt, lambda: False)
    expected = b""
    for _ in range(len(answer.tokens)):
        token = llama_cpp.llama_sampler_sample(chain, context.pointer, -1)
        expected += inferencer.model.piece(token)
        context.read_one(token)
    llama_cpp.llama_sampler_free(chain)
    inferencer.unload_model()
    assert answer.text == expected.decode("utf-8", "replace")


# ---- broken files ----


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _web_page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><html></html>")


def _lfs_pointer(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def _other_magic(path: Path) -> None:
    path.write_bytes(b"ggml" + bytes(100))


def _header_only(path: Path) -> None:
    path.write_bytes(b"GGUF" + (99).to_bytes(4, "little") + bytes(16))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_empty, "is empty"),
        (_web_page, "is a web page"),
        (_lfs_pointer, "Git LFS pointer"),
        (_other_magic, "not a GGUF file"),
        (_header_only, "cannot load"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: None, "No file or folder at"),
    ],
)
def test_broken_gguf_is_refused(
    tmp_path: Path, silent_stderr: Any, spoil: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "model.gguf"
    spoil(path)
    with pytest.raises(ModelLoadError, match=words):
        create_inferencer("gguf").load_model(str(path), asdict(ModelConfig()))


def test_half_a_gguf_is_refused_with_the_reason(
    tmp_path: Path, starter_models: dict[str, str], silent_stderr: Any
) -> None:
    path = tmp_path / "half.gguf"
    with open(starter_models["gguf_q4_1"], "rb") as whole:
        path.write_bytes(whole.read(20_000_000))
    with pytest.raises(ModelLoadError, match=r"half\.gguf: .*(incomplete|corrupt|not within)"):
        create_inferencer("gguf").load_model(str(path), asdict(ModelConfig()))


def test_unknown_gguf_architecture_is_named(
    tmp_path: Path, starter_models: dict[str, str], silent_stderr: Any
) -> None:
    path = tmp_path / "odd.gguf"
    content = Path(starter_models["gguf_q4_1"]).read_bytes()
    name = b"general.architecture" + (8).to_bytes(4, "little") + (5).to_bytes(8, "little")
    assert name + b"llama" in content
    path.write_bytes(content.replace(name + b"llama", name + b"frobn", 1))
    with pytest.raises(ModelLoadError, match=r"'frobn' .* not known to llama\.cpp"):
        create_inferencer("gguf").load_model(str(path), asdict(ModelConfig()))
