"""Settings from environment variables. No other module reads the environment."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import msgspec

from trackai.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

AccessLog: TypeAlias = Literal["off", "text", "json"]
MIN_API_KEY = 16

# Where launchers put the rank of a process, besides RANK; one that runs inside another comes first.
_RANKS = (
    "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID",
    "LOCAL_RANK",
)  # fmt: skip
# What the processes of a launch have in common, and those of another launch do not.
_LAUNCHES = (
    "TRACKAI_RUN_ID", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_PORT",
    "WORLD_SIZE", "PMIX_NAMESPACE", "OMPI_COMM_WORLD_SIZE", "PMI_JOBID", "PMI_SIZE",
    "SLURM_JOB_ID",
)  # fmt: skip

# Other programs, and wandb, also take words.
_SWITCHES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}

# An origin in a Content-Security-Policy: the port may be any, and so may the names below a domain.
# Compiled when it is used: few servers have any.
_ORIGIN = r"https?://(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:(\d{1,5}|\*))?"

# What launchers tell a process about its job, and the name of the fact. No other variable is stored
# with a run.
_LAUNCHER_FACTS = {
    "SLURM_JOB_ID": "slurm/job_id",
    "SLURM_JOB_NAME": "slurm/job_name",
    "SLURM_JOB_PARTITION": "slurm/partition",
    "SLURM_CLUSTER_NAME": "slurm/cluster",
    "SLURM_JOB_NODELIST": "slurm/nodes",
    "SLURM_JOB_NUM_NODES": "slurm/node_count",
    "SLURM_NTASKS": "slurm/tasks",
    "SLURM_CPUS_PER_TASK": "slurm/cpus_per_task",
    "SLURM_GPUS_ON_NODE": "slurm/gpus_on_node",
    "SLURM_ARRAY_JOB_ID": "slurm/array_job_id",
    "SLURM_ARRAY_TASK_ID": "slurm/array_task_id",
    "SLURM_RESTART_COUNT": "slurm/restart_count",
    "PBS_JOBID": "pbs/job_id",
    "LSB_JOBID": "lsf/job_id",
    "TORCHELASTIC_RUN_ID": "torchrun/run_id",
    "TORCHELASTIC_RESTART_COUNT": "torchrun/restart_count",
    "WORLD_SIZE": "distributed/world_size",
    "LOCAL_WORLD_SIZE": "distributed/local_world_size",
    "MASTER_ADDR": "distributed/master_address",
    "MASTER_PORT": "distributed/master_port",
    "OMPI_COMM_WORLD_SIZE": "mpi/world_size",
    "KUBERNETES_SERVICE_HOST": "kubernetes/service_host",
    "POD_NAME": "kubernetes/pod",
    "POD_NAMESPACE": "kubernetes/namespace",
    "NODE_NAME": "kubernetes/node",
    "JOB_COMPLETION_INDEX": "kubernetes/job_index",
    "CUDA_VISIBLE_DEVICES": "cuda_visible_devices",
    "JPY_SESSION_NAME": "notebook",
}
# Variables that lead git to another repository than that of a folder, or to other programs.
_GIT_VARIABLES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
    "GIT_PREFIX", "GIT_NAMESPACE", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_TRACE",
)  # fmt: skip


class DatabaseUrl:
    """The address of a database on a server of PostgreSQL, which may contain a password.

    As a text it is only the part that may be shown.

    Attributes:
        secret: the whole address.
    """

    def __init__(self, text: str) -> None:
        self.secret = text

    def __str__(self) -> str:
        address = self.secret.partition("?")[0]
        host = address.partition("://")[2].rpartition("@")[2]
        return f"postgresql://{host}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseUrl) and other.secret == self.secret

    def __hash__(self) -> int:
        return hash(self.secret)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, read from the environment when a store is opened or a server created.

    Attributes:
        db_path: the SQLite file (``TRACKAI_DB_PATH``, default ``~/.trackai/trackai.db``).
        server_url: the server to log to and read from instead of the file
            (``TRACKAI_SERVER_URL``); None for the file.
        outbox_path: the folder where points wait that are on their way to a server
            (``TRACKAI_OUTBOX_PATH``, default ``~/.trackai/outbox``).
        outbox_bytes: the most that may wait there (``TRACKAI_OUTBOX_MB``, default 10 000).
        host: the address the server binds to (``TRACKAI_HOST``).
        port: its TCP port (``TRACKAI_PORT``).
        allowed_hosts: host names, besides those of this machine's loopback, that a request may
            name in its Host header (``TRACKAI_ALLOWED_HOSTS``, separated by commas).
        frame_origins: the origins whose pages may show the dashboard in a frame
            (``TRACKAI_FRAME_ORIGINS``, separated by commas).
        api_key: the bearer token that every request must send (``TRACKAI_API_KEY``).
        access_log: the format in which requests are logged to stderr (``TRACKAI_ACCESS_LOG``).
        keep_free: bytes of its disk that a server leaves free when other machines log to it
            (``TRACKAI_KEEP_FREE_MB``, default 1000).
        run_id: the id of a run that several processes log to (``TRACKAI_RUN_ID``,
            ``WANDB_RUN_ID``).
        rank: the rank of this process among them (``TRACKAI_RANK``, ``RANK``, or that of another
            launcher).
        launch: what is the same in all processes of a launch, by name, and the "rank"; empty for
            a process that is not launched as one of several.
        strict: whether what cannot be logged raises (``TRACKAI_STRICT``, 1 or 0).
        auto_log: whether a run records what it was not asked to: its environment, its console
            output and the load of the machine (``TRACKAI_AUTO_LOG``, 1 or 0, default 1).
        silent: whether `init` prints nothing (``TRACKAI_SILENT``, 1 or 0).
        project: the default project of runs (``TRACKAI_PROJECT``, ``WANDB_PROJECT``).
        files: the folder or bucket with the files of a database on a server (``TRACKAI_FILES``).
        db_path_source: where `db_path` comes from: "argument", "TRACKAI_DB_PATH" or "default".
        database_url: the database that the server and commands use instead of the file
            (``TRACKAI_DATABASE_URL``); None for the file. Scripts do not log to it: they log to
            the file or to `server_url`.
    """

    db_path: Path
    server_url: str | None = None
    outbox_path: str = "~/.trackai/outbox"
    outbox_bytes: int = 10_000 * 1_000_000
    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    frame_origins: tuple[str, ...] = ()
    api_key: str | None = None
    access_log: AccessLog = "off"
    keep_free: int = 1000 * 1_000_000
    run_id: str | None = None
    rank: int | None = None
    launch: dict[str, str] = {}
    strict: bool = False
    auto_log: bool = True
    silent: bool = False
    project: str = "uncategorized"
    files: str | None = None
    db_path_source: str = "default"
    database_url: DatabaseUrl | None = None

    @classmethod
    def from_env(
        cls,
        db_path: str | os.PathLike[str] | None = None,
        *,
        database: str | os.PathLike[str] | None = None,
        server_url: str | None = None,
    ) -> Settings:
        """Read the settings from the environment.

        Args:
            db_path: the database file; overrides ``TRACKAI_DB_PATH``, ``TRACKAI_DATABASE_URL`` and
                ``TRACKAI_SERVER_URL``.
            database: like `db_path`, and may also be the address of a database on a server of
                PostgreSQL.
            server_url: the server to log to; overrides ``TRACKAI_SERVER_URL``.

        Raises:
            InvalidInputError: a variable has an invalid value.
        """
        env = os.environ
        ranks = [env.get("TRACKAI_RANK"), env.get("RANK"), *map(env.get, _RANKS)]
        rank = _rank(next(filter(None, ranks), ""))
        database_url = None
        if database and is_database_url(database):
            database_url = DatabaseUrl(str(database))
        elif not (db_path or database):
            database_url = _database_url(_text(env.get("TRACKAI_DATABASE_URL")) or "")
        path, source = _file(db_path or (None if database_url else database))
        return cls(
            db_path=_absolute(path, "db_path" if source == "argument" else source),
            db_path_source=source,
            database_url=database_url,
            server_url=server_url
            or (None if db_path or database else _text(env.get("TRACKAI_SERVER_URL"))),
            outbox_path=env.get("TRACKAI_OUTBOX_PATH") or "~/.trackai/outbox",
            outbox_bytes=_megabytes(
                "TRACKAI_OUTBOX_MB", env.get("TRACKAI_OUTBOX_MB") or "10000", least=100
            ),
            host=env.get("TRACKAI_HOST") or "127.0.0.1",
            port=_port(env.get("TRACKAI_PORT") or "8000"),
            allowed_hosts=tuple(
                host.strip().lower()
                for host in env.get("TRACKAI_ALLOWED_HOSTS", "").split(",")
                if host.strip()
            ),
            frame_origins=frame_origins(
                "TRACKAI_FRAME_ORIGINS", env.get("TRACKAI_FRAME_ORIGINS", "").split(",")
            ),
            api_key=_api_key(env.get("TRACKAI_API_KEY") or None),
            access_log=_access_log(env.get("TRACKAI_ACCESS_LOG") or "off"),
            keep_free=_megabytes("TRACKAI_KEEP_FREE_MB", env.get("TRACKAI_KEEP_FREE_MB") or "1000"),
            run_id=_text(env.get("TRACKAI_RUN_ID"), env.get("WANDB_RUN_ID")),
            project=_text(env.get("TRACKAI_PROJECT"), env.get("WANDB_PROJECT")) or "uncategorized",
            rank=rank,
            launch=_launch(rank),
            strict=_switch("TRACKAI_STRICT", env.get("TRACKAI_STRICT")),
            auto_log=_switch("TRACKAI_AUTO_LOG", env.get("TRACKAI_AUTO_LOG") or "1"),
            silent=_switch("TRACKAI_SILENT", env.get("TRACKAI_SILENT")),
            files=_text(env.get("TRACKAI_FILES")),
        )

    @property
    def database(self) -> Path | DatabaseUrl:
        """The database of the server and of commands."""
        return self.database_url or self.db_path

    @property
    def database_source(self) -> str:
        """Where the setting of the database comes from, for people to see."""
        return "TRACKAI_DATABASE_URL" if self.database_url is not None else self.db_path_source

    @property
    def outbox(self) -> Path:
        """The folder where points wait that are on their way to a server.

        Raises:
            InvalidInputError: it is in a home folder, and this user has none.
        """
        return _absolute(self.outbox_path, "TRACKAI_OUTBOX_PATH", "TRACKAI_OUTBOX_PATH", "a folder")

    @property
    def url(self) -> str:
        """The address of the server for a browser on this machine."""
        host = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::"} else self.host  # noqa: S104
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"http://{host}:{self.port}"


