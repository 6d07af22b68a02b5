-- The same trace over what is no local table with two B-trees: views,
-- materialized views, foreign tables, and partitioned tables of which a part
-- is foreign.  The answers are those of the plain table with the same rows.

CREATE EXTENSION postgres_fdw;
SELECT setseed(0.5);

-- Visits, some open, some checked out by a row of their own, some very long;
-- keys of each kind that is asked for in its own way.
CREATE TABLE visit (
	number bigint, word text, id uuid, amount numeric,
	place bigint, room text, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO visit
SELECT who, 'Äpfel ' || who, md5(who::text)::uuid, who * 1.50, place, 'Raum ' || place, t,
	CASE WHEN i % 5 > 0 THEN t + CASE WHEN i % 17 = 0 THEN interval '20 hours' ELSE interval '40 minutes' END END
FROM (SELECT i, (random() * 150)::bigint AS who, (random() * 40)::bigint AS place,
		timestamptz '2021-01-01 00:00+00' + random() * interval '8 days' AS t
	  FROM generate_series(1, 2500) AS i) AS random_visit;
INSERT INTO visit
SELECT number, word, id, amount, place, room, entered_at, entered_at + interval '3 hours'
FROM visit WHERE left_at IS NULL AND number % 2 = 0;
INSERT INTO visit VALUES (1, NULL, NULL, NULL, NULL, NULL, '2021-01-02 00:00+00', NULL);

DO $$
BEGIN
	EXECUTE format('CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L, fetch_size %L)',
		split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), '10000');
END
$$;
CREATE USER MAPPING FOR CURRENT_USER SERVER other;

-- Another connection must not wait for locks that this one has taken.
CREATE TABLE stored AS SELECT * FROM visit;
CREATE INDEX ON stored (number, entered_at);
CREATE INDEX ON stored (place, entered_at);

CREATE VIEW seen AS SELECT * FROM visit;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM visit;
CREATE FOREIGN TABLE far (
	number bigint, word text, id uuid, amount numeric,
	place bigint, room text, entered_at timestamptz NOT NULL, left_at timestamptz)
SERVER other OPTIONS (table_name 'stored');
CREATE VIEW seen_far AS SELECT * FROM far;

-- Two days here, the others there
CREATE TABLE days (LIKE visit) PARTITION BY RANGE (entered_at);
CREATE TABLE day_one PARTITION OF days FOR VALUES FROM ('2021-01-01 00:00+00') TO ('2021-01-02 00:00+00');
CREATE TABLE day_three PARTITION OF days FOR VALUES FROM ('2021-01-03 00:00+00') TO ('2021-01-04 00:00+00');
CREATE TABLE far_two AS SELECT * FROM visit WHERE entered_at >= '2021-01-02 00:00+00' AND entered_at < '2021-01-03 00:00+00';
CREATE TABLE far_rest AS SELECT * FROM visit WHERE entered_at >= '2021-01-04 00:00+00';
INSERT INTO days SELECT * FROM visit
WHERE entered_at < '2021-01-02 00:00+00' OR entered_at >= '2021-01-03 00:00+00' AND entered_at < '2021-01-04 00:00+00';
CREATE FOREIGN TABLE day_two PARTITION OF days FOR VALUES FROM ('2021-01-02 00:00+00') TO ('2021-01-03 00:00+00')
SERVER other OPTIONS (table_name 'far_two');
CREATE FOREIGN TABLE day_rest PARTITION OF days FOR VALUES FROM ('2021-01-04 00:00+00') TO (MAXVALUE)
SERVER other OPTIONS (table_name 'far_rest');

-- By what a partition can hold: lists, ranges, hashes of one column and of two, and
-- what is left over.
CREATE TABLE spread (LIKE visit) PARTITION BY LIST (place);
CREATE TABLE spread_rest PARTITION OF spread DEFAULT PARTITION BY RANGE (number);
CREATE TABLE spread_many PARTITION OF spread_rest DEFAULT PARTITION BY HASH (number, place);
CREATE TABLE spread_low PARTITION OF spread_rest FOR VALUES FROM (MINVALUE) TO (50) PARTITION BY HASH (number);
CREATE TABLE spread_some PARTITION OF spread FOR VALUES IN (5, 6, 7) PARTITION BY RANGE (place, number);
DO $$
DECLARE
	bounds text[] := ARRAY[
		'spread FOR VALUES IN (0, 1, 2, 3, 4, NULL)', 'spread_some FOR VALUES FROM (5, 20) TO (7, 20)', 'spread_some DEFAULT',
		'spread_low FOR VALUES WITH (MODULUS 2, REMAINDER 0)', 'spread_low FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
		'spread_many FOR VALUES WITH (MODULUS 2, REMAINDER 0)', 'spread_many FOR VALUES WITH (MODULUS 2, REMAINDER 1)'];
