"""POST /api/import stores batches of runs, and refuses those that are not valid."""

from __future__ import annotations

import hashlib
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import urlopen

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import read_tables
from trackai.errors import InvalidInputError
from trackai.importers import leftovers, wire
from trackai.ingest.wire import MAX_POINTS, PROTOCOL
from trackai.settings import Settings
from trackai.store.factory import create_store
from trackai.structs.exchange import (
    ArtifactHead,
    Block,
    FileHead,
    NumberedFile,
    Rewind,
    RunEnd,
    RunHead,
    WriterHead,
)
from trackai.structs.records import ArtifactFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Answer, Server

HEADERS = {"Content-Type": "application/octet-stream", "TrackAI-Protocol": str(PROTOCOL)}
WRITER = WriterHead(uid="w" * 32, first_step=0, host="h", part="part")
HEAD = RunHead(uid="r" * 32, project="p", run_id="r", created_at=1, notes="n", fork_uid="f")
BLOCK = Block(
    run_uid=HEAD.uid, metric="loss", writer=WRITER, steps=[0, 0.5, 2**60],
    timestamps=[1, 2, 3], values=[1.0, math.nan, "x"], own_steps=[None, 1, 2.5],
)  # fmt: skip
FILE = FileHead(run_uid=HEAD.uid, writer=WRITER, path="f", kind="file", name="a/b", step=1)
ARTIFACT = ArtifactHead(
    run_uid=HEAD.uid, project="p", artifact_type="model", name="m", version=0, digest="d",
    timestamp=1, created_at=1, logged_at=1, metadata={"a": [1]}, tags=["t"], aliases=["best"],
    files=[ArtifactFile(name="x", reference="s3://x")],
)  # fmt: skip
END = RunEnd(
    head=msgspec.structs.replace(
        HEAD, config={"lr": 0.1}, config_types={"lr": "float"}, tags=["t"],
        environment={1: {"host": "h"}},
    )
)  # fmt: skip
REWIND = Rewind(run_uid=HEAD.uid, writer=WRITER, step=1)
ITEMS: list[Any] = [HEAD, BLOCK, NumberedFile(head=FILE), ARTIFACT, REWIND, END]


def packed(*items: Any) -> bytes:
    return wire.pack([wire.pack_item(item) for item in items])


def send(server: Server, data: bytes, **headers: str) -> Answer:
    return server.request("POST", "/api/import", data=data, headers={**HEADERS, **headers})


def content(path: Path) -> list[Any]:
    return read_tables(
        path, "projects", "runs", "writers", "series", "configs", "files", "tags", "imports",
        "artifacts", "artifact_versions",
    )  # fmt: skip


def test_a_batch_is_stored_once(server: Server, db_path: Path) -> None:
    first = send(server, packed(*ITEMS))
    assert first.status == 200
    assert [item["new"] for item in first.json] == [1, 3, 1, 0, 0, 1]
    assert [first.json[3]["version"], first.json[5]["facts"]] == [0, 1]
    before = content(db_path)
    again = send(server, packed(*ITEMS))
    assert [item["new"] for item in again.json] == [0, 0, 0, 0, 0, 0]
    assert [again.json[3]["version"], again.json[5]["facts"]] == [None, 0]
    assert content(db_path) == before
    [run] = server.get("/api/runs")["runs"]
    assert (run["state"], run["tags"]) == ("completed", ["t"])
    assert server.get(f"/api/runs/{run['id']}/config") == {"lr": 0.1}
    assert send(server, packed()).json == []


