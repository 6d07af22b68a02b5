#!/usr/bin/env bash
#
# Measure what docs/scale.md reckons with: how many people a trace reaches in a
# country, how many rows it reads for each, what a row costs, and what a visit
# takes on disk.
#
#   make bench-country       (make bench WHAT=country)
#
# In the environment:
#   PEOPLE='50000 500000 5000000'   populations to simulate, at the same density;
#                         50000000 with 2 cases takes 5 GB, and the better part of an hour
#   CASES='8 4 1'         index cases in each of them
#   ROOM_VISITS=60        visits a day of a room, at most; 0: a venue is one room
#   MIN_OVERLAP=15        minutes
#   LATENT=0              days
#   SEED=1861
#   LOADED=100000         people whose visits are loaded, and traced by anshim
#   RUNS=3                traces of each, of which the median is taken
#   STEPS='levels rows bytes'
#
# The report goes to standard output, as Markdown, and into build/bench.  How the
# country is made, and by whose figures, is in country_log.c.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

read -ra PEOPLE <<<"${PEOPLE:-50000 500000 5000000}"
read -ra CASES <<<"${CASES:-8 4 1}"
ROOM_VISITS=${ROOM_VISITS:-60}
MIN_OVERLAP=${MIN_OVERLAP:-15}
LATENT=${LATENT:-0}
SEED=${SEED:-1861}
LOADED=${LOADED:-100000}
RUNS=${RUNS:-3}
STEPS=${STEPS:-levels rows bytes}

DAYS=14 UNTIL=2021-02-15

wanted() { [[ " $STEPS " = *" $1 "* ]]; }

country() { "$BENCH/country" "$@" -r "$ROOM_VISITS" -s "$SEED"; }

#
# The levels
#

# simulate PEOPLE CASES
simulate() {
	progress "simulating $1 people, $2 cases"
	country levels -p "$1" -c "$2" -d "$DAYS" -o "$MIN_OVERLAP" -l "$LATENT" >"$BENCH/country.out"
	sed -n 's/^log|//p' "$BENCH/country.out" | sql -c "COPY country_log FROM STDIN (DELIMITER '|')"
	sed -n 's/^reached|//p' "$BENCH/country.out" | sql -c "COPY country_reached FROM STDIN (DELIMITER '|')"
}

simulate_all() {
	local i

	for i in "${!PEOPLE[@]}"; do
		simulate "${PEOPLE[i]}" "${CASES[i]:-1}"
	done
}

# What a trace looks at up to each degree
UP_TO="
SELECT people, index_case, level AS degree, reached,
	sum(infectors + others) OVER (PARTITION BY people, index_case ORDER BY level) AS rows
FROM country_reached"

LOGS="SELECT people, venues, rooms, visits AS \"visits a day\", meetings AS \"meetings a day\" FROM country_log ORDER BY people"

REACHED="
WITH u AS ($UP_TO)
SELECT people, count(DISTINCT index_case) AS cases,
	round(avg(reached) FILTER (WHERE degree = 1)) AS \"degree 1\", round(avg(reached) FILTER (WHERE degree = 2)) AS \"degree 2\",
	round(avg(reached) FILTER (WHERE degree = 3)) AS \"degree 3\", round(avg(reached) FILTER (WHERE degree = 4)) AS \"degree 4\",
	round(avg(reached) FILTER (WHERE degree = 5)) AS \"degree 5\"
FROM u GROUP BY people ORDER BY people"

# Rows that a trace to each degree has to look at, for each whom it reaches
LOOKED="
WITH u AS ($UP_TO)
SELECT people,
	rival.figure(sum(rows) FILTER (WHERE degree = 1) / sum(reached) FILTER (WHERE degree = 1)) AS \"degree 1\",
	rival.figure(sum(rows) FILTER (WHERE degree = 2) / sum(reached) FILTER (WHERE degree = 2)) AS \"degree 2\",
	rival.figure(sum(rows) FILTER (WHERE degree = 3) / sum(reached) FILTER (WHERE degree = 3)) AS \"degree 3\",
	rival.figure(sum(rows) FILTER (WHERE degree = 4) / sum(reached) FILTER (WHERE degree = 4)) AS \"degree 4\",
	rival.figure(sum(rows) FILTER (WHERE degree = 5) / sum(reached) FILTER (WHERE degree = 5)) AS \"degree 5\"
