--| # Chained tables
--|
--| `anshim.chain` makes a table append-only and ties every row that is inserted to the one before it, by a hash in its column `link`. Whoever
--| changes, removes, reorders or backdates a row afterwards, a superuser or somebody with the data files included, is found out by
--| `anshim.verify_chain`. Any table will do, plain or partitioned, empty or not. It stays yours: it is no member of the extension, carries your
--| grants and policies, and is dumped as any other table.
--|
--| A writer never waits for another. Each transaction that inserts takes a *strand* of links for itself, one that nobody else is using, and
--| appends to it. So a chain has as many strands as there ever were writers at once, and in each the rows are numbered 1, 2, 3, … without gaps.

--| ## anshim.chain, the table
--|
--| The chains, a row each; those with `ended_at` have been ended by `anshim.unchain`, or by dropping the table. Everybody may read this table and
--| those below, nobody writes to them directly. They name tables by schema and name, so that a restored dump means the same.
CREATE TABLE anshim.chain (
	chain uuid PRIMARY KEY,
	schema_name name NOT NULL,
	table_name name NOT NULL,
	origin text NOT NULL UNIQUE,
	created_at timestamptz NOT NULL,
	ended_at timestamptz
);
COMMENT ON TABLE anshim.chain IS 'the chains of chained tables';
COMMENT ON COLUMN anshim.chain.chain IS 'what identifies the chain, and is hashed with each of its rows';
COMMENT ON COLUMN anshim.chain.schema_name IS 'the schema of the chained table';
COMMENT ON COLUMN anshim.chain.table_name IS 'the chained table';
COMMENT ON COLUMN anshim.chain.origin IS 'the first line of the checkpoints of its log';
COMMENT ON COLUMN anshim.chain.created_at IS 'when the table was chained';
COMMENT ON COLUMN anshim.chain.ended_at IS 'when it was unchained or dropped, or NULL';
GRANT SELECT ON anshim.chain TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.chain', '');

CREATE FUNCTION anshim.count_strands(target regclass) RETURNS integer
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'anshim_count_strands';
COMMENT ON FUNCTION anshim.count_strands(regclass) IS 'how many strands of rows a chained table has, or NULL';

--| ## anshim.chained
--|
--| The tables that are chained now, and how many strands of rows they have: as many as there ever were transactions that inserted into the
--| same table or partition at once.
CREATE VIEW anshim.chained AS
SELECT found.target, chain.chain, anshim.count_strands(found.target) AS strands, chain.origin, chain.created_at
FROM anshim.chain
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', schema_name, table_name)) AS target) found
WHERE chain.ended_at IS NULL;
COMMENT ON VIEW anshim.chained IS 'the tables that are chained';
COMMENT ON COLUMN anshim.chained.target IS 'the table, or NULL if it is not there';
COMMENT ON COLUMN anshim.chained.chain IS 'what identifies its chain';
COMMENT ON COLUMN anshim.chained.strands IS 'how many strands of rows it has';
COMMENT ON COLUMN anshim.chained.origin IS 'the first line of the checkpoints of its log';
COMMENT ON COLUMN anshim.chained.created_at IS 'when it was chained';
GRANT SELECT ON anshim.chained TO PUBLIC;

--| ## anshim.layout
--|
--| Which columns a link covers: those of the layout whose number it bears, in this order. A chain's first layout for rows is number 1; a column that is
--| added begins a new one. Names are the columns' present names. Layout 0 is that of the chain's events.
CREATE TABLE anshim.layout (
	chain uuid NOT NULL,
	layout integer NOT NULL,
	columns name[] NOT NULL,
	types regtype[] NOT NULL,
	added_at timestamptz NOT NULL,
	PRIMARY KEY (chain, layout)
);
COMMENT ON TABLE anshim.layout IS 'the columns that links cover';
COMMENT ON COLUMN anshim.layout.chain IS 'the chain';
COMMENT ON COLUMN anshim.layout.layout IS 'the number that the links bear';
COMMENT ON COLUMN anshim.layout.columns IS 'the columns'' names, in the order in which they are hashed';
COMMENT ON COLUMN anshim.layout.types IS 'the columns'' types';
COMMENT ON COLUMN anshim.layout.added_at IS 'since when';
GRANT SELECT ON anshim.layout TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.layout', '');

