"""llama.cpp for the GPU that is here, compiled from carried sources while other steps run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

# So that what is measured meanwhile has cores of its own.
LEFT_CORES = 4
_LAST_CHARACTERS = 300


class Build:
    """A build that goes on in the background.

    Args:
        carried: the folder of ``scripts/gpu_carry``.
        site: where the package is installed.
        log: where the compiler's words go.
    """

    def __init__(self, carried: Path, site: Path, log: Path) -> None:
        self._log = log
        sources = sorted(carried.glob("llama_cpp_python-*.tar.gz"))
        if not sources:
            raise SystemExit(f"There is no source of llama-cpp-python in {carried}.")
        with open(log, "wb") as output:
            self._process = subprocess.Popen(
                command(sources[-1], site),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment(dict(os.environ), os.cpu_count() or 1),
                start_new_session=True,
            )

    def is_done(self, seconds: float) -> str:
        """Wait for so long; return why there is no library, or nothing."""
        end = time.monotonic() + max(0.0, seconds)
        while self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        if self._process.poll() is None:
            return "llama.cpp was not compiled in time."
        if self._process.returncode:
            told = self._log.read_text("utf-8", "replace").strip()[-_LAST_CHARACTERS:]
            return f"llama.cpp could not be compiled: {' '.join(told.split())}"
        return ""

    def end(self) -> None:
        """End it where it still goes on."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)
        self._process.wait()


def command(source: Path, site: Path) -> list[str]:
    """Return how the package is compiled and installed without a network."""
    return [
        *("nice", "-n", "19", sys.executable, "-m", "pip", "install", "--no-index", "--no-deps"),
        *("--no-build-isolation", "--no-cache-dir", "--no-compile", "--target", str(site)),
        str(source),
    ]


def environment(given: dict[str, str], cores: int) -> dict[str, str]:
    """Return the variables for CMake: CUDA, for the GPU that is here alone, on most cores."""
    jobs = max(1, cores - LEFT_CORES)
    arguments = (
        "-DGGML_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=native -DGGML_NATIVE=ON "
        "-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TOOLS=OFF "
        "-DLLAMA_CURL=OFF -DLLAVA_BUILD=OFF -DGGML_CUDA_FA_ALL_QUANTS=OFF"
    )
    return {**given, "CMAKE_ARGS": arguments, "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs)}
