--
-- Tables that Citus has distributed are recognised by its catalog.  It is not here:
-- a table of that name lists some, which are then asked in SQL as Citus's are, with
-- nothing but conditions.  The answers are those of the two B-trees.
--
SET timezone = 'UTC';
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL);
RESET allow_system_table_mods;
SELECT setseed(0.5);

CREATE TABLE plain (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO plain
SELECT (random() * 150)::int, (random() * 40)::int, t, CASE WHEN i % 5 > 0 THEN t + interval '40 minutes' END
FROM (SELECT i, timestamptz '2021-01-01' + random() * interval '4 days' AS t FROM generate_series(1, 2000) AS i) AS random_visit;

CREATE TABLE distributed (LIKE plain);
CREATE TABLE parted (LIKE plain) PARTITION BY RANGE (entered_at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2021-01-01') TO ('2021-01-03');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2021-01-03') TO ('2021-01-06');
INSERT INTO distributed SELECT * FROM plain;
INSERT INTO parted SELECT * FROM plain;
INSERT INTO pg_dist_partition VALUES ('distributed'), ('parted_2');
SELECT anshim.track_visits(log) FROM unnest('{plain, distributed, parted}'::regclass[]) AS log;
SELECT log, anshim.visit_source(log) FROM unnest('{plain, distributed, parted}'::regclass[]) AS log;

CREATE FUNCTION trace(log regclass) RETURNS TABLE (subject int, degree int, exposed_at timestamptz, via int, venue int)
LANGUAGE sql
AS $$
	SELECT subject, degree, exposed_at, via, venue
	FROM anshim.exposures(log, ARRAY[3], '[2021-01-01 12:00, 2021-01-05)', degrees => 3, linger => '20 minutes')
$$;
SELECT count(*) > 100 AS found, max(degree) AS degrees FROM trace('plain');
SELECT log, t.* FROM unnest('{distributed, parted}'::regclass[]) AS log,
	LATERAL ((SELECT * FROM trace(log) EXCEPT SELECT * FROM trace('plain'))
			 UNION ALL (SELECT * FROM trace('plain') EXCEPT SELECT * FROM trace(log))) AS t;

-- A partition's own policies do not count, nor hide a row, where its B-trees are read.
-- Where it is asked in SQL they would: she to whom they apply is refused.
CREATE ROLE regress_source_tracer;
CREATE ROLE regress_source_bypass BYPASSRLS;
GRANT SELECT ON parted TO regress_source_tracer, regress_source_bypass;
ALTER TABLE parted_1 ENABLE ROW LEVEL SECURITY;
CREATE POLICY nothing ON parted_1 USING (false);
SET ROLE regress_source_tracer;
SELECT count(*) > 100 AS found FROM trace('parted');
RESET ROLE;
ALTER TABLE parted_2 ENABLE ROW LEVEL SECURITY;
SET ROLE regress_source_tracer;
SELECT count(*) > 100 AS found FROM trace('parted');
SET row_security = off;
SELECT count(*) > 100 AS found FROM trace('parted');
RESET row_security;
SET ROLE regress_source_bypass;
SELECT count(*) > 100 AS found FROM trace('parted');
RESET ROLE;
-- The owner may read all, unless it is forced upon her.
ALTER TABLE parted OWNER TO regress_source_tracer;
ALTER TABLE parted_2 OWNER TO regress_source_tracer;
SET ROLE regress_source_tracer;
SELECT count(*) > 100 AS found FROM trace('parted');
ALTER TABLE parted_2 FORCE ROW LEVEL SECURITY;
SELECT count(*) > 100 AS found FROM trace('parted');
-- Out of reach of the time it matters to nobody.
SELECT count(*) > 0 AS found FROM anshim.exposures('parted', ARRAY[3], '[2021-01-01, 2021-01-02)');
RESET ROLE;

SET client_min_messages = warning;
DROP TABLE parted, distributed;
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.pg_dist_partition;
RESET allow_system_table_mods;
DROP ROLE regress_source_tracer, regress_source_bypass;
