--
-- Definitions of contact: whose rows, which periods, what a trace makes of them
--
-- docs/cookbook.md counts an example of each by hand; test/t/visits_dump.pl
-- shows that rows of one's own survive a dump, and shipped ones stand once.
--
\set SHOW_CONTEXT never
SET timezone = 'Asia/Seoul';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

SELECT name, min_overlap, accumulate, linger, linger_ratio, within, days_before, days_after, dated FROM anshim.definition ORDER BY name;
SELECT count(*) AS without_source FROM anshim.definition WHERE source = '' OR NOT shipped;

-- Days are those of the session's time zone, and the last one is whole.
SELECT name, anshim.infectious_period('2021-03-10', name) FROM anshim.definition ORDER BY name;
SELECT anshim.infectious_period(NULL, 'cwa') IS NULL AS unknown_onset;
SELECT anshim.infectious_period('2021-03-10', 'who-1918');

-- A row of one's own, and what it must not be
INSERT INTO anshim.definition (name, min_overlap, accumulate, days_before, days_after, source) VALUES ('ours', '5 minutes', '8 hours', 0, 0, 'here');
SELECT anshim.infectious_period('2021-03-10', 'ours');
UPDATE anshim.definition SET days_after = 1 WHERE name = 'ours';
SELECT anshim.infectious_period('2021-03-10', 'ours');
INSERT INTO anshim.definition (name, accumulate, source) VALUES ('x', '1 day', 'no sum');
INSERT INTO anshim.definition (name, linger_ratio, source) VALUES ('x', 1, 'no air');
INSERT INTO anshim.definition (name, days_before, source) VALUES ('x', -1, 'negative');
INSERT INTO anshim.definition (name, source, shipped) VALUES ('x', 'not ours', true);
UPDATE anshim.definition SET days_after = 1 WHERE name = 'cwa';
UPDATE anshim.definition SET shipped = true WHERE name = 'ours';
DELETE FROM anshim.definition WHERE name = 'cwa';

-- The same as exposures() with its parameters, in both forms
CREATE TABLE visit (subject int, venue text, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES
	(1, 'a', '2021-03-10 10:00', '2021-03-10 10:03'), (2, 'a', '2021-03-10 10:00', '2021-03-10 10:03'),
	(1, 'b', '2021-03-10 17:00', '2021-03-10 17:02'), (2, 'b', '2021-03-10 17:00', '2021-03-10 17:02'),
	(3, 'b', '2021-03-10 17:00', '2021-03-10 17:02'),
	(1, 'a', '2021-03-12 00:00', '2021-03-12 01:00'), (4, 'a', '2021-03-12 00:00', '2021-03-12 01:00'), (6, 'a', '2021-03-12 00:20', '2021-03-12 00:36'),
	(2, 'c', '2021-03-13 00:00', '2021-03-13 01:00'), (5, 'c', '2021-03-13 00:00', '2021-03-13 01:00');
SELECT * FROM anshim.exposures_by('ours', 'visit', ARRAY[1], NULL::text, ARRAY[date '2021-03-10'], degrees => 2) ORDER BY subject;
SELECT * FROM anshim.exposures_by('ours', 'visit', ARRAY[1], NULL::text, ARRAY[date '2021-03-10'], degrees => 2, until => '2021-03-13') ORDER BY subject;
-- An onset that is not known: infectious all of `during`, which bounds the others' too
SELECT * FROM anshim.exposures_by('ours', 'visit', ARRAY[1, 4], NULL::text, ARRAY['2021-03-01', NULL]::date[], during => '[2021-03-12 00:30, 2021-03-13)') ORDER BY subject;
-- After twelve minutes of a case, twelve of her air: 7 breathes ten of them, and
-- 8 nine; that there may be thirty does not count.
INSERT INTO visit VALUES (1, 'd', '2021-03-14 10:00', '2021-03-14 10:12'), (7, 'd', '2021-03-14 10:12', '2021-03-14 10:22'), (8, 'd', '2021-03-14 10:15', '2021-03-14 10:50');
SELECT * FROM anshim.exposures_by('cwa', 'visit', ARRAY[1], NULL::text, ARRAY[date '2021-03-10'], during => '[2021-03-14, 2021-03-15)') ORDER BY subject;
ALTER TABLE visit ALTER subject TYPE text;
SELECT * FROM anshim.exposures_by('ours', 'visit', ARRAY['1'], ARRAY[date '2021-03-10']) ORDER BY subject;

-- What it refuses
SELECT * FROM anshim.exposures_by('nobody''s', 'visit', ARRAY['1'], ARRAY[date '2021-03-10']);
SELECT * FROM anshim.exposures_by('nobody''s', 'visit', '{}'::text[], '{}'::date[]);
SELECT * FROM anshim.exposures_by('ours', 'visit', ARRAY['1', '2'], ARRAY[date '2021-03-10']);
SELECT * FROM anshim.exposures_by(NULL, 'visit', ARRAY['1'], ARRAY[date '2021-03-10']);
SELECT * FROM anshim.exposures_by('ours', 'visit', ARRAY['1'], NULL);
-- The definition's distance is used if it is asked for, and needs locations.
SELECT * FROM anshim.exposures_by('estonia-2020', 'visit', ARRAY['1'], ARRAY[date '2021-03-10'], within => NULL);

-- Everybody may read them, and nobody else change them.
CREATE ROLE regress_definition_reader;
SET ROLE regress_definition_reader;
SELECT count(*) FROM anshim.definition;
INSERT INTO anshim.definition (name, source) VALUES ('x', 'a reader');
RESET ROLE;
DROP ROLE regress_definition_reader;
DELETE FROM anshim.definition WHERE name = 'ours';
