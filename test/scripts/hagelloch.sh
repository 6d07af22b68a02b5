#!/usr/bin/env bash
#
# The demo runs, finds no fewer of the known infections than a plain join does,
# and draws every child.

set -euo pipefail

command -v dot >/dev/null || { echo "Graphviz is not installed"; exit 77; }

psql -X -q -v ON_ERROR_STOP=1 -v outdir="$TEST_TMP" -f test/demo/hagelloch.sql >"$TEST_TMP/printed" 2>"$TEST_TMP/errors"
if [ -s "$TEST_TMP/errors" ]; then
	cat "$TEST_TMP/errors"
	exit 1
fi

psql -X -At -v ON_ERROR_STOP=1 >"$TEST_TMP/wrong" <<'SQL'
WITH found AS (
	SELECT p.infector, p.contact, coalesce(bool_or(m.distance = 0), false) AS in_room, count(m.infector) > 0 AS near
	FROM pair AS p
	LEFT JOIN met AS m USING (infector, contact)
	GROUP BY p.infector, p.contact
),
joined AS (
	SELECT p.infector, p.contact, c.house = i.house OR c.class = i.class AND c.class > 0 AS in_room,
		ST_DWithin(c.location, i.location, 50) OR c.class = i.class AND c.class > 0 AS near
	FROM pair AS p
	JOIN child AS c ON c.child = p.contact
	JOIN child AS i ON i.child = p.infector
)
SELECT 'not all of the data: ' || count(*) FROM pair HAVING count(*) <> 184
UNION ALL
SELECT 'in one room, fewer than 145: ' || count(*) FROM found WHERE in_room HAVING count(*) < 145
UNION ALL
SELECT 'or near, fewer than 166: ' || count(*) FROM found WHERE near HAVING count(*) < 166
UNION ALL
SELECT format('only a join finds %s, infected by %s', contact, infector)
FROM found AS f
JOIN joined AS j USING (infector, contact)
WHERE j.in_room AND NOT f.in_room OR j.near AND NOT f.near
UNION ALL
-- A trace of everybody's contacts and one to the first degree agree.
SELECT format('exposures and contacts differ on %s', contact)
FROM (SELECT subject AS contact
	FROM child AS c, anshim.exposures('visit', ARRAY[c.child], c.infectious, within => 50)
	WHERE c.child = 'child 184') AS e
FULL JOIN (SELECT DISTINCT contact FROM met WHERE infector = 'child 184') AS m USING (contact)
WHERE e IS NULL OR m IS NULL
UNION ALL
SELECT format('%s is of generation %s, and of degree %s', child, generation, near)
FROM compared
WHERE hers AND generation < near;
SQL
if [ -s "$TEST_TMP/wrong" ]; then
	cat "$TEST_TMP/wrong"
	exit 1
fi

# All children, and those whom the trace reaches in the same room
drawn() { grep -cE '>child [0-9]+</text>' "$TEST_TMP/$1" || true; }
reached=$(psql -X -At -c "SELECT 1 + count(*) FROM reached WHERE metres = 0")
[ "$(drawn hagelloch-known.svg)" = 188 ] || { echo "hagelloch-known.svg lacks children"; exit 1; }
[ "$(drawn hagelloch-trace.svg)" = "$reached" ] || { echo "hagelloch-trace.svg lacks children"; exit 1; }
