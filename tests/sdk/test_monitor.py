"""System metrics of the machine, logged during a run."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import trackai

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    import pytest

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
