#!/usr/bin/env bash
# trackio with server_url: what a run could not send is not sent by the next run, as it says.
#
# Guess: the next trackio.init() of the project with the same server sends it, as the warning says.
# Seen with trackio 0.43.0: a run without its server ends with "They have been saved locally and will
# be sent automatically next time you call: trackio.init(...)". The next run there, with the server
# up, sends only what it logs itself, and ends with the same warning. The calls stay in the local
# database of the project. `trackio sync` sends to Spaces, and knows no server_url.
set -euo pipefail
folder=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server"; rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check trackio==0.43.0
export HF_HUB_OFFLINE=1 TRACKIO_WRITE_TOKEN=0123456789abcdef
python=$folder/env/bin/python
port=$("$python" -c "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])")

log() {  # NAME CALLS: log as a run, and print what trackio says
    TRACKIO_DIR=$folder/node "$python" - "$1" "$2" "$port" 2>&1 <<'PYTHON'
import sys
import time

import trackio

name, calls, port = sys.argv[1], int(sys.argv[2]), sys.argv[3]
trackio.init(project="p", name=name, server_url=f"http://127.0.0.1:{port}")
for step in range(calls):
    trackio.log({"loss": 1.0}, step=step)
time.sleep(3)
trackio.finish()
PYTHON
}

calls() {  # FOLDER: the runs and their calls in a database of trackio
    "$python" -c "
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute(
    'SELECT run_name, count(*) FROM metrics GROUP BY 1 ORDER BY 1').fetchall())" "$1/p.db"
}

promise="will be sent automatically next time"
log offline 5 | grep -o "$promise"

TRACKIO_DIR=$folder/server "$python" -c "
import trackio
trackio.show(open_browser=False, block_thread=True, share=False, host='127.0.0.1', server_port=$port)
" >"$folder/server.log" 2>&1 &
server=$!
until "$python" -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null; do
    kill -0 "$server"
    sleep 0.2
done

log online 2 | grep -o "$promise"
echo "on the server: $(calls "$folder/server")"
echo "left on the node: $(calls "$folder/node")"
test "$(calls "$folder/server")" = "[('online', 2)]"
test "$(calls "$folder/node")" = "[('offline', 5)]"
