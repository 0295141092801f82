"""What a run records about where it runs: git, command line, Python, packages, machine, launcher.

`init` waits for none of it. What is known at once is recorded at once. A thread gathers the rest,
for which `finish` waits only briefly: a run that ends earlier has fewer facts.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.guard import guarded
from trackai.lazy_imports import import_lock
from trackai.settings import launcher_facts, visible_gpus
from trackai.values.logger import logger
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from trackai.sdk.git import GitCommand

# How long the thread waits, so that init() does not share the interpreter with it.
_DELAY_SECONDS = 0.05
# How long finish() waits for the rest.
_FINISH_SECONDS = 2.0
# Longer texts are cut off.
_MAX_CHARACTERS = 16_384
# Patterns are compiled by the thread: init() would take a millisecond longer.
_NUMBER = "0|[1-9][0-9]{0,17}"
# The metadata of a package: its name, maybe its version and that of Python, and the kind.
_METADATA = r"([A-Za-z0-9][\w.-]*?)(?:-(\d[\w.+!]*))?(?:-py[\d.]+)?\.(?:dist|egg)-info"
_VERSION = r"^Version:\s*([\w.+!-]+)"
_HEAD_BYTES = 4096
_DRIVER = Path("/proc/driver/nvidia")

# Takes facts, JSON by flat key.
RecordFacts = Callable[[dict[str, str]], None]
# Stores the bytes of a file with the run under a name; returns whether that was possible.
StoreFile = Callable[[str, bytes], bool]
Facts = Iterable[tuple[str, Any]]


class Survey:
    """Records where an attempt of a run runs."""

    def __init__(self, record: RecordFacts, store_file: StoreFile, attempt: int) -> None:
        """Record what is known at once, and start to gather the rest.

        Args:
            attempt: the number of the attempt, from 1.
        """
        self._record = record
        self._store_file = store_file
        self._folder = "environment" if attempt == 1 else f"environment/attempt-{attempt}"
        self._git: GitCommand | None = None
        self._is_stopped = False
        self._is_finishing = threading.Event()
        record({key: _json(value) for key, value in machine_facts()})
        self._thread = threading.Thread(target=self._work, name="trackai-environment", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wait for the rest, at most for two seconds."""
        self._is_finishing.set()
        self._thread.join(_FINISH_SECONDS)
        self._is_stopped = True
        if self._git is not None:
            self._git.cancel()

    def _work(self) -> None:
        self._is_finishing.wait(_DELAY_SECONDS)
        with guarded("recording the environment of the run"):
            try:
                self._load()
            except OSError as error:  # such as no more file handles
                logger.warning("the environment of the run is not recorded: %s", error)
                return
            for gather in (process_facts, self._package_facts, self._git_facts, gpu_facts):
                self._add(gather())

    def _load(self) -> None:
        """Import what `init` does not wait for; the methods below import it by name."""
        with import_lock:
            from trackai.sdk import git  # noqa: F401
            from trackai.values import secrets  # noqa: F401

    def _add(self, facts: Facts) -> None:
        from trackai.values.secrets import hide_secrets

        def safe(value: Any) -> Any:
            if isinstance(value, list):
                return [hide_secrets(text) for text in value]
            return hide_secrets(value) if isinstance(value, str) else value

        texts = {key: _json(safe(value)) for key, value in facts}
        if texts and not self._is_stopped:
            self._record(texts)

    def _git_facts(self) -> Iterator[tuple[str, Any]]:
        from trackai.sdk import git

        folder = code_folder()
        if folder is None or self._is_stopped:
            return
        self._git = repository = git.GitCommand(folder)
        commit = list(git.commit_facts(repository))
        self._add(commit)  # before what takes long in a large working tree
        if not commit:
            return
        self._add(git.change_facts(repository))
        diff = git.diff(repository)
        if diff is not None:
            content, is_complete = diff
            name = f"{self._folder}/git.diff"
            if self._store_file(name, content):
                yield "git/diff", name
                if not is_complete:
                    yield "git/diff_cut_off", True

    def _package_facts(self) -> Iterator[tuple[str, Any]]:
        lines = "".join(f"{line}\n" for line in packages(sys.path))
        name = f"{self._folder}/requirements.txt"
        if lines and not self._is_stopped and self._store_file(name, lines.encode()):
            yield "packages", name


