"""Reads the folders of Weights & Biases: `offline-run-*` and `run-*`, each with a record file.

A record file is a log of LevelDB (`records.py`) that holds protobuf messages (`messages.py`), which
are declared here, so that wandb need not be installed. Checked with wandb 0.31.0.
"""
