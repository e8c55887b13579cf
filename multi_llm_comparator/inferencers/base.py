"""Same objects as ``runners.base``."""

from runners.base import (
    BaseInferencer as BaseInferencer,
)
from runners.base import (
    End as End,
)
from runners.base import (
    PromptTokens as PromptTokens,
)
from runners.base import (
    TokenText as TokenText,
)
