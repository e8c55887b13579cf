"""A hub of this machine for the tests of what is read from it."""

from __future__ import annotations

from local_hub_fixture import hub

__all__ = ["hub"]
