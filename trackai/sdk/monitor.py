"""System metrics of the machine during a run: processor, memory, disk, network and GPUs.

The metrics are named as in trackio. Packages are imported in a background thread: that takes long.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import anyio
from anyio.to_thread import run_sync

from trackai.errors import MissingExtraError, NoActiveRunError
from trackai.guard import guarded
from trackai.lazy_imports import import_lock
from trackai.settings import visible_gpus
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trackai.sdk.cgroups import ControlGroup

Readings = dict[str, float]
Subject = Literal["machine", "gpu"]

# The shortest time over which the first reading measures.
_SHORTEST_SECONDS = 0.2

_GIB = 1 << 30
_MIB = 1 << 20
# Of each subject: the module that is needed, and what for.
_MODULES: dict[Subject, tuple[str, str]] = {
    "machine": ("psutil", "logging the load of the processor"),
    "gpu": ("pynvml", "logging the load of GPUs"),
}
# By subject: the process and the function of `read_now`.
_meters: dict[Subject, tuple[int, Callable[[], Readings]]] = {}
_lock = threading.Lock()


class MonitoringEndedError(Exception):
    """There is nothing to read."""


def rank_prefix(rank: int | None) -> str:
    """What precedes the names that a process logs unasked: ranks of one run must not share them."""
    return f"rank-{rank}/" if rank else ""


def check_installed(subject: Subject) -> None:
    """Check, without importing it, that the package to read a subject is there.

    Raises:
        MissingExtraError: it is not.
    """
    name, purpose = _MODULES[subject]
    if importlib.util.find_spec(name) is None:
        raise MissingExtraError(purpose, "system")


def background_meter(subject: Subject, prefix: str, *, is_asked: bool) -> Callable[[], Readings]:
    """Return a function that reads a subject, for a background thread.

    Args:
        prefix: precedes the names.
        is_asked: warn if it cannot be read.
    """
    read: Callable[[], Readings] | None = None

    def read_prefixed() -> Readings:
        nonlocal read
        if read is None:
            try:
                read = _METERS[subject]()
            except (MissingExtraError, OSError) as error:
                if is_asked:
                    logger.warning("%s", error)
                raise MonitoringEndedError from None
        return {prefix + name: value for name, value in read().items()}

    return read_prefixed


def read_now(subject: Subject) -> Readings:
    """Read a subject in this thread; rates are those since the previous call.

    Raises:
        MissingExtraError: a package is not installed.
        OSError: the NVIDIA driver is not installed.
    """
    with _lock:
        pid, read = _meters.get(subject, (0, None))
        if read is None or pid != os.getpid():
            read = _METERS[subject]()
            _meters[subject] = os.getpid(), read
        return read()


def machine_meter(group: ControlGroup | None = None) -> Callable[[], Readings]:
    """Return a function that reads the load of this machine.

    It returns memory in GiB and, since the previous call, utilization in percent and disk and
    network traffic in MiB a second. The first call waits until these mean something. In a control
    group with limits, the memory and the processors are those that it may use.

    Args:
        group: the control group; default that of this process.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    psutil = _module("machine")
    with import_lock:  # here: it is needed only if psutil is installed
        from trackai.sdk.cgroups import ControlGroup

    return _MachineMeter(psutil, group or ControlGroup())


