"""Sessions and sign-in codes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.api.test_keys import create_key
from tests.api.test_security import sign_in
from tests.api.test_shared_files import serving
from trackai.api import sessions
from trackai.api.keyring import Keyring
from trackai.api.sessions import BrowserSession, Sessions

if TYPE_CHECKING:
    from pathlib import Path

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


def use_code(own: Sessions, code: str) -> bool:
    found = own.find_code(code.encode())
    if found is not None:
        own.end(found)
    return found is not None


def test_a_code_works_once_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Sessions(KEY)
    first, second, late = own.create_code(), own.create_code(), own.create_code()
    assert len({first, second, late}) == 3
    assert use_code(own, second)
    assert not use_code(own, second)
    assert use_code(own, first)
    monkeypatch.setattr(sessions, "_CODE_SECONDS", -1)
    assert use_code(own, late)
    assert not use_code(own, own.create_code())
    for wrong in ("", ".", "..", late[:-1], late + "0", "1" + late, own.create(), "é." * 3):
        assert own.find_code(wrong.encode()) is None
    assert own.find(late) is None  # no session
    assert Keyring(KEY).find(KEY.encode())


def test_a_code_works_once_at_any_server_of_a_database(postgres_url: str, tmp_path: Path) -> None:
    create_key(postgres_url, "someone", "admin")
    place = str(tmp_path / "files")
    with (
        serving(postgres_url, place, tmp_path) as one,
        serving(postgres_url, place, tmp_path) as two,
    ):
        assert one.link != two.link
        codes = [server.link.partition("#code=")[2] for server in (one, two)]
        assert [sign_in(two, codes[0])[0], sign_in(one, codes[0])[0]] == [200, 401]
        assert sign_in(two, codes[0])[0] == 401
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(sign_in, server, codes[1]) for server in (one, two) * 4]
        statuses = [answer.result()[0] for answer in answers]
        assert sorted(statuses) == [200] + [401] * 7
        cookie = next(answer.result()[1] for answer in answers if answer.result()[0] == 200)
        own = {"Cookie": cookie.partition(";")[0]}
        assert [s.request("GET", "/api/runs", headers=own).status for s in (one, two)] == [200, 200]
