/*-------------------------------------------------------------------------
 *
 * btree_tree.c
 *	  The part of a B-tree above its leaves: which leaf to read
 *
 * Inner pages are copied once and searched without a lock from then on.  A
 * stale copy can only lead too far left, which moving right on the leaves
 * mends, as a descent in progress during a split would have to.  It cannot
 * lead to a page that was recycled for another purpose, since a deleted page
 * is kept until no snapshot is left that is older than its deletion, and the
 * caller's active snapshot, which is older than all our copies, is held as
 * long as they are.
 *
 * Since ranges are sorted, the search goes on from where the last one ended;
 * and since the inner pages are at hand, the leaves that will be read next are
 * known ahead: they are asked for early, from the disk if need be, else from
 * main memory, whose latency would otherwise be most of the cost of a short
 * range.  What was found ahead is a hint and nothing more.
 *
 * Memory: the copies are bounded by MAX_INNER_SLOTS pages an index.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/rel.h"

#include "btree_tuple.h"
#include "compat.h"

/* Copies of inner pages that are kept of one index, at most. */
#define MAX_INNER_SLOTS 2048

/* What of a leaf is fetched ahead: every so many bytes of it. */
#define PREFETCH_STEP 64

static Page inner_page(BtreeReader *reader, BlockNumber block);
static OffsetNumber choose_item(BtreeReader *reader, Page page, OffsetNumber low,
								Ident key, int64 start);
static Page find_level_1(BtreeReader *reader, Ident key, int64 start);
static BlockNumber find_leaf(BtreeReader *reader, Ident key, int64 start,
							 IndexTuple *bound);

/*
 * Note where the tree begins, from the metapage.  The fast root serves: what
 * lies above it has one child each.
 */
void
btree_tree_open(BtreeReader *reader)
{
	Buffer		buffer = btree_lock_leaf(reader, BTREE_METAPAGE);
	BTMetaPageData *meta = BTPageGetMeta(BufferGetPage(buffer));

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

	/* an inner page has well over a hundred children, a good one 200 */
	reader->inner_slots = pg_nextpower2_32(RelationGetNumberOfBlocks(reader->rel) / 64 + 16);
	reader->inner_slots = Min(reader->inner_slots, MAX_INNER_SLOTS);
	reader->inner = memory_alloc_zero(reader->memory, reader->inner_slots, sizeof(InnerPage));
}

void
btree_tree_close(BtreeReader *reader)
{
	for (int i = 0; i < reader->inner_slots; i++)
		memory_free(reader->memory, reader->inner[i].page, 1, BLCKSZ);
	memory_free(reader->memory, reader->inner, reader->inner_slots, sizeof(InnerPage));
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
		Buffer		buffer = btree_lock_leaf(reader, block);

		if (slot->page == NULL)
			slot->page = memory_alloc(reader->memory, 1, BLCKSZ);
		memcpy(slot->page, BufferGetPage(buffer), BLCKSZ);
		slot->block = block;
		UnlockReleaseBuffer(buffer);
	}
	return slot->page;
}

/*
 * The last item of an inner page, from `low` on, that is at or before (key,
 * start), where `low` is known to be.  The page's first item counts as minus
 * infinity.  Near ones are tried first.
 */
