/*
 * test/oracle/definitions.sql
 *
 * What anshim.contacts, exposures, exposure_paths, sources and hotspots mean,
 * written down as literally as SQL allows: every pair of visits is enumerated,
 * every level starts anew from all that is known, and nothing is clever. Slow,
 * and meant to be believed.
 *
 * All functions here are pure: a log is an array of rows, keys are integers in
 * the order of the real keys (see compare.sql for how the real keys get their
 * numbers), and a question is one composite value that holds the arguments of
 * all five functions. "now" plays no part.
 *
 * The definitions leave a few meanings open; the oracle reads them so:
 *
 *  1. The air ends late, the visitor is not cut. An infectious piece is cut at
 *     H (= until, or else the end of `during`), but a visit Y that it exposes
 *     is not: the overlap O may lie behind H for as long as `linger` carries
 *     the piece's air there. Only O's beginning has to be before H.
 *  2. contacts: the same H, which is the end of `during` here. A visit that
 *     begins in air lingering after the end of `during` is no row.
 *  3. contacts: a row for each pair of a visit and a piece. Two visits of one
 *     subject may give two equal rows: the answer is a bag.
 *  4. A case's infectious intervals are the maximal intervals of D: periods
 *     that overlap or touch are joined, after normalisation. Those of others
 *     are never joined.
 *  5. hotspots: the pieces prolonged by `linger` are joined where they overlap
 *     or touch; a stretch is not cut at the end of `during`. A visitor is
 *     counted if her visit and the stretch have a moment in common: both are
 *     half-open, so touching is not enough. A case whose D is empty makes no
 *     stretch, and is still no visitor.
 *  6. `within` 0 is the same venue only, even where two venues have one
 *     location; above 0 a distance equal to `within` is near. A venue with
 *     several locations is as far as its nearest.
 *  7. `venue` of exposures, exposure_paths and sources is the venue of the
 *     visit of the row's own subject (of the infected one in paths), and not
 *     the other's.
 *  8. exposure_paths: every hop, not only the last, happens at a T_i of the
 *     one it infects, with i no higher than leaves room for the hops that
 *     follow. For a later re-exposure starts nothing: a chain over one would
 *     be none. No subject comes twice in a chain.
 *  9. sources: with G = since, or else the beginning of `during`, S_0 of a
 *     case is the end of D, a piece is cut from a visit that ends after G, and
 *     the receptive intervals of others are [S_i - latent - infectious_for,
 *     S_i - latent), half-open as all others. Y is not cut at G. via is the
 *     one whom she could have infected.
 * 10. A visit of no length (default_stay zero) is an empty set of moments: it
 *     exposes nobody and nobody is exposed in it.
 * 11. linger_ratio: the piece's own length counts, cut as it is, or backwards
 *     the length of the other's whole visit; the product is rounded to whole
 *     microseconds, halves to even. NULL: no such bound.
 * 12. accumulate: E is not cut at H, only the moment t is before H. contacts: a
 *     row for every overlap that is there, and begins before H, of subjects who
 *     are exposed to the case's pieces.
 * 13. details: the exposures that count are to pieces of the level below the
 *     subject's degree; those whose pieces are equal count each by itself, if
 *     they come of two visits. With accumulate, overlaps as in 12.
 * 14. A `during` that is empty once it is normalised, such as (t, t + 1
 *     microsecond), leaves every D empty.
 */

CREATE SCHEMA oracle;

-- A row of a visit log, and a visit made of such rows.
CREATE TYPE oracle.log_row AS (subject integer, venue integer, entered_at timestamptz, left_at timestamptz);
CREATE TYPE oracle.visit AS (subject integer, venue integer, stay tstzrange);

-- A piece, and the lowest level at which there is such a one.
CREATE TYPE oracle.piece AS (subject integer, venue integer, stay tstzrange, level integer);

-- A location of a venue, in metres on a plane; and when visits there end that
-- nobody checks out.
CREATE TYPE oracle.place AS (venue integer, x float8, y float8, stay interval, closes time, time_zone text);

-- Two venues that share their air.
CREATE TYPE oracle.near AS (a integer, b integer, distance float8);

-- An interval in which somebody is infectious, or receptive when traced backwards.
CREATE TYPE oracle.spell AS (subject integer, spell tstzrange);

