"""The exception tree: as it is drawn, and each with a text that is one line."""

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


def test_the_tree_is_the_one_that_is_drawn() -> None:
    assert errors.__doc__ is not None
    parents: dict[int, str] = {}
    drawn = {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"([ │├└─]*)(\w+Error)\b(?:.*\(also an? (\w+))?", line)
        if found is not None and line.startswith("    "):
            depth = len(found[1])
            parents[depth] = found[2]
            above = [name for at, name in parents.items() if at < depth]
            base = above[-1] if above else "Exception"
            parents = {at: name for at, name in parents.items() if at <= depth}
            drawn[found[2]] = [base, *filter(None, [found[3]])]
    assert drawn == {
        name: [base.__name__ for base in value.__bases__] for name, value in CLASSES.items()
    }


def test_every_error_is_public_and_described() -> None:
    for name, error in CLASSES.items():
        assert getattr(trackai, name) is error
        assert name in trackai.__all__
        assert error.__doc__


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.NoActiveRunError(), "trackai.init("),
        (errors.InvalidInputError("step", "it is no number"), "step: it is no number"),
        (errors.MissingExtraError("reading it", "neptune"), "pip install 'trackai[neptune]'"),
        (errors.OverloadedError(), "again"),
    ],
)
def test_the_text_is_one_line_that_says_what_to_do(error: Exception, says: str) -> None:
    assert says in str(error)
    assert "\n" not in str(error)


def test_an_invalid_value_names_its_field() -> None:
    assert errors.InvalidInputError("step", "no").field == "step"
    with pytest.raises(ValueError, match="step"):
        raise errors.InvalidInputError("step", "no")
