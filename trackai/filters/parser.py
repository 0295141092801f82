"""The filter language for runs: from text to a tree.

    config.opt/lr < 0.01 and (metric.val/acc.max > 0.9 or tag = baseline) and not name ~ "old run"

A comparison is a field, an operator and a value. A field is an attribute of a run (`state`, `name`,
`tag`, `created`, ...), `config.KEY`, `env.KEY` for a fact about where the run runs, or
`metric.PATH`, optionally followed by one of the figures in `FIGURES` (the default is `last`). A key
or path that contains spaces, operators, quotes or commas must be quoted: `config."my key"`,
`metric."a = b".min`. Within quotes, a backslash escapes the next character, and nothing is read as
a figure.

Any other name is the configuration key or the metric of this name, whichever exists, such as
`lr < 0.01`; it may be quoted, too, and followed by a figure: `loss.min`. The names are looked up
when the filter is used.

A value is a number, `true`, `false`, `null`, `nan`, or text. Text needs quotes only if it would be
read as one of the others, or contains spaces and the like. Numbers compare with numbers, text with
text. Times are ISO 8601, and UTC without an offset; `archived` and `trashed` also compare with
`true` and `false`. `duration` is in seconds.

`~` means "contains", ignoring case. `=~` matches a regular expression (`trackai.filters.patterns`),
in which a backslash needs no second one. `!~` and `!=~` are their opposites. A comparison with a
field that a run does not have is false, also with `!=`; `= null` matches such runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast, get_args

from trackai.errors import InvalidInputError
from trackai.filters.patterns import MAX_PATTERN, compiled
from trackai.filters.tree import (
    ATTRIBUTES,
    FIGURES,
    PATTERNS,
    SWITCHES,
    TIMES,
    UNQUOTED,
    And,
    Attribute,
    Comparison,
    Config,
    Constant,
    Fact,
    Field,
    Figure,
    Filter,
    Metric,
    Named,
    Not,
    Operator,
    Or,
    comparison_with_bool,
)
from trackai.values.times import microseconds
from trackai.values.types import INT64, State

_STATES: tuple[str, ...] = get_args(State)
_NUMBERS = frozenset({"id", "project_id", "duration"})
MAX_LENGTH = 8192
MAX_COMPARISONS = 100
MAX_DEPTH = 32


def parse_filter(text: str, *, name: str = "filter") -> Filter:
    """Parse a filter.

    Args:
        text: the filter.
        name: the name of the parameter, for errors.

    Raises:
        InvalidInputError: the text is not a filter; the message has the position, from 1.

    >>> parse_filter("state=running")
    Comparison(field=Attribute(name='state'), operator='=', value='running')
    """
    return _Parser(text, name).filter()


def parse_fields(text: str, *, name: str = "columns") -> dict[str, Field]:
    """Parse a comma-separated list of fields.

    Args:
        text: the list.
        name: the name of the parameter, for errors.

    Returns:
        The fields by the text that names them in the list.

    Raises:
        InvalidInputError: the text is not such a list; the message has the position, from 1.
    """
    return _Parser(text, name).fields()


def parse_field(text: str, *, name: str = "sort_by") -> Field:
    """Parse a single field.

    Args:
        text: the field.
        name: the name of the parameter, for errors.

    Raises:
        InvalidInputError: the text is not a field, or there are several.
    """
    fields = list(parse_fields(text, name=name).values())
    if len(fields) != 1:
        raise InvalidInputError(name, f"must be one field, got {len(fields)}")
    return fields[0]


_OPERATORS = re.compile(r"!=~|=~|<=|>=|!=|!~|==|=|<|>|~")
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\])*)\1""", re.DOTALL)
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class _Parser:
    """Reads a text from left to right; each method reads one rule of the grammar."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._comparisons = 0
        if len(text) > MAX_LENGTH:
            raise InvalidInputError(
                name, f"must have at most {MAX_LENGTH} characters, got {len(text)}"
            )

    def filter(self) -> Filter:
        tree = self._or(0)
        if not self._at_end():
            raise self._problem("expected 'and', 'or' or the end")
        return tree

    def fields(self) -> dict[str, Field]:
        fields: dict[str, Field] = {}
        while True:
            self._skip()
            start = self._at
            field = self._field()
            fields[self._text[start : self._at]] = field
            if not self._take(","):
                break
        if not self._at_end():
            raise self._problem("expected ',' or the end")
        return fields

    def _or(self, depth: int) -> Filter:
        parts = [self._and(depth)]
        while self._keyword("or"):
            parts.append(self._and(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self, depth: int) -> Filter:
        parts = [self._part(depth)]
        while self._keyword("and"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self, depth: int) -> Filter:
        self._skip()
        if depth > MAX_DEPTH:
            raise self._problem(f"must be nested at most {MAX_DEPTH} deep")
        if self._keyword("not"):
            return Not(self._part(depth + 1))
        if self._take("("):
            inner = self._or(depth + 1)
            if not self._take(")"):
                raise self._problem("expected ')'")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise self._problem(f"must have at most {MAX_COMPARISONS} comparisons")
        field = self._field_or_name()
        operator = self._operator()
        self._skip()
        start = self._at
        text = self._quoted_text(is_raw=operator in PATTERNS)
        bare = text is None
        if text is None:
            text = self._bare("expected a value")
        try:
            value = _constant_for(field, operator, text, bare)
        except ValueError as error:
            raise self._problem(str(error), start) from None
        if isinstance(field, Attribute) and isinstance(value, bool):
            return comparison_with_bool(field, operator, value)
        return Comparison(field, operator, value)

    def _field_or_name(self) -> Field | Named:
        """Read a field, or a name that is looked up in the database."""
        self._skip()
        start = self._at
        name = self._quoted_text()
        if name is not None:
            return Named(name, start + 1)
        match = UNQUOTED.match(self._text, start)
        if match is None or match[0] in ATTRIBUTES or match[0].startswith(tuple(_PREFIXES)):
            return self._field()
        self._at = match.end()
        return Named(match[0], start + 1)

    def _field(self) -> Field:
        self._skip()
        start = self._at
        for prefix, rule in _PREFIXES.items():
            if self._text.startswith(prefix, start):
                self._at += len(prefix)
                return rule(self)
        match = UNQUOTED.match(self._text, start)
        if match is None:
            raise self._problem("expected a field")
        if match[0] not in ATTRIBUTES:
            known = ", ".join(ATTRIBUTES)
            raise self._problem(
                f"unknown field {match[0][:80]!r}; use config.KEY, env.KEY, metric.PATH or one of "
                f"{known}"
            )
        self._at = match.end()
        return Attribute(ATTRIBUTES[match[0]])

    def _config(self) -> Config:
        key = self._quoted_text()
        return Config(self._bare("expected a configuration key") if key is None else key)

    def _fact(self) -> Fact:
        key = self._quoted_text()
        return Fact(self._bare("expected the name of a fact") if key is None else key)

    def _metric(self) -> Metric:
        path = self._quoted_text()
        if path is None:
            text = self._bare("expected the name of a metric")
            path, _, figure = text.rpartition(".")
            if path and figure in FIGURES:
                return Metric(path, cast("Figure", figure))
            return Metric(text)
        if not self._text.startswith(".", self._at):
            return Metric(path)
        self._at += 1
        start = self._at
        figure = self._bare("expected a figure")
        if figure not in FIGURES:
            raise self._problem(
                f"unknown figure {figure[:80]!r}; use one of {', '.join(FIGURES)}", start
            )
        return Metric(path, cast("Figure", figure))

    def _operator(self) -> Operator:
        self._skip()
        match = _OPERATORS.match(self._text, self._at)
        if match is None:
            raise self._problem("expected an operator: = != < <= > >= ~ !~ =~ !=~")
        self._at = match.end()
        return cast("Operator", "=" if match[0] == "==" else match[0])

    def _quoted_text(self, *, is_raw: bool = False) -> str | None:
        """Read a text in quotes; a raw one keeps its backslashes."""
        if self._text[self._at : self._at + 1] not in {'"', "'"}:
            return None
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            raise self._problem("missing closing quote")
        self._at = match.end()
        return match[2] if is_raw else re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)

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
        context = repr(rest) if rest else "the end"
        return InvalidInputError(self._name, f"at position {at + 1} ({context}): {problem}")


_PREFIXES: dict[str, Callable[[_Parser], Field]] = {
    "config.": _Parser._config,
    "env.": _Parser._fact,
    "metric.": _Parser._metric,
}

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


def _constant_for(field: Field | Named, operator: Operator, text: str, bare: bool) -> Constant:
    """Convert the text of a value to what the field is compared with.

    Args:
        bare: True if the text was not quoted.

    Raises:
        ValueError: the field cannot be compared with it.
    """
    value = _constant(text) if bare else text
    ordering = operator in {"<", "<=", ">", ">="}
    if ordering and isinstance(value, bool | None):
        raise ValueError(f"{operator} cannot compare with {text}; use = or !=")
    if operator in {"~", "!~", *PATTERNS}:
        if isinstance(field, Attribute) and field.name in TIMES | _NUMBERS:
            raise ValueError(f"{operator} only compares text; for {field.name} use = != < <= > >=")
        if operator in PATTERNS:
            check_pattern(text)
        return text
    if isinstance(field, Attribute):
        return None if value is None else _attribute_constant(field.name, value, text)
    if isinstance(field, Metric) and field.figure != "last" and isinstance(value, bool | str):
        raise ValueError(f"{field.figure} must be compared with a number, got {text!r}")
    return value


def check_pattern(text: str) -> None:
    """Check a regular expression.

    Raises:
        ValueError: it is invalid, or not supported.
    """
    if len(text) > MAX_PATTERN:
        raise ValueError(
            f"the regular expression must have at most {MAX_PATTERN} characters, got {len(text)}"
        )
    try:
        compiled(text)
    except ValueError as error:
        raise ValueError(f"the regular expression {error}") from None


def _attribute_constant(name: str, value: Constant, text: str) -> Constant:
    if name in _NUMBERS:
        if isinstance(value, bool | str | None):
            raise ValueError(f"{name} must be compared with a number, got {text!r}")
        return value
    if name in SWITCHES and isinstance(value, bool):
        return value
    if name in TIMES:
        try:
            time = datetime.fromisoformat(text)
            return microseconds(time)
        except (ValueError, OverflowError):
            raise ValueError(
                f"must be a time such as 2026-01-31 or 2026-01-31T12:00Z, got {text!r}"
            ) from None
    if name == "state" and text not in _STATES:
        raise ValueError(f"state must be one of {', '.join(_STATES)}, got {text!r}")
    return text
