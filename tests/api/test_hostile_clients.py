"""Clients with a key that try to reach, spoil or exhaust what is not theirs."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import struct
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.api.test_attach import attach, message
from tests.api.test_keys import bearer, create_key
from tests.conftest import KEY, Answer, Server, execute_sql, read_tables, serving
from tests.ingest.test_wire import OPENED, batch
from trackai.errors import DiskFullError
from trackai.ingest import wire
from trackai.ingest.frames import Filed, Keys
from trackai.ingest.reader import Calls
from trackai.store.blobs import blob_store
from trackai.store.blobs.blob_store import Blob, Sender, TooManyUploadsError
from trackai.store.blobs.folder import FolderBlobs
from trackai.store.catalogue import files, uploads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.ingest.frames import Opened
    from trackai.store.engine.database import Database

BYTES = {"Content-Type": "application/octet-stream", "TrackAI-Protocol": str(wire.PROTOCOL)}
POINTS = [Calls(Keys(0, "step", ("loss",)), [0, 1], [1, 2], [[1.0, 2.0]])]


class Site(msgspec.Struct):
    """A server with the projects "mine" and "theirs", and headers with a key for each."""

    server: Server
    mine: dict[str, str]
    theirs: dict[str, str]
    write: dict[str, str]

    def send(self, packed: bytes, journal: str, headers: dict[str, str]) -> Answer:
        return self.server.request(
            "POST", f"/api/journals/{journal}", data=packed, headers={**BYTES, **headers}
        )

    def put(self, data: bytes, headers: dict[str, str], **changes: Any) -> Answer:
        fields = {"size": len(data), "offset": 0, "sha256": sha256(data), **changes}
        path = f"/api/blobs/{fields['sha256']}?size={fields['size']}&offset={fields['offset']}"
        return self.server.request("PUT", path, data=data, headers={**BYTES, **headers})

    def has(self, data: bytes, headers: dict[str, str]) -> Any:
        path = f"/api/blobs/{sha256(data)}?size={len(data)}"
        return self.server.request("GET", path, headers=headers).json

    def rows(self, sql: str) -> list[Any]:
        return execute_sql(self.server.db_path, sql)

    def content(self) -> list[Any]:
        """Everything that a client can store, to compare."""
        return read_tables(
            self.server.db_path, "projects", "runs", "writers", "journals", "series", "configs",
            "files", "tags",
        )  # fmt: skip


@pytest.fixture(scope="module")
def site(module_address: Path) -> Iterator[Site]:
    with serving(module_address, TRACKAI_API_KEY=KEY) as server:
        keys = [
            bearer(create_key(module_address, name, "write", *options))
            for name, options in (
                ("mine", ("--project", "mine")),
                ("theirs", ("--project", "theirs")),
                ("write", ()),
            )
        ]
        yield Site(server, *keys)


NUMBERS = iter(range(1, 1 << 62))


def opened(project: str = "mine", **changes: Any) -> Opened:
    """A new writer of a new run."""
    run, writer = f"{next(NUMBERS):032x}", f"{next(NUMBERS):032x}"
    fields = {"run_uid": run, "writer_uid": writer, "project": project, **changes}
    return msgspec.structs.replace(OPENED, **fields)


def journal_of(writer: Opened) -> str:
    return f"{1:016x}-{writer.writer_uid}-000000.journal"


def packed(writer: Opened, **changes: Any) -> bytes:
    return wire.pack(batch(opened=writer, **changes))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def filed(data: bytes, **changes: Any) -> Filed:
    fields = {
        "path": "model", "kind": "artifact", "name": "a.pt", "step": None, "timestamp": 7,
        "source": "/a.pt", "size": len(data), "sha256": sha256(data), "bytes_in": "x", **changes,
    }  # fmt: skip
    return Filed(**fields)


@pytest.fixture
def victim(site: Site) -> Opened:
    """A writer in the project "theirs" that has logged."""
    writer = opened("theirs")
    answer = site.send(packed(writer, calls=POINTS), journal_of(writer), site.theirs)
    assert (answer.status, answer.json["consumed"], answer.json["stored"]) == (200, 10, True)
    return writer


def test_other_projects_are_out_of_reach(site: Site, victim: Opened) -> None:
    """By the run, the writer, the journal, the project's name, and as the parent of a fork."""
    before = site.content()
    replace = msgspec.structs.replace
    mine = opened()
    attempts = [
        replace(mine, project="theirs"),
        replace(mine, project="new"),
        replace(mine, run_uid=victim.run_uid),
        replace(mine, run_uid=victim.run_uid, project="theirs"),
        replace(mine, fork_uid=victim.run_uid, fork_step=0),
        replace(mine, writer_uid=victim.writer_uid),
        replace(mine, parent=victim.writer_uid),
        replace(victim, project="mine"),
        victim,
    ]
    details = set()
    for attempt in attempts:
        for start in (0, 5, 10):
            sent = packed(attempt, calls=POINTS, start=start, end=start + 10)
            answer = site.send(sent, journal_of(attempt), site.mine)
            assert answer.status == 403, attempt
            details.add(answer.json["detail"])
    assert details == {"this key may only log to project 'mine'"}
    assert site.content() == before


