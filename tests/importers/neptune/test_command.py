"""The command `trackai import neptune`, and scripts/import_exports.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.importers.neptune.conftest import Write

ROOT = Path(__file__).parents[3]


def _run(
    *arguments: str, db_path: Path, cwd: Path, program: tuple[str, ...] = ("-m", "trackai.cli")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=cwd,
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_script_finds_exports_in_the_current_folder(
    write_part: Write, make: Any, db_path: Path, tmp_path: Path
) -> None:
    write_part([make.point("m", 1, 5, 1.0)])
    (tmp_path / "export").rename(tmp_path / "exports")
    script = (str(ROOT / "scripts" / "import_exports.py"),)
    done = _run(db_path=db_path, cwd=tmp_path, program=script)
    assert done.returncode == 0, done.stderr
    assert "All 1 rows of the files are accounted for." in done.stdout
    assert done.stderr == ""  # not a terminal: no progress
    # The `data` folder is accepted too.
    again = _run("import", "neptune", "exports/data", "--json", db_path=db_path, cwd=tmp_path)
    assert json.loads(again.stdout)["totals"]["already_there"] == 1


def test_exit_codes(write_part: Write, make: Any, db_path: Path, tmp_path: Path) -> None:
    missing = _run("import", "neptune", "nowhere", db_path=db_path, cwd=tmp_path)
    assert missing.returncode == 2
    assert "nowhere" in missing.stderr
    write_part([make.point("m", 1, 5, 1.0), make.file("f", "gone")])
    incomplete = _run("import", "neptune", "export", db_path=db_path, cwd=tmp_path)
    assert incomplete.returncode == 4
    assert "All 2 rows are accounted for; not stored: its file is missing (1)" in incomplete.stdout
    mapped = ("import", "neptune", "export", "--project-map", "w/p")
    assert _run(*mapped, db_path=db_path, cwd=tmp_path).returncode == 2


def test_a_dry_run_says_that_nothing_is_stored(
    write_part: Write, make: Any, db_path: Path, tmp_path: Path
) -> None:
    write_part([make.point("m", 1, 5, 1.0)])
    for arguments, words in ((["--dry-run"], "1 to store"), ([], "1 stored")):
        done = _run("import", "neptune", "export", *arguments, db_path=db_path, cwd=tmp_path)
        assert f"r: 1 rows, {words}" in done.stdout
        [heading] = [line for line in done.stdout.splitlines() if line.startswith("rows ")]
        assert words.partition(" ")[2] in heading


def test_without_pyarrow_it_says_what_to_install(db_path: Path, tmp_path: Path) -> None:
    script = """
        import sys
        sys.modules["pyarrow"] = None
        from trackai.cli import main
        main(sys.argv[1:])
    """
    hidden = ("-c", textwrap.dedent(script))
    done = _run("import", "neptune", "x", db_path=db_path, cwd=tmp_path, program=hidden)
    assert done.returncode == 1
    assert done.stderr == (
        "trackai: reading an export needs an extra package: pip install 'trackai[neptune]'\n"
    )
