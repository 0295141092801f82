"""The filter language for runs: from text to a tree, without any database.

    config.opt/lr < 0.01 and (metric.val/acc.max > 0.9 or tag = baseline) and not name ~ "old run"

A comparison is a field, an operator and a value. Fields are attributes of a run (`state`, `name`,
`tag`, `created`, ...), `config.KEY`, or `metric.PATH`, which may end in one of the figures in
`FIGURES` (`last` if it does not). A key or path that holds spaces, operators, quotes or commas is
put in quotes: `config."my key"`, `metric."a = b".min`; within quotes a backslash takes the next
character as it is. What is in quotes is never read as a figure.

A value is a number, `true`, `false`, `null`, `nan`, or text; text needs quotes only where it would
be read as one of those or holds spaces and the like. Numbers compare with numbers, text with text.
Times are ISO 8601, in UTC unless they say otherwise; `duration` is in seconds. `~` is "contains",
whatever the case. A comparison with what a run does not have is false, `!=` too; `= null` asks for
just that.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any, cast, get_args

from trackai.errors import InvalidInputError
from trackai.filters.tree import (
    ATTRIBUTES,
    FIGURES,
    TIMES,
    UNQUOTED,
    Attribute,
    Comparison,
    Config,
    Constant,
    Every,
    Field,
    Figure,
    Filter,
    Metric,
    Not,
    Operator,
    Some,
)
from trackai.values.times import microseconds
from trackai.values.types import INT64, State

_STATES: tuple[str, ...] = get_args(State)
_NUMBERS = frozenset({"id", "project_id", "duration"})
MAX_LENGTH = 8192
MAX_COMPARISONS = 100
MAX_DEPTH = 32


def parse_filter(text: str, *, name: str = "filter") -> Filter:
    """The tree of a filter; `name` is the parameter that an error blames.

    Raises:
        InvalidInputError: it cannot be read; the position (from 1) is named.

    >>> parse_filter("state=running")
    Comparison(field=Attribute(name='state'), operator='=', value='running')
    """
    return _Parser(text, name).filter()


def parse_fields(text: str, *, name: str = "columns") -> dict[str, Field]:
    """The fields of a list that is separated by commas, each by the text that names it there.

    Raises:
        InvalidInputError: it cannot be read.
    """
    return _Parser(text, name).fields()


def parse_field(text: str, *, name: str = "sort_by") -> Field:
    """One field.

    Raises:
        InvalidInputError: it cannot be read, or there are several.
    """
    fields = list(parse_fields(text, name=name).values())
    if len(fields) != 1:
        raise InvalidInputError(name, "one field is needed")
    return fields[0]


_OPERATORS = re.compile(r"<=|>=|!=|!~|==|=|<|>|~")
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\])*)\1""", re.DOTALL)
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class _Parser:
    """Reads a text from left to right; each method reads one thing of the grammar."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._comparisons = 0
        if len(text) > MAX_LENGTH:
            raise InvalidInputError(name, f"it is longer than {MAX_LENGTH} characters")

    def filter(self) -> Filter:
        found = self._any(0)
        if not self._at_end():
            raise self._problem("'and', 'or' or the end is expected")
        return found

    def fields(self) -> dict[str, Field]:
        found: dict[str, Field] = {}
        while True:
            self._skip()
            start = self._at
            field = self._field()
            found[self._text[start : self._at]] = field
            if not self._take(","):
                break
        if not self._at_end():
            raise self._problem("a comma or the end is expected")
        return found

    def _any(self, depth: int) -> Filter:
        parts = [self._all(depth)]
        while self._keyword("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self, depth: int) -> Filter:
        parts = [self._one(depth)]
        while self._keyword("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Filter:
        self._skip()
        if depth > MAX_DEPTH:
            raise self._problem(f"it is nested more than {MAX_DEPTH} deep")
        if self._keyword("not"):
            return Not(self._one(depth + 1))
        if self._take("("):
            inner = self._any(depth + 1)
            if not self._take(")"):
                raise self._problem("')' is expected")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise self._problem(f"it has more than {MAX_COMPARISONS} comparisons")
        field = self._field()
        operator = self._operator()
        self._skip()
        start = self._at
        text = self._quoted_text()
        bare = text is None
        if text is None:
            text = self._bare("a value is expected")
        try:
            return Comparison(field, operator, _constant_for(field, operator, text, bare))
        except ValueError as error:
            raise self._problem(str(error), start) from None

    def _field(self) -> Field:
        self._skip()
        start = self._at
        for prefix in ("config.", "metric."):
            if self._text.startswith(prefix, start):
                self._at += len(prefix)
                return self._config() if prefix == "config." else self._metric()
        match = UNQUOTED.match(self._text, start)
        if match is None:
            raise self._problem("a field is expected")
        if match[0] not in ATTRIBUTES:
            known = ", ".join(ATTRIBUTES)
            raise self._problem(
                f"there is no field {match[0][:80]!r}: use config.KEY, metric.PATH or one of "
                f"{known}"
            )
        self._at = match.end()
        return Attribute(ATTRIBUTES[match[0]])

    def _config(self) -> Config:
        key = self._quoted_text()
        return Config(self._bare("a configuration key is expected") if key is None else key)

    def _metric(self) -> Metric:
        path = self._quoted_text()
        if path is None:
            text = self._bare("the name of a metric is expected")
            path, _, figure = text.rpartition(".")
            if path and figure in FIGURES:
                return Metric(path, cast("Figure", figure))
            return Metric(text)
        if not self._text.startswith(".", self._at):
            return Metric(path)
        self._at += 1
        start = self._at
        figure = self._bare("a figure is expected")
        if figure not in FIGURES:
            raise self._problem(
                f"there is no figure {figure[:80]!r}: use one of {', '.join(FIGURES)}", start
            )
        return Metric(path, cast("Figure", figure))

    def _operator(self) -> Operator:
        self._skip()
        match = _OPERATORS.match(self._text, self._at)
        if match is None:
            raise self._problem("an operator is expected: = != < <= > >= ~ !~")
        self._at = match.end()
        return cast("Operator", "=" if match[0] == "==" else match[0])

    def _quoted_text(self) -> str | None:
        if self._text[self._at : self._at + 1] not in {'"', "'"}:
            return None
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            raise self._problem("the quotes that begin here have no end")
        self._at = match.end()
        return re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)

    def _bare(self, expected: str) -> str:
        match = UNQUOTED.match(self._text, self._at)
        if match is None:
            raise self._problem(expected)
        self._at = match.end()
        return match[0]

    def _keyword(self, word: str) -> bool:
        self._skip()
        match = _WORD.match(self._text, self._at)
        if match is None or match[0].lower() != word:
            return False
        self._at = match.end()
        return True

    def _take(self, character: str) -> bool:
        self._skip()
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _at_end(self) -> bool:
        self._skip()
        return self._at == len(self._text)

    def _problem(self, problem: str, at: int | None = None) -> InvalidInputError:
        at = self._at if at is None else at
        rest = self._text[at : at + 20]
        found = repr(rest) if rest else "the end"
        return InvalidInputError(self._name, f"at position {at + 1} ({found}): {problem}")


_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "none": None,
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
}


def _constant(text: str) -> Constant:
    word = text.lower()
    if word in _WORDS:
        return cast("Constant", _WORDS[word])
    match = _NUMBER.fullmatch(text)
    if match is None or not text.isascii():
        return text
    if match[2] is None and match[3] is None and len(text) < 20:
        number = int(text)
        if -INT64 <= number < INT64:
            return number
    return float(text)


def _constant_for(field: Field, operator: Operator, text: str, bare: bool) -> Constant:
    """The value that `text` stands for beside this field.

    Raises:
        ValueError: the field cannot be compared with it.
    """
    value = _constant(text) if bare else text
    ordering = operator in {"<", "<=", ">", ">="}
    if ordering and isinstance(value, bool | None):
        raise ValueError(f"nothing is less or more than {text}")
    if operator in {"~", "!~"}:
        if isinstance(field, Attribute) and field.name in TIMES | _NUMBERS:
            raise ValueError(f"{field.name} is no text: compare it with = != < <= > >=")
        return text
    if isinstance(field, Attribute):
        return None if value is None else _attribute_constant(field.name, value, text)
    if isinstance(field, Metric) and field.figure != "last" and isinstance(value, bool | str):
        raise ValueError(f"{field.figure} is a number")
    return value


def _attribute_constant(name: str, value: Constant, text: str) -> Constant:
    if name in _NUMBERS:
        if isinstance(value, bool | str | None):
            raise ValueError(f"{name} is a number")
        return value
    if name in TIMES:
        try:
            time = datetime.fromisoformat(text)
            return microseconds(time)
        except (ValueError, OverflowError):
            raise ValueError("a time is needed, such as 2026-01-31 or 2026-01-31T12:00Z") from None
    if name == "state" and text not in _STATES:
        raise ValueError(f"a state is one of {', '.join(_STATES)}")
    return text
