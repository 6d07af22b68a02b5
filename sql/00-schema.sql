\echo Use "CREATE EXTENSION anshim" to load this file. \quit

-- CREATE EXTENSION makes the schema, as anshim.control names it, or takes one
-- that is there.  A schema that somebody else prepared would let her replace
-- what we put into it, or lie in wait with functions of the same names.
DO $$
DECLARE
	owner pg_catalog.oid := nspowner FROM pg_catalog.pg_namespace
		WHERE nspname OPERATOR(pg_catalog.=) 'anshim';
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
				   WHERE oid OPERATOR(pg_catalog.=) owner
				   AND (rolsuper OR rolname OPERATOR(pg_catalog.=) CURRENT_USER)) THEN
		RAISE EXCEPTION 'schema anshim belongs to somebody else'
			USING ERRCODE = 'insufficient_privilege',
				HINT = 'Rename that schema, or give it to a superuser, then create the extension.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_depend
			   WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
			   AND refobjid OPERATOR(pg_catalog.=) 'anshim'::pg_catalog.regnamespace
			   AND classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass) THEN
		RAISE EXCEPTION 'schema anshim is not empty'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Rename that schema, then create the extension.';
	END IF;
END
$$;

COMMENT ON SCHEMA anshim IS 'contact tracing: signed tokens, hash-chained tables, exposure by degrees';