BEGIN
	FOR i IN 1..cardinality(bounds) LOOP
		EXECUTE format('CREATE TABLE far_spread_%s (LIKE visit)', i);
		EXECUTE format('CREATE FOREIGN TABLE spread_%s PARTITION OF %s SERVER other OPTIONS (table_name %L)', i, bounds[i], 'far_spread_' || i);
	END LOOP;
END
$$;
INSERT INTO spread SELECT * FROM visit;

-- All answers about one log, as one text
CREATE FUNCTION answers(log regclass, key text, venue text, degrees integer) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
	cases text := format('(SELECT array_agg(DISTINCT %I) FROM visit WHERE number IN (3, 4))', key);
	one text := format('(SELECT %I FROM visit WHERE number = 3 LIMIT 1)', key);
	place text := format('NULL::%s', (SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = 'visit'::regclass AND attname = venue));
	during text := '''[2021-01-01 12:00+00, 2021-01-06)''';
	result text := '';
	answer text;
	query text;
BEGIN
	PERFORM anshim.track_visits(log, subject => key::name, venue => venue::name);
	FOREACH query IN ARRAY ARRAY[
		format('anshim.exposures(%L, %s, %s, %s, degrees => %s, linger => ''20 minutes'')', log, cases, place, during, degrees),
		format('anshim.exposures(%L, %s, %s, %s, degrees => %s, latent => ''1 day'', infectious_for => ''2 days'', min_overlap => ''10 minutes'')',
			log, cases, place, during, degrees),
		format('anshim.sources(%L, %s, %s, %s, degrees => %s)', log, cases, place, during, degrees),
		format('anshim.exposure_paths(%L, %s, %s, %s, degrees => %s)', log, cases, place, during, degrees),
		format('anshim.hotspots(%L, %s, %s, %s, min_cases => 1)', log, cases, place, during),
		format('anshim.contacts(%L, %s, %s, %s, linger => ''1 hour'')', log, one, place, during)] LOOP
		EXECUTE format('SELECT count(*) || '':'' || md5(string_agg(answer::text, ''|'' ORDER BY answer::text)) FROM %s AS answer', query) INTO answer;
		result := result || ' ' || coalesce(answer, 'nothing');
	END LOOP;
	RETURN result;
END
$$;

-- Nothing that differs from the plain table's, which finds something
SELECT key, venue, log, 'differs' AS answer
FROM (VALUES ('number', 'place'), ('word', 'room'), ('id', 'place'), ('amount', 'room')) AS keys (key, venue),
	LATERAL (SELECT answers('visit', key, venue, 3) AS truth OFFSET 0) AS plain,
	unnest(ARRAY['seen', 'kept', 'far', 'seen_far', 'days']) AS log
WHERE answers(log::regclass, key, venue, 3) <> truth;
SELECT answers('visit', 'number', 'place', 3) ~ '^ [1-9]\d+:.* [1-9]\d*:.* [1-9]\d+:.* [1-9]\d+:.* [1-9]\d*:.* [1-9]\d*:' AS something_is_found;

SELECT answers('spread', 'number', 'place', 3) = answers('visit', 'number', 'place', 3) AS the_same_however_parted;

-- What is computed of a key to tell its partition is not asked of any that has no
-- row: here it would be no number.
CREATE TABLE numbered (LIKE visit) PARTITION BY RANGE ((substr(word, 7)::integer));
CREATE FOREIGN TABLE numbered_all PARTITION OF numbered FOR VALUES FROM (MINVALUE) TO (MAXVALUE) SERVER other OPTIONS (table_name 'stored');
SELECT anshim.track_visits('numbered_all', subject => 'word', venue => 'room');
SELECT count(*) > 10 AS reached FROM anshim.exposures('numbered_all', ARRAY['Äpfel 3', 'Birne drei'], '[2021-01-01 12:00+00, 2021-01-06)', degrees => 2);

