"""Which settings are left, level by level and build by build, by trials that are made up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from comparator.comparison.engine_trials import builds, trials
from comparator.comparison.engine_trials.trial_job import NotTried, Tried
from comparator.comparison.engine_trials.trials import Trials
from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import MeasuredRun, Quiet
from comparator.memory.need import VALUES_STAY
from comparator.storage.digests import Digests
from comparator.storage.trial_verdicts import Failure, TrialVerdicts
from runners import registry
from runners.machine.processor import Processor

DIED, WRONG = Tried(Failure(died="SIGSEGV")), Tried(Failure(reason="Q4_1 is computed wrongly"))
RIGHT = Tried(chosen={"threads": 3})
MODEL = ModelInfo("", "m", "/nowhere/m.gguf", ModelType.GGUF, 7)


class Script:
    """Takes the place of trials in children: what each build does with each level."""

    def __init__(self, **ends: list[Any]) -> None:
        self.ends = ends
        self.tried: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, _kind: str, library: str, settings: dict[str, Any], _stop: Any) -> Tried:
        self.tried.append((library, settings))
        end = self.ends[library].pop(0)
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture(autouse=True)
def both_builds(monkeypatch):
    """Both builds of llama.cpp are installed, and no run is measured."""
    monkeypatch.delenv(registry.CHOICE, raising=False)
    monkeypatch.setattr(registry, "_missing", lambda _engine: [])
    monkeypatch.setattr(trials, "quiet", Quiet())


@pytest.fixture
def make(tmp_path) -> Any:
    """Make what a program knows of trials; another one stands for the next program."""
    made = []

    def new(script: Callable[..., Tried] | None = None) -> Trials:
        found = Trials(
            TrialVerdicts(tmp_path / "trials.sqlite3"),
            Digests(tmp_path / "digests.sqlite3"),
            script or Script(llama_cpp=[RIGHT]),
        )
        made.append(found)
        return found

    yield new
    for one in made:
        one.close()


def off(verdict: trials.TrialVerdict) -> tuple[Any, Any]:
    return verdict.settings["use_extra_bufts"], verdict.settings["flash_attention"]


def test_the_best_settings_are_tried_first_and_once(make):
    script = Script(llama_cpp=[RIGHT])
    first = make(script)
    verdict = first.verdict_for("gguf")
    assert off(verdict) == (True, "auto")
    assert verdict.settings["threads"] == 3
    assert (verdict.sentences, verdict.library, verdict.is_tried) == ((), "", True)
    assert first.verdict_for("gguf") is verdict
    assert make(Script()).verdict_for("gguf") == verdict  # the next program tries nothing
    assert len(script.tried) == 1


@pytest.mark.parametrize(
    ("ends", "left", "words"),
    [
        ([DIED, RIGHT], (False, "auto"), "extra buffer types are off: with them it died by SIGS"),
        ([WRONG, RIGHT], (False, "auto"), "wrong numbers (Q4_1 is computed wrongly)"),
        ([DIED, WRONG, RIGHT], (False, "off"), "with the latter alone it computed wrong numbers"),
        ([DIED, DIED, RIGHT], (False, "off"), "with either of them it died by SIGSEGV"),
    ],
)
def test_a_level_that_is_wrong_leads_to_the_next(make, ends, left, words):
    script = Script(llama_cpp=list(ends))
    verdict = make(script).verdict_for("gguf")
    assert off(verdict) == left
    (sentence,) = verdict.sentences
    assert words in sentence
    assert "./scripts/start --rebuild" in sentence
    assert [settings for _library, settings in script.tried] == [
        dict(level) for level in registry.GGUF_LEVELS[: len(ends)]
    ]


@pytest.mark.parametrize(("ends", "is_off"), [([RIGHT], False), ([DIED, DIED, RIGHT], True)])
def test_estimates_are_told_where_flash_attention_is_off(make, ends, is_off):
    tried = make(Script(llama_cpp=list(ends)))
    tried.verdict_for("gguf")
    assert (VALUES_STAY in tried.figures_of("gguf")) is is_off


def test_a_processor_with_amx_is_named_with_what_it_would_gain(make, monkeypatch):
    amx = Processor("Xeon", "x86_64", ("amx_int8",))
    monkeypatch.setattr(
        "comparator.comparison.engine_trials.trial_words.this_processor", lambda: amx
    )
    (sentence,) = make(Script(llama_cpp=[DIED, RIGHT])).verdict_for("gguf").sentences
    assert "extra buffer types (AMX) are off" in sentence
    assert "about 1.8 times as fast" in sentence


def test_after_all_levels_the_other_build_is_tried(make):
    script = Script(llama_cpp=[DIED, WRONG, DIED], xllamacpp=[DIED, RIGHT])
    verdict = make(script).verdict_for("gguf")
    assert (verdict.library, off(verdict)) == ("xllamacpp", (False, "auto"))
    first, second = verdict.sentences
    assert first.startswith("GGUF models run on xllamacpp: llama-cpp-python died by SIGSEGV")
    assert "and computed wrong numbers" in first
    assert "extra buffer types are off" in second
    assert make(Script()).verdict_for("gguf") == verdict


def test_a_pinned_build_is_the_only_one_tried(make, monkeypatch):
    monkeypatch.setenv(registry.CHOICE, "llama_cpp")
    script = Script(llama_cpp=[DIED, DIED, WRONG])
    verdict = make(script).verdict_for("gguf")
    assert (verdict.library, off(verdict)) == ("", (False, "off"))
    (sentence,) = verdict.sentences
    assert sentence.startswith("No settings of llama.cpp gave right numbers on this machine")


def test_where_no_build_is_right_the_safest_settings_are_used(make):
    script = Script(llama_cpp=[WRONG] * 3, xllamacpp=[DIED] * 3)
    verdict = make(script).verdict_for("gguf")
    assert (verdict.library, off(verdict)) == ("", (False, "off"))
    assert "do not trust what it answers" in verdict.sentences[0]
    assert make(Script()).verdict_for("gguf") == verdict


def test_pytorch_has_levels_of_its_own(make):
    verdict = make(Script(torch=[DIED, Tried(chosen={"onednn": True})])).verdict_for("pytorch")
    assert verdict.settings["onednn"] is False  # a trial never chooses what was not tried
    (sentence,) = verdict.sentences
    assert sentence.startswith("PyTorch's oneDNN is off: with it it died by SIGSEGV")


def test_an_engine_without_a_trial_has_no_verdict(make):
    assert make(Script()).verdict_for("echo") == trials.TrialVerdict()
    assert make(Script()).verdict_for("custom") == trials.TrialVerdict()


class TestWithoutATrial:
    def test_own_defaults_are_used_and_nothing_is_kept(self, make):
        script = Script(llama_cpp=[NotTried("its trial took too long"), RIGHT])
        program = make(script)
        verdict = program.verdict_for("gguf")
        assert (verdict.settings, verdict.is_tried) == ({}, False)
        assert verdict.sentences == (
            "llama.cpp runs untried on this machine, with its own defaults: "
            "its trial took too long.",
        )
        assert program.verdict_for("gguf") == verdict  # not again at once
        assert make(script).verdict_for("gguf").is_tried

    def test_it_is_made_again_after_a_while(self, make, monkeypatch):
        program = make(Script(llama_cpp=[NotTried("x"), RIGHT]))
        assert not program.verdict_for("gguf").is_tried
        monkeypatch.setattr(trials, "RETRY_SECONDS", 0.0)
        assert program.verdict_for("gguf").is_tried

    def test_one_that_was_put_off_is_made_at_the_next_run(self, make):
        program = make(Script(llama_cpp=[NotTried("x", is_passing=True), RIGHT]))
        assert not program.verdict_for("gguf").is_tried
        assert program.verdict_for("gguf").is_tried

    def test_none_is_made_while_a_model_is_measured(self, make):
        script = Script(llama_cpp=[RIGHT])
        program = make(script)
        run = trials.quiet.begin_run()
        verdict = program.verdict_for("gguf")
        assert not verdict.is_tried
        assert "another model was running" in verdict.sentences[0]
        assert script.tried == []
        trials.quiet.end_run(run)
        assert program.verdict_for("gguf").is_tried

    def test_a_library_that_cannot_be_used_gives_way_to_the_other(self, make):
        unusable = NotTried("its binary is cut off", is_unusable=True)
        verdict = make(Script(llama_cpp=[unusable], xllamacpp=[RIGHT])).verdict_for("gguf")
        assert (verdict.library, off(verdict)) == ("xllamacpp", (True, "auto"))
        assert "llama-cpp-python cannot be used here: its binary is cut off" in verdict.sentences[0]

    def test_two_that_cannot_be_used_leave_it_to_the_run_to_say_so(self, make):
        unusable = NotTried("cut off", is_unusable=True)
        verdict = make(Script(llama_cpp=[unusable], xllamacpp=[unusable])).verdict_for("gguf")
        assert (verdict.library, verdict.is_tried) == ("", False)

    def test_a_wrong_build_gives_way_to_one_that_could_not_be_tried(self, make):
        script = Script(llama_cpp=[DIED] * 3, xllamacpp=[NotTried("its trial took too long")])
        verdict = make(script).verdict_for("gguf")
        assert (verdict.library, verdict.settings) == ("xllamacpp", {})
        assert len(verdict.sentences) == 2


class TestOfWhatMachine:
    @pytest.mark.parametrize("change", ["flags", "name"])
    def test_another_processor_has_a_trial_of_its_own(self, make, monkeypatch, change):
        make(Script(llama_cpp=[DIED, RIGHT])).verdict_for("gguf")
        there = builds.this_processor()
        other = replace(there, **{change: ("new",) if change == "flags" else "Other"})
        monkeypatch.setattr(builds, "this_processor", lambda: other)
        assert make(Script(llama_cpp=[RIGHT])).verdict_for("gguf").sentences == ()
        monkeypatch.setattr(builds, "this_processor", lambda: there)
        assert make(Script()).verdict_for("gguf").sentences != ()  # both are kept

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("version_of", lambda _library: "9.9"),
            ("_job_digest", lambda _kind: "another trial"),
            ("_digest", lambda _stamps, _digests: "another library"),
        ],
    )
    def test_another_build_has_a_trial_of_its_own(self, make, monkeypatch, name, value):
        make().verdict_for("gguf")
        monkeypatch.setattr(builds, name, value)
        script = Script(llama_cpp=[RIGHT])
        make(script).verdict_for("gguf")
        assert len(script.tried) == 1

    def test_a_library_that_changes_under_a_program_is_tried_again(self, make, monkeypatch):
        program = make(Script(llama_cpp=[RIGHT, DIED, RIGHT]))
        assert program.verdict_for("gguf").sentences == ()
        monkeypatch.setattr(trials, "stamps_of", lambda library: ((library, 1, 1),))
        monkeypatch.setattr(builds, "stamps_of", lambda library: ((library, 1, 1),))
        assert program.verdict_for("gguf").sentences != ()


class TestModels:
    def test_what_was_learned_is_given_back(self, make):
        program = make()
        told, sentences = program.for_model(MODEL)
        assert told == {"settings": program.verdict_for("gguf").settings}
        program.learn(MODEL, told, {"steps": 2})
        told, sentences = make(Script()).for_model(MODEL)
        assert (told["learned"], sentences) == ({"steps": 2}, ())
        other = replace(MODEL, id="", path="/nowhere/other.gguf")
        assert "learned" not in make(Script()).for_model(other)[0]

    def test_what_is_known_is_not_written_again(self, make, monkeypatch):
        program = make()
        told, _ = program.for_model(MODEL)
        monkeypatch.setattr(program.verdicts, "learn", lambda *_: pytest.fail("written"))
        program.learn(MODEL, {**told, "learned": {"steps": 2}}, {"steps": 2})
        program.learn(MODEL, told, {})

    def test_a_model_that_died_starts_with_safe_settings(self, make):
        make().note_crash(MODEL, "llama.cpp died by SIGSEGV while it read the prompt")
        program = make(Script(llama_cpp=[RIGHT]))
        told, (sentence,) = program.for_model(MODEL)
        assert (told["settings"]["use_extra_bufts"], told["settings"]["flash_attention"]) == (
            False,
            "off",
        )
        assert "died by SIGSEGV while it read the prompt when this model ran here" in sentence

    def test_the_other_build_is_told_to_the_run(self, make):
        program = make(Script(llama_cpp=[DIED] * 3, xllamacpp=[RIGHT]))
        told, _ = program.for_model(MODEL)
        assert told["library"] == "xllamacpp"
        assert program.server_of("gguf") == "gguf/xllamacpp"
        assert program.server_of("echo") == "echo"


def test_programs_that_try_at_once_do_no_harm(make):
    script = Script(llama_cpp=[RIGHT] * 4)
    programs = [make(script) for _ in range(4)]
    found = []
    threads = [
        threading.Thread(target=lambda p=program: found.append(p.verdict_for("gguf")))
        for program in programs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [found[0]] * 4
    assert found[0].is_tried


def test_two_threads_of_a_program_share_one_trial(make):
    script = Script(llama_cpp=[RIGHT])
    program = make(script)
    threads = [threading.Thread(target=program.verdict_for, args=("gguf",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(script.tried) == 1


def test_the_background_gives_way_to_who_wants_to_run(make):
    wanted: list[threading.Thread] = []
    begun: list[MeasuredRun] = []

    def slow(_kind: str, _library: str, _settings: dict[str, Any], should_stop: Any) -> Tried:
        runner = threading.Thread(target=lambda: begun.append(trials.quiet.begin_run()))
        runner.start()
        while not should_stop():
            pass
        wanted.append(runner)
        raise NotTried("put off", is_passing=True)

    program = make(slow)
    program.in_background(["gguf"])
    assert len(wanted) == 1
    wanted[0].join(10)
    assert not wanted[0].is_alive()  # the run began as soon as the trial was over
    trials.quiet.end_run(begun[0])


def test_closing_ends_what_is_tried_and_nothing_is_tried_after_it(make):
    """The background has two kinds to try: the second is not begun once the first was ended."""
    tried, begun = [], threading.Event()

    def script(kind, _library, _settings, should_stop):
        tried.append(kind)
        begun.set()
        while not should_stop():
            threading.Event().wait(0.01)
        raise NotTried("it was not wanted any more", is_passing=True)

    program = make(script)
    background = threading.Thread(target=program.in_background, args=(["gguf", "pytorch"],))
    background.start()
    assert begun.wait(10)
    program.close()
    background.join(10)
    assert not background.is_alive()
    assert tried == ["pytorch"]


def test_closing_does_not_wait_for_a_trial_that_does_not_end(make):
    begun, let_go = threading.Event(), threading.Event()

    def script(*_arguments):
        begun.set()
        let_go.wait(10)
        raise NotTried("it hung", is_passing=True)

    program = make(script)
    hung = threading.Thread(target=program.verdict_for, args=("gguf",))
    hung.start()
    assert begun.wait(10)
    program.close(0.0)
    assert hung.is_alive()
    let_go.set()
    hung.join(10)
