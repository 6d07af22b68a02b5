/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  Looking back on a chain: is everything as it was linked and sealed?
 *
 * What verify_chain() and expire() share.  An audit reads one chain under one
 * snapshot, and adds a finding for whatever is not as it should be.
 *
 * The rows are verified in *units*, each of which stands by itself: a piece of
 * the tree with the rows under it, a piece of a strand that is not sealed yet,
 * or a piece of a table that is counted.  A unit takes what comes before it
 * from where it is stored, as the unit before proves it; so units may be
 * verified in any order, by anybody.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_AUDIT_H
#define ANSHIM_AUDIT_H

#include "nodes/execnodes.h"
#include "port/atomics.h"
#include "storage/block.h"
#include "utils/hsearch.h"
#include "utils/sharedtuplestore.h"
#include "utils/tuplestore.h"

#include "audit/finding_kind.h"
#include "chain/chain.h"
#include "log/log.h"

/* Where findings go: to one of these. */
typedef struct Findings
{
	TupleDesc	tupdesc;
	Tuplestorestate *store;		/* of verify_chain()'s result */
	SharedTuplestoreAccessor *shared;	/* of parallel workers */
	char	   *first;			/* else, the first one's text alone is kept */
	int64		n;
	int64		of_rows;		/* those up to FOUND_EXPIRY, of rows and the
								 * log */
	MemoryContext context;		/* reset after each */
} Findings;

/* Leaves of a chain by number: chain->leaves, or the events. */
#define EVENTS_LEAF (-1)
#define NO_LEAF (-2)

/*
 * What there is of a strand, and what there should be.
 */
typedef struct AuditStrand
{
	int32		strand;
	int			leaf;			/* where its rows are */
	int64		found_first;	/* what the position index shows; 1 and 0 */
	int64		found_last;		/* for nothing */
	int64		begins;			/* the first seq that should be there */
	uint8		before[LINK_HASH_LEN];	/* the hash before that */
	int64		sealed;			/* the last seq that is in the log */
	int64		skipped;		/* the last seq that is not looked at */

	/* where this process has left it: its last row */
	int64		place_seq;
	uint8		place_hash[LINK_HASH_LEN];
} AuditStrand;

/* Counted by whoever verifies: rows of a leaf. */
typedef struct LeafCount
{
	pg_atomic_uint64 in_index;	/* that the position index led to */
	pg_atomic_uint64 in_heap;	/* that the table has */
} LeafCount;

typedef enum UnitKind
{
	UNIT_TREE,					/* leaves of the tree */
	UNIT_TAIL,					/* seqs of a strand that are not sealed */
	UNIT_HEAP					/* pages of a table, counted */
} UnitKind;

typedef struct Unit
{
	UnitKind	kind;
	int			leaf;			/* of UNIT_TAIL and UNIT_HEAP */
	int32		strand;			/* of UNIT_TAIL */
	int64		from;			/* leaves, seqs or pages: [from, to) */
	int64		to;
	int64		block;			/* of UNIT_TREE: the one that holds `from` */

	/*
	 * Result of UNIT_TREE: is all of it as the log has it, given the root of
	 * what is before it, and the root of all up to its end?
	 */
	bool		intact;
	MerkleHash	root_before;
	MerkleHash	root_after;
} Unit;

/* Seen by all who take part: how far it is, and when to say so. */
typedef struct Progress
{
	pg_atomic_uint64 done;		/* rows and pages */
	uint64		total;
} Progress;

/* One leaf as this process reads it. */
typedef struct LeafReader
{
	StrandScan *scan;			/* NULL before its first use */
	ExprState  *partition_check;	/* NULL if there is nothing to check */
	List	   *unreadable;		/* layouts of rows that were found so */
} LeafReader;

typedef struct Audit
{
	Chain	   *chain;
	Snapshot	snapshot;
	Findings   *findings;
	Progress   *progress;
	LogReader  *log;
	bool		blind;			/* a leaf cannot be read by strand */
	bool		patchy;			/* segments do not cover what was sealed */

	int			nstrands;		/* ascending by strand */
	AuditStrand *strands;
	LeafCount  *counts;			/* one a leaf of the chain, shared */
	LeafReader *readers;		/* one a leaf */
	LeafReader	events;
	EState	   *estate;			/* for partition checks */
	MemoryContext context;		/* of all this */
} Audit;

/* Defines the settings of this room. */
extern void audit_define_settings(void);

/*
 * finding.c: add a finding.  What names a row or a leaf lives until then.
 */
extern void finding(Audit *audit, FindingKind kind, int32 strand, int64 seq,
					const char *format,...) pg_attribute_printf(5, 6);
extern const char *finding_row(Audit *audit, const ChainLeaf *leaf, TupleTableSlot *slot);
extern const char *finding_leaf(Audit *audit, const ChainLeaf *leaf);

/* "The row of seq 5 is", "The 2 rows of seqs 5 to 6 are" */
extern const char *finding_seqs(Audit *audit, int64 first, int64 last);

