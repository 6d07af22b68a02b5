--
-- The oracle itself: hand-worked examples, in which every expected answer was
-- derived from the definitions on paper, and a second oracle that counts
-- moments. What the engine answers is compared with it in oracle.sql.
--
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set file :abs_srcdir '/../test/oracle/definitions.sql'
\i :file
\set file :abs_srcdir '/../test/oracle/ticks.sql'
\i :file
\set file :abs_srcdir '/../test/oracle/generate.sql'
\i :file
\set ECHO all
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';

-- A log is written as 'subject venue from to, ...' with times of one day, and -
-- for what is not known.
CREATE FUNCTION oracle.clock(t text) RETURNS timestamptz
LANGUAGE sql
RETURN '2021-03-28'::date + nullif(t, '-')::time AT TIME ZONE 'UTC';

CREATE FUNCTION oracle.log(visits text) RETURNS oracle.log_row[]
LANGUAGE sql
RETURN ARRAY(SELECT ROW(nullif(w[1], '-'), nullif(w[2], '-'), oracle.clock(w[3]), oracle.clock(w[4]))::oracle.log_row
			 FROM unnest(string_to_array(visits, ', ')) AS v, string_to_array(v, ' ') AS w);

-- '[08:00,10:00)' on that day; bounds may be missing or infinite.
CREATE FUNCTION oracle.range(r text) RETURNS tstzrange
LANGUAGE sql
RETURN regexp_replace(r, '(\d\d:\d\d[:\d.]*)', '2021-03-28 \1+00', 'g')::tstzrange;

CREATE FUNCTION oracle.question(cases integer[], during text, degrees integer DEFAULT 1, linger interval DEFAULT '0',
								min_overlap interval DEFAULT '0', within float8 DEFAULT 0, latent interval DEFAULT '0',
								infectious_for interval DEFAULT NULL, until text DEFAULT NULL, since text DEFAULT NULL,
								case_periods text[] DEFAULT NULL, min_cases integer DEFAULT 2,
								linger_ratio float8 DEFAULT NULL, accumulate interval DEFAULT NULL)
RETURNS oracle.question
LANGUAGE sql
RETURN ROW(cases, oracle.range(during), degrees, linger, min_overlap, within, latent, infectious_for,
		   CASE WHEN until LIKE '%infinity' THEN until::timestamptz ELSE oracle.clock(until) END,
		   CASE WHEN since LIKE '%infinity' THEN since::timestamptz ELSE oracle.clock(since) END,
		   CASE WHEN case_periods IS NOT NULL THEN ARRAY(SELECT oracle.range(p) FROM unnest(case_periods) AS p) END,
		   min_cases, linger_ratio, accumulate)::oracle.question;

CREATE FUNCTION oracle.short(t timestamptz) RETURNS text
LANGUAGE sql
RETURN CASE WHEN date_trunc('minute', t) = t THEN to_char(t, 'HH24:MI') ELSE to_char(t, 'HH24:MI:SS.US') END;

-- Answers in one line: the columns in their order, rows in order of the columns.
CREATE FUNCTION oracle.exposures(visits text, q oracle.question, places oracle.place[] DEFAULT NULL) RETURNS text
LANGUAGE sql
RETURN (SELECT coalesce(string_agg(concat_ws(' ', subject, degree, oracle.short(at), via, venue), ', ' ORDER BY subject), 'none')
		FROM oracle.exposures(oracle.log(visits), '1 hour', places, q));

CREATE FUNCTION oracle.details(visits text, q oracle.question, places oracle.place[] DEFAULT NULL) RETURNS text
LANGUAGE sql
RETURN (SELECT coalesce(string_agg(concat_ws(' ', subject, degree, encounters, together), ', ' ORDER BY subject), 'none')
		FROM oracle.details(oracle.log(visits), '1 hour', places, q));

CREATE FUNCTION oracle.sources(visits text, q oracle.question, places oracle.place[] DEFAULT NULL) RETURNS text
LANGUAGE sql
RETURN (SELECT coalesce(string_agg(concat_ws(' ', subject, degree, oracle.short(at), via, venue), ', ' ORDER BY subject), 'none')
		FROM oracle.sources(oracle.log(visits), '1 hour', places, q));

CREATE FUNCTION oracle.contacts(visits text, q oracle.question, places oracle.place[] DEFAULT NULL) RETURNS text
LANGUAGE sql
RETURN (SELECT coalesce(string_agg(concat_ws(' ', subject, venue, case_venue, oracle.short(started_at), oracle.short(ended_at), together, distance),
								   ', ' ORDER BY subject, venue, case_venue, started_at, ended_at, together), 'none')
		FROM oracle.contacts(oracle.log(visits), '1 hour', places, q));

CREATE FUNCTION oracle.hotspots(visits text, q oracle.question) RETURNS text
LANGUAGE sql
RETURN (SELECT coalesce(string_agg(concat_ws(' ', venue, oracle.short(started_at), oracle.short(ended_at), case_count, visitor_count),
								   ', ' ORDER BY venue, started_at), 'none')
		FROM oracle.hotspots(oracle.log(visits), '1 hour', q));

-- 'subject step infector infected venue exposed_at, ...'
CREATE FUNCTION oracle.wrong_with(visits text, q oracle.question, paths text) RETURNS SETOF text
LANGUAGE sql
BEGIN ATOMIC
	SELECT w
	FROM oracle.wrong_with_paths(oracle.log(visits), '1 hour', NULL, q,
								 ARRAY(SELECT ROW(c[1], c[2], c[3], c[4], c[5], oracle.clock(c[6]))::oracle.hop
									   FROM unnest(string_to_array(paths, ', ')) AS p, string_to_array(p, ' ') AS c)) AS w
	ORDER BY w COLLATE "C";
END;

CREATE FUNCTION oracle.same(got text, expected text) RETURNS text
LANGUAGE sql
RETURN CASE WHEN got = expected THEN 'as expected' ELSE format('%s, but expected %s', got, expected) END;

--
-- Meeting
--

