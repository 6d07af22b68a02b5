--
-- track_visits(): what it adds, what it refuses, and what it leaves alone
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';

CREATE VIEW added AS
SELECT relname AS "table", pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT relname, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE conname = 'anshim_stay';

-- An empty table gets the CHECK and three indexes.
CREATE TABLE visit (subject uuid, venue uuid, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
SELECT definition FROM added WHERE "table" = 'visit' ORDER BY definition COLLATE "C";
SELECT * FROM anshim.visit_log;

-- Once more, it adds nothing.
CREATE TEMP TABLE before AS SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_constraint;
SELECT anshim.track_visits('visit');
SELECT count(*) FROM (SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_constraint) c
WHERE oid NOT IN (SELECT oid FROM before) AND oid NOT IN ('before'::regclass);

-- The CHECK bounds stays: finite times, left after entered, no longer than a day.
INSERT INTO visit VALUES (NULL, NULL, '2021-01-01', NULL), (NULL, NULL, '2021-01-01', '2021-01-02'),
	(NULL, NULL, '2021-01-01', '2021-01-01 00:00:00.000001');
INSERT INTO visit VALUES (NULL, NULL, '2021-01-01', '2021-01-02 00:00:00.000001');
INSERT INTO visit VALUES (NULL, NULL, '2021-01-01', '2021-01-01');
INSERT INTO visit VALUES (NULL, NULL, '2021-01-01', '2020-12-31');
INSERT INTO visit VALUES (NULL, NULL, '-infinity', '2021-01-01');
INSERT INTO visit VALUES (NULL, NULL, '2021-01-01', 'infinity');
INSERT INTO visit VALUES (NULL, NULL, 'infinity', NULL);

-- New parameters: a longer stay replaces the CHECK; what the index of long
-- stays leaves out grows only where it has to.
SELECT anshim.track_visits('visit', max_stay => '2 days 1 hour');
SELECT definition FROM added WHERE "table" = 'visit' ORDER BY definition COLLATE "C";
SELECT anshim.track_visits('visit', max_stay => '1 day', default_stay => '6 hours');
SELECT definition FROM added WHERE "table" = 'visit' ORDER BY definition COLLATE "C";
SELECT anshim.track_visits('visit', max_stay => '86400 s', default_stay => '24:00');
SELECT definition FROM added WHERE "table" = 'visit' ORDER BY definition COLLATE "C";
SELECT max_stay, default_stay FROM anshim.visit_log;

-- A shorter stay that some row exceeds changes nothing.
SELECT anshim.track_visits('visit', max_stay => '12 hours', default_stay => '1 hour');
SELECT max_stay, default_stay FROM anshim.visit_log;
SELECT definition FROM added WHERE "table" = 'visit' AND definition LIKE 'CHECK%';
DELETE FROM visit;
SELECT anshim.track_visits('visit', max_stay => '12 hours', default_stay => '00:00:00.000001');
SELECT definition FROM added WHERE "table" = 'visit' ORDER BY definition COLLATE "C";
SELECT max_stay, default_stay FROM anshim.visit_log;
DROP TABLE visit;

-- Other names, some that need quotes, and other types.
CREATE DOMAIN person AS varchar(20);
CREATE DOMAIN "when" AS timestamptz;
CREATE TABLE "Who's Where" ("the ""who""" person, place bigint, "From" "when" NOT NULL, "to" "when", unrelated int);
SELECT anshim.track_visits('"Who''s Where"', 'the "who"', 'place', 'From', 'to');
SELECT definition FROM added WHERE "table" = 'Who''s Where' ORDER BY definition COLLATE "C";
SELECT schema_name, table_name, subject, venue, entered_at, left_at FROM anshim.visit_log;
SELECT anshim.track_visits('"Who''s Where"', 'the "who"', 'place', 'From', 'to', '2 hours', '1 hour');
SELECT definition FROM added WHERE "table" = 'Who''s Where' ORDER BY definition COLLATE "C";
DROP TABLE "Who's Where";

-- What was made by hand, without long locks, counts; so does a tighter CHECK
-- in other words, until other parameters are wanted.
CREATE TABLE visit (subject int, venue text, entered_at timestamptz NOT NULL, left_at timestamptz, note text);
ALTER TABLE visit ADD CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND (left_at IS NULL OR
	(isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= interval '1 day'))) NOT VALID;
CREATE INDEX CONCURRENTLY mine ON visit (venue, entered_at, subject, left_at, note);
CREATE UNIQUE INDEX CONCURRENTLY yours ON visit (subject, entered_at, venue) INCLUDE (note, left_at);
CREATE INDEX CONCURRENTLY ours ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE left_at - entered_at > '4 h';
SELECT anshim.track_visits('visit');
SELECT definition FROM added WHERE "table" = 'visit' ORDER BY definition COLLATE "C";
ALTER TABLE visit DROP CONSTRAINT anshim_stay, ADD CONSTRAINT anshim_stay CHECK (
	isfinite(entered_at) AND note <> '' AND
	(left_at IS NULL OR (left_at - entered_at <= '20 hours' AND left_at > entered_at AND isfinite(left_at))));