class _MachineMeter:
    def __init__(self, psutil: Any, group: ControlGroup) -> None:
        self._psutil = psutil
        self._group = group
        self._process = psutil.Process()
        self._times = psutil.cpu_times()
        # By the name of a rate: the time and the total of the previous call.
        self._totals: dict[str, tuple[float, float]] = {}
        self._rates()
        self._created_at = time.monotonic()

    def __call__(self) -> Readings:
        # In a background thread. The counters of processor time advance every 10 ms.
        time.sleep(max(self._created_at + _SHORTEST_SECONDS - time.monotonic(), 0))
        utilization = self._utilization()
        return {**utilization, **self._memory(), **self._rates()}

    def _memory(self) -> Readings:
        memory = self._psutil.virtual_memory()
        used, total, percent = memory.used, memory.total, memory.percent
        limit = self._group.memory()
        if limit is not None and 0 < limit.limit < total:
            used, total = limit
            percent = 100 * used / total
        return {
            "memory/used": used / _GIB, "memory/total": total / _GIB, "memory/percent": percent,
            "process/memory": self._process.memory_info().rss / _GIB,
        }  # fmt: skip

    def _utilization(self) -> Readings:
        # psutil.cpu_percent() compares with the previous call of the same thread, and returns 0 in
        # a new thread.
        before, self._times = self._times, self._psutil.cpu_times()
        share = busy_share(before._asdict(), self._times._asdict())
        return {} if share is None else {"cpu/utilization": 100 * share}

    def _rates(self) -> Readings:
        return {**self._traffic(), **self._tree(), **self._use_of_quota()}

    def _use_of_quota(self) -> Readings:
        quota = self._group.quota()
        if quota is None or quota.processors >= (os.cpu_count() or 1):
            return {}
        rate = self._rate("cpu/utilization", quota.used)
        return {name: min(100 * used / quota.processors, 100.0) for name, used in rate.items()}

    def _tree(self) -> Readings:
        """The memory and processor time of this process and its descendants."""
        memory, seconds = 0, 0.0
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(self._psutil.Error):  # it has ended
                memory += process.memory_info().rss
                # With the time of children that have ended.
                seconds += sum(process.cpu_times()[:4])
        rate = self._rate("process/tree_cpu", seconds)
        return {
            "process/tree_memory": memory / _GIB,
            **{name: 100 * used for name, used in rate.items()},
        }

    def _traffic(self) -> Readings:
        disk, network = self._psutil.disk_io_counters(), self._psutil.net_io_counters()
        readings: Readings = {}
        if disk is not None:  # a container may hide it
            readings |= self._rate("disk/read_mb_per_sec", disk.read_bytes / _MIB)
            readings |= self._rate("disk/write_mb_per_sec", disk.write_bytes / _MIB)
        if network is not None:
            readings |= self._rate("network/sent_mb_per_sec", network.bytes_sent / _MIB)
            readings |= self._rate("network/recv_mb_per_sec", network.bytes_recv / _MIB)
        return readings

    def _rate(self, name: str, total: float) -> Readings:
        now = time.monotonic()
        previous_time, previous_total = self._totals.get(name, (now, total))
        self._totals[name] = (now, total)
        if now <= previous_time:
            return {}
        # A total decreases when a disk or a network interface is removed.
        return {name: max(total - previous_total, 0) / (now - previous_time)}


def busy_share(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Return the share of the time that the processors worked between two `psutil.cpu_times()`.

    Returns:
        A number from 0 to 1; None if no time has passed.
    """
    # The time of virtual machines is part of the time of the user. A counter may be set back.
    spent = {
        name: max(after[name] - before[name], 0)
        for name in after
        if name not in ("guest", "guest_nice")
    }
    total = sum(spent.values())
    return 1 - (spent["idle"] + spent.get("iowait", 0)) / total if total > 0 else None


def gpu_meter() -> Callable[[], Readings]:
    """Return a function that reads the load of the NVIDIA GPUs that this process sees.

    It returns utilization in percent, memory in GiB, power in W and temperature in °C, by the
    index of the GPU in CUDA_VISIBLE_DEVICES.

    Raises:
        MissingExtraError: nvidia-ml-py is not installed.
        OSError: the NVIDIA driver is not installed.
    """
    nvml = _module("gpu")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise OSError(str(error)) from None
    devices = [
        (number, nvml.nvmlDeviceGetHandleByIndex(physical))
        for number, physical in enumerate(visible_gpus(nvml.nvmlDeviceGetCount()))
    ]

    def readings_of(handle: Any) -> Iterator[tuple[str, float]]:
        # Not every device supports every reading.
        with suppress(nvml.NVMLError):
            yield "utilization", nvml.nvmlDeviceGetUtilizationRates(handle).gpu
        with suppress(nvml.NVMLError):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            yield "allocated_memory", memory.used / _GIB
            yield "total_memory", memory.total / _GIB
        with suppress(nvml.NVMLError):
            yield "power", nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        with suppress(nvml.NVMLError):
            yield "temp", nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)

    def read() -> Readings:
        return {
            f"gpu/{number}/{name}": float(value)
            for number, handle in devices
            for name, value in readings_of(handle)
        }

    return read


async def log_regularly(
    read: Callable[[], Readings], log: Callable[[Readings], None], interval: float, delay: float
) -> None:
    """Log readings after `delay` seconds and every `interval` seconds, until the run finishes."""
    await anyio.sleep(delay)
    while True:
        with guarded("reading the load of the machine"):
            try:
                # A driver may be slow, and log() of another thread may hold the lock of the run:
                # the end of the run does not wait for it.
                await run_sync(lambda: log(read()), abandon_on_cancel=True)
            except (NoActiveRunError, MonitoringEndedError):
                return
        await anyio.sleep(interval)


def _module(subject: Subject) -> Any:
    name, purpose = _MODULES[subject]
    try:
        with import_lock:
            return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError(purpose, "system") from None


_METERS: dict[Subject, Callable[[], Callable[[], Readings]]] = {
    "machine": lambda: machine_meter(), "gpu": lambda: gpu_meter(),
}  # fmt: skip
