#!/usr/bin/env bash
#
# Measure the rules of agencies: minutes that add up, beside the same in SQL over
# anshim.contacts; and what it costs to say whom to tell first.
#
#   make bench-rules       (make bench WHAT=rules)
#
# In the environment:
#   BENCH_DIR=directory   keep the loaded cluster there, and use it again
#   CASES=3               index cases
#   RUNS=5                runs, of which the median is taken
#   DEGREES='1 2 3'
#
# The report goes to standard output, as Markdown, and into build/bench.
# Everything happens on one cluster, in one session, with everything cached.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

CASES=${CASES:-3}
RUNS=${RUNS:-5}
DEGREES=${DEGREES:-1 2 3}

# So many calls make one run, so that a short call is timed well.
calls_of() {
	case $1 in
	1) echo 50 ;;
	2) echo 5 ;;
	*) echo 1 ;;
	esac
}

measure() {
	local degrees contender index_case

	{
		echo "SET work_mem = '1GB'; SET temp_buffers = '1GB'; SET jit = off;"
		for degrees in $DEGREES; do
			for index_case in $(head -n "$CASES" "$BENCH/cases"); do
				for contender in anshim details added_up added_up_in_sql; do
					printf '\\warn degree %s, case %s, %s\n' "$degrees" "$index_case" "$contender"
					echo "CALL rival.measure('$contender', 'visit', $index_case, '$FROM', '$UNTIL'," \
						"$degrees, $(calls_of "$degrees"), $RUNS);"
				done
			done
		done
	} | sql
}

# Details change no answer, and whoever adds minutes up has the same.
check_answers() {
	local wrong

	wrong=$(sql -c "SELECT index_case, degrees, string_agg(contender || ' ' || answer, ', ') FROM rival.answer
					GROUP BY index_case, degrees, contender IN ('anshim', 'details') HAVING count(DISTINCT answer) > 1")
	[ -z "$wrong" ] || die "the answers differ: $wrong"
}

TIMES="
WITH c AS (
	SELECT contender, degrees, index_case, percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS ms
	FROM rival.run WHERE prepared GROUP BY contender, degrees, index_case
), d AS (
	SELECT degrees, avg(ms) FILTER (WHERE contender = 'anshim') AS plain, avg(ms) FILTER (WHERE contender = 'details') AS details,
		avg(ms) FILTER (WHERE contender = 'added_up') AS added_up, avg(ms) FILTER (WHERE contender = 'added_up_in_sql') AS in_sql
	FROM c GROUP BY degrees
), r AS (
	SELECT degrees, avg(split_part(answer, ':', 1)::numeric) FILTER (WHERE contender = 'anshim') AS plain,
		avg(split_part(answer, ':', 1)::numeric) FILTER (WHERE contender = 'added_up') AS added_up
	FROM rival.answer GROUP BY degrees
)
SELECT degrees AS degree, round(r.plain) AS reached, rival.figure(d.plain) AS anshim, rival.figure(d.details) AS \"with details\",
	rival.figure(d.details / d.plain) AS \"details / anshim\", round(r.added_up) AS \"reached by sums\",
	rival.figure(d.added_up) AS \"accumulate\", rival.figure(d.in_sql) AS \"in SQL\",
	rival.figure(d.in_sql / d.added_up) AS \"SQL / accumulate\", CASE WHEN degrees > 1 THEN 10 END AS \"wanted, at least\"
FROM d JOIN r USING (degrees) ORDER BY degrees"

report() {
	cat <<-TEXT
		## Rules of agencies on 10 million visits, $(date -u +%Y-%m-%d)

		$(machine)

		Milliseconds a trace of [$FROM, $UNTIL): the mean over $CASES cases of the median of $RUNS runs (degree 1: of
		$(calls_of 1) calls each, degree 2: of $(calls_of 2)). Minutes add up to 15 within 24 hours; both ways to add them gave the same answers.

	TEXT
	table "$TIMES"
}

need bench
open_cluster
load_visits visit 1
sql -f "$HERE/rules.sql"
sql -c "SELECT rival.cases('visit', '$FROM', '$UNTIL', 100)" >"$BENCH/cases"
measure
check_answers
report | tee "$BENCH/rules.md"
