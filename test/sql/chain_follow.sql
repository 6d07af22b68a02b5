--
-- What is done to chained tables is followed, or refused; what is done to others
-- is left alone.
--
\getenv abs_srcdir PG_ABS_SRCDIR
\set oracle :abs_srcdir '/../test/oracle/links.sql'
\set ECHO none
\ir :oracle
\set ECHO all
CREATE VIEW layouts AS SELECT table_name, layout, columns, types FROM anshim.layout JOIN anshim.chain USING (chain) WHERE layout > 0 ORDER BY created_at, layout;
-- Events that a statement has brought about
CREATE TABLE seen (hash bytea);
CREATE FUNCTION news() RETURNS TABLE (table_name name, kind text, detail jsonb) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT c.table_name, e.kind, e.detail FROM anshim.event e JOIN anshim.chain c USING (chain)
		WHERE anshim.hash(e.link) NOT IN (TABLE seen) ORDER BY c.created_at, e.link;
	DELETE FROM seen;
	INSERT INTO seen SELECT anshim.hash(link) FROM anshim.event;
END
$$;

CREATE TABLE visit (id int PRIMARY KEY, subject text, at timestamptz, amount numeric(6,2), code varchar(10), spare int);
SELECT anshim.chain('visit');
INSERT INTO visit VALUES (1, 'ann', '2021-01-01', 1.50, 'x', 1);
SELECT count(*) FROM news();

-- Columns added begin a new layout; old rows keep theirs.
ALTER TABLE visit ADD COLUMN note text DEFAULT 'none', ADD COLUMN made timestamptz DEFAULT clock_timestamp();
INSERT INTO visit (id, subject) VALUES (2, 'ben');
ALTER TABLE visit ADD COLUMN length int GENERATED ALWAYS AS (length(subject)) STORED;
ALTER TABLE visit ADD COLUMN IF NOT EXISTS note text;
SELECT * FROM news();
SELECT layout, columns FROM layouts;
SELECT id, anshim.layout(link) FROM visit ORDER BY id;
SELECT * FROM findings('visit');
-- Renamed ones keep their place.
ALTER TABLE visit RENAME COLUMN subject TO who;
ALTER TABLE visit RENAME COLUMN note TO subject;
SELECT * FROM news();
SELECT layout, columns FROM layouts;
INSERT INTO visit (id, who, subject) VALUES (3, 'cem', 'n');
SELECT * FROM findings('visit');
-- Swapping two names does not swap what was linked.
ALTER TABLE visit RENAME COLUMN who TO t;
ALTER TABLE visit RENAME COLUMN subject TO who;
ALTER TABLE visit RENAME COLUMN t TO subject;
SELECT * FROM findings('visit');
ALTER TABLE visit RENAME COLUMN link TO l;
ALTER TABLE visit ALTER COLUMN link TYPE text;
ALTER TABLE visit DROP COLUMN link;
SELECT count(*) FROM news();

-- A column that no linked row has may go.
ALTER TABLE visit DROP COLUMN subject;
ALTER TABLE visit DROP COLUMN spare;
ALTER TABLE visit ADD COLUMN mistake int;
ALTER TABLE visit DROP COLUMN mistake;
SELECT * FROM news();
CREATE TABLE empty (a int, b int);
SELECT anshim.chain('empty');
ALTER TABLE empty DROP COLUMN b;
BEGIN;
INSERT INTO empty VALUES (1);
ROLLBACK;
ALTER TABLE empty DROP COLUMN a;
ALTER TABLE empty ADD COLUMN a bigint;
INSERT INTO empty (a) VALUES (1);
ALTER TABLE empty DROP COLUMN a;
SELECT columns, types FROM layouts WHERE table_name = 'empty';
SELECT * FROM findings('empty');
SELECT count(*) > 0 FROM news();
-- also where it goes with something else
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE moods (m mood);
SELECT anshim.chain('moods');
INSERT INTO moods VALUES ('sad');
DROP TYPE mood CASCADE;
SELECT m FROM moods;
DROP TABLE moods;
DROP TYPE mood;

