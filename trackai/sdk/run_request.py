"""The run that a call of `init` asks for: its arguments, checked, without side effects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import InvalidInputError
from trackai.ingest.run_request import Moment, Resume, RunRequest
from trackai.sdk.builtin_values import type_name
from trackai.sdk.config import fields_of, flat_json
from trackai.sdk.interactive import in_notebook
from trackai.sdk.labels import check_identifier, check_name, check_notes, checked_tags
from trackai.sdk.left_out import LeftOut
from trackai.sdk.moment import parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.settings import Settings

Durability = Literal["process", "power"]
Reinit = Literal["default", "return_previous", "finish_previous", "create_new"]

_RESUME: tuple[Any, ...] = ("never", "allow", "must")
# Further values of `resume` in wandb.init().
_WANDB_RESUME: dict[Any, Resume] = {True: "allow", False: "never", "auto": "allow"}
_REINIT: tuple[Any, ...] = ("default", "return_previous", "finish_previous", "create_new")
_BOOL_REINIT: dict[Any, Reinit] = {True: "finish_previous", False: "return_previous"}
# Values of WANDB_RESUME that stand for a bool.
_WANDB_RESUME_TEXTS: dict[str, Any] = {"true": True, "1": True, "false": False, "0": False}
# Modes of wandb; all but "disabled" mean the same here.
_MODES = ("online", "offline", "shared", "dryrun", "run", "disabled")


class InitArguments(msgspec.Struct, kw_only=True, frozen=True):
    """The checked arguments of `init` that choose and describe the run."""

    project: str | None
    name: str | None
    group: str | None
    id: str | None
    tags: tuple[str, ...]
    notes: str | None
    config: Mapping[str, Any]
    resume: Resume | None
    durability: Durability
    mode: str | None
    resume_from: Moment | None
    fork_from: Moment | None
    strict: bool | None
    job_type: str | None

    @property
    def is_disabled(self) -> bool:
        """Whether the run is deleted when the process ends."""
        return self.mode == "disabled"

    def request(self, settings: Settings) -> RunRequest:
        """Fill in what the environment says.

        Raises:
            InvalidInputError: a variable has a text that is not allowed.
        """
        if self.project is None:
            check_name("TRACKAI_PROJECT or WANDB_PROJECT", settings.project)
        if self.id is None and settings.run_id is not None:
            check_identifier("TRACKAI_RUN_ID or WANDB_RUN_ID", settings.run_id)
        strict = settings.strict if self.strict is None else self.strict
        run_id = self.resume_from.run_id if self.resume_from else self.id or settings.run_id
        return RunRequest(
            project=self.project or settings.project,
            name=self.name,
            group=self.group,
            resume=self.resume or ("never" if run_id is None else "allow"),
            tags=self.tags,
            notes=self.notes,
            run_id=run_id,
            rank=settings.rank,
            launch=settings.launch,
            sync_each=self.durability == "power",
            config=flat_json(self.config, LeftOut(strict=True)) if strict else {},
            resume_from=self.resume_from,
            fork_from=self.fork_from,
            strict=strict,
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
    resume_from: Any,
    fork_from: Any,
    job_type: Any,
    variables: Mapping[str, tuple[str, str]],
    strict: Any,
) -> InitArguments:
    """Check arguments of `init`, and convert those of wandb.

    Args:
        variables: by argument, the environment variable that is its default, and its text.

    Raises:
        InvalidInputError: an argument or a variable has a value that is not allowed.
        TypeError: an argument has a wrong type.
    """

    def or_variable(argument: str, value: Any) -> tuple[str, Any]:
        """The name to use in errors, and the value."""
        return (argument, value) if value is not None else variables.get(argument, (argument, None))

    # As in wandb, an empty str means None.
    name, group, id, job_type = (  # noqa: A001
        None if text == "" else text for text in (name, group, id, job_type)
    )
    name_field, name = or_variable("name", name)
    group_field, group = or_variable("group", group)
    job_field, job_type = or_variable("job_type", job_type)
    _check_texts(check_name, {"project": project, name_field: name})
    _check_texts(check_identifier, {group_field: group, "id": id, job_field: job_type})
    _, notes = or_variable("notes", notes)
    if notes is not None:
        check_notes(notes)
    mode = _checked_mode(*or_variable("mode", mode))
    resume_field, resume = or_variable("resume", resume)
    resume_from = parse_moment("resume_from", resume_from)
    fork_from = parse_moment("fork_from", fork_from)
    if resume_from is not None:
        is_argument = resume is not None and resume_field == "resume"
        _check_resume_from(resume_from, id=id, has_resume=is_argument, fork_from=fork_from)
        resume = "must"
    if durability not in ("process", "power"):
        raise InvalidInputError("durability", f'must be "process" or "power", got {durability!r}')
    if strict is not None and not isinstance(strict, bool):
        raise TypeError(f"strict: must be a bool, got {type_name(strict)}")
    return InitArguments(
        project=project,
        name=name,
        group=group,
        id=id,
        tags=_tags(*or_variable("tags", tags)),
        notes=notes,
        config={} if config is None else fields_of(config),
        resume=_checked_resume(resume_field, resume),
        durability=durability,
        mode=mode,
        resume_from=resume_from,
        fork_from=fork_from,
        strict=strict,
        job_type=job_type,
    )


def _check_texts(check: Callable[[str, Any], None], texts: Mapping[str, Any]) -> None:
    for field, text in texts.items():
        if text is not None:
            check(field, text)


def _tags(field: str, tags: Any) -> tuple[str, ...]:
    if field != "tags":  # a variable
        tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
    return checked_tags(tags or (), field)


def _checked_mode(field: str, mode: Any) -> str | None:
    if mode is not None and mode not in _MODES:
        raise InvalidInputError(field, f"must be one of {', '.join(_MODES)}, got {mode!r}")
    checked: str | None = mode
    return checked


def _check_resume_from(
    moment: Moment,
    *,
    id: Any,  # noqa: A002
    has_resume: bool,
    fork_from: Any,
) -> None:
    """Check that no other argument says which run to continue."""
    if fork_from is not None:
        raise InvalidInputError("resume_from", "must not be combined with fork_from")
    if id is not None and id != moment.run_id:
        raise InvalidInputError("resume_from", f"must name the run {id!r} that id names")
    if has_resume:
        raise InvalidInputError("resume_from", "must not be combined with resume")


def _checked_resume(field: str, resume: Any) -> Resume | None:
    if resume is None:
        return None
    if field != "resume":  # a variable, or resume_from, which has made it "must"
        resume = _WANDB_RESUME_TEXTS.get(resume.lower(), resume.lower())
    if isinstance(resume, str | bool):
        resume = _WANDB_RESUME.get(resume, resume)
    if resume not in _RESUME:
        raise InvalidInputError(field, f'must be "never", "allow" or "must", got {resume!r}')
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
