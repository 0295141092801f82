"""Reads the messages of TensorBoard's hparams plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from trackai.importers.json_values import json_value

if TYPE_CHECKING:
    from trackai.values.types import State

# Up to here every integer is an exact double.
_MAX_EXACT = 1 << 53


class Hparams:
    """The hyperparameters, group and final state of a run.

    Attributes:
        state: "completed" if the plugin does not say how the run ended: an event file does not
            show whether its writer is still running.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.group: str | None = None
        self.state: State = "completed"

    def add(self, content: bytes) -> None:
        """Add a message of the plugin; a message that cannot be decoded is ignored."""
        try:
            data = HParamsPluginData.FromString(content)
        except DecodeError:
            return
        if data.HasField("session_start_info"):
            info = data.session_start_info
            self.config |= {key: _python_value(value) for key, value in info.hparams.items()}
            self.group = info.group_name or self.group
        elif data.HasField("session_end_info"):
            failed = data.session_end_info.status == STATUS_FAILURE
            self.state = "failed" if failed else "completed"


def _python_value(value: Any) -> Any:
    """Convert a protobuf `Value` to a value that JSON can hold."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        # The plugin has no integers: it stores 32 as 32.0.
        if number.is_integer() and abs(number) < _MAX_EXACT:
            return int(number)
        return json_value(number)
    if kind in ("string_value", "bool_value"):
        return getattr(value, kind)
    if kind == "list_value":
        return [_python_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return {key: _python_value(item) for key, item in value.struct_value.fields.items()}
    return None