static OffsetNumber
choose_item(BtreeReader *reader, Page page, OffsetNumber low, Ident key, int64 start)
{
	OffsetNumber high = PageGetMaxOffsetNumber(page);
	OffsetNumber step = 1;

	while (low + step < high &&
		   pivot_at_or_before(reader, page_tuple(page, low + step), key, start))
	{
		low += step;
		step *= 2;
	}
	high = Min(high, low + step);
	while (low < high)
	{
		OffsetNumber mid = low + (high - low + 1) / 2;

		if (pivot_at_or_before(reader, page_tuple(page, mid), key, start))
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/*
 * The page above the leaves that (key, start) belongs to.
 */
static Page
find_level_1(BtreeReader *reader, Ident key, int64 start)
{
	BlockNumber block = reader->root;
	uint32		level = reader->root_level;

	for (;;)
	{
		Page		page = inner_page(reader, block);

		if (beyond_page(reader, page, key, start))
			block = BTPageGetOpaque(page)->btpo_next;
		else if (level == 1)
		{
			reader->finger = block;
			reader->finger_item = P_FIRSTDATAKEY(BTPageGetOpaque(page));
			return page;
		}
		else
		{
			OffsetNumber first = P_FIRSTDATAKEY(BTPageGetOpaque(page));

			block = BTreeTupleGetDownLink(page_tuple(page, choose_item(reader, page, first,
																	   key, start)));
			level--;
		}
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The leaf that (key, start) belongs to, as far as our copies of the inner
 * pages know; *bound is the pivot behind all that it holds, or NULL if there
 * is none.
 */
static BlockNumber
find_leaf(BtreeReader *reader, Ident key, int64 start, IndexTuple *bound)
{
	Page		page;
	OffsetNumber first;

	*bound = NULL;
	if (reader->root_level == 0)
		return reader->root;

	page = reader->finger == P_NONE ? NULL : inner_page(reader, reader->finger);
	if (page == NULL || beyond_page(reader, page, key, start))
		page = find_level_1(reader, key, start);

	/* the page may have been copied anew, and be another than it was */
	first = P_FIRSTDATAKEY(BTPageGetOpaque(page));
	if (reader->finger_item > PageGetMaxOffsetNumber(page) ||
		!pivot_at_or_before(reader, page_tuple(page, reader->finger_item), key, start))
		reader->finger_item = first;
	reader->finger_item = choose_item(reader, page, reader->finger_item, key, start);
	if (reader->finger_item < PageGetMaxOffsetNumber(page))
		*bound = page_tuple(page, reader->finger_item + 1);
	else if (!P_RIGHTMOST(BTPageGetOpaque(page)))
		*bound = page_tuple(page, P_HIKEY);
	return BTreeTupleGetDownLink(page_tuple(page, reader->finger_item));
}

/*
 * Sorted ranges are about to be read.
 */
void
btree_start(BtreeReader *reader)
{
	reader->finger = P_NONE;
	reader->first_ahead = reader->nahead = 0;
	reader->next_range = 0;
}

/*
 * Look for the leaves that ranges[0..n-1] will need next.
 */
void
btree_look_ahead(BtreeReader *reader, const ReadRange *ranges, int n)
{
	while (reader->nahead < LEAVES_AHEAD && reader->next_range < n)
	{
		const ReadRange *range = &ranges[reader->next_range];
		LeafAhead  *leaf = &reader->ahead[(reader->first_ahead + reader->nahead++) %
										  LEAVES_AHEAD];
		IndexTuple	bound;

		leaf->range = reader->next_range;
		btree_prefetch_leaf(reader, find_leaf(reader, range->key, range->from, &bound), leaf);

		/* the ranges that begin on the same leaf */
		do
			reader->next_range++;
		while (reader->next_range < n &&
			   (bound == NULL ||
				!pivot_at_or_before(reader, bound, ranges[reader->next_range].key,
									ranges[reader->next_range].from)));
	}
}

/*
 * Let a leaf come nearer: into shared buffers, or, if it is there, the lines
 * that every look at it needs into the processor's cache.  The page is not
 * pinned, so it may be another one by now; nothing is read from it.
 */
void
btree_prefetch_leaf(BtreeReader *reader, BlockNumber block, LeafAhead *leaf)
{
	leaf->block = block;
	leaf->recent = PrefetchBuffer(reader->rel, MAIN_FORKNUM, block).recent_buffer;
	if (leaf->recent > 0)
	{
		const char *page = BufferGetBlock(leaf->recent);

		for (int i = 0; i < BLCKSZ; i += PREFETCH_STEP)
			anshim_prefetch(page + i);
	}
}

/*
 * Pin and share-lock a page.
 */
Buffer
btree_lock_leaf(BtreeReader *reader, BlockNumber block)
{
	Buffer		buffer = ReadBuffer(reader->rel, block);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	_bt_checkpage(reader->rel, buffer);
	return buffer;
}

static Buffer
lock_leaf_ahead(BtreeReader *reader, const LeafAhead *leaf)
{
	if (leaf->recent > 0 &&
		ReadRecentBuffer(reader->rel->rd_locator, MAIN_FORKNUM, leaf->block, leaf->recent))
	{
		LockBuffer(leaf->recent, BUFFER_LOCK_SHARE);
		_bt_checkpage(reader->rel, leaf->recent);
		return leaf->recent;
	}
	return btree_lock_leaf(reader, leaf->block);
}

/*
 * The leaf, pinned and share-locked, on which range `at`'s first row is, or
 * would be.
 */
Buffer
btree_lock_first_leaf(BtreeReader *reader, const ReadRange *ranges, int n, int at)
{
	const ReadRange *range = &ranges[at];
	Buffer		buffer;

	/* leave those behind that hold only ranges which have been read */
	btree_look_ahead(reader, ranges, n);
	while (reader->nahead > 1 &&
		   reader->ahead[(reader->first_ahead + 1) % LEAVES_AHEAD].range <= at)
	{
		reader->first_ahead++;
		reader->nahead--;
		btree_look_ahead(reader, ranges, n);
	}

	buffer = lock_leaf_ahead(reader, &reader->ahead[reader->first_ahead % LEAVES_AHEAD]);
	while (beyond_page(reader, BufferGetPage(buffer), range->key, range->from))
	{
		BlockNumber next = BTPageGetOpaque(BufferGetPage(buffer))->btpo_next;

		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
		buffer = btree_lock_leaf(reader, next);
	}
	return buffer;
}
