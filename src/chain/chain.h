/*-------------------------------------------------------------------------
 *
 * chain.h
 *	  Chained tables: their leaves, strands and links, for those who read them
 *
 * A chain covers one table of a user's: a plain table, or all leaf partitions
 * of one.  Each row of a leaf carries a link, its place in a strand.  Strand 0
 * holds the chain's own events, the rows of anshim.event.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_CHAIN_H
#define ANSHIM_CHAIN_H

#include "executor/tuptable.h"
#include "storage/lockdefs.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "link.h"

#define DatumGetLinkP(d) ((Link *) DatumGetPointer(d))
#define LinkPGetDatum(p) PointerGetDatum(p)
#define PG_GETARG_LINK_P(n) DatumGetLinkP(PG_GETARG_DATUM(n))
#define PG_RETURN_LINK_P(p) return LinkPGetDatum(p)

/* What the links of one layout cover: a row of anshim.layout. */
typedef struct Layout
{
	int32		number;
	int			ncolumns;
	NameData   *columns;		/* as they are called now */
	Oid		   *types;
} Layout;

/* A table whose rows carry links: a plain table, a partition, or anshim.event. */
typedef struct ChainLeaf
{
	Relation	heap;
	Relation	position;		/* unique index on strand and seq; NULL: it is
								 * gone */
	AttrNumber	link_attno;		/* of column `link` in the heap */
	bool		events;			/* it is anshim.event */
} ChainLeaf;

typedef struct Chain
{
	pg_uuid_t	id;
	Oid			target;			/* the table that the user named */
	char	   *origin;			/* of its checkpoints */
	ChainLeaf	events;			/* strand 0 */
	int			nleaves;
	ChainLeaf  *leaves;
	int			nlayouts;
	Layout	   *layouts;		/* ascending; layout 0, of the events, first */
} Chain;

/*
 * Look up the table's living chain and open all of its leaves with this lock,
 * until chain_close() or the end of the transaction; in the current memory
 * context.  Errors: 42809 for what is no table, 55000 for a table that is not
 * chained, with the call that mends it.  Rights are the caller's to check.
 */
extern Chain *chain_open(Oid target, LOCKMODE lockmode);
extern void chain_close(Chain *chain);

/* The layout of this number; NULL if there is none. */
extern const Layout *chain_layout(const Chain *chain, int32 number);

/* How the leaf is called in messages: schema-qualified and quoted where needed. */
extern char *leaf_name(const ChainLeaf *leaf);

/*
 * The last link of every strand that the snapshot shows in the leaf, ascending
 * by strand; of the events only this chain's.
 */
typedef struct StrandTail
{
	int32		strand;
	int64		first_seq;		/* the first that is there: 1, or what
								 * expire() left */
	int64		last_seq;		/* both by the index, whatever links say */
	int32		first_layout;	/* of the first row */
	Link		last;			/* as the last row has it */
} StrandTail;

extern StrandTail *strand_tails(const Chain *chain, const ChainLeaf *leaf,
								Snapshot snapshot, int *n);

/*
 * Walk a strand in the order of the position index.  A row is delivered as it
 * is: gaps and repeats of seq are the caller's to notice.  `computed` is the
 * hash that the row should have, given the link before it: that of the row
 * delivered before, or `previous` for the first.
 */
typedef enum RowState
{
	ROW_INTACT,					/* its link's hash is the computed one */
	ROW_CHANGED,				/* it is not */
	ROW_UNREADABLE				/* no layout of that number, or a column of it
								 * is gone */
} RowState;

typedef struct StrandRow
{
	Link		link;			/* as stored */
	uint8		computed[LINK_HASH_LEN];
	RowState	state;
	TupleTableSlot *slot;		/* the row, until the next call */
} StrandRow;

typedef struct StrandScan StrandScan;

/* Rows of the strand with seq in [first_seq, last_seq] that the snapshot shows. */
extern StrandScan *strand_scan_begin(const Chain *chain, const ChainLeaf *leaf,
									 Snapshot snapshot);
extern void strand_scan_rescan(StrandScan *scan, int32 strand, int64 first_seq, int64 last_seq,
							   const uint8 previous[LINK_HASH_LEN]);
extern bool strand_scan_next(StrandScan *scan, StrandRow *row);

/* Links alone, without the work of hashing rows: `computed` and `state` are not set. */
extern bool strand_scan_next_link(StrandScan *scan, StrandRow *row);
extern void strand_scan_end(StrandScan *scan);

/*
 * Where a strand that expire() has shortened begins now: seq and hash of the
 * last link that it lost.  False if it lost none: it begins at seq 1, behind
 * link_no_hash.
 */
extern bool strand_lost(const pg_uuid_t *chain, int32 strand, int64 *last_seq,
						uint8 last_hash[LINK_HASH_LEN]);

/*
 * Append an event to strand 0, in the current transaction; others who do so
 * wait for its end.  `kind` is one of docs/formats.md.
 */
extern void chain_event(const pg_uuid_t *chain, const char *kind, Jsonb *detail);

/*
 * While expire() removes rows it tells the guards so.  Ends with the (sub)
 * transaction at the latest.
 */
extern void guards_allow_expiry(bool allow);

#endif							/* ANSHIM_CHAIN_H */