/* progress.c */
extern void progress_begin(Progress *progress, uint64 total);

/* So many more rows are done.  Cheap: may be called for each. */
extern void progress_add(Progress *progress, uint64 done);

/*
 * walk.c: an audit's chain and snapshot, what it needs besides in each process
 * that takes part, and walking a strand.
 */
extern void audit_attach(Audit *audit, Oid target, LOCKMODE lockmode);
extern void audit_detach(Audit *audit);
extern void audit_begin(Audit *audit);
extern void audit_end(Audit *audit);
extern const ChainLeaf *audit_leaf(Audit *audit, int leaf);
extern StrandScan *audit_scan(Audit *audit, int leaf);

/*
 * Verify the rows of a strand with seq in [first, last], of those that the
 * position index shows at all.  Each goes to `sink`, if there is one; what is
 * amiss is found.
 */
typedef void (*RowSink) (void *arg, const StrandRow *row);

extern void walk_strand(Audit *audit, AuditStrand *strand, int64 first, int64 last,
						RowSink sink, void *arg);

/* The same without verifying anything. */
extern void walk_links(Audit *audit, AuditStrand *strand, int64 first, int64 last,
					   RowSink sink, void *arg);

/* replay.c: what the events say */
typedef struct Replay Replay;

extern Replay *replay_events(Audit *audit);

/* The last block that expire() has removed segments of; 0: none */
extern int64 replay_expired_block(const Replay *replay);
extern void replay_expiries(const Replay *replay, HTAB *strands);

/*
 * compare.c: find where the catalog says anything else than the events, and, once
 * it is known where strands begin, where anshim.expired does.  Guards that were
 * switched off up to event known_events are no findings any more.
 */
extern void compare_catalog(Audit *audit, const Replay *replay, int64 known_events);
extern void compare_expiries(Audit *audit);

/*
 * strands.c: what strands there are.  While they are gathered they are entries
 * of a hash table, AuditStrands by number.
 */
extern HTAB *strands_find(Audit *audit);
extern AuditStrand *strands_enter(HTAB *strands, int32 strand);

/* Sort them into audit->strands, and find whole pieces that are amiss. */
extern void strands_settle(Audit *audit, HTAB *strands);
extern AuditStrand *audit_strand(const Audit *audit, int32 strand);

/* structure.c: guards and position indexes; sets audit->blind */
extern void structure_check(Audit *audit);

/*
 * plan.c: check what the log says of its blocks and segments against itself,
 * and cut what is to be verified, from this block on, in units.
 */
typedef struct AuditPlan
{
	int64		from_block;
	int64		to_block;		/* the last one; 0: that of the log */
	int64		from_index;		/* of the first leaf that is verified */
	MerkleHash	from_root;		/* of the tree before it */
	int64		size;			/* of the log behind the last block */
	uint64		rows;			/* to be verified, about */
	int			nunits;			/* those of the tree first, in its order */
	int			allocated;
	Unit	   *units;
} AuditPlan;

/* Read blocks and segments, say what is amiss, and add their units. */
extern void plan_log(Audit *audit, HTAB *strands, AuditPlan *plan);

/* Add units for what is not sealed; for counting all rows; for those of a leaf. */
extern void plan_tails(Audit *audit, AuditPlan *plan);
extern void plan_counts(Audit *audit, AuditPlan *plan);
extern void plan_count(Audit *audit, AuditPlan *plan, int leaf);

/* Can this segment be worked with, whether it is right or not? */
extern bool segment_is_sane(const Segment *segment);

/*
 * tree.c: verify a unit of the tree; then, if not all of the units are intact,
 * or do not fit to each other, say what is amiss.
 */
extern void tree_verify(Audit *audit, Unit *unit);
extern bool tree_is_intact(const AuditPlan *plan);
extern void tree_diagnose(Audit *audit, const AuditPlan *plan);

/* count.c: rows that the position index does not lead to */
extern void count_rows(Audit *audit, const Unit *unit);
extern void count_compare(Audit *audit);

/* parallel.c: verify all units, with workers where that helps */
extern void units_verify(Audit *audit, AuditPlan *plan);

/* signed.c: checkpoints, kept outside and kept here */
typedef struct Trust
{
	const char *vkey;			/* NULL: the keys of anshim.key */
	int			nwitnesses;
	char	  **witnesses;		/* verifier keys */
	int			quorum;			/* so many of them */
} Trust;

/* One that the caller has kept; those of anshim.checkpoint and the head file. */
extern void checkpoint_check(Audit *audit, const char *note, Size len, const Trust *trust);
extern void checkpoints_check(Audit *audit);

/* drop.c: dropping partitions all of whose rows have expired */
extern bool partition_is_past(Oid partition, TimestampTz before);
extern bool partition_drop(Oid target, Oid partition, const Audit *audit);

#endif							/* ANSHIM_AUDIT_H */
