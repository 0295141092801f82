"""The names of the values that Hugging Face's Trainer logs."""

from __future__ import annotations

# Figures of a whole training. The trainer logs them once, when it ends.
_WHOLE_RUN = {
    "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss",
    "total_flos",
}  # fmt: skip


def metric_name(name: str) -> str:
    """Return the metric of a value: "loss" is "train/loss", "eval_loss" is "eval/loss"."""
    if name in _WHOLE_RUN:
        return name
    for prefix in ("eval", "test"):
        if name.startswith(f"{prefix}_"):
            return f"{prefix}/{name[len(prefix) + 1 :]}"
    return f"train/{name}"