def wandb_defaults() -> dict[str, tuple[str, str]]:
    """Variables of wandb that are the defaults of arguments of `init`.

    Returns:
        By argument, the name and the text of each variable that is not empty.
    """
    env = os.environ
    variables = {
        "name": ("WANDB_NAME", env.get("WANDB_NAME", "")),
        "group": ("WANDB_RUN_GROUP", env.get("WANDB_RUN_GROUP", "")),
        "job_type": ("WANDB_JOB_TYPE", env.get("WANDB_JOB_TYPE", "")),
        "tags": ("WANDB_TAGS", env.get("WANDB_TAGS", "")),
        "notes": ("WANDB_NOTES", env.get("WANDB_NOTES", "")),
        "resume": ("WANDB_RESUME", env.get("WANDB_RESUME", "")),
        "mode": ("WANDB_MODE", env.get("WANDB_MODE", "")),
    }
    return {
        argument: (name, text.strip())
        for argument, (name, text) in variables.items()
        if text.strip()
    }


def webhook_defaults() -> dict[str, tuple[str, str]]:
    """Variables that are the defaults of the arguments of `init` about webhooks.

    They are no fields of `Settings`: the address of a webhook is a secret, and settings are shown.

    Returns:
        By argument, the name and the text of the first variable that is not empty.
    """
    env = os.environ
    variables = {
        "webhook_url": [
            ("TRACKAI_WEBHOOK_URL", env.get("TRACKAI_WEBHOOK_URL", "")),
            ("TRACKIO_WEBHOOK_URL", env.get("TRACKIO_WEBHOOK_URL", "")),
        ],
        "webhook_min_level": [
            ("TRACKAI_WEBHOOK_MIN_LEVEL", env.get("TRACKAI_WEBHOOK_MIN_LEVEL", "")),
            ("TRACKIO_WEBHOOK_MIN_LEVEL", env.get("TRACKIO_WEBHOOK_MIN_LEVEL", "")),
        ],
    }
    return {
        argument: (name, text.strip())
        for argument, pairs in variables.items()
        for name, text in reversed(pairs)
        if text.strip()
    }