-- T_level(subject), written down for the levels at which it changed, with what realised it.
CREATE TYPE oracle.reach AS (subject integer, level integer, reached timestamptz, via integer, venue integer);

-- Answers.
CREATE TYPE oracle.contact AS (subject integer, venue integer, case_venue integer, started_at timestamptz, ended_at timestamptz,
							   together interval, distance float8);
CREATE TYPE oracle.exposure AS (subject integer, degree integer, at timestamptz, via integer, venue integer);
CREATE TYPE oracle.ranked AS (subject integer, degree integer, at timestamptz, via integer, venue integer, encounters integer, together interval);
CREATE TYPE oracle.hop AS (subject integer, step integer, infector integer, infected integer, venue integer, exposed_at timestamptz);
CREATE TYPE oracle.hotspot AS (venue integer, started_at timestamptz, ended_at timestamptz, case_count integer, visitor_count integer);

-- The arguments of all functions; contacts takes the first of the cases.
CREATE TYPE oracle.question AS (
	cases integer[],
	during tstzrange,
	degrees integer,
	linger interval,
	min_overlap interval,
	within float8,
	latent interval,
	infectious_for interval,
	until timestamptz,
	since timestamptz,
	case_periods tstzrange[],
	min_cases integer,
	linger_ratio float8,
	accumulate interval
);

-- A length of time: days count as 24 hours, whatever the time zone. No log is
-- as long as 2 000 years, so that a length beyond may as well be that.
CREATE FUNCTION oracle.length(i interval) RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN i < '730500 days' THEN interval '1 microsecond' * (extract(epoch FROM i) * 1000000)::bigint
		   WHEN i >= '730500 days' THEN interval '17532000 hours'
	   END;

-- [lower, upper) with bounds that are there, in microseconds.
CREATE FUNCTION oracle.normalised(r tstzrange) RETURNS tstzrange
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT CASE WHEN isempty(r) OR lo >= hi THEN 'empty'::tstzrange ELSE tstzrange(lo, hi) END
	FROM (SELECT CASE
					 WHEN lower_inf(r) THEN '-infinity'::timestamptz
					 WHEN lower_inc(r) THEN lower(r)
					 ELSE lower(r) + interval '1 microsecond'
				 END AS lo,
				 CASE
					 WHEN upper_inf(r) THEN 'infinity'::timestamptz
					 WHEN upper_inc(r) THEN upper(r) + interval '1 microsecond'
					 ELSE upper(r)
				 END AS hi) AS bounds
);

-- The same log, where the visits that nobody checked out are checked out as
-- their venues say: after their stay, or at the next closing time, the
-- earlier, but after max_stay at the latest. Where venues say nothing, nothing
-- changes. Of several rows of a venue, the longest stay and the latest closing time count.
CREATE FUNCTION oracle.checked_out(log oracle.log_row[], places oracle.place[], max_stay interval) RETURNS oracle.log_row[]
LANGUAGE sql STABLE
RETURN ARRAY(
	SELECT ROW(r.subject, r.venue, r.entered_at,
			   CASE
				   WHEN max(r.left_at) OVER (PARTITION BY r.subject, r.venue, r.entered_at) IS NOT NULL THEN r.left_at
				   WHEN p.stay IS NOT NULL OR p.closes IS NOT NULL
				   THEN least(r.entered_at + oracle.length(p.stay),
							  (SELECT min(closing)
							   FROM generate_series(-3, 3) AS n,
									LATERAL (SELECT (r.entered_at::date + n + p.closes) AT TIME ZONE coalesce(p.time_zone, current_setting('TimeZone')) AS closing) AS c
							   WHERE closing > r.entered_at),
							  r.entered_at + oracle.length(max_stay))
			   END)::oracle.log_row
	FROM unnest(log) WITH ORDINALITY AS r (subject, venue, entered_at, left_at, n)
		 LEFT JOIN LATERAL (SELECT max(stay) AS stay,
								   (array_agg(closes ORDER BY closes DESC NULLS LAST, time_zone))[1] AS closes,
								   (array_agg(time_zone ORDER BY closes DESC NULLS LAST, time_zone))[1] AS time_zone
							FROM unnest(places) AS p
							WHERE p.venue = r.venue) AS p ON true
	ORDER BY r.n
);

