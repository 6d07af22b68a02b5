--
-- Rows of anshim.visit_log follow their tables, and go with them
--
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SCHEMA a;
CREATE SCHEMA b;
CREATE EXTENSION postgis SCHEMA a;
CREATE VIEW recorded AS
SELECT schema_name || '.' || table_name AS log, subject || ' ' || venue || ' ' || entered_at || ' ' || left_at AS columns,
	venues_schema || '.' || venues_table AS venues, venues_venue || ' ' || venues_location AS "venues' columns"
FROM anshim.visit_log ORDER BY 1;

CREATE TABLE a.visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE a.venue (venue int, location a.geography);
CREATE TABLE b.visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE b.venue (venue int, location a.geography);
SELECT anshim.track_visits('a.visit'), anshim.track_visits('b.visit'), anshim.track_venues('a.visit', 'a.venue');
SELECT * FROM recorded;

-- Renamed, with the names of others left alone
ALTER TABLE a.visit RENAME TO trip;
ALTER TABLE a.venue RENAME TO place;
ALTER TABLE b.venue RENAME TO place;
SELECT * FROM recorded;
ALTER TABLE a.trip RENAME COLUMN subject TO "Who?";
ALTER TABLE a.trip RENAME venue TO place;
ALTER TABLE a.trip RENAME entered_at TO "from";
ALTER TABLE a.trip RENAME left_at TO "to";
ALTER TABLE a.place RENAME venue TO place;
ALTER TABLE a.place RENAME location TO "where";
ALTER TABLE b.place RENAME venue TO id;
SELECT * FROM recorded;
SELECT * FROM anshim.contacts('a.trip', 1, '[2021-01-01, 2021-01-02)', within => 10);
-- Undone with the command
BEGIN;
ALTER TABLE a.trip RENAME TO journey;
SELECT log FROM recorded;
ROLLBACK;
SELECT log FROM recorded;
BEGIN;
SAVEPOINT one;
ALTER TABLE a.trip RENAME TO journey;
ROLLBACK TO one;
ALTER TABLE a.trip RENAME TO voyage;
COMMIT;
SELECT log FROM recorded;
-- Moved
CREATE SCHEMA d;
ALTER TABLE a.voyage SET SCHEMA d;
ALTER TABLE a.place RENAME TO spot;
ALTER TABLE a.spot SET SCHEMA b;
SELECT log, venues FROM recorded;
ALTER SCHEMA b RENAME TO "B";
SELECT log, venues FROM recorded;
SET search_path = d, "B", public;
ALTER TABLE voyage SET SCHEMA a;
ALTER INDEX visit RENAME TO "Visit";
RESET search_path;
SELECT log, venues FROM recorded;
SELECT * FROM anshim.contacts('"B"."Visit"', 1, '[2021-01-01, 2021-01-02)');
-- Swapped: each keeps its own.
CREATE TABLE "B".new (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('"B".new', max_stay => '3 hours');
BEGIN;
ALTER TABLE "B"."Visit" RENAME TO old;
ALTER TABLE "B".new RENAME TO "Visit";
COMMIT;
SELECT table_name, max_stay = '3 hours' AS "is new" FROM anshim.visit_log ORDER BY 1;

-- A row left behind, as by a restore that was cut short, is in nobody's way.
SET session_replication_role = replica;
ALTER TABLE "B".old RENAME TO older;
SET session_replication_role = origin;
SELECT * FROM anshim.contacts('"B".older', 1, '[2021-01-01, 2021-01-02)');
SELECT anshim.track_visits('"B".older');
ALTER TABLE "B".older RENAME TO old;
SELECT log FROM recorded;

-- Columns of partitions that are logs of their own
CREATE TABLE parted (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
SELECT anshim.track_visits('parted'), anshim.track_visits('parted_1');
ALTER TABLE parted RENAME venue TO place;
SELECT log, columns FROM recorded WHERE log LIKE '%parted%';
DROP TABLE parted_1;
SELECT log FROM recorded;

-- Dropped: by itself, with others, with its schema, with its owner
ALTER TABLE a.voyage DROP COLUMN "to";
SELECT log, venues FROM recorded;
DROP TABLE "B".spot;
SELECT log, venues FROM recorded;
CREATE TABLE "B".spot (venue int, location a.geography);
SELECT anshim.track_venues('"B".old', '"B".spot');
DROP TABLE "B".spot, "B".old, parted;
SELECT log, venues FROM recorded;
BEGIN;
DROP SCHEMA "B" CASCADE;
SELECT log FROM recorded;
ROLLBACK;
CREATE TABLE "B".spot (venue int, location a.geography);
SELECT anshim.track_venues('"B"."Visit"', '"B".spot');
DROP SCHEMA "B" CASCADE;
SELECT log FROM recorded;
CREATE ROLE regress_track_follow_owner;
ALTER TABLE a.voyage OWNER TO regress_track_follow_owner;
DROP OWNED BY regress_track_follow_owner;
DROP ROLE regress_track_follow_owner;
SELECT log FROM recorded;

-- Bystanders notice nothing, nor do temporary tables of a log's name.
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
CREATE TEMP TABLE visit (i int);
CREATE SCHEMA c CREATE TABLE visit (i int) CREATE VIEW v AS SELECT i FROM c.visit;
CREATE FUNCTION visit() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE visit_type AS (venue int);
ALTER TYPE visit_type RENAME ATTRIBUTE venue TO place;
ALTER VIEW c.v RENAME TO visit_view;
ALTER VIEW c.visit_view RENAME COLUMN i TO venue;
ALTER TABLE pg_temp.visit RENAME TO visitor;
ALTER TABLE pg_temp.visitor RENAME TO visit;
ALTER TABLE public.visit RENAME CONSTRAINT anshim_stay TO stay;
ALTER TABLE public.visit RENAME CONSTRAINT stay TO anshim_stay;
DROP TABLE pg_temp.visit;
DROP SCHEMA c CASCADE;
DROP FUNCTION visit;
DROP TYPE visit_type;
ALTER INDEX visit_by_venue RENAME TO visit_venues;
DROP INDEX visit_venues;
SELECT log, columns FROM recorded;

-- The functions serve event triggers alone.
SELECT anshim.forget_dropped();
SELECT anshim.follow_renamed();

-- The extension goes, and comes back, with nothing left of it.
DROP VIEW recorded;
DROP EXTENSION anshim;
DROP TABLE visit;
SELECT evtname FROM pg_event_trigger;
CREATE EXTENSION anshim;
SELECT count(*) FROM anshim.visit_log;