def test_attaching_reaches_no_other_project(site: Site, victim: Opened) -> None:
    before = site.content()
    uid = "e" * 32
    attempts = [
        message(project="theirs"),
        message(project="theirs", run_id="s", resume="must"),
        message(project="new"),
        message(project="mine", writer_uid=victim.writer_uid, journal=journal_of(victim)),
        message(project="mine", run_uid=victim.run_uid),
        message(project="mine", fork_from=[victim.run_uid, 0]),
        message(project="mine", run_id=victim.run_uid, resume="must"),
    ]
    for body in attempts:
        answer = attach(site.server, body, **site.mine)
        assert answer.status in (403, 404, 409), (body, answer)
        assert answer.json["detail"]
    assert site.content() == before
    assert attach(site.server, message(project="mine", writer_uid=uid), **site.mine).status == 422


def test_a_journal_belongs_to_its_writer(site: Site, victim: Opened) -> None:
    before = site.content()
    for headers in (site.mine, site.write):
        assert site.send(packed(opened()), journal_of(victim), headers).status == 422
    assert site.content() == before


def test_writers_of_other_projects_are_not_heard(site: Site, victim: Opened) -> None:
    before = site.content()
    protocol = {"TrackAI-Protocol": str(wire.PROTOCOL)}
    for uid in (victim.writer_uid, "f" * 32, "x", ""):
        answer = site.server.request(
            "POST", "/api/writers/alive", {"writer": uid}, headers={**protocol, **site.mine}
        )
        assert (answer.status, answer.json) == (200, {"known": False})
    assert site.content() == before


def test_knowing_a_hash_gives_no_access_to_the_bytes_of_another_project(site: Site) -> None:
    data = os.urandom(1000)
    writer = opened("theirs")
    assert site.put(data, site.theirs).json["complete"]
    sent = packed(writer, files=[filed(data)])
    assert site.send(sent, journal_of(writer), site.theirs).json["stored"]
    assert site.has(data, site.theirs)["complete"]
    assert site.has(data, site.write)["complete"]  # its key is for all projects
    assert site.has(data, site.mine) == {"received": 0, "complete": False}
    mine = opened()
    before = site.content()
    answer = site.send(packed(mine, files=[filed(data)]), journal_of(mine), site.mine)
    assert answer.status == 409
    assert site.content() == before  # no run without its file
    # Who has the bytes may store them, too.
    assert site.put(data, site.mine).json["complete"]
    answer = site.send(packed(mine, files=[filed(data)]), journal_of(mine), site.mine)
    assert answer.json["stored"]
    assert site.has(data, site.mine)["complete"]


def test_clients_with_other_keys_cannot_spoil_an_upload(site: Site) -> None:
    data = os.urandom(1000)
    assert site.put(data[:500], site.theirs, size=1000, sha256=sha256(data)).status == 200
    assert site.has(data, site.mine)["received"] == 0
    wrong = {"size": 1000, "sha256": sha256(data)}
    assert site.put(b"x" * 1000, site.mine, **wrong).status == 422
    rest = {"size": 1000, "offset": 500, "sha256": sha256(data)}
    assert site.put(data[500:], site.theirs, **rest).json["complete"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sha256": "x"}, 404),
        ({"sha256": "0" * 63 + "G"}, 404),
        ({"sha256": "..%2f..%2f" + "0" * 54}, 404),
        ({"sha256": "%00" * 64}, 404),
        ({"size": 999}, 422),  # fewer than sent
        ({"size": -1}, 422),
        ({"size": 1 << 63}, 422),
        ({"size": "many"}, 422),
        ({"size": 1 << 62}, 507),  # more than the disk has
        ({"offset": -1}, 422),
        ({"offset": 1 << 70}, 200),  # ignored: not where the bytes end
        ({"offset": 1000}, 200),
        ({"sha256": "0" * 64}, 422),  # of other bytes
    ],
)
def test_sizes_hashes_and_offsets_that_lie(
    site: Site, changes: dict[str, Any], status: int
) -> None:
    answer = site.put(os.urandom(1000), site.mine, **changes)
    assert answer.status == status
    if status == 200:
        assert answer.json == {"received": 0, "complete": False}


