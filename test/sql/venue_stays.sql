--
-- Visits that nobody checks out, and whose venues say when they end
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
CREATE TABLE visit (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
CREATE TABLE venue (venue text, stay interval, closes time, zone varchar(40));
CREATE INDEX ON venue (venue);

-- Without locations, and so without PostGIS
SELECT anshim.track_venues('visit', 'venue', location => NULL, default_stay => 'stay', closes => 'closes', time_zone => 'zone');
SELECT venues_schema, venues_table, venues_venue, venues_location, venues_default_stay, venues_closes, venues_time_zone FROM anshim.visit_log;

-- When a visit from 18:00 on ends, by a case who is there all day, and by
-- one's own eyes: as far as the case's air reaches who comes then.
INSERT INTO venue VALUES
	('cafe', '3 hours', NULL, NULL),
	('club', NULL, '04:00', 'Asia/Seoul'),
	('pub', '2 hours', '23:30', NULL),
	('bar', '8 hours', '23:30', NULL),
	('church', NULL, '18:00', 'UTC'),
	('hotel', '5 days', NULL, NULL),
	('night bus', NULL, '24:00', 'Europe/Paris'),
	('mall', '1 hour', '19:30', 'UTC'), ('mall', '4 hours', NULL, 'Asia/Seoul'), ('mall', NULL, '20:00', 'Europe/Paris'), ('mall', NULL, '20:00', NULL),
	('street', NULL, NULL, NULL),
	('nowhere', NULL, NULL, 'no such zone');
INSERT INTO visit
SELECT 'watch', venue, '2021-03-01 17:00', '2021-03-02 17:00' FROM venue GROUP BY venue
UNION ALL VALUES ('watch', 'elsewhere', '2021-03-01 17:00'::timestamptz, '2021-03-02 17:00'::timestamptz);
INSERT INTO visit SELECT 'guest', venue, '2021-03-01 18:00', NULL FROM visit;
SELECT venue, ended_at FROM anshim.contacts('visit', 'watch'::text, '[2021-03-01, 2021-03-05)') ORDER BY ended_at, venue;
SELECT case_venue, ended_at FROM anshim.contacts('visit', 'guest'::text, '[2021-03-01, 2021-03-05)') ORDER BY ended_at, case_venue;

-- Whoever is checked out is gone then, early or late.
INSERT INTO visit VALUES ('guest', 'cafe', '2021-03-01 18:00', '2021-03-02 02:00'), ('guest', 'club', '2021-03-01 18:00', '2021-03-01 18:10');
SELECT venue, ended_at FROM anshim.contacts('visit', 'watch'::text, '[2021-03-01, 2021-03-05)') WHERE venue IN ('cafe', 'club') ORDER BY venue;
DELETE FROM visit WHERE subject = 'guest' AND left_at IS NOT NULL;

-- Where the venue names no time zone, the session's counts.
SET timezone = 'Asia/Seoul';
SELECT venue, ended_at AT TIME ZONE 'UTC' AS ended_at FROM anshim.contacts('visit', 'watch'::text, '[2021-03-01 00:00+00, 2021-03-05 00:00+00)') WHERE venue IN ('pub', 'bar', 'club') ORDER BY venue;
SET timezone = 'UTC';

-- In the night in which half past two does not exist in Paris it is half past
-- three; in that in which it exists twice, the second.
INSERT INTO venue VALUES ('disco', NULL, '02:30', 'Europe/Paris');
INSERT INTO visit VALUES ('watch', 'disco', '2021-03-27 22:00', '2021-03-28 12:00'), ('guest', 'disco', '2021-03-27 23:00', NULL),
	('watch', 'disco', '2021-10-30 22:00', '2021-10-31 12:00'), ('guest', 'disco', '2021-10-30 23:00', NULL);
SELECT ended_at, ended_at = ((ended_at AT TIME ZONE 'Europe/Paris')::date + time '02:30') AT TIME ZONE 'Europe/Paris' AS as_postgres_reads_it
FROM anshim.contacts('visit', 'watch'::text, '[2021-03-27, 2021-12-01)')
ORDER BY ended_at;

-- A visit that began so long ago is still under way: longer than those that
-- the index for long stays has, of which it is none. One that began when the
-- venue last closed is, and one before that is not.
INSERT INTO visit VALUES ('old', 'hotel', '2021-04-01 00:00', NULL), ('late', 'hotel', '2021-04-01 23:59:59.999999', '2021-04-02 01:00'),
	('early', 'church', '2021-04-01 17:59:59.999999', NULL), ('new', 'church', '2021-04-01 18:00', NULL), ('priest', 'church', '2021-04-02 17:59', '2021-04-02 18:30');
SELECT subject, exposed_at FROM anshim.exposures('visit', ARRAY['late'], '[2021-04-01, 2021-04-05)');
SELECT subject, exposed_at FROM anshim.exposures('visit', ARRAY['old'], '[2021-04-01, 2021-04-05)');
SELECT subject, exposed_at FROM anshim.exposures('visit', ARRAY['priest'], '[2021-04-01, 2021-04-05)');
SELECT subject, shed_until FROM anshim.sources('visit', ARRAY['priest'], '[2021-04-01, 2021-04-05)');

-- As if they had been checked out then. So many venues that the trace reads
-- them all at some time; as a view too, and the venues as another.
CREATE TABLE spot AS
SELECT v AS venue, CASE WHEN v % 3 <> 1 THEN interval '10 minutes' * (1 + v % 40) END AS stay,
	CASE WHEN v % 3 <> 2 THEN time '00:00' + interval '1 hour' * (v % 24) END AS closes,
	CASE v % 2 WHEN 0 THEN 'America/New_York' END AS zone
FROM generate_series(1, 9000) AS v
WHERE v % 7 > 0;
CREATE TABLE crowd (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('crowd', max_stay => '12 hours', default_stay => '90 minutes');
SELECT anshim.track_venues('crowd', 'spot', location => NULL, default_stay => 'stay', closes => 'closes', time_zone => 'zone');
INSERT INTO crowd
SELECT s, 1 + abs(hashint4(s * 1000 + n)) % 9000, entered_at, CASE WHEN n % 4 = 0 THEN entered_at + interval '20 minutes' END
FROM generate_series(1, 4000) AS s, generate_series(1, 12) AS n,
	LATERAL (SELECT timestamptz '2021-03-01' + (abs(hashint4(s * 1000 + n * 17 + 5)) % 20000) * interval '13 seconds') AS e (entered_at);
ANALYZE crowd, spot;
CREATE TABLE known (LIKE crowd);
ALTER TABLE known ALTER entered_at SET NOT NULL;
SELECT anshim.track_visits('known', max_stay => '12 hours');
INSERT INTO known
SELECT c.subject, c.venue, c.entered_at,
	coalesce(c.left_at, least(c.entered_at + s.stay,
			(SELECT min(t) FROM generate_series(-2, 2) AS d,
				LATERAL (SELECT (c.entered_at::date + d + s.closes) AT TIME ZONE coalesce(s.zone, 'UTC') AS t) AS t WHERE t > c.entered_at),
			c.entered_at + CASE WHEN s.stay IS NULL AND s.closes IS NULL THEN interval '90 minutes' ELSE interval '12 hours' END))
FROM crowd AS c LEFT JOIN spot AS s USING (venue);
CREATE VIEW seen AS SELECT * FROM crowd;
SELECT anshim.track_visits('seen', max_stay => '12 hours', default_stay => '90 minutes');
CREATE VIEW seen_spot AS SELECT * FROM spot;
SELECT anshim.track_venues('seen', 'seen_spot', location => NULL, default_stay => 'stay', closes => 'closes', time_zone => 'zone');
CREATE FUNCTION answers(log regclass) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ',
		(SELECT count(*) || ':' || sum(hashtext(e::text)) FROM anshim.exposures(log, '{1,2,3}'::int[], '[2021-03-01, 2021-03-03)', degrees => 4) AS e),
		(SELECT count(*) || ':' || sum(hashtext(e::text)) FROM anshim.exposures(log, '{1,2,3}'::int[], '[2021-03-01, 2021-03-03)', degrees => 4, min_overlap => '20 minutes', accumulate => '1 day') AS e),
		(SELECT count(*) || ':' || sum(hashtext(s::text)) FROM anshim.sources(log, '{1,2,3}'::int[], '[2021-03-02, 2021-03-04)', degrees => 3, since => '2021-03-01', linger => '10 min') AS s),
		(SELECT count(*) || ':' || sum(hashtext(c::text)) FROM anshim.contacts(log, 7, '[2021-03-01, 2021-03-04)') AS c),
		(SELECT count(*) || ':' || sum(hashtext(h::text)) FROM anshim.hotspots(log, '{1,2,3,4,5,6,7,8,9}'::int[], '[2021-03-01, 2021-03-04)', 1) AS h)) $$;
SELECT answers('crowd') = answers('known') AS same, answers('seen') = answers('known') AS same_of_view, regexp_replace(answers('known'), ':\S+', '', 'g') AS counts;
-- It is not the same without closing times.
SELECT anshim.track_venues('crowd', 'spot', location => NULL, default_stay => 'stay');
SELECT answers('crowd') = answers('known') AS same;
DROP VIEW seen, seen_spot;
DROP TABLE crowd, known, spot;

-- What makes no sense is an error of those who meet it.
INSERT INTO venue VALUES ('a', '1 month', NULL, NULL), ('b', '0', NULL, NULL), ('c', '-1 hour', NULL, NULL), ('d', NULL, '10:00', 'Mars/Phobos');
INSERT INTO visit SELECT 'in ' || v, v, '2021-05-01 10:00', NULL FROM unnest('{a,b,c,d,street}'::text[]) AS v;
SELECT count(*) FROM anshim.exposures('visit', ARRAY['in street'], '[2021-05-01, 2021-05-02)');
SELECT count(*) FROM anshim.exposures('visit', ARRAY['in a'], '[2021-05-01, 2021-05-02)');
SELECT count(*) FROM anshim.exposures('visit', ARRAY['in b'], '[2021-05-01, 2021-05-02)');
SELECT count(*) FROM anshim.exposures('visit', ARRAY['in c'], '[2021-05-01, 2021-05-02)');
SELECT count(*) FROM anshim.exposures('visit', ARRAY['in d'], '[2021-05-01, 2021-05-02)');

-- What track_venues() refuses
SELECT anshim.track_venues('visit', 'venue', location => NULL);
SELECT anshim.track_venues('visit', 'venue', location => NULL, default_stay => 'stay', time_zone => 'zone');
SELECT anshim.track_venues('visit', 'venue', location => NULL, default_stay => 'gone');
SELECT anshim.track_venues('visit', 'venue', location => NULL, closes => 'gone');
SELECT anshim.track_venues('visit', 'venue', location => NULL, closes => 'closes', time_zone => 'gone');
SELECT anshim.track_venues('visit', 'venue', location => NULL, default_stay => 'closes');
SELECT anshim.track_venues('visit', 'venue', location => NULL, closes => 'stay');
SELECT anshim.track_venues('visit', 'venue', location => NULL, closes => 'closes', time_zone => 'stay');
SELECT anshim.track_venues('visit', 'venue', venue => 'stay', location => NULL, closes => 'closes');
-- Locations need PostGIS still.
SELECT anshim.track_venues('visit', 'venue', default_stay => 'stay');
SELECT count(*) FROM anshim.exposures('visit', ARRAY['guest'], '[2021-03-01, 2021-03-02)', within => 1);

-- Rights: as on the log
CREATE ROLE regress_venue_stays_tracer;
GRANT SELECT ON visit TO regress_venue_stays_tracer;
GRANT SELECT (venue, stay) ON venue TO regress_venue_stays_tracer;
SET ROLE regress_venue_stays_tracer;
SELECT count(*) FROM anshim.exposures('visit', ARRAY['guest'], '[2021-03-01, 2021-03-02)');
RESET ROLE;
GRANT SELECT (closes, zone) ON venue TO regress_venue_stays_tracer;
SET ROLE regress_venue_stays_tracer;
SELECT count(*) FROM anshim.exposures('visit', ARRAY['guest'], '[2021-03-01, 2021-03-02)');
RESET ROLE;
ALTER TABLE venue ENABLE ROW LEVEL SECURITY;
SET ROLE regress_venue_stays_tracer;
SELECT count(*) FROM anshim.exposures('visit', ARRAY['guest'], '[2021-03-01, 2021-03-02)');
RESET ROLE;
ALTER TABLE venue DISABLE ROW LEVEL SECURITY;
DROP OWNED BY regress_venue_stays_tracer;
DROP ROLE regress_venue_stays_tracer;

-- Renamed columns are followed; tracking anew keeps what is known of venues.
ALTER TABLE venue RENAME stay TO lasts;
ALTER TABLE venue RENAME closes TO closing;
ALTER TABLE venue RENAME zone TO tz;
SELECT anshim.track_visits('visit', default_stay => '2 hours');
SELECT venues_location, venues_default_stay, venues_closes, venues_time_zone FROM anshim.visit_log WHERE table_name = 'visit';
SELECT venue, ended_at FROM anshim.contacts('visit', 'watch'::text, '[2021-03-01, 2021-03-02)') WHERE venue IN ('cafe', 'street') ORDER BY venue;

-- A column that is gone, or of another type, is an error; of a table that is
-- dropped nothing is known any more.
BEGIN;
ALTER TABLE venue DROP closing;
SELECT count(*) FROM anshim.exposures('visit', ARRAY['guest'], '[2021-03-01, 2021-03-02)');
ROLLBACK;
BEGIN;
ALTER TABLE venue ALTER closing TYPE text;
SELECT count(*) FROM anshim.exposures('visit', ARRAY['guest'], '[2021-03-01, 2021-03-02)');
ROLLBACK;
DROP TABLE venue;
SELECT venues_table, venues_default_stay FROM anshim.visit_log WHERE table_name = 'visit';
SELECT venue, ended_at FROM anshim.contacts('visit', 'watch'::text, '[2021-03-01, 2021-03-02)') WHERE venue IN ('cafe', 'street') ORDER BY venue;
DROP TABLE visit;
