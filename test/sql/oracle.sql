--
-- The engine beside the brute-force oracle on 3 000 random logs: contacts,
-- exposures, with details too, exposure_paths, sources and hotspots of each. Of
-- other seeds, and as many as wanted: test/oracle/long.sh
--
\set ECHO none
-- Foreign tables cannot be vacuumed, and PostgreSQL warns of it.
SET client_min_messages = error;
CREATE EXTENSION postgis;
\getenv abs_srcdir PG_ABS_SRCDIR
\set file :abs_srcdir '/../test/oracle/run.sql'
\set seed 1
\set logs 3000
\set reports 10
\echo Seed :seed, :logs logs
\i :file
DROP SCHEMA oracle CASCADE;
