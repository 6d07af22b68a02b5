/*-------------------------------------------------------------------------
 *
 * btree_tuple.h
 *	  A reader's state, and how it looks at index tuples (inside the B-tree
 *	  reader only)
 *
 * For keys of fixed size everything is read in place, without a function
 * call; that is the larger part of a reader's speed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BTREE_TUPLE_H
#define ANSHIM_BTREE_TUPLE_H

#include "access/nbtree.h"
#include "port/pg_bswap.h"
#include "storage/bufmgr.h"

#include "btree_page.h"

/* The copy of an inner page on the path to where the reader stands. */
typedef struct PathPage
{
	bool		valid;
	OffsetNumber item;			/* the child below */
	char	   *page;
} PathPage;

/* Where a key column's value stands in an index tuple. */
typedef struct KeyPlace
{
	int			offset;			/* from the start of the data, if fixed */
	int			width;			/* 2, 4, 8 or 16 */
} KeyPlace;

/* A range that will be read soon: hints, nothing more. */
typedef struct RangeAhead
{
	BlockNumber block;			/* the leaf that it begins on */
	Buffer		recent;			/* where that was in shared buffers, if it was */
	OffsetNumber guess;			/* the first tuple there, if that is known */
} RangeAhead;

/* Ranges that are looked for ahead of their reading, together. */
#define RANGES_AHEAD 32

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

	/* the tree above the leaves */
	BlockNumber root;			/* P_NONE: the index is empty */
	uint32		root_level;
	PathPage   *path;			/* by level, from 1 to root_level */

	/* ranges to come: a ring, by their number; see btree_look_ahead() */
	RangeAhead	ahead[2 * RANGES_AHEAD];
	int			located;		/* ranges whose block is known */
	int			guessed;		/* ranges whose guess is */

	bool		believe_dead;	/* LP_DEAD marks */
	char	   *copies[2];		/* leaf pages, if not fixed; the current one
								 * and that before */
	MemoryContext scratch[2];	/* values expanded from them */
	int			current;
	IndexRow   *rows;			/* MaxTIDsPerBTreePage of them */
};

/* btree_tree.c: above the leaves */
extern void btree_tree_open(BtreeReader *reader);
extern void btree_tree_close(BtreeReader *reader);
extern void btree_start(BtreeReader *reader);
extern Buffer btree_lock_first_leaf(BtreeReader *reader, const ReadRange *range, int at);
extern Buffer btree_lock_page(BtreeReader *reader, BlockNumber block);
extern void btree_look_ahead(BtreeReader *reader, const ReadRange *ranges, int n);

static inline RangeAhead *
range_ahead(BtreeReader *reader, int range)
{
	return &reader->ahead[range % (2 * RANGES_AHEAD)];
}

static pg_attribute_always_inline Ident
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

static inline IndexTuple
page_tuple(Page page, OffsetNumber item)
{
	return (IndexTuple) PageGetItem(page, PageGetItemId(page, item));
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
static pg_attribute_always_inline int
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
static pg_attribute_always_inline int
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
						   page_tuple(page, P_HIKEY),
						   key, start);
}

#endif							/* ANSHIM_BTREE_TUPLE_H */
