"""Run what needs a GPU, print a table and write a JSON; 1 where something is not as promised."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .. import machine
from . import steps
from .build import Build
from .device import Device, Gpu, StandIn
from .scene import SIZES, Scene

LIMIT_SECONDS = 470.0  # of the eight minutes that are given


def main() -> int:
    """Run all steps, or one of them in this process."""
    arguments = _arguments()
    if arguments.step:
        _one_step(arguments)
        return 0
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as place:
        return _all_steps(arguments, Path(place))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__)
    parser.add_argument("--carried", type=Path, help="the folder that scripts/gpu_carry made")
    parser.add_argument("--site", type=Path, help="where llama.cpp is installed when compiled")
    parser.add_argument("--json", type=Path, default=Path("gpu_check.json"), help="to write")
    parser.add_argument(
        "--only", action="append", default=[], metavar="STEP", help="again for more"
    )
    parser.add_argument("--seconds", type=float, default=LIMIT_SECONDS, help="for everything")
    parser.add_argument("--folder", type=Path, help="for the models; kept, and used again")
    parser.add_argument(
        "--stand-in", action="store_true", help="on the CPU with tiny models: do the steps run?"
    )
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _one_step(arguments: argparse.Namespace) -> None:
    """Run one step here; its rows go to a file as they come."""
    (step,) = steps.chosen([arguments.step])
    module, _, function = step.place.partition(":")
    scene = Scene(
        device=_device(arguments.stand_in),
        folder=arguments.folder,
        carried=arguments.carried,
        tell=partial(steps.write_row, arguments.rows),
        sizes=SIZES[:2] if arguments.stand_in else SIZES,
    )
    getattr(importlib.import_module(f"{__package__}.{module}"), function)(scene)


def _device(is_stand_in: bool) -> Device:
    return StandIn() if is_stand_in else Gpu()


def _all_steps(arguments: argparse.Namespace, place: Path) -> int:
    began = time.monotonic()
    device = _device(arguments.stand_in)
    wanted = steps.chosen(arguments.only)
    build = _build(arguments, place, wanted)
    try:
        outcomes = steps.run_all(
            wanted, _command(arguments, place), place, began + arguments.seconds, _waits(build)
        )
    finally:
        if build is not None:
            build.end()
    about = {
        "device": device.name,
        "is_real": device.is_real,
        "seconds": time.monotonic() - began,
        "machine": machine.machine(),
        "versions": machine.versions(),
    }
    record = steps.to_record(outcomes, about)
    arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{device.name}, {time.strftime('%Y-%m-%d')}\n\n{steps.table(outcomes)}")
    return 0 if steps.is_right(outcomes) else 1


def _command(arguments: argparse.Namespace, place: Path) -> list[str]:
    """Return how one step is started; its name comes last."""
    folder = arguments.folder or place / "models"
    carried = ["--carried", str(arguments.carried)] if arguments.carried else []
    stand_in = ["--stand-in"] * arguments.stand_in
    own = [sys.executable, "-m", str(__package__), "--folder", str(folder)]
    return [*own, *carried, *stand_in, "--step"]


def _build(arguments: argparse.Namespace, place: Path, wanted: list[steps.Step]) -> Build | None:
    """Begin to compile llama.cpp where a step needs it and sources were carried."""
    if arguments.carried is None or not any(step.waits_for_build for step in wanted):
        return None
    return Build(arguments.carried, arguments.site or place / "site", place / "build.log")


def _waits(build: Build | None) -> Callable[[float], str]:
    return build.is_done if build is not None else lambda _seconds: ""


if __name__ == "__main__":
    sys.exit(main())
