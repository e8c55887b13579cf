"""The exceptions of the library, one small tree.

    MultiLLMError
    ├── ModelNotFoundError      no such model, or no such models directory
    ├── ModelLoadError          a model cannot be loaded
    │   └── EngineMissingError  its engine is not installed
    ├── InferenceError          generation failed
    │   ├── PromptTooLongError  the prompt does not fit the context
    │   └── MessageLostError    the chat template leaves a message out of the prompt
    ├── HubError                the hub cannot be asked, or a download failed
    └── ConfigurationError      a setting or a request is wrong (also a ValueError)

Every message says what happened, the likely cause, and what to do next.
"""

from __future__ import annotations


class MultiLLMError(Exception):
    """Base of everything that this library raises on purpose."""


class ModelNotFoundError(MultiLLMError):
    """No model answers to that id, name or path."""


class ModelLoadError(MultiLLMError):
    """A model's files cannot be turned into a running model."""


class EngineMissingError(ModelLoadError):
    """The engine that this model needs is not installed."""


class InferenceError(MultiLLMError):
    """A loaded model could not answer."""


class PromptTooLongError(InferenceError):
    """The rendered prompt has more tokens than the model's context holds."""


class MessageLostError(InferenceError):
    """The model's chat template makes a prompt without the text of a message."""


class HubError(MultiLLMError):
    """The hub cannot be asked, or what it sent cannot be used."""


class ConfigurationError(MultiLLMError, ValueError):
    """A setting, a settings file or a request is wrong."""
