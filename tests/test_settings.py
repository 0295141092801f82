"""What the environment says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trackai.errors import InvalidInputError
from trackai.settings import Settings


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACKAI_DB_PATH", "TRACKAI_HOST", "TRACKAI_PORT", "TRACKAI_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings.from_env()
    assert settings.db_path == Path.home() / ".trackai" / "trackai.db"
    assert settings.url == "http://localhost:8000"


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


@pytest.mark.parametrize("port", ["x", "-1", "65536", "1.5"])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("TRACKAI_PORT", port)
    with pytest.raises(InvalidInputError, match="TRACKAI_PORT"):
        Settings.from_env()


def test_every_variable_is_in_the_readme() -> None:
    root = Path(__file__).parent.parent
    source = (root / "trackai" / "settings.py").read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"TRACKAI_[A-Z_]+", source))
    assert len(variables) >= 4
    for variable in variables:
        assert f"`{variable}`" in readme, variable
