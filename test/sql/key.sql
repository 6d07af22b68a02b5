--
-- Keys: making, adopting, trusting and revoking them
--
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir

-- Without a directory nothing is made; it has to be an absolute path that only
-- superusers set.
SELECT anshim.generate_key('door', 'jeju');
SELECT anshim.adopt_key('door', 'jeju');
SET anshim.key_directory = 'keys';
SET anshim.key_directory = '/nowhere/at/all';
SELECT anshim.generate_key('door', 'jeju');
SET anshim.key_directory = '/dev/null';
SELECT anshim.generate_key('door', 'jeju');
-- one that a base backup copies
SELECT set_config('anshim.key_directory', current_setting('data_directory'), false) IS NOT NULL AS set;
\set VERBOSITY sqlstate
SELECT anshim.generate_key('door', 'jeju');
\set VERBOSITY default
SELECT count(*) FROM anshim.key;

\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';

-- An Ed25519 key: its public half is shown, its secret is in a file of its own.
SELECT octet_length(anshim.generate_key('door', 'jeju'));
SELECT kid, issuer, algorithm, octet_length(public_key), valid, revoked_at, added_at <= now() AS added FROM anshim.key;
\! cd "$KEYDIR" && stat -c '%n %a' * && head -n 1 door.pem

-- An HMAC key shows nothing.
SELECT anshim.generate_key('Till-2.a_b', 'jeju', 'HMAC 256/256', '[2021-01-01, 2022-01-01)');
SELECT kid, algorithm, public_key, valid FROM anshim.key WHERE kid = 'Till-2.a_b';
\! cd "$KEYDIR" && stat -c '%n %a %s' Till* && grep -cxE '[A-Za-z0-9_-]{43}' Till*

-- Other names of the algorithms
SELECT anshim.generate_key(name, 'jeju', name) IS NULL AS hmac
FROM unnest(ARRAY['ed25519', 'EdDSA', 'hmac', 'HS256', 'hmac-sha256', 'HMAC-SHA-256']) name;
SELECT DISTINCT algorithm, kid ~* 'ed' AS ed FROM anshim.key ORDER BY 1;
SELECT anshim.generate_key('rsa', 'jeju', 'RS256');

-- Names: each only once, none that leads out of the directory.
SELECT anshim.generate_key('door', 'jeju');
SELECT anshim.generate_key('', 'jeju');
SELECT anshim.generate_key('.door', 'jeju');
SELECT anshim.generate_key('../door', 'jeju');
SELECT anshim.generate_key(E'door\n', 'jeju');
SELECT anshim.generate_key('tür', 'jeju');
SELECT anshim.generate_key(repeat('k', 65), 'jeju');
SELECT octet_length(anshim.generate_key(repeat('k', 64), 'jeju'));
SELECT anshim.generate_key('x', '');
SELECT anshim.generate_key('x', repeat('i', 256));
SELECT anshim.generate_key('x', 'jeju', valid => 'empty');
SELECT anshim.generate_key(NULL, 'jeju');
SELECT anshim.generate_key('x', NULL);
SELECT anshim.generate_key('x', 'jeju', NULL);
SELECT anshim.generate_key('x', 'jeju', valid => NULL);

-- Nothing is overwritten, whatever kind of file it is.
\! echo precious >"$KEYDIR/old.pem"; echo precious >"$KEYDIR/old2.uri"; ln -s nowhere "$KEYDIR/old3.hmac"
\set VERBOSITY sqlstate
SELECT anshim.generate_key('old', 'jeju');
SELECT anshim.generate_key('old2', 'jeju');
SELECT anshim.generate_key('old3', 'jeju', 'hmac');
\set VERBOSITY default
\! cat "$KEYDIR"/old*.[pu]*; ls -l "$KEYDIR" | grep -c nowhere

-- What is rolled back leaves no file, by the block or the savepoint; a key
-- made in a savepoint that is released stays.
BEGIN;
SELECT anshim.generate_key('gone', 'jeju') IS NOT NULL;
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT anshim.generate_key('gone2', 'jeju') IS NOT NULL;
ROLLBACK TO a;
SAVEPOINT b;
SELECT anshim.generate_key('stays', 'jeju') IS NOT NULL;
RELEASE b;
COMMIT;
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
SELECT anshim.generate_key('gone3', 'jeju') IS NOT NULL;
RELEASE b;
ROLLBACK TO a;
COMMIT;
\! cd "$KEYDIR" && ls | grep -E 'gone|stays'
SELECT kid FROM anshim.key WHERE kid LIKE 'gone%' OR kid = 'stays';
-- and can be made again
SELECT anshim.generate_key('gone', 'jeju') IS NOT NULL;
BEGIN READ ONLY;
SELECT anshim.generate_key('gone4', 'jeju');
ROLLBACK;
-- two-phase commit would lose sight of the file
BEGIN;
SELECT anshim.generate_key('gone5', 'jeju') IS NOT NULL;
PREPARE TRANSACTION 'key';
\! cd "$KEYDIR" && ls | grep -E 'gone[45]'

