"""Sessions and sign-in codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.api import sessions
from trackai.api.keyring import Keyring
from trackai.api.sessions import BrowserSession, Sessions

if TYPE_CHECKING:
    import pytest

KEY = "a-secret-of-some-length"


def test_a_session_is_valid_for_servers_with_the_same_key_until_it_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = Sessions(KEY).create()
    assert Sessions(KEY).find(value)
    assert not Sessions(KEY + "x").find(value)
    monkeypatch.setattr(sessions, "SECONDS", -1)
    assert not Sessions(KEY).find(Sessions(KEY).create())


def test_an_ended_session_is_invalid_until_it_is_forgotten() -> None:
    own = Sessions(KEY)
    values = [own.create() for _ in range(2)]
    assert len(set(values)) == 2
    first = own.find(values[0])
    assert first is not None
    own.end(first)
    assert own.find(values[0]) is None
    assert own.find(values[1]) is not None
    own.end(*(BrowserSession(str(number), 1) for number in range(100)))
    assert own._ended == {first.id: first.expires}  # expired sessions need not be remembered


def test_servers_with_different_keys_have_different_cookies() -> None:
    assert Sessions(KEY).cookie != Sessions(KEY + "x").cookie
    # The name is also signed with the key; it must not be a valid session.
    assert not Sessions(KEY).find(f"name.{Sessions(KEY)._signature('name')}")


def test_a_code_works_once_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Sessions(KEY)
    first, second, late = own.create_code(), own.create_code(), own.create_code()
    assert len({first, second, late}) == 3
    assert own.use_code(second.encode())
    assert not own.use_code(second.encode())
    assert own.use_code(first.encode())
    monkeypatch.setattr(sessions, "_CODE_SECONDS", -1.0)
    assert own.use_code(late.encode())
    assert not own.use_code(own.create_code().encode())
    assert Keyring(KEY).find(KEY.encode())
