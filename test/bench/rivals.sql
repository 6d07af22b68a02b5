-- What anshim is measured against, and the stop-watches.
--
-- rival.exposures_by_btree(index_case, lo, hi, degrees) and its twin by_gist
-- answer what anshim.exposures('visit', ARRAY[index_case], '[lo, hi)',
-- degrees => degrees) does, without via and venue.  They are the best SQL that
-- we could write; they know that no stay exceeds 24 hours, and that here a
-- visit is one row.  What makes them fast: one statement a level, and its plan
-- is kept; only the new part of a subject's infectious time is expanded; both
-- indexes are read by index-only scans, in their own order; sorts and hashes
-- stay in memory; no call in the filters where there is a check-out; no joins
-- with earlier levels, which come into the same aggregate.  Tried as well, and
-- no faster: a temporary table a step, analyzed; range_agg() in place of the
-- window functions; subtracting the air of older levels; JIT.

CREATE SCHEMA rival;
SET search_path = rival, public;

-- Degree 1: one statement.  Degree 2 and more: a loop.  `meets` says how a
-- visit y is found that shares the air of p, from p.s to p.e, at p.venue.
CREATE PROCEDURE rival.define(contender text, meets text)
LANGUAGE plpgsql
AS $procedure$
BEGIN
	EXECUTE format($function$
CREATE FUNCTION rival.exposures_by_%1$s(index_case bigint, lo timestamptz, hi timestamptz, degrees integer)
RETURNS TABLE (subject bigint, degree integer, exposed_at timestamptz)
LANGUAGE plpgsql
AS $body$
#variable_conflict use_column
DECLARE
	found_now bigint;
BEGIN
	CREATE TEMPORARY TABLE IF NOT EXISTS reached_%1$s (
		subject bigint, level integer, t timestamptz, before timestamptz);
	TRUNCATE reached_%1$s;
	INSERT INTO reached_%1$s VALUES (index_case, 0, lo, hi);
	FOR this_level IN 1..degrees LOOP
		INSERT INTO reached_%1$s
		WITH piece AS (
			SELECT v.venue, greatest(v.entered_at, f.t) AS s,
				least(coalesce(v.left_at, v.entered_at + interval '1 hour'), hi) AS e
			FROM (SELECT subject, t, before FROM reached_%1$s
				  WHERE level = this_level - 1 ORDER BY subject) AS f
			JOIN visit AS v ON v.subject = f.subject
				AND v.entered_at > f.t - interval '24 hours' AND v.entered_at < f.before
				AND (v.left_at > f.t OR v.left_at IS NULL AND v.entered_at > f.t - interval '1 hour')
		), begun AS (
			SELECT venue, s, e,
				max(e) OVER (PARTITION BY venue ORDER BY s
					ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended,
				max(e) OVER (PARTITION BY venue) AS last_end
			FROM piece
		), stretch AS MATERIALIZED (
			SELECT venue, s,
				coalesce(lead(ended) OVER (PARTITION BY venue ORDER BY s), last_end) AS e
			FROM begun
			WHERE ended IS NULL OR ended < s
			ORDER BY venue, s
		), seen AS (
			SELECT y.subject, greatest(y.entered_at, p.s) AS t, NULL::timestamptz AS before
			FROM stretch AS p JOIN visit AS y ON %2$s
			WHERE y.subject <> index_case
			UNION ALL
			SELECT subject, NULL, t FROM reached_%1$s WHERE level > 0
		)
		SELECT subject, this_level, min(t), coalesce(min(before), hi)
		FROM seen
		GROUP BY subject
		HAVING min(t) < min(before) OR min(before) IS NULL;
		GET DIAGNOSTICS found_now = ROW_COUNT;
		IF found_now > 1000 AND this_level < degrees THEN
			ANALYZE reached_%1$s;
		END IF;
	END LOOP;
	RETURN QUERY SELECT subject, min(level), min(t) FROM reached_%1$s WHERE level > 0 GROUP BY subject;
END
$body$
$function$, contender, meets);
	CALL rival.define_watch('first_by_' || contender, format($query$(
		SELECT y.subject, 1 AS degree, min(greatest(y.entered_at, p.s)) AS exposed_at
		FROM (
			SELECT v.venue, greatest(v.entered_at, $3) AS s,
				least(coalesce(v.left_at, v.entered_at + interval '1 hour'), $4) AS e
			FROM visit AS v
			WHERE v.subject = $2
				AND v.entered_at > $3 - interval '24 hours' AND v.entered_at < $4
				AND (v.left_at > $3 OR v.left_at IS NULL AND v.entered_at > $3 - interval '1 hour')
		) AS p
		JOIN visit AS y ON %s
		WHERE y.subject <> $2
		GROUP BY y.subject
	)$query$, meets));
	CALL rival.define_watch('by_' || contender,
							format('rival.exposures_by_%s($2, $3, $4, $5)', contender));
END
$procedure$;

-- A stop-watch: the mean milliseconds of so many calls; and the answer, as the
-- number of its rows and a checksum, which limit.c forms likewise.  The query,
-- of $1 visits, $2 index case, $3 from, $4 until and $5 degrees, is prepared (a
-- static one of PL/pgSQL, so that its plan is kept), or parsed and planned
-- anew at each call.
CREATE PROCEDURE rival.define_watch(contender text, query text)
LANGUAGE plpgsql
AS $procedure$
BEGIN
	EXECUTE format($function$
CREATE FUNCTION rival.time_%1$s(visits regclass, index_case bigint, lo timestamptz, hi timestamptz,
								degrees integer, calls integer, prepared boolean) RETURNS double precision
LANGUAGE plpgsql
AS $body$
DECLARE
	started timestamptz := clock_timestamp();
	reached bigint;
BEGIN
	FOR i IN 1..calls LOOP
		IF prepared THEN
			PERFORM count(*) FROM %2$s AS answer;
		ELSE
			EXECUTE 'SELECT count(*) FROM ' || %2$L || ' AS answer'
				INTO reached USING $1, $2, $3, $4, $5;
		END IF;
	END LOOP;
	RETURN extract(epoch FROM clock_timestamp() - started) * 1000 / calls;
END
$body$
$function$, contender, query);
	EXECUTE format($function$
CREATE FUNCTION rival.answer_%1$s(visits regclass, index_case bigint, lo timestamptz, hi timestamptz,
								  degrees integer) RETURNS text
LANGUAGE plpgsql
AS $body$
BEGIN
	RETURN (SELECT count(*) || ':' || coalesce(sum((answer.subject %% 1000003 * 64 + answer.degree) *
		(((extract(epoch FROM answer.exposed_at) * 1000000)::bigint - 946684800000000) %% 998244353)), 0)
		FROM %2$s AS answer);
END
$body$
$function$, contender, query);
END
$procedure$;

CALL rival.define('btree', $$y.venue = p.venue
	AND y.entered_at > p.s - interval '24 hours' AND y.entered_at < p.e
	AND (y.left_at > p.s OR y.left_at IS NULL AND y.entered_at > p.s - interval '1 hour')$$);
CALL rival.define('gist', $$y.venue = p.venue
	AND public.stay(y.entered_at, y.left_at) && tstzrange(p.s, p.e)$$);

CALL rival.define_watch('anshim',
						'anshim.exposures($1, ARRAY[$2], tstzrange($3, $4), degrees => $5)');

-- Subjects with a typical number of visits in the window, always the same
CREATE FUNCTION rival.cases(visits regclass, lo timestamptz, hi timestamptz, how_many integer)
RETURNS SETOF bigint
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
		SELECT subject FROM %s
		WHERE entered_at >= $1 AND entered_at < $2 AND subject %% 100 = 7
		GROUP BY subject HAVING count(*) = 10
		ORDER BY md5(subject::text) LIMIT $3
	$query$, visits) USING lo, hi, how_many;
