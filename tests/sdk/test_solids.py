"""Point clouds, 3D models and molecules."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai
from trackai.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.sdk.media import Media

POINTS = np.arange(12.0).reshape(2, 6)


def stored(media: Media) -> Any:
    return json.load(media.open())


@pytest.mark.parametrize("width", [3, 4, 6])
def test_arrays_are_point_clouds(width: int) -> None:
    points = POINTS[:, :width]
    for cloud in (
        trackai.Object3D(points), trackai.Object3D(points.tolist()),
        trackai.Object3D.from_numpy(points),
    ):  # fmt: skip
        assert stored(cloud) == points.tolist()
        assert cloud.suffix == ".pts.json"
    integers = trackai.Object3D(points.astype(np.int32))
    assert (
        integers.open().read() == json.dumps(points.astype(int).tolist()).replace(" ", "").encode()
    )


def test_coordinates_may_be_missing() -> None:
    assert stored(trackai.Object3D([[0.5, np.nan, np.inf]])) == [[0.5, "NaN", "Infinity"]]


def test_a_scene_has_boxes_and_vectors() -> None:
    box = trackai.box3d(
        center=(1, 2, 3), size=(2, 4, 6), orientation=(1, 0, 0, 0), color=(1, 0, 0), label="car"
    )
    assert box["corners"][0] == [0, 0, 0]
    assert box["corners"][7] == [2, 4, 6]
    vectors = [{"start": [0, 0, 0], "end": [1, 1, 1]}]
    cloud = trackai.Object3D.from_point_cloud(POINTS[:, :3], [box], vectors)
    assert stored(cloud) == {
        "type": "lidar/beta", "points": POINTS[:, :3].tolist(), "boxes": [box], "vectors": vectors,
    }  # fmt: skip
    assert stored(trackai.Object3D({"type": "lidar/beta"})) == {
        "type": "lidar/beta", "points": [], "boxes": [], "vectors": [],
    }  # fmt: skip


@pytest.mark.parametrize("sign", [1, -1])
def test_a_box_is_rotated_by_its_quaternion(sign: int) -> None:
    """A quarter turn about z, in either direction."""
    quaternion = np.array([1, 0, 0, sign]) * 3
    box = trackai.box3d(
        center=(0, 0, 0), size=(2, 4, 6), orientation=quaternion, color=(1, 0, 0), score=0.5
    )
    # The corner (-1, -2, -3).
    assert np.allclose(box["corners"][0], [2 * sign, -sign, -3])
    assert (box["label"], box["score"]) == (None, 0.5)


def test_files_are_stored_as_they_are(db_path: Path, tmp_path: Path) -> None:
    model, molecule = tmp_path / "Cube.GLB", tmp_path / "water.pdb"
    model.write_bytes(b"glTF")
    molecule.write_text("ATOM")
    with trackai.init(project="p") as run:
        run.log({
            "model": trackai.Object3D(model, caption="cube"),
            "text": trackai.Object3D.from_file(io.StringIO("v 0 0 0"), file_type="obj"),
            "molecule": trackai.Molecule(str(molecule)),
            "open": trackai.Molecule(io.BytesIO(b"x"), file_type=".SDF"),
        })  # fmt: skip
        with model.open("rb") as file:
            run.log({"named": trackai.Object3D(file)})
    with closing(sqlite3.connect(db_path)) as connection:
        names = connection.execute("SELECT path, name, size FROM files ORDER BY id").fetchall()
    assert names == [
        ("model", "cube.glb", 4), ("text", "0.obj", 7), ("molecule", "0.pdb", 4),
        ("open", "0.sdf", 1), ("named", "1.glb", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trackai.Object3D(POINTS[:, :5]), r"^data_or_path: points .*shape \(2, 5\)"),
        (lambda: trackai.Object3D(POINTS[0]), r"^data_or_path: points must be .*shape \(6,\)"),
        (lambda: trackai.Object3D.from_numpy([[1j, 0, 0]]), r"^data: points must be .*complex128"),
        (lambda: trackai.Object3D(object()), "^data_or_path: points must"),
        (lambda: trackai.Object3D("model.fbx"), "^the path: must end in obj, .*got 'model.fbx'"),
        (lambda: trackai.Object3D("missing.obj"), "^path: file 'missing.obj' not found"),
        (lambda: trackai.Object3D(io.StringIO("v")), "^file_type: must end in obj, .*got None"),
        (lambda: trackai.Object3D({"type": "x"}), "^type: must be"),
        (lambda: trackai.Object3D.from_point_cloud([], [{}]), r"^boxes\[0\]: must have 8"),
        (lambda: trackai.Molecule("CCO"), "^the path: must end in pdb"),
        (lambda: trackai.Molecule(object()), "^data_or_path: must be a path or an open file"),
        (lambda: trackai.box3d(center=(0,), size=(1, 1, 1), orientation=(1, 0, 0, 0), color=()),
         "^center: must hold 3 numbers"),
        (lambda: trackai.box3d(center="abc", size=(1, 1, 1), orientation=(1, 0, 0, 0), color=()),
         "^center: must hold numbers"),
        (lambda: trackai.box3d(center=(0, 0, 0), size=(1, 1, 1), orientation=[0] * 4, color=()),
         "^orientation: must not be zero"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises((TypeError, InvalidInputError), match=message):
        make()
