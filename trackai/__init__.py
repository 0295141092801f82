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
    from trackai.reading.api import Api
    from trackai.sdk.active import alert, config, finish, init, log, log_artifact, log_system, save
    from trackai.sdk.artifacts import Artifact
    from trackai.sdk.compat import (
        AlertLevel,
        Settings,
        Summary,
        define_metric,
        login,
        setup,
        unwatch,
        watch,
    )
    from trackai.sdk.media import Audio, Histogram, Html, Image, Markdown, Table, Video
    from trackai.sdk.run import Run
    from trackai.sdk.show import show

    run: Run | None
    summary: Summary


__version__ = "0.1.0"

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
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
    "Settings",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreUnreachableError",
    "Table",
    "TrackAIError",
    "Video",
    "__version__",
    "alert",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "log_artifact",
    "log_system",
    "login",
    "save",
    "setup",
    "show",
    "unwatch",
    "watch",
]


# Where the rest comes from once it is asked for: the command line would wait for the event loop,
# and a training script for what it does not need.
_MODULES = {
    "Api": "trackai.reading.api",
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
    "AlertLevel": "trackai.sdk.compat",
    "Artifact": "trackai.sdk.artifacts",
    "Settings": "trackai.sdk.compat",
    "alert": "trackai.sdk.active",
    "define_metric": "trackai.sdk.compat",
    "log_artifact": "trackai.sdk.active",
    "login": "trackai.sdk.compat",
    "save": "trackai.sdk.active",
    "setup": "trackai.sdk.compat",
    "show": "trackai.sdk.show",
    "unwatch": "trackai.sdk.compat",
    "watch": "trackai.sdk.compat",
}
_OF_THE_ACTIVE_RUN = ("run", "summary")


if not typing.TYPE_CHECKING:  # with it, a type checker accepts every name

    def __getattr__(name: str) -> typing.Any:
        if name in _OF_THE_ACTIVE_RUN:
            from trackai.sdk import active

            return active.current_run() if name == "run" else active.active_summary()
        if name not in _MODULES:
            raise AttributeError(f"module 'trackai' has no attribute {name!r}")
        value = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value  # from now on without this function
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, *_OF_THE_ACTIVE_RUN})
