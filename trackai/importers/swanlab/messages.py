"""The protobuf messages in SwanLab's record files, with the fields that the importer reads."""

from __future__ import annotations

from typing import Any

from trackai.importers.wandb.messages import Messages, record_class

_MESSAGES: Messages = {
    "Timestamp": [(1, "seconds", "int64"), (2, "nanos", "int32")],
    "Start": [
        (1, "project", "string"),
        (4, "name", "string"),
        (5, "description", "string"),
        (6, "tags", "string*"),
        (7, "group", "string"),
        (8, "job_type", "string"),
        (10, "id", "string"),
        (12, "started_at", "Timestamp"),
    ],
    "Finish": [(1, "state", "int32"), (2, "error", "string"), (3, "finished_at", "Timestamp")],
    "Column": [(3, "column_key", "string"), (13, "x_axis", "string")],
    "Number": [(1, "number", "double")],
    "Scalar": [
        (1, "key", "string"),
        (2, "step", "int64"),
        (4, "timestamp", "Timestamp"),
        (5, "value", "Number"),
    ],
    "File": [
        (1, "filename", "string"),
        (2, "sha256", "string"),
        (3, "size", "int64"),
        (4, "caption", "string"),
    ],
    "Files": [(1, "items", "File*")],
    "Media": [
        (1, "key", "string"),
        (2, "step", "int64"),
        (3, "type", "int32"),
        (4, "timestamp", "Timestamp"),
        (5, "value", "Files"),
    ],
    "Line": [(1, "line", "string"), (2, "level", "int32"), (3, "timestamp", "Timestamp")],
    "Save": [(1, "name", "string"), (5, "type", "int32")],
    "Record": [
        (10, "start", "Start"),
        (11, "finish", "Finish"),
        (12, "column", "Column"),
        (13, "scalar", "Scalar"),
        (14, "media", "Media"),
        (16, "log", "Line"),
        (20, "save", "Save"),
    ],
}

# The message that each record of a file holds.
Record: Any = record_class("swanlab", _MESSAGES)
# The folders of media, by type.
MEDIA_FOLDERS = {
    2: "image", 3: "audio", 4: "text", 5: "video", 6: "echarts", 7: "object3d", 8: "molecule",
    9: "html",
}  # fmt: skip
FINISHED = 1
# Of a line of the console.
ERROR = 1
# Of a file that a script has saved.
CUSTOM = 0
