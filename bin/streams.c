/*-------------------------------------------------------------------------
 *
 * streams.c
 *	  The streams that a chain consists of, and the queries that give them
 *
 * All queries run with search_path = pg_catalog, pg_temp, so that operators
 * and functions are PostgreSQL's own; tables are named with their schemas.
 * They compute nothing that is not verified afterwards: the order of the rows,
 * for one, is asked for and then looked at.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "pqexpbuffer.h"

#include "source.h"

typedef struct StreamInfo
{
	const char *name;
	int			ncolumns;
	const char *query;			/* %s: the chain's id */
} StreamInfo;

/*
 * The leaves of the chain's table, numbered by name: the table itself, or
 * its partitions that are no partitioned tables.
 */
#define LEAVES(chain) \
	"(SELECT c.oid, (row_number() OVER (ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\"))::int4 AS leaf," \
	" n.nspname::text AS schema_name, c.relname::text AS table_name" \
	" FROM anshim.chain h" \
	" JOIN pg_catalog.pg_namespace tn ON tn.nspname = h.schema_name" \
	" JOIN pg_catalog.pg_class t ON t.relnamespace = tn.oid AND t.relname = h.table_name" \
	" CROSS JOIN LATERAL (SELECT t.oid AS relid WHERE t.relkind <> 'p'" \
	" UNION ALL SELECT p.relid FROM pg_catalog.pg_partition_tree(t.oid::pg_catalog.regclass) p WHERE p.isleaf AND t.relkind = 'p') l" \
	" JOIN pg_catalog.pg_class c ON c.oid = l.relid" \
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" \
	" WHERE h.chain = '" chain "') leaf"

static const StreamInfo streams[] = {
	[STREAM_CHAIN] = {"chain", 7,
		"SELECT chain, schema_name::text, table_name::text, origin, created_at, ended_at, pg_catalog.now()"
	" FROM anshim.chain WHERE chain = '%s'"},
	[STREAM_LAYOUT] = {"layout", 4,
		"SELECT y.layout, c.position::int4, c.name::text, pg_catalog.format_type(c.type, NULL)"
		" FROM anshim.layout y CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(y.columns), pg_catalog.unnest(y.types))"
		" WITH ORDINALITY AS c (name, type, position)"
	" WHERE y.chain = '%s' ORDER BY 1, 2"},
	[STREAM_EVENT] = {"event", 7,
		"SELECT link, ctid, chain, at, kind, actor, detail"
	" FROM ONLY anshim.event WHERE chain = '%s' ORDER BY anshim.seq(link)"},
	[STREAM_BLOCK] = {"block", 4,
	"SELECT block, size, root, sealed_at FROM anshim.block WHERE chain = '%s' ORDER BY block"},
	[STREAM_SEGMENT] = {"segment", 6,
		"SELECT block, strand, first_seq, last_seq, first_index, last_hash"
	" FROM anshim.segment WHERE chain = '%s' ORDER BY block, strand"},
	[STREAM_TILE] = {"tile", 3,
	"SELECT level, tile, hashes FROM anshim.tile WHERE chain = '%s' ORDER BY level, tile"},
	[STREAM_KEPT] = {"kept", 3,
	"SELECT level, index, hash FROM anshim.kept WHERE chain = '%s' ORDER BY level, index"},
	[STREAM_EXPIRED] = {"expired", 3,
	"SELECT strand, last_seq, last_hash FROM anshim.expired WHERE chain = '%s' ORDER BY strand"},
	[STREAM_LEAF] = {"leaf", 6,
		"SELECT leaf.leaf, leaf.schema_name, leaf.table_name,"
		" CASE WHEN a.attnum IS NOT NULL THEN (row_number() OVER (PARTITION BY leaf.leaf ORDER BY a.attnum))::int4 END,"
		" a.attname::text, pg_catalog.format_type(a.atttypid, NULL)"
		" FROM " LEAVES("%s")
		" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = leaf.oid AND a.attnum > 0"
		" AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> 'link'"
	" ORDER BY 1, 4"},
	[STREAM_GUARD] = {"guard", 3,
		"SELECT leaf.leaf, g.tgname::text, g.tgenabled::text"
		" FROM " LEAVES("%s")
		" JOIN pg_catalog.pg_trigger g ON g.tgrelid = leaf.oid"
		" JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
		" JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'anshim'"
	" ORDER BY 1, 2"},
};

const char	stream_chains_query[] =
"SELECT chain::text FROM anshim.chain WHERE ended_at IS NULL ORDER BY schema_name, table_name";

int
stream_columns(StreamKind kind, const Leaf *leaf)
{
	return kind == STREAM_ROWS ? 2 + leaf->ncolumns : streams[kind].ncolumns;
}

char *
stream_file(StreamKind kind, const Leaf *leaf)
{
	if (kind == STREAM_ROWS)
		return psprintf("rows-%d.copy", leaf->number);
	return psprintf("%s.copy", streams[kind].name);
}

static void
append_quoted(PQExpBuffer query, const char *name)
{
	appendPQExpBufferChar(query, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendPQExpBufferChar(query, '"');
		appendPQExpBufferChar(query, *name);
	}
	appendPQExpBufferChar(query, '"');
}

char *
stream_query(StreamKind kind, const char *chain, const Leaf *leaf)
{
	PQExpBufferData query;

	initPQExpBuffer(&query);
	if (kind != STREAM_ROWS)
		appendPQExpBuffer(&query, streams[kind].query, chain);
	else
	{
		appendPQExpBufferStr(&query, "SELECT link, ctid");
		for (int i = 0; i < leaf->ncolumns; i++)
		{
			appendPQExpBufferStr(&query, ", ");
			append_quoted(&query, leaf->columns[i].name);
		}
		appendPQExpBufferStr(&query, " FROM ONLY ");
		append_quoted(&query, leaf->schema);
		appendPQExpBufferChar(&query, '.');
		append_quoted(&query, leaf->table);
		appendPQExpBufferStr(&query, " ORDER BY anshim.strand(link), anshim.seq(link)");
	}
	return query.data;
}

bool
is_chain_id(const char *str)
{
	if (strlen(str) != CHAIN_ID_TEXT_LEN)
		return false;
	for (int i = 0; i < CHAIN_ID_TEXT_LEN; i++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? str[i] != '-' : strchr("0123456789abcdef", str[i]) == NULL)
			return false;
	}
	return true;
}
