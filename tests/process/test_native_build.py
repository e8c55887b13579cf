"""The flags that llama.cpp's AMX code needs, found by compiling, on whatever processor this is."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from runners.machine import native_build

WITH_AMX = ("-march=sapphirerapids",)
WITHOUT = ("-march=x86-64",)


def stand_in(folder: Path, *lines: str) -> str:
    """Return a compiler that is a shell script."""
    file = folder / "compiler"
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_a_processor_without_amx_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", stand_in(tmp_path, "echo '#define __AVX512F__ 1'"))
    assert native_build.flags() == ()


@pytest.mark.parametrize(
    ("keeps", "flags"),
    [
        ("*", ()),
        ("*-fno-dse*", ("-fno-dse",)),
        ("*-fno-tree-dse*", ("-fno-dse", "-fno-tree-dse")),
        ("never", native_build.WITHOUT_AMX),
    ],
)
def test_the_first_flags_are_taken_with_which_the_stores_are_kept(
    tmp_path, monkeypatch, keeps, flags
):
    compiler = stand_in(
        tmp_path,
        'case "$*" in *-dM*) echo "#define __AMX_TILE__ 1"; exit ;; esac',
        "for target; do :; done",
        f'case "$*" in {keeps}) echo TILECOLS TILEROWS >"$target" ;; *) : >"$target" ;; esac',
    )
    monkeypatch.setenv("CXX", compiler)
    assert native_build.flags() == flags


def test_a_flag_that_the_compiler_does_not_know_helps_nobody(tmp_path, monkeypatch):
    compiler = stand_in(
        tmp_path,
        'case "$*" in *-dM*) echo "#define __AMX_TILE__ 1"; exit ;; *-fno-dse*) exit 1 ;; esac',
        'for target; do :; done; : >"$target"',
    )
    monkeypatch.setenv("CXX", compiler)
    assert native_build.flags() == native_build.WITHOUT_AMX


def test_amx_that_is_asked_for_is_probed_on_any_processor(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", stand_in(tmp_path, "echo '#define __AVX2__ 1'"))
    assert not native_build.builds_amx()
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_NATIVE=OFF -DGGML_AMX_INT8=ON")
    assert native_build.builds_amx()


def test_no_compiler_is_no_failure(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/c++")
    assert native_build.macros() == ""
    assert native_build.flags() == ()


def known_to_drop() -> list[str]:
    """Return the compilers here of which it is known: GNU's before the mend, by their words."""
    return [name for name in ("g++-11", "g++-12") if shutil.which(name)]


@pytest.mark.skipif(not known_to_drop(), reason="needs GNU C++ 11 or 12")
def test_gnu_cpp_12_drops_the_stores_and_one_flag_keeps_them(monkeypatch):
    for name in known_to_drop():
        monkeypatch.setenv("CXX", name)
        if "__AMX_TILE__" not in native_build.macros(WITH_AMX):
            pytest.skip("not a compiler for x86-64")
        assert native_build.flags(WITHOUT) == ()
        assert native_build.flags(WITH_AMX) in ((), ("-fno-dse",))  # () where it was mended
        if not native_build._keeps_stores(()):
            assert not native_build._keeps_stores(("-fno-tree-dse",))


@pytest.mark.parametrize("in_a_checkout", [True, False])
def test_the_command_that_builds_anew_is_one_that_can_be_typed_here(
    tmp_path, monkeypatch, in_a_checkout
):
    module = tmp_path / "runners" / "machine" / "native_build.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(native_build, "__file__", str(module))
    monkeypatch.setenv("CXX", "/nowhere/c++")  # on this machine there is no compiler yet
    if in_a_checkout:
        (tmp_path / "scripts").mkdir()
        (tmp_path / "scripts" / "start").touch()
        assert native_build.rebuild_command() == "./scripts/start --rebuild"
        return
    command = native_build.rebuild_command()
    assert command.startswith('CXXFLAGS="-fno-dse" pip install --force-reinstall --no-deps ')
    assert "--no-cache-dir --no-binary llama-cpp-python" in command


def test_two_processors_and_two_compilers_are_told_apart(tmp_path, monkeypatch):
    compiler = stand_in(tmp_path, 'case "$*" in *native*) echo B; echo A ;; *) echo C ;; esac')
    monkeypatch.setenv("CXX", compiler)
    assert native_build.macros() == "A\nB"
    knows_no_native = stand_in(tmp_path, 'case "$*" in *native*) exit 1 ;; *) echo C ;; esac')
    monkeypatch.setenv("CXX", knows_no_native)
    assert native_build.macros() == "C"
