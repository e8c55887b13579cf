"""What of the process's surroundings the page follows, decided before Gradio is imported.

Gradio reads dozens of environment variables, some while it is imported, and more with every
version: they start further processes, open a public link, hand out folders, edit the program.
Here three of them are read by ``hosting.address``, the rest is taken away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.address import refuse_bad_address
from comparator.hosting.options import LOCAL, ServerOptions

FOLLOWED = ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH")  # by our own reading
# What Gradio may read: where temporary files go, and the server of public links.
LEFT = ("GRADIO_TEMP_DIR", "GRADIO_SHARE_SERVER_ADDRESS")
# Uvicorn's: more workers, and whom it believes (we do that: hosting.proxies).
UVICORN = ("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS")
EVERYBODY = ("*",)
_NO_PROXY = ("no_proxy", "NO_PROXY")  # which of the two is read differs by library
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
SET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "FORWARDED_ALLOW_IPS": "",  # nobody; without the variable uvicorn believes this machine
}


def prepare(options: ServerOptions) -> None:
    """Refuse what cannot be served, and leave in the environment only what is followed.

    Raises:
        ConfigurationError: the address, the port or a models folder is not to be had.
    """
    for folder in (options.models_dir, *options.more_models_dirs):
        refuse_bad_folder(folder)
    refuse_bad_address(options.server_name or LOCAL, options.server_port)
    removed = follow_only_what_is_known(os.environ)
    if removed and not os.environ.get("SPACE_ID"):  # where its host always sets some
        sys.stderr.write(
            f"Not followed by this page: {', '.join(removed)}. What can be set is told by "
            "'comparator serve --help'.\n"
        )


def follow_only_what_is_known(environment: MutableMapping[str, str]) -> list[str]:
    """Take Gradio's and uvicorn's variables away; return the names of those that said anything."""
    names = [name for name in environment if name.startswith("GRADIO_") or name in UVICORN]
    removed = [name for name in names if name not in LEFT and not _is_ours(name, environment)]
    for name in (*removed, *FOLLOWED):
        environment.pop(name, None)
    environment.update(SET)
    return sorted(removed)


def _is_ours(name: str, environment: MutableMapping[str, str]) -> bool:
    return name in FOLLOWED or environment[name] == SET.get(name)


@contextmanager
def without_proxies(
    names: Sequence[str] = EVERYBODY, environment: MutableMapping[str, str] = os.environ
) -> Iterator[None]:
    """Let nobody in this program ask a proxy for these names; by default for none at all.

    Gradio makes a client while it is imported, and asks by one whether its page is there. Both
    would take the proxies of ``HTTP_PROXY`` and its like: they would be asked for 127.0.0.1,
    and one that cannot be read would end the program, although nothing is wanted of it.
    """
    before = {name: environment.get(name) for name in _NO_PROXY}
    known = next(filter(None, before.values()), "")
    environment.update(dict.fromkeys(_NO_PROXY, ",".join(filter(None, [known, *names]))))
    try:
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                environment.pop(name, None)
            else:
                environment[name] = earlier


def own_names(options: ServerOptions) -> tuple[str, ...]:
    """Return for which names no proxy is asked while a page is opened.

    That is all, unless a public link is opened too, for which others have to be asked.
    """
    if not options.share:
        return EVERYBODY
    return (*_LOOPBACK_NAMES, (options.server_name or LOCAL).strip("[]"))


def refuse_bad_folder(folder: Path) -> None:
    """Look whether a models folder can be read; one that is not there yet may still be made.

    Raises:
        ConfigurationError: it is a file, lies below one, or may not be read.
    """
    try:
        is_folder = folder.is_dir()
        in_the_way = not is_folder and _file_in_the_way(folder)
    except OSError as error:
        raise ConfigurationError(
            f"The models folder {folder} cannot be looked at: {error.strerror or error}. {_NAME}"
        ) from error
    if in_the_way:
        raise ConfigurationError(
            f"The models folder {folder} is no folder, since {in_the_way} is none. {_NAME}"
        )
    if is_folder and not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigurationError(
            f"The models folder {folder} may not be read by this user. Change its permissions "
            f"(chmod u+rx), or: {_NAME}"
        )


_NAME = "Name a folder with --models-dir or COMPARATOR_MODELS_DIR."


def _file_in_the_way(folder: Path) -> Path | None:
    """Return the first part of a path that is there and no folder."""
    for part in (*reversed(folder.absolute().parents), folder.absolute()):
        if os.path.lexists(part) and not part.is_dir():
            return part
    return None
