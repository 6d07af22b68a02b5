/*-------------------------------------------------------------------------
 *
 * btree_tree.c
 *	  The part of a B-tree above its leaves: which leaf to read
 *
 * Ranges are sorted, so the search goes on from where the last one ended: a
 * copy of the path's inner pages is kept, one a level, and searched without a
 * lock.  A stale copy can only lead too far left, which moving right mends, as
 * a descent in progress during a split would have to.  It cannot lead to a
 * page that was recycled for another purpose, since a deleted page is kept
 * until no snapshot is left that is older than its deletion, and the caller's
 * active snapshot, which is older than all our copies, is held as long as they
 * are.
 *
 * So the leaves that will be read next are known ahead: they are asked for
 * early, from the disk if need be, else from main memory, whose latency would
 * otherwise be most of the cost of a short range.  What was found ahead is a
 * hint and nothing more.
 *
 * Memory: a page a level.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "btree_tuple.h"
#include "compat.h"

/*
 * What of a leaf is fetched ahead: where its line pointers are, at its
 * beginning, and its links at the end.
 */
#define LINE_POINTER_BYTES 768
#define CACHE_LINE 64

/*
 * Where the backend saw a leaf page last: which of the shared buffers.  Only a
 * hint, which ReadRecentBuffer() checks; a look into the shared table of
 * buffers costs more than anything else about a leaf that is in memory.
 */
typedef struct PageHint
{
	RelFileNumber file;
	BlockNumber block;
	Buffer		buffer;
} PageHint;

#define PAGE_HINTS (1 << 15)

static PageHint page_hints[PAGE_HINTS];

static void read_inner_page(BtreeReader *reader, uint32 level, BlockNumber block);
static OffsetNumber choose_item(BtreeReader *reader, Page page, OffsetNumber low,
								Ident key, int64 start);
static void step_down(BtreeReader *reader, uint32 level, Ident key, int64 start);
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

	reader->path = memory_alloc_zero(reader->memory, reader->root_level + 1, sizeof(PathPage));
	for (uint32 level = 1; level <= reader->root_level; level++)
		reader->path[level].page = memory_alloc(reader->memory, 1, BLCKSZ);
}

void
btree_tree_close(BtreeReader *reader)
{
	for (uint32 level = 1; level <= reader->root_level; level++)
		memory_free(reader->memory, reader->path[level].page, 1, BLCKSZ);
	memory_free(reader->memory, reader->path, reader->root_level + 1, sizeof(PathPage));
}

/*
 * Let an inner page be the path's at this level.
 */
