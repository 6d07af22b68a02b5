--
-- Purposes: who traces says what for, and each look leaves a mark.
--
\set SHOW_CONTEXT never
SELECT current_database() AS database \gset
CREATE ROLE regress_purpose_dba;
CREATE ROLE regress_purpose_tracer LOGIN;
CREATE ROLE regress_purpose_clerk LOGIN;
CREATE SCHEMA audit AUTHORIZATION regress_purpose_dba;
SET ROLE regress_purpose_dba;
SELECT anshim.create_purpose_log('audit.look');
RESET ROLE;
CREATE TABLE public.visit (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('public.visit');
INSERT INTO visit VALUES
	('Ann', 'cafe', '2021-03-01 10:00Z', '2021-03-01 11:00Z'),
	('Bob', 'cafe', '2021-03-01 10:30Z', '2021-03-01 12:00Z'),
	('Cat', 'cafe', '2021-03-01 11:30Z', '2021-03-01 12:00Z');
GRANT SELECT ON visit TO regress_purpose_tracer;

-- Off by default: nothing is asked, nothing recorded.
SELECT subject, degree FROM anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-02)') ORDER BY 1;

-- The table's name must have a schema.
SET anshim.purpose_log = 'look';
SET anshim.purpose_log = 'a.b.c';
SET anshim.purpose_log = '"audit.look';

-- Switched on for the database, it holds in each new session, also for one who
-- tries to switch it off before the library is loaded, or after.
ALTER DATABASE :"database" SET anshim.require_purpose = on;
\c - regress_purpose_tracer
SET anshim.require_purpose = off;
SET anshim.purpose_log = 'public.visit';
SELECT * FROM anshim.contacts('visit', 'Ann'::text, '[2021-03-01, 2021-03-02)');
SHOW anshim.require_purpose;
SET anshim.require_purpose = off;
ALTER ROLE regress_purpose_tracer SET anshim.require_purpose = off;

-- Neither is a blank a purpose, nor a purpose enough without a table.
SET anshim.purpose = E' \t';
SELECT * FROM anshim.contacts('visit', 'Ann'::text, '[2021-03-01, 2021-03-02)');
SET anshim.purpose = 'outbreak 7';
SELECT * FROM anshim.contacts('visit', 'Ann'::text, '[2021-03-01, 2021-03-02)');
\c - postgres
ALTER DATABASE :"database" SET anshim.purpose_log = 'audit.look';

-- Each function records itself, in either form, and what calls it does as well.
-- The arguments mean the same whatever the session's settings.
\c - regress_purpose_tracer
SET anshim.purpose = 'outbreak 7';
SET datestyle = 'German, DMY';
SET timezone = 'Asia/Seoul';
SET intervalstyle = 'iso_8601';
SELECT count(*) FROM anshim.contacts('visit', 'Ann'::text, '[2021-03-01 00:00Z, 2021-03-02 00:00Z)', linger => '90 min');
SELECT count(*) FROM anshim.contacts('visit', 'Ann'::text, NULL::text, '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
SELECT count(*) FROM anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)', degrees => 2,
	case_periods => ARRAY[NULL::tstzrange]);
