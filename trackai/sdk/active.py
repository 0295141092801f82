"""The active run of this process, and the module functions of `trackai` that act on it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai import script_end, standard_streams
from trackai.errors import InvalidInputError, MissingExtraError, NoActiveRunError, TrackAIError
from trackai.guard import guarded
from trackai.ingest.run_request import Resume  # noqa: TC001 - for get_type_hints
from trackai.reading.artifacts import StoredArtifact  # noqa: TC001 - for get_type_hints
from trackai.sdk import (
    active_runs,
    exit_hooks,
    ignored_calls,
    late_calls,
    pickled_run,  # noqa: F401 - for pickle
    starting,
)
from trackai.sdk.alerts import AlertLevel, checked_level
from trackai.sdk.announcement import announce
from trackai.sdk.artifacts import Artifact
from trackai.sdk.console import chosen_capture
from trackai.sdk.exit_hooks import EndState  # noqa: TC001 - for get_type_hints
from trackai.sdk.monitor import background_meter, check_installed, rank_prefix, read_now
from trackai.sdk.notices import warn_once
from trackai.sdk.run import Run, keep_portals
from trackai.sdk.run_request import InitArguments, Reinit, check_arguments, checked_reinit
from trackai.settings import Settings, has_own_gpu, local_rank, wandb_defaults, webhook_defaults
from trackai.values.logger import logger

if TYPE_CHECKING:
    import threading

    from trackai.sdk.monitor import Readings, Subject
    from trackai.sdk.summary import Summary
    from trackai.sdk.webhook import Webhooks


# When the load of the machine is first logged unasked: the script is importing until then.
_MONITOR_DELAY = 1.0

# A copy of `active_runs.only` for log(), which runs in every step.
_only: Run | None = None


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
    resume_from: str | None = None,
    fork_from: str | None = None,
    strict: bool | None = None,
    auto_log: bool | None = None,
    reinit: Reinit | bool | None = None,
    sync_tensorboard: bool | None = None,
    tensorboard: bool | None = None,
    capture: bool | str | None = None,
    job_type: str | None = None,
    **wandb_arguments: Any,
) -> Run:
    """Start a run, or resume one, and make it the active run of this thread or asyncio task.

    A run that the thread or task has started before is finished first; see `reinit`.

    Args:
        project: the name of the project, which is created if it does not exist; default
            `TRACKAI_PROJECT`, then `WANDB_PROJECT`, then "uncategorized".
        name: the name of the run; default `WANDB_NAME`, then a made-up one such as
            "brave-otter-12". Several runs may have the same name; each has its own `run_id`.
        group: a name that related runs of the project share; default `WANDB_RUN_GROUP`.
        config: hyperparameters, as a mapping or an object with attributes, such as the result of
            `argparse`. Nested mappings are stored under flat keys: "opt/lr".
        resume: "never" creates a run. "allow" resumes the latest run of this name, or creates
            one. "must" resumes it, or raises. With an `id`, the same holds for the run with this
            id. Default `WANDB_RESUME`, then "never" without an `id`, and "allow" with one.
        auto_log_gpu: log the load of NVIDIA GPUs as system metrics; needs `trackai[system]`.
            Default: if that is possible, and `TRACKAI_AUTO_LOG` is not 0.
        gpu_log_interval: how often, in seconds.
        auto_log_cpu: log the load of the machine as system metrics; needs `trackai[system]`.
            Default: likewise.
        cpu_log_interval: how often, in seconds.
        tags: tags to add to the run; a str is a single tag. Default `WANDB_TAGS`, separated by
            commas.
        notes: a text about the run; replaces earlier notes. Default `WANDB_NOTES`.
        id: the id of the run. Processes that pass the same id log to the same run: ranks at the
            same time, others one after the other. It becomes the `run_id` if it is a slug; of an
            id such as "lr=0.1", a unique slug is made. Default `TRACKAI_RUN_ID`, then
            `WANDB_RUN_ID`, then a slug of the name.
        mode: "disabled" logs to a temporary database, which is deleted when the process ends.
            Other modes of wandb are accepted and mean the same as none. Default `WANDB_MODE`.
        db_path: the database file; default `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.
        durability: what a point survives once `log` has returned: "process", a crash of the
            process; "power", also a crash of the machine, as each call waits for the disk.
        resume_from: "RUN?_step=STEP" resumes the run with this id after this step. What it logged
            after the step is superseded in all metrics.
        fork_from: "RUN?_step=STEP" creates a run that continues the run with this id after this
            step. The new run is read with the points of the other one up to the step.
        strict: raise an error about what cannot be logged, such as a value of a wrong type.
            Without it, it is left out with a warning. Default `TRACKAI_STRICT`, then False.
        auto_log: record what the script does not log itself, such as its git commit, command line
            and packages; see docs/logging.md. Default `TRACKAI_AUTO_LOG`, then True.
        reinit: what happens to unfinished runs, as in wandb: "finish_previous" or True finishes
            all of them. "return_previous" or False returns the latest one instead of a new run.
            "create_new" leaves them as they are, and the new run is not the active one, so that
            only its methods log to it. "default" is "finish_previous" in a notebook, and otherwise
            "return_previous". Without it, only a run of the same thread or task is finished.
        sync_tensorboard: also log what the `SummaryWriter` of PyTorch or of tensorboardX writes in
            this process, for scripts that log in no other way. The first folder that is written to
            is the run; names of other folders begin with that of the folder.
        tensorboard: wandb's former name of `sync_tensorboard`.
        capture: log what the script prints as `logs/stdout` and `logs/stderr`. True or "wrap": what
            Python code prints. "fd": also what C code and child processes print. Default True,
            unless `TRACKAI_AUTO_LOG` is 0.
        job_type: what the run does, such as "train" or "eval"; replaces an earlier one. It is kept
            as the configuration key "_wandb/job_type", which `config` leaves out. Default
            `WANDB_JOB_TYPE`.
        server_url: the address of a TrackAI server to log to instead of a file, such as
            "https://tracker:8000"; default `TRACKAI_SERVER_URL`. The key is `TRACKAI_API_KEY`.
            If the server does not answer, the run begins all the same; see docs/team.md.
        webhook_url: where alerts are sent: a webhook of Slack or Discord, or any other address that
            takes JSON. It is neither stored nor shown. Default `TRACKAI_WEBHOOK_URL`.
        webhook_min_level: the lowest level of alerts to send; default `TRACKAI_WEBHOOK_MIN_LEVEL`,
            then "info".
        space_id, dataset_id, bucket_id, settings, private: accepted for scripts written for
            trackio, and ignored with a warning.
        embed: accepted for scripts written for trackio, and ignored.
        wandb_arguments: further arguments of wandb, which are ignored with a warning.

    Returns:
        The run, which is also a context manager that finishes it.

    Raises:
        InvalidInputError: an argument has a value that is not allowed.
        TypeError: an argument has a wrong type, or is unknown.
        ConflictError: `resume` is "never", and there is a run with this `id`.
        RunNotFoundError: the run to resume or to continue does not exist; a ValueError too.
        StoreError: the database cannot be used.
        ServerUnreachableError: the run can only be resumed or continued with the server.

    Example:
        with trackai.init(project="digits", config={"lr": 0.001}) as run:
            run.log({"loss": 0.25})
    """
    global _only
    arguments = check_arguments(
        project=project, name=name, group=group, id=id, tags=tags, notes=notes, config=config,
        resume=resume, durability=durability, mode=mode, strict=strict, resume_from=resume_from,
        fork_from=fork_from, job_type=job_type, variables=wandb_defaults(),
    )  # fmt: skip
    for argument in wandb_arguments:
        if argument not in ignored_calls.IGNORED_ARGUMENTS:
            raise TypeError(f"init() got an unexpected keyword argument {argument!r}")
    ignored_calls.warn_ignored_arguments(
        "init",
        {
            **wandb_arguments,
            "space_id": space_id, "dataset_id": dataset_id,
            "bucket_id": bucket_id, "private": private,
        },
    )  # fmt: skip
    ignored_calls.warn_ignored_settings(settings)
    ignored_calls.warn_ignored_variables()
    if arguments.is_disabled and mode is None:
        ignored_calls.warn_disabled()
    webhooks = _webhooks(webhook_url, webhook_min_level)
    how = checked_reinit(reinit, settings)
    environment = _environment(arguments, db_path, server_url, auto_log)
    records_more = environment.auto_log and not arguments.is_disabled
    how_to_capture = chosen_capture(capture, settings, auto_log=records_more)
    request, owner = arguments.request(environment), active_runs.Owner.current()
    before = active_runs.unfinished()
    if how == "return_previous" and before:
        return before[-1]
    if how == "finish_previous":
        _finish_all(_state_of_script())
    elif how is None and (previous := active_runs.previous(owner)) is not None:
        _finish_left_open(previous, _state_of_script())
    standard_streams.occupy()
    exit_hooks.install(_finish_at_exit, _finish_thread, active_runs.unstopped)

    def create(is_abandoned: threading.Event) -> Run:
        run = Run(environment, request, arguments.config, is_abandoned, arguments.job_type)
        run.beginning.mode = arguments.mode
        run.webhooks = webhooks
        active_runs.add(run, None if how == "create_new" else owner)
        return run

    try:
        run = starting.start(create)
    except TrackAIError as error:
        exit_hooks.release_sigterm()
        # The message says what to do. Below it, sixty frames of threads and drivers hide the line
        # of the script.
        raise error.with_traceback(None) from None
    except BaseException:
        exit_hooks.release_sigterm()
        raise
    with active_runs.lock:
        _only = active_runs.only
    try:
        if how != "create_new":
            active_runs.activate(run, owner)
        if not (environment.silent or arguments.is_disabled):
            announce(run, environment)  # before its lines would be captured
        prefix = rank_prefix(environment.rank)
        run._start_console(how_to_capture, prefix)
        if auto_log_cpu or (auto_log_cpu is None and records_more and local_rank() == 0):
            _monitor(run, "machine", cpu_log_interval, prefix, is_asked=bool(auto_log_cpu))
        sees_own_gpus = local_rank() == 0 or has_own_gpu()
        if auto_log_gpu or (auto_log_gpu is None and records_more and sees_own_gpus):
            _monitor(run, "gpu", gpu_log_interval, prefix, is_asked=bool(auto_log_gpu))
        if sync_tensorboard or tensorboard:
            _sync_tensorboard(run)
    except BaseException:  # a signal handler may raise anywhere
        run.finish("failed")
        raise
    if script_end.is_over():
        keep_portals()
        logger.warning(
            "run %r was started after the script has ended: only finish() completes it", run.path
        )
    return run


def log(
    metrics: Mapping[str, Any] | None = None,
    step: float | None = None,
    commit: bool | None = None,
    sync: bool | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Log values at a step of the active run. They are safe from a crash once this returns.

    Args:
        metrics: values by name: int, float, bool or str, scalars of NumPy, PyTorch and the like,
            and media such as `Image`, `Table` and `Histogram`. Nested mappings are flattened.
        step: an int or float between -2**62 and 2**62, in any order; default the step after the
            highest one so far, from 0 on.
        commit: False lets the next call without a step use this step again.
        sync: accepted for scripts written for wandb, and ignored.
        data: wandb's name of `metrics`.

    What cannot be stored is left out with a warning; see `Run.log`.

    Raises:
        NoActiveRunError: no run is active.
        TypeError: both `metrics` and `data` are given.

    Example:
        trackai.log({"train/loss": 0.25, "train/accuracy": 0.9}, step=100)
    """
    run = _only or current_run()
    if run is None:
        return late_calls.refuse()
    if data is None and commit is not False:
        return run._log(metrics, step, "step")  # as `run.log` does, without the cost of its call
    return run.log(metrics, step, commit, data=data)


def log_system(metrics: Mapping[str, Any]) -> None:
    """Log system metrics of the active run: values at a time instead of a step.

    Args:
        metrics: numbers, bools or str by name. What cannot be stored is left out with a warning.

    Raises:
        NoActiveRunError: no run is active.
    """
    run = current_run()
    return late_calls.refuse() if run is None else run.log_system(metrics)


def log_gpu(run: Run | None = None, device: int | None = None) -> dict[str, float]:
    """Log the load of the NVIDIA GPUs now, as system metrics.

    Args:
        run: default the active run.
        device: the index of a GPU in CUDA_VISIBLE_DEVICES; default all that the process sees.

    Returns:
        The values by name; empty, with a warning, if they cannot be read.

    Raises:
        NoActiveRunError: no run is active.
    """
    if device is not None and (not isinstance(device, int) or device < 0):
        raise InvalidInputError("device", f"must be the index of a GPU, got {device!r}")
    names = "gpu/" if device is None else f"gpu/{device}/"
    return _log_now(run, "gpu", lambda name: name.startswith(names))


def log_cpu(run: Run | None = None) -> dict[str, float]:
    """Log the load of the machine now, as system metrics. The first call takes 0.2 seconds.

    Args:
        run: default the active run.

    Returns:
        The values by name; empty, with a warning, if they cannot be read.

    Raises:
        NoActiveRunError: no run is active.
    """
    return _log_now(run, "machine", lambda name: True)


def _log_now(run: Run | None, subject: Subject, includes: Callable[[str], bool]) -> Readings:
    run = run or current_run()
    if run is None:
        late_calls.refuse()
        return {}
    try:
        readings = {name: value for name, value in read_now(subject).items() if includes(name)}
    except (MissingExtraError, OSError) as error:
        warn_once(f"log {subject}", "%s", error)
        return {}
    if not readings:
        warn_once(f"log {subject}", "the GPU was not found, or reports nothing")
        return {}
    run.log_system(readings)
    return readings


def save(
    glob_str: str | os.PathLike[str] | None = None,
    base_path: str | os.PathLike[str] | None = None,
    policy: str | None = None,
    glob: bool = True,
) -> list[str]:
    """Store copies of files with the active run, as they are now.

    Args:
        glob_str: a path or a glob pattern, in which "**" matches any number of folders. Without
            it, nothing is stored, as in wandb: files in `run.dir` are stored when the run finishes.
        base_path: the folder that names are relative to; default the working directory.
        policy: accepted for scripts written for wandb, and ignored.
        glob: False takes `glob_str` as a path, even if it has characters of patterns.

    Returns:
        The names of the stored files; a file that cannot be read is left out with a warning.

    Raises:
        NoActiveRunError: no run is active.
    """
    return active_run().save(glob_str, base_path, policy, glob)


def log_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - trackio and wandb call it that
    aliases: Sequence[str] | str | None = None,
    tags: Sequence[str] | str | None = None,
    *,
    overwrite: bool | None = None,
) -> Artifact:
    """Store an artifact with the active run, as its files are now, in a version.

    Args:
        artifact_or_path: an `Artifact`, or the path of a file or folder to make one of.
        name: the name of the artifact made of a path; default the name of the file or folder.
        type: its type, such as "model".
        aliases: names of the version such as "best"; the former version loses them.
        tags: tags of the version.
        overwrite: accepted for scripts written for trackio, and ignored with a warning.

    Returns:
        The artifact; without a version if something cannot be stored, with a warning. See
        `Run.log_artifact`.

    Raises:
        NoActiveRunError: no run is active.
    """
    return active_run().log_artifact(
        artifact_or_path, name, type, aliases, tags, overwrite=overwrite
    )


def use_artifact(
    artifact_or_name: StoredArtifact | str,
    type: str | None = None,  # noqa: A002 - trackio and wandb call it that
    aliases: Sequence[str] | str | None = None,
    use_as: str | None = None,
) -> Artifact:
    """Read a version of an artifact, and record that the active run uses it.

    Args:
        artifact_or_name: "name:alias", "name:v3" or "name" for the latest version, of the project
            of the run or with "project/" before it; or an artifact.
        type: only artifacts of this type.
        aliases: names to give to the version.
        use_as: accepted for scripts written for wandb, and ignored.

    Raises:
        NoActiveRunError: no run is active.
        NotFoundError: it does not exist.
        InvalidInputError: there are several; they are listed.
        TrackAIError: the database cannot be read, or the server does not answer.
    """
    return active_run().use_artifact(artifact_or_name, type, aliases, use_as)


def log_model(
    path: str | os.PathLike[str],
    name: str | None = None,
    aliases: Sequence[str] | str | None = None,
) -> Artifact:
    """Store a file or folder with the active run, as an artifact of the type "model".

    Args:
        path: the file or folder.
        name: the name of the artifact; default "run-<run_id>-<name of the file>".
        aliases: names of the version such as "best".

    Raises:
        NoActiveRunError: no run is active.
    """
    return active_run().log_model(path, name, aliases)


def use_model(name: str) -> str:
    """Write the files of a model to a folder, and record that the active run uses it.

    Args:
        name: as for `use_artifact`.

    Returns:
        The path of the folder, or of the file if there is only one.

    Raises:
        NoActiveRunError: no run is active.
        TrackAIError: as for `Run.use_model`.
    """
    return active_run().use_model(name)


def link_model(
    path: str | os.PathLike[str],
    registered_model_name: str,
    name: str | None = None,
    aliases: Sequence[str] | str | None = None,
) -> Artifact:
    """Store a model with the active run, also under the name of a registered model.

    Args:
        path: the file or folder.
        registered_model_name: the further name; see `Run.link_artifact`.
        name: the name of the artifact, as for `log_model`.
        aliases: names of the linked version such as "production".

    Raises:
        NoActiveRunError: no run is active.
    """
    return active_run().link_model(path, registered_model_name, name, aliases)


def alert(
    title: str,
    text: str | None = None,
    level: AlertLevel | str | None = AlertLevel.WARN,
    wait_duration: float | timedelta | str | None = None,
    *,
    step: float | None = None,
    webhook_url: str | None = None,
) -> None:
    """Report an event of the active run that needs attention: log it, and to the logger "trackai".

    With a webhook, it is sent there in the background.

    Args:
        title: one line.
        text: details.
        level: "info", "warn" or "error".
        wait_duration: how long further alerts with this title are not sent to a webhook, in seconds
            or as a timedelta. A str is a `webhook_url`, which is the fourth argument in trackio.
        step: the step to log it at; default that of the next call of `log`.
        webhook_url: a webhook for this alert, instead of that of `init`.

    Raises:
        NoActiveRunError: no run is active.
    """
    run = current_run()
    if run is None:
        return late_calls.refuse()
    return run.alert(title, text, level, wait_duration, step=step, webhook_url=webhook_url)


def finish(exit_code: EndState | int | None = None, quiet: bool | None = None) -> None:
    """Finish the active run. Once this returns, all its points are in the database.

    Without an active run, it does nothing.

    Args:
        exit_code: None or 0 completes the run, and another int fails it; or "completed" or
            "failed".
        quiet: accepted for scripts written for wandb, and ignored.

    Raises:
        TypeError: `exit_code` is neither a state nor an int.
    """
    run = active_runs.current()
    if run is not None:
        run.finish(exit_code)


def current_run() -> Run | None:
    """Return the active run of this thread or asyncio task; None if no run is active."""
    return active_runs.current()


def __getattr__(name: str) -> Run | None:
    if name == "_active":  # the former name, for scripts that look at it
        return current_run()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def active_run() -> Run:
    """Return the active run.

    Raises:
        NoActiveRunError: no run is active.
    """
    run = current_run()
    if run is None:
        raise NoActiveRunError
    return run


def _link(artifact: Artifact, target_path: str, aliases: Sequence[str] | str | None) -> Artifact:
    return active_run().link_artifact(artifact, target_path, aliases)


Artifact._link = staticmethod(_link)


class _NoSummaryError(NoActiveRunError, AttributeError):
    """No run is active. An AttributeError, so that hasattr(trackai, "summary") is False."""


def active_summary() -> Summary:
    """Return the summary of the active run.

    Raises:
        NoActiveRunError: no run is active. The exception is an AttributeError too.
    """
    run = current_run()
    if run is None:
        raise _NoSummaryError
    return run.summary


class ActiveConfig(MutableMapping[str, Any]):
    """The configuration of the active run, a mapping whose keys are attributes too.

    Keys that are set are stored. Nested values are read as they were set or by their flat keys:
    `config["opt"]["lr"]` or `config["opt/lr"]`. Keys cannot be deleted. Reading or setting a key
    without an active run raises NoActiveRunError.

    Example:
        trackai.config.lr = 0.001
        trackai.config.update({"seed": 1, "epochs": 10})
    """

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
        if name.startswith("_"):  # tools that inspect it must not need a run
            raise AttributeError(name)
        return getattr(active_run().config, name)

    def __setattr__(self, name: str, value: Any) -> None:
        active_run().config[name] = value

    def __reduce__(self) -> tuple[type, tuple[Any, ...]] | str:
        if current_run() is None:
            return "config"  # the copy is this object: there are no values to copy
        return dict, (dict(self),)

    def __repr__(self) -> str:
        run = current_run()
        return repr(run.config) if run is not None else "<trackai.config: no active run>"

    def update(
        self, values: Any = (), /, allow_val_change: bool | None = None, **keys: Any
    ) -> None:
        """Set several keys at once.

        Args:
            values: a mapping, a list of pairs, or an object with attributes, such as the result
                of `argparse`.
            allow_val_change: accepted for scripts written for wandb, and ignored.
            keys: further keys.

        Raises:
            NoActiveRunError: no run is active.
        """
        active_run().config.update(values, allow_val_change=allow_val_change, **keys)


config = ActiveConfig()


def _sync_tensorboard(run: Run) -> None:
    from trackai.sdk.tensorboard_events import sync

    with guarded("syncing TensorBoard"):
        sync(run)


def _monitor(run: Run, subject: Subject, interval: float, prefix: str, *, is_asked: bool) -> None:
    """Log the load of the machine or of its GPUs; warn if that is asked for and not possible."""
    if is_asked:
        try:
            check_installed(subject)
        except MissingExtraError as error:
            logger.warning("%s", error)
            return
    read = background_meter(subject, prefix, is_asked=is_asked)
    run.monitor(read, interval, 0 if is_asked else _MONITOR_DELAY)


def _webhooks(url: Any, min_level: Any) -> Webhooks | None:
    """The webhook that alerts are sent to; None if neither an argument nor a variable names one."""
    defaults = webhook_defaults()
    url_field, url = (
        defaults.get("webhook_url", ("", None)) if url is None else ("webhook_url", url)
    )
    field = "webhook_min_level"
    if min_level is None:
        field, min_level = defaults.get(field, (field, AlertLevel.INFO))
    level = checked_level(min_level, field)
    if not url:
        return None
    # Imported here: few scripts have a webhook, and the HTTP client takes longest.
    from trackai.sdk.webhook import Webhooks, checked_webhook

    return Webhooks(checked_webhook(url, url_field), level)


def _environment(
    arguments: InitArguments,
    db_path: str | os.PathLike[str] | None,
    server_url: Any,
    auto_log: Any,
) -> Settings:
    """The settings of a run, given the arguments of `init` that are settings too."""
    if auto_log is not None and not isinstance(auto_log, bool):
        raise TypeError(f"auto_log: must be a bool, got {type(auto_log).__qualname__}")
    settings = _settings_of_place(arguments, db_path, server_url)
    if arguments.is_disabled:
        auto_log = False
    return settings if auto_log is None else msgspec.structs.replace(settings, auto_log=auto_log)


def _settings_of_place(
    arguments: InitArguments, db_path: str | os.PathLike[str] | None, server_url: Any
) -> Settings:
    """The settings of a run, given the arguments that say where it is stored."""
    if arguments.is_disabled:
        return Settings.from_env(_temporary_db_path())
    if server_url is not None:
        if not isinstance(server_url, str):
            raise TypeError(f"server_url: must be a str, got {type(server_url).__qualname__}")
        if db_path is not None:
            raise InvalidInputError("server_url", "must not be combined with db_path")
    return Settings.from_env(db_path, server_url=server_url)


def _temporary_db_path() -> Path:
    # Imported here: few runs are disabled.
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="trackai-disabled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "trackai.db"


def _state_of_script() -> EndState:
    """The state of runs that the script has left unfinished, and that end now."""
    return "failed" if exit_hooks.has_crashed() else "completed"


def _finish_all(state: EndState) -> None:
    for run in active_runs.unstopped():
        _finish_left_open(run, state)


def _finish_left_open(run: Run, state: EndState) -> None:
    run.finish("failed" if run.fails_if_left_open else state)


def _finish_at_exit(state: EndState) -> None:
    with suppress(KeyboardInterrupt):
        starting.abandon_all()
    _finish_or_leave(active_runs.unstopped(), state)


@script_end.call_last
def _finish_late_runs() -> None:
    """Finish the runs that atexit handlers have started."""
    _finish_or_leave(active_runs.unfinished(), _state_of_script())


def _finish_or_leave(runs: Sequence[Run], state: EndState) -> None:
    """Finish runs when the process ends; Ctrl-C ends them without waiting for the database."""
    try:
        for run in runs:
            _finish_left_open(run, state)
    except KeyboardInterrupt:  # Python would print a traceback
        with suppress(KeyboardInterrupt):
            for run in runs:
                if not run.is_stopped:
                    run._leave("failed" if run.fails_if_left_open else state)


def _finish_thread(thread: threading.Thread) -> None:
    for run in active_runs.of_thread(thread):
        run.finish("failed")
