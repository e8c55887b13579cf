"""The engines: which builds are installed, which answers, what each says, and their files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import mmap
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.diagnosis import flags
from comparator.diagnosis.children import ChildTold
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, Finding, ReportPart
from runners import registry
from runners.machine import native_build

_PACKAGES = {"llama_cpp": "llama-cpp-python"}
_BINARIES = ("lib/*.so*", "lib/*.dylib", "lib/*.dll", "*.so", "*.pyd")
_COMPILER = re.compile(rb"GCC: \([^)\0]{1,60}\) [\d.]+|(?:\w+ )?clang version [\d.]+")
_ANEW = "pip install --force-reinstall --no-cache-dir"
_HASHED = ("llama_cpp", "xllamacpp")  # torch's files are known by its commit
_JOBS = {"gguf": "describe_gguf", "pytorch": "describe_pytorch"}


@dataclass(frozen=True)
class EngineLibrary:
    """One library that can answer for an engine.

    Attributes:
        engine: the kind of models it answers for, as the registry names it.
        library: its import name.
        install: the command that installs it.
        missing: the import names that it needs and this Python lacks.
        chosen: whether models of its kind are given to it.
    """

    engine: str
    library: str
    install: str
    missing: tuple[str, ...]
    chosen: bool

    @property
    def package(self) -> str:
        """The name under which pip knows it."""
        return _PACKAGES.get(self.library, self.library)

    @property
    def again(self) -> str:
        """The command that installs it anew, whatever is installed or kept in a cache."""
        if self.library == "llama_cpp":
            return native_build.rebuild_command()
        return self.install.replace("pip install", _ANEW)


def builds() -> list[EngineLibrary]:
    """Return every library that there is a line for in the registry, installed or not.

    None is chosen where the environment names one that does not exist.
    """
    found = []
    for kind in _JOBS:
        first = registry.ENGINES[kind]
        chosen = _chosen(kind)
        for engine in (first, first.instead):
            if engine is not None:
                missing = tuple(name for name in engine.requires if not is_installed(name))
                is_chosen = chosen == engine.requires
                found.append(
                    EngineLibrary(kind, engine.requires[0], engine.install, missing, is_chosen)
                )
    return found


def _chosen(kind: str) -> tuple[str, ...]:
    try:
        return registry.engine(kind).requires
    except ConfigurationError:
        return ()


def is_installed(name: str) -> bool:
    """Return whether an import would find a module of that name; nothing is imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def questions(found: Iterable[EngineLibrary], use_gpu: bool) -> dict[str, tuple[str, str, bool]]:
    """Return what the children are asked, by library: only builds that are installed."""
    return {
        build.library: (_JOBS[build.engine], build.library, use_gpu)
        for build in found
        if not build.missing
    }


def engines(
    found: Collection[EngineLibrary],
    told: dict[str, ChildTold],
    answered_for: Collection[str],
    has_device: bool,
) -> ReportPart:
    """Return the facts of every build, and what is wrong with them.

    Args:
        found: the builds.
        told: what the children said, by library.
        answered_for: kinds of engines for which a trial ended well, by whatever build.
        has_device: whether there is an accelerator.
    """
    facts = [_facts(build, told.get(build.library)) for build in found]
    return ReportPart(facts, [*_about_choice(), *_about(found, told, answered_for, has_device)])