--| ## anshim.chain_partition
--|
--| The partitions that a chain covers, if its table is partitioned. New partitions come, and dropped or detached ones go, by themselves.
CREATE TABLE anshim.chain_partition (
	chain uuid NOT NULL,
	schema_name name NOT NULL,
	table_name name NOT NULL,
	PRIMARY KEY (chain, schema_name, table_name)
);
COMMENT ON TABLE anshim.chain_partition IS 'the partitions of chained tables';
COMMENT ON COLUMN anshim.chain_partition.chain IS 'the chain';
COMMENT ON COLUMN anshim.chain_partition.schema_name IS 'the schema of the partition';
COMMENT ON COLUMN anshim.chain_partition.table_name IS 'the partition';
GRANT SELECT ON anshim.chain_partition TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.chain_partition', '');

--| ## anshim.event
--|
--| What happened to the chained tables themselves. Each chain's events are its strand 0: they are linked, sealed and verified as the rows are, so that
--| nobody can change a table's definition, or what is recorded of it, and hide it.
CREATE TABLE anshim.event (
	chain uuid NOT NULL,
	at timestamptz NOT NULL,
	kind text NOT NULL,
	actor text NOT NULL,
	detail jsonb NOT NULL,
	link anshim.link NOT NULL
);
COMMENT ON TABLE anshim.event IS 'events of chains, linked in their strand 0';
COMMENT ON COLUMN anshim.event.chain IS 'the chain';
COMMENT ON COLUMN anshim.event.at IS 'when it happened';
COMMENT ON COLUMN anshim.event.kind IS 'what happened';
COMMENT ON COLUMN anshim.event.actor IS 'whose session it was';
COMMENT ON COLUMN anshim.event.detail IS 'what else there is to say';
COMMENT ON COLUMN anshim.event.link IS 'the place in strand 0 of the chain';
GRANT SELECT ON anshim.event TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.event', '');

CREATE UNIQUE INDEX event_position ON anshim.event (chain, anshim.seq(link));
COMMENT ON INDEX anshim.event_position IS 'the order of the events of each chain';

--| ## anshim.expired
--|
--| Where strands begin of which `anshim.expire` has removed a part.
CREATE TABLE anshim.expired (
	chain uuid NOT NULL,
	strand integer NOT NULL,
	last_seq bigint NOT NULL,
	last_hash bytea NOT NULL,
	PRIMARY KEY (chain, strand)
);
COMMENT ON TABLE anshim.expired IS 'the last links of the parts of strands that were expired';
COMMENT ON COLUMN anshim.expired.chain IS 'the chain';
COMMENT ON COLUMN anshim.expired.strand IS 'the strand';
COMMENT ON COLUMN anshim.expired.last_seq IS 'the place of the last link that is gone';
COMMENT ON COLUMN anshim.expired.last_hash IS 'its hash';
GRANT SELECT ON anshim.expired TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.expired', '');

-- Strands of all chains are numbered from here: nobody waits for a sequence.
CREATE SEQUENCE anshim.strand_number AS integer;
COMMENT ON SEQUENCE anshim.strand_number IS 'numbers of new strands';
SELECT pg_catalog.pg_extension_config_dump('anshim.strand_number', '');

CREATE FUNCTION anshim.append() RETURNS trigger
AS 'MODULE_PATHNAME', 'anshim_append' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION anshim.append() IS 'gives an inserted row its link; the trigger zz_anshim_append of chained tables';

CREATE FUNCTION anshim.refuse_change() RETURNS trigger
AS 'MODULE_PATHNAME', 'anshim_refuse_change' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION anshim.refuse_change() IS 'refuses to change or remove rows; the triggers anshim_guard of chained tables';

