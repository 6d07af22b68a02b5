--
-- Sealing: blocks, segments and tiles are what docs/formats.md says they are,
-- proofs verify, and what does not verify is not sealed
--
\set VERBOSITY terse
SET client_min_messages = warning;

-- The log by its definition: leaves in the order of blocks, strands and seqs,
-- and the root as RFC 6962 has it.
CREATE TABLE leaf (index bigint PRIMARY KEY, strand int, seq bigint, hash bytea);
CREATE FUNCTION hash_pair(l bytea, r bytea) RETURNS bytea IMMUTABLE RETURN sha256('\x01' || l || r);
CREATE FUNCTION root_of(size bigint) RETURNS bytea STABLE
BEGIN ATOMIC
	WITH RECURSIVE tree (level, index, hash) AS (
		SELECT 0, index, hash FROM leaf WHERE index < size
		UNION ALL
		SELECT level + 1, index / 2, coalesce(hash_pair(hash, right_hash), hash)
		FROM (SELECT level, index, hash, lead(hash) OVER (ORDER BY index) AS right_hash FROM tree) AS pair
		WHERE index % 2 = 0 AND NOT (index = 0 AND right_hash IS NULL))
	SELECT hash FROM tree ORDER BY level DESC LIMIT 1;
END;

CREATE TABLE visit (id bigint PRIMARY KEY, who text, at timestamptz DEFAULT '2021-03-01');
SELECT anshim.chain('visit');
SELECT anshim.seal('visit') AS events_alone;
SELECT anshim.seal('visit') AS nothing_new;

-- Three strands: prepared transactions keep the first two.
INSERT INTO visit SELECT g, 'a' FROM generate_series(1, 5) g;
BEGIN;
INSERT INTO visit SELECT g, 'b' FROM generate_series(11, 13) g;
PREPARE TRANSACTION 'first';
BEGIN;
INSERT INTO visit SELECT g, 'c' FROM generate_series(21, 27) g;
PREPARE TRANSACTION 'second';
INSERT INTO visit VALUES (31, 'd');
SELECT anshim.seal('visit') AS committed_only;
COMMIT PREPARED 'second';
SELECT anshim.seal('visit');
ROLLBACK PREPARED 'first';
INSERT INTO visit VALUES (41, 'e');
SELECT anshim.seal('visit');
SELECT block, strand, first_seq, last_seq, first_index FROM anshim.segment ORDER BY first_index;

-- In one transaction with what it seals, and undone with it
BEGIN;
INSERT INTO visit VALUES (51, 'f');
SELECT anshim.seal('visit') AS own_rows;
SELECT anshim.seal('visit') AS again;
SAVEPOINT s;
INSERT INTO visit VALUES (52, 'g');
SELECT anshim.seal('visit') AS another;
ROLLBACK TO s;
INSERT INTO visit VALUES (53, 'h');
SELECT anshim.seal('visit') AS instead;
ROLLBACK;
SELECT count(*) AS blocks, max(size) AS size FROM anshim.block;
INSERT INTO visit VALUES (51, 'f');

-- Grown to 70,000 leaves, by several blocks
INSERT INTO visit SELECT g, 'many' FROM generate_series(1001, 1300) g;
SELECT anshim.seal('visit');
INSERT INTO visit SELECT g, 'more' FROM generate_series(100001, 100000 + 70000 - (SELECT max(size) FROM anshim.block)) g;
SELECT anshim.seal('visit');
INSERT INTO leaf
SELECT s.first_index + (anshim.seq(link) - s.first_seq), s.strand, anshim.seq(link), anshim.leaf_hash(link)
FROM (SELECT link FROM visit UNION ALL SELECT link FROM anshim.event) AS row
JOIN anshim.segment s ON s.strand = anshim.strand(link) AND anshim.seq(link) BETWEEN s.first_seq AND s.last_seq;

ANALYZE leaf;
CREATE TABLE root AS SELECT size, root_of(size) AS root
FROM (SELECT generate_series(1, 25) UNION SELECT size FROM anshim.block
	  UNION SELECT unnest(ARRAY[255, 256, 257, 318, 512, 65535, 65536, 65537, 69999])) AS s (size);