-- Case 1 is at 10 from 8 to 10. 2 meets her at 9; 3 comes when she is gone, and
-- 4 is gone when she comes: half-open visits that touch have no moment in
-- common. 5 was there before, so her exposure begins as the case comes. 6 is
-- elsewhere.
\set meeting '1 10 08:00 10:00, 2 10 09:00 11:00, 3 10 10:00 12:00, 4 10 07:00 08:00, 5 10 07:00 09:00, 6 11 08:00 10:00'
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[00:00,23:00)')), '2 1 09:00 1 10, 5 1 08:00 1 10');

-- The air is bad until 10:30: that is 3's. One who comes at 10:30 breathes the
-- first good air.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes')),
				   '2 1 09:00 1 10, 3 1 10:00 1 10, 5 1 08:00 1 10');
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 10:30 11:00, 3 10 10:29:59.999999 11:00',
									oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes')),
				   '3 1 10:29:59.999999 1 10');

-- 2 and 5 share an hour with the case, exactly: long enough for one, and too
-- short for a microsecond more. With bad air until 10:30, 2 has 90 minutes and
-- 3 has 30.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[00:00,23:00)', min_overlap => '1 hour')),
				   '2 1 09:00 1 10, 5 1 08:00 1 10');
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[00:00,23:00)', min_overlap => '01:00:00.000001')), 'none');
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[00:00,23:00)', min_overlap => '90 minutes', linger => '30 minutes')),
				   '2 1 09:00 1 10');
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[00:00,23:00)', min_overlap => '30 minutes', linger => '30 minutes')),
				   '2 1 09:00 1 10, 3 1 10:00 1 10, 5 1 08:00 1 10');

-- The case was there for two hours, so that a quarter of it is as good as half
-- an hour; an eighth is 15 minutes. No more than `linger`, however long she was
-- there, and no air without `linger`.
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 10:15 11:00, 3 10 10:14:59.999999 11:00',
									oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes', linger_ratio => 0.125)),
				   '3 1 10:14:59.999999 1 10'),
	   oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 10:15 11:00, 3 10 10:29:59.999999 11:00, 4 10 10:30 11:00',
									oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes', linger_ratio => 10)),
				   '2 1 10:15 1 10, 3 1 10:29:59.999999 1 10'),
	   oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 10:00 11:00', oracle.question('{1}', '[00:00,23:00)', linger_ratio => 1)), 'none'),
	   oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 10:00 11:00',
									oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes', linger_ratio => 0)), 'none');

-- Her piece alone counts: [9:50, 10), since she is infectious from 9:50 on. Half
-- of three microseconds is two, and half of one none.
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 10:09:59.999999 11:00, 3 10 10:10 11:00',
									oracle.question('{1}', '[09:50,23:00)', linger => '30 minutes', linger_ratio => 1)),
				   '2 1 10:09:59.999999 1 10'),
	   oracle.same(oracle.exposures('1 10 08:00 08:00:00.000003, 1 11 08:00 08:00:00.000001, 2 10 08:00:00.000004 09:00, 3 10 08:00:00.000005 09:00, 4 11 08:00:00.000001 09:00',
									oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes', linger_ratio => 0.5)),
				   '2 1 08:00:00.000004 1 10');

-- A day is 24 hours.
SELECT oracle.same(oracle.exposures('1 10 00:00 01:00, 2 10 22:00 23:00',
									oracle.question('{1}', '[00:00,23:30)', linger => '1 day -03:00:00')), 'none'),
	   oracle.same(oracle.exposures('1 10 00:00 01:00, 2 10 22:00 23:00',
									oracle.question('{1}', '[00:00,23:30)', linger => '1 day -02:59:59.999999')), '2 1 22:00 1 10');

-- Nobody exposes herself, not at another time, nor at two venues at once; both
-- of her visits expose others. 2 is exposed at 11 before she is at 10.
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 1 11 08:00 10:00, 1 10 09:00 12:00, 2 10 09:00 10:00, 2 11 08:30 08:40',
									oracle.question('{1}', '[00:00,23:00)')), '2 1 08:30 1 11');

--
-- Visits
--

-- The check-outs of 1 say 9 and 10: the greatest counts, wherever it stands.
-- The visit of 2 has no check-out, and lasts the hour of default_stay; 3's has
-- one, and lasts two. 4's row without a venue, and one without a subject, are
-- no visits.
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 1 10 08:00 -, 1 10 08:00 09:00, 5 10 09:59 11:00',
									oracle.question('{1}', '[00:00,23:00)')), '5 1 09:59 1 10');
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 07:00 -, 3 10 07:00 -, 3 10 07:00 09:00, 4 - 08:00 10:00, - 10 08:00 10:00',
									oracle.question('{1}', '[00:00,23:00)')), '3 1 08:00 1 10');

--
-- The time of infection
--

-- From 9 on. 5 has left by then; 2 comes at 9.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[09:00,23:00)')), '2 1 09:00 1 10');

-- The end of `during` is H: an exposure that begins at H does not count, and
-- one that begins before does, however long it lasts.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[08:00,09:00)')), '5 1 08:00 1 10');

-- An inclusive upper bound takes in the microsecond that begins there, and an
-- exclusive lower bound leaves it out.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '(08:00,09:00]')), '2 1 09:00 1 10, 5 1 08:00:00.000001 1 10');

-- Without bounds.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '(,)')), '2 1 09:00 1 10, 5 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[-infinity,infinity]')), '2 1 09:00 1 10, 5 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '(,08:30)')), '5 1 08:00 1 10');

-- Nothing is left of the microsecond between two exclusive bounds.
SELECT oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '(08:30,08:30:00.000001)')), 'none'),
	   oracle.same(oracle.exposures(:'meeting', oracle.question('{1}', '[08:30,08:30]')), '5 1 08:30 1 10');

-- H cuts the piece, and not the visitor: the case's piece is [8, 9), its air
-- lasts until 10. 2 comes at 8:30 and breathes it for 90 minutes, though only
-- for 30 before H. 3 comes at 9, when nothing counts any more, and would have
-- had an hour.
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 2 10 08:30 11:00, 3 10 09:00 11:00',
									oracle.question('{1}', '[00:00,09:00)', linger => '1 hour', min_overlap => '1 hour')),
				   '2 1 08:30 1 10');

