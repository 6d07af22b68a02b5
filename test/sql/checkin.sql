--
-- Checking in and out, and typing in paper logs
--
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SELECT anshim.generate_key('door', 'jeju') IS NOT NULL AS made;
SELECT anshim.generate_key('other', 'seoul') IS NOT NULL AS made;
SELECT anshim.create_visit_log('visit');

\set cafe '11111111-1111-1111-1111-111111111111'
\set bus '33333333-3333-3333-3333-333333333333'
\set ann '22222222-2222-2222-2222-222222222222'
\set ben '44444444-4444-4444-4444-444444444444'
CREATE VIEW log AS
SELECT CASE subject WHEN :'ann' THEN 'ann' WHEN :'ben' THEN 'ben' END AS subject,
	CASE venue WHEN :'cafe' THEN 'cafe' WHEN :'bus' THEN 'bus' END AS venue,
	entered_at, left_at, source, recorded_at > now() - interval '1 hour' AS recorded_now
FROM visit ORDER BY entered_at, left_at, subject, venue, source;

-- A venue's pass: the subject comes from the call; it can be used by many.
SELECT anshim.sign('door', :'cafe') AS poster \gset
SELECT anshim.check_in('visit', :'poster', :'ann', at => '2026-01-01 12:00') AS visit \gset
SELECT anshim.check_in('visit', :'poster', :'ben', at => '2026-01-01 12:05') IS NOT NULL AS in;
SELECT anshim.check_in('visit', :'poster', subject => :'ben', venue => :'cafe', at => '2026-01-01 12:06') IS NOT NULL AS in;
TABLE log;
SELECT id = :'visit' AS same_id FROM visit WHERE subject = :'ann';
-- checked out: one more row
SELECT anshim.check_out('visit', :'visit', '2026-01-01 12:30') <> :'visit' AS out;
SELECT * FROM log WHERE subject = 'ann';

-- A visitor's pass, with its subject or without: the venue comes from the
-- call, and takes each pass once.
SELECT anshim.sign('door', subject => :'ann', valid => '[2026-01-02, 2026-01-03)') AS phone \gset
SELECT anshim.check_in('visit', :'phone', venue => :'cafe', at => '2026-01-02 08:00') IS NOT NULL AS in;
SELECT anshim.check_in('visit', :'phone', venue => :'cafe', at => '2026-01-02 08:01');
SELECT anshim.check_in('visit', :'phone', venue => :'bus', at => '2026-01-02 09:00') IS NOT NULL AS in;
SELECT anshim.issue_pass('door', :'ben', tstzrange(now(), now() + interval '5 minutes')) AS private \gset
SELECT anshim.check_in('visit', :'private', venue => :'cafe') IS NOT NULL AS in;
SELECT anshim.check_in('visit', :'private', venue => :'cafe');
SELECT anshim.check_in('visit', :'private', :'ben', :'bus') IS NOT NULL AS in;
-- for one venue only
SELECT anshim.issue_pass('door', :'ben', tstzrange(now(), now() + interval '5 minutes'), :'bus') AS ticket \gset
SELECT anshim.check_in('visit', :'ticket', venue => :'cafe');
SELECT anshim.check_in('visit', :'ticket') IS NOT NULL AS in;
-- it is hers: nobody else can be checked in with it
SELECT anshim.check_in('visit', :'private', :'ann', :'bus');
SELECT anshim.check_in('visit', :'ticket', :'ann');
SELECT count(*), source FROM log WHERE entered_at > now() - interval '1 hour' GROUP BY 2;
SELECT entered_at, venue, source FROM log WHERE entered_at BETWEEN '2026-01-02' AND '2026-01-03';
-- the same id, signed by another issuer, is another pass; by another key of
-- the same issuer it is the same, and nobody's if it was kept under the first
SELECT anshim.id(:'private') AS id \gset
SELECT anshim.check_in('visit', anshim.sign('other', subject => :'ann', id => :'id'), venue => :'cafe') IS NOT NULL AS in;
SELECT anshim.generate_key('door2', 'jeju') IS NOT NULL AS made;
SELECT anshim.check_in('visit', anshim.sign('door2', subject => :'ann', id => :'id'), venue => :'cafe');
SELECT anshim.check_in('visit', anshim.sign('other', id => :'id'), venue => :'cafe');

