--
-- Which rows a trace reads: exactly those that the statement's snapshot shows,
-- whatever state the table and its indexes are in, for keys of any type, and
-- from wherever it is called.  A plain SQL join is the judge.
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
CREATE EXTENSION pageinspect;
\set during '''[2021-01-01, 2021-01-03)'''

-- Compare the engine with plain SQL, in the answer and in every contact.
-- `one` is the case and `venue` the venues' type, both in SQL.
CREATE FUNCTION judged(log text, one text, during tstzrange DEFAULT '[2021-01-01, 2021-01-03)', venue text DEFAULT 'int')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($q$
		WITH stay AS MATERIALIZED (
			SELECT subject, venue, entered_at, coalesce(max(left_at), entered_at + '1 hour') AS left_at
			FROM %1$s WHERE subject IS NOT NULL AND venue IS NOT NULL GROUP BY 1, 2, 3),
		piece AS (
			SELECT venue, greatest(entered_at, lower($1)) AS a, least(left_at, upper($1)) AS b
			FROM stay WHERE subject = %2$s AND tstzrange(entered_at, left_at) && $1),
		met AS MATERIALIZED (
			SELECT subject, venue, greatest(entered_at, a) AS at, least(left_at, b) AS until
			FROM stay JOIN piece USING (venue)
			WHERE subject <> %2$s AND entered_at < b AND left_at > a),
		plain AS MATERIALIZED (
			SELECT DISTINCT ON (subject) subject, at, venue FROM met ORDER BY subject, at, venue),
		engine AS MATERIALIZED (
			SELECT subject, exposed_at, venue FROM anshim.exposures(%3$L, ARRAY[%2$s], NULL::%4$s, $1)),
		contact AS MATERIALIZED (
			SELECT subject, venue, started_at, ended_at FROM anshim.contacts(%3$L, %2$s, NULL::%4$s, $1))
		SELECT (SELECT count(*) FROM plain) || ' exposed in ' || (SELECT count(*) FROM met) || ' contacts'
			|| coalesce((SELECT ', engine lacks ' || min(p::text)
				FROM (SELECT * FROM plain EXCEPT SELECT * FROM engine) AS p), '')
			|| coalesce((SELECT ', engine adds ' || min(e::text)
				FROM (SELECT * FROM engine EXCEPT SELECT * FROM plain) AS e), '')
			|| coalesce((SELECT ', contacts lack ' || min(m::text)
				FROM (SELECT * FROM met EXCEPT ALL SELECT * FROM contact) AS m), '')
			|| coalesce((SELECT ', contacts add ' || min(c::text)
				FROM (SELECT * FROM contact EXCEPT ALL SELECT * FROM met) AS c), '')
			|| CASE WHEN (SELECT count(*) FROM engine) <> (SELECT count(*) FROM plain) THEN ', another number' ELSE '' END
		$q$, log, one, log, venue) INTO result USING during;
	RETURN result;
END $$;

CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz, note text)
	WITH (autovacuum_enabled = false, fillfactor = 50);
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES (1, 1, '2021-01-01 10:00', '2021-01-01 12:00'), (2, 1, '2021-01-01 11:00', '2021-01-01 11:30');
\set who 'SELECT array_agg(subject ORDER BY subject) AS met, judged(''visit'', ''1'') FROM anshim.exposures(''visit'', ARRAY[1], ' :during ');'
:who