SELECT * FROM anshim.contacts('visit', 1, NULL::text, '[2021-01-01, 2021-01-02)');
SELECT anshim.track_visits('visit', max_stay => '20 hours');
SELECT definition FROM added WHERE "table" = 'visit' AND definition LIKE 'CHECK%';

-- Indexes that look similar do not.
DROP INDEX mine, yours, ours;
CREATE INDEX x1 ON visit (venue, subject, entered_at) INCLUDE (left_at);
CREATE INDEX x2 ON visit (venue, entered_at, subject);
CREATE INDEX x3 ON visit (venue, entered_at DESC, subject) INCLUDE (left_at);
CREATE INDEX x4 ON visit (venue, entered_at, subject NULLS FIRST) INCLUDE (left_at);
CREATE INDEX x5 ON visit (venue text_pattern_ops, entered_at, subject) INCLUDE (left_at);
CREATE INDEX x6 ON visit (venue COLLATE "POSIX", entered_at, subject) INCLUDE (left_at);
CREATE INDEX x7 ON visit (lower(venue), entered_at, subject) INCLUDE (left_at);
CREATE INDEX x8 ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE note IS NULL;
CREATE INDEX x9 ON visit (venue, entered_at) INCLUDE (subject, left_at);
CREATE INDEX x10 ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE left_at - entered_at > '4 h' AND note IS NULL;
CREATE INDEX x11 ON visit (subject, entered_at, venue) INCLUDE (left_at) WHERE left_at - entered_at > '4 h';
SELECT anshim.track_visits('visit');
SELECT definition FROM added WHERE "table" = 'visit' AND definition ~ 'visit_(by|long)' ORDER BY definition COLLATE "C";
SELECT anshim.untrack_visits('visit');
SELECT * FROM anshim.visit_log;
SELECT anshim.untrack_visits('visit');
DROP TABLE visit;

-- Names that are taken
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE visit_by_venue ();
ALTER TABLE visit ADD CONSTRAINT anshim_stay UNIQUE (subject);
SELECT anshim.track_visits('visit');
ALTER TABLE visit DROP CONSTRAINT anshim_stay;
SELECT anshim.track_visits('visit');
SELECT definition FROM added WHERE "table" = 'visit' AND definition LIKE '%(venue%' ORDER BY definition COLLATE "C";
DROP TABLE visit, visit_by_venue;

--
-- Errors
--
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz,
	nullable timestamptz, naive timestamp NOT NULL, day date, point point);
SELECT anshim.track_visits('visit', 'who');
SELECT anshim.track_visits('visit', left_at => 'ctid');
SELECT anshim.track_visits('visit', subject => 'venue');
SELECT anshim.track_visits('visit', left_at => 'entered_at');
SELECT anshim.track_visits('visit', entered_at => 'nullable');
SELECT anshim.track_visits('visit', entered_at => 'naive');
SELECT anshim.track_visits('visit', left_at => 'day');
SELECT anshim.track_visits('visit', venue => 'point');
SELECT anshim.track_visits('visit', max_stay => '1 month');
SELECT anshim.track_visits('visit', max_stay => '0');
SELECT anshim.track_visits('visit', default_stay => '-1 hour');
SELECT anshim.track_visits('visit', default_stay => '25 hours');
SELECT anshim.track_visits('visit', max_stay => '2147483647 days');
SELECT anshim.track_visits('visit', max_stay => NULL);
SELECT anshim.track_visits('visit', subject => NULL);
SELECT anshim.track_visits(NULL);
SELECT anshim.track_visits(0);
SELECT anshim.untrack_visits(NULL);
SELECT anshim.untrack_visits(4000000000);
BEGIN READ ONLY;
SELECT anshim.track_visits('visit');
ROLLBACK;
SELECT anshim.track_visits('visit') FROM visit;
INSERT INTO visit VALUES (1, 1, now(), NULL, NULL, now());
SELECT anshim.track_visits('visit') FROM visit;
SELECT * FROM anshim.visit_log;
DROP TABLE visit;

CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE visit (subject text COLLATE blind, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
DROP TABLE visit;

-- Kinds of relations
CREATE VIEW v AS SELECT 1 AS subject;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS subject;
CREATE SEQUENCE s;
CREATE TYPE t AS (subject int);
CREATE TABLE has_index (i int PRIMARY KEY);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE ft (subject int) SERVER nowhere;
CREATE TEMP TABLE passing (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('v');
SELECT anshim.track_visits('mv');
SELECT anshim.track_visits('s');
SELECT anshim.track_visits('t');
SELECT anshim.track_visits('has_index_pkey');
SELECT anshim.track_visits('ft');
SELECT anshim.track_visits('passing');
CREATE TABLE parent (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE child () INHERITS (parent);
SELECT anshim.track_visits('parent');
SELECT anshim.track_visits('child');
DROP TABLE child;
SELECT anshim.track_visits('parent');
CREATE UNLOGGED TABLE unlogged (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('unlogged');
SELECT table_name FROM anshim.visit_log ORDER BY 1;
