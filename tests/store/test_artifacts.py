"""Versions of artifacts in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.catalogue import artifact_versions, artifacts, projects, runs
from trackai.store.catalogue.artifact_versions import NewVersion
from trackai.store.upkeep import deletion
from trackai.structs.records import ArtifactFile

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.database import Database

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
async def run_ids(db: Database) -> list[int]:
    """Two runs of the project "p" and one of "q"."""
    ids = []
    async with db.write() as conn:
        for slug, project in (("r1", "p"), ("r2", "p"), ("r3", "q")):
            project_id = (await projects.get_or_create(conn, project, now=1)).id
            run = await runs.create(
                conn, uid=slug, project_id=project_id, slug=slug, name=None, group_name=None, now=1
            )
            ids.append(run.id)
    return ids


def version(content: str, **fields: Any) -> NewVersion:
    file = ArtifactFile(name="weights", size=3, sha256=content)
    return NewVersion(**{"type": "model", "name": "m", "files": [file], "timestamp": 10, **fields})


async def add(db: Database, run_id: int, new: NewVersion) -> tuple[int, list[str]]:
    """Add a version; its number and aliases."""
    async with db.write() as conn:
        project_id = await runs.project_of(conn, run_id)
        assert project_id is not None
        stored = await artifacts.get(
            conn, await artifact_versions.add(conn, project_id, run_id, new)
        )
    return stored.version, stored.aliases


async def aliases(db: Database, **where: Any) -> dict[int, list[str]]:
    async with db.read() as conn:
        page = await artifacts.list_page(conn, limit=100, **where)
    return {each.version: each.aliases for each in page}


async def test_only_new_contents_are_a_new_version(db: Database, run_ids: list[int]) -> None:
    run = run_ids[0]
    assert await add(db, run, version(A, aliases=["best"])) == (0, ["best", "latest"])
    assert await add(db, run, version(B)) == (1, ["latest"])
    # The contents of v0 again: it is the latest one now.
    assert await add(db, run, version(A, timestamp=5)) == (0, ["best", "latest"])
    assert await add(db, run, version(C, aliases=["best", "x"])) == (2, ["best", "latest", "x"])
    assert await aliases(db) == {0: [], 1: [], 2: ["best", "latest", "x"]}
    # Another type, or another project, is another artifact.
    assert await add(db, run, version(C, type="")) == (0, ["latest"])
    assert await add(db, run_ids[2], version(C)) == (0, ["latest"])


async def test_equal_contents_get_what_is_new(db: Database, run_ids: list[int]) -> None:
    await add(db, run_ids[0], version(A, metadata='{"acc":1}', description="first", tags=["a"]))
    await add(db, run_ids[1], version(A, tags=["b", "a"]))
    async with db.read() as conn:
        stored = await artifacts.resolve(conn, "m")
        assert (stored.metadata, stored.description) == ({"acc": 1}, "first")
        assert (stored.tags, stored.run_id) == (["a", "b"], run_ids[0])
    await add(db, run_ids[1], version(A, metadata='{"acc":2}', description="second"))
    async with db.read() as conn:
        stored = await artifacts.resolve(conn, "m:v0")
        assert (stored.metadata, stored.description) == ({"acc": 2}, "second")


async def test_a_text_means_a_version(db: Database, run_ids: list[int]) -> None:
    await add(db, run_ids[0], version(A, aliases=["best"]))
    await add(db, run_ids[0], version(B))
    await add(db, run_ids[2], version(C))
    await add(db, run_ids[0], version(A, name="a/b:c", aliases=["x"]))
    await add(db, run_ids[0], version(B, name="twice", type="x"))
    await add(db, run_ids[0], version(B, name="twice", type="y"))
    async with db.read() as conn:
        for text, found in (
            ("p/m", (1, "p")), ("p/m:latest", (1, "p")), ("p/m:v0", (0, "p")),
            ("p/m:best", (0, "p")), ("q/m", (0, "q")), ("me/p/m:v1", (1, "p")), ("m:v1", (1, "p")),
            ("a/b:c:x", (0, "p")), ("p/a/b:c", (0, "p")), ("model-registry/m:best", (0, "p")),
        ):  # fmt: skip
            stored = await artifacts.resolve(conn, text)
            assert (stored.version, stored.project) == found, text
        assert (await artifacts.resolve(conn, "m", project="q")).project == "q"
        assert (await artifacts.resolve(conn, "twice", type_="x")).type == "x"
        for text in ("m", "m:v0", "twice"):
            with pytest.raises(InvalidInputError, match="ambiguous"):
                await artifacts.resolve(conn, text)
        with pytest.raises(NotFoundError, match="no version or alias 'v7'; it has v1, latest, v0"):
            await artifacts.resolve(conn, "p/m:v7")
        with pytest.raises(NotFoundError, match="'nope' not found"):
            await artifacts.resolve(conn, "nope")


async def test_versions_go_with_the_last_run_that_logged_them(
    db: Database, run_ids: list[int], tmp_path: Path
) -> None:
    blobs = []
    for content in ("shared", "own", "other"):
        (tmp_path / content).write_text(content)
        blobs.append(db.blobs.keep(tmp_path / content).sha256)
    shared, own, other = blobs
    first, second, third = run_ids
    await add(db, first, version(shared, aliases=["best"]))
    await add(db, second, version(shared))
    await add(db, first, version(other))
    await add(db, first, version(own, aliases=["best"]))
    async with db.write() as conn:
        stored = await artifacts.resolve(conn, "m:v2")
        await artifact_versions.use(conn, stored.id, third, now=1)
        await artifact_versions.use(conn, stored.id, third, now=2)
        assert (await artifacts.get(conn, stored.id)).used_by == [third]
    await add(db, second, version(other))
    await deletion.delete_run(db, first)
    assert await aliases(db) == {0: [], 1: ["latest"]}
    assert [sha256 for sha256 in blobs if db.blobs.find(sha256)] == [shared, other]
    # The number of a deleted version is not given again.
    assert await add(db, second, version(C)) == (3, ["latest"])
    await deletion.delete_project(db, 1)
    assert await aliases(db) == {}
    assert not any(map(db.blobs.find, blobs))


async def test_the_versions_of_a_run(db: Database, run_ids: list[int]) -> None:
    await add(db, run_ids[0], version(A))
    await add(db, run_ids[1], version(B))
    async with db.write() as conn:
        await artifact_versions.use(
            conn, (await artifacts.resolve(conn, "m:v0")).id, run_ids[1], now=1
        )
    assert [*await aliases(db, run_id=run_ids[1])] == [1, 0]
    assert [*await aliases(db, run_id=run_ids[0])] == [0]
    assert [*await aliases(db, project_id=1, name="m", type_="model", digest=version(B).digest)]
    assert await aliases(db, name="other") == {}
    async with db.read() as conn:
        page = await artifacts.list_page(conn, limit=1)
        assert [each.version for each in page] == [1]
        page = await artifacts.list_page(conn, limit=1, before=page[0].id)
        assert [each.version for each in page] == [0]
        [file] = await artifacts.list_files(conn, page[0].id)
        assert (file.name, file.size, file.sha256) == ("weights", 3, A)
        with pytest.raises(NotFoundError, match="m:v0 has no file 'x'"):
            await artifacts.get_file(conn, page[0].id, "x")


async def test_a_loaded_version_keeps_its_number_if_it_is_free(
    db: Database, run_ids: list[int]
) -> None:
    await add(db, run_ids[0], version(A, aliases=["best"]))
    async with db.write() as conn:

        async def load(content: str, number: int, **fields: Any) -> int | None:
            new = version(content, **fields)
            return await artifact_versions.load(conn, 1, run_ids[1], new, number)

        assert await load(B, 5, aliases=["best", "new", "latest"], logged_at=20) == 5
        assert await load(B, 5) is None  # again
        assert await load(A, 9) is None  # as v0
        assert await load(C, 0, logged_at=15) == 6  # taken by other contents
    assert await aliases(db) == {0: ["best"], 5: ["latest", "new"], 6: []}
