"""Translate our SQL, which is SQLite's, into PostgreSQL's.

Both engines execute the same texts. Where they differ in more than the rules below, a comment has
what PostgreSQL needs: `/*pg: FOR UPDATE */` becomes its contents, and what stands between
`/*sqlite*/` and `/*end*/` disappears.
"""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      /\*sqlite\*/ .*? /\*end\*/
    | /\*pg: (?P<only> .*? ) \*/
    | /\* .*? \*/
    | -- [^\n]*
    | x'(?P<blob> [0-9a-fA-F]* )'
    | (?P<quoted> ' (?: [^'] | '' )* ' | " [^"]* " )
    | (?P<denied> \bNOT\s+ )? \bIN\s+
      \( \s* SELECT\s+value\s+FROM\s+json_each\( (?P<list> \?\d* ) \) \s* \)
    | \bIS\s+ (?P<distinct> NOT\s+ )? (?P<compared> \?\d* )
    | \bLIMIT\s+ (?P<limit> \?\d* )
    | \bINDEXED\s+BY\s+\w+
    | \b(?P<ifnull> ifnull ) \(
    | \b(?P<casefold> casefold ) \(
    | (?P<parameter> \?\d* )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)  # fmt: skip


@lru_cache(maxsize=4096)
def translate(sql: str) -> str:
    """The text for PostgreSQL, with numbered parameters."""
    numbers = _Numbers()
    return _TOKEN.sub(lambda match: _translated(match, numbers), sql)


class _Numbers:
    """Numbers parameters like SQLite: `?` gets the number after the largest one so far."""

    def __init__(self) -> None:
        self._last = 0

    def of(self, parameter: str) -> str:
        number = int(parameter[1:] or self._last + 1)
        self._last = max(self._last, number)
        return f"${number}"


def _translated(match: re.Match[str], numbers: _Numbers) -> str:
    found = match.groupdict()
    if found["quoted"] is not None:
        return match[0]
    if found["only"] is not None:
        return f" {_numbered(found['only'], numbers)} "
    if found["blob"] is not None:
        return f"'\\x{found['blob']}'::bytea"
    if found["list"] is not None:
        member = "<> ALL" if found["denied"] else "= ANY"
        return f"{member} ({numbers.of(found['list'])})"
    if found["compared"] is not None:
        word = "NOT DISTINCT" if found["distinct"] is None else "DISTINCT"
        return f"IS {word} FROM {numbers.of(found['compared'])}"
    if found["limit"] is not None:
        return f"LIMIT nullif({numbers.of(found['limit'])}::bigint, -1)"
    if found["casefold"] is not None:
        return "folded("  # PostgreSQL 18 has a function of that name, which keeps a ß
    if found["ifnull"] is not None:
        return "coalesce("
    if found["parameter"] is not None:
        return numbers.of(found["parameter"])
    return " "


def _numbered(sql: str, numbers: _Numbers) -> str:
    """Number the parameters in what only PostgreSQL executes."""
    return re.sub(r"\?\d*", lambda match: numbers.of(match[0]), sql)
