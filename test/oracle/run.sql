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

-- A time zone whose clocks go forward amid the logs, which lengths are not to
-- notice.
SET TimeZone = 'Europe/Berlin';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';

\o /dev/null
ALTER TABLE oracle.variety ADD logs integer;
UPDATE oracle.variety SET logs = ceil(:logs * share / (SELECT sum(share) FROM oracle.variety));
SELECT oracle.make_keys(:seed, max(9 * scale * logs)) FROM oracle.variety;
SELECT oracle.sort_keys(collname) FROM pg_collation WHERE collname = 'en-x-icu';
ANALYZE oracle.key;

-- For each variety: draw the logs, make the tables, load one half of the rows,
-- vacuum, load the other half, compare. Large logs are not to be compared with
-- nested loops.
SELECT s.statement
FROM oracle.variety AS v,
	 LATERAL (SELECT :seed::bigint * 100 + v.variety AS seed,
					 format('FROM oracle.variety AS v WHERE variety = %s', v.variety) AS this) AS t,
	 LATERAL (VALUES
		 (1, format('SELECT oracle.make_logs(%s, oracle.shape_of(v, logs)) %s', seed, this)),
		 (2, oracle.ddl(v, 'oracle.log')),
		 (3, oracle.ddl(v, 'oracle.alone')),
		 (4, format('SELECT oracle.load(v, %s, 0) %s', seed, this)),
		 (5, 'VACUUM ANALYZE oracle.log, oracle.log_places'),
		 (6, format('SELECT oracle.load(v, %s, 1) %s', seed, this)),
		 (7, format('SET enable_nestloop = %s', scale = 1)),
		 (8, format('SELECT oracle.compare(v, %s) %s', :seed, this)),
		 (9, 'RESET enable_nestloop'),
		 (10, 'DROP TABLE oracle.log, oracle.log_places, oracle.alone, oracle.alone_places')) AS s (n, statement)
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
