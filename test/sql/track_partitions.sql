--
-- Partitioned visit logs
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';

-- Ranges of time, one of them split by venue and one by subject, and a default
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2021-01-02');
CREATE TABLE visit_2 PARTITION OF visit FOR VALUES FROM ('2021-01-02') TO ('2021-01-03') PARTITION BY HASH (venue);
CREATE TABLE visit_2a PARTITION OF visit_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE visit_2b PARTITION OF visit_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- This one has its columns elsewhere.
CREATE TABLE visit_3 (left_at timestamptz, gone int, entered_at timestamptz NOT NULL, venue int, subject int);
ALTER TABLE visit_3 DROP COLUMN gone;
ALTER TABLE visit ATTACH PARTITION visit_3 FOR VALUES FROM ('2021-01-03') TO ('2021-01-04');
CREATE TABLE visit_5 PARTITION OF visit FOR VALUES FROM ('2021-01-05') TO (MAXVALUE) PARTITION BY LIST (subject);
CREATE TABLE visit_5a PARTITION OF visit_5 FOR VALUES IN (1, 2, 3);
CREATE TABLE visit_5b PARTITION OF visit_5 DEFAULT;
SELECT anshim.track_visits('visit');

-- Every leaf has its three indexes.
SELECT indrelid::regclass, count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid AND relkind = 'i'
GROUP BY 1 HAVING indrelid::regclass::text LIKE 'visit%' ORDER BY 1;

-- All of them answer, and those that come later too.
INSERT INTO visit SELECT s, 1, day + s * interval '10 min', day + interval '20 hours'
FROM generate_series(timestamptz '2020-12-31', '2021-01-08', '1 day') day, generate_series(1, 4) s
WHERE date_part('day', day) <> 4;
CREATE TABLE visit_d PARTITION OF visit DEFAULT;
INSERT INTO visit SELECT s, 1, timestamptz '2021-01-04' + s * interval '10 min', NULL FROM generate_series(1, 4) s;
SELECT count(*), count(DISTINCT date_trunc('day', started_at))
FROM anshim.contacts('visit', 1, '[,]');

-- What a span of time opens.  The default partition is opened always; visits
-- of the day before may last until now.
CREATE FUNCTION opens(during tstzrange) RETURNS TABLE (relation text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM anshim.contacts('visit', 1, during);
	RETURN QUERY SELECT DISTINCT l.relation::regclass::text COLLATE "C" FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
	WHERE pid = pg_backend_pid() AND relkind = 'r' AND mode = 'AccessShareLock' AND relname LIKE 'visit\_%' ORDER BY 1;
END$$;
SELECT string_agg(relation, ' ') FROM opens('[2021-01-01 10:00, 2021-01-01 12:00)');
SELECT string_agg(relation, ' ') FROM opens('[2021-01-02 10:00, 2021-01-02 12:00)');
SELECT string_agg(relation, ' ') FROM opens('[2021-01-03 23:59:59.999999, 2021-01-04 12:00)');
SELECT string_agg(relation, ' ') FROM opens('[2021-01-04 00:00, 2021-01-05 00:00)');
SELECT string_agg(relation, ' ') FROM opens('[2021-01-04 00:00, 2021-01-05 00:00]');
SELECT string_agg(relation, ' ') FROM opens('[2030-01-01, 2030-01-02)');
SELECT string_agg(relation, ' ') FROM opens('[,2021-01-02)');
SELECT string_agg(relation, ' ') FROM opens('[,]');

-- A leaf that lacks something
DROP INDEX visit_by_venue CASCADE;
SELECT count(*) FROM anshim.contacts('visit', 1, '[,]');
SELECT anshim.track_visits('visit');
SELECT count(*) FROM anshim.contacts('visit', 1, '[,]');
ALTER TABLE visit DROP CONSTRAINT anshim_stay;
SELECT count(*) FROM anshim.contacts('visit', 1, '[,]');
SELECT anshim.track_visits('visit', max_stay => '2 days');
SELECT conrelid::regclass, pg_get_constraintdef(oid) ~ '48:00:00' AS "48 h", convalidated
FROM pg_constraint WHERE conname = 'anshim_stay' ORDER BY 1;
SELECT count(*) FROM anshim.contacts('visit', 1, '[,]');
ALTER TABLE visit RENAME subject TO who;
SELECT count(*) FROM anshim.contacts('visit', 1, '[,]');

-- A partition may be a log of its own.
SELECT anshim.track_visits('visit_3', subject => 'who', max_stay => '2 days');
SELECT count(*) FROM anshim.contacts('visit_3', 1, '[,]');

-- The way without long locks: indexes made partition by partition are taken.
CREATE TABLE hand (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz,
	CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND (left_at IS NULL OR
		(isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= '24 h')))) PARTITION BY RANGE (entered_at);
