--
-- chain() and unchain(): tables with rows, tables that cannot be chained, calling
-- again, and who may
--
\getenv abs_srcdir PG_ABS_SRCDIR
\set oracle :abs_srcdir '/../test/oracle/links.sql'
\set ECHO none
\ir :oracle
\set ECHO all
CREATE VIEW events AS SELECT schema_name, table_name, kind, detail, link FROM anshim.event JOIN anshim.chain USING (chain) ORDER BY created_at, link;

-- Rows that are there are linked in the order of the primary key.
CREATE TABLE visit (dropped int, subject text, id int, at timestamptz, doubled int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (at, id));
ALTER TABLE visit DROP COLUMN dropped;
INSERT INTO visit (subject, id, at) SELECT md5(i::text), (i * 7919) % 1000, '2021-01-01 00:00+00'::timestamptz + (i * 7907) % 10 * interval '1 hour' FROM generate_series(1, 1000) i;
DELETE FROM visit WHERE id % 10 = 0;
ALTER TABLE visit ADD COLUMN later text DEFAULT 'fast default', ADD COLUMN long text;
UPDATE visit SET long = repeat('x', 3000) WHERE id < 5;
CREATE INDEX ON visit (subject);
CREATE TABLE before AS SELECT * FROM visit;
CREATE FUNCTION no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no trigger of the user''s sees this'; END $$;
CREATE TRIGGER no_update BEFORE INSERT OR UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION no_update();
SELECT anshim.chain('visit');
DROP TRIGGER no_update ON visit;
SELECT * FROM findings('visit');
SELECT count(*), count(DISTINCT anshim.strand(link)), min(anshim.seq(link)), max(anshim.seq(link)) FROM visit;
SELECT bool_and(anshim.seq(link) = n) AS in_order FROM (SELECT link, row_number() OVER (ORDER BY at, id) AS n FROM visit) v;
SELECT count(*) FROM (SELECT subject, id, at, doubled, later, long FROM visit EXCEPT TABLE before UNION ALL (TABLE before EXCEPT SELECT subject, id, at, doubled, later, long FROM visit)) d;
SELECT kind, detail FROM events;
-- The indexes are whole, and the rows do not begin behind where they were.
-- (The file may have empty pages at its end, by which PostgreSQL 16 extends it.)
SET enable_seqscan = off;
SELECT count(*) FROM visit v JOIN before b ON v.subject = b.subject WHERE v.id = b.id;
RESET enable_seqscan;
SELECT (SELECT max((ctid::text::point)[0]) FROM visit) < 2 * (SELECT max((ctid::text::point)[0]) FROM before) AS no_bloat;
-- Whoever comes next goes on behind them.
INSERT INTO visit (subject, id, at) VALUES ('next', 0, '2021-01-01') RETURNING anshim.seq(link);
SELECT * FROM findings('visit');

-- Without a primary key, in that of ctid
CREATE TABLE heap (i int);
INSERT INTO heap SELECT i FROM generate_series(1, 300) i;
DELETE FROM heap WHERE i < 100;
VACUUM heap;
INSERT INTO heap SELECT i FROM generate_series(1, 50) i;
CREATE TABLE heap_order AS SELECT i, row_number() OVER (ORDER BY ctid) AS n FROM heap;
SELECT anshim.chain('heap');
SELECT count(*), count(*) FILTER (WHERE anshim.seq(link) = n) AS in_order FROM heap JOIN heap_order USING (i);
SELECT detail FROM events WHERE table_name = 'heap' AND kind = 'chained';
SELECT * FROM findings('heap');

-- Partitions with rows, at any depth; empty ones; a default one
CREATE TABLE log (at date, subject text, PRIMARY KEY (at, subject)) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2021-01-01') TO ('2021-02-01') PARTITION BY LIST (subject);
CREATE TABLE log_1_a PARTITION OF log_1 FOR VALUES IN ('a');
CREATE TABLE log_1_b (subject text NOT NULL, at date NOT NULL);
ALTER TABLE log_1 ATTACH PARTITION log_1_b FOR VALUES IN ('b');
CREATE TABLE log_empty PARTITION OF log FOR VALUES FROM ('2021-02-01') TO ('2021-03-01');
CREATE TABLE log_default PARTITION OF log DEFAULT;
INSERT INTO log SELECT '2021-01-01'::date + i, subject FROM generate_series(30, 0, -10) i, unnest(ARRAY['a', 'b']) subject;
INSERT INTO log VALUES ('2020-01-01', 'c');
SELECT anshim.chain('log', 'health.example/log');
SELECT tableoid::regclass, subject, at, anshim.seq(link) FROM log ORDER BY 1, 4;
SELECT schema_name, table_name FROM anshim.chain_partition WHERE chain = (SELECT chain FROM anshim.chained WHERE target = 'log'::regclass) ORDER BY schema_name, table_name;
SELECT kind, detail - 'columns' AS detail FROM events WHERE table_name = 'log' AND kind <> 'chained' ORDER BY detail ->> 'table' NULLS FIRST;
SELECT detail - 'strands' AS detail, jsonb_array_length(detail -> 'strands') AS strands FROM events WHERE table_name = 'log' AND kind = 'chained';
SELECT tgname, tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'log%' AND tgname LIKE '%anshim%' ORDER BY 1, tgrelid::regclass::text;
SELECT * FROM findings('log');
SELECT target, strands, replace(origin, chain::text, '<chain>') AS origin FROM anshim.chained ORDER BY target::text;
SELECT anshim.count_strands('before'), anshim.count_strands('log_1');

