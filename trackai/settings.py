"""Where things lie and how the server listens: the only reader of the environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

import msgspec

from trackai.errors import InvalidInputError

AccessLog: TypeAlias = Literal["off", "text", "json"]
MIN_API_KEY = 16


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says, read when a store is opened or a server made.

    Attributes:
        db_path: the SQLite file (``TRACKAI_DB_PATH``, default ``~/.trackai/trackai.db``).
        host: the address the server binds to (``TRACKAI_HOST``).
        port: its TCP port (``TRACKAI_PORT``).
        allowed_hosts: host names, besides those of this machine's loopback, that a request may
            name in its Host header (``TRACKAI_ALLOWED_HOSTS``, separated by commas).
        api_key: what every request must bring as a bearer token (``TRACKAI_API_KEY``).
        access_log: whether and how requests are logged to stderr (``TRACKAI_ACCESS_LOG``).
        run_id: the slug of a run that several processes write together (``TRACKAI_RUN_ID``).
        rank: the place of this process beside them (``TRACKAI_RANK``, ``RANK``).
        project: the project of runs that name none (``TRACKAI_PROJECT``, ``WANDB_PROJECT``).
        db_path_source: what decided on `db_path`: "argument", "TRACKAI_DB_PATH" or "default".
    """

    db_path: Path
    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    api_key: str | None = None
    access_log: AccessLog = "off"
    run_id: str | None = None
    rank: int | None = None
    project: str = "uncategorized"
    db_path_source: str = "default"

    @classmethod
    def from_env(cls, db_path: str | os.PathLike[str] | None = None) -> Settings:
        """Read the environment; a `db_path` that is given wins over ``TRACKAI_DB_PATH``.

        Raises:
            InvalidInputError: a variable has a value that cannot be used.
        """
        env = os.environ
        path, source = db_path, "argument"
        if not path:
            path, source = env.get("TRACKAI_DB_PATH"), "TRACKAI_DB_PATH"
        if not path:
            path, source = "~/.trackai/trackai.db", "default"
        return cls(
            db_path=_absolute(path),
            db_path_source=source,
            host=env.get("TRACKAI_HOST") or "127.0.0.1",
            port=_port(env.get("TRACKAI_PORT") or "8000"),
            allowed_hosts=tuple(
                host.strip().lower()
                for host in env.get("TRACKAI_ALLOWED_HOSTS", "").split(",")
                if host.strip()
            ),
            api_key=_api_key(env.get("TRACKAI_API_KEY") or None),
            access_log=_access_log(env.get("TRACKAI_ACCESS_LOG") or "off"),
            run_id=env.get("TRACKAI_RUN_ID", "").strip() or None,
            project=env.get("TRACKAI_PROJECT", "").strip()
            or env.get("WANDB_PROJECT", "").strip()
            or "uncategorized",
            rank=_rank(env.get("TRACKAI_RANK") or env.get("RANK") or ""),
        )

    @property
    def url(self) -> str:
        """The address under which a browser on this machine finds the server."""
        host = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::", "::1"} else self.host  # noqa: S104
        return f"http://{host}:{self.port}"


def colors_are_unwanted() -> bool:
    """Whether ``NO_COLOR`` is set, to anything, as https://no-color.org asks for."""
    return bool(os.environ.get("NO_COLOR"))


def has_screen() -> bool:
    """Whether a browser that is opened can be seen; a server over SSH has none."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _absolute(path: str | os.PathLike[str]) -> Path:
    # Path.resolve() would follow a link to the database file itself, and the folder beside
    # which the journals lie would then depend on who opened it; abspath does not.
    absolute = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100
    if not absolute.name:
        raise InvalidInputError("TRACKAI_DB_PATH", f"{absolute} is no file")
    return absolute


def _api_key(text: str | None) -> str | None:
    if text is not None and (len(text) < MIN_API_KEY or not text.isascii() or text != text.strip()):
        raise InvalidInputError(
            "TRACKAI_API_KEY",
            f"a key has at least {MIN_API_KEY} ASCII characters; make one with "
            "python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return text


def _access_log(text: str) -> AccessLog:
    for known in get_args(AccessLog):
        if text.lower() == known:
            return cast("AccessLog", known)
    raise InvalidInputError("TRACKAI_ACCESS_LOG", f"{text!r} is none of off, text, json")


def _rank(text: str) -> int | None:
    # RANK belongs to launchers such as torchrun; what else it may say is not ours to judge.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise InvalidInputError("TRACKAI_PORT", f"{text!r} is no port; use 0 to 65535")
    return port


def visible_gpus(count: int) -> list[int]:
    """The GPUs that CUDA_VISIBLE_DEVICES names; all if it names none, or not by their numbers."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    chosen = [int(one) for one in named if one.strip().isdecimal()]
    return [one for one in chosen if one < count] or list(range(count))
