#!/usr/bin/env bash
# NumPy works on bfloat16 and float8 arrays of ml_dtypes, and means, sums and sorts are wrong.
#
# Guess: they behave like float16: kind "f", sums and means in float32, NaN sorted last.
# Seen with ml_dtypes 0.6.0 and NumPy 2.4.6: the kind is "V", np.floating does not include them, and
# every intermediate result is rounded to the narrow type.
#   - the sum of 1 000 ones is 256 (bfloat16) and 16 (float8_e4m3fn);
#   - the mean of 1 000 times 0.1 is 0.032;
#   - np.histogram has bfloat16 edges, and counts that differ from those of the same values;
#   - np.sort leaves [3, nan, 1] as it is.
# Convert with .astype("float32") first. float16 has none of this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check ml-dtypes==0.6.0 numpy==2.4.6
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import ml_dtypes
import numpy as np

narrow, float8 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn
assert np.dtype(narrow).kind == np.dtype(float8).kind == "V"
assert not np.issubdtype(narrow, np.floating)
assert isinstance(narrow(1.5).item(), float)

assert float(np.ones(1_000, narrow).sum()) == 256
assert float(np.ones(1_000, float8).sum()) == 16
assert float(np.ones(1_000, np.float16).sum()) == 1_000
mean = float(np.full(1_000, 0.1, narrow).mean())
assert 0.031 < mean < 0.033, mean
print("mean of 1 000 times 0.1:", mean)

values = np.random.default_rng(0).normal(size=10_000).astype(narrow)
counts, edges = np.histogram(values, bins=8)
exact, _ = np.histogram(values.astype("float32"), bins=8)
assert edges.dtype == narrow
assert counts.tolist() != exact.tolist()
print("histogram:", counts.tolist(), "in float32:", exact.tolist())

unsorted = [float(value) for value in np.sort(np.array([3, np.nan, 1], narrow))]
assert unsorted[0] == 3 and unsorted[2] == 1, unsorted
assert np.sort(np.array([3, np.nan, 1], np.float16))[:2].tolist() == [1, 3]
print("sorted:", unsorted)
PYTHON
