/*-------------------------------------------------------------------------
 *
 * position.c
 *	  The position index of a leaf: where each link of each strand is
 *
 * Strands are found by skipping through the index, a descent each.  What leads
 * the way are the index's own keys, not the links in the rows: these may have
 * been tampered with.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/itup.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/namespace.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "chain/position.h"
#include "compat.h"
#include "own/own.h"

Oid
link_type(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("link"),
						   ObjectIdGetDatum(get_namespace_oid("anshim", true)));
}

AttrNumber
link_attribute(TupleDesc tupdesc)
{
	Oid			type = InvalidOid;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), LINK_COLUMN) != 0)
			continue;
		type = attribute->atttypid;
		return type == link_type() ? i + 1 : InvalidAttrNumber;
	}
	return InvalidAttrNumber;
}

/*
 * Finding it
 */

/* Is this anshim.NAME(link)? */
static bool
is_link_part(Node *expression, const char *name, AttrNumber link_attno)
{
	FuncExpr   *call = (FuncExpr *) expression;
	Var		   *var;
	const char *function;

	if (!IsA(expression, FuncExpr) || list_length(call->args) != 1 ||
		!IsA(linitial(call->args), Var))
		return false;
	var = linitial(call->args);
	function = get_func_name(call->funcid);
	return var->varattno == link_attno && var->vartype == link_type() &&
		function != NULL && strcmp(function, name) == 0 &&
		get_func_namespace(call->funcid) == get_rel_namespace(own_relation("chain"));
}

static bool
is_position_index(Relation index, AttrNumber link_attno)
{
	Form_pg_index form = index->rd_index;
	List	   *expressions;

	if (!form->indisunique || !form->indisvalid || !form->indisready || !form->indislive ||
		!form->indimmediate || form->indnkeyatts != 2 || form->indnatts != 2 ||
		index->rd_rel->relam != BTREE_AM_OID ||
		index->rd_opfamily[0] != INTEGER_BTREE_FAM_OID ||
		index->rd_opfamily[1] != INTEGER_BTREE_FAM_OID ||
		index->rd_indoption[0] != 0 || index->rd_indoption[1] != 0 ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	expressions = RelationGetIndexExpressions(index);
	return list_length(expressions) == 2 &&
		is_link_part(linitial(expressions), "strand", link_attno) &&
		is_link_part(lsecond(expressions), "seq", link_attno);
}

Oid
position_index(Relation heap, AttrNumber link_attno)
{
	List	   *oids = RelationGetIndexList(heap);
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, oids)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_position_index(index, link_attno))
			found = lfirst_oid(lc);
		index_close(index, NoLock);
		if (OidIsValid(found))
			break;
	}
	list_free(oids);
	return found;
}

void
leaf_open(ChainLeaf *leaf, Oid relid, LOCKMODE lockmode)
{
	Oid			index;

	leaf->heap = table_open(relid, lockmode);
	leaf->link_attno = link_attribute(RelationGetDescr(leaf->heap));
	leaf->events = relid == own_relation("event");
	if (leaf->events)
		index = own_relation("event_position");
	else
		index = position_index(leaf->heap, leaf->link_attno);
	leaf->position = OidIsValid(index) ? index_open(index, AccessShareLock) : NULL;
}

void
leaf_close(ChainLeaf *leaf, LOCKMODE lockmode)
{
	if (leaf->position != NULL)
		index_close(leaf->position, NoLock);
	table_close(leaf->heap, lockmode);
	leaf->position = leaf->heap = NULL;
}

void
leaf_require_position(const ChainLeaf *leaf)
{
	if (leaf->position != NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("chained table %s lacks its index of links", leaf_name(leaf)),
			 errdetail("It is the unique index on anshim.strand(link), anshim.seq(link)."),
			 errhint("Let the owner of the chained table call anshim.chain() for it again: that makes what is missing.")));
}

char *
leaf_name(const ChainLeaf *leaf)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(leaf->heap)),
									  RelationGetRelationName(leaf->heap));
}

/*
 * Looking in it
 */

