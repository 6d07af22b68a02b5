/*-------------------------------------------------------------------------
 *
 * btree_page.c
 *	  Reading a covering B-tree a leaf page at a time
 *
 * What index_beginscan() and index_getnext_tid() do a tuple at a time is done
 * here a leaf page at a time, for many sorted ranges in one pass: a trace has
 * hundreds of thousands of short ranges, for which setting up a scan each, and
 * several function calls a row, cost more than the rows themselves.
 *
 * Correctness rests on the same rules as nbtree's own scans (see the server's
 * src/backend/access/nbtree/README):
 *
 * - A page is read under a share lock, whole, and its right link as of then is
 *   followed; a page that was split or deleted since its parent was read is
 *   made good by moving right.
 *
 * - Inner pages are copied once and descended without a lock from then on.  A
 *   stale copy can only lead too far left, which moving right mends, as a
 *   descent in progress during a split would have to.  It cannot lead to a
 *   page that was recycled for another purpose, since a deleted page is kept
 *   until no snapshot is left that is older than its deletion, and the
 *   caller's active snapshot, which is older than all our copies, is held as
 *   long as they are.
 *
 * - The leaf stays pinned, though not locked, while its rows' visibility is
 *   decided: VACUUM removes no index entry of a pinned leaf, and so no row
 *   version is replaced by another under the same TID.
 *
 * - LP_DEAD marks are believed unless the transaction began in recovery.
 *
 * Under SERIALIZABLE the whole index is locked against phantoms rather than
 * each page: coarse, and never wrong.
 *
 * For keys of fixed size a leaf is read in place, under its lock, without a
 * function call.  For others the page is copied first, since comparison
 * functions may be slow, raise errors, or detoast.
 *
 * Memory: the cache of inner pages is bounded by MAX_INNER_SLOTS pages an index.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "btree_page.h"
#include "compat.h"

/* Copies of inner pages that are kept of one index, at most. */
#define MAX_INNER_SLOTS 2048

typedef struct InnerPage
{
	BlockNumber block;
	char	   *page;
} InnerPage;

/* Where a key column's value stands in an index tuple. */
typedef struct KeyPlace
{
	int			offset;			/* from the start of the data, if fixed */
	int			width;			/* 2, 4, 8 or 16 */
} KeyPlace;

struct BtreeReader
{
	Memory	   *memory;
	Relation	rel;
	TupleDesc	desc;
	const IdentType *key;
	const IdentType *other;
	AttrNumber	left_attno;

	/*
	 * Are all three keys, and so their places, of fixed size?  left_offset is
	 * valid if left_at directly follows them as well.
	 */
	bool		fixed;
	KeyPlace	key_place;
	int			start_offset;
	KeyPlace	other_place;
	int			left_offset;	/* -1: ask index_getattr() */

	bool		believe_dead;	/* LP_DEAD marks */
	BlockNumber root;			/* P_NONE: the index is empty */
	uint32		root_level;
	int			inner_slots;	/* a power of two */
	InnerPage  *inner;			/* by block number */

	char	   *copies[2];		/* leaf pages, if not fixed; the current one
								 * and that before */
	MemoryContext scratch[2];	/* values expanded from them */
	int			current;
	IndexRow   *rows;			/* MaxTIDsPerBTreePage of them */
};

/* Where a reader stands among the ranges it was asked to read. */
typedef struct ReadState
{
	const ReadRange *ranges;
	int			n;
	int			at;				/* the range being read */
	int			nrows;			/* rows found on this page */
	bool		more;			/* it goes on on the next page */
} ReadState;

static void read_root(BtreeReader *reader);
static void find_places(BtreeReader *reader);
static Page inner_page(BtreeReader *reader, BlockNumber block);
static Buffer descend(BtreeReader *reader, const ReadRange *range);
static Buffer lock_leaf(BtreeReader *reader, BlockNumber block);
static void collect_rows(BtreeReader *reader, Page page, ReadState *state);

