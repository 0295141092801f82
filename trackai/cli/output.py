"""The output of commands: tables for people, JSON for programs.

JSON output is one object, {"version": 1, ...}. New fields may be added to a version; a change to
the meaning of a field makes a new version.
"""

from __future__ import annotations

import codecs
import io
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from trackai.values.text import escaped, escaped_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Decorated = Callable[..., Any]

JSON_VERSION = 1


class FloatRange(click.FloatRange):
    """A range of numbers without NaN, which no comparison of click excludes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{number} is not in the range", param, ctx)
        return number


def json_option(command: Decorated) -> Decorated:
    """Add the option --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(**fields: Any) -> None:
    """Print a JSON object: indented on a terminal, on one line otherwise."""
    data = msgspec.json.encode({"version": JSON_VERSION, **fields})
    click.echo(escaped_json(msgspec.json.format(data, indent=2 if sys.stdout.isatty() else 0)))


def print_json_line(record: msgspec.Struct) -> None:
    """Print a record as a line of JSON."""
    click.echo(escaped_json(msgspec.json.encode(record)))


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a line of text, in which control characters are escaped.

    Args:
        err: print to stderr.
        nl: end the line.
        style: arguments of `click.style`.
    """
    click.secho(escaped(str(text)), err=err, nl=nl, **style)


class TerminalFile(io.BufferedIOBase):
    """A binary file that shows lines of UTF-8 text on the terminal, escaped."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        lines = self._decode(bytes(data)).replace("\r\n", "\n").split("\n")
        click.echo("\n".join(map(escaped, lines)), nl=False)
        return memoryview(data).nbytes


def echo_lines(text: str) -> None:
    """Print lines of text."""
    for line in text.split("\n"):
        echo(line)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, widest: int = 60) -> None:
    """Print a table: aligned on a terminal, separated by tabs otherwise.

    Args:
        widest: the maximum width of a column on a terminal; longer texts are cut off.
    """
    columns = [escaped(column) for column in columns]
    texts = [[cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [columns, *texts]:
            click.echo("\t".join(row))
        return
    texts = [[_clip(text, widest) for text in row] for row in texts]
    numeric = [
        all(isinstance(row[index], int | float | None) for row in rows)
        for index in range(len(columns))
    ]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    click.secho(_line(columns, widths, numeric), bold=True)
    for row in texts:
        click.echo(_line(row, widths, numeric))


def _clip(text: str, width: int) -> str:
    """Cut a text in the middle: long names often differ only at the end."""
    if len(text) <= width:
        return text
    end = width // 3
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = (
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(row, widths, numeric, strict=True)
    )
    return "  ".join(cells).rstrip()


def cell(value: Any) -> str:
    """Format a value for a table: numbers with six digits, times as "3 min ago"."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return ago(value)
    if isinstance(value, list):
        return ", ".join(map(cell, value)) or "-"
    return escaped(str(value))


def ago(time: datetime) -> str:
    """Format the time since `time` in the largest fitting unit, as in "3 min ago"."""
    seconds = (datetime.now(UTC) - time).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def human_bytes(number: float) -> str:
    """Format a number of bytes in the largest fitting unit, as in "1.5 MB"."""
    if number == 1:
        return "1 byte"
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError  # pragma: no cover


def pluralize(number: int, noun: str) -> str:
    """Format a number with a noun, as in "1 run" and "2 runs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
