--
-- anshim.status, what fills it, and how long rows are kept
--
\set SHOW_CONTEXT never
SET timezone = 'UTC';
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SELECT anshim.generate_key('log', 'jeju') IS NOT NULL AS made;
CREATE ROLE regress_status_owner;
CREATE ROLE regress_status_other;
GRANT CREATE ON SCHEMA public TO regress_status_owner;
GRANT EXECUTE ON FUNCTION anshim.seal TO regress_status_owner;
SELECT * FROM anshim.status;

SET ROLE regress_status_owner;
CREATE TABLE note (body text);
CREATE TABLE tracked (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('tracked');
SELECT anshim.chain('note');
RESET ROLE;
SELECT anshim.create_visit_log('paired', '[2021-03-01, 2021-03-03)');

-- Nothing in them yet
SELECT target, tracked, chained, rows, unsealed, last_seal, log_size, last_checkpoint, last_verification, oldest, keep_for, overdue
FROM anshim.status ORDER BY target::text COLLATE "C";
SELECT target, source FROM anshim.status ORDER BY target::text COLLATE "C";

-- Rows, over two strands and two partitions
INSERT INTO note SELECT 'note ' || i FROM generate_series(1, 300) i;
INSERT INTO paired (subject, venue, entered_at) SELECT gen_random_uuid(), gen_random_uuid(), '2021-03-01 20:00Z'::timestamptz + i * interval '1 h' FROM generate_series(1, 10) i;
INSERT INTO tracked SELECT i, 1, '2021-03-01' FROM generate_series(1, 50) i;
ANALYZE tracked;
SELECT anshim.seal('note') AS size \gset
INSERT INTO note VALUES ('later');
SELECT target, rows, unsealed, last_seal BETWEEN now() - interval '10 min' AND clock_timestamp() AS sealed_now,
	log_size = CASE target WHEN 'note'::regclass THEN :size END AS size, oldest = last_seal AS oldest_is_that
FROM anshim.status ORDER BY target::text COLLATE "C";
SELECT leaf, strand > 0 AS rows, first_seq, last_seq FROM anshim.strand_ends('note') ORDER BY strand;
SELECT leaf, first_seq, last_seq FROM anshim.strand_ends('paired') WHERE strand > 0 ORDER BY leaf::text COLLATE "C";
SELECT * FROM anshim.strand_ends('tracked');

-- A checkpoint
SELECT anshim.checkpoint('note', 'log') <> '' AS signed;
SELECT last_checkpoint > now() - interval '10 min' AS signed, checkpoint_size = log_size AS all_of_it
FROM anshim.status WHERE target = 'note'::regclass;
SET ROLE regress_status_other;
SELECT anshim.check_chain('note');
-- everybody may see how things are
SELECT count(*) FROM anshim.status;

-- How long rows are kept: the owner says so.
SELECT anshim.keep_for('note', '28 days');
SET ROLE regress_status_owner;
CREATE TABLE fresh (body text);
SELECT anshim.chain('fresh');
INSERT INTO fresh VALUES ('a'), ('b');
-- What docs/operations.md alarms at holds as well of what was never done.
SELECT unsealed > 0 AND (last_seal > now() - interval '10 min') IS NOT TRUE AS not_sealed,
	chained AND ((last_checkpoint > now() - interval '2 h') IS NOT TRUE OR checkpoint_size < log_size - 100000) AS not_signed,
	chained AND (last_verification > now() - interval '2 days') IS NOT TRUE AS not_verified
FROM anshim.status WHERE target = 'fresh'::regclass;
SELECT anshim.seal('fresh') > 2 AS sealed;
SELECT anshim.keep_for('fresh', '28 days');
SELECT anshim.keep_for('fresh', '-1 day');
SELECT anshim.keep_for('fresh', '1 month -30 days');
SELECT anshim.keep_for('tracked', '28 days');
SELECT anshim.keep_for(NULL, '28 days');
SELECT keep_for, overdue FROM anshim.status WHERE target = 'fresh'::regclass;
SELECT asked_by, keep_for FROM anshim.retention;
SELECT anshim.keep_for('fresh', '1 us');
SELECT overdue FROM anshim.status WHERE target = 'fresh'::regclass;
SELECT anshim.keep_for('fresh', NULL);
SELECT * FROM anshim.retention;
RESET ROLE;

-- A table that is gone is left out.
DROP TABLE note, tracked;
SELECT target FROM anshim.status ORDER BY target::text COLLATE "C";
DROP TABLE paired, fresh;
REVOKE ALL ON FUNCTION anshim.seal FROM regress_status_owner;
DROP OWNED BY regress_status_owner;
DROP ROLE regress_status_owner, regress_status_other;
