# Sourced by the scripts beside it: makes .venv and installs what the group needs, once.
# A stamp with the sums of what decides the contents makes the next start quick.

set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

need_tools() {
    missing=""
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    if [ -n "$missing" ]; then
        echo "Missing:$missing. On Debian or Ubuntu:" >&2
        echo "  sudo apt-get install -y python3-venv python3-dev build-essential cmake" >&2
        exit 1
    fi
}

# install NAME PIP_ARGUMENTS...: into .venv, unless NAME was installed from the same files.
install() {
    name=$1
    shift
    need_tools "$PYTHON"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "Python 3.10 or newer is needed; set PYTHON to one." >&2
        exit 1
    }
    if [ ! -x .venv/bin/python ]; then
        "$PYTHON" -m venv .venv || {
            echo "On Debian or Ubuntu: sudo apt-get install -y python3-venv" >&2
            exit 1
        }
    fi
    stamp=".venv/installed-$name"
    sums=$(cat pyproject.toml constraints.txt scripts/environment.sh | cksum; pwd)
    if [ "$(cat "$stamp" 2>/dev/null || true)" != "$sums" ]; then
        need_tools cc cmake
        echo "Installing into .venv (llama-cpp-python is compiled the first time: 5 to 10 minutes)…" >&2
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "pip==$PIP_VERSION"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            -c constraints.txt "$@"
        printf '%s\n' "$sums" >"$stamp"
    fi
}

PIP_VERSION=25.3 # the first pip with --group is 25.1
