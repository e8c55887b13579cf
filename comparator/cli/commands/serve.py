"""``comparator serve``."""

from __future__ import annotations

import os
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
from comparator.hosting.limits import limits_from
from comparator.hosting.options import (
    Settings,
    chosen_sources,
    deadlines_from,
    log_ins,
)


def command(
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
    share: Annotated[bool, typer.Option("--share", help="Open a public link to it.")] = False,
    server_name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address to listen on; 0.0.0.0 for all. Default: this machine only."),
    ] = None,
    server_port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Port. Default: the first free one from 7860."),
    ] = None,
    auth: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="USER:PASSWORD",
            help="Who may log in; repeatable. Default: COMPARATOR_AUTH, one on each line.",
        ),
    ] = None,
    root_path: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Path under which a proxy shows the page."),
    ] = None,
    inbrowser: Annotated[
        bool, typer.Option("--inbrowser", help="Open the page in your browser.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Behave as a page that everybody can reach.")
    ] = False,
    public_limit: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="NAME=NUMBER",
            help="What visitors of a public page may ask, such as tokens=256; repeatable.",
        ),
    ] = None,
    load_timeout: LoadTimeout = None,
    first_token_timeout: FirstTokenTimeout = None,
    token_timeout: TokenTimeout = None,
    total_timeout: TotalTimeout = None,
) -> int:
    """Open the page: choose up to four models, ask, compare."""
    settings = Settings(
        models_dir=own_folder(models_dir).absolute(),
        more_models_dirs=tuple(folder.absolute() for folder in (models_dir or ())[1:]),
        sources=chosen_sources(no_source or ()),
        share=share,
        server_name=server_name,
        server_port=server_port,
        auth=log_ins(auth or ()),
        root_path=root_path,
        inbrowser=inbrowser,
        public=public,
        limits=limits_from(public_limit or (), os.environ),
        deadlines=deadlines_from(load_timeout, first_token_timeout, token_timeout, total_timeout),
    )
    from comparator.ui import serve as serve_page

    serve_page(settings)
    return 0
