--
-- Witnesses: what is cosigned, what is refused and kept, and quorums
--
\set SHOW_CONTEXT never
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SELECT kid, anshim.generate_key(kid, issuer) IS NOT NULL AS made
FROM (VALUES ('log', 'jeju'), ('fork', 'jeju'), ('w1', 'seoul.example'), ('w2', 'busan.example'), ('w3', 'two words')) AS k (kid, issuer);
SELECT anshim.generate_key('hmac', 'seoul.example', 'HMAC 256/256') IS NULL AS made;
\set origin witnessed.example/visits

-- The log, at 6 and at 300 leaves; and a fork of it, which has the same origin
CREATE TABLE visit (id int PRIMARY KEY, who text);
SELECT anshim.chain('visit', :'origin');
INSERT INTO visit SELECT g, 'a' FROM generate_series(1, 4) g;
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'log') AS first, anshim.vkey('visit', 'log') AS vkey, anshim.vkey('visit', 'fork') AS fork_vkey \gset
INSERT INTO visit SELECT g, 'b' FROM generate_series(5, 298) g;
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'log') AS second, anshim.consistency_proof('visit', 6) AS proof \gset
INSERT INTO visit SELECT g, 'c' FROM generate_series(299, 1000) g;
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'log') AS third, anshim.consistency_proof('visit', 6) AS from_first, anshim.consistency_proof('visit', 300) AS from_second \gset
CREATE TABLE fork (LIKE visit);
CREATE TABLE other (id int);
UPDATE anshim.chain SET origin = 'moved' WHERE origin = :'origin';
SELECT anshim.chain('fork', :'origin');
INSERT INTO fork SELECT g, 'forged' FROM generate_series(1, 4) g;
SELECT anshim.seal('fork');
SELECT anshim.checkpoint('fork', 'log') AS forked_first \gset
INSERT INTO fork SELECT g, 'forged' FROM generate_series(5, 1998) g;
SELECT anshim.seal('fork');
SELECT anshim.checkpoint('fork', 'log') AS forked_larger, anshim.consistency_proof('fork', 6) AS forked_proof \gset

-- Nobody is trusted who was not named: 404, 403, 400
\set VERBOSITY default
SELECT anshim.witness(:'origin', :'first', '{}', 'w1');
SELECT anshim.trust_log(:'origin', :'fork_vkey');
\set VERBOSITY sqlstate
SELECT anshim.witness(:'origin', :'first', '{}', 'w1');
SELECT anshim.trust_log(:'origin', :'vkey');
SELECT anshim.trust_log(:'origin', :'vkey');
SELECT anshim.trust_log(:'origin', 'no key');
SELECT anshim.trust_log('', :'vkey');
SELECT anshim.trust_log(repeat('o', 256), :'vkey');
SELECT anshim.trust_log(E'two\nlines', :'vkey');
SELECT anshim.trust_log(:'origin', anshim.witness_vkey('w1'));
SELECT anshim.distrust_log(:'origin', :'fork_vkey');
SELECT anshim.distrust_log(:'origin', :'fork_vkey');
SELECT anshim.witness(:'origin', 'no note', '{}', 'w1');
SELECT anshim.witness('another.example', :'first', '{}', 'w1');
SELECT anshim.witness(:'origin', :'first', ARRAY['\x00'::bytea], 'w1');
SELECT anshim.witness(:'origin', :'first', ARRAY[sha256('')], 'w1');
SELECT anshim.witness(:'origin', overlay(:'first' placing 'ABCD' from length(:'first') - 20), '{}', 'w1');
SELECT anshim.witness(:'origin', overlay(:'first' placing '7' from position(E'\n6\n' in :'first') + 1), '{}', 'w1');
SELECT anshim.witness(:'origin', :'first', '{}', 'nobody');
SELECT anshim.witness(:'origin', :'first', '{}', 'hmac');
SELECT anshim.witness(:'origin', :'first', '{}', 'w3');
SELECT anshim.witness(NULL, :'first', '{}', 'w1');
SELECT anshim.witness(:'origin', NULL, '{}', 'w1');
SELECT anshim.witness(:'origin', :'first', NULL, 'w1');
SELECT anshim.witness(:'origin', :'first', '{}', NULL);
SELECT count(*) AS kept FROM anshim.witnessed;
SELECT anshim.witnessed_size(:'origin') AS nothing_yet, anshim.witnessed_size('') AS of_no_log;

-- 200: what comes back is the note and one line more.
\set VERBOSITY default
SELECT anshim.witness(:'origin', :'first', '{}', 'w1') AS cosigned \gset
SELECT left(:'cosigned', length(:'first')) = :'first' AS whole,
	regexp_replace(substr(:'cosigned', length(:'first') + 1), '[A-Za-z0-9+/]{102}==\n$', '...') AS line;
SELECT anshim.witness_vkey('w1') AS w1, anshim.witness_vkey('w2') AS w2 \gset
SELECT anshim.verify_checkpoint(:'cosigned', :'vkey', ARRAY[:'w1', :'w2'], 1) AS by_one, anshim.verify_checkpoint(:'cosigned', :'vkey', ARRAY[:'w1', :'w2'], 2) AS by_two,
	anshim.verify_checkpoint(:'first', :'vkey', ARRAY[:'w1', :'w2'], 1) AS by_none;
