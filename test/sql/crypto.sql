--
-- The crypto layer against published vectors: RFC 8032, Wycheproof
--
CREATE FUNCTION sha256_in_pieces(message bytea, piece int) RETURNS bytea
AS 'anshim', 'anshim_probe_sha256' LANGUAGE C STRICT;
CREATE FUNCTION sign(pem bytea, message bytea) RETURNS bytea
AS 'anshim', 'anshim_probe_sign' LANGUAGE C STRICT;
CREATE FUNCTION verify(public_key bytea, message bytea, signature bytea) RETURNS text
AS 'anshim', 'anshim_probe_verify' LANGUAGE C STRICT;
CREATE FUNCTION hmac(secret bytea, message bytea, tag bytea) RETURNS bool
AS 'anshim', 'anshim_probe_hmac' LANGUAGE C STRICT;
CREATE FUNCTION handles(fail bool) RETURNS int
AS 'anshim', 'anshim_probe_handles' LANGUAGE C STRICT;

-- PKCS #8 around a seed
CREATE FUNCTION pem(seed bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(E'-----BEGIN PRIVATE KEY-----\n'
		|| encode('\x302e020100300506032b657004220420' || seed, 'base64')
		|| E'\n-----END PRIVATE KEY-----\n', 'UTF8')
$$;

-- SHA-256, whole and in pieces of every length, is the server's own
SELECT count(*), bool_and(sha256_in_pieces(m, p) = sha256(m)) AS same
FROM generate_series(1, 70) p, generate_series(0, 260, 13) n, decode(repeat('61', n), 'hex') m;

-- RFC 8032, section 7.1
CREATE TABLE rfc8032 (name text, seed bytea, public_key bytea, message bytea, signature bytea);
INSERT INTO rfc8032 VALUES
('TEST 1', '\x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
 '\xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', '\x',
 '\xe5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'),
('TEST 2', '\x4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
 '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', '\x72',
 '\x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'),
('TEST 3', '\xc5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
 '\xfc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', '\xaf82',
 '\x6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'),
('TEST 1024', '\xf5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
 '\x278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
 '\x08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0',
 '\x0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03'),
('TEST SHA(abc)', '\x833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
 '\xec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
 '\xddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
 '\xdc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704');
SELECT name, sign(pem(seed), message) = public_key || signature AS signed,
	verify(public_key, message, signature)
FROM rfc8032;

-- The same, with each bit of a signature flipped, and of the key, and with a
-- byte more or less
SELECT count(*), bool_or(verify(public_key, message, set_bit(signature, bit, 1 - get_bit(signature, bit))) = 'valid') AS taken
FROM rfc8032, generate_series(0, 511) bit;
SELECT count(*), bool_or(verify(set_bit(public_key, bit, 1 - get_bit(public_key, bit)), message, signature) = 'valid') AS taken
FROM rfc8032, generate_series(0, 255) bit;
SELECT count(*), bool_or(verify(public_key, message || '\x00', signature) = 'valid'
	OR verify(public_key, message, signature || '\x00') = 'valid'
	OR verify(public_key, message, substr(signature, 1, n)) = 'valid') AS taken
FROM rfc8032, generate_series(0, 63) n;

-- S + L signs the same for a verifier that does not look: little-endian
-- addition of the order to the second half.
CREATE FUNCTION add_order(signature bytea, times int) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	l bytea := '\xedd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';
	carry int;
BEGIN
	FOR round IN 1..times LOOP
		carry := 0;
		FOR i IN 0..31 LOOP
			carry := carry + get_byte(signature, 32 + i) + get_byte(l, i);
			signature := set_byte(signature, 32 + i, carry & 255);
			carry := carry >> 8;
		END LOOP;
		EXIT WHEN carry > 0;
	END LOOP;
	RETURN signature;
END
$$;
SELECT count(*), bool_or(verify(public_key, message, add_order(signature, times)) = 'valid') AS taken
FROM rfc8032, generate_series(1, 15) times;

-- Points of small order, and second encodings, are no keys: under the first
-- two, this signature is good for every message where nobody looks.
SELECT answer COLLATE "C", count(*)
FROM (SELECT verify(public_key, 'anything', '\x0100000000000000000000000000000000000000000000000000000000000000'
	'0000000000000000000000000000000000000000000000000000000000000000') AS answer
FROM (VALUES
	('\x0100000000000000000000000000000000000000000000000000000000000000'::bytea),
	('\x0100000000000000000000000000000000000000000000000000000000000080'),
	('\x0000000000000000000000000000000000000000000000000000000000000000'),
	('\x0000000000000000000000000000000000000000000000000000000000000080'),
	('\xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	('\xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'),
	('\x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
	('\x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'),
	('\xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
	('\xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'),
	('\xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	('\xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	('\xf1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
	('\xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'),
	('\x01')) AS bad (public_key)) AS asked
GROUP BY 1 ORDER BY 1;

-- Wycheproof: every case is judged as it says.
\getenv srcdir PG_ABS_SRCDIR
\set ed25519 :srcdir '/data/wycheproof/ed25519_test.json'
\set hmac :srcdir '/data/wycheproof/hmac_sha256_test.json'
CREATE VIEW wycheproof_ed25519 AS
SELECT decode(g->'publicKey'->>'pk', 'hex') AS public_key, decode(t->>'msg', 'hex') AS message,
	decode(t->>'sig', 'hex') AS signature, t->>'result' AS result, t->'flags' AS flags
FROM jsonb_array_elements(pg_read_file(:'ed25519')::jsonb->'testGroups') g, jsonb_array_elements(g->'tests') t;
SELECT result, count(*), verify(public_key, message, signature)
FROM wycheproof_ed25519 GROUP BY 1, 3 ORDER BY 1;
SELECT flag COLLATE "C" AS flag, count(*)
FROM wycheproof_ed25519, jsonb_array_elements_text(flags) flag
WHERE verify(public_key, message, signature) = 'invalid'
GROUP BY 1 ORDER BY 1;

-- HMAC: those with shortened tags are of no use to us, and all refused.
SELECT g->>'tagSize' AS tag_size, t->>'result' AS result, count(*),
	hmac(decode(t->>'key', 'hex'), decode(t->>'msg', 'hex'), decode(t->>'tag', 'hex'))
FROM jsonb_array_elements(pg_read_file(:'hmac')::jsonb->'testGroups') g, jsonb_array_elements(g->'tests') t
GROUP BY 1, 2, 4 ORDER BY 1, 2;

-- What is no secret key says so, and nothing of the bytes.
SELECT sign('not PEM', '');
SELECT sign('', '');
SELECT sign(convert_to(E'-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', 'UTF8'), '');
-- a public key
SELECT sign(convert_to(E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n', 'UTF8'), '');
-- an X25519 key
SELECT sign(convert_to(E'-----BEGIN PRIVATE KEY-----\n' || encode('\x302e020100300506032b656e042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'base64') || E'\n-----END PRIVATE KEY-----\n', 'UTF8'), '');
-- one behind a passphrase, which nobody can be asked for
SELECT sign(convert_to('-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg4byXwBgEKdgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEECAezu+EB6Wg8bWtY9EmAfEEQJJu
cwUXe4AhA+kaErlYwK/p/FQQYoZ3NQ3CSSOX/Cjjs/+JbxWPukgf2WEmqgmyymWX
HwP3iEvLAnn2APU9oLY=
-----END ENCRYPTED PRIVATE KEY-----
', 'UTF8'), '');

-- No error leaves a handle behind, in subtransactions neither.
SELECT handles(false) AS before \gset
SELECT handles(true);
DO $$
BEGIN
	FOR i IN 1..100 LOOP
		BEGIN
			PERFORM handles(true);
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
END
$$;
SELECT handles(false) - :before AS leaked;
