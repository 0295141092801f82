"""What a container may use of its machine: the limits of control groups on Linux."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


class Memory(NamedTuple):
    """Memory of a control group in bytes: what its processes use, and the most they may use."""

    used: int
    limit: int


class Quota(NamedTuple):
    """Processor time of a control group.

    Attributes:
        used: the seconds that its processes have used.
        processors: the seconds that they may use in a second.
    """

    used: float
    processors: float


class ControlGroup:
    """The control group of this process, of version 2 or 1."""

    def __init__(self, root: Path = _ROOT, own: Path = _OWN) -> None:
        """Find it.

        Args:
            root: where control groups are mounted.
            own: lists the groups of this process.
        """
        paths = _paths(own)
        self._unified = list(_folders(root, paths.get("")))
        self._memory = list(_folders(root / "memory", paths.get("memory")))
        self._cpu = list(_folders(root / "cpu", paths.get("cpu")))
        # Usually they are mounted together.
        is_same = paths.get("cpuacct") == paths.get("cpu")
        self._cpuacct = list(_folders(root / "cpuacct", paths.get("cpuacct"))) if is_same else []

    def memory(self) -> Memory | None:
        """The tightest limit of memory, and the use of the group that has it; None without any."""
        limits = [
            *_limits(self._unified, "memory.max", "memory.current", "inactive_file"),
            *_limits(
                self._memory, "memory.limit_in_bytes", "memory.usage_in_bytes",
                "total_inactive_file",
            ),
        ]  # fmt: skip
        return min(limits, key=lambda memory: memory.limit, default=None)

    def quota(self) -> Quota | None:
        """The tightest quota of processor time; None without any."""
        quotas = [*self._quotas(), *self._quotas_of_version_1()]
        return min(quotas, key=lambda quota: quota.processors, default=None)

    def _quotas(self) -> Iterator[Quota]:
        for folder in self._unified:
            quota, _, period = _text(folder / "cpu.max").partition(" ")
            used = _field(folder / "cpu.stat", "usage_usec")
            if quota.isdecimal() and period.isdecimal() and used is not None:
                yield Quota(used / 1e6, int(quota) / int(period))

    def _quotas_of_version_1(self) -> Iterator[Quota]:
        for folder, accounting in zip(self._cpu, self._cpuacct, strict=False):
            quota = _number(folder / "cpu.cfs_quota_us")
            period = _number(folder / "cpu.cfs_period_us")
            used = _number(accounting / "cpuacct.usage")
            if quota and period and used is not None:
                yield Quota(used / 1e9, quota / period)


def _paths(own: Path) -> dict[str, str]:
    """By controller, the path of the group; "" is that of version 2."""
    paths = {}
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _folders(root: Path, path: str | None) -> Iterator[Path]:
    """The group and those that it is in. In a container, the path may be one of the host."""
    if path is None:
        return
    parts = Path(path.lstrip("/")).parts
    for length in range(len(parts), -1, -1):
        folder = root.joinpath(*parts[:length])
        if ".." not in parts and folder.is_dir():
            yield folder


def _limits(folders: list[Path], limit: str, used: str, cache: str) -> Iterator[Memory]:
    for folder in folders:
        most, bytes_used = _number(folder / limit), _number(folder / used)
        if most is not None and bytes_used is not None:
            # The system takes back what it holds of files when a process needs memory.
            reclaimable = _field(folder / "memory.stat", cache) or 0
            yield Memory(max(bytes_used - reclaimable, 0), most)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int | None:
    """A number in a file; None for "max", -1 and the like."""
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _field(path: Path, name: str) -> int | None:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return None
