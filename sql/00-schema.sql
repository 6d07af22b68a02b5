\echo Use "CREATE EXTENSION anshim" to load this file. \quit

-- The schema, anshim, is made by CREATE EXTENSION: anshim.control names it.
COMMENT ON SCHEMA anshim IS 'contact tracing: signed tokens, hash-chained tables, exposure by degrees';
