/*-------------------------------------------------------------------------
 *
 * position_page.c
 *	  The end of a strand, looked for where it was seen last
 *
 * A writer asks for the end of the same strand again and again, a transaction
 * each.  It lies on the leaf page where it was before, or right behind it, so
 * that page is looked at instead of descending from the root.  Whatever is not
 * as plain as that, a split page, a row that is not there, is left to a scan
 * of the index.
 *
 * That a page is the one that we remember is not taken on trust: it must be a
 * leaf that holds rows of the strand, and nothing of it may follow elsewhere,
 * which the key behind it on the page, or the page's high key, tells.
 *
 * Locking: the page is locked while it is read, and no longer.  The row may be
 * gone, or its place taken by another one, when it is fetched: so it must bear
 * the strand and the seq that the index says.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "chain/position.h"
#include "compat.h"

static IndexTuple
page_tuple(Page page, OffsetNumber item)
{
	return (IndexTuple) PageGetItem(page, PageGetItemId(page, item));
}

/* Nulls come last. */
static bool
is_behind(Relation index, IndexTuple tuple, int32 strand)
{
	bool		isnull;
	Datum		value = index_getattr(tuple, 1, RelationGetDescr(index), &isnull);

	return isnull || DatumGetInt32(value) > strand;
}

/* The first item behind all those of the strand; one more than the last if there is none. */
static OffsetNumber
end_of_strand(Relation index, Page page, int32 strand)
{
	OffsetNumber low = P_FIRSTDATAKEY(BTPageGetOpaque(page));
	OffsetNumber high = PageGetMaxOffsetNumber(page) + 1;

	while (low < high)
	{
		OffsetNumber middle = low + (high - low) / 2;

		if (is_behind(index, page_tuple(page, middle), strand))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* May the strand go on, on a page to the right of this one? */
static bool
may_go_on(Relation index, Page page, int32 strand)
{
	BTPageOpaque opaque = BTPageGetOpaque(page);
	IndexTuple	high_key;

	if (P_RIGHTMOST(opaque))
		return false;
	high_key = page_tuple(page, P_HIKEY);
	return BTreeTupleGetNAtts(high_key, index) < 1 || !is_behind(index, high_key, strand);
}

/* Where the strand's last row is, and its seq */
static bool
read_last(Relation index, Page page, int32 strand, int64 *seq, ItemPointer tid)
{
	BTPageOpaque opaque;
	OffsetNumber end;
	IndexTuple	tuple;
	bool		isnull;
	Datum		value;

	if (PageIsNew(page))
		return false;
	opaque = BTPageGetOpaque(page);
	if (!P_ISLEAF(opaque) || P_IGNORE(opaque))
		return false;
	end = end_of_strand(index, page, strand);
	if (end == P_FIRSTDATAKEY(opaque) ||
		(end > PageGetMaxOffsetNumber(page) && may_go_on(index, page, strand)))
		return false;
	tuple = page_tuple(page, end - 1);
	value = index_getattr(tuple, 1, RelationGetDescr(index), &isnull);
	if (DatumGetInt32(value) != strand || BTreeTupleIsPosting(tuple))
		return false;
	*seq = DatumGetInt64(index_getattr(tuple, 2, RelationGetDescr(index), &isnull));
	*tid = tuple->t_tid;
	return true;
}

static bool
fetch_link(const ChainLeaf *leaf, ItemPointer tid, Link *link)
{
	HeapTupleData tuple = {.t_self = *tid};
	Buffer		buffer;
	bool		isnull;
	Datum		value;

	if (!heap_fetch(leaf->heap, SnapshotSelf, &tuple, &buffer, false))
		return false;
	value = heap_getattr(&tuple, leaf->link_attno, RelationGetDescr(leaf->heap), &isnull);
	if (!isnull)
		memcpy(link, DatumGetLinkP(value), sizeof(Link));
	ReleaseBuffer(buffer);
	return !isnull;
}

bool
position_last_on_page(const ChainLeaf *leaf, int32 strand, BlockNumber block, Link *link)
{
	Buffer		buffer = ReadBuffer(leaf->position, block);
	int64		seq;
	ItemPointerData tid;
	bool		found;

	LockBuffer(buffer, BT_READ);
	found = read_last(leaf->position, BufferGetPage(buffer), strand, &seq, &tid);
	UnlockReleaseBuffer(buffer);
	return found && fetch_link(leaf, &tid, link) && link->strand == strand && link->seq == seq;
}