-- Types: what changes stored values, or what they mean, is refused.
ALTER TABLE visit ALTER COLUMN amount TYPE numeric(10,1);
ALTER TABLE visit ALTER COLUMN amount TYPE text;
ALTER TABLE visit ALTER COLUMN id TYPE bigint;
SET timezone = 'UTC';
ALTER TABLE visit ALTER COLUMN at TYPE timestamp;
RESET timezone;
ALTER TABLE visit ALTER COLUMN at TYPE date USING at::date;
SELECT count(*) FROM news();
-- What leaves them as they are is fine.
ALTER TABLE visit ALTER COLUMN code TYPE varchar(20);
ALTER TABLE visit ALTER COLUMN amount TYPE numeric(10,2);
ALTER TABLE visit ALTER COLUMN code TYPE text;
ALTER TABLE visit ALTER COLUMN who TYPE text COLLATE "C";
ALTER TABLE visit ALTER COLUMN length TYPE bigint;
ALTER TABLE visit ALTER COLUMN who SET STORAGE EXTERNAL, ALTER COLUMN who SET STATISTICS 10, ALTER COLUMN who SET DEFAULT 'x';
SELECT kind, detail -> 'layout' AS layout, detail #> '{columns,4}' AS code FROM news();
INSERT INTO visit (id, code) VALUES (4, 'longer than it could be');
SELECT * FROM findings('visit');
-- Types that cannot be chained
ALTER TABLE visit ADD COLUMN class regclass;
-- An empty table may get other types.
CREATE TABLE young (a int);
SELECT anshim.chain('young');
ALTER TABLE young ALTER COLUMN a TYPE text;
INSERT INTO young VALUES ('x');
ALTER TABLE young ALTER COLUMN a TYPE int USING 1;
SELECT kind, detail FROM news() WHERE table_name = 'young';
SELECT * FROM findings('young');

-- Labels of enums are hashed; names of types are recorded.
CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN moody AS mood;
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE TABLE moods2 (m mood, d moody, r moodrange, i int);
SELECT anshim.chain('moods2');
INSERT INTO moods2 VALUES ('sad', 'happy', '[sad,happy)', 1);
ALTER TYPE mood RENAME VALUE 'sad' TO 'angry';
ALTER TYPE mood ADD VALUE 'angry';
ALTER TYPE mood RENAME TO feeling;
ALTER TYPE feeling SET SCHEMA other;
ALTER SCHEMA other RENAME TO "an other";
ALTER DOMAIN moody RENAME TO feeling;
SELECT table_name, kind, detail - 'columns' AS detail FROM news();
SELECT types FROM layouts WHERE table_name = 'moods2';
INSERT INTO moods2 VALUES ('sad', 'angry', '[sad,happy)', 2);
SELECT * FROM findings('moods2');
CREATE TYPE free AS ENUM ('a');
ALTER TYPE free RENAME VALUE 'a' TO 'b';
ALTER TYPE free RENAME TO unused;
SELECT count(*) FROM news();

-- Tables renamed, and moved
ALTER TABLE visit RENAME TO "Visit";
ALTER TABLE "Visit" SET SCHEMA "an other";
ALTER SCHEMA "an other" RENAME TO mine;
SELECT schema_name, table_name FROM anshim.chain WHERE table_name = 'Visit';
SELECT kind, detail FROM news() WHERE table_name = 'Visit';
INSERT INTO mine."Visit" (id) VALUES (5) RETURNING anshim.seq(link);
SELECT * FROM findings('mine."Visit"');
ALTER INDEX mine.visit_link RENAME TO position;
INSERT INTO mine."Visit" (id) VALUES (6) RETURNING anshim.seq(link);
SELECT count(*) FROM news();

-- whichever command does it
CREATE TABLE odd (a int, b int);
SELECT anshim.chain('odd');
INSERT INTO odd VALUES (1, 2);
ALTER INDEX odd RENAME TO odder;
ALTER VIEW odder RENAME COLUMN a TO c;
ALTER MATERIALIZED VIEW odder RENAME COLUMN b TO a;
ALTER FOREIGN TABLE odder RENAME COLUMN c TO b;
SELECT table_name, kind, detail FROM news() WHERE kind ~ 'renamed';
SELECT * FROM findings('odder');

