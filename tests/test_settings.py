"""Settings from the environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import trackai
from trackai.errors import InvalidInputError
from trackai.settings import Settings

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "trackai" / "settings.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("empty", [True, False])
def test_defaults(monkeypatch: pytest.MonkeyPatch, empty: bool) -> None:
    """An empty variable has no effect."""
    for name in set(re.findall(r"TRACKAI_[A-Z_]+", SOURCE)):
        if empty:
            monkeypatch.setenv(name, "")
        else:
            monkeypatch.delenv(name, raising=False)
    settings = Settings.from_env()
    assert settings.db_path == Path.home() / ".trackai" / "trackai.db"
    assert settings.url == "http://localhost:8000"
    assert settings == Settings(db_path=settings.db_path)


def test_the_environment_is_read_at_every_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a.db", "b.db"):
        monkeypatch.setenv("TRACKAI_DB_PATH", str(tmp_path / name))
        assert Settings.from_env().db_path == tmp_path / name


def test_the_source_of_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRACKAI_DB_PATH", str(tmp_path / "a.db"))
    assert Settings.from_env().db_path_source == "TRACKAI_DB_PATH"
    assert Settings.from_env("").db_path_source == "TRACKAI_DB_PATH"
    for path in ("b.db", Path("b.db")):
        assert Settings.from_env(path).db_path_source == "argument"
    monkeypatch.delenv("TRACKAI_DB_PATH")
    assert Settings.from_env("b.db").db_path_source == "argument"
    assert Settings.from_env().db_path_source == "default"


def test_a_path_is_absolute_and_a_link_stays_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    for path in ("link/x.db", Path("link", "..", "link", "x.db")):
        assert Settings.from_env(path).db_path == tmp_path / "link" / "x.db"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_browser_on_this_machine_finds_the_server(host: str) -> None:
    assert Settings(db_path=Path("x"), host=host, port=1).url == "http://localhost:1"


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_is_in_brackets_in_a_url(host: str) -> None:
    assert Settings(db_path=Path("x"), host=host, port=1).url == "http://[::1]:1"


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKAI_DB_PATH", "./here/x.db")
    monkeypatch.setenv("TRACKAI_HOST", "box")
    monkeypatch.setenv("TRACKAI_PORT", "9000")
    monkeypatch.setenv("TRACKAI_ALLOWED_HOSTS", "Box, other ,")
    settings = Settings.from_env()
    assert settings.db_path == tmp_path / "here" / "x.db"
    assert settings.url == "http://box:9000"
    assert settings.allowed_hosts == ("box", "other")
    assert Settings.from_env("~/y.db").db_path == Path.home() / "y.db"


def test_origins_of_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings.from_env(tmp_path / "x.db").frame_origins == ()
    origins = "https://Hub.Example.com/, http://localhost:8888,https://*.example.com:*,,"
    monkeypatch.setenv("TRACKAI_FRAME_ORIGINS", origins)
    assert Settings.from_env(tmp_path / "x.db").frame_origins == (
        "https://hub.example.com", "http://localhost:8888", "https://*.example.com:*",
    )  # fmt: skip


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*", "https:", "example.com", "https://a.b/path", "'self'",
     "https://a; script-src *", "https://a\r\nX: y", "https://a b", "https://a:port", "data:",
     "https://a.*", "https://-a"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: str
) -> None:
    monkeypatch.setenv("TRACKAI_FRAME_ORIGINS", origin)
    with pytest.raises(InvalidInputError, match="TRACKAI_FRAME_ORIGINS: must be origins like"):
        Settings.from_env(tmp_path / "x.db")


@pytest.mark.parametrize("path", [None, "~/x.db", "~nobody-of-this-name/x.db"])
def test_without_a_home_folder_the_variable_to_set_is_named(
    monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "USERPROFILE", "HOMEPATH", "TRACKAI_DB_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(InvalidInputError, match="TRACKAI_DB_PATH: must be set to a database file"):
        trackai.init(project="p", db_path=path)
    assert Settings.from_env("/tmp/x.db").db_path == Path("/tmp/x.db")
    trackai.init(project="p", mode="disabled").finish()


def test_a_working_directory_that_was_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InvalidInputError, match="TRACKAI_DB_PATH: must be absolute"):
        Settings.from_env("x.db")
    assert Settings.from_env(tmp_path / "x.db").db_path == tmp_path / "x.db"


@pytest.mark.parametrize("port", ["x", "-1", "65536", "1.5"])
def test_an_invalid_port(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("TRACKAI_PORT", port)
    with pytest.raises(InvalidInputError, match="TRACKAI_PORT"):
        Settings.from_env()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRACKAI_API_KEY", "short"),
        ("TRACKAI_API_KEY", "x" * 15),
        ("TRACKAI_API_KEY", " " + "x" * 20),
        ("TRACKAI_API_KEY", "ü" * 20),
        ("TRACKAI_ACCESS_LOG", "yes"),
    ],
)
def test_an_invalid_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputError, match=name) as caught:
        Settings.from_env()
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("trackai", "launcher", "rank"),
    [("3", "1", 3), ("", "1", 1), ("", "", None), ("", "first", None), ("-1", "", None)],
)
def test_ranks(
    monkeypatch: pytest.MonkeyPatch, trackai: str, launcher: str, rank: int | None
) -> None:
    monkeypatch.setenv("TRACKAI_RANK", trackai)
    monkeypatch.setenv("RANK", launcher)
    assert Settings.from_env().rank == rank
