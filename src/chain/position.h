/*-------------------------------------------------------------------------
 *
 * position.h
 *	  The position index of a leaf: where each link of each strand is
 *
 * A leaf's is the unique B-tree on anshim.strand(link), anshim.seq(link), that
 * of anshim.event the one on chain, anshim.seq(link).
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_POSITION_H
#define ANSHIM_POSITION_H

#include "access/genam.h"
#include "access/sdir.h"
#include "storage/block.h"

#include "chain/chain.h"

/* Strands and chains are locked by number within their leaf. */
#define POSITION_LOCK_SUBID 1

/* The type anshim.link */
extern Oid	link_type(void);

/* Column `link`; InvalidAttrNumber if there is none, or it is of another type. */
extern AttrNumber link_attribute(TupleDesc tupdesc);

/* The table's position index; InvalidOid if there is none that is whole. */
extern Oid	position_index(Relation heap, AttrNumber link_attno);

/* The leaf with its index, under this lock and AccessShareLock. */
extern void leaf_open(ChainLeaf *leaf, Oid relid, LOCKMODE lockmode);
extern void leaf_close(ChainLeaf *leaf, LOCKMODE lockmode);

/* An error if it has no index */
extern void leaf_require_position(const ChainLeaf *leaf);

/* The row's link; false, and zeroes, if it has none. */
extern bool slot_link(TupleTableSlot *slot, const ChainLeaf *leaf, Link *link);

/* Keys for a strand, of the chain if these are events, and for seq, or not. */
extern void position_keys(ScanKeyData keys[2], const ChainLeaf *leaf, const pg_uuid_t *chain,
						  int32 strand, StrategyNumber strategy, int64 seq);

/*
 * The last link of a strand, committed or our own; false if there is none.
 * *block, if given, is the page of the index where it was seen last, or
 * InvalidBlockNumber, and becomes the one where it is.
 */
extern bool position_last(const ChainLeaf *leaf, const pg_uuid_t *chain, int32 strand,
						  BlockNumber *block, Link *link);

/* Read off that page alone; false if it does not show it. */
extern bool position_last_on_page(const ChainLeaf *leaf, int32 strand, BlockNumber block,
								  Link *link);

/* The link there, if the snapshot shows a row. */
extern bool position_get(const ChainLeaf *leaf, int32 strand, int64 seq, Snapshot snapshot,
						 Link *link);

/*
 * From one strand to the next that the index has heard of, dead rows included,
 * with a scan that was begun for one key.
 */
extern bool position_next_strand(IndexScanDesc scan, int32 *strand);

/* Has the index heard of this strand? */
extern bool position_has_strand(const ChainLeaf *leaf, int32 strand);

/* The highest that it has heard of; 0 if there is none. */
extern int32 position_highest_strand(const ChainLeaf *leaf);

/* A number for a new strand of the table's chain, which none of it has */
extern int32 unused_strand_number(Oid target);

/* All of them, ascending; in the current memory context. */
extern int32 *position_strands(const ChainLeaf *leaf, int *n);

#endif							/* ANSHIM_POSITION_H */
