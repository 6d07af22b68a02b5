--| # Purposes
--|
--| Contact logs have been misused by people who were allowed to read them. With `anshim.require_purpose` on, whoever traces has to say what for,
--| and each look leaves a mark that she cannot take back:
--|
--| ```sql
--| -- once, by an administrator
--| SELECT anshim.create_purpose_log('audit.look');
--| ALTER DATABASE health SET anshim.purpose_log = 'audit.look';
--| ALTER DATABASE health SET anshim.require_purpose = on;
--| -- then, by investigators
--| SET anshim.purpose = 'outbreak 2021-17, school';
--| SELECT * FROM anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-15)');
--| ```
--|
--| This holds for `anshim.contacts`, `exposures`, `exposure_paths`, `sources` and `hotspots`, for what is built on them, and for
--| `anshim.open_identity`.
--| Without a purpose they raise `55000` before they read a visit. When all rows are known, and before the first is shown, the
--| record is inserted and committed by a process of its own: it stays even if the transaction is rolled back, and it is made in
--| read-only transactions, too. If it cannot be made, nothing is shown. A standby can record nothing, so there it is refused (`25006`).
--| That costs some milliseconds a look, and for that time one of `max_worker_processes`.
--|
--| The functions read with their caller's rights, and so she could read the visits without them, too. Where each look shall leave a
--| mark, investigators have no right on the tables themselves, but on functions of a role that has; see [security.md](security.md).
--|
--| ## anshim.create_purpose_log
--|
--| `anshim.create_purpose_log(name)` → `regclass`: makes a table for the records, yours and
--| [chained](#chained-tables), so that no record goes or changes unseen. The name may have a schema; without one, the
--| table comes into the first schema of your search_path. Nobody but you can read it until you grant `SELECT`, and nobody needs
--| a right to write to it: records are inserted with its owner's. Any table will do that has its columns, chained or not; further ones
--| need a default. It has
--|
--| - `looked_at`: when the look began
--| - `looked_by`: who was logged in (`session_user`)
--| - `acting_as`: with whose rights she looked (`current_user`)
--| - `function`: the function that was called
--| - `purpose`: what she said it was for
--| - `arguments`: those of the call, as texts: the table, the cases, the time, …
--| - `row_count`: how many rows it returned
CREATE FUNCTION anshim.create_purpose_log(name pg_catalog.text) RETURNS pg_catalog.regclass
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000
AS $$
DECLARE
	log pg_catalog.text := anshim.new_table_name(name);
BEGIN
	EXECUTE pg_catalog.format($create$
		CREATE TABLE %s (
			looked_at pg_catalog.timestamptz NOT NULL,
			looked_by pg_catalog.text NOT NULL,
			acting_as pg_catalog.text NOT NULL,
			function pg_catalog.text NOT NULL,
			purpose pg_catalog.text NOT NULL,
			arguments pg_catalog.jsonb NOT NULL,
			row_count pg_catalog.int8 NOT NULL
		)$create$, log);
	EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', log, 'who looked at visits, when and what for');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.looked_at IS %L', log, 'when the look began');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.looked_by IS %L', log, 'who was logged in');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.acting_as IS %L', log, 'with whose rights she looked');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.row_count IS %L', log, 'how many rows the function returned');
	PERFORM anshim.chain(log::pg_catalog.regclass);
	RETURN log::pg_catalog.regclass;
END
$$;
COMMENT ON FUNCTION anshim.create_purpose_log(pg_catalog.text) IS 'makes a table in which looks at visits are recorded';
