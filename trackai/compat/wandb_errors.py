"""The exceptions of wandb. Those that TrackAI raises are `Error`s too."""

from __future__ import annotations

from trackai.errors import NotFoundError, TrackAIError

__all__ = ["AuthenticationError", "CommError", "ConfigError", "Error", "UnsupportedError",
           "UsageError"]  # fmt: skip

Error = TrackAIError
# What integrations expect of wandb's server if it does not have a run or an artifact.
CommError = NotFoundError


class AuthenticationError(CommError):
    """Never raised: runs on this machine need no login."""


class UsageError(TrackAIError):
    """A call that cannot work."""


class UnsupportedError(UsageError):
    """A feature of wandb that TrackAI does not have."""


class ConfigError(TrackAIError):
    """Never raised: the configuration of a run may be changed."""