def ignored_wandb_variables() -> list[str]:
    """The names of variables that change a run of wandb, are set, and have no meaning here."""
    env = os.environ
    variables = {
        "WANDB_DIR": env.get("WANDB_DIR"),
        "WANDB_ENTITY": env.get("WANDB_ENTITY"),
        "WANDB_SWEEP_ID": env.get("WANDB_SWEEP_ID"),
        "WANDB_CONFIG_PATHS": env.get("WANDB_CONFIG_PATHS"),
    }
    return [name for name, text in variables.items() if text]


def launcher_facts() -> dict[str, str]:
    """What launchers such as SLURM and torchrun tell about this job, by the name of the fact."""
    env = os.environ
    values = zip(_LAUNCHER_FACTS.values(), map(env.get, _LAUNCHER_FACTS), strict=True)
    return {name: value for name, value in values if value}


def git_environment() -> dict[str, str]:
    """The environment of a git that only reads the repository of a folder, and asks nothing."""
    kept = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    return {
        **kept,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }


def put_on_python_path(folders: list[str]) -> None:
    """Put folders first on ``PYTHONPATH``, where the processes that this one starts look first."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [path for path in paths if path and path not in folders]
    os.environ["PYTHONPATH"] = os.pathsep.join([*folders, *others])


def set_wandb_variable(name: str, value: str) -> None:
    """Set a variable of wandb for this process and those that it starts."""
    os.environ[name] = value


def wandb_console() -> str:
    """How wandb captures the console output (``WANDB_CONSOLE``, default "auto")."""
    return os.environ.get("WANDB_CONSOLE", "").strip() or "auto"


def colors_are_unwanted() -> bool:
    """Whether ``NO_COLOR`` is set to a non-empty value (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def ca_bundle() -> str | None:
    """Certificates to trust besides those of OpenSSL's own variables (``REQUESTS_CA_BUNDLE``)."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or None


def has_screen() -> bool:
    """Whether this machine has a screen on which a browser can open."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def frame_origins(field: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Check origins whose pages may show the dashboard in a frame; empty texts are left out.

    Args:
        field: the variable or option that an error names.

    Raises:
        InvalidInputError: a text is not an origin.
    """
    origins = [text.strip().lower().removesuffix("/") for text in texts if text.strip()]
    for origin in origins:
        # They become a part of a header, in which other characters have a meaning.
        if not re.fullmatch(_ORIGIN, origin):
            raise InvalidInputError(
                field,
                "must be origins like https://notebooks.example.com or http://localhost:8888, got "
                f"{origin!r}",
            )
    return tuple(dict.fromkeys(origins))


def is_database_url(text: str | os.PathLike[str]) -> bool:
    """Whether this is the address of a database on a server of PostgreSQL, and not a path."""
    return str(text).startswith(("postgresql://", "postgres://"))


def _text(*values: str | None) -> str | None:
    """The first value that is more than white space, without white space around it; or None."""
    stripped = (value.strip() for value in values if value is not None)
    return next(filter(None, stripped), None)


def _file(argument: str | os.PathLike[str] | None) -> tuple[str | os.PathLike[str], str]:
    """The path of the database file, and where it comes from."""
    if argument:
        return argument, "argument"
    if variable := os.environ.get("TRACKAI_DB_PATH"):
        return variable, "TRACKAI_DB_PATH"
    return "~/.trackai/trackai.db", "default"


def _database_url(text: str) -> DatabaseUrl | None:
    if not text:
        return None
    if not is_database_url(text):  # it may contain a password, so the message does not have it
        raise InvalidInputError(
            "TRACKAI_DATABASE_URL",
            "must be like postgresql://user:password@host:5432/database; the variable for a file "
            "is TRACKAI_DB_PATH",
        )
    return DatabaseUrl(text)


def _absolute(
    path: str | os.PathLike[str],
    field: str,
    variable: str = "TRACKAI_DB_PATH",
    what: str = "a database file",
) -> Path:
    if is_database_url(path):
        raise InvalidInputError(
            field,
            f"must be a file, got {DatabaseUrl(str(path))}: trackai serve --db works on such a "
            "database, and scripts log to the server, whose address is TRACKAI_SERVER_URL",
        )
    # Path.resolve() would follow a link to the database file, and processes that use different
    # links would then look for journals in different folders.
    try:
        absolute = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100
    except RuntimeError:
        raise InvalidInputError(
            variable,
            f"must be set to {what}: {path} needs a home folder, and this user has none",
        ) from None
    except FileNotFoundError:  # the working directory was removed
        raise InvalidInputError(
            variable, f"must be absolute, as the working directory was removed, got {path}"
        ) from None
    if not absolute.name:
        raise InvalidInputError(field, f"must be {what.replace('database ', '')}, got {absolute}")
    return absolute


def _api_key(text: str | None) -> str | None:
    if text is not None and (len(text) < MIN_API_KEY or not text.isascii() or text != text.strip()):
        raise InvalidInputError(
            "TRACKAI_API_KEY",
            f"must have at least {MIN_API_KEY} ASCII characters and no spaces around them; create "
            "one with python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return text


def _access_log(text: str) -> AccessLog:
    if text.lower() not in get_args(AccessLog):
        raise InvalidInputError(
            "TRACKAI_ACCESS_LOG", f'must be "off", "text" or "json", got {text!r}'
        )
    return cast("AccessLog", text.lower())


def _switch(variable: str, value: str | None) -> bool:
    text = (value or "").strip().lower()
    if text not in _SWITCHES:
        raise InvalidInputError(variable, f"must be 1 or 0, got {text!r}")
    return _SWITCHES[text]


def _rank(text: str) -> int | None:
    # RANK belongs to launchers such as torchrun: other values than numbers are ignored.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _launch(rank: int | None) -> dict[str, str]:
    env = os.environ
    values = zip(_LAUNCHES, map(env.get, _LAUNCHES), strict=True)
    launch = {name: value for name, value in values if value}
    if rank is not None:
        launch["rank"] = str(rank)
    elif "TRACKAI_RUN_ID" not in launch:  # such as a script in a shell of a job
        return {}
    if "SLURM_JOB_ID" in launch:  # a requeued job keeps its id
        launch["SLURM_RESTART_COUNT"] = env.get("SLURM_RESTART_COUNT") or "0"
    return launch


def _megabytes(variable: str, text: str, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise InvalidInputError(variable, f"must be a number of at least {least}, got {text!r}")
    return int(text) * 1_000_000


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise InvalidInputError("TRACKAI_PORT", f"must be a port between 0 and 65535, got {text!r}")
    return port


def local_rank() -> int:
    """The number of this process among those of a launch on this machine; 0 without a launch."""
    env = os.environ
    texts = (
        env.get("LOCAL_RANK"),
        env.get("OMPI_COMM_WORLD_LOCAL_RANK"),
        env.get("MV2_COMM_WORLD_LOCAL_RANK"),
        env.get("MPI_LOCALRANKID"),
        env.get("SLURM_LOCALID"),
    )
    return _rank(next(filter(None, texts), "")) or 0


def has_own_gpu() -> bool:
    """Whether ``CUDA_VISIBLE_DEVICES`` gives this process one GPU."""
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return len(devices) == 1 and bool(devices[0].strip())


def visible_gpus(count: int) -> list[int]:
    """The indices of the GPUs in ``CUDA_VISIBLE_DEVICES``.

    Args:
        count: how many GPUs the machine has.

    Returns:
        All indices if the variable is empty or names GPUs by their UUIDs.
    """
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    indices = [int(device) for device in devices if device.strip().isdecimal()]
    return [index for index in indices if index < count] or list(range(count))
