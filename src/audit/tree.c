/*-------------------------------------------------------------------------
 *
 * tree.c
 *	  Are the rows the leaves of the tree, every one, and in order?
 *
 * A unit of the tree is verified in the order of the tree: block by block,
 * segment by segment, row by row.  Each row's link becomes the next leaf; the
 * nodes that this brings about must be those that are stored, and the root at
 * each block's end that block's.  What expire() has removed is stood in for by
 * the nodes that it kept.  The nodes before the unit are taken from the log:
 * that the unit before ends in the same root proves them.
 *
 * A unit only says whether that is so.  Where it is not, what is amiss may lie
 * in another unit, whose nodes this one began with; so the tree is walked once
 * more from its beginning, without hashing the rows again, and computing every
 * node itself: tree_diagnose().
 *
 * Memory: a batch of blocks with their segments, and one compact range.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "audit.h"

/* Blocks that are read at a time */
#define BATCH 64

/* Nodes of every eighth level are stored. */
#define STORED_LEVELS 8

typedef struct TreeWalk
{
	Audit	   *audit;
	bool		diagnose;
	int64		from;			/* leaves [from, to) are walked */
	int64		to;
	MerkleRange range;
	bool		intact;			/* so far */
	const Segment *segment;		/* the one that is walked */

	/* to diagnose */
	bool		holes;			/* leaves lack in this block */
	List	   *rewritten;		/* segments of this block with other ends */
	bool		segment_found;	/* a segment of this block has a finding */
	int			nodes_differ;	/* so many nodes of this block, */
	int			node_level;		/* and the first of them */
	int64		node_index;
	bool		explained;		/* why roots differ from here on */
} TreeWalk;

static void
compare_node(void *arg, const MerkleNode *node)
{
	TreeWalk   *walk = arg;
	MerkleHash	stored;

	if (node->level == 0 || node->level % STORED_LEVELS != 0)
		return;
	if (log_stored(walk->audit->log, node->level, node->index, stored) &&
		memcmp(stored, node->hash, MERKLE_HASH_LEN) == 0)
		return;
	walk->intact = false;
	if (walk->nodes_differ++ == 0)
	{
		walk->node_level = node->level;
		walk->node_index = node->index;
	}
}

/*
 * Go to this leaf.  Leaves that lack on the way make a hole, behind which
 * another range begins.
 */
static void
go_to_leaf(TreeWalk *walk, int64 index)
{
	if (index == walk->range.to)
		return;
	walk->intact = false;
	walk->holes = true;
	merkle_range_init(&walk->range, index);
}

static void
add_row(void *arg, const StrandRow *row)
{
	TreeWalk   *walk = arg;
	MerkleHash	leaf;

	/* an index that leads elsewhere was found by those who look at the rows */
	if (row->link.strand != walk->segment->strand ||
		row->link.seq < walk->segment->first_seq || row->link.seq > walk->segment->last_seq)
		return;
	go_to_leaf(walk, walk->segment->first_index + (row->link.seq - walk->segment->first_seq));
	link_leaf_hash(row->link.hash, leaf);
	merkle_range_add_leaf(&walk->range, leaf, compare_node, walk);
	if (row->link.seq == walk->segment->last_seq &&
		memcmp(row->link.hash, walk->segment->last_hash, LINK_HASH_LEN) != 0)
	{
		walk->intact = false;
		if (walk->diagnose)
			walk->rewritten = lappend(walk->rewritten, unconstify(Segment *, walk->segment));
	}
}

/*
 * Leaves that expire() has removed: the greatest complete nodes that lie
 * wholly within.
 */
static void
add_expired(TreeWalk *walk, int64 from, int64 to)
{
	while (from < to)
	{
		MerkleRange next;
		int			level = 0;

		CHECK_FOR_INTERRUPTS();
		while (level < MERKLE_MAX_LEVELS - 1 && (from & ((INT64CONST(2) << level) - 1)) == 0 &&
			   to - from >= (INT64CONST(2) << level))
			level++;
		go_to_leaf(walk, from);
		merkle_range_init(&next, from);
		next.to = from + (INT64CONST(1) << level);
		next.n = 1;
		next.nodes[0].level = level;
		next.nodes[0].index = from >> level;
		if (log_stored(walk->audit->log, level, from >> level, next.nodes[0].hash) ||
			(level > STORED_LEVELS &&
			 log_fetch(walk->audit->log, level, from >> level, next.nodes[0].hash)))
			merkle_range_merge(&walk->range, &next, compare_node, walk);
		else
		{
			walk->intact = false;
			if (walk->diagnose)
				finding(walk->audit, FOUND_NODE, walk->segment->strand, walk->segment->first_seq,
						"The node of level %d, index " INT64_FORMAT ", is not there, though rows under it have expired: proofs need it. "
						"Compare anshim.kept and anshim.tile with a backup.",
						level, from >> level);
		}
		from = next.to;
	}
}

