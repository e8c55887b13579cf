"""The one place that touches what ``multiprocess`` does not document, and what probes it.

``multiprocess`` starts fresh interpreters where fork is missing or unsafe. Before a child does
anything of ours, it would run the user's script again there (as ``__mp_main__``): a script
without a main guard, a notebook and ``app.py`` must not. What it tells the child about the main
module comes from ``multiprocess.spawn.get_preparation_data``.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

_MAIN_KEYS = ("init_main_from_name", "init_main_from_path")
_AGAIN = "__mp_main__"  # the name under which the user's script is run again


def keep_main_from_running_again(run_name: str) -> None:
    """Leave the main module out of what processes of this name are told.

    Raises:
        OSError: this version of ``multiprocess`` does not ask where it used to.
    """
    from multiprocess import spawn

    original = getattr(spawn, "get_preparation_data", None)
    if original is None:
        raise OSError(_words("it no longer has spawn.get_preparation_data"))
    if not getattr(original, "leaves_main_alone", False):
        spawn.get_preparation_data = _without_main(original, run_name)
    _check_that_it_is_asked(spawn, run_name)


def _without_main(original: Any, run_name: str) -> Any:
    @functools.wraps(original)
    def preparation_data(name: str) -> dict[str, Any]:
        data: dict[str, Any] = original(name)
        if name == run_name:
            for key in _MAIN_KEYS:
                data.pop(key, None)
        return data

    preparation_data.leaves_main_alone = True  # type: ignore[attr-defined]
    return preparation_data


def _check_that_it_is_asked(spawn: ModuleType, run_name: str) -> None:
    """Probe by behaviour: nothing that is told is of the main module, and starting asks here."""
    told = [key for key in spawn.get_preparation_data(run_name) if "main" in key]
    if told:
        raise OSError(_words(f"it tells the child about the main module ({', '.join(told)})"))
    starter = _starter()
    if getattr(starter, "spawn", None) is not spawn:
        raise OSError(_words(f"{starter.__name__} asks elsewhere"))


def _starter() -> ModuleType:
    """Return the module that starts fresh interpreters on this system."""
    if sys.platform == "win32":
        from multiprocess import popen_spawn_win32 as starter
    else:
        from multiprocess import popen_spawn_posix as starter
    module: ModuleType = starter
    return module


def main_ran_again() -> str:
    """Return, in a child, a sentence where the user's script was run again; else nothing."""
    again = getattr(sys.modules.get(_AGAIN), "__name__", "") == _AGAIN  # else it is __main__'s own
    return f"{_words('it did')}." if again else ""


def _words(what: str) -> str:
    return (
        "This version of multiprocess cannot start model processes without running your script "
        f"again: {what}. Install the tested one, with pip install multiprocess==0.70.19"
    )
