/*-------------------------------------------------------------------------
 *
 * strand_number.c
 *	  Numbers of new strands
 *
 * One sequence gives each number once to all chains of the database, so that
 * nobody waits.  But it may have been set back, by a restore of another
 * database's catalog for instance, or not have come along with a replica's
 * rows: so numbers that are in use in the chain are passed over.
 *
 * To look through all tables of the chain for each number would take time by
 * the square of the partitions that a transaction inserts into.  So the highest
 * number in use is looked for once in a transaction: the sequence's next is
 * above it, or else is looked for in each table.
 *
 * Locking: tables that somebody is changing are passed over, as a writer waits
 * for nobody.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "chain/catalog.h"
#include "chain/position.h"
#include "compat.h"

/* In this transaction: the highest number in use in the chain of that table */
static Oid	looked_through;
static int32 highest;

static void
at_transaction_event(XactEvent event, void *arg)
{
	looked_through = InvalidOid;
}

static void
register_callback(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_transaction_event, NULL);
	registered = true;
}

/* Unlike leaf_open(), this neither waits nor fails where the table is gone. */
static bool
try_leaf_open(ChainLeaf *leaf, Oid relid)
{
	Relation	rel;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return false;
	relation_close(rel, NoLock);
	leaf_open(leaf, relid, NoLock);
	return true;
}

static int32
highest_strand(Oid target)
{
	int32		result = 0;
	ListCell   *lc;

	foreach(lc, chain_leaf_oids(target, NoLock))
	{
		ChainLeaf	leaf;

		CHECK_FOR_INTERRUPTS();
		if (!try_leaf_open(&leaf, lfirst_oid(lc)))
			continue;
		if (leaf.position != NULL)
			result = Max(result, position_highest_strand(&leaf));
		leaf_close(&leaf, AccessShareLock);
	}
	return result;
}

static bool
is_in_use(Oid target, int32 strand)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, chain_leaf_oids(target, NoLock))
	{
		ChainLeaf	leaf;

		CHECK_FOR_INTERRUPTS();
		if (!try_leaf_open(&leaf, lfirst_oid(lc)))
			continue;
		found = leaf.position != NULL && position_has_strand(&leaf, strand);
		leaf_close(&leaf, AccessShareLock);
		if (found)
			break;
	}
	return found;
}

int32
unused_strand_number(Oid target)
{
	int32		strand;

	register_callback();
	if (looked_through != target)
	{
		highest = highest_strand(target);
		looked_through = target;
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		strand = next_strand_number();
	} while (strand <= highest && is_in_use(target, strand));
	return strand;
}
