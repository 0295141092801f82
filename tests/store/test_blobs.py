"""The bytes of files in a folder and in a bucket: the same tests for all places."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests import buckets
from tests.buckets import serving_s3
from tests.ingest.test_wire import OPENED, batch
from trackai.errors import DiskFullError, InvalidInputError, NotFoundError, StoreError
from trackai.importers.storing import BytesGoneError, Storing
from trackai.ingest.deliveries import BytesMissingError
from trackai.ingest.frames import Filed
from trackai.ingest.receiver import Receiver
from trackai.store.blobs import blob_store, bucket, bucket_uploads, choice, folder, folder_uploads
from trackai.store.blobs.blob_store import (
    Blob,
    BlobsUnreachableError,
    Received,
    Sender,
    TooManyUploadsError,
)
from trackai.store.blobs.bucket import BucketBlobs
from trackai.store.blobs.choice import shared_blobs
from trackai.store.blobs.folder import FolderBlobs
from trackai.store.catalogue import files, projects, runs, uploads, writers
from trackai.store.catalogue.keys import Grant
from trackai.store.upkeep import deletion
from trackai.structs.exchange import FileHead, NumberedFile, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.importers.target import Stored
    from trackai.ingest.deliveries import Outcome
    from trackai.store.blobs.blob_store import BlobStore
    from trackai.store.engine.store import Store

# Larger than one part of an object, and than one read.
LARGE = random.Random(1).randbytes(12_345_678)


@pytest.fixture(params=["folder", "shared folder", "bucket"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], BlobStore]:
    """Returns what one more server has of the same place."""
    if request.param == "bucket":
        url = request.getfixturevalue("bucket_url")
        return lambda: shared_blobs(url)
    if request.param == "shared folder":
        return lambda: shared_blobs(str(tmp_path / "files"))
    return lambda: FolderBlobs(tmp_path / "files")


@pytest.fixture
def blobs(connect: Callable[[], BlobStore]) -> BlobStore:
    return connect()


def blob_of(data: bytes) -> Blob:
    return Blob(len(data), hashlib.sha256(data).hexdigest())


def read(blobs: BlobStore, sha256: str) -> bytes:
    stored = blobs.find(sha256)
    assert stored is not None
    with stored.open("rb") as file:
        return file.read()


@pytest.mark.parametrize("data", [b"", b"abc", LARGE], ids=["empty", "small", "large"])
def test_a_file_is_kept(blobs: BlobStore, tmp_path: Path, data: bytes) -> None:
    blobs.check()
    source = tmp_path / "source"
    source.write_bytes(data)
    blob = blobs.keep(source)
    assert blob == blob_of(data) == blobs.keep(source)
    assert blobs.has(blob)
    assert not blobs.has(Blob(blob.size + 1, blob.sha256))
    assert blobs.present([blob, blob_of(b"other")]) == {blob}
    assert read(blobs, blob.sha256) == data


def test_a_part_of_a_file_is_read(blobs: BlobStore) -> None:
    incoming = blobs.incoming()
    for start in range(0, len(LARGE), 1_000_000):
        incoming.write(LARGE[start : start + 1_000_000])
    assert incoming.sha256 == blob_of(LARGE).sha256
    stored = blobs.find(incoming.keep().sha256)
    incoming.discard()
    assert stored is not None
    with stored.open("rb") as file:
        for start, size in ((0, 10), (12_000_000, 10), (3, 5_000_000), (12_345_670, 100)):
            file.seek(start)
            assert file.read(size) == LARGE[start : start + size]
        assert file.read(1) == b""


def test_what_is_discarded_is_not_kept(blobs: BlobStore) -> None:
    incoming = blobs.incoming()
    incoming.write(b"abc")
    incoming.discard()
    assert blobs.find(blob_of(b"abc").sha256) is None
    assert blobs.find(None) is None
    for evil in ("../../secret", "a" * 63 + "/", "A" * 64):
        with pytest.raises(NotFoundError):
            blobs.find(evil)
        with pytest.raises(NotFoundError):
            blobs.uploads.received(Blob(1, evil), Sender())


def test_any_server_continues_an_upload(connect: Callable[[], BlobStore]) -> None:
    blob, size, received = blob_of(LARGE), 1_000_000, Received(0, complete=False)
    assert connect().uploads.received(blob, Sender()) == received
    while not received.complete:
        server = connect()
        start = received.received
        received = server.uploads.append(blob, Sender(), start, LARGE[start : start + size])
        assert received.received == min(start + size, blob.size)
        if not received.complete:
            assert not server.has(blob)
            assert connect().uploads.received(blob, Sender()) == received
    assert read(connect(), blob.sha256) == LARGE
    assert connect().uploads.append(blob, Sender(), 0, b"x") == received  # is ignored
    assert connect().uploads.sent() == {blob.sha256}


def test_a_chunk_that_is_sent_twice_or_too_early(connect: Callable[[], BlobStore]) -> None:
    blob, first, second = blob_of(b"abcdef"), connect().uploads, connect().uploads
    assert first.append(blob, Sender(), 3, b"def") == Received(0, complete=False)
    assert first.append(blob, Sender(), 0, b"ab") == Received(2, complete=False)
    assert second.append(blob, Sender(), 2, b"cd") == Received(4, complete=False)
    assert first.append(blob, Sender(), 3, b"xx") == Received(4, complete=False)
    assert first.append(blob, Sender(), 4, b"") == Received(4, complete=False)
    assert second.append(blob, Sender(7), 0, b"abc") == Received(3, complete=False)
    assert first.append(blob, Sender(), 4, b"ef") == Received(6, complete=True)
    assert read(connect(), blob.sha256) == b"abcdef"


def test_wrong_bytes_are_refused_and_forgotten(blobs: BlobStore) -> None:
    blob = blob_of(b"abcd")
    assert blobs.uploads.append(blob, Sender(1), 0, b"ab").received == 2
    with pytest.raises(InvalidInputError, match="more bytes than the 4 announced"):
        blobs.uploads.append(blob, Sender(1), 2, b"cde")
    with pytest.raises(InvalidInputError, match="another SHA-256"):
        blobs.uploads.append(blob, Sender(1), 2, b"xx")
    assert blobs.uploads.received(blob, Sender(1)).received == 0
    with pytest.raises(InvalidInputError, match="another SHA-256"):
        blobs.uploads.append(blob, Sender(1), 0, b"abcx")
    assert blobs.find(blob.sha256) is None
    assert blobs.uploads.sent() == set()
    assert blobs.uploads.append(blob_of(b""), Sender(1), 0, b"").complete


def test_a_limited_key_must_send_bytes_itself(blobs: BlobStore) -> None:
    blob, limited, other = blob_of(b"abcd"), Sender(2, may_reuse=False), Sender(3, may_reuse=False)
    assert blobs.uploads.append(blob, Sender(1), 0, b"abcd").complete
    assert blobs.uploads.received(blob, limited) == Received(0, complete=False)
    assert blobs.uploads.append(blob, limited, 0, b"ab") == Received(2, complete=False)
    with pytest.raises(InvalidInputError):
        blobs.uploads.append(blob, limited, 2, b"xx")
    assert not blobs.uploads.is_complete(blob, limited)
    assert blobs.uploads.append(blob, limited, 0, b"abcd").complete
    assert blobs.uploads.is_complete(blob, limited)
    assert blobs.uploads.complete({blob: limited, blob_of(b"x"): limited}) == {blob}
    assert blobs.uploads.complete({blob: other}) == set()


def test_unfinished_uploads_are_limited(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_store, "MAX_UPLOADS", 2)
    new = [blob_of(b"%d0" % number) for number in range(3)]
    for blob in new[:2]:
        assert blobs.uploads.append(blob, Sender(1), 0, b"x").received == 1
    with pytest.raises(TooManyUploadsError):
        blobs.uploads.append(new[2], Sender(1), 0, b"x")
    assert blobs.uploads.append(new[1], Sender(1), 0, b"x").received == 1
    assert blobs.uploads.append(new[2], Sender(2), 0, b"x").received == 1  # of another key


def age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be old."""
    for module in (bucket, bucket_uploads, folder, folder_uploads):
        monkeypatch.setattr(module, "KEPT_SECONDS", -10.0)
    for module in (bucket, folder):
        monkeypatch.setattr(module, "ASIDE_SECONDS", -10.0)