@pytest.mark.sqlite("about the folder of the file")
def test_nothing_is_written_outside_the_folder_of_files(site: Site) -> None:
    folder = site.server.db_path.parent
    names = {"trackai.db", "trackai.db-wal", "trackai.db-shm", "trackai.db-spool",
             "trackai.db-files"}  # fmt: skip
    data = b"content"
    assert site.put(data, site.mine).json["complete"]
    for name in ("../x", "/etc/x", "a/../../x", "..", "a\0b", "\\..\\x"):
        writer = opened()
        sent = packed(writer, files=[filed(data, name=name, bytes_in=name, source=name)])
        answer = site.send(sent, journal_of(writer), site.mine)
        assert answer.status == (200 if name == "\\..\\x" else 422), name
    for journal in ("..%2fx", "x", "%00", "a" * 5000, "%2e%2e"):
        assert site.send(packed(opened()), journal, site.mine).status in (404, 405, 422), journal
    assert set(map(str, {path.name for path in folder.iterdir()})) <= names


def deep_config(levels: int) -> bytes:
    return packed(opened(), config={"a": "[" * levels + "]" * levels})


def raw_batch(**changes: Any) -> bytes:
    """A batch whose fields are not packed by `wire`."""
    fields = msgspec.msgpack.decode(packed(opened(), calls=POINTS))
    for index, value in changes.items():
        fields[int(index[1:])] = value
    return msgspec.msgpack.encode(fields)


KEYS = [1, 0, "step", ["loss"], "text"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xdd\xff\xff\xff\xff",  # a list of four thousand million items
        b"\xc6\x40\x00\x00\x00x",  # a gigabyte of bytes
        b"\x91" * 100_000,  # nested lists
        gzip.compress(packed(opened(), calls=POINTS)),
        deep_config(300),
        deep_config(100_000),
        raw_batch(_1=1 << 63),
        raw_batch(_2=(1 << 64) - 1),
        raw_batch(_3=(1 << 64) - 1),
        raw_batch(_4=[[KEYS, [0, [1 << 63, 1 << 63]], [0, [0, 0]], [[0, [0, 0]]]]]),  # overflow
        raw_batch(_4=[[KEYS, [0, [-1, -(1 << 63)]], [0, [0, 0]], [[0, [0, 0]]]]]),
        raw_batch(_4=[[KEYS, [0, [0]], [0, [1 << 63]], [[0, [0]]]]]),
        raw_batch(_4=[[KEYS, [0, [0]], [0, [0]], [[1, b"1234567"]]]]),  # not 8 bytes
        raw_batch(_4=[[KEYS, [0, [0]], [0, [0]], [[1, b"1234567812345678"]]]]),
        raw_batch(_4=[[KEYS, [1, struct.pack("<d", float("nan"))], [0, [0]], [[0, [0]]]]]),
        raw_batch(_4=[[KEYS, [2, ["x"]], [0, [0]], [[0, [0]]]]]),
        raw_batch(_4=[[KEYS, [2, [True]], [0, [0]], [[0, [0]]]]]),
        raw_batch(_4=[[[1, 0, "step", [], "text"], [0, [0] * 1_000_000], [0, [0] * 1_000_000], []]]
                  * 4),
        raw_batch(_4=[[[1, 0, "step", ["x" * 2000], "text"], [0, [0]], [0, [0]], [[0, [0]]]]]),
        raw_batch(_5=[3, {"a": "nan"}, []]),
        raw_batch(_5=[3, {"a" * 2000: "1"}, []]),
        raw_batch(_5=[3, {"a": "\x00"}, []]),
    ],
)  # fmt: skip
def test_batches_that_are_made_to_harm_are_refused(site: Site, data: bytes) -> None:
    before = site.content()
    writer = OPENED
    if len(data) > 100 and data[:1] == b"\x99":
        with_writer = msgspec.msgpack.decode(data)[0]
        writer = msgspec.structs.replace(OPENED, writer_uid=with_writer[2])
    answer = site.send(data, journal_of(writer), site.mine)
    assert answer.status == 422, answer
    assert answer.json["detail"]
    assert site.content() == before