-- Partitions
CREATE TABLE log (at date NOT NULL, subject text) PARTITION BY RANGE (at);
SELECT anshim.chain('log');
SELECT count(*) > 0 FROM news();
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2021-01-02') TO ('2021-02-01') PARTITION BY LIST (subject);
CREATE TABLE log_2_a PARTITION OF log_2 FOR VALUES IN ('a');
CREATE TABLE log_3 (subject text, link anshim.link NOT NULL, at date NOT NULL);
ALTER TABLE log ATTACH PARTITION log_3 FOR VALUES FROM ('2021-03-01') TO ('2021-04-01');
CREATE TABLE log_4 (at date NOT NULL, subject text, link anshim.link NOT NULL) PARTITION BY LIST (subject);
CREATE TABLE log_4_a PARTITION OF log_4 FOR VALUES IN ('a');
CREATE TABLE log_4_b PARTITION OF log_4 FOR VALUES IN ('b');
ALTER TABLE log ATTACH PARTITION log_4 FOR VALUES FROM ('2021-04-01') TO ('2021-05-01');
SELECT * FROM news();
INSERT INTO log SELECT at::date, subject FROM generate_series('2021-01-01'::date, '2021-04-10', '1 day') at, unnest(ARRAY['a', 'b']) subject
WHERE at < '2021-01-02' OR at >= '2021-03-01' OR (at < '2021-02-01' AND subject = 'a');
SELECT tableoid::regclass, count(*), count(DISTINCT anshim.strand(link)) AS strands FROM log GROUP BY 1 ORDER BY 1;
SELECT tgname, tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text ~ '^log_\d' AND tgenabled <> 'A';
TRUNCATE log_4;
SELECT * FROM findings('log');
-- Renamed, moved, detached, attached again, dropped
ALTER TABLE log_1 RENAME TO log_first;
ALTER TABLE log_4_b SET SCHEMA mine;
ALTER TABLE log DETACH PARTITION log_first;
ALTER TABLE log DETACH PARTITION log_4;
SELECT * FROM news();
SELECT schema_name, table_name FROM anshim.chain_partition ORDER BY 1, 2;
SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE tgrelid::regclass::text ~ '^log_(first|4)' AND tgname ~ 'anshim';
ALTER TABLE log ATTACH PARTITION log_first FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
ALTER TABLE log ATTACH PARTITION log_4 FOR VALUES FROM ('2021-04-01') TO ('2021-05-01');
SELECT * FROM news();
INSERT INTO log VALUES ('2021-01-01', 'again'), ('2021-04-01', 'a');
SELECT * FROM findings('log');
-- not with rows that were changed, or come from elsewhere
ALTER TABLE log DETACH PARTITION log_first;
BEGIN;
UPDATE log_first SET subject = 'x' WHERE anshim.seq(link) = 1;
ALTER TABLE log ATTACH PARTITION log_first FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
ROLLBACK;
BEGIN;
DELETE FROM log_first WHERE anshim.seq(link) = 1;
ALTER TABLE log ATTACH PARTITION log_first FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
ROLLBACK;
CREATE TABLE log_5 AS SELECT '2021-05-01'::date AS at, subject, link FROM log LIMIT 1;
ALTER TABLE log_5 ALTER at SET NOT NULL, ALTER link SET NOT NULL;
ALTER TABLE log ATTACH PARTITION log_5 FOR VALUES FROM ('2021-05-01') TO ('2021-06-01');
TRUNCATE log_5;
ALTER TABLE log ATTACH PARTITION log_5 FOR VALUES FROM ('2021-05-01') TO ('2021-06-01');
ALTER TABLE log DETACH PARTITION log_5 CONCURRENTLY;
DROP TABLE log_2;
DROP TABLE log_first;
SELECT * FROM news();
SELECT schema_name, table_name FROM anshim.chain_partition ORDER BY 1, 2;
SELECT * FROM findings('log');
-- Columns of all partitions
ALTER TABLE log ADD COLUMN more int;
INSERT INTO log (at, subject, more) VALUES ('2021-03-01', 'a', 1), ('2021-04-01', 'b', 2);
ALTER TABLE log RENAME COLUMN more TO much;
ALTER TABLE log DROP COLUMN much;
SELECT * FROM news();
SELECT * FROM findings('log');

-- What makes a table one that cannot be chained
ALTER TABLE young SET UNLOGGED;
ALTER TABLE log_3 SET UNLOGGED;
CREATE TABLE heir () INHERITS (young);
CREATE TABLE heir (LIKE young);
ALTER TABLE heir INHERIT young;
CREATE TABLE parent (a text, link anshim.link);
ALTER TABLE young INHERIT parent;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far PARTITION OF log FOR VALUES FROM ('2030-01-01') TO ('2031-01-01') SERVER nowhere;
CREATE FOREIGN TABLE far () INHERITS (young) SERVER nowhere;
CREATE FOREIGN TABLE far (at date NOT NULL, subject text, much int, link anshim.link NOT NULL) SERVER nowhere;
ALTER TABLE log ATTACH PARTITION far FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
ALTER FOREIGN TABLE far DROP COLUMN at, DROP COLUMN subject, DROP COLUMN much, ADD COLUMN a text, INHERIT young;
CREATE TYPE young_type AS (a text, link anshim.link);
ALTER TABLE young OF young_type;
CREATE TABLE outer_log (LIKE young) PARTITION BY LIST (a);
ALTER TABLE outer_log ATTACH PARTITION young DEFAULT;
CREATE TABLE outest_log (LIKE log) PARTITION BY LIST (at);
ALTER TABLE outest_log ATTACH PARTITION log DEFAULT;
SELECT count(*) FROM news();

