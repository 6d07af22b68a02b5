--
-- Signing and verifying tokens
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
SELECT anshim.generate_key('till', 'jeju', 'HMAC 256/256') IS NULL AS made;
\set venue '11111111-1111-1111-1111-111111111111'
\set subject '22222222-2222-2222-2222-222222222222'

-- What a signed token says
SELECT anshim.sign('door', :'venue') AS token \gset
SELECT anshim.kid(:'token'), anshim.issuer(:'token'), anshim.venue(:'token'), anshim.subject(:'token'),
	octet_length(anshim.id(:'token')), anshim.valid(:'token');
SELECT string_agg(key, ' ' ORDER BY key COLLATE "C") FROM jsonb_object_keys(anshim.claims(:'token')) key;
SELECT abs(extract(epoch FROM clock_timestamp()) - (anshim.claims(:'token')->>'iat')::numeric) < 60 AS iat_is_now;
SELECT anshim.verify(:'token'), anshim.verdict(:'token');
SELECT anshim.claims(anshim.sign(kid, NULL, :'subject', '[2021-01-01 12:00, 2021-01-01 13:00)', '\x00ff')) - 'iat' AS claims
FROM (VALUES ('door'), ('till')) k (kid);
SELECT kid, anshim.verdict(anshim.sign(kid, :'venue'))
FROM (VALUES ('door'), ('till')) k (kid);
-- no two ids are the same
SELECT count(DISTINCT anshim.id(anshim.sign('door'))) FROM generate_series(1, 20);

-- Dates are whole seconds; a token that is to be valid now is.
SELECT r, anshim.valid(anshim.sign('door', valid => r::tstzrange))
FROM unnest(ARRAY['[2021-01-01 00:00:00.9, 2021-01-01 00:00:02.9)', '(2021-01-01, 2021-01-02]', '[2021-01-01 00:00:00.999999, 2021-01-01 00:00:01.999999]',
	'(,2021-01-01)', '[2021-01-01,)', '(,)', '[-infinity, infinity]', '[1969-12-31 23:59:58.5, 1969-12-31 23:59:59.5)']) r;
SELECT anshim.verify(anshim.sign('door', valid => tstzrange(now(), now() + '1 minute')));
SELECT anshim.sign('door', valid => 'empty');
SELECT anshim.sign('door', valid => '[2021-01-01 00:00:00.1, 2021-01-01 00:00:00.2)');
SELECT anshim.sign('door', valid => '[infinity,)');