-- `until` moves H alone. With H at 12, 3 is exposed by 2 after `during`; the
-- case's air of her piece [8, 9) reaches 4 at 9:30. With H at 8:30, the piece
-- is [8, 8:30), and 2 comes when the air is good.
\set chain '1 10 08:00 10:00, 2 10 08:30 11:00, 2 11 11:00 12:00, 3 11 11:30 13:00, 4 10 09:30 09:50'
SELECT oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', degrees => 2)), '2 1 08:30 1 10');
SELECT oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', degrees => 2, until => '12:00', linger => '45 minutes')),
				   '2 1 08:30 1 10, 3 2 11:30 2 11, 4 1 09:30 1 10');
SELECT oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', degrees => 2, until => '12:00', min_overlap => '30 minutes')),
				   '2 1 08:30 1 10, 3 2 11:30 2 11');
SELECT oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', degrees => 2, until => '12:00', min_overlap => '31 minutes')),
				   'none');
SELECT oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', until => '08:30')), 'none'),
	   oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', until => '-infinity')), 'none'),
	   oracle.same(oracle.exposures(:'chain', oracle.question('{1}', '[00:00,09:00)', until => 'infinity', degrees => 9)),
				   '2 1 08:30 1 10, 3 2 11:30 2 11, 4 2 09:30 2 10');

--
-- Levels
--

-- Time is respected: 2 is infected at 9, so that 3, who met her until 8:30, is
-- not, and 4, who met her then too but also at noon, is from noon on.
\set order '1 10 09:00 10:00, 2 10 09:00 10:00, 2 11 08:00 08:30, 3 11 08:00 08:30, 4 11 08:00 08:30, 2 12 12:00 13:00, 4 12 11:00 13:00'
SELECT oracle.same(oracle.exposures(:'order', oracle.question('{1}', '[00:00,23:00)', degrees => 5)), '2 1 09:00 1 10, 4 2 12:00 2 12');

-- 2 is infectious from the moment of her exposure on: at 9, but not before,
-- in the visit in which she was exposed.
SELECT oracle.same(oracle.exposures('1 10 09:00 10:00, 2 10 08:00 12:00, 3 10 08:00 08:59, 4 10 11:00 12:00, 5 10 08:00 09:00',
									oracle.question('{1}', '[00:00,23:00)', degrees => 2)), '2 1 09:00 1 10, 4 2 11:00 2 10');

-- 3 meets the case at 15, but 2, whom the case met at 9, at 11 already: she is
-- of degree 1, and exposed at 11. With one level only, at 15.
\set better '1 10 09:00 10:00, 2 10 09:00 10:00, 2 11 11:00 12:00, 3 11 11:00 12:00, 1 12 15:00 16:00, 3 12 15:00 17:00, 4 12 16:00 16:30'
SELECT oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 1)), '2 1 09:00 1 10, 3 1 15:00 1 12'),
	   oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 2)),
				   '2 1 09:00 1 10, 3 1 11:00 2 11, 4 2 16:00 3 12');

-- An older interval is kept: infectious for three hours, 3 is so from 11 to 14
-- and from 15 to 18, and 4 meets her at 16.
SELECT oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 3, infectious_for => '3 hours')),
				   '2 1 09:00 1 10, 3 1 11:00 2 11, 4 2 16:00 3 12');

-- For two hours, 2 is infectious until 11, and 3 comes just then; with a
-- microsecond more she is exposed. For one, 3 is infectious until 16, when 4
-- comes.
SELECT oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 3, infectious_for => '2 hours')),
				   '2 1 09:00 1 10, 3 1 15:00 1 12, 4 2 16:00 3 12'),
	   oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 3, infectious_for => '02:00:00.000001')),
				   '2 1 09:00 1 10, 3 1 11:00 2 11, 4 2 16:00 3 12'),
	   oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 3, infectious_for => '1 hour')),
				   '2 1 09:00 1 10, 3 1 15:00 1 12');

-- A later exposure starts nothing: 3 is exposed at 9 and at 15, and infectious
-- until 11 only.
SELECT oracle.same(oracle.exposures('1 10 09:00 10:00, 3 10 09:00 10:00, 1 12 15:00 16:00, 3 12 15:00 17:00, 4 12 16:00 16:30',
									oracle.question('{1}', '[00:00,23:00)', degrees => 3, infectious_for => '2 hours')), '3 1 09:00 1 10');

-- Infectious for no time at all.
SELECT oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 3, infectious_for => '0')),
				   '2 1 09:00 1 10, 3 1 15:00 1 12');

-- Latent for two hours: 2 is infectious from 11 on, and 3 just so. With a
-- microsecond more, 3 meets her a microsecond later. A case is never latent.
SELECT oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,12:00)', degrees => 2, latent => '2 hours')),
				   '2 1 09:00 1 10, 3 2 11:00 2 11'),
	   oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,12:00)', degrees => 2, latent => '02:00:00.000001')),
				   '2 1 09:00 1 10, 3 2 11:00:00.000001 2 11'),
	   oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,12:00)', degrees => 2, latent => '3 hours')),
				   '2 1 09:00 1 10'),
	   oracle.same(oracle.exposures(:'better', oracle.question('{1}', '[00:00,23:00)', degrees => 2, latent => '1 hour', infectious_for => '1 hour')),
				   '2 1 09:00 1 10, 3 1 15:00 1 12, 4 2 16:00 3 12');

-- Intervals of a subject who is no case are not joined. 3 is exposed by the
-- case at 12, at level 1, and by 2 at 10, at level 2 (2 is at two venues at
-- once). Infectious for two hours each time, she is so in [10, 12) and in
-- [12, 14): 4, with her from 11 to 13, has an hour of each, and two are asked.
-- For three hours, it is [10, 13), and long enough.
\set touching '1 10 10:00 12:00, 2 10 10:00 12:00, 2 11 10:00 12:00, 3 11 10:00 15:00, 1 12 12:00 14:00, 3 12 12:00 14:00, 4 11 11:00 13:00'
SELECT oracle.same(oracle.exposures(:'touching', oracle.question('{1}', '[00:00,23:00)', degrees => 3, min_overlap => '2 hours', infectious_for => '2 hours')),
				   '2 1 10:00 1 10, 3 1 10:00 2 11'),
	   oracle.same(oracle.exposures(:'touching', oracle.question('{1}', '[00:00,23:00)', degrees => 3, min_overlap => '2 hours', infectious_for => '3 hours')),
				   '2 1 10:00 1 10, 3 1 10:00 2 11, 4 3 11:00 3 11');

