/*-------------------------------------------------------------------------
 *
 * strand.c
 *	  Reading strands: their ends, and row by row
 *
 * The position index leads the way.  A row comes with the link that is stored
 * in it, which need not agree with its place in the index if somebody has
 * tampered with either; who reads has to compare.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "chain/catalog.h"
#include "chain/image.h"
#include "chain/position.h"
#include "compat.h"
#include "own/own.h"

struct StrandScan
{
	const Chain *chain;
	const ChainLeaf *leaf;
	IndexScanDesc index;
	TupleTableSlot *slot;
	RowHasher  *hasher;
	RowShape  **shapes;			/* one a layout of the chain, when needed */
	bool	   *shaped;			/* it was looked for */
	uint8		previous[LINK_HASH_LEN];
};

/*
 * Ends of strands
 */

/* The seq that the index has the row under which was got last */
static int64
indexed_seq(IndexScanDesc scan)
{
	bool		isnull;

	return DatumGetInt64(index_getattr(scan->xs_itup, 2, scan->xs_itupdesc, &isnull));
}

/* First seq and last link of the strand that the snapshot shows, if any */
static bool
read_tail(const Chain *chain, const ChainLeaf *leaf, IndexScanDesc scan,
		  TupleTableSlot *slot, StrandTail *tail)
{
	ScanKeyData keys[2];
	Link		first;

	position_keys(keys, leaf, &chain->id, tail->strand, BTEqualStrategyNumber, 0);
	index_rescan(scan, keys, 1, NULL, 0);
	if (!index_getnext_slot(scan, ForwardScanDirection, slot))
		return false;
	tail->first_seq = indexed_seq(scan);
	(void) slot_link(slot, leaf, &first);
	tail->first_layout = first.layout;

	index_rescan(scan, keys, 1, NULL, 0);
	if (!index_getnext_slot(scan, BackwardScanDirection, slot))
		return false;
	tail->last_seq = indexed_seq(scan);
	(void) slot_link(slot, leaf, &tail->last);
	return true;
}

StrandTail *
strand_tails(const Chain *chain, const ChainLeaf *leaf, Snapshot snapshot, int *n)
{
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int32		only_events[] = {EVENT_STRAND};
	int32	   *strands = only_events;
	int			nstrands = 1;
	StrandTail *tails;

	leaf_require_position(leaf);
	if (!leaf->events)
		strands = position_strands(leaf, &nstrands);
	tails = palloc0_array(StrandTail, nstrands);
	scan = index_beginscan(leaf->heap, leaf->position, snapshot, NULL, 1, 0);
	scan->xs_want_itup = true;
	slot = table_slot_create(leaf->heap, NULL);
	*n = 0;
	for (int i = 0; i < nstrands; i++)
	{
		CHECK_FOR_INTERRUPTS();
		tails[*n].strand = strands[i];
		if (read_tail(chain, leaf, scan, slot, &tails[*n]))
			(*n)++;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return tails;
}

/*
 * Row by row
 */

StrandScan *
strand_scan_begin(const Chain *chain, const ChainLeaf *leaf, Snapshot snapshot)
{
	StrandScan *scan = palloc0_object(StrandScan);

	leaf_require_position(leaf);
	scan->chain = chain;
	scan->leaf = leaf;
	scan->index = index_beginscan(leaf->heap, leaf->position, snapshot, NULL, 3, 0);
	scan->slot = table_slot_create(leaf->heap, NULL);
	scan->hasher = row_hasher_create(&chain->id);
	scan->shapes = palloc0_array(RowShape *, chain->nlayouts);
	scan->shaped = palloc0_array(bool, chain->nlayouts);
	return scan;
}

void
strand_scan_rescan(StrandScan *scan, int32 strand, int64 first_seq, int64 last_seq,
				   const uint8 previous[LINK_HASH_LEN])
{
	ScanKeyData keys[3];

	position_keys(keys, scan->leaf, &scan->chain->id, strand, BTGreaterEqualStrategyNumber,
				  first_seq);
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(last_seq));
	index_rescan(scan->index, keys, lengthof(keys), NULL, 0);
	memcpy(scan->previous, previous, LINK_HASH_LEN);
}

