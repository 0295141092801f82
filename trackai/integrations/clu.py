"""CLU (JAX, Flax): a metric writer.

Checked with clu 0.0.12. Use it alone, or with others in `clu.metric_writers.MultiWriter`:

    writer = TrackAIWriter(project="digits")
    writer.write_hparams({"lr": 0.1})
    writer.write_scalars(step, {"loss": loss})
    writer.close()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from clu.metric_writers import MetricWriter

import trackai
from trackai.integrations.training import TrainingRun


class TrackAIWriter(MetricWriter):
    """Write to a run, at the steps of the caller.

    It writes to the active run. Without one, it starts a run, and `close` finishes it. With several
    processes, only process 0 writes.
    """

    def __init__(self, **arguments: Any) -> None:
        """Begin the run.

        Args:
            arguments: arguments of `trackai.init`, for a run of its own.
        """
        self._training = TrainingRun(arguments)
        self._is_main = jax.process_index() == 0
        if self._is_main:
            self._training.begin({})

    def write_summaries(
        self, step: int, values: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Write tensors: texts as they are, a single number as a scalar, others as histograms."""
        self._log(step, ((name, _summary(np.asarray(value))) for name, value in values.items()))

    def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
        """Write numbers."""
        self._log(step, scalars.items())

    def write_images(self, step: int, images: Mapping[str, Any]) -> None:
        """Write images of the shape (height, width, channels), or several at once."""
        self._log(step, _media(images, 3, trackai.Image))

    def write_videos(self, step: int, videos: Mapping[str, Any]) -> None:
        """Write videos of the shape (time, height, width, channels), or several at once."""
        self._log(step, _media(videos, 4, trackai.Video))

    def write_audios(self, step: int, audios: Mapping[str, Any], *, sample_rate: int) -> None:
        """Write sounds of the shape (time, channels), or several at once."""

        def sound(samples: Any) -> trackai.Audio:
            return trackai.Audio(samples, sample_rate=sample_rate)

        self._log(step, _media(audios, 2, sound))

    def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Write texts."""
        self._log(step, texts.items())

    def write_histograms(
        self,
        step: int,
        arrays: Mapping[str, Any],
        num_buckets: Mapping[str, int] | None = None,
    ) -> None:
        """Write histograms of arrays, with 64 buckets by default."""
        buckets = num_buckets or {}
        self._log(
            step,
            (
                (name, trackai.Histogram(np.asarray(array), num_bins=buckets.get(name) or 64))
                for name, array in arrays.items()
            ),
        )

    def write_hparams(self, hparams: Mapping[str, Any]) -> None:
        """Write hyperparameters as the configuration."""
        if self._is_main:
            self._training.configure(hparams)

    def flush(self) -> None:
        """Do nothing: what has been written is safe already."""

    def close(self) -> None:
        """Finish a run of its own."""
        self._training.end()

    def _log(self, step: int, values: Iterable[tuple[str, Any]]) -> None:
        if self._is_main:
            self._training.log(dict(values), int(step))


def _media(values: Mapping[str, Any], dimensions: int, medium: Any) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        array = np.asarray(value)
        is_one = array.ndim <= dimensions
        yield name, medium(array) if is_one else [medium(item) for item in array]


def _summary(value: Any) -> Any:
    if value.dtype.kind in "SUO":
        texts = [
            item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
            for item in value.reshape(-1).tolist()
        ]
        return "\n".join(texts)
    return value.item() if value.size == 1 else trackai.Histogram(value)
