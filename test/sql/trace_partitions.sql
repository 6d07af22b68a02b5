--
-- Traces of partitioned logs: what they answer is what a plain table with the
-- same rows answers, and of hundreds of partitions only those are opened, and
-- so locked, that the time can touch.
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
SET datestyle = 'ISO';

CREATE TABLE plain (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('plain');
CREATE FUNCTION dice(i bigint, n bigint, throw text) RETURNS int LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('x' || substr(md5(throw || i), 1, 8))::bit(32)::bigint % n $$;
INSERT INTO plain SELECT dice(i, 200, 'who'), dice(i, 5, 'where'), t, CASE WHEN dice(i, 7, 'out') > 0 THEN t + stay END
FROM generate_series(1, 20000) AS i, LATERAL (SELECT '2021-01-01'::timestamptz + dice(i, 400 * 1440, 'when') * interval '1 min' AS t,
	(1 + dice(i, CASE WHEN i % 10 = 0 THEN 1440 ELSE 240 END, 'stay')) * interval '1 min' AS stay) AS l;
-- Stays over midnight, and a visit whose check-outs are in other batches
INSERT INTO plain VALUES (5001, 1, '2021-03-01 23:59:59.999999', '2021-03-02 23:59:59.999999'), (5002, 1, '2021-03-02 23:59:59.999998', NULL),
	(5003, 2, '2021-03-01 12:00', NULL), (5003, 2, '2021-03-01 12:00', '2021-03-02 11:00'), (5003, 2, '2021-03-01 12:00', '2021-03-02 12:00'),
	(5004, 2, '2021-03-02 11:59:59.999999', NULL),
	(5005, 3, '2021-03-03 20:00', NULL), (5006, 3, '2021-03-03 20:10', NULL);

-- How many rows each function returns, and a sum over what is in them
CREATE FUNCTION five(log text, one int, during tstzrange) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat_ws(' ',
		(SELECT count(*) || ':' || sum(hashtext(c::text)) FROM anshim.contacts(log, one, during, linger => '5 min') AS c),
		(SELECT count(*) || ':' || sum(hashtext(e::text)) FROM anshim.exposures(log, ARRAY[one, 2], during, 4, linger => '5 min', until => upper(during) + interval '5 days') AS e),
		(SELECT count(*) || ':' || sum(hashtext(p::text)) FROM anshim.exposure_paths(log, ARRAY[one, 2], during, 3, latent => '1 h') AS p),
		(SELECT count(*) || ':' || sum(hashtext(s::text)) FROM anshim.sources(log, ARRAY[one, 2], during, 3, linger => '5 min', since => lower(during) - interval '5 days') AS s),
		(SELECT count(*) || ':' || sum(hashtext(h::text)) FROM anshim.hotspots(log, ARRAY[one, 2, 3, 4, 5], during, 1, linger => '25 h') AS h)) $$;
CREATE FUNCTION compared(log text) RETURNS TABLE (one int, during tstzrange, rows text, same boolean) LANGUAGE sql STABLE AS $$
	SELECT c, d, regexp_replace(five('plain', c, d), ':\S*', '', 'g'), five('plain', c, d) = five(log, c, d)
	FROM (VALUES (1, '[2021-01-01, 2021-06-01)'::tstzrange), (77, '[2021-02-27, 2021-03-08)'), (5001, '[2021-03-01, 2021-03-05)'),
		(5003, '[2021-03-02, 2021-03-03)'), (5004, '[2021-03-02, 2021-03-03)'), (3, '[2022-01-31 12:00, 2022-03-01)'), (3, '[2020-01-01, 2021-01-02 12:00)')) AS v(c, d) $$;

--
-- 400 days
--
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
DO $$
BEGIN
	FOR d IN 0 .. 399 LOOP
		EXECUTE format('CREATE TABLE visit_%s PARTITION OF visit FOR VALUES FROM (%L) TO (%L)',
			to_char('2021-01-01'::date + d, 'YYMMDD'), '2021-01-01'::date + d, '2021-01-02'::date + d);
	END LOOP;
END $$;
SELECT anshim.track_visits('visit');
INSERT INTO visit SELECT * FROM plain;
SELECT * FROM compared('visit');

-- Which partitions, and how many of their indexes, has the transaction locked?
CREATE VIEW locked AS
SELECT c.relname AS partition, string_agg(DISTINCT l.mode, ', ') AS modes, count(i.indexrelid) AS indexes
FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND EXISTS
	(SELECT FROM pg_locks AS li WHERE li.relation = i.indexrelid AND li.pid = pg_backend_pid())
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind = 'r' AND (c.relname LIKE 'visit\_%' OR c.relname LIKE 'two%')
GROUP BY 1;
-- Two days: these, and the day before, from which a stay may last into them
BEGIN;
SELECT count(*) > 0 AS some FROM anshim.contacts('visit', 5003, '[2021-03-01, 2021-03-03)');
SELECT * FROM locked ORDER BY 1;
COMMIT;
-- A stay of 24 hours that began a microsecond before the day still reaches it,
-- one that began with the day before has left.
BEGIN;
SELECT count(*) FROM anshim.contacts('visit', 5001, '[2021-03-02 23:59:59.999998, 2021-03-03)', linger => '5 min');
SELECT * FROM locked ORDER BY 1;
COMMIT;
BEGIN;
SELECT count(*) FROM anshim.contacts('visit', 5001, '[2021-03-03, 2021-03-03 00:00:00.000001)');
SELECT * FROM locked ORDER BY 1;
COMMIT;
-- until looks further on, since further back; linger prolongs hotspots alone.
BEGIN;
SELECT count(*) > 0 AS some FROM anshim.exposures('visit', ARRAY[5003], '[2021-03-01, 2021-03-03)', until => '2021-03-04 12:00', linger => '3 days', degrees => 3);
SELECT min(partition), max(partition), count(*), sum(indexes) AS indexes FROM locked;
COMMIT;
BEGIN;
SELECT count(*) > 0 AS some FROM anshim.exposure_paths('visit', ARRAY[5003], '[2021-03-01, 2021-03-03)', until => '2021-03-01 23:00', degrees => 3);
SELECT min(partition), max(partition), count(*), sum(indexes) AS indexes FROM locked;
COMMIT;
BEGIN;
SELECT count(*) > 0 AS some FROM anshim.sources('visit', ARRAY[5003], '[2021-03-01, 2021-03-03)', since => '2021-02-20', linger => '3 days', degrees => 3);
SELECT min(partition), max(partition), count(*), sum(indexes) AS indexes FROM locked;
COMMIT;
BEGIN;
SELECT count(*) > 0 AS some FROM anshim.hotspots('visit', ARRAY[5003], '[2021-03-01, 2021-03-03)', 1, linger => '25 h');
SELECT min(partition), max(partition), count(*), sum(indexes) AS indexes FROM locked;
COMMIT;
-- case_periods narrow what is infectious, not what is opened; a time without
-- partitions opens none; and all of time is every day.
BEGIN;
SELECT count(*) AS none FROM anshim.exposures('visit', ARRAY[5003], '[2021-03-01, 2021-03-03)', case_periods => '{"[2021-03-02 12:00, 2021-03-03)"}');
SELECT min(partition), max(partition), count(*), sum(indexes) AS indexes FROM locked;
COMMIT;
BEGIN;
SELECT count(*) FROM anshim.exposures('visit', ARRAY[77], '[2019-01-01, 2020-01-01)');
SELECT count(*) FROM locked;
SELECT count(*) > 100 AS many FROM anshim.exposures('visit', ARRAY[77], '(,)');
SELECT min(partition), max(partition), count(*), sum(indexes) AS indexes FROM locked;
COMMIT;
-- A refused call has opened no more than a good one.
BEGIN;
SAVEPOINT a;
\set VERBOSITY sqlstate
SELECT anshim.contacts('visit', 77::bigint, '[2021-03-01, 2021-03-03)');
\set VERBOSITY default
ROLLBACK TO a;
SELECT count(*) FROM locked;
COMMIT;

--
-- Partitions that come and go
--
-- A day with its columns in another order, and with a dropped one
CREATE TABLE visit_220205 (gone text, left_at timestamptz, entered_at timestamptz NOT NULL, venue int, note text, subject int);
ALTER TABLE visit_220205 DROP COLUMN gone, DROP COLUMN note;
INSERT INTO visit_220205 (subject, venue, entered_at, left_at) VALUES (1, 1, '2022-02-05 10:00', '2022-02-05 12:00'), (6001, 1, '2022-02-05 11:00', NULL);
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
-- PostgreSQL wants the CHECK there first; the indexes it makes.
ALTER TABLE visit ATTACH PARTITION visit_220205 FOR VALUES FROM ('2022-02-05') TO ('2022-02-06');
ALTER TABLE visit_220205 ADD CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND (left_at IS NULL OR
	(isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= interval '24:00:00')));
