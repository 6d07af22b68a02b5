--
-- Drawing a trace
--
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
-- Ann meets Bob and two who infect nobody; Bob, at another place, one more.
CREATE TABLE hop (step integer, infector text, infected text, venue text, exposed_at timestamptz);
INSERT INTO hop VALUES
	(1, 'Ann', 'Bob', 'cafe', '2021-03-01 12:00+00'),
	(1, 'Ann', 'Cem 10', 'cafe', '2021-03-01 12:00+00'),
	(1, 'Ann', 'Cem 9', 'cafe', '2021-03-01 12:00+00'),
	(2, 'Bob', 'Dora', 'bus', '2021-03-02 08:00+00'),
	(1, 'Ann', 'Bob', 'cafe', '2021-03-01 12:00+00');
SELECT anshim.hops_dot(array_agg(step), array_agg(infector), array_agg(infected), array_agg(venue), array_agg(exposed_at),
	cases => '{Ann,Eve,NULL}', title => 'Cafe & bus')
FROM hop;
-- The order of the hops does not matter, nor how often one comes.
SELECT anshim.hops_dot(array_agg(step ORDER BY r), array_agg(infector ORDER BY r), array_agg(infected ORDER BY r),
		array_agg(venue ORDER BY r), array_agg(exposed_at ORDER BY r))
	= anshim.hops_dot(array_agg(step), array_agg(infector), array_agg(infected), array_agg(venue), array_agg(exposed_at))
FROM (SELECT *, random() AS r FROM hop, generate_series(1, 3)) AS h;
-- Who is infected twice hangs on both edges, and shares no box.
SELECT line
FROM string_to_table(anshim.hops_dot('{1,1}', '{a,b}', '{c,c}', '{x,y}', '{2021-03-01,2021-03-02}'), E'\n') AS line
WHERE line ~ '^  [neg][0-9]';
-- What is not known: a place, a moment; without an infector there is no hop.
SELECT line
FROM string_to_table(anshim.hops_dot('{1,1,1}', '{a,a,NULL}', '{b,c,d}', '{NULL,x,y}', '{2021-03-01,NULL,NULL}'), E'\n') AS line
WHERE line ~ '^  [neg][0-9]';
-- Nothing to draw
SELECT line ~ 'nobody' FROM regexp_split_to_table(anshim.hops_dot('{}', '{}', '{}', '{}', '{}'), 'digraph') AS line OFFSET 1;
SELECT anshim.hops_dot(NULL, NULL, NULL, NULL, NULL) = anshim.hops_dot('{}', '{}', '{}', '{}', '{}');
-- Whatever a name holds, it stays text.
SELECT anshim.dot_escape(E'<b>&amp;"\\N\\"\n\x01\x7f'), anshim.dot_escape('') = ' ', anshim.dot_escape(NULL) IS NULL;

-- Straight from a log, in both forms: keys of one type, and of two
CREATE TABLE visit (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO visit VALUES
	('Ann', 'cafe', '2021-03-01 12:00+00', '2021-03-01 13:00+00'),
	('Bob', 'cafe', '2021-03-01 12:30+00', '2021-03-01 14:00+00'),
	('Bob', 'bus', '2021-03-02 08:00+00', '2021-03-02 08:30+00'),
	('Dora', 'bus', '2021-03-02 08:10+00', '2021-03-02 08:40+00'),
	('Eve', 'cafe', '2021-03-01 13:20+00', '2021-03-01 15:00+00');
SELECT anshim.track_visits('visit');
SELECT line
FROM string_to_table(anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', degrees => 2), E'\n') AS line
WHERE line ~ '^  [neg][0-9]|Exposure';
SELECT anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', degrees => 2, title => 't')
	= anshim.hops_dot(array_agg(step), array_agg(infector), array_agg(infected), array_agg(venue), array_agg(exposed_at), '{Ann}', 't')
FROM anshim.exposure_paths('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', degrees => 2);
CREATE TABLE visit2 AS
SELECT ascii(subject) AS subject, venue, entered_at, left_at FROM visit;
ALTER TABLE visit2 ALTER entered_at SET NOT NULL;
SELECT anshim.track_visits('visit2');
SELECT line
FROM string_to_table(anshim.exposure_dot('visit2', ARRAY[65, 99], NULL::text, '[2021-03-01, 2021-03-03)', degrees => 2, linger => '1 hour'), E'\n') AS line
WHERE line ~ '^  [neg][0-9]';
-- All of the arguments arrive.
SELECT bool_and(anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', 2, title => '')
	<> anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', degrees, linger, min_overlap, 0, latent, infectious_for, until, periods, title => ''))
FROM (VALUES
	(1, '0'::interval, '0'::interval, '0'::interval, NULL::interval, NULL::timestamptz, NULL::tstzrange[]),
	(2, '1 hour', '0', '0', NULL, NULL, NULL),
	(2, '0', '31 minutes', '0', NULL, NULL, NULL),
	(2, '0', '0', '1 day', NULL, NULL, NULL),
	(2, '0', '0', '0', '1 hour', NULL, NULL),
	(2, '0', '0', '0', NULL, '2021-03-02', NULL),
	(2, '0', '0', '0', NULL, NULL, '{"[2021-03-01 12:40+00,)"}')) AS a (degrees, linger, min_overlap, latent, infectious_for, until, periods);
SELECT anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', linger => '1 hour')
	<> anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', linger => '1 hour', linger_ratio => 0.1),
	anshim.exposure_dot('visit2', ARRAY[65], NULL::text, '[2021-03-01, 2021-03-03)', linger => '1 hour')
	<> anshim.exposure_dot('visit2', ARRAY[65], NULL::text, '[2021-03-01, 2021-03-03)', linger => '1 hour', linger_ratio => 0.1),
	anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', degrees => 2, linger => '1 hour', min_overlap => '90 minutes')
	<> anshim.exposure_dot('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-03)', degrees => 2, linger => '1 hour', min_overlap => '90 minutes', accumulate => '1 day'),
	anshim.exposure_dot('visit2', ARRAY[65], NULL::text, '[2021-03-01, 2021-03-03)', degrees => 2, linger => '1 hour', min_overlap => '90 minutes')
	<> anshim.exposure_dot('visit2', ARRAY[65], NULL::text, '[2021-03-01, 2021-03-03)', degrees => 2, linger => '1 hour', min_overlap => '90 minutes', accumulate => '1 day');
DROP TABLE visit, visit2, hop;
