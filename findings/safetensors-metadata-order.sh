#!/usr/bin/env bash
# safetensors writes different bytes each time for equal tensors and metadata.
#
# Guess: equal tensors and metadata give equal files, and load() returns the tensors in the order of
# the file.
# Seen with safetensors 0.8.0 and NumPy 2.4.6: the keys of `__metadata__` have a random order, also
# within one process: of 20 files with six keys, nearly all differ. With one key or none, all are
# equal. The dict that load() returns has a random order each time; load_file() has a fixed one.
# A store that compares checkpoints by their digests sees a new file each time. Write one key that
# holds all metadata as JSON.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cd "$folder"
env/bin/python - <<'PYTHON'
import hashlib
import json

import numpy as np
from safetensors.numpy import load, load_file, save

tensors = {name: np.arange(3.0) for name in "dbca"}
metadata = {"step": "100", "lr": "0.1", "loss": "0.5", "seed": "1", "run": "a", "epoch": "2"}


def write(metadata):
    return [save(tensors, metadata) for _ in range(20)]


def header(file):
    return json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])


files = write(metadata)
digests = {hashlib.sha256(file).hexdigest() for file in files}
print(len(digests), "digests of 20 files with equal tensors and metadata")
assert len(digests) > 5, digests
assert all(header(file) == header(files[0]) for file in files)
assert {len(file) for file in files} == {len(files[0])}
for file in files[:2]:
    print("order of the metadata:", *header(file)["__metadata__"])

[file] = set(write(None))
assert len(set(write({"all": json.dumps(metadata)}))) == 1

orders = {"".join(load(file)) for _ in range(20)}
print("orders of the tensors in load():", *sorted(orders)[:3], "...")
assert len(orders) > 5, orders
with open("model.safetensors", "wb") as model:
    model.write(file)
assert {"".join(load_file("model.safetensors")) for _ in range(20)} == {"abcd"}
PYTHON
