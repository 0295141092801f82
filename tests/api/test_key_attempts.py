"""Guessing the API key is slow, and slows down nobody else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.api.test_security import sign_in
from tests.conftest import KEY
from trackai.api import key_attempts
from trackai.api.key_attempts import (
    BURST,
    INTERVAL,
    KeyAttempts,
    TooManyAttemptsError,
    client_address,
)

if TYPE_CHECKING:
    from tests.conftest import Server


def _is_right(secret: bytes) -> bool:
    return secret == b"right"


async def _seconds(attempts: KeyAttempts, address: str, secret: bytes) -> float:
    began = time.monotonic()
    assert await attempts.check(address, secret, _is_right) == (secret == b"right")
    return time.monotonic() - began


async def _guess(attempts: KeyAttempts, address: str, first: int, number: int) -> None:
    for guess in range(first, first + number):
        await _seconds(attempts, address, b"%d" % guess)


async def test_after_a_burst_each_attempt_waits_for_its_turn() -> None:
    attempts = KeyAttempts()
    began = time.monotonic()
    await _guess(attempts, "a", 0, BURST)
    assert time.monotonic() - began < 1
    began = time.monotonic()
    await _guess(attempts, "a", BURST, 5)
    assert time.monotonic() - began > 4 * INTERVAL
    # A guess that waits is not known to be wrong: a right key waits as well.
    assert INTERVAL / 2 < await _seconds(attempts, "a", b"right") < 20 * INTERVAL
    assert await _seconds(attempts, "b", b"right") < 0.1


async def test_parallel_guesses_share_the_turns_of_their_address() -> None:
    attempts = KeyAttempts()
    began = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for guess in range(BURST + 10):
            tasks.start_soon(_seconds, attempts, "a", b"%d" % guess)
        await anyio.sleep(0.05)
        assert await attempts.check("a", b"right", _is_right)  # after them, but not locked out
        waited = time.monotonic() - began
    assert waited > 9 * INTERVAL


async def test_attempts_that_would_wait_too_long_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_attempts, "MAX_WAIT", INTERVAL)
    attempts = KeyAttempts()
    refused = 0

    async def guess(number: int) -> None:
        nonlocal refused
        try:
            await attempts.check("a", b"%d" % number, _is_right)
        except TooManyAttemptsError:
            refused += 1

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(guess, number)
    assert 100 - BURST - 4 <= refused < 100 - BURST


async def test_a_repeated_wrong_key_is_refused_at_once() -> None:
    """A client with an outdated key sends it forever, and must not slow down its neighbours."""
    attempts = KeyAttempts()
    began = time.monotonic()
    for _ in range(1000):
        assert not await attempts.check("a", b"outdated", _is_right)
    assert await attempts.check("a", b"right", _is_right)
    assert time.monotonic() - began < 1


async def test_addresses_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_attempts, "_MAX_ADDRESSES", 100)
    monkeypatch.setattr(key_attempts, "INTERVAL", 60.0)  # so that none is outdated
    attempts = KeyAttempts()
    for number in range(1000):
        assert not await attempts.check(str(number), b"x" * 5000, _is_right)
    assert len(attempts._addresses) <= 100
    assert all(address in attempts._addresses for address in map(str, range(901, 1000)))


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # only a local proxy is believed
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "10.0.0.1, 198.51.100.7", "198.51.100.7"),  # the first may be made up
        ("::1", "2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("2001:db8:1:2:3::4", None, "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
)
def test_the_address_of_a_client(client: str, forwarded: str | None, address: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope: dict[str, Any] = {"client": (client, 1), "headers": headers}
    assert client_address(scope) == address


def test_wrong_keys_are_slowed_down_over_http(guarded: Server) -> None:
    cookie = {"Cookie": sign_in(guarded, KEY)[1].partition(";")[0]}

    def get(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return guarded.request("GET", "/api/runs", headers=headers).status

    began = time.monotonic()  # before the burst: on a slow machine, the next may be due after it
    for guess in range(BURST // 2):
        assert get(f"wrong-{guess}") == 401
        assert sign_in(guarded, f"guess-{guess}")[0] == 401
    for guess in range(3):
        assert get(f"late-{guess}") == 401
        assert sign_in(guarded, f"later-{guess}")[0] == 401
    assert time.monotonic() - began > 5 * INTERVAL
    began = time.monotonic()
    assert guarded.request("GET", "/api/runs", headers=cookie).status == 200
    assert get("late-2") == 401
    assert time.monotonic() - began < 5 * INTERVAL
    assert get(KEY) == 200
    assert sign_in(guarded, KEY)[0] == 200
