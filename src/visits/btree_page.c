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
 *   followed; that a page was split or deleted since its parent was read is
 *   made good by moving right.  (What lies above the leaves: btree_tree.c.)
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
 * Memory: one page's rows, and for keys of varying size two pages' copies.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "btree_tuple.h"
#include "compat.h"

/* Tuples that are fetched ahead of their turn. */
#define TUPLES_AHEAD 6

/* Where a reader stands among the ranges it was asked to read. */
typedef struct ReadState
{
	const ReadRange *ranges;
	int			n;
	int			at;				/* the range being read */
	int			nrows;			/* rows found on this page */
	bool		more;			/* it goes on on the next page */
} ReadState;

static void find_places(BtreeReader *reader);
static void collect_rows(BtreeReader *reader, Page page, BlockNumber block, ReadState *state);

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
	btree_tree_open(reader);
	return reader;
}

void
btree_reader_close(BtreeReader *reader)
{
	btree_tree_close(reader);
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

void
btree_reader_read(BtreeReader *reader, const ReadRange *ranges, int n,
				  RowSink sink, void *arg)
{
	ReadState	state = {ranges, n, 0, 0, false};
	MemoryContext caller = CurrentMemoryContext;
	BlockNumber next = P_NONE;

	if (reader->root == P_NONE)
		return;
	btree_start(reader);

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
		if (state.at == reader->guessed)
			btree_look_ahead(reader, ranges, n);
		buffer = state.more ? btree_lock_page(reader, next) :
			btree_lock_first_leaf(reader, &ranges[state.at], state.at);
		page = BufferGetPage(buffer);
		if (!reader->fixed)
		{
			page = memcpy(reader->copies[reader->current], page, BLCKSZ);
			LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		}
		state.nrows = 0;
		collect_rows(reader, page, BufferGetBlockNumber(buffer), &state);
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
 * The first tuple of the page, from `low` on, at or behind the range's
 * beginning; one more than the last if there is none.
 */
static OffsetNumber
search_page(BtreeReader *reader, Page page, OffsetNumber low, OffsetNumber high,
			const ReadRange *range)
{
	while (low < high)
	{
		OffsetNumber mid = low + (high - low) / 2;

		if (compare_keys(reader, page_tuple(page, mid), range->key, range->from) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * The same, where most often the tuple is the one that was guessed.
 */
static inline OffsetNumber
find_first(BtreeReader *reader, Page page, OffsetNumber low, OffsetNumber high,
		   const ReadRange *range, OffsetNumber guess)
{
	if (guess < low || guess > high)
		return search_page(reader, page, low, high, range);
	if (guess > low &&
		compare_keys(reader, page_tuple(page, guess - 1), range->key, range->from) >= 0)
		return search_page(reader, page, low, guess - 1, range);
	if (guess < high &&
		compare_keys(reader, page_tuple(page, guess), range->key, range->from) < 0)
		return search_page(reader, page, guess + 1, high, range);
	return guess;
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
 * Collect what this leaf page holds of the ranges from state->at on, as far as
 * we have looked ahead.  Leaves state->at at the first range that has not been
 * read to its end, and state->more set if that one goes on on the next page;
 * if not, it starts elsewhere.
 */
static void
collect_rows(BtreeReader *reader, Page page, BlockNumber block, ReadState *state)
{
	BTPageOpaque opaque = BTPageGetOpaque(page);
	OffsetNumber max = PageGetMaxOffsetNumber(page);
	OffsetNumber at = P_FIRSTDATAKEY(opaque);
	bool		first = true;

	/* deleted since we read the link to it: its rows went to the right */
	state->more = P_IGNORE(opaque);
	if (state->more)
		return;

	for (; state->at < reader->guessed; state->at++, first = false)
	{
		const ReadRange *range = &state->ranges[state->at];
		const RangeAhead *ahead = range_ahead(reader, state->at);

		if (ahead->block != block && !first)
			return;				/* begins on another page */
		at = find_first(reader, page, at, max + 1, range,
						ahead->block == block ? ahead->guess : InvalidOffsetNumber);
		if (at > max && !first)
			return;				/* begins on another page */

		for (; at <= max; at++)
		{
			ItemId		item = PageGetItemId(page, at);
			IndexTuple	tuple = (IndexTuple) PageGetItem(page, item);

			if (at + TUPLES_AHEAD <= max)
				anshim_prefetch(page_tuple(page, at + TUPLES_AHEAD));
			if (compare_keys(reader, tuple, range->key, range->to) >= 0)
				break;
			if (ItemIdIsDead(item) && reader->believe_dead)
				continue;
			add_rows(reader, tuple, state);
		}
		if (at > max && !P_RIGHTMOST(opaque))
		{
			if (pivot_at_or_before(reader, page_tuple(page, P_HIKEY), range->key, range->to))
			{
				state->more = true;
				return;
			}
		}
	}
}