CREATE TABLE hand_1 PARTITION OF hand FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
CREATE INDEX hand_1_v ON hand_1 (venue, entered_at, subject) INCLUDE (left_at);
CREATE INDEX hand_1_s ON hand_1 (subject, entered_at, venue) INCLUDE (left_at);
CREATE INDEX hand_1_l ON hand_1 (venue, entered_at, subject) INCLUDE (left_at) WHERE left_at - entered_at > '3 h';
SELECT anshim.track_visits('hand');
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'hand_1'::regclass ORDER BY 1;
-- So is a table that is attached with what a log needs.
CREATE TABLE hand_2 (LIKE hand INCLUDING ALL);
SELECT anshim.track_visits('hand_2');
ALTER TABLE hand ATTACH PARTITION hand_2 FOR VALUES FROM ('2021-01-02') TO ('2021-01-03');
SELECT count(*) FROM pg_index WHERE indrelid = 'hand_2'::regclass;
SELECT count(*) FROM anshim.contacts('hand', 1, '[,]');
-- It keeps its own CHECK when the table's goes; a new one takes its place.
SELECT anshim.track_visits('hand', max_stay => '2 days');
SELECT conrelid::regclass, pg_get_constraintdef(oid) ~ '48:00:00' AS "48 h", convalidated, coninhcount
FROM pg_constraint WHERE conname = 'anshim_stay' AND conrelid::regclass::text LIKE 'hand%' ORDER BY 1;
ALTER TABLE hand DROP CONSTRAINT anshim_stay;
ALTER TABLE hand_1 ADD CONSTRAINT anshim_stay CHECK (left_at > entered_at) NOT VALID;
ALTER TABLE hand_2 ADD CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND (left_at IS NULL OR
	(isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= '36:00')));
SELECT anshim.track_visits('hand', max_stay => '36 hours');
SELECT conrelid::regclass, pg_get_constraintdef(oid) ~ '36:00:00' AS "36 h", convalidated, coninhcount
FROM pg_constraint WHERE conname = 'anshim_stay' AND conrelid::regclass::text LIKE 'hand%' ORDER BY 1;
-- So it is with days that were added.
SELECT anshim.add_days('hand', '[2021-01-03, 2021-01-05)', 'UTC');
SELECT anshim.track_visits('hand', max_stay => '12 hours');
INSERT INTO hand VALUES (1, 1, '2021-01-04 10:00', '2021-01-04 21:00'), (2, 1, '2021-01-04 20:00', NULL);
SELECT subject FROM anshim.contacts('hand', 1, '[,]');

-- Several key columns: a bound's own time lies on both of its sides.
CREATE TABLE two (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at, venue);
CREATE TABLE two_1 PARTITION OF two FOR VALUES FROM ('2021-01-01', MINVALUE) TO ('2021-01-02', 10);
CREATE TABLE two_2 PARTITION OF two FOR VALUES FROM ('2021-01-02', 10) TO ('2021-01-03', MAXVALUE);
SELECT anshim.track_visits('two', max_stay => '1 hour', default_stay => '1 hour');
INSERT INTO two VALUES (1, 5, '2021-01-02 00:00', NULL), (2, 5, '2021-01-02 00:00', NULL), (1, 15, '2021-01-02 00:00', NULL), (3, 15, '2021-01-02 00:00', NULL);
SELECT tableoid::regclass, subject FROM two ORDER BY 1, 2;
SELECT subject FROM anshim.contacts('two', 1, '[2021-01-02 00:30, 2021-01-02 00:45)') ORDER BY 1;

-- No partition at all, and partitions by time in another order
CREATE TABLE none (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY LIST (venue);
SELECT anshim.track_visits('none');
SELECT count(*) FROM anshim.contacts('none', 1, '[,]');
CREATE TABLE null_venue PARTITION OF none FOR VALUES IN (NULL);
INSERT INTO none VALUES (1, NULL, '2021-01-01', NULL), (2, NULL, '2021-01-01', NULL);
SELECT count(*) FROM anshim.contacts('none', 1, '[,]');

--
-- Errors
--
CREATE TABLE bad (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz, source text) PARTITION BY LIST (source);
SELECT anshim.track_visits('bad');
DROP TABLE bad;
CREATE TABLE bad (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (date_part('year', entered_at AT TIME ZONE 'UTC'));
SELECT anshim.track_visits('bad');
DROP TABLE bad;
CREATE TABLE bad (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz, source text) PARTITION BY RANGE (entered_at);
SELECT anshim.track_visits('bad');
CREATE TABLE bad_1 PARTITION OF bad FOR VALUES FROM ('2021-01-01') TO ('2021-01-02') PARTITION BY HASH (left_at);
SELECT count(*) FROM anshim.contacts('bad', 1, '[2021-01-01, 2021-01-02)');
SELECT count(*) FROM anshim.contacts('bad', 1, '[2021-02-01, 2021-02-02)');
DROP TABLE bad_1;
