# shellcheck shell=bash
#
# What the measurements of `make bench` share.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

HERE=$TOP/test/bench

# What is built and reported
BENCH=$TOP/build/bench
mkdir -p "$BENCH"

# The window that is traced: 14 days in the middle of island.c's 28.
# shellcheck disable=SC2034 # for those who read this file
FROM=2021-02-08 UNTIL=2021-02-22

progress() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

sql() { PGOPTIONS='-c client_min_messages=warning' psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# A query's result as a Markdown table
table() {
	psql -X -q -A -v ON_ERROR_STOP=1 -P footer=off -c "$1" | awk -F '|' -v OFS=' | ' '
		{ $1 = $1; print "| " $0 " |" }
		NR == 1 { for (i = 1; i <= NF; i++) $i = "---:"; print "| " $0 " |" }'
}

machine() {
	printf '%s, %s cores, %s GB of memory; Linux %s; PostgreSQL %s.\n' \
		"$(lscpu | sed -n 's/^Model name: *//p')" "$(nproc)" \
		"$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" \
		"$(uname -r | sed 's/[^0-9.].*//')" "$(sql -c 'SHOW server_version')"
}

#
# The cluster
#

# … with whatever other servers there are
stop_kept_cluster() {
	local file

	for file in "$CLUSTER"/*/postmaster.pid; do
		[ ! -f "$file" ] || as_server "$CLUSTER_BIN/pg_ctl" stop -s -m fast -D "$(dirname "$file")" || true
	done
	rm -rf "$CLUSTER/root"
}

# The cluster that BENCH_DIR keeps, with anshim as it is now
open_kept_cluster() {
	CLUSTER=$BENCH_DIR
	mkdir -p "$CLUSTER"/{data,socket,files}
	CLUSTER=$(cd "$CLUSTER" && pwd -P)
	if [ "$(id -u)" = 0 ]; then
		chown "$SERVER_USER" "$CLUSTER"/{data,socket}
	fi
	rm -rf "$CLUSTER/root"
	make_root "$CLUSTER/root"
	use_cluster
	if [ ! -f "$CLUSTER/data/PG_VERSION" ]; then
		as_server "$CLUSTER_BIN/initdb" -D "$CLUSTER/data" -U postgres -A trust \
			-E UTF8 --locale=C.UTF-8 --no-sync >"$CLUSTER/files/initdb.log"
	fi
	trap 'trap "" INT TERM HUP; stop_kept_cluster' EXIT
	as_server "$CLUSTER_BIN/pg_ctl" start -s -w -D "$CLUSTER/data" -l "$CLUSTER/data/server.log" \
		-o "-c listen_addresses= -c unix_socket_directories=$CLUSTER/socket"
}

# What the measurements need of the server, whoever started it
configure_cluster() {
	sql -d postgres <<-SQL
		ALTER SYSTEM SET shared_buffers = '4GB';
		ALTER SYSTEM SET maintenance_work_mem = '1GB';
		ALTER SYSTEM SET max_wal_size = '16GB';
		ALTER SYSTEM SET checkpoint_timeout = '1h';
		ALTER SYSTEM SET wal_level = minimal;
		ALTER SYSTEM SET max_wal_senders = 0;
		ALTER SYSTEM SET fsync = off;
		ALTER SYSTEM SET autovacuum = off;
		ALTER SYSTEM SET effective_cache_size = '8GB';
		ALTER SYSTEM SET random_page_cost = 1.1;
		ALTER SYSTEM SET timezone = 'UTC';
	SQL
	as_server "$CLUSTER_BIN/pg_ctl" restart -s -w -D "$CLUSTER/data" -l "$CLUSTER/data/server.log" \
		-o "-c listen_addresses= -c unix_socket_directories=$CLUSTER/socket"
}

#
# The island
#

# Load a table of visits, unless it is there; track it.
load_visits() {
	local table=$1 scale=$2 mark free

	mark="island.c $(cksum <"$HERE/island.c"), scale $scale"
	if [ "$(sql -c "SELECT obj_description(to_regclass('$table'), 'pg_class')")" != "$mark" ]; then
		free=$(df --output=avail -k "$CLUSTER/data" | tail -n 1)
		[ "$free" -gt $((4000000 * scale)) ] ||
			die "needs $((4 * scale)) GB in $CLUSTER; give another directory: TMPDIR=… or BENCH_DIR=…"
		progress "loading $((10 * scale)) million visits"
		sql -c "DROP TABLE IF EXISTS $table"
		"$BENCH/island" "$scale" | sql -1 \
			-c "CREATE TABLE $table (subject bigint NOT NULL, venue bigint NOT NULL,
				entered_at timestamptz NOT NULL, left_at timestamptz)" \
			-c "COPY $table FROM STDIN (FORMAT binary, FREEZE)"
		progress "indexing them"
		sql -c "SELECT anshim.track_visits('$table')" >/dev/null
		progress "vacuuming them"
		sql -c "VACUUM (FREEZE, ANALYZE) $table" -c "COMMENT ON TABLE $table IS '$mark'" -c CHECKPOINT
	fi
	# The extension was created anew: it has to be told again.
	sql -c "SELECT anshim.track_visits('$table')" >/dev/null
	sql -c "SELECT pg_prewarm(i.indexrelid) FROM pg_index i WHERE i.indrelid = '$table'::regclass" >/dev/null
}

# The cluster, its database with anshim as it is now, and the stop-watches
open_cluster() {
	cc -O2 -o "$BENCH/island" "$HERE/island.c"
	if [ -n "${BENCH_DIR:-}" ]; then
		open_kept_cluster
	elif [ -z "${CLUSTER:-}" ]; then
		stop_cluster_at_exit
		start_cluster "max_connections = 20"
	fi
	configure_cluster
	sql -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'bench'" | grep -q 1 ||
		sql -d postgres -c 'CREATE DATABASE bench'
	export PGDATABASE=bench
	sql -c "DROP SCHEMA IF EXISTS rival CASCADE" \
		-c "DROP EXTENSION IF EXISTS anshim CASCADE" -c "CREATE EXTENSION anshim" \
		-c "CREATE EXTENSION IF NOT EXISTS btree_gist" -c "CREATE EXTENSION IF NOT EXISTS pg_prewarm"
	sql -f "$HERE/rivals.sql"
}
