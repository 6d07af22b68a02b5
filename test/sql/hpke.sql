--
-- Messages sealed to X25519 keys: RFC 9180's test vectors, by whichever of the
-- two implementations was built
--
\set SHOW_CONTEXT never
CREATE FUNCTION seal(public_key bytea, ikm bytea, info bytea, aad bytea, message bytea) RETURNS bytea
AS 'anshim', 'anshim_probe_hpke_seal' LANGUAGE C STRICT;
CREATE FUNCTION open(pem bytea, info bytea, aad bytea, sealed bytea) RETURNS bytea
AS 'anshim', 'anshim_probe_hpke_open' LANGUAGE C STRICT;
CREATE FUNCTION pem(secret bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT convert_to(E'-----BEGIN PRIVATE KEY-----\n' || encode('\x302e020100300506032b656e04220420'::bytea || secret, 'base64')
		|| E'\n-----END PRIVATE KEY-----\n', 'UTF8')
$$;

-- Appendix A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305,
-- base mode, sequence number 0
CREATE TABLE vector AS SELECT
	'\x4f6465206f6e2061204772656369616e2055726e'::bytea AS info,
	'\x909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b'::bytea AS ikm_e,
	'\x4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a'::bytea AS pk_r,
	'\x8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb'::bytea AS sk_r,
	'\x1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a'::bytea AS enc,
	'\x436f756e742d30'::bytea AS aad,
	'\x4265617574792069732074727574682c20747275746820626561757479'::bytea AS pt,
	'\x1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28'::bytea AS ct;
SELECT seal(pk_r, ikm_e, info, aad, pt) = enc || ct AS sealed, open(pem(sk_r), info, aad, enc || ct) = pt AS opened FROM vector;

-- Every part counts: the key, info, aad, and each bit of what was sealed, the
-- top bit of the encapsulated key's coordinate too, which X25519 ignores.
SELECT open(pem(ikm_e), info, aad, enc || ct) AS other_key, open(pem(sk_r), info || '\x00', aad, enc || ct) AS other_info,
	open(pem(sk_r), info, '\x436f756e742d31', enc || ct) AS other_aad FROM vector;
SELECT count(*), count(open(pem(sk_r), info, aad, set_bit(enc || ct, n, 1 - get_bit(enc || ct, n)))) AS opened
FROM vector, generate_series(0, length(enc || ct) * 8 - 1) n;
SELECT count(*), count(open(pem(sk_r), info, aad, substr(enc || ct, 1, n))) AS opened FROM vector, generate_series(0, length(enc || ct) - 1) n;
SELECT open(pem(sk_r), info, aad, enc || ct || '\x00') FROM vector;

-- Lengths, with nothing to bind to
SELECT bool_and(open(pem(sk_r), '', '', seal(pk_r, ikm_e, '', '', m)) = m) AS all_come_back, sum(length(seal(pk_r, ikm_e, '', '', m)) - length(m) - 48) AS off
FROM vector, unnest(ARRAY[1, 15, 16, 17, 63, 64, 65, 1000, 65536]) n, CAST(convert_to(repeat('x', n), 'UTF8') AS bytea) m;

-- Public keys that are none: of small order, in another encoding, too short.
CREATE TABLE bad AS
SELECT * FROM (VALUES
	(1, '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea),
	(2, '\x0100000000000000000000000000000000000000000000000000000000000000'),
	(3, '\xe0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'),
	(4, '\x5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'),
	(5, '\xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	(6, '\xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	(7, '\xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	(8, '\x4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c5966aa'),
	(9, '\x4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c5966')) v (n, point);
DO $$
DECLARE
	n int;
	p bytea;
	detail text;
BEGIN
	FOR n, p IN SELECT bad.n, point FROM bad ORDER BY 1 LOOP
		BEGIN
			PERFORM anshim.trust_key('bad', 'x', p, 'X25519');
			RAISE NOTICE '%: taken', n;
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE NOTICE '%: %', n, detail;
		END;
	END LOOP;
END $$;
-- nor do they open anything as encapsulated keys
SELECT count(*), count(open(pem(sk_r), info, aad, point || ct)) AS opened FROM vector, bad WHERE n <= 7;
