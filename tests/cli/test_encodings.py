"""Output on terminals, and in files, that have another encoding than UTF-8."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import trackai as sdk
from trackai.cli import main
from trackai.cli.encoding import is_printable

if TYPE_CHECKING:
    from pathlib import Path

NAME = "прогон µ 😀"
COMMANDS = [
    ["projects"],
    ["runs"],
    ["show", "latest"],
    ["compare", "1", "2"],
    ["plot", "loss", "--runs", "1", "2"],
    ["plot", "loss", "1", "--log"],
    ["sql", "SELECT * FROM config_overview"],
    ["sql", "SELECT * FROM run_overview"],
    ["tag", "1", "тег"],
    ["rename", "1", NAME + "2"],
    ["export", "1"],
    ["doctor"],
    ["config"],
    ["recover"],
    ["wait", "1"],
    ["tail", "1"],
    ["delete", "1", "--yes"],
    ["--help"],
    ["show", "--help"],
    ["completion", "bash"],
]


class Terminal(io.TextIOWrapper):
    """A terminal of an encoding."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def runs(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for number in range(2):
        with sdk.init(
            project="проект",
            name=NAME,
            tags=["µ"],
            notes="é\n",
            config={"ключ": NAME + str(number)},
        ) as run:
            for step in range(20):
                run.log({"loss": 1 / (step + 1), "текст": "долгий " * 20}, step=step)


@pytest.mark.parametrize("kind", [Terminal, io.TextIOWrapper])
@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "latin-1", "ascii", "utf-8"])
def test_every_command_prints_in_every_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, kind: type[io.TextIOWrapper]
) -> None:
    for command in COMMANDS:
        output = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", kind(output, encoding=encoding, write_through=True))
        with pytest.raises(SystemExit) as exited:
            main(command)
        assert exited.value.code in {0, None}, (command, output.getvalue())
        # click takes an ASCII stream for a wrong setting, and writes UTF-8 to it.
        is_file = command[0] == "export" and kind is not Terminal
        is_utf_8 = is_file or encoding == "ascii"
        output.getvalue().decode("utf-8" if is_utf_8 else encoding)


def test_texts_are_escaped_and_columns_stay_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(output, encoding="cp1252", write_through=True))
    with pytest.raises(SystemExit):
        main(["sql", "SELECT 'µ€' AS a, 'привет 😀' AS b"])
    [_, line] = output.getvalue().decode("cp1252").splitlines()
    texts = line.split("  ")
    assert texts[0] == "µ€"
    assert json.loads(f'"{texts[-1]}"') == "привет 😀"
    output.truncate(0)
    output.seek(0)
    with pytest.raises(SystemExit):
        main(["plot", "loss", "1"])
    plot = output.getvalue().decode("cp1252")
    assert "\\u" not in plot.partition("прогон")[0].splitlines()[3]
    assert plot.count("|") + plot.count("+") >= 5
    assert "a" in plot


def test_json_is_utf_8_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="cp1252"))
    with pytest.raises(SystemExit):
        main(["show", "1", "--json"])
    assert json.loads(output.getvalue().decode("utf-8"))["run"]["name"] == NAME


def test_exported_files_are_utf_8_and_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, db_path: Path
) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "LC_ALL": "C",
           "PYTHONCOERCECLOCALE": "0"}  # fmt: skip

    def run(*arguments: str) -> str:
        process = subprocess.run(
            [sys.executable, "-m", "trackai.cli", *arguments], env=env, capture_output=True
        )
        assert process.returncode == 0, process.stderr
        return process.stdout.decode("cp1252")

    for suffix in (".jsonl", ".csv"):
        run("export", "--all", "-o", str(tmp_path / f"all{suffix}"))
        assert "проект" in (tmp_path / f"all{suffix}").read_text(encoding="utf-8")
    run("import", "jsonl", str(tmp_path / "all.jsonl"), "--db", str(tmp_path / "copy.db"))
    assert sdk.Api(tmp_path / "copy.db").run("1").name == NAME
    assert "\\u043f" in run("runs")


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are Unicode there")
@pytest.mark.parametrize(
    "arguments", [["show", b"\xff"], ["sql", b"SELECT '\xff'"], ["runs", b"\xff"], [b"\xff"],
                  ["tag", "1", b"\xff"], ["runs", "--db", b"/tmp/\xff.db"],
                  ["rename", "1", b"\xff"], ["runs", "--filter", b"name = '\xff'"]],
)  # fmt: skip
def test_an_argument_that_is_not_utf_8_is_an_error_in_one_line(
    arguments: list[str | bytes],
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "trackai.cli", *arguments], capture_output=True, check=False
    )
    assert process.returncode in {1, 2, 3}
    assert process.stderr.count(b"\n") == 1
    assert process.stderr.startswith(b"trackai: ")


def test_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, expected in (("cp437", True), ("ascii", False), ("utf-8", True)):
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert is_printable("─") is expected