def machine_facts() -> Iterator[tuple[str, Any]]:
    """Yield what takes microseconds to find out."""
    yield "python", ".".join(map(str, sys.version_info[:3]))
    yield "executable", sys.executable
    yield "host", socket.gethostname()
    if hasattr(os, "uname"):
        system = os.uname()
        yield "os", f"{system.sysname} {system.release} {system.machine}"
    else:
        yield "os", sys.platform
    yield "cpu_count", os.cpu_count()
    with suppress(AttributeError, OSError, ValueError):  # unknown on this system
        yield "memory_bytes", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def process_facts() -> Iterator[tuple[str, Any]]:
    """Yield how this process was started, and what its launcher says."""
    from trackai.values.secrets import safe_command

    yield "command", safe_command(sys.orig_argv)
    if (script := _script()) is not None:
        yield "script", script
    with suppress(OSError):  # it was removed
        yield "cwd", os.getcwd()  # noqa: PTH109 - that of Path is slower
    for name, text in launcher_facts().items():
        yield name, int(text) if re.fullmatch(_NUMBER, text) else text


def _script() -> str | None:
    """The path of the script; None in a notebook, at a prompt or for one from stdin."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(path, str) or path == "<stdin>":
        return None
    with suppress(OSError):
        return os.path.abspath(path)  # noqa: PTH100
    return None


def code_folder() -> Path | None:
    """The folder of the script, or the working directory if the script is an installed command."""
    script = _script()
    if script is not None and not _is_installed(Path(script)):
        return Path(script).parent
    with suppress(OSError):
        return Path.cwd()
    return None


def _is_installed(script: Path) -> bool:
    """Whether a launcher such as accelerate is meant, and not the code that it runs."""
    return (
        script.parent.name in {"bin", "Scripts"}
        or not {"site-packages", "dist-packages"}.isdisjoint(script.parts)
        or script.is_relative_to(sys.base_prefix + os.sep + "lib")
    )


def packages(path: Iterable[str]) -> list[str]:
    """The installed packages as "name==version", sorted.

    It lists folders and reads almost no files, which is fast, also on a network file system.

    Args:
        path: the folders to search, of which the first with a package counts, as in `sys.path`.
    """
    versions: dict[str, str] = {}
    for folder in path:
        with suppress(OSError):
            for entry in sorted(os.listdir(folder or ".")):  # noqa: PTH208
                match = re.fullmatch(_METADATA, entry, re.ASCII)
                if match is None:
                    continue
                name = re.sub(r"[-_.]+", "-", match[1]).lower()
                version = match[2] or _version(Path(folder, entry))
                if version is not None:
                    versions.setdefault(name, version)
    return sorted(f"{name}=={version}" for name, version in versions.items())


def _version(metadata: Path) -> str | None:
    """The version of a package that is used from its sources."""
    with suppress(OSError):
        file = metadata / "PKG-INFO" if metadata.is_dir() else metadata
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES).decode(errors="replace")
            match = re.search(_VERSION, head, re.MULTILINE | re.ASCII)
        return match and match[1]
    return None


def gpu_facts() -> Iterator[tuple[str, Any]]:
    """Yield the names of the NVIDIA GPUs that this process sees."""
    names, driver = _nvml_gpus()
    names = names or list(_driver_gpus())
    if names:
        yield "gpu", ", ".join(dict.fromkeys(names))
        yield "gpu_count", len(names)
    if driver:
        yield "gpu_driver", driver


def _nvml_gpus() -> tuple[list[str], str | None]:
    try:
        with import_lock:
            nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except (ImportError, Warning):  # the package of this name warns that it is deprecated
        return [], None
    except nvml.NVMLError:
        return [], None
    with suppress(nvml.NVMLError):
        handles = map(nvml.nvmlDeviceGetHandleByIndex, visible_gpus(nvml.nvmlDeviceGetCount()))
        names = [_text(nvml.nvmlDeviceGetName(handle)) for handle in handles]
        return names, _text(nvml.nvmlSystemGetDriverVersion())
    return [], None


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _driver_gpus() -> Iterator[str]:
    """The names that the driver of Linux lists in files, in the order of its numbers."""
    gpus = []
    for information in _DRIVER.glob("gpus/*/information"):
        with suppress(OSError, KeyError, ValueError):
            lines = information.read_text(errors="replace").splitlines()
            pairs = (line.partition(":") for line in lines)
            fields = {key.strip(): value.strip() for key, _, value in pairs}
            gpus.append((int(fields["Device Minor"]), fields["Model"]))
    models = [model for _, model in sorted(gpus)]
    return (models[index] for index in visible_gpus(len(models)))


def _json(value: Any) -> str:
    if isinstance(value, list):
        value = [_short(text) for text in value]
    elif isinstance(value, str):
        value = _short(value)
    return msgspec.json.encode(value).decode()


def _short(text: str) -> str:
    text = without_surrogates(text)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
