"""A local-first experiment tracker: every number of every run, in one SQLite file.

import trackai

with trackai.init(project="my-project", config={"lr": 0.001}):
    for step in range(100):
        trackai.log({"loss": 1 / (step + 1)}, step=step)
"""

import importlib
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

if typing.TYPE_CHECKING:
    from trackai.sdk.active import config, finish, init, log, log_system
    from trackai.sdk.media import Audio, Histogram, Html, Image, Markdown, Table, Video
    from trackai.sdk.reading import Api
    from trackai.sdk.run import Run


__version__ = "0.1.0"

__all__ = [
    "Api",
    "Audio",
    "ConflictError",
    "ForeignDatabaseError",
    "Histogram",
    "Html",
    "Image",
    "InvalidInputError",
    "Markdown",
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
    "Table",
    "TrackAIError",
    "Video",
    "__version__",
    "config",
    "finish",
    "init",
    "log",
    "log_system",
]


# Where the rest comes from once it is asked for: the command line would wait for the event loop,
# and a training script for what it does not need.
_MODULES = {
    "Api": "trackai.sdk.reading",
    "Run": "trackai.sdk.run",
    "config": "trackai.sdk.active",
    "finish": "trackai.sdk.active",
    "init": "trackai.sdk.active",
    "log": "trackai.sdk.active",
    "log_system": "trackai.sdk.active",
    "Audio": "trackai.sdk.media",
    "Histogram": "trackai.sdk.media",
    "Html": "trackai.sdk.media",
    "Image": "trackai.sdk.media",
    "Markdown": "trackai.sdk.media",
    "Table": "trackai.sdk.media",
    "Video": "trackai.sdk.media",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'trackai' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value  # from now on without this function
    return value
