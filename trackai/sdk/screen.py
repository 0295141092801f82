"""The lines of a terminal, for a log: what is rewritten is one line, not many.

Progress bars return to the beginning of their line, or move up to earlier lines, and write again. A
line is logged once it has ended; one that is being rewritten, from time to time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# How many lines a program can move up.
_HEIGHT = 50
# A longer line is cut.
_MAX_LENGTH = 16_384
# How often the state of a line that is being rewritten is logged, in microseconds: once a second
# at first, more rarely if it lives long.
_LEAST_INTERVAL = 1_000_000
_MOST_INTERVAL = 10_000_000
_INTERVALS_OF_AGE = 30

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Text, a control sequence (CSI), a text for the terminal (OSC and the like), another escape, or a
# control character.
_TOKENS = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f]+)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<command>[@-~])"
    r"|\x1b\[[0-?]*[ -/]*"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-Z\\-~]"
    r"|(?P<control>[\x00-\x08\x0a-\x1f\x7f])"
)
# The beginning of a sequence that the next text continues.
_INCOMPLETE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
_LONGEST_SEQUENCE = 4096


class _Line:
    """A line on the screen.

    Attributes:
        since: when it began to be written, microseconds since the epoch.
        ended_at: when the cursor left it for the line below; None before.
        logged: the text that was logged last; None if it has not been logged.
        logged_at: when that was.
        is_due: whether it is complete and must be logged now, however often it was logged.
        is_rewritten: whether its text was not only appended to.
        cut: the number of characters beyond the longest length.
    """

    __slots__ = (
        "cut", "ended_at", "is_due", "is_rewritten", "logged", "logged_at", "since", "text",
    )  # fmt: skip

    def __init__(self) -> None:
        self.text = ""
        self.since = 0
        self.ended_at: int | None = None
        self.logged: str | None = None
        self.logged_at = 0
        self.is_due = False
        self.is_rewritten = False
        self.cut = 0

    def write(self, text: str, column: int) -> None:
        if column != len(self.text):
            self.is_rewritten = True
            before = self.text[:column].ljust(column)
            text = before + text + self.text[column + len(text) :]
        else:
            text = self.text + text
        if len(text) > _MAX_LENGTH:
            self.cut += len(text) - _MAX_LENGTH
            text = text[:_MAX_LENGTH]
        self.text = text

    def shown(self) -> str:
        text = self.text.rstrip() if self.is_rewritten else self.text
        return f"{text} … [{self.cut} characters left out]" if self.cut else text


class Screen:
    """Takes what a program prints, and returns the lines to log."""

    def __init__(self) -> None:
        self._lines = [_Line()]
        self._row = 0
        self._column = 0
        self._rest = ""
        # Lines that differ from what was logged, in the order of their first change.
        self._changed: dict[_Line, None] = {}

    def feed(self, text: str, now: int) -> None:
        """Take printed text.

        Args:
            now: when it was printed, microseconds since the epoch.
        """
        text, self._rest = self._rest + text, ""
        if _CONTROL.search(text) is None:
            self._write_lines(text, now)
            return
        incomplete = _INCOMPLETE.search(text)
        if incomplete is not None and len(text) - incomplete.start() < _LONGEST_SEQUENCE:
            text, self._rest = text[: incomplete.start()], text[incomplete.start() :]
        for token in _TOKENS.finditer(text):
            kind = token.lastgroup
            if kind == "text":
                self._write(token[0], now)
            elif kind == "control":
                self._control(token[0], now)
            elif kind == "command":
                self._command(token["command"], token["parameters"], now)

    def take(self, now: int, *, final: bool = False) -> list[tuple[int, str]]:
        """Return lines to log, each with its time.

        Args:
            final: also lines that have not ended, and that were logged just now.
        """
        lines = []
        for line in list(self._changed):
            if not (final or _is_due(line, now)):
                continue
            if line.ended_at is not None or final:
                del self._changed[line]
            text = line.shown()
            # A line that is empty now was erased, unless it was printed as an empty one.
            is_empty = line.ended_at is not None and not line.is_rewritten and line.logged is None
            if (text and text != line.logged) or (not text and is_empty):
                ended = line.ended_at if line.logged is None else None
                lines.append((now if ended is None else ended, text))
                line.logged, line.logged_at = text, now
            line.is_due = False
        return lines

    def _write_lines(self, text: str, now: int) -> None:
        first, *others = text.split("\n")
        if first:
            self._write(first, now)
        for line in others:
            self._new_line(now)
            if line:
                self._write(line, now)

    def _write(self, text: str, now: int) -> None:
        line = self._lines[self._row]
        line.write(text, self._column)
        self._column += len(text)
        self._change(line, now)

    def _change(self, line: _Line, now: int) -> None:
        if line not in self._changed:
            self._changed[line] = None
            line.since = line.since or now

    def _new_line(self, now: int) -> None:
        line = self._lines[self._row]
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._lines):
            line.is_due = True
            self._lines.append(_Line())
            if self._row >= _HEIGHT:
                del self._lines[0]
                self._row -= 1
        line.ended_at = now
        self._change(line, now)

    def _control(self, character: str, now: int) -> None:
        if character == "\n":
            self._new_line(now)
        elif character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(self._column - 1, 0)

    def _command(self, command: str, parameters: str, now: int) -> None:
        first = parameters.split(";")[0]
        number = int(first) if first.isdecimal() and len(first) < 6 else None
        move = _MOVES.get(command)
        if move is not None:
            row, self._column = move(self._row, self._column, max(number or 1, 1))
            self._row = min(max(row, 0), len(self._lines) - 1)
        elif command == "K":
            self._erase_line(number or 0, now)
        elif command == "J" and not number:
            self._erase_line(0, now)
            for line in self._lines[self._row + 1 :]:
                self._erase(line, now, "")
        elif command in "JHf":  # a new screen: what was on it before has been seen
            for line in self._lines:
                line.is_due = True
            if self._lines[-1].text:
                self._row = len(self._lines) - 1
                self._new_line(now)
            self._row, self._column = len(self._lines) - 1, 0

    def _erase_line(self, part: int, now: int) -> None:
        line = self._lines[self._row]
        if part == 0:
            self._erase(line, now, line.text[: self._column])
        elif part == 1:
            rest = line.text[self._column + 1 :]
            self._erase(line, now, rest and " " * (self._column + 1) + rest)
        elif part == 2:
            self._erase(line, now, "")

    def _erase(self, line: _Line, now: int, text: str) -> None:
        if text != line.text:
            line.text, line.cut, line.is_rewritten = text, 0, True
            self._change(line, now)


def _is_due(line: _Line, now: int) -> bool:
    if line.is_due or (line.ended_at is not None and line.logged is None):
        return True
    if line.ended_at is not None:
        return now - line.logged_at >= _LEAST_INTERVAL
    age = (now - line.since) // _INTERVALS_OF_AGE
    interval = min(max(age, _LEAST_INTERVAL), _MOST_INTERVAL)
    return now - (line.logged_at or line.since) >= interval


# By the command of a control sequence: the row and column after it.
_MOVES: dict[str, Callable[[int, int, int], tuple[int, int]]] = {
    "A": lambda row, column, number: (row - number, column),
    "B": lambda row, column, number: (row + number, column),
    "C": lambda row, column, number: (row, min(column + number, _MAX_LENGTH)),
    "D": lambda row, column, number: (row, max(column - number, 0)),
    "E": lambda row, column, number: (row + number, 0),
    "F": lambda row, column, number: (row - number, 0),
    "G": lambda row, column, number: (row, min(number - 1, _MAX_LENGTH)),
}
