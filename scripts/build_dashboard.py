"""A build hook: the dashboard comes into the wheel, and into a checkout, where Node is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `npm run build` if the sources are newer than what was built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        dashboard = Path(self.root, "trackai", "dashboard")
        web, dist = dashboard / "web", dashboard / "dist"
        npm = shutil.which("npm")
        if web.is_dir() and not _is_current(web, dist / "index.html"):
            if npm is None:
                self.app.display_warning("no Node.js: the dashboard is not built, the API works")
            else:
                self._build(npm, web)
        if dist.is_dir():
            build_data["artifacts"].append("/trackai/dashboard/dist")

    def _build(self, npm: str, web: Path) -> None:
        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            done = subprocess.run([npm, *command], cwd=web, capture_output=True, text=True)
            if done.returncode:
                # Without a network, or with a Node that is too old, the API is still worth having.
                lines = (done.stdout + done.stderr).strip().splitlines()
                self.app.display_warning("\n".join(["the dashboard is not built:", *lines[-15:]]))
                return


def _is_current(web: Path, built: Path) -> bool:
    sources = [path for path in web.rglob("*") if "node_modules" not in path.parts]
    return built.is_file() and all(
        path.stat().st_mtime <= built.stat().st_mtime for path in sources if path.is_file()
    )
