"""What depends on the processor is chosen by measurement, and ties go to the default."""

from __future__ import annotations

import json

import pytest

from runners.engines.gguf import trial, trial_speed

BEST = {"use_extra_bufts": True, "flash_attention": "auto", "threads": None}


@pytest.mark.parametrize(
    ("seconds", "choice"),
    [
        ({"auto": (1.0, 1.0), "off": (1.0, 1.0)}, "auto"),
        ({"auto": (1.0, 1.0), "off": (0.9, 0.9)}, "auto"),  # not clearly faster
        ({"auto": (1.0, 1.0), "off": (0.5, 1.1)}, "auto"),  # slower in the other
        ({"auto": (1.0, 1.0), "off": (0.8, 1.0)}, "off"),
        ({"auto": (1.0, 1.0), "off": (1.0, 0.7)}, "off"),
    ],
)
def test_a_choice_is_clearly_faster_and_never_slower(seconds, choice):
    assert trial_speed._choice(seconds) == choice


@pytest.fixture
def measured(monkeypatch):
    """Let every setting have figures of ours."""
    pytest.importorskip("llama_cpp")

    def of(figures):
        def compared(_model, _settings, name, values, _alone):
            return {value: figures.get((name, value), (1.0, 1.0)) for value in values}

        monkeypatch.setattr(trial_speed, "_compared", compared)
        monkeypatch.setattr(trial_speed, "thread_choices", lambda: (3, 8))

    return of


def found(tmp_path, settings):
    arguments = {"settings": settings, "library": "llama_cpp", "target": str(tmp_path)}
    return json.loads(trial.run(arguments, lambda *_: None, lambda: False))


def test_what_is_faster_is_chosen_with_a_sentence(tmp_path, measured):
    measured({("flash_attention", "off"): (0.5, 1.0), ("threads", 8): (0.5, 0.5)})
    told = found(tmp_path, BEST)
    assert told["chosen"] == {**BEST, "flash_attention": "off", "threads": 8}
    assert len(told["notes"]) == 2
    assert told["figures"]["flash attention off, reading ms"] == 500.0


def test_a_tie_changes_nothing(tmp_path, measured):
    measured({})
    told = found(tmp_path, BEST)
    assert (told["chosen"], told["notes"]) == (BEST, [])


def test_what_a_level_has_decided_is_not_measured(tmp_path, measured):
    measured({("flash_attention", "auto"): (0.1, 0.1), ("threads", 8): (0.1, 0.1)})
    level = {"use_extra_bufts": False, "flash_attention": "off", "threads": 1}
    assert found(tmp_path, level)["chosen"] == level
