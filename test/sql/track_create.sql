--
-- create_visit_log() and add_days()
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
SET datestyle = 'German';

SELECT anshim.create_visit_log('visit');
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, pg_get_expr(adbin, adrelid) AS "default"
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'visit'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'visit'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'visit'::regclass AND contype = 'c' ORDER BY conname;
SELECT * FROM anshim.visit_log;

-- It works at once; rows say where they come from.
INSERT INTO visit (subject, venue, entered_at, left_at, source) VALUES
	('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-000000000001', '2021-01-01 10:00Z', '2021-01-01 12:00Z', 'venue pass'),
	('00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-000000000001', '2021-01-01 11:00Z', NULL, DEFAULT);
SELECT subject FROM anshim.contacts('visit', uuid '00000000-0000-0000-0000-00000000000a', '[2021-01-01, 2021-01-02)');
\set VERBOSITY terse
INSERT INTO visit (subject, venue, entered_at, source) VALUES (gen_random_uuid(), gen_random_uuid(), now(), 'hearsay');
\set VERBOSITY default

-- Whose table it is, and where
CREATE ROLE regress_track_create_user;
CREATE SCHEMA "My Own" AUTHORIZATION regress_track_create_user;
SET ROLE regress_track_create_user;
SELECT anshim.create_visit_log('visit_of_mine');
SET search_path = "My Own", public;
SELECT anshim.create_visit_log('Mine');
SELECT anshim.create_visit_log('"My Own"."Visit"', max_stay => '48 hours', default_stay => '30 min');
RESET search_path;
SELECT relname, relowner::regrole, relnamespace::regnamespace FROM pg_class WHERE relkind = 'r' AND relnamespace = '"My Own"'::regnamespace ORDER BY 1;
SELECT table_name, max_stay, default_stay FROM anshim.visit_log WHERE schema_name = 'My Own' ORDER BY 1;
RESET ROLE;
SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND objid = 'visit'::regclass;

-- By day: midnights of Berlin, through the change to summer time
CREATE VIEW parts AS
SELECT inhparent::regclass AS log, inhrelid::regclass AS part, pg_get_expr(relpartbound, inhrelid) AS bounds
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE relkind IN ('r', 'p') ORDER BY inhrelid::regclass::text COLLATE "C";
SELECT anshim.create_visit_log('by_day', '[2021-03-27, 2021-03-29]', 'Europe/Berlin');
SELECT pg_get_partkeydef('by_day'::regclass), pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'by_day'::regclass AND contype = 'p';
SELECT * FROM parts;
SELECT time_zone FROM anshim.visit_log WHERE table_name = 'by_day';
SHOW timezone;
SHOW datestyle;
SHOW search_path;
-- More days, in the log's time zone, wherever the session is
SET timezone = 'Asia/Tokyo';
SELECT anshim.add_days('by_day', '[2021-03-28, 2021-04-01)');
SELECT anshim.add_days('by_day', '[2021-03-28, 2021-04-01)');
SELECT anshim.add_days('by_day', 'empty');
SET timezone = 'UTC';
SELECT part, bounds FROM parts WHERE part::text > 'by_day_2021_03_29';
-- What track_visits() changes leaves the time zone.
SELECT anshim.track_visits('by_day', default_stay => '2 hours');
SELECT default_stay, time_zone FROM anshim.visit_log WHERE table_name = 'by_day';
-- Days in other zones do not fit to them.
SELECT anshim.add_days('by_day', '[2021-03-26, 2021-03-27)', 'UTC');
SELECT anshim.add_days('by_day', '[2021-03-31, 2021-04-01)', 'America/New_York');
-- A day that lies within a larger partition is there.
CREATE TABLE by_day_april PARTITION OF by_day FOR VALUES FROM ('2021-04-01 Europe/Berlin') TO ('2021-05-01 Europe/Berlin');
SELECT anshim.add_days('by_day', '[2021-03-30, 2021-05-02)');
-- Rows in a default partition stand in the way.
CREATE TABLE by_day_other PARTITION OF by_day DEFAULT;
INSERT INTO by_day (subject, venue, entered_at) VALUES (gen_random_uuid(), gen_random_uuid(), '2021-06-01 12:00Z');
SELECT anshim.add_days('by_day', '[2021-06-01, 2021-06-02)');
SELECT anshim.add_days('by_day', '[2021-06-02, 2021-06-03)');
-- A log partitioned by hand, and a day that a zone has left out
CREATE TABLE hand (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
SELECT anshim.track_visits('hand');
SELECT anshim.add_days('hand', '[2011-12-29, 2012-01-01)', 'Pacific/Apia');
SELECT part, bounds FROM parts WHERE log = 'hand'::regclass;
SET timezone = 'America/New_York';
SELECT anshim.create_visit_log('session_zone', 'empty');
SELECT time_zone FROM anshim.visit_log WHERE table_name = 'session_zone';
SET timezone = 'UTC';
-- Names are cut to what PostgreSQL takes.
SELECT anshim.create_visit_log('a_name_of_sixty_three_letters_which_is_all_that_postgresql_takes', '[2021-01-01, 2021-01-03)');
SELECT part FROM parts WHERE log = 'a_name_of_sixty_three_letters_which_is_all_that_postgresql_takes'::regclass;

--
-- Errors
--
SELECT anshim.create_visit_log(NULL);
SELECT anshim.create_visit_log('visit');
SELECT anshim.create_visit_log('nowhere.visit');
SELECT anshim.create_visit_log('a b');
SELECT anshim.create_visit_log('');
SELECT anshim.create_visit_log('pg_temp.visit');
SELECT anshim.create_visit_log('v2', max_stay => '1 year');
SELECT anshim.create_visit_log('v2', default_stay => '2 days');
SELECT anshim.create_visit_log('v2', '[2021-01-01,)');
SELECT anshim.create_visit_log('v2', '(,2021-01-01)');
SELECT anshim.create_visit_log('v2', '[2021-01-01,infinity)');
SELECT anshim.create_visit_log('v2', '[2021-01-01,2021-01-02)', 'Mars/Olympus');
SELECT anshim.create_visit_log('v2', time_zone => 'UTC');
SELECT anshim.create_visit_log('v2', '[294276-12-31,294277-01-02)');
SELECT to_regclass('v2');
SELECT anshim.add_days('visit', '[2021-01-01,2021-01-02)');
SELECT anshim.add_days('hand', NULL);
SELECT anshim.add_days(NULL, '[2021-01-01,2021-01-02)');
SELECT anshim.add_days('hand', '[,]');
SELECT anshim.untrack_visits('hand');
SELECT anshim.add_days('hand', '[2021-01-01,2021-01-02)');
BEGIN READ ONLY;
SELECT anshim.create_visit_log('v2');
ROLLBACK;
BEGIN READ ONLY;
SELECT anshim.add_days('by_day', '[2021-01-01,2021-01-02)');
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA "My Own" CASCADE;
DROP ROLE regress_track_create_user;
