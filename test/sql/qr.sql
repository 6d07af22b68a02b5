--
-- QR codes: their shape and size; that readers read them is seen in
-- test/scripts/qr.sh
--
\set SHOW_CONTEXT never
SET search_path = public, anshim;

CREATE FUNCTION head(major int, n int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN n < 24 THEN set_byte('\x00', 0, major + n)
				WHEN n < 256 THEN set_byte(set_byte('\x0000', 0, major + 24), 1, n)
				ELSE set_byte('\x00', 0, major + 25) || substr(int4send(n), 3) END $$;
-- A venue's token with all claims that sign() writes: issuer, from when to
-- when, when it was made, 16 random bytes, and the venue.
CREATE FUNCTION venue_token(kid_length int, issuer_length int) RETURNS anshim.token LANGUAGE sql IMMUTABLE AS $$
	SELECT ('\xd284'::bytea || head(64, length(header)) || header || '\xa0' || head(64, length(payload)) || payload
		|| '\x5840' || decode(repeat('5a', 64), 'hex'))::anshim.token
	FROM CAST('\xa2012704'::bytea || head(64, kid_length) || convert_to(repeat('k', kid_length), 'UTF8') AS bytea) header,
		CAST('\xa601'::bytea || head(96, issuer_length) || convert_to(repeat('i', issuer_length), 'UTF8') ||
			 '\x041a60000000 051a5f000000 061a5f000000 0750000102030405060708090a0b0c0d0e0f
				3a00010000 d82550 c0ffee00112233445566778899aabbcc' AS bytea) payload $$;
-- A token with so long an id.
CREATE FUNCTION long_token(id_length int) RETURNS anshim.token LANGUAGE sql IMMUTABLE AS $$
	SELECT ('\xd28446a20127044131a0'::bytea || head(64, length(payload)) || payload || '\x40')::anshim.token
	FROM CAST('\xa107'::bytea || head(64, id_length) || decode(repeat('5a', id_length), 'hex') AS bytea) payload $$;
-- The version of a symbol from its modules a side, quiet zone and all.
CREATE FUNCTION qr_version(token anshim.token) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT (length(split_part(anshim.qr(token), E'\n', 1)) - 8 - 17) / 4 $$;

-- A venue's token fits version 10, as long as the key's and the issuer's names
-- have no more than 60 characters together.
SELECT kid, issuer, length(token::bytea) AS bytes, length(token::text) AS characters, qr_version(token) AS version
FROM (VALUES (7, 16), (14, 25), (23, 23), (23, 37), (23, 38)) v (kid, issuer), venue_token(kid, issuer) token;

-- Every line is as long as the others; half as many lines as columns, rounded
-- up; four light modules on each side.
SELECT width, array_agg(DISTINCT length(line)) AS lengths, count(*) AS lines,
	bool_and(left(line, 4) = repeat(left(line, 1), 4)) AND bool_and(right(line, 4) = repeat(left(line, 1), 4)) AS sides,
	(array_agg(line))[1] = repeat('█', width) AND (array_agg(line))[2] = repeat('█', width) AS top,
	(array_agg(line))[count(*) - 1] = repeat('█', width) AND (array_agg(line))[count(*)] = repeat('▀', width) AS bottom
FROM qr(venue_token(7, 16)) code, string_to_table(code, E'\n') line, length(split_part(code, E'\n', 1)) width GROUP BY width;
-- Only four characters, and in the inverse the other of each two.
SELECT translate(code, ' ▀▄█' || E'\n', '') = '' AS blocks,
	-- the last line's lower half is outside of the symbol in both
	translate(split_part(code, repeat('▀', 61), 1), ' ▀▄█', '█▄▀ ') = left(inverse, length(split_part(code, repeat('▀', 61), 1))) AS complement
FROM venue_token(7, 16) token, qr(token) code, qr(token, inverse => true) inverse;

-- The SVG is one element, well-formed, of the same width, without a size.
SELECT xml_is_well_formed_document(svg) AS "well-formed",
	(xpath('/s:svg/@viewBox', svg::xml, '{{s,http://www.w3.org/2000/svg}}'))[1] AS "viewBox",
	(xpath('count(/s:svg/@width | /s:svg/@height)', svg::xml, '{{s,http://www.w3.org/2000/svg}}'))[1] AS sizes,
	xml_is_well_formed_content('<svg>' || svg || '</svg>') AS nests
FROM qr_svg(venue_token(7, 16)) svg;
-- It draws what the terminal draws: as many dark modules.
SELECT (SELECT sum(m[1]::int) FROM regexp_matches(svg, 'M\d+ \d+h(\d+)v1h-\d+z', 'g') m)
	= 2 * length(code) - 2 * (lines - 1) - 2 * length(translate(code, '▀▄ ' || E'\n', ''))
		- length(translate(code, '█ ' || E'\n', '')) - width AS same
FROM venue_token(7, 16) token, qr(token) code, qr_svg(token) svg,
	LATERAL (SELECT count(*), max(length(line)) FROM string_to_table(code, E'\n') line) l (lines, width);

-- The same token, the same symbol.
SELECT qr(token) = qr(token) AND qr_svg(token) = qr_svg(token) FROM venue_token(7, 16) token;

-- The largest symbol holds 3391 characters; what has more has none.
SELECT length(long_token(2236)::text), qr_version(long_token(2236)), octet_length(qr_svg(long_token(2236))) > 100000;
SELECT qr(long_token(2237));
SELECT qr_svg(long_token(2238));
SELECT qr_svg(long_token(4000));
SELECT qr(NULL) IS NULL AND qr_svg(NULL) IS NULL AND qr(venue_token(1, 1), NULL) IS NULL;