static void
read_inner_page(BtreeReader *reader, uint32 level, BlockNumber block)
{
	PathPage   *path = &reader->path[level];
	Buffer		buffer = btree_lock_leaf(reader, block);

	memcpy(path->page, BufferGetPage(buffer), BLCKSZ);
	path->item = P_FIRSTDATAKEY(BTPageGetOpaque(path->page));
	path->valid = true;
	UnlockReleaseBuffer(buffer);
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
 * Move the path's page at this level, and all above as far as need be, to
 * where (key, start) belongs, which is no earlier than the path is now.
 */
static void
step_down(BtreeReader *reader, uint32 level, Ident key, int64 start)
{
	PathPage   *path = &reader->path[level];

	if (!path->valid || beyond_page(reader, path->page, key, start))
	{
		if (level == reader->root_level)
		{
			if (!path->valid)
				read_inner_page(reader, level, reader->root);
		}
		else
		{
			const PathPage *parent = &reader->path[level + 1];

			step_down(reader, level + 1, key, start);
			read_inner_page(reader, level,
							BTreeTupleGetDownLink(page_tuple(parent->page, parent->item)));
		}
		while (beyond_page(reader, path->page, key, start))
		{
			CHECK_FOR_INTERRUPTS();
			read_inner_page(reader, level, BTPageGetOpaque(path->page)->btpo_next);
		}
	}
	path->item = choose_item(reader, path->page, path->item, key, start);
}

/*
 * The leaf that (key, start) belongs to, as far as our copies of the inner
 * pages know; *bound is the pivot behind all that it holds, or NULL if there
 * is none.
 */
static BlockNumber
find_leaf(BtreeReader *reader, Ident key, int64 start, IndexTuple *bound)
{
	const PathPage *parent = &reader->path[1];

	*bound = NULL;
	if (reader->root_level == 0)
		return reader->root;

	step_down(reader, 1, key, start);
	if (parent->item < PageGetMaxOffsetNumber(parent->page))
		*bound = page_tuple(parent->page, parent->item + 1);
	else if (!P_RIGHTMOST(BTPageGetOpaque(parent->page)))
		*bound = page_tuple(parent->page, P_HIKEY);
	return BTreeTupleGetDownLink(page_tuple(parent->page, parent->item));
}

/*
 * Sorted ranges are about to be read.
 */
void
btree_start(BtreeReader *reader)
{
	for (uint32 level = 1; level <= reader->root_level; level++)
		reader->path[level].valid = false;
	reader->first_ahead = reader->nahead = 0;
	reader->next_range = 0;
}

/*
 * The slot for a leaf page's hint; emptied if it held another page's.
 */
static PageHint *
page_hint(BtreeReader *reader, BlockNumber block)
{
	RelFileNumber file = reader->rel->rd_locator.relNumber;
	PageHint   *hint = &page_hints[hash_combine(file, block) % PAGE_HINTS];

	if (hint->file != file || hint->block != block)
	{
		hint->file = file;
		hint->block = block;
		hint->buffer = InvalidBuffer;
	}
	return hint;
}

/*
 * Let a leaf come nearer: into shared buffers, or, if it is there, the lines
 * that every look at it needs into the processor's cache.  The page is not
 * pinned, so it may be another one by now; nothing is read from it.
 */
static void
prefetch_leaf(BtreeReader *reader, BlockNumber block, LeafAhead *leaf)
{
	PageHint   *hint = page_hint(reader, block);

	leaf->block = block;
	if (!BufferIsValid(hint->buffer))
		hint->buffer = PrefetchBuffer(reader->rel, MAIN_FORKNUM, block).recent_buffer;
	leaf->recent = hint->buffer;
	if (leaf->recent > 0)
	{
		const char *page = BufferGetBlock(leaf->recent);

		for (int i = 0; i < LINE_POINTER_BYTES; i += CACHE_LINE)
			anshim_prefetch(page + i);
		anshim_prefetch(page + BLCKSZ - CACHE_LINE);
	}
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
		prefetch_leaf(reader, find_leaf(reader, range->key, range->from, &bound), leaf);

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
 * The same for the tuples that a search of the leaf looks at first, once its
 * line pointers have come.  They are read without a lock or a pin, so they may
 * be anything, and only say what of the page to fetch.
 */
static void
prefetch_tuples(const LeafAhead *leaf)
{
	const char *page;
	OffsetNumber first = P_FIRSTKEY;
	OffsetNumber step;

	if (leaf->recent <= 0)
		return;
	page = BufferGetBlock(leaf->recent);
	step = Min(PageGetMaxOffsetNumber((Page) page), MaxIndexTuplesPerPage) / SEARCH_FAN;
	for (int i = 1; i < SEARCH_FAN; i++)
	{
		ItemId		item = PageGetItemId((Page) page, first + i * step);

		anshim_prefetch(page + ItemIdGetOffset(item) % BLCKSZ);
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

/*
 * The page is no longer where it was.
 */
static void
forget_hint(BtreeReader *reader, BlockNumber block)
{
	page_hint(reader, block)->buffer = InvalidBuffer;
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
	forget_hint(reader, leaf->block);
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

	if (reader->nahead > 1)
		prefetch_tuples(&reader->ahead[(reader->first_ahead + 1) % LEAVES_AHEAD]);
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
