--| # Operation
--|
--| What to do with these, day by day, is in [operations.md](operations.md).
--|
--| ## anshim.retention
--|
--| How long rows of chained tables are to be kept, as asked for by `anshim.keep_for`. Everybody may read it.
CREATE TABLE anshim.retention (
	chain uuid CONSTRAINT retention_pkey PRIMARY KEY,
	keep_for interval NOT NULL
		CONSTRAINT retention_keep_for CHECK (keep_for OPERATOR(pg_catalog.>) '0'::interval),
	asked_by text NOT NULL,
	asked_at timestamptz NOT NULL
);
COMMENT ON TABLE anshim.retention IS 'how long rows of chained tables are to be kept';
COMMENT ON COLUMN anshim.retention.chain IS 'the chain of the table';
COMMENT ON COLUMN anshim.retention.keep_for IS 'how long after their sealing rows are to be kept';
COMMENT ON COLUMN anshim.retention.asked_by IS 'who asked for it';
COMMENT ON COLUMN anshim.retention.asked_at IS 'when';
GRANT SELECT ON anshim.retention TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.retention', '');

--| ## anshim.verification
--|
--| What `anshim.check_chain` found, one row a check. It tells when nobody has looked for long; it proves nothing, as
--| whoever can change a chained table unseen could change this one as well. Everybody may read it.
CREATE TABLE anshim.verification (
	chain uuid NOT NULL,
	verified_at timestamptz NOT NULL,
	findings bigint NOT NULL,
	first_finding text,
	took interval NOT NULL,
	CONSTRAINT verification_pkey PRIMARY KEY (chain, verified_at)
);
COMMENT ON TABLE anshim.verification IS 'checks of chains, and how many findings each had';
COMMENT ON COLUMN anshim.verification.chain IS 'the chain';
COMMENT ON COLUMN anshim.verification.verified_at IS 'when the check began';
COMMENT ON COLUMN anshim.verification.findings IS 'how many findings there were; 0: intact';
COMMENT ON COLUMN anshim.verification.first_finding IS 'the first of them, with its detail';
COMMENT ON COLUMN anshim.verification.took IS 'how long the check took';
GRANT SELECT ON anshim.verification TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.verification', '');

