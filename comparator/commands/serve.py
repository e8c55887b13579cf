"""``comparator serve``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comparator.core.exceptions import ConfigurationError
from comparator.services.settings import Settings, deadlines_from, default_models_dir


def serve(
    models_dir: Path | None,
    share: bool,
    server_name: str | None,
    server_port: int | None,
    auth: Sequence[str],
    root_path: str | None,
    inbrowser: bool,
    limits: Sequence[float | None] = (),
) -> int:
    """Serve the page until it is ended; return the exit code."""
    settings = Settings(
        models_dir=(models_dir or default_models_dir()).absolute(),
        share=share,
        server_name=server_name,
        server_port=server_port,
        auth=tuple(_pair(text) for text in auth),
        root_path=root_path,
        inbrowser=inbrowser,
        deadlines=deadlines_from(*limits),
    )
    from comparator.ui import serve as serve_page

    serve_page(settings)
    return 0


def _pair(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ConfigurationError("--auth takes USER:PASSWORD, such as --auth anna:secret.")
    return user, password
