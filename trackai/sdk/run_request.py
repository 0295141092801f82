"""The run that a call of `init` asks for: its arguments, checked, without side effects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import type_name
from trackai.sdk.interactive import in_notebook
from trackai.sdk.labels import check_identifier, check_name, check_notes, checked_tags
from trackai.sdk.structured_values import attributes

if TYPE_CHECKING:
    from trackai.settings import Settings

Resume = Literal["never", "allow", "must"]
Durability = Literal["process", "power"]
Reinit = Literal["default", "return_previous", "finish_previous", "create_new"]

_RESUME: tuple[Any, ...] = ("never", "allow", "must")
# Further values of `resume` in wandb.init().
_WANDB_RESUME: dict[Any, Resume] = {True: "allow", False: "never", "auto": "allow"}
_REINIT: tuple[Any, ...] = ("default", "return_previous", "finish_previous", "create_new")
_BOOL_REINIT: dict[Any, Reinit] = {True: "finish_previous", False: "return_previous"}
# Modes of wandb; all but "disabled" mean the same here.
_MODES = ("online", "offline", "shared", "dryrun", "run", "disabled")


class RunRequest(msgspec.Struct, kw_only=True, frozen=True):
    """The run that a script asks for.

    Attributes:
        project: the name of the project, which is created if it does not exist.
        name: the name of the run; None makes one up.
        group: the group of a new run.
        resume: whether to create a run, resume one, or either; see `trackai.init`.
        run_id: the id of the run; several processes that pass the same one log to one run.
        rank: the place of this process among them; None takes the next free one.
        launch: what the environment says about the processes that log together with this one.
        tags: tags to add to the run.
        notes: notes that replace those of the run; None leaves them.
        sync_each: wait after each call of `log` until it is on the disk.
        strict: raise errors about what cannot be logged, instead of leaving it out.
    """

    project: str
    name: str | None
    group: str | None
    resume: Resume
    run_id: str | None = None
    rank: int | None = None
    launch: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    notes: str | None = None
    sync_each: bool = False
    strict: bool = False


class InitArguments(msgspec.Struct, kw_only=True, frozen=True):
    """The checked arguments of `init` that choose and describe the run."""

    project: str | None
    name: str | None
    group: str | None
    id: str | None
    tags: tuple[str, ...]
    notes: str | None
    config: Mapping[str, Any]
    resume: Resume
    durability: Durability
    is_disabled: bool
    strict: bool | None

    def request(self, settings: Settings) -> RunRequest:
        """Fill in what the environment says.

        Raises:
            InvalidInputError: a variable has a text that is not allowed.
        """
        if self.project is None:
            check_name("TRACKAI_PROJECT or WANDB_PROJECT", settings.project)
        if self.id is None and settings.run_id is not None:
            check_identifier("TRACKAI_RUN_ID", settings.run_id)
        resume = self.resume
        if self.id is None and settings.run_id and resume == "never":
            # TRACKAI_RUN_ID is set for several processes: all but the first find the run there.
            resume = "allow"
        return RunRequest(
            project=self.project or settings.project,
            name=self.name,
            group=self.group,
            resume=resume,
            tags=self.tags,
            notes=self.notes,
            run_id=self.id or settings.run_id,
            rank=settings.rank,
            launch=settings.launch,
            sync_each=self.durability == "power",
            strict=settings.strict if self.strict is None else self.strict,
        )


def check_arguments(
    *,
    project: Any,
    name: Any,
    group: Any,
    id: Any,  # noqa: A002
    tags: Any,
    notes: Any,
    config: Any,
    resume: Any,
    durability: Any,
    mode: Any,
    strict: Any,
) -> InitArguments:
    """Check arguments of `init`, and convert those of wandb.

    Raises:
        InvalidInputError: an argument has a value that is not allowed.
        TypeError: an argument has a wrong type.
    """
    # As in wandb, an empty str means None.
    name, group, id = (None if text == "" else text for text in (name, group, id))  # noqa: A001
    for field, text in (("project", project), ("name", name)):
        if text is not None:
            check_name(field, text)
    for field, text in (("group", group), ("id", id)):
        if text is not None:
            check_identifier(field, text)
    if notes is not None:
        check_notes(notes)
    tags = checked_tags(tags or ())
    config = _checked_config(config)
    if mode is not None and mode not in _MODES:
        raise InvalidInputError("mode", f"must be one of {', '.join(_MODES)}, got {mode!r}")
    resume = _checked_resume(resume, has_id=id is not None)
    if durability not in ("process", "power"):
        raise InvalidInputError("durability", f'must be "process" or "power", got {durability!r}')
    if strict is not None and not isinstance(strict, bool):
        raise TypeError(f"strict: must be a bool, got {type_name(strict)}")
    return InitArguments(
        project=project,
        name=name,
        group=group,
        id=id,
        tags=tags,
        notes=notes,
        config=config,
        resume=resume,
        durability=durability,
        is_disabled=mode == "disabled",
        strict=strict,
    )


def _checked_config(config: Any) -> Mapping[str, Any]:
    if config is None:
        return {}
    fields = attributes(config)
    if fields is None:
        what = "a class" if isinstance(config, type) else type_name(config)
        raise TypeError(f"config: must be a mapping or an object with attributes, got {what}")
    return fields


def _checked_resume(resume: Any, *, has_id: bool) -> Resume:
    if resume is None:
        return "allow" if has_id else "never"
    if isinstance(resume, str | bool):
        resume = _WANDB_RESUME.get(resume, resume)
    if resume not in _RESUME:
        raise InvalidInputError("resume", f'must be "never", "allow" or "must", got {resume!r}')
    checked: Resume = resume
    return checked


def checked_reinit(reinit: Any, settings: Any) -> Reinit | None:
    """Check `reinit` of `init`, which wandb also accepts in its settings.

    Returns:
        "default" as what it means here; None if it is not given.
    """
    if reinit is None:
        get = settings.get if isinstance(settings, Mapping) else partial(getattr, settings)
        reinit = get("reinit", None)
    if isinstance(reinit, bool):
        reinit = _BOOL_REINIT[reinit]
    if reinit is not None and reinit not in _REINIT:
        raise InvalidInputError(
            "reinit", f"must be a bool or one of {', '.join(_REINIT)}, got {reinit!r}"
        )
    if reinit == "default":
        reinit = "finish_previous" if in_notebook() else "return_previous"
    checked: Reinit | None = reinit
    return checked
