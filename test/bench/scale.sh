#!/usr/bin/env bash
#
# Measure the same traces over the same 10 million visits, laid out in three ways:
#
#   btree   one table, read by its two B-trees
#   view    a view of that table, asked in SQL
#   three   parted by hash of venue over three servers, one part on each; the one
#           that traces reads its own by B-trees, and asks the others in SQL
#
#   make bench-scale       (make bench WHAT=scale)
#
# In the environment:
#   BENCH_DIR=directory   keep the loaded clusters there, and use them again
#   CASES=5               index cases
#   RUNS=5                runs, of which the median is taken
#   DEGREES='1 2 3'
#
# The report goes to standard output, as Markdown, and into build/bench.  The
# three servers run on this machine, and share its cores; everything is cached.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

CASES=${CASES:-5}
RUNS=${RUNS:-5}
DEGREES=${DEGREES:-1 2 3}

FAR=(north south)
LAYOUTS="visit visit_view visit_three"

# So many calls make one run, so that a short call is timed well.
calls_of() {
	case $1 in
	1) echo 20 ;;
	2) echo 5 ;;
	*) echo 1 ;;
	esac
}

port_of() { [ "$1" = north ] && echo 5433 || echo 5434; }

far_sql() {
	local name=$1

	shift
	PGPORT=$(port_of "$name") sql "$@"
}

#
# The servers
#

# A further server in the cluster's directory
start_far() {
	local name=$1 data=$CLUSTER/$1

	if [ ! -f "$data/PG_VERSION" ]; then
		mkdir -p "$data"
		[ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$data"
		as_server "$CLUSTER_BIN/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
			--no-sync >"$CLUSTER/files/initdb.$name.log"
		cp "$CLUSTER/data/postgresql.auto.conf" "$data/postgresql.auto.conf"
		cat >>"$data/postgresql.auto.conf" <<-CONF
			shared_buffers = '2GB'
			shared_preload_libraries = 'pg_stat_statements'
		CONF
		[ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$data/postgresql.auto.conf"
	fi
	as_server "$CLUSTER_BIN/pg_ctl" start -s -w -D "$data" -l "$data/server.log" \
		-o "-c listen_addresses= -c unix_socket_directories=$CLUSTER/socket -p $(port_of "$name")"
	far_sql "$name" -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'bench'" | grep -q 1 ||
		far_sql "$name" -d postgres -c 'CREATE DATABASE bench'
	far_sql "$name" -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' -c 'CREATE EXTENSION IF NOT EXISTS pg_prewarm'
}

# Part the visits by hash of venue.
lay_out() {
	local number=1 name

	sql -c "CREATE EXTENSION IF NOT EXISTS postgres_fdw" -c "CREATE OR REPLACE VIEW visit_view AS SELECT * FROM visit"
	if [ -z "$(sql -c "SELECT to_regclass('visit_three')")" ]; then
		progress "parting them over three servers"
		sql -1 -c "CREATE TABLE visit_three (LIKE visit) PARTITION BY HASH (venue)" \
			-c "CREATE TABLE visit_here PARTITION OF visit_three FOR VALUES WITH (MODULUS 3, REMAINDER 0)" \
			-c "INSERT INTO visit_here SELECT * FROM visit WHERE satisfies_hash_partition('visit_three'::regclass, 3, 0, venue)" \
			-c "SELECT anshim.track_visits('visit_three')" >/dev/null
		sql -c "VACUUM (FREEZE, ANALYZE) visit_here"
		for name in "${FAR[@]}"; do
			far_sql "$name" -c "DROP TABLE IF EXISTS visit" \
				-c "CREATE TABLE visit (subject bigint NOT NULL, venue bigint NOT NULL,
					entered_at timestamptz NOT NULL, left_at timestamptz)"
			sql -c "COPY (SELECT * FROM visit WHERE satisfies_hash_partition('visit_three'::regclass, 3, $number, venue))
					TO STDOUT (FORMAT binary)" | far_sql "$name" -c "COPY visit FROM STDIN (FORMAT binary)"
			far_sql "$name" -c "CREATE INDEX ON visit (subject, entered_at, venue) INCLUDE (left_at)" \
				-c "CREATE INDEX ON visit (venue, entered_at, subject) INCLUDE (left_at)" -c "VACUUM (FREEZE, ANALYZE) visit"
			sql -1 -c "CREATE SERVER $name FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$PGHOST', port '$(port_of "$name")',
					dbname 'bench', async_capable 'true', parallel_commit 'true', fetch_size '100000', options '-c jit=off')" \
				-c "CREATE USER MAPPING FOR CURRENT_USER SERVER $name" \
				-c "CREATE FOREIGN TABLE visit_$name PARTITION OF visit_three FOR VALUES WITH (MODULUS 3, REMAINDER $number)
					SERVER $name OPTIONS (table_name 'visit')"
			number=$((number + 1))
		done
	fi
	sql -c "SELECT anshim.track_visits('visit_view'), anshim.track_visits('visit_three')" \
		-c "SELECT pg_prewarm(i.indexrelid) FROM pg_index i WHERE i.indrelid = 'visit_here'::regclass" >/dev/null
	for name in "${FAR[@]}"; do
		far_sql "$name" -c "SELECT pg_prewarm(i.indexrelid) FROM pg_index i WHERE i.indrelid = 'visit'::regclass" >/dev/null
	done
}

#
# Measuring
#