--
-- Ties
--

-- Two cases and two venues at one time: the smallest infector, then the
-- smallest venue. The order in which the cases are named plays no part.
SELECT oracle.same(oracle.exposures('1 10 08:00 10:00, 2 11 08:00 10:00, 3 10 09:00 10:00, 3 11 09:00 10:00',
									oracle.question('{2,1}', '[00:00,23:00)')), '3 1 09:00 1 10'),
	   oracle.same(oracle.exposures('1 11 08:00 10:00, 2 10 08:00 10:00, 3 10 09:00 10:00, 3 11 09:00 10:00',
									oracle.question('{2,1}', '[00:00,23:00)')), '3 1 09:00 1 11'),
	   oracle.same(oracle.exposures('1 11 08:00 10:00, 1 10 08:00 10:00, 3 10 09:00 10:00, 3 11 09:00 10:00',
									oracle.question('{1}', '[00:00,23:00)')), '3 1 09:00 1 10');

-- The lowest level comes before the smallest infector: at level 2, 2 exposes
-- 3 at 9 as well.
SELECT oracle.same(oracle.exposures('5 10 08:00 10:00, 2 10 08:00 09:00, 2 11 09:00 10:00, 3 10 09:00 10:00, 3 11 09:00 10:00',
									oracle.question('{5}', '[00:00,23:00)', degrees => 2)), '2 1 08:00 5 10, 3 1 09:00 5 10');

--
-- Cases
--

-- Cases are never exposed. One who is infectious at no time is a case still,
-- and infects nobody, though another case meets her.
\set cases '1 10 08:00 10:00, 2 10 08:00 10:00, 3 10 09:00 11:00, 2 11 10:00 11:00, 4 11 10:00 11:00'
SELECT oracle.same(oracle.exposures(:'cases', oracle.question('{1,2}', '[00:00,23:00)', degrees => 2)), '3 1 09:00 1 10, 4 1 10:00 2 11'),
	   oracle.same(oracle.exposures(:'cases', oracle.question('{1,2}', '[00:00,23:00)', degrees => 2, case_periods => ARRAY[NULL, 'empty'])),
				   '3 1 09:00 1 10'),
	   oracle.same(oracle.exposures(:'cases', oracle.question('{1,2}', '[08:00,23:00)', degrees => 2, case_periods => ARRAY['[06:00,07:00)', NULL])),
				   '3 1 09:00 2 10, 4 1 10:00 2 11'),
	   oracle.same(oracle.exposures(:'cases', oracle.question('{1}', '[00:00,23:00)', degrees => 2)),
				   '2 1 08:00 1 10, 3 1 09:00 1 10, 4 2 10:00 2 11');

-- Nobody, and somebody who was nowhere.
SELECT oracle.same(oracle.exposures(:'cases', oracle.question('{}', '[00:00,23:00)')), 'none'),
	   oracle.same(oracle.exposures(:'cases', oracle.question('{9}', '[00:00,23:00)')), 'none');

-- Named twice: her periods count together, as one where they touch. A
-- microsecond between them parts them: two hours are not in one piece then.
\set twice '1 10 08:00 10:00, 2 10 09:00 09:10, 3 10 09:20 11:00, 4 10 08:59 09:00, 5 10 08:00 10:00'
SELECT oracle.same(oracle.exposures(:'twice', oracle.question('{1,1}', '[00:00,23:00)', case_periods => '{"[08:00,09:00)","[09:30,10:00)"}')),
				   '3 1 09:30 1 10, 4 1 08:59 1 10, 5 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'twice', oracle.question('{1,1}', '[00:00,23:00)', case_periods => ARRAY['[08:00,09:00)', NULL])),
				   '2 1 09:00 1 10, 3 1 09:20 1 10, 4 1 08:59 1 10, 5 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'twice', oracle.question('{1,1}', '[00:00,23:00)', min_overlap => '2 hours', case_periods => '{"[08:00,09:00)","[09:00,10:00)"}')),
				   '5 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'twice', oracle.question('{1,1}', '[00:00,23:00)', min_overlap => '2 hours', case_periods => '{"[08:00,09:00]","(09:00,10:00)"}')),
				   '5 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'twice', oracle.question('{1,1}', '[00:00,23:00)', min_overlap => '01:59:59', case_periods => '{"[08:00,09:00)","(09:00,10:00)"}')),
				   'none');

--
-- Minutes that add up
--

-- The case meets 2 for 7, 7 and 5 minutes, and 3 for 10 and 4. In a day that is
-- 19 minutes for 2 and 14 for 3. The fifteenth of 2's is over at 15:06, 7 hours
-- and 6 minutes after the first began: within less there are 14 or 12. So few
-- minutes are enough for all at the first.
\set bits '1 10 08:00 08:10, 1 11 12:00 12:10, 1 12 15:00 15:10, 2 10 08:00 08:07, 2 11 12:03 12:30, 2 12 15:05 15:10, 3 10 08:00 08:10, 3 11 12:06 12:10'
SELECT oracle.same(oracle.exposures(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes')), 'none'),
	   oracle.same(oracle.exposures(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '1 day')), '2 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '7:06')), '2 1 08:00 1 10'),
	   oracle.same(oracle.exposures(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '7:05:59.999999')), 'none'),
	   oracle.same(oracle.exposures(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '12 minutes', accumulate => '4 hours')), '2 1 12:03 1 11'),
	   oracle.same(oracle.exposures(:'bits', oracle.question('{1}', '[00:00,23:00)', accumulate => '1 day')), '2 1 08:00 1 10, 3 1 08:00 1 10');