--| ## anshim.check_chain
--|
--| `anshim.check_chain(target, checkpoint => NULL)` → `bigint`: runs `anshim.verify_chain`, notes the result in `anshim.verification`, and returns how
--| many findings there were. Meant to be called every night. Has to be granted.
CREATE FUNCTION anshim.check_chain(target regclass, checkpoint text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	began timestamptz := clock_timestamp();
	checked uuid := c.chain FROM anshim.chained c WHERE c.target = check_chain.target;
	found bigint;
	first_found text;
BEGIN
	SELECT count(*), min(f.finding || ': ' || f.detail) FILTER (WHERE f.number = 1) INTO found, first_found
	FROM (SELECT v.finding, v.detail, row_number() OVER () AS number
		  FROM anshim.verify_chain(check_chain.target, check_chain.checkpoint) v) f;
	INSERT INTO anshim.verification VALUES (checked, began, found, first_found, clock_timestamp() - began);
	RETURN found;
END
$$;
COMMENT ON FUNCTION anshim.check_chain(regclass, text) IS 'verifies a chain, and notes the result';
REVOKE ALL ON FUNCTION anshim.check_chain(regclass, text) FROM PUBLIC;

--| ## anshim.keep_for
--|
--| `anshim.keep_for(target, keep_for)`: asks that rows of a chained table are kept for so long after they were sealed, and not longer; NULL takes
--| that back. Only the table's owner may. `anshim.expire_due()` does what was asked for.
CREATE FUNCTION anshim.keep_for(target regclass, keep_for interval) RETURNS void
AS 'MODULE_PATHNAME', 'anshim_keep_for' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION anshim.keep_for(regclass, interval) IS 'asks that rows of a chained table are kept for so long';

CREATE FUNCTION anshim.set_retention(chain uuid, keep_for interval, asked_by text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	DELETE FROM anshim.retention r WHERE r.chain = set_retention.chain;
	INSERT INTO anshim.retention
	SELECT set_retention.chain, set_retention.keep_for, set_retention.asked_by, pg_catalog.now()
	WHERE set_retention.keep_for IS NOT NULL;
END;
COMMENT ON FUNCTION anshim.set_retention(uuid, interval, text) IS 'notes how long rows are to be kept; for anshim.keep_for() alone';
REVOKE ALL ON FUNCTION anshim.set_retention(uuid, interval, text) FROM PUBLIC;

--| ## anshim.expire_due
--|
--| Calls `anshim.expire` for each table of which `anshim.keep_for` has asked so, and returns how many rows went. To be called every night, by a role that owns the
--| tables and may execute `anshim.expire`. All of it is one transaction: where one table fails, none loses rows, and the error says which it was.
CREATE FUNCTION anshim.expire_due() RETURNS TABLE (target regclass, expired bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT c.target, anshim.expire(c.target, now() - r.keep_for)
	FROM anshim.retention r JOIN anshim.chained c USING (chain)
	WHERE c.target IS NOT NULL;
END
$$;
COMMENT ON FUNCTION anshim.expire_due() IS 'removes the rows that are kept longer than was asked for';

--| ## anshim.strand_ends
--|
--| The strands of a chained table, where each is, and its first and last row; strand 0 holds the events of the chain. Cheap: it reads two
--| entries of an index a strand.
CREATE FUNCTION anshim.strand_ends(target regclass)
RETURNS TABLE (leaf regclass, strand integer, first_seq bigint, last_seq bigint)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'anshim_strand_ends';
COMMENT ON FUNCTION anshim.strand_ends(regclass) IS 'first and last row of each strand of a chained table';

--| ## anshim.status
--|
--| One row a tracked or chained table, for monitoring. Of a chained table all numbers are exact, and cheap to get; `rows` of one that is
--| only tracked is the planner's estimate.
CREATE VIEW anshim.status AS
WITH named AS (
	SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', l.schema_name, l.table_name)) AS target, true AS tracked, NULL::uuid AS chain
	FROM anshim.visit_log l
	UNION ALL
	SELECT c.target, false, c.chain FROM anshim.chained c
),
tables AS (
	SELECT n.target, pg_catalog.bool_or(n.tracked) AS tracked, (pg_catalog.array_agg(n.chain) FILTER (WHERE n.chain IS NOT NULL))[1] AS chain
	FROM named n WHERE n.target IS NOT NULL
	GROUP BY n.target
)
SELECT t.target, t.tracked, t.chain IS NOT NULL AS chained,
	CASE WHEN t.chain IS NOT NULL THEN coalesce(s.rows, 0::bigint) ELSE e.estimate END AS rows,
	CASE WHEN t.chain IS NOT NULL THEN coalesce(s.unsealed, 0::bigint) END AS unsealed,
	b.sealed_at AS last_seal, b.size AS log_size,
	p.signed_at AS last_checkpoint, p.size AS checkpoint_size,
	v.verified_at AS last_verification, v.findings,
	o.oldest, r.keep_for,
	o.oldest < pg_catalog.now() - r.keep_for AS overdue,
	CASE WHEN t.tracked THEN anshim.visit_source(t.target) END AS source
FROM tables t
LEFT JOIN anshim.retention r ON r.chain = t.chain
LEFT JOIN LATERAL (SELECT sealed_at, size FROM anshim.block WHERE block.chain = t.chain ORDER BY block.block DESC LIMIT 1) b ON true
LEFT JOIN LATERAL (SELECT signed_at, size FROM anshim.checkpoint WHERE checkpoint.chain = t.chain
				   ORDER BY checkpoint.signed_at DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT verified_at, findings FROM anshim.verification WHERE verification.chain = t.chain
				   ORDER BY verification.verified_at DESC LIMIT 1) v ON true
LEFT JOIN LATERAL (
	SELECT pg_catalog.sum(n.last_seq - n.first_seq + 1) FILTER (WHERE n.strand > 0)::bigint AS rows,
		pg_catalog.sum(n.last_seq - coalesce(g.last_seq, n.first_seq - 1)) FILTER (WHERE n.strand > 0)::bigint AS unsealed
	FROM anshim.strand_ends(CASE WHEN t.chain IS NOT NULL THEN t.target END) n
	LEFT JOIN LATERAL (SELECT g.last_seq FROM anshim.segment g WHERE g.chain = t.chain AND g.strand = n.strand
					   ORDER BY g.first_seq DESC LIMIT 1) g ON true) s ON t.chain IS NOT NULL
-- the oldest block of which a row is left
LEFT JOIN LATERAL (
	SELECT k.sealed_at AS oldest
	FROM anshim.segment g
	JOIN anshim.block k ON k.chain = g.chain AND k.block = g.block
	LEFT JOIN anshim.expired x ON x.chain = g.chain AND x.strand = g.strand
	WHERE g.chain = t.chain AND g.strand > 0 AND g.last_seq > coalesce(x.last_seq, 0::bigint)
	ORDER BY g.block LIMIT 1) o ON true
LEFT JOIN LATERAL (
	SELECT CASE WHEN pg_catalog.bool_and(c.reltuples >= 0) THEN pg_catalog.sum(c.reltuples)::bigint END AS estimate
	FROM pg_catalog.pg_class c
	WHERE c.oid = t.target AND c.relkind <> 'p'
		OR c.oid IN (SELECT f.relid FROM pg_catalog.pg_partition_tree(t.target) f WHERE f.isleaf)) e ON t.chain IS NULL;
COMMENT ON VIEW anshim.status IS 'how tracked and chained tables are doing';
COMMENT ON COLUMN anshim.status.target IS 'the table';
COMMENT ON COLUMN anshim.status.tracked IS 'is it a visit log?';
COMMENT ON COLUMN anshim.status.chained IS 'is it chained?';
COMMENT ON COLUMN anshim.status.rows IS 'how many rows it has; an estimate, or NULL, if it is not chained';
COMMENT ON COLUMN anshim.status.unsealed IS 'how many of them are not in the log yet';
COMMENT ON COLUMN anshim.status.last_seal IS 'when rows were sealed last';
COMMENT ON COLUMN anshim.status.log_size IS 'how many leaves the log has, events included';
COMMENT ON COLUMN anshim.status.last_checkpoint IS 'when a checkpoint was signed last';
COMMENT ON COLUMN anshim.status.checkpoint_size IS 'how many leaves it covers';
COMMENT ON COLUMN anshim.status.last_verification IS 'when anshim.check_chain() looked last';
COMMENT ON COLUMN anshim.status.findings IS 'how many findings it had; 0: intact';
COMMENT ON COLUMN anshim.status.oldest IS 'when the oldest row that is left was sealed';
COMMENT ON COLUMN anshim.status.keep_for IS 'how long rows are to be kept';
COMMENT ON COLUMN anshim.status.overdue IS 'is the oldest row kept longer than that?';
COMMENT ON COLUMN anshim.status.source IS 'how a visit log is read, and why so: see anshim.visit_source()';
GRANT SELECT ON anshim.status TO PUBLIC;
