--
-- Called again and again, errors included, no function lets memory grow, nor
-- leaves an OpenSSL object, a file or a lock behind.
--
-- LOOPS=100000 make check TESTS=loops TEST_TIMEOUT=36000 calls each as often
-- as that; 300 times by default.  A call that changes tables or keys, or is made
-- of calls of others, is a hundredth of it, and is taken back.  OpenSSL's
-- objects are in no memory context: they show in what the C library's heap has
-- given out.
--
\set SHOW_CONTEXT never
\set ON_ERROR_STOP on
\set loops 300
\getenv loops LOOPS
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SET client_min_messages = error;
SET search_path = public, anshim;
SET track_functions = 'all';

-- What the calls are about
CREATE EXTENSION postgis;
DO $$
BEGIN
	PERFORM anshim.generate_key('door', 'jeju');
	PERFORM anshim.generate_key('till', 'jeju', 'HMAC 256/256');
	PERFORM anshim.generate_key('gone', 'jeju');
	PERFORM anshim.revoke_key('gone');
	PERFORM anshim.generate_key('kdca', 'kdca', 'X25519');
	PERFORM anshim.generate_key('witness', 'busan');
END $$;
CREATE TABLE token AS
	SELECT kid, anshim.sign(kid, '11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222',
		'[2021-01-01, 2031-01-01)') AS token FROM (VALUES ('door'), ('till')) k (kid);
