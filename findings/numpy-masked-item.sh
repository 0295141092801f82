#!/usr/bin/env bash
# item() of a masked number of NumPy returns the value under the mask, and other functions of NumPy
# return something else.
#
# Guess: item() of a masked number is None or numpy.ma.masked, as tolist() says, or it raises.
# Seen with NumPy 2.4.6:
#   - numpy.ma.masked.item() is 0.0, so the mean of values that are all masked becomes 0;
#   - of a masked 0-d array, item() is the hidden value, int() raises, float() is NaN, and tolist() is
#     None;
#   - numpy.asarray() of a masked array has the hidden values, while pandas makes NaN of them.
# Check numpy.ma.getmaskarray(value) before calling item() or asarray().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 pandas==3.1.1
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import math

import numpy as np
import pandas as pd

mean = np.ma.array([3.0, 4.0], mask=[True, True]).mean()
assert mean is np.ma.masked
assert mean.item() == 0.0
assert math.isnan(float(mean))
print("mean of masked values:", mean, "item():", mean.item(), "float():", float(mean))

hidden = np.ma.array(7, mask=True)
assert hidden.item() == 7
assert hidden.tolist() is None
assert math.isnan(float(hidden))
try:
    as_int = int(hidden)
except Exception as error:
    as_int = type(error).__name__
print("masked 7: item():", hidden.item(), "tolist():", hidden.tolist(), "int():", as_int)
assert as_int == "MaskError", as_int

values = np.ma.array([1, 7], mask=[False, True])
assert np.asarray(values).tolist() == [1, 7]
assert values.tolist() == [1, None]
assert pd.Series(values).isna().tolist() == [False, True]
print("asarray():", np.asarray(values), "tolist():", values.tolist())
PYTHON
