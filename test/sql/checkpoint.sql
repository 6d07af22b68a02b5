--
-- Checkpoints: what they say, which block they are of, and how they are verified
--
\set SHOW_CONTEXT never
\set VERBOSITY terse
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SELECT anshim.generate_key('log', 'jeju') IS NOT NULL AS made;
SELECT anshim.generate_key('other', 'jeju') IS NOT NULL AS made;
SELECT anshim.generate_key('shared', 'jeju', 'HMAC 256/256') IS NULL AS made;

CREATE TABLE visit (id int PRIMARY KEY, who text);
SELECT anshim.checkpoint('visit', 'log');
SELECT anshim.chain('visit', 'jeju.example/visits');
SELECT anshim.checkpoint('visit', 'log');
INSERT INTO visit SELECT g, 'a' FROM generate_series(1, 10) g;

-- A block of the same transaction could be rolled back.
BEGIN;
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'log');
ROLLBACK;
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'log') AS first \gset
BEGIN;
INSERT INTO visit VALUES (11, 'b');
SELECT anshim.seal('visit');
SAVEPOINT s;
SELECT anshim.checkpoint('visit', 'log') = :'first' AS older_block;
COMMIT;
SELECT anshim.checkpoint('visit', 'log') AS second \gset

-- Its lines, by docs/formats.md
SELECT line COLLATE "C" = CASE n WHEN 1 THEN 'jeju.example/visits' WHEN 2 THEN size::text WHEN 3 THEN encode(root, 'base64') WHEN 4 THEN '' WHEN 6 THEN '' END AS same,
	n
FROM anshim.block, regexp_split_to_table(:'second', E'\n') WITH ORDINALITY AS line (line, n)
WHERE size = 13 AND n <> 5 ORDER BY n;
CREATE FUNCTION key_id(name text, type bytea, public_key bytea) RETURNS bytea
RETURN substr(sha256(convert_to(name, 'UTF8') || '\x0a' || type || public_key), 1, 4);
SELECT split_part(split_part(:'second', E'\n', 5), ' ', 1) = '—' AS dash, split_part(split_part(:'second', E'\n', 5), ' ', 2) AS name,
	length(blob) AS bytes, substr(blob, 1, 4) = key_id('jeju.example/visits', '\x01', public_key) AS id
FROM anshim.key, decode(split_part(split_part(:'second', E'\n', 5), ' ', 3), 'base64') AS blob WHERE kid = 'log';

-- The record of it, and the file with the head
SELECT size, root = b.root AS root, kid, note = CASE size WHEN 12 THEN :'first' ELSE :'second' END AS note
FROM anshim.checkpoint c JOIN anshim.block b USING (chain, size, root) ORDER BY size;
SELECT chain, pg_read_file(current_setting('anshim.head_directory') || '/' || chain) = :'second' AS head FROM anshim.chain \gset
SELECT :'head' AS head;

-- Again: the same signature, one row. By another key: another row.
SELECT anshim.checkpoint('visit', 'log') = :'second' AS again, anshim.checkpoint('visit', 'other') <> :'second' AS by_another;
SELECT size, kid FROM anshim.checkpoint ORDER BY size, kid;

-- Rolled back, it stands all the same.
INSERT INTO visit VALUES (12, 'c');
SELECT anshim.seal('visit');
BEGIN;
SELECT anshim.checkpoint('visit', 'log') AS third \gset
ROLLBACK;
SELECT count(*) FROM anshim.checkpoint;
SELECT pg_read_file(current_setting('anshim.head_directory') || '/' || :'chain') = :'third' AS head;
SELECT anshim.checkpoint('visit', 'log') = :'third' AS again;

--
-- Verifying
--
SELECT anshim.vkey('visit', 'log') AS vkey, anshim.vkey('visit', 'other') AS other \gset
SELECT :'vkey' = format('jeju.example/visits+%s+%s', encode(key_id('jeju.example/visits', '\x01', public_key), 'hex'), encode('\x01' || public_key, 'base64')) AS vkey
FROM anshim.key WHERE kid = 'log';
SELECT anshim.verify_checkpoint(:'third', :'vkey') AS good, anshim.verify_checkpoint(:'third', :'other') AS of_another_key,
	anshim.verify_checkpoint(replace(:'third', E'\n14\n', E'\n15\n'), :'vkey') AS of_another_size,
	anshim.verify_checkpoint(:'third' || E'\n', :'vkey') AS malformed, anshim.verify_checkpoint('', :'vkey') AS empty,
	anshim.verify_checkpoint(NULL, :'vkey') IS NULL AS null_for_null;