bool
strand_scan_next_link(StrandScan *scan, StrandRow *row)
{
	MemoryContext outside;
	bool		found;

	CHECK_FOR_INTERRUPTS();
	/* B-trees allocate what they remember of dead rows when they meet one */
	outside = MemoryContextSwitchTo(GetMemoryChunkContext(scan));
	found = index_getnext_slot(scan->index, ForwardScanDirection, scan->slot);
	MemoryContextSwitchTo(outside);
	if (!found)
		return false;
	(void) slot_link(scan->slot, scan->leaf, &row->link);
	row->slot = scan->slot;
	return true;
}

/* The shape of rows of the layout in this leaf; NULL if there is none. */
static const RowShape *
find_shape(StrandScan *scan, int32 number)
{
	const Layout *layout = chain_layout(scan->chain, number);
	int			i;

	if (layout == NULL)
		return NULL;
	i = layout - scan->chain->layouts;
	if (!scan->shaped[i])
	{
		MemoryContext outside = MemoryContextSwitchTo(GetMemoryChunkContext(scan));

		scan->shapes[i] = row_shape(RelationGetDescr(scan->leaf->heap), layout);
		scan->shaped[i] = true;
		MemoryContextSwitchTo(outside);
	}
	return scan->shapes[i];
}

bool
strand_scan_next(StrandScan *scan, StrandRow *row)
{
	const RowShape *shape;

	if (!strand_scan_next_link(scan, row))
		return false;
	shape = find_shape(scan, row->link.layout);
	if (shape == NULL)
	{
		memset(row->computed, 0, LINK_HASH_LEN);
		row->state = ROW_UNREADABLE;
	}
	else
	{
		slot_getallattrs(scan->slot);
		row_hash(scan->hasher, shape, &row->link, scan->previous, scan->slot->tts_values,
				 scan->slot->tts_isnull, row->computed);
		row->state = memcmp(row->computed, row->link.hash, LINK_HASH_LEN) == 0 ?
			ROW_INTACT : ROW_CHANGED;
	}
	memcpy(scan->previous, row->link.hash, LINK_HASH_LEN);
	return true;
}

void
strand_scan_end(StrandScan *scan)
{
	row_hasher_free(scan->hasher);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_endscan(scan->index);
	pfree(scan->shaped);
	pfree(scan->shapes);
	pfree(scan);
}

/*
 * Expired parts
 */

/* The columns of anshim.expired, in sql/42-chain.sql's order */
enum
{
	EXPIRED_CHAIN = 1,
	EXPIRED_STRAND,
	EXPIRED_LAST_SEQ,
	EXPIRED_LAST_HASH,
	EXPIRED_COLUMNS = EXPIRED_LAST_HASH
};

/* Somebody may have written to the table by hand: what is no hash is none. */
static void
read_hash(Datum value, uint8 hash[LINK_HASH_LEN])
{
	bytea	   *bytes = DatumGetByteaPP(value);

	memset(hash, 0, LINK_HASH_LEN);
	if (VARSIZE_ANY_EXHDR(bytes) == LINK_HASH_LEN)
		memcpy(hash, VARDATA_ANY(bytes), LINK_HASH_LEN);
}

bool
strand_lost(const pg_uuid_t *chain, int32 strand, int64 *last_seq,
			uint8 last_hash[LINK_HASH_LEN])
{
	Relation	table = table_open(own_relation("expired"), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&keys[0], EXPIRED_CHAIN, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(chain));
	ScanKeyInit(&keys[1], EXPIRED_STRAND, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(strand));
	scan = systable_beginscan(table, own_relation("expired_pkey"), true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		Datum		values[EXPIRED_COLUMNS];
		bool		nulls[EXPIRED_COLUMNS];

		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		*last_seq = DatumGetInt64(values[EXPIRED_LAST_SEQ - 1]);
		read_hash(values[EXPIRED_LAST_HASH - 1], last_hash);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}