async def add_row(db: Store, blob: Blob) -> int:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid=blob.sha256, project_id=project.id, slug=blob.sha256, name=None,
            group_name=None, now=1,
        )  # fmt: skip
        writer_id = await writers.get_or_create(
            conn, uid="w", run_id=run.id, attempt=1, rank=0, host="here", pid=1, now=1
        )
        await files.add(
            conn, run.id, writer_id, [files.NewFile("f", "file", "f", None, 1, "f", blob)]
        )
    return run.id


def use(db: Store, blobs: BlobStore) -> None:
    cast("Any", db).blobs = blobs


def put(blobs: BlobStore, data: bytes) -> Blob:
    incoming = blobs.incoming()
    try:
        incoming.write(data)
        return incoming.keep()
    finally:
        incoming.discard()


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="Windows has another function")
def test_a_full_disk_is_refused_between_two_looks_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FolderBlobs.beside(tmp_path / "trackai.db")
    actual = os.statvfs(tmp_path)

    def have(gigabytes: int, files: int) -> None:
        """Let a disk have so many free bytes, and room for so many files."""

        def look(path: object) -> os.statvfs_result:
            fields = list(actual)
            fields[1], fields[4], fields[7], fields[8] = 1_000_000, gigabytes * 1000, files, files
            return os.statvfs_result(fields)

        monkeypatch.setattr(os, "statvfs", look)

    def refuses(size: int, keep_free: int) -> bool:
        try:
            blobs.check_room(size, keep_free)
        except DiskFullError:
            return True
        return False

    have(gigabytes=50, files=1_000_000)
    assert not any(refuses(1000, 1_000_000_000) for _ in range(3))
    assert refuses(50_000_000_000, 1_000_000_000)
    assert refuses(1000, 50_000_000_000)
    time.sleep(0.11)  # until the last look is too old
    have(gigabytes=0, files=1_000_000)
    assert refuses(1000, 1_000_000_000)
    # Little room: it may be gone at the next request.
    have(gigabytes=2, files=1_000_000)
    assert not refuses(1000, 1_500_000_000)
    have(gigabytes=1, files=1_000_000)
    assert refuses(1000, 1_500_000_000)
    have(gigabytes=50, files=50_000)
    assert not refuses(1000, 1_000_000_000)
    have(gigabytes=50, files=5000)
    assert refuses(1000, 1_000_000_000)


