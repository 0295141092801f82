"""Sessions and sign-in codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.api import sessions
from trackai.api.sessions import Sessions

if TYPE_CHECKING:
    import pytest

KEY = "a-secret-of-some-length"


def test_a_session_is_valid_for_servers_with_the_same_key_until_it_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = Sessions(KEY).create()
    assert Sessions(KEY).is_valid(value)
    assert not Sessions(KEY + "x").is_valid(value)
    monkeypatch.setattr(sessions, "SECONDS", -1)
    assert not Sessions(KEY).is_valid(Sessions(KEY).create())


def test_servers_with_different_keys_have_different_cookies() -> None:
    assert Sessions(KEY).cookie != Sessions(KEY + "x").cookie
    # The name is also signed with the key; it must not be a valid session.
    assert not Sessions(KEY).is_valid(f"name.{Sessions(KEY)._signature('name')}")


def test_a_code_works_once_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Sessions(KEY)
    first, second, late = own.create_code(), own.create_code(), own.create_code()
    assert len({first, second, late}) == 3
    assert own.check(second)
    assert not own.check(second)
    assert own.check(first)
    monkeypatch.setattr(sessions, "_CODE_SECONDS", -1.0)
    assert own.check(late)
    assert not own.check(own.create_code())
    assert own.check(KEY)
