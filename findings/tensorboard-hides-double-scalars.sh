#!/usr/bin/env bash
# TensorBoard shows no scalars that are tensors of doubles, unless --load_fast=false.
#
# Guess: a scalar tensor of DT_DOUBLE is shown like one of DT_FLOAT: the scalars plugin converts any
# tensor with `item()`, and EventAccumulator reads it.
# Seen with tensorboard 2.21.0: the data server that is installed with it and used by default leaves
# these tags out, without a message; with --load_fast=false they are shown in full precision. Of a tag
# that begins with floats, the doubles after them are missing.
# Write floats of 32 bits. (Histograms as tensors of doubles are shown by both.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check tensorboard==2.21.0 \
    tensorboard-data-server==0.7.2 'setuptools<81'
cat > "$folder/write.py" <<'PYTHON'
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT
from tensorboard.summary.writer.event_file_writer import EventFileWriter

metadata = SummaryMetadata(data_class=DATA_CLASS_SCALAR)
metadata.plugin_data.plugin_name = "scalars"
writer = EventFileWriter(sys.argv[1])
for step in range(3):
    event = Event(wall_time=1_790_000_000 + step, step=step)
    single = TensorProto(dtype=DT_FLOAT, float_val=[0.1])
    double = TensorProto(dtype=DT_DOUBLE, double_val=[0.1])
    for tag, tensor in (("single", single), ("double", double), ("mixed", double if step else single)):
        event.summary.value.add(tag=tag, tensor=tensor, metadata=metadata)
    writer.add_event(event)
writer.close()
PYTHON
cat > "$folder/read.py" <<'PYTHON'
import json
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import socket

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
arguments = ["-m", "tensorboard.main", "--logdir", sys.argv[1], "--port", str(port), *sys.argv[2:]]
process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)
url = f"http://127.0.0.1:{port}/data/plugin/scalars"
try:
    for _ in range(240):
        try:
            if tags := json.load(urlopen(f"{url}/tags")):
                break
        except URLError:
            pass
        time.sleep(0.25)
    time.sleep(2)
    tags = sorted(json.load(urlopen(f"{url}/tags"))["."])
    points = {tag: len(json.load(urlopen(f"{url}/scalars?run=.&tag={tag}"))) for tag in tags}
    print(json.dumps(points))
finally:
    process.terminate()
PYTHON
"$folder/env/bin/python" "$folder/write.py" "$folder/logs"
default=$("$folder/env/bin/python" "$folder/read.py" "$folder/logs")
slow=$("$folder/env/bin/python" "$folder/read.py" "$folder/logs" --load_fast=false)
echo "points that are shown by default: $default"
echo "points with --load_fast=false:    $slow"
test "$default" = '{"mixed": 1, "single": 3}'
test "$slow" = '{"double": 3, "mixed": 3, "single": 3}'
