"""Versions of charts: what a client has is not sent again.

A version names beginnings of a chart, each by its number of buckets and a hash of their JSON. The
client sends back the version of the chart that it has. The server reads the chart as always, and
leaves out the longest of these beginnings that is still the same. So whatever has changed is sent:
points that arrive late, a resumed run, wider buckets. Nothing is kept on the server.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.structs.records import BandData, ChartData

# Mostly the last bucket changes; ranks that are behind change a few. The last entry is half.
_FROM_END = (0, 1, 4, 16, 64)
# Of a version, more beginnings than a server names are ignored.
_MOST = 8

_encode = msgspec.json.Encoder().encode


def shorten(chart: ChartData | BandData, version: str | None) -> None:
    """Add the version of a chart, and leave out the beginning that the client has.

    The averages of a smoothed chart all change with each point, so they become a column of their
    own.

    Args:
        version: the version of the chart that the client has; None without one.
    """
    if not isinstance(chart.smoothed_within, msgspec.UnsetType):
        chart.smoothed = [bucket.smoothed for bucket in chart.data]  # type: ignore[misc]
        for bucket in chart.data:
            bucket.smoothed = msgspec.UNSET
    count = len(chart.data)
    known = {length: digest for length, digest in _parse(version or "") if length <= count}
    named = sorted({max(0, count - places) for places in _FROM_END} | {count // 2})
    parts = []
    hashed = blake2b(digest_size=8)
    digests = {0: hashed.hexdigest()}
    cuts = sorted({0, *named, *known})
    for begin, end in pairwise(cuts):
        parts.append(_encode(chart.data[begin:end])[1:-1])
        hashed.update(b",%b" % parts[-1])  # whatever the cuts are, as commas separate buckets
        digests[end] = hashed.hexdigest()
    kept = max((length for length, digest in known.items() if digests[length] == digest), default=0)
    if kept:
        chart.kept = kept
    chart.version = ",".join(f"{length}.{digests[length]}" for length in named if length)
    # Encoded already.
    chart.data = msgspec.Raw(b"[%b]" % b",".join(parts[cuts.index(kept) :]))  # type: ignore[assignment]


def _parse(version: str) -> Iterable[tuple[int, str]]:
    """The lengths and hashes of a version; text that is not a version names nothing."""
    for entry in version.split(",")[:_MOST]:
        length, _, digest = entry.partition(".")
        if length.isascii() and length.isdecimal() and len(length) < 10:
            yield int(length), digest
