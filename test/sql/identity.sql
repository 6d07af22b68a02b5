--
-- Sealed identities
--
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';

-- An authority's key, here with its secret; and one that signs
SELECT octet_length(anshim.generate_key('kdca', 'kdca', 'X25519')) AS octets;
SELECT anshim.generate_key('door', 'jeju') IS NOT NULL AS made;
SELECT anshim.generate_key('till', 'jeju', 'hmac') IS NULL AS made;
SELECT kid, algorithm, octet_length(public_key) FROM anshim.key ORDER BY 1;
\! cd "$KEYDIR" && stat -c '%n %a' *

CREATE TABLE person (subject uuid PRIMARY KEY, identity bytea);
INSERT INTO person
SELECT subject, anshim.seal_identity('kdca', convert_to('{"name": "Ann", "phone": "+82 10 1234 5678"}', 'UTF8'), uuid_send(subject))
FROM (VALUES ('00000000-0000-0000-0000-00000000000a'::uuid), ('00000000-0000-0000-0000-00000000000b')) v (subject);
SELECT anshim.sealed_to(identity), octet_length(identity) - octet_length('{"name": "Ann", "phone": "+82 10 1234 5678"}') AS longer,
	position('Ann' IN encode(identity, 'escape')) AS readable FROM person;
SELECT count(DISTINCT substr(identity, 7)) AS different FROM person;
SELECT convert_from(anshim.open_identity(identity, uuid_send(subject)), 'UTF8') FROM person;
SELECT anshim.seal_identity('kdca', '\x00', '') <> anshim.seal_identity('kdca', '\x00', '') AS never_twice_the_same;