-- Five of twenty minutes with two cases are with both, and count once.
SELECT oracle.same(oracle.exposures('1 10 08:00 08:10, 4 10 08:05 08:15, 2 10 08:00 09:00',
									oracle.question('{1,4}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '1 day')), '2 1 08:00 1 10'),
	   oracle.same(oracle.exposures('1 10 08:00 08:10, 4 10 08:05 08:15, 2 10 08:00 09:00',
									oracle.question('{1,4}', '[00:00,23:00)', min_overlap => '16 minutes', accumulate => '1 day')), 'none');

-- In an hour from 8:00 on, 2 breathes the case's air for 7 minutes, and from
-- 8:50 on for 15, after which she is infectious. Her own air between 8:52 and
-- 9:00, which would make it 15 from 8:00 on, does not count. But 3 was there
-- then, whom the case infected at 7:00: with her, it does.
\set own '1 10 08:00 08:05, 1 11 08:50 08:52, 1 12 09:10 09:23, 2 10 08:00 08:05, 2 11 08:50 09:05, 2 12 09:10 09:23'
\set and_3 ', 1 13 07:00 07:15, 3 13 07:00 07:15, 3 11 08:52 09:00'
SELECT oracle.same(oracle.exposures(:'own', oracle.question('{1}', '[00:00,23:00)', degrees => 3, min_overlap => '15 minutes', accumulate => '1 hour')),
				   '2 1 08:50 1 11'),
	   oracle.same(oracle.exposures(:'own' || :'and_3', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '1 hour')),
				   '2 1 08:50 1 11, 3 1 07:00 1 13'),
	   oracle.same(oracle.exposures(:'own' || :'and_3', oracle.question('{1}', '[00:00,23:00)', degrees => 2, min_overlap => '15 minutes', accumulate => '1 hour')),
				   '2 1 08:00 1 10, 3 1 07:00 1 13');

-- The case has 10 minutes with 2, and 3, whom she infected, another ten: it
-- took two levels, and began with the case. If 3 was there too, then too.
SELECT oracle.same(oracle.exposures('5 13 07:00 07:15, 3 13 07:00 07:15, 5 10 08:00 08:10, 2 10 08:00 08:10, 3 11 12:00 12:10, 2 11 12:00 12:10',
									oracle.question('{5}', '[00:00,23:00)', degrees => 2, min_overlap => '15 minutes', accumulate => '1 day')),
				   '2 2 08:00 5 10, 3 1 07:00 5 13'),
	   oracle.same(oracle.exposures('5 13 07:00 07:15, 3 13 07:00 07:15, 5 10 08:00 08:10, 2 10 08:00 08:10, 3 11 12:00 12:10, 2 11 12:00 12:10, 3 10 08:00 08:10',
									oracle.question('{5}', '[00:00,23:00)', degrees => 2, min_overlap => '15 minutes', accumulate => '1 day')),
				   '2 2 08:00 5 10, 3 1 07:00 5 13');

-- With H at 8:50, air until 9:50. 2 breathes it for 5 minutes before H, and
-- for 10 after it; 3 does not begin before H.
SELECT oracle.same(oracle.exposures('1 10 08:00 09:00, 2 10 08:45 08:50, 2 10 09:00 09:10, 3 10 08:50 08:55, 3 10 09:00 09:10',
									oracle.question('{1}', '[00:00,08:50)', linger => '1 hour', min_overlap => '15 minutes', accumulate => '1 day')),
				   '2 1 08:45 1 10');

--
-- Near venues
--

-- 10 and 14 are at one place, 11 is 5 m away and 12 is 10; 13 has no location,
-- and 15 is not known.
CREATE FUNCTION oracle.places() RETURNS oracle.place[]
LANGUAGE sql
RETURN ARRAY(SELECT ROW(venue, x, y, NULL, NULL, NULL)::oracle.place
			 FROM (VALUES (10, 0, 0), (11, 3, 4), (12, 6, 8), (13, NULL, NULL), (14, 0, 0)) AS p (venue, x, y));

\set near '1 10 08:00 10:00, 2 11 09:00 10:00, 3 12 09:00 10:00, 4 13 09:00 10:00, 5 14 09:00 10:00, 6 10 09:30 10:00, 7 15 09:00 10:00'
SELECT oracle.same(oracle.exposures(:'near', oracle.question('{1}', '[00:00,23:00)', within => 5), oracle.places()),
				   '2 1 09:00 1 11, 5 1 09:00 1 14, 6 1 09:30 1 10'),
	   oracle.same(oracle.exposures(:'near', oracle.question('{1}', '[00:00,23:00)', within => 4.999), oracle.places()),
				   '5 1 09:00 1 14, 6 1 09:30 1 10'),
	   oracle.same(oracle.exposures(:'near', oracle.question('{1}', '[00:00,23:00)', within => 10), oracle.places()),
				   '2 1 09:00 1 11, 3 1 09:00 1 12, 5 1 09:00 1 14, 6 1 09:30 1 10'),
	   oracle.same(oracle.exposures(:'near', oracle.question('{1}', '[00:00,23:00)', within => 0), oracle.places()),
				   '6 1 09:30 1 10');

-- Whoever is at a place without a location shares the air there alone.
SELECT oracle.same(oracle.exposures('1 13 08:00 10:00, 2 13 09:00 10:00, 3 10 09:00 10:00, 1 15 10:00 11:00, 4 15 10:00 11:00',
									oracle.question('{1}', '[00:00,23:00)', within => 100), oracle.places()),
				   '2 1 09:00 1 13, 4 1 10:00 1 15');

-- The venue is that of the exposed: the smallest of two.
SELECT oracle.same(oracle.exposures('1 12 08:00 10:00, 2 14 09:00 10:00, 2 11 09:00 10:00',
									oracle.question('{1}', '[00:00,23:00)', within => 10), oracle.places()),
				   '2 1 09:00 1 11');

--
-- Contacts
--

-- 2 was there twice; 3 breathed the air only.
\set contacts '1 10 08:00 10:00, 2 10 09:00 11:00, 3 10 10:15 12:00, 2 10 07:00 09:00'
SELECT oracle.same(oracle.contacts(:'contacts', oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes')),
				   '2 10 10 08:00 09:00 01:00:00 0, 2 10 10 09:00 10:30 01:00:00 0, 3 10 10 10:15 10:30 00:00:00 0');

-- Where minutes add up, every meeting of those who have enough of them.
SELECT oracle.same(oracle.contacts(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '1 day')),
				   '2 10 10 08:00 08:07 00:07:00 0, 2 11 11 12:03 12:10 00:07:00 0, 2 12 12 15:05 15:10 00:05:00 0'),
	   oracle.same(oracle.contacts(:'bits', oracle.question('{1}', '[00:00,23:00)', min_overlap => '15 minutes')), 'none');

-- What begins at the end of `during`, or later, is no contact. What begins
-- before may end later: the air of [8, 9) is there until 9:30.
SELECT oracle.same(oracle.contacts(:'contacts', oracle.question('{1}', '[00:00,10:15)', linger => '30 minutes')),
				   '2 10 10 08:00 09:00 01:00:00 0, 2 10 10 09:00 10:30 01:00:00 0'),
	   oracle.same(oracle.contacts('1 10 08:00 10:00, 2 10 08:30 12:00', oracle.question('{1}', '[00:00,09:00)', linger => '1 hour', linger_ratio => 0.5)),
				   '2 10 10 08:30 09:30 00:30:00 0'),
	   oracle.same(oracle.contacts('1 10 08:00 10:00, 2 10 08:30 12:00', oracle.question('{1}', '[00:00,09:00)', linger => '30 minutes')),
				   '2 10 10 08:30 09:30 00:30:00 0');

-- A row for each of the case's visits, though she was twice at one venue; and
-- with the distance.
SELECT oracle.same(oracle.contacts('1 10 08:00 09:00, 1 10 08:30 10:00, 1 11 08:00 09:00, 2 10 08:45 08:50',
								   oracle.question('{1}', '[00:00,23:00)', within => 5), oracle.places()),
				   '2 10 10 08:45 08:50 00:05:00 0, 2 10 10 08:45 08:50 00:05:00 0, 2 10 11 08:45 08:50 00:05:00 5');

--
-- Paths
--

-- 3 may have been infected at 11 and at 15. 4 meets her at 16, when only the
-- second makes her infectious, though the first is the one that exposures
-- tells.
\set question 'oracle.question(\'{1}\', \'[00:00,23:00)\', degrees => 3, infectious_for => \'3 hours\')'
SELECT oracle.wrong_with(:'better', :question, '2 1 1 2 10 09:00, 3 1 1 2 10 09:00, 3 2 2 3 11 11:00, 4 1 1 3 12 15:00, 4 2 3 4 12 16:00');
SELECT oracle.wrong_with(:'better', :question, '2 1 1 2 10 09:00, 3 1 1 2 10 09:00, 3 2 2 3 11 11:00, 4 1 1 2 10 09:00, 4 2 2 3 11 11:00, 4 3 3 4 12 16:00');

-- What else can be wrong: 2 has none, 5 has one; 3's begins nowhere, and ends
-- late; 4's has too many hops, and hops that do not hang together.
SELECT oracle.wrong_with(:'better', :question, '3 1 2 3 12 15:00, 4 1 1 2 10 09:00, 4 2 2 3 11 11:00, 4 3 2 1 12 15:00, 4 4 3 4 11 16:00, 5 1 1 5 10 09:00');

-- 3 was exposed at 15 before, but a path to her has to end at 11; and 4 is not
-- exposed before 16.
SELECT oracle.wrong_with(:'better', :question, '2 1 1 2 10 09:00, 3 1 1 3 12 15:00, 4 1 1 3 12 15:00, 4 2 3 4 12 15:59');

--
-- Sources
--

-- 1 was at 10 from 9 to 11. 2 was there until 9:30. 3 stayed on, but what she
-- shed after 11 does not matter. 4 left as 1 came: only her air may have been
-- there, and what matters of it she shed until 9. 5 came as 1 left.
\set source '1 10 09:00 11:00, 2 10 08:00 09:30, 3 10 10:00 12:00, 4 10 07:00 09:00, 5 10 11:00 12:00'
SELECT oracle.same(oracle.sources(:'source', oracle.question('{1}', '[00:00,23:00)')), '2 1 09:30 1 10, 3 1 11:00 1 10'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes')),
				   '2 1 09:30 1 10, 3 1 11:00 1 10, 4 1 09:00 1 10'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '[00:00,23:00)', min_overlap => '1 hour')), '3 1 11:00 1 10'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '[00:00,23:00)', linger => '30 minutes', min_overlap => '1 hour')),
				   '2 1 09:30 1 10, 3 1 11:00 1 10');

