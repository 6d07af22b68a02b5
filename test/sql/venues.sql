--
-- track_venues(), and traces with a distance
--
SET timezone = 'UTC';
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO visit SELECT i, i, '2021-01-01 10:00', '2021-01-01 11:00' FROM generate_series(1, 6) i;
CREATE TABLE venue (venue int, location text);
-- On the equator 0.0009 degrees of longitude are 100.19 m.
CREATE VIEW pairs AS SELECT 1 AS venue, 0.0 AS x, 0.0 AS y UNION ALL VALUES (2, 100, 0), (3, 0, 250.5), (4, 5000, 5000);
\set near 'SELECT subject, venue, round(distance::numeric, 2) AS distance FROM anshim.contacts(''visit'', 1, ''[2021-01-01, 2021-01-02)'', within => '

-- Without tracked visits, and without PostGIS
SELECT anshim.track_venues('visit', 'venue');
SELECT anshim.track_visits('visit');
SELECT anshim.track_venues('visit', 'venue');
:near 100) ORDER BY 1;
:near 0) ORDER BY 1;

-- PostGIS may lie anywhere, on the search_path or not.
SET client_min_messages = warning;
CREATE SCHEMA "Far Away";
CREATE EXTENSION postgis SCHEMA "Far Away";
RESET client_min_messages;
:near 100) ORDER BY 1;

-- Types of the columns
SELECT anshim.track_venues('visit', 'venue');
SELECT anshim.track_venues('visit', 'venue', location => 'where');
SELECT anshim.track_venues('visit', 'venue', venue => 'id');
ALTER TABLE venue ALTER location TYPE point USING NULL;
SELECT anshim.track_venues('visit', 'venue');
CREATE TYPE geometry AS (x float, y float);
ALTER TABLE venue DROP COLUMN location, ADD location geometry;
SELECT anshim.track_venues('visit', 'venue');
ALTER TABLE venue DROP COLUMN location, ADD location "Far Away".geography, ALTER venue TYPE bigint;
SELECT anshim.track_venues('visit', 'venue');
ALTER TABLE venue ALTER venue TYPE int;

-- An index is advised, not made.
SELECT anshim.track_venues('visit', 'venue');
CREATE INDEX ON venue USING gist (location);
SELECT anshim.track_venues('visit', 'venue');
SELECT venues_schema, venues_table, venues_venue, venues_location FROM anshim.visit_log;
-- New parameters of the log leave them alone.
SELECT anshim.track_visits('visit', default_stay => '2 hours');
SELECT venues_schema, venues_table, venues_venue, venues_location FROM anshim.visit_log;

-- Geography: metres on the earth.  No rows yet: everybody is alone.
:near 1e7) ORDER BY 1;
INSERT INTO venue SELECT venue, "Far Away".ST_MakePoint(x / 100 * 0.0009, y / 110574.28)::"Far Away".geography FROM pairs;
INSERT INTO venue VALUES (5, NULL), (NULL, 'POINT(0 0)');
:near 100) ORDER BY 1;
:near 100.2) ORDER BY 1;
:near 250.6) ORDER BY 1;
-- Several locations of a venue: the nearest counts; at its own venue it is 0.
INSERT INTO venue VALUES (3, 'POINT(0.0001 0)'), (1, 'POINT(1 1)');
:near 250.6) ORDER BY 1;
INSERT INTO visit VALUES (7, 1, '2021-01-01 10:00', '2021-01-01 11:00');
:near 12) ORDER BY 1;
DELETE FROM visit WHERE subject = 7;
DELETE FROM venue WHERE venue IN (1, 3);
INSERT INTO venue VALUES (1, 'POINT(0 0)');

