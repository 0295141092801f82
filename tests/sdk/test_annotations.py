"""Boxes, masks and classes of images, which are stored beside them."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as PillowImage

import trackai
from trackai.errors import InvalidInputError
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.zeros((4, 6, 3), np.uint8)
MASK = np.arange(24).reshape(4, 6)
CORNERS = {"minX": 0.1, "maxX": np.float32(0.5), "minY": 0, "maxY": 1}
MIDDLE = {"middle": np.array([3, 2]), "width": 2, "height": 1}
CLASSES: list[dict[str, Any]] = [{"id": 1, "name": "car"}, {"id": "x", "name": "road"}]


def files(db_path: Path) -> dict[tuple[str, str], bytes]:
    with closing(sqlite3.connect(db_path)) as connection:
        rows = connection.execute("SELECT path, name, sha256 FROM files ORDER BY id").fetchall()
    return {(path, name): blob_path(db_path, sha256).read_bytes() for path, name, sha256 in rows}


def test_annotations_are_stored_beside_their_image(db_path: Path) -> None:
    box = {"position": CORNERS, "class_id": np.int64(1), "box_caption": "car", "scores": {"p": 0.9}}
    image = trackai.Image(
        PIXELS,
        caption="street",
        boxes={"found": {"box_data": [box, {"position": MIDDLE, "domain": "pixel"}],
                         "class_labels": {1: "car"}}},
        masks={"truth": {"mask_data": MASK, "class_labels": {0: "road"}}},
        classes=CLASSES,
    )  # fmt: skip
    with trackai.init(project="p") as run:
        run.log({"val": {"view": image}})
    stored = files(db_path)
    assert list(stored) == [
        ("val/view", "street.png"),
        ("val/view/masks/truth", "street.png"),
        ("val/view/annotations", "street.json"),
    ]
    assert json.loads(stored["val/view/annotations", "street.json"]) == {
        "image": "val/view",
        "boxes": {
            "found": {
                "box_data": [
                    {
                        "position": {"minX": 0.1, "maxX": 0.5, "minY": 0, "maxY": 1},
                        "class_id": 1, "box_caption": "car", "scores": {"p": 0.9},
                    },
                    {"position": {"middle": [3, 2], "width": 2, "height": 1}, "domain": "pixel"},
                ],
                "class_labels": {"1": "car"},
            }
        },
        "masks": {"truth": {"file": "val/view/masks/truth", "class_labels": {"0": "road"}}},
        "classes": CLASSES,
    }  # fmt: skip
    mask = PillowImage.open(io.BytesIO(stored["val/view/masks/truth", "street.png"]))
    assert mask.mode == "L"
    assert np.array_equal(np.asarray(mask), MASK)


def test_files_of_one_image_have_one_name(db_path: Path) -> None:
    images = [
        trackai.Image(PIXELS),
        trackai.Image(PIXELS, masks={"m": {"mask_data": MASK}}),
        trackai.Image(PIXELS, caption="c", masks={"m": {"mask_data": MASK}}),
    ]
    with trackai.init(project="p") as run:
        run.log({"list": images})
        run.log({"rows": trackai.Table(["picture"], [[images[0]], [images[1]]])}, step=7)
    assert list(files(db_path)) == [
        ("list", "0.png"), ("list", "1.png"), ("list", "2 c.png"),
        ("list/masks/m", "1.png"), ("list/masks/m", "2 c.png"),
        ("list/annotations", "1.json"), ("list/annotations", "2 c.json"),
        ("rows", "7.table.json"), ("rows/picture", "0.png"), ("rows/picture", "1.png"),
        ("rows/picture/masks/m", "1.png"), ("rows/picture/annotations", "1.json"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mask", "mode"),
    [
        (MASK > 3, "L"), (MASK.astype(float), "L"), (MASK.tolist(), "L"),
        (MASK + 300, "I;16"), (np.full((2, 2), 65535), "I;16"),
    ],
)  # fmt: skip
def test_masks_keep_their_class_ids(mask: Any, mode: str) -> None:
    annotations = trackai.Image(PIXELS, masks={"m": {"mask_data": mask}}).annotations
    assert annotations is not None
    content = annotations.masks["m"].content
    assert isinstance(content, bytes)
    picture = PillowImage.open(io.BytesIO(content))
    assert picture.mode == mode
    assert np.array_equal(np.asarray(picture), np.asarray(mask))


def test_a_mask_may_be_a_file(db_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    PillowImage.fromarray(MASK.astype(np.uint8)).save(path)
    with trackai.init(project="p") as run:
        run.log({"a": trackai.Image(PIXELS, masks={"m": {"path": str(path)}})})
    assert files(db_path)["a/masks/m", "0.png"] == path.read_bytes()


def test_a_copy_has_the_annotations() -> None:
    image = trackai.Image(PIXELS, classes=trackai.Classes(CLASSES))
    assert trackai.Image(image).annotations == image.annotations
    other = trackai.Image(image, classes=CLASSES[:1]).annotations
    assert other is not None
    assert other.classes == CLASSES[:1]
    assert trackai.Image(PIXELS).annotations is None
    assert trackai.Classes(CLASSES) == trackai.Classes(tuple(CLASSES))
    assert repr(trackai.Classes(CLASSES[:1])) == "Classes([{'id': 1, 'name': 'car'}])"


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ({}, "position: must be a dict"),
        ({"position": {"minX": 1}}, "position must have the numbers minX"),
        ({"position": {**MIDDLE, "middle": [1]}}, "position must have the numbers minX"),
        ({"position": {**MIDDLE, "width": "1"}}, "position must have the numbers minX"),
        ({"position": {**CORNERS, "minX": np.nan}}, "position must have the numbers minX"),
        ({"position": CORNERS, "domain": "px"}, 'domain must be None or "pixel"'),
        ({"position": CORNERS, "class_id": 0.5}, "class_id must be an int"),
        ({"position": CORNERS, "box_caption": 1}, "box_caption must be a str"),
        ({"position": CORNERS, "scores": [1]}, "scores: must be a dict"),
        ({"position": CORNERS, "scores": {"a": "b"}}, "scores must be numbers"),
    ],
)
def test_wrong_boxes_are_named(box: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, InvalidInputError)) as caught:
        trackai.Image(PIXELS, boxes={"b": {"box_data": [{"position": CORNERS}, box]}})
    assert str(caught.value).startswith(f"boxes['b']: box_data[1]: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes": []}, r"^boxes: must be a dict, got list"),
        ({"boxes": {1: {}}}, r"^boxes: the names must be str, got int"),
        ({"boxes": {"": {}}}, r"^boxes: the name '' "),
        ({"boxes": {"b": {}}}, r"^boxes\['b'\]: must have a list \"box_data\""),
        ({"boxes": {"b": {"box_data": {}}}}, r"^boxes\['b'\]: box_data must be a list, got dict"),
        ({"boxes": {"b": {"box_data": [{}]}}}, r"^boxes\['b'\]: box_data\[0\]: position: must be"),
        ({"boxes": {"b": {"box_data": [], "class_labels": {"a": "b"}}}}, r"class_labels must be"),
        ({"masks": {"m": {}}}, r"^masks\['m'\]: must have an array \"mask_data\" or a file"),
        ({"masks": {"m": {"path": "/no/such.png"}}}, r"^masks\['m'\]: file '/no/such.png' not"),
        ({"masks": {"m": {"mask_data": PIXELS}}}, r"shape \(height, width\), got \(4, 6, 3\)"),
        ({"masks": {"m": {"mask_data": MASK - 1}}}, r"integers from 0 to 65535"),
        ({"masks": {"m": {"mask_data": MASK + 0.5}}}, r"integers from 0 to 65535"),
        ({"masks": {"m": {"mask_data": MASK + 65535}}}, r"integers from 0 to 65535"),
        ({"masks": {"m": {"mask_data": "mask"}}}, r"^masks\['m'\]: mask_data must hold numbers"),
        ({"classes": {"id": 1}}, r"^classes: must be a list of dicts, got dict"),
        ({"classes": [{"id": 1}]}, r"^classes\[0\]: must have the keys id and name"),
        ({"classes": [{"id": 0.5, "name": "a"}]}, r"^classes\[0\]: id must be an int or a str"),
        ({"classes": ["car"]}, r"^classes\[0\]: must be a dict, got str"),
    ],
)  # fmt: skip
def test_wrong_annotations_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, InvalidInputError), match=message):
        trackai.Image(PIXELS, **arguments)