-- What cannot be signed
SELECT anshim.sign(NULL);
SELECT anshim.sign('nobody');
SELECT anshim.sign('door', id => '');
SELECT anshim.sign('door', id => decode(repeat('00', 65), 'hex'));
SELECT anshim.id(anshim.sign('door', id => NULL)) IS NULL AS no_id;
SELECT anshim.generate_key('retired', 'jeju', valid => '(,2021-01-01)') IS NOT NULL AS made;
SELECT anshim.sign('retired');
SELECT anshim.generate_key('lost', 'jeju') IS NOT NULL AS made;
SELECT anshim.sign('lost') AS lost_token \gset
SELECT anshim.revoke_key('lost', '2021-01-01');
\set VERBOSITY terse
SELECT anshim.sign('lost');
SELECT anshim.trust_key('seoul', 'seoul', '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
SELECT anshim.sign('seoul');
-- a key's secret must be closed to others, and be the key's
\! chmod 640 "$KEYDIR/door.pem"
\set VERBOSITY sqlstate
SELECT anshim.sign('door');
\set VERBOSITY terse
\! chmod 600 "$KEYDIR/door.pem"
SELECT anshim.verify(anshim.sign('door'));
\! cp "$KEYDIR/door.pem" "$KEYDIR/door.keep" && cp "$KEYDIR/lost.pem" "$KEYDIR/door.pem"
SELECT anshim.sign('door');
\! mv "$KEYDIR/door.keep" "$KEYDIR/door.pem"
SELECT anshim.verify(anshim.sign('door'));
-- one that is taken away is gone at once
\! mv "$KEYDIR/door.pem" "$KEYDIR/away"
SELECT anshim.sign('door');
\! mv "$KEYDIR/away" "$KEYDIR/door.pem"
\set VERBOSITY default

-- Tokens made by hand, to be as wrong as we like: signed with RFC 8032's
-- second secret, which belongs to the trusted key "seoul".
CREATE FUNCTION raw_sign(pem bytea, message bytea) RETURNS bytea AS 'anshim', 'anshim_probe_sign' LANGUAGE C STRICT;
CREATE FUNCTION bstr(b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN length(b) < 24 THEN set_byte('\x00', 0, 64 + length(b))
		WHEN length(b) < 256 THEN '\x58'::bytea || set_byte('\x00', 0, length(b))
		ELSE '\x59'::bytea || substr(int4send(length(b)), 3) END || b
$$;
CREATE FUNCTION protected(alg bytea, kid text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT '\xa201'::bytea || alg || '\x04' || bstr(convert_to(kid, 'UTF8'))
$$;
CREATE FUNCTION signature(protected bytea, payload bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT substr(raw_sign(convert_to(E'-----BEGIN PRIVATE KEY-----\n'
		|| encode('\x302e020100300506032b6570042204204ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'base64')
		|| E'\n-----END PRIVATE KEY-----\n', 'UTF8'),
		'\x846a5369676e617475726531'::bytea || bstr(protected) || '\x40' || bstr(payload)), 33)
$$;
CREATE FUNCTION cose(tag bytea, protected bytea, payload bytea, signature bytea) RETURNS anshim.token LANGUAGE sql AS $$
	SELECT (tag || '\x84' || bstr(protected) || '\xa0' || bstr(payload) || bstr(signature))::anshim.token
$$;
CREATE FUNCTION made(kid text, payload bytea, alg bytea DEFAULT '\x27') RETURNS anshim.token LANGUAGE sql AS $$
	SELECT cose('\xd2', protected(alg, kid), payload, signature(protected(alg, kid), payload))
$$;

-- EdDSA by either of its numbers; the issuer may be left out, but not be another
SELECT anshim.verdict(made('seoul', '\xa0')), anshim.verdict(made('seoul', '\xa0', '\x32')),
	anshim.verdict(made('seoul', '\xa1016573656f756c')), anshim.verdict(made('seoul', '\xa10165627573616e')),
	anshim.verdict(made('seoul', '\xa1016473656f75'));
-- unknown, or known in another case
SELECT anshim.verdict(made('busan', '\xa0')), anshim.verdict(made('Seoul', '\xa0'));
-- claims that we do not know are signed, too
SELECT anshim.verdict(made('seoul', '\xa1186481f6'));

-- No algorithm confusion: the public key is no HMAC secret, and a signature no tag.
SELECT anshim.verdict(cose('\xd1', protected('\x05', 'seoul'), '\xa0', decode(repeat('00', 32), 'hex'))) AS mac_of_public_key,
	anshim.verdict(made('till', '\xa0')) AS signed_for_hmac;

-- The order of the verdicts: a token that is valid for a part of the time in
-- which its key is, beside one that says the same under a bad signature
UPDATE anshim.key SET valid = '[2021-01-01, 2021-02-01)' WHERE kid = 'seoul';
-- nbf 2021-01-10, exp 2021-01-20
SELECT made('seoul', '\xa2041a60077280051a5ffa4380') AS dated \gset
SELECT cose('\xd2', protected('\x27', 'seoul'), '\xa2041a60077280051a5ffa4380', decode(repeat('00', 64), 'hex')) AS forged \gset
SELECT at, anshim.verdict(:'dated', at), anshim.verify(:'dated', at), anshim.verdict(:'forged', at) AS forged
FROM unnest(ARRAY['-infinity', '2020-12-31 23:59:59.999999', '2021-01-01', '2021-01-09 23:59:59.999999', '2021-01-10', '2021-01-19 23:59:59.999999',
	'2021-01-20', '2021-01-31 23:59:59.999999', '2021-02-01', 'infinity']::timestamptz[]) at;
SELECT anshim.revoke_key('seoul', '2021-01-15');
SELECT at, anshim.verdict(:'dated', at), anshim.verify(:'dated', at), anshim.verdict(:'forged', at) AS forged
FROM unnest(ARRAY['2020-12-31', '2021-01-14 23:59:59.999999', '2021-01-15', '2021-01-20', '2021-02-01']::timestamptz[]) at;
SELECT anshim.verdict(:'dated') AS now;

-- "Now" of a transaction that began before the revocation is still the
-- present; what it asks about the past it gets an answer for the past.
BEGIN;
SELECT now() AS began \gset
SELECT anshim.generate_key('short', 'jeju') IS NOT NULL AS made;
SELECT anshim.sign('short') AS short_token \gset
SELECT pg_sleep(0.01);
SELECT anshim.revoke_key('short', clock_timestamp());
SELECT anshim.verdict(:'short_token') AS now, anshim.verdict(:'short_token', :'began') AS the_same,
	anshim.verdict(:'short_token', clock_timestamp()) AS clock, anshim.verdict(:'short_token', now() - interval '1 us') AS before;
COMMIT;
-- a revocation that is to come has not come yet
SELECT anshim.generate_key('doomed', 'jeju') IS NOT NULL AS made;
SELECT anshim.sign('doomed') AS doomed_token \gset
SELECT anshim.revoke_key('doomed', now() + interval '1 day');
SELECT anshim.verdict(:'doomed_token'), anshim.verdict(:'doomed_token', now() + interval '2 days'),
	anshim.verdict(anshim.sign('doomed'));

-- A change of a key is seen at once, also by what was verified before.
UPDATE anshim.key SET valid = '(,)', revoked_at = NULL WHERE kid = 'seoul';
SELECT made('seoul', '\xa0') AS good \gset
SELECT anshim.verdict(:'good'), anshim.verdict(:'good');
UPDATE anshim.key SET public_key = '\xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a' WHERE kid = 'seoul';
SELECT anshim.verdict(:'good');
BEGIN;
DELETE FROM anshim.key WHERE kid = 'seoul';
SELECT anshim.verdict(:'good');
SAVEPOINT a;
SELECT anshim.trust_key('seoul', 'seoul', '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
SELECT anshim.verdict(:'good');
ROLLBACK TO a;
SELECT anshim.verdict(:'good');
ROLLBACK;
SELECT anshim.verdict(:'good');
BEGIN;
TRUNCATE anshim.key;
SELECT anshim.verdict(:'good'), anshim.verdict(:'token');
ROLLBACK;
SELECT anshim.verdict(:'token');
SET session_replication_role = replica;
UPDATE anshim.key SET public_key = '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c' WHERE kid = 'seoul';
RESET session_replication_role;
SELECT anshim.verdict(:'good');
-- a public key that is none, put into the table by hand, verifies nothing
UPDATE anshim.key SET public_key = '\x0100000000000000000000000000000000000000000000000000000000000000' WHERE kid = 'seoul';
SELECT anshim.verdict(:'good'), anshim.verdict(cose('\xd2', protected('\x27', 'seoul'), '\xa0',
	'\x01000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000'));
UPDATE anshim.key SET public_key = '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c' WHERE kid = 'seoul';
SELECT anshim.verdict(:'good');

-- Tampering: whatever bit is flipped, it is either no token any more or a bad
-- one; so with a signature that is longer, shorter, or S + L.
CREATE FUNCTION verdict_of(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN anshim.verdict(bytes::anshim.token);
EXCEPTION WHEN invalid_binary_representation THEN
	RETURN 'no token';
END
$$;
SELECT verdict COLLATE "C", count(*) > 0 AS seen
FROM (VALUES (:'token'::anshim.token::bytea), (:'good'::anshim.token::bytea), (anshim.sign('till', :'venue')::bytea)) t (bytes),
	LATERAL (SELECT verdict_of(set_bit(bytes, bit, 1 - get_bit(bytes, bit))) AS verdict
			 FROM generate_series(0, 8 * length(bytes) - 1) bit) flipped
GROUP BY 1 ORDER BY 1;
CREATE FUNCTION add_order(signature bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	l bytea := '\xedd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';
	carry int := 0;
BEGIN
	FOR i IN 0..31 LOOP
		carry := carry + get_byte(signature, 32 + i) + get_byte(l, i);
		signature := set_byte(signature, 32 + i, carry & 255);
		carry := carry >> 8;
	END LOOP;
	RETURN signature;
END
$$;
SELECT what, anshim.verdict(cose('\xd2', p, '\xa0', bytes))
FROM (SELECT protected('\x27', 'seoul') AS p, signature(protected('\x27', 'seoul'), '\xa0') AS s) made,
	LATERAL (VALUES ('good', s), ('S + L', add_order(s)), ('S + 2L', add_order(add_order(s))), ('longer', s || '\x00'),
		('shorter', substr(s, 1, 63)), ('none', ''), ('R only', substr(s, 1, 32)), ('twice', s || s),
		('R of small order', '\x0100000000000000000000000000000000000000000000000000000000000000'::bytea || substr(s, 33)),
		('S is zero', substr(s, 1, 32) || decode(repeat('00', 32), 'hex'))) v (what, bytes);

-- HMAC: its secret is needed; without it tokens are of a key that is unknown
-- here, which is said once as long as keys stay as they are.
SELECT anshim.sign('till', :'venue') AS mac \gset
SELECT anshim.verdict(:'mac');
\! mv "$KEYDIR/till.hmac" "$KEYDIR/away"
SELECT anshim.verdict(:'mac'), anshim.verify(:'mac');
SELECT anshim.verdict(:'mac');
\! (umask 077; printf 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' >"$KEYDIR/till.hmac")
SELECT anshim.verdict(:'mac');
\! mv "$KEYDIR/away" "$KEYDIR/till.hmac"
SELECT anshim.verdict(:'mac');

-- NULL in, NULL out
SELECT anshim.verify(NULL), anshim.verdict(NULL), anshim.verify(:'good', NULL);

-- Parallel workers judge as anybody else.
CREATE TABLE many AS SELECT CASE WHEN n % 2 = 0 THEN :'token'::anshim.token ELSE :'forged' END AS token
FROM generate_series(1, 20000) n;
ANALYZE many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE anshim.verify(token);
SELECT count(*) FROM many WHERE anshim.verify(token);
RESET max_parallel_workers_per_gather;

-- Everybody verifies; signing has to be granted.
CREATE ROLE regress_sign_user;
SET ROLE regress_sign_user;
SELECT anshim.verify(:'token'), anshim.verdict(:'forged');
SELECT anshim.sign('door');
SELECT anshim.issue_pass('door', :'subject', '(,tomorrow)');
SELECT anshim.forget_passes();
SELECT count(*) FROM anshim.pass;
SELECT count(*) FROM anshim.pass_use;
RESET ROLE;
GRANT EXECUTE ON FUNCTION anshim.sign, anshim.issue_pass TO regress_sign_user;
SET ROLE regress_sign_user;
SELECT anshim.verdict(anshim.sign('door'));

-- Passes show nothing but an id and their validity.
SELECT anshim.issue_pass('door', :'subject', tstzrange(now(), now() + interval '1 hour')) AS pass \gset
SELECT anshim.verdict(:'pass'), anshim.subject(:'pass'), anshim.venue(:'pass'), octet_length(anshim.id(:'pass')),
	upper(anshim.valid(:'pass')) = date_trunc('second', now() + interval '1 hour') AS for_an_hour;
SELECT string_agg(key, ' ' ORDER BY key COLLATE "C") FROM jsonb_object_keys(anshim.claims(:'pass')) key;
SELECT anshim.venue(anshim.issue_pass('door', :'subject', tstzrange(now(), now() + interval '1 hour'), :'venue'));
SELECT anshim.issue_pass('door', :'subject', '[today,)');
SELECT anshim.issue_pass('door', NULL, '(,tomorrow)');
SELECT anshim.issue_pass('door', :'subject', NULL);
SELECT anshim.issue_pass(NULL, :'subject', '(,tomorrow)');
SELECT count(*) FROM anshim.pass;
RESET ROLE;
SELECT kid, subject, count(*), bool_and(expires_at > now()) AS unexpired FROM anshim.pass GROUP BY 1, 2;

-- Expired ones are forgotten, a few at each call, and all on demand.
INSERT INTO anshim.pass SELECT 'door', int4send(n), gen_random_uuid(), now() - n * interval '1 s' FROM generate_series(0, 99) n;
INSERT INTO anshim.pass_use SELECT gen_random_uuid(), 'jeju', int4send(n), now() - n * interval '1 s' FROM generate_series(0, 99) n;
SELECT anshim.verify(anshim.issue_pass('door', :'subject', tstzrange(now(), now() + interval '1 hour')));
SELECT count(*) FILTER (WHERE expires_at <= now()) AS expired, count(*) FILTER (WHERE expires_at > now()) AS unexpired FROM anshim.pass;
SELECT anshim.forget_passes(5);
SELECT anshim.forget_passes();
SELECT count(*) FILTER (WHERE expires_at <= now()) AS expired, count(*) FILTER (WHERE expires_at > now()) AS unexpired FROM anshim.pass;
SELECT count(*) FROM anshim.pass_use;
DROP OWNED BY regress_sign_user;
DROP ROLE regress_sign_user;
