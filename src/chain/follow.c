/*-------------------------------------------------------------------------
 *
 * follow.c
 *	  Event triggers that follow what is done to chained tables
 *
 * Chains name their tables, partitions and columns; what is renamed, added,
 * attached or dropped is recorded in the command's own transaction, as an
 * event of the chain.  What would make linked rows unreadable is refused.
 *
 * These run after other people's commands, so they are quick where nothing is
 * chained, and raise errors for chained tables alone.  Where they did not run
 * (session_replication_role, event_triggers), chain() makes up for it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "chain/event.h"
#include "chain/fill.h"
#include "chain/image.h"
#include "chain/position.h"
#include "chain/target.h"
#include "chain/upkeep.h"
#include "compat.h"
#include "ddl/command.h"

/* The living chain of the table that this one is, or is a partition of */
static bool
chain_of(Oid relid, Oid *target, ChainRecord *record)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE &&
		relkind != RELKIND_FOREIGN_TABLE)
		return false;
	*target = target_of(relid);
	return chain_record_find(get_namespace_name(get_rel_namespace(*target)),
							 get_rel_name(*target), record);
}

static bool
name_is(const NameData *name, const char *string)
{
	return strcmp(NameStr(*name), string) == 0;
}

/*
 * Renamed tables and schemas
 */

static void
renamed_event(const pg_uuid_t *chain, const char *old_schema, const char *old_table,
			  const char *schema, const char *table)
{
	StringInfoData from = {0};
	StringInfoData to = {0};
	StringInfoData detail;

	initStringInfo(&from);
	initStringInfo(&to);
	initStringInfo(&detail);
	detail_table(&from, old_schema, old_table);
	detail_table(&to, schema, table);
	detail_json(&detail, "from", psprintf("%s}", from.data));
	detail_json(&detail, "to", psprintf("%s}", to.data));
	detail_event(chain, EVENT_TABLE_RENAMED, &detail);
}

/*
 * A schema has another name, or a table has, or another schema: of one that
 * is the same, NULL is given for the old table's name.
 */
static void
rename_target(ChainRecord *record, const char *old_schema, const char *old_table,
			  const char *schema, const char *table)
{
	NameData	old = record->table_name;

	if (!name_is(&record->schema_name, old_schema) ||
		(old_table != NULL && !name_is(&record->table_name, old_table)))
		return;
	namestrcpy(&record->schema_name, schema);
	if (old_table != NULL)
		namestrcpy(&record->table_name, table);
	chain_record_write(record);
	renamed_event(&record->id, old_schema, NameStr(old), schema, NameStr(record->table_name));
}

static void
rename_partition(PartitionRecord *partition, const char *old_schema, const char *old_table,
				 const char *schema, const char *table)
{
	PartitionRecord old = *partition;

	if (!name_is(&partition->schema_name, old_schema) ||
		(old_table != NULL && !name_is(&partition->table_name, old_table)))
		return;
	namestrcpy(&partition->schema_name, schema);
	if (old_table != NULL)
		namestrcpy(&partition->table_name, table);
	(void) partition_record_remove(&old);
	partition_record_add(partition);
	renamed_event(&partition->chain, old_schema, NameStr(old.table_name), schema,
				  NameStr(partition->table_name));
}

static void
follow_name(const char *old_schema, const char *old_table, const char *schema, const char *table)
{
	ListCell   *lc;

	foreach(lc, chain_records_living())
	{
		ChainRecord *record = lfirst(lc);
		List	   *partitions = partition_records(&record->id);
		ListCell   *partition;

		CHECK_FOR_INTERRUPTS();
		rename_target(record, old_schema, old_table, schema, table);
		foreach(partition, partitions)
			rename_partition(lfirst(partition), old_schema, old_table, schema, table);
	}
}

/*
 * Renamed columns
 */

static void
rename_in_layouts(const pg_uuid_t *chain, const char *old, const char *new)
{
	int			n;
	Layout	   *layouts = layouts_read(chain, &n);

	for (int i = 0; i < n; i++)
	{
		bool		changed = false;

		for (int j = 0; layouts[i].number != EVENT_LAYOUT && j < layouts[i].ncolumns; j++)
		{
			if (!name_is(&layouts[i].columns[j], old))
				continue;
			namestrcpy(&layouts[i].columns[j], new);
			changed = true;
		}
		if (changed)
			layout_write(chain, &layouts[i]);
	}
}

