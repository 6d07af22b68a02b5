/*-------------------------------------------------------------------------
 *
 * target.h
 *	  What a table must be to be chained
 *
 * Each check raises an error that says what to do instead.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TARGET_H
#define ANSHIM_TARGET_H

#include "access/tupdesc.h"
#include "utils/relcache.h"

#include "chain/chain.h"

/* The table to be chained: not what it is a partition of, nor one of those. */
extern void target_check(Relation rel);

/* Where its rows lie: itself, or a partition. */
extern void target_check_leaf(Relation leaf);

/* One that is not: it must neither inherit from a chained one nor contain it. */
extern void target_check_relatives(Oid relid);

/* Its columns: what links cover, and the column `link` if there is one. */
extern void target_check_columns(Relation rel);

/* Rows that are linked with these layouts must still be readable. */
extern void target_check_layout(Relation rel, const Layout *layout);

/* Schema-qualified and quoted, for SQL and for messages */
extern char *table_sql_name(Relation rel);

/* The table to be chained that this one is, or is a partition of, at any depth */
extern Oid	target_of(Oid relid);

#endif							/* ANSHIM_TARGET_H */
