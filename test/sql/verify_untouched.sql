--
-- What a DBA may do to a chained table, and what settings do to how values look,
-- never gives a finding, with an old checkpoint either
--
\set VERBOSITY terse
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SET allow_in_place_tablespaces = on;
SELECT anshim.generate_key('untouched', 'untouched.example') IS NOT NULL AS key;

CREATE TABLE visit (id bigint PRIMARY KEY, who text COLLATE "C", at timestamptz, stay interval, bytes bytea, weight float8, amount numeric, note jsonb, long text, day date);
SELECT anshim.chain('visit', 'untouched.example/visits');
INSERT INTO visit
SELECT g, 'who ' || g, '2021-03-01'::timestamptz + g * interval '1 min', g * interval '1 h 7 s', decode(md5(g::text), 'hex'), g / 7.0::float8,
	g / 10.0, jsonb_build_object('b', g, 'a', NULL), repeat(md5(g::text), 200), '2021-03-01'::date + g
FROM generate_series(1, 600) g;
INSERT INTO visit (id, weight) VALUES (1001, '-0'), (1002, 'NaN'), (1003, 'infinity');
SELECT anshim.seal('visit') AS size;
CREATE TABLE kept AS SELECT anshim.checkpoint('visit', 'untouched') AS note, anshim.vkey('visit', 'untouched') AS vkey;
PREPARE verify AS SELECT found.* FROM kept, anshim.verify_chain('visit', note, vkey => vkey) found;
EXECUTE verify;

VACUUM FULL visit;
EXECUTE verify;
CREATE INDEX visit_who ON visit (who);
CLUSTER visit USING visit_who;
EXECUTE verify;
REINDEX TABLE visit;
EXECUTE verify;
REINDEX TABLE CONCURRENTLY visit;
EXECUTE verify;
ALTER TABLE visit ALTER COLUMN who TYPE text COLLATE "POSIX";
EXECUTE verify;
CLUSTER visit;
INSERT INTO visit (id, who) VALUES (1501, 'in the other order');
EXECUTE verify;
ALTER TABLE visit ADD COLUMN later text DEFAULT 'a constant', ADD COLUMN random uuid DEFAULT gen_random_uuid();
EXECUTE verify;
INSERT INTO visit (id, later) VALUES (2001, 'of the new layout');
ALTER TABLE visit ALTER COLUMN later SET DEFAULT 'another';
EXECUTE verify;
ALTER TABLE visit ALTER COLUMN long SET STORAGE EXTERNAL, ALTER COLUMN note SET STATISTICS 10, SET (fillfactor = 50);
VACUUM FULL visit;
EXECUTE verify;
CREATE TABLESPACE regress_untouched LOCATION '';
ALTER TABLE visit SET TABLESPACE regress_untouched;
EXECUTE verify;
ALTER TABLE visit RENAME COLUMN who TO whom;
ALTER TABLE visit RENAME TO visits;
ALTER TABLE visits RENAME TO visit;
EXECUTE verify;
VACUUM (FREEZE, ANALYZE) visit;
EXECUTE verify;

SET DateStyle = 'German';
SET TimeZone = 'Pacific/Kiritimati';
SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape';
SET extra_float_digits = -10;
SET lc_numeric = 'C';
SET client_encoding = 'LATIN1';
EXECUTE verify;
INSERT INTO visit (id, whom, at, stay, bytes, weight) SELECT 3000 + id, whom, at, stay, bytes, weight FROM visit WHERE id < 300;
SELECT anshim.seal('visit') AS size;
EXECUTE verify;
RESET ALL;
SET anshim.key_directory = :'keydir';
EXECUTE verify;

-- and it goes on
INSERT INTO visit (id) VALUES (9001);
SELECT anshim.seal('visit') AS size;
SELECT split_part(anshim.checkpoint('visit', 'untouched'), E'\n', 2) AS size;
EXECUTE verify;
DROP TABLE visit;
DROP TABLESPACE regress_untouched;
