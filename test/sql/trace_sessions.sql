--
-- Traces within one session and beside others' ends: prepared transactions,
-- temporary tables, changes of role and search_path under plans that are kept,
-- and views that ask with their own or their caller's rights.
--
SET timezone = 'UTC';
\set SHOW_CONTEXT never
CREATE ROLE regress_trace_sessions_reader;
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES (1, 1, '2021-01-01 10:00', NULL), (2, 1, '2021-01-01 10:30', NULL);
\set met 'SELECT array_agg(subject ORDER BY subject) AS met FROM anshim.exposures(''visit'', ARRAY[1], ''[2021-01-01, 2021-01-02)'')'

-- Prepared transactions: in doubt they count for nothing, then as they ended.
BEGIN;
INSERT INTO visit VALUES (3, 1, '2021-01-01 10:30', NULL);
PREPARE TRANSACTION 'trace_sessions_a';
BEGIN;
DELETE FROM visit WHERE subject = 2;
PREPARE TRANSACTION 'trace_sessions_b';
BEGIN;
INSERT INTO visit VALUES (4, 1, '2021-01-01 10:30', NULL);
PREPARE TRANSACTION 'trace_sessions_c';
:met;
COMMIT PREPARED 'trace_sessions_a';
:met;
ROLLBACK PREPARED 'trace_sessions_b';
COMMIT PREPARED 'trace_sessions_c';
:met;
-- A transaction that has traced can be prepared.
BEGIN;
:met;
PREPARE TRANSACTION 'trace_sessions_d';
COMMIT PREPARED 'trace_sessions_d';

-- A plan that is kept follows the role, both ways.
GRANT USAGE ON SCHEMA anshim TO regress_trace_sessions_reader;
SET plan_cache_mode = force_generic_plan;
PREPARE met(int[]) AS SELECT count(*) FROM anshim.exposures('visit', $1, '[2021-01-01, 2021-01-02)');
EXECUTE met('{1}');
SET ROLE regress_trace_sessions_reader;
EXECUTE met('{1}');
RESET ROLE;
EXECUTE met('{1}');
GRANT SELECT ON visit TO regress_trace_sessions_reader;
SET ROLE regress_trace_sessions_reader;
EXECUTE met('{1}');
RESET ROLE;
REVOKE SELECT ON visit FROM regress_trace_sessions_reader;

-- In PL/pgSQL a name is looked up at each call, temporary tables first.
CREATE FUNCTION met(log text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM anshim.exposures(log::regclass, ARRAY[1], '[2021-01-01, 2021-01-02)'));
END $$;
CREATE SCHEMA other;
CREATE TABLE other.visit (LIKE visit);
SELECT anshim.track_visits('other.visit');
INSERT INTO other.visit VALUES (1, 1, '2021-01-01 10:00', NULL);
SELECT met('visit');
SET search_path = other, public;
SELECT met('visit');
RESET search_path;
SELECT met('visit');
CREATE TEMP TABLE visit (LIKE public.visit);
SELECT met('visit');
SELECT met('public.visit');
DROP TABLE pg_temp.visit;
SELECT met('visit');

-- A view asks with its owner's rights, or with security_invoker with the
-- caller's; what a security_barrier hides is not met.
CREATE VIEW owners WITH (security_barrier) AS SELECT * FROM visit WHERE subject <> 3;
CREATE VIEW callers WITH (security_invoker) AS SELECT * FROM visit;
SELECT anshim.track_visits('owners'), anshim.track_visits('callers');
GRANT SELECT ON owners, callers TO regress_trace_sessions_reader;
SELECT met('owners'), met('callers');
SET ROLE regress_trace_sessions_reader;
SELECT met('owners');
SELECT met('callers');
RESET ROLE;
GRANT SELECT ON visit TO regress_trace_sessions_reader;
SET ROLE regress_trace_sessions_reader;
SELECT met('callers');
RESET ROLE;
-- There policies are honoured: PostgreSQL applies them.
ALTER TABLE visit ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_4 ON visit FOR SELECT USING (subject <> 4);
SET ROLE regress_trace_sessions_reader;
SELECT met('visit');
SELECT array_agg(subject ORDER BY subject) FROM anshim.exposures('callers', ARRAY[1], '[2021-01-01, 2021-01-02)');
RESET ROLE;

SET client_min_messages = warning;
DROP TABLE visit CASCADE;
DROP OWNED BY regress_trace_sessions_reader;
DROP ROLE regress_trace_sessions_reader;
