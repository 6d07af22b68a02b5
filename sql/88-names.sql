--| # Names of new tables
--|
--| Functions that make a table take its name as SQL does: with a schema, or without one for the first schema of the search_path, and in small
--| letters but for what stands in double quotes.
CREATE FUNCTION anshim.new_table_name(name pg_catalog.text) RETURNS pg_catalog.text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
AS $$
DECLARE
	parts pg_catalog.text[] := pg_catalog.parse_ident(name);
BEGIN
	IF pg_catalog.cardinality(parts) OPERATOR(pg_catalog.=) 1 THEN
		IF pg_catalog.current_schema() IS NULL THEN
			RAISE EXCEPTION 'no schema has been selected to create in'
				USING ERRCODE = 'invalid_schema_name', HINT = 'Write the name with its schema.';
		END IF;
		RETURN pg_catalog.format('%I.%I', pg_catalog.current_schema(), parts[1]);
	ELSIF pg_catalog.cardinality(parts) OPERATOR(pg_catalog.=) 2 THEN
		RETURN pg_catalog.format('%I.%I', parts[1], parts[2]);
	END IF;
	RAISE EXCEPTION 'invalid name of a table: %', pg_catalog.quote_nullable(name)
		USING ERRCODE = 'invalid_name', HINT = 'Write the name, perhaps with its schema.';
END
$$;
COMMENT ON FUNCTION anshim.new_table_name(pg_catalog.text)
IS 'the name of a table to be made, with the schema in which it would come, both quoted where needed';
