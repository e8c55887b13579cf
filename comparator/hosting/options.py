"""How the page is served: one object, read from flags in one place."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import MOST_MODELS
from comparator.hosting.address import root_path, server_name, server_port
from comparator.hosting.library.models_places import chosen_sources as chosen_sources
from comparator.hosting.library.models_places import default_models_dir as default_models_dir
from comparator.hosting.limits import PublicLimits, limits_from
from comparator.hosting.proxies import TrustedProxies, trusted_addresses, trusted_proxies
from comparator.storage.retention import Retention
from runners.timeouts import KEEP_WARM_SECONDS, Deadlines

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class ServerOptions:
    """What ``comparator serve`` was asked for.

    Attributes:
        models_dir: the folder of our own, whose models are offered.
        more_models_dirs: further folders of the user's, which are only read.
        sources: the other programs whose models are offered, by key.
        share: open a public link through Gradio's tunnel.
        server_name: address to listen on, by default ``GRADIO_SERVER_NAME``; None is the
            loopback address.
        server_port: port, by default ``GRADIO_SERVER_PORT``; None takes the first free one
            from 7860.
        auth: pairs of user and password, by default those of the environment; empty for none.
        root_path: the path under which a proxy shows the page, by default
            ``GRADIO_ROOT_PATH``.
        keep_warm_minutes: how long an engine's libraries stay in memory that nobody uses.
        trusted_proxies: who may say where a visitor comes from, by default
            ``COMPARATOR_TRUSTED_PROXIES``: addresses, networks, or ``*``.
        inbrowser: open the page in a browser.
        comparisons_at_once: how many comparisons run at a time; the others wait in line. One
            takes all free cores, so that two would each be far less than half as fast.
        line_length: how many may wait, on a public page at most its limit ``waiting``.
        deadlines: how long each stage of a run may take.
        public: behave as a page that others can reach, also where only this machine can.
        limits: what visitors of such a page may ask.
        keeps_history: whether comparisons are kept, where COMPARATOR_HISTORY does not forbid it.
        mcp: offer the endpoints as tools of the Model Context Protocol, too.
    """

    models_dir: Path
    share: bool = False
    server_name: str | None = field(default_factory=lambda: server_name())
    server_port: int | None = field(default_factory=lambda: server_port())
    auth: tuple[tuple[str, str], ...] = field(default_factory=lambda: log_ins())
    root_path: str | None = field(default_factory=lambda: root_path())
    inbrowser: bool = False
    comparisons_at_once: int = 1
    line_length: int = 32
    deadlines: Deadlines = field(default_factory=Deadlines)
    more_models_dirs: tuple[Path, ...] = ()
    sources: tuple[str, ...] = field(default_factory=lambda: chosen_sources())
    public: bool = False
    limits: PublicLimits = field(default_factory=lambda: limits_from((), os.environ))
    keep_warm_minutes: float = KEEP_WARM_SECONDS / 60
    trusted_proxies: tuple[str, ...] = field(default_factory=lambda: trusted_addresses())
    keeps_history: bool = True
    mcp: bool = field(default_factory=lambda: wants_mcp())

    @property
    def retention(self) -> Retention:
        """Return how much of the history is kept.

        Raises:
            ConfigurationError: a variable of the environment is wrong.
        """
        said = Retention.of(os.environ)
        return replace(said, is_on=said.is_on and self.keeps_history)

    @property
    def proxies(self) -> TrustedProxies:
        """Return whose word on a visitor's address is taken."""
        return trusted_proxies(
            self.trusted_proxies,
            on_a_space=bool(os.environ.get("SPACE_ID")),
            share=self.share,
            root_path=bool(self.root_path),
        )

    @property
    def offered_dirs(self) -> tuple[Path, ...]:
        """Return the further folders that visitors are offered: none on a public page."""
        return () if self.is_public else self.more_models_dirs

    @property
    def offered_sources(self) -> tuple[str, ...]:
        """Return the programs whose models visitors are offered: none on a public page."""
        return () if self.is_public else self.sources

    @property
    def allowed_deadlines(self) -> Deadlines:
        """Return how long each stage may take: on a public page a whole run is bounded too."""
        return self.limits.deadlines(self.deadlines) if self.is_public else self.deadlines

    @property
    def allowed_line_length(self) -> int:
        """Return how many comparisons may wait."""
        return min(self.line_length, self.limits.waiting) if self.is_public else self.line_length

    @property
    def most_models(self) -> int:
        """Return how many models one comparison may have: the columns that the page offers."""
        return min(MOST_MODELS, self.limits.models) if self.is_public else MOST_MODELS

    @property
    def usual_settings(self) -> ModelConfig:
        """Return the settings that the page offers before anything is changed."""
        return self.limits.usual_settings if self.is_public else ModelConfig()

    @property
    def is_public(self) -> bool:
        """Whether others than this machine's users can reach the page.

        So it is with a share link, behind a proxy, on a Space, and on any address that is not
        this machine's own; a log-in makes no difference.
        """
        if self.public or self.share or self.root_path or self.trusted_proxies:
            return True
        return bool(os.environ.get("SPACE_ID")) or not _is_loopback(self.server_name or LOCAL)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def wants_mcp(asked: bool = False) -> bool:
    """Return whether the endpoints are tools as well: where asked for, or COMPARATOR_MCP is 1."""
    return asked or os.environ.get("COMPARATOR_MCP", "").strip().lower() in ("1", "on", "true")


def log_ins(texts: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return who may log in: those given, else those of ``COMPARATOR_AUTH``, one on each line.

    Args:
        texts: ``USER:PASSWORD`` each.

    Raises:
        ConfigurationError: one of them is written otherwise.
    """
    return tuple(map(_pair, texts or os.environ.get("COMPARATOR_AUTH", "").splitlines()))


def _pair(text: str) -> tuple[str, str]:
    user, colon, password = text.strip().partition(":")
    if not (user and colon and password):
        raise ConfigurationError(
            "--auth and COMPARATOR_AUTH take USER:PASSWORD, such as anna:secret."
        )
    return user, password


def deadlines_from(
    load: float | None = None,
    first_token: float | None = None,
    token: float | None = None,
    total: float | None = None,
) -> Deadlines:
    """Return the deadlines with those that were given, in seconds; 0 turns one off.

    Raises:
        ConfigurationError: names the limit that is no number of seconds.
    """
    given = {
        "load_seconds": load,
        "first_token_seconds": first_token,
        "between_tokens_seconds": token,
        "total_seconds": total,
    }
    try:
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(Deadlines(), **chosen)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