static void
find_expiry(TreeWalk *walk, const AuditStrand *strand, const char *what)
{
	const Segment *segment = walk->segment;

	walk->intact = false;
	walk->segment_found = true;
	if (walk->diagnose)
		finding(walk->audit, FOUND_EXPIRY, segment->strand, segment->first_seq,
				"Strand %d has lost its rows up to seq " INT64_FORMAT ", so its events say, but %s seqs " INT64_FORMAT " to " INT64_FORMAT ", sealed in block " INT64_FORMAT ".",
				segment->strand, strand->begins - 1, what,
				segment->first_seq, segment->last_seq, segment->block);
}

/*
 * The part of the segment that lies in the unit
 */
static void
walk_segment(TreeWalk *walk)
{
	const Segment *segment = walk->segment;
	AuditStrand *strand = audit_strand(walk->audit, segment->strand);
	int64		index = Max(walk->from, segment->first_index);
	int64		end = Min(walk->to, segment->first_index + (segment->last_seq - segment->first_seq + 1));
	int64		first = segment->first_seq + (index - segment->first_index);
	int64		last = segment->first_seq + (end - segment->first_index) - 1;

	Assert(strand != NULL);
	if (segment->last_seq < strand->begins)
	{
		if (segment->last_seq == strand->begins - 1 &&
			memcmp(segment->last_hash, strand->before, LINK_HASH_LEN) != 0)
			find_expiry(walk, strand, "with another hash than that of");
		add_expired(walk, index, end);
		return;
	}
	if (segment->first_seq < strand->begins)
		find_expiry(walk, strand, "that is in the midst of");
	if (strand->leaf == NO_LEAF)
		return;
	/* the events' rows are verified as they are replayed */
	if (walk->diagnose || strand->leaf == EVENTS_LEAF)
		walk_links(walk->audit, strand, first, last, add_row, walk);
	else
		walk_strand(walk->audit, strand, first, last, add_row, walk);
}

/*
 * Go on with the nodes as the log has them, if these make this root.
 */
static bool
resume_from_log(TreeWalk *walk, int64 size, const MerkleHash root)
{
	MerkleRange range;
	MerkleHash	computed;

	if (!log_range(walk->audit->log, size, &range))
		return false;
	merkle_range_root(&range, computed);
	if (memcmp(computed, root, MERKLE_HASH_LEN) != 0)
		return false;
	walk->range = range;
	return true;
}

/*
 * Segments that end in another hash than the one that was sealed: either the
 * rows were rewritten, or, if the block has its root, only this hash.
 */
static void
find_rewritten(TreeWalk *walk, bool root_is_good)
{
	ListCell   *lc;

	foreach(lc, walk->rewritten)
	{
		const Segment *segment = lfirst(lc);

		walk->segment_found = true;
		finding(walk->audit, FOUND_SEGMENT, segment->strand, segment->first_seq,
				"Seqs " INT64_FORMAT " to " INT64_FORMAT " of strand %d, sealed in block " INT64_FORMAT ", end in another hash than anshim.segment has. %s",
				segment->first_seq, segment->last_seq, segment->strand, segment->block,
				root_is_good ? "They make the block's root, so that it is anshim.segment that was edited." :
				"The strand was rewritten, there or before, with links that fit. Compare its rows with a backup.");
	}
	list_free(walk->rewritten);
	walk->rewritten = NIL;
}

/*
 * The block's root is not the one that its leaves make.
 */
static void
find_root(TreeWalk *walk, const LogBlock *block)
{
	if (walk->segment_found || walk->explained)
		 /* said already */ ;
	else if (walk->nodes_differ > 0)
		finding(walk->audit, FOUND_SEGMENT, NO_STRAND, NO_SEQ,
				"Block " INT64_FORMAT ": its leaves make neither its root nor its nodes, of which the first that differs is of level %d, index " INT64_FORMAT ", leaves " INT64_FORMAT " to " INT64_FORMAT ". "
				"Compare its rows, by anshim.segment, with a backup.",
				block->number, walk->node_level, walk->node_index,
				walk->node_index << walk->node_level,
				((walk->node_index + 1) << walk->node_level) - 1);
	else
		finding(walk->audit, FOUND_BLOCK, NO_STRAND, NO_SEQ,
				"Block " INT64_FORMAT ": its root is not that of its leaves, whose strands and nodes are as they were sealed. "
				"Compare anshim.block and anshim.segment with a backup.", block->number);
	walk->explained = !resume_from_log(walk, block->size, block->root);
}

static void
end_block(TreeWalk *walk, const LogBlock *block)
{
	MerkleHash	root;
	bool		whole;
	bool		good;

	if (walk->range.to != block->size)
		walk->holes = true;
	whole = walk->range.from == 0 && !walk->holes;
	if (whole)
		merkle_range_root(&walk->range, root);
	good = whole && memcmp(root, block->root, MERKLE_HASH_LEN) == 0;
	find_rewritten(walk, good);
	if (good)
	{
		walk->explained = false;
		if (walk->diagnose && walk->nodes_differ > 0)
			finding(walk->audit, FOUND_NODE, NO_STRAND, NO_SEQ,
					"%d nodes under block " INT64_FORMAT ", the first of them of level %d, index " INT64_FORMAT ", are not stored as its leaves make them. "
					"The rows are intact, and make the block's root; compare anshim.tile with a backup.",
					walk->nodes_differ, block->number, walk->node_level, walk->node_index);
	}
	else
	{
		walk->intact = false;
		if (walk->diagnose && whole)
			find_root(walk, block);
		else if (walk->diagnose)
			walk->explained = !resume_from_log(walk, block->size, block->root);
	}
	walk->holes = walk->segment_found = false;
	walk->nodes_differ = 0;
}

