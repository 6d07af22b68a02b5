/*-------------------------------------------------------------------------
 *
 * walk.c
 *	  Walking a strand: is each row the one that was linked at its place?
 *
 * A row's link says what the row was, given the link before.  Where that is
 * missing, the row that follows cannot be judged by its own link; the tree,
 * which has that link as a leaf, still says whether it is the one of then.
 *
 * A walk may begin anywhere: the hash before is taken from the stored link,
 * which whoever walks the part before verifies.
 *
 * Memory: that of the scans, one a leaf that is walked.  Rows are looked at
 * one by one.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "audit.h"

/* One walk */
typedef struct Walk
{
	Audit	   *audit;
	AuditStrand *strand;
	const ChainLeaf *leaf;
	ExprState  *partition_check;
	int64		expected;		/* the next row's seq */
	bool		before_known;	/* is the hash before it? */
} Walk;

/*
 * The chain, and a snapshot that fits to what its catalog is like: partitions
 * may come and go while it is opened.
 */
void
audit_attach(Audit *audit, Oid target, LOCKMODE lockmode)
{
	for (;;)
	{
		Chain	   *again;
		bool		same;

		audit->chain = chain_open(target, lockmode);
		audit->snapshot = RegisterSnapshot(GetLatestSnapshot());
		again = chain_open(target, lockmode);
		same = again->nleaves == audit->chain->nleaves &&
			again->nlayouts == audit->chain->nlayouts;
		for (int i = 0; same && i < again->nleaves; i++)
			same = RelationGetRelid(again->leaves[i].heap) ==
				RelationGetRelid(audit->chain->leaves[i].heap);
		chain_close(again);
		if (same)
			break;
		audit_detach(audit);
		CHECK_FOR_INTERRUPTS();
	}
}

void
audit_detach(Audit *audit)
{
	UnregisterSnapshot(audit->snapshot);
	chain_close(audit->chain);
}

void
audit_begin(Audit *audit)
{
	audit->context = CurrentMemoryContext;
	audit->readers = palloc0(Max(audit->chain->nleaves, 1) * sizeof(LeafReader));
	memset(&audit->events, 0, sizeof(LeafReader));
	audit->estate = CreateExecutorState();
	if (audit->counts == NULL)
	{
		audit->counts = palloc_array(LeafCount, Max(audit->chain->nleaves, 1));
		for (int i = 0; i < audit->chain->nleaves; i++)
		{
			pg_atomic_init_u64(&audit->counts[i].in_index, 0);
			pg_atomic_init_u64(&audit->counts[i].in_heap, 0);
		}
	}
	if (audit->progress == NULL)
	{
		audit->progress = palloc_object(Progress);
		progress_begin(audit->progress, 0);
	}
	for (int i = 0; i < audit->chain->nleaves; i++)
	{
		List	   *qual = RelationGetPartitionQual(audit->chain->leaves[i].heap);

		if (qual != NIL)
			audit->readers[i].partition_check = ExecPrepareCheck(qual, audit->estate);
	}
	audit->log = log_reader_begin(audit->chain, audit->snapshot);
}

void
audit_end(Audit *audit)
{
	log_reader_end(audit->log);
	for (int i = 0; i < audit->chain->nleaves; i++)
	{
		if (audit->readers[i].scan != NULL)
			strand_scan_end(audit->readers[i].scan);
	}
	if (audit->events.scan != NULL)
		strand_scan_end(audit->events.scan);
	FreeExecutorState(audit->estate);
}

const ChainLeaf *
audit_leaf(Audit *audit, int leaf)
{
	Assert(leaf != NO_LEAF);
	return leaf == EVENTS_LEAF ? &audit->chain->events : &audit->chain->leaves[leaf];
}

static LeafReader *
leaf_reader(Audit *audit, int leaf)
{
	return leaf == EVENTS_LEAF ? &audit->events : &audit->readers[leaf];
}

StrandScan *
audit_scan(Audit *audit, int leaf)
{
	LeafReader *reader = leaf_reader(audit, leaf);

	if (reader->scan == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(audit->context);

		reader->scan = strand_scan_begin(audit->chain, audit_leaf(audit, leaf), audit->snapshot);
		MemoryContextSwitchTo(old);
	}
	return reader->scan;
}

/*
 * The hash before this seq; false if its row is gone.
 */
static bool
hash_before(Audit *audit, const AuditStrand *strand, int64 seq, uint8 hash[LINK_HASH_LEN])
{
	StrandRow	row;
	StrandScan *scan;

	memset(hash, 0, LINK_HASH_LEN);
	if (seq == strand->begins)
	{
		memcpy(hash, strand->before, LINK_HASH_LEN);
		return true;
	}
	if (seq < strand->begins)
		return false;
	if (strand->place_seq == seq - 1)
	{
		memcpy(hash, strand->place_hash, LINK_HASH_LEN);
		return true;
	}
	scan = audit_scan(audit, strand->leaf);
	strand_scan_rescan(scan, strand->strand, seq - 1, seq - 1, link_no_hash);
	if (!strand_scan_next_link(scan, &row) ||
		row.link.strand != strand->strand || row.link.seq != seq - 1)
		return false;
	memcpy(hash, row.link.hash, LINK_HASH_LEN);
	return true;
}

static void
find_missing(Walk *walk, int64 first, int64 last)
{
	finding(walk->audit, FOUND_MISSING, walk->strand->strand, first,
			"%s gone from %s. What follows in the strand cannot be judged by its own link, which builds on what is gone. "
			"Look for it in a backup.",
			finding_seqs(walk->audit, first, last), finding_leaf(walk->audit, walk->leaf));
}

