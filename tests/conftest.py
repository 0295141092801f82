"""Shared fixtures: a database file, a real server, real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings

import trackai
from tests import buckets, postgres
from trackai import guard
from trackai.store.engine.database import Database
from trackai.store.postgres.connection import PostgresConnection
from trackai.store.postgres.database import PostgresDatabase
from trackai.store.postgres.values import register as register_types

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from tests.buckets import S3Server
    from tests.proxies import Site
    from trackai.store.engine.store import Store


guard.reraise = True

# Where tests run in the background of a shell, Ctrl-C is ignored, and their processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests start hundreds of processes: none should compile what another one has compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tests of what a run records by itself turn it on.
os.environ["TRACKAI_AUTO_LOG"] = "0"
os.environ["TRACKAI_SILENT"] = "1"

# A test without `db_path` cannot make a file, so it does not read the store of who runs it.
os.environ["TRACKAI_DB_PATH"] = f"{os.devnull}/trackai.db"

# Nothing is about speed here, and the machine may be busy. Databases are made by fixtures; tests
# with examples use each for all of them.
settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("unhurried")

KEY = "a-secret-of-some-length"
ENGINES = ("sqlite", "postgresql")
# The folders and files whose tests run on both engines, except those with the mark `sqlite`.
ON_BOTH_ENGINES = (
    "api",
    "faults/test_remote_kills.py",
    "importers/test_round_trip.py",
    "importers/test_server.py",
    "ingest",
    "store",
)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in several workers, unless the command line says otherwise.

    A part of the suite runs in this process: its output comes at once, and starting workers
    takes seconds. `-n 4` asks for workers there too, `-n 0` for none.
    """
    options = config.option
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    runs_all = config.args_source is config.ArgsSource.TESTPATHS
    if runs_all and options.numprocesses is None and not (options.usepdb or options.collectonly):
        # Tests wait for half of their time: for processes, timers and the disk.
        options.numprocesses = min(2 * (os.cpu_count() or 1), 8)
    if options.numprocesses and options.dist == "no":
        # The tests of a file share servers and browsers, so a worker takes consecutive tests.
        options.dist = "worksteal"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start PostgreSQL for all workers, and install a missing browser, as they print nothing."""
    config = session.config
    workers = getattr(config.option, "numprocesses", None)  # an option of xdist
    if workers and not hasattr(config, "workerinput") and not config.option.collectonly:
        # One server is enough for all workers, who find its address in the environment.
        server = postgres.Postgres()
        config.add_cleanup(server.remove)
        server.initialize()
        server.start()
        os.environ[postgres.VARIABLE] = server.url
    runs_all = config.args_source is config.ArgsSource.TESTPATHS
    if not runs_all or not workers or hasattr(config, "workerinput"):
        return
    from scripts import browsers  # takes long to import

    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and browsers.find() is None:
        reporter.write_line("installing a browser for the tests of the dashboard ...")
        with suppress(browsers.BrowserNotFoundError):  # fails the tests that need a browser
            browsers.provide()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Unpack missing proxies before the first test, as that may take longer than a test."""
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if "site" in fixtures and not session.config.option.collectonly:
        from tests import proxies

        for name in proxies.NAMES:
            with suppress(proxies.ProxyNotFoundError):  # raised again by the fixture
                proxies.provide(name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that has a database on both engines, in the folders of `ON_BOTH_ENGINES`."""
    path = metafunc.definition.path.relative_to(Path(__file__).parent)
    is_on_both = any(path.is_relative_to(name) for name in ON_BOTH_ENGINES)
    if "engine" in metafunc.fixturenames and is_on_both:
        mark = metafunc.definition.get_closest_marker("sqlite")
        if mark is None:
            metafunc.parametrize("engine", ENGINES, indirect=True, scope="module")
        else:
            assert mark.args, "the mark must say why the test is about SQLite"


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """The engine of the database of a test: "sqlite" or "postgresql"."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def db_path(
    request: pytest.FixtureRequest,
    engine: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """The path of a database file that does not exist yet; TRACKAI_DB_PATH points to it.

    With the shared server, it is the path of that server's file, which has been removed.

    On PostgreSQL, it is the URL of an empty database. A script logs to the server of the test, as
    it cannot log to such a database itself.
    """
    path: Any = tmp_path / "store" / "trackai.db"
    if "shared_server" in request.fixturenames:
        shared: Server = request.getfixturevalue("shared_server")
        path = shared.db_path
        _start_over(shared)
        if engine == "postgresql":
            log_to(shared, tmp_path, monkeypatch)
    elif engine == "postgresql":
        path = request.getfixturevalue("postgres_url")
    if engine == "sqlite":
        monkeypatch.setenv("TRACKAI_DB_PATH", str(path))
    for name, value in _files_of(path).items():
        monkeypatch.setenv(name, value)
    yield path
    trackai.finish()


def log_to(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scripts and the SDK log to a server, and read from it."""
    monkeypatch.setenv("TRACKAI_SERVER_URL", server.url)
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))


@pytest.fixture(scope="session")
def databases() -> Iterator[postgres.Databases]:
    """The server of PostgreSQL of all tests, on which databases are created."""
    with ExitStack() as stack:
        url = os.environ.get(postgres.VARIABLE)
        if not url:
            url = stack.enter_context(postgres.running()).url
        yield stack.enter_context(postgres.databases(url))


@pytest.fixture(scope="session")
def empty_postgres(databases: postgres.Databases) -> Iterator[str]:
    """The URL of a database with nothing but the schema, for copying."""
    url = databases.create()
    with start_blocking_portal() as portal:
        database = portal.call(PostgresDatabase, url)
        portal.call(database.open)
        portal.call(database.close)
    yield url
    databases.drop(url)


@pytest.fixture
def postgres_url(
    databases: postgres.Databases, empty_postgres: str, tmp_path: Path
) -> Iterator[str]:
    """The URL of an empty database on PostgreSQL, which has the schema."""
    with created(databases, empty_postgres, tmp_path) as url:
        yield url


@contextmanager
def created(databases: postgres.Databases, template: str, folder: Path) -> Iterator[str]:
    """Create a database on PostgreSQL whose files, and the logs of its server, are in a folder."""
    url = databases.create(template)
    _folders[url] = folder
    yield url
    databases.drop(url)
    del _folders[url]


@pytest.fixture(scope="module")
def module_address(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Like `db_path`, of a database that the tests of a module share."""
    folder = tmp_path_factory.mktemp("module")
    if engine == "sqlite":
        yield folder / "store" / "trackai.db"
        return
    databases: postgres.Databases = request.getfixturevalue("databases")
    with (
        created(databases, request.getfixturevalue("empty_postgres"), folder) as url,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        for name, value in _files_of(url).items():
            monkeypatch.setenv(name, value)
        yield url


def execute_sql(address: Path | str, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """Execute a statement on the database of a test, and commit it."""
    return _execute(address, [(sql, parameters)])[0]


def _execute(
    address: Path | str, statements: Sequence[tuple[str, Sequence[Any]]]
) -> list[list[Any]]:
    if isinstance(address, Path):
        with closing(sqlite3.connect(address)) as connection, connection:
            return [connection.execute(*statement).fetchall() for statement in statements]

    async def execute() -> list[list[Any]]:
        driver = await asyncpg.connect(address)
        try:
            await register_types(driver)
            conn = PostgresConnection(driver)
            async with driver.transaction():
                return [list(await conn.execute_fetchall(*each)) for each in statements]
        finally:
            await driver.close()

    with start_blocking_portal() as portal:
        return portal.call(execute)


def read_tables(address: Path | str, *tables: str) -> list[Any]:
    """All rows of the tables, and those of all points, to compare."""
    points = "metrics" if isinstance(address, Path) else "pieces"
    queries = [(f"SELECT * FROM {table}", ()) for table in (*tables, points)]
    return [sorted(rows, key=repr) for rows in _execute(address, queries)]


def count_points(address: Path | str) -> int:
    """The number of points that are stored, of any run or none."""
    if isinstance(address, Path):
        ((count,),) = execute_sql(address, "SELECT COUNT(*) FROM metrics")
    else:
        ((count,),) = execute_sql(
            address, "SELECT CAST(coalesce(SUM(points), 0) AS bigint) FROM pieces"
        )
    return int(count)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing but the schema, for copying: running all migrations takes longer."""
    path = tmp_path_factory.mktemp("empty") / "trackai.db"
    with start_blocking_portal() as portal:
        database = portal.call(Database, path)
        portal.call(database.open)
        portal.call(database.close)
    return path


@pytest.fixture
async def db(db_path: Path | str, empty_database: Path) -> AsyncIterator[Store]:
    """An open database."""
    if isinstance(db_path, str):
        store = PostgresDatabase(db_path, files=_files_of(db_path)["TRACKAI_FILES"])
        await store.open()
        yield store
        await store.close()
        return
    if not db_path.exists():
        db_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(empty_database, db_path)
    database = Database(db_path)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def new_store(
    engine: str,
    request: pytest.FixtureRequest,
    empty_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], AbstractAsyncContextManager[Store]]]:
    """Opens an empty database, such as one for each example of a test."""
    urls: list[str] = []
    unused: list[str] = []

    @asynccontextmanager
    async def create() -> AsyncIterator[Store]:
        folder = tmp_path_factory.mktemp("db")
        store: Store
        if engine == "sqlite":
            path = folder / "trackai.db"
            shutil.copyfile(empty_database, path)
            store = Database(path)
            url = None
        else:
            # Deleting all rows takes less time than creating a database.
            url = unused.pop() if unused else None
            if url is None:
                template = request.getfixturevalue("empty_postgres")
                url = request.getfixturevalue("databases").create(template)
                urls.append(url)
            else:
                await postgres.truncate(url)
            store = PostgresDatabase(url, files=str(folder / "files"))
        await store.open()
        try:
            yield store
        finally:
            await store.close()
            if url is not None:
                unused.append(url)

    yield create
    for url in urls:
        request.getfixturevalue("databases").drop(url)


@pytest.fixture
def run_python(
    db_path: Path | str, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a new process, from another folder; it logs where the test does."""

    def run(script: str, *, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=check,
            timeout=300,
        )

    return run


class Answer(NamedTuple):
    """A response of a server."""

    status: int
    json: Any
    headers: dict[str, str]


class Server:
    """A `trackai serve` process."""

    def __init__(self, url: str, process: subprocess.Popen[str], db_path: Any) -> None:
        self.url = url
        self.process = process
        self.db_path = db_path
        self.link = ""  # the sign-in link of a server with a key

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        headers = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _answer(response.status, response.read(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)

    def get(self, path: str) -> Any:
        """The JSON of a response, which must be 200."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        return answer.json


def _answer(status: int, data: bytes, headers: Any) -> Answer:
    is_json = "json" in headers.get("content-type", "")
    content = (json.loads(data) if is_json else data.decode()) if data else None
    return Answer(status, content, dict(headers.items()))


@contextmanager
def serving(db_path: Path | str, *options: str, **env: str) -> Iterator[Server]:
    """Run a real server on a free port; its log must not contain a traceback.

    Args:
        db_path: the database, which is created if it does not exist; on PostgreSQL a URL.
        options: options of `trackai serve`.
        env: environment variables.
    """
    log = _log_of(db_path)
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "trackai.cli", "serve", *options, "--port", "0",
             "--db", str(db_path)],
            cwd=log.parent,
            env={**os.environ, **_files_of(db_path), **env},
            stderr=stderr,
            text=True,
        )  # fmt: skip
    with process:
        lines = 2 if env else 1
        deadline = time.monotonic() + 60
        while log.read_text().count("\n") < lines:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first, *rest = log.read_text().splitlines()
        assert "serves" in first
        port = first.split()[2].rpartition(":")[2]
        server = Server(f"http://127.0.0.1:{port}", process, db_path)
        server.link = rest[0].split()[-1] if rest else ""
        wait_until_healthy(server)
        try:
            yield server
        finally:
            process.terminate()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of most tests on SQLite."""
    with serving(tmp_path_factory.mktemp("shared") / "store" / "trackai.db") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(
    databases: postgres.Databases, empty_postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The server of most tests on PostgreSQL."""
    folder = tmp_path_factory.mktemp("shared")
    with created(databases, empty_postgres, folder) as url, serving(url) as server:
        yield server


@pytest.fixture
def shared_server(engine: str, request: pytest.FixtureRequest) -> Server:
    """The server of most tests on the engine: starting one takes longer than most of them."""
    server: Server = request.getfixturevalue(f"{engine}_server")
    return server


@pytest.fixture
def server(shared_server: Server, db_path: Path) -> Iterator[Server]:
    """A real server with an empty database at `db_path`; earlier tests have used the server."""
    if db_path != shared_server.db_path:  # requested after `db_path` was set up
        with serving(db_path) as server:
            yield server
        return
    log = _log_of(db_path)
    before = len(log.read_text())
    yield shared_server
    assert shared_server.process.poll() is None
    lines = log.read_text()[before:]
    assert "Traceback" not in lines, lines


# The folders of the logs of servers of databases on PostgreSQL.
_folders: dict[str, Path] = {}


def _files_of(db_path: Path | str) -> dict[str, str]:
    """The variable for the folder of files of a database on PostgreSQL."""
    is_path = isinstance(db_path, Path)
    return {} if is_path else {"TRACKAI_FILES": str(_folders[str(db_path)] / "files")}


def _log_of(db_path: Path | str) -> Path:
    folder = _folders[db_path] if isinstance(db_path, str) else db_path.parents[1]
    return folder / "stderr"


def _start_over(server: Server) -> None:
    """Remove the database, as a user would, and wait until the server creates a new one.

    A database on PostgreSQL is emptied.
    """
    if isinstance(server.db_path, str):
        postgres.empty(server.db_path)
        for path in (_folders[server.db_path] / "files").iterdir():
            shutil.rmtree(path)
        assert server.get("/api/projects") == []
        return
    server.db_path.unlink(missing_ok=True)
    spool = server.db_path.with_name(server.db_path.name + "-spool")
    for journal in spool.glob("*.journal*"):
        journal.unlink(missing_ok=True)
    shutil.rmtree(server.db_path.with_name(server.db_path.name + "-files"), ignore_errors=True)
    assert server.get("/api/projects") == []
    assert server.db_path.exists()


@pytest.fixture
def own_server(
    db_path: Path, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A real server that is started for one test, which may kill it."""
    with serving(db_path) as server:
        if engine == "postgresql":
            log_to(server, tmp_path, monkeypatch)
        yield server


@pytest.fixture
def guarded(
    db_path: Path, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server with a key that listens on all addresses."""
    with serving(db_path, "--host", "0.0.0.0", TRACKAI_API_KEY=KEY) as server:
        if engine == "postgresql":
            log_to(server, tmp_path, monkeypatch)
            monkeypatch.setenv("TRACKAI_API_KEY", KEY)
        yield server
    assert _log_of(db_path).read_text().count("code=") == 1


@pytest.fixture(params=["nginx", "caddy"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """A server with a key behind each of the proxies of docs/team.md, with TLS."""
    from tests import proxies

    try:
        proxies.provide(request.param)
    except proxies.ProxyNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    site = proxies.Site(request.param, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(site.proxy.authority))
    try:
        site.proxy.start()
        site.start()
        yield site
    finally:
        site.stop()


def wait_until_healthy(server: Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert server.get("/health") == {"status": "healthy"}
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A server that speaks S3."""
    with buckets.serving_s3() as server:
        yield server


@pytest.fixture
def bucket_url(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket, for TRACKAI_FILES."""
    for name, value in buckets.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return s3_server.new_bucket()