ALTER TABLE visit ATTACH PARTITION visit_220205 FOR VALUES FROM ('2022-02-05') TO ('2022-02-06');
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05 11:30, 2022-02-07)');
BEGIN;
ALTER TABLE visit DETACH PARTITION visit_220205;
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
ROLLBACK;
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
ALTER TABLE visit DETACH PARTITION visit_220205 CONCURRENTLY;
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
ALTER TABLE visit ATTACH PARTITION visit_220205 FOR VALUES FROM ('2022-02-05') TO ('2022-02-06');
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
DROP TABLE visit_220205;
SELECT subject FROM anshim.contacts('visit', 1, '[2022-02-05, 2022-02-06)');
-- A gap between the days
BEGIN;
DROP TABLE visit_210302;
SELECT count(*) FROM anshim.contacts('visit', 5001, '[2021-03-01, 2021-03-05)');
SELECT partition FROM locked WHERE modes = 'AccessShareLock' ORDER BY 1;
ROLLBACK;
-- The default partition may hold any time that no other one does.
CREATE TABLE visit_rest PARTITION OF visit DEFAULT;
INSERT INTO visit VALUES (1, 1, '2023-05-05 10:00', NULL), (6002, 1, '2023-05-05 10:30', NULL), (1, 1, '2019-05-05 10:00', NULL), (6003, 1, '2019-05-05 10:30', NULL);
SELECT subject FROM anshim.contacts('visit', 1, '[2023-05-05, 2023-05-06)');
SELECT subject FROM anshim.contacts('visit', 1, '[2019-05-05, 2019-05-06)');
BEGIN;
SELECT subject FROM anshim.contacts('visit', 1, '[2023-05-05, 2023-05-06)');
SELECT * FROM locked ORDER BY 1;
COMMIT;
SELECT bool_and(same) AS same FROM compared('visit');
DROP TABLE visit;

