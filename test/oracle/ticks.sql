/*
 * test/oracle/ticks.sql
 *
 * The same meanings once more, derived another way, to check definitions.sql
 * with: time is enumerated, microsecond by microsecond. A visit is the set of
 * moments in it, a piece is a set of moments, an overlap is as long as the
 * moments in it are many, and an exposure begins at its first. There is no
 * arithmetic on bounds: whether a moment lies in a range is asked of the range
 * as it was given. Good only for logs that last some microseconds.
 */

-- A moment is a number of microseconds since an arbitrary origin. `visit` numbers the visits of a log.
CREATE TYPE oracle.moment AS (visit integer, subject integer, venue integer, t integer);

-- A piece: its first and last moment, both in it.
CREATE TYPE oracle.tick_piece AS (visit integer, subject integer, venue integer, first integer, last integer);

-- The moment at which somebody is reached; backwards, the last moment at which she sheds.
CREATE TYPE oracle.tick_reach AS (subject integer, level integer, t integer, via integer, venue integer);

CREATE FUNCTION oracle.origin() RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN timestamptz '2021-03-28 00:00:00+00';

CREATE FUNCTION oracle.at(t integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN oracle.origin() + t * interval '1 microsecond';

-- A second is as good as any longer time.
CREATE FUNCTION oracle.ticks(i interval) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN i < '1 second' THEN (extract(epoch FROM i) * 1000000)::integer
		   WHEN i >= '1 second' THEN 1000000
	   END;

-- How many moments the air outlasts a stay from its first moment to its last.
CREATE FUNCTION oracle.tail(first integer, last integer, linger interval, linger_ratio float8) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN least(oracle.ticks(linger), round((last - first + 1) * linger_ratio)::integer);

CREATE FUNCTION oracle.moments(log oracle.log_row[], default_stay interval) RETURNS oracle.moment[]
LANGUAGE sql IMMUTABLE
RETURN (
	WITH visit AS (
		SELECT row_number() OVER () AS visit, subject, venue, entered_at, max(left_at) AS left_at
		FROM unnest(log)
		WHERE num_nulls(subject, venue) = 0
		GROUP BY subject, venue, entered_at
	)
	SELECT array_agg(ROW(visit, subject, venue, t)::oracle.moment)
	FROM visit,
		 LATERAL (SELECT oracle.ticks(entered_at - oracle.origin()) AS entered) AS e,
		 LATERAL generate_series(entered,
								 coalesce(oracle.ticks(left_at - oracle.origin()), entered + oracle.ticks(default_stay)) - 1) AS t
);

-- Is the moment before the end, or not before the beginning, of what the question allows?
CREATE FUNCTION oracle.is_before_end(t integer, until timestamptz, during tstzrange) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN until IS NOT NULL THEN oracle.at(t) < until
		   ELSE NOT isempty(during) AND NOT during << tstzrange(oracle.at(t), oracle.at(t), '[]')
	   END;

CREATE FUNCTION oracle.is_after_beginning(t integer, since timestamptz, during tstzrange) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN since IS NOT NULL THEN oracle.at(t) >= since
		   ELSE NOT isempty(during) AND NOT during >> tstzrange(oracle.at(t), oracle.at(t), '[]')
	   END;

-- The cases' pieces: runs of moments of one visit at which the case is infectious, from `since` and before `until`.
CREATE FUNCTION oracle.tick_case_pieces(moments oracle.moment[], q oracle.question, until timestamptz, since timestamptz)
RETURNS oracle.tick_piece[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(visit, subject, venue, first, last)::oracle.tick_piece)
	FROM (SELECT visit, subject, venue, min(t) AS first, max(t) AS last
		  FROM (SELECT m.*, t - row_number() OVER (PARTITION BY visit ORDER BY t) AS run
				FROM unnest(moments) AS m
				WHERE EXISTS (SELECT
							  FROM generate_subscripts((q).cases, 1) AS i
							  WHERE (q).cases[i] = m.subject
									AND coalesce((q).case_periods[i] @> oracle.at(t), true)
									AND (q).during @> oracle.at(t))
					  AND oracle.is_before_end(t, until, (q).during)
					  AND oracle.is_after_beginning(t, since, (q).during)) AS m
		  GROUP BY visit, subject, venue, run) AS runs
);