void
position_keys(ScanKeyData keys[2], const ChainLeaf *leaf, const pg_uuid_t *chain,
			  int32 strand, StrategyNumber strategy, int64 seq)
{
	RegProcedure compare = strategy == BTEqualStrategyNumber ? F_INT8EQ :
		strategy == BTGreaterEqualStrategyNumber ? F_INT8GE : F_INT8LE;

	if (leaf->events)
		ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(chain));
	else
		ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(strand));
	ScanKeyInit(&keys[1], 2, strategy, compare, Int64GetDatum(seq));
}

bool
slot_link(TupleTableSlot *slot, const ChainLeaf *leaf, Link *link)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, leaf->link_attno, &isnull);

	if (isnull)
		memset(link, 0, sizeof(Link));
	else
		memcpy(link, DatumGetLinkP(value), sizeof(Link));
	return !isnull;
}

/* The first row in this direction that agrees with the keys, and the page of the index */
static bool
get_one(const ChainLeaf *leaf, int nkeys, ScanKeyData *keys, Snapshot snapshot,
		ScanDirection direction, Link *link, BlockNumber *block)
{
	IndexScanDesc scan = index_beginscan(leaf->heap, leaf->position, snapshot, NULL, nkeys, 0);
	TupleTableSlot *slot = table_slot_create(leaf->heap, NULL);
	bool		found;

	index_rescan(scan, keys, nkeys, NULL, 0);
	found = index_getnext_slot(scan, direction, slot) && slot_link(slot, leaf, link);
	if (block != NULL)
		*block = found ? ((BTScanOpaque) scan->opaque)->currPos.currPage : InvalidBlockNumber;
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return found;
}

bool
position_last(const ChainLeaf *leaf, const pg_uuid_t *chain, int32 strand, BlockNumber *block,
			  Link *link)
{
	ScanKeyData keys[2];

	if (block != NULL && *block != InvalidBlockNumber &&
		position_last_on_page(leaf, strand, *block, link))
		return true;
	position_keys(keys, leaf, chain, strand, BTEqualStrategyNumber, 0);
	return get_one(leaf, 1, keys, SnapshotSelf, BackwardScanDirection, link, block);
}

bool
position_get(const ChainLeaf *leaf, int32 strand, int64 seq, Snapshot snapshot, Link *link)
{
	ScanKeyData keys[2];

	position_keys(keys, leaf, NULL, strand, BTEqualStrategyNumber, seq);
	return get_one(leaf, 2, keys, snapshot, ForwardScanDirection, link, NULL);
}

bool
position_next_strand(IndexScanDesc scan, int32 *strand)
{
	ScanKeyData key;
	bool		isnull;

	CHECK_FOR_INTERRUPTS();
	ScanKeyInit(&key, 1, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(*strand));
	scan->xs_want_itup = true;
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_tid(scan, ForwardScanDirection) == NULL)
		return false;
	*strand = DatumGetInt32(index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &isnull));
	return true;
}

bool
position_has_strand(const ChainLeaf *leaf, int32 strand)
{
	IndexScanDesc scan = index_beginscan(leaf->heap, leaf->position, SnapshotAny, NULL, 1, 0);
	int32		next = strand - 1;
	bool		found = position_next_strand(scan, &next) && next == strand;

	index_endscan(scan);
	return found;
}

int32
position_highest_strand(const ChainLeaf *leaf)
{
	IndexScanDesc scan = index_beginscan(leaf->heap, leaf->position, SnapshotAny, NULL, 1, 0);
	ScanKeyData key;
	int32		strand = 0;
	bool		isnull;

	/* nulls come last, and are none */
	ScanKeyInit(&key, 1, BTLessEqualStrategyNumber, F_INT4LE, Int32GetDatum(PG_INT32_MAX));
	scan->xs_want_itup = true;
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_tid(scan, BackwardScanDirection) != NULL)
		strand = DatumGetInt32(index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &isnull));
	index_endscan(scan);
	return strand;
}

int32 *
position_strands(const ChainLeaf *leaf, int *n)
{
	IndexScanDesc scan = index_beginscan(leaf->heap, leaf->position, SnapshotAny, NULL, 1, 0);
	int			size = 8;
	int32	   *strands = palloc_array(int32, size);
	int32		strand = PG_INT32_MIN;

	*n = 0;
	while (position_next_strand(scan, &strand))
	{
		if (*n == size)
		{
			size *= 2;
			strands = repalloc_array(strands, int32, size);
		}
		strands[(*n)++] = strand;
	}
	index_endscan(scan);
	return strands;
}
