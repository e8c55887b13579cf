"""Which settings of its own a slot of the page may have, and within which bounds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from comparator.core.config import WITHOUT_A_LIMIT
from comparator.core.setting_fields import FIELDS, SettingField
from comparator.hosting.limits import OWNERS_SETTINGS
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import FOREIGN_CODE


def slot_fields(offered: ServerOptions) -> list[dict[str, Any]]:
    """Return the fields of a slot's form, ready for JSON: on a public page what its limits allow.

    The limits themselves judge what is sent, whatever a form says.
    """
    if not offered.is_public:
        return [asdict(field) for field in FIELDS]
    most = {"max_tokens": offered.limits.tokens, "n_ctx": offered.limits.context_tokens}
    kept = (field for field in FIELDS if field.name not in (*OWNERS_SETTINGS, FOREIGN_CODE))
    return [asdict(_bounded(field, most)) for field in kept]


def _bounded(field: SettingField, most: dict[str, int]) -> SettingField:
    if field.name not in WITHOUT_A_LIMIT:
        return field
    high = min(field.high or most[field.name], most[field.name])
    return replace(field, high=high, may_be_none=False)
