"""The summary of a run that is being logged: the last value of each metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any


class Summary(MutableMapping[str, Any]):
    """The last value of each metric of a run.

    Reading stores what has been logged so far first. A value that is set is logged at the
    current step. Keys are attributes too, except those that begin with "_". Keys cannot be
    deleted.

    Example:
        run.summary["best"] = 0.7
        run.summary.loss  # the last value of loss
    """

    def __init__(
        self, log: Callable[[dict[str, Any]], None], read: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Make a summary that logs with `log` and reads the last values with `read`."""
        self._log = log
        self._read = read
        self._set: dict[str, Any] = {}

    def _values(self) -> dict[str, Any]:
        return {**self._set, **self._read()}

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._log({key: value})
        self._set[key] = value

    def __delitem__(self, key: str) -> None:
        raise TypeError("summary: keys cannot be deleted, as logged values are kept")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"summary: key {name!r} not found") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr(self._values())

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return dict, (self._values(),)  # a copy is a plain dict: setting a key there logs nothing
