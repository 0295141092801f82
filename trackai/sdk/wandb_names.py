"""Properties and methods that scripts written for wandb expect of a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from trackai.sdk import ignored_calls
from trackai.sdk.config import Config
from trackai.sdk.interactive import in_notebook
from trackai.sdk.left_out import LeftOut

_OFFLINE = ("offline", "dryrun")
_ONE_PROCESS = (
    "artifacts of several processes are not supported; call log_artifact() in one process"
)
# What wandb's run has and this one has not, and what to do instead.
_UNSUPPORTED = {
    "finish_artifact": _ONE_PROCESS,
    "restore": "use trackai.Api().run(...).file(name).download(), or run the script with "
    "`trackai run --as wandb`",
    "status": "nothing is synchronised; finish() stores all points",
    "sync_dir": "a run has no folder of its own; `trackai config` shows where points are stored",
    "upsert_artifact": _ONE_PROCESS,
    "write_logs": "pass capture to init() to log the console output, or log texts",
}


class Beginning(msgspec.Struct):
    """How a run began: one attribute of `Run`, as Python looks up those of large objects slowly.

    Attributes:
        project_url: the address of its project.
        starting_step: its first step.
        start_time: in seconds since the epoch.
        mode: the argument of `init`.
        job_type: likewise, or that of the run that this one resumes.
    """

    project_url: str
    starting_step: int
    start_time: float
    mode: str | None = None
    job_type: str | None = None


class WandbNames:
    """Names of wandb's run that have no other place. A base class of `Run`."""

    # Of `Run`.
    project: str
    run_id: str
    group: str | None
    url: str
    config: Config
    name: Any
    tags: Any
    notes: Any
    beginning: Beginning

    if not TYPE_CHECKING:  # a checker would accept every name

        def __getattr__(self, name: str) -> NoReturn:
            if advice := _UNSUPPORTED.get(name):
                raise AttributeError(f"trackai does not have run.{name}: {advice}")
            object.__getattribute__(self, name)  # raises the error of Python

    @property
    def entity(self) -> None:
        """Always None; for scripts written for wandb, which has accounts."""

    @property
    def sweep_id(self) -> None:
        """Always None; for scripts written for wandb, whose server runs sweeps."""

    @property
    def sweep_url(self) -> None:
        """Always None, as `sweep_id`."""

    @property
    def disabled(self) -> bool:
        """Whether `init` was called with mode="disabled", so that nothing is kept."""
        return self.beginning.mode == "disabled"

    @property
    def offline(self) -> bool:
        """Whether `init` was called with mode="offline", which has no other effect."""
        return self.beginning.mode in _OFFLINE

    @property
    def project_url(self) -> str:
        """The address of the project in the dashboard of a running server."""
        return self.beginning.project_url

    @property
    def starting_step(self) -> int:
        """The first step: 0, or the one after the last step of the run that this one resumes."""
        return self.beginning.starting_step

    @property
    def start_time(self) -> float:
        """When the run was started or resumed, in seconds since the epoch."""
        return self.beginning.start_time

    @property
    def job_type(self) -> str | None:
        """What the run does, such as "train"; None without one. See `init`."""
        return self.beginning.job_type

    @property
    def config_static(self) -> Config:
        """A copy of the configuration that cannot be changed."""
        return Config(self.config.as_dict(), _refuse_change, LeftOut(strict=True))

    @property
    def settings(self) -> ignored_calls.Settings:
        """The arguments of `init` under wandb's names, such as `settings.run_name`."""
        return ignored_calls.Settings(
            project=self.project,
            entity=None,
            run_id=self.run_id,
            run_name=self.name,
            run_group=self.group,
            run_job_type=self.job_type,
            run_notes=self.notes,
            run_tags=tuple(self.tags),
            run_url=self.url,
            mode=self.beginning.mode or "online",
        )

    def get_url(self) -> str:
        """Return `url`; for scripts written for wandb."""
        return self.url

    def project_name(self) -> str:
        """Return `project`; for scripts written for wandb."""
        return self.project

    @staticmethod
    def plot_table(*args: Any, **kwargs: Any) -> Any:
        """Return a chart to log; see `trackai.plot_table`."""
        from trackai.sdk.plot import plot_table  # few runs log one

        return plot_table(*args, **kwargs)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return the card of the run as HTML, as notebooks show it.

        Args:
            height: accepted for scripts written for wandb, and ignored: the card is as high as
                its content.
            hidden: show a button that opens the card, instead of the card.
        """
        card: str = self._repr_html_()  # type: ignore[attr-defined]
        if not hidden:
            return card
        from html import escape  # its table of entities takes memory

        return f"<details><summary>{escape(self.name)}</summary>{card}</details>"

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the card of the run in a notebook.

        Args:
            height: as for `to_html`.
            hidden: as for `to_html`.

        Returns:
            False, and shows nothing, outside a notebook.
        """
        if not in_notebook():
            return False
        display = sys.modules["IPython"].display
        display.display(display.HTML(self.to_html(height, hidden)))
        return True

    def mark_preempting(self) -> None:
        """Do nothing; accepted for scripts written for wandb. Resume the run by its `id`."""

    def pin_config_keys(self, keys: Sequence[str] = ()) -> None:
        """Do nothing but warn once; the dashboard shows the columns that its user chooses."""
        ignored_calls.warn_ignored("pin_config_keys()")


def _refuse_change(*args: Any) -> NoReturn:
    raise TypeError("config_static: cannot be changed; use config")
