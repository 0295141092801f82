"""Request counters and gauges of the server, in the Prometheus text format."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

# Upper bounds of the histogram's buckets, in seconds.
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)


class ServerMetrics:
    """Counts requests and their durations by method and route.

    Attributes:
        in_progress: the number of requests being answered now.
    """

    def __init__(self) -> None:
        self._started = time.time()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self.in_progress = 0

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request.

        Args:
            route: the path pattern, which keeps the number of label values small.
        """
        self._requests[method, route, status] += 1
        self._seconds[method, route] += seconds  # type: ignore[assignment]
        buckets = self._buckets.setdefault((method, route), [0] * (len(_BUCKETS) + 1))
        buckets[bisect_left(_BUCKETS, seconds)] += 1

    def text(self, gauges: dict[str, float]) -> str:
        """Format all metrics, followed by `gauges`, a mapping of names to values."""
        lines = ["# TYPE trackai_http_requests_total counter"]
        totals: Counter[tuple[str, str]] = Counter()
        for (method, route, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",route="{_escape(route)}"'
            lines.append(f'trackai_http_requests_total{{{labels},status="{status}"}} {count}')
            totals[method, route] += count
        lines.append("# TYPE trackai_http_request_seconds histogram")
        for (method, route), count in sorted(totals.items()):
            labels = f'method="{method}",route="{_escape(route)}"'
            name = "trackai_http_request_seconds"
            # Buckets of a Prometheus histogram are cumulative.
            cumulative = accumulate(self._buckets[method, route])
            for bound, within in zip(_BUCKETS, cumulative, strict=False):
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {within}')
            lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {count}')
            lines.append(f"{name}_sum{{{labels}}} {self._seconds[method, route]}")
            lines.append(f"{name}_count{{{labels}}} {count}")
        for name, value in {
            "trackai_start_time_seconds": self._started,
            "trackai_http_requests_under_way": self.in_progress,
            **gauges,
        }.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