--
-- Bounds that are open, and two levels: days, then hashes of the venue, of the
-- subject, or lists
--
CREATE TABLE two (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
CREATE TABLE two_first PARTITION OF two FOR VALUES FROM (MINVALUE) TO ('2021-03-01') PARTITION BY HASH (venue);
CREATE TABLE two_first_0 PARTITION OF two_first FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE two_first_1 PARTITION OF two_first FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE two_1 PARTITION OF two FOR VALUES FROM ('2021-03-01') TO ('2021-03-02') PARTITION BY HASH (subject);
CREATE TABLE two_1_0 PARTITION OF two_1 FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE two_1_1 PARTITION OF two_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE two_1_2 PARTITION OF two_1 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE two_2 PARTITION OF two FOR VALUES FROM ('2021-03-02') TO ('2021-03-03') PARTITION BY LIST (venue);
CREATE TABLE two_2_few PARTITION OF two_2 FOR VALUES IN (1, 2, 3, NULL);
CREATE TABLE two_2_more PARTITION OF two_2 DEFAULT PARTITION BY RANGE (subject, entered_at);
CREATE TABLE two_2_more_a PARTITION OF two_2_more FOR VALUES FROM (MINVALUE, MINVALUE) TO (1000, '2021-03-02 12:00');
CREATE TABLE two_2_more_b PARTITION OF two_2_more FOR VALUES FROM (1000, '2021-03-02 12:00') TO (MAXVALUE, MAXVALUE);
CREATE TABLE two_3 PARTITION OF two FOR VALUES FROM ('2021-03-03') TO ('2021-03-04') PARTITION BY RANGE (entered_at, venue);
CREATE TABLE two_3_a PARTITION OF two_3 FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2021-03-03 12:00', 20);
CREATE TABLE two_3_b PARTITION OF two_3 FOR VALUES FROM ('2021-03-03 12:00', 20) TO ('2021-03-03 18:00', MINVALUE);
CREATE TABLE two_3_c PARTITION OF two_3 FOR VALUES FROM ('2021-03-03 18:00', MINVALUE) TO ('2021-03-04', 0);
CREATE TABLE two_last PARTITION OF two FOR VALUES FROM ('2021-03-04') TO (MAXVALUE);
SELECT anshim.track_visits('two');
INSERT INTO two SELECT * FROM plain;
SELECT * FROM compared('two');
BEGIN;
SELECT count(*) > 0 AS some FROM anshim.contacts('two', 5005, '[2021-03-03 18:00, 2021-03-04)');
SELECT partition, indexes FROM locked ORDER BY 1;
COMMIT;
-- At the time of a bound itself, the second key decides.
INSERT INTO two VALUES (1, 19, '2021-03-03 12:00', NULL), (7001, 19, '2021-03-03 12:00', NULL), (1, 20, '2021-03-03 12:00', NULL), (7002, 20, '2021-03-03 12:00', NULL);
SELECT tableoid::regclass, count(*) FROM two WHERE entered_at = '2021-03-03 12:00' GROUP BY 1 ORDER BY 1;
SELECT subject, venue FROM anshim.contacts('two', 1, '[2021-03-03 12:00, 2021-03-03 12:00]') WHERE subject > 7000 ORDER BY 1;
-- A leaf, and a table in the middle, are no logs by themselves until tracked.
SELECT count(*) FROM anshim.contacts('two_2', 5003, '[2021-03-02, 2021-03-03)');
SELECT anshim.track_visits('two_2');
SELECT count(*) > 0 AS some FROM anshim.exposures('two_2', (SELECT array_agg(DISTINCT subject) FROM two_2 WHERE subject % 2 = 0), '[2021-03-02, 2021-03-03)');
SELECT count(*) FROM anshim.contacts('two_2', 5003, '[2021-03-03, 2021-03-04)');
-- No partitions at all
CREATE TABLE none (LIKE plain) PARTITION BY RANGE (entered_at);
SELECT anshim.track_visits('none');
SELECT count(*) FROM anshim.exposures('none', ARRAY[1], '(,)', 3);

-- Where minutes add up, air that has lingered since a day long before counts with what was shed later.
CREATE TABLE summed (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
CREATE TABLE summed_3 PARTITION OF summed FOR VALUES FROM ('2021-03-03') TO ('2021-03-04');
CREATE TABLE summed_4 PARTITION OF summed FOR VALUES FROM ('2021-03-04') TO ('2021-03-06');
SELECT anshim.track_visits('summed');
INSERT INTO summed VALUES (1, 1, '2021-03-03 22:00', '2021-03-03 23:00'), (2, 1, '2021-03-05 00:00', '2021-03-05 01:00'),
	(1, 2, '2021-03-05 01:00', '2021-03-05 02:00'), (2, 2, '2021-03-05 01:00', '2021-03-05 02:00');
SELECT * FROM anshim.sources('summed', ARRAY[2], '[2021-03-05, 2021-03-06)', linger => '30 h', min_overlap => '2 h', accumulate => '2 h');
SELECT * FROM anshim.sources('summed', ARRAY[2], '[2021-03-05, 2021-03-06)', linger => '24 h', min_overlap => '2 h', accumulate => '2 h');
SELECT * FROM anshim.sources('summed', ARRAY[2], '(,)', since => '2021-03-05', linger => '30 h', min_overlap => '2 h', accumulate => '2 h');
SELECT * FROM anshim.exposures('summed', ARRAY[1], '[2021-03-03, 2021-03-06)', linger => '30 h', min_overlap => '2 h', accumulate => '2 h');
