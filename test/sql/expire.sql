--
-- Lawful expiry: whole sealed segments go, verified first, and the log still
-- proves what it proved
--
\set VERBOSITY terse
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SELECT anshim.generate_key('expiry', 'expiry.example') IS NOT NULL AS key;

CREATE TABLE visit (id bigint, who text, salt uuid DEFAULT gen_random_uuid());
SELECT anshim.expire('visit', now());
SELECT anshim.chain('visit', 'expiry.example/visits');
SELECT anshim.expire('visit', NULL);
SELECT anshim.expire('visit', now()) AS nothing_sealed;

INSERT INTO visit SELECT g, 'old' FROM generate_series(1, 700) g;
SELECT anshim.seal('visit') AS size;
SELECT anshim.checkpoint('visit', 'expiry') AS old \gset
SELECT root AS old_root FROM anshim.block \gset
SELECT clock_timestamp() AS then \gset
INSERT INTO visit SELECT g, 'new' FROM generate_series(701, 1000) g;
SELECT anshim.seal('visit') AS size;
INSERT INTO visit SELECT g, 'unsealed' FROM generate_series(1001, 1005) g;
CREATE TABLE proof AS SELECT link, p.* FROM visit, anshim.inclusion_proof('visit', link) p WHERE id IN (1, 700, 701, 1000);

-- A row that was changed is told of, and nothing goes.
BEGIN;
ALTER TABLE visit DISABLE TRIGGER anshim_guard;
UPDATE visit SET who = 'x' WHERE id = 300;
ALTER TABLE visit ENABLE ALWAYS TRIGGER anshim_guard;
\set ON_ERROR_ROLLBACK on
SELECT anshim.expire('visit', :'then');
\set ON_ERROR_ROLLBACK off
SELECT count(*) FROM visit;
ROLLBACK;

-- Not everybody may.
CREATE ROLE regress_expirer;
GRANT SELECT ON visit TO regress_expirer;
SET ROLE regress_expirer;
SELECT anshim.expire('visit', :'then');
RESET ROLE;
GRANT EXECUTE ON FUNCTION anshim.expire TO regress_expirer;
SET ROLE regress_expirer;
SELECT anshim.expire('visit', :'then');
RESET ROLE;

-- Of the first block all rows go, of the second and the tail none, and the
-- guards are as they were.
SELECT anshim.expire('visit', :'then');
SELECT who, count(*) FROM visit GROUP BY who ORDER BY who;
SELECT anshim.expire('visit', :'then') AS again;
DELETE FROM visit;
SELECT anshim.strand(link) AS strand, kind, detail - 'strands' AS detail, detail->'strands'->0->>'last_seq' AS last_seq
FROM anshim.event WHERE kind = 'expired';

-- The chain is intact, and the checkpoint from before still proves, as do
-- proofs, old ones and new ones.
SELECT * FROM anshim.verify_chain('visit', :'old', vkey => anshim.vkey('visit', 'expiry'));
SELECT anshim.seal('visit') AS size;
SELECT * FROM anshim.verify_chain('visit', :'old', vkey => anshim.vkey('visit', 'expiry'));
SELECT anshim.verify_consistency(old.size, new.size, old.root, new.root, anshim.consistency_proof('visit', old.size, new.size))
FROM anshim.block old, anshim.block new WHERE (old.block, new.block) IN ((1, 2), (2, 3), (1, 3)) AND new.chain = old.chain;
SELECT anshim.verify_inclusion(anshim.leaf_hash(link), index, p.size, path, root)
FROM proof p JOIN anshim.block b USING (size) ORDER BY index;
SELECT anshim.verify_inclusion(anshim.leaf_hash(link), n.index, n.size, n.path, l.root)
FROM visit v, anshim.inclusion_proof('visit', link) n JOIN anshim.block l USING (size) WHERE v.id IN (701, 1000, 1005);
SELECT index FROM anshim.inclusion_proof('visit', (SELECT link FROM proof ORDER BY index LIMIT 1));

