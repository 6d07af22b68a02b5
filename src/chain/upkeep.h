/*-------------------------------------------------------------------------
 *
 * upkeep.h
 *	  Keeping what is recorded of a chain, and what makes a table append-only,
 *	  in step with the table
 *
 * Each of these looks at what is there, does what is missing, and records
 * what has changed as an event.  Where there is nothing to do, nothing is
 * written.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_UPKEEP_H
#define ANSHIM_UPKEEP_H

#include "chain/catalog.h"
#include "chain/trigger.h"

/*
 * Run a statement that returns nothing.  What it does is not followed by our
 * own event triggers: upkeep_running() tells them.
 */
extern void upkeep_run(const char *statement);
extern bool upkeep_running(void);

/*
 * Record the present columns as a layout if they are not those of the newest.
 * Refuses what would make linked rows unreadable.
 */
extern void upkeep_layouts(const ChainRecord *record, Oid target);

/* The layout and its event */
extern void upkeep_add_layout(const pg_uuid_t *chain, const Layout *layout);
extern char *layout_type_name(Oid type);

/* The index, and the trigger against TRUNCATE, of a table that holds rows. */
extern void upkeep_leaf(const ChainRecord *record, Oid relid);

/*
 * Take in partitions that are new, and forget those that are none any more.
 * What rows a new one brings along must be linked into this chain.
 */
extern void upkeep_partitions(const ChainRecord *record, Oid target);

/* Forget one, with an event; false if it is not recorded. */
extern bool upkeep_forget_partition(const pg_uuid_t *chain, const char *schema, const char *table);

/* Make the trigger if it is missing, and switch it on; all of them. */
extern void upkeep_trigger(const ChainRecord *record, Oid relid, ChainTrigger trigger);
extern void upkeep_triggers(const ChainRecord *record, Oid target);

/*
 * Record which triggers are off now, and which are on again: of the table, or
 * one of its partitions, and of the partitions of that; those of this name, or
 * all.
 */
extern void upkeep_guards(const ChainRecord *record, Oid relid, const char *trigger);

/* After a type may have got another name: record it where columns have it. */
extern void upkeep_types(const ChainRecord *record);

#endif							/* ANSHIM_UPKEEP_H */
