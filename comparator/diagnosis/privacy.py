"""What is taken out of a report before anybody sees it: it is made to be pasted in public.

Names of people and of the machine, the home folder, paths outside of the models folders, and
the values of variables that are secrets.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w.~:/\\-])(?:/|[A-Za-z]:\\)[^\s'\"`,;()\[\]{}<>|*]+")
_SHORTEST_SECRET = 4
_NOBODY_IN_PARTICULAR = {"root", "localhost", "user", ""}


class Redaction:
    """Takes out of text and of whole reports what nobody else should read.

    Args:
        models_dirs: folders whose paths may be shown.
        environment: the variables of this process.
        home: the user's home folder.
        names: names of the user and of this machine.
    """

    def __init__(
        self,
        models_dirs: Iterable[Path],
        environment: Mapping[str, str],
        home: str,
        names: Iterable[str],
    ) -> None:
        self._shown = tuple(str(folder) for folder in models_dirs if folder.is_absolute())
        self._home = home.rstrip("/\\")
        self._secrets = sorted(
            {part for name, value in environment.items() for part in _secrets(name, value)},
            key=len,
            reverse=True,
        )
        wanted = sorted({*names} - _NOBODY_IN_PARTICULAR, key=len, reverse=True)
        self._names = _words(wanted)

    def text(self, text: str) -> str:
        """Return text without what is private."""
        for secret in self._secrets:
            text = text.replace(secret, "")
        text = _PATH.sub(lambda found: self._path(found.group()), text)
        if self._home:
            text = text.replace(self._home, "~")
        return self._names.sub("", text) if self._names else text

    def whole(self, value: Any) -> Any:
        """Return lists, mappings and texts with every text in them redacted, keys excepted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.whole(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.whole(part) for part in value]
        return value

    def _path(self, path: str) -> str:
        """Return a path of the models folders as it is, of any other one its last part."""
        if any(_is_within(path, folder) for folder in self._shown):
            return path
        return "…/" + re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def of_this_machine(models_dirs: Iterable[Path]) -> Redaction:
    """Return what takes out the names of this user and machine."""
    return Redaction(models_dirs, os.environ, os.path.expanduser("~"), _names())


def _names() -> set[str]:
    names = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "HOSTNAME")}
    names |= {platform.node(), platform.node().partition(".")[0]}
    with contextlib.suppress(Exception):  # a user id that has no name
        names.add(getpass.getuser())
    with contextlib.suppress(Exception):
        names.add(_name_of_account())
    with contextlib.suppress(OSError):
        names.add(socket.gethostname())
    return names | {os.path.basename(os.path.expanduser("~").rstrip("/\\"))}


def _name_of_account() -> str:
    """Return the name that belongs to this user id, whatever the environment says."""
    import pwd  # noqa: PLC0415  # there is none on Windows

    return pwd.getpwuid(os.getuid()).pw_name


def _secrets(name: str, value: str) -> Iterable[str]:
    """Yield what must not be seen of a variable: all of it, and each password of a list."""
    if not SECRET_NAME.search(name):
        return
    pieces = [value, *value.splitlines(), *re.split(r"[\s:]+", value)]
    yield from (piece for piece in pieces if len(piece) >= _SHORTEST_SECRET)


def _words(names: list[str]) -> re.Pattern[str] | None:
    """Return what finds these names as whole words, in any case; None where there are none."""
    if not names:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/\\") + os.sep)
