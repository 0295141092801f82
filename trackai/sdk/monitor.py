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
    from collections.abc import Callable, Iterator

Readings = dict[str, float]

_GIB = 1 << 30
_MIB = 1 << 20


def machine_meter() -> Callable[[], Readings]:
    """Return a function that reads the load of this machine.

    It returns utilization in percent, memory in GiB, and disk and network traffic in MiB a second
    since the previous call; the first call has no traffic.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    psutil = _module("psutil", "logging the load of the processor")
    this_process = psutil.Process()
    psutil.cpu_percent()  # the first result is meaningless
    previous: dict[str, tuple[float, int]] = {}

    def rate(name: str, total: int) -> Readings:
        now = time.monotonic()
        previous_time, previous_total = previous.get(name, (now, total))
        previous[name] = (now, total)
        if now <= previous_time:
            return {}
        return {name: (total - previous_total) / (now - previous_time) / _MIB}

    def read() -> Readings:
        memory, disk, network = (
            psutil.virtual_memory(), psutil.disk_io_counters(), psutil.net_io_counters(),
        )  # fmt: skip
        readings = {
            "cpu/utilization": psutil.cpu_percent(),
            "memory/used": memory.used / _GIB,
            "memory/total": memory.total / _GIB,
            "memory/percent": memory.percent,
            "process/memory": this_process.memory_info().rss / _GIB,
        }
        if disk is not None:  # a container may hide it
            readings |= rate("disk/read_mb_per_sec", disk.read_bytes)
            readings |= rate("disk/write_mb_per_sec", disk.write_bytes)
        if network is not None:
            readings |= rate("network/sent_mb_per_sec", network.bytes_sent)
            readings |= rate("network/recv_mb_per_sec", network.bytes_recv)
        return readings

    return read


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
