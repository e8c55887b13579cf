"""What a report must not tell anybody: names, homes, paths and secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.diagnosis import privacy
from comparator.diagnosis.privacy import Redaction

ENVIRONMENT = {
    "HF_TOKEN": "hf_abcdefghijkl",
    "COMPARATOR_AUTH": "anna:opensesame\nberta:swordfish",
    "PATH": "/usr/bin",
}


@pytest.fixture
def redaction() -> Redaction:
    models = (Path("/srv/models"), Path("/home/anna/my models"))
    return Redaction(models, ENVIRONMENT, "/home/anna", {"anna", "annas-laptop", "root", ""})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("in /home/anna/.venv/lib/libllama.so: too short", "in …/libllama.so: too short"),
        ("no folder at /srv/models/new.", "no folder at /srv/models/new."),
        ("no folder at /srv/models-of-hers/secret", "no folder at …/secret"),
        ("asked by anna on annas-laptop", "asked by  on "),
        ("Anna's own", "'s own"),
        ("annabel stays whole", "annabel stays whole"),
        ("token hf_abcdefghijkl was refused", "token  was refused"),
        ("opensesame and swordfish", " and "),
        ("9 tokens/s, ./scripts/start, and/or", "9 tokens/s, ./scripts/start, and/or"),
        ("https://example.org/a/b stays", "https://example.org/a/b stays"),
        (r"C:\Users\anna\file.dll is broken", "…/file.dll is broken"),
        ("run as root", "run as root"),
    ],
)  # fmt: skip
def test_text_is_told_without_what_is_private(redaction: Redaction, text: str, told: str) -> None:
    assert redaction.text(text) == told


def test_models_folders_in_the_home_are_told_from_the_home_on(redaction: Redaction) -> None:
    assert redaction.whole({"path": "/home/anna/my models"})["path"] == "~/my models"


def test_every_text_of_a_report_is_looked_at_and_keys_stay() -> None:
    redaction = Redaction((), {}, "/home/gguf", {"gguf"})
    report = {"gguf": [{"trouble": "gguf broke in /home/gguf/x", "bytes": 3, "is": None}]}
    assert redaction.whole(report) == {
        "gguf": [{"trouble": " broke in …/x", "bytes": 3, "is": None}]
    }


def test_the_names_of_this_account_and_machine_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "berta")
    monkeypatch.setenv("HOME", "/home/clara")
    monkeypatch.setattr("platform.node", lambda: "tower.example.org")
    text = privacy.of_this_machine(()).text("berta at tower.example.org, tower, clara")
    assert not {"berta", "tower", "clara"} & set(text.replace(",", " ").replace(".", " ").split())
