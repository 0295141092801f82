"""A local-first experiment tracker: every number of every run, in one SQLite file.

Log a run:

    import trackai

    with trackai.init(project="my-project", config={"lr": 0.001}):
        for step in range(100):
            trackai.log({"loss": 1 / (step + 1)}, step=step)

Look at it in the dashboard:

    trackai.show()

Read it back:

    run = trackai.Api().run("latest")
    run.history("loss").to_pandas()

`trackai.run` is the active run, and `trackai.summary` its summary.
"""

import sys
import typing

from trackai import script_end as _script_end  # noqa: F401 - to register its atexit handler
from trackai.errors import (
    ConflictError,
    DiskFullError,
    ForeignDatabaseError,
    InvalidInputError,
    MissingExtraError,
    NewerSchemaError,
    NoActiveRunError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProjectNotFoundError,
    RunNotFoundError,
    ServerRefusedError,
    ServerUnreachableError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreUnreachableError,
    TrackAIError,
)
from trackai.lazy_imports import import_lazily as _import_lazily
from trackai.lazy_imports import refuse_late_call as _refuse_late_call

if typing.TYPE_CHECKING:
    from trackai.compat.install import install_as
    from trackai.reading.api import Api
    from trackai.sdk.active import (
        alert,
        config,
        finish,
        init,
        link_model,
        log,
        log_artifact,
        log_cpu,
        log_gpu,
        log_model,
        log_system,
        save,
        use_artifact,
        use_model,
    )
    from trackai.sdk.alerts import AlertLevel
    from trackai.sdk.annotations import Classes
    from trackai.sdk.artifacts import Artifact
    from trackai.sdk.histogram import Histogram
    from trackai.sdk.ignored_calls import (
        Graph,
        JoinedTable,
        Settings,
        define_metric,
        login,
        setup,
        unwatch,
        watch,
    )
    from trackai.sdk.media import Audio, Html, Image, Markdown, Plotly, VegaLite, Video
    from trackai.sdk.plot import plot, plot_table
    from trackai.sdk.run import Run
    from trackai.sdk.show import show
    from trackai.sdk.solids import Molecule, Object3D, box3d
    from trackai.sdk.stored_projects import delete_project, import_csv, import_tf_events
    from trackai.sdk.summary import Summary
    from trackai.sdk.table import Table
    from trackai.sdk.trace import Trace

    run: Run | None
    summary: Summary


__version__ = "0.1.0"

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "Audio",
    "Classes",
    "ConflictError",
    "DiskFullError",
    "ForeignDatabaseError",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "InvalidInputError",
    "JoinedTable",
    "Markdown",
    "MissingExtraError",
    "Molecule",
    "NewerSchemaError",
    "NoActiveRunError",
    "NotFoundError",
    "Object3D",
    "OverloadedError",
    "PermissionDeniedError",
    "Plotly",
    "ProjectNotFoundError",
    "Run",
    "RunNotFoundError",
    "ServerRefusedError",
    "ServerUnreachableError",
    "Settings",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreUnreachableError",
    "Table",
    "Trace",
    "TrackAIError",
    "VegaLite",
    "Video",
    "__version__",
    "alert",
    "box3d",
    "config",
    "define_metric",
    "delete_project",
    "finish",
    "import_csv",
    "import_tf_events",
    "init",
    "install_as",
    "link_model",
    "log",
    "log_artifact",
    "log_cpu",
    "log_gpu",
    "log_model",
    "log_system",
    "login",
    "plot",
    "plot_table",
    "save",
    "setup",
    "show",
    "unwatch",
    "use_artifact",
    "use_model",
    "watch",
]


# The modules of the other names. They are imported on first use, so that the command line does not
# wait for the event loop, nor a training script for modules that it does not need.
_MODULES = {
    "install_as": "trackai.compat.install",
    "Api": "trackai.reading.api",
    "alert": "trackai.sdk.active",
    "config": "trackai.sdk.active",
    "finish": "trackai.sdk.active",
    "init": "trackai.sdk.active",
    "link_model": "trackai.sdk.active",
    "log": "trackai.sdk.active",
    "log_artifact": "trackai.sdk.active",
    "log_cpu": "trackai.sdk.active",
    "log_gpu": "trackai.sdk.active",
    "log_model": "trackai.sdk.active",
    "log_system": "trackai.sdk.active",
    "save": "trackai.sdk.active",
    "use_artifact": "trackai.sdk.active",
    "use_model": "trackai.sdk.active",
    "AlertLevel": "trackai.sdk.alerts",
    "Classes": "trackai.sdk.annotations",
    "Artifact": "trackai.sdk.artifacts",
    "Histogram": "trackai.sdk.histogram",
    "define_metric": "trackai.sdk.ignored_calls",
    "Graph": "trackai.sdk.ignored_calls",
    "JoinedTable": "trackai.sdk.ignored_calls",
    "login": "trackai.sdk.ignored_calls",
    "Settings": "trackai.sdk.ignored_calls",
    "setup": "trackai.sdk.ignored_calls",
    "unwatch": "trackai.sdk.ignored_calls",
    "watch": "trackai.sdk.ignored_calls",
    "Audio": "trackai.sdk.media",
    "Html": "trackai.sdk.media",
    "Image": "trackai.sdk.media",
    "Markdown": "trackai.sdk.media",
    "Plotly": "trackai.sdk.media",
    "VegaLite": "trackai.sdk.media",
    "Video": "trackai.sdk.media",
    "plot": "trackai.sdk.plot",
    "plot_table": "trackai.sdk.plot",
    "Run": "trackai.sdk.run",
    "show": "trackai.sdk.show",
    "box3d": "trackai.sdk.solids",
    "Molecule": "trackai.sdk.solids",
    "Object3D": "trackai.sdk.solids",
    "delete_project": "trackai.sdk.stored_projects",
    "import_csv": "trackai.sdk.stored_projects",
    "import_tf_events": "trackai.sdk.stored_projects",
    "Table": "trackai.sdk.table",
    "Trace": "trackai.sdk.trace",
}
_OF_THE_ACTIVE_RUN = ("run", "summary")  # they change from run to run


# Called by `__del__` methods when the interpreter ends, where nothing can be imported.
_LATE_CALLS = ("alert", "finish", "log", "log_cpu", "log_gpu", "log_system")


if not typing.TYPE_CHECKING:  # with it, a type checker accepts every name

    def __getattr__(name: str) -> typing.Any:
        if name == "run":
            # Nothing can be imported when the interpreter ends, and an active run has imported it.
            active = sys.modules.get("trackai.sdk.active")
            return None if active is None else active.current_run()
        if name == "summary":
            from trackai.sdk.active import active_summary

            return active_summary()
        if name not in _MODULES:
            # With `obj`, Python suggests the name that was probably meant.
            raise AttributeError(
                f"module 'trackai' has no attribute {name!r}; a script for wandb or trackio that "
                "needs it may run under: trackai run --as wandb (or --as trackio)",
                name=name,
                obj=sys.modules[__name__],
            )
        try:
            value = getattr(_import_lazily(_MODULES[name]), name)
        except ImportError:
            if sys.is_finalizing() and name in _LATE_CALLS:
                return _refuse_late_call
            raise
        globals()[name] = value  # the next access does not call this function
        return value

    def __dir__() -> list[str]:
        special = {name for name in globals() if name.startswith("__")}
        return sorted({*__all__, *_OF_THE_ACTIVE_RUN, *special})
