"""What the fork server of GGUF models imports, so that its children need not."""

from __future__ import annotations

from runners.engines.gguf import library

library.warm_up()
