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
from trackai.errors import InvalidInputError, NoActiveRunError
from trackai.sdk.cgroups import ControlGroup, Memory, Quota
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
        while len(system_metrics(db_path)) < 11 or system_metrics(db_path)["memory/used"][0] < 3:
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
    assert len(logged) == 11
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


def write_files(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


VERSION_2 = {
    "own": "0::/jobs/job-1",
    # The tightest limit is that of a group which this one is in.
    "root/jobs/job-1/memory.max": "max",
    "root/jobs/job-1/memory.current": "1000",
    "root/jobs/memory.max": "4096",
    "root/jobs/memory.current": "3000",
    "root/jobs/memory.stat": "anon 5\ninactive_file 1000\nslab 7",
    "root/memory.max": "8192",
    "root/memory.current": "4000",
    "root/jobs/job-1/cpu.max": "150000 100000",
    "root/jobs/job-1/cpu.stat": "nr_periods 0\nusage_usec 2500000\nuser_usec 1",
    "root/jobs/cpu.max": "max 100000",
    "root/jobs/cpu.stat": "usage_usec 9500000",
}
VERSION_1 = {
    "own": "5:cpuset:/x\n4:cpu,cpuacct:/host/path\n3:memory:/job\n0::/\nnonsense",
    "root/memory/job/memory.limit_in_bytes": "4096",
    "root/memory/job/memory.usage_in_bytes": "3000",
    "root/memory/job/memory.stat": "total_inactive_file 1000",
    "root/memory/memory.limit_in_bytes": "9223372036854771712",
    "root/memory/memory.usage_in_bytes": "5000",
    # Mounted in a container, without the path on the host.
    "root/cpu/cpu.cfs_quota_us": "150000",
    "root/cpu/cpu.cfs_period_us": "100000",
    "root/cpuacct/cpuacct.usage": "2500000000",
}


@pytest.mark.parametrize("files", [VERSION_2, VERSION_1])
def test_the_limits_of_control_groups(tmp_path: Path, files: dict[str, str]) -> None:
    write_files(tmp_path, files)
    group = ControlGroup(tmp_path / "root", tmp_path / "own")
    assert group.memory() == Memory(2000, 4096)
    assert group.quota() == Quota(2.5, 1.5)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"own": "0::/"},
        {"own": "0::/../..", "root/memory.max": "1"},
        {"own": "0::/", "root/memory.max": "max", "root/cpu.max": "max 100000"},
        {"own": "0::/", "root/memory.max": "many", "root/cpu.max": "1", "root/cpu.stat": "\u00e9"},
        {"own": "1:cpu:/", "root/cpu/cpu.cfs_quota_us": "-1", "root/cpu/cpu.cfs_period_us": "0"},
    ],
)
def test_without_limits(tmp_path: Path, files: dict[str, str]) -> None:
    write_files(tmp_path, files)
    group = ControlGroup(tmp_path / "root", tmp_path / "own")
    assert (group.memory(), group.quota()) == (None, None)


@pytest.mark.parametrize("files", [VERSION_2, VERSION_1])
def test_the_load_in_a_container_is_that_of_what_it_may_use(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    write_files(tmp_path, files)
    read = machine_meter(ControlGroup(tmp_path / "root", tmp_path / "own"))
    time.sleep(0.4)
    used = {"root/jobs/job-1/cpu.stat": "usage_usec 2800000"}
    if files is VERSION_1:
        used = {"root/cpuacct/cpuacct.usage": "2800000000"}
    before = time.monotonic()
    write_files(tmp_path, used)
    readings = read()
    assert readings["memory/used"] == 2000 / (1 << 30)
    assert readings["memory/total"] == 4096 / (1 << 30)
    assert readings["memory/percent"] == pytest.approx(100 * 2000 / 4096)
    # 0.3 seconds of 1.5 processors in about 0.4 seconds.
    longest = 0.4 + time.monotonic() - before + 2
    assert 100 * 0.3 / 1.5 / longest < readings["cpu/utilization"] <= 100 * 0.3 / 1.5 / 0.4
    write_files(tmp_path, {name: text.replace("28", "99") for name, text in used.items()})
    assert read()["cpu/utilization"] == 100


def test_the_processes_that_the_script_has_started() -> None:
    read = machine_meter()
    script = "x = bytearray(200 << 20); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        first = read()
        time.sleep(0.5)
        second = read()
        child.kill()
    assert second["process/tree_memory"] > second["process/memory"] + 0.15
    assert first["process/tree_cpu"] > 0
    assert second["process/tree_cpu"] > 5
    assert read()["process/tree_memory"] < second["process/tree_memory"] - 0.15


NVML_FILE = "\n".join(line[4:] for line in NVML.splitlines())
SHORT = """
    import time, trackai
    with trackai.init(project="p", capture=False) as run:
        run.log({"x": 1})
        time.sleep(4)
"""


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {"cpu", "disk", "gpu", "memory", "network", "process"}),
        ({"TRACKAI_AUTO_LOG": "0"}, set()),
        ({"LOCAL_RANK": "1", "RANK": "1"}, set()),
        ({"SLURM_LOCALID": "1", "SLURM_PROCID": "3", "CUDA_VISIBLE_DEVICES": "2"}, {"rank-3"}),
        ({"LOCAL_RANK": "0", "RANK": "4"}, {"rank-4"}),
    ],
)
def test_what_is_logged_unasked(
    db_path: Path, tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]],
    env: dict[str, str], expected: set[str],
) -> None:  # fmt: skip
    (tmp_path / "pynvml.py").write_text(NVML_FILE)
    script = SHORT
    if expected:
        script = SHORT.replace("time.sleep(4)", WAIT)
    variables = {"PYTHONPATH": str(tmp_path), "TRACKAI_AUTO_LOG": "1", **env}
    ran = run_python(script, **variables)
    names = set(system_metrics(db_path))
    assert {name.split("/")[0] for name in names} == expected, ran.stderr
    if "SLURM_LOCALID" in env:
        assert "rank-3/gpu/0/utilization" in names
        assert "rank-3/cpu/utilization" not in names


