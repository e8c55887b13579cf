"""The import drawing of DESIGN.md section 3, the sizes of modules, and what an import costs."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("comparator", "runners", "multi_llm_comparator")
FILES = sorted(
    [
        *(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")),
        *REPOSITORY.glob("app.py"),
    ]
)
LONGEST_MODULE_LINES = 400
LONGEST_FUNCTION_LINES = 60
MOST_MODULES_OF_A_FOLDER = 24  # side by side; more are grouped by what they do
MODEL_LIBRARIES = {"torch", "transformers", "llama_cpp", "xllamacpp"}

# part of ours -> what it may import of ours. No arrow goes back.
VALUES = {"comparator.core"}
FILES_AND_STORES = VALUES | {"comparator.formats", "comparator.storage", "comparator.hub"}
LIBRARY = FILES_AND_STORES | {"comparator.library", "runners"}
RUNS = LIBRARY | {"comparator.memory", "comparator.comparison"}
DOORS = RUNS | {"comparator.services"}
MAY_IMPORT = {
    "app": {"comparator.cli", "comparator.ui", "comparator.hosting"},
    "comparator": {"comparator.core", "comparator.services", "runners", "comparator.cli"},
    "comparator.cli": DOORS
    | {"comparator", "comparator.diagnosis", "comparator.evaluation"}
    | {"comparator.hosting", "comparator.ui"},
    "comparator.ui": DOORS | {"comparator", "comparator.evaluation", "comparator.hosting"},
    "comparator.hosting": DOORS | {"comparator.evaluation"},
    "comparator.evaluation": DOORS,
    "comparator.diagnosis": DOORS | {"comparator"},
    "comparator.services": RUNS,
    "comparator.comparison": RUNS,
    "comparator.memory": LIBRARY,
    "comparator.library": FILES_AND_STORES | {"runners"},
    "comparator.hub": VALUES | {"comparator.formats"},
    "comparator.storage": VALUES,
    "comparator.formats": VALUES,
    "comparator.core": set(),
    "runners": VALUES | {"comparator.formats"},
    "multi_llm_comparator": {"comparator.core", "comparator.services", "runners"},
}
# What the comparator may use of runners: the parent's side, never an engine.
PARENTS_SIDE = {
    "runners.base",
    "runners.executor",
    "runners.exit_diagnosis",
    "runners.machine.cores",
    "runners.machine.memory",
    "runners.machine.native_build",
    "runners.machine.nvml",
    "runners.machine.page_cache",
    "runners.machine.processor",
    "runners.machine.processor_share",
    "runners.machine.temporary",
    "runners.process",
    "runners.protocol",
    "runners.registry",
    "runners.safe_settings",
    "runners.supervision.fork_server",
    "runners.timeouts",
}
# Within two parts, folder by folder: what each may import of the part's other modules. An engine
# knows nothing of the other one, and nobody but a registry's line knows an engine.
ENGINES_USE = {"runners.base", "runners.engines", "runners.machine", "runners.protocol"}
A_RUN_USES = {"runners.exit_diagnosis", "runners.machine", "runners.protocol", "runners.registry"}
TABS_USE = {path.stem for path in (REPOSITORY / "comparator" / "ui").glob("*.py")}
WITHIN = {
    "runners.machine": set(),
    "runners.engines": {"runners.base", "runners.protocol"},
    "runners.engines.gguf": ENGINES_USE,
    "runners.engines.pytorch": ENGINES_USE,
    "runners.child": A_RUN_USES | {"runners.base", "runners.engines"},
    "runners.supervision": A_RUN_USES | {"runners.child", "runners.executor", "runners.timeouts"},
    **{
        f"comparator.ui.{tab}": {f"comparator.ui.{name}" for name in TABS_USE}
        for tab in ("compare", "hub", "library")
    },
    # What is asked again, and what a blind vote shows, is the board of the first tab.
    **{
        f"comparator.ui.{tab}": {f"comparator.ui.{name}" for name in (*TABS_USE, "compare")}
        for tab in ("evaluate", "history")
    },
}


def module_of(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the box of the drawing in which a module stands."""
    first, *rest = module.split(".")
    if first != "comparator" or not rest:
        return first
    return "comparator.cli" if rest[0] in ("cli", "__main__") else f"comparator.{rest[0]}"


@functools.cache
def imports_of(path: Path) -> tuple[tuple[str, bool], ...]:
    """Return every import of a file as a module's name, and whether it is inside a function."""
    return tuple(_imports(ast.parse(path.read_text("utf-8")), False))


