-- A day on the island: how visits come in, how a case is traced, and how the
-- record shows that nobody has changed it.
--
-- `make demo` runs this after the outbreak of 1861.  By hand, in a fresh
-- database, by a superuser of a server that has anshim.key_directory and
-- anshim.head_directory: psql -X -f test/demo/island.sql [-v outdir=DIR]
--
-- The venues and the two thousand visitors are made up, by a generator with a
-- fixed seed; everything that is printed about them is computed.  The day is
-- yesterday, so that the demo can play it in seconds.

\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
\if :{?outdir}
\else
	\set outdir .
\endif
\setenv OUTDIR :outdir
\setenv PGDATABASE :DBNAME
SET client_min_messages = warning;
SET datestyle = ISO;
SET timezone = 'Asia/Seoul';

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS anshim;
CREATE SCHEMA island;

\echo
\echo 'A day on the island'
\echo '==================='
\echo

--
-- Morning: keys, venues, posters, the log
--

SELECT anshim.generate_key('doors', 'jeju', valid => tstzrange(current_date - 30, NULL)) IS NOT NULL AND
	anshim.generate_key('phones', 'jeju', valid => tstzrange(current_date - 30, NULL)) IS NOT NULL AND
	anshim.generate_key('night', 'jeju') IS NOT NULL AS keys \gset

SELECT anshim.create_venues('island.venue') AS venues \gset
INSERT INTO island.venue (id, name, facility_class)
SELECT md5('venue ' || n)::uuid, initcap(replace(code, '-', ' ')) || ' ' || n, code
FROM (SELECT n, (ARRAY['restaurant', 'karaoke', 'pc-room', 'gym', 'wedding-hall', 'bathhouse', 'cinema'])[1 + n % 7] AS code
	  FROM generate_series(1, 70) n) AS made;

CREATE TABLE island.door AS
SELECT id AS venue, anshim.sign('doors', venue => id, valid => tstzrange(current_date - 30, current_date + 335)) AS pass
FROM island.venue;

SELECT anshim.create_visit_log('island.visit', daterange(current_date - 1, current_date + 2), chained => false) AS log \gset
SELECT anshim.chain('island.visit', 'island.example/visits') \g /dev/null

SELECT name, anshim.poster(id, 'doors', 'island.venue') AS svg FROM island.venue ORDER BY name LIMIT 1 \gset
\setenv SVG :svg
\! printf '%s\n' "$SVG" >"$OUTDIR/island-poster.svg"
\echo '1. Venues are registered, and each has a signed poster for its door: anshim.create_venues, sign, poster.'
\echo '   That of' :name 'is island-poster.svg; this is its code:'
\echo
SELECT anshim.qr(pass) FROM island.door JOIN island.venue ON id = venue ORDER BY name LIMIT 1
\g (format=unaligned tuples_only=on)

--
-- The day: who goes where, and how that is written down
--

SELECT setseed(0.2020) \g /dev/null
CREATE TABLE island.plan AS
SELECT md5('visitor ' || visitor)::uuid AS subject, md5('venue ' || (1 + floor(70 * power(random(), 1.5)))::int)::uuid AS venue,
	(current_date - 1 + time '08:00') + (stop - 1) * interval '3 hours' + random() * interval '2 hours' AS entered_at,
	(10 + 70 * random()) * interval '1 minute' AS stay, random() < 0.6 AS checks_out,
	CASE WHEN visitor % 10 < 6 THEN 'poster' WHEN visitor % 10 < 9 THEN 'pass' ELSE 'paper' END AS way, visitor, stop
FROM generate_series(1, 2000) AS visitor, generate_series(1, 4) AS stop
WHERE random() < 0.5 OR stop = 1 + visitor % 4
ORDER BY visitor, stop;

SELECT clock_timestamp() AS began \gset
-- By poster: her phone scans what is on the door.
CREATE TABLE island.checked_in AS
SELECT anshim.check_in('island.visit', pass, subject => subject, at => entered_at) AS visit, plan.*
FROM island.plan JOIN island.door USING (venue)
WHERE way = 'poster';
-- By her own pass: the venue's reader scans her phone.  A pass lives for minutes;
-- these have to live from that minute yesterday to the demo's.
INSERT INTO island.checked_in
SELECT anshim.check_in('island.visit', anshim.issue_pass('phones', subject, tstzrange(entered_at, now() + interval '15 minutes')),
	venue => venue, at => entered_at), plan.*
FROM island.plan
WHERE way = 'pass';
-- On paper, typed in when the venue has closed.
SELECT count(anshim.log_paper('island.visit', ARRAY[subject], venue, entered_at, entered_at + stay)) AS lines
FROM island.plan
WHERE way = 'paper' \gset
-- Some check out.
SELECT count(anshim.check_out('island.visit', visit, entered_at + stay)) AS outs
FROM island.checked_in
WHERE checks_out \gset
SELECT round(extract(epoch FROM clock_timestamp() - :'began')::numeric, 1) AS seconds \gset

\echo '2. Two thousand visitors check in: anshim.check_in, log_paper, check_out.' :seconds 'seconds, with a signature'
\echo '   verified for each.'
\echo
SELECT source, count(DISTINCT (subject, venue, entered_at)) AS visits, count(DISTINCT subject) AS visitors,
	count(*) FILTER (WHERE left_at IS NOT NULL) AS check_outs
FROM island.visit
GROUP BY source
ORDER BY visits DESC;

--
-- The night's seal and checkpoint
--

