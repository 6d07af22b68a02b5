/*
 * test/oracle/run.sql
 *
 * Compares the engine with the oracle on about :logs random logs of the seed
 * :seed, and prints what it finds, with at most :reports differences made small.
 * Needs the extensions anshim and postgis.
 */

\ir definitions.sql
\ir ticks.sql
\ir generate.sql
\ir compare.sql

SELECT ceil(:logs / count(*)::numeric)::integer AS logs_each FROM oracle.variety
\gset

-- A time zone whose clocks go forward amid the logs, which lengths are not to
-- notice.
SET TimeZone = 'Europe/Berlin';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';

\o /dev/null
SELECT oracle.make_keys(:seed, 9 * :logs_each);
ANALYZE oracle.key;

-- For each variety: draw the logs, make the tables, load one half of the rows,
-- vacuum, load the other half, compare.
SELECT s.statement
FROM (SELECT *, :seed::bigint * 100 + variety AS seed FROM oracle.variety) AS v,
	 LATERAL (VALUES
		 (1, format('SELECT oracle.make_logs(%s, oracle.shape_of(v, %s)) FROM oracle.variety AS v WHERE variety = %s',
					v.seed, :logs_each, v.variety)),
		 (2, oracle.ddl((SELECT w FROM oracle.variety AS w WHERE w.variety = v.variety), 'oracle.log')),
		 (3, oracle.ddl((SELECT w FROM oracle.variety AS w WHERE w.variety = v.variety), 'oracle.alone')),
		 (4, format('SELECT oracle.load(v, %s, 0) FROM oracle.variety AS v WHERE variety = %s', v.seed, v.variety)),
		 (5, 'VACUUM ANALYZE oracle.log, oracle.log_places'),
		 (6, format('SELECT oracle.load(v, %s, 1) FROM oracle.variety AS v WHERE variety = %s', v.seed, v.variety)),
		 (7, format('SELECT oracle.compare(v, %s) FROM oracle.variety AS v WHERE variety = %s', :seed, v.variety)),
		 (8, 'DROP TABLE oracle.log, oracle.log_places, oracle.alone, oracle.alone_places')) AS s (n, statement)
ORDER BY v.variety, s.n
\gexec
\o

SET TimeZone = 'UTC';

SELECT what, sum(different) AS different, sum(with_answer) > sum(logs) / 5 AS often_something
FROM oracle.compared
GROUP BY what
ORDER BY what;

-- Scripts that show the differences, the shortest first.
\pset format unaligned
\pset tuples_only on
SELECT report FROM oracle.mismatch ORDER BY length(report) LIMIT :reports;
\pset tuples_only off
\pset format aligned
