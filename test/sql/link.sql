--
-- Type anshim.link
--
\set hash '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
\set good '7/1/42/' :hash

SET search_path = public, anshim;

-- One text form, that comes out as it went in
SELECT link = :'good' AS same, link::text = :'good' AS same_text, anshim.strand(link), anshim.layout(link), anshim.seq(link), anshim.hash(link)
FROM (SELECT :'good'::anshim.link) l (link);
SELECT ('0/0/1/' || :'hash')::anshim.link AS least,
	('2147483647/2147483647/9223372036854775807/' || repeat('f', 64))::anshim.link AS greatest;

-- Everything else is refused.
CREATE TABLE bad (input text);
INSERT INTO bad SELECT replace(pattern, 'H', :'hash') FROM unnest(ARRAY[
	'', 'H', '7/1/42', '7/1/42/', '7/1/H', '/1/42/H', '7//42/H', '7/1//H', '7/1/42/H/', '7/1/42/H ', ' 7/1/42/H', '7 /1/42/H', E'7/1/42/H\n',
	'-7/1/42/H', '+7/1/42/H', '07/1/42/H', '7/01/42/H', '7/1/042/H', '00/1/42/H', '7.0/1/42/H', '0x7/1/42/H', '7/1/0/H', '7/1/-1/H',
	'2147483648/1/42/H', '7/2147483648/42/H', '7/1/9223372036854775808/H', '7/1/99999999999999999999999999/H', '7-1-42-H', '7/1/42/x', '7/1/42/H0']) pattern;
INSERT INTO bad SELECT '7/1/42/' || left(:'hash', 63) UNION SELECT '7/1/42/' || upper(:'hash') UNION SELECT '7/1/42/' || left(:'hash', 63) || 'g'
	UNION SELECT '7/1/42/\x' || :'hash';
DO $$
DECLARE
	b bad;
BEGIN
	FOR b IN SELECT * FROM bad LOOP
		BEGIN
			PERFORM b.input::anshim.link;
			RAISE WARNING 'taken: %', b.input;
		EXCEPTION WHEN invalid_text_representation THEN
			CONTINUE;
		END;
	END LOOP;
END
$$;
SELECT count(*) FROM bad;
SELECT '7/1/42'::anshim.link;

-- The binary form: 48 bytes, big-endian, and back
SELECT anshim.link_send(:'good');
SELECT pg_column_size(link), typlen, typalign, typstorage FROM (SELECT :'good'::anshim.link) l (link), pg_type WHERE oid = 'anshim.link'::regtype;
CREATE TABLE received (link anshim.link);
-- COPY's header, one row of one field, the trailer
CREATE FUNCTION receive(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	TRUNCATE received;
	EXECUTE format($copy$COPY received FROM PROGRAM 'printf "%s"' (FORMAT binary)$copy$,
		(SELECT string_agg('\\' || lpad(((n / 64) * 100 + (n / 8 % 8) * 10 + n % 8)::text, 3, '0'), '' ORDER BY i)
		 FROM (SELECT i, get_byte(all_bytes, i) AS n
			FROM (SELECT '\x5047434f50590aff0d0a000000000000000000' || int2send(1::int2) || int4send(length(bytes)) || bytes || int2send(-1::int2)) a (all_bytes),
				generate_series(0, length(all_bytes) - 1) i) b));
	RETURN (SELECT link FROM received);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(': ', SQLSTATE, message, nullif(detail, ''));
END
$$;
SELECT receive(anshim.link_send(:'good')) = :'good' AS same;
SELECT name, receive(bytes) FROM (VALUES
	('short', '\x0000000700000001'::bytea),
	('one byte less', substr(anshim.link_send(:'good'), 1, 47)),
	('one byte more', anshim.link_send(:'good') || '\x00'),
	('negative strand', int4send(-1) || int4send(1) || int8send(1) || decode(:'hash', 'hex')),
	('negative layout', int4send(1) || int4send(-1) || int8send(1) || decode(:'hash', 'hex')),
	('seq 0', int4send(1) || int4send(1) || int8send(0) || decode(:'hash', 'hex'))) v (name, bytes);

-- The leaf in the tree: SHA-256 of a zero byte and the hash
SELECT anshim.leaf_hash(:'good') = sha256('\x00' || anshim.hash(:'good')) AS leaf;

-- Order: strand, seq, and then what makes it total
CREATE TABLE link AS
SELECT format('%s/%s/%s/%s', strand, layout, seq, repeat(digit, 64))::anshim.link AS link
FROM unnest(ARRAY[0, 1, 2147483647]) strand, unnest(ARRAY[0, 9]) layout, unnest(ARRAY[1, 2, 9223372036854775807]) seq, unnest(ARRAY['0', '8', 'f']) digit;
SELECT bool_and(link > before) AS ascending FROM (
	SELECT link, lag(link) OVER (ORDER BY anshim.strand(link), anshim.seq(link), anshim.layout(link), anshim.hash(link)) AS before FROM link) l;
SELECT count(*), count(*) FILTER (WHERE (a.link < b.link) = (key_a < key_b) AND (a.link <= b.link) = (key_a <= key_b) AND (a.link = b.link) = (key_a = key_b)
	AND (a.link <> b.link) = (key_a <> key_b) AND (a.link >= b.link) = (key_a >= key_b) AND (a.link > b.link) = (key_a > key_b)) AS agree
FROM (SELECT link, (anshim.strand(link), anshim.seq(link), anshim.layout(link), anshim.hash(link)) AS key_a FROM link) a,
	(SELECT link, (anshim.strand(link), anshim.seq(link), anshim.layout(link), anshim.hash(link)) AS key_b FROM link) b;
SELECT count(DISTINCT anshim.link_cmp(a.link, b.link)), bool_and(sign(anshim.link_cmp(a.link, b.link)) = -sign(anshim.link_cmp(b.link, a.link))) FROM link a, link b;
-- Indexes, hashing and merging
CREATE INDEX ON link (link);
CREATE INDEX ON link USING hash (link);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM link WHERE link < :'good';
SELECT count(*) FROM link WHERE link < :'good';
SELECT count(*) FROM link WHERE link = (SELECT max(link::text)::anshim.link FROM link);
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT count(DISTINCT link), count(DISTINCT anshim.link_hash(link)) = count(DISTINCT link) AS hashes_differ, count(DISTINCT anshim.link_hash_extended(link, 1)) = count(DISTINCT link) AS so_do_others,
	bool_and(anshim.link_hash_extended(link, 0) & 4294967295 = anshim.link_hash(link)::bigint & 4294967295) AS lower_bits_agree
FROM link;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT count(*) FROM link a JOIN link b USING (link);
SET enable_hashjoin = on;
SET enable_mergejoin = off;
SELECT count(*) FROM link a JOIN link b USING (link);
