"""A package ``llama_cpp`` whose library has a fault, to be put first on the import path.

It is the installed one with ``standin_llama.c`` in the place of libllama, compiled here. What is
not faulty is llama.cpp itself, so that models answer as they do.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("standin_llama.c")


def compiler() -> str | None:
    """Return the C compiler, None where there is none."""
    return shutil.which("cc") or shutil.which("gcc")


def make(
    folder: Path,
    *,
    dies: bool,
    when_extra: bool = True,
    when_flash: bool = False,
    least_vocabulary: int = 0,
) -> Path:
    """Make the package and return the folder that belongs on the import path.

    Args:
        folder: where it is made.
        dies: by SIGSEGV at its first decode; else it computes wrong numbers.
        when_extra: only of models that were loaded with extra buffer types.
        when_flash: only with flash attention not switched off.
        least_vocabulary: only of models with so many tokens, such as real ones.
    """
    real = _installed()
    package = folder / "llama_cpp"
    shutil.copytree(real, package, ignore=shutil.ignore_patterns("lib", "__pycache__"))
    (package / "lib").mkdir()
    for path in (real / "lib").iterdir():
        if path.name != "libllama.so":
            (package / "lib" / path.name).symlink_to(path)
    _compile(
        real / "lib",
        package / "lib" / "libllama.so",
        {
            "DIES": int(dies),
            "WHEN_EXTRA": int(when_extra),
            "WHEN_FLASH": int(when_flash),
            "LEAST_VOCABULARY": least_vocabulary,
            **_layout(),
        },
    )
    return folder


def _installed() -> Path:
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _layout() -> dict[str, int]:
    import llama_cpp

    model, context = llama_cpp.llama_model_params, llama_cpp.llama_context_params
    return {
        "MODEL_PARAMS_BYTES": ctypes.sizeof(model),
        "CONTEXT_PARAMS_BYTES": ctypes.sizeof(context),
        "BATCH_BYTES": ctypes.sizeof(llama_cpp.llama_batch),
        "EXTRA_OFFSET": model.use_extra_bufts.offset,
        "FLASH_OFFSET": context.flash_attn_type.offset,
    }


def _compile(real: Path, target: Path, values: dict[str, int]) -> None:
    command = compiler()
    assert command
    defined = [f"-D{name}={value}" for name, value in values.items()]
    subprocess.run(
        [command, "-shared", "-fPIC", "-O1", *defined, str(SOURCE), "-o", str(target),
         "-Wl,--no-as-needed", f"-L{real}", "-l:libllama.so.0", f"-Wl,-rpath,{real}", "-ldl"],
        check=True,
        capture_output=True,
    )  # fmt: skip
