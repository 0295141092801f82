"""Regular expressions of filters: what they match, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.filters.patterns import Pattern

TEXTS = [
    "", "a", "ab", "abc", "aab", "b", "B", "A1", "lr=0.01", "run-7", "x\ny", "é", "É", "a.b",
    "]", "-",
]  # fmt: skip

_ATOMS = ["a", "b", ".", "[ab]", "[^a]", r"\d", r"\W", "1", "-", "(a|b)", "(?:ab)", "(a*b|)", r"\."]
_COUNTS = ["", "*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}", "*?"]
_expressions = st.builds(
    lambda start, parts, end: start + "".join(atom + count for atom, count in parts) + end,
    st.sampled_from(["", "^", "x|"]),
    st.lists(st.tuples(st.sampled_from(_ATOMS), st.sampled_from(_COUNTS)), max_size=4),
    st.sampled_from(["", "$", "|b"]),
)


@given(_expressions, st.text("ab1-.x\n", max_size=8))
def test_patterns_match_as_in_python(text: str, searched: str) -> None:
    expected = re.search(text.removesuffix("$") + r"\Z" * text.endswith("$"), searched) is not None
    pattern = Pattern(text)
    assert pattern.found_in(searched) == expected
    assert Pattern(pattern.canonical).found_in(searched) == expected


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", TEXTS),
        ("^$", [""]),
        ("^a", ["a", "ab", "abc", "aab", "a.b"]),
        ("(?i)^b$", ["b", "B"]),
        ("(?i)é", ["é", "É"]),
        ("(?i)[a-b]1", ["A1"]),
        (r"\d+\.\d{2}$", ["lr=0.01"]),
        (r"[\d\n]", ["A1", "lr=0.01", "run-7", "x\ny"]),
        ("x.y", []),
        ("[]]", ["]"]),
        ("[a-]$", ["a", "-"]),
        ("a{,2}", []),
        ("$^", [""]),
    ],
)
def test_each_rule(text: str, matches: list[str]) -> None:
    pattern = Pattern(text)
    assert [each for each in TEXTS if pattern.found_in(each)] == matches
    canonical = Pattern(pattern.canonical)
    assert [each for each in TEXTS if canonical.found_in(each)] == matches


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("(a", "has a ( without a )"),
        ("a)", "has a ) without a ("),
        ("[a", "has a [ without a ]"),
        ("*a", "nothing before * to repeat"),
        ("a**", "two repetitions in a row"),
        ("^*", "cannot repeat ^"),
        ("a\\", "single backslash"),
        ("[b-a]", "invalid range"),
        ("[^\\s\\S]", "matches no character"),
        ("[[:alpha:]]", "[:...:] is not supported"),
        ("a{3,2}", "smaller number first"),
        ("a{256}", "at most 255 times"),
        ("(?=a)", "(?=a is not supported"),
        ("(?P<n>a)", "(?P< is not supported"),
        (r"(a)\1", r"\1 is not supported"),
        (r"\bword", r"\b is not supported"),
        ("(?i)[!-\uffff]", "at most 1000 characters"),
        ("(" * 40 + ")" * 40, "nested at most 32"),
        ("a|\0", "in no text: U+0000"),
        ("[^\x01-\U0010ffff]", "in no text: U+0000"),
        ("\udc80", "in no text: U+0000 or half of a pair"),
        # Each would take a backtracking engine ages, or a table of states gigabytes.
        ("(a|b)*a(a|b){20}", "too complex"),
        ("((a{100}){100}){100}", "too long"),
    ],
)
def test_what_is_not_supported_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        Pattern(text)


def test_the_canonical_form_is_nested_no_deeper() -> None:
    text = "b|" + "(" * 32 + "a" + "|b)*" * 32
    pattern = Pattern(text)
    assert Pattern(pattern.canonical).canonical == pattern.canonical
    with pytest.raises(ValueError, match="nested at most 32"):
        Pattern(f"({text})*")


@pytest.mark.parametrize("text", ["(a*)*b", "(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_make_others_backtrack_are_linear(text: str) -> None:
    # Of this length, `re` would need more than 2**1000 steps.
    assert not Pattern(text).found_in("a" * 100_000 + "!" if "x" not in text else "x" * 100_000)
