"""Files of artifacts: checked, inside of their folder, and never in part."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackai.errors import InvalidInputError, StoreDamagedError
from trackai.reading import downloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DATA = b"content"
SHA = hashlib.sha256(DATA).hexdigest()


@contextmanager
def opened(*chunks: bytes) -> Iterator[Iterable[bytes]]:
    yield chunks


@contextmanager
def failing() -> Iterator[Iterable[bytes]]:
    def read() -> Iterator[bytes]:
        yield DATA[:3]
        raise OSError("the network is down")

    yield read()


def all_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_a_file_is_written_once(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    path = downloads.write(root, "deep/er/a", SHA, lambda: opened(DATA[:3], DATA[3:]))
    assert path.read_bytes() == DATA
    os.utime(path, (1, 1))
    downloads.write(root, "deep/er/a", SHA, failing)  # not opened at all
    assert path.stat().st_mtime == 1
    path.write_bytes(b"changed")
    downloads.write(root, "deep/er/a", SHA, lambda: opened(DATA))
    assert path.read_bytes() == DATA


def test_nothing_is_written_in_part(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(OSError, match="network"):
        downloads.write(tmp_path, "a", SHA, failing)
    with pytest.raises(StoreDamagedError, match="'a'"):
        downloads.write(tmp_path, "a", SHA, lambda: opened(b"other bytes"))
    assert all_files(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    root.mkdir()
    outside.write_bytes(DATA)
    (root / "a").symlink_to(outside)
    path = downloads.write(root, "a", SHA, lambda: opened(DATA))
    assert not path.is_symlink()
    outside.write_bytes(b"changed")
    assert path.read_bytes() == DATA


def test_a_folder_that_is_a_link_out_is_refused(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "inside").mkdir(parents=True)
    (root / "deep").symlink_to(outside)
    (root / "same").symlink_to("inside")
    for name in ("deep/a", "deep/new/a"):
        with pytest.raises(InvalidInputError, match="link out of"):
            downloads.write(root, name, SHA, lambda: opened(DATA))
    assert list(outside.iterdir()) == []
    downloads.write(root, "same/a", SHA, lambda: opened(DATA))
    assert (root / "inside" / "a").read_bytes() == DATA


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.sampled_from(["..", ".", "", "a", "b", "/", "~", "C:", "\\", "\0"]), max_size=6))
def test_no_name_leads_out(tmp_path: Path, parts: list[str]) -> None:
    root = tmp_path / "x" / "y" / "root"
    name = "/".join(parts)
    try:
        path = downloads.write(root, name, SHA, lambda: opened(DATA))
    except (InvalidInputError, IsADirectoryError, NotADirectoryError, FileExistsError):
        pass
    else:
        assert path.resolve().is_relative_to(root.resolve())
    assert all((tmp_path / file).is_relative_to(root) for file in all_files(tmp_path))
