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

_SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_LIMITS_OF_OURS = "COMPARATOR_PUBLIC_"  # numbers, such as COMPARATOR_PUBLIC_TOKENS
_MARK = "\0"  # stands in the place of a models folder, which may have blanks in its name
_PATH = re.compile(r"(?<![\w.~:/\\\0-])(?:/|[A-Za-z]:\\)[^\s'\"`,;()\[\]{}<>|*]+")
_AFTER_FOLDER = r"(?=[/\\\s'\",;:)]|\.?$|\.\s)"
_SHORTEST_SECRET = 4
_ANYWHERE = 8  # characters from which on a secret is taken out of the middle of a word, too
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
        shown = sorted({str(f) for f in models_dirs if f.is_absolute()}, key=len, reverse=True)
        self._shown = [re.compile(re.escape(folder) + _AFTER_FOLDER) for folder in shown]
        self._folders = shown
        self._home = home.rstrip("/\\")
        secrets = {part for name, value in environment.items() for part in _secrets(name, value)}
        self._secrets = _any_of(secret for secret in secrets if len(secret) >= _ANYWHERE)
        words = {*names, *(secret for secret in secrets if len(secret) < _ANYWHERE)}
        self._words = _any_of(words - _NOBODY_IN_PARTICULAR, whole_words=True)

    def text(self, text: str) -> str:
        """Return text without what is private."""
        text = self._secrets.sub("", text.replace(_MARK, ""))
        for number, folder in enumerate(self._shown):
            text = folder.sub(f"{_MARK}{number}{_MARK}", text)
        text = _PATH.sub(_last_part, text)
        for number, name in enumerate(self._folders):
            text = text.replace(f"{_MARK}{number}{_MARK}", name)
        if self._home:
            text = text.replace(self._home, "~")
        return self._words.sub("", text)

    def whole(self, value: Any) -> Any:
        """Return lists, mappings and texts with every text in them redacted, keys excepted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.whole(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.whole(part) for part in value]
        return value


def _last_part(path: re.Match[str]) -> str:
    return "…/" + re.split(r"[/\\]", path[0].rstrip("/\\"))[-1]


def is_secret(name: str) -> bool:
    """Return whether the value of a variable of this name must never be told."""
    return bool(_SECRET_NAME.search(name)) and not name.startswith(_LIMITS_OF_OURS)


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
    if is_secret(name):
        pieces = [value, *value.splitlines(), *re.split(r"[\s:]+", value)]
        yield from (piece for piece in pieces if len(piece) >= _SHORTEST_SECRET)


def _any_of(texts: Iterable[str], whole_words: bool = False) -> re.Pattern[str]:
    """Return what finds these texts, the longest first; nothing where there are none."""
    longest_first = sorted(texts, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first)) or r"(?!)"
    if whole_words:
        pattern = rf"(?<!\w)(?:{pattern})(?!\w)"
    return re.compile(pattern, re.IGNORECASE if whole_words else 0)
