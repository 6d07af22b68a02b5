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
#include "port/pg_bitutils.h"
#include "storage/buf_internals.h"
#include "utils/memdebug.h"
#include "utils/rel.h"

#include "btree_tuple.h"
#include "compat.h"

/*
 * What of a leaf is fetched ahead: where its line pointers are, at its
 * beginning, and its links at the end.
 */
#define LINE_POINTER_BYTES 768
#define CACHE_LINE 64

/* Ranges on a leaf that are worth fetching all of it. */
#define LEAF_IS_DENSE 3

/* Tuples of a range that are fetched ahead. */
#define TUPLES_FETCHED 8

/*
 * What a look at an unlocked page's tuple may read: its header, a null bitmap,
 * and three keys of fixed size.
 */
#define UNLOCKED_ROOM 128

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

#define PAGE_HINTS (1 << 18)

static PageHint page_hints[PAGE_HINTS];

/* A binary search of a leaf for where a range begins */
typedef struct PlaceSearch
{
	const char *page;
	Ident		key;
	int64		from;
	uint32		low;			/* all tuples before this are before the range */
	uint32		left;			/* ... and those behind so many more are not */
} PlaceSearch;

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
	Buffer		buffer = btree_lock_page(reader, BTREE_METAPAGE);
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
	Buffer		buffer = btree_lock_page(reader, block);

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
	reader->located = reader->guessed = 0;
}

/*
 * The slot for a page's hint; emptied if it held another page's.  Pages that
 * follow each other have slots that do.
 */
