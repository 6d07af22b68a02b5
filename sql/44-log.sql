--| # The log
--|
--| A chain's *log* is one hash tree over its links, that of [RFC 6962](https://www.rfc-editor.org/rfc/rfc6962), which only grows. `anshim.seal` appends to it what has
--| been committed since; the root of the tree then stands for every row that was sealed, and for their order. Who knows the root from elsewhere, from a
--| [checkpoint](#checkpoints) that was mailed or printed, can have it proved that a row was there (`anshim.inclusion_proof`), and that a
--| later log is a continuation of the earlier one (`anshim.consistency_proof`).
--|
--| These tables are readable by everybody, and nobody writes to them but the functions of anshim. [formats.md](formats.md) says what is in them byte by byte.

--| ## anshim.block
--|
--| Each sealing that found something new: how many leaves the log had after it, and its root then.
CREATE TABLE anshim.block (
	chain uuid NOT NULL,
	block bigint NOT NULL,
	size bigint NOT NULL,
	root bytea NOT NULL,
	sealed_at timestamptz NOT NULL,
	PRIMARY KEY (chain, block),
	CONSTRAINT block_size UNIQUE (chain, size)
);
COMMENT ON TABLE anshim.block IS 'what was sealed at once';
COMMENT ON COLUMN anshim.block.chain IS 'the chain';
COMMENT ON COLUMN anshim.block.block IS 'number of the block, from 1';
COMMENT ON COLUMN anshim.block.size IS 'how many leaves the log had after it';
COMMENT ON COLUMN anshim.block.root IS 'root of the tree of that many leaves';
COMMENT ON COLUMN anshim.block.sealed_at IS 'when it was sealed';
GRANT SELECT ON anshim.block TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.block', '');

--| ## anshim.segment
--|
--| What a block took of each strand: the links `first_seq` to `last_seq`, which are the leaves of the log from `first_index` on.
CREATE TABLE anshim.segment (
	chain uuid NOT NULL,
	block bigint NOT NULL,
	strand integer NOT NULL,
	first_seq bigint NOT NULL,
	last_seq bigint NOT NULL,
	first_index bigint NOT NULL,
	last_hash bytea NOT NULL,
	PRIMARY KEY (chain, block, strand),
	CONSTRAINT segment_index UNIQUE (chain, first_index),
	CONSTRAINT segment_seq UNIQUE (chain, strand, first_seq)
);
COMMENT ON TABLE anshim.segment IS 'what a block took of a strand';
COMMENT ON COLUMN anshim.segment.chain IS 'the chain';
COMMENT ON COLUMN anshim.segment.block IS 'the block';
COMMENT ON COLUMN anshim.segment.strand IS 'the strand; 0: the chain''s events';
COMMENT ON COLUMN anshim.segment.first_seq IS 'seq of the first link';
COMMENT ON COLUMN anshim.segment.last_seq IS 'seq of the last link';
COMMENT ON COLUMN anshim.segment.first_index IS 'index of the first link''s leaf in the log, from 0';
COMMENT ON COLUMN anshim.segment.last_hash IS 'hash of the last link, 32 bytes';
GRANT SELECT ON anshim.segment TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.segment', '');

--| ## anshim.tile
--|
--| Nodes of the tree, so that a proof need not read all rows: those of level 8, 16, 24, …, up to 256 in a row of this table. They take an eighth of a byte a
--| leaf.
CREATE TABLE anshim.tile (
	chain uuid NOT NULL,
	level smallint NOT NULL,
	tile bigint NOT NULL,
	hashes bytea NOT NULL,
	PRIMARY KEY (chain, level, tile)
);
-- hashes do not compress
ALTER TABLE anshim.tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE anshim.tile IS 'nodes of the log''s tree';
COMMENT ON COLUMN anshim.tile.chain IS 'the chain';
COMMENT ON COLUMN anshim.tile.level IS 'an eighth of the nodes'' level in the tree';
COMMENT ON COLUMN anshim.tile.tile IS 'the nodes'' index in the tree divided by 256';
COMMENT ON COLUMN anshim.tile.hashes IS 'the nodes, 32 bytes each, from left to right';
GRANT SELECT ON anshim.tile TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.tile', '');

--| ## anshim.kept
--|
--| Nodes below level 8 that `anshim.expire` kept of the rows that it removed.
CREATE TABLE anshim.kept (
	chain uuid NOT NULL,
	level smallint NOT NULL,
	index bigint NOT NULL,
	hash bytea NOT NULL,
	PRIMARY KEY (chain, level, index)
);
COMMENT ON TABLE anshim.kept IS 'nodes of the log''s tree whose rows have expired';
COMMENT ON COLUMN anshim.kept.chain IS 'the chain';
COMMENT ON COLUMN anshim.kept.level IS 'the node''s level in the tree, 0 to 7';
COMMENT ON COLUMN anshim.kept.index IS 'the node''s index on that level';
COMMENT ON COLUMN anshim.kept.hash IS 'the node''s hash, 32 bytes';
GRANT SELECT ON anshim.kept TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.kept', '');

--| ## anshim.seal
--|
--| `anshim.seal(target)` → `bigint`: seals all rows of a chained table, and all events of its chain, that are committed and not yet sealed, in one new block, and
--| returns the size of the log. If there is nothing new, it makes no block. Every row is hashed again before it goes into the tree: where one does not
--| bear the hash that it should, or one is missing, an error names its table, strand and seq, and nothing is sealed.
--|
--| It waits for no writer and makes none wait. Two that seal the same table wait for each other. It takes memory for the strands alone, however many rows there
--| are.
--|
--| Nobody but a superuser may seal, until she grants `EXECUTE`. Who seals needs no rights on the table, and sees nothing of it.
CREATE FUNCTION anshim.seal(target regclass) RETURNS bigint
AS 'MODULE_PATHNAME', 'anshim_seal' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION anshim.seal(regclass) IS 'appends what is committed and not yet sealed to the log';
REVOKE ALL ON FUNCTION anshim.seal(regclass) FROM PUBLIC;

--| ## Sealing in the background
--|
--| Where the server's configuration has these, all chained tables of all databases are sealed each minute, without a scheduler:
--|
--| ```
--| shared_preload_libraries = 'anshim'
--| anshim.seal_interval = '1min'
--| ```
--|
--| - `anshim.seal_interval`: how often; 0, the default, means never. A reload changes it.
--| - `anshim.checkpoint_key`: the kid of a key that signs a checkpoint of each table as well, where something was sealed since the last one. Set for a database, as keys belong
--|   to one: `ALTER DATABASE island SET anshim.checkpoint_key = 'log-2021'`. What was signed is in [anshim.checkpoint](#anshimcheckpoint-the-table); to hand it to somebody else
--|   remains to be done.
--|
--| A launcher has each database visited by a short-lived background worker, three at once. Where `anshim` is not installed, the database is a template, or
--| somebody waits to drop it, it leaves at once. What cannot be sealed is reported in the server's log, with the reason, and tried again the next time. It waits up to ten seconds for
--| locks. On a standby nothing is sealed before it is promoted.

--| ## Proofs
--|
--| Sizes default to that of the newest block. Any size up to it will do, not only those at which a block ends. Proofs are for those who may read the column `link` of
--| the table; they contain hashes only, of rows that others may not let her see.
--|
--| `anshim.inclusion_proof(target, link, size => NULL)` → `TABLE (index bigint, size bigint, path bytea[])`: where the link's leaf is in the log, and the nodes with
--| which `anshim.verify_inclusion` computes the root from it. An error says so where the link is not sealed yet, or not in a log of that size.
CREATE FUNCTION anshim.inclusion_proof(target regclass, link anshim.link, size bigint DEFAULT NULL,
	OUT index bigint, OUT size bigint, OUT path bytea[])
AS 'MODULE_PATHNAME', 'anshim_inclusion_proof' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION anshim.inclusion_proof(regclass, anshim.link, bigint) IS 'proves that a link is in the log';

--| `anshim.consistency_proof(target, old_size, new_size => NULL)` → `bytea[]`: the nodes with which `anshim.verify_consistency` computes both roots, that of
--| the log of `old_size` leaves and that of the log of `new_size`. Empty if the two are equal, or the old size is 0.
CREATE FUNCTION anshim.consistency_proof(target regclass, old_size bigint, new_size bigint DEFAULT NULL) RETURNS bytea[]
AS 'MODULE_PATHNAME', 'anshim_consistency_proof' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION anshim.consistency_proof(regclass, bigint, bigint) IS 'proves that the log has only grown';

--| `anshim.verify_inclusion(leaf_hash, index, size, path, root)` → `boolean`: is this the leaf at this index in the tree of this size and root? Verified as
--| [RFC 9162](https://www.rfc-editor.org/rfc/rfc9162), section 2.1.3.2, has it. The leaf hash of a link is `anshim.leaf_hash(link)`. `false` for whatever is not
--| exactly right, `NULL` elements and hashes of other lengths than 32 bytes included; never an error.
CREATE FUNCTION anshim.verify_inclusion(leaf_hash bytea, index bigint, size bigint, path bytea[], root bytea) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_verify_inclusion' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION anshim.verify_inclusion(bytea, bigint, bigint, bytea[], bytea) IS 'verifies a proof of inclusion';

--| `anshim.verify_consistency(old_size, new_size, old_root, new_root, path)` → `boolean`: is the tree of the new size and root a continuation of the old?
--| As RFC 9162, section 2.1.4.2, has it, and `false` likewise. That something grew out of nothing, `old_size` 0, says nothing and is refused as well.
CREATE FUNCTION anshim.verify_consistency(old_size bigint, new_size bigint, old_root bytea, new_root bytea, path bytea[])
RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_verify_consistency' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION anshim.verify_consistency(bigint, bigint, bytea, bytea, bytea[]) IS 'verifies a proof of consistency';
