#!/usr/bin/env bash
#
# Measure anshim against the best SQL and against a program without a database.
#
#   make bench             on 10 million visits, against both
#   make bench SCALE=10    on 100 million visits of the same density, anshim alone
#
# In the environment:
#   BENCH_DIR=directory   keep the loaded cluster there, and use it again
#   CASES=5               index cases for degrees 1 to 3
#   LONG_CASES=1          index cases for degree 5
#   RUNS=5                runs, of which the median is taken
#   DEGREES='1 2 3 5'
#   CONTENDERS='anshim btree gist limit'
#   STEPS='load measure'   STEPS=load only loads, into BENCH_DIR, which takes
#                         long, and minds nobody else on the machine
#
# The report goes to standard output, as Markdown, and into build/bench.
# Everything happens on one cluster, in one session, with everything cached.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

SCALE=${SCALE:-1}
CASES=${CASES:-5}
LONG_CASES=${LONG_CASES:-1}
RUNS=${RUNS:-5}
DEGREES=${DEGREES:-1 2 3 5}
CONTENDERS=${CONTENDERS:-anshim btree gist limit}
STEPS=${STEPS:-load measure}

# Outside of schema rival, as it shall outlive it.  The sum in it is immutable,
# since an hour is always as long.
load_gist() {
	[ -z "$(sql -c "SELECT to_regclass('visit_gist')")" ] || return 0
	progress "building the GiST index"
	sql -c "CREATE OR REPLACE FUNCTION stay(entered_at timestamptz, left_at timestamptz) RETURNS tstzrange
			LANGUAGE sql IMMUTABLE PARALLEL SAFE
			AS \$\$ SELECT tstzrange(entered_at, coalesce(left_at, entered_at + interval '1 hour'), '[)') \$\$" \
		-c "CREATE INDEX visit_gist ON visit USING gist (venue, stay(entered_at, left_at))
			INCLUDE (subject, entered_at, left_at)" \
		-c "ANALYZE visit"
}

#
# Measuring
#

# The index cases for so many degrees
cases_of() {
	local degrees=$1 n=$CASES

	[ "$degrees" -lt 4 ] || n=$LONG_CASES
	head -n "$n" "$BENCH/cases"
}

# So many calls make one run, so that a short call is timed well.
calls_of() {
	case $1 in
	1) echo 200 ;;
	2) echo 20 ;;
	*) echo 1 ;;
	esac
}

measure_in_sql() {
	local degrees contender index_case

	{
		echo "SET work_mem = '1GB'; SET temp_buffers = '1GB'; SET jit = off;"
		for degrees in $DEGREES; do
			for index_case in $(cases_of "$degrees"); do
				for contender in $CONTENDERS; do
					[ "$contender" != limit ] || continue
					printf '\\warn degree %s, case %s, %s\n' "$degrees" "$index_case" "$contender"
					echo "CALL rival.measure('$contender', 'visit', $index_case, '$FROM', '$UNTIL'," \
						"$degrees, $(calls_of "$degrees"), $RUNS);"
				done
			done
		done
	} | sql
}

measure_limit() {
	local degrees index_case queries=()

	case " $CONTENDERS " in *" limit "*) ;; *) return 0 ;; esac
	progress "measuring the limit"
	for degrees in $DEGREES; do
		for index_case in $(cases_of "$degrees"); do
			queries+=("$index_case:$degrees")
		done
	done
	"$BENCH/island" >"$BENCH/visits.copy"
	"$BENCH/limit" "$BENCH/visits.copy" "$(microseconds "$FROM")" "$(microseconds "$UNTIL")" \
		"$RUNS" "${queries[@]}" >"$BENCH/limit.out"
	rm "$BENCH/visits.copy"
	sed -n 's/^run|/limit|visit|/p' "$BENCH/limit.out" |
		sql -c "COPY rival.run (contender, visits, index_case, degrees, milliseconds) FROM STDIN (DELIMITER '|')"
	sed -n 's/^answer|/limit|visit|/p' "$BENCH/limit.out" |
		sql -c "COPY rival.answer FROM STDIN (DELIMITER '|')"
	sed -n 's/^level|/limit|visit|/p' "$BENCH/limit.out" |
		sql -c "COPY rival.level (contender, visits, index_case, degrees, level, infectors, subject_rows,
				pieces, stretches, venue_rows, reached) FROM STDIN (DELIMITER '|')"
}