static void
walk_block(TreeWalk *walk, const LogBlock *block, const Segment *segments, int64 n)
{
	for (int64 i = 0; i < n; i++)
	{
		if (!segment_is_sane(&segments[i]) ||
			segments[i].first_index >= walk->to ||
			segments[i].first_index + (segments[i].last_seq - segments[i].first_seq) < walk->from)
			continue;
		walk->segment = &segments[i];
		walk_segment(walk);
	}
	if (block->size <= walk->to)
		end_block(walk, block);
}

/*
 * Blocks from this one on, as long as they have leaves before walk->to
 */
static void
walk_blocks(TreeWalk *walk, int64 first_block)
{
	Audit	   *audit = walk->audit;
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "anshim blocks",
												ALLOCSET_DEFAULT_SIZES);

	for (bool more = true; more; first_block += BATCH)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		int64		at = 0;
		int			nblocks;
		int64		n;
		LogBlock   *blocks = log_blocks(&audit->chain->id, first_block, first_block + BATCH - 1,
										audit->snapshot, &nblocks);
		Segment    *segments = log_segments(&audit->chain->id, first_block, first_block + BATCH - 1,
											audit->snapshot, &n);

		MemoryContextSwitchTo(old);
		more = nblocks > 0;
		for (int i = 0; i < nblocks && more; i++)
		{
			int64		begin;

			while (at < n && segments[at].block < blocks[i].number)
				at++;
			for (begin = at; at < n && segments[at].block == blocks[i].number; at++)
				;
			walk_block(walk, &blocks[i], &segments[begin], at - begin);
			more = blocks[i].size < walk->to;
		}
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

static void
begin_walk(TreeWalk *walk, Audit *audit, int64 from, int64 to)
{
	memset(walk, 0, offsetof(TreeWalk, range));
	walk->audit = audit;
	walk->diagnose = false;
	walk->from = from;
	walk->to = to;
	walk->intact = true;
	walk->holes = walk->segment_found = walk->explained = false;
	walk->rewritten = NIL;
	walk->nodes_differ = 0;
	if (from == 0)
		merkle_range_init(&walk->range, 0);
	else if (!log_range(audit->log, from, &walk->range))
	{
		walk->intact = false;
		merkle_range_init(&walk->range, from);
	}
}

void
tree_verify(Audit *audit, Unit *unit)
{
	TreeWalk	walk;

	begin_walk(&walk, audit, unit->from, unit->to);
	if (walk.intact)
		merkle_range_root(&walk.range, unit->root_before);
	walk_blocks(&walk, unit->block);
	if (walk.range.from != 0 || walk.range.to != unit->to)
		walk.intact = false;
	if (walk.intact)
		merkle_range_root(&walk.range, unit->root_after);
	unit->intact = walk.intact;
}

bool
tree_is_intact(const AuditPlan *plan)
{
	const uint8 *before = plan->from_root;
	int64		at = plan->from_index;

	for (int i = 0; i < plan->nunits && plan->units[i].kind == UNIT_TREE; i++)
	{
		const Unit *unit = &plan->units[i];

		if (!unit->intact || unit->from != at ||
			memcmp(unit->root_before, before, MERKLE_HASH_LEN) != 0)
			return false;
		before = unit->root_after;
		at = unit->to;
	}
	return at == plan->size;
}

void
tree_diagnose(Audit *audit, const AuditPlan *plan)
{
	TreeWalk	walk;
	MerkleHash	root;

	begin_walk(&walk, audit, plan->from_index, plan->size);
	walk.diagnose = true;
	if (walk.intact)
		merkle_range_root(&walk.range, root);
	if (!walk.intact || memcmp(root, plan->from_root, MERKLE_HASH_LEN) != 0)
	{
		finding(audit, FOUND_NODE, NO_STRAND, NO_SEQ,
				"The nodes before block " INT64_FORMAT " do not make the root of the block before it. Verify from an earlier block.",
				plan->from_block);
		walk.explained = true;
	}
	walk_blocks(&walk, plan->from_block);

	/* never silent: what made us look must have been something */
	if (audit->findings->of_rows == 0)
		finding(audit, FOUND_SEGMENT, NO_STRAND, NO_SEQ,
				"The leaves from " INT64_FORMAT " to " INT64_FORMAT " do not make the tree that was sealed. "
				"See the other findings; when they are dealt with, verify again.",
				plan->from_index, plan->size - 1);
}