-- The visits in a log: rows with the same subject, venue and entered_at are one visit, which ends at the greatest left_at that is known.
CREATE FUNCTION oracle.visits(log oracle.log_row[], default_stay interval) RETURNS oracle.visit[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(subject, venue, tstzrange(entered_at, gone_at))::oracle.visit)
	FROM (SELECT subject, venue, entered_at,
				 coalesce(max(left_at), entered_at + oracle.length(default_stay)) AS gone_at
		  FROM unnest(log)
		  WHERE subject IS NOT NULL AND venue IS NOT NULL
		  GROUP BY subject, venue, entered_at) AS v
);

-- Which venues share their air, each with itself too.
CREATE FUNCTION oracle.near(visits oracle.visit[], places oracle.place[], within float8) RETURNS oracle.near[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(a, b, distance)::oracle.near)
	FROM (SELECT DISTINCT venue AS a, venue AS b, 0::float8 AS distance
		  FROM unnest(visits)
		  UNION ALL
		  SELECT p.venue, q.venue, min(sqrt((p.x - q.x) ^ 2 + (p.y - q.y) ^ 2))
		  FROM unnest(places) AS p, unnest(places) AS q
		  WHERE p.venue <> q.venue AND within > 0 AND sqrt((p.x - q.x) ^ 2 + (p.y - q.y) ^ 2) <= within
		  GROUP BY p.venue, q.venue) AS n
);

-- The maximal intervals of D(x) for every case x.
CREATE FUNCTION oracle.case_spells(q oracle.question) RETURNS oracle.spell[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(subject, spell)::oracle.spell)
	FROM (SELECT c.subject,
				 range_agg(oracle.normalised((q).during) * CASE WHEN c.period IS NULL THEN tstzrange(NULL, NULL) ELSE oracle.normalised(c.period) END) AS d
		  FROM unnest((q).cases, (q).case_periods) AS c (subject, period)
		  GROUP BY c.subject) AS cases,
		 LATERAL unnest(d) AS spell
);

-- The pieces of somebody's visits that lie in one of her spells, and before `until`.
CREATE FUNCTION oracle.pieces_before(visits oracle.visit[], spells oracle.spell[], until timestamptz) RETURNS oracle.visit[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(x.subject, x.venue, x.stay * j.spell * tstzrange(NULL, until))::oracle.visit)
	FROM unnest(visits) AS x JOIN unnest(spells) AS j ON x.subject = j.subject
	WHERE NOT isempty(x.stay * j.spell * tstzrange(NULL, until))
);

-- The same, after `since`.
CREATE FUNCTION oracle.pieces_after(visits oracle.visit[], spells oracle.spell[], since timestamptz) RETURNS oracle.visit[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(x.subject, x.venue, x.stay * j.spell * tstzrange(since, NULL))::oracle.visit)
	FROM unnest(visits) AS x JOIN unnest(spells) AS j ON x.subject = j.subject
	WHERE NOT isempty(x.stay * j.spell * tstzrange(since, NULL))
);

-- A piece's air.
CREATE FUNCTION oracle.air(piece tstzrange, linger interval, linger_ratio float8) RETURNS tstzrange
LANGUAGE sql IMMUTABLE
RETURN tstzrange(lower(piece), upper(piece) + least(oracle.length(linger), linger_ratio * oracle.length(upper(piece) - lower(piece))));

-- Is the overlap there, and long enough?
CREATE FUNCTION oracle.suffices(o tstzrange, min_overlap interval) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN NOT isempty(o) AND upper(o) - lower(o) >= oracle.length(min_overlap);

--
-- Minutes that add up. |E intersected with [t, t + W)| never grows while t moves
-- to the right within E (on the left goes as much as on the right can come), so
-- that the least t is the beginning of some overlap; and backwards likewise.
--

CREATE FUNCTION oracle.suffices_in(e tstzmultirange, period tstzrange, min_overlap interval) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(e * tstzmultirange(period)) AS r), '0') >= oracle.length(min_overlap);

-- Somebody's time in a piece's air, or backwards the time in which a piece's owner was in her air; ends: the end of the visit whose air it is.
CREATE TYPE oracle.breath AS (subject integer, o tstzrange, ends timestamptz, level integer, infector integer, venue integer);

