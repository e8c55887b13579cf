"""Same objects as ``comparator.core.exceptions``."""

from comparator.core.exceptions import (
    ConfigurationError as ConfigurationError,
)
from comparator.core.exceptions import (
    EngineMissingError as EngineMissingError,
)
from comparator.core.exceptions import (
    InferenceError as InferenceError,
)
from comparator.core.exceptions import (
    MessageLostError as MessageLostError,
)
from comparator.core.exceptions import (
    ModelLoadError as ModelLoadError,
)
from comparator.core.exceptions import (
    ModelNotFoundError as ModelNotFoundError,
)
from comparator.core.exceptions import (
    MultiLLMError as MultiLLMError,
)
from comparator.core.exceptions import (
    PromptTooLongError as PromptTooLongError,
)