-- The air is hers who sheds: 2 was there for an hour, and her air for half of
-- one; 3's for a minute.
SELECT oracle.same(oracle.sources('1 10 09:20 11:00, 2 10 08:00 09:00, 3 10 08:58 09:00',
								  oracle.question('{1}', '[00:00,23:00)', linger => '1 day', linger_ratio => 0.5)), '2 1 09:00 1 10'),
	   oracle.same(oracle.sources('1 10 09:30 11:00, 2 10 08:00 09:00, 3 10 08:58 09:00',
								  oracle.question('{1}', '[00:00,23:00)', linger => '1 day', linger_ratio => 0.5)), 'none');

-- In a day, 2 had 19 minutes with 1, and 11 with 3. In 4 hours up to 15:10, 12
-- minutes; the last 14 within 4 hours and 10 minutes were those up to 12:10.
SELECT oracle.same(oracle.sources(:'bits', oracle.question('{2}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '1 day')), '1 1 15:10 2 12'),
	   oracle.same(oracle.sources(:'bits', oracle.question('{2}', '[00:00,23:00)', min_overlap => '12 minutes', accumulate => '4 hours')), '1 1 15:10 2 12'),
	   oracle.same(oracle.sources(:'bits', oracle.question('{2}', '[00:00,23:00)', min_overlap => '14 minutes', accumulate => '4:10')), '1 1 12:10 2 11'),
	   oracle.same(oracle.sources(:'bits', oracle.question('{2}', '[00:00,23:00)', min_overlap => '14 minutes', accumulate => '4:09:59.999999')), 'none');

-- 1 breathed 3's air for 5 minutes while she was there, and for 10 when she had
-- been gone for half an hour.
SELECT oracle.same(oracle.sources('3 10 08:00 09:00, 1 10 08:50 08:55, 1 10 09:30 09:40',
								  oracle.question('{1}', '[00:00,23:00)', linger => '1 hour', min_overlap => '15 minutes', accumulate => '1 day')),
				   '3 1 09:00 1 10'),
	   oracle.same(oracle.sources('3 10 08:00 09:00, 1 10 08:50 08:55, 1 10 09:30 09:40',
								  oracle.question('{1}', '[00:00,23:00)', linger => '1 hour', min_overlap => '15 minutes', accumulate => '49 minutes')),
				   'none');

-- The air that 1 breathed last, 3 had left behind at 9; of the other, which she
-- breathed long enough too, she was a source until 10:30.
SELECT oracle.same(oracle.sources('3 10 08:00 09:00, 3 11 10:00 11:00, 1 11 10:00 10:30, 1 10 14:00 14:20',
								  oracle.question('{1}', '[00:00,23:00)', linger => '6 hours', min_overlap => '20 minutes', accumulate => '1 hour')),
				   '3 1 10:30 1 11'),
	   oracle.same(oracle.sources('3 10 08:00 09:00, 3 11 10:00 11:00, 1 11 10:00 10:19, 1 10 14:00 14:20',
								  oracle.question('{1}', '[00:00,23:00)', linger => '6 hours', min_overlap => '20 minutes', accumulate => '1 hour')),
				   '3 1 09:00 1 10');

-- 3's minutes with both cases are one sum.
SELECT oracle.same(oracle.sources('1 10 08:00 08:10, 3 10 08:00 08:30, 2 10 08:10 08:15',
								  oracle.question('{1,2}', '[00:00,23:00)', min_overlap => '15 minutes', accumulate => '1 day')), '3 1 08:15 2 10');

-- What ends at `since` does not count, and 1 is not receptive before it.
SELECT oracle.same(oracle.sources(:'source', oracle.question('{1}', '[09:00,23:00)', linger => '30 minutes')),
				   '2 1 09:30 1 10, 3 1 11:00 1 10'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '[09:00,23:00)', linger => '30 minutes', since => '08:59')),
				   '2 1 09:30 1 10, 3 1 11:00 1 10, 4 1 09:00 1 10'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '[00:00,23:00)', since => '10:00')), '3 1 11:00 1 10'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '[00:00,23:00)', since => 'infinity')), 'none'),
	   oracle.same(oracle.sources(:'source', oracle.question('{1}', '(,10:30)', since => '-infinity')), '2 1 09:30 1 10, 3 1 10:30 1 10');

