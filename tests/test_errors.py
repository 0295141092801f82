"""The exception tree matches its drawing, and each message is one line."""

from __future__ import annotations

import inspect
import re

import pytest

import trackai
from trackai import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, Exception)
}


def test_the_docstring_draws_the_tree() -> None:
    assert errors.__doc__ is not None
    parents: dict[int, str] = {}
    drawn = {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"([ │├└─]*)(\w+Error)\b(?:.*\(also an? (\w+))?", line)
        if match is not None and line.startswith("    "):
            depth = len(match[1])
            parents[depth] = match[2]
            above = [name for at, name in parents.items() if at < depth]
            base = above[-1] if above else "Exception"
            parents = {at: name for at, name in parents.items() if at <= depth}
            drawn[match[2]] = [base, *filter(None, [match[3]])]
    assert drawn == {
        name: [base.__name__ for base in value.__bases__] for name, value in CLASSES.items()
    }


def test_every_error_is_public_and_described() -> None:
    for name, error in CLASSES.items():
        assert getattr(trackai, name) is error
        assert name in trackai.__all__
        assert error.__doc__


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.NoActiveRunError(), "trackai.init("),
        (errors.InvalidInputError("step", "must be a number"), "step: must be a number"),
        (errors.MissingExtraError("reading it", "neptune"), "pip install 'trackai[neptune]'"),
        (errors.OverloadedError(), "again"),
    ],
)
def test_a_message_is_one_line_that_says_what_to_do(error: Exception, text: str) -> None:
    assert text in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("error", [errors.NoActiveRunError(), errors.OverloadedError()])
def test_a_default_message_is_the_docstring(error: Exception) -> None:
    assert str(error) == error.__doc__


def test_an_invalid_value_names_its_field() -> None:
    assert errors.InvalidInputError("step", "no").field == "step"
    with pytest.raises(ValueError, match="step"):
        raise errors.InvalidInputError("step", "no")
