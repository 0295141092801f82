"""Logs trainings of Accelerate, such as the example scripts of diffusers.

Checked with accelerate 1.15 and diffusers' scripts.

Importing this module makes `log_with="trackai"` known:

    import trackai.integrations.accelerate

    accelerator = Accelerator(log_with="trackai")
    accelerator.init_trackers("digits", config, init_kwargs={"trackai": {"tags": ["baseline"]}})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelerate import tracking

import trackai
from trackai.integrations.training import TrainingRun, without_secrets

if TYPE_CHECKING:
    from trackai.sdk.run import Run


class TrackAITracker(tracking.GeneralTracker):
    """Logs to a run of the main process.

    If a run is active when the trackers start, that one is used and not finished.
    """

    name = "trackai"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, run_name: str, **arguments: Any) -> None:
        """Make a tracker.

        Args:
            run_name: what `init_trackers` calls the project.
            arguments: those of `trackai.init`.
        """
        super().__init__()
        self._project = run_name
        self._training = TrainingRun(arguments)

    @tracking.on_main_process  # type: ignore[untyped-decorator]
    def start(self) -> None:
        """Begin the run. Called once the group of processes exists."""
        self._training.begin({"project": self._project})

    @property
    def tracker(self) -> Run:
        """The run."""
        return self._training.run

    @tracking.on_main_process  # type: ignore[untyped-decorator]
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Store hyperparameters."""
        self._training.run.config.update(without_secrets(values))

    @tracking.on_main_process  # type: ignore[untyped-decorator]
    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Log values at a step."""
        self._training.log(values, step)

    @tracking.on_main_process  # type: ignore[untyped-decorator]
    def log_images(
        self, values: Mapping[str, Sequence[Any]], step: int | None = None, **kwargs: Any
    ) -> None:
        """Log images by name: lists or arrays of images, as NumPy or PIL have them."""
        images = {name: [trackai.Image(image) for image in batch] for name, batch in values.items()}
        self._training.log(images, step)

    @tracking.on_main_process  # type: ignore[untyped-decorator]
    def log_table(
        self,
        table_name: str,
        columns: Sequence[str] | None = None,
        data: Any = None,
        dataframe: Any = None,
        step: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Log a table."""
        table = trackai.Table(columns=columns, data=data, dataframe=dataframe)
        self._training.log({table_name: table}, step)

    @tracking.on_main_process  # type: ignore[untyped-decorator]
    def finish(self) -> None:
        """Finish the run."""
        self._training.end()


if hasattr(tracking, "register_tracker_class"):  # since accelerate 1.15
    tracking.register_tracker_class(TrackAITracker)