-- Rows come after those that went, and go as well in their time.
INSERT INTO visit SELECT g, 'later' FROM generate_series(2001, 2010) g;
SELECT anshim.seal('visit') AS size;
SELECT anshim.expire('visit', 'infinity');
SELECT count(*) FROM visit;
INSERT INTO visit VALUES (3001, 'last');
SELECT anshim.seal('visit') = 1020 AS grown;
SELECT * FROM anshim.verify_chain('visit', :'old', vkey => anshim.vkey('visit', 'expiry'));
SELECT anshim.verify_consistency(old.size, new.size, old.root, new.root, anshim.consistency_proof('visit', old.size, new.size))
FROM anshim.block old, anshim.block new WHERE old.block = 1 AND new.size = (SELECT max(size) FROM anshim.block);

-- What a row held cannot be put back: its place is not there any more.
BEGIN;
ALTER TABLE visit DISABLE TRIGGER zz_anshim_append;
INSERT INTO visit SELECT 1, 'old', gen_random_uuid(), link FROM proof ORDER BY link LIMIT 1;
ALTER TABLE visit ENABLE ALWAYS TRIGGER zz_anshim_append;
SELECT finding, seq FROM anshim.verify_chain('visit', known_events => 1000);
ROLLBACK;

-- Nor can what an expiry has left behind be edited: nodes of the tree, where
-- strands begin now, and the event that says so.
CREATE PROCEDURE tamper(what text, sql text) LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE sql;
	SELECT coalesce(string_agg(DISTINCT finding, ', '), 'nothing') INTO result FROM anshim.verify_chain('visit');
	RAISE INFO '%: %', what, result;
	ROLLBACK;
END $$;
SELECT chain FROM anshim.chained WHERE target = 'visit'::regclass \gset
SELECT format('chain = %L', :'chain') AS mine \gset
SELECT 'UPDATE anshim.kept SET hash = sha256(hash) WHERE ' || :'mine' AS node, 'DELETE FROM anshim.kept WHERE ' || :'mine' AS no_node,
	'UPDATE anshim.expired SET last_seq = last_seq - 1 WHERE ' || :'mine' AS record, 'UPDATE anshim.expired SET last_hash = sha256(last_hash) WHERE ' || :'mine' AS hash,
	'DELETE FROM anshim.expired WHERE ' || :'mine' AS no_record,
	'UPDATE anshim.event SET detail = jsonb_set(detail, ''{rows}'', ''1'') WHERE kind = ''expired'' AND ' || :'mine' AS event,
	'DELETE FROM anshim.event WHERE kind = ''expired'' AND ' || :'mine' AS no_event \gset
CALL tamper('nothing', 'SELECT');
CALL tamper('kept nodes', :'node');
CALL tamper('kept nodes gone', :'no_node');
CALL tamper('the record of an expiry', :'record');
CALL tamper('its hash', :'hash');
CALL tamper('the record gone', :'no_record');
CALL tamper('the event of an expiry', :'event');
CALL tamper('the event gone', :'no_event');

-- Partitions go whole, if they are past and all of their rows go; their space
-- is free at once.
CREATE TABLE day (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE day1 PARTITION OF day FOR VALUES FROM ('2021-03-01') TO ('2021-03-02');
CREATE TABLE day2 PARTITION OF day FOR VALUES FROM ('2021-03-02') TO ('2021-03-03');
CREATE TABLE days PARTITION OF day FOR VALUES FROM ('2021-03-03') TO (MAXVALUE);
SELECT anshim.chain('day');
INSERT INTO day SELECT g, '2021-03-01 12:00' FROM generate_series(1, 500) g;
INSERT INTO day SELECT g, '2021-03-03 12:00' FROM generate_series(501, 600) g;
SELECT anshim.seal('day') AS size;
SELECT clock_timestamp() AS then \gset
INSERT INTO day SELECT g, '2021-03-02 12:00' FROM generate_series(601, 700) g;
SELECT anshim.seal('day') AS size;
SELECT anshim.expire('day', :'then');
SELECT relid::regclass FROM pg_partition_tree('day') WHERE isleaf ORDER BY 1;
SELECT tableoid::regclass, count(*) FROM day GROUP BY 1 ORDER BY 1;
SELECT * FROM anshim.verify_chain('day');

-- Undone as a whole
BEGIN;
SELECT anshim.expire('day', 'infinity');
SELECT count(*) FROM day;
ROLLBACK;
SELECT count(*) FROM day;
SELECT * FROM anshim.verify_chain('day');

DROP OWNED BY regress_expirer;
DROP ROLE regress_expirer;
