"""Decodes the values of summaries: fields of TensorFlow 1 and tensors of TensorFlow 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.importers.json_values import json_value

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSUPPORTED_TENSOR = "tensors of this type or shape are not supported"
# TensorFlow 1 writes the largest double as the last limit: "everything above".
_UNBOUNDED = 1e308
# Field numbers of TensorFlow's DataType.
_FLOAT, _DOUBLE, _STRING = 1, 2, 7


class Number(msgspec.Struct, frozen=True):
    """A scalar."""

    value: float | int | bool


class Text(msgspec.Struct, frozen=True):
    """A text, or several texts as a JSON list."""

    value: str


class Histogram(msgspec.Struct, frozen=True):
    """A histogram as the store holds it: the JSON of its edges and the counts between them."""

    value: str


class Media(msgspec.Struct, frozen=True):
    """Images or sounds, each as the bytes of a file."""

    type: str
    files: list[bytes]


class Unsupported(msgspec.Struct, frozen=True):
    """A value that cannot be stored: its type and the reason, for the receipt."""

    type: str
    reason: str


Content = Number | Text | Histogram | Media | Unsupported


def decode(value: Any, plugin: str) -> Content:
    """Decode a `Summary.Value` of a tag that belongs to the plugin."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return Number(value.simple_value)
    if kind == "tensor":
        return _decode_tensor(value.tensor, plugin)
    if kind == "histo":
        return _decode_histogram(value.histo)
    if kind == "image":
        return Media("images", [value.image.encoded_image_string])
    if kind == "audio":
        return Media("sounds", [value.audio.encoded_audio_string])
    type_ = plugin or kind or "values without content"
    return Unsupported(type_, f"{type_} are not supported")


def _decode_tensor(tensor: Any, plugin: str) -> Content:
    if tensor.dtype == _STRING:
        return _decode_strings([bytes(text) for text in tensor.string_val], plugin)
    # Most tensors are scalars. `make_ndarray` takes a hundred times as long for them.
    if not tensor.tensor_shape.dim and tensor.dtype == _FLOAT and len(tensor.float_val) == 1:
        # `trackai export` adds the exact value in the field of its type.
        exact = tensor.double_val or tensor.int64_val or tensor.bool_val
        return Number(exact[0] if exact else tensor.float_val[0])
    if not tensor.tensor_shape.dim and tensor.dtype == _DOUBLE and len(tensor.double_val) == 1:
        return Number(tensor.double_val[0])
    from tensorboard.util.tensor_util import make_ndarray

    try:
        array = make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        return Unsupported(plugin or "tensors", f"the tensor cannot be read: {error}")
    if plugin == "histograms" and array.ndim == 2 and array.shape[1] == 3:
        lefts, rights, counts = array.T.tolist()
        return _histogram([*lefts[:1], *rights], counts)
    if array.size == 1 and plugin in ("", "scalars") and array.dtype.kind in "fiub":
        return Number(array.reshape(-1)[0].item())
    return Unsupported(plugin or "tensors", UNSUPPORTED_TENSOR)


def _decode_strings(strings: list[bytes], plugin: str) -> Content:
    if plugin in ("images", "audio"):
        # TensorFlow 2 writes width and height before images, and a label after each sound.
        media = strings[2:] if plugin == "images" else strings[::2]
        return Media("images" if plugin == "images" else "sounds", media)
    if plugin not in ("", "text"):
        return Unsupported(plugin, f"{plugin} are not supported")
    texts = [text.decode(errors="replace") for text in strings]
    return Text(texts[0] if len(texts) == 1 else msgspec.json.encode(texts).decode())


def _decode_histogram(histo: Any) -> Content:
    limits, counts = list(histo.bucket_limit), list(histo.bucket)
    if not limits or len(limits) != len(counts):
        return _histogram([], [])
    if limits[-1] > _UNBOUNDED:
        limits[-1] = max(histo.max, *limits[-2:-1])
    return _histogram([min(histo.min, limits[0]), *limits], counts)


def _histogram(edges: Sequence[float], counts: Sequence[float]) -> Histogram:
    content = {"type": "COUNTING", "edges": json_value(list(edges)), "values": counts}
    return Histogram(msgspec.json.encode(content).decode())


def extension(data: bytes) -> str:
    """Return the file name extension for the bytes of an image or a sound."""
    for signature, name in (
        (b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"GIF8", "gif"), (b"RIFF", "wav")
    ):  # fmt: skip
        if data.startswith(signature):
            return name
    return "bin"