@pytest.mark.parametrize(
    "calls",
    [
        [[[1, 0, "step", ["a", "a"], "text"], [0, [0]], [0, [0]], [[0, [0]], [0, [1]]]]],
        [[KEYS, [0, [0, 0]], [0, [0, 0]], [[2, [1, "x"]]]]] * 3,
        [[KEYS, [0, [(1 << 63) - 1]], [0, [0]], [[0, [(1 << 63) - 1]]]]],
        [[KEYS, [0, [-(1 << 63)]], [0, [-1]], [[1, struct.pack("<d", float("inf"))]]]],
        [[[1, 0, "time", ["a\n/../b"], "histogram"], [0, [0]], [0, [0]], [[2, ["x\0y"]]]]],
    ],
)  # fmt: skip
def test_odd_batches_do_no_harm(site: Site, calls: list[Any]) -> None:
    data = raw_batch(_4=calls)
    uid = msgspec.msgpack.decode(data)[0][2]
    journal = journal_of(msgspec.structs.replace(OPENED, writer_uid=uid))
    answer = site.send(data, journal, site.mine)
    assert answer.status in (200, 422), answer
    own = bearer(KEY)
    for (run_id,) in site.rows("SELECT id FROM runs ORDER BY id DESC LIMIT 1"):
        for path in ("summary", "details", "figures", "config"):
            got = site.server.request("GET", f"/api/runs/{run_id}/{path}", headers=own)
            assert got.status == 200, got
        for name in ("loss", "a", "a%0A/../b"):
            path = f"/api/metrics/runs/{run_id}/metric/{name}?points=10"
            assert site.server.request("GET", path, headers=own).status in (200, 404)


def test_a_decompression_bomb_is_refused(site: Site) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    headers = {**site.write, "Content-Encoding": "gzip"}
    answer = site.server.request("POST", "/api/metrics/runs/1", data=bomb, headers=headers)
    assert answer.status == 413


def test_an_announced_gigabyte_is_refused_before_it_is_sent(site: Site) -> None:
    for path in ("/api/journals/x", "/api/metrics/runs/1", f"/api/blobs/{'0' * 64}?size=1"):
        method = "PUT" if "blobs" in path else "POST"
        headers = {**BYTES, **site.mine, "Content-Length": str(1 << 30)}
        if "metrics" in path:
            headers["Content-Type"] = "application/json"
        if "journals" in path:
            path = f"/api/journals/{journal_of(opened())}"
        assert site.server.request(method, path, data=b"", headers=headers).status == 413, path