--
-- One's own changes, and those that never happened
--
BEGIN;
INSERT INTO visit VALUES (3, 1, '2021-01-01 11:00', NULL);
:who
SAVEPOINT a;
INSERT INTO visit VALUES (4, 1, '2021-01-01 11:00', NULL);
DELETE FROM visit WHERE subject = 2;
:who
ROLLBACK TO a;
:who
SAVEPOINT b;
DELETE FROM visit WHERE subject = 3;
RELEASE b;
:who
COMMIT;
BEGIN;
DELETE FROM visit;
INSERT INTO visit SELECT 1, 7, '2021-01-01 10:00', NULL;
INSERT INTO visit SELECT i, 7, '2021-01-01 10:30', NULL FROM generate_series(5, 6) AS i;
:who
ROLLBACK;
:who
-- A subtransaction that PL/pgSQL aborts
DO $$ BEGIN INSERT INTO visit VALUES (8, 1, '2021-01-01 11:00', NULL); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN END $$;
:who
-- Updates: to another venue and back, a later end, and one that touches no index
BEGIN;
UPDATE visit SET venue = 2 WHERE subject = 2;
:who
UPDATE visit SET venue = 1 WHERE subject = 2;
:who
UPDATE visit SET left_at = '2021-01-01 11:00:01' WHERE subject = 2;
SELECT subject, ended_at FROM anshim.contacts('visit', 1, :during);
COMMIT;
:who
BEGIN;
UPDATE visit SET note = repeat('x', 100) WHERE subject = 2;
SELECT n_tup_hot_upd > 0 AS hot FROM pg_stat_xact_user_tables WHERE relname = 'visit';
:who
UPDATE visit SET note = repeat('y', 100);
:who
COMMIT;
:who
-- What one statement writes it does not see yet, and the next one does.
WITH new AS (INSERT INTO visit VALUES (9, 1, '2021-01-01 11:00', NULL) RETURNING 1)
SELECT (SELECT count(*) FROM new) AS new, array_agg(subject ORDER BY subject) AS met FROM anshim.exposures('visit', ARRAY[1], :during);
:who
-- All-visible or not
SELECT relallvisible FROM pg_class WHERE oid = 'visit'::regclass;
VACUUM (INDEX_CLEANUP ON) visit;
SELECT relallvisible > 0 AS all_visible FROM pg_class WHERE oid = 'visit'::regclass;
SELECT count(*) FROM anshim.exposures('visit', ARRAY[1], :during);
SELECT sum(heap_fetches) AS heap_fetches FROM anshim.last_trace();
:who
DELETE FROM visit WHERE subject = 9;
:who
SELECT sum(heap_fetches) > 0 AS heap_fetches FROM anshim.last_trace();
VACUUM FULL visit;
:who
CLUSTER visit USING visit_by_subject;
:who
REINDEX TABLE visit;
:who
-- A null subject or venue is nobody, nowhere.
INSERT INTO visit VALUES (NULL, 1, '2021-01-01 11:00', NULL), (10, NULL, '2021-01-01 11:00', NULL), (1, NULL, '2021-01-01 11:00', NULL),
	(NULL, NULL, '2021-01-01 11:00', NULL);
:who
TRUNCATE visit;
:who
VACUUM visit;
:who

--
-- Dead index entries, and index pages that VACUUM gives back
--
INSERT INTO visit SELECT i % 1000, i % 7, '2021-01-01'::timestamptz + i * interval '5 s', NULL FROM generate_series(1, 20000) AS i;
SELECT judged('visit', '1');
DELETE FROM visit WHERE subject BETWEEN 300 AND 900;
-- An index scan marks entries dead that are so to all, as far as its session
-- knows; VACUUM, of whatever, brings that up to date.
CREATE TABLE empty ();
VACUUM empty;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM visit WHERE venue = 3 AND entered_at > '2021-01-01' AND note IS NULL;
SELECT count(*) FROM visit WHERE venue = 3 AND entered_at > '2021-01-01' AND note IS NULL;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT bool_or(dead) AS dead FROM generate_series(1, pg_relation_size('visit_by_venue') / 8192 - 1) AS page, bt_page_items('visit_by_venue', page);
SELECT judged('visit', '1');
BEGIN;
DELETE FROM visit;
SELECT judged('visit', '1');
ROLLBACK;
SELECT judged('visit', '1');
DELETE FROM visit WHERE entered_at < '2021-01-01 20:00';
VACUUM (INDEX_CLEANUP ON) visit;
SELECT count(*) > 0 AS deleted FROM generate_series(1, pg_relation_size('visit_by_venue') / 8192 - 1) AS page, bt_page_stats('visit_by_venue', page)
WHERE type IN ('d', 'D', 'e');
SELECT judged('visit', '1');
INSERT INTO visit SELECT i % 1000, i % 7, '2021-01-01'::timestamptz + i * interval '7 s', NULL FROM generate_series(1, 20000) AS i;
SELECT judged('visit', '1');
VACUUM visit;
SELECT judged('visit', '1');

