"""Identities of runs and writers."""

from __future__ import annotations

import time
import uuid

from trackai.values.uids import new_uid, stable_uid


def test_a_new_uid_is_a_uuid_of_this_time() -> None:
    before = time.time_ns() // 1_000_000
    uids = [new_uid() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(uids)) == len(uids)
    for uid in uids:
        parsed = uuid.UUID(uid)
        assert (parsed.hex, parsed.version, parsed.variant) == (uid, 7, uuid.RFC_4122)
        assert before <= int(uid[:12], 16) <= after
    # All other digits are random, except the version and two bits of the variant.
    positions = [position for position in range(13, 32) if position != 16]
    assert all(len({uid[position] for uid in uids}) == 16 for position in positions)
    assert {uid[16] for uid in uids} == set("89ab")


def test_a_stable_uid_depends_on_its_parts_alone() -> None:
    assert stable_uid("a", "b") == stable_uid("a", "b") == "b1ef658315ef5448bd8cd01ff90db10a"
    assert stable_uid("a", "b") != stable_uid("ab")