SELECT anshim.seal('island.visit') AS size \gset
SELECT anshim.checkpoint('island.visit', 'night') AS checkpoint, anshim.vkey('island.visit', 'night') AS vkey \gset
\setenv CHECKPOINT :checkpoint
\setenv VKEY :vkey
\! printf '%s' "$CHECKPOINT" >"$OUTDIR/island-checkpoint.txt"
\! printf '%s\n' "$VKEY" >"$OUTDIR/island-vkey.txt"
\echo '3. At night the record is sealed, and its checkpoint leaves the house: anshim.seal, checkpoint. It is'
\echo '   island-checkpoint.txt; who has it, and the key in island-vkey.txt, can prove every later change of these' :size
\echo '   records to everybody.'
\echo
\echo :checkpoint

--
-- A case
--

-- She was in three places or more, the first of those whom others met there.
SELECT subject AS case FROM island.plan GROUP BY subject HAVING count(*) = 4 ORDER BY subject LIMIT 1 \gset
SELECT tstzrange(current_date - 1, current_date) AS day \gset

SELECT clock_timestamp() AS began \gset
CREATE TABLE island.warn AS
SELECT *
FROM anshim.exposures('island.visit', ARRAY[:'case'::uuid], :'day', degrees => 2, min_overlap => '15 minutes', linger => '10 minutes');
SELECT round(1000 * extract(epoch FROM clock_timestamp() - :'began')::numeric, 1) AS ms \gset
SELECT round(300000 / :ms) AS times \gset

\echo '4. A case is confirmed. Whom to warn: one call of anshim.exposures, to the second degree,' :ms 'ms. The island'
\echo '   promised five minutes, in December 2020; that is' :times 'times as long.'
\echo
SELECT c.tier, c.name AS facility, count(*) FILTER (WHERE w.degree = 1) AS met_her, count(*) FILTER (WHERE w.degree = 2) AS met_those,
	min(w.exposed_at)::timestamp(0) AS first_exposed
FROM island.warn w
JOIN island.venue v ON v.id = w.venue
JOIN anshim.facility_class c ON c.code = v.facility_class
GROUP BY c.tier, c.name
ORDER BY c.tier = 'priority' DESC, c.tier, count(*) DESC, facility;

--
-- Somebody with all rights
--

-- She does not want to be found at that venue.  A superuser can do it for her,
-- and switches triggers off where no event trigger sees that.
CREATE PROCEDURE island.guards(state "char") LANGUAGE sql AS $$
	UPDATE pg_trigger SET tgenabled = state WHERE tgname = 'anshim_guard' AND tgrelid IN (SELECT relid FROM pg_partition_tree('island.visit'));
	UPDATE pg_class SET relname = relname WHERE oid IN (SELECT relid FROM pg_partition_tree('island.visit'));
$$;
CREATE TABLE island.removed AS
SELECT v.* FROM island.visit v JOIN island.warn w USING (subject, venue)
WHERE w.degree = 1 AND v.left_at IS NULL ORDER BY v.entered_at, v.subject LIMIT 1;
BEGIN;
CALL island.guards('D');
DELETE FROM island.visit v USING island.removed r WHERE v.id = r.id;
CALL island.guards('A');
COMMIT;

\echo '5. A superuser quietly removes a visit. anshim.verify_chain names it:'
\echo
SELECT finding, strand, seq, detail FROM anshim.verify_chain('island.visit', :'checkpoint', vkey => :'vkey')
\g (format=unaligned tuples_only=on fieldsep=' | ')
\echo
\echo '   A server that she controls could say anything. anshim_verify, on another machine, asks it for the rows alone:'
\echo
\! anshim_verify --checkpoint="$OUTDIR/island-checkpoint.txt" --key="$VKEY" --dbname="$PGDATABASE" island.visit 2>&1
\echo

-- The very row, from a backup: the record is whole again.
BEGIN;
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'zz_anshim_append' AND tgrelid IN (SELECT relid FROM pg_partition_tree('island.visit'));
CALL island.guards('A');
INSERT INTO island.visit SELECT * FROM island.removed;
UPDATE pg_trigger SET tgenabled = 'A' WHERE tgname = 'zz_anshim_append' AND tgrelid IN (SELECT relid FROM pg_partition_tree('island.visit'));
CALL island.guards('A');
COMMIT;
SELECT CASE count(*) WHEN 0 THEN 'intact' ELSE count(*) || ' findings' END AS now FROM anshim.verify_chain('island.visit', :'checkpoint', vkey => :'vkey') \gset
\echo '   Put back from a backup, byte by byte, with its link:' :now
\echo

--
-- Four weeks later
--

-- What was sealed four weeks before that day; here, everything up to now.
SELECT anshim.expire('island.visit', now()) AS expired \gset
SELECT anshim.seal('island.visit') AS new_size \gset
SELECT count(*) AS left FROM island.visit \gset
SELECT string_agg(relid::regclass::text, ', ' ORDER BY relid) AS partitions FROM pg_partition_tree('island.visit') WHERE isleaf \gset
SELECT CASE count(*) WHEN 0 THEN 'intact' ELSE count(*) || ' findings' END AS verdict
FROM anshim.verify_chain('island.visit', :'checkpoint', vkey => :'vkey') \gset
SELECT anshim.verify_consistency(old.size, new.size, old.root, new.root, anshim.consistency_proof('island.visit', old.size)) AS consistent
FROM anshim.block old JOIN anshim.block new USING (chain) JOIN anshim.chained c USING (chain)
WHERE c.target = 'island.visit'::regclass AND old.size = :size AND new.size = :new_size \gset

\echo '6. Four weeks later the visits have to go: anshim.expire removes' :expired 'rows;' :left 'are left, in' :partitions
\echo '   The record, with the checkpoint of that night:' :verdict
\echo '   Proof that the log of today continues that of the checkpoint:' :consistent
\! anshim_verify --checkpoint="$OUTDIR/island-checkpoint.txt" --key="$VKEY" --dbname="$PGDATABASE" island.visit 2>&1
