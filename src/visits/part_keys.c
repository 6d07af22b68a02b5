/*-------------------------------------------------------------------------
 *
 * part_keys.c
 *	  Which keys a partition can hold
 *
 * A log that is partitioned by hash of venue has each venue in one partition
 * alone, so a question about a venue need not go to all servers.  What can be
 * told is what the partition's bounds, and those of its ancestors, say of the
 * one column: by hash, list or range.  Conditions in which other columns stand
 * as well are left aside.  So are those on expressions, which may fail for a
 * value that no row has.
 *
 * As PostgreSQL does, we believe the bounds of a foreign table's partition.
 *
 * Locking: the partition is locked, which keeps its bounds as they are; those of
 * a default partition change with its siblings, who lock it for that.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "part_keys.h"

struct PartKeys
{
	ExprState  *condition;
	ExprContext *context;
	int			column;			/* counted from 0 */
};

/* Is this the column itself, as another type at most? */
static bool
is_column(Node *node)
{
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var);
}

/* Does a partition's condition compute something of columns? */
static bool
has_expression(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, OpExpr))
		return !is_column(linitial(((OpExpr *) node)->args));
	if (IsA(node, ScalarArrayOpExpr))
		return !is_column(linitial(((ScalarArrayOpExpr *) node)->args));
	if (IsA(node, NullTest))
		return !is_column((Node *) ((NullTest *) node)->arg);
	if (IsA(node, FuncExpr))
	{
		ListCell   *lc;

		if (((FuncExpr *) node)->funcid != F_SATISFIES_HASH_PARTITION)
			return true;
		foreach(lc, ((FuncExpr *) node)->args)
		{
			if (!IsA(lfirst(lc), Const) && !is_column(lfirst(lc)))
				return true;
		}
		return false;
	}
	if (!IsA(node, BoolExpr) && !IsA(node, List))
		return !IsA(node, Const) && !is_column(node);
	return expression_tree_walker(node, has_expression, context);
}

/* The partition's conditions in which this column stands alone */
static List *
conditions_on(Relation part, AttrNumber attno)
{
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetPartitionQual(part))
	{
		Bitmapset  *columns = NULL;
		int			column;

		pull_varattnos(lfirst(lc), 1, &columns);
		if (bms_get_singleton_member(columns, &column) &&
			column == attno - FirstLowInvalidHeapAttributeNumber &&
			!has_expression(lfirst(lc), NULL))
			conditions = lappend(conditions, lfirst(lc));
	}
	return conditions;
}

PartKeys *
part_keys_create(Relation part, const char *column)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(part), column);
	TupleTableSlot *slot;
	PartKeys   *keys;
	List	   *conditions;

	if (!part->rd_rel->relispartition)
		return NULL;
	conditions = conditions_on(part, attno);
	if (conditions == NIL)
		return NULL;

	/* a copy, since the slot would have to give back the relation's own */
	slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(part)), &TTSOpsVirtual);
	ExecStoreAllNullTuple(slot);

	keys = palloc_object(PartKeys);
	keys->column = attno - 1;
	keys->condition = ExecInitQual((List *) expression_planner((Expr *) conditions), NULL);
	keys->context = CreateStandaloneExprContext();
	keys->context->ecxt_scantuple = slot;
	slot->tts_isnull[keys->column] = false;
	return keys;
}

bool
part_keys_allow(PartKeys *keys, Datum value)
{
	keys->context->ecxt_scantuple->tts_values[keys->column] = value;
	return ExecQualAndReset(keys->condition, keys->context);
}
