"""Writes with CLU's interface for metrics."""

from __future__ import annotations

import inspect

import jax.numpy as jnp
import numpy as np
from clu import metric_writers

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, files, only
from trackai.integrations.clu import TrackAIWriter


def main() -> None:
    assert not inspect.isabstract(TrackAIWriter)
    writer = TrackAIWriter(project="written", name="first")
    both = metric_writers.MultiWriter([writer, metric_writers.LoggingWriter()])
    both.write_hparams({"lr": 0.1, "depth": 3, "name": "x"})
    losses = [(step, 1 / (step + 1)) for step in range(0, 50, 10)]
    for step, loss in losses:
        both.write_scalars(step, {"loss": jnp.asarray(loss, jnp.float64), "step": step})
        with metric_writers.ensure_flushes(both):
            both.write_scalars(step, {"exact": np.float64(loss)})
    both.write_images(10, {"image": jnp.zeros((8, 8, 3)), "images": np.zeros((2, 8, 8, 1))})
    writer.write_videos(20, {"video": np.zeros((3, 16, 16, 3), np.uint8)})
    writer.write_audios(20, {"sound": np.zeros((1, 100, 1))}, sample_rate=1000)
    both.write_texts(30, {"text": "hello"})
    both.write_histograms(40, {"weights": jnp.arange(10.0)}, num_buckets={"weights": 5})
    writer.write_summaries(
        40, {"tensor": np.arange(4.0), "note": np.array(b"word"), "one": np.ones(1)}
    )
    both.close()
    run = only("written")
    assert run.config == {"lr": 0.1, "depth": 3, "name": "x"}
    single = [(step, float(np.float32(loss))) for step, loss in losses]
    expect(run, {"loss": single, "exact": losses, "step": [(step, step) for step, _ in losses]})
    expect(run, {"text": [(30, "hello")], "note": [(40, "word")], "one": [(40, 1.0)]})
    assert sorted(files()) == [
        ("image", 10), ("images", 10), ("images", 10), ("sound", 20), ("video", 20),
    ], files()  # fmt: skip
    expect_state(run, "completed")
    checked("numbers, images, videos, sounds, texts, histograms and hyperparameters")

    with trackai.init(project="mine") as mine:
        writer = TrackAIWriter()
        writer.write_scalars(3, {"loss": 0.5})
        writer.close()
        assert not mine.is_finished
    expect(only("mine"), {"loss": [(3, 0.5)]})
    checked("the run of the script is used and left open")


if __name__ == "__main__":
    main()