-- what is signed, and the key's ID, by docs/formats.md
CREATE FUNCTION verify(public_key bytea, message bytea, signature bytea) RETURNS text AS 'anshim', 'anshim_probe_verify' LANGUAGE C STRICT;
SELECT substr(blob, 1, 4) = substr(sha256(convert_to(E'seoul.example/w1\n', 'UTF8') || '\x04' || public_key), 1, 4) AS id,
	time BETWEEN extract(epoch FROM now())::bigint - 600 AND extract(epoch FROM now())::bigint + 600 AS now,
	verify(public_key, convert_to(format(E'cosignature/v1\ntime %s\n%s', time, split_part(:'cosigned', E'\n\n', 1) || E'\n'), 'UTF8'), substr(blob, 13))
FROM anshim.key, decode(split_part(split_part(:'cosigned', E'\n', 6), ' ', 3), 'base64') AS blob,
	LATERAL (SELECT ('x' || encode(substr(blob, 5, 8), 'hex'))::bit(64)::bigint AS time) AS t
WHERE kid = 'w1';
-- the same once more, by another witness, and by the same again
SELECT anshim.witness(:'origin', :'cosigned', '{}', 'w2') AS twice \gset
SELECT anshim.verify_checkpoint(:'twice', :'vkey', ARRAY[:'w1', :'w2'], 2) AS by_two,
	anshim.verify_checkpoint(anshim.witness(:'origin', :'twice', '{}', 'w1'), :'vkey', ARRAY[:'w1', :'w2'], 2) AS by_one_again;
-- a witness that is named twice counts once
SELECT anshim.verify_checkpoint(:'cosigned', :'vkey', ARRAY[:'w1', :'w1'], 2);

-- 422: a proof is wanted. It is kept, and cosigned once it is proven.
SELECT anshim.witness(:'origin', :'second', '{}', 'w1') IS NULL AS refused;
SELECT anshim.witness(:'origin', :'second', (:'proof'::bytea[])[2:] || (:'proof'::bytea[])[1:1], 'w1') IS NULL AS refused;
SELECT size, note = :'second' AS whole, cosignature IS NOT NULL AS cosigned, refused FROM anshim.witnessed ORDER BY size;
SELECT anshim.verify_checkpoint(anshim.witness(:'origin', :'second', :'proof', 'w1'), :'vkey', ARRAY[:'w1'], 1) AS cosigned;
-- 409: what is smaller than that
SELECT anshim.witness(:'origin', :'first', '{}', 'w1') IS NULL AS refused;
-- 409: the fork, of the same size as one that was cosigned
SELECT anshim.witness(:'origin', :'forked_first', '{}', 'w1') IS NULL AS refused;
-- 422: the fork, larger, with the fork's own proof
SELECT anshim.witness(:'origin', :'forked_larger', :'forked_proof', 'w1') IS NULL AS refused;
SELECT size, CASE note WHEN :'first' THEN 'first' WHEN :'second' THEN 'second' WHEN :'forked_first' THEN 'forked, first' WHEN :'forked_larger' THEN 'forked, larger' END AS note,
	cosignature IS NOT NULL AS cosigned, refused
FROM anshim.witnessed WHERE origin = :'origin' ORDER BY size, refused NULLS FIRST;

-- A cosignature that was returned cannot be taken back by a ROLLBACK, nor by
-- editing the record.
BEGIN;
SELECT anshim.witness(:'origin', :'third', :'from_second', 'w1') AS taken_back \gset
ROLLBACK;
SELECT anshim.witnessed_size(:'origin') = (SELECT max(size) FROM anshim.witnessed) AS by_the_record, anshim.witnessed_size(:'origin') = split_part(:'third', E'\n', 2)::bigint AS by_the_file;
SELECT anshim.verify_checkpoint(:'taken_back', :'vkey', ARRAY[:'w1'], 1) AS good;
SELECT anshim.witness(:'origin', :'second', '{}', 'w1') IS NULL AS refused;
SELECT size, cosignature = split_part(:'taken_back', E'\n', 6) || E'\n' AS recorded_after_all, note = :'third' AS whole
FROM anshim.witnessed WHERE size = 1002;
DELETE FROM anshim.witnessed;
SELECT anshim.witness(:'origin', :'second', '{}', 'w1') IS NULL AS refused;
SELECT anshim.verify_checkpoint(anshim.witness(:'origin', :'third', '{}', 'w2'), :'vkey', ARRAY[:'w2'], 1) AS again;
-- nor by losing the file, as long as the record is there
SELECT current_setting('anshim.head_directory') || '/witness-' || encode(sha256(convert_to(:'origin', 'UTF8')), 'hex') AS file \gset
\setenv HEAD :file
\! cut -d ' ' -f 2 "$HEAD" | tail -n 2; rm "$HEAD"
SELECT anshim.witness(:'origin', :'first', '{}', 'w1') IS NULL AS refused;
SELECT anshim.witness(:'origin', :'third', '{}', 'w1') IS NOT NULL AS cosigned;

-- Rights
CREATE ROLE regress_witness_nobody;
SET ROLE regress_witness_nobody;
SELECT anshim.witness(:'origin', :'third', '{}', 'w1');
SELECT anshim.trust_log(:'origin', :'vkey');
SELECT anshim.distrust_log(:'origin', :'vkey');
SELECT anshim.witness_vkey('w1') = :'w1' AS vkey, count(*) AS trusted FROM anshim.trusted_log;
RESET ROLE;
SELECT anshim.witness_vkey('hmac');
SELECT anshim.witness_vkey('w3');
BEGIN READ ONLY;
SELECT anshim.witness(:'origin', :'third', '{}', 'w1');
SELECT anshim.trust_log(:'origin', :'vkey');
ROLLBACK;

DROP TABLE visit, fork, other;
DROP ROLE regress_witness_nobody;