-- 2 may have shed until 11 when she met 1. If infected before that, then by 3,
-- until 9, or by 4, until 11.
\set back '1 10 10:00 11:00, 2 10 10:00 11:00, 2 11 08:00 09:00, 3 11 08:00 09:00, 2 12 10:30 12:00, 4 12 10:30 12:00'
SELECT oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)')), '2 1 11:00 1 10'),
	   oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)', degrees => 2)),
				   '2 1 11:00 1 10, 3 2 09:00 2 11, 4 2 11:00 2 12'),
	   oracle.same(oracle.sources(:'back', oracle.question('{1}', '[10:00,23:00)', degrees => 2, since => '00:00')),
				   '2 1 11:00 1 10, 3 2 09:00 2 11, 4 2 11:00 2 12');

-- Latent for two hours, she was infected before 9. Latent for three and
-- infectious for one, in [7, 8); with a microsecond less, until then after 8.
SELECT oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)', degrees => 2, latent => '2 hours')),
				   '2 1 11:00 1 10, 3 2 09:00 2 11'),
	   oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)', degrees => 2, latent => '3 hours', infectious_for => '1 hour')),
				   '2 1 11:00 1 10'),
	   oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)', degrees => 2, latent => '02:59:59.999999', infectious_for => '1 hour')),
				   '2 1 11:00 1 10, 3 2 08:00:00.000001 2 11'),
	   oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)', degrees => 2, infectious_for => '2 hours')),
				   '2 1 11:00 1 10, 4 2 11:00 2 12'),
	   oracle.same(oracle.sources(:'back', oracle.question('{1}', '[00:00,23:00)', degrees => 2, infectious_for => '02:00:00.000001')),
				   '2 1 11:00 1 10, 3 2 09:00 2 11, 4 2 11:00 2 12');

-- The latest counts, at whatever level; ties as above.
SELECT oracle.same(oracle.sources('1 10 09:00 09:30, 3 10 09:00 09:30, 1 11 11:00 12:00, 2 11 11:00 12:00, 2 12 10:00 10:30, 3 12 10:00 10:30',
								  oracle.question('{1}', '[00:00,23:00)', degrees => 2)), '2 1 12:00 1 11, 3 1 10:30 2 12'),
	   oracle.same(oracle.sources('1 11 09:00 10:00, 2 10 09:00 10:00, 3 10 09:00 10:00, 3 11 09:00 11:00',
								  oracle.question('{2,1}', '[00:00,23:00)')), '3 1 10:00 1 11');

--
-- Hotspots
--

-- 2 comes as 1 leaves: one stretch. 3 was there, 4 and 5 came later. At 11 there
-- was one case, with nobody.
\set hot '1 10 08:00 09:00, 2 10 09:00 10:00, 3 10 08:30 11:00, 4 10 10:00 11:00, 5 10 10:30 11:00, 1 11 08:00 09:00'
SELECT oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)')), '10 08:00 10:00 2 1'),
	   oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)', min_cases => 1)),
				   '10 08:00 10:00 2 1, 11 08:00 09:00 1 0'),
	   oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)', min_cases => 3)), 'none'),
	   oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)', linger => '30 minutes')), '10 08:00 10:30 2 2');

-- The pieces end with `during`, and their air does not. A microsecond between
-- the pieces parts the stretches; linger joins them.
SELECT oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[08:10,09:30)', linger => '1 hour')), '10 08:10 10:30 2 2'),
	   oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)', min_cases => 1, case_periods => ARRAY[NULL, '(09:00,)'])),
				   '10 08:00 09:00 1 1, 10 09:00:00.000001 10:00 1 1, 11 08:00 09:00 1 0'),
	   oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)', linger => '00:00:00.000001', case_periods => ARRAY[NULL, '(09:00,)'])),
				   '10 08:00 10:00:00.000001 2 2');

