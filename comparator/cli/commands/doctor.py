"""``comparator doctor``."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from comparator.cli.commands.options import ModelsDirs, NoSource, own_folder
from comparator.core.exceptions import ConfigurationError
from comparator.diagnosis import doctor
from comparator.diagnosis.doctor import Probe
from comparator.diagnosis.places import Places
from comparator.diagnosis.values import PREVENTS, Finding, Report
from comparator.hosting.library.models_places import chosen_sources

_SOURCES_VARIABLE = "COMPARATOR_SOURCES"


def command(
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial/--no-trial", help="Try an engine that was not yet tried on this machine."
        ),
    ] = True,
    page: Annotated[
        bool, typer.Option("--page", help="Also examine what the page rests on: imports gradio.")
    ] = False,
) -> int:
    """Tell what is off in this installation and on this machine, and what mends it.

    Made to be pasted into a bug report: names of people and of this machine, the home folder,
    paths outside of your models folders and secrets are left out. Exits with 0 where every
    engine can answer, with 1 where something keeps one from it.
    """
    print("Asking the engines in processes of their own; this takes seconds.", file=sys.stderr)
    sources, wrong = _sources(no_source or ())
    folders = tuple(Path(os.path.abspath(p)) for p in models_dir or (own_folder(None),))
    asked = Places(folders, sources, named=bool(models_dir))
    report = doctor.examine(asked, probes=_probes(page), with_trial=trial, known=wrong)
    _print(report, as_json)
    return 0 if report.healthy else 1


def _sources(without: Sequence[str]) -> tuple[tuple[str, ...], list[Finding]]:
    """Return the sources, and what is wrong with the variable that names them.

    Raises:
        ConfigurationError: an option names a source that does not exist.
    """
    try:
        chosen_sources()
    except ConfigurationError as error:
        sentence = f"{_SOURCES_VARIABLE} is wrong, and no command runs: {error}"
        return (), [Finding("sources", PREVENTS, sentence, f"unset {_SOURCES_VARIABLE}")]
    return chosen_sources(without), []


def _probes(page: bool) -> dict[str, Probe]:
    """Return what asks the adapters of libraries; gradio's only where it may be imported."""
    asked = {"huggingface-hub": "comparator.hub.adapter"}
    if page:
        asked["gradio"] = "comparator.ui.adapter"
    return {
        library: functools.partial(_findings, module)
        for library, module in asked.items()
        if importlib.util.find_spec(module) is not None
    }


def _findings(module: str) -> Iterable[str]:
    findings: Iterable[str] = importlib.import_module(module).findings()
    return findings


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        json.dump(report.to_record(), sys.stdout, indent=2, ensure_ascii=False)
        print()
        return
    from comparator.cli.display import diagnosis

    diagnosis.show(report)