-- No index is missing, each block ends where it says and has the root of its size,
-- each segment the last link's hash.
SELECT count(*), min(index), max(index) FROM leaf;
SELECT b.block, b.size, max(s.first_index + s.last_seq - s.first_seq + 1) = b.size AS ends, b.root = r.root AS root
FROM anshim.block b JOIN anshim.segment s USING (chain, block) JOIN root r ON r.size = b.size
GROUP BY b.chain, b.block, r.root ORDER BY b.block;
SELECT count(*) AS segments, bool_and(anshim.leaf_hash(link) = hash AND last_hash = anshim.hash(link)) AS last_hashes
FROM anshim.segment s JOIN leaf l ON l.index = s.first_index + s.last_seq - s.first_seq
JOIN (SELECT link FROM visit UNION ALL SELECT link FROM anshim.event) AS row ON anshim.strand(link) = l.strand AND anshim.seq(link) = l.seq;

-- The tiles are those of tlog-tiles' example of this size: 273 nodes, then one.
SELECT level, tile, length(hashes) / 32 AS nodes FROM anshim.tile ORDER BY level, tile;
WITH RECURSIVE tree (level, index, hash) AS (
	SELECT 0, index, hash FROM leaf
	UNION ALL
	SELECT level + 1, index / 2, hash_pair(hash, right_hash)
	FROM (SELECT level, index, hash, lead(hash) OVER (ORDER BY index) AS right_hash FROM tree) AS pair
	WHERE index % 2 = 0 AND right_hash IS NOT NULL
)
SELECT tree.level, count(*), bool_and(substr(hashes, (index % 256 * 32 + 1)::int, 32) = hash) AS stored
FROM tree LEFT JOIN anshim.tile t ON t.level * 8 = tree.level AND t.tile = index / 256
WHERE tree.level % 8 = 0 AND tree.level > 0
GROUP BY tree.level ORDER BY 1;

-- Proofs of inclusion: all of the first block's rows in logs of all sizes, others in some
SELECT count(*), bool_and(anshim.verify_inclusion(anshim.leaf_hash(link), p.index, p.size, p.path, root)) AS verified,
	bool_and(p.index = s.first_index + anshim.seq(link) - s.first_seq AND p.size = n) AS placed
FROM (SELECT size AS n, root FROM root WHERE size BETWEEN 8 AND 25) AS log,
	visit JOIN anshim.segment s ON s.block = 2 AND s.strand = anshim.strand(link) AND anshim.seq(link) <= s.last_seq,
	anshim.inclusion_proof('visit', link, n) AS p;
SELECT count(*), bool_and(anshim.verify_inclusion(anshim.leaf_hash(link), p.index, p.size, p.path, root)) AS verified
FROM (SELECT size AS n, root FROM root WHERE size > 300 AND size <> 512) AS log,
	(SELECT link FROM visit WHERE id % 7777 < 3 UNION ALL SELECT link FROM anshim.event) AS row
	JOIN anshim.segment s ON s.strand = anshim.strand(link) AND anshim.seq(link) BETWEEN s.first_seq AND s.last_seq,
	LATERAL (SELECT * FROM anshim.inclusion_proof('visit', link, n) WHERE s.first_index + anshim.seq(link) - s.first_seq < n) AS p;
SELECT p.index, p.size, cardinality(p.path) FROM visit, anshim.inclusion_proof('visit', link) AS p WHERE id = 1;

-- Proofs of consistency between all of these sizes
SELECT count(*), bool_and(anshim.verify_consistency(a.size, b.size, a.root, b.root, anshim.consistency_proof('visit', a.size, b.size))) AS verified
FROM root a, root b WHERE a.size <= b.size;
SELECT anshim.consistency_proof('visit', 70000) AS same_size, anshim.consistency_proof('visit', 0) AS from_nothing,
	cardinality(anshim.consistency_proof('visit', 17)) AS to_the_newest;