async def test_bytes_without_rows_are_removed(db: Store, blobs: BlobStore) -> None:
    use(db, blobs)
    named, unnamed = put(blobs, b"named"), put(blobs, b"unnamed")
    await add_row(db, named)
    assert await files.forget(db, {named.sha256, unnamed.sha256, "0" * 64}) == len(b"unnamed")
    assert blobs.present([named, unnamed]) == {named}
    assert blobs.find(unnamed.sha256) is None
    assert blobs.left_aside() == {}


async def test_old_uploads_are_removed(
    db: Store, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(db, blobs)
    part, unused, named = blob_of(b"ab"), blob_of(b"abc"), blob_of(b"abcd")
    blobs.uploads.append(part, Sender(), 0, b"a")
    blobs.uploads.append(unused, Sender(), 0, b"abc")
    blobs.uploads.append(named, Sender(), 0, b"abcd")
    await add_row(db, named)
    await uploads.sweep(db)
    assert blobs.uploads.received(part, Sender()).received == 1
    assert blobs.uploads.sent() == {unused.sha256, named.sha256}
    age(monkeypatch)
    assert {*blobs.all_blobs()} == {unused, named}
    await uploads.sweep(db)
    assert blobs.uploads.received(part, Sender()).received == 0
    assert blobs.uploads.sent() == set()
    assert blobs.present([unused, named]) == {named}


@pytest.fixture(params=["shared folder", "bucket"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "bucket":
        return shared_blobs(request.getfixturevalue("bucket_url"))
    return shared_blobs(str(tmp_path / "files"))


async def test_bytes_that_are_named_while_they_are_removed_stay(
    db: Store, shared: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is committed after the first look for rows: its server must not find the bytes yet,
    or this one must find the row."""
    use(db, shared)
    blob = put(shared, b"bytes")
    set_aside, seen = shared.set_aside, []

    def set_aside_late(hashes: Any, token: str) -> None:
        set_aside(hashes, token)
        seen.append(shared.has(blob))

    monkeypatch.setattr(shared, "set_aside", set_aside_late)
    original = files._without_rows
    looks = 0

    async def look(conn: Any, hashes: Any) -> list[str]:
        nonlocal looks
        looks += 1
        result = await original(conn, hashes)
        if looks == 1:
            await add_row(db, blob)  # another server commits it now
            assert shared.has(blob)
        return result

    monkeypatch.setattr(files, "_without_rows", look)
    assert await files.forget(db, {blob.sha256}) == 0
    assert seen == [False]
    assert shared.has(blob)
    assert read(shared, blob.sha256) == b"bytes"


async def test_bytes_that_a_killed_server_set_aside_come_back(
    db: Store, shared: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(db, shared)
    named, unnamed = put(shared, b"named"), put(shared, b"unnamed")
    await add_row(db, named)
    shared.set_aside([named.sha256, unnamed.sha256], "token")
    assert shared.present([named, unnamed]) == set()
    await uploads.sweep(db)
    assert shared.present([named, unnamed]) == set()  # it may still be at it
    age(monkeypatch)
    assert shared.left_aside() == {"token": {named.sha256, unnamed.sha256}}
    monkeypatch.setattr(files, "ASIDE_SECONDS", 900)
    await uploads.sweep(db)
    assert shared.present([named, unnamed]) == {named}
    assert shared.find(unnamed.sha256) is None


async def test_a_run_is_deleted_though_its_bytes_cannot_be(
    db: Store, bucket_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = bucket_url.partition("?")[0]
    use(db, BucketBlobs(f"{name}?endpoint=http://127.0.0.1:1"))
    run_id = await add_row(db, blob_of(b"abc"))
    run, _ = await deletion.delete_run(db, run_id)
    assert run.id == run_id
    assert "not all of its space is free yet: cannot use the bucket" in caplog.text


async def test_a_batch_is_acknowledged_if_its_bytes_are_there_after_its_commit(
    db: Store, shared: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sends the bytes again, and then the batch, which is stored once."""
    use(db, shared)
    receiver, data, grant = Receiver(db), b"bytes", Grant("write")
    journal = f"{1:016x}-{OPENED.writer_uid}-000000.journal"
    blob = put(shared, data)
    filed = Filed("f", "file", "f", None, 7, "f", blob.size, blob.sha256, "x")

    async def send() -> Outcome:
        return await receiver.put(journal, batch(files=[filed]), grant)

    with monkeypatch.context() as context:
        context.setattr(shared.uploads, "complete", lambda senders: {*senders})
        shared.set_aside([blob.sha256], "token")  # just after it was seen
        with pytest.raises(BytesMissingError):
            await send()
    shared.remove_aside([blob.sha256], "token", deadline=time.monotonic() + 60)
    with pytest.raises(BytesMissingError):
        await send()
    assert shared.uploads.append(blob, Sender(), 0, data).complete
    assert (await send()).consumed == 10
    async with db.read() as conn:
        assert len(await files.list_of_run(conn, 1)) == 1


@pytest.mark.parametrize("kept", [True, False], ids=["with its source", "without its source"])
async def test_an_import_looks_for_its_bytes_after_its_commit(
    db: Store, shared: BlobStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: bool
) -> None:
    use(db, shared)
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    blob = shared.keep(source)
    storing = Storing(db, {blob.sha256: source} if kept else {})
    checks = []

    def present(blobs: Any) -> set[Blob]:
        checks.append(True)
        if len(checks) == 2:  # another server has removed them in between
            shared.set_aside([blob.sha256], "token")
            shared.remove_aside([blob.sha256], "token", deadline=time.monotonic() + 60)
        return original(blobs)

    original = shared.present
    monkeypatch.setattr(shared, "present", present)
    told: list[Stored] = []
    head = RunHead(uid="u", project="p", run_id="r", created_at=1)
    file = FileHead(
        run_uid="u", writer=WriterHead(uid="w"), path="f", kind="file", name="f", size=blob.size,
        sha256=blob.sha256,
    )  # fmt: skip
    await storing.put(head, told.append)
    await storing.put(NumberedFile(head=file), told.append)
    if kept:
        await storing.flush()
        assert [stored.new for stored in told] == [1, 1]
        assert read(shared, blob.sha256) == b"bytes"
    else:
        with pytest.raises(BytesGoneError, match="import it again"):
            await storing.flush()


def test_bytes_that_are_sent_while_they_are_removed(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_ASIDE_PAUSE", 0.02)
    blobs = BucketBlobs(bucket_url)
    blob = put(blobs, b"abc")
    blobs.set_aside([blob.sha256], "token")
    with pytest.raises(StoreError, match="are being removed: try again in a moment"):
        blobs.uploads.append(blob, Sender(), 0, b"abc")
    timer = threading.Timer(
        0.1, lambda: blobs.remove_aside([blob.sha256], "token", deadline=time.monotonic() + 60)
    )
    timer.start()
    assert blobs.uploads.append(blob, Sender(), 0, b"abc").complete
    timer.join()
    assert blobs.has(blob)


def test_a_large_upload_is_written_while_its_client_waits(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was told to try again finds the file complete, or waits for the same work."""
    blobs, blob = BucketBlobs(bucket_url), blob_of(LARGE)
    half = 6_000_000
    blobs.uploads.append(blob, Sender(), 0, LARGE[:half])
    may_go_on, put_blob, calls = threading.Event(), blobs.put_blob, 0

    def slow(blob: Blob, chunks: Any) -> None:
        nonlocal calls
        calls += 1
        assert may_go_on.wait(60)
        put_blob(blob, chunks)

    monkeypatch.setattr(blobs, "put_blob", slow)
    monkeypatch.setattr(bucket_uploads, "_ANSWER_SECONDS", 0.05)
    for _ in range(2):
        with pytest.raises(StoreError, match="is still being checked: try again in a moment"):
            blobs.uploads.append(blob, Sender(), half, LARGE[half:])
        assert blobs.uploads.received(blob, Sender()) == Received(half, complete=False)
    monkeypatch.setattr(bucket_uploads, "_ANSWER_SECONDS", 60)
    may_go_on.set()
    assert blobs.uploads.append(blob, Sender(), half, LARGE[half:]).complete
    assert calls == 1
    assert blobs._bucket.objects("uploads") == []


def refusing(status: int, code: str, text: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_a_bucket_that_cannot_be_used(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, endpoint = bucket_url.partition("?endpoint=")
    server = refusing(403, "AccessDenied", "Access Denied")
    refused = f"{name}?endpoint=http://127.0.0.1:{server.server_port}"
    cases = {
        f"s3://missing-bucket/p?endpoint={endpoint}":
            "The specified bucket does not exist (NoSuchBucket)",
        f"{name}?endpoint=http://127.0.0.1:1": "Connection refused",
        f"{name}?endpoint=http://host.invalid": "failed to lookup address information",
        refused: "Access Denied (AccessDenied)",
    }  # fmt: skip
    try:
        for url, reason in cases.items():
            with pytest.raises(BlobsUnreachableError) as error:
                BucketBlobs(url).check()
            where = url.partition("?")[0]
            sentence = f"cannot use the bucket {where} (TRACKAI_FILES): {reason}"
            assert str(error.value).partition(": Name or")[0] == sentence
            assert "\n" not in str(error.value)
        with monkeypatch.context() as context:
            for variable in buckets.ENVIRONMENT:
                context.delenv(variable)
            context.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
            with pytest.raises(BlobsUnreachableError, match="no keys: set AWS_ACCESS_KEY_ID and"):
                BucketBlobs(bucket_url).check()
        blob = blob_of(b"abc")
        with pytest.raises(BlobsUnreachableError, match=r"403 Forbidden|Access Denied"):
            BucketBlobs(refused).find(blob.sha256)
        with pytest.raises(BlobsUnreachableError):
            BucketBlobs(refused).uploads.append(blob, Sender(), 0, b"abc")
    finally:
        server.shutdown()
        server.server_close()


def test_a_bucket_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, bucket_url: str) -> None:
    """Nothing is lost: what had arrived before is there when it answers again."""
    monkeypatch.setattr("trackai.store.blobs.objects._REQUEST_SECONDS", 1)
    blob = blob_of(LARGE)
    with serving_s3() as server:
        blobs = BucketBlobs(server.new_bucket())
        blobs.uploads.append(blob, Sender(), 0, LARGE[:9_000_000])
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            for work in (
                lambda: blobs.uploads.append(blob, Sender(), 9_000_000, LARGE[9_000_000:]),
                lambda: blobs.find(blob.sha256),
                lambda: put(blobs, b"x"),
            ):
                with pytest.raises(BlobsUnreachableError, match="no answer within 1 seconds"):
                    work()
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert blobs.uploads.append(blob, Sender(), 9_000_000, LARGE[9_000_000:]).complete
        assert read(blobs, blob.sha256) == LARGE
        server.process.kill()
        with pytest.raises(BlobsUnreachableError, match="Connection re"):
            read(blobs, blob.sha256)


def test_the_place_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = shared_blobs(str(tmp_path / "a" / "b"))
    place.check()
    assert isinstance(place, FolderBlobs)
    assert place.folder == tmp_path / "a" / "b"
    (tmp_path / "file").write_text("")
    with pytest.raises(BlobsUnreachableError, match="TRACKAI_FILES: cannot write to the folder"):
        shared_blobs(str(tmp_path / "file")).check()
    for wrong in (
        None, "", "s3://", "gs://bucket", "s3://bucket?secret=x", "s3://bucket?endpoint=there",
        "s3://bucket/#x",
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=r"^TRACKAI_FILES: "):
            shared_blobs(wrong)
    monkeypatch.setitem(__import__("sys").modules, "trackai.store.blobs.bucket", None)
    with pytest.raises(ImportError, match=r"pip install 'trackai\[s3\]'"):
        choice.shared_blobs("s3://bucket")
