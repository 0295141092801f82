"""Names that can be stored."""

from __future__ import annotations

import pytest

from trackai.values.names import identifier_problem, path_problem


@pytest.mark.parametrize("path", ["loss", "a//b", "é\n", "x" * 1024, "é" * 768, " ", "\x1b[31m"])
def test_paths_may_contain_anything_but_nul(path: str) -> None:
    assert path_problem(path) is None


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "must not be empty"),
        ("a\0b", "U+0000"),
        ("x" * 1025, "at most 1024 characters"),
        ("é" * 768 + "x", "at most 1536 bytes in UTF-8, got 1537"),
        ("\ud800" * 513, "at most 1536 bytes"),
    ],
)
def test_paths_that_cannot_be_stored(path: str, problem: str) -> None:
    assert problem in str(path_problem(path))


@pytest.mark.parametrize("label", ["exp-1", "größe", "two words", "a/b", "x" * 256])
def test_identifiers(label: str) -> None:
    assert identifier_problem(label) is None


@pytest.mark.parametrize("label", ["", "  ", "a\nb", "\x1b[2J", "a\x7f", "a\x9bm", "x" * 257])
def test_identifiers_that_are_refused(label: str) -> None:
    assert identifier_problem(label)