CREATE FUNCTION oracle.breaths(visits oracle.visit[], near oracle.near[], pieces oracle.piece[], q oracle.question) RETURNS oracle.breath[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(y.subject, y.stay * a.air, NULL, p.level, p.subject, y.venue)::oracle.breath)
	FROM unnest(pieces) AS p
		 JOIN unnest(near) AS n ON p.venue = n.a
		 JOIN unnest(visits) AS y ON y.venue = n.b,
		 LATERAL (SELECT oracle.air(p.stay, (q).linger, (q).linger_ratio) AS air) AS a
	WHERE y.subject <> p.subject AND NOT y.subject = ANY ((q).cases) AND NOT isempty(y.stay * a.air)
);

-- T_{k+1} of everybody whom it exposes, whether or not T_k was as early.
CREATE FUNCTION oracle.added_up(breaths oracle.breath[], h timestamptz, q oracle.question) RETURNS SETOF oracle.breath
LANGUAGE sql IMMUTABLE AS $$
	SELECT DISTINCT ON (b.subject) b.*
	FROM unnest(breaths) AS b
		 JOIN (SELECT e.subject, range_agg(e.o) AS e FROM unnest(breaths) AS e GROUP BY e.subject) AS e USING (subject)
	WHERE lower(b.o) < h
		  AND oracle.suffices_in(e.e, tstzrange(lower(b.o), lower(b.o) + oracle.length(q.accumulate)), q.min_overlap)
	ORDER BY b.subject, lower(b.o), b.level, b.infector, b.venue;
$$;

CREATE FUNCTION oracle.breaths_backwards(visits oracle.visit[], near oracle.near[], pieces oracle.piece[], q oracle.question) RETURNS oracle.breath[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(y.subject, p.stay * a.air, upper(y.stay), p.level, p.subject, y.venue)::oracle.breath)
	FROM unnest(pieces) AS p
		 JOIN unnest(near) AS n ON p.venue = n.a
		 JOIN unnest(visits) AS y ON y.venue = n.b,
		 LATERAL (SELECT oracle.air(y.stay, (q).linger, (q).linger_ratio) AS air) AS a
	WHERE y.subject <> p.subject AND NOT y.subject = ANY ((q).cases) AND NOT isempty(y.stay) AND NOT isempty(p.stay * a.air)
);

CREATE FUNCTION oracle.added_up_backwards(breaths oracle.breath[], g timestamptz, q oracle.question) RETURNS SETOF oracle.breath
LANGUAGE sql IMMUTABLE AS $$
	SELECT DISTINCT ON (b.subject) b.*
	FROM unnest(breaths) AS b
		 JOIN (SELECT e.subject, range_agg(e.o) AS e FROM unnest(breaths) AS e GROUP BY e.subject) AS e USING (subject)
	WHERE least(b.ends, upper(b.o)) > g
		  AND oracle.suffices_in(e.e, tstzrange(upper(b.o) - oracle.length(q.accumulate), upper(b.o)), q.min_overlap)
	ORDER BY b.subject, least(b.ends, upper(b.o)) DESC, b.level, b.infector, b.venue;
$$;

-- The pieces that are new, at this level.
CREATE FUNCTION oracle.more_pieces(known oracle.piece[], pieces oracle.visit[], level integer) RETURNS oracle.piece[]
LANGUAGE sql IMMUTABLE
RETURN known || (
	SELECT array_agg(ROW(p.subject, p.venue, p.stay, level)::oracle.piece)
	FROM unnest(pieces) AS p
	WHERE NOT EXISTS (SELECT FROM unnest(known) AS k WHERE (k.subject, k.venue, k.stay) = (p.subject, p.venue, p.stay))
);

