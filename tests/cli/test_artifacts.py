"""trackai artifacts"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from tests.conftest import Server


@pytest.mark.parametrize("place", ["file", "server"])
def test_list_and_download(server: Server, trackai: Trackai, tmp_path: Path, place: str) -> None:
    (tmp_path / "weights").write_text("123")
    with sdk.init(project="My project", id="r") as run:
        run.log_artifact(tmp_path / "weights", "model", "model", aliases=["best"])
        (tmp_path / "weights").write_text("4")
        run.log_artifact(tmp_path / "weights", "model", "model")
        run.log_artifact(tmp_path / "weights", "data")
    url = ["--url", server.url] if place == "server" else []
    lines = [line.split("\t")[:7] for line in trackai("artifacts", *url).out.splitlines()]
    assert lines[1:] == [
        ["My project", "data", "-", "v0", "latest", "1", "1"],
        ["My project", "model", "model", "v1", "latest", "1", "1"],
        ["My project", "model", "model", "v0", "best", "1", "3"],
    ]
    listed = trackai("artifacts", "my-project", "--type", "model", "--json", *url).json
    assert [each["version"] for each in listed["artifacts"]] == [1, 0]
    assert trackai("artifacts", "list", "--name", "none", *url).out.count("\n") == 1
    out = tmp_path / "out"
    printed = trackai("artifacts", "download", "model:best", "-o", out, *url).out
    assert printed == f"{out}: My project/model:v0, 1 file, 3 bytes\n"
    assert (out / "weights").read_text() == "123"
    done = trackai("artifacts", "download", "model", "-o", out, "--json", *url).json
    assert (done["artifact"], done["folder"]) == ("My project/model:v1", str(out))
    assert (out / "weights").read_text() == "4"
    assert "'nope'" in trackai("artifacts", "nope", *url, code=3).err
    assert "v1, latest" in trackai("artifacts", "download", "model:x", *url, code=3).err
