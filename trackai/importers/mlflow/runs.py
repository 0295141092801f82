"""What MLflow keeps of a run beside its points, and the head that is made of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.importers.json_values import json_value
from trackai.importers.mlflow.params import guess
from trackai.structs.exchange import RunHead
from trackai.values.names import identifier_problem
from trackai.values.nesting import flat
from trackai.values.times import FIRST_TIME, LAST_TIME
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trackai.errors import InvalidInputError
    from trackai.importers.receipt import Receipt
    from trackai.values.types import State

# In the configuration, what is not a parameter.
_PREFIX = "_mlflow"
_OWN_TAG = "mlflow."
# Tags of runs that `trackai export` has written.
_GROUP_TAG = "trackai.group"
_RUN_ID_TAG = "trackai.run_id"
NAME_TAG = "mlflow.runName"
PARENT_TAG = "mlflow.parentRunId"
_NOTES_TAG = "mlflow.note.content"
_STATES: dict[str, State] = {"FINISHED": "completed", "FAILED": "failed", "KILLED": "failed"}
# The other statuses are of runs that have not ended.
_KILLED = "KILLED"
# The stage of a version of a registered model that was deleted.
DELETED_VERSION = "Deleted_Internal"
# MLflow's tags for the facts that TrackAI records itself, and their names there.
_FACTS = {
    "mlflow.user": "user",
    "mlflow.source.name": "script",
    "mlflow.source.type": "source_type",
    "mlflow.source.git.commit": "git/commit",
    "mlflow.source.git.branch": "git/branch",
    "mlflow.source.git.repoURL": "git/remote",
    "mlflow.source.git.dirty": "git/dirty",
}


class Experiment(msgspec.Struct, kw_only=True):
    """An experiment.

    Attributes:
        tags: also its description.
    """

    id: str
    name: str
    is_deleted: bool = False
    tags: dict[str, str] = {}


class Run(msgspec.Struct, kw_only=True):
    """A run as it is listed.

    Attributes:
        status: one of MLflow's; another text if it is not known.
        started_at: in microseconds since the epoch.
        facts: see `known_facts`.
    """

    uuid: str
    experiment: Experiment
    name: str = ""
    parent: str | None = None
    status: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    is_deleted: bool = False
    artifact_uri: str = ""
    facts: dict[str, str] = {}

    @property
    def title(self) -> str:
        """Its name, or its id."""
        return self.name or self.uuid

    @property
    def has_ended(self) -> bool:
        """Whether the end is known; a run that was killed stays without one."""
        return self.status in _STATES


class Details(msgspec.Struct):
    """What is read when it is the run's turn.

    Attributes:
        metadata: data sets, logged models and registered ones, nested.
    """

    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metadata: dict[str, Any] = {}


def run_uid(run: Run) -> str:
    """Return the uid of a run, which is the same wherever its store lies."""
    return stable_uid("mlflow", run.uuid)


def known_facts(user: Any, script: Any, commit: Any) -> dict[str, str]:
    """Return the facts that MLflow keeps beside tags, by the tags that have replaced them."""
    facts = {"mlflow.user": user, "mlflow.source.name": script, "mlflow.source.git.commit": commit}
    return {tag: str(fact) for tag, fact in facts.items() if fact}


def microseconds(milliseconds: Any) -> int | None:
    """Convert a time of MLflow; None if there is none, or it is none that can be stored."""
    if not isinstance(milliseconds, int | float):
        return None
    return round(milliseconds * 1000) if FIRST_TIME <= milliseconds * 1000 <= LAST_TIME else None


def problem_of(error: InvalidInputError) -> str:
    """Return what is wrong with a source, without its path."""
    return str(error).partition(": ")[2]


def refuse_unknown(
    registered: Mapping[Any, Mapping[str, Mapping[str, Any]]],
    runs: Iterable[Run],
    receipt: Receipt,
) -> None:
    """Count the versions of registered models that are of none of the runs.

    Args:
        registered: the models by run and name.
    """
    known = {run.uuid for run in runs}
    number = sum(
        len(model["versions"])
        for run_id, models in registered.items()
        for model in models.values()
        if run_id not in known
    )
    if number:
        receipt.refuse("registered models", "versions of no run", number)


def groups(runs: Mapping[str, Run]) -> dict[str, str]:
    """Return the groups of nested runs, by their ids: the name of the run around them all.

    Args:
        runs: by their ids.
    """
    named: dict[str, str] = {}
    for run in runs.values():
        root = _root(run, runs)
        if root != run.uuid:
            named[run.uuid] = named[root] = runs[root].title if root in runs else root
    return named


def _root(run: Run, runs: Mapping[str, Run]) -> str:
    seen = {run.uuid}
    while run.parent is not None and run.parent not in seen:
        seen.add(run.parent)
        if run.parent not in runs:
            return run.parent
        run = runs[run.parent]
    return run.uuid


def make_head(run: Run, details: Details, group: str | None) -> RunHead:
    """Return the head of a run whose points have not been read yet."""
    started_at = run.started_at or 0
    facts = _facts(run, details.tags)
    head = RunHead(
        uid=run_uid(run), project=run.experiment.name, name=run.title,
        run_id=details.tags.get(_RUN_ID_TAG) or run.uuid,
        group_name=group or details.tags.get(_GROUP_TAG),
        state="running", created_at=started_at, updated_at=started_at,
        notes=details.tags.get(_NOTES_TAG) or None, tags=_tags(details.tags),
        environment={1: facts} if facts else {},
    )  # fmt: skip
    head.config = flat({_PREFIX: _metadata(run, details)}, json_value)
    for key, value in _typed(details.params).items():
        if isinstance(value, float) and not math.isfinite(value):
            head.config_types[key] = "float"
        head.config[key] = json_value(value)
    return head


def end_head(head: RunHead, run: Run, last_time: int | None) -> None:
    """Complete the head of a run that has ended, after its points have been read."""
    head.state = _STATES.get(run.status, "failed")
    times = (head.created_at, run.ended_at, last_time)
    head.updated_at = max(time for time in times if time is not None)
    head.finished_at = run.ended_at or head.updated_at


def _typed(params: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters with the types that they look like; mappings become several."""
    config: dict[str, Any] = {}
    for key, text in params.items():
        value = guess(text)
        inner = flat({key: value}, lambda leaf: leaf)
        if key not in inner and not params.keys().isdisjoint(inner):
            inner = {key: text}
        config |= inner
    return config


