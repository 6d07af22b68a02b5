--
-- The type anshim.token: what it takes as text, as bytea and in binary, and
-- what it says of a token
--
\set SHOW_CONTEXT never
\set VERBOSITY default
\getenv data PG_ABS_SRCDIR
\getenv scratch PG_ABS_BUILDDIR
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET search_path = public, anshim;

-- Tokens from their parts; the signature is nonsense, as structure is all
-- that input looks at.
CREATE FUNCTION bstr(content bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN length(content) < 24 THEN set_byte('\x00', 0, 64 + length(content))
				WHEN length(content) < 256 THEN '\x58' || set_byte('\x00', 0, length(content))
				ELSE '\x59' || substr(int4send(length(content)), 3) END || content $$;
CREATE FUNCTION cose(payload bytea, header bytea DEFAULT '\xa20127044773656f756c2d31',
					 head bytea DEFAULT '\xd284', unprotected bytea DEFAULT '\xa0',
					 signature bytea DEFAULT '\x0102030405') RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT head || bstr(header) || unprotected || bstr(payload) || bstr(signature) $$;

-- Base45 by the book, to have a second opinion.
CREATE FUNCTION base45(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	alphabet text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
	result text := '';
	n int;
BEGIN
	FOR i IN 0 .. length(bytes) - 1 BY 2 LOOP
		IF i = length(bytes) - 1 THEN
			n := get_byte(bytes, i);
			result := result || substr(alphabet, n % 45 + 1, 1) || substr(alphabet, n / 45 + 1, 1);
		ELSE
			n := get_byte(bytes, i) * 256 + get_byte(bytes, i + 1);
			result := result || substr(alphabet, n % 45 + 1, 1) || substr(alphabet, n / 45 % 45 + 1, 1)
				|| substr(alphabet, n / 2025 + 1, 1);
		END IF;
	END LOOP;
	RETURN result;
END $$;

-- A token with all that anshim knows.
CREATE TABLE pass AS SELECT cose('\xa7
	01 78 19 68747470733a2f2f6865616c74682e6578616d706c652e6b72
	04 1a 60000000  05 1a 5f000000  06 1a 5f000001
	07 50 000102030405060708090a0b0c0d0e0f
	3a 00010000 d825 50 c0ffee00112233445566778899aabbcc
	3a 00010001 d825 50 deadbeef001122334455667788990011') AS bytes;
ALTER TABLE pass ADD token anshim.token;
UPDATE pass SET token = bytes::anshim.token;

\pset format unaligned
\x on
SELECT token, anshim.venue(token), anshim.subject(token), anshim.id(token), anshim.kid(token),
	anshim.issuer(token), anshim.valid(token), jsonb_pretty(anshim.claims(token)) AS claims FROM pass;
\x off
\pset format aligned

-- Text and bytes come back as they were.
SELECT token::bytea = bytes AS bytea, token::text = 'ANSHIM1:' || base45(bytes) AS text,
	token::text::anshim.token::bytea = bytes AS "text again", anshim.token(bytes) = token AS function
FROM pass;

-- A token without any claim.
SELECT anshim.venue(token), anshim.subject(token), anshim.id(token), anshim.kid(token), anshim.issuer(token),
	anshim.valid(token), anshim.claims(token)
FROM CAST(cose('\xa0') AS anshim.token) AS token;

-- NULL in, NULL out.
SELECT num_nonnulls(anshim.venue(NULL), anshim.subject(NULL), anshim.id(NULL), anshim.kid(NULL), anshim.issuer(NULL),
	anshim.valid(NULL), anshim.claims(NULL), anshim.token(NULL), anshim.bytea(NULL), NULL::anshim.token = NULL);

-- Validity: from nbf on, until just before exp; the first and the last moments
-- that there are; and never, if it ends before it begins.
SELECT anshim.valid(cose(payload)::anshim.token) FROM (VALUES
	('\xa1 04 00'::bytea), ('\xa1 05 00'), ('\xa2 04 01 05 00'), ('\xa2 04 00 05 00'), ('\xa2 04 00 05 01'),
	('\xa2 04 1b 00000863b432d9ff 05 3b 0000003118a411ff')) v (payload);
SELECT lower(r) = '4714-11-24 00:00:00+00 BC' AS first, upper(r) = '294276-12-31 23:59:59+00' AS last
FROM anshim.valid(cose('\xa2 04 1b 00000863b432d9ff 05 3b 0000003118a411ff')::anshim.token) r;

-- The algorithms, each with its structure.
SELECT octet_length(token::bytea) FROM (VALUES
	('\xd284'::bytea, '\xa2 01 27 04 41 31'::bytea), ('\xd284', '\xa2 01 32 04 41 31'), ('\xd184', '\xa2 01 05 04 41 31')) v (head, header),
	CAST(cose('\xa0', header, head) AS anshim.token) AS token;

--
-- Text that is no token
--
SELECT ''::anshim.token;
SELECT 'ANSHIM1'::anshim.token;
SELECT 'anshim1:'::anshim.token;
SELECT ' ANSHIM1:'::anshim.token;
SELECT 'HC1:6BF+70790T9WJWG.FKY*4GO0.O1CV2'::anshim.token;
SELECT 'ANSHIM1:'::anshim.token;
SELECT 'ANSHIM1:A'::anshim.token;
SELECT 'ANSHIM1:rrq'::anshim.token;
SELECT 'ANSHIM1:RRQ_'::anshim.token;
SELECT 'ANSHIM1:RRQ::'::anshim.token;
SELECT 'ANSHIM1:GGW'::anshim.token;
SELECT ('ANSHIM1:' || base45(cose('\xa0')) || ' ')::anshim.token;
SELECT ('ANSHIM1:' || base45(cose('\xa0') || '\x00'))::anshim.token;
SELECT ('ANSHIM1:' || repeat('0', 6145))::anshim.token;

-- Nor are these bytes. An error never shows the token.
SELECT '\x'::bytea::anshim.token;
SELECT substr(cose('\xa0'), 2)::anshim.token;
SELECT cose('\xa0', head => '\xd81284')::anshim.token;
SELECT cose('\xa0', head => '\xd385')::anshim.token;
SELECT cose('\xa0', head => '\xd29f')::anshim.token;
SELECT cose('\xa0', head => '\xd28400')::anshim.token;
SELECT cose('\xa0', header => '\xa1 01 27')::anshim.token;
SELECT cose('\xa0', header => '\xa3 01 27 02 81 04 04 41 31')::anshim.token;
SELECT cose('\xa0', header => '\xa2 01 26 04 41 31')::anshim.token;
SELECT cose('\xa0', header => '\xa2 01 05 04 41 31')::anshim.token;
SELECT cose('\xa0', header => '\xa2 01 27 04 41 31', head => '\xd184')::anshim.token;
SELECT cose('\xa0', header => '\xa2 01 27 04 45 2e2e2f6161')::anshim.token;
SELECT cose('\xa0', unprotected => '\xa1 04 41 31')::anshim.token;
SELECT cose('\x80')::anshim.token;
SELECT cose('\xa1 61 61 00')::anshim.token;
SELECT cose('\xa2 05 00 04 00')::anshim.token;
SELECT cose('\xa2 04 00 04 00')::anshim.token;
SELECT cose('\xa1 01 41 61')::anshim.token;
SELECT cose('\xa1 01 61 00')::anshim.token;
SELECT cose('\xa1 01 62 c3 28')::anshim.token;
SELECT cose('\xa1 04 f9 3c00')::anshim.token;
SELECT cose('\xa1 04 1b 00000863b432da00')::anshim.token;
SELECT cose('\xa1 05 3b 0000003118a41200')::anshim.token;
SELECT cose('\xa1 07 61 61')::anshim.token;
SELECT cose('\xa1 3a 00010000 50 c0ffee00112233445566778899aabbcc')::anshim.token;
SELECT cose('\xa1 3a 00010001 d825 4f c0ffee00112233445566778899aabb')::anshim.token;

-- 4096 bytes are a token, 4097 are none, in either form.
SELECT octet_length(cose('\xa1 07' || bstr(content))) AS bytes
FROM CAST(decode(repeat('00', 4064), 'hex') AS bytea) content \gset
SELECT octet_length((cose('\xa1 07' || bstr(decode(repeat('00', 4064 + 4096 - :bytes), 'hex')))::anshim.token)::bytea);
SELECT cose('\xa1 07' || bstr(decode(repeat('00', 4064 + 4097 - :bytes), 'hex')))::anshim.token;
SELECT ('ANSHIM1:' || base45(cose('\xa1 07' || bstr(decode(repeat('00', 4064 + 4097 - :bytes), 'hex')))))::anshim.token;

--
-- Text, bytea and binary input accept the same, and only as they should
--
CREATE TABLE received (token anshim.token);
CREATE FUNCTION attempt(form text, bytes bytea, path text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	CASE form
		WHEN 'text' THEN PERFORM CAST('ANSHIM1:' || base45(bytes) AS anshim.token);
		WHEN 'bytea' THEN PERFORM CAST(bytes AS anshim.token);
		WHEN 'binary' THEN
			EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', bytes, path);
			EXECUTE format('COPY received FROM %L (FORMAT binary)', path);
	END CASE;
	RETURN 'accept';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || said;
END $$;

-- Every item of the list as the claim 100.
CREATE TABLE item (number int GENERATED ALWAYS AS IDENTITY, verdict text, hex text, remark text);
\set items :data '/data/cbor/items.txt'
CREATE TABLE line (line text);
COPY line FROM :'items' (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
INSERT INTO item (verdict, hex, remark)
SELECT f[1], f[2], f[3] FROM line, string_to_array(line, E'\t') f WHERE line NOT LIKE '#%';
SELECT count(*) > 300 AS "all items" FROM item;

\set path :scratch '/token.bin'
CREATE TABLE answer AS
SELECT item.*, form, attempt(form, cose('\xa1 1864' || decode(hex, 'hex')), :'path') AS answer
FROM item, unnest(ARRAY['text', 'bytea', 'binary']) form;

-- Wrongly judged, or with another SQLSTATE than its form's: none.
SELECT number, verdict, hex, form, answer FROM answer
WHERE CASE verdict WHEN 'accept' THEN answer <> 'accept'
	ELSE answer NOT LIKE CASE form WHEN 'text' THEN '22P02 %' ELSE '22P03 %' END END
ORDER BY number, form;
-- With another reason than in its other forms: none.
SELECT hex, array_agg(DISTINCT substr(answer, 6)) FROM answer
GROUP BY hex, number HAVING count(DISTINCT substr(answer, 6)) > 1 ORDER BY number;
-- What was received is what was sent.
SELECT count(*) = (SELECT count(*) FROM item WHERE verdict = 'accept') AS "all received" FROM received;

-- Accepted ones are shown as the JSON that the list says: none is not.
SELECT hex, anshim.claims(token) -> '100' AS claim, remark FROM item,
	CAST(CASE verdict WHEN 'accept' THEN cose('\xa1 1864' || decode(hex, 'hex')) END AS anshim.token) token
WHERE (anshim.claims(token) -> '100') IS DISTINCT FROM remark::jsonb AND verdict = 'accept';
-- Numbers keep their last digit.
SELECT hex FROM item, CAST(CASE verdict WHEN 'accept' THEN cose('\xa1 1864' || decode(hex, 'hex')) END AS anshim.token) token
WHERE verdict = 'accept' AND remark ~ '^-?[0-9.e-]+$' AND (anshim.claims(token) ->> '100')::numeric <> remark::numeric;
-- whatever the session's taste in numbers
SET extra_float_digits = 0;
SELECT anshim.claims(cose('\xa1 1864 fb 3fb999999999999a')::anshim.token), anshim.claims(cose('\xa1 1864 fb 3fb999999999999b')::anshim.token);
RESET extra_float_digits;

-- Claims have names where RFC 8392 or anshim gives them one, else their number.
SELECT anshim.claims(cose('\xa8 00 00 01 60 02 6161 03 82616241ff 04 20 08 a10102 1bffffffffffffffff 01 3bffffffffffffffff 02')::anshim.token);
-- A bignum as long as a token can hold.
SELECT length(n::text) AS digits, n % 1000000007 AS remainder
FROM CAST(anshim.claims(cose('\xa1 1864 c2' || bstr(decode(repeat('a5', 4000), 'hex')))::anshim.token) ->> '100' AS numeric) n;

--
-- Soft errors, where the server has them (since PostgreSQL 16)
--
SELECT set_config('test.path', :'path', false) = :'path' AS set;
DO $$
DECLARE
	good text;
	valid bool;
	state text;
BEGIN
	IF current_setting('server_version_num')::int < 160000 THEN
		RETURN;
	END IF;
	SELECT token::text INTO good FROM pass;
	EXECUTE 'SELECT pg_input_is_valid($1, ''anshim.token'')' INTO valid USING good;
	ASSERT valid, 'a good token is not valid';
	FOREACH good IN ARRAY ARRAY['', 'ANSHIM1:', 'ANSHIM1:RRQ_', 'ANSHIM1:GGW', good || ' ', good || '000', repeat(good, 100)] LOOP
		EXECUTE 'SELECT pg_input_is_valid($1, ''anshim.token'')' INTO valid USING good;
		ASSERT NOT valid, 'a bad token is valid: ' || good;
		EXECUTE 'SELECT sql_error_code FROM pg_input_error_info($1, ''anshim.token'')' INTO state USING good;
		ASSERT state = '22P02', 'SQLSTATE ' || state;
	END LOOP;

	-- COPY goes on (since PostgreSQL 17)
	IF current_setting('server_version_num')::int < 170000 THEN
		RETURN;
	END IF;
	DELETE FROM received;
	EXECUTE format('COPY (VALUES (%L), (''ANSHIM1:''), (%1$L), ('''')) TO %L', (SELECT token FROM pass), current_setting('test.path'));
	SET LOCAL client_min_messages = warning;
	EXECUTE format('COPY received FROM %L (ON_ERROR ignore)', current_setting('test.path'));
	ASSERT (SELECT array_agg(token) = ARRAY[(SELECT token FROM pass), (SELECT token FROM pass)] FROM received), 'COPY did not go on';
END $$;

--
-- Casts are never implicit, and tables of tokens can be large and compressed
--
SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod
FROM pg_cast WHERE 'anshim.token'::regtype IN (castsource, casttarget) ORDER BY 1;
INSERT INTO pass (bytes) VALUES ('\x00');
SELECT bytes::anshim.token FROM pass WHERE token IS NULL;
CREATE TABLE long AS SELECT cose('\xa1 07' || bstr(decode(repeat('00', n), 'hex')))::anshim.token AS token FROM generate_series(3900, 4000, 100) n;
SELECT pg_column_size(token) < 200 AS compressed, octet_length(anshim.id(token)), token = token::text::anshim.token AS same FROM long;