-- Geometry with SRID 0, metres by agreement
TRUNCATE venue;
ALTER TABLE venue ALTER location TYPE "Far Away".geometry USING NULL;
INSERT INTO venue SELECT venue, "Far Away".ST_MakePoint(x, y) FROM pairs;
:near 100) ORDER BY 1;
:near 99.999) ORDER BY 1;
:near 250.5) ORDER BY 1;
-- ... projected in metres, whether the type says so or the rows
UPDATE venue SET location = "Far Away".ST_SetSRID(location, 25832);
:near 250.5) ORDER BY 1;
ALTER TABLE venue ALTER location TYPE "Far Away".geometry("Point", 25832);
:near 250.5) ORDER BY 1;
-- ... in degrees, in feet, from the middle of the earth, in a system that nobody knows
ALTER TABLE venue ALTER location TYPE "Far Away".geometry("Point", 4326) USING "Far Away".ST_SetSRID(location, 4326);
:near 100) ORDER BY 1;
SELECT anshim.track_venues('visit', 'venue');
ALTER TABLE venue ALTER location TYPE "Far Away".geometry("Point", 2225) USING "Far Away".ST_SetSRID(location, 2225);
:near 100) ORDER BY 1;
ALTER TABLE venue ALTER location TYPE "Far Away".geometry("Point", 4978) USING "Far Away".ST_SetSRID(location, 4978);
:near 100) ORDER BY 1;
ALTER TABLE venue ALTER location TYPE "Far Away".geometry USING "Far Away".ST_SetSRID(location, 990001);
:near 100) ORDER BY 1;
-- ... in one that an administrator added, without and with the unit
INSERT INTO "Far Away".spatial_ref_sys (srid, srtext) VALUES (990001, 'GEOGCS["x",UNIT["degree",0.0174532925199433]]');
:near 100) ORDER BY 1;
UPDATE "Far Away".spatial_ref_sys SET srtext = 'PROJCS["y",GEOGCS["x",UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],UNIT["metre",1]]' WHERE srid = 990001;
:near 100) ORDER BY 1;
-- ... in several
INSERT INTO venue VALUES (6, "Far Away".ST_SetSRID("Far Away".ST_MakePoint(1, 1), 25832));
:near 100) ORDER BY 1;
DELETE FROM venue WHERE venue = 6;

-- What changed after it was recorded
BEGIN;
ALTER TABLE venue DROP COLUMN location;
:near 100) ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE venue ALTER venue TYPE text;
:near 100) ORDER BY 1;
ROLLBACK;
BEGIN;
DROP TABLE venue;
:near 100) ORDER BY 1;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION postgis CASCADE;
:near 100) ORDER BY 1;
ROLLBACK;

-- A view, a materialized view, partitions; no sequence, no temporary table
CREATE VIEW open_venue AS SELECT venue, location FROM venue WHERE venue <> 2;
SELECT anshim.track_venues('visit', 'open_venue');
:near 300) ORDER BY 1;
CREATE MATERIALIZED VIEW built_venue AS SELECT venue AS id, location AS "the place" FROM venue;
SELECT anshim.track_venues('visit', 'built_venue', 'id', 'the place');
:near 300) ORDER BY 1;
CREATE TABLE parted_venue (venue int, location "Far Away".geometry) PARTITION BY HASH (venue);
CREATE TABLE parted_venue_1 PARTITION OF parted_venue FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX ON parted_venue USING spgist (location);
INSERT INTO parted_venue SELECT * FROM venue;
SELECT anshim.track_venues('visit', 'parted_venue');
:near 300) ORDER BY 1;
CREATE SEQUENCE seq;
SELECT anshim.track_venues('visit', 'seq');
CREATE TEMP TABLE passing AS SELECT * FROM venue;
SELECT anshim.track_venues('visit', 'passing');
SELECT anshim.track_venues('visit', 0);
SELECT anshim.track_venues('visit', NULL);
SELECT anshim.track_venues(NULL, 'venue');
SELECT anshim.track_venues('visit', 'venue', NULL);
SELECT anshim.track_venues('visit', 'venue', location => NULL);
BEGIN READ ONLY;
SELECT anshim.track_venues('visit', 'venue');
ROLLBACK;
BEGIN READ ONLY;
:near 300) ORDER BY 1;
ROLLBACK;

