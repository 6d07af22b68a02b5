-- Whom to tell first: how often and how long somebody met those who exposed
-- her.  The sums of all pairs, which anshim.contacts returns, are the judge at
-- degree 1; at higher ones the oracle is (oracle.sql).

SET timezone = 'UTC';
SET intervalstyle = 'postgres';
SELECT setseed(0.25);
\pset tuples_only on
\pset format unaligned
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit', max_stay => '10 days');
CREATE VIEW seen AS SELECT * FROM visit;
SELECT anshim.track_visits('seen', max_stay => '10 days');
CREATE TABLE mixed (subject int, venue text, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('mixed', max_stay => '10 days');

-- Stays of ten minutes to a week, so that beginnings, ends and the ends of air
-- come in every order; whole minutes, so that many of them meet.
INSERT INTO visit
SELECT random() * 60, random() * 3, t, t + (10 + random() ^ (1 + i % 9) * CASE WHEN i % 50 = 0 THEN 10000 ELSE 200 END)::int * interval '1 minute'
FROM (SELECT i, timestamptz '2021-01-01 00:00' + (random() * 10000)::int * interval '1 minute' AS t FROM generate_series(1, 1200) AS i) AS r;
INSERT INTO mixed SELECT subject, 'v' || venue, entered_at, left_at FROM visit;
VACUUM ANALYZE visit, mixed;

-- One row for each way that the sums are not those of all contacts
CREATE FUNCTION wrong(log text, rules text, cases int[] DEFAULT '{1,2,3}', venue text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH engine AS (
			SELECT subject, degree, exposed_at, via, venue, encounters, together
			FROM anshim.exposures(%1$L, $1 %3$s, '[2021-01-02, 2021-01-07)', details => true %2$s)
		), pairs AS (
			SELECT c.subject, count(*) AS encounters, sum(c.together) AS together
			FROM unnest($1) AS one, anshim.contacts(%1$L, one %3$s, '[2021-01-02, 2021-01-07)' %2$s) AS c
			WHERE c.subject <> ALL ($1)
			GROUP BY c.subject
		)
		SELECT format('%%s: engine %%s %%s, contacts %%s %%s', subject, e.encounters, e.together, p.encounters, p.together)
		FROM engine AS e FULL JOIN pairs AS p USING (subject)
		WHERE (e.encounters, justify_hours(e.together)) IS DISTINCT FROM (p.encounters, justify_hours(p.together))
		UNION ALL
		(SELECT 'only with details: ' || w::text
		 FROM (SELECT subject, degree, exposed_at, via, venue FROM engine EXCEPT
			   SELECT * FROM anshim.exposures(%1$L, $1 %3$s, '[2021-01-02, 2021-01-07)' %2$s)) AS w)
		UNION ALL
		SELECT format('%%s rows without details', count(*)) FROM anshim.exposures(%1$L, $1 %3$s, '[2021-01-02, 2021-01-07)' %2$s)
		HAVING count(*) <> (SELECT count(*) FROM engine)
		$q$, log, rules, venue) USING cases;
END $$;

SELECT log, rules, wrong(log, rules, venue => CASE log WHEN 'mixed' THEN ', NULL::text' ELSE '' END)
FROM unnest('{visit,seen,mixed}'::text[]) AS log,
	 unnest(ARRAY['', ', min_overlap => ''15 minutes''', ', linger => ''40 minutes''', ', linger => ''40 minutes'', min_overlap => ''30 minutes''',
		', linger => ''2 hours'', linger_ratio => 0.5, min_overlap => ''1 hour''', ', linger => ''1 minute'', min_overlap => ''3 hours''',
		', linger => ''3 days'', linger_ratio => 3, min_overlap => ''12 minutes''', ', min_overlap => ''2 days''']) AS rules;

-- That was no comparison of nothing.
SELECT count(*) > 30, max(encounters) > 10, min(together) = '0', max(together) > '5 hours'
FROM anshim.exposures('visit', ARRAY[1, 2, 3], '[2021-01-02, 2021-01-07)', details => true, linger => '40 minutes');

-- Minutes that add up: of whom one case alone exposes, contacts has all meetings.
SELECT wrong('visit', ', min_overlap => ''1 hour'', accumulate => ''1 day''', ARRAY[1]),
	   wrong('visit', ', min_overlap => ''1 hour'', accumulate => ''1 day'', linger => ''1 hour''', ARRAY[1]);
SELECT count(*) > 2, count(*) < 50, max(encounters) > 3, min(together) >= '1 hour'
FROM anshim.exposures('visit', ARRAY[1], '[2021-01-02, 2021-01-07)', details => true, min_overlap => '1 hour', accumulate => '1 day');

--
-- A stadium: its pairs are never looked at one by one.  20 000 are infected on
-- one day, and meet 20 000 others on the next, one case aside.
--
TRUNCATE visit;
INSERT INTO visit
SELECT i, 1, timestamptz '2021-01-01 10:00', timestamptz '2021-01-01 11:00' FROM generate_series(1, 20000) AS i
UNION ALL
SELECT i, 2, timestamptz '2021-01-02 10:00' + i * interval '1 second', '2021-01-02 20:00' FROM generate_series(2, 20000) AS i
UNION ALL
SELECT i, 2, '2021-01-02 12:00', timestamptz '2021-01-02 12:00' + (i - 20000) * interval '1 second' FROM generate_series(20001, 40000) AS i;
SET statement_timeout = '10s';
SELECT degree, count(*), min(encounters), max(encounters), sum(encounters),
	-- those of degree 2 meet all whom they find when they come, or who come while they are there
	bool_and(degree = 1 OR encounters = least(19999, 7198 + subject - 20000)) AS encounters_right
FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-03)', details => true, degrees => 2)
GROUP BY degree ORDER BY degree;
SELECT subject, together = (SELECT sum(least(v.left_at, e.left_at) - greatest(v.entered_at, e.entered_at))
							FROM visit v WHERE venue = 2 AND v.subject BETWEEN 2 AND 20000 AND v.entered_at < e.left_at AND v.left_at > e.entered_at) AS together_right
FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-03)', details => true, degrees => 2) JOIN visit e USING (subject)
WHERE subject IN (20001, 30000, 40000) AND e.venue = 2
ORDER BY subject;
RESET statement_timeout;

--
-- Calls: those without details mean what they meant, whether or not they say
-- of what type a literal is.
--
TRUNCATE visit, mixed;
INSERT INTO visit VALUES (1, 1, '2021-01-01 10:00', '2021-01-01 11:00'), (2, 1, '2021-01-01 10:30', '2021-01-01 12:00');
INSERT INTO mixed SELECT subject, 'v' || venue, entered_at, left_at FROM visit;
\pset tuples_only off
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)');
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)', 2);
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)', 2, '1 hour');
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)', degrees => '2');
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)'::tstzrange, '2', '1 hour');
SELECT * FROM anshim.exposures('mixed', ARRAY[1], NULL::text, '[2021-01-01, 2021-01-02)');
SELECT * FROM anshim.exposures('mixed', ARRAY[1], NULL::text, '[2021-01-01, 2021-01-02)', 2);
SELECT * FROM anshim.exposures('mixed', ARRAY[1], NULL::text, '[2021-01-01, 2021-01-02)'::tstzrange, '2');
PREPARE untyped AS SELECT * FROM anshim.exposures($1, $2::int[], $3::tstzrange, $4);
EXECUTE untyped('visit', '{1}', '[2021-01-01, 2021-01-02)', '2');
SELECT * FROM anshim.exposures_by('clea', 'visit', ARRAY[1], ARRAY[date '2021-01-01'], '1');

SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)', details => true);
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)', true, 2, '1 hour');
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)'::tstzrange, degrees => 2, details => 'true');
SELECT * FROM anshim.exposures('visit', ARRAY[1], '[2021-01-01, 2021-01-02)', details => false);
SELECT * FROM anshim.exposures('mixed', ARRAY[1], NULL::text, '[2021-01-01, 2021-01-02)', details => true);
PREPARE untyped_details AS SELECT * FROM anshim.exposures($1, $2::int[], $3::tstzrange, details => $4);
EXECUTE untyped_details('visit', '{1}', '[2021-01-01, 2021-01-02)', 'true');
SELECT * FROM anshim.exposures_by('kdca-2020', 'visit', ARRAY[1], ARRAY[date '2021-01-01'], details => true);
SELECT * FROM anshim.exposures_by('cdc-2020', 'mixed', ARRAY[1], NULL::text, ARRAY[date '2021-01-01'], details => true);

-- What is refused
DO $$
DECLARE
	arguments text;
	hint text;
BEGIN
	FOREACH arguments IN ARRAY ARRAY['details => NULL', 'details => true, degrees => 2, accumulate => ''1 day''',
									 'details => false, degrees => 2, accumulate => ''1 day''', 'details => true, degrees => 0'] LOOP
		BEGIN
			EXECUTE 'SELECT count(*) FROM anshim.exposures(''visit'', ARRAY[1], ''[2021-01-01, 2021-01-02)'', ' || arguments || ')';
			RAISE INFO '%: no error', arguments;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			RAISE INFO E'%: %: %\n    %', arguments, SQLSTATE, SQLERRM, hint;
		END;
	END LOOP;
END $$;
