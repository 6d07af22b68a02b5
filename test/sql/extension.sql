--
-- Creating the extension: where, as which version, and in whose schema
--
\set SHOW_CONTEXT never
SELECT extversion, extnamespace::regnamespace AS schema, extrelocatable
FROM pg_extension WHERE extname = 'anshim';
ALTER EXTENSION anshim SET SCHEMA public;

-- Misspelled parameters are refused once the library is loaded.
LOAD 'anshim';
SET anshim.no_such_parameter = 1;

-- It can go and come back.
DROP EXTENSION anshim;
CREATE EXTENSION anshim;

-- A schema that is not empty, or that belongs to somebody else, is refused.
DROP EXTENSION anshim;
CREATE FUNCTION anshim.contacts() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE EXTENSION anshim;
DROP SCHEMA anshim CASCADE;
CREATE ROLE regress_extension_mallory;
CREATE SCHEMA anshim AUTHORIZATION regress_extension_mallory;
CREATE EXTENSION anshim;
DROP SCHEMA anshim;
DROP ROLE regress_extension_mallory;
CREATE EXTENSION anshim;

-- It can be created in a database of any encoding.
CREATE DATABASE regress_extension_euc_jp ENCODING 'EUC_JP' LOCALE 'C' TEMPLATE template0;
\c regress_extension_euc_jp
CREATE EXTENSION anshim;
\c postgres
DROP DATABASE regress_extension_euc_jp;
