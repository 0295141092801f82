"""Values and files that cannot be stored: named in a warning once, counted, or raised."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError, TrackAIError
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Iterator


# The first names get a warning each; more would hide the other output of the script.
_MAX_WARNINGS = 20
# Limits the memory of a script that uses new names in every call.
_MAX_NAMES = 1000
_REPORTED_NAMES = 10
_OTHERS = "further names"


class LeftOut:
    """The values and files of a run that cannot be stored.

    A training script does not end because of them, unless it is strict.

    Attributes:
        strict: raise the errors instead.
    """

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self._counts: dict[str, int] = {}
        self._mentioned: set[str] = set()

    def mention(self, name: str, message: str) -> None:
        """Log a warning about a value that is stored in another form, once for each name."""
        if name not in self._mentioned and len(self._mentioned) < _MAX_WARNINGS:
            self._mentioned.add(name)
            logger.warning("%s", message)

    def add(self, name: str, error: Exception, consequence: str = "left out") -> None:
        """Count an error, and log a warning if it is the first one of this name.

        Args:
            name: what cannot be stored, such as "metric 'loss'".
            error: why.
            consequence: what happens instead, for the warning.

        Raises:
            Exception: the error, if the run is strict.
        """
        if self.strict:
            raise error
        if name not in self._counts and len(self._counts) >= _MAX_NAMES:
            name = _OTHERS
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        if count == 0 and len(self._counts) <= _MAX_WARNINGS:
            logger.warning("%s; %s", _message(name, error), consequence)
        elif count == 0 and len(self._counts) == _MAX_WARNINGS + 1:
            logger.warning("further values are left out without a warning; finish() logs how many")

    @contextmanager
    def errors_of(self, name: str, consequence: str = "left out") -> Iterator[None]:
        """Add an error about an argument or a file that the block raises, and end the block."""
        try:
            yield
        except (TypeError, InvalidInputError, OSError) as error:
            self.add(name, error, consequence)

    def report(self) -> None:
        """Log how often something was left out, and begin to count again."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        names = [
            f"{name} ({'once' if count == 1 else f'{count} times'})"
            for name, count in counts.items()
        ][:_REPORTED_NAMES]
        if len(counts) > _REPORTED_NAMES:
            names.append(f"and {len(counts) - _REPORTED_NAMES} more")
        total = sum(counts.values())
        logger.warning(
            "%s left out: %s", "1 value was" if total == 1 else f"{total} values were",
            ", ".join(names),
        )  # fmt: skip

    def forget(self) -> None:
        """Begin to count again: in a forked process, what the parent left out is the parent's."""
        self._counts = {}


def _message(name: str, error: Exception) -> str:
    """One line that contains the name; messages of other libraries may have several."""
    message = " ".join(str(error).split())
    if name not in message:
        kind = "" if isinstance(error, TrackAIError) else f"{type(error).__name__}: "
        message = f"{name}: {kind}{message}"
    return message
