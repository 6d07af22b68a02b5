--
-- Tampering, by a superuser who knows how: each kind of it has its finding, and
-- names the row.  Whoever is careful switches triggers off in the catalog, where
-- no event trigger sees it, and on again.
--
\set VERBOSITY terse
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SET client_min_messages = warning;
\set oracle :abs_srcdir '/../test/oracle/links.sql'
\set ECHO errors
\i :oracle
\set ECHO all

-- Two strands (a prepared transaction keeps the first), a whole tile of 256
-- leaves, two blocks, a checkpoint, and a tail that is not sealed yet
CREATE TABLE visit (id bigint PRIMARY KEY, who text, at timestamptz, note text);
SELECT anshim.chain('visit', 'tamper.example/visits');
SELECT anshim.generate_key('tamper', 'tamper.example') IS NOT NULL AS key;
SELECT anshim.vkey('visit', 'tamper') AS vkey \gset
BEGIN;
INSERT INTO visit SELECT g, 'a' || g, '2021-03-01', NULL FROM generate_series(1, 20) g;
PREPARE TRANSACTION 'first';
INSERT INTO visit SELECT g, 'b' || g, '2021-03-01', 'x' FROM generate_series(101, 400) g;
COMMIT PREPARED 'first';
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'tamper') AS old \gset
INSERT INTO visit SELECT g, 'c' || g, '2021-03-02', '' FROM generate_series(401, 410) g;
SELECT anshim.seal('visit');
SELECT anshim.checkpoint('visit', 'tamper') AS checkpoint \gset
INSERT INTO visit SELECT g, 'd' || g, '2021-03-03', '' FROM generate_series(501, 505) g;
SELECT strand, min(first_seq) AS first_seq, max(last_seq) AS last_seq FROM anshim.segment GROUP BY strand ORDER BY strand;

