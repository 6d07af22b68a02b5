/*-------------------------------------------------------------------------
 *
 * count.c
 *	  Rows that the position index does not lead to
 *
 * Whoever walks the strands sees what the position indexes show: rows with
 * strands and seqs, none of which comes twice.  If the tables hold as many
 * rows under the same snapshot, these are the same rows.  If they do not, the
 * ones to whom no index leads are looked for one by one.
 *
 * Memory: that of a scan.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "audit.h"

typedef void (*HeapSink) (Audit *audit, int leaf, TupleTableSlot *slot);

/*
 * Is there a link?  In a heap's own tuples that is one bit; no need to take
 * the row apart.
 */
static bool
has_link(const ChainLeaf *leaf, TupleTableSlot *slot)
{
	if (TTS_IS_BUFFERTUPLE(slot))
		return !heap_attisnull(((HeapTupleTableSlot *) slot)->tuple, leaf->link_attno,
							   slot->tts_tupleDescriptor);
	return !slot_attisnull(slot, leaf->link_attno);
}

static uint64
scan_pages(Audit *audit, int leaf, int64 from, int64 to, HeapSink sink)
{
	const ChainLeaf *table = audit_leaf(audit, leaf);
	TupleTableSlot *slot = table_slot_create(table->heap, NULL);
	TableScanDesc scan;
	ItemPointerData first;
	ItemPointerData last;
	uint64		n = 0;

	ItemPointerSet(&first, (BlockNumber) from, 0);
	ItemPointerSet(&last, (BlockNumber) (to - 1), PG_UINT16_MAX);
	scan = table_beginscan_tidrange(table->heap, audit->snapshot, &first, &last);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (has_link(table, slot))
			n++;
		sink(audit, leaf, slot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return n;
}

static void
find_unlinked(Audit *audit, int leaf, TupleTableSlot *slot)
{
	const ChainLeaf *table = audit_leaf(audit, leaf);

	if (!has_link(table, slot))
		finding(audit, FOUND_INSERTED, NO_STRAND, NO_SEQ,
				"%s: has no link. It was inserted while the append trigger was off.",
				finding_row(audit, table, slot));
}

void
count_rows(Audit *audit, const Unit *unit)
{
	pg_atomic_fetch_add_u64(&audit->counts[unit->leaf].in_heap,
							scan_pages(audit, unit->leaf, unit->from, unit->to, find_unlinked));
}

/*
 * Does the position index lead to this very row?
 */
static void
find_unreached(Audit *audit, int leaf, TupleTableSlot *slot)
{
	const ChainLeaf *table = audit_leaf(audit, leaf);
	StrandScan *scan = audit_scan(audit, leaf);
	StrandRow	row;
	bool		isnull;
	Datum		link = slot_getattr(slot, table->link_attno, &isnull);
	const Link *place = DatumGetLinkP(link);

	if (isnull)
		return;
	strand_scan_rescan(scan, place->strand, place->seq, place->seq, link_no_hash);
	while (strand_scan_next_link(scan, &row))
	{
		if (ItemPointerEquals(&row.slot->tts_tid, &slot->tts_tid))
			return;
	}
	finding(audit, FOUND_INSERTED, place->strand, place->seq,
			"%s: the position index does not lead to it. Rebuild the index, REINDEX INDEX %s, and verify again.",
			finding_row(audit, table, slot), RelationGetRelationName(table->position));
}

void
count_compare(Audit *audit)
{
	for (int leaf = 0; leaf < audit->chain->nleaves; leaf++)
	{
		const ChainLeaf *table = audit_leaf(audit, leaf);
		uint64		in_index = pg_atomic_read_u64(&audit->counts[leaf].in_index);
		uint64		in_heap = pg_atomic_read_u64(&audit->counts[leaf].in_heap);
		int64		findings;

		/* findings enough, if the index led to what is no row of its own */
		if (table->position == NULL || in_heap <= in_index)
			continue;
		findings = audit->findings->n;
		scan_pages(audit, leaf, 0, (int64) MaxBlockNumber + 1, find_unreached);
		if (audit->findings->n == findings && !audit->patchy)
			finding(audit, FOUND_INDEX, NO_STRAND, NO_SEQ,
					"%s has " UINT64_FORMAT " rows, of which the walk through its strands has met " UINT64_FORMAT ". "
					"Rebuild the position index, REINDEX INDEX %s, and verify again.",
					finding_leaf(audit, table), in_heap, in_index,
					RelationGetRelationName(table->position));
	}
}
