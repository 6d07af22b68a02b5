/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  Which of a chained table's triggers are off, and which types' names have
 *	  changed: told by comparing what is there with what events say
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "chain/event.h"
#include "chain/image.h"
#include "chain/upkeep.h"
#include "compat.h"

static char *
json_text(JsonbContainer *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, name, strlen(name), NULL);

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/*
 * Triggers
 */

/* What is known of one trigger: as it is, and as events have it. */
typedef struct Guard
{
	const char *schema;
	const char *table;
	const char *trigger;
	char		state;
	char		recorded;
} Guard;

static void
add_guard(List **guards, const ChainRecord *record, Oid relid, ChainTrigger trigger)
{
	Guard	   *guard = palloc_object(Guard);
	Relation	rel = table_open(relid, NoLock);

	guard->schema = get_namespace_name(RelationGetNamespace(rel));
	guard->table = pstrdup(RelationGetRelationName(rel));
	guard->trigger = chain_trigger_names[trigger];
	guard->state = chain_trigger_state(rel, trigger, &record->id);
	guard->recorded = TRIGGER_FIRES_ALWAYS;
	*guards = lappend(*guards, guard);
	table_close(rel, NoLock);
}

/* Those of the table and its partitions */
static List *
present_guards(const ChainRecord *record, Oid relid)
{
	List	   *guards = NIL;
	ListCell   *lc;

	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE && !get_rel_relispartition(relid))
	{
		add_guard(&guards, record, relid, TRIGGER_APPEND);
		add_guard(&guards, record, relid, TRIGGER_GUARD);
	}
	foreach(lc, chain_leaf_oids(relid, AccessShareLock))
	{
		CHECK_FOR_INTERRUPTS();
		for (int trigger = 0; trigger < CHAIN_TRIGGERS; trigger++)
			add_guard(&guards, record, lfirst_oid(lc), trigger);
	}
	return guards;
}

static void
recall_guard(const char *kind, Jsonb *detail, void *arg)
{
	char	   *schema;
	char	   *table;
	char	   *trigger;
	char	   *state;
	ListCell   *lc;

	if (strcmp(kind, EVENT_GUARD_DISABLED) != 0 && strcmp(kind, EVENT_GUARD_ENABLED) != 0)
		return;
	schema = json_text(&detail->root, "schema");
	table = json_text(&detail->root, "table");
	trigger = json_text(&detail->root, "trigger");
	state = json_text(&detail->root, "state");
	if (schema == NULL || table == NULL || trigger == NULL || state == NULL)
		return;
	foreach(lc, (List *) arg)
	{
		Guard	   *guard = lfirst(lc);

		if (strcmp(guard->trigger, trigger) == 0 && strcmp(guard->table, table) == 0 &&
			strcmp(guard->schema, schema) == 0)
			guard->recorded = state[0];
	}
}

void
upkeep_guards(const ChainRecord *record, Oid relid, const char *trigger)
{
	List	   *guards = present_guards(record, relid);
	ListCell   *lc;

	events_replay(&record->id, recall_guard, guards);
	foreach(lc, guards)
	{
		Guard	   *guard = lfirst(lc);
		char		state[2] = {guard->state, '\0'};
		StringInfoData detail;

		if (guard->state == guard->recorded ||
			(trigger != NULL && strcmp(guard->trigger, trigger) != 0))
			continue;
		initStringInfo(&detail);
		detail_table(&detail, guard->schema, guard->table);
		detail_string(&detail, "trigger", guard->trigger);
		detail_string(&detail, "state", state);
		detail_event(&record->id, guard->state == TRIGGER_FIRES_ALWAYS ? EVENT_GUARD_ENABLED :
					 EVENT_GUARD_DISABLED, &detail);
	}
}

/*
 * Types of columns
 */

/* A layout's types as events name them */
typedef struct NamedTypes
{
	int32		layout;
	List	   *names;			/* of char * */
} NamedTypes;

static void
recall_layout(Jsonb *detail, List **layouts)
{
	JsonbValue *number = getKeyJsonValueFromContainer(&detail->root, "layout", 6, NULL);
	JsonbValue *columns = getKeyJsonValueFromContainer(&detail->root, "columns", 7, NULL);
	NamedTypes *types = palloc0_object(NamedTypes);

	if (number == NULL || number->type != jbvNumeric ||
		columns == NULL || columns->type != jbvBinary)
		return;
	types->layout = DatumGetInt32(DirectFunctionCall1(numeric_int4,
													  NumericGetDatum(number->val.numeric)));
	for (uint32 i = 0; i < JsonContainerSize(columns->val.binary.data); i++)
	{
		JsonbValue *column = getIthJsonbValueFromContainer(columns->val.binary.data, i);

		types->names = lappend(types->names, column != NULL && column->type == jbvBinary ?
							   json_text(column->val.binary.data, "type") : NULL);
	}
	*layouts = lappend(*layouts, types);
}

static void
rename_types(List *layouts, const char *from, const char *to)
{
	ListCell   *lc;
	ListCell   *name;

	foreach(lc, layouts)
		foreach(name, ((NamedTypes *) lfirst(lc))->names)
		if (lfirst(name) != NULL && strcmp(lfirst(name), from) == 0)
		lfirst(name) = unconstify(char *, to);
}

static void
recall_types(const char *kind, Jsonb *detail, void *arg)
{
	List	  **layouts = arg;

	if (strcmp(kind, EVENT_LAYOUT_ADDED) == 0)
		recall_layout(detail, layouts);
	else if (strcmp(kind, EVENT_TYPE_RENAMED) == 0)
	{
		char	   *from = json_text(&detail->root, "from");
		char	   *to = json_text(&detail->root, "to");

		if (from != NULL && to != NULL)
			rename_types(*layouts, from, to);
	}
}

/* Where the layout's types have other names than those: one event a name. */
static void
compare_types(const pg_uuid_t *chain, const Layout *layout, const NamedTypes *types, List *all)
{
	for (int i = 0; i < layout->ncolumns && i < list_length(types->names); i++)
	{
		const char *from = list_nth(types->names, i);
		char	   *to = layout_type_name(layout->types[i]);
		StringInfoData detail;

		if (from == NULL || !type_exists(layout->types[i]) ||
			strcmp(from, to) == 0)
			continue;
		initStringInfo(&detail);
		detail_string(&detail, "from", from);
		detail_string(&detail, "to", to);
		detail_event(chain, EVENT_TYPE_RENAMED, &detail);
		rename_types(all, from, to);
	}
}

void
upkeep_types(const ChainRecord *record)
{
	List	   *recorded = NIL;
	int			n;
	Layout	   *layouts = layouts_read(&record->id, &n);
	ListCell   *lc;

	events_replay(&record->id, recall_types, &recorded);
	foreach(lc, recorded)
	{
		NamedTypes *types = lfirst(lc);

		for (int i = 0; i < n; i++)
			if (layouts[i].number == types->layout)
				compare_types(&record->id, &layouts[i], types, recorded);
	}
}
