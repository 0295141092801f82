"""Writes runs as folders of Weights & Biases that `wandb sync` uploads.

Each attempt of a run is a folder `offline-run-<time>-<id>`. The messages are those that
`trackai.importers.wandb` reads. Checked with wandb 0.31.0.
"""
