/*-------------------------------------------------------------------------
 *
 * make.c
 *	  chain() and unchain()
 *
 * What a table needs besides its record is added in plain SQL as the current
 * user, who owns it.  Rows that are there already are linked while the table is
 * written anew (fill.c).
 *
 * Locking: AccessExclusiveLock on the table and its partitions to the end of
 * the transaction.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/tablecmds.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "chain/event.h"
#include "chain/fill.h"
#include "chain/make.h"
#include "chain/position.h"
#include "chain/target.h"
#include "chain/upkeep.h"
#include "compat.h"
#include "ddl/owner.h"
#include "key/spi.h"

/* A name that is nobody's (RFC 2606), followed by the chain */
#define DEFAULT_ORIGIN "anshim.invalid/"
#define ORIGIN_MAX_LEN 255

/* What there was to link */
typedef struct Filling
{
	int64		rows;
	List	   *strands;		/* of int32 */
	char	   *order;			/* JSON */
} Filling;

static char *
chain_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/*
 * Arguments
 */

/*
 * It is the first line of a checkpoint, and the name of the key that signs it
 * (C2SP, signed-note): no spaces, no plus sign, no control characters.
 */
static void
check_origin(const char *origin)
{
	bool		good = origin[0] != '\0' && strlen(origin) <= ORIGIN_MAX_LEN;

	for (const char *s = origin; good && *s != '\0'; s++)
		good = *s > ' ' && *s < 0x7F && *s != '+';
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("origin \"%s\" cannot name a log", origin),
				 errdetail("An origin has 1 to %d printable ASCII characters, no spaces and no plus signs.",
						   ORIGIN_MAX_LEN),
				 errhint("Use something like a URL without its scheme: 'health.example/visits'.")));
}

/* The table, owned by the current user, locked with all of its partitions */
static Relation
open_owned(Oid relid, const char *command)
{
	Relation	rel;

	require_writable(command);
	rel = chained_relation_open(relid, AccessShareLock);
	require_owner(rel);
	relation_close(rel, NoLock);
	rel = chained_relation_open(relid, AccessExclusiveLock);
	list_free(find_all_inheritors(relid, AccessExclusiveLock, NULL));
	return rel;
}

/*
 * A new chain
 */

static void
check_leaves(Oid target)
{
	List	   *relids = find_all_inheritors(target, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, relids)
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);

		if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
			target_check_leaf(rel);
		if (lfirst_oid(lc) != target)
			CheckTableNotInUse(rel, "anshim.chain");
		relation_close(rel, NoLock);
	}
}

/* A chain that ended, or is not recorded any more, may have left these. */
static void
drop_leftovers(Oid target)
{
	ListCell   *lc;

	chain_trigger_drop(target, TRIGGER_APPEND);
	chain_trigger_drop(target, TRIGGER_GUARD);
	foreach(lc, chain_leaf_oids(target, NoLock))
	{
		for (int trigger = 0; trigger < CHAIN_TRIGGERS; trigger++)
			chain_trigger_drop(lfirst_oid(lc), trigger);
	}
}

static void
add_link_column(Oid target)
{
	Relation	rel = table_open(target, NoLock);
	bool		there = link_attribute(RelationGetDescr(rel)) != InvalidAttrNumber;
	char	   *table = table_sql_name(rel);

	table_close(rel, NoLock);
	if (!there)
		upkeep_run(psprintf("ALTER TABLE %s ADD COLUMN " LINK_COLUMN " anshim.link", table));
}

/* The columns by which the rows are linked, those of the primary key or ctid */
static char *
order_json(Oid target)
{
	Relation	rel = table_open(target, NoLock);
	Oid			key = fill_order(rel);
	StringInfoData json;

	initStringInfo(&json);
	if (OidIsValid(key))
	{
		Relation	index = index_open(key, AccessShareLock);

		for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		{
			AttrNumber	attno = index->rd_index->indkey.values[i];

			appendStringInfoString(&json, i == 0 ? "[" : ", ");
			escape_json(&json, NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname));
		}
		appendStringInfoChar(&json, ']');
		index_close(index, NoLock);
	}
	else
		appendStringInfoString(&json, "[\"ctid\"]");
	table_close(rel, NoLock);
	return json.data;
}

static void
fill(Oid target, const pg_uuid_t *chain, const Layout *layout, Filling *filling)
{
	ListCell   *lc;

	filling->order = order_json(target);
	foreach(lc, chain_leaf_oids(target, NoLock))
	{
		int32		strand;

		CHECK_FOR_INTERRUPTS();
		if (!has_rows(lfirst_oid(lc)))
			continue;
		strand = next_strand_number();
		filling->rows += fill_links(lfirst_oid(lc), chain, layout, strand);
		filling->strands = lappend_int(filling->strands, strand);
	}
}

static void
chained_event(const ChainRecord *record, const Filling *filling)
{
	StringInfoData detail;
	StringInfoData strands;
	ListCell   *lc;

	initStringInfo(&strands);
	foreach(lc, filling->strands)
		appendStringInfo(&strands, "%s%d", strands.len == 0 ? "" : ", ", lfirst_int(lc));
	initStringInfo(&detail);
	detail_table(&detail, NameStr(record->schema_name), NameStr(record->table_name));
	detail_json(&detail, "rows", psprintf(INT64_FORMAT, filling->rows));
	detail_json(&detail, "order", filling->order);
	detail_json(&detail, "strands", psprintf("[%s]", strands.data));
	detail_event(&record->id, EVENT_CHAINED, &detail);
}

