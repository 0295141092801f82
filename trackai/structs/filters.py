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
from typing import Any, Literal, TypeAlias, cast, get_args

import msgspec

from trackai.errors import InvalidInputError
from trackai.structs.values import INT64, State, microseconds

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~"]
Figure = Literal[
    "last", "min", "max", "mean", "points", "nans", "first_step", "last_step", "min_step",
    "max_step",
]  # fmt: skip
Constant: TypeAlias = float | int | bool | str | None

FIGURES: tuple[str, ...] = get_args(Figure)
_STATES: tuple[str, ...] = get_args(State)
# What people write, and what it is called here.
ATTRIBUTES = {
    "id": "id",
    "run_id": "run_id",
    "name": "name",
    "group": "group_name",
    "group_name": "group_name",
    "state": "state",
    "created": "created_at",
    "created_at": "created_at",
    "updated": "updated_at",
    "updated_at": "updated_at",
    "finished": "finished_at",
    "finished_at": "finished_at",
    "duration": "duration",
    "notes": "notes",
    "project": "project",
    "project_id": "project_id",
    "tag": "tag",
}
TIMES = frozenset({"created_at", "updated_at", "finished_at"})
_NUMBERS = frozenset({"id", "project_id", "duration"})
MAX_LENGTH = 8192
MAX_COMPARISONS = 100
MAX_DEPTH = 32


class Attribute(msgspec.Struct, frozen=True):
    """A field that every run has; `name` is one of the values of `ATTRIBUTES`."""

    name: str


class Config(msgspec.Struct, frozen=True):
    """A key of a run's flat configuration."""

    key: str


class Metric(msgspec.Struct, frozen=True):
    """A figure of one of a run's metrics."""

    path: str
    figure: Figure = "last"


Field: TypeAlias = Attribute | Config | Metric


class Comparison(msgspec.Struct, frozen=True):
    """A field against a constant; times are microseconds since the epoch."""

    field: Field
    operator: Operator
    value: Constant


class Not(msgspec.Struct, frozen=True):
    """What does not match `part`."""

    part: Filter


class Every(msgspec.Struct, frozen=True):
    """What matches all parts."""

    parts: tuple[Filter, ...]


class Some(msgspec.Struct, frozen=True):
    """What matches at least one part."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Comparison | Not | Every | Some


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


def field_text(field: Field) -> str:
    """The field as it is written in filters, lists of columns and orders."""
    match field:
        case Attribute(name):
            return name
        case Config(key):
            return f"config.{_quoted(key)}"
        case Metric(path, figure):
            return f"metric.{_quoted(path, metric=True)}.{figure}"


def equality_text(field: Field, value: Constant) -> str:
    """The filter for what has just this value of a field, which is no time and no NaN."""
    match value:
        case None | bool():
            text = {None: "null", True: "true", False: "false"}[value]
        case str():
            text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            text = repr(value)
    return f"{field_text(field)} = {text}"


_OPERATORS = re.compile(r"<=|>=|!=|!~|==|=|<|>|~")
_BARE = re.compile(r"""[^\s"'()<>=!~,]+""")
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\])*)\1""", re.DOTALL)
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def _quoted(name: str, *, metric: bool = False) -> str:
    ends_like_figure = metric and name.rpartition(".")[2] in FIGURES and "." in name
    if _BARE.fullmatch(name) and not ends_like_figure:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


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
        match = _BARE.match(self._text, start)
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
        match = _BARE.match(self._text, self._at)
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