-- each character counts
SELECT count(*) > 150 AS many, bool_or(anshim.verify_checkpoint(overlay(:'third' placing '#' from i), :'vkey')) AS taken
FROM generate_series(1, length(:'third')) i;

-- The example that was made elsewhere, with PeterNeumann's key
SELECT E'example.com/log\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94=\n\n'
	|| '— example.com/log uqBrD+NRWSY8gO6z0IcOW0kvkCGAaqIYPSQyIKo7rtq9eeSIIs7yin49EbL/hlaJKICDiyRCEn8uERqU/EDLVbyIhwo='
	|| E'\n— witness.example/w1 zJpwRAAAAABkGFDLG9MNDaPSKd6aC+ONcJVuLV1UchbhUp4CEntQZ+RpDbA656ij5LwOEEc/aLmBhX6ijkBktlbZb4bX0gj8vhVjDA==\n' AS note \gset
SELECT substr(decode('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64'), 2) AS peter \gset
CREATE FUNCTION vkey(name text, type bytea, public_key bytea) RETURNS text
RETURN format('%s+%s+%s', name, encode(key_id(name, type, public_key), 'hex'), encode(type || public_key, 'base64'));
SELECT vkey('example.com/log', '\x01', :'peter') AS log, vkey('example.com/other', '\x01', :'peter') AS other,
	vkey('witness.example/w1', '\x04', :'peter') AS witness \gset
SELECT anshim.verify_checkpoint(:'note', :'log') AS good, anshim.verify_checkpoint(:'note', :'other') AS of_another_name,
	anshim.verify_checkpoint(:'note', :'log', ARRAY[:'witness']) AS witness_not_demanded,
	anshim.verify_checkpoint(overlay(:'note' placing 'ABCD' from position('FDLG' in :'note')), :'log', ARRAY[:'witness']) AS bad_cosignature,
	anshim.verify_checkpoint(overlay(:'note' placing 'ABCD' from position('FDLG' in :'note')), :'log') AS of_nobody_known;
-- The example of the reference manual
SELECT anshim.verify_checkpoint(E'jeju.example/visits\n24107\nUlKFw/xLE9wIHFTdemIRwjhgR/J8mBhwP+MmaqAwCZA=\n\n'
	|| E'— jeju.example/visits 49RMwA53hZjvUMwfl+qLpgruc9/fno68V0nCGnidAQGGH8rTSsj11SOFmcJpra+uThlzsmBHiqo5qQcPZhv1Q+XwNA4=\n',
	'jeju.example/visits+e3d44cc0+AXMoeELHRQ9/8B/eDAuWImbP4kH/2Wo0a2nu1N+/cWaw');
-- a witness with the log's own key is none
SELECT anshim.verify_checkpoint(:'note', :'log', ARRAY[:'witness'], 1);
-- what is no verifier key for this
\set VERBOSITY default
SELECT anshim.verify_checkpoint(:'note', 'example.com/log');
SELECT anshim.verify_checkpoint(:'note', replace(:'log', '/log', '/lag'));
SELECT anshim.verify_checkpoint(:'note', :'witness');
SELECT anshim.verify_checkpoint(:'note', :'log', ARRAY[:'other']);
SELECT anshim.verify_checkpoint(:'note', :'log', ARRAY[NULL::text]);
SELECT anshim.verify_checkpoint(:'note', :'log', '{}', -1);
SELECT anshim.verify_checkpoint(:'note', 'a+5893dc2c+' || encode('\x06' || sha256('') || sha256(''), 'base64'));
SELECT anshim.verify_checkpoint(:'note', vkey('a', '\x01', '\x0100000000000000000000000000000000000000000000000000000000000000'));