-- Keys of a type that cannot be sent there: what can be is asked for, and sorted out here.
CREATE TYPE room_kind AS ENUM ('ward', 'hall', 'shop');
CREATE VIEW stored_kinds AS SELECT number, CASE place % 3 WHEN 0 THEN 'ward' WHEN 1 THEN 'hall' ELSE 'shop' END AS kind, entered_at, left_at FROM stored;
CREATE FOREIGN TABLE far_kinds (number bigint, kind room_kind, entered_at timestamptz NOT NULL, left_at timestamptz)
SERVER other OPTIONS (table_name 'stored_kinds');
CREATE TABLE kinds AS SELECT number, kind::room_kind, entered_at, left_at FROM stored_kinds WHERE number IS NOT NULL;
ALTER TABLE kinds ALTER entered_at SET NOT NULL;
SELECT anshim.track_visits('kinds', subject => 'number', venue => 'kind'), anshim.track_visits('far_kinds', subject => 'number', venue => 'kind');
SELECT count(k) > 10 AS reached, count(*) FILTER (WHERE k IS DISTINCT FROM f) AS differ
FROM anshim.exposures('kinds', ARRAY[3::bigint], NULL::room_kind, '[2021-01-01 12:00+00, 2021-01-03)') AS k
FULL JOIN anshim.exposures('far_kinds', ARRAY[3::bigint], NULL::room_kind, '[2021-01-01 12:00+00, 2021-01-03)') AS f USING (subject);

-- Times are sent as seconds where these are exact: before 2106, up to the last microsecond.
SELECT count(*) AS moments, count(*) FILTER (WHERE to_timestamp(microseconds::float8 / 1000000) IS DISTINCT FROM 'epoch'::timestamptz + microseconds * interval '1 microsecond') AS inexact
FROM (SELECT floor(random() * 4294967296)::bigint * 1000000 + floor(random() * 1000000)::bigint FROM generate_series(1, 100000)
	  UNION ALL SELECT 4294967296000000 - i FROM generate_series(1, 100000) AS i) AS moment (microseconds);

