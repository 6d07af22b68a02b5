-- Traces a real outbreak: measles among the children of Hagelloch, 1861.
--
-- `make demo` runs this.  By hand, in a fresh database and from the top of the
-- source tree: psql -X -f test/demo/hagelloch.sql [-v outdir=DIR]
--
-- Every number that it prints is computed here, from
-- test/data/measles_hagelloch_1861.csv.  What that file does not hold, how the
-- children spent their days, is assumed: see "Their visits".

\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\pset null ''
\if :{?data}
\else
	\set data test/data
\endif
\if :{?outdir}
\else
	\set outdir .
\endif
\setenv DATA :data
\setenv OUTDIR :outdir
SET client_min_messages = warning;
SET datestyle = ISO;
SET timezone = 'UTC';
SELECT clock_timestamp() AS began \gset

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS anshim;

--
-- The children
--

CREATE TEMP TABLE csv (
	case_id integer,
	infector integer,
	prodrome date,
	rash date,
	death date,
	age integer,
	gender text,
	family integer,
	class integer,
	complications text,
	x double precision,
	y double precision
);
\copy csv FROM PROGRAM 'cat "$DATA/measles_hagelloch_1861.csv"' (FORMAT csv, HEADER, NULL 'NA')

-- Families at the same coordinates live in one house, which takes the number
-- of the first of them.
--
-- Infectious, as the data's best-known analysis has it: from the day before
-- the first symptoms to the third day after the rash, or to death (P. J. Neal
-- and G. O. Roberts, Biostatistics 5, 2004).  `infectious_cdc` is what health
-- offices use today: four days before the rash to four days after it.
--
-- Infected: 7 to 18 days before the first symptoms, as a rule 10 to 12 (ACIP,
-- MMWR 47, RR-8, 1998).
CREATE TABLE child AS
SELECT 'child ' || case_id AS child, 'child ' || infector AS infector, prodrome, rash, death, class,
	CASE class WHEN 0 THEN 'preschool' ELSE 'class ' || class END AS class_name,
	'family ' || family AS family,
	'house ' || min(family) OVER (PARTITION BY x, y) AS house,
	ST_MakePoint(x, y) AS location,
	tstzrange(prodrome - 1, least(rash + 3, death) + 1) AS infectious,
	tstzrange(rash - 4, least(rash + 4, death) + 1) AS infectious_cdc,
	tstzrange(prodrome - 18, prodrome - 6) AS infected
FROM csv;

--
-- Their visits
--

-- The sources name houses and school classes, but no hours.  Assumed, as
-- village schools of the time had it: classes 1 and 2 sit in their rooms from
-- 8 to 11 from Monday to Saturday, and from 13 to 15 but for Wednesday and
-- Saturday; on Sunday the schoolchildren are in church from 9:30 to 11.  Who
-- has the rash stays at home; who is below school age always does.  Whoever is
-- neither at school nor at church is at home, where a day begins at 6.
CREATE TABLE visit (
	subject text NOT NULL,
	venue text NOT NULL,
	entered_at timestamptz NOT NULL,
	left_at timestamptz
);

WITH day AS (
	SELECT d::date AS day, extract(isodow FROM d) AS weekday
	FROM generate_series(timestamp '1861-10-28', timestamp '1862-01-31', interval '1 day') AS d
),
lesson (venue, begins, ends, weekdays) AS (
	VALUES ('class', time '8:00', time '11:00', '{1,2,3,4,5,6}'::integer[]),
		('class', time '13:00', time '15:00', '{1,2,4,5}'),
		('church', time '9:30', time '11:00', '{7}')
),
outing AS (
	SELECT c.child, d.day,
		CASE l.venue WHEN 'class' THEN c.class_name ELSE l.venue END AS venue,
		tstzrange(d.day + l.begins, d.day + l.ends) AS stay
	FROM child AS c, day AS d, lesson AS l
	WHERE c.class > 0 AND d.day < c.rash AND d.weekday = ANY (l.weekdays)
),
away AS (
	SELECT child, day, range_agg(stay) AS stays
	FROM outing
	GROUP BY child, day
),
home AS (
	SELECT c.child, c.house AS venue,
		unnest(tstzmultirange(tstzrange(d.day + time '6:00', d.day + 1 + time '6:00'))
			- coalesce(a.stays, '{}')) AS stay
	FROM child AS c
	CROSS JOIN day AS d
	LEFT JOIN away AS a USING (child, day)
	WHERE d.day < coalesce(c.death, 'infinity')
)
INSERT INTO visit
SELECT child, venue, lower(stay), upper(stay) FROM outing
UNION ALL
SELECT child, venue, lower(stay), upper(stay) FROM home;

