/*-------------------------------------------------------------------------
 *
 * visibility.c
 *	  Is the row that an index entry points to there for the snapshot?
 *
 * The visibility map answers for most, and the heap for the rest, as in an
 * index-only scan.  The map is read without a lock, which is safe only while
 * the index entry's leaf page is pinned, and was read under its lock before:
 * see the server's nodeIndexonlyscan.c.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"

#include "btree_page.h"

/*
 * Pages of the visibility map that are kept pinned, a power of two: reading in
 * the subjects' order jumps about in the heap.
 */
#define MAP_PAGES 64

/* A page of the visibility map has so many heap pages' bits, from its first on. */
#define HEAP_BLOCKS_PER_BYTE (BITS_PER_BYTE / BITS_PER_HEAPBLOCK)
#define HEAP_BLOCKS_PER_PAGE \
	((BLCKSZ - MAXALIGN(SizeOfPageHeaderData)) * HEAP_BLOCKS_PER_BYTE)

typedef struct MapPage
{
	Buffer		buffer;
	BlockNumber number;			/* which page of the map; if buffer is valid */
	const uint8 *bits;
} MapPage;

struct HeapChecker
{
	Relation	heap;
	Snapshot	snapshot;
	MapPage		map[MAP_PAGES];
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
};

HeapChecker *
heap_checker_create(Memory *memory, Relation heap, Snapshot snapshot)
{
	HeapChecker *checker = memory_alloc_zero(memory, 1, sizeof(HeapChecker));

	checker->heap = heap;
	checker->snapshot = snapshot;
	for (int i = 0; i < MAP_PAGES; i++)
		checker->map[i].buffer = InvalidBuffer;

	/* a no-op below SERIALIZABLE */
	PredicateLockRelation(heap, snapshot);
	return checker;
}

void
heap_checker_close(HeapChecker *checker)
{
	for (int i = 0; i < MAP_PAGES; i++)
		if (BufferIsValid(checker->map[i].buffer))
			ReleaseBuffer(checker->map[i].buffer);
	if (checker->fetch)
	{
		table_index_fetch_end(checker->fetch);
		ExecDropSingleTupleTableSlot(checker->slot);
	}
}

/*
 * VM_ALL_VISIBLE(), without a call where the map's page is the one that was
 * looked into before.
 */
static inline bool
all_visible(HeapChecker *checker, BlockNumber block)
{
	BlockNumber number = block / HEAP_BLOCKS_PER_PAGE;
	MapPage    *page = &checker->map[number % MAP_PAGES];
	uint8		bits;

	if (unlikely(page->number != number || !BufferIsValid(page->buffer)))
	{
		bits = visibilitymap_get_status(checker->heap, block, &page->buffer);
		page->number = number;
		if (BufferIsValid(page->buffer))
			page->bits = (const uint8 *) PageGetContents(BufferGetPage(page->buffer));
	}
	else
		bits = page->bits[block % HEAP_BLOCKS_PER_PAGE / HEAP_BLOCKS_PER_BYTE] >>
			block % HEAP_BLOCKS_PER_BYTE * BITS_PER_HEAPBLOCK;
	return (bits & VISIBILITYMAP_ALL_VISIBLE) != 0;
}

bool
heap_checker_sees(HeapChecker *checker, ItemPointer tid, uint64 *fetches)
{
	BlockNumber block = ItemPointerGetBlockNumber(tid);
	ItemPointerData at = *tid;
	bool		again = false;
	bool		all_dead = false;
	bool		seen;

	if (likely(all_visible(checker, block)))
		return true;

	if (checker->fetch == NULL)
	{
		checker->slot = table_slot_create(checker->heap, NULL);
		checker->fetch = table_index_fetch_begin(checker->heap);
	}
	(*fetches)++;
	seen = table_index_fetch_tuple(checker->fetch, &at, checker->snapshot,
								   checker->slot, &again, &all_dead);
	ExecClearTuple(checker->slot);
	return seen;
}
