"""Traces of language models, which are logged as texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trackai.sdk.builtin_values import jsonable, type_name
from trackai.sdk.media import Files, Media


class Trace:
    """A conversation with a language model or an agent, logged as a text: JSON with its parts.

    Media in messages, metadata and spans are stored as files under `<name>/media`, and appear as
    {"file": "<name>/media", "name": "<name of the file>"}.

    Args:
        messages: messages as of OpenAI: {"role": "user", "content": "..."}.
        metadata: data about the whole trace.
        spans: steps of its execution, each with an "id", a "name" and a "kind".

    Raises:
        TypeError: `messages` or `spans` is not a list of dicts, or `metadata` is not a dict.

    Example:
        trackai.log({"chat": trackai.Trace([{"role": "user", "content": "2 + 2?"}])})
    """

    def __init__(
        self,
        messages: list[dict[str, Any]],
        metadata: dict[str, Any] | None = None,
        spans: list[dict[str, Any]] | None = None,
    ) -> None:
        if metadata is not None and not isinstance(metadata, Mapping):
            raise TypeError(f"metadata: must be a dict, got {type_name(metadata)}")
        self.messages = _dicts("messages", messages)
        self.metadata = dict(metadata or {})
        self.spans = _dicts("spans", [] if spans is None else spans)

    def json(self, path: str, files: Files) -> str:
        """Return the trace as JSON, and move the media in it to `files`.

        Args:
            path: the name under which the trace is logged.
            files: the files of the call.
        """
        parts = {"messages": self.messages, "metadata": self.metadata, "spans": self.spans}
        return msgspec.json.encode(jsonable(_without_media(parts, f"{path}/media", files))).decode()


def _dicts(field: str, items: Any) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise TypeError(f"{field}: must be a list of dicts, got {type_name(items)}")
    return [dict(item) for item in items]


def _without_media(value: Any, path: str, files: Files) -> Any:
    if isinstance(value, Media):
        number = len(files.setdefault(path, []))
        stored = value.without_files(path, files, number)
        files[path].append((number, stored))
        return {"file": path, "name": stored.file_name(None, number)}
    if isinstance(value, Mapping):
        return {key: _without_media(item, path, files) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_media(item, path, files) for item in value]
    return value