-- Of air that follows the stays of an hour, a half.
SELECT oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2}', '[00:00,23:00)', linger => '1 day', linger_ratio => 0.5)), '10 08:00 10:30 2 2');

-- A case is no visitor, though she be infectious at no time; nor is one counted
-- twice.
SELECT oracle.same(oracle.hotspots(:'hot', oracle.question('{1,2,3}', '[00:00,23:00)', case_periods => ARRAY[NULL, NULL, 'empty'])),
				   '10 08:00 10:00 2 0'),
	   oracle.same(oracle.hotspots('1 10 08:00 09:00, 1 10 08:30 10:00, 2 10 08:00 09:00, 2 10 08:15 09:00',
								   oracle.question('{1,1}', '[00:00,23:00)', min_cases => 1)), '10 08:00 10:00 1 1'),
	   oracle.same(oracle.hotspots('1 10 08:00 09:00, 1 10 08:30 10:00', oracle.question('{1,1}', '[00:00,23:00)')), 'none');

--
-- Encounters
--

-- Cases 1 and 2 are at 10 together for an hour, and 1 is there again at noon. 3
-- meets both, and 1 once more for 10 minutes: 1 hour + 1 hour + 10 minutes. 4
-- came for the air alone. 5 meets 3, who met the cases at 8, and 3 again; what 5
-- has with 4 is of degree 2 as well.
\set often '1 10 08:00 09:00, 2 10 08:00 09:00, 1 10 12:00 13:00, 3 10 08:00 09:00, 3 10 12:50 13:30, 4 10 13:10 14:00, 3 11 15:00 16:00, 5 11 15:30 17:00, 4 11 16:30 18:00'
SELECT oracle.same(oracle.details(:'often', oracle.question('{1,2}', '[00:00,23:00)', degrees => 2, linger => '15 minutes')),
				   '3 1 3 02:10:00, 4 1 1 00:00:00, 5 2 2 01:00:00'),
	   oracle.same(oracle.details(:'often', oracle.question('{1,2}', '[00:00,23:00)', degrees => 2)),
				   '3 1 3 02:10:00, 4 2 1 00:20:00, 5 2 1 00:30:00');

-- Too short ones do not count; where minutes add up, they do.
SELECT oracle.same(oracle.details(:'often', oracle.question('{1,2}', '[00:00,23:00)', min_overlap => '11 minutes')), '3 1 2 02:00:00'),
	   oracle.same(oracle.details(:'often', oracle.question('{1}', '[00:00,23:00)', min_overlap => '70 minutes', accumulate => '1 day')), '3 1 2 01:10:00');

-- A case's two periods within one stay are two encounters. All that 5 has with
-- 3 is of degree 2, and nothing of what follows of it is of degree 3.
SELECT oracle.same(oracle.details('1 10 08:00 10:00, 2 10 08:00 10:00, 3 10 09:30 10:00',
								  oracle.question('{1,1}', '[00:00,23:00)', case_periods => '{"[08:00,08:30)","[09:00,10:00)"}')),
				   '2 1 2 01:30:00, 3 1 1 00:30:00'),
	   oracle.same(oracle.details('1 10 08:00 09:00, 3 10 08:00 09:00, 3 11 10:00 11:00, 5 11 10:00 11:00, 3 12 12:00 13:00, 5 12 12:00 13:00',
								  oracle.question('{1}', '[00:00,23:00)', degrees => 3)),
				   '3 1 1 01:00:00, 5 2 2 02:00:00');

--
-- The two oracles on random logs
--
SELECT oracle.make_logs(1, ROW(250, 1, interval '1 microsecond', false, 12, 2)::oracle.shape);

CREATE FUNCTION oracle.both(what text, l oracle.random_log, OUT definitions text[], OUT ticks text[])
LANGUAGE plpgsql AS $$
DECLARE
	default_stay interval := '2 microseconds';
BEGIN
	-- A stretch that lasts very long has too many moments.
	IF what = 'hotspots' THEN
		l.question.linger := least((l.question).linger, '10 microseconds');
	END IF;
	CASE what
		WHEN 'contacts' THEN
			definitions := ARRAY(SELECT a::text FROM oracle.contacts(l.rows, default_stay, l.places, l.question) AS a ORDER BY 1);
			ticks := ARRAY(SELECT a::text FROM oracle.tick_contacts(l.rows, default_stay, l.places, l.question) AS a ORDER BY 1);
		WHEN 'exposures' THEN
			definitions := ARRAY(SELECT a::text FROM oracle.exposures(l.rows, default_stay, l.places, l.question) AS a ORDER BY 1);
			ticks := ARRAY(SELECT a::text FROM oracle.tick_exposures(l.rows, default_stay, l.places, l.question) AS a ORDER BY 1);
		WHEN 'sources' THEN
			definitions := ARRAY(SELECT a::text FROM oracle.sources(l.rows, default_stay, l.places, l.backwards) AS a ORDER BY 1);
			ticks := ARRAY(SELECT a::text FROM oracle.tick_sources(l.rows, default_stay, l.places, l.backwards) AS a ORDER BY 1);
		WHEN 'hotspots' THEN
			definitions := ARRAY(SELECT a::text FROM oracle.hotspots(l.rows, default_stay, l.question) AS a ORDER BY 1);
			ticks := ARRAY(SELECT a::text FROM oracle.tick_hotspots(l.rows, default_stay, l.question) AS a ORDER BY 1);
	END CASE;
END;
$$;

SELECT what, count(*) FILTER (WHERE definitions <> ticks) AS different, avg((definitions <> '{}')::integer) > 0.2 AS often_something
FROM unnest('{contacts,exposures,sources,hotspots}'::text[]) AS what, oracle.random_log AS l, oracle.both(what, l)
GROUP BY what
ORDER BY what;

SELECT what, l.log, definitions, ticks
FROM unnest('{contacts,exposures,sources,hotspots}'::text[]) AS what, oracle.random_log AS l, oracle.both(what, l)
WHERE definitions <> ticks
LIMIT 5;

\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA oracle CASCADE;
