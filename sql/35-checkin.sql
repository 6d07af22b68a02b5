--| # Checking in
--|
--| The three ways in which people's visits have been written down, as rows of a visit log that `anshim.create_visit_log` made. Column `source` says
--| which it was, `recorded_at` when the row was written.
--|
--| - **A venue's pass**, on its door, scanned with a visitor's phone: the venue comes from the pass, the subject from the call (`venue pass`).
--| - **A visitor's pass**, short-lived and on her phone, scanned with a venue's reader: the subject comes from the pass, or from what
--|   `anshim.issue_pass` has kept of it, the venue from the call (`visitor pass`). Each such pass is taken once at a venue, so that a
--|   photograph of it is refused there; this holds between sessions, too.
--| - **A line of a paper log**, typed in hours later, without any pass (`paper`).
--|
--| The rows are inserted as the current user, who needs `INSERT` on the log. She needs no rights on the tables of passes, but `EXECUTE` on
--| `anshim.check_in`, which PUBLIC does not have: whoever can check in can learn whose a pass is.
CREATE FUNCTION anshim.pass_subject(kid pg_catalog.text, id pg_catalog.bytea) RETURNS pg_catalog.uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT pass.subject FROM anshim.pass
	WHERE pass.id OPERATOR(pg_catalog.=) pass_subject.id AND pass.kid OPERATOR(pg_catalog.=) pass_subject.kid
		AND pass.expires_at OPERATOR(pg_catalog.>) pg_catalog.now();
END;
COMMENT ON FUNCTION anshim.pass_subject(pg_catalog.text, pg_catalog.bytea) IS 'whose an unexpired pass is; for anshim.check_in() alone';
REVOKE ALL ON FUNCTION anshim.pass_subject(pg_catalog.text, pg_catalog.bytea) FROM PUBLIC;

CREATE FUNCTION anshim.take_pass(venue pg_catalog.uuid, issuer pg_catalog.text, id pg_catalog.bytea, expires_at pg_catalog.timestamptz)
RETURNS pg_catalog.bool
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH taken AS (
		INSERT INTO anshim.pass_use (venue, issuer, id, forget_at)
		VALUES (take_pass.venue, take_pass.issuer, take_pass.id,
			LEAST(GREATEST(take_pass.expires_at, pg_catalog.now()), '200000-01-01')
				OPERATOR(pg_catalog.+) '28 days'::pg_catalog.interval)
		ON CONFLICT DO NOTHING
		RETURNING 1
	)
	SELECT EXISTS (SELECT FROM taken);
END;
COMMENT ON FUNCTION anshim.take_pass(pg_catalog.uuid, pg_catalog.text, pg_catalog.bytea, pg_catalog.timestamptz)
IS 'notes the use of a pass at a venue, false if it was used there; for anshim.check_in() alone';
REVOKE ALL ON FUNCTION anshim.take_pass(pg_catalog.uuid, pg_catalog.text, pg_catalog.bytea, pg_catalog.timestamptz) FROM PUBLIC;

--| `anshim.check_in(visits, pass, subject => NULL, venue => NULL, at => now())` → `uuid`: writes the beginning of a visit, and returns the new row's id.
--|
--| The pass is judged as by `anshim.verdict(pass, at)`. A refused one raises `28000` with the verdict, one that was used at this venue before `23505`,
--| and nothing is written. What both the pass and the call say must agree. A visitor's pass is to be reported before it expires: whose it
--| is, is forgotten then, and one for a single venue cannot be told any more from that venue's own.
CREATE FUNCTION anshim.check_in(visits pg_catalog.regclass, pass anshim.token, subject pg_catalog.uuid DEFAULT NULL,
	venue pg_catalog.uuid DEFAULT NULL, at pg_catalog.timestamptz DEFAULT pg_catalog.now()) RETURNS pg_catalog.uuid
AS 'MODULE_PATHNAME', 'anshim_check_in' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION anshim.check_in(pg_catalog.regclass, anshim.token, pg_catalog.uuid, pg_catalog.uuid, pg_catalog.timestamptz)
IS 'writes the beginning of a visit that a pass vouches for';
REVOKE ALL ON FUNCTION anshim.check_in(pg_catalog.regclass, anshim.token, pg_catalog.uuid, pg_catalog.uuid, pg_catalog.timestamptz)
FROM PUBLIC;

--| `anshim.check_out(visits, visit, at => now())` → `uuid`: writes the end of the visit that `check_in` or `log_paper` returned, as one more row with the same
--| subject, venue and `entered_at`, and returns that row's id. Needs `SELECT` and `INSERT` on the log. Of several check-outs of a visit the last one
--| counts.
CREATE FUNCTION anshim.check_out(visits pg_catalog.regclass, visit pg_catalog.uuid,
	at pg_catalog.timestamptz DEFAULT pg_catalog.now()) RETURNS pg_catalog.uuid
AS 'MODULE_PATHNAME', 'anshim_check_out' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION anshim.check_out(pg_catalog.regclass, pg_catalog.uuid, pg_catalog.timestamptz) IS 'writes the end of a visit';

--| `anshim.log_paper(visits, subjects, venue, entered_at, left_at => NULL)` → `uuid[]`: writes a line of a paper log, a row for each of the companions on
--| it, and returns the rows' ids in the same order. No pass vouches for them: that is what `source` says. Needs `INSERT` on the log.
CREATE FUNCTION anshim.log_paper(visits pg_catalog.regclass, subjects pg_catalog.uuid[], venue pg_catalog.uuid,
	entered_at pg_catalog.timestamptz, left_at pg_catalog.timestamptz DEFAULT NULL) RETURNS pg_catalog.uuid[]
AS 'MODULE_PATHNAME', 'anshim_log_paper' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION anshim.log_paper(pg_catalog.regclass, pg_catalog.uuid[], pg_catalog.uuid, pg_catalog.timestamptz, pg_catalog.timestamptz)
IS 'writes a line of a paper log';