--
-- Who may, and what cannot be signed
--
SELECT anshim.checkpoint('visit', 'nobody');
SELECT anshim.checkpoint('visit', 'shared');
SELECT anshim.vkey('visit', 'shared');
SELECT anshim.vkey('visit', 'nobody');
SELECT anshim.revoke_key('other');
\set VERBOSITY terse
SELECT anshim.checkpoint('visit', 'other');
\set VERBOSITY default
CREATE TABLE plain (id int);
SELECT anshim.vkey('plain', 'log');
SELECT anshim.checkpoint('plain', 'log');
BEGIN READ ONLY;
SELECT anshim.checkpoint('visit', 'log');
ROLLBACK;
CREATE ROLE regress_checkpoint_nobody;
CREATE ROLE regress_checkpoint_signer;
GRANT EXECUTE ON FUNCTION anshim.checkpoint TO regress_checkpoint_signer;
SET ROLE regress_checkpoint_nobody;
SELECT anshim.checkpoint('visit', 'log');
SELECT anshim.adopt_head('visit', '');
SELECT anshim.vkey('visit', 'log') = :'vkey' AS vkey, anshim.verify_checkpoint(:'third', :'vkey') AS good;
\set VERBOSITY sqlstate
SHOW anshim.head_directory;
\set VERBOSITY default
SET ROLE regress_checkpoint_signer;
SELECT anshim.checkpoint('visit', 'log') = :'third' AS signed_by_role;
RESET ROLE;
SET anshim.head_directory = '/tmp';

--
-- What does not continue the head is not signed.
--
\echo rows, blocks and tiles of an older copy
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
DELETE FROM anshim.block WHERE size > 13;
SELECT anshim.checkpoint('visit', 'log');
ROLLBACK;
\echo a block edited
UPDATE anshim.block SET root = sha256(root) WHERE size = 14;
SELECT anshim.checkpoint('visit', 'log');
UPDATE anshim.block SET root = b.root FROM anshim.checkpoint b WHERE block.size = 14 AND b.size = 14;
SELECT anshim.checkpoint('visit', 'log') = :'third' AS mended;

--
-- Heads that are not there
--
CREATE FUNCTION head_file() RETURNS text RETURN current_setting('anshim.head_directory') || '/' || (SELECT chain FROM anshim.chained WHERE target = 'visit'::regclass);
SELECT head_file() AS file \gset
\setenv HEAD :file
\! mv "$HEAD" "$HEAD.away"
\set VERBOSITY terse
SELECT anshim.checkpoint('visit', 'log');
\! printf 'no note' >"$HEAD"
DO $$BEGIN PERFORM anshim.checkpoint('visit', 'log'); EXCEPTION WHEN config_file_error THEN RAISE NOTICE '%', regexp_replace(sqlerrm, '".*"', '...'); END$$;
\! rm "$HEAD"
SELECT anshim.adopt_head('visit', 'no checkpoint');
SELECT anshim.adopt_head('visit', replace(:'second', 'jeju', 'busan'));
SELECT anshim.adopt_head('visit', replace(:'second', E'\n13\n', E'\n12\n'));
SELECT anshim.adopt_head('visit', replace(:'second', E'\n13\n', E'\n1300\n'));
SELECT anshim.adopt_head('visit', :'second');
SELECT anshim.checkpoint('visit', 'log') = :'third' AS signed_again;
SELECT anshim.adopt_head('visit', :'second');
\! cmp "$HEAD" "$HEAD.away" && rm "$HEAD.away" && test ! -e "$HEAD.new" && echo as it was

--
-- Another history from the second checkpoint on, longer than what was signed
--
ALTER TABLE visit DISABLE TRIGGER USER;
DELETE FROM anshim.block WHERE size > 13;
DELETE FROM anshim.segment WHERE first_index >= 13;
DELETE FROM visit WHERE id = 12;
ALTER TABLE visit ENABLE TRIGGER USER;
INSERT INTO visit SELECT g, 'another' FROM generate_series(12, 20) g;
SELECT anshim.seal('visit') > 14 AS longer;
DO $$
DECLARE detail text;
BEGIN
	PERFORM anshim.checkpoint('visit', 'log');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE NOTICE E'%\n%', sqlerrm, substring(detail FROM '.* was signed');
END$$;

DROP FUNCTION head_file;
DROP TABLE visit, plain;
DROP OWNED BY regress_checkpoint_nobody, regress_checkpoint_signer;
DROP ROLE regress_checkpoint_nobody, regress_checkpoint_signer;