-- What there is no proof of
SELECT anshim.inclusion_proof('visit', link, 70001) FROM visit WHERE id = 1;
SELECT anshim.inclusion_proof('visit', link, -1) FROM visit WHERE id = 1;
SELECT anshim.inclusion_proof('visit', link, 4) FROM visit WHERE id = 5;
SELECT anshim.inclusion_proof('visit', link, 0) FROM visit WHERE id = 5;
SELECT anshim.inclusion_proof('visit', regexp_replace(link::text, '.$', CASE right(link::text, 1) WHEN '0' THEN '1' ELSE '0' END)::anshim.link)
FROM visit WHERE id = 1;
SELECT anshim.inclusion_proof('visit', regexp_replace(link::text, '^\d+', '99')::anshim.link) FROM visit WHERE id = 1;
INSERT INTO visit VALUES (61, 'late');
SELECT anshim.inclusion_proof('visit', link) FROM visit WHERE id = 61;
SELECT anshim.inclusion_proof('visit', NULL);
SELECT anshim.consistency_proof('visit', 20, 10);
SELECT anshim.consistency_proof('visit', NULL);
CREATE TABLE plain (id int);
SELECT anshim.seal('plain');
SELECT anshim.inclusion_proof('plain', link) FROM visit WHERE id = 1;
SELECT anshim.chain('plain');
SELECT anshim.inclusion_proof('plain', link) FROM visit WHERE id = 1;
SELECT anshim.consistency_proof('plain', 0) AS nothing_sealed;

-- Rights: sealing is for those who may execute it, proofs for those who may read links.
CREATE ROLE regress_seal_nobody;
CREATE ROLE regress_seal_sealer;
GRANT EXECUTE ON FUNCTION anshim.seal TO regress_seal_sealer;
SET ROLE regress_seal_nobody;
SELECT anshim.seal('visit');
SELECT anshim.consistency_proof('visit', 1);
RESET ROLE;
GRANT SELECT (link) ON visit TO regress_seal_nobody;
SET ROLE regress_seal_nobody;
SELECT cardinality(anshim.consistency_proof('visit', 1));
SELECT p.index FROM anshim.inclusion_proof('visit', (SELECT link FROM visit LIMIT 1)) AS p;
SET ROLE regress_seal_sealer;
SELECT anshim.seal('visit') AS sealed_by_role;
SELECT anshim.consistency_proof('visit', 1);
RESET ROLE;
BEGIN READ ONLY;
SELECT anshim.seal('visit');
ROLLBACK;