def _tags(tags: Mapping[str, str]) -> list[str]:
    return [_tag(key, value) for key, value in tags.items() if _is_tag(key, value)]


def _is_tag(key: str, value: str) -> bool:
    """Whether a tag is one here, too; a long one, or with lines, belongs to the configuration."""
    if key in (_GROUP_TAG, _RUN_ID_TAG):
        return False
    return not key.startswith(_OWN_TAG) and identifier_problem(_tag(key, value)) is None


def _tag(key: str, value: str) -> str:
    return f"{key}={value}" if value else key


def _facts(run: Run, tags: Mapping[str, str]) -> dict[str, Any]:
    known = {**run.facts, **tags}
    facts: dict[str, Any] = {fact: known[tag] for tag, fact in _FACTS.items() if known.get(tag)}
    if facts.get("git/dirty") in ("true", "false"):
        facts["git/dirty"] = facts["git/dirty"] == "true"
    return facts


def _metadata(run: Run, details: Details) -> dict[str, Any]:
    """Return what has no other place, nested."""
    tags = run.experiment.tags
    metadata: dict[str, Any] = {
        "experiment": {
            "id": run.experiment.id,
            "description": tags.get(_NOTES_TAG),
            "tags": {key: value for key, value in tags.items() if key != _NOTES_TAG},
        },
        "lifecycle_stage": "deleted" if run.is_deleted else None,
        "status": run.status if run.status == _KILLED else None,
        "tags": {},
        **details.metadata,
    }
    for model in metadata.get("models", {}).values():
        # A model has copies of what its run has.
        model["params"] = _without(model["params"], details.params)
        model["tags"] = _without(model["tags"], {**run.facts, **details.tags})
    for key, value in details.tags.items():
        if not key.startswith(_OWN_TAG):
            if not _is_tag(key, value) and key not in (_GROUP_TAG, _RUN_ID_TAG):
                metadata["tags"][key] = value
        elif key not in _FACTS and key not in (NAME_TAG, _NOTES_TAG):
            metadata[key.removeprefix(_OWN_TAG)] = _decoded(value)
    return _without_empty(metadata)


def _without(values: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if known.get(key) != value}


def _decoded(text: str) -> Any:
    """Decode the JSON of one of MLflow's own tags, such as the list of its models."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in values.items():
        kept_value = _without_empty(value) if isinstance(value, dict) else value
        if kept_value not in (None, "", {}, []):
            kept[key] = kept_value
    return kept