CREATE TABLE house AS
SELECT DISTINCT house, location FROM child;

\o /dev/null
SELECT anshim.track_visits('visit');
SELECT anshim.track_venues('visit', 'house', venue => 'house');
\o
VACUUM ANALYZE;

\echo
\echo '1. The log: how the children of Hagelloch spent the winter of 1861'
\echo '   Houses, classes and days of illness are historical; hours at school and church are assumed.'
\echo
SELECT split_part(venue, ' ', 1) AS "where", count(DISTINCT venue) AS places,
	count(DISTINCT subject) AS children, count(*) AS visits,
	min(entered_at)::date AS "from", max(left_at)::date AS "to"
FROM visit
GROUP BY 1
ORDER BY visits DESC;

--
-- The first case
--

-- Whom each child met while infectious, a row a meeting; `fits`: when the
-- other can have been infected.
CREATE TABLE met AS
SELECT c.child AS infector, m.subject AS contact, m.venue, m.started_at, m.together, m.distance,
	tstzrange(m.started_at, m.ended_at) && o.infected AS fits
FROM child AS c
CROSS JOIN LATERAL anshim.contacts('visit', c.child, c.infectious, within => 50) AS m
JOIN child AS o ON o.child = m.subject;
ANALYZE met;

SELECT child AS first_case, prodrome AS first_ill, rash AS first_rash, infectious AS first_infectious,
	lower(infectious)::date AS first_from, upper(infectious)::date - 1 AS first_to
FROM child
ORDER BY prodrome, child
LIMIT 1 \gset

\echo '2. The first case,' :first_case': ill on' :first_ill', rash on' :first_rash', infectious' :first_from 'to' :first_to
\echo '   contacts(): whom she met then, in one room or, both at home, in houses up to 50 m apart.'
\echo
WITH meeting AS (
	SELECT contact, CASE WHEN distance > 0 THEN 'houses within 50 m' ELSE venue END AS place,
		min(distance) AS distance, min(started_at) AS since, sum(together) AS together
	FROM met
	WHERE infector = :'first_case'
	GROUP BY 1, 2
)
SELECT m.place AS "where", count(*) AS children, min(m.since)::timestamp(0) AS "first met",
	round(avg(extract(epoch FROM m.together)) / 3600, 1) AS "hours with each",
	count(*) FILTER (WHERE c.infector = :'first_case') AS "known to have it from her"
FROM meeting AS m
JOIN child AS c ON c.child = m.contact
GROUP BY m.place
ORDER BY min(m.distance) > 0, count(*) DESC;

--
-- The known infectors
--

CREATE TABLE pair AS
SELECT i.child AS infector, c.child AS contact
FROM child AS c
JOIN child AS i ON i.child = c.infector;

SELECT count(*) AS children, count(infector) AS pairs FROM child \gset

\echo '3. For' :pairs 'of the' :children 'children, Pfeilsticker (1863) and Oesterle (1992) name the infector.'
\echo '   Does a trace of the infector name the child? And how many others: who names all misses none.'
\echo
WITH named (n, how, infector, contact) AS (
	SELECT 1, 'join: same family or class', i.child, c.child
	FROM child AS i
	JOIN child AS c ON c.family = i.family OR c.class = i.class AND c.class > 0
	UNION ALL
	SELECT 2, 'join: same house or class', i.child, c.child
	FROM child AS i
	JOIN child AS c ON c.house = i.house OR c.class = i.class AND c.class > 0
	UNION ALL
	SELECT 3, 'join: houses within 50 m, or same class', i.child, c.child
	FROM child AS i
	JOIN child AS c ON ST_DWithin(c.location, i.location, 50) OR c.class = i.class AND c.class > 0
	UNION ALL
	SELECT 4, 'contacts(): same house or class', infector, contact
	FROM met
	WHERE distance = 0 AND venue <> 'church'
	UNION ALL
	SELECT 5, 'contacts(): the same, or church', infector, contact
	FROM met
	WHERE distance = 0
	UNION ALL
	SELECT 6, 'contacts(): or houses within 50 m', infector, contact
	FROM met
	UNION ALL
	SELECT 7, '    and 7 to 18 days before symptoms', infector, contact
	FROM met
	WHERE fits
),
once AS (
	SELECT DISTINCT n, how, infector, contact FROM named WHERE infector <> contact
)
SELECT o.how, count(p.infector) AS found, :pairs AS "of",
	round(100.0 * count(p.infector) / :pairs, 1) AS "%",
	round(1.0 * count(*) / :children, 1) AS "named per infector"