static void
follow_column(Oid relid, const char *old, const char *new)
{
	ChainRecord record;
	Oid			target;
	StringInfoData detail;

	if (!chain_of(relid, &target, &record))
		return;
	if (strcmp(old, LINK_COLUMN) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of chained table \"%s\" must keep its name",
						LINK_COLUMN, get_rel_name(target)),
				 errhint("End the chain with anshim.unchain() first.")));
	chain_lock(&record.id);
	rename_in_layouts(&record.id, old, new);
	initStringInfo(&detail);
	detail_string(&detail, "from", old);
	detail_string(&detail, "to", new);
	detail_event(&record.id, EVENT_COLUMN_RENAMED, &detail);
}

/*
 * Enum types, whose labels are what is hashed
 */

static bool
contains_type(Oid type, Oid wanted)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);

	if (type == wanted || base == wanted)
		return true;
	if (OidIsValid(element))
		return contains_type(element, wanted);
	if (get_typtype(base) == TYPTYPE_RANGE)
		return contains_type(get_range_subtype(base), wanted);
	if (get_typtype(base) == TYPTYPE_MULTIRANGE)
		return contains_type(get_multirange_range(base), wanted);
	return false;
}

static void
refuse_label_change(const ChainRecord *record, Oid type)
{
	int			n;
	Layout	   *layouts = layouts_read(&record->id, &n);

	for (int i = 0; i < n; i++)
		for (int j = 0; j < layouts[i].ncolumns; j++)
			if (type_exists(layouts[i].types[j]) && contains_type(layouts[i].types[j], type))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("labels of type %s must stay as they are", format_type_be(type)),
						 errdetail("The links of rows of table \"%s\" cover them, in its column \"%s\".",
								   NameStr(record->table_name), NameStr(layouts[i].columns[j])),
						 errhint("Add a label instead.")));
}

static void
follow_enum(const AlterEnumStmt *stmt)
{
	List	   *types;
	ListCell   *record;
	ListCell   *type;

	if (stmt->oldVal == NULL)
		return;
	types = command_objects(TypeRelationId);
	foreach(record, chain_records_living())
		foreach(type, types)
		refuse_label_change(lfirst(record), lfirst_oid(type));
}

/*
 * Changed tables
 */

/*
 * Triggers are switched one by one, or all at once.  Others than the named
 * ones, and those of other partitions, are left alone: while a dump is
 * restored, they may not be there yet.
 */
static void
follow_triggers(const ChainRecord *record, Oid relid, const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype >= AT_EnableTrig && cmd->subtype <= AT_DisableTrigUser)
			upkeep_guards(record, relid, cmd->name);
	}
}

/*
 * Can the command have changed columns or partitions?  Triggers, constraints
 * and the like are made anew while a dump is restored, by several sessions
 * perhaps, some of which are still filling the chain's own tables: what is
 * recorded of partitions then is not to be mended.
 */
static bool
may_change_rows(const Node *parsetree)
{
	ListCell   *lc;

	if (!IsA(parsetree, AlterTableStmt))
		return true;
	foreach(lc, ((const AlterTableStmt *) parsetree)->cmds)
	{
		AlterTableType type = lfirst_node(AlterTableCmd, lc)->subtype;

		if (type != AT_AddConstraint && type != AT_ClusterOn && type != AT_ReplicaIdentity &&
			(type < AT_EnableTrig || type > AT_DisableTrigUser))
			return true;
	}
	return false;
}

static void
follow_table(Oid relid, const Node *parsetree)
{
	ChainRecord record;
	Oid			target;
	Relation	rel;

	if (!chain_of(relid, &target, &record))
	{
		target_check_relatives(relid);
		return;
	}
	rel = relation_open(relid, AccessShareLock);
	if (relid == target)
		target_check(rel);
	else if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		target_check_leaf(rel);
	relation_close(rel, NoLock);
	if (may_change_rows(parsetree))
	{
		upkeep_layouts(&record, target);
		upkeep_partitions(&record, target);
	}
	if (IsA(parsetree, AlterTableStmt))
		follow_triggers(&record, relid, (const AlterTableStmt *) parsetree);
}

