"""The types of steps, values, axes and states."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

Step: TypeAlias = int | float
Value: TypeAlias = float | int | bool | str
StoredValue: TypeAlias = float | int | str | None
Axis: TypeAlias = Literal["step", "time"]
Kind: TypeAlias = Literal["number", "bool", "text", "histogram"]
FileKind: TypeAlias = Literal["file", "file_series", "file_set", "artifact"]
TextKind: TypeAlias = Literal["text", "histogram"]
State: TypeAlias = Literal["running", "completed", "failed"]
# To the archive, out of it, to the trash, and out of it.
KeepVerb: TypeAlias = Literal["archive", "unarchive", "trash", "restore"]

INT64 = 1 << 63
# Integers that SQLite can store, for validating input.
Integer = Annotated[int, msgspec.Meta(ge=-INT64, le=INT64 - 1)]
BoundedStep = Integer | float