INSERT INTO token SELECT 'pass', anshim.issue_pass('door', '33333333-3333-3333-3333-333333333333', '[2021-01-01, 2031-01-01)');
CREATE TABLE visit (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE plain (LIKE visit);
CREATE TABLE person AS SELECT i::bigint AS subject, 'Ann' AS first_name, 'Lee' AS last_name, 'female' AS sex FROM generate_series(0, 40) i;
CREATE TABLE spot (venue bigint, location geometry);
INSERT INTO visit SELECT i % 40, i % 11, '2021-03-01'::timestamptz + i * interval '7 min', '2021-03-01'::timestamptz + (i * 7 + 60) * interval '1 min'
	FROM generate_series(1, 400) i;
CREATE TABLE stored AS SELECT * FROM visit;
CREATE VIEW seen AS SELECT * FROM stored;
CREATE VIEW overlong AS SELECT subject, venue, entered_at, entered_at + interval '2 days' AS left_at FROM stored;
DO $$
BEGIN
	PERFORM anshim.track_visits('visit'), anshim.track_visits('seen'), anshim.track_visits('overlong');
	PERFORM anshim.create_visit_log('log', '[2021-01-01, 2021-01-03)', 'UTC');
	PERFORM anshim.create_visit_log('whole');
	PERFORM anshim.create_venues('place');
	PERFORM anshim.track_venues('visit', 'spot');
END $$;
CREATE TABLE noted (what text);
CREATE TABLE copied (link anshim.link);
SELECT anshim.chain('noted', 'jeju.example/noted') \gset
INSERT INTO noted VALUES ('a'), ('b');
SELECT anshim.seal('noted') \gset
CREATE TABLE signed AS SELECT anshim.checkpoint('noted', 'door') AS note;
INSERT INTO spot SELECT i, format('POINT(%s 0)', i * 6)::geometry FROM generate_series(0, 10) i;
ANALYZE;

-- A call is made as it is, or its changes are taken back; and it fails with this
-- error, or with none.
CREATE TEMP TABLE call (number int GENERATED ALWAYS AS IDENTITY, undo boolean, error text, statement text);
INSERT INTO call (undo, error, statement) VALUES
(false, '', $$SELECT 1 AS "the measuring itself"$$),
(false, '', $$SELECT token::text::anshim.token, token::bytea::anshim.token, anshim.bytea(token), anshim.token(token::bytea) FROM token$$),
(false, '22P02', $$SELECT 'ANSHIM1:BROKEN'::anshim.token$$),
(false, '22P03', $$SELECT '\xd28443a10127'::bytea::anshim.token$$),
(false, '', $$SELECT anshim.token_send(token), anshim.token_out(token), anshim.token_hash(token), anshim.token_hash_extended(token, 1) FROM token$$),
(true, '', format($$COPY token TO %1$L (FORMAT binary); COPY token FROM %1$L (FORMAT binary)$$, :'keydir' || '/tokens')),
(false, '', $$SELECT anshim.venue(token), anshim.subject(token), anshim.id(token), anshim.kid(token), anshim.issuer(token), anshim.valid(token), anshim.claims(token) FROM token$$),
(false, '', $$SELECT count(*) FROM token a JOIN token b ON a.token = b.token AND NOT a.token <> b.token AND a.token <= b.token AND a.token >= b.token AND NOT a.token < b.token AND NOT a.token > b.token$$),
(false, '', $$SELECT token FROM token ORDER BY token$$),
(false, '', $$SELECT anshim.qr(token), anshim.qr_svg(token) FROM token WHERE kid = 'till'$$),
(false, '22023', $$SELECT anshim.qr(anshim.sign('door', id => decode(repeat('00', 3600), 'hex')))$$),
(false, '', $$SELECT anshim.random_id()$$),
(false, '', $$SELECT anshim.sign('door'), anshim.sign('till')$$),
(false, '55000', $$SELECT anshim.sign('gone')$$),
(false, '42704', $$SELECT anshim.sign('no such key')$$),
(false, '', $$SELECT anshim.verify(anshim.sign('door')), anshim.verify(anshim.sign('till'))$$),
(false, '', $$SELECT anshim.verify(token), anshim.verdict(token), anshim.verdict(token, '2040-01-01') FROM token$$),
(true, '', $$DELETE FROM anshim.key WHERE kid = 'door'; SELECT anshim.verdict(token) FROM token$$),
(true, '', $$SELECT anshim.generate_key('new', 'jeju')$$),
(true, '42710', $$SELECT anshim.generate_key('door', 'jeju')$$),
(true, '', $$DELETE FROM anshim.key WHERE kid = 'door'; SELECT anshim.adopt_key('door', 'jeju')$$),
(true, '58P01', $$SELECT anshim.adopt_key('nowhere', 'jeju')$$),
(true, '', $$SELECT anshim.trust_key('other', 'busan', '\xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'); SELECT anshim.revoke_key('other')$$),
(true, '22023', $$SELECT anshim.trust_key('other', 'busan', decode(repeat('00', 32), 'hex'))$$),
(true, '', $$TRUNCATE anshim.key$$),
(true, '', $$SELECT anshim.issue_pass('door', '33333333-3333-3333-3333-333333333333', '[2021-01-01, 2031-01-01)')$$),
(true, '', $$SELECT anshim.check_out('whole', anshim.check_in('whole', token, NULL, '11111111-1111-1111-1111-111111111111', '2026-01-01 12:00'), '2026-01-01 13:00') FROM token WHERE kid = 'pass'$$),
(true, '55000', $$SELECT anshim.check_in('plain', token) FROM token WHERE kid = 'till'$$),
(true, '', $$SELECT anshim.log_paper('whole', ARRAY['33333333-3333-3333-3333-333333333333'::uuid], '11111111-1111-1111-1111-111111111111', '2021-01-01', '2021-01-01 01:00')$$),
(true, '', $$SELECT anshim.forget_passes(), anshim.take_pass('11111111-1111-1111-1111-111111111111', 'door', '\x00', now()), anshim.pass_subject('door', '\x00')$$),
(true, '', $$INSERT INTO place (id, name) VALUES ('11111111-1111-1111-1111-111111111111', 'Cafe'); SELECT anshim.poster('11111111-1111-1111-1111-111111111111', 'door', 'place')$$),
(true, '', $$SELECT anshim.create_visit_log('another', '[2021-01-01, 2021-01-03)')$$),
(true, '', $$SELECT anshim.create_venues('somewhere'), anshim.create_purpose_log('looks'), anshim.new_table_name('looks')$$),
(true, '', $$INSERT INTO anshim.facility_class (code, tier, name) VALUES ('sauna', 'other', 'saunas'); UPDATE anshim.facility_class SET name = 'x'; DELETE FROM anshim.facility_class; INSERT INTO anshim.facility_class_deleted VALUES ('cafe')$$),
(true, '', $$SELECT anshim.track_visits('plain'); SELECT anshim.untrack_visits('plain')$$),
(true, '42703', $$SELECT anshim.track_visits('place')$$),
(true, '', $$SELECT anshim.track_venues('visit', 'spot')$$),
(true, '42501', $$SET LOCAL ROLE pg_monitor; SELECT anshim.track_venues('visit', 'spot')$$),
(true, '', $$SELECT anshim.add_days('log', '[2021-01-01, 2021-01-05)')$$),
(true, '', $$ALTER TABLE visit RENAME venue TO location; DROP TABLE visit$$),
(false, '', $$SELECT anshim.contacts('visit', 7::bigint, '[2021-03-01, 2021-03-03)', linger => '1 h')$$),
(false, '55000', $$SELECT anshim.contacts('whole', '33333333-3333-3333-3333-333333333333'::uuid, '[2021-03-01, 2021-03-03)', within => 10)$$),
(false, '', $$SELECT anshim.contacts('visit', 7::bigint, '[2021-03-01, 2021-03-03)', within => 10)$$),
(false, '', $$SELECT anshim.exposures('visit', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)', degrees => 3, linger => '1 h', latent => '1 h')$$),
(false, '', $$SELECT anshim.exposures_by('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03'], degrees => 3)$$),
(true, '', $$INSERT INTO anshim.definition (name, source) VALUES ('mine', 'me'); UPDATE anshim.definition SET source = 'x' WHERE name = 'mine'; DELETE FROM anshim.definition WHERE name = 'mine'$$),
(true, '55000', $$DELETE FROM anshim.definition$$),
(false, '', $$SELECT anshim.infectious_period('2021-03-03', 'who-2020'), anshim.infectious_periods('{2021-03-03}', 'who-2020', 1), anshim.find_definition('who-2020')$$),
(true, '', $$SELECT anshim.contacts_by('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03']), anshim.log_venue_type('visit')$$),
(true, '', $$SELECT anshim.epicontacts_linelist('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03']), anshim.epicontacts_contacts('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03'])$$),
(true, '', $$SELECT anshim.sormas_contacts('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03'], people => 'person')$$),
(true, '', $$SELECT anshim.godata_contacts('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03'], people => 'person')$$),
(true, '', $$SELECT anshim.contact_people('cdc-2020', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03'], 'person', '(,)', 0), anshim.people_of('person', ARRAY[7::bigint]), anshim.known_sex('female')$$),
(false, '22023', $$SELECT anshim.known_sex('x')$$),
(false, '42704', $$SELECT anshim.exposures_by('nobody', 'visit', ARRAY[7::bigint], ARRAY[date '2021-03-03'])$$),
(true, '55000', $$SET LOCAL anshim.require_purpose = on; SELECT anshim.contacts('visit', 7::bigint, '[2021-03-01, 2021-03-03)')$$),
(true, '', $$SELECT anshim.create_purpose_log('looks'); SET LOCAL anshim.purpose_log = 'public.looks'; SET LOCAL anshim.purpose = 'a test'; SELECT anshim.contacts('visit', 7::bigint, '[2021-03-01, 2021-03-03)')$$),
(false, '42804', $$SELECT anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)')$$),
(false, '22004', $$SELECT anshim.exposures('visit', ARRAY[7, NULL::bigint], '[2021-03-01, 2021-03-03)')$$),
(false, '', $$SELECT anshim.exposure_paths('visit', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)', degrees => 3)$$),
(false, '', $$SELECT anshim.sources('visit', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)', degrees => 3)$$),
(false, '', $$SELECT anshim.hotspots('visit', ARRAY[7::bigint, 18], '[2021-03-01, 2021-03-03)', linger => '2 days')$$),
(false, '', $$SELECT * FROM anshim.exposures('visit', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)', degrees => 3) LIMIT 1$$),
(false, '', $$SELECT anshim.exposure_dot('visit', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)'), anshim.dot_escape('<a>')$$),
(false, '', $$SELECT anshim.hops_dot(ARRAY[1], ARRAY['a'], ARRAY['b'], ARRAY['c'], ARRAY['2021-01-01'::timestamptz])$$),
(false, '', $$SELECT anshim.last_trace()$$),
(false, '', $$SELECT anshim.explain_exposures('seen', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)', degrees => 3)$$),
(false, '23514', $$SELECT anshim.exposures('overlong', ARRAY[7::bigint], '[2021-03-01, 2021-03-03)')$$),
(false, '', $$SELECT anshim.visit_source('visit'), anshim.check_call('visit', ARRAY[7::bigint], '(,)', 'mine(%s)'), anshim.check_call('visit', ARRAY[7::bigint], 7::bigint, '(,)', 'mine(%s)')$$),
(false, '42804', $$SELECT anshim.check_call('visit', ARRAY['Ann'], '(,)', 'mine(%s)')$$),
(false, '', $$SELECT anshim.infection_dose('1 h', 2.7, 0.54, 100, 1, 0.87, NULL, '0'), anshim.infection_risk('1 h', 2.7, 0.54, 100, 1, 0.87, NULL, '0')$$),
(false, '22023', $$SELECT anshim.infection_risk('1 h', 2.7, 0.54, 0, 1, 0.87, NULL, '0')$$),
(false, '', $$SELECT anshim.open_identity(anshim.seal_identity('kdca', '\x00', ''), ''), anshim.sealed_to(anshim.seal_identity('kdca', '\x00', ''))$$),
(false, '22023', $$SELECT anshim.open_identity(anshim.seal_identity('kdca', '\x00', ''), 'other')$$),
(false, '22023', $$SELECT anshim.seal_identity('door', '\x00', '')$$),
(false, '', $$SELECT link::text::anshim.link, anshim.link_out(link), anshim.link_send(link), anshim.strand(link), anshim.layout(link), anshim.seq(link), anshim.hash(link), anshim.leaf_hash(link) FROM noted$$),
(false, '22P02', $$SELECT '1/2/3'::anshim.link$$),
(true, '', format($$COPY (SELECT link FROM noted) TO %1$L (FORMAT binary); COPY copied FROM %1$L (FORMAT binary)$$, :'keydir' || '/links')),
(false, '', $$SELECT count(*) FROM noted a JOIN noted b ON a.link = b.link AND NOT a.link <> b.link AND a.link <= b.link$$),
(false, '', $$SELECT anshim.count_strands('noted'), anshim.consistency_proof('noted', 1), anshim.verify_consistency(1, 2, '\x00', '\x00', '{}')$$),
(false, '22023', $$SELECT anshim.inclusion_proof('noted', link, 0) FROM noted$$),
(false, '', $$SELECT anshim.inclusion_proof('noted', link), anshim.verify_inclusion(anshim.leaf_hash(link), 0, 1, '{}', anshim.leaf_hash(link)) FROM noted$$),
(false, '55000', $$SELECT anshim.inclusion_proof('plain', link) FROM noted$$),
(true, '', $$INSERT INTO noted (what) SELECT 'x' FROM generate_series(1, 20)$$),
(true, '55000', $$DELETE FROM noted$$),
(true, '55000', $$UPDATE noted SET what = 'x'$$),
(true, '55000', $$TRUNCATE noted$$),
(true, '', $$ALTER TABLE noted ADD COLUMN who text; INSERT INTO noted (what, who) VALUES ('x', 'y'); ALTER TABLE noted RENAME TO jotted; DROP TABLE jotted$$),
(true, '', $$ALTER TABLE plain ALTER COLUMN subject TYPE text$$),
(true, '0A000', $$ALTER TABLE noted ALTER COLUMN what TYPE bytea USING '\x'$$),
(true, '', $$SELECT anshim.chain('plain'); INSERT INTO plain SELECT * FROM visit LIMIT 20; SELECT anshim.unchain('plain')$$),
(true, '55000', $$SELECT anshim.unchain('plain')$$),
(true, '', $$INSERT INTO noted (what) VALUES ('x'); SELECT anshim.seal('noted')$$),
(true, '', $$SELECT anshim.adopt_head('noted', anshim.checkpoint('noted', 'door'))$$),
(true, '55000', $$SELECT anshim.checkpoint('plain', 'door')$$),
(false, '', $$SELECT anshim.verify_checkpoint(note, anshim.vkey('noted', 'door')), anshim.witness_vkey('witness') FROM signed$$),
(false, '22023', $$SELECT anshim.verify_checkpoint(note, 'x') FROM signed$$),
(true, '', $$SELECT anshim.trust_log('jeju.example/noted', anshim.vkey('noted', 'door')); SELECT anshim.witness('jeju.example/noted', note, '{}', 'witness'), anshim.witnessed_size('jeju.example/noted') FROM signed; SELECT anshim.distrust_log('jeju.example/noted', anshim.vkey('noted', 'door'))$$),
(false, '', $$SELECT anshim.strand_ends('noted'), s FROM anshim.status s$$),
(true, '', $$SELECT anshim.keep_for('noted', '28 days'), anshim.set_retention(gen_random_uuid(), '1 day', 'x')$$),
(true, '', $$SELECT anshim.check_chain('noted')$$),
(true, '', $$SELECT anshim.expire_due()$$),
(false, '', $$SELECT anshim.verify_chain('noted')$$),
(false, '', $$SELECT anshim.verify_chain('noted', checkpoint => note, vkey => anshim.vkey('noted', 'door')) FROM signed$$),
(false, '55000', $$SELECT anshim.verify_chain('plain')$$),
(true, '', $$SELECT anshim.expire('noted', now() + '1 day')$$),
(true, '55000', $$SELECT anshim.expire('plain', now())$$),
(true, '42704', $$SELECT anshim.add_peer('nobody', 'witness')$$),
(true, '42704', $$SELECT anshim.remove_peer('nobody')$$),
(true, '', $$SELECT anshim.gather_checkpoints()$$),
(true, '42704', $$SELECT anshim.gather_one('jeju.example/noted', note, '{}', 'witness') FROM signed$$),
(true, '42P01', $$SELECT anshim.gather_log('nowhere', 'jeju.example/noted', 'witness')$$),
(true, '42P01', $$SELECT anshim.gather_peer(ROW('nobody', 'nowhere', 'witness', now())::anshim.peer)$$),
(false, '', $$SELECT anshim.cosigned_checkpoint('jeju.example/noted', '{}')$$),
(true, '22023', $$SELECT anshim.witness('busan.example/x', note, '{}', 'witness') FROM signed$$);

-- Each function is called, but for those that PostgreSQL itself calls: see below
-- for triggers.
SELECT proname AS "never called"
FROM pg_proc p
WHERE pronamespace = 'anshim'::regnamespace
	AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
	AND NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid)
	AND NOT EXISTS (SELECT FROM pg_amproc WHERE amproc = p.oid)
	AND NOT EXISTS (SELECT FROM pg_type WHERE p.oid IN (typinput, typreceive))
	AND NOT EXISTS (SELECT FROM call WHERE statement LIKE '%anshim.' || proname || '(%')
ORDER BY 1;

-- What this process holds.  PostgreSQL keeps rows of its catalog in a cache,
-- also that there is none; new tables, though taken back, let that grow.
CREATE FUNCTION heap() RETURNS bigint
AS 'anshim', 'anshim_probe_heap' LANGUAGE C;
CREATE FUNCTION holds(but text, OUT memory bigint, OUT heap bigint, OUT files bigint, OUT locks bigint) LANGUAGE sql AS $$
	SELECT (SELECT sum(total_bytes - free_bytes) FROM pg_backend_memory_contexts WHERE name <> but),
		heap() - (SELECT coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts WHERE name = but),
		(SELECT count(*) FROM pg_ls_dir('/proc/self/fd') f WHERE f::int > 2),
		(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid())
$$;
CREATE PROCEDURE repeat_call(statement text, times bigint, undo boolean, INOUT error text DEFAULT '') LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		BEGIN
			EXECUTE statement;
			IF undo THEN
				RAISE EXCEPTION SQLSTATE 'UNDO0';
			END IF;
		EXCEPTION
			WHEN SQLSTATE 'UNDO0' THEN
				NULL;
			WHEN OTHERS THEN
				error := SQLSTATE;
		END;
	END LOOP;
END $$;

-- First what is kept on purpose comes into being, then it is measured.
CREATE TEMP TABLE result (number int, times bigint, memory bigint, heap bigint, files bigint, locks bigint, error text);
CREATE PROCEDURE measure_calls(loops bigint, again boolean) LANGUAGE plpgsql AS $$
DECLARE
	call record;
	before record;
	after record;
	times bigint;
	error text;
	but text;
BEGIN
	FOR call IN SELECT * FROM call WHERE NOT again OR number IN (SELECT number FROM grown) ORDER BY number LOOP
		times := CASE WHEN call.undo THEN greatest(loops / 100, 40) ELSE loops END;
		but := CASE WHEN call.undo THEN 'CacheMemoryContext' ELSE '' END;
		error := '';
		CALL repeat_call(call.statement, greatest(times / 10, 40), call.undo, error);
		COMMIT;
		before := holds(but);
		before := holds(but);
		CALL repeat_call(call.statement, times, call.undo, error);
		COMMIT;
		after := holds(but);
		after := holds(but);
		DELETE FROM result WHERE number = call.number;
		INSERT INTO result VALUES (call.number, times, after.memory - before.memory, after.heap - before.heap,
			after.files - before.files, after.locks - before.locks, error);
	END LOOP;
END $$;
-- More than a byte a call is growth.  (PostgreSQL keeps files of catalogs open, and
-- comes to ever more of them for a while.)
CREATE TEMP VIEW grown AS
	SELECT * FROM result
	WHERE memory > 4096 + times OR heap > 32768 + times OR files > 25 + times / 10 OR locks > 0;
CALL measure_calls(:loops, again => false);
-- What leaks grows each time.  The C library's heap also takes a step once in a while,
-- as pieces of other sizes are asked for: what grew is measured again.
CALL measure_calls(:loops, again => true);
DELETE FROM result WHERE number = 1;

-- Each did what it was meant to do.
SELECT statement, call.error AS meant, result.error
FROM result JOIN call USING (number)
WHERE result.error <> call.error
ORDER BY number;

-- Nothing has grown with the number of calls.
SELECT statement, times, memory, heap, files, locks
FROM grown JOIN call USING (number)
ORDER BY number;

-- Triggers have been called as well.
SELECT pg_stat_force_next_flush() \gset
SELECT proname AS "never called"
FROM pg_proc p
WHERE pronamespace = 'anshim'::regnamespace AND prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
	AND coalesce(pg_stat_get_function_calls(oid), 0) = 0
ORDER BY 1;
