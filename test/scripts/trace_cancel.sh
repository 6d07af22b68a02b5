#!/usr/bin/env bash
#
# A trace notices at once that it is cancelled, at whatever point, and leaves
# nothing behind: no memory, no pinned page, no lock.  How long it would take to
# notice is measured in processor time, by test/unit/watch.c, so that it does not
# matter what else the machine does.

set -euo pipefail

out=${TEST_TMP:-$(mktemp -d)}
pg_config=${PG_CONFIG:-pg_config}
if ! psql -XAtc "SELECT name FROM pg_available_extensions WHERE name = 'postgis'" | grep -q postgis; then
	echo "PostGIS is not there"
	exit 77
fi

"${CC:-gcc}" -std=gnu11 -g -O2 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-fPIC -shared -I"$("$pg_config" --includedir-server)" -o "$out/watch.so" test/unit/watch.c
chmod a+rx "$out" "$out/watch.so"

psql -XAtq -v watch="$out/watch" -v measured="$out/measured" >"$out/stdout" 2>"$out/stderr" <<'SQL'
\o /dev/null
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE EXTENSION anshim;
CREATE EXTENSION postgis;

-- A crowd at venue 0, all at once, and visits elsewhere.  It takes so many that
-- a sort or a loop without a look for interrupts shows.
CREATE FUNCTION dice(i bigint, n bigint, throw text) RETURNS int LANGUAGE sql IMMUTABLE AS
	$$ SELECT (hashtextextended(throw, i) & 2147483647) % n $$;
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO visit SELECT dice(i, 150000, 'who'), 0, '2021-01-02 18:00'::timestamptz + dice(i, 7200000, 'when') * interval '1 ms', NULL
FROM generate_series(1, 150000) AS i;
INSERT INTO visit SELECT dice(i, 150000, 'who'), 1 + dice(i, 3000, 'where'), t, t + dice(i, 7200, 'stay') * interval '1 s' + interval '1 s'
FROM generate_series(150001, 300000) AS i, LATERAL (SELECT '2021-01-01'::timestamptz + dice(i, 432000, 'when') * interval '1 s' AS t) AS l;
SELECT anshim.track_visits('visit');
CREATE TABLE spot (venue int, location geometry);
INSERT INTO spot SELECT i, format('POINT(%s 0)', i * 10)::geometry FROM generate_series(0, 3000) AS i;
CREATE INDEX ON spot USING gist (location);
SELECT anshim.track_venues('visit', 'spot');
-- The same with keys that are compared by a function, as a view, and by day
CREATE TABLE numbers (subject numeric, venue text COLLATE "und-x-icu", entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO numbers SELECT subject, 'v' || venue, entered_at, left_at FROM visit WHERE subject % 3 = 0;
SELECT anshim.track_visits('numbers');
CREATE VIEW seen AS SELECT * FROM visit WHERE subject % 3 = 0;
SELECT anshim.track_visits('seen');
CREATE TABLE by_day (LIKE visit) PARTITION BY RANGE (entered_at);
SELECT anshim.track_visits('by_day'), anshim.add_days('by_day', '[2021-01-01, 2021-01-07)', 'UTC');
INSERT INTO by_day SELECT * FROM visit;
VACUUM ANALYZE visit, numbers;

CREATE FUNCTION watch_begin() RETURNS void AS :'watch' LANGUAGE C;
CREATE FUNCTION watch_end() RETURNS double precision AS :'watch' LANGUAGE C;

-- The most milliseconds of processor time in which a query did not look for
-- interrupts.  It counts its rows as they come.
CREATE FUNCTION longest_unwatched(query text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM watch_begin();
	EXECUTE format('SELECT count(*) FROM (%s) AS q', query) INTO n;
	RETURN watch_end();
END $$;
-- The watch sees what does not look for them ...
CREATE TABLE work (name text, query text, rows bigint, unwatched double precision);
\o
SELECT longest_unwatched('SELECT FROM generate_series(1, 2) AS i WHERE hashtext(repeat(''x'', 100000000 + i)) <> i') > 20 AS seen;
-- ... and here is what is watched.
INSERT INTO work (name, query) VALUES
('contacts', $$SELECT * FROM anshim.contacts('visit', 7, '(,)')$$),
('contacts of many', $$SELECT c FROM unnest(ARRAY[1, 2, 3]) AS i, LATERAL anshim.contacts('visit', i, '(,)', within => 30) AS c$$),
('contacts added up', $$SELECT * FROM anshim.contacts('visit', 7, '(,)', min_overlap => '5 min', accumulate => '1 day')$$),
('exposures', $$SELECT * FROM anshim.exposures('visit', ARRAY[7], '(,)', degrees => 5)$$),
('exposures of many', $$SELECT * FROM anshim.exposures('visit', (SELECT array_agg(DISTINCT subject) FROM visit WHERE subject % 3 > 0), '(,)', degrees => 3, linger => '1 h')$$),
('exposures, infectious for a while', $$SELECT * FROM anshim.exposures('visit', ARRAY[7], '(,)', degrees => 4, latent => '1 min', infectious_for => '1 h')$$),
('exposures nearby', $$SELECT * FROM anshim.exposures('visit', ARRAY[7], '(,)', degrees => 3, within => 30)$$),
('exposures added up', $$SELECT * FROM anshim.exposures('visit', ARRAY[7], '(,)', degrees => 3, min_overlap => '10 min', accumulate => '1 day')$$),
('exposures of numbers', $$SELECT * FROM anshim.exposures('numbers', ARRAY[9]::numeric[], NULL::text, '(,)', degrees => 3)$$),
('exposures of a view', $$SELECT * FROM anshim.exposures('seen', ARRAY[9], '(,)', degrees => 3)$$),
('exposures by day', $$SELECT * FROM anshim.exposures('by_day', ARRAY[9], '(,)', degrees => 3)$$),
('exposure_paths', $$SELECT * FROM anshim.exposure_paths('visit', ARRAY[7], '(,)', degrees => 5)$$),
('sources', $$SELECT * FROM anshim.sources('visit', ARRAY[7], '(,)', degrees => 5)$$),
('sources added up', $$SELECT * FROM anshim.sources('visit', ARRAY[7], '(,)', degrees => 3, min_overlap => '10 min', accumulate => '1 day')$$),
('hotspots', $$SELECT * FROM anshim.hotspots('visit', (SELECT array_agg(DISTINCT subject) FROM visit WHERE subject % 3 = 0), '(,)', linger => '1 h')$$);
DO $$
DECLARE
	one work;
BEGIN
	FOR one IN SELECT * FROM work LOOP
		EXECUTE format('SELECT count(*) FROM (%s) AS q', one.query) INTO one.rows;
		UPDATE work SET rows = one.rows, unwatched = longest_unwatched(one.query) WHERE name = one.name;
	END LOOP;
END $$;
\echo queries that find little:
SELECT name FROM work WHERE rows < 1000;
-- Half of the 100 ms that a cancellation may take
\echo milliseconds without a look for interrupts, where that is too long:
SELECT name, unwatched FROM work WHERE unwatched > 50 OR unwatched IS NULL;
\o :measured
SELECT name, rows, round(unwatched::numeric, 2) FROM work ORDER BY 1;
\o

--
-- Cancelled, sooner and later, each over again until the time is up
--
CREATE FUNCTION held() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', count(*), sum(total_bytes), (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('visit'::regclass, 'spot'::regclass)))
	FROM pg_backend_memory_contexts WHERE name LIKE 'anshim%' $$;
CREATE FUNCTION forever(query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	LOOP
		EXECUTE format('SELECT count(*) FROM (%s) AS q', query) INTO n;
	END LOOP;
END $$;
SELECT held() AS before \gset
\set VERBOSITY terse
-- Warnings of what leaks would be seen here.
SELECT format('SET statement_timeout = %s', 1 + n * 9 / 2), format('SELECT forever(%L)', query), 'RESET statement_timeout'
FROM work, generate_series(1, 5) AS n WHERE query !~ 'unnest' ORDER BY name, n \gexec
SELECT held() = :'before' AS nothing_left;
-- Caught within the transaction, which goes on
CREATE FUNCTION caught(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM forever(query);
EXCEPTION WHEN query_canceled THEN
	RETURN (SELECT count(*) = 0 FROM pg_backend_memory_contexts WHERE name LIKE 'anshim%');
END $$;
BEGIN;
SET LOCAL statement_timeout = 60;
SELECT caught(query) FROM work WHERE name = 'exposures';
SELECT caught(query) FROM work WHERE name = 'exposures of a view';
SET LOCAL statement_timeout = 0;
SELECT count(*) > 1000 AS some FROM anshim.exposures('visit', ARRAY[7], '(,)', degrees => 2);
COMMIT;
-- Whoever is cancelled while a result is read
BEGIN;
DECLARE half CURSOR FOR SELECT subject FROM anshim.exposures('visit', ARRAY[7], '(,)', degrees => 5);
\o /dev/null
FETCH 1 FROM half;
\o
SET LOCAL statement_timeout = 20;
SELECT forever('SELECT anshim.exposures(''visit'', ARRAY[7], ''(,)'', degrees => 5)');
ROLLBACK;
SELECT held() = :'before' AS nothing_left;
SQL
echo "Milliseconds of processor time without a look for interrupts, at most:"
cat "$out/measured"

diff -u - "$out/stdout" <<'EXPECTED'
t
queries that find little:
milliseconds without a look for interrupts, where that is too long:
t
t
t
t
t
EXPECTED
# Each was cancelled; and no warning tells of what was left open.
errors=$(grep -c 'ERROR:  canceling statement due to statement timeout$' "$out/stderr" || true)
if [ "$errors" -lt 60 ] || grep -v 'ERROR:  canceling statement due to statement timeout$' "$out/stderr"; then
	echo "$errors queries were cancelled"
	exit 1
fi