-- Triggers switched off and on, all at once or one by one, or dropped
ALTER TABLE young DISABLE TRIGGER anshim_guard;
ALTER TABLE young ENABLE REPLICA TRIGGER anshim_guard;
ALTER TABLE young ENABLE TRIGGER anshim_guard;
ALTER TABLE young ENABLE ALWAYS TRIGGER anshim_guard;
ALTER TABLE young DISABLE TRIGGER USER;
ALTER TABLE young ENABLE TRIGGER ALL;
DROP TRIGGER zz_anshim_append ON young;
CREATE TRIGGER other BEFORE INSERT ON young FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE young DISABLE TRIGGER other;
DROP TRIGGER other ON young;
SELECT * FROM news();
SELECT anshim.chain('young');
SELECT * FROM news();
ALTER TABLE log_3 DISABLE TRIGGER zz_anshim_append;
INSERT INTO log_3 (at, subject, link) SELECT '2021-03-01', 'forged', link FROM young;
ALTER TABLE log ENABLE ALWAYS TRIGGER zz_anshim_append;
SELECT * FROM news();
SELECT leaf, finding FROM findings('log');

-- Whatever is undone leaves no trace.
BEGIN;
ALTER TABLE young ADD COLUMN b int;
ALTER TABLE young DISABLE TRIGGER ALL;
ALTER TABLE young RENAME TO old;
ROLLBACK;
SELECT count(*) FROM news();
SELECT * FROM findings('young');

-- Dropped tables leave their records, and make room for others.
DROP TABLE young;
CREATE TABLE young (x int);
SELECT anshim.chain('young');
INSERT INTO young VALUES (1);
SELECT table_name, kind, detail - 'columns' - 'strands' AS detail FROM news();
SELECT count(*), count(ended_at) FROM anshim.chain WHERE table_name = 'young';
DROP TABLE log;
DROP SCHEMA mine CASCADE;
SELECT * FROM news();

-- Nothing of this happens to tables that are not chained.
CREATE TABLE free (a int, link text, c regclass, m unused);
ALTER TABLE free RENAME TO free2;
ALTER TABLE free2 DROP COLUMN a, ALTER COLUMN link TYPE varchar(3), DISABLE TRIGGER ALL, SET UNLOGGED;
CREATE TABLE heir2 () INHERITS (free2);
DROP TABLE free2 CASCADE;
CREATE TABLE part (a int) PARTITION BY LIST (a);
CREATE TABLE part_1 PARTITION OF part DEFAULT;
ALTER TABLE part DETACH PARTITION part_1;
DROP TABLE part, part_1;
SELECT count(*) FROM news();
-- nor to those of a chain that has ended
SELECT anshim.unchain('young');
SELECT kind FROM news();
ALTER TABLE young ADD COLUMN c regclass;
ALTER TABLE young RENAME TO youngest;
ALTER TABLE youngest DROP COLUMN link;
DROP TABLE youngest;
SELECT count(*) FROM news();

-- The functions are event triggers' alone.
SELECT anshim.chain_follow();
SELECT anshim.chain_forget();
SELECT anshim.chain_refuse_rewrite();

SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER nothing CASCADE;

-- While a dump is restored by several sessions, triggers and constraints may come
-- before the chain's own records: these are not made up for then.
CREATE TABLE half (at date) PARTITION BY RANGE (at);
CREATE TABLE half_1 PARTITION OF half FOR VALUES FROM ('2021-01-01') TO ('2021-02-01');
SELECT anshim.chain('half');
BEGIN;
DELETE FROM anshim.chain_partition WHERE table_name = 'half_1';
ALTER TABLE half_1 ENABLE ALWAYS TRIGGER anshim_guard_truncate;
ALTER TABLE half ADD CONSTRAINT young CHECK (at > '2000-01-01');
SELECT count(*) AS made_up FROM anshim.chain_partition WHERE table_name = 'half_1';
ROLLBACK;