# PostgreSQL's microseconds since 2000
microseconds() {
	sql -c "SELECT (extract(epoch FROM timestamptz '$1') * 1000000)::bigint - 946684800000000"
}

# The same cases' answers are the same, whoever gave them.
check_answers() {
	local wrong

	wrong=$(sql -c "SELECT index_case, degrees, string_agg(contender || ' ' || answer, ', ') FROM rival.answer
					GROUP BY index_case, degrees HAVING count(DISTINCT answer) > 1")
	[ -z "$wrong" ] || die "the answers differ: $wrong"
}

measure_scale() {
	local table=$1 degrees index_case

	progress "measuring $table"
	{
		for degrees in 1 2; do
			while read -r index_case; do
				echo "CALL rival.measure('anshim', '$table', $index_case, '$FROM', '$UNTIL'," \
					"$degrees, $(($(calls_of "$degrees") / 10)), $RUNS);"
			done < <(sql -c "SELECT rival.cases('$table', '$FROM', '$UNTIL', 200)")
		done
	} | sql
}

#
# Reporting
#

report() {
	cat <<-TEXT
		## $((10 * SCALE)) million visits, $(date -u +%Y-%m-%d)

		$(machine)
	TEXT
	sql -c "SELECT format('Visits: %s; subjects: %s; venues: %s. Table %s, indexes %s.',
			count(*), count(DISTINCT subject), count(DISTINCT venue),
			pg_size_pretty(pg_table_size('visit')), (SELECT string_agg(format('%s %s', relname, pg_size_pretty(pg_relation_size(oid))), ', ')
				FROM pg_class WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'visit'::regclass)))
			FROM visit"
	cat <<-TEXT

		Milliseconds a trace of [$FROM, $UNTIL): the mean over the cases of the median of $RUNS runs
		(degree 1: of $(calls_of 1) calls each, degree 2: of $(calls_of 2)). All contenders gave the same answers.

	TEXT
	table "$SUMMARY"
	printf '\nEach case: the median, and the least and the greatest of the runs.\n\n'
	table "$EACH"
	printf '\nRows read by anshim, and by the limit, at each level (the first case).\n\n'
	table "$LEVELS"
}

SUMMARY="
WITH c AS (
	SELECT contender, degrees, prepared, index_case,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS ms
	FROM rival.run GROUP BY contender, degrees, prepared, index_case
), d AS (
	SELECT degrees, prepared, count(DISTINCT index_case) AS cases,
		avg(ms) FILTER (WHERE contender = 'anshim') AS anshim,
		avg(ms) FILTER (WHERE contender = 'btree') AS btree,
		avg(ms) FILTER (WHERE contender = 'gist') AS gist,
		avg(ms) FILTER (WHERE contender = 'limit') AS bound
	FROM c GROUP BY degrees, prepared
), r AS (
	SELECT degrees, avg(reached) AS reached FROM (
		SELECT DISTINCT degrees, index_case, split_part(answer, ':', 1)::numeric AS reached FROM rival.answer) a
	GROUP BY degrees
)
SELECT degrees || CASE WHEN NOT prepared THEN ', not prepared' ELSE '' END AS degree, cases, round(reached) AS reached,
	rival.figure(anshim) AS anshim, rival.figure(btree) AS \"(a) B-tree SQL\", rival.figure(gist) AS \"(b) GiST SQL\",
	rival.figure(bound) AS \"(c) limit\",
	rival.figure(btree / anshim) AS \"(a) / anshim\",
	CASE degrees WHEN 1 THEN 5 WHEN 2 THEN 10 WHEN 3 THEN 20 WHEN 5 THEN 30 END AS \"wanted, at least\",
	rival.figure(gist / anshim) AS \"(b) / anshim\",
	rival.figure(anshim / bound) AS \"anshim / (c)\",
	CASE WHEN degrees > 2 THEN 3 END AS \"wanted, at most\"
FROM d JOIN r USING (degrees) ORDER BY degrees, prepared DESC"

EACH="
WITH c AS (
	SELECT contender, degrees, prepared, index_case, format('%s (%s-%s)',
		rival.figure(percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds)),
		rival.figure(min(milliseconds)), rival.figure(max(milliseconds))) AS ms
	FROM rival.run GROUP BY contender, degrees, prepared, index_case
)
SELECT degrees || CASE WHEN NOT prepared THEN ', not prepared' ELSE '' END AS degree, index_case AS case,
	min((SELECT split_part(answer, ':', 1) FROM rival.answer AS a
		 WHERE (a.degrees, a.index_case) = (c.degrees, c.index_case) LIMIT 1)) AS reached,
	min(ms) FILTER (WHERE contender = 'anshim') AS anshim,
	min(ms) FILTER (WHERE contender = 'btree') AS \"(a)\",
	min(ms) FILTER (WHERE contender = 'gist') AS \"(b)\",
	min(ms) FILTER (WHERE contender = 'limit') AS \"(c)\"