def change(item: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(item, **fields)


def writer(**fields: Any) -> WriterHead:
    return msgspec.structs.replace(WRITER, **fields)


HUGE = 1 << 63
INVALID: list[tuple[Any, str]] = [
    (change(HEAD, uid=""), "uid"),
    (change(HEAD, project=""), "project"),
    (change(HEAD, run_id="a\nb"), "run_id"),
    (change(HEAD, group_name="\x1b"), "group_name"),
    (change(HEAD, notes="a\0b"), "notes"),
    (change(HEAD, fork_step=math.nan), "fork_step"),
    (change(HEAD, created_at=HUGE - 1), "created_at"),
    (change(END, head=change(HEAD, config={"": 1})), "config key"),
    (change(END, head=change(HEAD, environment={0: {"a": 1}})), "environment"),
    (change(END, head=change(HEAD, tags=["\n"])), "tags"),
    (change(BLOCK, run_uid="other"), "run_uid"),
    (change(BLOCK, metric="x" * 1025), "metric"),
    (change(BLOCK, axis="x"), "axis"),
    (change(BLOCK, kind="x"), "kind"),
    (change(BLOCK, steps=[0, 1]), "steps"),
    (change(BLOCK, steps=[0, 1, math.inf]), "steps"),
    (change(BLOCK, steps=[0, 1, HUGE]), "steps"),
    (change(BLOCK, timestamps=[1, 2, HUGE - 1]), "timestamps"),
    (change(BLOCK, values=[1, 2, HUGE]), "values"),
    (change(BLOCK, values=[1, 2, None]), "values"),
    (change(BLOCK, own_steps=[1]), "steps"),
    (change(BLOCK, own_steps=[]), "steps"),
    (change(BLOCK, own_steps=[1, math.nan, 1]), "own_steps"),
    (change(BLOCK, steps=[], timestamps=[], values=[], own_steps=[]), "steps"),
    (change(BLOCK, writer=writer(uid="")), "writer"),
    (change(BLOCK, writer=writer(attempt=0)), "attempt"),
    (change(BLOCK, writer=writer(first_step=math.nan)), "first_step"),
    (change(BLOCK, writer=writer(host="\0")), "writer"),
    (change(REWIND, step=math.nan), "step"),
    (NumberedFile(head=change(FILE, path="")), "file"),
    (NumberedFile(head=change(FILE, name="../../x")), "file"),
    (NumberedFile(head=change(FILE, name="/etc/passwd")), "file"),
    (NumberedFile(head=change(FILE, sha256="../x", size=1)), "sha256"),
    (NumberedFile(head=change(FILE, sha256="0" * 64)), "size"),
    (NumberedFile(head=change(FILE, sha256="0" * 64, size=-1)), "size"),
    (change(ARTIFACT, name=""), "artifact"),
    (change(ARTIFACT, metadata=[1]), "metadata"),
    (change(ARTIFACT, files=[ArtifactFile(name="../x")]), "artifact"),
    (change(ARTIFACT, files=[ArtifactFile(name="x", sha256="x")]), "artifact"),
]


def test_what_is_not_valid_is_named_and_changes_nothing(server: Server, db_path: Path) -> None:
    before = content(db_path)
    for item, field in INVALID:
        answer = send(server, packed(HEAD, BLOCK, item))
        assert answer.status == 422, (item, answer)
        assert field in answer.json["detail"].partition(":")[0], (item, answer)
    for data, field in (
        (b"", "body"), (b"\xc1", "body"), (b"{}", "body"), (msgspec.msgpack.encode([1]), "body"),
        (msgspec.msgpack.encode([{"type": "other"}]), "type"),
        (msgspec.msgpack.encode([{"type": "run"}]), "uid"),
        (packed(BLOCK), "run_uid"),
        (packed(HEAD, change(END, head=change(HEAD, uid="x"))), "run_uid"),
        (packed(HEAD) + b"x", "body"),
    ):  # fmt: skip
        answer = send(server, data)
        assert answer.status == 422, (data[:80], answer)
        assert field in answer.json["detail"].partition(":")[0], (data[:80], answer)
    assert content(db_path) == before


def test_other_requests_are_refused(server: Server, db_path: Path) -> None:
    before = content(db_path)
    data = packed(*ITEMS)
    assert send(server, data, **{"TrackAI-Protocol": "0"}).status == 426
    assert send(server, data, **{"Content-Type": "application/json"}).status == 415
    assert send(server, data, Origin="http://elsewhere").status == 403
    assert send(server, data, Host="elsewhere").status == 403
    assert server.request("GET", "/api/import").status == 405
    blob = {"size": 1, "sha256": "0" * 64}
    file = change(FILE, **blob)
    answer = send(server, packed(HEAD, NumberedFile(head=file)))
    assert answer.status == 409
    assert "import it again" in answer.json["detail"]
    for body, field in (({}, "blobs"), ({"blobs": [{**blob, "sha256": "x"}]}, "sha256")):
        answer = server.request("POST", "/api/import/lacking", body)
        assert answer.status == 422
        assert answer.json["detail"].startswith(field)
    assert content(db_path) == before


async def clean(db_path: Path) -> None:
    database = create_store(Settings.from_env(database=db_path).database)
    await database.open()
    await leftovers.remove(database)
    await database.close()


def test_bytes_that_are_lacking(server: Server, db_path: Path) -> None:
    data = b"content"
    blob = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    ask = {"blobs": [blob, {"size": 1, "sha256": "0" * 64}]}
    assert len(server.request("POST", "/api/import/lacking", ask).json) == 2
    path = f"/api/blobs/{blob['sha256']}?size={len(data)}"
    assert server.request("PUT", path, data=data, headers=HEADERS).json["complete"]
    for _ in range(2):
        assert server.request("POST", "/api/import/lacking", ask).json == ["0" * 64]
        # They stay until a row refers to them, also when runs are deleted meanwhile.
        anyio.run(clean, db_path)
    assert send(server, packed(HEAD, NumberedFile(head=change(FILE, **blob)))).status == 200


def test_a_writer_belongs_to_one_run(server: Server, db_path: Path) -> None:
    assert send(server, packed(HEAD, BLOCK)).status == 200
    before = content(db_path)
    other = change(HEAD, uid="o" * 32, run_id="o")
    stolen = change(BLOCK, run_uid=other.uid)
    for data in (packed(other, stolen), packed(HEAD, other, BLOCK, stolen)):
        answer = send(server, data)
        assert answer.status == 422
        assert answer.json["detail"].startswith("writer: belongs to another run")
    assert content(db_path) == before


def test_what_a_batch_decodes_to_is_limited() -> None:
    many = change(BLOCK, steps=[0] * 600_000, timestamps=[0] * 600_000, values=[0] * 600_000,
                  own_steps=None)  # fmt: skip
    with pytest.raises(InvalidInputError, match=f"must be at most {MAX_POINTS} in a batch"):
        wire.unpack(packed(HEAD, many, many))
    tagged = change(HEAD, tags=["t"] * 60_000)
    with pytest.raises(InvalidInputError, match="must have at most 100000 keys"):
        wire.unpack(packed(tagged, tagged))


DATA = packed(*ITEMS)


@given(st.data())
@settings(max_examples=300)
def test_damaged_batches_are_refused_or_read(data: st.DataObject) -> None:
    damaged = bytearray(DATA)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(DATA) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(DATA)) | st.integers(0, len(DATA)))
    with suppress(msgspec.MsgspecError, InvalidInputError, RecursionError, UnicodeDecodeError):
        wire.unpack(bytes(damaged[:cut]))


