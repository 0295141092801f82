"""Makes TensorBoard's messages of values: scalars, texts, histograms, images, audio, hparams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import Value
from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_SCALAR,
    DATA_CLASS_TENSOR,
    SummaryMetadata,
)
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_STRING
from tensorboard.plugins.audio.plugin_data_pb2 import AudioPluginData
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from trackai.exporters.images import size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.structs.exchange import RunHead
    from trackai.values.types import State

HPARAMS_START = "_hparams_/session_start_info"
HPARAMS_END = "_hparams_/session_end_info"
IMAGES = ("png", "jpg", "jpeg", "gif")
SOUNDS = ("wav",)
_CLASSES = {
    "scalars": DATA_CLASS_SCALAR,
    "text": DATA_CLASS_TENSOR,
    "histograms": DATA_CLASS_TENSOR,
    "images": DATA_CLASS_BLOB_SEQUENCE,
    "audio": DATA_CLASS_BLOB_SEQUENCE,
}
_STATUS = {"completed": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}


def metadata(plugin: str) -> Any:
    """Return what the first value of a tag says: which plugin shows it."""
    message = SummaryMetadata(data_class=_CLASSES[plugin])
    message.plugin_data.plugin_name = plugin
    if plugin == "audio":
        content = AudioPluginData(encoding=AudioPluginData.WAV)
        message.plugin_data.content = content.SerializeToString()
    return message


def scalar(value: float | int | bool) -> Any:
    """Return a tensor of a float of 32 bits, the only scalars that TensorBoard shows.

    A value that it cannot hold, or that is not a float, is also in the field of its own type, which
    TensorBoard does not read and an import does.
    """
    try:
        tensor = TensorProto(dtype=DT_FLOAT, float_val=[value])
    except OverflowError:
        tensor = TensorProto(dtype=DT_FLOAT, float_val=[math.copysign(math.inf, value)])
    if isinstance(value, bool):
        tensor.bool_val.append(value)
    elif isinstance(value, int):
        tensor.int64_val.append(value)
    elif tensor.float_val[0] != value == value:
        tensor.double_val.append(value)
    return tensor


def is_rounded(tensor: Any) -> bool:
    """Whether TensorBoard shows another value than the one in a scalar."""
    return bool(tensor.double_val) or any(n != tensor.float_val[0] for n in tensor.int64_val)


def text(value: str) -> Any:
    """Return a tensor of a text."""
    return TensorProto(dtype=DT_STRING, string_val=[value.encode()])


def histogram(edges: Sequence[float], counts: Sequence[float]) -> Any:
    """Return a tensor with the left edge, the right edge and the count of each bin."""
    bins = zip(edges, edges[1:], counts, strict=False)
    rows = [number for left, right, count in bins for number in (left, right, float(count))]
    tensor = TensorProto(dtype=DT_DOUBLE, double_val=rows)
    tensor.tensor_shape.dim.add(size=len(rows) // 3)
    tensor.tensor_shape.dim.add(size=3)
    return tensor


def images(files: Sequence[bytes]) -> Any:
    """Return a tensor of images, with the width and height of the first one."""
    width, height = size_of(files[0]) or (0, 0)
    strings = [str(width).encode(), str(height).encode(), *files]
    tensor = TensorProto(dtype=DT_STRING, string_val=strings)
    tensor.tensor_shape.dim.add(size=len(strings))
    return tensor


def sounds(files: Sequence[bytes]) -> Any:
    """Return a tensor of sounds, each with an empty label."""
    tensor = TensorProto(
        dtype=DT_STRING, string_val=[part for file in files for part in (file, b"")]
    )
    tensor.tensor_shape.dim.add(size=len(files))
    tensor.tensor_shape.dim.add(size=2)
    return tensor


def session_start(head: RunHead, config: dict[str, Any]) -> Any:
    """Return the configuration as hyperparameters, with the group of the run."""
    data = plugin_data_pb2.HParamsPluginData(version=0)
    info = data.session_start_info
    info.start_time_secs = head.created_at / 1e6
    info.group_name = head.group_name or ""
    for key, value in config.items():
        info.hparams[key].CopyFrom(_value(value))
    return _hparams(data)


def session_end(state: State, time: int) -> Any:
    """Return how the run ended."""
    data = plugin_data_pb2.HParamsPluginData(version=0)
    data.session_end_info.status = _STATUS[state]
    data.session_end_info.end_time_secs = time / 1e6
    return _hparams(data)


def _hparams(data: Any) -> Any:
    message = SummaryMetadata()
    message.plugin_data.plugin_name = "hparams"
    message.plugin_data.content = data.SerializeToString()
    return message


def _value(value: Any) -> Any:
    match value:
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=float(value))
        case str():
            return Value(string_value=value)
        case list():
            message = Value()
            message.list_value.values.extend(map(_value, value))
            message.list_value.SetInParent()
            return message
        case dict():
            message = Value()
            for key, inner in value.items():
                message.struct_value.fields[key].CopyFrom(_value(inner))
            message.struct_value.SetInParent()
            return message
        case _:
            return Value(null_value=0)