def _imports(node: ast.AST, late: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            base = child.module or ""
            for alias in child.names:
                full = f"{base}.{alias.name}"
                yield (full if _is_module(full) else base), late
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue  # names for the type checker are imported by nobody
        else:
            inside = late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports(child, inside)


def _is_module(name: str) -> bool:
    place = REPOSITORY.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def roots(path: Path) -> dict[str, bool]:
    """Return the top packages that a file imports, and whether only inside functions."""
    found: dict[str, bool] = {}
    for name, late in imports_of(path):
        root = name.split(".")[0]
        found[root] = found.get(root, True) and late
    return found


def ids(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_the_walk_sees_the_project():
    assert len(FILES) > 40
    process = dict(imports_of(REPOSITORY / "runners" / "process.py"))
    assert {"dill", "runners.protocol", "comparator.core.exceptions"} <= set(process)


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_follow_the_drawing(path):
    part = part_of(module_of(path))
    allowed = MAY_IMPORT[part] | {part}
    for name, _late in imports_of(path):
        if name.split(".")[0] in (*PACKAGES, "app"):
            assert part_of(name) in allowed, f"{path}: {part} must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_libraries_are_imported_where_they_may_be(path):
    found, module = roots(path), module_of(path)
    if "gradio" in found:
        assert module.startswith("comparator.ui")
    if found.keys() & {"multiprocess", "multiprocessing"}:
        assert module == "runners.process" or module.startswith("runners.supervision.")
    for library in found.keys() & MODEL_LIBRARIES:
        assert module.startswith("runners.engines."), f"{module} imports {library}"
        assert found[library], f"{module} imports {library} at its top"
    if module.startswith("comparator.core"):
        assert found.keys() <= {*sys.stdlib_module_names, "comparator"}


def folder_of(module: str) -> str:
    """Return the folder among ``WITHIN`` in which a module stands, else the module's first three.

    Three names tell a module of ``comparator.ui``, and ``runners`` has two.
    """
    if found := [name for name in WITHIN if f"{module}.".startswith(f"{name}.")]:
        return max(found, key=len)
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "runners" else 3])


@pytest.mark.parametrize("folder", WITHIN)
def test_folders_within_a_part_know_each_other_as_drawn(folder: str):
    part = folder.rpartition(".")[0] if folder.startswith("comparator") else "runners"
    files = [path for path in FILES if folder_of(module_of(path)) == folder]
    assert files, f"there is no {folder}"
    for path in files:
        for name, _late in imports_of(path):
            if name.startswith(f"{part}.") and folder_of(name) != folder:
                assert folder_of(name) in WITHIN[folder], f"{path.name} must not import {name}"


def test_every_folder_of_the_two_parts_has_its_rule():
    parts = (REPOSITORY / "runners", REPOSITORY / "comparator" / "ui")
    folders = {
        module_of(place / "__init__.py")
        for part in parts
        for place in part.iterdir()
        if (place / "__init__.py").exists()
    }
    assert folders <= set(WITHIN)


def test_the_comparator_uses_the_parents_side_of_runners_alone():
    for path in (REPOSITORY / "comparator").rglob("*.py"):
        used = {name for name, _ in imports_of(path) if name.startswith("runners.")}
        assert used <= PARENTS_SIDE, f"{path.name} imports {sorted(used - PARENTS_SIDE)}"


LEAVES = (
    "protocol",
    "work",
    "timeouts",
    "base",
    "supervision/environment",
    "supervision/termination",
    "machine/control_groups",
    "machine/nvml",
    "machine/page_cache",
    "machine/processor",
)


@pytest.mark.parametrize("name", LEAVES)
def test_the_protocol_and_its_like_are_leaves(name):
    """They know nothing of ours but plain values: conversations, settings, models."""
    path = REPOSITORY / "runners" / f"{name}.py"
    ours = {n for n, _ in imports_of(path) if n.split(".")[0] in PACKAGES}
    ours -= {"runners.work"}  # what the protocol offers beside its messages, a leaf as well
    assert all(name.startswith("comparator.core.") for name in ours), ours


def test_the_protocol_needs_one_library():
    for name in ("protocol", "work"):
        found = roots(REPOSITORY / "runners" / f"{name}.py").keys()
        assert found <= {*sys.stdlib_module_names, "msgspec", "comparator", "runners"}


