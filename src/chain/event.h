/*-------------------------------------------------------------------------
 *
 * event.h
 *	  Events of chains, and who may change what is recorded of one
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_EVENT_H
#define ANSHIM_EVENT_H

#include "lib/stringinfo.h"

#include "chain/chain.h"

#define EVENT_CHAINED "chained"
#define EVENT_LAYOUT_ADDED "layout added"
#define EVENT_COLUMN_RENAMED "column renamed"
#define EVENT_TABLE_RENAMED "table renamed"
#define EVENT_TYPE_RENAMED "type renamed"
#define EVENT_PARTITION_ATTACHED "partition attached"
#define EVENT_PARTITION_DROPPED "partition dropped"
#define EVENT_GUARD_DISABLED "guard disabled"
#define EVENT_GUARD_ENABLED "guard enabled"
#define EVENT_EXPIRED "expired"
#define EVENT_UNCHAINED "unchained"
#define EVENT_DROPPED "dropped"

/*
 * Keep others from appending events to the chain, and from changing what is
 * recorded of it, to the end of the transaction.
 */
extern void chain_lock(const pg_uuid_t *chain);

/*
 * An event's detail, a JSON object: members are added one by one to a string
 * that is empty at first.  A member's value is a string, or JSON as it is.
 */
extern void detail_string(StringInfo detail, const char *name, const char *value);
extern void detail_json(StringInfo detail, const char *name, const char *value);
extern void detail_table(StringInfo detail, const char *schema, const char *table);

/* Append the event with this detail, and free the string. */
extern void detail_event(const pg_uuid_t *chain, const char *kind, StringInfo detail);

/*
 * Calls back for each event of the chain, in their order, with its kind and
 * detail.
 */
typedef void (*EventCallback) (const char *kind, Jsonb *detail, void *arg);

extern void events_replay(const pg_uuid_t *chain, EventCallback callback, void *arg);

#endif							/* ANSHIM_EVENT_H */
