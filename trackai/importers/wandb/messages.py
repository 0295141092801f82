"""The protobuf messages in wandb's record files, with the fields that are read or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SCALARS = descriptor_pb2.FieldDescriptorProto
Messages: TypeAlias = Mapping[str, Sequence[tuple[int, str, str]]]
# By message: the number, name and type of each field; "*" marks a repeated field. `own_time` is our
# own field, which wandb skips: the times of points in a row that TrackAI has exported.
_MESSAGES: Messages = {
    "Timestamp": [(1, "seconds", "int64"), (2, "nanos", "int32")],
    "Item": [(1, "key", "string"), (2, "nested_key", "string*"), (16, "value_json", "string")],
    "Items": [(1, "update", "Item*"), (2, "remove", "Item*")],
    "Step": [(1, "num", "int64")],
    "History": [(1, "item", "Item*"), (2, "step", "Step"), (1000, "own_time", "OwnTime*")],
    "OwnTime": [(1, "name", "string"), (2, "microseconds", "int64")],
    "Stats": [(2, "timestamp", "Timestamp"), (3, "item", "Item*")],
    "Output": [(1, "stream", "int32"), (2, "timestamp", "Timestamp"), (3, "line", "string")],
    "Artifact": [(4, "type", "string"), (5, "name", "string")],
    "Alert": [(1, "title", "string"), (2, "text", "string"), (3, "level", "string")],
    "Metric": [
        (1, "name", "string"),
        (2, "glob_name", "string"),
        (4, "step_metric", "string"),
        (6, "options", "Options"),
    ],
    "Options": [(1, "step_sync", "bool")],
    "Version": [(1, "producer", "string"), (2, "min_consumer", "string")],
    "Header": [(1, "version_info", "Version")],
    "File": [(1, "path", "string")],
    "Files": [(1, "files", "File*")],
    "Exit": [(1, "exit_code", "int32"), (2, "runtime", "int32")],
    "Run": [
        (1, "run_id", "string"),
        (2, "entity", "string"),
        (3, "project", "string"),
        (4, "config", "Items"),
        (6, "group", "string"),
        (7, "job_type", "string"),
        (8, "name", "string"),
        (9, "notes", "string"),
        (10, "tags", "string*"),
        (12, "sweep_id", "string"),
        (13, "host", "string"),
        (17, "start_time", "Timestamp"),
    ],
    "Record": [
        # Most of a file: these are decoded by `items.py`, or as `History` and `Items`.
        (2, "history", "bytes"),
        (3, "summary", "bytes"),
        (5, "config", "Items"),
        (6, "files", "Files"),
        (7, "stats", "Stats"),
        (8, "artifact", "Artifact"),
        (10, "alert", "Alert"),
        (12, "metric", "Metric"),
        (13, "output_raw", "Output"),
        (17, "run", "Run"),
        (18, "exit", "Exit"),
        (21, "header", "Header"),
    ],
}


def record_class(package: str, messages: Messages) -> Any:
    """Make the class of the message `Record`, which has one of its fields.

    Args:
        package: a name for the messages.
        messages: see `_MESSAGES`.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        if name == "Record":
            message.oneof_decl.add(name="content")
        for number, field_name, kind in fields:
            field = message.field.add(name=field_name, number=number)
            is_repeated = kind.endswith("*")
            field.label = _SCALARS.LABEL_REPEATED if is_repeated else _SCALARS.LABEL_OPTIONAL
            if name == "Record":
                field.oneof_index = 0
            kind = kind.removesuffix("*")
            if kind in messages:
                field.type, field.type_name = _SCALARS.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                field.type = getattr(_SCALARS, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Record"))


# The message that each record of a file holds.
Record: Any = record_class("wandb", _MESSAGES)
_parts = Record.DESCRIPTOR.file.message_types_by_name
History: Any = message_factory.GetMessageClass(_parts["History"])
Item: Any = message_factory.GetMessageClass(_parts["Item"])
Items: Any = message_factory.GetMessageClass(_parts["Items"])


def microseconds(timestamp: Any) -> int:
    """Convert a `Timestamp` to microseconds since the epoch."""
    return int(timestamp.seconds) * 1_000_000 + int(timestamp.nanos) // 1000