-- Trusting another issuer's key
SELECT anshim.trust_key('seoul', 'seoul', '\xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
SELECT anshim.trust_key('busan', 'busan', '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
	valid => '[2021-01-01, 2021-02-01)');
SELECT kid, issuer, algorithm, public_key, valid FROM anshim.key WHERE kid IN ('seoul', 'busan') ORDER BY 1;
SELECT anshim.trust_key('bad', 'x', '\x00');
SELECT anshim.trust_key('bad', 'x', '\x0100000000000000000000000000000000000000000000000000000000000000');
SELECT anshim.trust_key('bad', 'x', '\xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');
SELECT anshim.trust_key('bad', 'x', '\xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hmac');
SELECT anshim.trust_key('seoul', 'x', '\xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
SELECT anshim.trust_key('bad', 'x', NULL);

-- Adopting a key whose file somebody has put there: RFC 8032's first
\! cd "$KEYDIR" && umask 077 && printf -- '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n' >rfc.pem
SELECT anshim.adopt_key('rfc', 'ietf');
-- through a URI, which must not lead around the rules for files
\! cd "$KEYDIR" && umask 077 && echo "file:$KEYDIR/rfc.pem" >by-uri.uri && echo "file://$KEYDIR/open.pem" >open.uri && cp rfc.pem open.pem && chmod 644 open.pem && mv open.pem ../open.pem && echo "file:$KEYDIR/../open.pem" >open.uri
SELECT anshim.adopt_key('by-uri', 'ietf');
\set VERBOSITY sqlstate
SELECT anshim.adopt_key('open', 'ietf');
\! cd "$KEYDIR" && umask 077 && echo "rfc.pem" >bad1.uri && echo "file:rfc.pem" >bad2.uri && echo "nonsense:x" >bad3.uri && : >bad4.uri
SELECT anshim.adopt_key('bad1', 'ietf');
SELECT anshim.adopt_key('bad2', 'ietf');
SELECT anshim.adopt_key('bad3', 'ietf');
SELECT anshim.adopt_key('bad4', 'ietf');
-- HMAC secrets: 32 bytes in base64url, exactly
\! cd "$KEYDIR" && umask 077 && printf 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' >h1.hmac && printf 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n' >h2.hmac && printf 'AAAA\n' >h3.hmac && printf 'AAAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAA\n' >h4.hmac && head -c 20000 /dev/zero >h5.hmac
SELECT anshim.adopt_key('h1', 'shared', 'hmac');
SELECT anshim.adopt_key('h2', 'shared', 'hmac');
SELECT anshim.adopt_key('h3', 'shared', 'hmac');
SELECT anshim.adopt_key('h4', 'shared', 'hmac');
SELECT anshim.adopt_key('h5', 'shared', 'hmac');
SELECT anshim.adopt_key('nothing', 'shared', 'hmac');
\set VERBOSITY default
SELECT kid, algorithm FROM anshim.key WHERE issuer = 'shared' ORDER BY 1;

-- Revoking: from a moment on; again, it can only be moved to an earlier one.
SELECT anshim.revoke_key('seoul', '2021-06-01 12:00+00');
SELECT anshim.revoke_key('seoul', '2021-06-02 12:00+00');
SELECT kid, revoked_at FROM anshim.key WHERE kid = 'seoul';
SELECT anshim.revoke_key('seoul', '2021-05-01 12:00+00');
SELECT kid, revoked_at FROM anshim.key WHERE kid = 'seoul';
SELECT anshim.revoke_key('nobody');
SELECT anshim.revoke_key(NULL);
SELECT anshim.revoke_key('seoul', NULL);
SELECT anshim.revoke_key('door');
SELECT revoked_at <= now() AS revoked FROM anshim.key WHERE kid = 'door';

-- The table's own checks
\set VERBOSITY terse
INSERT INTO anshim.key (kid, issuer, algorithm) VALUES ('a/b', 'x', 'HMAC 256/256');
INSERT INTO anshim.key (kid, issuer, algorithm) VALUES ('a', '', 'HMAC 256/256');
INSERT INTO anshim.key (kid, issuer, algorithm) VALUES ('a', 'x', 'none');
INSERT INTO anshim.key (kid, issuer, algorithm) VALUES ('a', 'x', 'Ed25519');
INSERT INTO anshim.key (kid, issuer, algorithm, public_key) VALUES ('a', 'x', 'Ed25519', '\x00');
INSERT INTO anshim.key (kid, issuer, algorithm, public_key) VALUES ('a', 'x', 'HMAC 256/256', decode(repeat('00', 32), 'hex'));
INSERT INTO anshim.key (kid, issuer, algorithm, valid) VALUES ('a', 'x', 'HMAC 256/256', 'empty');

-- Everybody may read the keys, and nobody else touch them.
CREATE ROLE regress_key_reader;
SET ROLE regress_key_reader;
SELECT count(*) > 5 AS readable FROM anshim.key;
INSERT INTO anshim.key (kid, issuer, algorithm) VALUES ('a', 'x', 'HMAC 256/256');
UPDATE anshim.key SET revoked_at = NULL;
DELETE FROM anshim.key;
SELECT anshim.generate_key('mine', 'me');
SELECT anshim.adopt_key('mine', 'me');
SELECT anshim.trust_key('mine', 'me', '\x00');
SELECT anshim.revoke_key('door');
SET anshim.key_directory = '/tmp';
\set VERBOSITY sqlstate
SHOW anshim.key_directory;
\set VERBOSITY terse
RESET ROLE;
-- EXECUTE is all that it takes.
GRANT EXECUTE ON FUNCTION anshim.generate_key, anshim.revoke_key TO regress_key_reader;
SET ROLE regress_key_reader;
SELECT octet_length(anshim.generate_key('hers', 'her'));
SELECT anshim.revoke_key('hers');
RESET ROLE;
SELECT kid, revoked_at IS NOT NULL AS revoked FROM anshim.key WHERE kid = 'hers';
-- and no search_path leads them astray
CREATE SCHEMA trap;
CREATE FUNCTION trap.gt(timestamptz, timestamptz) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR trap.> (FUNCTION = trap.gt, LEFTARG = timestamptz, RIGHTARG = timestamptz);
SET search_path = trap, pg_catalog;
SELECT anshim.revoke_key('stays');
RESET search_path;
DROP SCHEMA trap CASCADE;
DROP OWNED BY regress_key_reader;
DROP ROLE regress_key_reader;