-- Rights on the venues' table
CREATE ROLE regress_venues_owner;
CREATE ROLE regress_venues_tracer;
ALTER TABLE visit OWNER TO regress_venues_owner;
GRANT SELECT ON visit TO regress_venues_tracer;
SET ROLE regress_venues_owner;
SELECT anshim.track_venues('visit', 'venue');
RESET ROLE;
GRANT SELECT (venue) ON venue TO regress_venues_owner;
SET ROLE regress_venues_owner;
SELECT anshim.track_venues('visit', 'venue');
RESET ROLE;
GRANT SELECT (location) ON venue TO regress_venues_owner;
GRANT USAGE ON SCHEMA "Far Away" TO PUBLIC;
SET ROLE regress_venues_owner;
SELECT anshim.track_venues('visit', 'venue');
:near 300) ORDER BY 1;
SET ROLE regress_venues_tracer;
:near 300) ORDER BY 1;
:near 0) ORDER BY 1;
RESET ROLE;
GRANT SELECT ON venue TO regress_venues_tracer;
ALTER TABLE venue ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON venue USING (true);
SET ROLE regress_venues_tracer;
:near 300) ORDER BY 1;
RESET ROLE;
ALTER TABLE venue DISABLE ROW LEVEL SECURITY;

-- Nothing depends on the search_path: here every function lies.
CREATE SCHEMA liar AUTHORIZATION regress_venues_tracer;
SET ROLE regress_venues_tracer;
CREATE FUNCTION liar.no(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
CREATE OPERATOR liar.= (FUNCTION = liar.no, LEFTARG = int, RIGHTARG = int);
CREATE FUNCTION liar.unnest(int[]) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS $$ SELECT 0 WHERE false $$;
CREATE FUNCTION liar.ST_DWithin("Far Away".geometry, "Far Away".geometry, float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
CREATE DOMAIN liar.int8 AS text;
CREATE TABLE liar.venue (venue int, location int);
CREATE FUNCTION liar.min(float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT 0.0::float8 $$;
SET search_path = liar, pg_catalog;
SELECT subject, distance FROM anshim.contacts('public.visit', 1, '[2021-01-01, 2021-01-02)', within => 300) AS c;
RESET search_path;
RESET ROLE;

-- Keys held by reference, in many venues, use the index and survive their batch.
CREATE TABLE tvisit (subject text, venue varchar(40), entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE tvenue (venue text PRIMARY KEY, location "Far Away".geometry("Point", 25832));
INSERT INTO tvenue SELECT 'the venue number ' || i, "Far Away".ST_SetSRID("Far Away".ST_MakePoint(i % 100, i / 100), 25832) FROM generate_series(0, 9999) i;
CREATE INDEX ON tvenue USING gist (location);
INSERT INTO tvisit SELECT 'subject ' || i, 'the venue number ' || i, '2021-01-01 10:00', NULL FROM generate_series(0, 9999) i;
ANALYZE tvenue;
SELECT anshim.track_visits('tvisit');
SELECT anshim.track_venues('tvisit', 'tvenue');
SELECT count(*), min(distance), round(max(distance)::numeric, 6) AS max
FROM anshim.contacts('tvisit', 'subject 5050'::text, '[2021-01-01, 2021-01-02)', within => 30);
SELECT count(*) FROM tvenue a, tvenue b
WHERE a.venue = 'the venue number 5050' AND "Far Away".ST_Distance(a.location, b.location) <= 30 AND a.venue <> b.venue;
-- Numeric keys are compared by value.
CREATE TABLE nvisit (subject numeric, venue numeric, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE nvenue (venue numeric, location "Far Away".geometry);
INSERT INTO nvisit VALUES (1.0, 1.0, '2021-01-01', NULL), (2, 2.00, '2021-01-01', NULL);
INSERT INTO nvenue VALUES (1.00, "Far Away".ST_MakePoint(0, 0)), (2.0, "Far Away".ST_MakePoint(0, 1));
SELECT anshim.track_visits('nvisit');
SET client_min_messages = warning;
SELECT anshim.track_venues('nvisit', 'nvenue');
SELECT subject, venue FROM anshim.contacts('nvisit', 1::numeric, '[2021-01-01, 2021-01-02)', within => 1);
-- A type without an array type
CREATE TABLE avisit (subject int, venue int[], entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE avenue (venue int[], location "Far Away".geometry);
SELECT anshim.track_visits('avisit'), anshim.track_venues('avisit', 'avenue');
SELECT subject FROM anshim.contacts('avisit', 1, NULL::int[], '[2021-01-01, 2021-01-02)', within => 1);
SELECT subject FROM anshim.contacts('avisit', 1, NULL::int[], '[2021-01-01, 2021-01-02)');

DROP OWNED BY regress_venues_owner, regress_venues_tracer;
DROP ROLE regress_venues_owner, regress_venues_tracer;
