/*-------------------------------------------------------------------------
 *
 * upkeep.c
 *	  Keeping what is recorded of a chain, and what makes a table append-only,
 *	  in step with the table
 *
 * Called by chain() for everything, and by event triggers for what a command
 * has changed.  Statements are run in plain SQL as the current user, who has
 * just changed the table and so may; they name everything with its schema.
 *
 * Locking: that of the command, which has changed the table or its partitions.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "chain/event.h"
#include "chain/fill.h"
#include "chain/position.h"
#include "chain/target.h"
#include "chain/trigger.h"
#include "chain/upkeep.h"
#include "compat.h"

static int	depth;				/* of statements of our own */

bool
upkeep_running(void)
{
	return depth > 0;
}

void
upkeep_run(const char *statement)
{
	SPI_connect();
	depth++;
	PG_TRY();
	{
		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "statement was not run: %s", statement);
	}
	PG_FINALLY();
	{
		depth--;
	}
	PG_END_TRY();
	SPI_finish();
}

/*
 * Layouts
 */

/* As format_type() calls it with nothing but pg_catalog in search_path */
char *
layout_type_name(Oid type)
{
	static const char prefix[] = "pg_catalog.";
	char	   *name = format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY | FORMAT_TYPE_ALLOW_INVALID);

	return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

static char *
columns_json(const Layout *layout)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < layout->ncolumns; i++)
	{
		appendStringInfoString(&json, i == 0 ? "{\"name\": " : ", {\"name\": ");
		escape_json(&json, NameStr(layout->columns[i]));
		appendStringInfoString(&json, ", \"type\": ");
		escape_json(&json, layout_type_name(layout->types[i]));
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

void
upkeep_add_layout(const pg_uuid_t *chain, const Layout *layout)
{
	StringInfoData detail;

	layout_write(chain, layout);
	initStringInfo(&detail);
	detail_json(&detail, "layout", psprintf("%d", layout->number));
	detail_json(&detail, "columns", columns_json(layout));
	detail_event(chain, EVENT_LAYOUT_ADDED, &detail);
}

static bool
same_layout(const Layout *a, const Layout *b)
{
	if (a->ncolumns != b->ncolumns)
		return false;
	for (int i = 0; i < a->ncolumns; i++)
		if (strcmp(NameStr(a->columns[i]), NameStr(b->columns[i])) != 0 ||
			a->types[i] != b->types[i])
			return false;
	return true;
}

/*
 * Which layouts may rows of the leaf have?  Within a strand they never go
 * back, so its ends tell.
 */
static void
mark_layouts(const Chain *chain, const ChainLeaf *leaf, Snapshot snapshot, bool *in_use)
{
	int			ntails;
	StrandTail *tails;

	if (leaf->position == NULL)
	{
		/* Nothing tells. */
		if (has_rows(RelationGetRelid(leaf->heap)))
			memset(in_use, true, chain->nlayouts);
		return;
	}
	tails = strand_tails(chain, leaf, snapshot, &ntails);
	for (int i = 0; i < chain->nlayouts; i++)
		for (int j = 0; j < ntails; j++)
			if (chain->layouts[i].number >= tails[j].first_layout &&
				chain->layouts[i].number <= tails[j].last.layout)
				in_use[i] = true;
}

/* Rows that are linked must still be readable. */
static void
check_layouts_in_use(Oid target, Relation rel)
{
	Chain	   *chain = chain_open(target, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool	   *in_use = palloc0_array(bool, chain->nlayouts);

	for (int i = 0; i < chain->nleaves; i++)
	{
		CHECK_FOR_INTERRUPTS();
		mark_layouts(chain, &chain->leaves[i], snapshot, in_use);
	}
	for (int i = 0; i < chain->nlayouts; i++)
		if (in_use[i] && chain->layouts[i].number != EVENT_LAYOUT)
			target_check_layout(rel, &chain->layouts[i]);
	UnregisterSnapshot(snapshot);
	chain_close(chain);
}

static void
check_link_column_stays(Relation rel)
{
	if (link_attribute(RelationGetDescr(rel)) == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("chained table \"%s\" must keep its column \"%s\"",
						RelationGetRelationName(rel), LINK_COLUMN),
				 errdetail("It holds the rows' links."),
				 errhint("End the chain with anshim.unchain() first.")));
}

void
upkeep_layouts(const ChainRecord *record, Oid target)
{
	Relation	rel = table_open(target, AccessShareLock);
	Layout		newest = {0};
	Layout		layout;

	check_link_column_stays(rel);
	layout_of_table(RelationGetDescr(rel), &layout);
	if (!layout_read_newest(&record->id, &newest) || !same_layout(&layout, &newest))
	{
		target_check_columns(rel);
		check_layouts_in_use(target, rel);
		layout.number = newest.number + 1;
		upkeep_add_layout(&record->id, &layout);
	}
	table_close(rel, NoLock);
}

/*
 * Partitions
 */

static void
set_names(Relation rel, NameData *schema, NameData *table)
{
	namestrcpy(schema, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(table, RelationGetRelationName(rel));
}

/* Are all rows of the leaf linked into this chain? */
static bool
is_linked(const Chain *chain, const ChainLeaf *leaf)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	StrandScan *scan = strand_scan_begin(chain, leaf, snapshot);
	int			ntails;
	StrandTail *tails = strand_tails(chain, leaf, snapshot, &ntails);
	bool		linked = true;

	for (int i = 0; linked && i < ntails; i++)
	{
		uint8		previous[LINK_HASH_LEN] = {0};
		int64		expected = 1;
		StrandRow	row;

		if (strand_lost(&chain->id, tails[i].strand, &expected, previous))
			expected++;
		strand_scan_rescan(scan, tails[i].strand, expected, PG_INT64_MAX, previous);
		linked = tails[i].first_seq == expected;
		while (linked && strand_scan_next(scan, &row))
			linked = row.state == ROW_INTACT && row.link.strand == tails[i].strand &&
				row.link.seq == expected++;
	}
	strand_scan_end(scan);
	UnregisterSnapshot(snapshot);
	return linked;
}

static void
check_rows_linked(Oid target, Oid relid)
{
	Chain	   *chain = chain_open(target, AccessShareLock);

	for (int i = 0; i < chain->nleaves; i++)
	{
		const ChainLeaf *leaf = &chain->leaves[i];

		if (RelationGetRelid(leaf->heap) == relid && !is_linked(chain, leaf))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("rows of table %s are not linked into the chain of %s",
							leaf_name(leaf), get_rel_name(target)),
					 errdetail("A partition of a chained table must be empty when it comes, or have come from there unchanged."),
					 errhint("Attach it empty, then insert the rows.")));
	}
	chain_close(chain);
}

