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

-- What somebody has put in its way takes no part in it, whatever the
-- search_path: neither functions and operators that fit better than those of
-- pg_catalog, nor types and tables of the same names.
DROP EXTENSION anshim;
CREATE ROLE regress_extension_mallory;
CREATE SCHEMA planted AUTHORIZATION regress_extension_mallory;
SET ROLE regress_extension_mallory;
CREATE FUNCTION planted.trap() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'in the trap'; END $$;
DO $$
DECLARE
	definition text;
BEGIN
	-- a copy of each operator and function that the script or its checks could mean
	FOR definition IN
		SELECT format('CREATE FUNCTION planted.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', proname,
			pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid),
			'BEGIN RAISE EXCEPTION ''in the trap''; END')
		FROM pg_proc p
		WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset
			AND proname IN ('pg_extension_config_dump', 'now', 'octet_length', 'isempty', 'length', 'lower', 'upper',
				'format', 'coalesce', 'replace', 'translate', 'concat', 'isfinite', 'gen_random_uuid', 'current_schema',
				'texteq', 'textne', 'int4eq', 'int8eq', 'nameeq', 'oideq', 'oidne', 'timestamptz_gt', 'timestamptz_lt')
			AND NOT 'internal'::regtype = ANY (proargtypes) AND NOT '"any"'::regtype = ANY (proargtypes)
		UNION ALL
		SELECT format('CREATE OPERATOR planted.%s (FUNCTION = planted.%I, LEFTARG = %s, RIGHTARG = %s)', oprname,
			proname, oprleft::regtype, oprright::regtype)
		FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode
		WHERE proname IN ('texteq', 'textne', 'int4eq', 'int8eq', 'nameeq', 'oideq', 'oidne', 'timestamptz_gt', 'timestamptz_lt')
	LOOP
		EXECUTE definition;
	END LOOP;
END $$;
CREATE DOMAIN planted.text AS pg_catalog.text CHECK (planted.trap() IS NULL);
CREATE TYPE planted.interval AS (planted int);
CREATE TYPE planted.token AS (planted int);
CREATE TYPE planted.link AS (planted int);
CREATE TABLE planted.pg_proc ();
CREATE TABLE planted.key (kid pg_catalog.text);
CREATE TEMP TABLE pg_class ();
CREATE TEMP TABLE pg_namespace (nspname name, nspowner oid);
CREATE TEMP TABLE pg_roles ();
CREATE DOMAIN pg_temp.regclass AS pg_catalog.text CHECK (planted.trap() IS NULL);
RESET ROLE;
SET search_path = planted, pg_temp, pg_catalog;
CREATE EXTENSION anshim;
RESET search_path;
-- Everything that its objects depend on is its own, the server's, or plpgsql.
SELECT DISTINCT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) AS "depends on"
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_depend member ON member.classid = d.classid AND member.objid = d.objid AND member.deptype = 'e'
WHERE member.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
	AND member.refobjid = (SELECT oid FROM pg_catalog.pg_extension WHERE extname = 'anshim')
	AND (pg_identify_object(d.refclassid, d.refobjid, 0)).schema IS DISTINCT FROM 'anshim'
	AND pg_describe_object(d.refclassid, d.refobjid, 0) NOT IN ('extension anshim', 'schema anshim', 'language plpgsql')
	AND d.refobjid >= 16384;
SET client_min_messages = warning;
DROP OWNED BY regress_extension_mallory CASCADE;
RESET client_min_messages;
DROP ROLE regress_extension_mallory;

-- It can be created in a database of any encoding.
CREATE DATABASE regress_extension_euc_jp ENCODING 'EUC_JP' LOCALE 'C' TEMPLATE template0;
\c regress_extension_euc_jp
CREATE EXTENSION anshim;
\c postgres
DROP DATABASE regress_extension_euc_jp;