-- In the transaction that made the table, and undone with it
BEGIN;
CREATE TABLE young (i int);
INSERT INTO young VALUES (1), (2);
SELECT anshim.chain('young');
INSERT INTO young VALUES (3);
SAVEPOINT a;
SELECT anshim.unchain('young');
UPDATE young SET i = i + 1;
SELECT anshim.chain('young');
INSERT INTO young VALUES (5);
SELECT i, anshim.seq(link) FROM young ORDER BY link;
SELECT * FROM findings('young');
ROLLBACK TO a;
INSERT INTO young VALUES (4);
SELECT i, anshim.seq(link) FROM young ORDER BY link;
SELECT * FROM findings('young');
ROLLBACK;
SELECT count(*) FROM anshim.chain WHERE table_name = 'young';

-- Called again, it does nothing where nothing is missing.
CREATE TABLE events_before AS SELECT * FROM anshim.event;
SELECT anshim.chain('log');
SELECT anshim.chain('log', 'health.example/log');
SELECT count(*) FROM (TABLE anshim.event EXCEPT TABLE events_before) e;
-- It mends what was done while event triggers did not run, and tells.
SET session_replication_role = replica;
DROP TRIGGER anshim_guard ON log;
DROP TRIGGER anshim_guard_truncate ON log_empty;
ALTER TABLE log_1_a DISABLE TRIGGER zz_anshim_append;
ALTER TABLE log ADD COLUMN more int;
CREATE TABLE log_2022 PARTITION OF log FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
DROP TABLE log_empty;
DO $$ BEGIN EXECUTE format('DROP INDEX %s', (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'log_default'::regclass AND NOT indisprimary)); END $$;
RESET session_replication_role;
-- Until then no row comes in that could not be found again.
INSERT INTO log (at, subject) VALUES ('2022-01-01', 'x');
INSERT INTO log (at, subject) VALUES ('2020-01-01', 'x');
INSERT INTO log (at, subject) VALUES ('2021-01-01', 'b');
SELECT anshim.chain('log');
INSERT INTO log (at, subject) VALUES ('2022-01-01', 'x'), ('2020-01-01', 'x'), ('2021-01-02', 'b'), ('2021-01-02', 'a');
SELECT tgname, tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'log%' AND tgname LIKE '%anshim%' ORDER BY 1, tgrelid::regclass::text;
SELECT kind, detail FROM events WHERE table_name = 'log' AND anshim.hash(link) NOT IN (SELECT anshim.hash(link) FROM events_before) ORDER BY kind, detail::text;
SELECT * FROM findings('log');
-- A trigger of ours that does nothing, or something else
DROP TRIGGER anshim_guard ON log;
CREATE TRIGGER anshim_guard BEFORE UPDATE ON log FOR EACH ROW WHEN (false) EXECUTE FUNCTION anshim.refuse_change();
SELECT anshim.chain('log');
DELETE FROM log;
DROP TRIGGER zz_anshim_append ON log;
CREATE TRIGGER zz_anshim_append BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION anshim.append('00000000-0000-0000-0000-000000000000');
ALTER TABLE log ENABLE ALWAYS TRIGGER zz_anshim_append;
INSERT INTO log (at, subject) VALUES ('2022-01-02', 'x');
SELECT anshim.chain('log');
INSERT INTO log (at, subject) VALUES ('2022-01-02', 'x');
SELECT * FROM findings('log');

-- unchain() leaves links and records, and lets everything be done again.
SELECT anshim.unchain('log');
SELECT attnotnull FROM pg_attribute WHERE attrelid = 'log'::regclass AND attname = 'link';
SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'log%' AND tgname LIKE '%anshim%';
SELECT count(*) FROM pg_index WHERE indrelid::regclass::text LIKE 'log%' AND NOT indisprimary;
INSERT INTO log (at, subject) VALUES ('2022-01-03', 'x');
UPDATE log SET subject = 'y' WHERE subject = 'x' AND at = '2022-01-01';
DELETE FROM log WHERE at < '2021-01-01';
SELECT count(*) FILTER (WHERE link IS NULL), count(*) > 5 FROM log;
SELECT count(*) FROM anshim.chained WHERE target = 'log'::regclass;
SELECT ended_at IS NOT NULL AS ended FROM anshim.chain WHERE table_name = 'log';
SELECT kind, detail FROM events WHERE table_name = 'log' AND kind = 'unchained';
SELECT anshim.unchain('log');
-- Chained again it is another chain, which links all rows anew.
SELECT anshim.chain('log', 'health.example/log');
SELECT anshim.chain('log', 'health.example/log2');
SELECT count(*), count(link), count(DISTINCT (tableoid, anshim.strand(link))) FROM log;
SELECT * FROM findings('log');
SELECT anshim.chain('log', 'health.example/other');

