"""What runs take of a device, by their record and from outside, and what is given back."""

from __future__ import annotations

from comparator.memory.placement import DEVICE_CONTEXT_BYTES, DEVICE_RESERVE_BYTES

from ..targets import GPU_TARGETS
from .device import Device, watched
from .scene import Scene, asked, ballast, holding, running, seconds_until
from .steps import Row

RUNS = 50
MEGABYTE = 1_000_000
SLACK_BYTES = int(GPU_TARGETS["memory kept after runs"].limit) * MEGABYTE
BALLAST_LEAVES_BYTES = 2_000 * MEGABYTE
_SECONDS = 5.0


def run(scene: Scene) -> None:
    """Compare records with the driver, measure what a context takes, repeat, and run out."""
    _context(scene)
    for size in scene.sizes[:2]:
        _one_size(scene, size)
    _again_and_again(scene)
    if scene.device.is_real:
        _out_of_memory(scene)


def _one_size(scene: Scene, size: str) -> None:
    with running(True) as ours, watched(scene.device) as peak:
        result = asked(ours, scene.pytorch(size), 64)
    if result.error:
        raise RuntimeError(result.error)
    told = result.stats.device_memory_usage or 0
    estimated = int(result.receipt["estimated_device_bytes"])
    scene.tell(Row(f"{size}: peak by the record", told / MEGABYTE, "MB"))
    scene.tell(Row(f"{size}: peak from outside", peak.added / MEGABYTE, "MB"))
    scene.tell(Row(f"{size}: estimate", estimated / MEGABYTE, "MB"))
    if scene.device.is_real:
        for what, value in (("record", told), ("estimate", estimated)):
            apart = abs(value / max(1, peak.added) - 1)
            words = f"{size}: {what}, apart from outside"
            scene.promised("memory told, apart from outside", words, apart)


def _context(scene: Scene) -> None:
    """Tell what a process takes that computes nothing but one number."""
    before = scene.device.used_bytes()
    held = _of_a_process(scene.device, before)
    constant = f"DEVICE_CONTEXT_BYTES is {DEVICE_CONTEXT_BYTES // MEGABYTE} MB"
    scene.tell(Row("a process with one number, PyTorch", held / MEGABYTE, "MB", None, constant))
    reserve = f"DEVICE_RESERVE_BYTES is {DEVICE_RESERVE_BYTES // MEGABYTE} MB"
    scene.tell(Row("held by nobody's process", before / MEGABYTE, "MB", None, reserve))


def _of_a_process(device: Device, before: int) -> int:
    with holding(f"x = torch.ones(1, device='{device.kind}') + 1; print(float(x), flush=True)"):
        return device.used_bytes() - before


def _again_and_again(scene: Scene) -> None:
    runs = RUNS if scene.device.is_real else 3
    with running(True) as ours:
        asked(ours, scene.pytorch("starter"), 2)
        before = scene.device.used_bytes()
        kept = 0
        for _ in range(runs):
            result = asked(ours, scene.pytorch("starter"), 4)
            if result.error:
                raise RuntimeError(result.error)
            seconds_until(lambda: scene.device.used_bytes() <= before + SLACK_BYTES, _SECONDS)
            kept = max(kept, scene.device.used_bytes() - before)
    scene.promised("memory kept after runs", f"kept after {runs} runs", kept / MEGABYTE, "MB")


def _out_of_memory(scene: Scene) -> None:
    """Fill the device but for a little; the largest model fails by name, the next one answers."""
    with ballast(scene.device.free_bytes() - BALLAST_LEAVES_BYTES), running(False) as lax:
        failed = asked(lax, scene.pytorch(scene.sizes[-1]), 8)
        kind = failed.error_kind or "an answer"
        is_right = kind == "out_of_memory"
        scene.tell(Row("too large a model ends as", kind, "", is_right, "out_of_memory"))
        after = asked(lax, scene.pytorch("starter"), 8)
        word = after.error or "an answer"
        scene.tell(Row("the next one gives", word[:200], "", after.error is None, "an answer"))
