"""What is said at a fork server's door, apart from its life: the parent needs no more of it."""

from __future__ import annotations

import struct

NUMBER = struct.Struct("q")  # a process id, an exit code, or less than 0: an error number
REQUEST = b"fork"
REST, GO_ON = b"rest", b"go on"
RESTING, READY = b"resting", b"ready"
