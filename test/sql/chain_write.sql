--
-- Whatever a writer does, the strands stay unbroken: every link is recomputed
-- in SQL, and every strand is 1, 2, 3, ...
--
\getenv abs_srcdir PG_ABS_SRCDIR
\set oracle :abs_srcdir '/../test/oracle/links.sql'
SET client_min_messages = warning;
\set ECHO none
\ir :oracle
\set ECHO all
RESET client_min_messages;

CREATE TABLE visit (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	subject text NOT NULL,
	venue text,
	entered_at timestamptz NOT NULL DEFAULT '2021-01-01 12:00+00',
	note jsonb,
	doubled int GENERATED ALWAYS AS (length(subject) * 2) STORED
);
SELECT anshim.chain('visit');

-- The oracle finds fault where there is one, whatever the column.
INSERT INTO visit (subject, venue) VALUES ('ann', 'cafe'), ('ben', 'cafe');
SELECT * FROM findings('visit');
ALTER TABLE visit DISABLE TRIGGER anshim_guard;
BEGIN;
UPDATE visit SET venue = NULL WHERE subject = 'ann';
SELECT leaf, anshim.seq(link), finding FROM findings('visit');
ROLLBACK;
BEGIN;
DELETE FROM visit WHERE subject = 'ann';
SELECT leaf, anshim.seq(link), finding FROM findings('visit');
ROLLBACK;
BEGIN;
UPDATE anshim.event SET detail = detail || '{"rows": 1}' WHERE kind = 'chained';
SELECT leaf, anshim.seq(link), finding FROM findings('visit');
ROLLBACK;
ALTER TABLE visit ENABLE ALWAYS TRIGGER anshim_guard;
SELECT * FROM findings('visit');

-- Whatever link the client sends, it is not taken; that of the row is returned.
INSERT INTO visit (subject, link) SELECT 'cem', link FROM visit WHERE subject = 'ann'
RETURNING anshim.strand(link), anshim.layout(link), anshim.seq(link), length(anshim.hash(link));
INSERT INTO visit (subject, link) VALUES ('dee', NULL) RETURNING anshim.strand(link), anshim.seq(link);

-- Many rows at once, in one strand, in the order in which they come
INSERT INTO visit (subject) VALUES ('eve'), ('fay'), ('gus');
INSERT INTO visit (subject, venue, note) SELECT subject, venue, jsonb_build_object('again', id) FROM visit ORDER BY id;
COPY visit (subject, venue, note) FROM stdin;
hal	\N	{"b": 1, "a": 2}
ida	bar	\N
joe		[]
\.
SELECT anshim.strand(link), anshim.seq(link), subject, venue, note FROM visit WHERE anshim.seq(link) > 6 ORDER BY link;
SELECT * FROM findings('visit');

-- ON CONFLICT: what is not inserted takes no place.
INSERT INTO visit (id, subject) OVERRIDING SYSTEM VALUE VALUES (1, 'kim'), (100, 'kim'), (2, 'lea'), (101, 'lea') ON CONFLICT DO NOTHING
RETURNING anshim.seq(link), subject;
INSERT INTO visit (id, subject) OVERRIDING SYSTEM VALUE VALUES (100, 'max') ON CONFLICT (id) DO NOTHING RETURNING link;
INSERT INTO visit (id, subject) OVERRIDING SYSTEM VALUE VALUES (102, 'max') ON CONFLICT (id) DO NOTHING RETURNING anshim.seq(link), subject;
INSERT INTO visit (id, subject) OVERRIDING SYSTEM VALUE VALUES (103, 'nan'), (1, 'nan') ON CONFLICT (id) DO UPDATE SET subject = 'nan';
SELECT * FROM findings('visit');

