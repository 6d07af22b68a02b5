/*-------------------------------------------------------------------------
 *
 * structure.c
 *	  Is what keeps a chained table append-only in its place?
 *
 * On the table and on every partition there must be the append trigger and the
 * guards, ENABLE ALWAYS, and on what holds rows the position index and the
 * column of links, NOT NULL.  The event triggers that see when these change
 * must be enabled.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_event_trigger.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "audit.h"
#include "chain/target.h"
#include "chain/trigger.h"
#include "compat.h"
#include "own/own.h"

static bool
is_own_function(Oid function, const char *name)
{
	const char *called = get_func_name(function);

	return called != NULL && strcmp(called, name) == 0 &&
		get_func_namespace(function) == get_rel_namespace(own_relation("chain"));
}

/* What is wrong with a trigger in this state; NULL if nothing is. */
static const char *
guard_fault(char state)
{
	switch (state)
	{
		case TRIGGER_FIRES_ALWAYS:
			return NULL;
		case TRIGGER_DISABLED:
			return "is disabled";
		case '-':
			return "is not there, or not as it has to be";
		default:
			return "does not always fire: session_replication_role switches it off";
	}
}

static void
check_guards(Audit *audit, Relation rel, bool is_leaf)
{
	for (ChainTrigger trigger = 0; trigger < CHAIN_TRIGGERS; trigger++)
	{
		const char *fault = guard_fault(chain_trigger_state(rel, trigger, &audit->chain->id));

		/* TRUNCATE of a partitioned table is one of its partitions */
		if (fault == NULL || (trigger == TRIGGER_GUARD_TRUNCATE && !is_leaf))
			continue;
		finding(audit, FOUND_TRIGGER, NO_STRAND, NO_SEQ,
				"Trigger %s of %s %s. Calling anshim.chain() again mends it.",
				chain_trigger_names[trigger], table_sql_name(rel), fault);
	}
}

static void
check_leaf(Audit *audit, const ChainLeaf *leaf)
{
	if (leaf->link_attno == InvalidAttrNumber)
	{
		audit->blind = true;
		finding(audit, FOUND_INDEX, NO_STRAND, NO_SEQ,
				"%s has no column %s of type anshim.link: its rows cannot be verified. Restore the table from a backup.",
				finding_leaf(audit, leaf), LINK_COLUMN);
		return;
	}
	if (!attribute_not_null(RelationGetDescr(leaf->heap), leaf->link_attno))
		finding(audit, FOUND_TRIGGER, NO_STRAND, NO_SEQ,
				"Column %s of %s may be null. Calling anshim.chain() again mends it.",
				LINK_COLUMN, finding_leaf(audit, leaf));
	if (leaf->position == NULL)
	{
		audit->blind = true;
		finding(audit, FOUND_INDEX, NO_STRAND, NO_SEQ,
				"%s has no valid unique index on anshim.strand(%s), anshim.seq(%s): its rows cannot be verified. "
				"Calling anshim.chain() again makes it; then verify again.",
				finding_leaf(audit, leaf), LINK_COLUMN, LINK_COLUMN);
	}
}

/*
 * Event triggers of the extension's functions
 */
static void
check_event_triggers(Audit *audit)
{
	Relation	catalog = table_open(EventTriggerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	int			found = 0;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_event_trigger trigger = (Form_pg_event_trigger) GETSTRUCT(tuple);

		if (!is_own_function(trigger->evtfoid, "chain_follow") &&
			!is_own_function(trigger->evtfoid, "chain_forget") &&
			!is_own_function(trigger->evtfoid, "chain_refuse_rewrite"))
			continue;
		found++;
		if (trigger->evtenabled == TRIGGER_DISABLED)
			finding(audit, FOUND_TRIGGER, NO_STRAND, NO_SEQ,
					"Event trigger %s is disabled: changes of chained tables go unrecorded. ALTER EVENT TRIGGER %s ENABLE.",
					quote_identifier(NameStr(trigger->evtname)),
					quote_identifier(NameStr(trigger->evtname)));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (found < 3)
		finding(audit, FOUND_TRIGGER, NO_STRAND, NO_SEQ,
				"An event trigger of the extension is missing: changes of chained tables go unrecorded. Restore it from the extension's script.");
}

void
structure_check(Audit *audit)
{
	Relation	target = relation_open(audit->chain->target, NoLock);

	if (target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		check_guards(audit, target, false);
	relation_close(target, NoLock);
	for (int i = 0; i < audit->chain->nleaves; i++)
	{
		check_guards(audit, audit->chain->leaves[i].heap, true);
		check_leaf(audit, &audit->chain->leaves[i]);
	}
	if (audit->chain->events.position == NULL)
		audit->blind = true;
	check_event_triggers(audit);
}
