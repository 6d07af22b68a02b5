--
-- Who may track, and who may trace
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
CREATE ROLE regress_track_rights_owner;
CREATE ROLE regress_track_rights_tracer;
CREATE ROLE regress_track_rights_other;
CREATE ROLE regress_track_rights_bypass BYPASSRLS;
CREATE SCHEMA theirs AUTHORIZATION regress_track_rights_owner;
GRANT USAGE ON SCHEMA theirs TO PUBLIC;
\set trace 'SELECT subject FROM anshim.contacts(''theirs.visit'', 1, ''[2021-01-01, 2021-01-02)'');'

SET ROLE regress_track_rights_owner;
CREATE TABLE theirs.visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz, secret text);
INSERT INTO theirs.visit VALUES (1, 1, '2021-01-01 10:00', NULL), (2, 1, '2021-01-01 10:30', NULL);

-- Only the owner tracks, whatever else she may do.
GRANT ALL ON theirs.visit TO regress_track_rights_other;
SET ROLE regress_track_rights_other;
SELECT anshim.track_visits('theirs.visit');
SET ROLE regress_track_rights_owner;
SELECT anshim.track_visits('theirs.visit');
:trace
SET ROLE regress_track_rights_other;
:trace
SELECT anshim.track_visits('theirs.visit', max_stay => '48 hours');
SELECT anshim.untrack_visits('theirs.visit');
SELECT anshim.track_venues('theirs.visit', 'theirs.visit');
SELECT anshim.add_days('theirs.visit', '[2021-01-01, 2021-01-02)');
-- The rows of visit_log are for everybody to read, and nobody to write.
SELECT schema_name, table_name FROM anshim.visit_log;
INSERT INTO anshim.visit_log SELECT * FROM anshim.visit_log;
UPDATE anshim.visit_log SET max_stay = '1 s';
DELETE FROM anshim.visit_log;
RESET ROLE;
-- A member of the owner is an owner.
GRANT regress_track_rights_owner TO regress_track_rights_bypass;
SET ROLE regress_track_rights_bypass;
SELECT anshim.track_visits('theirs.visit', default_stay => '2 hours');
RESET ROLE;
REVOKE regress_track_rights_owner FROM regress_track_rights_bypass;

-- To trace needs SELECT on the table, or on the four columns.
SET ROLE regress_track_rights_tracer;
:trace
RESET ROLE;
GRANT SELECT (subject, venue, entered_at), INSERT, UPDATE ON theirs.visit TO regress_track_rights_tracer;
SET ROLE regress_track_rights_tracer;
:trace
RESET ROLE;
GRANT SELECT (left_at) ON theirs.visit TO regress_track_rights_tracer;
SET ROLE regress_track_rights_tracer;
:trace
RESET ROLE;
REVOKE ALL ON theirs.visit FROM regress_track_rights_tracer;
GRANT SELECT ON theirs.visit TO PUBLIC;
SET ROLE regress_track_rights_tracer;
:trace
RESET ROLE;
-- Whoever calls counts, not who is logged in.
REVOKE SELECT ON theirs.visit FROM PUBLIC;
CREATE FUNCTION theirs.contacts_of_1() RETURNS SETOF int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$ SELECT subject FROM anshim.contacts('theirs.visit', 1, '[2021-01-01, 2021-01-02)') $$;
SET ROLE regress_track_rights_tracer;
:trace
SELECT theirs.contacts_of_1();
RESET ROLE;
GRANT SELECT ON theirs.visit TO regress_track_rights_tracer, regress_track_rights_bypass;

-- Row-level security: refused to whom it applies, enabled or forced.
ALTER TABLE theirs.visit ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON theirs.visit USING (true);
SET ROLE regress_track_rights_tracer;
:trace
SET row_security = off;
:trace
RESET row_security;
SET ROLE regress_track_rights_owner;
:trace
SET ROLE regress_track_rights_bypass;
:trace
RESET ROLE;
ALTER TABLE theirs.visit FORCE ROW LEVEL SECURITY;
SET ROLE regress_track_rights_owner;
:trace
SET ROLE regress_track_rights_bypass;
:trace
RESET ROLE;
:trace

-- Of partitions only the parent's grants and policies count.
SET ROLE regress_track_rights_owner;
CREATE TABLE theirs.parted (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
CREATE TABLE theirs.parted_1 PARTITION OF theirs.parted FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
INSERT INTO theirs.parted SELECT subject, venue, entered_at, left_at FROM theirs.visit;
SELECT anshim.track_visits('theirs.parted');
ALTER TABLE theirs.parted_1 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT ON theirs.parted TO regress_track_rights_tracer;
GRANT SELECT ON theirs.parted_1 TO regress_track_rights_other;
SET ROLE regress_track_rights_tracer;
SELECT subject FROM anshim.contacts('theirs.parted', 1, '[2021-01-01, 2021-01-02)');
SELECT subject FROM anshim.contacts('theirs.parted_1', 1, '[2021-01-01, 2021-01-02)');
SET ROLE regress_track_rights_other;
SELECT subject FROM anshim.contacts('theirs.parted', 1, '[2021-01-01, 2021-01-02)');

-- Nothing depends on the search_path: here every operator lies.
RESET ROLE;
CREATE SCHEMA liar AUTHORIZATION regress_track_rights_owner;
SET ROLE regress_track_rights_owner;
CREATE FUNCTION liar.no(timestamptz, timestamptz) RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '0' $$;
CREATE OPERATOR liar.- (FUNCTION = liar.no, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE FUNCTION liar.isfinite(timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
CREATE TABLE liar.visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SET search_path = liar, pg_catalog;
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES (1, 1, '2021-01-01', '2021-01-03');
INSERT INTO visit VALUES (1, 1, '-infinity', NULL);
-- A CHECK with a lie in it is found out, and replaced.
ALTER TABLE visit DROP CONSTRAINT anshim_stay, ADD CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND
	(left_at IS NULL OR (isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= interval '24 hours')));
SELECT * FROM anshim.contacts('visit', 1, '[2021-01-01, 2021-01-02)');
SELECT anshim.track_visits('visit');
RESET search_path;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'liar.visit'::regclass AND conname = 'anshim_stay';

RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA theirs, liar CASCADE;
DROP ROLE regress_track_rights_owner, regress_track_rights_tracer, regress_track_rights_other, regress_track_rights_bypass;
SELECT * FROM anshim.visit_log;