-- A refused pass raises its verdict, and nothing is written.
SELECT count(*) AS before FROM visit \gset
SELECT anshim.generate_key('lost', 'jeju') IS NOT NULL AS made;
SELECT anshim.sign('lost', :'cafe') AS lost \gset
SELECT anshim.revoke_key('lost', '2026-01-01 00:00');
SELECT anshim.generate_key('young', 'jeju', valid => '[2026-01-01,)') IS NOT NULL AS made;
SELECT anshim.check_in('visit', :'lost', :'ann', at => '2026-01-05');
SELECT anshim.check_in('visit', anshim.sign('young', :'cafe'), :'ann', at => '2025-12-31');
SELECT anshim.check_in('visit', :'phone', venue => :'cafe', at => '2026-01-03');
SELECT anshim.check_in('visit', :'phone', venue => :'cafe', at => '2026-01-01 23:59:59');
DELETE FROM anshim.key WHERE kid = 'lost';
SELECT anshim.check_in('visit', :'lost', :'ann', at => '2026-01-05');
SELECT anshim.check_in('visit', set_byte(:'poster'::anshim.token::bytea, length(:'poster'::anshim.token::bytea) - 1, 255)::anshim.token, :'ann', at => '2026-01-05');
\set VERBOSITY sqlstate
SELECT anshim.check_in('visit', :'lost', :'ann', at => '2026-01-05');
SELECT anshim.check_in('visit', :'phone', venue => :'cafe', at => '2026-01-02 08:01');
\set VERBOSITY default
SELECT count(*) - :before AS written, (SELECT count(*) FROM anshim.pass_use WHERE venue NOT IN (:'cafe', :'bus')) AS used FROM visit;

-- A pass that was refused for something else was not taken.
SELECT anshim.sign('door', subject => :'ann') AS phone2 \gset
SELECT anshim.check_in('visit', :'phone2', :'ben', :'cafe', '2026-01-06');
SELECT anshim.check_in('visit', :'phone2', venue => :'cafe', at => 'infinity');
SELECT anshim.check_in('visit', :'phone2', venue => :'cafe', at => '2026-01-06') IS NOT NULL AS in;

-- What is missing, or does not fit
SELECT anshim.check_in('visit', :'poster');
SELECT anshim.check_in('visit', :'phone2');
SELECT anshim.check_in('visit', :'poster', :'ann', :'bus');
SELECT anshim.check_in('visit', anshim.sign('door', subject => :'ann', id => NULL), venue => :'cafe');
SELECT anshim.check_in('visit', anshim.sign('door'), :'ann', :'cafe');
SELECT anshim.check_in('visit', NULL, :'ann', :'cafe');
SELECT anshim.check_in(NULL, :'poster', :'ann');
SELECT anshim.check_in('visit', :'poster', :'ann', at => NULL);
CREATE TABLE no_log (id uuid);
SELECT anshim.check_in('no_log', :'poster', :'ann');
SELECT anshim.check_in('log', :'poster', :'ann');

-- A pass of issue_pass() that has expired is nobody's any more.
UPDATE anshim.pass SET expires_at = now() - interval '1 s';
SELECT anshim.check_in('visit', :'private', venue => :'cafe');

-- Check-outs
SELECT anshim.check_out('visit', :'visit', '2026-01-01 12:00');
SELECT anshim.check_out('visit', gen_random_uuid());
SELECT anshim.check_out('visit', NULL);
SELECT anshim.check_out('visit', :'visit', NULL);
SELECT anshim.check_out('visit', :'visit', 'infinity');
-- longer than a visit can be
\set VERBOSITY terse
SELECT anshim.check_out('visit', :'visit', '2026-01-03 12:00');
\set VERBOSITY default
-- a second one: both are kept
SELECT anshim.check_out('visit', :'visit', '2026-01-01 12:45') IS NOT NULL AS out;
SELECT * FROM log WHERE subject = 'ann' AND entered_at = '2026-01-01 12:00';

