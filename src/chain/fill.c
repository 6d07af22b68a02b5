/*-------------------------------------------------------------------------
 *
 * fill.c
 *	  Linking rows that a table has already
 *
 * The table is written anew, as CLUSTER does it: so it does not grow to double
 * its size, no trigger of the user's sees an UPDATE of hers, and the rows lie
 * in the order of their links.  As with every such command, transactions with
 * a snapshot from before see an empty table afterwards.
 *
 * Locking: AccessExclusiveLock, the caller's.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/cluster.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "chain/fill.h"
#include "chain/image.h"
#include "chain/position.h"
#include "compat.h"

/* Rows in the order of the primary key, or of ctid */
typedef struct RowReader
{
	Relation	rel;
	Relation	key;			/* or NULL */
	Snapshot	snapshot;
	TableScanDesc table_scan;
	IndexScanDesc index_scan;
	TupleTableSlot *slot;
} RowReader;

Oid
fill_order(Relation rel)
{
	list_free(RelationGetIndexList(rel));
	return rel->rd_pkindex;
}

static void
reader_begin(RowReader *reader, Relation rel)
{
	Oid			key = fill_order(rel);

	reader->rel = rel;
	reader->snapshot = RegisterSnapshot(GetLatestSnapshot());
	reader->slot = table_slot_create(rel, NULL);
	reader->key = OidIsValid(key) ? index_open(key, AccessShareLock) : NULL;
	if (reader->key != NULL)
	{
		reader->index_scan = index_beginscan(rel, reader->key, reader->snapshot, NULL, 0, 0);
		index_rescan(reader->index_scan, NULL, 0, NULL, 0);
	}
	else
		reader->table_scan = table_beginscan(rel, reader->snapshot, 0, NULL);
}

static bool
reader_next(RowReader *reader)
{
	CHECK_FOR_INTERRUPTS();
	return reader->key != NULL ?
		index_getnext_slot(reader->index_scan, ForwardScanDirection, reader->slot) :
		table_scan_getnextslot(reader->table_scan, ForwardScanDirection, reader->slot);
}

static void
reader_end(RowReader *reader)
{
	if (reader->key != NULL)
	{
		index_endscan(reader->index_scan);
		index_close(reader->key, NoLock);
	}
	else
		table_endscan(reader->table_scan);
	ExecDropSingleTupleTableSlot(reader->slot);
	UnregisterSnapshot(reader->snapshot);
}

/* The row with its link, in a slot without a memory of its own */
static void
link_row(TupleTableSlot *from, TupleTableSlot *to, AttrNumber link_attno, Link *link)
{
	TupleDesc	tupdesc = to->tts_tupleDescriptor;

	ExecClearTuple(to);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		to->tts_values[i] = from->tts_values[i];
		to->tts_isnull[i] = from->tts_isnull[i] || TupleDescAttr(tupdesc, i)->attisdropped;
	}
	to->tts_values[link_attno - 1] = LinkPGetDatum(link);
	to->tts_isnull[link_attno - 1] = false;
	ExecStoreVirtualTuple(to);
}

static int64
copy_linked(Relation old, Relation new, const pg_uuid_t *chain, const Layout *layout, int32 strand)
{
	RowShape   *shape = row_shape(RelationGetDescr(old), layout);
	RowHasher  *hasher = row_hasher_create(chain);
	AttrNumber	link_attno = link_attribute(RelationGetDescr(old));
	BulkInsertState bulk = GetBulkInsertState();
	CommandId	command = GetCurrentCommandId(true);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(new), &TTSOpsVirtual);
	RowReader	reader = {0};
	Link		link = {.strand = strand,.layout = layout->number};
	uint8		previous[LINK_HASH_LEN] = {0};

	if (shape == NULL || link_attno == InvalidAttrNumber)
		elog(ERROR, "table \"%s\" has other columns than its layout", RelationGetRelationName(old));
	reader_begin(&reader, old);
	while (reader_next(&reader))
	{
		slot_getallattrs(reader.slot);
		row_settle(shape, reader.slot->tts_values, reader.slot->tts_isnull);
		link.seq++;
		row_hash(hasher, shape, &link, previous, reader.slot->tts_values, reader.slot->tts_isnull,
				 link.hash);
		memcpy(previous, link.hash, LINK_HASH_LEN);
		link_row(reader.slot, slot, link_attno, &link);
		table_tuple_insert(new, slot, command, TABLE_INSERT_SKIP_FSM, bulk);
	}
	reader_end(&reader);
	ExecDropSingleTupleTableSlot(slot);
	FreeBulkInsertState(bulk);
	table_finish_bulk_insert(new, TABLE_INSERT_SKIP_FSM);
	row_hasher_free(hasher);
	return link.seq;
}

bool
has_rows(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	return found;
}

int64
fill_links(Oid relid, const pg_uuid_t *chain, const Layout *layout, int32 strand)
{
	Relation	old = table_open(relid, NoLock);
	char		persistence = old->rd_rel->relpersistence;
	Relation	new;
	Oid			new_relid;
	int64		rows;

	CheckTableNotInUse(old, "anshim.chain");
	TransferPredicateLocksToHeapRelation(old);
	new_relid = make_new_heap(relid, old->rd_rel->reltablespace, old->rd_rel->relam, persistence,
							  AccessExclusiveLock);
	new = table_open(new_relid, NoLock);
	rows = copy_linked(old, new, chain, layout, strand);
	table_close(new, NoLock);
	table_close(old, NoLock);
	finish_heap_swap(relid, new_relid, false, false, false, true, RecentXmin,
					 ReadNextMultiXactId(), persistence);
	return rows;
}
