"""Names of artifacts, versions and aliases, and of the files in them."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.values.artifact_names import (
    ArtifactRef,
    alias_problem,
    digest,
    file_problem,
    references,
    version_number,
)

NAMES = st.text(st.sampled_from("ab./:\\~ \n-"), min_size=1, max_size=12) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("model", ArtifactRef("p", "model", "latest")),
        ("model:best", ArtifactRef("p", "model", "best")),
        ("model:v3", ArtifactRef("p", "model", "v3")),
        ("a:b:v3", ArtifactRef("p", "a:b", "v3")),
        ("model:", ArtifactRef("p", "model:", "latest")),
        (":best", ArtifactRef("p", ":best", "latest")),
    ],
)
def test_a_text_is_first_an_artifact_of_the_own_project(text: str, first: ArtifactRef) -> None:
    assert next(references(text, "p")) == first


def test_a_text_may_have_a_project_an_entity_or_a_registry() -> None:
    assert ArtifactRef("other", "model", "v1") in references("other/model:v1", "p")
    assert ArtifactRef("digits", "model", "v1") in references("me/digits/model:v1", "p")
    assert ArtifactRef("p", "model", "prod") in references("model-registry/model:prod", "p")
    assert ArtifactRef("p", "m", "x") in references("wandb-registry-models/m:x", "p")
    assert ArtifactRef("p", "m", "x") in references("me/registry-models/m:x", "p")
    assert ArtifactRef("p", "model", "v1") not in references("other/model:v1", "p")


@pytest.mark.parametrize(
    ("text", "number"), [("v0", 0), ("v12", 12), ("v01", None), ("v", None), ("V1", None)]
)
def test_versions(text: str, number: int | None) -> None:
    assert version_number(text) == number


@pytest.mark.parametrize("alias", ["v0", "a:b", "a/b", "", " ", "a\nb", "x" * 300])
def test_aliases_that_are_refused(alias: str) -> None:
    assert alias_problem(alias) is not None


def test_an_alias_that_is_allowed() -> None:
    assert alias_problem("best so far, é") is None


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", ".", "a\0"])
def test_names_of_files_that_are_refused(name: str) -> None:
    assert file_problem(name) is not None


@given(NAMES)
def test_a_file_that_is_allowed_is_inside_of_its_folder(name: str) -> None:
    if file_problem(name) is None:
        root = Path("/root/of/artifact")
        path = os.path.normpath(root / name)
        assert Path(path).is_relative_to(root)
        assert Path(path) != root
        assert PurePosixPath(name).as_posix() == name


@given(st.dictionaries(NAMES, st.sampled_from(["0" * 64, "1" * 64, "s3://x", None])))
def test_a_digest_is_that_of_names_and_contents(files: dict[str, str | None]) -> None:
    same = digest(reversed(files.items()))
    assert same == digest(files.items())
    for name in files:
        changed = {**files, name: "2" * 64}
        assert digest(changed.items()) != same
        assert digest((key, value) for key, value in files.items() if key != name) != same
