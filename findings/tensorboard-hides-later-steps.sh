#!/usr/bin/env bash
# TensorBoard hides all points of a tag from a step on to which a script goes back.
#
# Guess: all points are shown, in the order of their steps or of their times, as EventAccumulator
# reads them; only SessionLog.START (purge_step of a writer) discards points.
# Seen with tensorboard 2.21.0 and tensorboardX 2.6.5: the data server that is used by default drops
# the points of the tag at the same and later steps, without a message, whenever a step is not
# higher than the last one. With --load_fast=false all are shown.
#   - A script that counts the batches of each epoch from 0 shows the last epoch only.
#   - One late point, such as that of an evaluation of an earlier checkpoint, hides those behind it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check tensorboard==2.21.0 \
    tensorboard-data-server==0.7.2 tensorboardX==2.6.5 'setuptools<81'
cat > "$folder/read.py" <<'PYTHON'
import json
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
arguments = ["-m", "tensorboard.main", "--logdir", sys.argv[1], "--port", str(port), *sys.argv[2:]]
process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)
url = f"http://127.0.0.1:{port}/data/plugin/scalars"
try:
    for _ in range(240):
        try:
            if json.load(urlopen(f"{url}/tags")):
                break
        except URLError:
            pass
        time.sleep(0.25)
    time.sleep(2)
    for tag in ("batches", "evaluations"):
        points = json.load(urlopen(f"{url}/scalars?run=.&tag={tag}"))
        print(f"{tag}: {len(points)} points, steps {' '.join(str(step) for _, step, _ in points)}")
finally:
    process.terminate()
PYTHON
"$folder/env/bin/python" -W ignore - "$folder/logs" <<'PYTHON'
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter

writer = SummaryWriter(sys.argv[1])
for epoch in range(3):
    for batch in range(4):
        writer.add_scalar("batches", epoch, batch)
for step in (100, 200, 300, 400, 150):
    writer.add_scalar("evaluations", 0.5, step)
writer.close()

events = EventAccumulator(sys.argv[1])
events.Reload()
assert len(events.Scalars("batches")) == 12
assert len(events.Scalars("evaluations")) == 5
PYTHON
default=$("$folder/env/bin/python" "$folder/read.py" "$folder/logs")
slow=$("$folder/env/bin/python" "$folder/read.py" "$folder/logs" --load_fast=false)
printf 'by default:\n%s\nwith --load_fast=false:\n%s\n' "$default" "$slow"
test "$default" = 'batches: 4 points, steps 0 1 2 3
evaluations: 2 points, steps 100 150'
test "$slow" = 'batches: 12 points, steps 0 1 2 3 0 1 2 3 0 1 2 3
evaluations: 5 points, steps 100 200 300 400 150'