-- Another chain, and one of partitions
CREATE TABLE other (LIKE visit);
SELECT anshim.chain('other');
INSERT INTO other SELECT g, 'o' || g, '2021-03-01', '' FROM generate_series(1, 3) g;
CREATE TABLE day (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE day1 PARTITION OF day FOR VALUES FROM ('2021-03-01') TO ('2021-03-02');
CREATE TABLE day2 PARTITION OF day FOR VALUES FROM ('2021-03-02') TO ('2021-03-03');
SELECT anshim.chain('day');
INSERT INTO day SELECT g, '2021-03-01 12:00' FROM generate_series(1, 5) g;
INSERT INTO day SELECT g, '2021-03-02 12:00' FROM generate_series(6, 9) g;
SELECT anshim.seal('day');
CREATE TYPE kind AS ENUM ('visitor', 'patient');
CREATE TABLE kinds (id int, kind kind);
SELECT anshim.chain('kinds');
INSERT INTO kinds VALUES (1, 'visitor'), (2, 'patient');
-- yesterday's copy
CREATE TABLE yesterday AS SELECT * FROM visit WHERE id <= 400;

-- Where the rows of this test are
SELECT anshim.strand(link) AS strand, min(anshim.seq(link)) AS first_seq, max(anshim.seq(link)) AS last_seq, tableoid::regclass AS leaf
FROM (SELECT tableoid, link FROM visit UNION ALL SELECT tableoid, link FROM other UNION ALL SELECT tableoid, link FROM day) AS row
GROUP BY 1, 4 ORDER BY 1;

SELECT * FROM anshim.verify_chain('visit');
SELECT * FROM anshim.verify_chain('visit', :'old', vkey => :'vkey');
SELECT * FROM anshim.verify_chain('visit', :'checkpoint', vkey => :'vkey');
SELECT * FROM anshim.verify_chain('other');
SELECT * FROM anshim.verify_chain('day');

--
-- The forger
--
CREATE PROCEDURE triggers(state "char") LANGUAGE sql AS $$
	UPDATE pg_trigger SET tgenabled = state WHERE tgname IN ('zz_anshim_append', 'anshim_guard', 'anshim_guard_truncate');
	UPDATE pg_class SET relname = relname WHERE oid IN (SELECT tgrelid FROM pg_trigger);
$$;
CREATE PROCEDURE event_triggers(state "char") LANGUAGE sql AS $$
	UPDATE pg_event_trigger SET evtenabled = state WHERE evtname LIKE 'anshim%'
$$;
CREATE FUNCTION found(target regclass, checkpoint text DEFAULT NULL, vkey text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s %s/%s%s', finding, strand, seq, ' x ' || nullif(n, 1)), '; ' ORDER BY strand NULLS FIRST, seq NULLS FIRST, finding), 'nothing')
	FROM (SELECT finding, strand, seq, count(*) AS n FROM anshim.verify_chain(target, checkpoint, vkey => vkey) GROUP BY finding, strand, seq) AS found
$$;
-- Hash a strand anew, as it is now.
CREATE PROCEDURE relink(target regclass, forged int) LANGUAGE plpgsql AS $$
DECLARE
	id uuid := chain FROM anshim.chained c WHERE c.target = relink.target;
	before bytea := decode(repeat('00', 32), 'hex');
	row record;
BEGIN
	FOR row IN SELECT leaf, link, image FROM images(target, id) WHERE anshim.strand(link) = forged ORDER BY anshim.seq(link) LOOP
		before := sha256('\x02' || uuid_send(id) || int4send(forged) || int4send(anshim.layout(row.link)) || int8send(anshim.seq(row.link))
			|| before || row.image);
		EXECUTE format('UPDATE %s SET link = %L WHERE link OPERATOR(anshim.=) %L', row.leaf,
			regexp_replace(row.link::text, '[^/]*$', encode(before, 'hex')), row.link);
	END LOOP;
END $$;
-- Build the log anew over what is there: tiles of 256 leaves, roots and ends of segments.
CREATE FUNCTION root_of(leaves bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	level bytea[] := leaves;
BEGIN
	WHILE cardinality(level) > 1 LOOP
		level := ARRAY(SELECT CASE WHEN level[i + 1] IS NULL THEN level[i] ELSE sha256('\x01' || level[i] || level[i + 1]) END
					   FROM generate_series(1, cardinality(level), 2) i ORDER BY i);
	END LOOP;
	RETURN level[1];
END $$;
CREATE PROCEDURE reseal(target regclass) LANGUAGE plpgsql AS $$
DECLARE
	id uuid := c.chain FROM anshim.chained c WHERE c.target = reseal.target;
	leaves bytea[];
BEGIN
	UPDATE anshim.segment s SET last_hash = anshim.hash(l.link)
	FROM images(target, id) l WHERE s.chain = id AND s.strand = anshim.strand(l.link) AND s.last_seq = anshim.seq(l.link);
	leaves := ARRAY(SELECT anshim.leaf_hash(l.link) FROM images(target, id) l JOIN anshim.segment s
		ON s.chain = id AND s.strand = anshim.strand(l.link) AND anshim.seq(l.link) BETWEEN s.first_seq AND s.last_seq
		ORDER BY s.first_index + anshim.seq(l.link) - s.first_seq);
	UPDATE anshim.block b SET root = root_of(leaves[1:b.size]) WHERE chain = id;
	UPDATE anshim.tile t SET hashes = root_of(leaves[1:256]) WHERE chain = id AND level = 1;
END $$;

CREATE FUNCTION place(strand int, seq bigint, hash bytea DEFAULT sha256('')) RETURNS anshim.link LANGUAGE sql AS $$
	SELECT format('%s/1/%s/%s', strand, seq, encode(hash, 'hex'))::anshim.link
$$;
CREATE PROCEDURE swap(a bigint, b bigint) LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE swapped ON COMMIT DROP AS
	SELECT v.id, v.who, v.at, v.note, w.link FROM visit v, visit w WHERE (v.id, w.id) IN ((a, b), (b, a));
	DELETE FROM visit WHERE id IN (a, b);
	INSERT INTO visit SELECT * FROM swapped;
END $$;
CREATE TABLE tampering (number int GENERATED ALWAYS AS IDENTITY, what text, target regclass, sql text);
INSERT INTO tampering (what, target, sql) VALUES
-- rows
('nothing', 'visit', 'SELECT'),
('a value', 'visit', $$UPDATE visit SET who = 'x' WHERE id = 7$$),
('a value of the tail', 'visit', $$UPDATE visit SET at = at + '1 us' WHERE id = 503$$),
('NULL instead of nothing', 'visit', $$UPDATE visit SET note = NULL WHERE id = 405$$),
('a row in the middle', 'visit', $$DELETE FROM visit WHERE id = 250$$),
('at the beginning', 'visit', $$DELETE FROM visit WHERE id = 101$$),
('at the sealed end', 'visit', $$DELETE FROM visit WHERE id >= 410$$),
('at the beginning, of what is not sealed', 'other', $$DELETE FROM other WHERE id = 1$$),
('a whole strand', 'visit', $$DELETE FROM visit WHERE id <= 20$$),
('the tail, unseen', 'visit', $$DELETE FROM visit WHERE id >= 503$$),
('two rows change places', 'visit', $$CALL swap(3, 4)$$),
('two rows of two strands', 'visit', $$CALL swap(3, 150)$$),
('a copy of a row of another strand', 'visit', $$INSERT INTO visit SELECT 1003, who, at, note, place(2, 316, anshim.hash(link)) FROM visit WHERE id = 3$$),
('and of another chain', 'visit', $$INSERT INTO visit SELECT 1000 + id, who, at, note, link FROM other$$),
('a backdated row', 'visit', $$INSERT INTO visit VALUES (1000, 'late', '2021-03-01', '', place(2, 316))$$),
('a row without a place', 'visit', $$INSERT INTO visit VALUES (1000, 'late', '2021-03-01', '', place(9, 1))$$),
('a row without a link', 'visit', $$ALTER TABLE visit ALTER link DROP NOT NULL; INSERT INTO visit VALUES (1000, 'late', '2021-03-01', '', NULL)$$),
('a row that the index does not show', 'visit', $$UPDATE pg_index SET indisready = false WHERE indrelid = 'visit'::regclass AND indexprs IS NOT NULL;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass;
	INSERT INTO visit VALUES (1000, 'late', '2021-03-01', '', place(2, 316));
	UPDATE pg_index SET indisready = true WHERE indrelid = 'visit'::regclass AND indexprs IS NOT NULL;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass$$),
('and is a copy', 'visit', $$UPDATE pg_index SET indisready = false WHERE indrelid = 'visit'::regclass;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass;
	INSERT INTO visit SELECT * FROM visit WHERE id = 7;
	UPDATE pg_index SET indisready = true WHERE indrelid = 'visit'::regclass;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass$$),
('a link', 'visit', $$UPDATE visit SET link = place(1, 7) WHERE id = 7$$),
('a second row in the same place', 'visit', $$UPDATE pg_index SET indisunique = false WHERE indrelid = 'visit'::regclass AND indexprs IS NOT NULL;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass;
	INSERT INTO visit SELECT 1007, who, at, note, link FROM visit WHERE id = 7;
	UPDATE pg_index SET indisunique = true WHERE indrelid = 'visit'::regclass AND indexprs IS NOT NULL;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass$$),
('a row of another strand in the index''s place', 'visit', $$CALL relink_unseen(504, place(9, 1))$$),
('a row of an earlier place in the index''s place', 'visit', $$CALL relink_unseen(504, place(2, 5))$$),
('a strand rewritten', 'visit', $$UPDATE visit SET who = 'x' WHERE id = 7; CALL relink('visit', 1)$$),
('a strand rewritten, and the log', 'visit', $$UPDATE visit SET who = 'x' WHERE id = 7; CALL relink('visit', 1); CALL reseal('visit')$$),
('the same, and the checkpoints that are here', 'visit', $$UPDATE visit SET who = 'x' WHERE id = 7; CALL relink('visit', 1); CALL reseal('visit');
	DELETE FROM anshim.checkpoint$$),
('what came after the checkpoint', 'visit', $$UPDATE visit SET who = 'x' WHERE id = 503; CALL relink('visit', 2)$$),
('yesterday''s copy of the table', 'visit', $$DELETE FROM visit; INSERT INTO visit SELECT * FROM yesterday$$),
-- partitions
('a row moved to another partition', 'day', $$INSERT INTO day2 SELECT id, at + '1 day', link FROM day1 WHERE id = 3; DELETE FROM day1 WHERE id = 3$$),
('a row copied to another partition', 'day', $$INSERT INTO day2 SELECT id, at + '1 day', link FROM day1 WHERE id = 3$$),
('a row that belongs into another partition', 'day', $$UPDATE pg_class SET relispartition = false WHERE oid = 'day1'::regclass;
	UPDATE day1 SET at = at + '1 day' WHERE id = 3; CALL relink('day', 4);
	UPDATE pg_class SET relispartition = true WHERE oid = 'day1'::regclass; CALL reseal('day')$$),
('a partition emptied', 'day', $$TRUNCATE day2$$),
('a partition dropped', 'day', $$DROP TABLE day2$$),
('a partition dropped, unseen', 'day', $$CALL event_triggers('D'); DROP TABLE day2; CALL event_triggers('O')$$),
('a partition attached, unseen', 'day', $$CALL event_triggers('D'); CREATE TABLE day3 PARTITION OF day FOR VALUES FROM ('2021-03-03') TO ('2021-03-04'); CALL event_triggers('O')$$),
-- the log
('a block''s root', 'visit', $$UPDATE anshim.block SET root = sha256('x') WHERE block = 1 AND chain = id('visit')$$),
('a block', 'visit', $$DELETE FROM anshim.block WHERE block = 2 AND chain = id('visit')$$),
('the first block', 'visit', $$DELETE FROM anshim.block WHERE block = 1 AND chain = id('visit')$$),
('the last block a million further', 'visit', $$UPDATE anshim.block SET block = 1000002 WHERE block = 2 AND chain = id('visit')$$),
('all segments of a block', 'visit', $$DELETE FROM anshim.segment WHERE block = 2 AND chain = id('visit')$$),
('a block''s size', 'visit', $$UPDATE anshim.block SET size = size - 1 WHERE block = 1 AND chain = id('visit')$$),
('a segment', 'visit', $$UPDATE anshim.segment SET last_seq = 299 WHERE block = 1 AND strand = 2 AND chain = id('visit')$$),
('a stored node', 'visit', $$UPDATE anshim.tile SET hashes = sha256('x') WHERE level = 1 AND chain = id('visit')$$),
('a node of leaves that there are not', 'visit', $$UPDATE anshim.tile SET hashes = hashes || sha256('x') WHERE level = 1 AND chain = id('visit')$$),
('an event', 'visit', $$UPDATE anshim.event SET detail = detail || '{"rows": 1}' WHERE kind = 'chained' AND chain = id('visit')$$),
('an event removed', 'visit', $$DELETE FROM anshim.event WHERE kind = 'layout added' AND chain = id('visit')$$),
('all events', 'visit', $$DELETE FROM anshim.event WHERE chain = id('visit')$$),
('a chain ended, and on again', 'other', $$CREATE TEMP TABLE kept AS SELECT id('other') AS chain;
	SELECT anshim.unchain('other'); UPDATE anshim.chain SET ended_at = NULL WHERE chain = (SELECT chain FROM kept)$$),
('an event of another kind', 'visit', $$UPDATE anshim.event SET kind = 'noted' WHERE kind = 'layout added' AND chain = id('visit')$$),
('a table renamed, unseen', 'other', $$UPDATE pg_class SET relname = 'others' WHERE oid = 'other'::regclass$$),
('and in anshim.chain', 'other', $$UPDATE anshim.chain SET table_name = 'others' WHERE chain = id('other'); UPDATE pg_class SET relname = 'others' WHERE oid = 'other'::regclass$$),
('the origin', 'visit', $$UPDATE anshim.chain SET origin = 'other.example' WHERE chain = id('visit')$$),
('a layout', 'visit', $$UPDATE anshim.layout SET columns = '{id,note,at,who}' WHERE layout = 1 AND chain = id('visit')$$),
('two columns that swap names', 'visit', $$UPDATE pg_attribute SET attname = 'x' WHERE attrelid = 'visit'::regclass AND attname = 'who';
	UPDATE pg_attribute SET attname = 'who' WHERE attrelid = 'visit'::regclass AND attname = 'note';
	UPDATE pg_attribute SET attname = 'note' WHERE attrelid = 'visit'::regclass AND attname = 'x';
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass$$),
('two labels that swap places', 'kinds', $$UPDATE pg_enum SET enumlabel = 'x' WHERE enumtypid = 'kind'::regtype AND enumlabel = 'visitor';
	UPDATE pg_enum SET enumlabel = 'visitor' WHERE enumtypid = 'kind'::regtype AND enumlabel = 'patient';
	UPDATE pg_enum SET enumlabel = 'patient' WHERE enumtypid = 'kind'::regtype AND enumlabel = 'x'$$),
('a column of another type', 'kinds', $$UPDATE pg_attribute SET atttypid = 'oid'::regtype WHERE attrelid = 'kinds'::regclass AND attname = 'id';
	UPDATE pg_class SET relname = relname WHERE oid = 'kinds'::regclass$$),
('an expiry made up', 'visit', $$INSERT INTO anshim.expired SELECT chain, strand, 20, last_hash FROM anshim.segment WHERE strand = 1 AND chain = id('visit');
	DELETE FROM visit WHERE id <= 20$$),
('an expiry beyond what was sealed', 'visit', $$CALL forge_expiry(2, 313)$$),
('an expiry within a segment', 'visit', $$CALL forge_expiry(2, 150)$$),
('a checkpoint''s root', 'visit', $$UPDATE anshim.checkpoint SET root = sha256('x') WHERE size = 332$$),
('a checkpoint replaced', 'visit', $$UPDATE anshim.checkpoint SET note = replace(note, E'\n332\n', E'\n331\n') WHERE size = 332$$),
-- guards
('no column of links', 'other', $$CALL event_triggers('D'); ALTER TABLE other DROP COLUMN link CASCADE; CALL event_triggers('O')$$),
('event triggers, switched off', 'other', $$CALL event_triggers('D')$$),
('an event trigger', 'other', $$DELETE FROM pg_event_trigger WHERE evtname = 'anshim_chain_follow'$$),
('no trigger', 'visit', $$DELETE FROM pg_trigger WHERE tgname = 'anshim_guard' AND tgrelid = 'visit'::regclass$$),
('a trigger, switched off for a row', 'visit', $$ALTER TABLE visit DISABLE TRIGGER zz_anshim_append; INSERT INTO visit VALUES (1000, 'late', '2021-03-01', '', place(9, 1));
	ALTER TABLE visit ENABLE ALWAYS TRIGGER zz_anshim_append$$),
('no index of positions', 'visit', $$DO 'BEGIN EXECUTE (SELECT format(''DROP INDEX %s'', indexrelid::regclass) FROM pg_index WHERE indrelid = ''visit''::regclass AND indexprs IS NOT NULL); END'$$);
CREATE FUNCTION id(target regclass) RETURNS uuid LANGUAGE sql AS $$ SELECT chain FROM anshim.chained c WHERE c.target = $1 $$;

-- Remove a strand's beginning, with all that an expiry records of it.
CREATE PROCEDURE forge_expiry(forged int, until bigint) LANGUAGE plpgsql AS $$
DECLARE
	id uuid := id('visit');
	last anshim.link := link FROM visit WHERE (anshim.strand(link), anshim.seq(link)) = (forged, until);
BEGIN
	INSERT INTO anshim.event (chain, at, kind, actor, detail, link)
	SELECT id, now(), 'expired', current_user,
		jsonb_build_object('block', 2, 'rows', until, 'strands', jsonb_build_array(jsonb_build_object('strand', forged, 'first_seq', 1, 'last_seq', until,
			'last_hash', encode(anshim.hash(last), 'hex')))),
		format('0/0/%s/%s', max(anshim.seq(link)) + 1, repeat('0', 64))::anshim.link
	FROM anshim.event WHERE chain = id;
	CALL relink('visit', 0);
	INSERT INTO anshim.expired VALUES (id, forged, until, anshim.hash(last));
	DELETE FROM visit WHERE anshim.strand(link) = forged AND anshim.seq(link) <= until;
END $$;

-- Give a row another link, while its index takes no notice: a HOT update.
CREATE PROCEDURE relink_unseen(row_id bigint, forged anshim.link) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE pg_index SET indislive = false WHERE indrelid = 'visit'::regclass AND indexprs IS NOT NULL;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass;
	UPDATE visit SET link = forged WHERE id = row_id;
	UPDATE pg_index SET indislive = true WHERE indrelid = 'visit'::regclass AND indexprs IS NOT NULL;
	UPDATE pg_class SET relname = relname WHERE oid = 'visit'::regclass;
END $$;

-- Each is done, looked at without and with the checkpoint that was kept outside,
-- and taken back.  Findings are followed by strand and seq.
CREATE PROCEDURE tamper(vkey text, checkpoint text) LANGUAGE plpgsql AS $$
DECLARE
	t tampering;
	result text;
BEGIN
	FOR t IN SELECT * FROM tampering ORDER BY number LOOP
		BEGIN
			CALL triggers('D');
			EXECUTE t.sql;
			CALL triggers('A');
			result := found(t.target) || CASE t.target WHEN 'visit'::regclass THEN ' | ' || found(t.target, checkpoint, vkey) ELSE '' END;
			RAISE EXCEPTION SQLSTATE 'UNDO0';
		EXCEPTION
			WHEN SQLSTATE 'UNDO0' THEN NULL;
			WHEN OTHERS THEN result := SQLERRM;
		END;
		RAISE INFO '%: %', t.what, left(result, 200);
	END LOOP;
END $$;
CALL tamper(:'vkey', :'checkpoint');

-- Verified from a later block on, the nodes before it count as well.
BEGIN;
UPDATE anshim.tile SET hashes = sha256('x') WHERE level = 1 AND chain = id('visit');
SELECT finding, detail FROM anshim.verify_chain('visit', from_block => 2);
ROLLBACK;

-- Nobody has cosigned it.
SELECT finding, detail FROM anshim.verify_chain('visit', :'checkpoint', vkey => :'vkey', witnesses => ARRAY[anshim.witness_vkey('tamper')], quorum => 1);
SELECT * FROM anshim.verify_chain('visit', :'checkpoint', vkey => :'vkey');
