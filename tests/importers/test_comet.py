"""Importing offline experiments of Comet, as comet-ml 3.58.8 writes them."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import zipfile
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.sources import read_source
from trackai.errors import InvalidInputError
from trackai.importers import bundles
from trackai.importers.comet import recognises
from trackai.importers.comet.reader import Source
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

KEY = "a3550c16e65e4d65b9754dea0373b419"
START = 1_795_973_881_285
FACTS = {
    "offline_id": KEY, "project_name": "sample", "start_time": START, "stop_time": START + 1006,
    "tags": ["b", "a"], "workspace": "w", "resume_strategy": "create",
    "customer_error_reported": False,
}  # fmt: skip


def other(key: str, value: Any) -> tuple[str, dict[str, Any]]:
    return "log_other", {"key": key, "value": value}


def param(name: str, value: Any, step: Any = None, source: str = "manual", **more: Any) -> Any:
    field = "params" if isinstance(value, list) else "param"
    content = {"paramName": name, "paramValue": value, "source": source, "step": step}
    return "parameter_msg", {field: content, **more}


def metric(name: str, value: Any, step: Any, epoch: Any = None, **more: Any) -> Any:
    content = {"metricName": name, "metricValue": value, "step": step, "epoch": epoch}
    return "metric_msg", {"metric": content, **more}


def upload(kind: str, member: str, params: dict[str, Any], **more: Any) -> Any:
    return "file_upload", {
        "upload_type": kind, "file_path": member, "additional_params": params, **more
    }  # fmt: skip


PNG = b"\x89PNG\r\n\x1a\n rest of it"
MEMBERS = {
    "tmp1": b"print()\n", "tmp2": PNG, "tmp3": PNG, "tmp4": b"asset", "tmp5": b"some text",
    "tmp6": b'{"type": "curve"}', "tmp7": b"weights", "tmp8": b"",
}  # fmt: skip
MESSAGES = [
    ("file_name", {"file_name": "/home/me/train.py"}),
    ("installed_packages", {"installed_packages": ["a==1", "b==2"]}),
    ("system_details", {"hostname": "vm", "python_version": "3.11.7", "env": None}),
    ("git_metadata", {"git_metadata": {"branch": "main", "user": None}}),
    ("system_info", {"system_info": {"key": "k", "value": "v"}}),
    other("offline_experiment", True),
    other("hasNestedParams", True),
    other("Name", "näme/1"),
    other("note", {"x": 1}),
    param("flag", True), param("lr", 0.1), param("lr", 0.2), param("nested|depth", 4),
    param("nothing", None), param("nan", "NaN"), param("big", 2**70), param("list", [1, 2, "x"]),
    param("auto", 1, source="auto-logged"),
    metric("sys.cpu.percent.avg", 0.5, None),
    metric("early", 1, None),
    param("curr_step", 0, 0, "auto-logged"),
    param("curr_epoch", 1, 0, "auto-logged"),
    metric("train/loss", 0.5, 0, 1),
    metric("train/loss", 0.25, 1), metric("train/loss", "NaN", 2), metric("train/loss", 0.125, 3),
    metric("accuracy", 0.5, 0), metric("big", 9007199254740993, 0), metric("inf", "Infinity", 0),
    metric("inf", "-Infinity", -3), metric("train/loss", 0.1, 3), metric("accuracy", 0.9, 10),
    metric("huge", 2**70, 0), metric("true", "True", 0), metric("words", "some words", 0),
    metric("fraction", 1, 1.5), metric("ctx", 2, 4, context="validate"),
    metric("process duration", 7, 10),
    ("standard_output", {"output": "par", "stderr": False}),
    ("standard_output", {"output": "tial\nline", "stderr": False}),
    ("standard_output", {"output": "error\n", "stderr": True}),
    upload("source_code", "tmp1", {"fileName": "/home/me/train.py", "extension": "py", "step": 3}),
    upload("visualization", "tmp2", {"figName": "img/a", "step": 3}),
    upload("visualization", "tmp3", {"figName": "img/a", "step": 4}),
    upload("asset", "tmp4", {"fileName": "../../up.txt", "step": None}, metadata={"k": 1}),
    upload("text-sample", "tmp5", {"fileName": "auto-generated-in-the-backend", "step": 5}),
    upload("curve", "tmp6", {"fileName": "roc", "step": 2}),
    upload("model-element", "tmp7", {"fileName": "w.pt", "groupingName": "mod", "step": 1}),
    upload("audio", "tmp8", {"fileName": "a.wav", "step": 1}),
    ("remote_file", {"remote_uri": "s3://bucket/x", "additional_params": {"fileName": "far"}}),
    ("html", {"html": "<p>x</p>"}),
    ("graph", {"graph": "model"}),
    ("3d-image", {"name": "scene", "items": [{"file_name": "p.jsonl", "file_path": "tmp4"}],
                  "thumbnail_path": "tmp2", "step": 1}),
]  # fmt: skip


def lines(messages: list[Any]) -> bytes:
    return b"".join(
        json.dumps(
            {"type": kind, "payload": {"local_timestamp": START + n, "message_id": n, **payload}}
        ).encode() + b"\n"
        for n, (kind, payload) in enumerate(messages)
    )  # fmt: skip


def write(
    path: Path,
    messages: list[Any] = MESSAGES,
    facts: dict[str, Any] | None = FACTS,
    members: dict[str, bytes] = MEMBERS,
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if facts is not None:
            archive.writestr("experiment.json", json.dumps(facts))
        archive.writestr("messages.json", lines(messages))
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_what_comet_writes(tmp_path: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    path = write(tmp_path / f"{KEY}.zip")
    receipt = trackai("import", "comet", path, "--json").json
    assert receipt["complete"] is True, receipt
    assert [remark["problem"] for remark in receipt["remarks"]] == [
        "huge: integers beyond 64 bits are rounded", "metadata of 1 files is not stored"
    ]  # fmt: skip
    assert ask("SELECT name, slug FROM runs") == [("näme/1", KEY)]
    _, runs = read_source(Source, path)
    head, points, files = runs[KEY].head, runs[KEY].points, runs[KEY].files
    assert points["train/loss"] == [(0, 0.5), (1, 0.25), (2, "NaN"), (3, 0.125), (3, 0.1)]
    assert points["accuracy"] == [(0, 0.5), (10, 0.9)]
    assert points["big"] == [(0, 9007199254740993)]
    assert points["inf"] == [(0, math.inf), (-3, -math.inf)]
    assert points["huge"] == [(0, float(2**70))]
    assert points["true"] == [(0, True)]
    assert points["words"] == [(0, "some words")]
    assert points["fraction"] == [(1.5, 1)]
    assert points["validate_ctx"] == [(4, 2)]
    assert points["curr_epoch"] == [(0, 1)]
    assert [value for _, value in points["system/cpu/percent/avg"]] == [0.5]
    assert [block.axis for block in runs[KEY].blocks if block.metric == "early"] == ["time"]
    assert [value for _, value in points["logs/stdout"]] == ["partial", "line"]
    assert [value for _, value in points["logs/stderr"]] == ["error"]
    assert "process duration" not in points
    at = MESSAGES.index(metric("train/loss", 0.5, 0, 1))
    assert runs[KEY].times["train/loss"][0] == (START + at) * 1000
    assert head.config == {
        "_comet/workspace": "w", "other/note": {"x": 1}, "flag": True, "lr": 0.2,
        "nested/depth": 4, "nothing": None, "nan": "NaN", "big": 2**70, "list": [1, 2, "x"],
        "auto": 1, "_comet/source/auto": "auto-logged",
    }  # fmt: skip
    assert (head.project, head.name, head.tags) == ("sample", "näme/1", ["a", "b"])
    assert (head.state, head.created_at) == ("completed", START * 1000)
    assert head.finished_at == (START + 1006) * 1000
    assert head.environment[1] == {
        "script": "/home/me/train.py", "packages": "requirements.txt", "host": "vm",
        "python": "3.11.7", "git/branch": "main", "git/user": None, "system_info/k": "v",
    }  # fmt: skip
    assert {name: (file.step, content) for name, (file, content) in files.items()} == {
        "requirements.txt|requirements.txt": (None, b"a==1\nb==2\n"),
        "code/train.py|train.py": (None, b"print()\n"),
        "img/a|a.png": (4, PNG),
        "../../up.txt|up.txt": (None, b"asset"),
        "text|text.txt": (5, b"some text"),
        "roc|roc.json": (2, b'{"type": "curve"}'),
        "models/mod/w.pt|w.pt": (None, b"weights"),
        "a.wav|a.wav": (1, b""),
        "far|far": (None, None),
        f"html|{len(MESSAGES) - 3}.html": (None, b"<p>x</p>"),
        "model_graph|model_graph.txt": (None, b"model"),
        "scene|p.jsonl": (1, b"asset"),
        "scene|thumbnail": (1, PNG),
    }
    stored = ask("SELECT step, sha256 FROM files WHERE path = 'img/a' ORDER BY step")
    assert [(step, blob_path(db_path, sha256).read_bytes()) for step, sha256 in stored] == [
        (3, PNG), (4, PNG)
    ]  # fmt: skip


def test_importing_again_and_parts_of_an_experiment(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    write(tmp_path / f"{KEY}.zip")
    first = trackai("import", "comet", tmp_path, "--json").json
    again = trackai("import", "comet", tmp_path, "--json").json
    assert (again["new_runs"], again["totals"]["stored"]) == (0, 0)
    assert again["totals"]["already_there"] == first["totals"]["stored"]
    # ExistingOfflineExperiment writes another archive; a copy adds nothing.
    write(tmp_path / f"{KEY}-xyz.zip", [metric("accuracy", 1, 11)],
          {**FACTS, "start_time": START + 5000, "stop_time": START + 6000})  # fmt: skip
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / f"{KEY}.zip")
    grown = trackai("import", "comet", tmp_path, "--json").json
    assert (grown["new_runs"], grown["totals"]["stored"]) == (0, 1)
    assert any(remark["problem"].startswith("a copy") for remark in grown["remarks"])
    query = "SELECT attempt FROM metrics JOIN writers ON writers.id = writer_id WHERE step = 11"
    assert ask(query) == [(2,)]


def test_a_killed_process(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    result = trackai("import", "comet", tmp_path / "empty.zip", code=2)
    assert "its process was killed" in result.err
    folder = tmp_path / "tmpabc"
    folder.mkdir()
    (folder / "messages.json").write_bytes(lines(MESSAGES[:25]) + b'{"payload":{"loc')
    receipt = trackai("import", "comet", tmp_path, "--json", code=4).json
    assert [problem["where"] for problem in receipt["problems"]] == ["empty.zip"]
    assert [remark["problem"] for remark in receipt["remarks"]] == ["ends within line 26"]
    assert ask("SELECT slug, state FROM runs") == [("tmpabc", "running")]
    os.utime(folder / "messages.json", (1, 1))
    trackai("import", "comet", tmp_path, code=4)
    assert ask("SELECT state FROM runs") == [("failed",)]


def test_archives_of_others(tmp_path: Path, trackai: Trackai) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    (tmp_path / "y.zip").write_bytes(b"not a zip")
    assert "not an offline" in trackai("import", "comet", tmp_path / "x.zip", code=2).err
    assert "not a zip archive" in trackai("import", "comet", tmp_path / "y.zip", code=2).err
    (tmp_path / "y.zip").unlink()
    assert "no offline" in trackai("import", "comet", tmp_path, code=2).err
    assert not recognises(tmp_path)
    write(tmp_path / "z.zip")
    assert recognises(tmp_path)
    assert recognises(tmp_path / "z.zip")
    assert not recognises(tmp_path / "x.zip")
    assert not recognises(tmp_path / "missing.zip")


def test_names_of_files_do_not_escape(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    names = ["../secret", str(tmp_path / "secret"), "link", "nul\0", "", "."]
    messages = [upload("asset", name, {"fileName": "x"}) for name in names]
    (folder / "messages.json").write_bytes(lines(messages))
    receipt, runs = read_source(Source, folder)
    assert receipt.counts("files").not_stored == {"file content not found": len(names)}
    assert not runs["run"].files


def test_zip_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_ALLOWANCE", 0)
    messages = [upload("asset", "bomb", {"fileName": "bomb"}), metric("m", 1, 0)]
    path = write(tmp_path / "x.zip", messages, members={"bomb": bytes(10_000_000)})
    receipt, runs = read_source(Source, path)
    assert "expands to more than 100 times" in receipt.problems[0].problem
    assert not runs[KEY].files


def test_damage_within_an_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip")
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("tmp7").header_offset
    damaged = content[: start + 36] + b"\xff\xff\xff" + content[start + 39 :]
    path.write_bytes(damaged)
    receipt, runs = read_source(Source, path)
    assert receipt.totals.not_stored == {"damaged": 1}
    assert "models/mod/w.pt|w.pt" not in runs[KEY].files
    assert runs[KEY].points["accuracy"] == [(0, 0.5), (10, 0.9)]


def test_a_folder_cut_anywhere(tmp_path: Path) -> None:
    messages = [m for m in MESSAGES if m[0] in ("metric_msg", "parameter_msg", "standard_output")]
    whole = lines(messages)
    path = tmp_path / "messages.json"
    path.write_bytes(whole)
    runs = read_source(Source, tmp_path)[1]
    [name] = runs
    for length in range(len(lines(messages[:1])), len(whole), 7):
        path.write_bytes(whole[:length])
        receipt, cut = read_source(Source, tmp_path)
        assert receipt.problems == []
        for metric_name, points in cut[name].points.items():
            if not metric_name.startswith("logs/"):
                assert points == runs[name].points[metric_name][: len(points)]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9))))
def test_damaged_archives(tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    path = write(tmp_path / "x.zip")
    content = bytearray(path.read_bytes())
    for position, data in changes:
        start = position % len(content)
        content[start : start + len(data)] = data
    path.write_bytes(content)
    recognises(path)
    with contextlib.suppress(InvalidInputError):
        read_source(Source, path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_messages_of_any_content(tmp_path: Path, data: st.DataObject) -> None:
    messages: list[Any] = []
    for kind, payload in data.draw(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=5)):
        changed = dict(payload)
        key = data.draw(st.sampled_from(sorted(payload)))
        inner = changed[key]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            changed[key] = {**inner, data.draw(st.sampled_from(sorted(inner))): data.draw(VALUES)}
        else:
            changed[key] = data.draw(VALUES)
        messages.append((kind, changed))
    path = write(tmp_path / "x.zip", messages)
    receipt, runs = read_source(Source, path)
    assert runs.keys() == {KEY}
    assert isinstance(receipt.problems, list)


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.getinfo("tmp7").header_offset
    content[start + 6] |= 1
    central = content.index(b"tmp7", start + 50) - 46
    content[central + 8] |= 1
    path.write_bytes(content)
    receipt, _ = read_source(Source, path)
    assert receipt.totals.not_stored == {"damaged": 1}
