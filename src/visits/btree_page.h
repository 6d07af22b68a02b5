/*-------------------------------------------------------------------------
 *
 * btree_page.h
 *	  Reading a covering B-tree a leaf page at a time (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BTREE_PAGE_H
#define ANSHIM_BTREE_PAGE_H

#include "access/nbtree.h"
#include "access/tableam.h"
#include "utils/snapshot.h"

#include "source.h"

/* left_at of a row that has none */
#define NO_LEFT PG_INT64_MIN

/* Rows of one key, with entered_at in [from, to). */
typedef struct ReadRange
{
	Ident		key;
	int64		from;
	int64		to;
	int64		min_end;		/* visits that end at or before this do not
								 * matter */
	int32		tag;
} ReadRange;

/* A row as the index holds it. */
typedef struct IndexRow
{
	Ident		other;			/* the third key column */
	int64		start;
	int64		left;			/* NO_LEFT if null */
	ItemPointerData tid;
	int32		range;			/* which range it answers */
} IndexRow;

/*
 * Visibility of a table's rows: one checker is shared by all of its indexes.
 * Under SERIALIZABLE it locks the whole table against phantoms.
 */
typedef struct HeapChecker HeapChecker;

extern HeapChecker *heap_checker_create(Memory *memory, Relation heap, Snapshot snapshot);
extern void heap_checker_close(HeapChecker *checker);

/* Is the row there for the snapshot?  *fetches counts looks at the heap. */
extern bool heap_checker_sees(HeapChecker *checker, ItemPointer tid, uint64 *fetches);

typedef struct BtreeReader BtreeReader;

/*
 * A reader of the index's rows.  `key` and `other` are the types of the first
 * and third key columns; left_attno is where left_at is.
 */
extern BtreeReader *btree_reader_create(Memory *memory, Relation index,
										const IdentType *key, const IdentType *other,
										AttrNumber left_attno);
extern void btree_reader_close(BtreeReader *reader);

/* Rows from one leaf page, in index order; they die when the call returns. */
typedef void (*RowSink) (void *arg, IndexRow *rows, int n);

/*
 * Deliver the rows of the ranges, which are sorted and disjoint, to the sink,
 * a leaf page at a time while that page is pinned, so that the visibility of
 * a row may be decided from the visibility map.
 */
extern void btree_reader_read(BtreeReader *reader, const ReadRange *ranges, int n,
							  RowSink sink, void *arg);

#endif							/* ANSHIM_BTREE_PAGE_H */