--
-- One visit of hundreds of rows, which no leaf page holds alone: its end is
-- the latest of those that are there.
--
TRUNCATE visit;
INSERT INTO visit SELECT 1, 1, '2021-01-01 10:00', '2021-01-01 10:00'::timestamptz + (1 + i * 7919 % 1000) * interval '1 min' FROM generate_series(0, 999) AS i;
INSERT INTO visit SELECT 2, 1, '2021-01-01 11:00', '2021-01-01 11:00'::timestamptz + (1 + i * 7919 % 1000) * interval '1 min' FROM generate_series(0, 999) AS i;
INSERT INTO visit VALUES (3, 1, '2021-01-02 02:39', '2021-01-02 03:00'), (4, 1, '2021-01-02 02:40', '2021-01-02 03:00');
SELECT subject, started_at, ended_at FROM anshim.contacts('visit', 1, :during) ORDER BY 1;
SELECT judged('visit', '1'), judged('visit', '2'), judged('visit', '4');
BEGIN;
DELETE FROM visit WHERE left_at - entered_at > '900 min';
SELECT judged('visit', '1'), judged('visit', '2'), judged('visit', '3');
ROLLBACK;
BEGIN;
UPDATE visit SET left_at = NULL WHERE left_at > '2021-01-01 10:30';
SELECT judged('visit', '1'), judged('visit', '2'), judged('visit', '3');
ROLLBACK;
VACUUM visit;
SELECT judged('visit', '1'), judged('visit', '2'), judged('visit', '4');
-- A time within the visit finds it whole, and one behind it does not.
SELECT judged('visit', '1', '[2021-01-02 02:39:59.999999, 2021-01-03)'), judged('visit', '1', '[2021-01-02 02:40, 2021-01-03)');