-- Nothing depends on who is first in search_path.
CREATE SCHEMA trap;
CREATE FUNCTION trap.equal(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
CREATE OPERATOR trap.= (FUNCTION = trap.equal, LEFTARG = bigint, RIGHTARG = bigint);
CREATE TABLE trap.block (LIKE anshim.block);
INSERT INTO visit VALUES (71, 'trap');
SET search_path = trap, public, pg_catalog;
SELECT anshim.seal('visit');
RESET search_path;

--
-- What does not verify is not sealed.
--
CREATE VIEW sealed AS SELECT (SELECT count(*) FROM anshim.block) AS blocks, (SELECT count(*) FROM anshim.segment) AS segments,
	(SELECT count(*) FROM anshim.tile) AS tiles;
CREATE TABLE before AS SELECT * FROM sealed;
INSERT INTO visit SELECT g, 'new' FROM generate_series(81, 85) g;
CREATE VIEW place AS SELECT id, anshim.strand(link) AS strand, anshim.seq(link) AS seq FROM visit;
SELECT id, strand, seq FROM place WHERE id IN (81, 85) ORDER BY id;
\set VERBOSITY default

\echo changed before it was sealed
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
UPDATE visit SET who = 'forged' WHERE id = 83;
SELECT anshim.seal('visit');
ROLLBACK;
\echo removed before it was sealed
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
DELETE FROM visit WHERE id = 83;
SELECT anshim.seal('visit');
ROLLBACK;
\echo swapped
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
UPDATE visit v SET who = o.who, id = -o.id FROM visit o WHERE v.id IN (82, 84) AND o.id = 166 - v.id;
SELECT anshim.seal('visit');
ROLLBACK;
\echo sealed rows removed from the end of a strand
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
DELETE FROM visit WHERE id IN (SELECT id FROM place WHERE strand = 2 AND seq > 5);
SELECT anshim.seal('visit');
ROLLBACK;
\echo a sealed link changed
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
UPDATE visit SET link = regexp_replace(link::text, '.$', CASE right(link::text, 1) WHEN '0' THEN '1' ELSE '0' END)::anshim.link WHERE id = 71;
SELECT anshim.seal('visit');
ROLLBACK;
\echo a sealed row removed
BEGIN;
ALTER TABLE visit DISABLE TRIGGER USER;
DELETE FROM visit WHERE id = 71;
SELECT anshim.seal('visit');
ROLLBACK;
\echo a tile edited
BEGIN;
UPDATE anshim.tile SET hashes = set_bit(hashes, 77, 1 - get_bit(hashes, 77)) WHERE level = 2;
SELECT anshim.seal('visit');
ROLLBACK;
\echo a tile cut off
BEGIN;
UPDATE anshim.tile SET hashes = substr(hashes, 1, 32 * 10) WHERE level = 1 AND tile = 1;
SELECT anshim.seal('visit');
ROLLBACK;
BEGIN;
UPDATE anshim.tile SET hashes = substr(hashes, 1, 33) WHERE level = 1 AND tile = 1;
SELECT anshim.seal('visit');
ROLLBACK;
\echo a block edited
BEGIN;
UPDATE anshim.block SET root = sha256(root) WHERE size = (SELECT max(size) FROM anshim.block);
SELECT anshim.seal('visit');
ROLLBACK;
BEGIN;
UPDATE anshim.block SET root = '\x00' WHERE size = (SELECT max(size) FROM anshim.block);
SELECT anshim.seal('visit');
ROLLBACK;
\echo a layout removed
BEGIN;
DELETE FROM anshim.layout WHERE layout = 1;
SELECT anshim.seal('visit');
ROLLBACK;
\echo an event changed
BEGIN;
ALTER TABLE anshim.event DISABLE TRIGGER USER;
UPDATE anshim.event SET actor = 'nobody' WHERE anshim.seq(link) = 2 AND chain = (SELECT chain FROM anshim.chained WHERE target = 'plain'::regclass);
SELECT anshim.seal('plain');
ROLLBACK;

-- None of that has left anything behind, and the rows as they were are sealed.
SELECT before = sealed AS same FROM before, sealed;
SELECT anshim.seal('visit') - size AS sealed FROM anshim.block ORDER BY size DESC LIMIT 1;

-- A row with its link in another partition
CREATE TABLE daily (id int, day date) PARTITION BY LIST (day);
CREATE TABLE daily_1 PARTITION OF daily FOR VALUES IN ('2021-03-01');
CREATE TABLE daily_2 PARTITION OF daily FOR VALUES IN ('2021-03-02');
SELECT anshim.chain('daily');
INSERT INTO daily SELECT g, '2021-03-01' FROM generate_series(1, 3) g;
INSERT INTO daily SELECT g, '2021-03-02' FROM generate_series(4, 6) g;
SELECT anshim.seal('daily');
SELECT s.strand > 0 AS rows, s.last_seq - s.first_seq + 1 AS links FROM anshim.segment s JOIN anshim.chained c USING (chain)
WHERE target = 'daily'::regclass ORDER BY first_index;
SELECT count(*), bool_and(anshim.verify_inclusion(anshim.leaf_hash(link), p.index, p.size, p.path, root)) AS verified
FROM daily, anshim.chained c JOIN anshim.block b USING (chain), anshim.inclusion_proof('daily', link) AS p
WHERE target = 'daily'::regclass;
BEGIN;
ALTER TABLE daily_2 DISABLE TRIGGER USER;
INSERT INTO daily_2 SELECT id, '2021-03-02', link FROM daily_1;
SELECT anshim.seal('daily');
ROLLBACK;


-- Rows under another layout, and the event that there is one
ALTER TABLE daily ADD COLUMN note text DEFAULT 'none';
INSERT INTO daily (id, day, note) VALUES (7, '2021-03-01', 'under layout 2');
SELECT anshim.seal('daily') - (SELECT max(size) FROM anshim.block b JOIN anshim.chained c USING (chain) WHERE target = 'daily'::regclass) AS more;
DROP TABLE visit, plain, daily, before CASCADE;
DROP OWNED BY regress_seal_nobody, regress_seal_sealer;
DROP ROLE regress_seal_nobody, regress_seal_sealer;
