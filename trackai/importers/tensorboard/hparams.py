"""What the hparams plugin says about a run: hyperparameters, a group, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

if TYPE_CHECKING:
    from trackai.values.types import State

_EXACT = 1 << 53


class Hparams:
    """Gathers what a run's files say."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.group: str | None = None
        # A log does not say whether somebody still writes it.
        self.state: State = "completed"

    def take(self, content: bytes) -> None:
        """One more message of the plugin; one that cannot be read says nothing."""
        try:
            data = HParamsPluginData.FromString(content)
        except DecodeError:
            return
        if data.HasField("session_start_info"):
            info = data.session_start_info
            self.config |= {key: _plain(value) for key, value in info.hparams.items()}
            self.group = info.group_name or self.group
        elif data.HasField("session_end_info"):
            failed = data.session_end_info.status == STATUS_FAILURE
            self.state = "failed" if failed else "completed"


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        # The plugin knows no integers: 32 comes as 32.0.
        return int(number) if number.is_integer() and abs(number) < _EXACT else _finite(number)
    if kind in ("string_value", "bool_value"):
        return getattr(value, kind)
    if kind == "list_value":
        return [_plain(one) for one in value.list_value.values]
    if kind == "struct_value":
        return {key: _plain(one) for key, one in value.struct_value.fields.items()}
    return None


def _finite(number: float) -> float | str:
    if number != number:
        return "NaN"
    return number if abs(number) != float("inf") else "Infinity" if number > 0 else "-Infinity"