static void
add_index(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	char	   *name = ChooseRelationName(RelationGetRelationName(rel), NULL, LINK_COLUMN,
										  RelationGetNamespace(rel), false);
	char	   *table = table_sql_name(rel);

	table_close(rel, NoLock);
	upkeep_run(psprintf("CREATE UNIQUE INDEX %s ON %s USING btree "
						"(anshim.strand(" LINK_COLUMN "), anshim.seq(" LINK_COLUMN "))",
						quote_identifier(name), table));
}

/* A new partition, or one that was not noticed */
static void
attach_partition(const ChainRecord *record, Oid target, Oid relid)
{
	Relation	rel = table_open(relid, AccessExclusiveLock);
	PartitionRecord partition = {.chain = record->id};
	StringInfoData detail;

	set_names(rel, &partition.schema_name, &partition.table_name);
	table_close(rel, NoLock);
	upkeep_leaf(record, relid);
	if (has_rows(relid))
		check_rows_linked(target, relid);
	if (partition_record_exists(&partition))
		return;
	partition_record_add(&partition);
	initStringInfo(&detail);
	detail_table(&detail, NameStr(partition.schema_name), NameStr(partition.table_name));
	detail_event(&record->id, EVENT_PARTITION_ATTACHED, &detail);
}

void
upkeep_leaf(const ChainRecord *record, Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	AttrNumber	link_attno = link_attribute(RelationGetDescr(rel));
	bool		indexed = link_attno != InvalidAttrNumber &&
		OidIsValid(position_index(rel, link_attno));

	target_check_leaf(rel);
	table_close(rel, NoLock);
	if (!indexed)
		add_index(relid);
	upkeep_trigger(record, relid, TRIGGER_GUARD_TRUNCATE);
}

