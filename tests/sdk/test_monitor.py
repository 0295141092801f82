"""System metrics of the machine, logged during a run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import trackai
from trackai.sdk.monitor import busy_share, machine_meter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A fake of NVIDIA's library with three GPUs; the last one has no temperature.
NVML = """
    from types import SimpleNamespace as S
    class NVMLError(Exception): pass
    NVML_TEMPERATURE_GPU = 0
    def nvmlInit(): pass
    def nvmlDeviceGetCount(): return 3
    def nvmlDeviceGetHandleByIndex(number): return number
    def nvmlDeviceGetUtilizationRates(handle): return S(gpu=50 + handle)
    def nvmlDeviceGetMemoryInfo(handle): return S(used=1 << 30, total=4 << 30)
    def nvmlDeviceGetPowerUsage(handle): return 200_500
    def nvmlDeviceGetTemperature(handle, kind):
        if handle == 2: raise NVMLError
        return 61
"""


def system_metrics(path: Path) -> dict[str, tuple[int, float]]:
    with closing(sqlite3.connect(path)) as connection:
        rows: list[Any] = connection.execute(
            "SELECT path, points, last_value FROM series WHERE axis = 'time'"
        ).fetchall()
    return {metric: (points, value) for metric, points, value in rows}


def test_the_load_of_the_machine(db_path: Path) -> None:
    with trackai.init(project="p", auto_log_cpu=True, cpu_log_interval=0.05) as run:
        while len(system_metrics(db_path)) < 9 or system_metrics(db_path)["memory/used"][0] < 3:
            run.log({"loss": 1.0})
    logged = system_metrics(db_path)
    assert 0 <= logged["cpu/utilization"][1] <= 100
    assert 0 < logged["process/memory"][1] < logged["memory/used"][1] < logged["memory/total"][1]
    assert logged["disk/write_mb_per_sec"][1] >= 0
    assert logged["network/sent_mb_per_sec"][1] >= 0


def test_no_reading_of_the_processor_is_meaningless(db_path: Path) -> None:
    read = machine_meter()
    readings: list[dict[str, float]] = []
    for _ in range(4):
        # A thread that has read nothing before, as anyio's after a pause of ten seconds.
        thread = threading.Thread(target=lambda: readings.append(read()))
        thread.start()
        thread.join()
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
    assert len(readings) == 4
    assert all(0 < reading["cpu/utilization"] <= 100 for reading in readings[1:])


def test_the_first_reading_is_complete_and_not_zero_under_load(db_path: Path) -> None:
    load = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with trackai.init(project="p", auto_log_cpu=True, cpu_log_interval=600) as run:
            while "network/recv_mb_per_sec" not in system_metrics(db_path):
                run.log({"loss": 1.0})
                time.sleep(0.05)
    finally:
        load.kill()
        load.wait()
    logged = system_metrics(db_path)
    assert len(logged) == 9
    assert {points for points, _ in logged.values()} == {1}
    assert 0 < logged["cpu/utilization"][1] <= 100


def test_the_share_of_time_that_the_processors_worked() -> None:
    before = {"user": 10.0, "guest": 5.0, "idle": 20.0, "iowait": 1.0}
    after = {"user": 11.0, "guest": 6.0, "idle": 22.0, "iowait": 2.0}
    assert busy_share(before, after) == 0.25
    assert busy_share(before, before) is None
    assert busy_share(before, {**after, "iowait": 0.0}) == pytest.approx(1 / 3)
    assert busy_share({"user": 1.0, "idle": 5.0}, {"user": 2.0, "idle": 5.0}) == 1


def test_a_removed_disk_has_no_negative_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = iter([5 << 20, 1 << 20, 3 << 20])

    def counters() -> SimpleNamespace:
        total = next(totals)
        return SimpleNamespace(read_bytes=total, write_bytes=total)

    monkeypatch.setattr(psutil, "disk_io_counters", counters)
    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)
    read = machine_meter()
    assert read()["disk/read_mb_per_sec"] == 0
    assert read()["disk/write_mb_per_sec"] > 0


def test_the_load_of_the_gpus_that_the_process_sees(
    db_path: Path, tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "pynvml.py").write_text("\n".join(line[4:] for line in NVML.splitlines()))
    run_python(
        """
        import time, trackai
        with trackai.init(project="p", auto_log_gpu=True, gpu_log_interval=60) as run:
            time.sleep(3)
        """,
        PYTHONPATH=str(tmp_path),
        CUDA_VISIBLE_DEVICES="2,1",
    )
    assert system_metrics(db_path) == {
        "gpu/0/utilization": (1, 52.0), "gpu/0/allocated_memory": (1, 1.0),
        "gpu/0/total_memory": (1, 4.0), "gpu/0/power": (1, 200.5),
        "gpu/1/utilization": (1, 51.0), "gpu/1/allocated_memory": (1, 1.0),
        "gpu/1/total_memory": (1, 4.0), "gpu/1/power": (1, 200.5), "gpu/1/temp": (1, 61.0),
    }  # fmt: skip


def test_training_goes_on_without_the_packages(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with trackai.init(project="p", auto_log_cpu=True, auto_log_gpu=True):
        trackai.log({"loss": 1.0})
    assert caplog.text.count("pip install 'trackai[system]'") == 2
    assert system_metrics(db_path) == {}