static PageHint *
page_hint(BtreeReader *reader, BlockNumber block)
{
	RelFileNumber file = reader->rel->rd_locator.relNumber;
	PageHint   *hint = &page_hints[(murmurhash32(file) + block) % PAGE_HINTS];

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
 * pinned, so it may be another one by now; nothing is read from it.  Returns
 * where it is, if it is there.
 */
static Buffer
prefetch_leaf(BtreeReader *reader, BlockNumber block)
{
	PageHint   *hint = page_hint(reader, block);

	if (!BufferIsValid(hint->buffer))
		hint->buffer = PrefetchBuffer(reader->rel, MAIN_FORKNUM, block).recent_buffer;
	if (BufferIsValid(hint->buffer) && !BufferIsLocal(hint->buffer))
	{
		const char *page = BufferGetBlock(hint->buffer);

		anshim_prefetch_far(GetBufferDescriptor(hint->buffer - 1));
		anshim_prefetch_far(page + BLCKSZ - CACHE_LINE);
		for (int i = 0; i < LINE_POINTER_BYTES; i += CACHE_LINE)
			anshim_prefetch_far(page + i);
	}
	return hint->buffer;
}

static pg_attribute_always_inline void
prefetch_page(Buffer recent, int from)
{
	if (BufferIsValid(recent) && !BufferIsLocal(recent))
		for (int i = from; i < BLCKSZ; i += CACHE_LINE)
			anshim_prefetch_far((const char *) BufferGetBlock(recent) + i);
}

/*
 * Find the leaves on which the next ranges begin.
 */
static void
locate_ranges(BtreeReader *reader, const ReadRange *ranges, int n)
{
	int			end = Min(n, reader->located + RANGES_AHEAD);
	IndexTuple	bound = NULL;
	int			shared = 0;

	for (int i = reader->located; i < end; i++)
	{
		const ReadRange *range = &ranges[i];
		RangeAhead *ahead = range_ahead(reader, i);

		if (i > reader->located &&
			(bound == NULL || !pivot_at_or_before(reader, bound, range->key, range->from)))
		{
			*ahead = *range_ahead(reader, i - 1);
			if (++shared == LEAF_IS_DENSE)
				prefetch_page(ahead->recent, LINE_POINTER_BYTES);
		}
		else
		{
			ahead->block = find_leaf(reader, range->key, range->from, &bound);
			ahead->recent = prefetch_leaf(reader, ahead->block);
			shared = 1;
		}
		ahead->guess = InvalidOffsetNumber;
	}
	reader->located = end;
}

/*
 * A tuple of a page that we have neither locked nor pinned: it may be anything,
 * but lies within the page with all the keys that it could have.
 */
static inline IndexTuple
unlocked_tuple(const char *page, OffsetNumber item)
{
	ItemIdData	id = *(volatile ItemIdData *) PageGetItemId((Page) page, item);

	return (IndexTuple) (page + Min(ItemIdGetOffset(&id), BLCKSZ - UNLOCKED_ROOM));
}

/*
 * One step of a binary search that goes on for several ranges at once, without
 * branches, which could not be foreseen.  What the next step looks at is
 * fetched while the others take theirs.
 */
static pg_attribute_always_inline void
search_step(const BtreeReader *reader, PlaceSearch *search, int key_width)
{
	const KeyPlace place = {reader->key_place.offset, key_width};
	uint32		half = (search->left + 1) / 2;
	const char *data = tuple_data(unlocked_tuple(search->page, search->low + half - 1));
	Ident		key = load_fixed(&place, data);
	int64		start = *(const int64 *) (data + reader->start_offset);
	uint32		before = start < search->from;

	if (key_width == sizeof(Ident))
		before = (key.lo < search->key.lo) | ((key.lo == search->key.lo) & before);
	before = (key.hi < search->key.hi) | ((key.hi == search->key.hi) & before);
	search->low += half & -before;
	search->left -= half;
	anshim_prefetch(unlocked_tuple(search->page, search->low + (search->left + 1) / 2 - 1));
}

static pg_attribute_always_inline void
search_together(const BtreeReader *reader, PlaceSearch *searches, int n, int steps, int key_width)
{
	while (steps-- > 0)
		for (int i = 0; i < n; i++)
			search_step(reader, &searches[i], key_width);
}

/*
 * Guess where on their leaves ranges[reader->guessed] and those after it begin,
 * and fetch what is there.
 *
 * These are binary searches, whose steps have to wait for main memory; done
 * for all ranges at once, the waits are one.  The pages are read without a
 * lock or a pin, so what comes out is checked when they are locked.
 */
static void
guess_places(BtreeReader *reader, const ReadRange *ranges)
{
	PlaceSearch searches[RANGES_AHEAD];
	RangeAhead *aheads[RANGES_AHEAD];
	int			longest = 0;
	int			n = 0;

	for (int i = reader->guessed; i < reader->located; i++)
	{
		PlaceSearch *search = &searches[n];
		RangeAhead *ahead = range_ahead(reader, i);

		if (!BufferIsValid(ahead->recent) || BufferIsLocal(ahead->recent))
			continue;
		search->page = BufferGetBlock(ahead->recent);
		VALGRIND_MAKE_MEM_DEFINED(search->page, BLCKSZ);	/* not pinned */
		search->key = ranges[i].key;
		search->from = ranges[i].from;
		search->low = P_FIRSTKEY;
		search->left = Max(Min((int) PageGetMaxOffsetNumber((Page) search->page),
							   MaxIndexTuplesPerPage) - P_HIKEY, 0);
		longest = Max(longest, search->left);
		anshim_prefetch_far(unlocked_tuple(search->page, P_HIKEY));
		aheads[n++] = ahead;
	}
	if (n == 0)
		return;

	longest = longest > 0 ? pg_leftmost_one_pos32(longest) + 1 : 0;
	switch (reader->key_place.width)
	{
		case 8:
			search_together(reader, searches, n, longest, 8);
			break;
		case 16:
			search_together(reader, searches, n, longest, 16);
			break;
		default:
			search_together(reader, searches, n, longest, reader->key_place.width);
			break;
	}

	for (int i = 0; i < n; i++)
	{
		aheads[i]->guess = searches[i].low;
		for (int j = 0; j < TUPLES_FETCHED; j++)
			anshim_prefetch_far(unlocked_tuple(searches[i].page, searches[i].low + j));
	}
}

/*
 * Look for the ranges that follow, once those before ranges[reader->guessed]
 * have been read.
 *
 * This goes in two steps, each for a number of ranges together: where their
 * leaves are, and then, while the next ones' leaves come nearer, where on them
 * they begin.
 */
void
btree_look_ahead(BtreeReader *reader, const ReadRange *ranges, int n)
{
	if (reader->located == reader->guessed)
		locate_ranges(reader, ranges, n);
	if (reader->fixed)
		guess_places(reader, ranges);
	reader->guessed = reader->located;
	locate_ranges(reader, ranges, n);
}

/*
 * Pin and share-lock a page, which was in this buffer not long ago, if that is
 * one.
 */
static Buffer
lock_page_in(BtreeReader *reader, BlockNumber block, Buffer recent)
{
	Buffer		buffer = recent;

	if (!BufferIsValid(recent) ||
		!ReadRecentBuffer(reader->rel->rd_locator, MAIN_FORKNUM, block, recent))
	{
		buffer = ReadBuffer(reader->rel, block);
		page_hint(reader, block)->buffer = buffer;
	}
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	_bt_checkpage(reader->rel, buffer);
	return buffer;
}

/*
 * Pin and share-lock a page.
 */
Buffer
btree_lock_page(BtreeReader *reader, BlockNumber block)
{
	return lock_page_in(reader, block, page_hint(reader, block)->buffer);
}

/*
 * The leaf, pinned and share-locked, on which the range, number `at`, begins.
 */
Buffer
btree_lock_first_leaf(BtreeReader *reader, const ReadRange *range, int at)
{
	const RangeAhead *ahead = range_ahead(reader, at);
	Buffer		buffer = lock_page_in(reader, ahead->block, ahead->recent);

	while (beyond_page(reader, BufferGetPage(buffer), range->key, range->from))
	{
		BlockNumber next = BTPageGetOpaque(BufferGetPage(buffer))->btpo_next;

		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
		buffer = btree_lock_page(reader, next);
	}
	return buffer;
}
