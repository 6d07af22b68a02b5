/*-------------------------------------------------------------------------
 *
 * chain.c
 *	  Opening a chain: its record, its leaves and its layouts
 *
 * Locking: the leaves are locked as the caller says, in the order in which
 * PostgreSQL locks partitions.  Closing leaves all of them locked to the end
 * of the transaction.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "chain/catalog.h"
#include "chain/position.h"
#include "compat.h"
#include "own/own.h"

void
chain_refuse_unchained(Relation rel)
{
	const char *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												  RelationGetRelationName(rel));

	if (rel->rd_rel->relispartition)
	{
		List	   *ancestors = get_partition_ancestors(RelationGetRelid(rel));
		Oid			root = llast_oid(ancestors);

		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is not a chained table of its own",
						RelationGetRelationName(rel)),
				 errhint("Name the table that it is a partition of: %s.",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(root)),
													get_rel_name(root)))));
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" is not chained", RelationGetRelationName(rel)),
			 errhint("Chain it first: SELECT anshim.chain(%s);", quote_literal_cstr(name))));
}

Relation
chained_relation_open(Oid relid, LOCKMODE lockmode)
{
	Relation	rel = try_relation_open(relid, lockmode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Name the chained table, as in 'visit'::regclass.")));
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot be chained", RelationGetRelationName(rel)),
				 errdetail_relkind_not_supported(rel->rd_rel->relkind),
				 errhint("Chain the table that holds the rows.")));
	return rel;
}

bool
chain_record_of(Relation rel, ChainRecord *record)
{
	return chain_record_find(get_namespace_name(RelationGetNamespace(rel)),
							 RelationGetRelationName(rel), record);
}

List *
chain_leaf_oids(Oid target, LOCKMODE lockmode)
{
	List	   *relids = find_all_inheritors(target, lockmode, NULL);
	List	   *leaves = NIL;
	ListCell   *lc;

	foreach(lc, relids)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			leaves = lappend_oid(leaves, lfirst_oid(lc));
	}
	list_free(relids);
	return leaves;
}

Chain *
chain_open(Oid target, LOCKMODE lockmode)
{
	Relation	rel = chained_relation_open(target, lockmode);
	Chain	   *chain = palloc0_object(Chain);
	ChainRecord record;
	List	   *leaves;
	ListCell   *lc;

	if (!chain_record_of(rel, &record))
		chain_refuse_unchained(rel);
	relation_close(rel, NoLock);

	chain->id = record.id;
	chain->target = target;
	chain->origin = record.origin;
	leaf_open(&chain->events, own_relation("event"), AccessShareLock);
	leaves = chain_leaf_oids(target, lockmode);
	chain->leaves = palloc_array(ChainLeaf, list_length(leaves));
	foreach(lc, leaves)
		leaf_open(&chain->leaves[chain->nleaves++], lfirst_oid(lc), NoLock);
	chain->layouts = layouts_read(&chain->id, &chain->nlayouts);
	return chain;
}

void
chain_close(Chain *chain)
{
	for (int i = 0; i < chain->nleaves; i++)
		leaf_close(&chain->leaves[i], NoLock);
	leaf_close(&chain->events, NoLock);
}

const Layout *
chain_layout(const Chain *chain, int32 number)
{
	int			low = 0;
	int			high = chain->nlayouts;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (chain->layouts[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < chain->nlayouts && chain->layouts[low].number == number ?
		&chain->layouts[low] : NULL;
}

PG_FUNCTION_INFO_V1(anshim_count_strands);

/*
 * How many strands a chained table has, that of its events aside; NULL if it
 * is not chained, or not there.
 */
Datum
anshim_count_strands(PG_FUNCTION_ARGS)
{
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	ChainRecord record;
	List	   *leaves;
	ListCell   *lc;
	int32		count = 0;

	if (rel == NULL)
		PG_RETURN_NULL();
	if (!chain_record_of(rel, &record))
	{
		relation_close(rel, AccessShareLock);
		PG_RETURN_NULL();
	}
	leaves = chain_leaf_oids(RelationGetRelid(rel), AccessShareLock);
	foreach(lc, leaves)
	{
		ChainLeaf	leaf;
		int			n = 0;

		CHECK_FOR_INTERRUPTS();
		leaf_open(&leaf, lfirst_oid(lc), NoLock);
		if (leaf.position != NULL)
			pfree(position_strands(&leaf, &n));
		leaf_close(&leaf, NoLock);
		count += n;
	}
	relation_close(rel, NoLock);
	PG_RETURN_INT32(count);
}