bool
upkeep_forget_partition(const pg_uuid_t *chain, const char *schema, const char *table)
{
	PartitionRecord partition = {.chain = *chain};
	StringInfoData detail;

	namestrcpy(&partition.schema_name, schema);
	namestrcpy(&partition.table_name, table);
	if (!partition_record_exists(&partition))
		return false;
	partition_record_remove(&partition);
	initStringInfo(&detail);
	detail_table(&detail, schema, table);
	detail_event(chain, EVENT_PARTITION_DROPPED, &detail);
	return true;
}

/* A table that has been detached may be emptied. */
static void
release_partition(Oid relid)
{
	Relation	rel = table_open(relid, AccessExclusiveLock);
	bool		guarded = rel->rd_rel->relkind == RELKIND_RELATION;

	table_close(rel, NoLock);
	if (guarded)
		chain_trigger_drop(relid, TRIGGER_GUARD_TRUNCATE);
}

static void
forget_if_gone(const PartitionRecord *record, List *leaves)
{
	Oid			schema = get_namespace_oid(NameStr(record->schema_name), true);
	Oid			relid = OidIsValid(schema) ?
		get_relname_relid(NameStr(record->table_name), schema) : InvalidOid;

	if (list_member_oid(leaves, relid))
		return;
	if (OidIsValid(relid))
		release_partition(relid);
	(void) upkeep_forget_partition(&record->chain, NameStr(record->schema_name),
								   NameStr(record->table_name));
}

/* They hold rows, but are no leaves. */
static void
refuse_foreign_partitions(Oid target)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(target, NoLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			target_check_leaf(table_open(lfirst_oid(lc), AccessShareLock));
	}
}

void
upkeep_partitions(const ChainRecord *record, Oid target)
{
	List	   *leaves;
	ListCell   *lc;

	if (get_rel_relkind(target) != RELKIND_PARTITIONED_TABLE)
		return;
	refuse_foreign_partitions(target);
	leaves = chain_leaf_oids(target, NoLock);
	foreach(lc, partition_records(&record->id))
		forget_if_gone(lfirst(lc), leaves);
	foreach(lc, leaves)
	{
		Oid			relid = lfirst_oid(lc);
		PartitionRecord partition = {.chain = record->id};

		CHECK_FOR_INTERRUPTS();
		namestrcpy(&partition.schema_name, get_namespace_name(get_rel_namespace(relid)));
		namestrcpy(&partition.table_name, get_rel_name(relid));
		if (!partition_record_exists(&partition))
			attach_partition(record, target, relid);
	}
}

/*
 * Triggers
 */

void
upkeep_trigger(const ChainRecord *record, Oid relid, ChainTrigger trigger)
{
	Relation	rel = table_open(relid, NoLock);
	char		state = chain_trigger_state(rel, trigger, &record->id);

	table_close(rel, NoLock);
	if (state == '-')
		chain_trigger_make(relid, trigger, &record->id);
	else if (state != TRIGGER_FIRES_ALWAYS)
		chain_trigger_enable(relid, trigger);
}

void
upkeep_triggers(const ChainRecord *record, Oid target)
{
	ListCell   *lc;

	upkeep_trigger(record, target, TRIGGER_APPEND);
	upkeep_trigger(record, target, TRIGGER_GUARD);
	foreach(lc, chain_leaf_oids(target, NoLock))
	{
		CHECK_FOR_INTERRUPTS();
		upkeep_trigger(record, lfirst_oid(lc), TRIGGER_APPEND);
		upkeep_trigger(record, lfirst_oid(lc), TRIGGER_GUARD);
		upkeep_leaf(record, lfirst_oid(lc));
	}
}
