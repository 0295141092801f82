"""Counters and gauges of the server, in the Prometheus text format."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trackai.ingest.deliveries import Outcome

# Upper bounds of the histogram's buckets, in seconds.
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
_BATCHES = "/api/journals/{journal}"
# Why a batch of a journal was refused, by the status of the response.
_REFUSALS = {
    403: "forbidden",
    409: "file_missing",
    413: "too_large",
    415: "media_type",
    422: "invalid",
    426: "protocol",
    503: "unavailable",
    507: "disk_full",
}


class ServerMetrics:
    """Counts requests and their durations by method and route, and what other machines log.

    Attributes:
        in_progress: the number of requests being answered now.
        file_bytes: the bytes of files received from other machines.
    """

    def __init__(self) -> None:
        self._started = time.time()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        # Batches of journals by what became of them. A rate needs a counter from 0 on.
        self._batches = Counter({"stored": 0, "repeated": 0, "run_deleted": 0})
        self._batch_points = 0
        self._batch_bytes = 0
        self.file_bytes = 0
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

    def count_batch(self, outcome: Outcome, *, points: int, size: int) -> None:
        """Count a batch of a journal that was not refused; `size` is its bytes."""
        self._batch_bytes += size
        if outcome.run_deleted:
            self._batches["run_deleted"] += 1
        elif not outcome.stored:
            self._batches["repeated"] += 1
        else:
            self._batches["stored"] += 1
            self._batch_points += points

    def text(self, gauges: Mapping[str, float], transactions: tuple[int, float]) -> str:
        """Format all metrics.

        Args:
            gauges: further gauges, by name.
            transactions: the number of transactions that stored something, and their seconds.
        """
        lines = [*self._request_lines(), *self._batch_lines()]
        name, (count, seconds) = "trackai_transaction_seconds", transactions
        lines += [f"# TYPE {name} summary", f"{name}_sum {seconds}", f"{name}_count {count}"]
        for name, value in {
            "trackai_start_time_seconds": self._started,
            "trackai_http_requests_under_way": self.in_progress,
            **gauges,
        }.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value}"]
        return "\n".join(lines) + "\n"

    def _request_lines(self) -> Iterable[str]:
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
        return lines

    def _batch_lines(self) -> Iterable[str]:
        refused = Counter(dict.fromkeys([*_REFUSALS.values(), "other"], 0))
        for (method, route, status), count in self._requests.items():
            if method == "POST" and route == _BATCHES and status >= 400:
                refused[_REFUSALS.get(status, "other")] += count
        name = "trackai_journal_batches_total"
        yield f"# TYPE {name} counter"
        for outcome, count in self._batches.items():
            yield f'{name}{{outcome="{outcome}"}} {count}'
        name = "trackai_journal_batches_refused_total"
        yield f"# TYPE {name} counter"
        for reason, count in refused.items():
            yield f'{name}{{reason="{reason}"}} {count}'
        for name, count in {
            "trackai_journal_points_total": self._batch_points,
            "trackai_journal_bytes_total": self._batch_bytes,
            "trackai_file_bytes_total": self.file_bytes,
        }.items():
            yield f"# TYPE {name} counter"
            yield f"{name} {count}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
