--
-- Ready-made venues, facility classes, posters
--
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\getenv builddir PG_ABS_BUILDDIR
\set keydir :builddir '/keys'
\setenv KEYDIR :keydir
\! rm -rf "$KEYDIR" && mkdir -m 700 "$KEYDIR"
SET anshim.key_directory = :'keydir';
SELECT anshim.generate_key('door', 'jeju') IS NOT NULL AS made;

-- The shipped classes
SELECT tier, code, name, name_ko, listed FROM anshim.facility_class ORDER BY tier DESC, code COLLATE "C";
SELECT DISTINCT source FROM anshim.facility_class ORDER BY 1;
SELECT count(*) FROM anshim.facility_class WHERE changed_at IS NOT NULL;

-- What a DBA changes is noted for pg_dump.
UPDATE anshim.facility_class SET tier = 'priority' WHERE code = 'bathhouse';
INSERT INTO anshim.facility_class (code, tier, name) VALUES ('guest-house', 'general', 'guest houses');
DELETE FROM anshim.facility_class WHERE code = 'call-center';
UPDATE anshim.facility_class SET code = 'sport' WHERE code = 'gym';
SELECT code, tier, changed_at <= clock_timestamp() AS changed FROM anshim.facility_class WHERE changed_at IS NOT NULL ORDER BY 1;
SELECT code FROM anshim.facility_class_deleted ORDER BY 1;
\set VERBOSITY terse
INSERT INTO anshim.facility_class (code, tier, name) VALUES ('bar', 'general', 'another');
INSERT INTO anshim.facility_class (code, tier, name) VALUES ('guest-house', 'general', 'again');
\set VERBOSITY default
-- What was deleted can come back.
INSERT INTO anshim.facility_class (code, tier, name) VALUES ('call-center', 'general', 'call centres of ours');
-- As a dump is restored: rows with changed_at replace what was shipped, and
-- deletions spare what was added.
INSERT INTO anshim.facility_class (code, tier, name, changed_at) VALUES ('cinema', 'none', 'cinemas', '2021-01-01'), ('zoo', 'general', 'zoos', '2021-01-01');
DELETE FROM anshim.facility_class_deleted;
INSERT INTO anshim.facility_class_deleted VALUES ('call-center'), ('buffet');
SELECT code, tier, name FROM anshim.facility_class WHERE code IN ('cinema', 'zoo', 'call-center', 'buffet') ORDER BY 1;

-- A table of venues; here without PostGIS
SELECT anshim.create_venues('venue');
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
WHERE attrelid = 'venue'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO venue (name, facility_class, longitude, latitude, default_stay, issuer)
VALUES (E'Caf\u00e9 <"Tom & Jerry''s">\x07', 'restaurant', 126.5, 33.5, '30 min', 'jeju') RETURNING id AS cafe \gset
INSERT INTO venue (name) VALUES (repeat('long name ', 20)) RETURNING id AS long \gset
\set VERBOSITY terse
INSERT INTO venue (name, facility_class) VALUES ('x', 'nothing');
INSERT INTO venue (name) VALUES ('');
INSERT INTO venue (name, longitude) VALUES ('x', 126.5);
INSERT INTO venue (name, longitude, latitude) VALUES ('x', 181, 0);
INSERT INTO venue (name, longitude, latitude) VALUES ('x', 0, 'NaN');
INSERT INTO venue (name, default_stay) VALUES ('x', '0');
INSERT INTO venue (name, opened, closed) VALUES ('x', '2021-01-02', '2021-01-01');
UPDATE venue SET closed = now() + interval '1 day' WHERE id = :'cafe';
DELETE FROM anshim.facility_class WHERE code = 'restaurant';
-- a class that gets another name keeps its venues
UPDATE anshim.facility_class SET code = 'eatery' WHERE code = 'restaurant';
SELECT facility_class FROM venue WHERE id = :'cafe';
\set VERBOSITY default
-- names
CREATE SCHEMA "My Schema";
SELECT anshim.create_venues('"My Schema"."My Venues"');
SELECT anshim.create_venues('venue');
\set VERBOSITY sqlstate
SELECT anshim.create_venues('nowhere.venue');
\set VERBOSITY default
SELECT anshim.create_venues('a.b.c');
SELECT anshim.create_venues(NULL);
SELECT anshim.create_venues('bad name');
SET search_path = '';
SELECT anshim.create_venues('venue');
RESET search_path;

-- Posters: the name above the QR code of a pass that is good
SELECT anshim.poster(:'cafe', 'door', 'venue', '[2021-01-01,)') AS svg \gset
SELECT regexp_replace(:'svg', '<path.*', '...');
SELECT right(:'svg', 20);
SELECT regexp_replace(substring(anshim.poster(:'long', 'door', 'venue') FROM '<text[^<]*'), 'long.*', 'long...');
SELECT anshim.poster('11111111-1111-1111-1111-111111111111', 'door', 'venue');
SELECT anshim.poster(:'cafe', 'door', NULL);
SELECT anshim.poster(:'cafe', 'nobody', 'venue');

-- Whoever may create tables may make venues; a poster takes EXECUTE on it and
-- on sign(), and SELECT on the venues.
CREATE ROLE regress_create_venues_user;
CREATE SCHEMA AUTHORIZATION regress_create_venues_user;
SET ROLE regress_create_venues_user;
SELECT anshim.create_venues('venue');
INSERT INTO regress_create_venues_user.venue (name, facility_class) VALUES ('x', 'bar') RETURNING id AS bar \gset
SELECT anshim.poster(:'bar', 'door', 'regress_create_venues_user.venue');
UPDATE anshim.facility_class SET tier = 'none';
DELETE FROM anshim.facility_class_deleted;
RESET ROLE;
GRANT EXECUTE ON FUNCTION anshim.poster TO regress_create_venues_user;
SET ROLE regress_create_venues_user;
SELECT anshim.poster(:'bar', 'door', 'regress_create_venues_user.venue');
RESET ROLE;
GRANT EXECUTE ON FUNCTION anshim.sign TO regress_create_venues_user;
SET ROLE regress_create_venues_user;
SELECT length(anshim.poster(:'bar', 'door', 'regress_create_venues_user.venue')) > 1000 AS drawn;
SELECT anshim.poster(:'cafe', 'door', 'public.venue');
RESET ROLE;
DROP SCHEMA regress_create_venues_user CASCADE;
DROP OWNED BY regress_create_venues_user;
DROP ROLE regress_create_venues_user;
