"""System metrics of the machine during a run: processor, memory, disk, network and GPUs.

The metrics are named as in trackio.
"""

from __future__ import annotations

import importlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from trackai.errors import MissingExtraError, NoActiveRunError
from trackai.guard import guarded
from trackai.settings import visible_gpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Readings = dict[str, float]

# The shortest time over which the first reading measures.
_SHORTEST_SECONDS = 0.2

_GIB = 1 << 30
_MIB = 1 << 20


def machine_meter() -> Callable[[], Readings]:
    """Return a function that reads the load of this machine.

    It returns memory in GiB and, since the previous call, utilization in percent and disk and
    network traffic in MiB a second. The first call waits until these mean something.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    return _MachineMeter(_module("psutil", "logging the load of the processor"))


class _MachineMeter:
    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._process = psutil.Process()
        self._times = psutil.cpu_times()
        # By the name of a rate: the time and the total of the previous call.
        self._totals: dict[str, tuple[float, int]] = {}
        self._traffic()
        self._created_at = time.monotonic()

    def __call__(self) -> Readings:
        # In a background thread. The counters of processor time advance every 10 ms.
        time.sleep(max(self._created_at + _SHORTEST_SECONDS - time.monotonic(), 0))
        memory = self._psutil.virtual_memory()
        return {
            **self._utilization(),
            "memory/used": memory.used / _GIB,
            "memory/total": memory.total / _GIB,
            "memory/percent": memory.percent,
            "process/memory": self._process.memory_info().rss / _GIB,
            **self._traffic(),
        }

    def _utilization(self) -> Readings:
        # psutil.cpu_percent() compares with the previous call of the same thread, and returns 0 in
        # a new thread.
        before, self._times = self._times, self._psutil.cpu_times()
        share = busy_share(before._asdict(), self._times._asdict())
        return {} if share is None else {"cpu/utilization": 100 * share}

    def _traffic(self) -> Readings:
        disk, network = self._psutil.disk_io_counters(), self._psutil.net_io_counters()
        readings: Readings = {}
        if disk is not None:  # a container may hide it
            readings |= self._rate("disk/read_mb_per_sec", disk.read_bytes)
            readings |= self._rate("disk/write_mb_per_sec", disk.write_bytes)
        if network is not None:
            readings |= self._rate("network/sent_mb_per_sec", network.bytes_sent)
            readings |= self._rate("network/recv_mb_per_sec", network.bytes_recv)
        return readings

    def _rate(self, name: str, total: int) -> Readings:
        now = time.monotonic()
        previous_time, previous_total = self._totals.get(name, (now, total))
        self._totals[name] = (now, total)
        if now <= previous_time:
            return {}
        # A total decreases when a disk or a network interface is removed.
        return {name: max(total - previous_total, 0) / (now - previous_time) / _MIB}


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
    nvml = _module("pynvml", "logging the load of GPUs")
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
    read: Callable[[], Readings], log: Callable[[Readings], None], interval: float
) -> None:
    """Log readings now and every `interval` seconds, until the run finishes."""
    while True:
        with guarded("reading the load of the machine"):
            try:
                # A driver may be slow; the end of the run does not wait for it.
                log(await run_sync(read, abandon_on_cancel=True))
            except NoActiveRunError:
                return
        await anyio.sleep(interval)


def _module(name: str, purpose: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError(purpose, "system") from None