WAIT = """
        import os, sqlite3
        for _ in range(600):
            rows = sqlite3.connect(os.environ["TRACKAI_DB_PATH"]).execute(
                "SELECT path FROM series WHERE axis = 'time'"
            ).fetchall()
            names = str(rows)
            own = os.environ.get("LOCAL_RANK", "0") + os.environ.get("SLURM_LOCALID", "0")
            if "gpu/" in names and ("network" in names or own != "00"):
                break
            time.sleep(0.1)
""".strip()


def test_without_packages_nothing_is_said_unasked(
    run_python: Callable[..., subprocess.CompletedProcess[str]], db_path: Path
) -> None:
    ran = run_python(
        """
        import sys, time
        sys.modules["psutil"] = sys.modules["pynvml"] = None
        import trackai
        with trackai.init(project="p", capture=False) as run:
            time.sleep(2)
        """,
        TRACKAI_AUTO_LOG="1",
    )
    assert ran.stderr == ""
    assert system_metrics(db_path) == {}


def test_init_does_not_import_what_reads_the_machine(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    ran = run_python(
        """
        import sys, trackai
        trackai.init(project="p")
        assert "psutil" not in sys.modules and "pynvml" not in sys.modules
        """,
        TRACKAI_AUTO_LOG="1",
    )
    assert ran.stderr == ""


def test_the_load_is_logged_now(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        readings = trackai.log_cpu()
        assert trackai.log_cpu(run)["memory/total"] == readings["memory/total"]
        assert run.step == 0
    logged = system_metrics(db_path)
    assert logged.keys() == readings.keys()
    assert logged["memory/used"][0] == 2
    with pytest.raises(NoActiveRunError):
        trackai.log_cpu()
    with pytest.raises(NoActiveRunError):
        trackai.log_gpu()


def test_the_load_of_a_gpu_is_logged_now(
    db_path: Path, tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "pynvml.py").write_text(NVML_FILE)
    ran = run_python(
        """
        import trackai
        run = trackai.init(project="p")
        assert trackai.log_gpu(device=1)["gpu/1/utilization"] == 51
        assert len(trackai.log_gpu(run)) == 14
        assert trackai.log_gpu(device=7) == {}
        """,
        PYTHONPATH=str(tmp_path), CUDA_VISIBLE_DEVICES="",
    )  # fmt: skip
    assert ran.stderr == "the GPU was not found, or reports nothing\n"
    logged = system_metrics(db_path)
    assert (logged["gpu/0/power"], logged["gpu/1/power"]) == ((1, 200.5), (2, 200.5))


def test_a_load_that_cannot_be_read_now(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackai.sdk.monitor._meters", {})
    monkeypatch.setattr("trackai.sdk.notices._subjects", set())
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with trackai.init(project="p"):
        assert [trackai.log_cpu(), trackai.log_gpu(), trackai.log_gpu()] == [{}, {}, {}]
        devices: list[Any] = [-1, "0", 1.5]
        for device in devices:
            with pytest.raises(InvalidInputError, match=r"^device: must be the index of a GPU"):
                trackai.log_gpu(device=device)
    assert caplog.text.count("pip install 'trackai[system]'") == 2
    assert system_metrics(db_path) == {}
