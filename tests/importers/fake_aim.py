"""A stand-in for aim 3.29, which cannot be installed beside the packages of the tests.

It has what the importer calls, with the shapes that aim returns. `scripts/check_importers.py` runs
the same checks on real repositories.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pytest


class Tree:
    """A view of nested values."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def subtree(self, path: Any) -> Tree:
        values = self._values
        for key in path if isinstance(path, tuple) else (path,):
            values = values.get(key, {})
        return Tree(values)

    def array(self, name: str) -> dict[Any, Any]:
        return dict(self._values.get(name, {}))

    def get(self, key: str, default: Any) -> Any:
        return self._values.get(key, default)

    def collect(self) -> Any:
        return self._values


class Media(SimpleNamespace):
    """An image, a sound or a text."""

    @property
    def data(self) -> Any:
        return self.storage["data"]

    @classmethod
    def image(cls, data: bytes) -> Media:
        blob = SimpleNamespace(load=lambda: data)
        return cls(storage={"data": blob, "format": "png"})


class NotFoundError(Exception):
    """Stands for the errors of RocksDB."""


class Run:
    """A run: its trees are those that `Repo.request_tree` returns."""

    def __init__(self, run_hash: str, *, repo: Repo, read_only: bool) -> None:
        assert read_only
        meta = repo.request_tree("meta", read_only=True)
        values = meta.get("run", None)
        if values is None:
            raise NotFoundError("the run is not in the index")
        self.__dict__.update(values)
        self.meta_tree = Tree({"contexts": values["contexts"]})
        self.meta_run_tree = Tree({"traces": values["traces"]})
        self.series_run_trees = {version: Tree(values["series"]) for version in (1, 2)}

    def get(self, key: object, default: Any) -> Any:
        assert key is ...
        return self.params if hasattr(self, "params") else default


class Repo:
    """A repository; `runs` has what was put into each, by the name of its folder."""

    runs: ClassVar[dict[str, dict[str, Any]]] = {}
    status = "UPDATED"

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    @classmethod
    def check_repo_status(cls, path: str) -> Any:
        return SimpleNamespace(name=cls.status)

    def list_all_runs(self) -> list[str]:
        return list(self.runs)

    def request_tree(self, name: str, sub: str | None = None, *, read_only: bool) -> Tree:
        return Tree({"run": self.runs.get(sub or "")})

    def close(self) -> None: ...


def install(monkeypatch: pytest.MonkeyPatch, runs: dict[str, dict[str, Any]]) -> None:
    """Make `import aim` import this module."""
    aim, rocks, errors = map(ModuleType, ("aim", "aimrocks", "aimrocks.errors"))
    monkeypatch.setattr(Repo, "runs", runs)
    vars(aim).update(Repo=Repo, Run=Run)
    vars(errors).update(NotFound=NotFoundError)
    for module in (aim, rocks, errors):
        monkeypatch.setitem(sys.modules, module.__name__, module)