SELECT count(*) FROM anshim.exposure_paths('visit', ARRAY['Ann'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)', degrees => 2);
SELECT count(*) FROM anshim.sources('visit', ARRAY['Cat'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
SELECT count(*) FROM anshim.hotspots('visit', ARRAY['Ann', 'Bob'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
SELECT anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)') LIKE 'digraph%' AS drawn;

-- The tracer neither reads the records nor writes any.
SELECT * FROM audit.look;
INSERT INTO audit.look DEFAULT VALUES;
DELETE FROM audit.look;

-- No way of ending a transaction takes a mark back, and none hinders it.
SET anshim.purpose = 'to be rolled back';
BEGIN;
SELECT count(*) FROM anshim.sources('visit', ARRAY['Bob'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
ROLLBACK;
SET anshim.purpose = 'in a savepoint';
BEGIN;
SAVEPOINT a;
SELECT count(*) FROM anshim.sources('visit', ARRAY['Bob'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
ROLLBACK TO a;
COMMIT;
SET anshim.purpose = 'in a statement that fails';
SELECT 1 / (count(*) - 2) FROM anshim.sources('visit', ARRAY['Bob'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
SET anshim.purpose = 'read only';
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT count(*) FROM anshim.sources('visit', ARRAY['Bob'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
COMMIT;
SET default_transaction_read_only = on;
SELECT count(*) FROM anshim.sources('visit', ARRAY['Bob'], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)');
RESET default_transaction_read_only;

-- A call that is refused shows nothing, and is no look.
SET anshim.purpose = 'refused';
SELECT count(*) FROM anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-02)', degrees => 0);
\c - regress_purpose_clerk
SET anshim.purpose = 'no right on the visits';
SELECT count(*) FROM anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-02)');

-- Who has no right on the visits, but on a function of somebody who has, is
-- recorded by her own name.
\c - postgres
CREATE FUNCTION public.trace(person text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT count(*) FROM anshim.exposures('public.visit', ARRAY[person], '[2021-03-01 00:00Z, 2021-03-02 00:00Z)') $$;
ALTER FUNCTION public.trace(text) OWNER TO regress_purpose_tracer;
\c - regress_purpose_clerk
SET anshim.purpose = 'through a function';
SELECT trace('Ann');
\c - postgres
SELECT function, arguments ->> 'visits' AS visits, arguments ->> 'during' AS during, arguments ->> 'linger' AS linger,
	arguments ->> 'within' AS within, arguments -> 'venue_type' AS venue_type, arguments -> 'degrees' AS degrees,
	arguments ->> 'case_periods' AS case_periods
FROM audit.look WHERE purpose = 'outbreak 7' ORDER BY looked_at LIMIT 3;
-- None is left out.
SELECT l.function, count(*) AS arguments
FROM (SELECT * FROM audit.look ORDER BY looked_at LIMIT 7) AS l, jsonb_object_keys(l.arguments) AS argument
GROUP BY l.looked_at, l.function
EXCEPT
SELECT proname, pronargs FROM pg_proc WHERE pronamespace = 'anshim'::regnamespace;
SELECT looked_by, acting_as, function, purpose, row_count, arguments ->> 'visits' AS visits,
	coalesce(arguments ->> 'case_subject', arguments ->> 'cases') AS cases,
	looked_at BETWEEN now() - interval '10 min' AND now() AS just_now
FROM audit.look ORDER BY looked_at;

-- A trigger on the table has its owner's rights, and no others.
CREATE TABLE audit.seen (who text, path text);
ALTER TABLE audit.seen OWNER TO regress_purpose_dba;
CREATE FUNCTION audit.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit.seen VALUES (current_user, current_setting('search_path'));
	RETURN NEW;
END $$;
CREATE TRIGGER see BEFORE INSERT ON audit.look FOR EACH ROW EXECUTE FUNCTION audit.see();
GRANT EXECUTE ON FUNCTION trace TO regress_purpose_clerk;
\c - regress_purpose_clerk
SET anshim.purpose = 'trigger';
SELECT trace('Ann');
\c - postgres
SELECT * FROM audit.seen;

-- What cannot be recorded is not shown: neither the reason that a trigger has,
SET anshim.purpose = 'cannot be recorded';
CREATE OR REPLACE FUNCTION audit.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the log is full'; END $$;
SELECT trace('Ann');
DROP TRIGGER see ON audit.look;
-- nor another table, one that is not committed, a lock of one's own, or none.
SET anshim.purpose_log = 'public.visit';
SELECT trace('Ann');
SET anshim.purpose_log = 'audit.nothing';
SELECT trace('Ann');
BEGIN;
SELECT anshim.create_purpose_log('audit.nothing');
SELECT trace('Ann');
ROLLBACK;
RESET anshim.purpose_log;
BEGIN;
LOCK TABLE audit.look IN SHARE MODE;
SELECT trace('Ann');
ROLLBACK;
SELECT count(*) FROM audit.look WHERE purpose = 'cannot be recorded';
-- Nor does a trigger outlive its owner's rights by being deferred.
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON audit.look DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION audit.see();
SELECT trace('Ann');
DROP TRIGGER late ON audit.look;

-- Any table with these columns will do, and one with more of them.
CREATE TABLE audit.mine (id bigint GENERATED ALWAYS AS IDENTITY, row_count bigint, arguments jsonb, purpose text,
	function text, acting_as text, looked_by text, looked_at timestamptz);
SET anshim.purpose_log = 'audit.mine';
SET anshim.purpose = 'of my own';
SELECT trace('Ann');
SELECT id, purpose, row_count FROM audit.mine;

-- Names are checked, and quoted.
SELECT anshim.create_purpose_log('audit."Who looked?"');
SELECT anshim.create_purpose_log('a.b.c');
SELECT anshim.create_purpose_log(NULL);
SET anshim.purpose_log = 'audit."Who looked?"';
SELECT trace('Ann');
SELECT count(*) FROM audit."Who looked?";

ALTER DATABASE :"database" RESET anshim.require_purpose;
ALTER DATABASE :"database" RESET anshim.purpose_log;
DROP FUNCTION trace;
DROP SCHEMA audit CASCADE;
DROP TABLE visit;
DROP ROLE regress_purpose_dba, regress_purpose_tracer, regress_purpose_clerk;
