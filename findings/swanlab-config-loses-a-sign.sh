#!/usr/bin/env bash
# SwanLab writes minus infinity in a configuration as plus infinity, and an empty dict like None.
#
# Guess: config.yaml has -.inf, or the text "-Inf", and null.
# Seen with swanlab 0.10.3 and PyYAML 6.0.4: both infinities are the text Inf, NaN is the text NaN,
# which YAML reads as texts, and None and {} are both {}. Within a list or a dict, None is null.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check swanlab==0.10.3 pyyaml==6.0.4
cd "$folder"
HOME="$folder" env/bin/python - <<'PYTHON'
import math
from pathlib import Path

import swanlab
import yaml

config = {"low": -math.inf, "high": math.inf, "nan": math.nan, "none": None, "empty": {}, "in": [None]}
swanlab.init(project="demo", mode="offline", logdir="log", config=config)
swanlab.finish()
[path] = Path("log").glob("run-*/files/config.yaml")
written = {key: item["value"] for key, item in yaml.safe_load(path.read_text()).items()}
assert written == {
    "low": "Inf", "high": "Inf", "nan": "NaN", "none": {}, "empty": {}, "in": [None]
}, written
print(config, "is written as", written)
PYTHON