FROM once AS o
LEFT JOIN pair AS p USING (infector, contact)
GROUP BY o.n, o.how
ORDER BY o.n;

CREATE TABLE unexplained AS
SELECT c.child, c.class_name, c.house, i.child AS infector, i.class_name AS infector_class, i.house AS infector_house,
	ST_Distance(c.location, i.location) AS metres, c.prodrome - i.prodrome AS days
FROM pair AS p
JOIN child AS c ON c.child = p.contact
JOIN child AS i ON i.child = p.infector
WHERE NOT EXISTS (SELECT FROM met AS m WHERE m.infector = p.infector AND m.contact = p.contact);

SELECT count(*) AS lost, count(*) FILTER (WHERE class_name = 'preschool') AS small,
	round(min(metres)) AS nearest, round(max(metres)) AS farthest, :children - :pairs AS unknown
FROM unexplained \gset
\echo '  ' :lost 'pairs stay unexplained. Of these infected,' :small 'are below school age, and the houses lie'
\echo '  ' :nearest 'to' :farthest 'm apart: who played with whom, and who called on whom, nobody wrote down.'
\echo '   (Of' :unknown 'more children no infector is known.)'
\echo
SELECT child, class_name AS "class", house AS "lives in", infector, infector_class AS "class", infector_house AS "lives in",
	round(metres) AS metres, days AS "days later"
FROM unexplained
ORDER BY metres, length(child), child;

\echo '4. How near is near, and how long is infectious? Pairs found, and children named per infector'
\echo '   (Neal and Roberts: first symptoms - 1 day to rash + 3; CDC: rash - 4 to rash + 4).'
\echo
WITH setting AS (
	SELECT m.metres, p.convention, c.child AS infector, p.infectious
	FROM unnest('{0,25,50,100}'::double precision[]) AS m (metres)
	CROSS JOIN child AS c
	CROSS JOIN LATERAL (VALUES ('N&R', c.infectious), ('CDC', c.infectious_cdc)) AS p (convention, infectious)
),
named AS (
	SELECT s.metres, s.convention, s.infector, m.contact
	FROM setting AS s
	CROSS JOIN LATERAL (
		SELECT DISTINCT subject
		FROM anshim.contacts('visit', s.infector, s.infectious, within => s.metres)) AS m (contact)
)
SELECT n.metres, count(p.infector) FILTER (WHERE convention = 'N&R') AS "found, Neal and Roberts",
	round(1.0 * count(*) FILTER (WHERE convention = 'N&R') / :children, 1) AS named,
	count(p.infector) FILTER (WHERE convention = 'CDC') AS "found, CDC",
	round(1.0 * count(*) FILTER (WHERE convention = 'CDC') / :children, 1) AS named
FROM named AS n
LEFT JOIN pair AS p USING (infector, contact)
GROUP BY n.metres
ORDER BY n.metres;

--
-- To the N-th degree
--

-- Infectious from about 8 days after infection, for about 8 days: then one
-- child falls ill 8 to 16 days after the other.  The data say 7 to 16.
\set latent '8 days'
\set infectious_for '8 days'

SELECT min(c.prodrome - i.prodrome) AS least, max(c.prodrome - i.prodrome) AS most,
	percentile_disc(0.5) WITHIN GROUP (ORDER BY c.prodrome - i.prodrome) AS median
FROM pair AS p
JOIN child AS c ON c.child = p.contact
JOIN child AS i ON i.child = p.infector \gset