def test_no_modules_import_each_other_in_a_circle():
    ours = {
        module_of(path): {
            name
            for name, late in imports_of(path)
            if not late and name.split(".")[0] in PACKAGES and name != module_of(path)
        }
        for path in FILES
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for name in ours.get(module, ()):
                visit(name, (*way, module))
            done.add(module)

    for module in ours:
        visit(module, ())


def test_the_parent_never_unpickles():
    """No call in a module of the parent turns a child's bytes into objects."""
    forbidden_names = {"Manager", "Pool", "Pipe", "SimpleQueue", "JoinableQueue"}
    childs_side = {"answerer.py", "life.py", "registry.py", "fork_loop.py"}
    for path in FILES:
        if path.name in childs_side:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            called = f"{path.name}:{node.lineno} {owner}.{node.func.attr}"
            assert (owner, node.func.attr) not in {
                (library, function)
                for library in ("pickle", "dill", "cloudpickle", "marshal", "reduction")
                for function in ("load", "loads", "Unpickler")
            }, called
            if owner in ("multiprocess", "multiprocessing", "context", "connection"):
                assert node.func.attr not in forbidden_names, called
            if node.func.attr in ("recv", "recv_bytes", "recv_into"):
                # A socket's recv takes a size and yields bytes; a Connection's takes nothing.
                assert node.args, called


def test_nothing_is_evaluated_outside_the_child_that_is_made_for_it():
    for path in FILES:
        if module_of(path) == "runners.child.expressions":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_modules_and_functions_are_small(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            # The signature of a command is its table of options: there the body counts.
            first = node.body[0] if path.parts[-2:] == ("cli", "main.py") else node
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= LONGEST_FUNCTION_LINES, f"{node.name} has {length} lines"


def test_no_folder_has_more_modules_than_can_be_looked_over():
    sizes = Counter(path.parent for path in FILES if path.name != "__init__.py")
    large = [str(place) for place, size in sizes.items() if size > MOST_MODULES_OF_A_FOLDER]
    assert not large


def test_two_classes_of_the_comparator_never_have_one_name():
    """A name that means two things has to be learned twice; an engine's twins mean the same."""
    places: dict[str, list[str]] = {}
    for path in FILES:
        module = module_of(path)
        if path.parts[-1] == "__init__.py" or not module.startswith("comparator."):
            continue
        if module.startswith(("comparator.cli", "comparator.ui")):  # options, and rows of a view
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice


def test_the_folder_of_the_space_is_no_package():
    assert not (REPOSITORY / "spaces" / "__init__.py").exists()


def run_python(source: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "comparator",
        "comparator.cli.main",
        "comparator.cli.commands.doctor",
        "comparator.services.inference_engine",
        "comparator.services.model_manager",
        "multi_llm_comparator.services.inference_engine",
        "multi_llm_comparator.inferencers.base",
        "multi_llm_comparator.inferencers.pytorch_inferencer",
        "multi_llm_comparator.inferencers.gguf_inferencer",
    ],
)
def test_an_import_loads_nothing_heavy(module):
    heavy = {"torch", "transformers", "llama_cpp", "gradio", "numpy", "pandas"}
    source = f"import sys, {module}; print(sorted(set(sys.modules) & {heavy!r}))"
    assert run_python(source).strip() == "[]"


WITHOUT = """
import sys

BLOCKED = {"torch", "transformers", "llama_cpp", "xllamacpp", "gradio"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED | {"gguf", "pynvml"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name in BLOCKED else found(name, package)
)
import comparator.cli.main
from comparator.services.model_manager import ModelManager
from comparator.services.inference_engine import InferenceEngine

manager = ModelManager(sys.argv[1])
models = manager.scan_models()
print([(m.name, m.model_type.value, m.problem) for m in models])
for results in InferenceEngine().run_inference("hello", models):
    pass
for result in results.values():
    print(result.content or result.error)
"""


def test_without_the_engines_models_are_listed_and_the_command_is_named(tmp_path):
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "small.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    folder = tmp_path / "transformer"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (tmp_path / "e.echo.json").write_text("{}")
    listed, *told = run_python(WITHOUT, str(tmp_path)).splitlines()
    assert listed == (
        "[('e', 'echo', None), ('small', 'gguf', None), ('transformer', 'pytorch', None)]"
    )
    echo, gguf, pytorch = told
    assert echo == "hello"
    assert 'pip install "llama-cpp-python' in gguf
    assert 'pip install "torch' in pytorch