measure() {
	local degrees index_case layout

	sql -c "CREATE TABLE rival.explained (visits regclass, index_case bigint, degrees integer, level integer, source text,
			rows_read bigint, rows_moved bigint, statements bigint, trips bigint)"
	for degrees in $DEGREES; do
		for index_case in $(head -n "$CASES" "$BENCH/cases"); do
			for layout in $LAYOUTS; do
				progress "degree $degrees, case $index_case, $layout"
				sql -c "CALL rival.measure('anshim', '$layout', $index_case, '$FROM', '$UNTIL',
						$degrees, $(calls_of "$degrees"), $RUNS)"
				explain "$layout" "$index_case" "$degrees"
			done
		done
	done
}

# What one call reads and moves, and how often the server in the north is asked:
# a statement there is a round trip.
explain() {
	local layout=$1 index_case=$2 degrees=$3 trips

	far_sql north -c "SELECT pg_stat_statements_reset()" >/dev/null
	sql -c "INSERT INTO rival.explained (visits, index_case, degrees, level, source, rows_read, rows_moved, statements)
			SELECT '$layout', $index_case, $degrees, level, source, rows_read, rows_moved, statements
			FROM anshim.explain_exposures('$layout', ARRAY[$index_case], '[$FROM, $UNTIL)', degrees => $degrees)"
	trips=$(far_sql north -c "SELECT sum(calls) FROM pg_stat_statements
			WHERE query ~ '^(DECLARE|FETCH|CLOSE|START|COMMIT)'")
	sql -c "UPDATE rival.explained SET trips = nullif('$trips', '')::bigint
			WHERE (visits, index_case, degrees) = ('$layout'::regclass, $index_case, $degrees)"
}

# The same cases' answers are the same, wherever the visits lie.
check_answers() {
	local wrong

	wrong=$(sql -c "SELECT index_case, degrees, string_agg(visits || ' ' || answer, ', ') FROM rival.answer
					GROUP BY index_case, degrees HAVING count(DISTINCT answer) > 1")
	[ -z "$wrong" ] || die "the answers differ: $wrong"
}

#
# Reporting
#

TIMES="
WITH c AS (
	SELECT visits::text AS visits, degrees, index_case,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS ms
	FROM rival.run WHERE prepared GROUP BY visits, degrees, index_case
), d AS (
	SELECT degrees, avg(ms) FILTER (WHERE visits = 'visit') AS btree, avg(ms) FILTER (WHERE visits = 'visit_view') AS view,
		avg(ms) FILTER (WHERE visits = 'visit_three') AS three
	FROM c GROUP BY degrees
), r AS (
	SELECT degrees, avg(reached) AS reached FROM (
		SELECT DISTINCT degrees, index_case, split_part(answer, ':', 1)::numeric AS reached FROM rival.answer) a
	GROUP BY degrees
)
SELECT degrees AS degree, round(reached) AS reached, rival.figure(btree) AS \"one server, B-trees\",
	rival.figure(view) AS \"one server, SQL\", rival.figure(three) AS \"three servers\",
	rival.figure(view / btree) AS \"SQL / B-trees\", CASE degrees WHEN 3 THEN 6 END AS \"wanted, at most\",
	rival.figure(three / view) AS \"three / SQL\", CASE degrees WHEN 3 THEN 1.5 END AS \"wanted, at most\"
FROM d JOIN r USING (degrees) ORDER BY degrees"

MOVED="
SELECT degrees AS degree, level,
	round(avg(rows_read) FILTER (WHERE visits = 'visit'::regclass)) AS \"B-trees: rows read\",
	round(avg(rows_moved) FILTER (WHERE visits = 'visit_view'::regclass)) AS \"SQL: rows moved\",
	round(avg(rows_read) FILTER (WHERE visits = 'visit_three'::regclass)) AS \"three servers: rows read\",
	round(avg(rows_moved) FILTER (WHERE visits = 'visit_three'::regclass)) AS \"rows moved\",
	max(statements) FILTER (WHERE visits = 'visit_three'::regclass) AS statements
FROM rival.explained GROUP BY degrees, level ORDER BY degrees, level"

TRIPS="
SELECT degrees AS degree, min(trips) AS \"round trips, at least\", max(trips) AS \"at most\"
FROM rival.explained WHERE visits = 'visit_three'::regclass GROUP BY degrees ORDER BY degrees"

report() {
	cat <<-TEXT
		## 10 million visits on one server and on three, $(date -u +%Y-%m-%d)

		$(machine)

		Milliseconds a trace of [$FROM, $UNTIL): the mean over $CASES cases of the median of $RUNS runs (degree 1: of
		$(calls_of 1) calls each, degree 2: of $(calls_of 2)). All layouts gave the same answers. The three servers share the
		cores of this machine.

	TEXT
	table "$TIMES"
	printf '\nRows, and statements in SQL, at each level: the mean over the cases.\n\n'
	table "$MOVED"
	printf '\nRound trips to one of the far servers in a whole trace, its transaction included.\n\n'
	table "$TRIPS"
}

#
# All of it
#

need bench
open_cluster
load_visits visit 1
for name in "${FAR[@]}"; do start_far "$name"; done
lay_out
sql -c "SELECT rival.cases('visit', '$FROM', '$UNTIL', 100)" >"$BENCH/cases"
measure
check_answers
report | tee "$BENCH/report-scale.md"
