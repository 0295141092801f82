"""Regular expressions of filters: searched in linear time, with one meaning on both engines.

A pattern is what most languages share: literals, `.`, `[a-z]`, `[^a-z]`, `\\d`, `\\w` and `\\s` (of
ASCII) and their complements, `*`, `+`, `?`, `{2,5}`, `|`, groups, `^` and `$` (of the whole text),
and `(?i)` at the beginning to ignore case. It is found anywhere in a text, as by `re.search`.

Engines that backtrack take exponential time for some patterns. Here a pattern becomes a table of
states (a DFA) when it is parsed, and a text is then read once. A pattern that would need too many
states is refused before any text is read. Databases get its canonical form, which PostgreSQL reads
like this module: all characters are code points, so that no collation or flavour matters.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple, TypeAlias

MAX_PATTERN = 1000
# A repetition such as a{2,255} is written out; PostgreSQL counts no further.
MAX_REPEAT = 255
_MAX_STEPS = 1000
_MAX_STATES = 1000
_MAX_WORK = 100_000
_MAX_DEPTH = 32
_MAX_FOLDED = 1000

_LAST = sys.maxunicode
_Ranges: TypeAlias = tuple[tuple[int, int], ...]
_DIGITS: _Ranges = ((48, 57),)
_WORD: _Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: _Ranges = ((9, 13), (32, 32))
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


class _Set(NamedTuple):
    ranges: _Ranges


class _Sequence(NamedTuple):
    parts: list[_Node]


class _Choice(NamedTuple):
    branches: list[_Node]


class _Repeat(NamedTuple):
    part: _Node
    low: int
    high: int | None


class _Anchor(NamedTuple):
    sign: str


_Node: TypeAlias = "_Set | _Sequence | _Choice | _Repeat | _Anchor"


class Pattern:
    """A regular expression that can be searched for.

    Attributes:
        canonical: the same expression, also for the operator `~` of PostgreSQL.
    """

    def __init__(self, text: str) -> None:
        tree = _Reader(text).read()
        self.canonical = _canonical(tree)
        self._automaton = _automaton(tree)

    def found_in(self, text: str) -> bool:
        """Whether the expression matches somewhere in a text."""
        table, ends, empty, classes = self._automaton
        if not text:
            return empty
        state = 0
        for character in text:
            row = table[state]
            if row is None:
                return True
            state = row[classes[character]]
        return ends[state]


@lru_cache(maxsize=64)
def compiled(text: str) -> Pattern:
    """Parse a regular expression, of any length.

    Raises:
        ValueError: it is invalid, uses what is not supported, or is too complex.
    """
    return Pattern(text)


class _Reader:
    """Reads a pattern from left to right; each method reads one rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._ignores_case = text.startswith("(?i)")
        self._text = text
        self._at = 4 if self._ignores_case else 0

    def read(self) -> _Node:
        tree = self._choice(0)
        if self._at < len(self._text):
            raise ValueError("has a ) without a (")
        return tree

    def _choice(self, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise ValueError(f"must be nested at most {_MAX_DEPTH} deep")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        return branches[0] if len(branches) == 1 else _Choice(branches)

    def _sequence(self, depth: int) -> _Node:
        parts: list[_Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._atom(depth)))
        return _Sequence(parts)

    def _atom(self, depth: int) -> _Node:
        character = self._next()
        if character == "(":
            if self._take("?") and not self._take(":"):
                kind = self._text[self._at - 1 : self._at + 2]
                raise ValueError(f"({kind} is not supported; use (...) or (?:...)")
            inner = self._choice(depth + 1)
            if not self._take(")"):
                raise ValueError("has a ( without a )")
            return inner
        if character == "[":
            return _Set(self._brackets())
        if character == ".":
            return _Set(_without(((10, 10),)))
        if character in "^$":
            return _Anchor(character)
        if character in "*+?":
            raise ValueError(f"has nothing before {character} to repeat")
        if character == "\\":
            return _Set(self._folded(self._escape()))
        return _Set(self._folded(_one(character)))

    def _repeated(self, atom: _Node) -> _Node:
        bounds = self._bounds()
        if bounds is None:
            return atom
        if isinstance(atom, _Anchor):
            raise ValueError(f"cannot repeat {atom.sign}")
        self._take("?")  # as few as possible: matches the same texts
        if self._text[self._at : self._at + 1] in ("*", "+", "?") or self._counts():
            raise ValueError("has two repetitions in a row; use (...) around the first")
        return _Repeat(atom, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        counts = self._counts()
        if counts is None:
            return None
        first, comma, last = counts.partition(",")
        self._at += len(counts) + 2
        low = int(first)
        high = low if not comma else int(last) if last else None
        if max(low, high or 0) > MAX_REPEAT:
            raise ValueError(f"must repeat at most {MAX_REPEAT} times, got {{{counts}}}")
        if high is not None and high < low:
            raise ValueError(f"must have the smaller number first in {{{counts}}}")
        return low, high

    def _counts(self) -> str | None:
        """The text in braces that follow, if it is a repetition."""
        if not self._text.startswith("{", self._at):
            return None
        end = self._text.find("}", self._at)
        text = self._text[self._at + 1 : end] if 0 <= end - self._at <= 12 else ""
        first, _, last = text.partition(",")
        is_count = text.isascii() and first.isdigit() and (last.isdigit() or not last)
        return text if is_count else None

    def _brackets(self) -> _Ranges:
        is_denied = self._take("^")
        ranges: list[tuple[int, int]] = []
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            if self._text.startswith("[:", self._at):
                raise ValueError("[:...:] is not supported; use \\d, \\w or \\s")
            low = self._member()
            if len(low) == 1 and low[0][0] == low[0][1] and self._is_range():
                self._at += 1
                high = self._member()
                if len(high) != 1 or high[0][0] != high[0][1] or high[0] < low[0]:
                    raise ValueError("has an invalid range in [...]")
                low = ((low[0][0], high[0][0]),)
            ranges += self._folded(low)
        chosen = _joined(ranges)
        if is_denied:
            chosen = _without(chosen)
        if not chosen:
            raise ValueError("has [...] that matches no character")
        return chosen

    def _is_range(self) -> bool:
        return (
            self._text.startswith("-", self._at)
            and not self._text.startswith("-]", self._at)
            and self._at + 1 < len(self._text)
        )

    def _member(self) -> _Ranges:
        if self._at >= len(self._text):
            raise ValueError("has a [ without a ]")
        character = self._next()
        return self._escape() if character == "\\" else _one(character)

    def _escape(self) -> _Ranges:
        if self._at >= len(self._text):
            raise ValueError("must not end in a single backslash")
        character = self._next()
        if character in _CONTROLS:
            return _one(_CONTROLS[character])
        if character in _CLASSES:
            return _CLASSES[character]
        if character.lower() in _CLASSES:
            return _without(_CLASSES[character.lower()])
        if character == "U":  # of the canonical form
            code = self._text[self._at : self._at + 8]
            if re.fullmatch("00[01][0-9A-F]{5}", code) and int(code, 16) <= _LAST:
                self._at += 8
                return _one(chr(int(code, 16)))
        if character.isascii() and character.isalnum():
            raise ValueError(f"\\{character} is not supported")
        return _one(character)

    def _folded(self, ranges: _Ranges) -> _Ranges:
        if not self._ignores_case or ranges in _CLASSES.values():
            return ranges
        if sum(high - low + 1 for low, high in ranges) > _MAX_FOLDED:
            if ranges in map(_without, _CLASSES.values()):
                return ranges
            raise ValueError(f"(?i) needs ranges of at most {_MAX_FOLDED} characters")
        codes = {
            ord(variant)
            for low, high in ranges
            for character in map(chr, range(low, high + 1))
            for variant in (character, character.lower(), character.upper())
            if len(variant) == 1
        }
        return _joined([(code, code) for code in codes])

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True


def _one(character: str) -> _Ranges:
    return ((ord(character), ord(character)),)


def _joined(ranges: list[tuple[int, int]]) -> _Ranges:
    """Sort ranges, and join those that touch."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return tuple(joined)


def _without(ranges: _Ranges) -> _Ranges:
    """All characters but those of sorted ranges."""
    rest: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            rest.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        rest.append((start, _LAST))
    return tuple(rest)


class _Step(NamedTuple):
    """A step of a program: reads a character, checks an anchor, or goes on at `after`."""

    kind: str
    after: tuple[int, ...]
    ranges: _Ranges = ()


class _Program:
    """The steps that a pattern takes; step 0 is reached when it has matched."""

    def __init__(self) -> None:
        self.steps = [_Step("found", ())]

    def add(self, kind: str, after: tuple[int, ...], ranges: _Ranges = ()) -> int:
        if len(self.steps) >= _MAX_STEPS:
            raise ValueError("is too long once its repetitions are written out")
        self.steps.append(_Step(kind, after, ranges))
        return len(self.steps) - 1

    def compile(self, node: _Node, after: int) -> int:
        """Add the steps of a node that are followed by `after`; returns the first one."""
        match node:
            case _Set(ranges):
                return self.add("read", (after,), ranges)
            case _Anchor(sign):
                return self.add(sign, (after,))
            case _Sequence(parts):
                for part in reversed(parts):
                    after = self.compile(part, after)
                return after
            case _Choice(branches):
                return self.add("go", tuple(self.compile(branch, after) for branch in branches))
            case _Repeat(part, low, high):
                return self._repeat(part, low, high, after)

    def _repeat(self, part: _Node, low: int, high: int | None, after: int) -> int:
        if high is None:
            loop = self.add("go", ())
            first = self.compile(part, loop)
            self.steps[loop] = _Step("go", (first, after))
            after = loop
        else:
            end = after
            for _ in range(high - low):
                after = self.add("go", (self.compile(part, after), end))
        for _ in range(low):
            after = self.compile(part, after)
        return after

    def reached(self, first: int, anchors: str) -> int:
        """The steps reached without reading, as bits.

        Args:
            anchors: those that hold here.
        """
        seen, waiting = 0, [first]
        while waiting:
            step = waiting.pop()
            if seen >> step & 1:
                continue
            seen |= 1 << step
            kind = self.steps[step].kind
            if kind == "go" or kind in anchors:
                waiting += self.steps[step].after
        return seen


class _CharacterClasses(dict[str, int]):
    """The class of each character, which is looked up once."""

    def __init__(self, starts: list[int]) -> None:
        self._starts = starts

    def __missing__(self, character: str) -> int:
        self[character] = number = bisect_right(self._starts, ord(character)) - 1
        return number


class _Automaton(NamedTuple):
    """A pattern as states, of which 0 is the first.

    Attributes:
        table: for each state the next one by class of the character; None once found.
        ends: whether a text that ends in the state matches.
        empty: whether the empty text matches.
        classes: the class of each character.
    """

    table: list[list[int] | None]
    ends: list[bool]
    empty: bool
    classes: _CharacterClasses


def _automaton(tree: _Node) -> _Automaton:
    program = _Program()
    first = program.compile(tree, 0)
    steps = program.steps
    starts = sorted(
        {0} | {edge for step in steps for low, high in step.ranges for edge in (low, high + 1)}
    )
    readers = [
        sum(
            1 << number
            for number, step in enumerate(steps)
            if any(low <= start <= high for low, high in step.ranges)
        )
        for start in starts
    ]
    after = [program.reached(step.after[0], "") if step.kind == "read" else 0 for step in steps]
    again = program.reached(first, "")  # a match may begin at any character
    states = [program.reached(first, "^")]
    numbers = {states[0]: 0}
    table: list[list[int] | None] = []
    work = 0
    for state in states:  # which grows
        row: list[int] | None = None
        if not state & 1:
            row = []
            for mask in readers:
                reading = _bits(state & mask)
                reached = again
                for number in reading:
                    reached |= after[number]
                if reached not in numbers:
                    numbers[reached] = len(states)
                    states.append(reached)
                row.append(numbers[reached])
                work += 1 + len(reading)
        table.append(row)
        if len(states) > _MAX_STATES or work > _MAX_WORK:
            raise ValueError("is too complex; use a simpler pattern, or several comparisons")
    at_end = [program.reached(number, "$") & 1 == 1 for number in range(len(steps))]
    ends = [any(at_end[number] for number in _bits(state)) for state in states]
    empty = program.reached(first, "^$") & 1 == 1
    return _Automaton(table, ends, empty, _CharacterClasses(starts))


def _bits(mask: int) -> list[int]:
    """The places of the bits that are set."""
    places = []
    while mask:
        lowest = mask & -mask
        places.append(lowest.bit_length() - 1)
        mask ^= lowest
    return places


def _canonical(node: _Node) -> str:
    """Write a node with all characters as code points."""
    match node:
        case _Set(ranges):
            members = "".join(_canonical_range(low, high) for low, high in ranges)
            if not members:
                raise ValueError("has a character that is in no text: U+0000 or half of a pair")
            return f"[{members}]"
        case _Anchor(sign):
            return sign
        case _Sequence(parts):
            return (
                "".join(
                    _group(part) if isinstance(part, _Choice) else _canonical(part)
                    for part in parts
                )
                or "(?:)"
            )
        case _Choice(branches):
            return "|".join(map(_canonical, branches))
        case _Repeat(part, low, high):
            inner = _canonical(part) if isinstance(part, _Set) else _group(part)
            return inner + _QUANTIFIERS.get(
                (low, high), f"{{{low},{'' if high is None else high}}}"
            )


def _group(node: _Node) -> str:
    # Groups are nested as in the original, which may be as deep as is allowed.
    return f"(?:{_canonical(node)})"


_QUANTIFIERS: dict[tuple[int, int | None], str] = {(0, None): "*", (1, None): "+", (0, 1): "?"}


def _canonical_range(low: int, high: int) -> str:
    # A text of PostgreSQL has neither U+0000 nor halves of surrogate pairs.
    low = max(low, 1)
    if 0xD800 <= low <= 0xDFFF:
        low = 0xE000
    if 0xD800 <= high <= 0xDFFF:
        high = 0xD7FF
    if high < low:
        return ""
    return f"\\U{low:08X}" if low == high else f"\\U{low:08X}-\\U{high:08X}"