/* A trigger of the table is new, or has a new name. */
static void
follow_trigger(const RangeVar *table)
{
	Oid			relid = RangeVarGetRelid(table, NoLock, true);
	ChainRecord record;
	Oid			target;

	if (chain_of(relid, &target, &record))
		chain_trigger_warn(relid);
}

static void
follow_rename(const RenameStmt *stmt)
{
	ObjectAddress address;
	ObjectAddress secondary;

	if (stmt->renameType == OBJECT_SCHEMA)
	{
		follow_name(stmt->subname, NULL, stmt->newname, NULL);
		return;
	}
	if (stmt->renameType == OBJECT_TRIGGER)
	{
		follow_trigger(stmt->relation);
		return;
	}
	if (stmt->relation == NULL || !command_addresses(&address, &secondary) ||
		address.classId != RelationRelationId)
		return;
	if (stmt->renameType == OBJECT_COLUMN)
		follow_column(address.objectId, stmt->subname, stmt->newname);
	else if (address.objectSubId == 0 && stmt->subname == NULL)
	{
		const char *schema = get_namespace_name(get_rel_namespace(address.objectId));

		follow_name(schema, stmt->relation->relname, schema, stmt->newname);
	}
}

static void
follow_move(const AlterObjectSchemaStmt *stmt)
{
	ObjectAddress address;
	ObjectAddress secondary;
	const char *schema;
	const char *table;

	if (stmt->relation == NULL || !command_addresses(&address, &secondary) ||
		address.classId != RelationRelationId || secondary.classId != NamespaceRelationId)
		return;
	schema = get_namespace_name(secondary.objectId);
	table = get_rel_name(address.objectId);
	if (schema != NULL && table != NULL)
		follow_name(schema, table, stmt->newschema, table);
}

/* Does the command leave tables as they are, but for names of types? */
static bool
concerns_types(const char *tag)
{
	return strcmp(tag, "ALTER TYPE") == 0 || strcmp(tag, "ALTER DOMAIN") == 0 ||
		strcmp(tag, "ALTER SCHEMA") == 0 || strcmp(tag, "ALTER EXTENSION") == 0;
}

PG_FUNCTION_INFO_V1(anshim_chain_follow);
Datum
anshim_chain_follow(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = command_event(fcinfo);
	ListCell   *lc;

	if (upkeep_running() || !chain_records_exist())
		PG_RETURN_NULL();
	if (IsA(event->parsetree, CreateTrigStmt))
		follow_trigger(((const CreateTrigStmt *) event->parsetree)->relation);
	else if (IsA(event->parsetree, RenameStmt))
		follow_rename((const RenameStmt *) event->parsetree);
	else if (IsA(event->parsetree, AlterObjectSchemaStmt))
		follow_move((const AlterObjectSchemaStmt *) event->parsetree);
	else if (IsA(event->parsetree, AlterEnumStmt))
		follow_enum((const AlterEnumStmt *) event->parsetree);
	else
	{
		foreach(lc, command_objects(RelationRelationId))
			follow_table(lfirst_oid(lc), event->parsetree);
	}
	if (concerns_types(GetCommandTagName(event->tag)))
	{
		foreach(lc, chain_records_living())
			upkeep_types(lfirst(lc));
	}
	PG_RETURN_NULL();
}

/*
 * Dropped tables, columns and triggers
 */

static void
end_dropped(ChainRecord *record)
{
	StringInfoData detail;

	initStringInfo(&detail);
	detail_event(&record->id, EVENT_DROPPED, &detail);
	record->ended = true;
	record->ended_at = GetCurrentTimestamp();
	chain_record_write(record);
}

static void
forget_table(const char *schema, const char *table)
{
	ListCell   *lc;

	foreach(lc, chain_records_living())
	{
		ChainRecord *record = lfirst(lc);

		if (name_is(&record->schema_name, schema) && name_is(&record->table_name, table))
			end_dropped(record);
		else
			(void) upkeep_forget_partition(&record->id, schema, table);
	}
}

/* A column of a table that is still there: the command may not be ALTER TABLE. */
static void
check_columns(Oid relid)
{
	ChainRecord record;
	Oid			target;

	if (chain_of(relid, &target, &record))
		upkeep_layouts(&record, target);
}

static void
check_triggers(Oid relid, const char *trigger)
{
	ChainRecord record;
	Oid			target;

	if (chain_of(relid, &target, &record))
		upkeep_guards(&record, relid, trigger);
}

