--
-- What a trace demands of a log at the moment it reads it
-- (run alone: the transactions of all databases decide how young an index is)
--
SET timezone = 'UTC';
\set trace 'SELECT subject, started_at, ended_at FROM anshim.contacts(''visit'', 1, ''[2021-01-01, 2021-01-02)'') ORDER BY subject;'

CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
:trace
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES (1, 1, '2021-01-01 10:00', '2021-01-01 12:00'), (2, 1, '2021-01-01 11:00', NULL);
:trace

-- No log at all
SELECT * FROM anshim.contacts(0, 1, '[2021-01-01, 2021-01-02)');
CREATE VIEW visit_view AS SELECT * FROM visit;
SELECT * FROM anshim.contacts('visit_view', 1, '[2021-01-01, 2021-01-02)');
DROP VIEW visit_view;
SELECT * FROM anshim.contacts('pg_class', 1, '[2021-01-01, 2021-01-02)');

-- The CHECK: gone, not validated, wider, about something else, tighter
ALTER TABLE visit DROP CONSTRAINT anshim_stay;
:trace
ALTER TABLE visit ADD CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND (left_at IS NULL OR
	(isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= interval '24 hours'))) NOT VALID;
:trace
ALTER TABLE visit VALIDATE CONSTRAINT anshim_stay;
:trace
ALTER TABLE visit DROP CONSTRAINT anshim_stay, ADD CONSTRAINT anshim_stay
	CHECK (isfinite(entered_at) AND (left_at IS NULL OR
	(isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= interval '1 day 1 us')));
:trace
ALTER TABLE visit DROP CONSTRAINT anshim_stay, ADD CONSTRAINT anshim_stay
	CHECK (left_at > entered_at AND left_at - entered_at <= interval '24 hours');
:trace
ALTER TABLE visit DROP CONSTRAINT anshim_stay, ADD CONSTRAINT anshim_stay
	CHECK (isfinite(entered_at) AND isfinite(left_at) AND entered_at < left_at AND left_at - entered_at < interval '24 hours');
:trace
SELECT anshim.track_visits('visit');
:trace

-- The indexes: gone, not valid, partial
DROP INDEX visit_by_subject;
:trace
SELECT anshim.track_visits('visit');
:trace
BEGIN;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'visit_by_venue'::regclass;
:trace
ROLLBACK;
BEGIN;
UPDATE pg_index SET indislive = false WHERE indexrelid = 'visit_by_venue'::regclass;
:trace
ROLLBACK;
BEGIN;
UPDATE pg_index SET indisready = false WHERE indexrelid = 'visit_by_venue'::regclass;
:trace
ROLLBACK;
:trace
DROP INDEX visit_by_venue;
CREATE INDEX ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE subject > 0;
:trace
SELECT anshim.track_visits('visit');
:trace

-- The index of long stays is a matter of speed alone.
INSERT INTO visit VALUES (3, 1, '2021-01-01 00:00', '2021-01-01 23:00'), (4, 1, '2021-01-01 08:00', '2021-01-01 11:00');
:trace
BEGIN;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'visit_long_stays'::regclass;
:trace
ROLLBACK;
DROP INDEX visit_long_stays;
:trace
CREATE INDEX visit_long_stays ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE left_at - entered_at > '10 min';
:trace
-- One for shorter stays than default_stay would miss visits that are not checked out.
INSERT INTO visit VALUES (5, 2, '2021-01-02 11:00', NULL), (6, 2, '2021-01-02 11:40', '2021-01-02 11:50');
SELECT subject FROM anshim.contacts('visit', 6, '[2021-01-02, 2021-01-03)');
CREATE INDEX visit_longer_stays ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE left_at - entered_at > '5 h';
:trace
CREATE INDEX visit_longest_stays ON visit (venue, entered_at, subject) INCLUDE (left_at) WHERE left_at - entered_at > '25 h';
:trace

-- The columns: renamed, dropped, of another type, nullable
ALTER TABLE visit RENAME venue TO place;
:trace
ALTER TABLE visit RENAME place TO venue;
BEGIN;
ALTER TABLE visit DROP COLUMN venue;
:trace
ROLLBACK;
BEGIN;
ALTER TABLE visit ALTER entered_at DROP NOT NULL;
:trace
ROLLBACK;
BEGIN;
ALTER TABLE visit DROP COLUMN left_at, ADD left_at timestamp;
:trace
ROLLBACK;
BEGIN;
ALTER TABLE visit ALTER subject TYPE bigint;
:trace
ROLLBACK;

-- An index, or a CHECK, younger than what the transaction can see
CREATE TABLE chain (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO chain VALUES (1, 1, '2021-01-01 10:00', '2021-01-01 12:00'), (2, 2, '2021-01-01 10:00', '2021-01-01 12:00');
BEGIN;
UPDATE chain SET venue = 1 WHERE subject = 2;
SELECT anshim.track_visits('chain');
SELECT indexrelid::regclass, indcheckxmin FROM pg_index WHERE indrelid = 'chain'::regclass ORDER BY 1;
SELECT * FROM anshim.contacts('chain', 1, '[2021-01-01, 2021-01-02)');
ROLLBACK;
BEGIN;
UPDATE chain SET venue = 1 WHERE subject = 2;
SELECT anshim.track_visits('chain');
COMMIT;
SELECT subject FROM anshim.contacts('chain', 1, '[2021-01-01, 2021-01-02)');

-- A row that nobody should have written
UPDATE anshim.visit_log SET max_stay = '1 month' WHERE table_name = 'visit';
:trace
SELECT anshim.track_visits('visit');
:trace
UPDATE anshim.visit_log SET default_stay = '25 hours' WHERE table_name = 'visit';
:trace
DROP TABLE visit;
SELECT table_name FROM anshim.visit_log;