CREATE FUNCTION oracle.contacts(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.contact
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	visits oracle.visit[] := oracle.visits(log, default_stay);
	near oracle.near[] := oracle.near(visits, places, q.within);
	h timestamptz := upper(oracle.normalised(q.during));
	spells oracle.spell[] := ARRAY[ROW(q.cases[1], oracle.normalised(q.during))::oracle.spell];
	pieces oracle.visit[] := oracle.pieces_before(visits, spells, h);
	exposed integer[];
BEGIN
	IF q.accumulate IS NOT NULL THEN
		q.cases := q.cases[1:1];
		exposed := ARRAY(SELECT a.subject
						 FROM oracle.added_up(oracle.breaths(visits, near, oracle.more_pieces('{}', pieces, 0), q), h, q) AS a);
		q.min_overlap := '0';
	END IF;
	RETURN QUERY
	SELECT y.subject, y.venue, p.venue,
		   greatest(lower(y.stay), lower(p.stay)),
		   least(upper(y.stay), upper(oracle.air(p.stay, q.linger, q.linger_ratio))),
		   CASE WHEN isempty(y.stay * p.stay) THEN interval '0' ELSE upper(y.stay * p.stay) - lower(y.stay * p.stay) END,
		   n.distance
	FROM unnest(pieces) AS p
		 JOIN unnest(near) AS n ON p.venue = n.a
		 JOIN unnest(visits) AS y ON y.venue = n.b
	WHERE y.subject <> p.subject
		  AND (q.accumulate IS NULL OR y.subject = ANY (exposed))
		  AND oracle.suffices(y.stay * oracle.air(p.stay, q.linger, q.linger_ratio), q.min_overlap)
		  AND greatest(lower(y.stay), lower(p.stay)) < h;
END;
$$;

-- The infectious intervals that have come of T_1 .. T_k.
CREATE FUNCTION oracle.infectious(reached oracle.reach[], latent interval, infectious_for interval) RETURNS oracle.spell[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(r.subject,
						 tstzrange(r.reached + oracle.length(latent),
								   CASE
									   WHEN infectious_for IS NULL THEN 'infinity'
									   ELSE r.reached + oracle.length(latent) + oracle.length(infectious_for)
								   END))::oracle.spell)
	FROM unnest(reached) AS r
);