/*
 * Does the row stand where the index says, at or behind the place that is
 * next?  If not, it is in nobody's place.
 */
static bool
in_place(Walk *walk, const StrandRow *row)
{
	int32		strand = walk->strand->strand;

	if (row->link.strand != strand)
		finding(walk->audit, FOUND_OUT_OF_ORDER, row->link.strand, row->link.seq,
				"%s: the position index has it in strand %d. Rebuild the index, REINDEX INDEX %s, and verify again.",
				finding_row(walk->audit, walk->leaf, row->slot), strand,
				RelationGetRelationName(walk->leaf->position));
	else if (row->link.seq == walk->expected - 1)
		finding(walk->audit, FOUND_INSERTED, strand, row->link.seq,
				"%s: a second row with the same strand and seq. Only one of them was appended; compare both with a backup.",
				finding_row(walk->audit, walk->leaf, row->slot));
	else if (row->link.seq < walk->expected)
		finding(walk->audit, FOUND_OUT_OF_ORDER, strand, row->link.seq,
				"%s: the position index has it behind seq " INT64_FORMAT ". Rebuild the index, REINDEX INDEX %s, and verify again.",
				finding_row(walk->audit, walk->leaf, row->slot), walk->expected - 1,
				RelationGetRelationName(walk->leaf->position));
	else
		return true;
	return false;
}

/*
 * Such rows come in thousands, or in none: one of a layout is named.
 */
static void
find_unreadable(Walk *walk, const StrandRow *row)
{
	LeafReader *reader = leaf_reader(walk->audit, walk->strand->leaf);
	MemoryContext old;

	if (list_member_int(reader->unreadable, row->link.layout))
		return;
	old = MemoryContextSwitchTo(walk->audit->context);
	reader->unreadable = lappend_int(reader->unreadable, row->link.layout);
	MemoryContextSwitchTo(old);
	finding(walk->audit, FOUND_LAYOUT, row->link.strand, row->link.seq,
			"%s: its link was made of layout %d, of which the chain or the table lacks something, so that neither it nor others like it can be verified. "
			"See anshim.layout, and the events of strand 0, for what it was.",
			finding_row(walk->audit, walk->leaf, row->slot), row->link.layout);
}

static void
judge(Walk *walk, const StrandRow *row)
{
	int32		strand = row->link.strand;
	int64		seq = row->link.seq;

	if (row->state == ROW_UNREADABLE)
		find_unreadable(walk, row);
	else if (row->state == ROW_CHANGED && walk->before_known)
		finding(walk->audit, FOUND_CHANGED, strand, seq,
				"%s: its values, or its link, are not those that it was appended with. Compare it with a backup.",
				finding_row(walk->audit, walk->leaf, row->slot));

	if (walk->partition_check != NULL)
	{
		ExprContext *context = GetPerTupleExprContext(walk->audit->estate);

		context->ecxt_scantuple = row->slot;
		if (!ExecCheck(walk->partition_check, context))
			finding(walk->audit, FOUND_MOVED, strand, seq,
					"%s: its values belong into another partition, where queries look for it. Compare it with a backup.",
					finding_row(walk->audit, walk->leaf, row->slot));
		ResetExprContext(context);
	}
}

static void
keep_place(AuditStrand *strand, const Link *link)
{
	strand->place_seq = link->seq;
	memcpy(strand->place_hash, link->hash, LINK_HASH_LEN);
}

void
walk_strand(Audit *audit, AuditStrand *strand, int64 first, int64 last,
			RowSink sink, void *arg)
{
	Walk		walk = {audit, strand, audit_leaf(audit, strand->leaf)};
	StrandScan *scan = audit_scan(audit, strand->leaf);
	StrandRow	row;
	uint8		before[LINK_HASH_LEN];
	uint64		n = 0;

	/* what lacks at either end was found already: see strands_settle() */
	first = Max(first, strand->found_first);
	last = Min(last, strand->found_last);
	if (first > last)
		return;
	if (strand->leaf != EVENTS_LEAF)
		walk.partition_check = audit->readers[strand->leaf].partition_check;
	walk.before_known = hash_before(audit, strand, first, before);
	walk.expected = first;

	strand_scan_rescan(scan, strand->strand, first, last, before);
	while (strand_scan_next(scan, &row))
	{
		CHECK_FOR_INTERRUPTS();
		n++;
		if (!in_place(&walk, &row))
		{
			/* the scan took its hash for that before the next row */
			walk.before_known = false;
			continue;
		}
		if (row.link.seq > walk.expected)
		{
			find_missing(&walk, walk.expected, row.link.seq - 1);
			walk.before_known = false;
		}
		judge(&walk, &row);
		if (sink != NULL)
			sink(arg, &row);
		keep_place(strand, &row.link);
		walk.before_known = true;
		walk.expected = row.link.seq + 1;
		progress_add(audit->progress, 1);
	}
	if (walk.expected <= last)
		find_missing(&walk, walk.expected, last);
	if (strand->leaf != EVENTS_LEAF)
		pg_atomic_fetch_add_u64(&audit->counts[strand->leaf].in_index, n);
}

void
walk_links(Audit *audit, AuditStrand *strand, int64 first, int64 last,
		   RowSink sink, void *arg)
{
	StrandScan *scan = audit_scan(audit, strand->leaf);
	StrandRow	row;

	strand_scan_rescan(scan, strand->strand, first, last, link_no_hash);
	while (strand_scan_next_link(scan, &row))
	{
		CHECK_FOR_INTERRUPTS();
		sink(arg, &row);
	}
}
