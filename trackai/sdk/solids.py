"""Point clouds, 3D models and molecules, which are logged as files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Self

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk.arrays import import_numpy, plain_array
from trackai.sdk.builtin_values import jsonable, type_name
from trackai.sdk.media import Media

_MODELS = ("obj", "gltf", "glb", "babylon", "stl", "ply", "splat", "pts.json")
_MOLECULES = ("pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf")
# x, y, z; with a category; with red, green and blue.
_WIDTHS = (3, 4, 6)
_SCENE = "lidar/beta"


class Object3D(Media):
    """A point cloud, or a file with a 3D model.

    Args:
        data_or_path: an array of points, of shape (points, 3) for x, y and z, (points, 4) with a
            category, or (points, 6) with red, green and blue; a scene, as wandb's
            {"type": "lidar/beta", "points": ..., "boxes": ..., "vectors": ...}; the path of a
            file; or an open file. Points are stored as JSON, in a file `.pts.json`; a file as it
            is: .obj, .gltf, .glb, .babylon, .stl, .ply, .splat or .pts.json.
        caption: becomes the name of the file.
        file_type: the suffix of an open file, such as "obj".

    Raises:
        TypeError: `data_or_path` is of another type, or an array of another shape.
        InvalidInputError: the file does not exist, or has another suffix.
        MissingExtraError: NumPy is not installed.

    Example:
        trackai.log({"scan": trackai.Object3D(points)})
    """

    def __init__(
        self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None
    ) -> None:
        if isinstance(data_or_path, str | os.PathLike) or hasattr(data_or_path, "read"):
            content, suffix = _file(data_or_path, file_type, _MODELS)
            super().__init__(content, suffix, caption)
            return
        if isinstance(data_or_path, dict):
            points: Any = _scene(data_or_path)
        else:
            points = _points(data_or_path, "data_or_path")
        super().__init__(_json(points), ".pts.json", caption)

    @classmethod
    def from_file(
        cls, data_or_path: Any, file_type: str | None = None, caption: str | None = None
    ) -> Self:
        """Make one of a path or an open file.

        Args:
            data_or_path: the path, or the file.
            file_type: the suffix of an open file, such as "obj".
            caption: becomes the name of the file.
        """
        return cls(data_or_path, caption, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any, caption: str | None = None) -> Self:
        """Make one of an array of points.

        Args:
            data: of shape (points, 3), (points, 4) or (points, 6).
            caption: becomes the name of the file.
        """
        return cls(_points(data, "data"), caption)

    @classmethod
    def from_point_cloud(
        cls,
        points: Any,
        boxes: Sequence[Any],
        vectors: Sequence[Any] | None = None,
        point_cloud_type: str = _SCENE,
    ) -> Self:
        """Make one of points with boxes and vectors.

        Args:
            points: as for `Object3D`.
            boxes: boxes with 8 corners, such as `trackai.box3d` returns.
            vectors: dicts with a "start" and an "end".
            point_cloud_type: always "lidar/beta".
        """
        return cls(
            {"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or ()}
        )


class Molecule(Media):
    """A file with a molecule, stored as it is.

    Args:
        data_or_path: the path of a file, or an open file: .pdb, .pqr, .mmcif, .mcif, .cif, .sdf,
            .sd, .gro, .mol2 or .mmtf.
        caption: becomes the name of the file.
        file_type: the suffix of an open file, such as "pdb".

    Raises:
        TypeError: `data_or_path` is of another type, such as a molecule of RDKit.
        InvalidInputError: the file does not exist, or has another suffix.
    """

    def __init__(
        self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None
    ) -> None:
        if not isinstance(data_or_path, str | os.PathLike) and not hasattr(data_or_path, "read"):
            raise TypeError(
                f"data_or_path: must be a path or an open file, got {type_name(data_or_path)}"
            )
        content, suffix = _file(data_or_path, file_type, _MOLECULES)
        super().__init__(content, suffix, caption)


def box3d(
    *,
    center: Any,
    size: Any,
    orientation: Any,
    color: Sequence[float],
    label: str | None = None,
    score: float | None = None,
) -> dict[str, Any]:
    """Make a box for `Object3D.from_point_cloud`, given its centre, size and rotation.

    Args:
        center: x, y and z of the centre.
        size: the lengths of the edges along x, y and z.
        orientation: a quaternion (r, x, y, z) that is not zero; it rotates the axes of the cloud
            to those of the box.
        color: red, green and blue, from 0 to 1.
        label: the label of the box.
        score: how sure the detection is.

    Returns:
        A dict with the 8 "corners", and "color", "label" and "score".

    Raises:
        TypeError: an argument does not hold as many numbers as it must.
        InvalidInputError: `orientation` is zero.
        MissingExtraError: NumPy is not installed.
    """
    np = import_numpy("a box")
    middle, lengths = _vector(center, "center", 3), _vector(size, "size", 3)
    quaternion = _vector(orientation, "orientation", 4)
    length = np.linalg.norm(quaternion)
    if not length:
        raise InvalidInputError("orientation", "must not be zero")
    (r, *axis) = quaternion / length
    units = np.array(list(product((-0.5, 0.5), repeat=3))) * lengths
    # Rodrigues' formula for rotation by a unit quaternion.
    turned = units + 2 * np.cross(axis, np.cross(axis, units) + r * units)
    corners = (middle + turned).tolist()
    return {"corners": corners, "color": list(color), "label": label, "score": score}


def _vector(value: Any, field: str, length: int) -> Any:
    try:
        vector = plain_array(value, "a box").astype(float)
    except TypeError as error:
        raise TypeError(f"{field}: {error}") from None
    if vector.shape != (length,):
        raise TypeError(f"{field}: must hold {length} numbers, got the shape {vector.shape}")
    return vector


def _points(value: Any, field: str) -> Any:
    try:
        points = plain_array(value, "a point cloud")
    except TypeError as error:
        raise TypeError(f"{field}: points {error}") from None
    if points.ndim != 2 or points.shape[1] not in _WIDTHS or points.dtype.kind not in "biuf":
        raise TypeError(
            f"{field}: points must be real numbers of shape (points, 3), (points, 4) or "
            f"(points, 6), got {points.dtype} of shape {points.shape}"
        )
    return points


def _scene(scene: dict[str, Any]) -> dict[str, Any]:
    if scene.get("type") != _SCENE:
        raise InvalidInputError("type", f'must be "{_SCENE}", got {scene.get("type")!r}')
    points = scene.get("points")
    boxes = jsonable(scene.get("boxes", []))
    for number, box in enumerate(boxes):
        corners = box.get("corners") if isinstance(box, dict) else None
        if not isinstance(corners, list) or len(corners) != 8:
            raise InvalidInputError(f"boxes[{number}]", 'must have 8 "corners"')
    return {
        "type": _SCENE,
        "points": [] if points is None or not len(points) else _points(points, "points"),
        "boxes": boxes,
        "vectors": jsonable(scene.get("vectors", [])),
    }


def _json(points: Any) -> bytes:
    """Encode a point cloud, or a scene with one."""
    cloud = points["points"] if isinstance(points, dict) else points
    plain = cloud if isinstance(cloud, list) else cloud.tolist()
    # The encoder would write null for NaN, and `jsonable` visits each number.
    if not isinstance(cloud, list) and not import_numpy("a point cloud").isfinite(cloud).all():
        plain = jsonable(plain)
    return msgspec.json.encode({**points, "points": plain} if isinstance(points, dict) else plain)


def _file(value: Any, file_type: str | None, types: tuple[str, ...]) -> tuple[bytes | Path, str]:
    """Return the content and the suffix of a path or an open file.

    Raises:
        InvalidInputError: the suffix is not in `types`.
    """
    is_path = isinstance(value, str | os.PathLike)
    name = os.fspath(value) if is_path else str(getattr(value, "name", ""))
    suffix = f".{file_type.lower().lstrip('.')}" if file_type and not is_path else name.lower()
    matches = [f".{each}" for each in types if suffix.endswith(f".{each}")]
    if not matches:
        what = "the path" if is_path else "file_type"
        raise InvalidInputError(what, f"must end in {', '.join(types)}, got {suffix or None!r}")
    if is_path:
        return Path(value), matches[0]
    if hasattr(value, "seek"):
        value.seek(0)
    content = value.read()
    return content.encode() if isinstance(content, str) else bytes(content), matches[0]