/* Checkpoints of two logs must not be taken for those of one. */
static void
check_origin_is_free(const char *origin)
{
	if (chain_origin_exists(origin))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("origin \"%s\" is that of another chain", origin),
				 errhint("Choose another one: those of chains that have ended are not used again.")));
}

static void
record_chain(ChainRecord *record, Relation rel, const char *origin)
{
	if (origin != NULL)
		check_origin_is_free(origin);
	record->id = *DatumGetUUIDP(DirectFunctionCall1(gen_random_uuid, (Datum) 0));
	namestrcpy(&record->schema_name, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&record->table_name, RelationGetRelationName(rel));
	record->origin = origin != NULL ? pstrdup(origin) :
		psprintf(DEFAULT_ORIGIN "%s", chain_text(&record->id));
	record->created_at = GetCurrentTimestamp();
	record->ended = false;
	chain_record_write(record);
	layout_write(&record->id, layout_of_events());
}

/* Closes the table. */
static void
new_chain(Relation rel, const char *origin)
{
	Oid			target = RelationGetRelid(rel);
	ChainRecord record = {0};
	Filling		filling = {0};
	Layout		layout;

	target_check(rel);
	target_check_columns(rel);
	check_leaves(target);
	record_chain(&record, rel, origin);
	layout_of_table(RelationGetDescr(rel), &layout);
	layout.number = 1;
	relation_close(rel, NoLock);

	drop_leftovers(target);
	add_link_column(target);
	fill(target, &record.id, &layout, &filling);
	chained_event(&record, &filling);
	upkeep_add_layout(&record.id, &layout);
	upkeep_run(psprintf("ALTER TABLE %s ALTER COLUMN " LINK_COLUMN " SET NOT NULL",
						quote_qualified_identifier(NameStr(record.schema_name),
												   NameStr(record.table_name))));
	upkeep_partitions(&record, target);
	upkeep_triggers(&record, target);
	chain_trigger_warn(target);
}

/*
 * One that is there
 */

static void
end_chain(ChainRecord *record, const char *kind)
{
	StringInfoData detail;

	initStringInfo(&detail);
	detail_event(&record->id, kind, &detail);
	record->ended = true;
	record->ended_at = GetCurrentTimestamp();
	chain_record_write(record);
}

static void
update_chain(const ChainRecord *record, Oid target, const char *origin)
{
	if (origin != NULL && strcmp(origin, record->origin) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s is chained already, with origin \"%s\"",
						get_rel_name(target), record->origin),
				 errdetail("Checkpoints bear it, so that it cannot be changed."),
				 errhint("Leave the argument out.")));
	check_leaves(target);
	upkeep_layouts(record, target);
	upkeep_partitions(record, target);
	upkeep_guards(record, target, NULL);
	upkeep_triggers(record, target);
	upkeep_guards(record, target, NULL);
	upkeep_types(record);
}

void
chain_table(Oid relid, const char *origin, const char *command)
{
	Relation	rel;
	ChainRecord record;

	if (origin != NULL)
		check_origin(origin);
	rel = open_owned(relid, command);
	if (chain_record_of(rel, &record))
	{
		/* Dropped while event triggers were off, and made anew? */
		if (link_attribute(RelationGetDescr(rel)) != InvalidAttrNumber)
		{
			relation_close(rel, NoLock);
			update_chain(&record, relid, origin);
			return;
		}
		end_chain(&record, EVENT_DROPPED);
	}
	new_chain(rel, origin);
}

PG_FUNCTION_INFO_V1(anshim_chain);
Datum
anshim_chain(PG_FUNCTION_ARGS)
{
	spi_refuse_null(fcinfo, 0, "target");
	chain_table(PG_GETARG_OID(0), PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)),
				"anshim.chain()");
	PG_RETURN_VOID();
}

/*
 * unchain()
 */

static void
drop_position_indexes(Oid target)
{
	ListCell   *lc;

	foreach(lc, chain_leaf_oids(target, NoLock))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);
		Oid			index = position_index(rel, link_attribute(RelationGetDescr(rel)));

		table_close(rel, NoLock);
		if (OidIsValid(index))
			upkeep_run(psprintf("DROP INDEX %s",
								quote_qualified_identifier(get_namespace_name(get_rel_namespace(index)),
														   get_rel_name(index))));
	}
}

PG_FUNCTION_INFO_V1(anshim_unchain);
Datum
anshim_unchain(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Relation	rel;
	ChainRecord record;
	char	   *table;
	bool		nullable;

	spi_refuse_null(fcinfo, 0, "target");
	relid = PG_GETARG_OID(0);
	rel = open_owned(relid, "anshim.unchain()");
	if (!chain_record_of(rel, &record))
		chain_refuse_unchained(rel);
	table = table_sql_name(rel);
	nullable = link_attribute(RelationGetDescr(rel)) == InvalidAttrNumber;
	relation_close(rel, NoLock);

	end_chain(&record, EVENT_UNCHAINED);
	drop_leftovers(relid);
	drop_position_indexes(relid);
	if (!nullable)
		upkeep_run(psprintf("ALTER TABLE %s ALTER COLUMN " LINK_COLUMN " DROP NOT NULL", table));
	PG_RETURN_VOID();
}