FROM u GROUP BY people ORDER BY people"

report_levels() {
	printf '\nThe logs: meetings are those of a person, of %s minutes or more.\n\n' "$MIN_OVERLAP"
	table "$LOGS"
	printf '\nReached by a trace of %s days, latent %s days: the mean of the cases.\n\n' "$DAYS" "$LATENT"
	table "$REACHED"
	printf '\nVisits that such a trace has to look at, for each person reached.\n\n'
	table "$LOOKED"
}

#
# Rows, and what one costs
#

load_country() {
	progress "loading the visits of $LOADED people"
	sql -c "CREATE EXTENSION IF NOT EXISTS postgres_fdw" \
		-c "CREATE TABLE visit (subject bigint NOT NULL, venue bigint NOT NULL, entered_at timestamptz NOT NULL, left_at timestamptz)"
	country log -p "$LOADED" -d "$DAYS" | sql -c "COPY visit FROM STDIN (DELIMITER '|')"
	progress "indexing them"
	sql -c "SELECT anshim.track_visits('visit')" -c "VACUUM (FREEZE, ANALYZE) visit" >/dev/null
	sql -1 -c "CREATE VIEW visit_view AS SELECT * FROM visit" \
		-c "CREATE SERVER next_door FOREIGN DATA WRAPPER postgres_fdw
			OPTIONS (host '$PGHOST', port '$PGPORT', dbname '$PGDATABASE', fetch_size '100000', options '-c jit=off')" \
		-c "CREATE USER MAPPING FOR CURRENT_USER SERVER next_door" \
		-c "CREATE FOREIGN TABLE visit_far (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)
			SERVER next_door OPTIONS (table_name 'visit')" \
		-c "SELECT anshim.track_visits('visit_view'), anshim.track_visits('visit_far')" >/dev/null
	sql -c "SELECT pg_prewarm(i.indexrelid) FROM pg_index i WHERE i.indrelid = 'visit'::regclass" >/dev/null
}

trace_country() {
	local layout index_case degrees run

	sql -c "CREATE TABLE country_run (layout text, index_case bigint, degrees integer, run integer, level integer, subjects bigint,
			rows_read bigint, rows_moved bigint, statements bigint, milliseconds double precision)" \
		-c "CREATE TABLE country_cases AS SELECT DISTINCT index_case AS subject FROM country_reached WHERE people = $LOADED"
	for layout in visit visit_view visit_far; do
		for degrees in 1 2 3 5; do
			[ "$layout" = visit ] || [ "$degrees" -le 3 ] || continue
			progress "tracing in $layout, degree $degrees"
			for index_case in $(sql -c "SELECT subject FROM country_cases"); do
				for ((run = 0; run < RUNS; run++)); do
					echo "INSERT INTO country_run
						SELECT '$layout', $index_case, $degrees, $run, level, subjects, rows_read, rows_moved, statements, milliseconds
						FROM anshim.explain_exposures('$layout', ARRAY[$index_case::bigint], '[2021-02-01, $UNTIL)', degrees => $degrees,
							min_overlap => '$MIN_OVERLAP minutes', latent => '$LATENT days');"
				done
			done | sql
		done
	done
}

ROWS="
WITH r AS (
	SELECT layout, index_case, degrees, run, sum(rows_read) AS rows_read, sum(rows_moved) AS rows_moved, sum(statements) AS statements,
		sum(milliseconds) AS ms
	FROM country_run GROUP BY layout, index_case, degrees, run
), c AS (
	SELECT layout, index_case, degrees, max(rows_read) AS rows_read, max(rows_moved) AS rows_moved, max(statements) AS statements,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms
	FROM r GROUP BY layout, index_case, degrees
), l AS (
	SELECT degrees, layout, avg(rows_read) AS rows_read, avg(rows_moved) AS rows_moved, max(statements) AS statements, avg(ms) AS ms
	FROM c GROUP BY degrees, layout
), u AS (
	SELECT degree, avg(reached) AS reached, avg(rows) AS rows FROM ($UP_TO) AS u WHERE people = $LOADED GROUP BY degree
)
SELECT degree, round(reached) AS reached, round(rows) AS \"rows to look at\", round(b.rows_read) AS \"read\", rival.figure(b.rows_read / rows) AS \"read / to look at\",
	rival.figure(b.ms) AS \"B-trees, ms\", rival.figure(1000 * b.ms / b.rows_read) AS \"us a row\",
	rival.figure(v.ms) AS \"in SQL, ms\", rival.figure(v.rows_read / rows) AS \"read / to look at\", rival.figure(1000 * v.ms / v.rows_read) AS \"us a row\",
	rival.figure(f.ms) AS \"from next door, ms\", rival.figure(f.rows_moved / rows) AS \"moved / to look at\", rival.figure(1000 * f.ms / f.rows_moved) AS \"us a row\", f.statements
