"""What counts as a library: installed folders and imported packages, and no folder of a user."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.child import library_places


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    library_places.imported.cache_clear()
    yield
    library_places.imported.cache_clear()


def covers(places: list[str], path: Path) -> bool:
    return any(str(path) == place or str(path).startswith(place + os.sep) for place in places)


def test_the_interpreter_and_what_is_installed_are_there() -> None:
    places = library_places.all_places()
    assert covers(places, Path(os.__file__))
    assert covers(places, Path(pytest.__file__))
    assert covers(places, Path(library_places.__file__))


def test_the_folder_of_a_script_is_not_but_a_package_imported_from_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.env").write_text("password")
    for name in ("package_of_mine", "other_package"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "module_of_mine.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("package_of_mine", "module_of_mine"):
        importlib.import_module(name)
    places = library_places.all_places()
    for name in ("package_of_mine", "module_of_mine"):
        monkeypatch.delitem(sys.modules, name)
    assert covers(places, tmp_path / "package_of_mine" / "__init__.py")
    assert covers(places, tmp_path / "module_of_mine.py")
    assert not covers(places, tmp_path / "other_package")
    assert not covers(places, tmp_path / "secrets.env")


def test_a_folder_with_installed_packages_is_there_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_library-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert covers(library_places.all_places(), tmp_path / "some_library" / "code.py")


@pytest.mark.parametrize("wide", ["/", os.path.expanduser("~"), tempfile.gettempdir()])
def test_no_wide_folder_is_ever_there(wide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", wide)
    monkeypatch.setattr(sys, "path", [wide, *sys.path])
    assert wide not in library_places.all_places()


def test_what_is_known_is_not_told_again() -> None:
    known = (sys.prefix, sys.base_prefix)
    assert not any(place.startswith(known) for place in library_places.all_places(known))