END
$$;

-- Three digits that count
CREATE FUNCTION rival.figure(x double precision) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN x > 0 THEN round(x::numeric, greatest(0, 2 - floor(log(x))::integer))::text ELSE x::text END $$;

-- What was measured.  contender: anshim, btree, gist, limit; those of rules.sql
CREATE TABLE rival.run (
	contender text, visits regclass, index_case bigint, degrees integer,
	milliseconds double precision, prepared boolean DEFAULT true);
CREATE TABLE rival.answer (
	contender text, visits regclass, index_case bigint, degrees integer, answer text);
CREATE TABLE rival.level (
	contender text, visits regclass, index_case bigint, degrees integer, level integer,
	infectors bigint, subject_rows bigint, pieces bigint, stretches bigint, venue_rows bigint,
	reached bigint, milliseconds double precision);

-- Measure one contender on one case: the answer (which warms up), then the runs
CREATE PROCEDURE rival.measure(contender text, visits regclass, index_case bigint, lo timestamptz,
							   hi timestamptz, degrees integer, calls integer, runs integer)
LANGUAGE plpgsql
AS $procedure$
DECLARE
	watch text := CASE WHEN contender NOT IN ('btree', 'gist') THEN contender
		WHEN degrees = 1 THEN 'first_by_' || contender ELSE 'by_' || contender END;
	result text;
	prepared boolean;
	milliseconds double precision;
BEGIN
	EXECUTE format('SELECT rival.answer_%s($1, $2, $3, $4, $5)', watch)
		INTO result USING visits, index_case, lo, hi, degrees;
	INSERT INTO rival.answer VALUES (contender, visits, index_case, degrees, result);
	FOREACH prepared IN ARRAY CASE degrees WHEN 1 THEN '{t,f}' ELSE '{t}' END::boolean[] LOOP
		FOR i IN 1..runs LOOP
			EXECUTE format('SELECT rival.time_%s($1, $2, $3, $4, $5, $6, $7)', watch)
				INTO milliseconds USING visits, index_case, lo, hi, degrees, calls, prepared;
			INSERT INTO rival.run VALUES (contender, visits, index_case, degrees, milliseconds, prepared);
			COMMIT;
		END LOOP;
	END LOOP;
	IF contender = 'anshim' THEN
		INSERT INTO rival.level
		SELECT contender, visits, index_case, degrees, t.level, t.infectors, t.subject_rows, t.pieces,
			t.stretches, t.venue_rows, t.reached, t.milliseconds
		FROM anshim.last_trace() AS t;
	END IF;
END
$procedure$;
