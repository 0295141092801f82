"""What the machine does while a run trains: processor, memory, disk, network, GPUs.

The names of the metrics are those of trackio. They are logged as system metrics, at a time.
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

Figures = dict[str, float]

_GIB = 1 << 30
_MIB = 1 << 20


def machine_meter() -> Callable[[], Figures]:
    """What tells the load of this machine, in percent, GiB and MiB a second.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    psutil = _module("psutil", "logging the load of the processor")
    this_process = psutil.Process()
    psutil.cpu_percent()  # what it says first is meaningless
    before: dict[str, tuple[float, int]] = {}

    def rate(name: str, total: int) -> Figures:
        now = time.monotonic()
        at, earlier = before.get(name, (now, total))
        before[name] = (now, total)
        return {name: (total - earlier) / (now - at) / _MIB} if now > at else {}

    def read() -> Figures:
        memory, disk, network = (
            psutil.virtual_memory(), psutil.disk_io_counters(), psutil.net_io_counters(),
        )  # fmt: skip
        figures = {
            "cpu/utilization": psutil.cpu_percent(),
            "memory/used": memory.used / _GIB,
            "memory/total": memory.total / _GIB,
            "memory/percent": memory.percent,
            "process/memory": this_process.memory_info().rss / _GIB,
        }
        if disk is not None:  # a container may hide it
            figures |= rate("disk/read_mb_per_sec", disk.read_bytes)
            figures |= rate("disk/write_mb_per_sec", disk.write_bytes)
        if network is not None:
            figures |= rate("network/sent_mb_per_sec", network.bytes_sent)
            figures |= rate("network/recv_mb_per_sec", network.bytes_recv)
        return figures

    return read


def gpu_meter() -> Callable[[], Figures]:
    """What tells the load of the NVIDIA GPUs that this process sees, in percent, GiB, W and °C.

    Raises:
        MissingExtraError: nvidia-ml-py is not installed.
        OSError: there is no driver.
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

    def one(handle: Any) -> Iterator[tuple[str, float]]:
        # Not every device can tell all of it.
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

    def read() -> Figures:
        return {
            f"gpu/{number}/{name}": float(value)
            for number, handle in devices
            for name, value in one(handle)
        }

    return read


async def watch(
    read: Callable[[], Figures], log: Callable[[Figures], None], interval: float
) -> None:
    """Log what a meter says, now and every `interval` seconds, until the run ends."""
    while True:
        with guarded("reading the load of the machine"):
            try:
                # A driver may take its time; nobody waits for it at the end.
                log(await run_sync(read, abandon_on_cancel=True))
            except NoActiveRunError:
                return
        await anyio.sleep(interval)


def _module(name: str, what: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError(what, "system") from None