-- Paper: a line with its companions, typed in later
SELECT cardinality(anshim.log_paper('visit', ARRAY[:'ann', :'ben']::uuid[], :'bus', '2026-01-07 10:00', '2026-01-07 10:20')) AS rows;
SELECT array_length(anshim.log_paper('visit', ARRAY[:'ben'::uuid], :'bus', '2026-01-07 11:00'), 1) AS rows;
SELECT * FROM log WHERE source = 'paper';
SELECT (anshim.log_paper('visit', ARRAY[:'ben'::uuid], :'bus', '2026-01-08 11:00'))[1] AS line \gset
SELECT anshim.check_out('visit', :'line', '2026-01-08 11:10') IS NOT NULL AS out;
SELECT * FROM log WHERE entered_at = '2026-01-08 11:00';
SELECT anshim.log_paper('visit', '{}', :'bus', '2026-01-07 10:00');
SELECT anshim.log_paper('visit', ARRAY[NULL]::uuid[], :'bus', '2026-01-07 10:00');
SELECT anshim.log_paper('visit', ARRAY[:'ann', :'ben', :'ann']::uuid[], :'bus', '2026-01-07 10:00');
SELECT anshim.log_paper('visit', array_fill(:'ann'::uuid, ARRAY[1001]), :'bus', '2026-01-07 10:00');
SELECT anshim.log_paper('visit', ARRAY[:'ann'::uuid], :'bus', '2026-01-07 10:00', '2026-01-07 10:00');
SELECT anshim.log_paper('visit', ARRAY[:'ann'::uuid], :'bus', '9999-01-01');
SELECT anshim.log_paper('visit', ARRAY[:'ann'::uuid], NULL, '2026-01-07');
SELECT anshim.log_paper('visit', NULL, :'bus', '2026-01-07');

-- A log of one's own, with other names and its own key; a trigger that drops
-- rows is noticed.
CREATE TABLE "My Log" (id uuid, who uuid NOT NULL, "the place" uuid NOT NULL, came timestamptz NOT NULL, went timestamptz, source text);
SELECT anshim.track_visits('"My Log"', 'who', 'the place', 'came', 'went');
SELECT anshim.check_in('"My Log"', :'poster', :'ann', at => '2026-01-01') AS mine \gset
SELECT anshim.check_out('"My Log"', :'mine', '2026-01-01 01:00') IS NOT NULL AS out;
SELECT who = :'ann' AS ann, "the place" = :'cafe' AS cafe, came, went, source FROM "My Log" ORDER BY went;
CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER drop_row BEFORE INSERT ON "My Log" FOR EACH ROW EXECUTE FUNCTION drop_row();
SELECT anshim.sign('door', subject => :'ann') AS phone3 \gset
SELECT anshim.check_in('"My Log"', :'phone3', venue => :'cafe', at => '2026-01-01');
DROP TRIGGER drop_row ON "My Log";
SELECT anshim.check_in('"My Log"', :'phone3', venue => :'cafe', at => '2026-01-01') IS NOT NULL AS not_taken_before;
-- so is a rule, whatever it does instead, on the log and on our own tables
CREATE RULE instead AS ON INSERT TO "My Log" DO INSTEAD NOTHING;
SELECT anshim.check_in('"My Log"', :'poster', :'ann', at => '2026-01-01');
CREATE OR REPLACE RULE instead AS ON INSERT TO "My Log" DO INSTEAD SELECT 1;
SELECT anshim.check_in('"My Log"', :'poster', :'ann', at => '2026-01-01');
DROP RULE instead ON "My Log";
CREATE RULE instead AS ON INSERT TO anshim.pass DO INSTEAD NOTHING;
SELECT anshim.issue_pass('door', :'ben', tstzrange(now(), now() + interval '5 minutes'));
DROP RULE instead ON anshim.pass;
ALTER TABLE "My Log" DROP COLUMN source;
SELECT anshim.check_in('"My Log"', :'poster', :'ann', at => '2026-01-01');

