"""A step of a run as a place to continue from, written as in wandb: "RUN?_step=STEP"."""

from __future__ import annotations

import re
from typing import Any

from trackai.errors import InvalidInputError
from trackai.ingest.run_request import Moment
from trackai.sdk.builtin_values import type_name
from trackai.values.steps import STEP_LIMIT

_MOMENT = re.compile(r"(?P<run>.+)\?_step=(?P<step>\d{1,19})", re.DOTALL)


def parse_moment(field: str, text: Any) -> Moment | None:
    """Parse an argument of `init`; None stays None.

    Args:
        field: the argument that the error names.

    Raises:
        TypeError: it is not a str.
        InvalidInputError: it has another form.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{field}: must be a str, got {type_name(text)}")
    match = _MOMENT.fullmatch(text)
    if match is None or int(match["step"]) > STEP_LIMIT:
        raise InvalidInputError(
            field, f'must be "RUN?_step=STEP", with the id of a run and a step, got {text!r}'
        )
    return Moment(match["run"], int(match["step"]))
