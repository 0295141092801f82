"""Runs of wandb: `wandb.init`, `wandb.run` and the class `wandb.Run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TextIO

import trackai
from trackai.compat.run_view import RunView
from trackai.sdk.config import fields_of

# The account in paths and addresses of wandb; TrackAI has none.
ENTITY = "local"
# Fields of `wandb.Settings` that are arguments of `init`, too.
_SETTINGS = {
    "mode": "mode", "project": "project", "reinit": "reinit", "resume": "resume",
    "run_group": "group", "run_id": "id", "run_job_type": "job_type", "run_name": "name",
    "run_notes": "notes", "run_tags": "tags",
}  # fmt: skip


class Run(RunView):
    """A run with the attributes of wandb's: `id` is a str, and `path` begins with an account."""

    entity = ENTITY

    @property
    def id(self) -> str:
        """The id of the run, unique in its project: `run_id` of TrackAI."""
        return self._run.run_id

    @property
    def path(self) -> str:
        """The path "account/project/id", as `wandb.Api().run()` takes it."""
        return f"{ENTITY}/{self._run.path}"

    def restore(
        self, name: str, run_path: str | None = None, replace: bool = False, root: Any = None
    ) -> TextIO | None:
        """Write a file of a stored run, by default of this one, into a folder, and open it.

        See `wandb.restore`.
        """
        from trackai.compat.wandb_files import restore_file  # few scripts call it

        return restore_file(self._run, name, run_path, replace, root)

    @property
    def _attach_id(self) -> str:
        return self.path

    def mark_preempting(self) -> None:
        """Do nothing: a run that its process leaves behind has failed."""

    def _label(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: wandb counts with it which frameworks are used."""


class RunDisabled(Run):
    """The class of disabled runs in wandb. Here, they are runs in a temporary database."""


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: Any = None,  # noqa: A002 - wandb calls it that
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: Any = None,
    config: Any = None,
    config_exclude_keys: Iterable[str] | None = None,
    config_include_keys: Iterable[str] | None = None,
    **arguments: Any,
) -> Run:
    """Start a run with the arguments of `wandb.init`, in their order; see `trackai.init`.

    As in wandb, a run that is not finished is returned instead of a new one, unless `reinit` says
    otherwise.
    """
    arguments |= {
        "entity": entity, "project": project, "dir": dir, "id": id, "name": name, "notes": notes,
        "tags": tags, "config": _selected(config, config_include_keys, config_exclude_keys),
    }  # fmt: skip
    settings = arguments.pop("settings", None) or {}
    settings = settings if isinstance(settings, Mapping) else vars(settings)
    for setting, argument in _SETTINGS.items():
        if arguments.get(argument) is None:
            arguments[argument] = settings.get(setting)
    # `trackai.init` heeds some of the rest, and names the others in a warning.
    others = {name: value for name, value in settings.items() if name not in _SETTINGS}
    if others:
        arguments["settings"] = others
    if arguments["resume"] is False:  # in wandb the default, and no error if the run exists
        arguments["resume"] = None
    if arguments["reinit"] is None:
        arguments["reinit"] = "default"
    run = Run.of(trackai.init(**arguments))
    assert run is not None  # noqa: S101 - only of None
    return run


def attach(attach_id: str) -> Run:
    """Log to a run of another process, given the `_attach_id` that the process has sent."""
    _, project, run_id = attach_id.split("/", 2)
    return init(project=project, id=run_id, resume="allow")


def current_run() -> Run | None:
    """The active run, as of wandb."""
    return Run.of(trackai.run)


def _selected(config: Any, include: Iterable[str] | None, exclude: Iterable[str] | None) -> Any:
    """Leave out keys of a configuration, as wandb does."""
    if config is None or not (include or exclude):
        return config
    keys = set(include or fields_of(config)) - set(exclude or ())
    return {key: value for key, value in fields_of(config).items() if key in keys}
