"""What a server counts about itself, in the text format that Prometheus reads."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)


class Meters:
    """Counts requests and how long they took, by method and route."""

    def __init__(self) -> None:
        self._started = time.time()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: Counter[tuple[str, str]] = Counter()
        self._slots: dict[tuple[str, str], list[int]] = {}
        self.under_way = 0

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the pattern, so that there are only so many."""
        self._requests[method, route, status] += 1
        self._seconds[method, route] += seconds  # type: ignore[assignment]
        slots = self._slots.setdefault((method, route), [0] * (len(_BUCKETS) + 1))
        slots[bisect_left(_BUCKETS, seconds)] += 1

    def text(self, gauges: dict[str, float]) -> str:
        """All that was counted; `gauges` are further figures, by their name."""
        lines = ["# TYPE trackai_http_requests_total counter"]
        totals: Counter[tuple[str, str]] = Counter()
        for (method, route, status), number in sorted(self._requests.items()):
            labels = f'method="{method}",route="{_escaped(route)}"'
            lines.append(f'trackai_http_requests_total{{{labels},status="{status}"}} {number}')
            totals[method, route] += number
        lines.append("# TYPE trackai_http_request_seconds histogram")
        for (method, route), number in sorted(totals.items()):
            labels = f'method="{method}",route="{_escaped(route)}"'
            name = "trackai_http_request_seconds"
            # A bucket counts all that took at most so long.
            within_bounds = accumulate(self._slots[method, route])
            for bound, within in zip(_BUCKETS, within_bounds, strict=False):
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {within}')
            lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {number}')
            lines.append(f"{name}_sum{{{labels}}} {self._seconds[method, route]}")
            lines.append(f"{name}_count{{{labels}}} {number}")
        for name, value in {
            "trackai_start_time_seconds": self._started,
            "trackai_http_requests_under_way": self.under_way,
            **gauges,
        }.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