def _facts(build: EngineLibrary, told: ChildTold | None) -> dict[str, Any]:
    described = dict(told.described) if told else {}
    return {
        "engine": build.engine,
        "library": build.library,
        "package": build.package,
        "version": _version(build.package),
        "installed": not build.missing,
        "chosen": build.chosen,
        "usable": None if told is None else not told.trouble,
        "trouble": told.trouble if told else "",
        "built_with": described.get("built_with", {}),
        "transformers": described.get("transformers"),
        "threads": described.get("threads"),
        "gpu_offload": described.get("gpu_offload"),
        "devices": described.get("devices", []),
        "files": list(_files(build.library)) if build.library in _HASHED else [],
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _files(library: str) -> Iterator[dict[str, Any]]:
    """Yield the native files of a library, each once however many names it has."""
    seen = set()
    for path in sorted(_native(library), key=lambda path: len(path.name)):
        try:
            size, digest = path.stat().st_size, _sha256(path)
            compiler = _compiler(path) if size else ""
        except (OSError, ValueError):
            yield {"name": path.name, "bytes": None, "sha256": None, "compiler": ""}
            continue
        if digest not in seen:
            seen.add(digest)
            yield {"name": path.name, "bytes": size, "sha256": digest, "compiler": compiler}


def _native(library: str) -> Iterator[Path]:
    try:
        spec = importlib.util.find_spec(library)
    except (ImportError, ValueError):
        return
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for pattern in _BINARIES:
            yield from Path(folder).glob(pattern)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _compiler(path: Path) -> str:
    """Return what compiler a file names, as ELF files do in their section .comment."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _COMPILER.search(data)
        return found[0].decode("ascii", "replace") if found else ""


def _about_choice() -> list[Finding]:
    try:
        registry.engine("gguf")
    except ConfigurationError as error:
        return [Finding("engines", PREVENTS, str(error), f"unset {registry.CHOICE}")]
    return []


def _about(
    found: Collection[EngineLibrary],
    told: dict[str, ChildTold],
    answered_for: Collection[str],
    has_device: bool,
) -> Iterator[Finding]:
    for build in found:
        if build.missing:
            yield from _about_missing(build, found)
        elif build.library in told and told[build.library].trouble:
            yield _about_trouble(build, told[build.library].trouble, answered_for)
        elif build.library in told and build.chosen:
            yield from _about_features(build, told[build.library])
            yield from _about_gpu(build, told[build.library], has_device)


def _about_missing(build: EngineLibrary, found: Collection[EngineLibrary]) -> Iterator[Finding]:
    """Tell of a missing library where it is needed: to answer, or for what no other can do."""
    if build.chosen:
        names = " and ".join(build.missing)
        sentence = f"The {build.engine} engine needs {names}, which is not installed."
        yield Finding("engines", PREVENTS, sentence, build.install)
    elif build.library == "llama_cpp" and any(b.chosen and b.library == "xllamacpp" for b in found):
        sentence = (
            "GGUF models are answered by the prebuilt xllamacpp, which is built for any processor "
            "and cannot make quantisations; llama-cpp-python is not installed."
        )
        yield Finding("engines", LIMITS, sentence, build.install)


def _about_trouble(build: EngineLibrary, trouble: str, answered_for: Collection[str]) -> Finding:
    sentence = f"{build.package} is installed and cannot be used: {trouble}"
    severity = PREVENTS if build.chosen and build.engine not in answered_for else LIMITS
    return Finding("engines", severity, sentence, build.again)


def _about_features(build: EngineLibrary, told: ChildTold) -> Iterator[Finding]:
    """Compare what a build uses of a processor with what this processor has."""
    has = flags.processor_flags()
    if build.engine != "gguf" or not has:
        return
    used = {name for name, value in told.described.get("built_with", {}).items() if value != "0"}
    foreign = sorted(
        n for n in used & flags.FLAG_OF_FEATURE.keys() if flags.FLAG_OF_FEATURE[n] not in has
    )
    if foreign:
        sentence = (
            f"{build.package} was built for a processor with {', '.join(foreign)}, which this one "
            "does not have: it may end with an illegal instruction."
        )
        yield Finding("engines", LIMITS, sentence, build.again)
    unused = [
        name
        for name in flags.FEATURES_THAT_COUNT
        if flags.FLAG_OF_FEATURE[name] in has and name not in used
    ]
    if unused:
        yield _about_unused(build, unused)


def _about_unused(build: EngineLibrary, unused: list[str]) -> Finding:
    words = f"{build.package} does not use {', '.join(unused)} of this processor, and is slower"
    if build.library == "xllamacpp":
        first = registry.ENGINES["gguf"].install
        return Finding("engines", LIMITS, f"{words} than llama-cpp-python, built here.", first)
    return Finding("engines", LIMITS, f"{words} than it could be.", build.again)


def _about_gpu(build: EngineLibrary, told: ChildTold, has_device: bool) -> Iterator[Finding]:
    if not has_device or told.described.get("devices"):
        return
    if told.described.get("gpu_offload"):
        sentence = f"{build.package} was built for accelerators and finds none that it can use."
        yield Finding("engines", LIMITS, sentence, "nvidia-smi")
        return
    sentence = f"There is a GPU, and {build.package} was built without its use."
    yield Finding("engines", LIMITS, sentence, _with_gpu(build))


def _with_gpu(build: EngineLibrary) -> str:
    """Return the command that installs a build that can use an NVIDIA GPU."""
    if build.engine != "gguf":
        return build.again
    return f'CMAKE_ARGS="-DGGML_CUDA=on" {native_build.rebuild_command()}'


def sandbox(told: dict[str, ChildTold]) -> ReportPart:
    """Return what the children said about their sandbox, by library."""
    facts = [
        {"library": library, "state": answer.sandbox or None} for library, answer in told.items()
    ]
    findings = []
    for state in sorted({answer.sandbox for answer in told.values() if answer.sandbox}):
        if not state.startswith("on"):
            libraries = " and ".join(k for k, answer in told.items() if answer.sandbox == state)
            findings.append(_about_sandbox(libraries, state))
    return ReportPart(facts, findings)


def _about_sandbox(libraries: str, state: str) -> Finding:
    sentence = f"The sandbox of model processes ({libraries}) is {state}."
    if "GPU is used" in state:
        mend = "Switch use_gpu off for models that you do not trust."
        return Finding("sandbox", NOTE, sentence, mend)
    mend = (
        "Load only files that you trust, or run on Linux 5.13 or newer with Landlock among its "
        "security modules (kernel option lsm=landlock,…) and a container that permits seccomp."
    )
    return Finding("sandbox", LIMITS, sentence, mend)