/* ----------
 * The heap's say: visibility
 * ----------
 */

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

/* ----------
 * The index
 * ----------
 */

BtreeReader *
btree_reader_create(Memory *memory, Relation index, const IdentType *key,
					const IdentType *other, AttrNumber left_attno)
{
	BtreeReader *reader = memory_alloc_zero(memory, 1, sizeof(BtreeReader));

	reader->memory = memory;
	reader->rel = index;
	reader->desc = RelationGetDescr(index);
	reader->key = key;
	reader->other = other;
	reader->left_attno = left_attno;
	reader->believe_dead = !TransactionStartedDuringRecovery();

	/* an inner page has well over a hundred children, a good one 200 */
	reader->inner_slots = pg_nextpower2_32(RelationGetNumberOfBlocks(index) / 64 + 16);
	reader->inner_slots = Min(reader->inner_slots, MAX_INNER_SLOTS);
	reader->inner = memory_alloc_zero(memory, reader->inner_slots, sizeof(InnerPage));
	reader->rows = memory_alloc(memory, MaxTIDsPerBTreePage, sizeof(IndexRow));
	find_places(reader);
	if (!reader->fixed)
		for (int i = 0; i < 2; i++)
		{
			reader->copies[i] = memory_alloc(memory, 1, BLCKSZ);
			reader->scratch[i] = AllocSetContextCreate(memory->context,
													   "anshim leaf page",
													   ALLOCSET_DEFAULT_SIZES);
		}

	/* a no-op below SERIALIZABLE */
	PredicateLockRelation(index, GetActiveSnapshot());
	read_root(reader);
	return reader;
}

void
btree_reader_close(BtreeReader *reader)
{
	for (int i = 0; i < reader->inner_slots; i++)
		memory_free(reader->memory, reader->inner[i].page, 1, BLCKSZ);
	memory_free(reader->memory, reader->inner, reader->inner_slots, sizeof(InnerPage));
	memory_free(reader->memory, reader->rows, MaxTIDsPerBTreePage, sizeof(IndexRow));
	if (!reader->fixed)
		for (int i = 0; i < 2; i++)
		{
			memory_free(reader->memory, reader->copies[i], 1, BLCKSZ);
			MemoryContextDelete(reader->scratch[i]);
		}
	memory_free(reader->memory, reader, 1, sizeof(BtreeReader));
}

/*
 * Note where the tree begins, from the metapage.  The fast root serves: what
 * lies above it has one child each.
 */
static void
read_root(BtreeReader *reader)
{
	Buffer		buffer = ReadBuffer(reader->rel, BTREE_METAPAGE);
	BTMetaPageData *meta;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	_bt_checkpage(reader->rel, buffer);
	meta = BTPageGetMeta(BufferGetPage(buffer));
	if (meta->btm_magic != BTREE_MAGIC || meta->btm_version < BTREE_NOVAC_VERSION ||
		meta->btm_version > BTREE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has an unexpected B-tree version",
						RelationGetRelationName(reader->rel)),
				 errhint("Rebuild it with REINDEX.")));
	reader->root = meta->btm_fastroot;
	reader->root_level = meta->btm_fastlevel;
	UnlockReleaseBuffer(buffer);
}

/*
 * The width that an identifier of this type takes in an index tuple, if it is
 * read without a function call; else 0.
 */
static int
fixed_width(const IdentType *type)
{
	return type->class == IDENT_FIXED ? type->typlen : 0;
}

/*
 * Compute where the key columns stand in every tuple that has no null in
 * them; that is known only if all of them are of fixed size.
 */
static void
find_places(BtreeReader *reader)
{
	int			at = 0;

	reader->left_offset = -1;
	reader->key_place.width = fixed_width(reader->key);
	reader->other_place.width = fixed_width(reader->other);
	reader->fixed = reader->key_place.width > 0 && reader->other_place.width > 0;
	if (!reader->fixed)
		return;

	reader->key_place.offset = at;
	at += reader->key_place.width;
	reader->start_offset = at = att_align_nominal(at, TYPALIGN_DOUBLE);
	at += sizeof(TimestampTz);
	reader->other_place.offset = at = att_align_nominal(at, reader->other->typalign);
	at += reader->other_place.width;
	if (reader->left_attno == 4)
		reader->left_offset = att_align_nominal(at, TYPALIGN_DOUBLE);
}

