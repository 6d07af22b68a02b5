--| # Checkpoints
--|
--| A *checkpoint* is a signed statement of a log's size and root: a few lines of text, a [signed note](https://c2sp.org/signed-note) in the form of
--| [tlog-checkpoint](https://c2sp.org/tlog-checkpoint), which other programs can read as well. Kept where nobody who can write to this database can reach it, in a
--| mailbox, on paper, with another organisation, it fixes all that was sealed up to then: whoever changes, removes or reorders such rows
--| afterwards is found out by `anshim.verify_chain` and `anshim_verify`. What was inserted later is fixed by the next checkpoint only.
--|
--| ```
--| jeju.example/visits
--| 24107
--| UlKFw/xLE9wIHFTdemIRwjhgR/J8mBhwP+MmaqAwCZA=
--|
--| — jeju.example/visits 49RMwA53hZjvUMwfl+qLpgruc9/fno68V0nCGnidAQGGH8rTSsj11SOFmcJpra+uThlzsmBHiqo5qQcPZhv1Q+XwNA4=
--| ```
--|
--| ## anshim.checkpoint, the table
--|
--| What was signed here, readable by everybody. It proves nothing by itself, being kept in the same place as the rows.
CREATE TABLE anshim.checkpoint (
	chain uuid NOT NULL,
	size bigint NOT NULL,
	root bytea NOT NULL,
	kid text COLLATE "C" NOT NULL,
	note text NOT NULL,
	signed_at timestamptz NOT NULL,
	PRIMARY KEY (chain, size, kid)
);
COMMENT ON TABLE anshim.checkpoint IS 'checkpoints that were signed';
COMMENT ON COLUMN anshim.checkpoint.chain IS 'the chain';
COMMENT ON COLUMN anshim.checkpoint.size IS 'how many leaves the log had';
COMMENT ON COLUMN anshim.checkpoint.root IS 'root of the tree then';
COMMENT ON COLUMN anshim.checkpoint.kid IS 'the key that signed';
COMMENT ON COLUMN anshim.checkpoint.note IS 'the checkpoint, a signed note';
COMMENT ON COLUMN anshim.checkpoint.signed_at IS 'when it was signed first';
GRANT SELECT ON anshim.checkpoint TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.checkpoint', '');

--| ## anshim.checkpoint
--|
--| `anshim.checkpoint(target, kid)` → `text`: signs size and root of the newest block, with an Ed25519 key of `anshim.key`. A block that this very transaction has sealed
--| is not signed, as it could still be rolled back: commit first.
--|
--| What is signed cannot be taken back, so it must not get lost. The block has to be on disk, and confirmed by the synchronous standbys where
--| `synchronous_standby_names` names any: the call waits for that. And the log must continue what was signed last, which is noted in a file in
--| `anshim.head_directory`, outside of the data directory. After a restore, or a failover to a server that was behind, it does not, and `55000` says
--| that the database has been rolled back, instead of a checkpoint that contradicts an earlier one. The setting is needed: a directory of mode 0700 that belongs to the server's owner,
--| in postgresql.conf, changed by a reload. Take it to the new server at a failover.
--|
--| If the transaction is rolled back, the checkpoint stands all the same.
--|
--| Nobody but a superuser may call this, until she grants `EXECUTE`; who may can have any key sign that is valid here.
CREATE FUNCTION anshim.checkpoint(target regclass, kid text) RETURNS text
AS 'MODULE_PATHNAME', 'anshim_checkpoint' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION anshim.checkpoint(regclass, text) IS 'signs the size and root of the log';
REVOKE ALL ON FUNCTION anshim.checkpoint(regclass, text) FROM PUBLIC;

--| `anshim.adopt_head(target, checkpoint)`: notes that this checkpoint was signed last, where no file says so: after a dump was restored on another server, or a failover to one
--| without the files. Give the newest that there is, from outside. The log must continue it, and one that is older than what the file says is refused.
CREATE FUNCTION anshim.adopt_head(target regclass, checkpoint text) RETURNS void
AS 'MODULE_PATHNAME', 'anshim_adopt_head' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION anshim.adopt_head(regclass, text) IS 'notes which checkpoint of a log was signed last';
REVOKE ALL ON FUNCTION anshim.adopt_head(regclass, text) FROM PUBLIC;

--| ## Checking checkpoints
--|
--| `anshim.vkey(target, kid)` → `text`: the *verifier key* of a log that is signed with this key, one line that says which log and which key:
--| `jeju.example/visits+e3d44cc0+AXMoeELHRQ9/8B/eDAuWImbP4kH/2Wo0a2nu1N+/cWaw` is that of the example above. Give it to whoever shall check checkpoints, once, by another way than the checkpoints. It must not come from the database that
--| is checked: who owns that could make up a log and a key to it.
CREATE FUNCTION anshim.vkey(target regclass, kid text) RETURNS text
AS 'MODULE_PATHNAME', 'anshim_vkey' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION anshim.vkey(regclass, text) IS 'verifier key of a log: its origin and public key';

--| `anshim.verify_checkpoint(checkpoint, vkey, witnesses => '{}', quorum => 0)` → `boolean`: is this a checkpoint of the log that the verifier key is named after, with a good
--| signature, and cosigned by at least `quorum` of the `witnesses`, whose verifier keys are given likewise (see `anshim.witness_vkey`)? `false` for whatever is no such checkpoint. A witness counts once, however
--| often its key is given, and a bad signature under any of the keys spoils the note; signatures of others do not matter. Keys that are none, or fewer than the quorum, raise
--| `22023`.
CREATE FUNCTION anshim.verify_checkpoint(checkpoint text, vkey text, witnesses text[] DEFAULT '{}', quorum integer DEFAULT 0)
RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_verify_checkpoint' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION anshim.verify_checkpoint(text, text, text[], integer) IS 'verifies a checkpoint and its cosignatures';

--| # Witnesses
--|
--| Whoever signs two histories, and shows one here and another there, is not found out by either reader alone. A *witness* is another organisation's
--| database that signs a log's checkpoints as well, but only if each continues the one before. A reader who demands the cosignatures of several witnesses knows that all
--| of them have seen this one history. It is the protocol of [tlog-witness](https://c2sp.org/tlog-witness), with a call in the place of HTTP.
--|
--| The log's owner hands over a checkpoint, and a proof that it continues the one that was cosigned last:
--|
--| ```sql
--| -- at the log
--| SELECT anshim.checkpoint('visit', 'log-2021'), anshim.consistency_proof('visit', 24107);
--| -- at the witness
--| SELECT anshim.witness('jeju.example/visits', '…', '{…}', 'w1');
--| ```

--| ## anshim.trusted_log
--|
--| The logs that are witnessed here, and their keys: a row a key.
CREATE TABLE anshim.trusted_log (
	origin text COLLATE "C" NOT NULL,
	vkey text COLLATE "C" NOT NULL,
	added_at timestamptz NOT NULL,
	PRIMARY KEY (origin, vkey)
);
COMMENT ON TABLE anshim.trusted_log IS 'logs that are witnessed here';
COMMENT ON COLUMN anshim.trusted_log.origin IS 'the log, as its checkpoints call it';
COMMENT ON COLUMN anshim.trusted_log.vkey IS 'verifier key of one who signs its checkpoints';
COMMENT ON COLUMN anshim.trusted_log.added_at IS 'when the row was made';
GRANT SELECT ON anshim.trusted_log TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.trusted_log', '');

--| `anshim.trust_log(origin, vkey)`: from now on, checkpoints of this log under this key are witnessed. `anshim.distrust_log(origin, vkey)` ends that. A log that
--| changes its key has both for a while. As for signing checkpoints, the database's encoding must have the em dash, as UTF8 has: `22P05`.
CREATE FUNCTION anshim.trust_log(origin text, vkey text) RETURNS void
AS 'MODULE_PATHNAME', 'anshim_trust_log' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION anshim.trust_log(text, text) IS 'has the checkpoints of a log witnessed';
REVOKE ALL ON FUNCTION anshim.trust_log(text, text) FROM PUBLIC;

CREATE FUNCTION anshim.distrust_log(origin text, vkey text) RETURNS void
AS 'MODULE_PATHNAME', 'anshim_distrust_log' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION anshim.distrust_log(text, text) IS 'ends the witnessing of a log under a key';
REVOKE ALL ON FUNCTION anshim.distrust_log(text, text) FROM PUBLIC;

--| ## anshim.witnessed
--|
--| Every checkpoint that was handed over and bears the log's signature, cosigned or not, whole. Two of the same size with different roots are the
--| evidence that the log has told two stories, and so is one of which it can never prove that it continues another.
--|
--| - `refused`: `stale`, smaller than what was cosigned last; `contradicts`, of the same size as one that was cosigned, with another root; `not proven`, larger, without a proof that verifies. NULL: it was
--|   cosigned
CREATE TABLE anshim.witnessed (
	origin text COLLATE "C" NOT NULL,
	size bigint NOT NULL,
	root bytea NOT NULL,
	note text NOT NULL,
	cosignature text,
	refused text
		CONSTRAINT witnessed_refused CHECK ((refused IS NULL) OPERATOR(pg_catalog.=) (cosignature IS NOT NULL)),
	witnessed_at timestamptz NOT NULL,
	PRIMARY KEY (origin, size, root)
);
COMMENT ON TABLE anshim.witnessed IS 'checkpoints of other organisations'' logs';
COMMENT ON COLUMN anshim.witnessed.origin IS 'the log';
COMMENT ON COLUMN anshim.witnessed.size IS 'how many leaves it says it has';
COMMENT ON COLUMN anshim.witnessed.root IS 'root of its tree';
COMMENT ON COLUMN anshim.witnessed.note IS 'the checkpoint as it was handed over';
COMMENT ON COLUMN anshim.witnessed.cosignature IS 'the signature line that was added, or NULL';
COMMENT ON COLUMN anshim.witnessed.refused IS 'why it was not cosigned, or NULL';
COMMENT ON COLUMN anshim.witnessed.witnessed_at IS 'when it was handed over';
GRANT SELECT ON anshim.witnessed TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.witnessed', '');

--| ## anshim.witness
--|
--| `anshim.witness(origin, checkpoint, proof, kid)` → `text`: cosigns a checkpoint with an Ed25519 key of this database's own, and returns it with the cosignature as one more line at its end. `proof` is the log's
--| `anshim.consistency_proof` from the size that was cosigned last to this one; `'{}'` for the first, and for the same once more. The cosigned size is noted on disk, in
--| `anshim.head_directory`, before the cosignature is returned, so that not even a `ROLLBACK` takes it back.
--|
--| What bears the log's signature and is refused all the same returns NULL, with a warning, and is kept in `anshim.witnessed`: an error would roll that away. The
--| rest raises errors. A gateway that speaks tlog-witness answers
--|
--| | status | |
--| | --- | --- |
--| | 200 | with the last line |
--| | 400 | `22023`: no checkpoint, of another origin, or the proof is none |
--| | 403 | `28000`: no trusted key has signed it, or one badly |
--| | 404 | `42704`: the origin is not trusted |
--| | 409 | `55000` as warning, `stale`: DETAIL has the size that was cosigned last; `23505` as warning, `contradicts` |
--| | 422 | `22000` as warning, `not proven` |
--|
--| Nobody but a superuser may call this, until she grants `EXECUTE`.
CREATE FUNCTION anshim.witness(origin text, checkpoint text, proof bytea[], kid text) RETURNS text
AS 'MODULE_PATHNAME', 'anshim_witness' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION anshim.witness(text, text, bytea[], text) IS 'cosigns a checkpoint that continues the one before';
REVOKE ALL ON FUNCTION anshim.witness(text, text, bytea[], text) FROM PUBLIC;

--| `anshim.witnessed_size(origin)` → `bigint`: how many leaves of a log have been cosigned here, 0 for none. A proof has to begin there. Has to be granted.
CREATE FUNCTION anshim.witnessed_size(origin text) RETURNS bigint
AS 'MODULE_PATHNAME', 'anshim_witnessed_size' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION anshim.witnessed_size(text) IS 'how much of a log has been cosigned';
REVOKE ALL ON FUNCTION anshim.witnessed_size(text) FROM PUBLIC;

--| `anshim.witness_vkey(kid)` → `text`: the verifier key of this witness with this key: for `anshim.verify_checkpoint`, and whoever else counts cosignatures. A
--| witness is called as its key's issuer and kid, `seoul.example/w1`.
CREATE FUNCTION anshim.witness_vkey(kid text) RETURNS text
AS 'MODULE_PATHNAME', 'anshim_witness_vkey' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION anshim.witness_vkey(text) IS 'verifier key of a witness';