-- Updates, deletes and TRUNCATE are refused, also where nothing would change,
-- and by way of others.
UPDATE visit SET venue = venue WHERE id = 1;
DELETE FROM visit WHERE id = 1;
TRUNCATE visit;
UPDATE visit SET venue = venue WHERE false;
WITH gone AS (DELETE FROM visit RETURNING *) INSERT INTO visit (subject) SELECT subject FROM gone;
MERGE INTO visit v USING (VALUES (1)) s (id) ON v.id = s.id WHEN MATCHED THEN DELETE;
MERGE INTO visit v USING (VALUES (1), (200)) s (id) ON v.id = s.id WHEN NOT MATCHED THEN INSERT (subject) VALUES ('ole');
SET session_replication_role = replica;
DELETE FROM visit WHERE id = 1;
INSERT INTO visit (subject) VALUES ('pam');
RESET session_replication_role;
SELECT * FROM findings('visit');

-- Savepoints and blocks with exception handlers
BEGIN;
INSERT INTO visit (subject) VALUES ('s1');
SAVEPOINT a;
INSERT INTO visit (subject) VALUES ('lost'), ('lost');
SAVEPOINT b;
INSERT INTO visit (subject) VALUES ('lost');
ROLLBACK TO b;
INSERT INTO visit (subject) VALUES ('lost');
ROLLBACK TO a;
INSERT INTO visit (subject) VALUES ('s2');
RELEASE a;
SAVEPOINT c;
INSERT INTO visit (subject) VALUES ('s3');
RELEASE c;
INSERT INTO visit (subject) VALUES ('s4');
COMMIT;
BEGIN;
SAVEPOINT a;
INSERT INTO visit (subject) VALUES ('lost');
ROLLBACK TO a;
INSERT INTO visit (subject) VALUES ('s5');
COMMIT;
DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN
			INSERT INTO visit (id, subject) OVERRIDING SYSTEM VALUE VALUES (1000 + i / 2, 'blocks');
		EXCEPTION WHEN unique_violation THEN
			INSERT INTO visit (subject) VALUES ('handler');
		END;
	END LOOP;
END
$$;
\set VERBOSITY terse
INSERT INTO visit (subject) VALUES ('lost'), (NULL);
\set VERBOSITY default
BEGIN;
INSERT INTO visit (subject) VALUES ('lost');
ROLLBACK;
SELECT subject, count(*) FROM visit WHERE subject ~ '^s\d|lost|blocks|handler' GROUP BY 1 ORDER BY 1;
SELECT * FROM findings('visit');
SELECT strands FROM anshim.chained WHERE target = 'visit'::regclass;

-- All isolation levels; what others have committed since is gone on from.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 FROM visit;
INSERT INTO visit (subject) VALUES ('rr');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO visit (subject) SELECT 'ser' FROM visit LIMIT 3;
COMMIT;
-- Deferred constraints
ALTER TABLE visit ADD UNIQUE (id, subject) DEFERRABLE INITIALLY DEFERRED;
INSERT INTO visit (subject) VALUES ('deferred');
SELECT * FROM findings('visit');

-- Prepared transactions keep their strand, so another one is opened.
BEGIN;
INSERT INTO visit (subject) VALUES ('prepared'), ('prepared');
PREPARE TRANSACTION 'chain_write_kept';
BEGIN;
INSERT INTO visit (subject) VALUES ('lost');
PREPARE TRANSACTION 'chain_write_lost';
INSERT INTO visit (subject) VALUES ('meanwhile');
SELECT count(DISTINCT anshim.strand(link)) FROM visit;
COMMIT PREPARED 'chain_write_kept';
ROLLBACK PREPARED 'chain_write_lost';
INSERT INTO visit (subject) VALUES ('after');
SELECT subject, count(*), count(DISTINCT anshim.strand(link)) FROM visit WHERE subject IN ('prepared', 'lost', 'meanwhile', 'after') GROUP BY 1 ORDER BY 1;
SELECT * FROM findings('visit');

