"""What the end of a trial's child means: right, wrong, dead, or nothing at all."""

from __future__ import annotations

import json

import pytest

from comparator.comparison.engine_trials import trial_job
from comparator.comparison.engine_trials.trial_job import NotTried, Tried, within
from comparator.storage.trial_verdicts import Failure
from runners import exit_diagnosis, protocol, registry


def ended(final: protocol.Message | None, is_late: bool = False) -> Tried:
    clock = trial_job._Clock(lambda: False)
    clock.is_late = is_late
    return trial_job._meaning(final, clock)


def finished(**found) -> protocol.Finished:
    return protocol.Finished(0.1, text=json.dumps(found))


def crashed(exit_code: int | None, kind: str = "crashed", cause: str = "It died.") -> Tried:
    return ended(protocol.Crashed(exit_code, cause, "load", "", kind))


def test_a_right_one_tells_what_it_chose():
    told = ended(finished(right=True, chosen={"threads": 2}, notes=["Two."], figures={"ms": 1.5}))
    assert told == Tried(None, {"threads": 2}, ("Two.",), {"ms": 1.5})


def test_a_wrong_one_tells_why():
    assert ended(finished(right=False, reason="NaN")).failure == Failure(reason="NaN")


@pytest.mark.parametrize(
    ("exit_code", "name"),
    [
        (-11, "SIGSEGV"),
        (-4, "SIGILL"),
        (-7, "SIGBUS"),
        (-6, "SIGABRT"),
        (0xC0000005, "an access violation"),
        (0xC000001D - 2**32, "an illegal instruction"),
    ],
)
def test_the_death_of_compiled_code_is_a_failure(exit_code, name, monkeypatch):
    if exit_code < -100:  # as Windows tells a status that is read with a sign
        exit_code &= 0xFFFFFFFF
    assert crashed(exit_code).failure == Failure(died=name)


@pytest.mark.parametrize("exit_code", [-9, -15, 0, 1, 3, None])
def test_any_other_death_says_nothing_of_the_engine(exit_code):
    with pytest.raises(NotTried, match="It died"):
        crashed(exit_code)


def test_a_death_for_want_of_memory_says_nothing_of_the_engine():
    with pytest.raises(NotTried):
        crashed(-6, kind="out_of_memory")


def test_a_fork_server_that_dies_each_time_cannot_be_used():
    with pytest.raises(NotTried) as caught:
        crashed(None, cause=exit_diagnosis.ZYGOTE_DIED)
    assert caught.value.is_unusable


@pytest.mark.parametrize(
    ("traceback", "unusable"),
    [("x.EngineMissingError: no", True), ("ModuleNotFoundError: no trial", False)],
)
def test_an_error_is_no_verdict(traceback, unusable):
    with pytest.raises(NotTried, match=r"its trial could not be made \(No\)") as caught:
        ended(protocol.Failed("load", "load", "No.", traceback))
    assert caught.value.is_unusable is unusable
    assert not caught.value.is_passing


@pytest.mark.parametrize("text", ["", "[]", "{", '{"right": 1}', '{"reason": "x"}', "null"])
def test_words_that_are_no_verdict_are_none(text):
    with pytest.raises(NotTried, match="nothing that can be understood"):
        ended(protocol.Finished(0.1, text=text))


def test_a_late_one_is_no_verdict():
    with pytest.raises(NotTried, match="took too long") as caught:
        ended(protocol.Cancelled("load"), is_late=True)
    assert not caught.value.is_passing
    with pytest.raises(NotTried, match="took too long"):
        ended(protocol.TimedOut("load", 1.0))


def test_one_that_was_stopped_may_be_made_again_at_once():
    with pytest.raises(NotTried) as caught:
        ended(protocol.Cancelled("load"))
    assert caught.value.is_passing


def test_the_clock_runs_from_the_childs_first_sign(monkeypatch):
    clock = trial_job._Clock(lambda: False)
    monkeypatch.setattr(trial_job.time, "monotonic", lambda: 1e6)
    assert not clock.has_run_out()  # its fork server still imports
    clock.lives_since = 1e6 - clock._limit + 1
    assert not clock.has_run_out()
    clock.lives_since = 1e6 - clock._limit - 1
    assert clock.has_run_out()
    assert clock.is_late


class TestWithin:
    LEVEL = registry.PYTORCH_LEVELS[0]

    def test_what_is_open_may_be_chosen(self):
        chosen = {"one_row_onednn": False, "auto_dtype": {"bfloat16": "float32"}, "threads": 4}
        assert within(self.LEVEL, chosen) == {
            "one_row_onednn": False,
            "onednn": True,
            "auto_dtype": {"bfloat16": "float32", "float16": None},
            "threads": 4,
        }

    def test_what_a_level_fixes_stays_fixed(self):
        safest = registry.GGUF_LEVELS[-1]
        chosen = {"use_extra_bufts": True, "flash_attention": "on", "threads": 2, "more": 1}
        assert within(safest, chosen) == {**safest, "threads": 2}

    def test_nonsense_is_passed_over(self):
        assert within(self.LEVEL, {"auto_dtype": 7}) == dict(self.LEVEL)


def test_a_child_that_knows_no_such_library_says_so():
    """A real child: nothing of it is made up."""
    with pytest.raises(NotTried) as caught:
        trial_job.try_level("gguf", "no_such_library", {}, lambda: False)
    assert "no_such_library" in str(caught.value)
