"""A local-first experiment tracker: every number of every run, in one SQLite file.

import trackai

with trackai.init(project="my-project", config={"lr": 0.001}):
    for step in range(100):
        trackai.log({"loss": 1 / (step + 1)}, step=step)
"""

import typing

from trackai.errors import (
    ConflictError,
    ForeignDatabaseError,
    InvalidInputError,
    MissingExtraError,
    NewerSchemaError,
    NoActiveRunError,
    NotFoundError,
    OverloadedError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreUnreachableError,
    TrackAIError,
)
from trackai.sdk.active import config, finish, init, log, log_system
from trackai.sdk.run import Run

if typing.TYPE_CHECKING:
    from trackai.sdk.reading import Api


__version__ = "0.1.0"

__all__ = [
    "Api",
    "ConflictError",
    "ForeignDatabaseError",
    "InvalidInputError",
    "MissingExtraError",
    "NewerSchemaError",
    "NoActiveRunError",
    "NotFoundError",
    "OverloadedError",
    "Run",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreUnreachableError",
    "TrackAIError",
    "__version__",
    "config",
    "finish",
    "init",
    "log",
    "log_system",
]


def __getattr__(name: str) -> typing.Any:
    if name == "Api":  # a training script does not need it, and should not wait for it
        from trackai.sdk.reading import Api

        return Api
    raise AttributeError(f"module 'trackai' has no attribute {name!r}")
