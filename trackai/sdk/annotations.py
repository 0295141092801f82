"""Boxes, masks and classes of images, in wandb's form: how they are checked and stored."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.sdk.arrays import plain_array
from trackai.sdk.builtin_values import jsonable, type_name, unwrapped
from trackai.values.names import path_problem
from trackai.values.text import checked_text

_CORNERS = ("minX", "maxX", "minY", "maxY")
_MAX_CLASS_ID = 65535


class Classes:
    """The classes of the boxes and masks of images.

    Args:
        class_set: dicts with an "id", an int or a str, and a "name".

    Raises:
        TypeError: a class is not a dict, or its id or name has another type.
        InvalidInputError: a class has no id or no name.

    Example:
        classes = trackai.Classes([{"id": 0, "name": "road"}, {"id": 1, "name": "car"}])
        trackai.Image(pixels, masks={"truth": {"mask_data": mask}}, classes=classes)
    """

    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        self.class_set = [_checked_class(item, f"classes[{at}]") for at, item in _each(class_set)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self.class_set == other.class_set

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Classes({self.class_set!r})"


class Mask(NamedTuple):
    """A mask: a picture with a class id for each pixel, and the names of the ids."""

    content: bytes | Path
    suffix: str
    class_labels: dict[str, str] | None


class Annotations(NamedTuple):
    """The boxes, masks and classes of an image, checked."""

    boxes: dict[str, Any]
    masks: dict[str, Mask]
    classes: list[dict[str, Any]]

    def mask_files(self, path: str) -> dict[str, Mask]:
        """Return the masks by the name under which each is stored.

        Args:
            path: the name under which the image is logged.
        """
        return {f"{path}/masks/{name}": mask for name, mask in self.masks.items()}

    def json(self, path: str) -> bytes:
        """Return the file that is stored beside an image; see docs/logging.md.

        Args:
            path: the name under which the image is logged.
        """
        masks = {}
        for name, (file, mask) in zip(self.masks, self.mask_files(path).items(), strict=True):
            labels = {} if mask.class_labels is None else {"class_labels": mask.class_labels}
            masks[name] = {"file": file, **labels}
        content = {"image": path, "boxes": self.boxes, "masks": masks, "classes": self.classes}
        return msgspec.json.encode({key: value for key, value in content.items() if value})


def checked_annotations(boxes: Any, masks: Any, classes: Any) -> Annotations | None:
    """Check the annotations of an image; None if there are none.

    Raises:
        TypeError: something has a wrong type or shape.
        InvalidInputError: something is missing, or has a value that is not allowed.
    """
    if boxes is None and masks is None and classes is None:
        return None
    if classes is not None and not isinstance(classes, Classes):
        classes = Classes(classes)
    return Annotations(
        {name: _checked_boxes(item, field) for name, item, field in _groups(boxes, "boxes")},
        {name: _checked_mask(item, field) for name, item, field in _groups(masks, "masks")},
        [] if classes is None else classes.class_set,
    )


def _groups(groups: Any, field: str) -> list[tuple[str, Mapping[str, Any], str]]:
    """Return the groups of boxes or masks, each with its name and the field for errors."""
    checked_groups = []
    for name, group in _mapping({} if groups is None else groups, field).items():
        if not isinstance(name, str):
            raise TypeError(f"{field}: the names must be str, got {type_name(name)}")
        if problem := path_problem(checked_text(field, name)):
            raise InvalidInputError(field, f"the name {name[:100]!r} {problem}")
        label = f"{field}[{name!r}]"
        checked_groups.append((name, _mapping(group, label), label))
    return checked_groups


def _checked_boxes(group: Mapping[str, Any], field: str) -> dict[str, Any]:
    if "box_data" not in group:
        raise InvalidInputError(field, 'must have a list "box_data"')
    items = group["box_data"]
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise TypeError(f"{field}: box_data must be a list, got {type_name(items)}")
    boxes = []
    for number, item in enumerate(items):
        label = f"{field}: box_data[{number}]"
        box = _mapping(item, label)
        _check_position(_mapping(box.get("position"), f"{label}: position"), label)
        _check_details(box, label)
        boxes.append(jsonable(box))
    labels = _class_labels(group, field)
    return {"box_data": boxes} if labels is None else {"box_data": boxes, "class_labels": labels}


def _check_position(position: Mapping[str, Any], field: str) -> None:
    if "middle" in position:
        middle = jsonable(position["middle"])
        numbers = middle if isinstance(middle, list) and len(middle) == 2 else [None]
        numbers += [unwrapped(position.get(key)) for key in ("width", "height")]
    else:
        numbers = [unwrapped(position.get(key)) for key in _CORNERS]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, Real) or not math.isfinite(number):
            raise InvalidInputError(
                field,
                "position must have the numbers minX, maxX, minY and maxY, or middle [x, y], width "
                f"and height, got {jsonable(position)}",
            )


def _check_details(box: Mapping[str, Any], field: str) -> None:
    domain = box.get("domain")
    if domain is not None and domain != "pixel":
        raise InvalidInputError(field, f'domain must be None or "pixel", got {domain!r}')
    class_id = unwrapped(box.get("class_id"))
    if class_id is not None and not isinstance(class_id, Integral):
        raise TypeError(f"{field}: class_id must be an int, got {type_name(class_id)}")
    caption = box.get("box_caption")
    if caption is not None and not isinstance(caption, str):
        raise TypeError(f"{field}: box_caption must be a str, got {type_name(caption)}")
    for name, score in _mapping(box.get("scores") or {}, f"{field}: scores").items():
        if not isinstance(name, str) or not isinstance(unwrapped(score), Real):
            raise TypeError(f"{field}: scores must be numbers by name, got {jsonable(score)!r}")


def _checked_mask(group: Mapping[str, Any], field: str) -> Mask:
    labels = _class_labels(group, field)
    if "mask_data" in group:
        return Mask(_png(group["mask_data"], field), ".png", labels)
    path = group.get("path")
    if not isinstance(path, str | os.PathLike):
        raise InvalidInputError(field, 'must have an array "mask_data" or a file "path"')
    file = Path(path)
    if not file.is_file():
        raise InvalidInputError(field, f"file {str(file)!r} not found")
    return Mask(file, file.suffix.lower() or ".png", labels)


def _png(data: Any, field: str) -> bytes:
    """Encode a mask as a grey image, of 16 bits if a class id is above 255."""
    try:
        array = plain_array(data, "a mask", missing=0)
    except TypeError as error:
        raise TypeError(f"{field}: mask_data {error}") from None
    if array.ndim != 2 or array.size == 0:
        raise TypeError(
            f"{field}: mask_data must have the shape (height, width), got {array.shape}"
        )
    if array.dtype.kind == "f" and (array == array.round()).all():
        array = array.astype("int64")
    if array.dtype.kind not in "biu" or array.min() < 0 or array.max() > _MAX_CLASS_ID:
        raise InvalidInputError(
            field, f"mask_data must hold class ids, integers from 0 to {_MAX_CLASS_ID}"
        )
    try:
        from PIL import Image as PillowImage
    except ImportError:
        raise MissingExtraError("a mask", "media") from None
    file = io.BytesIO()
    ids = array.astype("uint16" if array.max() > 255 else "uint8")
    PillowImage.fromarray(ids).save(file, "PNG")
    return file.getvalue()


def _class_labels(group: Mapping[str, Any], field: str) -> dict[str, str] | None:
    """Return names by class id, with the ids as text, as in JSON."""
    labels = group.get("class_labels")
    if labels is None:
        return None
    checked_labels = {}
    for number, name in _mapping(labels, f"{field}: class_labels").items():
        if not isinstance(unwrapped(number), Integral) or not isinstance(name, str):
            raise TypeError(
                f"{field}: class_labels must be names by class id, got {number!r}: {name!r}"
            )
        checked_labels[str(unwrapped(number))] = name
    return checked_labels


def _checked_class(item: Any, field: str) -> dict[str, Any]:
    item = _mapping(item, field)
    for key in ("id", "name"):
        if key not in item:
            raise InvalidInputError(field, f"must have the keys id and name, got {jsonable(item)}")
    number, name = unwrapped(item["id"]), item["name"]
    if not isinstance(number, Integral | str) or not isinstance(name, str):
        raise TypeError(f"{field}: id must be an int or a str, and name a str, got {item!r}")
    return {key: jsonable(value) for key, value in item.items()}


def _each(items: Any) -> list[tuple[int, Any]]:
    if isinstance(items, str | Mapping) or not isinstance(items, Sequence):
        raise TypeError(f"classes: must be a list of dicts, got {type_name(items)}")
    return list(enumerate(items))


def _mapping(value: Any, field: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{field}: must be a dict, got {type_name(value)}")
    return value
