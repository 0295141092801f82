#!/usr/bin/env bash
# PyYAML reads a small or large float of a JSON file as a text.
#
# Guess: YAML contains JSON, so a YAML loader reads what json.dumps wrote.
# Seen with PyYAML 6.0.4: json.dumps writes 1e-05 and 1e+16, PyYAML's floats need a point and a signed
# exponent (YAML 1.1), so both become strings, with safe_load and with the C loader. Its own dump
# writes 1.0e-05. ruamel.yaml 0.19.1 (YAML 1.2) and OmegaConf 2.4.0 read floats.
# A learning rate in a params.json or config.yaml that a script wrote as JSON is such a float.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    pyyaml==6.0.4 ruamel.yaml==0.19.1 omegaconf==2.4.0
"$folder/env/bin/python" - <<'PYTHON'
import json

import yaml
from omegaconf import OmegaConf
from ruamel.yaml import YAML

config = {"lr": 1e-5, "tokens": 1e16, "dropout": 0.1}
text = json.dumps(config)
expected = {"lr": "1e-05", "tokens": "1e+16", "dropout": 0.1}
assert yaml.safe_load(text) == expected
assert yaml.load(text, yaml.CSafeLoader) == expected
assert yaml.safe_load(yaml.safe_dump(config)) == config
assert dict(YAML(typ="safe").load(text)) == config
assert OmegaConf.to_container(OmegaConf.create(text)) == config
print(text, "is read by PyYAML as", yaml.safe_load(text))
PYTHON