static inline Ident
load_fixed(const KeyPlace *place, const char *data)
{
	Ident		ident = {0, 0};

	data += place->offset;
	switch (place->width)
	{
		case 8:
			ident.hi = (uint64) *(const int64 *) data ^ UINT64CONST(0x8000000000000000);
			break;
		case 16:
			memcpy(&ident, data, 16);
			ident.hi = pg_ntoh64(ident.hi);
			ident.lo = pg_ntoh64(ident.lo);
			break;
		case 4:
			ident.hi = (uint64) (int64) *(const int32 *) data ^ UINT64CONST(0x8000000000000000);
			break;
		default:
			Assert(place->width == 2);
			ident.hi = (uint64) (int64) *(const int16 *) data ^ UINT64CONST(0x8000000000000000);
			break;
	}
	return ident;
}

static inline const char *
tuple_data(IndexTuple tuple)
{
	return (const char *) tuple + IndexInfoFindDataOffset(tuple->t_info);
}

/* Is key column attno null?  Only tuples with a null bitmap are asked. */
static inline bool
tuple_null(IndexTuple tuple, int attno)
{
	return IndexTupleHasNulls(tuple) &&
		att_isnull(attno - 1, (bits8 *) ((char *) tuple + sizeof(IndexTupleData)));
}

/* The tuple's entered_at. */
static inline int64
tuple_start(BtreeReader *reader, IndexTuple tuple)
{
	bool		isnull;

	if (likely(reader->fixed))
		return *(const int64 *) (tuple_data(tuple) + reader->start_offset);
	return DatumGetInt64(index_getattr(tuple, 2, reader->desc, &isnull));
}

/*
 * Compare the tuple's first key column with key.  Nulls sort last, after
 * everything that we look for.
 */
static inline int
compare_key(BtreeReader *reader, IndexTuple tuple, Ident key)
{
	bool		isnull;

	if (tuple_null(tuple, 1))
		return 1;
	if (likely(reader->fixed))
		return ident_compare(reader->key,
							 load_fixed(&reader->key_place, tuple_data(tuple)), key);
	return ident_compare_datum(reader->key,
							   index_getattr(tuple, 1, reader->desc, &isnull), key);
}

/*
 * Compare a tuple that has its first two key columns with (key, start).
 */
static inline int
compare_keys(BtreeReader *reader, IndexTuple tuple, Ident key, int64 start)
{
	int			cmp = compare_key(reader, tuple, key);
	int64		its_start;

	if (cmp != 0)
		return cmp;
	its_start = tuple_start(reader, tuple);
	return its_start < start ? -1 : its_start > start;
}

/*
 * Is everything at or behind this pivot at or behind (key, start)?  A pivot
 * bounds what is to its right from below; columns that were truncated from it
 * count as minus infinity.  When in doubt the answer is no, and we land on a
 * page too far to the left, never to the right.
 */
static inline bool
pivot_at_or_before(BtreeReader *reader, IndexTuple pivot, Ident key, int64 start)
{
	int			natts = BTreeTupleGetNAtts(pivot, reader->rel);
	int			cmp;

	switch (natts)
	{
		case 0:
			return true;
		case 1:
			return compare_key(reader, pivot, key) <= 0;
		default:
			cmp = compare_keys(reader, pivot, key, start);
			return cmp < 0 || (cmp == 0 && natts == 2);
	}
}

/* Does (key, start) belong behind this page? */
static inline bool
beyond_page(BtreeReader *reader, Page page, Ident key, int64 start)
{
	BTPageOpaque opaque = BTPageGetOpaque(page);

	if (P_IGNORE(opaque))
		return true;
	return !P_RIGHTMOST(opaque) &&
		pivot_at_or_before(reader,
						   (IndexTuple) PageGetItem(page, PageGetItemId(page, P_HIKEY)),
						   key, start);
}