-- Nothing changes behind level 12: logs have fewer subjects.
CREATE FUNCTION oracle.tick_exposures(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.exposure
LANGUAGE sql IMMUTABLE AS $$
	WITH RECURSIVE m AS MATERIALIZED (
		SELECT oracle.moments(log, default_stay) AS moments
	), c AS MATERIALIZED (
		SELECT oracle.tick_case_pieces(moments, q, q.until, '-infinity') AS case_pieces FROM m
	), levels (k, reached) AS (
		SELECT 0, '{}'::oracle.tick_reach[]
		UNION ALL
		SELECT k + 1,
			   reached || ARRAY(
				   WITH piece AS (
					   SELECT p.*, 0 FROM c, unnest(case_pieces) AS p
					   UNION ALL
					   SELECT x.visit, x.subject, x.venue, min(x.t), max(x.t), r.level
					   FROM m, unnest(moments) AS x JOIN unnest(reached) AS r USING (subject)
					   WHERE x.t - r.t >= oracle.ticks(q.latent)
							 AND coalesce(x.t - r.t < oracle.ticks(q.latent) + oracle.ticks(q.infectious_for), true)
							 AND oracle.is_before_end(x.t, q.until, q.during)
					   GROUP BY x.visit, x.subject, x.venue, r.t, r.level
				   ), breath AS MATERIALIZED (
					   -- y and p are in one air at this moment.
					   SELECT y.visit, y.subject, y.venue, y.t, p.visit AS piece_visit, p.subject AS infector, p.first, p.last, p.level
					   FROM piece AS p (visit, subject, venue, first, last, level), m, unnest(moments) AS y
					   WHERE y.subject <> p.subject
							 AND NOT y.subject = ANY (q.cases)
							 AND (y.venue = p.venue
								  OR q.within > 0 AND EXISTS (SELECT
															  FROM unnest(places) AS a, unnest(places) AS b
															  WHERE a.venue = y.venue AND b.venue = p.venue
																	AND (a.x - b.x) ^ 2 + (a.y - b.y) ^ 2 <= q.within ^ 2))
							 AND y.t >= p.first AND y.t - p.last <= oracle.tail(p.first, p.last, q.linger, q.linger_ratio)
				   ), total AS (
					   -- How many of the moments from this one on, as long as minutes add up, she breathed such air.
					   SELECT subject, t, count(*) OVER (PARTITION BY subject ORDER BY t RANGE BETWEEN CURRENT ROW AND greatest(oracle.ticks(q.accumulate) - 1, 0) FOLLOWING) AS n
					   FROM (SELECT DISTINCT subject, t FROM breath WHERE q.accumulate IS NOT NULL) AS e
				   ), meeting AS (
					   SELECT subject, min(t) AS t, 0 AS level, infector, venue
					   FROM breath
					   WHERE q.accumulate IS NULL
					   GROUP BY subject, visit, venue, piece_visit, infector, first, last
					   HAVING count(*) >= oracle.ticks(q.min_overlap) AND oracle.is_before_end(min(t), q.until, q.during)
					   UNION ALL
					   SELECT subject, t, level, infector, venue
					   FROM breath JOIN total USING (subject, t)
					   WHERE n >= oracle.ticks(q.min_overlap) AND oracle.is_before_end(t, q.until, q.during)
				   )
				   SELECT ROW(best.subject, k + 1, best.t, best.infector[2],
							  (SELECT min(venue) FROM meeting WHERE (subject, t, level, infector) = (best.subject, best.t, best.infector[1], best.infector[2])))::oracle.tick_reach
				   FROM (SELECT earliest.subject, earliest.t,
								(SELECT min(ARRAY[level, infector]) FROM meeting WHERE (subject, t) = (earliest.subject, earliest.t)) AS infector
						 FROM (SELECT subject, min(t) AS t FROM meeting GROUP BY subject) AS earliest) AS best
				   WHERE best.t < ALL (SELECT r.t FROM unnest(reached) AS r WHERE r.subject = best.subject))
		FROM levels
		WHERE k < least(q.degrees, 12)
	), final AS (
		SELECT r.* FROM levels, unnest(reached) AS r WHERE k = least(q.degrees, 12)
	)
	SELECT subject, min(level), oracle.at(min(t)), (array_agg(via ORDER BY t))[1], (array_agg(venue ORDER BY t))[1]
	FROM final
	GROUP BY subject;
$$;

CREATE FUNCTION oracle.tick_contacts(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.contact
LANGUAGE sql IMMUTABLE AS $$
	WITH m AS MATERIALIZED (
		SELECT oracle.moments(log, default_stay) AS moments
	)
	SELECT y.subject, y.venue, p.venue, oracle.at(min(y.t)), oracle.at(max(y.t) + 1),
		   count(*) FILTER (WHERE y.t <= p.last) * interval '1 microsecond', d.distance
	FROM m,
		 LATERAL unnest(oracle.tick_case_pieces(moments,
												ROW(q.cases[1:1], q.during, 1, q.linger, q.min_overlap, q.within, NULL, NULL, NULL, NULL,
													NULL, NULL, q.linger_ratio, NULL)::oracle.question,
												NULL, '-infinity')) AS p,
		 LATERAL unnest(moments) AS y,
		 LATERAL (SELECT CASE
							 WHEN y.venue = p.venue THEN 0
							 WHEN q.within > 0 THEN (SELECT min(sqrt((a.x - b.x) ^ 2 + (a.y - b.y) ^ 2))
													 FROM unnest(places) AS a, unnest(places) AS b
													 WHERE a.venue = y.venue AND b.venue = p.venue)
						 END AS distance) AS d
	WHERE y.subject <> p.subject AND d.distance <= q.within AND y.t BETWEEN p.first AND p.last + oracle.tail(p.first, p.last, q.linger, q.linger_ratio)
		  AND (q.accumulate IS NULL OR y.subject IN (SELECT e.subject
													 FROM oracle.tick_exposures(log, default_stay, places,
																				ROW(q.cases[1:1], q.during, 1, q.linger, q.min_overlap, q.within, '0', NULL, NULL, NULL,
																					NULL, NULL, q.linger_ratio, q.accumulate)::oracle.question) AS e))
	GROUP BY y.subject, y.venue, y.visit, p.venue, p.visit, p.first, p.last, d.distance
	HAVING (count(*) >= oracle.ticks(q.min_overlap) OR q.accumulate IS NOT NULL) AND oracle.is_before_end(min(y.t), NULL, q.during);
$$;

CREATE FUNCTION oracle.tick_sources(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.exposure
LANGUAGE sql IMMUTABLE AS $$
	WITH RECURSIVE m AS MATERIALIZED (
		SELECT oracle.moments(log, default_stay) AS moments
	), c AS MATERIALIZED (
		SELECT oracle.tick_case_pieces(moments, q, 'infinity', q.since) AS case_pieces FROM m
	), levels (k, reached) AS (
		SELECT 0, '{}'::oracle.tick_reach[]
		UNION ALL
		SELECT k + 1,
			   reached || ARRAY(
				   -- Number the pieces: the moments of each are wanted, not only the first and the last.
				   WITH piece AS (
					   SELECT row_number() OVER () AS piece, x.subject, x.venue, x.first, x.last, x.level
					   FROM (SELECT p.*, 0 FROM c, unnest(case_pieces) AS p
							 UNION ALL
							 SELECT x.visit, x.subject, x.venue, min(x.t), max(x.t), r.level
							 FROM m, unnest(moments) AS x JOIN unnest(reached) AS r USING (subject)
							 WHERE r.t - x.t >= oracle.ticks(q.latent)
								   AND coalesce(r.t - x.t < oracle.ticks(q.latent) + oracle.ticks(q.infectious_for), true)
								   AND oracle.is_after_beginning(x.t, q.since, q.during)
							 GROUP BY x.visit, x.subject, x.venue, r.t, r.level) AS x (visit, subject, venue, first, last, level)
				   ), shedding AS (
					   SELECT visit, subject, venue, min(t) AS first, max(t) AS last FROM m, unnest(moments) GROUP BY visit, subject, venue
				   ), breath AS MATERIALIZED (
					   -- p is in y's air at this moment.
					   SELECT y.visit, y.subject, y.venue, y.last, t, p.piece, p.subject AS infected, p.level
					   FROM piece AS p, generate_series(p.first, p.last) AS t, shedding AS y
					   WHERE y.subject <> p.subject
							 AND NOT y.subject = ANY (q.cases)
							 AND (y.venue = p.venue
								  OR q.within > 0 AND EXISTS (SELECT
															  FROM unnest(places) AS a, unnest(places) AS b
															  WHERE a.venue = y.venue AND b.venue = p.venue
																	AND (a.x - b.x) ^ 2 + (a.y - b.y) ^ 2 <= q.within ^ 2))
							 AND t >= y.first AND t - y.last <= oracle.tail(y.first, y.last, q.linger, q.linger_ratio)
				   ), total AS (
					   SELECT subject, t, count(*) OVER (PARTITION BY subject ORDER BY t RANGE BETWEEN greatest(oracle.ticks(q.accumulate) - 1, 0) PRECEDING AND CURRENT ROW) AS n
					   FROM (SELECT DISTINCT subject, t FROM breath WHERE q.accumulate IS NOT NULL) AS e
				   ), meeting AS (
					   SELECT subject, least(last, max(t)) AS t, 0 AS level, infected, venue
					   FROM breath
					   WHERE q.accumulate IS NULL
					   GROUP BY subject, visit, venue, last, piece, infected
					   HAVING count(*) >= oracle.ticks(q.min_overlap) AND oracle.is_after_beginning(least(last, max(t)), q.since, q.during)
					   UNION ALL
					   SELECT subject, least(last, t), level, infected, venue
					   FROM breath JOIN total USING (subject, t)
					   WHERE n >= oracle.ticks(q.min_overlap) AND oracle.is_after_beginning(least(last, t), q.since, q.during)
				   )
				   SELECT ROW(best.subject, k + 1, best.t, best.infected[2],
							  (SELECT min(venue) FROM meeting WHERE (subject, t, level, infected) = (best.subject, best.t, best.infected[1], best.infected[2])))::oracle.tick_reach
				   FROM (SELECT latest.subject, latest.t,
								(SELECT min(ARRAY[level, infected]) FROM meeting WHERE (subject, t) = (latest.subject, latest.t)) AS infected
						 FROM (SELECT subject, max(t) AS t FROM meeting GROUP BY subject) AS latest) AS best
				   WHERE best.t > ALL (SELECT r.t FROM unnest(reached) AS r WHERE r.subject = best.subject))
		FROM levels
		WHERE k < least(q.degrees, 12)
	), final AS (
		SELECT r.* FROM levels, unnest(reached) AS r WHERE k = least(q.degrees, 12)
	)
	-- She sheds up to the end of her last moment.
	SELECT subject, min(level), oracle.at(max(t) + 1), (array_agg(via ORDER BY t DESC))[1], (array_agg(venue ORDER BY t DESC))[1]
	FROM final
	GROUP BY subject;
$$;

CREATE FUNCTION oracle.tick_hotspots(log oracle.log_row[], default_stay interval, q oracle.question)
RETURNS SETOF oracle.hotspot
LANGUAGE sql IMMUTABLE AS $$
	WITH m AS MATERIALIZED (
		SELECT oracle.moments(log, default_stay) AS moments
	), air AS MATERIALIZED (
		SELECT DISTINCT p.venue, p.subject, t
		FROM m,
			 LATERAL unnest(oracle.tick_case_pieces(moments, q, NULL, '-infinity')) AS p,
			 LATERAL generate_series(p.first, p.last + oracle.tail(p.first, p.last, q.linger, q.linger_ratio)) AS t
	), covered AS (
		SELECT venue, t, t - row_number() OVER (PARTITION BY venue ORDER BY t) AS run
		FROM (SELECT DISTINCT venue, t FROM air) AS d
	), stretch AS (
		SELECT venue, min(t) AS first, max(t) AS last FROM covered GROUP BY venue, run
	)
	SELECT s.venue, oracle.at(s.first), oracle.at(s.last + 1), c.n::integer, v.n::integer
	FROM stretch AS s,
		 LATERAL (SELECT count(DISTINCT subject) AS n FROM air AS a WHERE a.venue = s.venue AND a.t BETWEEN s.first AND s.last) AS c,
		 LATERAL (SELECT count(DISTINCT y.subject) AS n
				  FROM m, unnest(moments) AS y
				  WHERE y.venue = s.venue AND y.t BETWEEN s.first AND s.last AND NOT y.subject = ANY (q.cases)) AS v
	WHERE c.n >= q.min_cases;
$$;
