"""Runs to read, from a file and from a server."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def some_runs(db_path: Path) -> None:
    for number in range(3):
        config = {"opt": {"lr": 10.0**-number}, "same": 1}
        with trackai.init(project="My project", name=f"r{number}", config=config) as run:
            for step in range(10):
                run.log({"loss": number + 1 / (step + 1)}, step=step)
            run.log({"odd name/%": math.nan, "flag": True, "text": "NaN"}, step=0.5)
            run.log({"odd name/%": -math.inf}, step=1)
            run.log_system({"gpu": 0.5})


@pytest.fixture(params=["file", "server"])
def api(request: pytest.FixtureRequest, some_runs: None, server: Server) -> trackai.Api:
    return trackai.Api(server.url) if request.param == "server" else trackai.Api()