/*
 * Our copy of an inner page, made if there is none.
 */
static Page
inner_page(BtreeReader *reader, BlockNumber block)
{
	InnerPage  *slot = &reader->inner[block & (reader->inner_slots - 1)];

	if (slot->page == NULL || slot->block != block)
	{
		Buffer		buffer = ReadBuffer(reader->rel, block);

		if (slot->page == NULL)
			slot->page = memory_alloc(reader->memory, 1, BLCKSZ);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		_bt_checkpage(reader->rel, buffer);
		memcpy(slot->page, BufferGetPage(buffer), BLCKSZ);
		slot->block = block;
		UnlockReleaseBuffer(buffer);
	}
	return slot->page;
}

/*
 * The child of this inner page that (key, start) belongs to.
 */
static BlockNumber
choose_child(BtreeReader *reader, Page page, Ident key, int64 start)
{
	BTPageOpaque opaque = BTPageGetOpaque(page);
	OffsetNumber low = P_FIRSTDATAKEY(opaque);
	OffsetNumber high = PageGetMaxOffsetNumber(page);

	/* the first item counts as minus infinity; find the last that does not exceed */
	while (low < high)
	{
		OffsetNumber mid = low + (high - low + 1) / 2;
		IndexTuple	pivot = (IndexTuple) PageGetItem(page, PageGetItemId(page, mid));

		if (pivot_at_or_before(reader, pivot, key, start))
			low = mid;
		else
			high = mid - 1;
	}
	return BTreeTupleGetDownLink((IndexTuple) PageGetItem(page, PageGetItemId(page, low)));
}

/*
 * The leaf page, pinned and share-locked, on which the range's first row is
 * or would be.
 */