-- A table that was dropped and made again behind our backs is another one.
CREATE TABLE again (i int);
SELECT anshim.chain('again');
SET session_replication_role = replica;
DROP TABLE again;
CREATE TABLE again (i int);
RESET session_replication_role;
SELECT anshim.chain('again');
INSERT INTO again VALUES (1);
SELECT * FROM findings('again');
SELECT kind FROM events WHERE table_name = 'again' AND kind <> 'layout added';

-- What cannot be chained
CREATE VIEW a_view AS SELECT 1;
CREATE MATERIALIZED VIEW a_matview AS SELECT 1;
CREATE SEQUENCE a_sequence;
CREATE TEMP TABLE a_temp (i int);
CREATE UNLOGGED TABLE an_unlogged (i int);
CREATE TABLE parent (i int);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE other_link (link text);
CREATE TABLE generated_link (i int, link anshim.link GENERATED ALWAYS AS (NULL) STORED);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (i int) SERVER nowhere;
CREATE TABLE near_and_far (i int) PARTITION BY LIST (i);
CREATE FOREIGN TABLE far_part PARTITION OF near_and_far FOR VALUES IN (1) SERVER nowhere;
CREATE TYPE composite AS (i int);
CREATE TABLE typed OF composite;
SELECT anshim.chain('a_view');
SELECT anshim.chain('a_matview');
SELECT anshim.chain('a_sequence');
SELECT anshim.chain('composite');
SELECT anshim.chain('typed');
SELECT anshim.chain('visit_pkey');
SELECT anshim.chain('a_temp');
SELECT anshim.chain('an_unlogged');
SELECT anshim.chain('parent');
SELECT anshim.chain('child');
SELECT anshim.chain('other_link');
SELECT anshim.chain('generated_link');
SELECT anshim.chain('far');
SELECT anshim.chain('near_and_far');
SELECT anshim.chain('log_1_a');
SELECT anshim.chain('log_1');
SELECT anshim.chain('pg_class');
SELECT anshim.chain('anshim.event');
SELECT anshim.chain('information_schema.sql_features');
SELECT anshim.chain(0::oid::regclass);
SELECT anshim.chain(NULL);
SELECT anshim.chain('before', '');
SELECT anshim.chain('before', 'health example');
SELECT anshim.chain('before', 'health+example');
SELECT anshim.chain('before', E'health\n');
\set VERBOSITY sqlstate
SELECT anshim.chain('before', 'h' || repeat('e', 255));
\set VERBOSITY default
SELECT anshim.chain('before', 'café');
SELECT anshim.chain('before', 'health.example/log2');
SELECT anshim.chain('before', 'health.example/log');
SELECT count(*) FROM pg_attribute WHERE attrelid = 'before'::regclass AND attname = 'link';
BEGIN READ ONLY;
SELECT anshim.chain('before');
ROLLBACK;
-- While somebody has it open, here of all places
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM before;
MOVE 1 FROM c;
SELECT anshim.chain('before');
ROLLBACK;
SELECT anshim.unchain(NULL);
SELECT anshim.unchain('before');
SELECT anshim.unchain('log_1');
SELECT anshim.unchain('a_view');

-- Functions of ours, called as what they are not
SELECT anshim.append();
CREATE TABLE misuse (i int);
CREATE TRIGGER t AFTER INSERT ON misuse FOR EACH ROW EXECUTE FUNCTION anshim.append('x');
INSERT INTO misuse VALUES (1);
DROP TRIGGER t ON misuse;
CREATE TRIGGER t BEFORE INSERT ON misuse FOR EACH ROW EXECUTE FUNCTION anshim.append();
INSERT INTO misuse VALUES (1);
ALTER TABLE misuse ADD COLUMN link anshim.link;
INSERT INTO misuse VALUES (1);
CREATE UNIQUE INDEX ON misuse (anshim.strand(link), anshim.seq(link));
INSERT INTO misuse VALUES (1);
DROP TRIGGER t ON misuse;
CREATE TRIGGER t BEFORE INSERT ON misuse FOR EACH ROW EXECUTE FUNCTION anshim.refuse_change();
INSERT INTO misuse VALUES (1);

SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