CREATE TABLE known AS
WITH RECURSIVE known AS (
	SELECT child, child AS root, 0 AS generation, child AS chain
	FROM child
	WHERE infector IS NULL
	UNION ALL
	SELECT c.child, k.root, k.generation + 1, k.chain || ' > ' || c.child
	FROM child AS c
	JOIN known AS k ON k.child = c.infector
)
SELECT * FROM known;

CREATE TABLE reached AS
SELECT m.metres, e.*
FROM unnest('{0,50}'::double precision[]) AS m (metres)
CROSS JOIN LATERAL anshim.exposures('visit', ARRAY[:'first_case'], '[1861-10-28, 1862-02-01)',
	degrees => 20, within => m.metres, latent => :'latent', infectious_for => :'infectious_for',
	case_periods => ARRAY[:'first_infectious'::tstzrange]) AS e;

CREATE TABLE compared AS
SELECT k.child, k.generation, k.root = :'first_case' AS hers, a.degree AS room, b.degree AS near
FROM known AS k
LEFT JOIN reached AS a ON a.subject = k.child AND a.metres = 0
LEFT JOIN reached AS b ON b.subject = k.child AND b.metres = 50
WHERE k.child <> :'first_case';

SELECT count(*) FILTER (WHERE hers AND generation < near) AS sooner, count(*) FILTER (WHERE hers) AS all_hers,
	count(near) AS all_near
FROM compared \gset

\echo '5. From' :first_case 'alone, to any degree: exposures(), infectious' :latent 'after infection, for' :infectious_for'.'
\echo '   (Infector and infected fell ill' :least 'to' :most 'days apart, as a median' :median'.) A degree is the least number of'
\echo '   hops, so it says who could have it from her, not who has: it names' :all_near', the known chains'
\echo '  ' :all_hers'. For' :sooner 'of these the known generation, to the right, comes before the degree.'
\echo
SELECT coalesce(d.degree::text, 'never') AS degree,
	count(*) FILTER (WHERE room IS NOT DISTINCT FROM d.degree) AS "same room",
	count(*) FILTER (WHERE near IS NOT DISTINCT FROM d.degree) AS "or within 50 m",
	count(*) FILTER (WHERE near IS NOT DISTINCT FROM d.degree AND hers AND generation = 1) AS "generation 1",
	count(*) FILTER (WHERE near IS NOT DISTINCT FROM d.degree AND hers AND generation = 2) AS "2",
	count(*) FILTER (WHERE near IS NOT DISTINCT FROM d.degree AND hers AND generation = 3) AS "3",
	count(*) FILTER (WHERE near IS NOT DISTINCT FROM d.degree AND hers AND generation > 3) AS "later",
	count(*) FILTER (WHERE near IS NOT DISTINCT FROM d.degree AND NOT hers) AS "other chains"
FROM compared
CROSS JOIN (SELECT degree FROM reached UNION SELECT NULL) AS d (degree)
GROUP BY d.degree
ORDER BY d.degree;

--
-- Week by week
--

\echo '6. What an officer would have known each Monday: who is exposed to the children with a rash so far?'
\echo '   exposures(..., within => 50, case_periods => ...), and who of them fell ill in the next 14 days.'
\echo
WITH monday AS (
	SELECT d AS monday, c.cases, c.periods
	FROM generate_series(timestamptz '1861-11-04', timestamptz '1861-12-16', interval '7 days') AS d
	CROSS JOIN LATERAL (
		SELECT array_agg(child ORDER BY child) AS cases, array_agg(infectious ORDER BY child) AS periods
		FROM child
		WHERE rash <= d) AS c
),
warned AS (
	SELECT m.monday, e.subject AS child, e.degree
	FROM monday AS m
	CROSS JOIN LATERAL anshim.exposures('visit', m.cases, tstzrange('1861-10-28', m.monday),
		degrees => 2, within => 50, latent => :'latent', infectious_for => :'infectious_for',
		case_periods => m.periods) AS e
)
SELECT m.monday::date, cardinality(m.cases) AS rashes, count(*) AS "none yet",
	count(*) FILTER (WHERE c.prodrome <= m.monday + interval '14 days') AS "ill soon",
	count(*) FILTER (WHERE w.degree = 1) AS "degree 1",
	count(*) FILTER (WHERE w.degree = 1 AND c.prodrome <= m.monday + interval '14 days') AS "of these ill",
	count(w.degree) AS "degree 1 or 2",
	count(w.degree) FILTER (WHERE c.prodrome <= m.monday + interval '14 days') AS "of these ill"
