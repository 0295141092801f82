"""The rule that decides whether a process joins the latest attempt of a run."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import pytest

from trackai.sdk.resume import shares_attempt
from trackai.store.catalogue.writers import Writer

LATER = time.time_ns() // 1000 + 3_600_000_000
EARLIER = 1


def writer(**changes: Any) -> Writer:
    fields: dict[str, Any] = {
        "uid": "a", "attempt": 1, "rank": 0, "host": "elsewhere", "pid": 1, "state": "completed",
        "first_step": 0, "ended_at": LATER,
    }  # fmt: skip
    return Writer(**{**fields, **changes})


@pytest.mark.parametrize("is_shared", [True, False])
@pytest.mark.parametrize(("alive", "joins"), [({"second"}, True), (set(), False)])
def test_a_writer_that_is_alive_is_joined(alive: set[str], joins: bool, is_shared: bool) -> None:
    latest = [writer(uid="first", state="failed"), writer(uid="second", state="running")]
    assert joins is shares_attempt(
        latest, is_shared=is_shared, is_running=lambda writer: writer.uid in alive
    )


@pytest.mark.parametrize(
    ("latest", "is_shared", "joins"),
    [
        ([writer()], True, True),
        ([writer()], False, False),
        ([writer(ended_at=EARLIER)], True, False),
        ([writer(ended_at=EARLIER), writer(ended_at=LATER)], True, True),
        ([writer(), writer(state="failed")], True, False),
        ([writer(host=socket.gethostname(), pid=os.getpid())], True, False),
        ([], True, False),
    ],
)
def test_ranks_that_ended_after_this_process_started_are_joined(
    latest: list[Writer], is_shared: bool, joins: bool
) -> None:
    assert joins is shares_attempt(latest, is_shared=is_shared, is_running=lambda writer: False)