--
-- Behind a visit there are leaf pages of nothing but rows that are gone: what
-- is known of it by reference stays.
--
CREATE TABLE named (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz) WITH (autovacuum_enabled = false);
SELECT anshim.track_visits('named');
INSERT INTO named VALUES ('a', 'hall', '2021-01-01 10:00', '2021-01-01 12:00'), ('b', 'hall', '2021-01-01 11:00', '2021-01-01 13:00');
INSERT INTO named SELECT 'a', 'room ' || i, '2021-01-01 12:00'::timestamptz + i * interval '1 s', NULL FROM generate_series(1, 3000) AS i;
INSERT INTO named SELECT 'person ' || i, 'hall', '2021-01-01 11:00'::timestamptz + i * interval '1 s', NULL FROM generate_series(1, 3000) AS i;
SELECT judged('named', '''a''::text', venue => 'text');
BEGIN;
DELETE FROM named WHERE venue LIKE 'room%' OR subject LIKE 'person%';
SELECT judged('named', '''a''::text', venue => 'text');
ROLLBACK;
DROP TABLE named;

--
-- Posting lists: with left_at as a key, entries that are equal share a tuple.
--
DROP INDEX visit_by_venue, visit_by_subject, visit_long_stays;
CREATE INDEX visit_by_venue ON visit (venue, entered_at, subject, left_at);
CREATE INDEX visit_by_subject ON visit (subject, entered_at, venue, left_at);
TRUNCATE visit;
INSERT INTO visit SELECT i % 5, i / 10 % 2, '2021-01-01 10:00'::timestamptz + i / 20 % 10 * interval '1 h', '2021-01-01 11:00'::timestamptz + i / 20 % 10 * interval '1 h', i
FROM generate_series(1, 5000) AS i;
REINDEX TABLE visit;
SELECT max(cardinality(tids)) > 10 AS posting_lists FROM generate_series(1, pg_relation_size('visit_by_venue') / 8192 - 1) AS page, bt_page_items('visit_by_venue', page);
SELECT judged('visit', '1'), judged('visit', '2');
-- Some of a list, and all of it but one
DELETE FROM visit WHERE note::int % 3 = 0;
SELECT judged('visit', '1'), judged('visit', '2');
DELETE FROM visit WHERE subject = 1 AND note <> '4991';
SELECT judged('visit', '1'), judged('visit', '4');
VACUUM (INDEX_CLEANUP ON) visit;
SELECT judged('visit', '1'), judged('visit', '4');
DELETE FROM visit WHERE subject = 1;
SELECT judged('visit', '1'), judged('visit', '4');

--
-- Long stays, through the partial index that is there for them and without it
--
DROP TABLE visit;
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit SELECT i % 200, i * 31 % 17, '2020-12-31'::timestamptz + i * 7919 % 4000 * interval '1 min',
	CASE WHEN i % 11 < 9 THEN '2020-12-31'::timestamptz + (i * 7919 % 4000 + 1 + i * 104729 % (CASE i % 5 WHEN 0 THEN 1440 ELSE 60 END)) * interval '1 min' END
FROM generate_series(1, 4000) AS i;
-- late check-outs of stays that were open, or seemed short
INSERT INTO visit SELECT subject, venue, entered_at, entered_at + interval '23 h 59 min' FROM visit WHERE subject % 10 = 3;
SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = 'visit'::regclass AND indpred IS NOT NULL;
SELECT string_agg(judged('visit', i::text, '[2021-01-01, 2021-01-02)'), ' / ' ORDER BY i) AS with_index FROM generate_series(1, 10) AS i \gset
SELECT string_agg(judged('visit', i::text, '[2021-01-01, 2021-01-01 00:00:01)'), ' / ' ORDER BY i) AS with_index_short FROM generate_series(1, 30) AS i \gset
SELECT count(*) AS exposures, sum(hashtext(e::text)) AS hash FROM anshim.exposures('visit', ARRAY[1, 2], :during, degrees => 4, linger => '10 min') AS e \gset with_
SELECT sum(venue_rows) AS venue_rows FROM anshim.last_trace() \gset with_
SELECT :'with_index' AS judged;
DROP INDEX visit_long_stays;
SELECT string_agg(judged('visit', i::text, '[2021-01-01, 2021-01-02)'), ' / ' ORDER BY i) = :'with_index' AS same FROM generate_series(1, 10) AS i;
SELECT string_agg(judged('visit', i::text, '[2021-01-01, 2021-01-01 00:00:01)'), ' / ' ORDER BY i) = :'with_index_short' AS same FROM generate_series(1, 30) AS i;
SELECT count(*) = :with_exposures AND sum(hashtext(e::text)) = :with_hash AS same FROM anshim.exposures('visit', ARRAY[1, 2], :during, degrees => 4, linger => '10 min') AS e;
SELECT sum(venue_rows) > :with_venue_rows AS more_rows_read FROM anshim.last_trace();
DROP TABLE visit;

--
-- Keys of other types: k is who or where, n varies how equal ones are written.
--
CREATE FUNCTION judged_type(type text, key text, collation_name text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE TABLE typed (subject %1$s %2$s, venue %1$s %2$s, entered_at timestamptz NOT NULL, left_at timestamptz)',
		type, 'COLLATE ' || quote_ident(collation_name));
	EXECUTE format('INSERT INTO typed SELECT (SELECT %1$s FROM (SELECT i %% 41 AS k, i AS n) AS s), (SELECT %1$s FROM (SELECT i * 7 %% 13 AS k, i / 2 AS n) AS v),
		''2021-01-01''::timestamptz + i * 7919 %% 1000 * interval ''1 min'', CASE WHEN i %% 3 > 0 THEN ''2021-01-01''::timestamptz + (i * 7919 %% 1000 + 1 + i %% 100) * interval ''1 min'' END
		FROM generate_series(1, 1500) AS i', key);
	EXECUTE 'INSERT INTO typed SELECT subject, venue, entered_at, entered_at + interval ''90 min'' FROM typed WHERE left_at IS NULL';
	PERFORM anshim.track_visits('typed');
	EXECUTE format('SELECT judged(''typed'', (SELECT format(''%%L::%1$s'', %2$s) FROM (SELECT 5 AS k, 5 AS n) AS one), venue => %1$L)', type, key) INTO result;
	DROP TABLE typed;
	RETURN result;
END $$;
CREATE TYPE mood AS ENUM ('m0', 'm1', 'm10', 'm11', 'm12', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9');
CREATE DOMAIN badge AS uuid;
CREATE DOMAIN code AS varchar(10) COLLATE "C";
SET client_min_messages = warning;
SELECT judged_type('int', 'k');
SELECT judged_type('smallint', '(k - 20)::smallint');
SELECT judged_type('bigint', '(k - 20)::bigint * 1000000000000');
SELECT judged_type('uuid', 'md5(k::text)::uuid');
SELECT judged_type('badge', 'md5(k::text)::uuid::badge');
SELECT judged_type('text', '''k'' || k');
SELECT judged_type('text', 'CASE WHEN k % 2 = 0 THEN ''K'' ELSE ''k'' END || chr(224 + k) || chr(65 + k)', 'C');
SELECT judged_type('text', 'CASE WHEN k % 2 = 0 THEN ''K'' ELSE ''k'' END || chr(224 + k) || chr(65 + k)', 'ucs_basic');
SELECT judged_type('text', 'CASE WHEN k % 2 = 0 THEN ''K'' ELSE ''k'' END || chr(224 + k) || chr(65 + k)', 'und-x-icu');
SELECT judged_type('text', 'CASE WHEN k % 2 = 0 THEN ''K'' ELSE ''k'' END || chr(224 + k) || chr(65 + k)', 'sv-x-icu');
-- so long that an index holds them compressed
SELECT judged_type('text', 'repeat(''long '' || k, 500)');
SELECT judged_type('text', 'repeat(''long'', 500) || k', 'und-x-icu');
SELECT judged_type('varchar(10)', '''k'' || k');
SELECT judged_type('code', '(''k'' || k)::code');
SELECT judged_type('char(9)', '(''k'' || k)::char(9)');
SELECT judged_type('name', '(''k'' || k)::name');
SELECT judged_type('"char"', 'chr(40 + k)::"char"');
SELECT judged_type('numeric', '(k || ''.'' || repeat(''0'', n % 4))::numeric');
SELECT judged_type('float8', 'CASE WHEN k % 5 > 0 THEN k WHEN n % 2 = 0 THEN 0 ELSE ''-0'' END::float8');
SELECT judged_type('interval', 'CASE WHEN n % 2 = 0 THEN k * interval ''1 day'' ELSE k * interval ''24 h'' END');
SELECT judged_type('date', '''2021-01-01''::date + k');
SELECT judged_type('timestamptz', '''2021-01-01''::timestamptz + k * interval ''1 s''');
SELECT judged_type('boolean', 'k % 2 = 1');
SELECT judged_type('mood', '(''m'' || k % 13)::mood');
SELECT judged_type('bytea', 'decode(md5(k::text), ''hex'')');
SELECT judged_type('inet', '''10.0.0.0''::inet + k');
-- Keys that are arrays can be cases one at a time.
CREATE TABLE visit (subject int[], venue int[], entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit SELECT ARRAY[i, i], '{1}', '2021-01-01 10:00', NULL FROM generate_series(1, 3) AS i;
SELECT subject, venue, together FROM anshim.contacts('visit', '{1,1}'::int[], :during) ORDER BY 1;
DROP TABLE visit;
RESET client_min_messages;
DROP TYPE mood;
DROP DOMAIN badge, code;

--
-- Several levels of B-tree, plain and partitioned
--
CREATE TABLE visit (subject bigint, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
CREATE FUNCTION dice(i bigint, n bigint, throw text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('x' || substr(md5(throw || i), 1, 8))::bit(32)::bigint % n $$;
INSERT INTO visit SELECT dice(i, 20000, 'who'), dice(i, 300, 'where'), t, CASE WHEN dice(i, 7, 'out') > 0 THEN t + stay END
FROM generate_series(1, 200000) AS i, LATERAL (SELECT '2021-01-01'::timestamptz + dice(i, 604800, 'when') * interval '1 s' AS t,
	(1 + dice(i, CASE WHEN i % 50 = 0 THEN 80000 ELSE 7200 END, 'stay')) * interval '1 s' AS stay) AS l;
SELECT level FROM bt_metap('visit_by_venue');
CREATE TABLE by_day (LIKE visit) PARTITION BY RANGE (entered_at);
SELECT format('CREATE TABLE by_day_%s PARTITION OF by_day FOR VALUES FROM (%L) TO (%L)', d, '2021-01-01'::date + d, '2021-01-02'::date + d) FROM generate_series(0, 6) AS d \gexec
SELECT anshim.track_visits('by_day');
INSERT INTO by_day SELECT * FROM visit;
SELECT judged(log, i::text || '::bigint', '[2021-01-02, 2021-01-07)') FROM (VALUES ('visit'), ('by_day')) AS l(log), (VALUES (1), (77), (19999)) AS c(i) ORDER BY i, log;
VACUUM visit, by_day;
SELECT judged(log, i::text || '::bigint', '(,)') FROM (VALUES ('visit'), ('by_day')) AS l(log), (VALUES (1), (77), (19999)) AS c(i) ORDER BY i, log;
-- What all five say of either
CREATE FUNCTION five(log text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat_ws(' ',
		(SELECT count(*) || ':' || sum(hashtext(c::text)) FROM anshim.contacts(log, 1::bigint, NULL::int, '[2021-01-01, 2021-01-03)', linger => '5 min') AS c),
		(SELECT count(*) || ':' || sum(hashtext(e::text)) FROM anshim.exposures(log, '{1,2}'::bigint[], NULL::int, '[2021-01-01, 2021-01-03)', 3, linger => '5 min') AS e),
		(SELECT count(*) || ':' || sum(hashtext(p::text)) FROM anshim.exposure_paths(log, '{1,2}'::bigint[], NULL::int, '[2021-01-01, 2021-01-03)', 3, latent => '1 h') AS p),
		(SELECT count(*) || ':' || sum(hashtext(s::text)) FROM anshim.sources(log, '{1,2}'::bigint[], NULL::int, '[2021-01-01, 2021-01-03)', 2, min_overlap => '5 min') AS s),
		(SELECT count(*) || ':' || sum(hashtext(h::text)) FROM anshim.hotspots(log, '{1,2,3,4,5}'::bigint[], NULL::int, '[2021-01-01, 2021-01-07)', 1, linger => '1 h') AS h)) $$;
SELECT five('visit') = five('by_day') AS same, five('visit') AS five \gset
SELECT :'same' AS same, regexp_replace(:'five', ':\S*', '', 'g') AS rows;

--
-- From anywhere: any isolation level, read-only, a cursor, PL/pgSQL, a plan
-- with parallel workers, a prepared statement, LATERAL
--
BEGIN READ ONLY;
SELECT five('visit') = :'five' AS same, five('by_day') = :'five' AS by_day;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT five('visit') = :'five' AS same, five('by_day') = :'five' AS by_day;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT five('visit') = :'five' AS same, five('by_day') = :'five' AS by_day;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT five('visit') = :'five' AS same, five('by_day') = :'five' AS by_day;
COMMIT;
-- A cursor goes on in the state in which it was opened.
BEGIN;
DECLARE found CURSOR FOR SELECT count(*), five('visit') = :'five' AS same FROM anshim.exposures('visit', '{1}'::bigint[], NULL::int, :during);
DECLARE held CURSOR WITH HOLD FOR SELECT subject FROM anshim.exposures('visit', '{1}'::bigint[], NULL::int, :during) ORDER BY 1;
DELETE FROM visit;
FETCH found;
SELECT count(*) FROM anshim.exposures('visit', '{1}'::bigint[], NULL::int, :during);
ROLLBACK;
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT subject FROM anshim.exposures('visit', '{1}'::bigint[], NULL::int, :during) ORDER BY 1;
COMMIT;
FETCH 2 FROM held;
CLOSE held;
-- Half of a result is fetched, then no more, with a trace in between.
BEGIN;
DECLARE half CURSOR FOR SELECT subject FROM anshim.exposures('visit', '{1}'::bigint[], NULL::int, :during);
MOVE 10 FROM half;
SELECT five('visit') = :'five' AS same;
CLOSE half;
COMMIT;
DO $$
DECLARE
	one record;
	n int := 0;
	inner_n int := 0;
BEGIN
	FOR one IN SELECT * FROM anshim.exposures('visit', '{1}'::bigint[], NULL::int, '[2021-01-01, 2021-01-02)') LOOP
		n := n + 1;
		-- a trace for each row of another, and an error in the middle
		IF n <= 3 THEN
			inner_n := inner_n + (SELECT count(*) FROM anshim.contacts('visit', one.subject, NULL::int, '[2021-01-01, 2021-01-02)'));
			BEGIN
				PERFORM anshim.exposures('visit', '{1}'::bigint[], NULL::text, '[2021-01-01, 2021-01-02)');
			EXCEPTION WHEN datatype_mismatch THEN
				inner_n := inner_n + 1000;
			END;
		END IF;
	END LOOP;
	RAISE NOTICE 'loops: %, inner contacts: %', n > 3, inner_n > 3000;
END $$;
-- VOLATILE sees what it has just written, STABLE what its caller saw.
CREATE FUNCTION writes(v bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO by_day SELECT v, venue, entered_at, left_at FROM by_day WHERE subject = 1;
	RETURN (SELECT count(*) FROM anshim.exposures('by_day', '{1}'::bigint[], NULL::int, '[2021-01-01, 2021-01-08)') WHERE subject = v);
END $$;
CREATE FUNCTION reads(v bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT count(*) FROM anshim.exposures('by_day', '{1}'::bigint[], NULL::int, '[2021-01-01, 2021-01-08)') WHERE subject = v);
END $$;
BEGIN;
SELECT writes(1000001), reads(1000001) AS still_none;
SELECT reads(1000001);
ROLLBACK;
SELECT reads(1000001);
-- Parallel workers beside the trace, which the leader does
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ANALYZE visit;
CREATE FUNCTION has_gather(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Gather' THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END $$;
\set query 'SELECT count(*), sum(v.n) FROM anshim.exposures(''visit'', ''{1}''::bigint[], NULL::int, ''[2021-01-01, 2021-01-03)'') AS e JOIN (SELECT subject, count(*) AS n FROM visit GROUP BY 1) AS v USING (subject)'
SELECT format('SELECT has_gather(%L)', :'query') \gexec
:query \gset parallel_
SET max_parallel_workers_per_gather = 0;
:query \gset serial_
SELECT :parallel_count = :serial_count AND :parallel_sum = :serial_sum AS same, :serial_count > 0 AS some;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
-- A prepared statement outlives its plan, and its table's indexes.
SET plan_cache_mode = force_generic_plan;
PREPARE traced(bigint[], tstzrange, int) AS SELECT count(*) FROM anshim.exposures('visit', $1, NULL::int, $2, degrees => $3);
EXECUTE traced('{1}', '[2021-01-01, 2021-01-03)', 1) \gset first_
REINDEX INDEX visit_by_venue;
EXECUTE traced('{1}', '[2021-01-01, 2021-01-03)', 1) \gset second_
SELECT :first_count = :second_count AS same, :first_count > 0 AS some;
EXECUTE traced('{}', '[2021-01-01, 2021-01-03)', 1);
RESET plan_cache_mode;
-- For each of several cases, her own
SELECT c, count(*) = (SELECT count(DISTINCT subject) FROM anshim.contacts('visit', c, NULL::int, :during)) AS same
FROM unnest('{1,2,77}'::bigint[]) AS c, LATERAL anshim.exposures('visit', ARRAY[c], NULL::int, :during) GROUP BY c ORDER BY c;
SELECT c, (SELECT count(*) FROM anshim.exposures('visit', ARRAY[c], NULL::int, :during)) > 0 AS some FROM unnest('{1,2}'::bigint[]) AS c;
-- In the select list, rows come as well.
SELECT count(*) = :first_count AS same FROM (SELECT anshim.exposures('visit', '{1}'::bigint[], NULL::int, :during)) AS s;

-- At the two ends of all time, too, what comes out is a time that can be read again.
CREATE TABLE ends (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('ends');
INSERT INTO ends VALUES (1, 1, '4714-11-24 00:00+00 BC', NULL), (2, 1, '4714-11-24 00:00+00 BC', '4714-11-24 00:00:00.000001+00 BC'),
	(1, 2, '294276-12-31 23:59:59.999999+00', NULL), (3, 2, '294276-12-31 23:59:59.999999+00', NULL),
	(4, 2, '294276-12-31 23:00+00', '294276-12-31 23:59:59.999999+00'), (5, 2, '294276-12-31 23:30+00', '294276-12-31 23:59:59+00');
SELECT subject, started_at, ended_at, together FROM anshim.contacts('ends', 1, '(,)', linger => '3 days') ORDER BY 1;
SELECT subject, started_at, ended_at, together FROM anshim.contacts('ends', 5, '(,)', linger => '3 days') ORDER BY 1;
SELECT * FROM anshim.exposures('ends', ARRAY[1], '(,)', degrees => 3, latent => '106751991 days') ORDER BY 1;
SELECT * FROM anshim.sources('ends', ARRAY[1], '(,)', degrees => 3, linger => '106751991 days') ORDER BY 1;
SELECT * FROM anshim.hotspots('ends', ARRAY[1, 5], '(,)', 1, linger => '3 days') ORDER BY 1;