@pytest.mark.parametrize("levels", [201, 900, 960, 990, 2000, 100_000])
def test_a_deep_configuration_can_be_read_or_is_refused(site: Site, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    own = bearer(KEY)
    site.server.request("POST", "/api/projects", {"name": "d", "project_id": "d"}, headers=own)
    projects = site.server.request("GET", "/api/projects", headers=own).json
    project = next(each["id"] for each in projects if each["name"] == "d")
    body = f'{{"project_id": {project}, "run_id": "deep{levels}", "config": {{"a": {deep}}}}}'
    answer = site.server.request("POST", "/api/runs", data=body.encode(), headers=own)
    assert answer.status == 422
    assert (
        site.server.request("GET", f"/api/runs?project_id={project}", headers=own).json["runs"]
        == []
    )


VALID = packed(
    msgspec.structs.replace(OPENED, project="mine"),
    calls=[
        Calls(Keys(0, "step", ("a", "b")), [0, 1], [1, 2], [[1.0, 2.0], [1, 2]]),
        Calls(Keys(1, "time", ("c",)), [0], [1], [["text"]]),
    ],
    config={"lr": "0.1"},
    files=[filed(b"", bytes_in="")],
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid batch with bytes flipped, cut out or inserted."""
    data = bytearray(VALID)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["flip", "cut", "insert", "end"])):
            case "flip":
                data[at] = draw(st.integers(0, 255))
            case "cut":
                del data[at : at + draw(st.integers(1, 8))]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=9))
            case "end":
                del data[at:]
        if not data:
            break
    return bytes(data)


@pytest.fixture
def site_of_ended_writers(site: Site) -> Site:
    """The site, on which no writer of an earlier test falls silent meanwhile."""
    site.rows("UPDATE writers SET state = 'completed' WHERE state = 'running' RETURNING id")
    return site


@settings(max_examples=200)
@given(damaged())
@example(VALID)
def test_damaged_batches_are_refused_or_stored_whole(
    site_of_ended_writers: Site, data: bytes
) -> None:
    """Never an error of the server; a refused batch changes nothing."""
    site = site_of_ended_writers
    before = site.content()
    answer = site.send(data, journal_of(OPENED), site.mine)
    assert answer.status in (200, 403, 409, 422), answer
    after = site.content()
    if answer.status != 200:
        assert answer.json["detail"]
        assert after == before
    _, runs, _, _, _, configs, *_ = after
    for *_, text in configs:
        json.loads(text)
    for headers in (bearer(KEY),):
        for run_id, *_ in runs:
            for path in ("summary", "details", "figures", "config", "files"):
                got = site.server.request("GET", f"/api/runs/{run_id}/{path}", headers=headers)
                assert got.status == 200, (path, got)


def test_what_is_stored_on_a_full_disk(db_path: Path) -> None:
    """Clients are told to wait, and the server still answers, deletes and hears."""
    with serving(db_path, TRACKAI_API_KEY=KEY, TRACKAI_KEEP_FREE_MB="999999999") as server:
        own = bearer(create_key(db_path, "w", "write", "--project", "p"))
        full = Site(server, own, own, own)
        writer = opened("p")
        answers = [
            full.send(packed(writer, calls=POINTS), journal_of(writer), own),
            full.put(b"x", own),
            server.request("POST", "/api/runs", {"project_id": 1, "run_id": "r"}, headers=own),
            server.request("POST", "/api/metrics/runs/1", {"rows": []}, headers=own),
            server.request("PATCH", "/api/runs/1", {"notes": "n"}, headers=own),
            server.request("POST", "/api/runs/1/tags", {"tags": ["n"]}, headers=own),
        ]
        for answer in answers:
            assert answer.status == 507, answer
            assert "TRACKAI_KEEP_FREE_MB" in answer.json["detail"]
        alive = {"TrackAI-Protocol": str(wire.PROTOCOL), **own}
        heard = server.request("POST", "/api/writers/alive", {"writer": "x"}, headers=alive)
        assert heard.status == 200
        assert server.request("DELETE", "/api/projects/1", headers=bearer(KEY)).status == 200


@pytest.mark.sqlite("about the folder beside the file")
def test_unfinished_uploads_are_limited(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_store, "MAX_UPLOADS", 3)
    uploads = FolderBlobs.beside(db_path).uploads
    blobs = [Blob(2, sha256(b"%d" % number)) for number in range(4)]
    for blob in blobs[:3]:
        assert uploads.append(blob, Sender(1), 0, b"x").received == 1
    with pytest.raises(TooManyUploadsError):
        uploads.append(blobs[3], Sender(1), 0, b"x")
    assert uploads.append(blobs[3], Sender(2), 0, b"x").received == 1  # of another key
    with pytest.raises(DiskFullError):
        uploads.append(Blob(1 << 60, "0" * 64), Sender(3), 0, b"x", keep_free=1)


@pytest.mark.sqlite("about the folder beside the file")
async def test_old_uploads_and_unused_bytes_are_removed(db: Database) -> None:
    part, unused = Blob(2, sha256(b"ab")), Blob(3, sha256(b"abc"))
    db.blobs.uploads.append(part, Sender(), 0, b"a")
    db.blobs.uploads.append(unused, Sender(), 0, b"abc")
    folder = files.folder(db.path) / "uploads"
    await uploads.sweep(db)
    assert len(list(folder.iterdir())) == 2
    assert db.blobs.uploads.received(part, Sender()).received == 1
    for path in folder.iterdir():
        os.utime(path, (0, time.time() - blob_store.KEPT_SECONDS - 10))
    await uploads.sweep(db)
    assert list(folder.iterdir()) == []
    assert not db.blobs.has(unused)