FROM c GROUP BY degrees, prepared, index_case ORDER BY degrees, prepared DESC, index_case"

LEVELS="
WITH l AS (
	SELECT DISTINCT ON (contender, level) * FROM rival.level
	WHERE visits = 'visit'::regclass
		AND index_case = (SELECT index_case FROM rival.level WHERE degrees = (SELECT max(degrees) FROM rival.level) LIMIT 1)
		AND degrees = (SELECT max(degrees) FROM rival.level)
	ORDER BY contender, level
)
SELECT level, a.infectors, a.pieces, a.stretches, a.subject_rows, a.venue_rows, a.reached,
	rival.figure(a.milliseconds) AS milliseconds,
	round(a.milliseconds * 1e6 / nullif(a.subject_rows + a.venue_rows, 0)) AS \"ns a row\",
	b.subject_rows AS \"(c) subject_rows\", b.venue_rows AS \"(c) venue_rows\", b.stretches AS \"(c) stretches\"
FROM (SELECT * FROM l WHERE contender = 'anshim') AS a
FULL JOIN (SELECT * FROM l WHERE contender = 'limit') AS b USING (level)
ORDER BY level"

SCALES="
WITH c AS (
	SELECT visits, degrees, index_case, percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS ms
	FROM rival.run WHERE prepared GROUP BY visits, degrees, index_case
), d AS (
	SELECT visits, degrees, count(*) AS cases, avg(ms) AS mean,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS median
	FROM c GROUP BY visits, degrees
), r AS (
	SELECT visits, degrees, avg(rows) AS rows FROM (
		SELECT visits, degrees, index_case, sum(subject_rows + venue_rows) AS rows
		FROM rival.level GROUP BY visits, degrees, index_case) l
	GROUP BY visits, degrees
), a AS (
	SELECT visits, degrees, avg(split_part(answer, ':', 1)::numeric) AS reached
	FROM rival.answer GROUP BY visits, degrees
)
SELECT d.degrees AS degree, CASE visits WHEN 'visit'::regclass THEN 10 ELSE 10 * $SCALE END AS \"million visits\",
	cases, round(reached) AS reached, round(rows) AS rows, rival.figure(mean) AS \"mean ms\", rival.figure(median) AS \"median ms\",
	rival.figure(mean / first_value(mean) OVER (PARTITION BY d.degrees ORDER BY visits <> 'visit'::regclass)) AS \"mean / that at 10 million\",
	rival.figure(median / first_value(median) OVER (PARTITION BY d.degrees ORDER BY visits <> 'visit'::regclass)) AS \"median / that at 10 million\"
FROM d JOIN r USING (visits, degrees) JOIN a USING (visits, degrees)
ORDER BY d.degrees, visits <> 'visit'::regclass"

report_scales() {
	cat <<-TEXT
		## 10 and $((10 * SCALE)) million visits, $(date -u +%Y-%m-%d)

		$(machine)

		Ten times the visits, subjects and venues over the same days, so the same density. Milliseconds a trace
		of [$FROM, $UNTIL), over cases with the same number of visits, each the median of $RUNS runs.

	TEXT
	table "$SCALES"
}

#
# All of it
#

need bench
cc -O3 -march=native -D_GNU_SOURCE -o "$BENCH/limit" "$HERE"/limit*.c

open_cluster

load_visits visit 1
if [ "$SCALE" -gt 1 ]; then
	load_visits "visit_$SCALE" "$SCALE"
else
	case " $CONTENDERS " in *" gist "*) load_gist ;; esac
fi
case " $STEPS " in *" measure "*) ;; *) exit 0 ;; esac

if [ "$SCALE" -gt 1 ]; then
	measure_scale visit
	measure_scale "visit_$SCALE"
	report_scales | tee "$BENCH/report-$SCALE.md"
else
	sql -c "SELECT rival.cases('visit', '$FROM', '$UNTIL', 100)" >"$BENCH/cases"
	measure_in_sql
	measure_limit
	check_answers
	report | tee "$BENCH/report.md"
fi