-- Through a view of a log, whose INSERT is the log's
CREATE VIEW door_view AS SELECT * FROM visit WHERE venue = '11111111-1111-1111-1111-111111111111' WITH CHECK OPTION;
SELECT anshim.track_visits('door_view');
SELECT count(*) AS before FROM visit \gset
SELECT anshim.check_in('door_view', :'poster', :'ann', at => '2026-01-08 18:00') AS visit \gset
SELECT anshim.check_out('door_view', :'visit', '2026-01-08 18:30') IS NOT NULL AS out;
\set VERBOSITY terse
SELECT anshim.log_paper('door_view', ARRAY[:'ann'::uuid], :'bus', '2026-01-08 19:00');
\set VERBOSITY default
SELECT count(*) - :before AS written FROM visit;
SELECT anshim.untrack_visits('door_view');

-- Partitioned by day
SELECT anshim.create_visit_log('daily', days => '[2026-01-01, 2026-01-03)', time_zone => 'UTC');
SELECT anshim.check_in('daily', :'poster', :'ann', at => '2026-01-01 23:00') AS visit \gset
SELECT anshim.check_out('daily', :'visit', '2026-01-02 01:00') IS NOT NULL AS out;
SELECT entered_at, left_at, source FROM daily ORDER BY left_at;

-- Rights: EXECUTE on check_in(), and INSERT on the log; SELECT to check out.
-- Row security and the tables of passes stay what they are.
CREATE ROLE regress_checkin_reader;
SET ROLE regress_checkin_reader;
SELECT anshim.check_in('visit', :'poster', :'ann');
SELECT anshim.pass_subject('door', :'id');
SELECT anshim.take_pass(:'cafe', 'jeju', :'id', 'infinity');
SELECT anshim.log_paper('visit', ARRAY[:'ann'::uuid], :'bus', '2026-01-09');
RESET ROLE;
GRANT EXECUTE ON FUNCTION anshim.check_in TO regress_checkin_reader;
SET ROLE regress_checkin_reader;
SELECT anshim.check_in('visit', :'poster', :'ann');
RESET ROLE;
GRANT INSERT ON visit TO regress_checkin_reader;
SELECT anshim.issue_pass('door', :'ben', tstzrange(now(), now() + interval '5 minutes')) AS private2 \gset
-- a search_path of hers changes nothing for the functions that are not hers
CREATE SCHEMA trap;
CREATE FUNCTION trap.eq(bytea, bytea) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped as %', current_user; END$$;
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = bytea, RIGHTARG = bytea);
GRANT USAGE ON SCHEMA trap TO regress_checkin_reader;
SET ROLE regress_checkin_reader;
SET search_path = trap, pg_catalog, public;
SELECT anshim.check_in('visit', :'poster', :'ann', at => '2026-01-09 10:00') AS visit \gset
SELECT anshim.check_in('visit', :'private2', venue => :'cafe') IS NOT NULL AS in;
SELECT array_length(anshim.log_paper('visit', ARRAY[:'ann'::uuid], :'bus', '2026-01-09'), 1) AS rows;
SELECT anshim.check_out('visit', :'visit', '2026-01-09 11:00');
SELECT count(*) FROM visit;
RESET search_path;
RESET ROLE;
DROP SCHEMA trap CASCADE;
GRANT SELECT ON visit TO regress_checkin_reader;
SET ROLE regress_checkin_reader;
SELECT anshim.check_out('visit', :'visit', '2026-01-09 11:00') IS NOT NULL AS out;
RESET ROLE;
ALTER TABLE visit ENABLE ROW LEVEL SECURITY;
CREATE POLICY cafe_only ON visit TO regress_checkin_reader WITH CHECK (venue = :'cafe');
SET ROLE regress_checkin_reader;
SELECT anshim.check_in('visit', :'poster', :'ann') IS NOT NULL AS in;
SELECT anshim.log_paper('visit', ARRAY[:'ann'::uuid], :'bus', '2026-01-09');
RESET ROLE;
DROP OWNED BY regress_checkin_reader;
DROP ROLE regress_checkin_reader;

BEGIN READ ONLY;
SELECT anshim.check_in('visit', :'poster', :'ann');
ROLLBACK;
