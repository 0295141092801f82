"""The modules of a package of another name, such as `wandb.sdk.wandb_run`.

Each is an alias: its attributes are those of a module of TrackAI, imported on first use.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# By alias, the module that has its attributes. An alias with aliases below it is a package.
ALIASES = {
    "trackio": "trackai.compat.trackio_names",
    "trackio.context_vars": "trackai.compat.trackio_context",
    "trackio.run": "trackai.compat.trackio_names",
    "trackio.table": "trackai.compat.trackio_names",
    "wandb": "trackai.compat.wandb_names",
    "wandb.apis": "trackai.compat.wandb_public_api",
    "wandb.apis.public": "trackai.compat.wandb_public_api",
    "wandb.apis.public.artifacts": "trackai.compat.wandb_public_api",
    "wandb.apis.public.files": "trackai.compat.wandb_public_api",
    "wandb.apis.public.runs": "trackai.compat.wandb_public_api",
    "wandb.catboost": "trackai.compat.wandb_catboost",
    "wandb.data_types": "trackai.compat.wandb_names",
    "wandb.env": "trackai.compat.wandb_env",
    "wandb.errors": "trackai.compat.wandb_errors",
    "wandb.errors.errors": "trackai.compat.wandb_errors",
    "wandb.errors.term": "trackai.compat.wandb_terminal",
    "wandb.integration": "trackai.compat.wandb_names",
    "wandb.integration.catboost": "trackai.compat.wandb_catboost",
    "wandb.integration.keras": "trackai.compat.wandb_keras",
    "wandb.integration.lightgbm": "trackai.compat.wandb_lightgbm",
    "wandb.integration.sb3": "trackai.compat.wandb_sb3",
    "wandb.integration.sklearn": "trackai.compat.wandb_sklearn",
    "wandb.integration.xgboost": "trackai.compat.wandb_xgboost",
    "wandb.keras": "trackai.compat.wandb_keras",
    "wandb.lightgbm": "trackai.compat.wandb_lightgbm",
    "wandb.plot": "trackai.compat.wandb_plot",
    "wandb.sdk": "trackai.compat.wandb_names",
    "wandb.sdk.artifacts": "trackai.compat.wandb_names",
    "wandb.sdk.artifacts.artifact": "trackai.compat.wandb_names",
    "wandb.sdk.data_types": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.audio": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.base_types": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.base_types.media": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.base_types.wb_value": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.histogram": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.html": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.image": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.object_3d": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.plotly": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.table": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.video": "trackai.compat.wandb_names",
    "wandb.sdk.data_types.video.util": "trackai.compat.wandb_util",
    "wandb.sdk.lib": "trackai.compat.wandb_names",
    "wandb.sdk.lib.config_util": "trackai.compat.wandb_errors",
    "wandb.sdk.lib.disabled": "trackai.compat.wandb_names",
    "wandb.sdk.lib.runid": "trackai.compat.wandb_util",
    "wandb.sdk.wandb_alerts": "trackai.compat.wandb_names",
    "wandb.sdk.wandb_config": "trackai.compat.wandb_names",
    "wandb.sdk.wandb_init": "trackai.compat.wandb_names",
    "wandb.sdk.wandb_login": "trackai.compat.wandb_names",
    "wandb.sdk.wandb_run": "trackai.compat.wandb_names",
    "wandb.sdk.wandb_settings": "trackai.compat.wandb_names",
    "wandb.sdk.wandb_summary": "trackai.compat.wandb_names",
    "wandb.sklearn": "trackai.compat.wandb_sklearn",
    "wandb.util": "trackai.compat.wandb_util",
    "wandb.wandb_run": "trackai.compat.wandb_names",
    "wandb.xgboost": "trackai.compat.wandb_xgboost",
}


def fill(name: str) -> None:
    """Give a package that has just been imported the attributes and submodules of its alias."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    _fill(sys.modules[name])


class _Finder(MetaPathFinder):
    """Finds aliases below packages of other names. It comes last, and so after files."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in ALIASES or path is None:
            return None
        is_package = any(alias.startswith(f"{fullname}.") for alias in ALIASES)
        return ModuleSpec(fullname, _Loader(), origin="trackai", is_package=is_package)


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        _fill(module)


def _fill(module: ModuleType) -> None:
    name = module.__name__

    def get(attribute: str) -> Any:
        if f"{name}.{attribute}" in ALIASES:
            return import_module(f"{name}.{attribute}")
        if not attribute.startswith("__") or attribute in ("__all__", "__version__"):
            try:
                return getattr(import_module(ALIASES[name]), attribute)
            except AttributeError:
                pass
        raise AttributeError(
            f"module {name!r} has no attribute {attribute!r}: it is the package of that name in "
            "trackai, which has the names that frameworks use",
            name=attribute,
            obj=module,
        )

    module.__getattr__ = get  # type: ignore[method-assign]