FROM monday AS m
JOIN child AS c ON c.rash > m.monday
LEFT JOIN warned AS w USING (monday, child)
GROUP BY m.monday, m.cases
ORDER BY m.monday;

\echo '7. Where several were infectious at once: hotspots(..., min_cases => 3), each place at its worst.'
\echo
WITH worst AS (
	SELECT DISTINCT ON (h.venue) h.*
	FROM (SELECT array_agg(child ORDER BY child) AS cases, array_agg(infectious ORDER BY child) AS periods
		FROM child) AS c
	CROSS JOIN LATERAL anshim.hotspots('visit', c.cases, '[1861-10-28, 1862-02-01)', min_cases => 3,
		case_periods => c.periods) AS h
	ORDER BY h.venue, h.case_count DESC, h.started_at
)
SELECT venue, started_at::timestamp(0) AS "from", ended_at::timestamp(0) AS "to", case_count AS cases
FROM worst
ORDER BY case_count DESC, started_at, venue
LIMIT 6;

--
-- Chains and pictures
--

\echo '8. How it could have come, and how it came: exposure_paths() to two children at the end of the longest'
\echo '   known chains, and these. A trace shows the earliest way: a witness, not a verdict.'
\echo
WITH hop AS (
	SELECT *
	FROM anshim.exposure_paths('visit', ARRAY[:'first_case'], '[1861-10-28, 1862-02-01)',
		degrees => 20, within => 50, latent => :'latent', infectious_for => :'infectious_for',
		case_periods => ARRAY[:'first_infectious'::tstzrange])
),
longest AS (
	SELECT child, chain
	FROM known
	WHERE root = :'first_case'
	ORDER BY generation DESC, length(child), child
	LIMIT 2
)
SELECT l.child, w.way, w.chain
FROM longest AS l
CROSS JOIN LATERAL (
	SELECT 1, 'traced', :'first_case' || string_agg(' > ' || infected || ' (' || venue || ')', '' ORDER BY step)
	FROM hop
	WHERE subject = l.child
	UNION ALL
	SELECT 2, 'known', l.chain) AS w (n, way, chain)
ORDER BY length(l.child), l.child, w.n;

SELECT anshim.exposure_dot('visit', ARRAY[:'first_case'], '[1861-10-28, 1862-02-01)',
	degrees => 20, latent => :'latent', infectious_for => :'infectious_for',
	case_periods => ARRAY[:'first_infectious'::tstzrange],
	title => 'Hagelloch 1861: who could have it from ' || :'first_case' || ', in the same room')
\g (format=unaligned tuples_only=on) |dot -Tsvg -o "$OUTDIR/hagelloch-trace.svg"

-- The known chains, each hop where the two met longest while it fits, in one
-- room if they did; dashed where the log knows of no meeting.
WITH place AS (
	SELECT DISTINCT ON (infector, contact) infector, contact, venue, min(started_at) AS started_at
	FROM met
	WHERE fits
	GROUP BY infector, contact, venue
	ORDER BY infector, contact, min(distance), sum(together) DESC, venue
)
SELECT anshim.hops_dot(array_agg(k.generation), array_agg(p.infector), array_agg(p.contact),
	array_agg(m.venue), array_agg(m.started_at),
	cases => ARRAY(SELECT child FROM child WHERE infector IS NULL),
	title => 'Hagelloch 1861: who infected whom, after Pfeilsticker and Oesterle')
FROM pair AS p
JOIN known AS k ON k.child = p.contact
LEFT JOIN place AS m USING (infector, contact)
\g (format=unaligned tuples_only=on) |dot -Tsvg -o "$OUTDIR/hagelloch-known.svg"

SELECT round(extract(epoch FROM clock_timestamp() - :'began')::numeric, 1) AS seconds \gset
\echo '9. The trace and the known chains as pictures, drawn with exposure_dot() and hops_dot():'
\echo '   hagelloch-trace.svg, hagelloch-known.svg. (All of this took' :seconds 'seconds.)'