static Buffer
descend(BtreeReader *reader, const ReadRange *range)
{
	BlockNumber block = reader->root;
	uint32		level = reader->root_level;

	while (level > 0)
	{
		Page		page = inner_page(reader, block);

		if (beyond_page(reader, page, range->key, range->from))
			block = BTPageGetOpaque(page)->btpo_next;
		else
		{
			block = choose_child(reader, page, range->key, range->from);
			level--;
		}
	}
	for (;;)
	{
		Buffer		buffer = lock_leaf(reader, block);
		Page		page = BufferGetPage(buffer);

		if (!beyond_page(reader, page, range->key, range->from))
			return buffer;
		block = BTPageGetOpaque(page)->btpo_next;
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
}

static Buffer
lock_leaf(BtreeReader *reader, BlockNumber block)
{
	Buffer		buffer = ReadBuffer(reader->rel, block);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	_bt_checkpage(reader->rel, buffer);
	return buffer;
}

void
btree_reader_read(BtreeReader *reader, const ReadRange *ranges, int n,
				  RowSink sink, void *arg)
{
	ReadState	state = {ranges, n, 0, 0, false};
	MemoryContext caller = CurrentMemoryContext;
	BlockNumber next = P_NONE;

	if (reader->root == P_NONE)
		return;

	while (state.at < n)
	{
		Buffer		buffer;
		Page		page;

		CHECK_FOR_INTERRUPTS();
		if (!reader->fixed)
		{
			/* what the sink holds back of the page before stays valid */
			reader->current = 1 - reader->current;
			MemoryContextReset(reader->scratch[reader->current]);
			MemoryContextSwitchTo(reader->scratch[reader->current]);
		}
		buffer = state.more ? lock_leaf(reader, next) : descend(reader, &ranges[state.at]);
		page = BufferGetPage(buffer);
		if (!reader->fixed)
		{
			page = memcpy(reader->copies[reader->current], page, BLCKSZ);
			LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		}
		state.nrows = 0;
		collect_rows(reader, page, &state);
		next = BTPageGetOpaque(page)->btpo_next;
		if (reader->fixed)
			LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		MemoryContextSwitchTo(caller);

		if (state.nrows > 0)
			sink(arg, reader->rows, state.nrows);
		else if (!reader->fixed)
			reader->current = 1 - reader->current;
		ReleaseBuffer(buffer);
	}
}

/*
 * The first tuple at or behind (key, start) on this page, from `low` on; one
 * more than the last if there is none.
 */
static OffsetNumber
first_at_or_after(BtreeReader *reader, Page page, OffsetNumber low, OffsetNumber max,
				  Ident key, int64 start)
{
	OffsetNumber high = max + 1;

	while (low < high)
	{
		OffsetNumber mid = low + (high - low) / 2;
		IndexTuple	tuple = (IndexTuple) PageGetItem(page, PageGetItemId(page, mid));

		if (compare_keys(reader, tuple, key, start) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * Add the tuple's row, or rows if it stands for several of equal key.
 */
static inline void
add_rows(BtreeReader *reader, IndexTuple tuple, ReadState *state)
{
	IndexRow   *row = &reader->rows[state->nrows];

	/* a subject or venue that is not known is nobody's contact */
	if (tuple_null(tuple, 3))
		return;

	row->start = tuple_start(reader, tuple);
	row->range = state->at;
	if (likely(reader->fixed))
		row->other = load_fixed(&reader->other_place, tuple_data(tuple));
	else
	{
		bool		isnull;

		row->other = ident_from_datum(reader->other,
									  index_getattr(tuple, 3, reader->desc, &isnull));
	}

	if (tuple_null(tuple, reader->left_attno))
		row->left = NO_LEFT;
	else if (reader->left_offset >= 0)
		row->left = *(const int64 *) (tuple_data(tuple) + reader->left_offset);
	else
	{
		bool		isnull;

		row->left = DatumGetInt64(index_getattr(tuple, reader->left_attno,
												reader->desc, &isnull));
	}

	if (unlikely(BTreeTupleIsPosting(tuple)))
	{
		int			n = BTreeTupleGetNPosting(tuple);

		for (int i = 0; i < n; i++)
		{
			reader->rows[state->nrows] = *row;
			reader->rows[state->nrows++].tid = *BTreeTupleGetPostingN(tuple, i);
		}
	}
	else
	{
		row->tid = tuple->t_tid;
		state->nrows++;
	}
}

/*
 * Collect what this leaf page holds of the ranges from state->at on.  Leaves
 * state->at at the first range that has not been read to its end, and
 * state->more set if that one goes on on the next page; if not, it starts
 * elsewhere.
 */
static void
collect_rows(BtreeReader *reader, Page page, ReadState *state)
{
	BTPageOpaque opaque = BTPageGetOpaque(page);
	OffsetNumber max = PageGetMaxOffsetNumber(page);
	OffsetNumber at = P_FIRSTDATAKEY(opaque);
	bool		first = true;

	/* deleted since we read the link to it: its rows went to the right */
	state->more = P_IGNORE(opaque);
	if (state->more)
		return;

	for (; state->at < state->n; state->at++, first = false)
	{
		const ReadRange *range = &state->ranges[state->at];

		at = first_at_or_after(reader, page, at, max, range->key, range->from);
		if (at > max && !first)
			return;				/* begins on another page */

		for (; at <= max; at++)
		{
			ItemId		item = PageGetItemId(page, at);
			IndexTuple	tuple = (IndexTuple) PageGetItem(page, item);

			if (compare_keys(reader, tuple, range->key, range->to) >= 0)
				break;
			if (ItemIdIsDead(item) && reader->believe_dead)
				continue;
			add_rows(reader, tuple, state);
		}
		if (at > max && !P_RIGHTMOST(opaque))
		{
			IndexTuple	high = (IndexTuple) PageGetItem(page, PageGetItemId(page, P_HIKEY));

			if (pivot_at_or_before(reader, high, range->key, range->to))
			{
				state->more = true;
				return;
			}
		}
	}
}