-- Elsewhere they are sent as they are: the same answers long ago, about the first and the last
-- that are exact, in the next century, and for all of them.
CREATE TABLE near_shifted (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE stored_shifted (LIKE near_shifted);
CREATE FOREIGN TABLE far_shifted (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)
SERVER other OPTIONS (table_name 'stored_shifted');
INSERT INTO near_shifted
SELECT number, place, entered_at + shift, left_at + shift
FROM visit, unnest('{-150 years -1 microsecond, -51 years, 85 years 35 days 3 microseconds, 130 years 1 microsecond}'::interval[]) AS shift
WHERE number IS NOT NULL;
INSERT INTO far_shifted SELECT * FROM near_shifted;
SELECT anshim.track_visits('near_shifted'), anshim.track_visits('far_shifted');
SELECT period, count(n) > 100 AS reached, count(*) FILTER (WHERE n IS DISTINCT FROM f) AS differ
FROM unnest('{"[1870-12-31 12:00+00, 1871-01-06)", "[1969-12-31 12:00+00, 1970-01-06)", "[2106-02-05 12:00+00, 2106-02-11)",
	"[2150-12-31 12:00+00, 2151-01-06)", "(,)"}'::tstzrange[]) WITH ORDINALITY AS period (during, period),
	LATERAL (SELECT n, f FROM anshim.exposures('near_shifted', ARRAY[3, 4]::bigint[], during, degrees => 3, linger => '20 minutes') AS n
			 FULL JOIN anshim.exposures('far_shifted', ARRAY[3, 4]::bigint[], during, degrees => 3, linger => '20 minutes') AS f USING (subject)) AS both_ways
GROUP BY period ORDER BY period;

-- What the statistics tell: rows that came, not pages that were read
SELECT anshim.track_visits('far', subject => 'number', venue => 'place');
SELECT count(*) > 10 AS reached FROM anshim.exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', degrees => 2);
SELECT level, subject_rows > 0 AS subjects, venue_rows > 0 AS venues, heap_fetches FROM anshim.last_trace();

SELECT level, source, subjects, rows_read >= rows_moved AS moved_were_read, rows_moved > 0 AS moved, statements
FROM anshim.explain_exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', degrees => 2);
SELECT anshim.track_visits('days', subject => 'number', venue => 'place'), anshim.track_visits('seen', subject => 'number', venue => 'place'),
	anshim.track_visits('kept', subject => 'number', venue => 'place'), anshim.track_visits('visit', subject => 'number', venue => 'place');
SELECT log, source, rows_moved > 0 AS moved, statements
FROM unnest('{days,seen,kept,visit}'::regclass[]) AS log,
	anshim.explain_exposures(log, ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)');
SELECT source FROM anshim.explain_exposures('days', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-02)');
SELECT target, source FROM anshim.status WHERE tracked ORDER BY target::text COLLATE "C";
SELECT relname, anshim.visit_source(oid) FROM pg_class WHERE relname IN ('day_two', 'stored_number_entered_at_idx');
SELECT anshim.visit_source(4000000000) IS NULL AS nothing_of_that_oid;

-- Neither a CHECK nor indexes are asked of what can have none; a partitioned
-- table's local parts have both.
SELECT conrelid::regclass, conname FROM pg_constraint
WHERE conname = 'anshim_stay' AND conrelid::regclass::text IN ('seen', 'kept', 'far', 'day_one', 'day_two') ORDER BY 1;
SELECT indrelid::regclass, count(*) FROM pg_index
WHERE indrelid::regclass::text IN ('kept', 'days', 'day_one', 'day_three') GROUP BY 1 ORDER BY 1;

-- A stay that breaks the bound is refused when it is met: how far a trace has
-- to look back would be wrong.
CREATE VIEW wrong AS SELECT number, place, entered_at, entered_at + interval '25 hours' AS left_at FROM visit;
SELECT anshim.track_visits('wrong', subject => 'number', venue => 'place');
\set VERBOSITY sqlstate
SELECT * FROM anshim.exposures('wrong', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)');
\set VERBOSITY default

-- Rights: those on the view, and no others
CREATE ROLE regress_source_analyst;
GRANT SELECT ON seen TO regress_source_analyst;
SELECT anshim.track_visits('seen', subject => 'number', venue => 'place');
SET ROLE regress_source_analyst;
SELECT count(*) > 10 AS reached FROM anshim.exposures('seen', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', degrees => 2);
SELECT * FROM anshim.exposures('kept', ARRAY['Äpfel 3'], '[2021-01-01 12:00+00, 2021-01-06)');
RESET ROLE;

-- Those on a log suffice for its partitions, as ever; the server is asked as herself.
GRANT SELECT ON days TO regress_source_analyst;
DO $$ BEGIN EXECUTE format('CREATE USER MAPPING FOR regress_source_analyst SERVER other OPTIONS (user %L, password_required %L)', current_user, 'false'); END $$;
SELECT anshim.track_visits('days', subject => 'number', venue => 'place');
SET ROLE regress_source_analyst;
SELECT count(*) > 10 AS reached FROM anshim.exposures('days', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', degrees => 2);
SELECT count(*) > 10 AS reached FROM anshim.exposures('days', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', degrees => 2, skip_unreachable => true);
SELECT FROM day_two;
SELECT FROM anshim.exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)');
RESET ROLE;
DROP USER MAPPING FOR regress_source_analyst SERVER other;
REVOKE ALL ON days FROM regress_source_analyst;
REVOKE ALL ON seen FROM regress_source_analyst;
DROP ROLE regress_source_analyst;

-- A server that is not there is named.
DO $$ BEGIN EXECUTE format('ALTER SERVER other OPTIONS (SET port %L)', '1'); END $$;
\set VERBOSITY terse
DO $$
BEGIN
	PERFORM anshim.exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)');
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN
	RAISE NOTICE 'class 08; names it: %', SQLERRM ~ 'server "other"';
END
$$;

-- Left out, as far as it is asked for: a subtransaction is needed for that, which
-- a parallel query cannot have; null is neither true nor false.
\set VERBOSITY default
SET client_min_messages = error;
SELECT count(*) FROM anshim.exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', skip_unreachable => true);
CREATE VIEW here AS SELECT * FROM day_one UNION ALL SELECT * FROM day_three;
SELECT anshim.track_visits('here', subject => 'number', venue => 'place');
SELECT count(d) > 10 AS reached, count(*) FILTER (WHERE d IS DISTINCT FROM h) AS differ
FROM anshim.exposures('days', ARRAY[3::bigint, 4, 5, 6], '[2021-01-01, 2021-01-06)', degrees => 2, skip_unreachable => true) AS d
FULL JOIN anshim.exposures('here', ARRAY[3::bigint, 4, 5, 6], '[2021-01-01, 2021-01-06)', degrees => 2) AS h USING (subject);
RESET client_min_messages;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT * FROM (SELECT count(*) FROM kept) AS k,
	anshim.exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', skip_unreachable => true);
SELECT * FROM anshim.exposures('far', ARRAY[3::bigint], '[2021-01-01 12:00+00, 2021-01-06)', skip_unreachable => NULL);
