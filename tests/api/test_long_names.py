"""The longest names that are valid, of characters that cannot be compressed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

import trackai

if TYPE_CHECKING:
    from tests.conftest import Server

# As in `trackai.values.names`, in characters with 3 bytes each.
PATH, IDENTIFIER, NAME = 512, 256, 512
# A number whose exact value has the most digits.
LONGEST = 4.9406564584124654e-311


@pytest.fixture
def random_text() -> RandomText:
    return RandomText()


class RandomText:
    """Makes texts of random Chinese characters."""

    def __init__(self) -> None:
        self._random = random.Random(1)

    def __call__(self, length: int) -> str:
        return "".join(chr(self._random.randrange(0x4E00, 0x9FA0)) for _ in range(length))


def test_the_longest_names_are_stored(server: Server, random_text: RandomText) -> None:
    metric, system, key, file = (random_text(PATH) for _ in range(4))
    name, project = random_text(NAME), random_text(NAME)
    group, tag = random_text(IDENTIFIER), random_text(IDENTIFIER)
    value = random_text(895)
    # What a run shows of an artifact has all three in its path.
    artifact_name, artifact_type, reference = (random_text(170) for _ in range(3))
    run = trackai.init(project=project, name=name, group=group, tags=[tag], config={key: value})
    run.log({metric: LONGEST})
    run.log({metric: -LONGEST})
    run.log_system({system: LONGEST})
    run.log({file: trackai.Html("<p>content</p>")})
    artifact = trackai.Artifact(artifact_name, artifact_type)
    artifact.add_reference("https://example.com", reference)
    run.log_artifact(artifact)
    run.finish()
    (found,) = server.get("/api/runs")["runs"]
    assert (found["name"], found["group_name"], found["tags"]) == (name, group, [tag])
    paths = server.get(f"/api/metrics/runs/{found['id']}")
    assert {metric, system} <= set(paths)
    equal = quote(f'config."{key}" = "{value}"')
    (row,) = server.get(f"/api/runs?filter={equal}")["runs"]
    assert row["id"] == found["id"]
    assert server.get(f"/api/runs/{found['id']}/config")[key] == value
    assert file in {stored["path"] for stored in server.get(f"/api/runs/{found['id']}/files")}
    (stored,) = server.get("/api/artifacts")["artifacts"]
    assert stored["name"] == artifact_name


def test_longer_ones_are_refused_by_name(
    server: Server, random_text: RandomText, caplog: pytest.LogCaptureFixture
) -> None:
    long = random_text(PATH + 1)
    run = trackai.init(project="p")
    run.log({long: 1.0, "loss": 2.0})
    run.finish()
    assert "at most 1536 bytes in UTF-8, got 1539" in caplog.text
    (found,) = server.get("/api/runs")["runs"]
    assert "loss" in server.get(f"/api/metrics/runs/{found['id']}")
    answer = server.request(
        "POST", "/api/runs", {"project_id": 1, "run_id": "r", "config": {long: 1}}
    )
    assert answer.status == 422
    assert "at most 1536 bytes" in answer.json["detail"]
