/*-------------------------------------------------------------------------
 *
 * trigger.h
 *	  The triggers of chained tables
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TRIGGER_H
#define ANSHIM_TRIGGER_H

#include "utils/relcache.h"
#include "utils/reltrigger.h"
#include "utils/uuid.h"

/* Sorts after the names of most users' triggers, so it comes last. */
#define APPEND_TRIGGER "zz_anshim_append"
#define GUARD_TRIGGER "anshim_guard"	/* UPDATE and DELETE, for each row */
#define GUARD_TRUNCATE_TRIGGER "anshim_guard_truncate"

typedef enum ChainTrigger
{
	TRIGGER_APPEND,
	TRIGGER_GUARD,
	TRIGGER_GUARD_TRUNCATE
} ChainTrigger;

#define CHAIN_TRIGGERS (TRIGGER_GUARD_TRUNCATE + 1)

extern const char *const chain_trigger_names[CHAIN_TRIGGERS];

/* The chain that an append trigger's argument names; false if it names none. */
extern bool chain_of_trigger(const Trigger *trigger, pg_uuid_t *chain);

/*
 * What pg_trigger.tgenabled says of the table's trigger, 'A' being right; '-'
 * if it is not there, or does not do what it has to for this chain.
 */
extern char chain_trigger_state(Relation rel, ChainTrigger trigger, const pg_uuid_t *chain);

/* Make the trigger, in place of one of its name; or only switch it on. */
extern void chain_trigger_make(Oid relid, ChainTrigger trigger, const pg_uuid_t *chain);
extern void chain_trigger_enable(Oid relid, ChainTrigger trigger);
extern void chain_trigger_drop(Oid relid, ChainTrigger trigger);

/* Warn of triggers that could change a row after it is linked. */
extern void chain_trigger_warn(Oid relid);

#endif							/* ANSHIM_TRIGGER_H */
