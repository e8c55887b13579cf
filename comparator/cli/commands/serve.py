"""``comparator serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from comparator.cli.commands.options import (
    FirstTokenTimeout,
    LoadTimeout,
    ModelsDirs,
    NoSource,
    TokenTimeout,
    TotalTimeout,
    own_folder,
)
from comparator.core.exceptions import ConfigurationError
from comparator.hosting import address
from comparator.hosting.limits import limits_from
from comparator.hosting.options import (
    ServerOptions,
    chosen_sources,
    deadlines_from,
    log_ins,
    wants_mcp,
)
from comparator.hosting.proxies import trusted_addresses
from runners.timeouts import KEEP_WARM_SECONDS

Share = Annotated[bool, typer.Option("--share", help="Open a public link to it.")]
ServerName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        help="Address to listen on; 0.0.0.0 for all. Default: GRADIO_SERVER_NAME, else this "
        "machine only."
    ),
]
ServerPort = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Port. Default: GRADIO_SERVER_PORT, else the first free from 7860."),
]
LogIns = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="USER:PASSWORD",
        help="Who may log in; repeatable. Default: COMPARATOR_AUTH, one on each line.",
    ),
]
RootPath = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Path under which a proxy shows the page. Default: GRADIO_ROOT_PATH."),
]
TrustedProxy = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="ADDRESS",
        help="A proxy whose word on a visitor's address is taken: an address, a network or "
        "*; repeatable. Default: COMPARATOR_TRUSTED_PROXIES.",
    ),
]
PublicLimit = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="NAME=NUMBER",
        help="What visitors of a public page may ask, such as tokens=256; repeatable.",
    ),
]
KeepWarm = Annotated[
    float,
    typer.Option(
        metavar="MINUTES",
        min=0.0,
        help="How long an engine's libraries stay in memory that nobody uses (up to 250 MB each): "
        "the next question is answered sooner. 0: not at all.",
    ),
]

NoHistory = Annotated[
    bool,
    typer.Option(
        "--no-history", help="Keep no comparisons. COMPARATOR_HISTORY=off says it for all commands."
    ),
]
Mcp = Annotated[
    bool,
    typer.Option(
        "--mcp",
        help="Offer the endpoints as tools for MCP clients, too; on a page of this machine alone. "
        "COMPARATOR_MCP=1 says the same.",
    ),
]


def command(
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
    share: Share = False,
    server_name: ServerName = None,
    server_port: ServerPort = None,
    auth: LogIns = None,
    root_path: RootPath = None,
    trusted_proxy: TrustedProxy = None,
    inbrowser: Annotated[
        bool, typer.Option("--inbrowser", help="Open the page in your browser.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Behave as a page that everybody can reach.")
    ] = False,
    public_limit: PublicLimit = None,
    load_timeout: LoadTimeout = None,
    first_token_timeout: FirstTokenTimeout = None,
    token_timeout: TokenTimeout = None,
    total_timeout: TotalTimeout = None,
    keep_warm: KeepWarm = KEEP_WARM_SECONDS / 60,
    no_history: NoHistory = False,
    mcp: Mcp = False,
) -> int:
    """Open the page: choose up to four models, ask, compare."""
    for folder in models_dir or ():
        _refuse_missing(folder)
    server_options = ServerOptions(
        models_dir=own_folder(models_dir).absolute(),
        more_models_dirs=tuple(folder.absolute() for folder in (models_dir or ())[1:]),
        sources=chosen_sources(no_source or ()),
        share=share,
        server_name=address.server_name(server_name),
        server_port=address.server_port(server_port),
        auth=log_ins(auth or ()),
        root_path=address.root_path(root_path),
        trusted_proxies=trusted_addresses(trusted_proxy or ()),
        inbrowser=inbrowser,
        public=public,
        limits=limits_from(public_limit or (), os.environ),
        deadlines=deadlines_from(load_timeout, first_token_timeout, token_timeout, total_timeout),
        keep_warm_minutes=keep_warm,
        keeps_history=not no_history,
        mcp=wants_mcp(mcp),
    )
    from comparator.ui import serve as serve_page

    serve_page(server_options)
    return 0


def _refuse_missing(folder: Path) -> None:
    """Refuse a folder that was named here and is not there: most likely it is misspelt."""
    if not os.path.lexists(folder):
        raise ConfigurationError(
            f"There is no models folder at {folder}. Is it spelt right? To make it, with four "
            f"small models to begin with: comparator starter --models-dir {folder}"
        )
