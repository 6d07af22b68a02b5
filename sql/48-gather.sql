--| # Gathering
--|
--| Servers of one organisation can be each other's witnesses, without anybody handing anything over: each asks its *peers*, by
--| [postgres_fdw](https://www.postgresql.org/docs/current/postgres-fdw.html), for the checkpoints that they have signed since, checks them, and cosigns what continues the ones before. Where a log lies on
--| several servers, its coordinator gathers from all of them, and each of them from its neighbour, in a ring: then none can rewrite its part without the coordinator
--| and its neighbour telling. [witnesses.md](witnesses.md) shows how to set this up, step by step, and what it is worth.
--|
--| Nothing is pushed, so nobody needs any right at a peer but to read. What comes from a peer is believed only as far as the signature of a log reaches that is
--| trusted here, by `anshim.trust_log`.

--| ## anshim.signed and anshim.growth
--|
--| What a server shows its peers. `anshim.signed` has the checkpoints of its logs, `anshim.growth` the proof that the log of one is a continuation of the log at any
--| earlier block. To read a proof the peer's user needs `SELECT` on the column `link` of the table. Ask for one row: each takes the time of a proof.
CREATE VIEW anshim.signed AS
SELECT c.origin, p.size, p.root, p.note, p.signed_at
FROM anshim.checkpoint p
JOIN anshim.chain c ON c.chain = p.chain;
COMMENT ON VIEW anshim.signed IS 'checkpoints that were signed here';
COMMENT ON COLUMN anshim.signed.origin IS 'the log';
COMMENT ON COLUMN anshim.signed.size IS 'how many leaves it had';
COMMENT ON COLUMN anshim.signed.root IS 'root of its tree then';
COMMENT ON COLUMN anshim.signed.note IS 'the checkpoint';
COMMENT ON COLUMN anshim.signed.signed_at IS 'when it was signed first';
GRANT SELECT ON anshim.signed TO PUBLIC;

CREATE VIEW anshim.growth AS
SELECT c.origin, b.size AS old_size, p.size AS new_size, anshim.consistency_proof(t.target, b.size, p.size) AS proof
FROM anshim.chain c
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', c.schema_name, c.table_name)) AS target) t
JOIN anshim.block b ON b.chain = c.chain
JOIN anshim.checkpoint p ON p.chain = c.chain
WHERE c.ended_at IS NULL AND t.target IS NOT NULL AND b.size <= p.size;
COMMENT ON VIEW anshim.growth IS 'proofs that the log of a checkpoint continues an earlier one';
COMMENT ON COLUMN anshim.growth.origin IS 'the log';
COMMENT ON COLUMN anshim.growth.old_size IS 'how many leaves it had after some block';
COMMENT ON COLUMN anshim.growth.new_size IS 'how many it had at a checkpoint';
COMMENT ON COLUMN anshim.growth.proof IS 'the proof of consistency';
GRANT SELECT ON anshim.growth TO PUBLIC;

--| ## anshim.peer
--|
--| Servers from which checkpoints are gathered here.
CREATE TABLE anshim.peer (
	server name PRIMARY KEY,
	schema_name name NOT NULL,
	kid text COLLATE "C" NOT NULL,
	added_at timestamptz NOT NULL
);
COMMENT ON TABLE anshim.peer IS 'servers from which checkpoints are gathered';
COMMENT ON COLUMN anshim.peer.server IS 'the foreign server';
COMMENT ON COLUMN anshim.peer.schema_name IS 'the schema of its foreign tables';
COMMENT ON COLUMN anshim.peer.kid IS 'the key that cosigns its checkpoints here';
COMMENT ON COLUMN anshim.peer.added_at IS 'when the row was made';
GRANT SELECT ON anshim.peer TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.peer', '');

--| `anshim.add_peer(server, kid)`: from now on, checkpoints of the logs on this foreign server are gathered, and cosigned with this Ed25519 key. It makes a schema
--| `anshim_<server>` with the foreign tables that this takes: yours, dumped as any others. `anshim.remove_peer(server)` drops them.
--| Both are for superusers.
CREATE FUNCTION anshim.add_peer(server name, kid text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema_name text := 'anshim_' || server;
	made record;
BEGIN
	IF octet_length(schema_name) > 63 THEN
		RAISE EXCEPTION USING ERRCODE = 'name_too_long',
			MESSAGE = format('the name of server "%s" is too long', server),
			DETAIL = format('The schema of its foreign tables would be called "%s".', schema_name),
			HINT = 'Rename the server to one of at most 56 bytes.';
	END IF;
	-- an error if there is no such key, or it cannot cosign
	PERFORM anshim.witness_vkey(kid);

	INSERT INTO anshim.peer VALUES (server, schema_name, kid, now());
	EXECUTE format('CREATE SCHEMA %I', schema_name);
	-- not IMPORT FOREIGN SCHEMA: the peer does not say what columns are
	FOR made IN
		SELECT * FROM (VALUES
			('chain', 'origin text, ended_at timestamptz'),
			('signed', 'origin text, size bigint, root bytea, note text'),
			('growth', 'origin text, old_size bigint, new_size bigint, proof bytea[]'),
			('witnessed', 'origin text, size bigint, root bytea, note text, cosignature text')) v (name, columns)
	LOOP
		EXECUTE format('CREATE FOREIGN TABLE %I.%I (%s) SERVER %I OPTIONS (schema_name ''anshim'')',
			schema_name, made.name, made.columns, server);
	END LOOP;
END
$$;
COMMENT ON FUNCTION anshim.add_peer(name, text) IS 'has checkpoints gathered from a server';
REVOKE ALL ON FUNCTION anshim.add_peer(name, text) FROM PUBLIC;

CREATE FUNCTION anshim.remove_peer(server name) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	removed anshim.peer;
	name text;
BEGIN
	DELETE FROM anshim.peer p WHERE p.server = remove_peer.server RETURNING * INTO removed;
	IF removed IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('server "%s" is not a peer', server),
			HINT = 'The peers are in anshim.peer.';
	END IF;
	DELETE FROM anshim.gathered g WHERE g.server = removed.server;
	FOREACH name IN ARRAY ARRAY['chain', 'signed', 'growth', 'witnessed'] LOOP
		EXECUTE format('DROP FOREIGN TABLE IF EXISTS %I.%I', removed.schema_name, name);
	END LOOP;
	EXECUTE format('DROP SCHEMA IF EXISTS %I', removed.schema_name);
END
$$;
COMMENT ON FUNCTION anshim.remove_peer(name) IS 'ends the gathering from a server';
REVOKE ALL ON FUNCTION anshim.remove_peer(name) FROM PUBLIC;

--| ## anshim.gathered
--|
--| What came of the last call of `anshim.gather_checkpoints`: a row a log of each peer.
CREATE TABLE anshim.gathered (
	server name NOT NULL,
	origin text COLLATE "C" NOT NULL,
	size bigint,
	outcome text NOT NULL,
	detail text,
	gathered_at timestamptz NOT NULL,
	PRIMARY KEY (server, origin)
);
COMMENT ON TABLE anshim.gathered IS 'what came of gathering checkpoints last';
COMMENT ON COLUMN anshim.gathered.server IS 'the peer';
COMMENT ON COLUMN anshim.gathered.origin IS 'the log; empty: the peer as a whole';
COMMENT ON COLUMN anshim.gathered.size IS 'how many leaves of it are cosigned here';
COMMENT ON COLUMN anshim.gathered.outcome IS 'what came of it';
COMMENT ON COLUMN anshim.gathered.detail IS 'and why, if it is no good';
COMMENT ON COLUMN anshim.gathered.gathered_at IS 'when';
GRANT SELECT ON anshim.gathered TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.gathered', '');

--| ## anshim.cosignature
--|
--| Cosignatures that peers gave to logs which are trusted here as well. They are not verified before somebody asks for them by `anshim.cosigned_checkpoint`.
CREATE TABLE anshim.cosignature (
	origin text COLLATE "C" NOT NULL,
	size bigint NOT NULL,
	root bytea NOT NULL,
	server name NOT NULL,
	note text NOT NULL,
	cosignature text NOT NULL,
	gathered_at timestamptz NOT NULL,
	agrees boolean,
	PRIMARY KEY (origin, size, root, server)
);
CREATE INDEX cosignature_open ON anshim.cosignature (origin, size) WHERE agrees IS NULL;
COMMENT ON TABLE anshim.cosignature IS 'cosignatures of peers';
COMMENT ON COLUMN anshim.cosignature.origin IS 'the log';
COMMENT ON COLUMN anshim.cosignature.size IS 'how many leaves it had';
COMMENT ON COLUMN anshim.cosignature.root IS 'root of its tree then';
COMMENT ON COLUMN anshim.cosignature.server IS 'the peer that cosigned';
COMMENT ON COLUMN anshim.cosignature.note IS 'the checkpoint, as the peer has it';
COMMENT ON COLUMN anshim.cosignature.cosignature IS 'the signature line';
COMMENT ON COLUMN anshim.cosignature.gathered_at IS 'when it was gathered';
COMMENT ON COLUMN anshim.cosignature.agrees IS 'is it of a checkpoint that was cosigned here, too; NULL while that is not known';
GRANT SELECT ON anshim.cosignature TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.cosignature', '');

-- Hand one checkpoint to our own witness: what became of it.  What is no checkpoint
-- that a trusted key has signed is no reason to stop.
CREATE FUNCTION anshim.gather_one(origin text, note text, proof bytea[], kid text, OUT outcome text, OUT detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	before bigint := anshim.witnessed_size(origin);
BEGIN
	IF anshim.witness(origin, note, proof, kid) IS NOT NULL THEN
		outcome := 'cosigned';
		RETURN;
	END IF;
	-- it is a checkpoint then; one that was cosigned before and comes again is stale
	detail := format('It is of %s leaves, and %s have been cosigned.', split_part(note, E'\n', 2), before);
	outcome := coalesce((SELECT w.refused FROM anshim.witnessed w
		WHERE w.origin = gather_one.origin AND w.size = split_part(gather_one.note, E'\n', 2)::bigint
			AND w.root = decode(split_part(gather_one.note, E'\n', 3), 'base64')), 'stale');
EXCEPTION
	WHEN invalid_parameter_value OR invalid_authorization_specification THEN
		outcome := 'not signed';
		detail := sqlerrm;
END
$$;
COMMENT ON FUNCTION anshim.gather_one(text, text, bytea[], text) IS 'witnesses one checkpoint of a peer; for anshim.gather_checkpoints() alone';
REVOKE ALL ON FUNCTION anshim.gather_one(text, text, bytea[], text) FROM PUBLIC;

-- All checkpoints of one log of a peer that are not cosigned yet, in their order: each with the proof
-- that it continues the one before.
CREATE FUNCTION anshim.gather_log(schema_name name, origin text, kid text, OUT outcome text, OUT detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	last bigint := anshim.witnessed_size(origin);
	shown record;
	proof bytea[];
	seen boolean := false;
BEGIN
	outcome := 'unchanged';
	FOR shown IN EXECUTE format('SELECT size, root, note FROM %I.signed WHERE origin = $1 AND size >= $2 ORDER BY size', schema_name)
		USING origin, last
	LOOP
		seen := true;
		CONTINUE WHEN EXISTS (SELECT FROM anshim.witnessed w
			WHERE w.origin = gather_log.origin AND w.size = shown.size AND w.root = shown.root AND w.refused IS NULL);
		proof := '{}';
		IF last > 0 AND shown.size > last THEN
			EXECUTE format('SELECT proof FROM %I.growth WHERE origin = $1 AND old_size = $2 AND new_size = $3 LIMIT 1', schema_name)
				INTO proof USING origin, last, shown.size;
		END IF;
		SELECT * INTO outcome, detail FROM anshim.gather_one(origin, shown.note, coalesce(proof, '{}'), kid);
		EXIT WHEN outcome <> 'cosigned';
		last := anshim.witnessed_size(origin);
	END LOOP;
	IF seen THEN
		RETURN;
	END IF;

	-- It has none of that size any more, if it ever had one.
	EXECUTE format('SELECT size, root, note FROM %I.signed WHERE origin = $1 ORDER BY size DESC LIMIT 1', schema_name)
		INTO shown USING origin;
	IF shown.note IS NOT NULL THEN
		SELECT * INTO outcome, detail FROM anshim.gather_one(origin, shown.note, '{}', kid);
	ELSIF last > 0 THEN
		outcome := 'gone';
		detail := format('%s leaves have been cosigned, and it shows no checkpoint.', last);
	ELSE
		outcome := 'nothing signed';
	END IF;
END
$$;
COMMENT ON FUNCTION anshim.gather_log(name, text, text) IS 'witnesses what is new of a peer''s log; for anshim.gather_checkpoints() alone';
REVOKE ALL ON FUNCTION anshim.gather_log(name, text, text) FROM PUBLIC;

-- All logs of one peer, and its cosignatures of logs that are trusted here.
CREATE FUNCTION anshim.gather_peer(peer anshim.peer) RETURNS TABLE (origin text, outcome text, detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	living text[];
	witnessed bigint;
BEGIN
	EXECUTE format('SELECT array_agg(origin) FROM %I.chain WHERE ended_at IS NULL', peer.schema_name) INTO living;
	FOR origin IN
		SELECT l.origin FROM unnest(living) AS l (origin)
		UNION SELECT g.origin FROM anshim.gathered g WHERE g.server = peer.server AND g.origin <> ''
		ORDER BY 1
	LOOP
		IF EXISTS (SELECT FROM anshim.trusted_log t WHERE t.origin = gather_peer.origin) THEN
			BEGIN
				SELECT * INTO outcome, detail FROM anshim.gather_log(peer.schema_name, origin, peer.kid);
			EXCEPTION WHEN OTHERS THEN
				outcome := 'failed';
				detail := sqlerrm;
			END;
		ELSE
			outcome := 'not trusted';
			detail := 'Trust its verifier key with anshim.trust_log(), if it shall be gathered.';
		END IF;
		RETURN NEXT;
	END LOOP;

	FOR origin IN SELECT DISTINCT t.origin FROM anshim.trusted_log t ORDER BY 1 LOOP
		witnessed := coalesce(max(c.size), 0) FROM anshim.cosignature c WHERE c.server = peer.server AND c.origin = gather_peer.origin;
		EXECUTE format('INSERT INTO anshim.cosignature
			SELECT w.origin, w.size, w.root, $1, w.note, w.cosignature, now(), NULL FROM %I.witnessed w
			WHERE w.origin = $2 AND w.size >= $3 AND w.cosignature IS NOT NULL
			ON CONFLICT DO NOTHING', peer.schema_name) USING peer.server, origin, witnessed;
	END LOOP;
END
$$;
COMMENT ON FUNCTION anshim.gather_peer(anshim.peer) IS 'witnesses what is new of a peer; for anshim.gather_checkpoints() alone';
REVOKE ALL ON FUNCTION anshim.gather_peer(anshim.peer) FROM PUBLIC;

--| ## anshim.gather_checkpoints
--|
--| `anshim.gather_checkpoints()` → `TABLE (server name, origin text, size bigint, outcome text, detail text)`: asks every peer for all checkpoints that it has signed since the last
--| call, and does with each what `anshim.witness` does: it is cosigned if it continues the one before, and kept in `anshim.witnessed` in any case. The peers' own cosignatures of
--| the logs that are trusted here come along, and are compared: a checkpoint that was shown to a peer but not here is evidence as well.
--|
--| A row for each log of each peer says what became of it; `size` is how many leaves are cosigned here now.
--|
--| | outcome | |
--| | --- | --- |
--| | `cosigned` | there were new checkpoints, and they continue what was cosigned |
--| | `unchanged` | there is nothing new |
--| | `nothing signed` | the log has no checkpoint yet |
--| | `not trusted` | its key has not been given to `anshim.trust_log` here |
--| | `failed` | the peer could not be asked of this log, or, where `origin` is empty, of any; `detail` says why. The others have been asked |
--| | `not signed` | something was shown as a checkpoint that no trusted key has signed |
--| | `stale`, `gone` | **alarm**: the log is shorter than it was: it has been rolled back |
--| | `not proven` | **alarm**: the peer has not proved that the log continues what was cosigned |
--| | `contradicts` | **alarm**: the log has signed two histories; both are in `anshim.witnessed` |
--| | `not shown here` | **alarm**: a peer has cosigned a checkpoint of this log that its server has not shown here |
--|
--| Evidence of what peers have cosigned is returned once. It stays in `anshim.cosignature`, `WHERE NOT agrees`, and in `anshim.witnessed`, as all that was refused, `WHERE refused IS NOT NULL`.
--|
--| Meant to be called each minute, by a superuser. Two calls at once wait for each other.
CREATE FUNCTION anshim.gather_checkpoints()
RETURNS TABLE (server name, origin text, size bigint, outcome text, detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	peer anshim.peer;
	told record;
	results anshim.gathered[] := '{}';
	evidence anshim.gathered[] := '{}';
BEGIN
	-- proofs are asked for from the size that is cosigned: nobody else shall go on from there meanwhile
	LOCK TABLE anshim.gathered IN SHARE ROW EXCLUSIVE MODE;

	FOR peer IN SELECT * FROM anshim.peer ORDER BY server LOOP
		BEGIN
			results := results || ARRAY(
				SELECT ROW(peer.server, g.origin, nullif(anshim.witnessed_size(g.origin), 0), g.outcome, g.detail, now())::anshim.gathered
				FROM anshim.gather_peer(peer) g);
		EXCEPTION WHEN OTHERS THEN
			results := results || ROW(peer.server, '', NULL, 'failed', sqlerrm, now())::anshim.gathered;
		END;
	END LOOP;

	-- What peers have cosigned of a log must have been shown here, too, from the first that was.
	FOR told IN
		WITH known AS MATERIALIZED (
			SELECT t.origin, anshim.witnessed_size(t.origin) AS last,
				(SELECT min(w.size) FROM anshim.witnessed w WHERE w.origin = t.origin AND w.refused IS NULL) AS first
			FROM (SELECT DISTINCT origin FROM anshim.trusted_log) t)
		UPDATE anshim.cosignature c
		SET agrees = EXISTS (SELECT FROM anshim.witnessed w
			WHERE w.origin = c.origin AND w.size = c.size AND w.root = c.root AND w.refused IS NULL)
		FROM known k, anshim.peer p
		WHERE c.agrees IS NULL AND c.origin = k.origin AND c.size BETWEEN k.first AND k.last AND p.server = c.server
		RETURNING c.server, c.origin, c.note, c.agrees, p.kid
	LOOP
		CONTINUE WHEN told.agrees;
		evidence := evidence || (
			SELECT ROW(told.server, told.origin, anshim.witnessed_size(told.origin),
				CASE g.outcome WHEN 'stale' THEN 'not shown here' ELSE g.outcome END, 'The peer has cosigned it. ' || g.detail, now())::anshim.gathered
			FROM anshim.gather_one(told.origin, told.note, '{}', told.kid) g);
	END LOOP;

	-- what is known of peers that could not be asked stays
	DELETE FROM anshim.gathered g
	WHERE g.server NOT IN (SELECT r.server FROM unnest(results) r WHERE r.origin = '') OR g.origin = '';
	INSERT INTO anshim.gathered
	SELECT * FROM unnest(results)
	ON CONFLICT (server, origin) DO UPDATE
	SET size = excluded.size, outcome = excluded.outcome, detail = excluded.detail, gathered_at = excluded.gathered_at;
	RETURN QUERY SELECT r.server, r.origin, r.size, r.outcome, r.detail FROM unnest(results || evidence) r ORDER BY r.server, r.origin, r.outcome;
END
$$;
COMMENT ON FUNCTION anshim.gather_checkpoints() IS 'collects, checks and cosigns what peers have signed';
REVOKE ALL ON FUNCTION anshim.gather_checkpoints() FROM PUBLIC;

--| ## anshim.cosigned_checkpoint
--|
--| `anshim.cosigned_checkpoint(origin, witnesses, quorum => NULL)` → `text`: the newest checkpoint of a log that at least `quorum` of these witnesses have cosigned, as known here, with
--| their good cosignatures; all of the witnesses by default. They are given by their verifier keys. NULL if there is none. It is what to mail, print and
--| give to `anshim_verify`: whoever demands the same quorum knows that all of these have seen this one history.
CREATE FUNCTION anshim.cosigned_checkpoint(origin text, witnesses text[], quorum integer DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted integer := coalesce(quorum, cardinality(witnesses));
	kept record;
	log text;
	lines text;
BEGIN
	FOR kept IN
		SELECT w.note, l.lines
		FROM anshim.witnessed w
		CROSS JOIN LATERAL (
			SELECT array_agg(known.line) AS lines
			FROM (SELECT w.cosignature
				  UNION SELECT c.cosignature FROM anshim.cosignature c WHERE c.origin = w.origin AND c.size = w.size AND c.root = w.root) known (line)) l
		WHERE w.origin = cosigned_checkpoint.origin AND w.refused IS NULL AND cardinality(l.lines) >= wanted
		ORDER BY w.size DESC
	LOOP
		FOR log IN SELECT t.vkey FROM anshim.trusted_log t WHERE t.origin = cosigned_checkpoint.origin LOOP
			SELECT coalesce(string_agg(DISTINCT l, ''), '') INTO lines
			FROM unnest(kept.lines) l, unnest(witnesses) k
			WHERE anshim.verify_checkpoint(kept.note || l, log, ARRAY[k], 1);
			IF anshim.verify_checkpoint(kept.note || lines, log, witnesses, wanted) THEN
				RETURN kept.note || lines;
			END IF;
		END LOOP;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION anshim.cosigned_checkpoint(text, text[], integer) IS 'the newest checkpoint that a quorum has cosigned';
