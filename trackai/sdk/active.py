"""The active run of this process, and the module functions that act on it."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trackai.errors import InvalidInputError, MissingExtraError, NoActiveRunError
from trackai.sdk import compat, ending, fork
from trackai.sdk.artifacts import Artifact  # noqa: TC001 - for get_type_hints
from trackai.sdk.compat import AlertLevel
from trackai.sdk.plain import check_name, check_notes, checked_tags
from trackai.sdk.recorder import Resume, RunRequest
from trackai.sdk.run import Run
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.sdk.compat import Summary
    from trackai.sdk.run import EndState

logger = logging.getLogger("trackai")

_lock = threading.RLock()
_active: Run | None = None
# What wandb.init() takes for it.
_WANDB_RESUME: dict[Any, Resume] = {True: "allow", False: "never", "auto": "allow"}
# Those of wandb; all but the last are the same here.
_MODES = ("online", "offline", "shared", "dryrun", "run", "disabled")


def init(
    project: str | None = None,
    name: str | None = None,
    group: str | None = None,
    space_id: str | None = None,
    server_url: str | None = None,
    dataset_id: str | None = None,
    bucket_id: str | None = None,
    config: Any = None,
    resume: Resume | None = None,
    settings: Any = None,
    private: bool | None = None,
    embed: bool = True,
    auto_log_gpu: bool | None = None,
    gpu_log_interval: float = 10.0,
    auto_log_cpu: bool | None = None,
    cpu_log_interval: float = 10.0,
    webhook_url: str | None = None,
    webhook_min_level: Any = None,
    *,
    tags: Sequence[str] | str | None = None,
    notes: str | None = None,
    id: str | None = None,  # noqa: A002 - wandb calls it that
    mode: str | None = None,
    db_path: str | os.PathLike[str] | None = None,
    durability: Literal["process", "power"] = "process",
    **others: Any,
) -> Run:
    """Begin a run, or take one up again, and make it the active one.

    An active run is finished first. The arguments from `space_id` on that are not described here
    are those of trackio 0.43, `others` those of wandb; what is not supported is named once, and
    ignored.

    Args:
        project: the name of the project, which is made if there is none; default
            `TRACKAI_PROJECT`, then `WANDB_PROJECT`, then "uncategorized".
        name: the name of the run; without one, a readable one is made up. A name may be used
            again: the new run then gets its own `run_id`.
        group: a name that several runs of the project share.
        config: hyperparameters, as a mapping or an object with attributes (such as the result of
            `argparse`); nested mappings are stored flat, joined with "/".
        resume: "never" makes a new run, "allow" continues the latest run of that name or makes
            one, "must" continues it or raises. By default "never", but with an `id` "allow".
        tags, notes: what the run is to be found by, and said about it; one tag may be a str.
        auto_log_cpu, auto_log_gpu: log the load of the machine, or of NVIDIA's GPUs, as system
            metrics every `cpu_log_interval` or `gpu_log_interval` seconds.
        id: the `run_id` of the run; what `resume` says is about the run that has it. Of an id that
            is no slug, such as "lr=0.1", one is made that no other id has.
        mode: "disabled" logs to a database that is thrown away at the end of the process; the
            other modes of wandb change nothing.
        durability: what a point survives once `log` has returned: "process", the death of the
            process; "power", also that of the machine, at the price of waiting for the disk.
        db_path: the database file; default `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.

    Returns:
        The run, which is a context manager too.

    Raises:
        InvalidInputError: an argument does not fit; it is named.
        TypeError: one has a wrong type; it is named.
        ConflictError: there is a run with this `id`, and `resume` is "never".
        NotFoundError: there is no run to resume, and `resume` is "must".
        StoreError: the database cannot be used.
    """
    global _active
    # An empty one is none, as for wandb.
    name, group, id = (None if one == "" else one for one in (name, group, id))  # noqa: A001
    for field, text in (("project", project), ("name", name), ("group", group), ("id", id)):
        if text is not None:
            check_name(field, text)
    if notes is not None:
        check_notes(notes)
    tags = checked_tags(tags or ())
    if config is not None and not isinstance(config, Mapping):
        config = _attributes(config)
    if mode is not None and mode not in _MODES:
        raise InvalidInputError("mode", f"{mode!r} is none of {', '.join(_MODES)}")
    if resume is None:
        resume = "never" if id is None else "allow"
    elif isinstance(resume, str | bool):
        resume = _WANDB_RESUME.get(resume, resume)
    if resume not in ("never", "allow", "must"):
        raise InvalidInputError("resume", f'{resume!r} is none of "never", "allow" and "must"')
    if durability not in ("process", "power"):
        raise InvalidInputError("durability", f'{durability!r} is neither "process" nor "power"')
    for name_ in others:
        if name_ not in compat.IGNORED_ARGUMENTS:
            raise TypeError(f"init() got an unexpected keyword argument {name_!r}")
    _name_unsupported(
        **others,
        space_id=space_id, server_url=server_url, dataset_id=dataset_id, bucket_id=bucket_id,
        settings=settings, private=private, webhook_url=webhook_url,
        webhook_min_level=webhook_min_level,
    )  # fmt: skip
    with _lock:
        finish()
        settings = Settings.from_env(_thrown_away() if mode == "disabled" else db_path)
        request = RunRequest(
            project=project or settings.project,
            name=name,
            group=group,
            # Whoever is told by the environment to write to a run is beside others there.
            resume="allow" if id is None and settings.run_id and resume == "never" else resume,
            tags=tags,
            notes=notes,
            run_id=id or settings.run_id,
            rank=settings.rank,
            sync_each=durability == "power",
        )
        run = Run(settings, request, config or {})
        _active = run
        _monitor(run, auto_log_cpu, "machine_meter", cpu_log_interval)
        _monitor(run, auto_log_gpu, "gpu_meter", gpu_log_interval)
        ending.watch(_finish_as)
    return run


def log(
    metrics: Mapping[str, Any],
    step: float | None = None,
    commit: bool | None = None,
    sync: bool | None = None,
) -> None:
    """Log values to the active run; see `Run.log`."""
    if _active is None:
        raise NoActiveRunError
    _active.log(metrics, step, commit)


def log_system(metrics: Mapping[str, Any]) -> None:
    """Log values that belong to a time rather than a step to the active run."""
    active_run().log_system(metrics)


def save(
    glob_str: str | os.PathLike[str],
    base_path: str | os.PathLike[str] | None = None,
    policy: str | None = None,
) -> list[str]:
    """Keep files with the active run; see `Run.save`."""
    return active_run().save(glob_str, base_path, policy)


def log_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - trackio and wandb call it that
    aliases: Sequence[str] | None = None,
) -> Artifact:
    """Keep an artifact with the active run; see `Run.log_artifact`."""
    return active_run().log_artifact(artifact_or_path, name, type, aliases)


def alert(
    title: str,
    text: str | None = None,
    level: AlertLevel | str = AlertLevel.WARN,
    **ignored: Any,
) -> None:
    """Say that something of the active run needs a look; see `Run.alert`."""
    active_run().alert(title, text, level)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """End the active run; on return all its points are in the database. Without one: nothing.

    Args:
        exit_code: other than 0 and None, the run has failed.
        quiet: wandb's; nothing is printed in any case.
    """
    global _active
    with _lock:
        run, _active = _active, None
        if run is not None:
            run.finish("failed" if exit_code else "completed")


def current_run() -> Run | None:
    """The active run, if there is one that is not finished."""
    run = _active
    return None if run is None or run.is_finished else run


def active_run() -> Run:
    """The run that the last `init` began.

    Raises:
        NoActiveRunError: there is none, or it is finished.
    """
    run = current_run()
    if run is None:
        raise NoActiveRunError
    return run


class _NoSummaryError(NoActiveRunError, AttributeError):
    """There is no active run, so that hasattr(trackai, "summary") is False."""


def active_summary() -> Summary:
    """The last values of the active run.

    Raises:
        NoActiveRunError: there is none; it is an AttributeError too.
    """
    run = current_run()
    if run is None:
        raise _NoSummaryError
    return run.summary


class ActiveConfig(MutableMapping[str, Any]):
    """The configuration of the active run."""

    def __getitem__(self, key: str) -> Any:
        return active_run().config[key]

    def __setitem__(self, key: str, value: Any) -> None:
        active_run().config[key] = value

    def __delitem__(self, key: str) -> None:
        del active_run().config[key]

    def __iter__(self) -> Iterator[str]:
        return iter(active_run().config)

    def __len__(self) -> int:
        return len(active_run().config)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # inspection by tools must not need a run
            raise AttributeError(name)
        return getattr(active_run().config, name)

    def __setattr__(self, name: str, value: Any) -> None:
        active_run().config[name] = value

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return dict, (dict(self),)

    def __repr__(self) -> str:
        run = current_run()
        return repr(run.config) if run is not None else "<trackai.config: no active run>"

    def update(
        self, values: Any = (), /, allow_val_change: bool | None = None, **more: Any
    ) -> None:
        """Set several keys at once; see `Config.update`."""
        active_run().config.update(values, allow_val_change=allow_val_change, **more)


config = ActiveConfig()


def _attributes(config: Any) -> dict[str, Any]:
    """The attributes of an object such as the result of `argparse`."""
    if not hasattr(config, "__dict__") or isinstance(config, type):
        what = "a class" if isinstance(config, type) else type(config).__qualname__
        raise TypeError(f"config: a mapping is needed, not {what}")
    return dict(vars(config))


def _name_unsupported(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            compat.say_once(f"the argument {name} of init()")


def _monitor(run: Run, wanted: bool | None, meter: str, interval: float) -> None:
    if wanted:
        from trackai.sdk import monitor  # few runs want it

        try:
            run.monitor(getattr(monitor, meter)(), interval)
        except (MissingExtraError, OSError) as error:
            logger.warning("%s", error)


def _thrown_away() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="trackai-disabled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "trackai.db"


def _finish_as(state: EndState) -> None:
    global _active
    run, _active = _active, None
    if run is not None:
        run.finish(state)


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()  # another thread may have held it when the process was forked


fork.call_in_child(_renew_lock)
