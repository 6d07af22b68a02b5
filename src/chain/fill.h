/*-------------------------------------------------------------------------
 *
 * fill.h
 *	  Linking rows that a table has already
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_FILL_H
#define ANSHIM_FILL_H

#include "chain/chain.h"

/*
 * Links all rows of the leaf into a strand of this number, in the order of its
 * primary key, or of ctid, and returns how many there were.  The table is
 * written anew, which needs AccessExclusiveLock on it; it has the column
 * `link`, and no position index.
 */
extern int64 fill_links(Oid relid, const pg_uuid_t *chain, const Layout *layout, int32 strand);

/* The primary key's index, whose order that is; InvalidOid for ctid. */
extern Oid	fill_order(Relation rel);

/* Has the leaf any row? */
extern bool has_rows(Oid relid);

#endif							/* ANSHIM_FILL_H */