def read_all(server: Server) -> None:
    """Read what was stored in all ways; what can be stored can be read."""
    server.get("/api/projects")
    for run in server.get("/api/runs")["runs"]:
        path = f"/api/runs/{run['id']}"
        for part in ("", "/summary", "/config", "/figures", "/details", "/files", "/file-paths"):
            server.get(path + part)
        with urlopen(f"{server.url}{path}/export", timeout=60) as response:
            assert response.read()
        for metric in server.get(f"/api/metrics/runs/{run['id']}"):
            name = quote(metric, safe="")
            server.get(f"/api/metrics/runs/{run['id']}/metric/{name}")
            server.get(f"/api/metrics/runs/{run['id']}/metric/{name}?points=10")
            for part in ("log", "histograms"):  # 404 for a metric of another kind
                answer = server.request("GET", f"{path}/{part}?metric={name}")
                assert answer.status in {200, 404}, answer


def test_odd_values_can_be_read(server: Server) -> None:
    values = [1.0, "x", '{"values":[1],"edges":[0,1],"type":"COUNTING"}', True, "[]"]
    numbers: list[Any] = list(range(len(values)))
    head = change(HEAD, project_slug="p/ü", name="\u202e", fork_uid=HEAD.uid, fork_step=2)
    blocks = [
        Block(
            run_uid=head.uid, metric=f"{kind}/{axis}", axis=axis, kind=kind, writer=WRITER,
            steps=numbers, timestamps=numbers, values=values, own_steps=numbers,
        )
        for kind in ("number", "bool", "text", "histogram")
        for axis in ("step", "time")
    ]  # fmt: skip
    end = change(
        END.head, config={"a": {"b": None}, "b": 1}, config_types={"b": "odd"},
        project_slug="p/ü", name="\u202e",
    )  # fmt: skip
    answer = send(server, packed(head, *blocks, change(END, head=end)))
    assert answer.status == 200, answer
    read_all(server)


KEYS = st.sampled_from(
    sorted({name for item in ITEMS for name in msgspec.to_builtins(item)} | {"writer", "head"})
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
    | st.text(max_size=5) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(
    junk=st.lists(
        st.tuples(st.integers(1, len(ITEMS) - 1), KEYS, JUNK) | JUNK, min_size=1, max_size=3
    ),
    tail=st.binary(max_size=3),
)
@settings(max_examples=60)
def test_a_server_takes_any_bytes(server: Server, junk: list[Any], tail: bytes) -> None:
    decoded = msgspec.msgpack.decode(DATA)
    for each in junk:
        if isinstance(each, tuple):
            number, key, value = each
            decoded[number][key] = value
        else:
            decoded.append(each)
    answer = send(server, msgspec.msgpack.encode(decoded) + tail)
    assert answer.status in {200, 409, 422}, answer
    if answer.status == 200:
        read_all(server)