--| ## anshim.chain
--|
--| Chains a table, which only its owner may do. It adds
--|
--| - the column `link`, NOT NULL;
--| - the trigger `zz_anshim_append`, which gives each row its link, whatever the client sent as one. Its name sorts last, so that it comes after your own
--|   triggers: one that sorts after it may drop the row, but must not change it, and you are warned of such;
--| - the triggers `anshim_guard` and `anshim_guard_truncate`, which refuse UPDATE, DELETE and TRUNCATE with `55000`;
--| - to the table, or to each partition, a unique index on `anshim.strand(link), anshim.seq(link)`.
--|
--| Rows that are there already are linked in the order of the primary key, or of `ctid` if there is none. That writes the table anew, as CLUSTER does, and
--| nobody can use it meanwhile; as with every such command, transactions with an older snapshot see an empty table afterwards, and logical replication
--| does not see it at all. `origin` names the chain's log in checkpoints, such as `'health.example/visits'`, and cannot be changed later.
--|
--| Links cover all columns but generated ones. Refused are columns whose binary form is not the same after a dump and a restore: `regclass` and the
--| like, composite types, arrays of types that are not PostgreSQL's own; and temporary, unlogged, typed and foreign tables, and inheritance.
--|
--| Called again, it brings everything up to date: what has been dropped is made again, and triggers that are off are switched on. Only what has
--| changed while event triggers were off needs that. What it finds is recorded as an event.
CREATE FUNCTION anshim.chain(target regclass, origin text DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'anshim_chain' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION anshim.chain(regclass, text) IS 'chains a table, or brings up to date what chains it';

--| ## anshim.unchain
--|
--| Ends a chain: the table may be changed again. Its rows keep their links, in a column that may be NULL from now on, and all that is recorded of the chain stays,
--| this event included. Only the table's owner may do it, and only if somebody has granted her the function: PUBLIC may not execute it.
CREATE FUNCTION anshim.unchain(target regclass) RETURNS void
AS 'MODULE_PATHNAME', 'anshim_unchain' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION anshim.unchain(regclass) IS 'ends the chain of a table';
REVOKE ALL ON FUNCTION anshim.unchain(regclass) FROM PUBLIC;

--| ## What happens to a chained table
--|
--| Three event triggers follow what is done to chained tables, and record it as events. Columns that are added begin a new layout. Partitions that are added
--| get what they need; rows that they bring along must have come from there unchanged. Columns that links cover can be neither dropped nor given another
--| type, and labels of enum types that they have cannot be renamed. Triggers that somebody switches off or drops are noted.
CREATE FUNCTION anshim.chain_follow() RETURNS event_trigger
AS 'MODULE_PATHNAME', 'anshim_chain_follow' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION anshim.chain_follow() IS 'follows changes of chained tables';

CREATE FUNCTION anshim.chain_forget() RETURNS event_trigger
AS 'MODULE_PATHNAME', 'anshim_chain_forget' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION anshim.chain_forget() IS 'notes what was dropped of chained tables';

CREATE FUNCTION anshim.chain_refuse_rewrite() RETURNS event_trigger
AS 'MODULE_PATHNAME', 'anshim_chain_refuse_rewrite' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION anshim.chain_refuse_rewrite() IS 'refuses to change the values that links cover';

CREATE EVENT TRIGGER anshim_chain_follow ON ddl_command_end
WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'ALTER INDEX', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW',
	'CREATE SCHEMA', 'ALTER SCHEMA', 'ALTER TYPE', 'ALTER DOMAIN', 'ALTER EXTENSION', 'CREATE TRIGGER', 'ALTER TRIGGER')
EXECUTE FUNCTION anshim.chain_follow();
COMMENT ON EVENT TRIGGER anshim_chain_follow IS 'what is recorded of chained tables follows them';

CREATE EVENT TRIGGER anshim_chain_forget ON sql_drop
EXECUTE FUNCTION anshim.chain_forget();
COMMENT ON EVENT TRIGGER anshim_chain_forget IS 'dropped parts of chained tables are noted';

CREATE EVENT TRIGGER anshim_chain_refuse_rewrite ON table_rewrite
EXECUTE FUNCTION anshim.chain_refuse_rewrite();
COMMENT ON EVENT TRIGGER anshim_chain_refuse_rewrite IS 'values that links cover stay as they are';