-- T_1 .. T_N of everybody who is no case, each change of it a row. With the lowest level that reaches a T, its infector and venue.
CREATE FUNCTION oracle.reached(visits oracle.visit[], near oracle.near[], q oracle.question) RETURNS oracle.reach[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	h timestamptz := coalesce(q.until, upper(oracle.normalised(q.during)));
	case_spells oracle.spell[] := oracle.case_spells(q);
	reached oracle.reach[] := '{}';
	pieces oracle.visit[];
	known oracle.piece[] := '{}';
	improved oracle.reach[];
BEGIN
	FOR k IN 0 .. q.degrees - 1 LOOP
		pieces := oracle.pieces_before(visits, case_spells || oracle.infectious(reached, q.latent, q.infectious_for), h);
		IF q.accumulate IS NOT NULL THEN
			known := oracle.more_pieces(known, pieces, k);
			pieces := NULL;
		END IF;

		SELECT array_agg(ROW(e.subject, k + 1, e.begins, e.infector, e.venue)::oracle.reach)
		INTO improved
		FROM (SELECT a.subject, lower(a.o) AS begins, a.infector, a.venue
			  FROM oracle.added_up(oracle.breaths(visits, near, known, q), h, q) AS a
			  WHERE q.accumulate IS NOT NULL
			  UNION ALL
			  (SELECT DISTINCT ON (y.subject) y.subject, greatest(lower(y.stay), lower(p.stay)) AS begins, p.subject AS infector, y.venue
			  FROM unnest(pieces) AS p
				   JOIN unnest(near) AS n ON p.venue = n.a
				   JOIN unnest(visits) AS y ON y.venue = n.b
			  WHERE y.subject <> p.subject
					AND y.subject <> ALL (q.cases)
					AND oracle.suffices(y.stay * oracle.air(p.stay, q.linger, q.linger_ratio), q.min_overlap)
					AND greatest(lower(y.stay), lower(p.stay)) < h
			  ORDER BY y.subject, begins, infector, y.venue)) AS e
		WHERE NOT EXISTS (SELECT FROM unnest(reached) AS r WHERE r.subject = e.subject AND r.reached <= e.begins);

		-- Nothing new at this level: nothing new at any later one, which would look at the same pieces.
		EXIT WHEN improved IS NULL;
		reached := reached || improved;
	END LOOP;
	RETURN reached;
END;
$$;

CREATE FUNCTION oracle.exposures(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.exposure
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	visits oracle.visit[] := oracle.visits(log, default_stay);
	near oracle.near[] := oracle.near(visits, places, q.within);
	reached oracle.reach[] := oracle.reached(visits, near, q);
BEGIN
	RETURN QUERY
	SELECT DISTINCT ON (r.subject) r.subject, min(r.level) OVER (PARTITION BY r.subject), r.reached, r.via, r.venue
	FROM unnest(reached) AS r
	ORDER BY r.subject, r.level DESC;
END;
$$;

-- exposures with details: for each degree, its subjects' visits with all pieces of the level before.
CREATE FUNCTION oracle.details(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.ranked
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	visits oracle.visit[] := oracle.visits(log, default_stay);
	near oracle.near[] := oracle.near(visits, places, q.within);
	reached oracle.reach[] := oracle.reached(visits, near, q);
	exposed oracle.exposure[] := ARRAY(SELECT e::oracle.exposure FROM oracle.exposures(log, default_stay, places, q) AS e);
	h timestamptz := coalesce(q.until, upper(oracle.normalised(q.during)));
	pieces oracle.visit[];
BEGIN
	FOR k IN 0 .. coalesce((SELECT max(e.degree) FROM unnest(exposed) AS e), 0) - 1 LOOP
		pieces := oracle.pieces_before(visits,
									   oracle.case_spells(q) || oracle.infectious(ARRAY(SELECT r::oracle.reach FROM unnest(reached) AS r WHERE r.level <= k),
																				  q.latent, q.infectious_for), h);
		RETURN QUERY
		SELECT e.subject, e.degree, e.at, e.via, e.venue, count(*)::integer,
			   sum(CASE WHEN isempty(y.stay * p.stay) THEN interval '0' ELSE upper(y.stay * p.stay) - lower(y.stay * p.stay) END)
		FROM unnest(exposed) AS e
			 JOIN unnest(visits) AS y ON y.subject = e.subject
			 JOIN unnest(near) AS n ON n.b = y.venue
			 JOIN unnest(pieces) AS p ON p.venue = n.a
		WHERE e.degree = k + 1
			  AND oracle.suffices(y.stay * oracle.air(p.stay, q.linger, q.linger_ratio),
								  CASE WHEN q.accumulate IS NULL THEN q.min_overlap ELSE '0' END)
			  AND greatest(lower(y.stay), lower(p.stay)) < h
		GROUP BY e.subject, e.degree, e.at, e.via, e.venue;
	END LOOP;
END;
$$;

-- Everything that is wrong with these paths; no row: nothing is.
CREATE FUNCTION oracle.wrong_with_paths(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question,
										hops oracle.hop[])
RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	visits oracle.visit[] := oracle.visits(log, default_stay);
	near oracle.near[] := oracle.near(visits, places, q.within);
	reached oracle.reach[] := oracle.reached(visits, near, q);
	case_spells oracle.spell[] := oracle.case_spells(q);
	h timestamptz := coalesce(q.until, upper(oracle.normalised(q.during)));
BEGIN
	RETURN QUERY
	SELECT format('subject %s is exposed and has no path', r.subject)
	FROM (SELECT DISTINCT subject FROM unnest(reached)) AS r
	WHERE NOT EXISTS (SELECT FROM unnest(hops) AS p WHERE p.subject = r.subject);

	RETURN QUERY
	SELECT DISTINCT format('subject %s has a path and is not exposed', p.subject)
	FROM unnest(hops) AS p
	WHERE p.subject IS NULL OR p.subject NOT IN (SELECT r.subject FROM unnest(reached) AS r);

	RETURN QUERY
	SELECT format('subject %s: steps %s', p.subject, array_agg(p.step ORDER BY p.step))
	FROM unnest(hops) AS p
	GROUP BY p.subject
	HAVING array_agg(p.step ORDER BY p.step) IS DISTINCT FROM ARRAY(SELECT generate_series(1, cardinality(array_agg(p.step))))
		   OR count(*) > q.degrees;

	RETURN QUERY
	SELECT format('subject %s, step %s: infector %s is no case', p.subject, p.step, p.infector)
	FROM unnest(hops) AS p
	WHERE p.step = 1 AND NOT coalesce(p.infector = ANY (q.cases), false);

	RETURN QUERY
	SELECT format('subject %s, step %s: infects the case %s', p.subject, p.step, p.infected)
	FROM unnest(hops) AS p
	WHERE p.infected = ANY (q.cases);

	RETURN QUERY
	SELECT format('subject %s, step %s: infector %s, but step %s infected %s', p.subject, p.step, p.infector, before.step, before.infected)
	FROM unnest(hops) AS p JOIN unnest(hops) AS before ON before.subject = p.subject AND before.step = p.step - 1
	WHERE p.infector IS DISTINCT FROM before.infected;

	RETURN QUERY
	SELECT format('subject %s: comes twice in her path: %s', p.subject, p.infected)
	FROM unnest(hops) AS p
	GROUP BY p.subject, p.infected
	HAVING count(*) > 1;

	RETURN QUERY
	SELECT format('subject %s: the last hop infects %s at %s, but should infect her at %s', p.subject, p.infected, p.exposed_at, t.reached)
	FROM (SELECT DISTINCT ON (l.subject) l.* FROM unnest(hops) AS l ORDER BY l.subject, l.step DESC) AS p
		 JOIN (SELECT r.subject, min(r.reached) AS reached FROM unnest(reached) AS r GROUP BY r.subject) AS t ON t.subject = p.subject
	WHERE (p.infected, p.exposed_at) IS DISTINCT FROM (p.subject, t.reached);

	RETURN QUERY
	SELECT format('subject %s, step %s: nothing starts in %s at %s', p.subject, p.step, p.infected, p.exposed_at)
	FROM (SELECT l.*, count(*) OVER (PARTITION BY l.subject) AS steps FROM unnest(hops) AS l) AS p
	WHERE NOT EXISTS (SELECT
					  FROM unnest(reached) AS r
					  WHERE r.subject = p.infected AND r.reached = p.exposed_at AND r.level <= q.degrees - (p.steps - p.step));

	-- The hop itself: some piece of the infector's, infectious through this
	-- chain, exposes a visit at this venue from this moment on, or if minutes
	-- add up is breathed at it.
	RETURN QUERY
	WITH hop AS (
		SELECT p.*, before.exposed_at AS infector_exposed_at
		FROM unnest(hops) AS p
			 LEFT JOIN unnest(hops) AS before ON before.subject = p.subject AND before.step = p.step - 1
	), infectious AS (
		SELECT p.subject, p.step, p.infector, s.spell
		FROM hop AS p JOIN unnest(case_spells) AS s ON s.subject = p.infector
		WHERE p.step = 1
		UNION ALL
		SELECT p.subject, p.step, p.infector,
			   (oracle.infectious(ARRAY[ROW(p.infector, NULL, p.infector_exposed_at, NULL, NULL)::oracle.reach],
								  q.latent, q.infectious_for))[1].spell
		FROM hop AS p
		WHERE p.step > 1
	), piece AS (
		SELECT i.subject, i.step, x.venue, x.stay * i.spell * tstzrange(NULL, h) AS stay
		FROM infectious AS i JOIN unnest(visits) AS x ON x.subject = i.infector
		WHERE NOT isempty(x.stay * i.spell * tstzrange(NULL, h))
	), good AS (
		SELECT p.subject, p.step
		FROM hop AS p
			 JOIN piece AS x ON x.subject = p.subject AND x.step = p.step
			 JOIN unnest(near) AS n ON n.a = x.venue AND n.b = p.venue
			 JOIN unnest(visits) AS y ON y.subject = p.infected AND y.venue = p.venue
		WHERE p.infected <> p.infector
			  AND CASE
					  WHEN q.accumulate IS NOT NULL THEN y.stay * oracle.air(x.stay, q.linger, q.linger_ratio) @> p.exposed_at
					  ELSE oracle.suffices(y.stay * oracle.air(x.stay, q.linger, q.linger_ratio), q.min_overlap)
						   AND greatest(lower(y.stay), lower(x.stay)) = p.exposed_at
				  END
			  AND p.exposed_at < h
	)
	SELECT format('subject %s, step %s: %s does not expose %s at venue %s from %s on', p.subject, p.step, p.infector, p.infected, p.venue, p.exposed_at)
	FROM hop AS p LEFT JOIN good AS g ON g.subject = p.subject AND g.step = p.step
	WHERE g.subject IS NULL;
END;
$$;

-- The receptive intervals that have come of S_1 .. S_k.
CREATE FUNCTION oracle.receptive(reached oracle.reach[], latent interval, infectious_for interval) RETURNS oracle.spell[]
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT array_agg(ROW(r.subject,
						 tstzrange(CASE
									   WHEN infectious_for IS NULL THEN '-infinity'
									   ELSE r.reached - oracle.length(latent) - oracle.length(infectious_for)
								   END,
								   r.reached - oracle.length(latent)))::oracle.spell)
	FROM unnest(reached) AS r
);

CREATE FUNCTION oracle.sources(log oracle.log_row[], default_stay interval, places oracle.place[], q oracle.question)
RETURNS SETOF oracle.exposure
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	visits oracle.visit[] := oracle.visits(log, default_stay);
	near oracle.near[] := oracle.near(visits, places, q.within);
	g timestamptz := coalesce(q.since, lower(oracle.normalised(q.during)));
	case_spells oracle.spell[] := oracle.case_spells(q);
	reached oracle.reach[] := '{}';
	pieces oracle.visit[];
	known oracle.piece[] := '{}';
	improved oracle.reach[];
BEGIN
	FOR k IN 0 .. q.degrees - 1 LOOP
		pieces := oracle.pieces_after(visits, case_spells || oracle.receptive(reached, q.latent, q.infectious_for), g);
		IF q.accumulate IS NOT NULL THEN
			known := oracle.more_pieces(known, pieces, k);
			pieces := NULL;
		END IF;

		SELECT array_agg(ROW(e.subject, k + 1, e.ends, e.infected, e.venue)::oracle.reach)
		INTO improved
		FROM (SELECT a.subject, least(a.ends, upper(a.o)) AS ends, a.infector AS infected, a.venue
			  FROM oracle.added_up_backwards(oracle.breaths_backwards(visits, near, known, q), g, q) AS a
			  WHERE q.accumulate IS NOT NULL
			  UNION ALL
			  (SELECT DISTINCT ON (y.subject) y.subject, least(upper(y.stay), upper(p.stay)) AS ends, p.subject AS infected, y.venue
			  FROM unnest(pieces) AS p
				   JOIN unnest(near) AS n ON p.venue = n.a
				   JOIN unnest(visits) AS y ON y.venue = n.b
			  WHERE y.subject <> p.subject
					AND y.subject <> ALL (q.cases)
					AND NOT isempty(y.stay)
					AND oracle.suffices(p.stay * oracle.air(y.stay, q.linger, q.linger_ratio), q.min_overlap)
					AND least(upper(y.stay), upper(p.stay)) > g
			  ORDER BY y.subject, ends DESC, infected, y.venue)) AS e
		WHERE NOT EXISTS (SELECT FROM unnest(reached) AS r WHERE r.subject = e.subject AND r.reached >= e.ends);

		EXIT WHEN improved IS NULL;
		reached := reached || improved;
	END LOOP;

	RETURN QUERY
	SELECT DISTINCT ON (r.subject) r.subject, min(r.level) OVER (PARTITION BY r.subject), r.reached, r.via, r.venue
	FROM unnest(reached) AS r
	ORDER BY r.subject, r.level DESC;
END;
$$;

CREATE FUNCTION oracle.hotspots(log oracle.log_row[], default_stay interval, q oracle.question)
RETURNS SETOF oracle.hotspot
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	visits oracle.visit[] := oracle.visits(log, default_stay);
	h timestamptz := upper(oracle.normalised(q.during));
	pieces oracle.visit[] := oracle.pieces_before(visits, oracle.case_spells(q), h);
BEGIN
	RETURN QUERY
	SELECT s.venue, lower(s.stretch), upper(s.stretch), cases.n::integer, visitors.n::integer
	FROM (SELECT p.venue, unnest(range_agg(oracle.air(p.stay, q.linger, q.linger_ratio))) AS stretch
		  FROM unnest(pieces) AS p
		  GROUP BY p.venue) AS s,
		 LATERAL (SELECT count(DISTINCT p.subject) AS n
				  FROM unnest(pieces) AS p
				  WHERE p.venue = s.venue AND p.stay && s.stretch) AS cases,
		 LATERAL (SELECT count(DISTINCT y.subject) AS n
				  FROM unnest(visits) AS y
				  WHERE y.venue = s.venue AND y.stay && s.stretch AND y.subject <> ALL (q.cases)) AS visitors
	WHERE cases.n >= q.min_cases;
END;
$$;
