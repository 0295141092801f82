#!/usr/bin/env bash
# wandb offline: an image in a cell of a table is not in the folder of the run.
#
# Guess: the folder of an offline run is all that wandb has of it, so an image in a table is in
# files/media, like one that is logged on its own, and the table names its path.
# Seen with wandb 0.31.0 and its WANDB_DATA_DIR elsewhere: the table in files/media/table holds the
# text "Image" instead of the picture. The bytes are in a folder for artifacts outside of the run's,
# below WANDB_DATA_DIR and with a random name, so a folder of a run that is copied to another machine
# has lost them. The image on its own is there.
set -euo pipefail
export LC_ALL=C
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check wandb==0.31.0 numpy==2.2.6 pillow==11.2.1
mkdir "$folder/work"
cd "$folder/work"
WANDB_MODE=offline WANDB_SILENT=true WANDB_DATA_DIR=$folder/data "$folder/env/bin/python" - <<'PYTHON'
import numpy as np
import wandb

picture = lambda shade: wandb.Image(np.full((4, 4, 3), shade, dtype=np.uint8))
run = wandb.init(project="p")
run.log({"alone": picture(0)})
run.log({"table": wandb.Table(columns=["name", "picture"], data=[["white", picture(255)]])})
run.finish()
PYTHON
cd wandb/offline-run-*
pictures=$(find . -name '*.png' | grep -c .)
table=$(cat files/media/table/*.table.json)
elsewhere=$(find "$folder/data" -type f -exec grep -lE '^.PNG' {} + | grep -c .)
echo "pictures in the folder of the run: $pictures, elsewhere: $elsewhere"
echo "the table: $table"
test "$pictures" = 1
test "$elsewhere" = 1
test "$table" = '{"columns":["name","picture"],"data":[["white","Image"]]}'
