"""The fields of a slot's form: all settings on a page of one's own, fewer on a public one."""

from __future__ import annotations

from pathlib import Path

from comparator.core.setting_fields import FIELDS
from comparator.hosting.limits import OWNERS_SETTINGS, PublicLimits
from comparator.hosting.options import ServerOptions
from comparator.hosting.slot_fields import slot_fields


def test_ones_own_page_offers_every_setting() -> None:
    names = [field["name"] for field in slot_fields(ServerOptions(Path()))]
    assert names == [field.name for field in FIELDS]


def test_a_public_page_offers_what_its_limits_allow() -> None:
    limits = PublicLimits(tokens=20, context_tokens=100_000_000)
    fields = slot_fields(ServerOptions(Path(), public=True, limits=limits))
    by_name = {field["name"]: field for field in fields}
    assert not by_name.keys() & {*OWNERS_SETTINGS, "trust_remote_code"}
    assert (by_name["max_tokens"]["high"], by_name["max_tokens"]["may_be_none"]) == (20, False)
    assert by_name["n_ctx"]["high"] == 16_777_216
    assert by_name["seed"]["may_be_none"]