-- In another's row it does not open, nor if anything of it was changed.
UPDATE person SET identity = (SELECT identity FROM person WHERE subject = '00000000-0000-0000-0000-00000000000a')
WHERE subject = '00000000-0000-0000-0000-00000000000b';
SELECT anshim.open_identity(identity, uuid_send(subject)) FROM person WHERE subject = '00000000-0000-0000-0000-00000000000b';
SELECT anshim.generate_key('kdc', 'kdca', 'X25519') IS NOT NULL AS made;
CREATE FUNCTION outcome(sealed bytea, context bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN 'opened: ' || encode(anshim.open_identity(sealed, context), 'escape');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
-- (a name of another length may, by chance, be one of a key that is not known)
SELECT replace(outcome(set_bit(sealed, n, 1 - get_bit(sealed, n)), 'c'), '42704', '22P03') AS outcome, count(*), min(n), max(n)
FROM (SELECT anshim.seal_identity('kdca', 'Ann', 'c')) s (sealed), generate_series(0, length(sealed) * 8 - 1) n
WHERE n / 8 IN (0, 1) OR n / 8 > 5 GROUP BY 1 ORDER BY 1;
-- a kid that is changed to another key's
SELECT outcome(overlay(sealed PLACING '\x036b6463' FROM 2 FOR 5), 'c') AS other_key, outcome(sealed, 'c') AS itself, outcome(sealed, 'd') AS other_context,
	outcome(sealed || '\x00', 'c') AS longer
FROM (SELECT anshim.seal_identity('kdca', 'Ann', 'c')) s (sealed);
-- bytes that are none
SELECT octets, outcome(octets, '') FROM unnest(ARRAY['', '\x01', '\x0100', '\x02046b646361', '\x01046b646361',
	'\x01046b646361' || decode(repeat('00', 48), 'hex'), '\x01046b646361' || decode(repeat('00', 49), 'hex'),
	'\x01042e2e2f61' || decode(repeat('00', 49), 'hex'), '\x0100' || decode(repeat('00', 49), 'hex'),
	'\x0141' || decode(repeat('61', 65 + 49), 'hex'), '\x01ff' || decode(repeat('61', 60), 'hex')]::bytea[]) octets;
SELECT anshim.sealed_to('\x01046b646361');
SELECT anshim.open_identity('\x01046b646361', '');

-- NULL, and lengths
SELECT anshim.seal_identity('kdca', NULL, '') IS NULL AS nothing, anshim.open_identity(NULL, '') IS NULL AS nothing;
SELECT anshim.seal_identity(NULL, 'x', '');
SELECT anshim.seal_identity('kdca', 'x', NULL);
SELECT anshim.open_identity(identity, NULL) FROM person;
SELECT anshim.seal_identity('kdca', '', '');
SELECT anshim.seal_identity('kdca', decode(repeat('00', 65537), 'hex'), '');
SELECT anshim.open_identity(anshim.seal_identity('kdca', x, x), x) = x AS longest FROM decode(repeat('00', 65536), 'hex') x;

-- Keys: unknown, of another kind, retired, revoked
SELECT anshim.seal_identity('nobody', 'x', '');
SELECT anshim.seal_identity('../kdca', 'x', '');
SELECT anshim.seal_identity('door', 'x', '');
SELECT anshim.seal_identity('till', 'x', '');
SELECT anshim.sign('kdca');
SELECT anshim.issue_pass('kdca', gen_random_uuid(), tstzrange(now(), now() + interval '1 hour'));
SELECT anshim.open_identity('\x0104646f6f72'::bytea || decode(repeat('00', 49), 'hex'), '');
SELECT anshim.seal_identity('kdca', 'kept', '') AS kept \gset
UPDATE anshim.key SET valid = '(,2021-01-01)' WHERE kid = 'kdca';
SELECT anshim.seal_identity('kdca', 'x', '');
UPDATE anshim.key SET valid = '(,)' WHERE kid = 'kdca';
SELECT anshim.revoke_key('kdca', '2021-01-01');
SELECT anshim.seal_identity('kdca', 'x', '');
-- what was sealed before has to be opened later all the same
SELECT convert_from(anshim.open_identity(:'kept', ''), 'UTF8');
-- a token that names such a key is nobody's
SELECT anshim.verdict(('\xd28449a2012704446b646361a041a05840' || decode(repeat('00', 64), 'hex'))::bytea::anshim.token);

-- The authority's secret is elsewhere: its public key is enough to seal.
SELECT anshim.trust_key('who', 'who', '\x4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a', 'X25519');
SELECT anshim.seal_identity('who', 'Ann', 'c') AS sealed \gset
\set VERBOSITY sqlstate
SELECT anshim.open_identity(:'sealed', 'c');
\set VERBOSITY default
-- and its secret opens it, where it is brought
\! cd "$KEYDIR" && umask 077 && printf -- '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIIBXmR7vjx8a8Y9KlJHRahzjM/aV1NuOONp1l1xEeOD7\n-----END PRIVATE KEY-----\n' >who.pem
SELECT convert_from(anshim.open_identity(:'sealed', 'c'), 'UTF8');
-- which can be adopted as well; a key that signs is no such key, and the other way round
DELETE FROM anshim.key WHERE kid = 'who';
SELECT anshim.adopt_key('who', 'who', 'X25519');
\! cd "$KEYDIR" && cp door.pem wrong.pem && cp who.pem wrong2.pem
\set VERBOSITY sqlstate
SELECT anshim.adopt_key('wrong2', 'jeju') IS NULL;
SELECT anshim.adopt_key('wrong', 'who', 'X25519') IS NULL;
\set VERBOSITY default

-- What docs/formats.md shows, sealed long ago, opens for ever.
\! cd "$KEYDIR" && cp who.pem kdca-2026.pem
SELECT anshim.adopt_key('kdca-2026', 'kdca', 'X25519') IS NOT NULL AS adopted;
SELECT convert_from(anshim.open_identity('\x01096b6463612d32303236565a0d698a719e5c9b1b3863bf99c1edb8612ebbe152c1c507628afa4f9da340543c44126ad35d2bbb67524ed7e8a626c90735',
	'\x33cc9f0a6e1b4f5d8a771d2e3f405162'), 'UTF8');

-- Everybody may seal; nobody may open.
CREATE ROLE regress_identity_clerk;
SET ROLE regress_identity_clerk;
SELECT anshim.sealed_to(anshim.seal_identity('who', 'x', ''));
SELECT anshim.open_identity(:'sealed', 'c');
RESET ROLE;
GRANT EXECUTE ON FUNCTION anshim.open_identity TO regress_identity_clerk;
SET ROLE regress_identity_clerk;
SELECT convert_from(anshim.open_identity(:'sealed', 'c'), 'UTF8');
RESET ROLE;
DROP OWNED BY regress_identity_clerk;
DROP ROLE regress_identity_clerk;

-- Each opening leaves a mark, if that is asked for; failures show nothing.
SELECT anshim.create_purpose_log('look');
SET anshim.purpose_log = 'public.look';
SET anshim.require_purpose = on;
SELECT anshim.open_identity(:'sealed', 'c');
SET anshim.purpose = 'outbreak 2026-3';
SELECT convert_from(anshim.open_identity(:'sealed', 'c'), 'UTF8');
BEGIN;
SELECT convert_from(anshim.open_identity(:'sealed', 'c'), 'UTF8');
ROLLBACK;
SELECT anshim.open_identity(:'sealed', 'd');
RESET anshim.require_purpose;
SELECT function, purpose, arguments ->> 'sealed' = :'sealed' AS sealed, arguments ->> 'context' AS context, row_count FROM look;
