"""/metrics: what an administrator watches, read by a parser of Prometheus."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import postgres
from tests.client.test_forwarder import forwarder_of, log, opened
from tests.conftest import KEY, serving
from trackai.client.connection import Connection
from trackai.errors import ServerRefusedError
from trackai.ingest import wire
from trackai.ingest.frames import Filed
from trackai.ingest.journal import JournalWriter
from trackai.ingest.reader import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server


@pytest.fixture
def server(own_server: Server) -> Server:
    """A new server, which has counted nothing of other tests."""
    return own_server


@pytest.fixture
def writer(tmp_path: Path) -> JournalWriter:
    (tmp_path / "remote").mkdir()
    return JournalWriter(tmp_path / "remote", opened())


def scrape(server: Server) -> dict[str, float]:
    """The samples of /metrics, by name and labels; a family must have one type and no gaps."""
    text = server.request("GET", "/metrics").json
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.type != "unknown" for family in families), families
    samples: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in samples
            samples[key.removeprefix("trackai_")] = sample.value
    return samples


def empty(start: int = 0) -> Batch:
    return Batch(
        opened=opened(), start=start, end=start + 1, frames=0, calls=[], config={}, replaced=set(),
        described=[], files=[], ended=None,
    )  # fmt: skip


def send(server: Server, batch: Batch, **headers: str) -> Any:
    name = f"{1:016x}-{batch.opened.writer_uid}-000000.journal"
    return Connection(server.url).request(
        "POST", f"/api/journals/{name}", wire.pack(batch),
        headers={"Content-Type": "application/octet-stream", **headers},
    )  # fmt: skip


def test_a_new_server_has_all_counters(server: Server) -> None:
    samples = scrape(server)
    outcomes = {name: value for name, value in samples.items() if "journal" in name}
    assert len(outcomes) == 15
    assert set(outcomes.values()) == {0.0}
    if isinstance(server.db_path, str):  # its disk is not that of the server
        assert "disk_free_bytes" not in samples
    else:
        assert samples["disk_free_bytes"] > 0
        assert samples["disk_keep_free_bytes"] == 1e9
    assert samples["database_bytes"] > 0
    assert samples["remote_writers"] == samples["remote_writer_longest_silence_seconds"] == 0


async def test_what_other_machines_log_is_counted(server: Server, writer: JournalWriter) -> None:
    log(writer, range(1000))
    content = random.Random(1).randbytes(5000)
    kept = writer.keep(lambda file: file.write(content))
    writer.append(Filed("model", "artifact", "a.pt", None, 1, "/a.pt", *kept))
    before = scrape(server)
    await forwarder_of(writer, Connection(server.url)).store_all()
    after = scrape(server)
    assert after["journal_points_total"] == 2000
    assert after["journal_batches_total{outcome=stored}"] >= 1
    assert after["journal_batches_total{outcome=repeated}"] == 0
    assert 10_000 < after["journal_bytes_total"] < 100_000
    assert after["file_bytes_total"] == 5000
    assert after["remote_writers"] == 1
    assert 0 <= after["remote_writer_longest_silence_seconds"] < 60
    assert after["transaction_seconds_count"] > before["transaction_seconds_count"]
    assert after["transaction_seconds_sum"] > before["transaction_seconds_sum"]
    time.sleep(1.1)
    assert scrape(server)["remote_writer_longest_silence_seconds"] > 1
    # A client that has lost its place sends the beginning again.
    await forwarder_of(writer, Connection(server.url)).store_all()
    again = scrape(server)
    assert again["journal_batches_total{outcome=repeated}"] == 1
    assert again["journal_points_total"] == 2000
    (run,) = server.get("/api/runs")["runs"]
    assert server.request("DELETE", f"/api/runs/{run['id']}").status == 200
    log(writer, range(1000, 1010))
    await forwarder_of(writer, Connection(server.url)).store_all()
    assert scrape(server)["journal_batches_total{outcome=run_deleted}"] == 1
    writer.close()


def test_refused_batches_are_counted_by_reason(server: Server) -> None:
    batch = empty()
    batch.files = [Filed("a", "file", "a", None, 1, "/a", 1, "0" * 64, "x.bytes")]
    invalid = empty()
    invalid.config = {"lr": "not JSON"}
    for broken, headers in (
        (batch, {}), (invalid, {}), (invalid, {}),
        (empty(), {"TrackAI-Protocol": "999"}), (empty(), {"Content-Type": "text/plain"}),
    ):  # fmt: skip
        with pytest.raises(ServerRefusedError):
            send(server, broken, **headers)
    refused = {
        name.partition("reason=")[2].rstrip("}"): value
        for name, value in scrape(server).items()
        if name.startswith("journal_batches_refused_total") and value
    }
    assert refused == {"file_missing": 1, "invalid": 2, "protocol": 1, "media_type": 1}


def test_batches_without_permission_are_counted(db_path: Path) -> None:
    with serving(db_path, TRACKAI_API_KEY=KEY) as server:
        create = [sys.executable, "-m", "trackai.cli", "keys", "create", "--db", str(db_path)]
        reader = subprocess.run(
            [*create, "--name", "reader", "--scope", "read"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        batch = empty()
        for key, status in ((reader, 403), ("a-key-that-is-wrong", 401)):
            with pytest.raises(ServerRefusedError) as caught:
                send(server, batch, Authorization=f"Bearer {key}")
            assert caught.value.status == status
        text = server.request("GET", "/metrics", headers={"Authorization": f"Bearer {reader}"}).json
        assert 'trackai_journal_batches_refused_total{reason="forbidden"} 1\n' in text
        assert re.search('trackai_http_requests_total{.*,status="401"} 1\n', text)


@contextmanager
def unreadable(address: Path | str, request: pytest.FixtureRequest) -> Iterator[None]:
    """Make a database unreadable; on PostgreSQL, nobody may connect to it for a while."""
    if isinstance(address, Path):
        address.write_bytes(b"no database" * 1000)
        yield
        return
    databases: postgres.Databases = request.getfixturevalue("databases")
    name = postgres.name_of(address)
    databases.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        databases.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        yield
    finally:
        databases.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_metrics_are_readable_while_the_database_is_not(
    server: Server, request: pytest.FixtureRequest
) -> None:
    with unreadable(server.db_path, request):
        samples = scrape(server)
    assert samples["journal_points_total"] == 0
    assert "remote_writers" not in samples
