"""Traces of language models."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.zeros((2, 2, 3), np.uint8)


def test_a_trace_is_a_text_with_its_media_as_files(db_path: Path) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "image", "image": trackai.Image(PIXELS)}]},
        {"role": "assistant", "content": "black", "logprob": np.float32(0.5)},
    ]
    spans = [{"id": "1", "name": "generate", "kind": "generation", "input": trackai.Image(PIXELS)}]
    with trackai.init(project="p") as run:
        run.log({"chat": {"one": trackai.Trace(messages, {"session_id": 7}, spans)}})
        run.log({"chat": {"one": trackai.Trace([])}})
    with closing(sqlite3.connect(db_path)) as connection:
        texts = connection.execute("SELECT step, value FROM points ORDER BY step").fetchall()
        files = connection.execute("SELECT path, name, step FROM files ORDER BY id").fetchall()
    assert files == [("chat/one/media", "0.png", 0), ("chat/one/media", "1.png", 0)]
    picture = {"file": "chat/one/media", "name": "0.png"}
    assert [(step, json.loads(text)) for step, text in texts] == [
        (0, {
            "messages": [
                {"role": "user", "content": [{"type": "image", "image": picture}]},
                {"role": "assistant", "content": "black", "logprob": 0.5},
            ],
            "metadata": {"session_id": 7},
            "spans": [{
                "id": "1", "name": "generate", "kind": "generation",
                "input": {**picture, "name": "1.png"},
            }],
        }),
        (1, {"messages": [], "metadata": {}, "spans": []}),
    ]  # fmt: skip
    assert isinstance(messages[0]["content"][0]["image"], trackai.Image)  # of the caller


@pytest.mark.parametrize(
    ("arguments", "field"),
    [(("hello",), "messages"), ((["hello"],), "messages"), (([], []), "metadata"),
     (([], None, {}), "spans"), (([], None, [1]), "spans")],
)  # fmt: skip
def test_wrong_parts_are_named(arguments: Any, field: str) -> None:
    with pytest.raises(TypeError, match=f"^{field}: must be a "):
        trackai.Trace(*arguments)
