#!/usr/bin/env bash
# SQLite's JSON functions and casts to text round nine of ten floats, in most versions in use.
#
# Guess: json_group_array(value) returns numbers that json.loads reads as the stored floats, since
# quote(value), the driver and the JSON that goes in are exact.
# Seen with apsw 3.50.4.0 (SQLite 3.50.4; 3.46.1 is the same): json_array, json_object,
# json_group_array and CAST(value AS TEXT) write 15 digits, so 0.1 + 0.2 becomes 0.3, and of 5 000
# random floats 4 529 are changed. A column of the type TEXT rounds floats on the way in.
# With apsw 3.54.1.0 (SQLite 3.54.1) all are exact. Before, build the JSON with
# json(printf('%!.17g', value)); printf without the exclamation mark has 16 digits at most.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/count.py" <<'PYTHON'
import json
import random

import apsw

random.seed(0)
floats = [random.random() * 10 ** random.randint(-12, 12) for _ in range(5000)]
connection = apsw.Connection(":memory:")
connection.execute("CREATE TABLE points (value REAL, written TEXT)")
connection.executemany("INSERT INTO points VALUES (?, ?)", [(value, value) for value in floats])

[[version]] = connection.execute("SELECT sqlite_version()")


def changed(expression):
    [[found]] = connection.execute(f"SELECT {expression} FROM points")
    read = [float(value) for value in json.loads(found)]
    return sum(left != right for left, right in zip(read, floats, strict=True))


[[example]] = connection.execute("SELECT json_array(0.1 + 0.2)")
print(
    version,
    f"0.1 + 0.2 = {example}; changed:",
    "json", changed("json_group_array(value)"),
    "cast", changed("json_group_array(CAST(value AS TEXT))"),
    "column", changed("json_group_array(written)"),
    "quote", changed("json_group_array(quote(value))"),
    "printf", changed("json_group_array(json(printf('%!.17g', value)))"),
)
PYTHON
for version in 3.50.4.0 3.54.1.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "apsw==$version"
done
old=$("$folder/3.50.4.0/bin/python" "$folder/count.py")
new=$("$folder/3.54.1.0/bin/python" "$folder/count.py")
printf '%s\n' "$old" "$new"
rounded='json 4529 cast 4529 column 4529 quote 0 printf 0'
exact='json 0 cast 0 column 0 quote 0 printf 0'
test "$old" = "3.50.4 0.1 + 0.2 = [0.3]; changed: $rounded"
test "$new" = "3.54.1 0.1 + 0.2 = [0.30000000000000004]; changed: $exact"