FROM u JOIN l AS b ON b.degrees = degree AND b.layout = 'visit' LEFT JOIN l AS v ON v.degrees = degree AND v.layout = 'visit_view'
	LEFT JOIN l AS f ON f.degrees = degree AND f.layout = 'visit_far'
ORDER BY degree"

report_rows() {
	printf '\nTraces by anshim of the visits of %s people, two cases, the median of %s runs. %s\n\n' \
		"$LOADED" "$RUNS" "Next door is the same server, by postgres_fdw."
	table "$ROWS"
}

#
# Bytes
#

# A ready-made log with what comes with it, of half a million visits
make_logs() {
	progress "writing ready-made logs"
	sql -c "CREATE EXTENSION IF NOT EXISTS pgcrypto" -c "SELECT anshim.create_visit_log('kept'), anshim.create_visit_log('unchained', chained => false)" \
		-c "CREATE TEMPORARY TABLE seen AS
			SELECT md5(subject::text)::uuid AS subject, md5('venue' || venue)::uuid AS venue, entered_at, left_at
			FROM visit ORDER BY entered_at LIMIT 500000" \
		-c "INSERT INTO kept (subject, venue, entered_at, left_at) SELECT * FROM seen ORDER BY entered_at" \
		-c "INSERT INTO unchained (subject, venue, entered_at, left_at) SELECT * FROM seen ORDER BY entered_at" >/dev/null
	sql -c "SELECT anshim.seal('kept')" >/dev/null
	sql -c "VACUUM (FREEZE, ANALYZE) kept, unchained"
}

BYTES="
SELECT c.oid::regclass AS log, 'table' AS part, round(pg_table_size(c.oid) / greatest(c.reltuples, 1)) AS \"bytes a visit\"
FROM pg_class c WHERE c.oid IN ('visit'::regclass, 'unchained'::regclass, 'kept'::regclass)
UNION ALL
SELECT i.indrelid::regclass, pg_get_indexdef(i.indexrelid), round(pg_relation_size(i.indexrelid) / greatest(c.reltuples, 1))
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.oid IN ('visit'::regclass, 'unchained'::regclass, 'kept'::regclass)
ORDER BY 1, 3 DESC"

report_bytes() {
	printf '\nBytes a visit: a table with bigint keys, and ready-made logs of 500 thousand visits, without a chain and with one.\n\n'
	sql -F '|' -c "$BYTES" | sed 's/CREATE [A-Z ]*INDEX \([a-z_]*\) ON public\.[a-z]* USING btree /\1 /' |
		awk -F '|' 'BEGIN { print "| log | part | bytes a visit |"; print "| --- | --- | ---: |" } { print "| " $1 " | " $2 " | " $3 " |" }'
}

report() {
	cat <<-TEXT
		## A country, $(date -u +%Y-%m-%d)

		$(machine)
		Seed $SEED; rooms of at most $ROOM_VISITS visits a day; a contact lasts $MIN_OVERLAP minutes at least.
	TEXT
	! wanted levels || report_levels
	! wanted rows || report_rows
	! wanted bytes || report_bytes
}

#
# All of it
#

need bench
cc -O3 -o "$BENCH/country" "$HERE"/country*.c -lm
open_cluster
sql -c "CREATE TABLE country_log (people bigint, room_visits bigint, venues bigint, rooms bigint, visits bigint, meetings numeric)" \
	-c "CREATE TABLE country_reached (people bigint, room_visits bigint, index_case bigint, level integer, reached bigint,
		infectors bigint, others bigint)"
! wanted levels || simulate_all
! wanted rows || simulate "$LOADED" 2
if wanted rows || wanted bytes; then load_country; fi
! wanted rows || trace_country
! wanted bytes || make_logs
report | tee "$BENCH/report-country.md"
