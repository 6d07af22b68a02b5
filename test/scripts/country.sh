#!/usr/bin/env bash
#
# The simulation of a country's contact graph finds what anshim finds in the
# same country's log, and is as large as its parameters say.

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

cc -O2 -o "$TEST_TMP/country" test/bench/country*.c -lm
value() { psql -X -At -v ON_ERROR_STOP=1 "$@"; }

value -q -c "CREATE EXTENSION anshim" \
	-c "CREATE TABLE visit (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)" \
	-c "SELECT anshim.track_visits('visit')" \
	-c "CREATE TABLE simulated (index_case bigint, level integer, reached bigint, infectors bigint, others bigint)"
wrong=0

# People, visits of a room, least overlap in minutes, latent days, seed
compare() {
	local people=$1 rooms=$2 overlap=$3 latent=$4 seed=$5 found

	value -q -c "TRUNCATE visit, simulated"
	"$TEST_TMP/country" log -p "$people" -r "$rooms" -s "$seed" -d 7 | value -q -c "COPY visit FROM STDIN (DELIMITER '|')"
	"$TEST_TMP/country" levels -p "$people" -r "$rooms" -s "$seed" -d 7 -o "$overlap" -l "$latent" -c 4 |
		sed -n 's/^reached|[0-9]*|[0-9]*|//p' | value -q -c "COPY simulated FROM STDIN (DELIMITER '|')"
	found=$(value -c "SELECT count(*) || ' compared, ' || count(*) FILTER (WHERE reached <> found) || ' differ, '
			|| count(DISTINCT reached) || ' different' FROM simulated, LATERAL (
				SELECT count(*) AS found
				FROM anshim.exposures('visit', ARRAY[index_case], '[2021-02-01, 2021-02-08)', degrees => level,
					min_overlap => make_interval(mins => $overlap), latent => make_interval(days => $latent))) AS traced")
	[[ $found == '20 compared, 0 differ, '* ]] && [ "${found##*, }" != '1 different' ] && return
	echo "$*: $found"
	wrong=1
}

compare 1000 0 0 0 1
compare 3000 60 15 0 2
compare 3000 60 15 1 3
compare 2000 20 60 2 4

# Nobody is at two places at once, and visits are as many, and some people as
# often at home, as the figures behind it say.
"$TEST_TMP/country" log -p 20000 -d 1 | value -q -c "TRUNCATE visit" -c "COPY visit FROM STDIN (DELIMITER '|')"
for true in \
	"count(*) BETWEEN 58000 AND 62000 FROM visit" \
	"1 - count(DISTINCT subject) / 20000.0 BETWEEN 0.14 AND 0.16 FROM visit" \
	"bool_and(left_at > entered_at AND left_at::date - interval '1 us' < entered_at::date + 1) FROM visit" \
	"count(*) = 0 FROM visit a JOIN visit b USING (subject)
		WHERE a.ctid <> b.ctid AND tstzrange(a.entered_at, a.left_at) && tstzrange(b.entered_at, b.left_at)"; do
	[ "$(value -c "SELECT $true")" = t ] && continue
	echo "not so: $true"
	wrong=1
done
[ "$wrong" = 0 ]