/* A row of what forget_dropped() asks for */
typedef struct Dropped
{
	char	   *type;
	Oid			objid;
	char	   *schema;
	char	   *name;			/* of a table, or of a trigger's table */
	char	   *trigger;
} Dropped;

static List *
dropped_objects(void)
{
	MemoryContext outside = CurrentMemoryContext;
	List	   *list = NIL;

	SPI_connect();
	SPI_execute("SELECT object_type, objid, schema_name, "
				"CASE object_type WHEN 'table' THEN object_name ELSE address_names[2] END, "
				"address_names[1], address_names[3] "
				"FROM pg_catalog.pg_event_trigger_dropped_objects() "
				"WHERE object_type OPERATOR(pg_catalog.=) ANY (ARRAY['table', 'table column'] ::pg_catalog.text[]) "
				"OR object_type OPERATOR(pg_catalog.=) 'trigger' "
				"AND address_names[3] OPERATOR(pg_catalog.=) ANY (ARRAY['"
				APPEND_TRIGGER "', '" GUARD_TRIGGER "', '" GUARD_TRUNCATE_TRIGGER "'])",
				false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	tupdesc = SPI_tuptable->tupdesc;
		MemoryContext inside = MemoryContextSwitchTo(outside);
		Dropped    *dropped = palloc0_object(Dropped);
		bool		isnull;

		dropped->type = SPI_getvalue(tuple, tupdesc, 1);
		dropped->objid = DatumGetObjectId(SPI_getbinval(tuple, tupdesc, 2, &isnull));
		dropped->schema = SPI_getvalue(tuple, tupdesc, strcmp(dropped->type, "table") == 0 ? 3 : 5);
		dropped->name = SPI_getvalue(tuple, tupdesc, 4);
		dropped->trigger = SPI_getvalue(tuple, tupdesc, 6);
		list = lappend(list, dropped);
		MemoryContextSwitchTo(inside);
	}
	SPI_finish();
	return list;
}

static Oid
relation_named(const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);

	return OidIsValid(namespace) ? get_relname_relid(name, namespace) : InvalidOid;
}

PG_FUNCTION_INFO_V1(anshim_chain_forget);
Datum
anshim_chain_forget(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	(void) command_event(fcinfo);
	if (upkeep_running() || !chain_records_exist())
		PG_RETURN_NULL();
	foreach(lc, dropped_objects())
	{
		Dropped    *dropped = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (dropped->schema == NULL || dropped->name == NULL)
			continue;
		if (strcmp(dropped->type, "table") == 0)
			forget_table(dropped->schema, dropped->name);
		else if (strcmp(dropped->type, "trigger") == 0)
			check_triggers(relation_named(dropped->schema, dropped->name), dropped->trigger);
		else
			check_columns(dropped->objid);
	}
	PG_RETURN_NULL();
}

/*
 * Changed values
 */

/* Is the command about to give a covered column of this table another type? */
static bool
changes_covered_column(const AlterTableStmt *stmt, const Layout *layout)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		for (int i = 0; cmd->subtype == AT_AlterColumnType && i < layout->ncolumns; i++)
			if (name_is(&layout->columns[i], cmd->name))
				return true;
	}
	return false;
}

PG_FUNCTION_INFO_V1(anshim_chain_refuse_rewrite);
Datum
anshim_chain_refuse_rewrite(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = command_event(fcinfo);
	ChainRecord record;
	Layout		layout;
	Oid			relid;
	Oid			target;

	if (upkeep_running() || !chain_records_exist() || !IsA(event->parsetree, AlterTableStmt))
		PG_RETURN_NULL();
	relid = DatumGetObjectId(DirectFunctionCall1(pg_event_trigger_table_rewrite_oid, (Datum) 0));
	if (!chain_of(relid, &target, &record) || !layout_read_newest(&record.id, &layout) ||
		!changes_covered_column((const AlterTableStmt *) event->parsetree, &layout) ||
		!has_rows(relid))
		PG_RETURN_NULL();
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("values in rows of chained table \"%s\" must stay as they are",
					get_rel_name(relid)),
			 errdetail("The links of the rows cover them."),
			 errhint("Add a column of the other type; or end the chain with anshim.unchain().")));
}
