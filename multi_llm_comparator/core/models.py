"""Same objects as ``comparator.core.models``."""

from comparator.core.models import (
    InferenceResult as InferenceResult,
)
from comparator.core.models import (
    InferenceStats as InferenceStats,
)
from comparator.core.models import (
    ModelConfig as ModelConfig,
)
from comparator.core.models import (
    ModelInfo as ModelInfo,
)
from comparator.core.models import (
    ModelType as ModelType,
)
from comparator.core.models import (
    PromptReport as PromptReport,
)
from comparator.core.models import (
    RunState as RunState,
)
