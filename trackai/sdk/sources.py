"""The former name of the sources in `trackai.reading`, for scripts that import it."""

from trackai.reading.local_source import LocalSource
from trackai.reading.remote_source import RemoteSource

__all__ = ["LocalSource", "RemoteSource"]
