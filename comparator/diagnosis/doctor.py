"""The whole diagnosis: every part is collected, each survives what is missing, names are taken out.

The parent imports no library of models here; what those say is asked in children.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from comparator.diagnosis import (
    children,
    engines,
    machine,
    places,
    privacy,
    settings,
    trials,
    versions,
)
from comparator.diagnosis.places import Places
from comparator.diagnosis.values import LIMITS, Finding, Report, ReportPart, report_of, survived
from runners.machine import nvml

# Asks a library's adapter what does not behave as it should; each answer is a sentence.
Probe = Callable[[], Iterable[str]]
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def examine(
    asked: Places,
    probes: Mapping[str, Probe] | None = None,
    with_trial: bool = True,
    known: Sequence[Finding] = (),
) -> Report:
    """Examine this machine and this installation; names and paths are taken out of the report.

    Takes some seconds, in which children load the libraries of the engines.

    Args:
        asked: where models are looked for.
        probes: what asks the adapters of libraries, by the library's name.
        with_trial: try engines that were not yet tried on this machine.
        known: what the caller has found already.
    """
    whole = report_of(
        [("known", ReportPart(None, [*known])), *_parts(asked, probes or {}, with_trial)]
    )
    del whole.parts["known"]
    redaction = privacy.of_this_machine(asked.models_dirs)
    findings = [
        Finding(f.about, f.severity, redaction.text(f.sentence), redaction.text(f.mend))
        for f in whole.findings
    ]
    return Report(redaction.whole(whole.parts), findings)


def _parts(
    asked: Places, probes: Mapping[str, Probe], with_trial: bool
) -> Iterable[tuple[str, ReportPart]]:
    yield "system", survived("system", machine.system)
    yield "processor", survived("processor", machine.cpu)
    yield "memory", survived("memory", machine.ram)
    yield "held", survived("held", machine.held)
    yield "devices", survived("devices", machine.devices)
    yield from _engines(with_trial)
    yield "folders", survived("folders", lambda: places.folders(asked))
    yield "stores", survived("stores", places.stores)
    yield from _models(asked)
    yield "versions", survived("versions", versions.versions)
    yield "environment", survived("environment", settings.settings)
    yield "probes", survived("probes", lambda: asked_adapters(probes))


def _engines(with_trial: bool) -> Iterable[tuple[str, ReportPart]]:
    """Yield the parts about engines: the children have ended before the trials measure."""
    has_device = has_accelerator()
    found: list[engines.EngineLibrary] = []
    told: dict[str, children.ChildTold] = {}

    def ask() -> ReportPart:
        found.extend(engines.builds())
        told.update(children.ask_all(engines.questions(found, use_gpu=has_device)))
        return ReportPart()

    asked = survived("engines", ask)
    tried = survived("trials", lambda: trials.trials(with_trial))
    answered_for = trials.answered_for(tried)
    built = survived("engines", lambda: engines.engines(found, told, answered_for, has_device))
    yield "engines", ReportPart(built.facts, [*asked.findings, *built.findings])
    yield "sandbox", survived("sandbox", lambda: engines.sandbox(told))
    yield "trials", tried


def has_accelerator() -> bool:
    """Return whether there is a GPU that a driver or a device file tells of."""
    return bool(nvml.devices()) or any(os.path.exists(path) for path in _DEVICE_FILES)


def _models(asked: Places) -> Iterable[tuple[str, ReportPart]]:
    found: list[Any] = []

    def collect() -> ReportPart:
        part, models = places.models(asked)
        found.extend(models)
        return part

    part = survived("models", collect)
    yield "sources", survived("sources", lambda: places.sources(asked, found))
    yield "models", part


def asked_adapters(probes: Mapping[str, Probe]) -> ReportPart:
    """Return what the adapters of libraries found, as findings; a probe that breaks is one."""
    findings = []
    for library, probe in probes.items():
        part = survived("probes", lambda probe=probe: ReportPart(list(probe())))  # type: ignore[misc]
        findings += part.findings
        findings += [_about_probe(library, sentence) for sentence in part.facts or ()]
    return ReportPart(sorted(probes), findings)


def _about_probe(library: str, sentence: str) -> Finding:
    pinned = versions.tested_versions().get(library)
    mend = f"pip install {library}=={pinned}" if pinned else f"pip install --upgrade {library}"
    return Finding("probes", LIMITS, sentence, mend)
