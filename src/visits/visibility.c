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

/* Pages of the visibility map that are kept pinned, a power of two. */
#define VM_SLOTS 64

/*
 * A visibility map page has two bits a heap page.  We keep many pinned, as
 * reading in the subjects' order jumps about in the heap; which slot a heap
 * page falls to only has to spread them.
 */
#define VM_SLOT(block) (((block) / ((BLCKSZ - MAXALIGN(SizeOfPageHeaderData)) * 4)) & (VM_SLOTS - 1))

struct HeapChecker
{
	Relation	heap;
	Snapshot	snapshot;
	Buffer		vm[VM_SLOTS];
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
};

HeapChecker *
heap_checker_create(Memory *memory, Relation heap, Snapshot snapshot)
{
	HeapChecker *checker = memory_alloc_zero(memory, 1, sizeof(HeapChecker));

	checker->heap = heap;
	checker->snapshot = snapshot;
	for (int i = 0; i < VM_SLOTS; i++)
		checker->vm[i] = InvalidBuffer;

	/* a no-op below SERIALIZABLE */
	PredicateLockRelation(heap, snapshot);
	return checker;
}

void
heap_checker_close(HeapChecker *checker)
{
	for (int i = 0; i < VM_SLOTS; i++)
		if (BufferIsValid(checker->vm[i]))
			ReleaseBuffer(checker->vm[i]);
	if (checker->fetch)
	{
		table_index_fetch_end(checker->fetch);
		ExecDropSingleTupleTableSlot(checker->slot);
	}
}

bool
heap_checker_sees(HeapChecker *checker, ItemPointer tid, uint64 *fetches)
{
	BlockNumber block = ItemPointerGetBlockNumber(tid);
	ItemPointerData at = *tid;
	bool		again = false;
	bool		all_dead = false;
	bool		seen;

	if (likely(VM_ALL_VISIBLE(checker->heap, block, &checker->vm[VM_SLOT(block)])))
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