-- Many transactions of one session, which remembers where its strand ended: the
-- index grows and splits, other strands end on the same page, the last row is
-- one that was rolled back, or was vacuumed away; the index is made anew.
CREATE TABLE tick (i int);
SELECT anshim.chain('tick');
CREATE PROCEDURE tick(n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO tick VALUES (i);
		IF i % 7 = 0 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
	END LOOP;
END
$$;
CALL tick(6);
BEGIN;
INSERT INTO tick VALUES (0);
PREPARE TRANSACTION 'chain_write_other';
CALL tick(700);
COMMIT PREPARED 'chain_write_other';
CALL tick(1400);
VACUUM tick;
CALL tick(7);
REINDEX TABLE tick;
CALL tick(700);
SELECT count(*), count(DISTINCT anshim.strand(link)) AS strands FROM tick;
SELECT * FROM findings('tick');

-- Other triggers: before ours, they change what is linked; those that come
-- after it may drop the row, and must not change it, which they are told.
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.subject := upper(NEW.subject); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION shout();
INSERT INTO visit (subject) VALUES ('loud');
DROP TRIGGER shout ON visit;
CREATE FUNCTION drop_some() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.subject = 'unwanted' THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER zzz_drop BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION drop_some();
INSERT INTO visit (subject) VALUES ('wanted'), ('unwanted'), ('unwanted'), ('wanted'), ('unwanted');
INSERT INTO visit (subject) VALUES ('unwanted');
INSERT INTO visit (subject) VALUES ('wanted');
COPY visit (subject) FROM stdin;
unwanted
wanted
unwanted
\.
DROP TRIGGER zzz_drop ON visit;
BEGIN;
CREATE TRIGGER "zz_anshim_appendix" BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION shout();
INSERT INTO visit (subject) VALUES ('changed');
SELECT leaf, finding FROM findings('visit');
ROLLBACK;
CREATE TRIGGER zz BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION drop_some();
ALTER TRIGGER zz ON visit RENAME TO zzz;
DROP TRIGGER zzz ON visit;
CREATE TRIGGER zzz AFTER INSERT ON visit FOR EACH ROW EXECUTE FUNCTION drop_some();
DROP TRIGGER zzz ON visit;
-- A trigger that inserts into the table itself, before the row and after it
CREATE FUNCTION insert_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.subject = 'outer' THEN
		INSERT INTO visit (subject) VALUES ('inner');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER a_first BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION insert_other();
INSERT INTO visit (subject) VALUES ('outer'), ('plain'), ('outer');
DROP TRIGGER a_first ON visit;
CREATE TRIGGER z_after AFTER INSERT ON visit FOR EACH ROW EXECUTE FUNCTION insert_other();
INSERT INTO visit (subject) VALUES ('outer'), ('plain'), ('outer');
DROP TRIGGER z_after ON visit;
SELECT subject, count(*) FROM visit WHERE subject IN ('LOUD', 'wanted', 'unwanted', 'outer', 'inner', 'plain') GROUP BY 1 ORDER BY 1;
SELECT * FROM findings('visit');
-- Between the link and the row there is no room for another one in the strand:
-- the unique index is the last guard.
CREATE TRIGGER zzz_first BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION insert_other();
\set VERBOSITY sqlstate
INSERT INTO visit (subject) VALUES ('outer');
\set VERBOSITY default
DROP TRIGGER zzz_first ON visit;
SELECT * FROM findings('visit');

-- Values out of line, compressed or not, and rows larger than any buffer
CREATE TABLE big (id int PRIMARY KEY, plain text, packed text, bytes bytea, list text[]);
ALTER TABLE big ALTER plain SET STORAGE EXTERNAL, ALTER packed SET STORAGE MAIN;
SELECT anshim.chain('big');
INSERT INTO big SELECT i, string_agg(md5(j::text), ''), repeat('packed', i * 100), sha256(i::text::bytea), ARRAY['a', NULL, repeat('x', i * 10)]
FROM generate_series(1, 300, 13) i, generate_series(1, i) j GROUP BY i;
INSERT INTO big SELECT id + 1000, plain, packed, bytes, list FROM big;
INSERT INTO big SELECT 5000, repeat('ab', 3000000), repeat('z', 5000000), decode(repeat('00ff', 2000000), 'hex'), array_fill('y'::text, ARRAY[100000]);
INSERT INTO big SELECT id + 1, packed, plain, bytes, list FROM big WHERE id = 5000;
SELECT count(*), pg_size_pretty(max(length(plain))::bigint) FROM big;
SELECT * FROM findings('big');

-- Fields around the sizes at which the writer changes its way
CREATE TABLE edge (a text, b bytea, c text);
SELECT anshim.chain('edge');
INSERT INTO edge SELECT repeat('a', 4096 + i), repeat('b', 4096 - i)::bytea, repeat('c', 4096 * 3 - i) FROM generate_series(-5, 5) i;
INSERT INTO edge SELECT repeat('a', i), NULL, repeat('c', 4000) FROM generate_series(4000, 4100) i;
INSERT INTO edge SELECT repeat('a', 4096), repeat('b', 4096)::bytea, repeat('c', i) FROM generate_series(4000, 4096, 3) i;
SELECT count(*) FROM edge;
SELECT * FROM findings('edge');

-- A table of no columns
CREATE TABLE bare ();
SELECT anshim.chain('bare');
INSERT INTO bare DEFAULT VALUES;
INSERT INTO bare DEFAULT VALUES;
SELECT anshim.seq(link) FROM bare ORDER BY link;
SELECT * FROM findings('bare');

-- Partitions: each has strands of its own.
CREATE TABLE day (at date NOT NULL, subject text) PARTITION BY RANGE (at);
CREATE TABLE day_1 PARTITION OF day FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
CREATE TABLE day_2 (subject text, dropped int, at date NOT NULL);
ALTER TABLE day_2 DROP COLUMN dropped;
ALTER TABLE day ATTACH PARTITION day_2 FOR VALUES FROM ('2021-01-02') TO ('2021-01-03');
SELECT anshim.chain('day');
INSERT INTO day SELECT '2021-01-01'::date + i % 2, i::text FROM generate_series(1, 10) i;
INSERT INTO day_2 VALUES ('direct', '2021-01-02');
COPY day (at, subject) FROM stdin;
2021-01-01	a
2021-01-02	b
2021-01-01	c
\.
SELECT tableoid::regclass, count(*), count(DISTINCT anshim.strand(link)) FROM day GROUP BY 1 ORDER BY 1;
UPDATE day SET at = '2021-01-02' WHERE at = '2021-01-01';
DELETE FROM day_1;
TRUNCATE day;
TRUNCATE day_2;
SELECT * FROM findings('day');

-- Numbers of strands are given out again after a restore of another catalog, for
-- instance: those that are in use are passed over.
SELECT setval('anshim.strand_number', min(anshim.strand(link)), false) > 0 FROM day;
BEGIN;
INSERT INTO day VALUES ('2021-01-01', 'x'), ('2021-01-02', 'x');
PREPARE TRANSACTION 'chain_write_kept';
INSERT INTO day VALUES ('2021-01-01', 'y'), ('2021-01-02', 'y');
COMMIT PREPARED 'chain_write_kept';
SELECT count(DISTINCT (tableoid, anshim.strand(link))), count(DISTINCT anshim.strand(link)) FROM day;
SELECT * FROM findings('day');

-- Hundreds of partitions in one transaction: what a writer remembers stays small.
CREATE TABLE hundreds (part int, who text) PARTITION BY LIST (part);
DO $$ BEGIN FOR i IN 0 .. 299 LOOP EXECUTE format('CREATE TABLE hundreds_%s PARTITION OF hundreds FOR VALUES IN (%1$s)', i); END LOOP; END $$;
SELECT anshim.chain('hundreds');
BEGIN;
INSERT INTO hundreds SELECT i % 300, i FROM generate_series(1, 900) i;
SELECT sum(used_bytes) < 300 * 2048 AS small FROM pg_backend_memory_contexts WHERE name LIKE 'anshim%';
COMMIT;
SELECT count(*), count(DISTINCT (tableoid, anshim.strand(link))) FROM hundreds;
SELECT * FROM anshim.verify_chain('hundreds');
DROP TABLE hundreds;

-- Foreign keys that would change rows are stopped by the guard.
CREATE TABLE person (name text PRIMARY KEY);
CREATE TABLE seen (name text REFERENCES person ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO person VALUES ('ann'), ('ben');
SELECT anshim.chain('seen');
INSERT INTO seen VALUES ('ann');
DELETE FROM person WHERE name = 'ann';
UPDATE person SET name = 'eve' WHERE name = 'ann';
DELETE FROM person WHERE name = 'ben';
SELECT * FROM findings('seen');
