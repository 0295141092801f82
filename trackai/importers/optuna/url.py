"""The URL of a database, which is not shown with its password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*@")
_SQLITE = "sqlite:///"


class DatabaseUrl(NamedTuple):
    """A URL such as postgresql://user:password@host/database."""

    url: str

    def __str__(self) -> str:
        return _PASSWORD.sub(r"\1:***@", self.url)


def parse(text: str) -> Path | DatabaseUrl:
    """Convert a path or a URL; that of a SQLite database is the path of its file."""
    if text.startswith(_SQLITE):
        return Path(text.removeprefix(_SQLITE).partition("?")[0])
    return DatabaseUrl(text) if "://" in text else Path(text)
