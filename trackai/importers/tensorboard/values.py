"""What the value of a summary is: TF1's fields and TF2's tensors alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.values.non_finite import json_value

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_TENSOR = "there is no place for tensors of this kind"
# Beyond the largest number: "everything above", as TF1 writes it.
_ABOVE = 1e308
# Field numbers of TensorFlow's DataType.
_FLOAT, _DOUBLE, _STRING = 1, 2, 7


class Number(msgspec.Struct, frozen=True):
    """A scalar."""

    value: float | int | bool


class Text(msgspec.Struct, frozen=True):
    """A text, or several as a JSON list."""

    value: str


class Histogram(msgspec.Struct, frozen=True):
    """A histogram as the store has it: the JSON of its edges and of the counts between them."""

    value: str


class Media(msgspec.Struct, frozen=True):
    """Images or sounds, each the bytes of a file."""

    what: str
    files: list[bytes]


class Other(msgspec.Struct, frozen=True):
    """Something for which there is no place: what it is, and why there is none."""

    what: str
    reason: str


Content = Number | Text | Histogram | Media | Other


def of(value: Any, plugin: str) -> Content:
    """The content of a `Summary.Value`, of which the tag belongs to that plugin."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return Number(value.simple_value)
    if kind == "tensor":
        return _of_tensor(value.tensor, plugin)
    if kind == "histo":
        return _of_histogram(value.histo)
    if kind == "image":
        return Media("images", [value.image.encoded_image_string])
    if kind == "audio":
        return Media("sounds", [value.audio.encoded_audio_string])
    what = plugin or kind or "values without content"
    return Other(what, f"there is no place for {what}")


def _of_tensor(tensor: Any, plugin: str) -> Content:
    if tensor.dtype == _STRING:
        return _of_strings([bytes(one) for one in tensor.string_val], plugin)
    # Nearly all tensors are these: a library takes a hundred times as long for them.
    if not tensor.tensor_shape.dim and tensor.dtype == _FLOAT and len(tensor.float_val) == 1:
        return Number(tensor.float_val[0])
    if not tensor.tensor_shape.dim and tensor.dtype == _DOUBLE and len(tensor.double_val) == 1:
        return Number(tensor.double_val[0])
    from tensorboard.util.tensor_util import make_ndarray

    try:
        array = make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        return Other(plugin or "tensors", f"its tensor cannot be read: {error}")
    if plugin == "histograms" and array.ndim == 2 and array.shape[1] == 3:
        lefts, rights, counts = array.T.tolist()
        return _histogram([*lefts[:1], *rights], counts)
    if array.size == 1 and plugin in ("", "scalars") and array.dtype.kind in "fiub":
        number = array.reshape(-1)[0].item()
        return Number(number)
    return Other(plugin or "tensors", NO_TENSOR)


def _of_strings(strings: list[bytes], plugin: str) -> Content:
    if plugin in ("images", "audio"):
        # TF2 has width and height before images, a label after each sound.
        media = strings[2:] if plugin == "images" else strings[::2]
        return Media("images" if plugin == "images" else "sounds", media)
    if plugin not in ("", "text"):
        return Other(plugin, f"there is no place for {plugin}")
    texts = [one.decode(errors="replace") for one in strings]
    return Text(texts[0] if len(texts) == 1 else msgspec.json.encode(texts).decode())


def _of_histogram(histo: Any) -> Content:
    limits, counts = list(histo.bucket_limit), list(histo.bucket)
    if not limits or len(limits) != len(counts):
        return _histogram([], [])
    if limits[-1] > _ABOVE:
        limits[-1] = max(histo.max, *limits[-2:-1])
    return _histogram([min(histo.min, limits[0]), *limits], counts)


def _histogram(edges: Sequence[float], counts: Sequence[float]) -> Histogram:
    content = {
        "type": "COUNTING",
        "edges": [edge if math.isfinite(edge) else json_value(edge, "number") for edge in edges],
        "values": counts,
    }
    return Histogram(msgspec.json.encode(content).decode())


def extension(data: bytes) -> str:
    """What a file with these bytes is called at its end."""
    for start, name in (
        (b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"GIF8", "gif"), (b"RIFF", "wav")
    ):  # fmt: skip
        if data.startswith(start):
            return name
    return "bin"
