"""What a public page refuses, and how often it may be asked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.limits import (
    OWNERS_SETTINGS,
    Machine,
    PublicLimits,
    Rates,
    TooOftenError,
    limits_for,
    limits_from,
)
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft
from runners.timeouts import Deadlines

LIMITS = PublicLimits(prompt_bytes=20, tokens=100, context_tokens=1000, models=2)


def draft(
    prompt: str = "hi", models: int = 1, system: str = "", **settings: object
) -> RequestDraft:
    return RequestDraft(prompt, [SlotDraft("m")] * models, system, settings)


@pytest.mark.parametrize(
    "allowed",
    [
        draft("x" * 20),
        draft(models=2),
        draft(max_tokens=100, n_ctx=1000, temperature=1.5),
        draft(n_threads=None, use_gpu=True),
    ],
)
def test_what_is_within_the_limits_passes(allowed: RequestDraft) -> None:
    LIMITS.check(allowed)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (draft("x" * 21), "prompt has 21 bytes.* takes 20"),
        (draft("好" * 7), "prompt has 21 bytes"),
        (draft(system="x" * 21), "system prompt has 21 bytes"),
        (draft(system_prompt="x" * 21), "system prompt has 21 bytes"),
        (draft(models=3), "up to 2 models"),
        (draft(max_tokens=101), "max_tokens may be up to 100"),
        (draft(n_ctx=1001.0), "n_ctx may be up to 1000"),
        (draft(n_threads=64), "n_threads cannot be changed"),
        (draft(use_gpu=False), "use_gpu cannot be changed"),
    ],
)
def test_what_goes_beyond_is_refused_with_the_limit(refused: RequestDraft, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        LIMITS.check(refused)


def test_all_that_was_said_counts_and_so_does_a_system_message() -> None:
    earlier = [{"role": "user", "content": "x" * 8}, {"role": "assistant", "content": "x" * 8}]
    last, system = ({"role": role, "content": "x" * 20} for role in ("user", "system"))
    short = {"role": "user", "content": "x" * 4}
    LIMITS.check(RequestDraft([system, *earlier, short], [SlotDraft("m")]))
    with pytest.raises(ConfigurationError, match=r"The prompt has 36 bytes"):
        LIMITS.check(RequestDraft([*earlier, last], [SlotDraft("m")]))
    with pytest.raises(ConfigurationError, match=r"The system prompt has 21 bytes"):
        LIMITS.check(RequestDraft([{**system, "content": "x" * 21}, short], [SlotDraft("m")]))


def test_a_models_own_settings_are_bounded_too() -> None:
    with pytest.raises(ConfigurationError, match="max_tokens may be up to 100"):
        LIMITS.check(RequestDraft("hi", [SlotDraft("m", {"max_tokens": 4096})]))


def test_a_models_own_system_prompt_is_bounded_too() -> None:
    with pytest.raises(ConfigurationError, match="system prompt has 21 bytes"):
        LIMITS.check(RequestDraft("hi", [SlotDraft("m", {"system_prompt": "x" * 21})]))


def test_defaults_are_lowered_to_the_limits() -> None:
    settings = LIMITS.with_usual_settings(draft(temperature=1.0)).settings
    assert settings == {"max_tokens": 100, "n_ctx": 1000, "temperature": 1.0}
    assert LIMITS.with_usual_settings(draft(max_tokens=7)).settings["max_tokens"] == 7


def test_no_limit_becomes_the_pages_limit() -> None:
    slots = [SlotDraft("m", {"max_tokens": None, "n_ctx": None, "seed": None}), SlotDraft("m")]
    asked = RequestDraft("hi", slots, settings={"max_tokens": None})
    LIMITS.check(asked)
    bounded = LIMITS.with_usual_settings(asked)
    assert bounded.settings == {"max_tokens": 100, "n_ctx": 1000}
    assert bounded.slots[0].settings == {"max_tokens": 100, "n_ctx": 1000, "seed": None}
    assert bounded.given == {"max_tokens"}
    generous = PublicLimits(tokens=10_000).with_usual_settings(asked)
    assert generous.settings["max_tokens"] == 4096


def test_a_whole_run_is_bounded() -> None:
    limits = PublicLimits(total_seconds=60)
    assert limits.deadlines(Deadlines()).total_seconds == 60
    assert limits.deadlines(Deadlines(total_seconds=0)).total_seconds == 60
    assert limits.deadlines(Deadlines(total_seconds=5)).total_seconds == 5


def test_a_limit_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match="tokens must be more than 0"):
        PublicLimits(tokens=0)


def test_the_owners_settings_are_settings() -> None:
    from comparator.core.config import ModelConfig

    assert set(OWNERS_SETTINGS) <= set(vars(ModelConfig()))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_visitor_waits_a_minute_and_others_do_not() -> None:
    clock = Clock()
    rates = Rates(PublicLimits(visitor_per_minute=2, all_per_minute=10), clock)
    rates.note("a")
    clock.now += 20
    rates.note("a")
    with pytest.raises(TooOftenError, match=r"You have begun 2 .* again in 40 seconds"):
        rates.note("a")
    rates.note("b")
    clock.now += 41
    rates.note("a")


def test_all_visitors_together_are_counted() -> None:
    clock = Clock()
    rates = Rates(PublicLimits(visitor_per_minute=2, all_per_minute=3), clock)
    for visitor in ("a", "b", "c"):
        rates.note(visitor)
    with pytest.raises(TooOftenError, match="All visitors together"):
        rates.note("d")
    clock.now += 61
    rates.note("d")


def test_many_threads_never_pass_more_than_the_limit() -> None:
    rates = Rates(PublicLimits(visitor_per_minute=5, all_per_minute=1000))
    passed: list[int] = []

    def ask() -> None:
        for _ in range(10):
            try:
                rates.note("a")
            except TooOftenError:
                continue
            passed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 5


def test_visitors_of_long_ago_are_forgotten() -> None:
    clock = Clock()
    rates = Rates(PublicLimits(all_per_minute=10**9), clock)
    for number in range(10_001):
        rates.note(str(number))
        clock.now += 0.1
    assert len(rates._of_visitor) <= 700


def test_limits_come_from_flags_first_and_then_from_the_environment() -> None:
    environment = {"COMPARATOR_PUBLIC_TOKENS": "64", "COMPARATOR_PUBLIC_MODELS": "3"}
    limits = limits_from(["tokens=32", "total_seconds=1.5"], environment, SPACE)
    assert (limits.tokens, limits.models, limits.total_seconds) == (32, 3, 1.5)
    assert limits_from((), {}, SPACE) == PublicLimits()


SPACE = Machine(cores=2, memory_bytes=16 * 2**30)


@pytest.mark.parametrize(
    ("machine", "tokens", "context", "models", "waiting", "all_per_minute"),
    [
        (SPACE, 512, 4096, 4, 32, 60),
        (Machine(64, 512 * 2**30), 512, 4096, 4, 32, 60),
        (Machine(1, 16 * 2**30), 256, 4096, 2, 16, 30),
        (Machine(2, 2 * 2**30), 512, 2048, 2, 32, 60),
        (Machine(1, 2 * 2**30), 256, 2048, 2, 16, 30),
    ],
)
def test_limits_follow_the_machine(
    machine: Machine, tokens: int, context: int, models: int, waiting: int, all_per_minute: int
) -> None:
    limits = limits_for(machine)
    assert (limits.tokens, limits.context_tokens, limits.models) == (tokens, context, models)
    assert (limits.waiting, limits.all_per_minute) == (waiting, all_per_minute)
    assert limits.suite_answers == (60 if machine.cores > 1 else 30)
    assert limits.total_seconds == PublicLimits().total_seconds


def test_what_was_asked_for_counts_more_than_the_machine() -> None:
    limits = limits_from(["tokens=2000"], {"COMPARATOR_PUBLIC_WAITING": "5"}, Machine(1, 2**30))
    assert (limits.tokens, limits.waiting, limits.models) == (2000, 5, 2)


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_page_on_one_processor_has_the_limits_of_one_core() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from pathlib import Path; from comparator.hosting.options import ServerOptions; "
        "page = ServerOptions(Path('models'), public=True); "
        "print(page.limits.tokens, page.allowed_line_length, page.most_models)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["256", "16", "2"], done.stderr


def test_only_a_public_page_is_bound_by_the_limits() -> None:
    limits = PublicLimits(tokens=20, context_tokens=1000, models=3, waiting=5)
    own, public = (
        ServerOptions(Path("models"), public=public, limits=limits) for public in (False, True)
    )
    assert (own.most_models, own.allowed_line_length) == (4, 32)
    assert (own.usual_settings.max_tokens, own.usual_settings.n_ctx) == (512, 2048)
    assert (public.most_models, public.allowed_line_length) == (3, 5)
    assert (public.usual_settings.max_tokens, public.usual_settings.n_ctx) == (20, 1000)
    assert ServerOptions(Path("models"), public=True, line_length=2).allowed_line_length == 2


def test_a_body_may_hold_two_prompts_however_they_are_written() -> None:
    assert PublicLimits().body_bytes == 1_000_000
    assert PublicLimits(prompt_bytes=10**6).body_bytes == 16 * 10**6


@pytest.mark.parametrize(
    ("text", "words"),
    [("beauty=3", "There is no limit 'beauty'"), ("tokens=many", "must be a number"),
     ("tokens=0", "more than 0"), ("tokens", "must be a number")],
)  # fmt: skip
def test_a_limit_that_is_none_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        limits_from([text], {})
