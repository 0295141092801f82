"""What `trackai.Api` and the command line say about a server that does not answer as it should."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import trackai
from tests.client.test_connection import AUTHORITY
from tests.client.test_connection import server as answering
from tests.conftest import KEY
from trackai.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of a private authority."""
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


def refused(url: str, capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """The error of `Api`, which the command line prints as one line."""
    with pytest.raises(trackai.TrackAIError) as caught:
        trackai.Api(url).projects()
    for command in (["runs"], ["show", "1"], ["tail", "1"], ["wait", "1"], ["plot", "x", "1"]):
        with pytest.raises(SystemExit) as exited:
            main([*command, "--url", url])
        assert exited.value.code == code
        assert capsys.readouterr().err == f"trackai: {caught.value}\n"
    return str(caught.value)


def test_an_expired_certificate(
    authority: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    old = AUTHORITY.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    with answering(certificate=old) as url:
        assert refused(url, capsys) == f"{url}: its certificate has expired"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_private_authority(
    authority: Path,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(body=b"[]", certificate=AUTHORITY.issue_cert("localhost")) as url:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        assert "set SSL_CERT_FILE" in refused(url, capsys)
        monkeypatch.setenv(variable, str(authority))
        assert trackai.Api(url).projects() == []
        if variable == "REQUESTS_CA_BUNDLE":
            monkeypatch.setenv(variable, str(authority) + ".missing")
            assert "cannot read the certificates of REQUESTS_CA_BUNDLE" in refused(url, capsys)


def test_keys(
    guarded: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRACKAI_API_KEY", raising=False)
    assert "set TRACKAI_API_KEY" in refused(guarded.url, capsys)
    monkeypatch.setenv("TRACKAI_API_KEY", "wrong" * 5)
    assert "the key is missing, wrong" in refused(guarded.url, capsys)
    assert trackai.Api(guarded.url, api_key=KEY).projects() == []
    monkeypatch.setenv("TRACKAI_API_KEY", KEY)
    assert trackai.Api(guarded.url).projects() == []


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "is not the address of a TrackAI server"),
        (200, b'{"status": "ok"}', "is not the address of a TrackAI server"),
        (200, b'["\xff"]', "is not the address of a TrackAI server"),
        (422, b'{"detail": "\xff"}', "is not the address of a TrackAI server"),
        (404, b"<html>", "is not the address of a TrackAI server"),
        (404, b'{"detail": "Not Found"}', "or of one that is too old"),
        (405, b'{"detail": "Method Not Allowed"}', "or one that is too old"),
        (500, b'{"detail": "internal server error"}', "the status 500"),
        (502, b"<html>Bad Gateway", "a proxy, whose server does not answer"),
    ],
)
def test_other_programs_and_versions(
    status: int, body: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(status, body) as url:
        assert message in refused(url, capsys)


def test_a_redirection_names_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(301, b"", {"Location": "https://tracker/api/projects"}) as url:
        assert refused(url, capsys) == f"{url} redirects to https://tracker: use that address"


def test_a_key_in_the_address() -> None:
    with pytest.raises(trackai.InvalidInputError, match=r"^url: must have no query") as caught:
        trackai.Api("http://user:secret@tracker")
    assert "secret" not in str(caught.value)


def test_keys_with_a_scope(
    guarded: Server,
    db_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with trackai.init(project="p", name="r") as run:
        run.log({"x": 1.0})
    keys = {}
    for scope in ("read", "write"):
        with pytest.raises(SystemExit):
            main(
                [
                    "keys",
                    "create",
                    "--name",
                    scope,
                    "--scope",
                    scope,
                    "--json",
                    "--db",
                    str(db_path),
                ]
            )
        keys[scope] = json.loads(capsys.readouterr().out)["key"]
    monkeypatch.setenv("TRACKAI_API_KEY", keys["read"])
    stored = trackai.Api(guarded.url).run("p/r")
    assert stored.history("x")["x"].values == [1.0]
    for command in ("show", "export", "compare", "tail", "wait", "plot x"):
        with pytest.raises(SystemExit) as exited:
            main([*command.split(), "r", "--url", guarded.url])
        assert exited.value.code == 0
        assert "trackai:" not in capsys.readouterr().err
    with pytest.raises(trackai.TrackAIError, match=r"this key has the scope read: .* needs"):
        stored.tag("a")
    monkeypatch.setenv("TRACKAI_API_KEY", keys["write"])
    with trackai.init(project="p", name="sent", server_url=guarded.url) as sent:
        sent.log({"x": 2.0})
    monkeypatch.setenv("TRACKAI_API_KEY", keys["read"])
    shown = []
    for where in (["--db", str(db_path)], ["--url", guarded.url]):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(["show", "sent", "--json", *where])
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert '"keys": ["write"]' in shown[1]
    monkeypatch.setenv("TRACKAI_API_KEY", keys["write"])
    assert "this key has the scope write: this request needs" in refused(guarded.url, capsys)
