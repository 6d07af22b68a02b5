--
-- anshim.token in indexes, sorts, joins and partitions: whatever the plan, the
-- answer is that of a sequential scan
--
SET search_path = public, anshim;
CREATE EXTENSION amcheck;

-- Tokens that agree in their first bytes, or up to where the shorter ends,
-- with some twice.  The order is that of the bytes.
CREATE TABLE pass (id int GENERATED ALWAYS AS IDENTITY, token anshim.token);
INSERT INTO pass (token)
SELECT ('\xd28446a201270441' || kid || '\xa0' || '\x4b' || '\xa107' || '\x48' || decode(lpad(to_hex(n * 37 % 1000), 16, '0'), 'hex')
	|| set_byte('\x40', 0, 64 + length(signature)) || signature)::anshim.token
FROM generate_series(1, 2500) i, CAST(i % 2000 AS int) n,
	CAST(set_byte('\x00', 0, 97 + n % 3) AS bytea) kid,
	CAST(substr('\x00ff7f8001'::bytea, 1, n % 6) AS bytea) signature;
SELECT count(*), count(DISTINCT token), count(DISTINCT token::bytea) FROM pass;

CREATE FUNCTION answers() RETURNS TABLE (question text, answer text) LANGUAGE plpgsql AS $$
DECLARE
	probe anshim.token;
	op text;
	n bigint;
	ids text;
BEGIN
	FOR probe IN SELECT token FROM pass WHERE id % 211 = 0 ORDER BY id LOOP
		FOREACH op IN ARRAY ARRAY['=', '<', '<=', '>', '>='] LOOP
			EXECUTE format('SELECT count(*), md5(string_agg(id::text, '','' ORDER BY id)) FROM pass WHERE token %s $1', op)
				INTO n, ids USING probe;
			question := op || ' ' || probe;
			answer := n || ' ' || coalesce(ids, '');
			RETURN NEXT;
		END LOOP;
	END LOOP;
END $$;

-- Does a plan of this query have such a step?
CREATE FUNCTION plan_has(query text, step text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ step THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END $$;

CREATE TABLE sequential AS SELECT * FROM answers();
-- The operators mean what they mean of the bytes: no row.
SELECT question, answer FROM sequential,
	CAST(split_part(question, ' ', 1) AS text) op, CAST(substr(question, length(op) + 2) AS anshim.token) probe,
	LATERAL (SELECT count(*), md5(string_agg(id::text, ',' ORDER BY id)) FROM pass
			 WHERE CASE op WHEN '=' THEN token::bytea = probe::bytea WHEN '<' THEN token::bytea < probe::bytea
				WHEN '<=' THEN token::bytea <= probe::bytea WHEN '>' THEN token::bytea > probe::bytea
				ELSE token::bytea >= probe::bytea END) truth (n, ids)
WHERE answer <> n || ' ' || coalesce(ids, '');
SELECT count(*) AS differing FROM pass a, pass b
WHERE (a.token <> b.token) <> (a.token::bytea <> b.token::bytea) AND a.id % 50 = 0;

CREATE INDEX pass_btree ON pass USING btree (token);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT plan_has('SELECT * FROM pass WHERE token < (SELECT token FROM pass WHERE id = 1)', 'Index Scan using pass_btree');
SELECT * FROM answers() EXCEPT SELECT * FROM sequential;
SELECT bt_index_parent_check('pass_btree', true);
-- Equal tokens are equal in all their bytes, so that the index may store them once.
SELECT amproc FROM pg_amproc WHERE amproclefttype = 'anshim.token'::regtype AND amprocnum = 4;

-- An index scan gives the order of the bytes, either way round, and so does a
-- sort, in memory and on disk.
SELECT bool_and(bytes >= before) AS ascending FROM
	(SELECT token::bytea AS bytes, lag(token::bytea) OVER () AS before FROM (SELECT token FROM pass ORDER BY token) s) t;
DROP INDEX pass_btree;
SET work_mem = '64kB';
SELECT bool_and(bytes >= before) AS ascending FROM
	(SELECT token::bytea AS bytes, lag(token::bytea) OVER () AS before FROM (SELECT token FROM pass ORDER BY token) s) t;
RESET work_mem;
SELECT bool_and(bytes <= before) AS descending FROM
	(SELECT token::bytea AS bytes, lag(token::bytea) OVER () AS before FROM (SELECT token FROM pass ORDER BY token DESC) s) t;

CREATE INDEX pass_hash ON pass USING hash (token);
SELECT plan_has('SELECT * FROM pass WHERE token = (SELECT token FROM pass WHERE id = 1)', 'Index Scan using pass_hash');
SELECT question, answer FROM answers() WHERE question LIKE '= %' EXCEPT SELECT * FROM sequential;
DROP INDEX pass_hash;

-- Joins of each kind.
CREATE TABLE pairs (kind text, n bigint);
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT plan_has('SELECT count(*) FROM pass a JOIN pass b USING (token)', 'Hash Join');
INSERT INTO pairs SELECT 'hash', count(*) FROM pass a JOIN pass b USING (token);
RESET enable_mergejoin; SET enable_hashjoin = off;
SELECT plan_has('SELECT count(*) FROM pass a JOIN pass b USING (token)', 'Merge Join');
INSERT INTO pairs SELECT 'merge', count(*) FROM pass a JOIN pass b USING (token);
RESET ALL;
SET search_path = public, anshim;
INSERT INTO pairs SELECT 'bytes', count(*) FROM pass a JOIN pass b ON a.token::bytea = b.token::bytea;
SELECT count(DISTINCT n) AS "counts, all the same" FROM pairs;

-- Partitions by hash; the hash is the extended one with seed 0.
CREATE TABLE parted (token anshim.token) PARTITION BY HASH (token);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT token FROM pass;
SELECT count(*) AS everything, count(*) FILTER (WHERE tableoid = 'parted_0'::regclass) BETWEEN 1000 AND 1500 AS spread FROM parted;
SELECT count(*) AS differing FROM pass
WHERE token_hash(token) <> (token_hash_extended(token, 0)::bit(64) << 32)::bit(32)::int OR token_hash_extended(token, 1) = token_hash_extended(token, 0);
SELECT count(DISTINCT token_hash(token)) > 0.99 * count(DISTINCT token) AS "hashes well" FROM pass;

-- A unique constraint.
CREATE TABLE single (token anshim.token PRIMARY KEY);
INSERT INTO single SELECT token FROM pass ON CONFLICT DO NOTHING;
SELECT count(*) FROM single;

-- Plans know their statistics.
ANALYZE pass;
SELECT n_distinct <> 0, histogram_bounds IS NOT NULL OR most_common_vals IS NOT NULL FROM pg_stats WHERE tablename = 'pass' AND attname = 'token';
