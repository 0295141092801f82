#!/usr/bin/env bash
# A figure of Plotly that is read from its own JSON has dicts where it had arrays.
#
# Guess: plotly.io.from_json(figure.to_json()) gives a figure whose data are arrays again.
# Seen with plotly 7.1.0 and NumPy 2.4.6: to_json writes arrays as {"dtype": "f8", "bdata": base64},
# and from_json leaves them so: figure.data[0].y is a dict with these two keys. The figures count as
# equal all the same. Lists come back as tuples with their values. The browser draws both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check plotly==7.1.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
import base64

import numpy as np
import plotly.graph_objects as go
import plotly.io

values = np.array([1.0, 4.0, np.nan])
figure = go.Figure(go.Scatter(y=values))
again = plotly.io.from_json(figure.to_json())
y = again.data[0].y
assert isinstance(y, dict), type(y)
assert again == figure
print("y is", y)
decoded = np.frombuffer(base64.b64decode(y["bdata"]), y["dtype"])
assert np.array_equal(decoded, values, equal_nan=True)

listed = plotly.io.from_json(go.Figure(go.Scatter(y=[1.0, 4.0])).to_json())
assert listed.data[0].y == (1.0, 4.0), listed.data[0].y
print("of a list, y is", listed.data[0].y)
PYTHON
