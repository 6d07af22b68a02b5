/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  Is what the log says of itself consistent, and what is there to verify?
 *
 * Blocks and segments are read once, in the order of the tree, and must leave
 * no gap: neither in the numbers of blocks, nor in the tree, nor in a strand.
 * What is verified later takes that for granted.
 *
 * On the way the tree is cut in units, at indexes that are multiples of 256:
 * the nodes before them are all of them stored ones.
 *
 * Memory: a batch of blocks with their segments; some hundred units.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

#include "audit.h"

/* Blocks that are read at a time */
#define BATCH 512

/* How many units a tree is cut in, at most, and how small these get */
#define TREE_UNITS 256
#define SMALLEST_UNIT INT64CONST(65536)

/* Pages that are counted in one unit */
#define PAGES_A_UNIT 16384

typedef struct LogWalk
{
	Audit	   *audit;
	HTAB	   *strands;
	AuditPlan  *plan;
	int64		unit_size;
	int64		next_block;
	int64		next_index;		/* where the next segment has to begin */
	int32		last_strand;	/* of the block before us */
	int64		planned;		/* units are cut up to here */
} LogWalk;

static Unit *
add_unit(AuditPlan *plan, UnitKind kind, int leaf, int32 strand, int64 from, int64 to)
{
	Unit	   *unit;

	if (plan->nunits == plan->allocated)
	{
		plan->allocated *= 2;
		plan->units = repalloc_huge(plan->units, mul_size(plan->allocated, sizeof(Unit)));
	}
	unit = &plan->units[plan->nunits++];
	memset(unit, 0, sizeof(Unit));
	unit->kind = kind;
	unit->leaf = leaf;
	unit->strand = strand;
	unit->from = from;
	unit->to = to;
	return unit;
}

/* One that its writer could have meant; whether it is right is another question. */
bool
segment_is_sane(const Segment *segment)
{
	int64		end;

	return segment->strand >= 0 && segment->first_seq >= 1 &&
		segment->last_seq >= segment->first_seq && segment->last_seq < PG_INT64_MAX &&
		segment->first_index >= 0 &&
		!pg_add_s64_overflow(segment->first_index,
							 segment->last_seq - segment->first_seq + 1, &end);
}

static void
find_segment(Audit *audit, const Segment *segment, const char *what)
{
	audit->patchy = true;
	finding(audit, FOUND_SEGMENT, segment->strand, segment->first_seq,
			"The segment of strand %d in block " INT64_FORMAT ", seqs " INT64_FORMAT " to " INT64_FORMAT
			" from leaf " INT64_FORMAT " on, %s. Compare anshim.segment with a backup.",
			segment->strand, segment->block, segment->first_seq, segment->last_seq,
			segment->first_index, what);
}

static void
take_segment(LogWalk *walk, const Segment *segment)
{
	AuditStrand *strand;

	if (!segment_is_sane(segment))
	{
		find_segment(walk->audit, segment, "cannot be");
		return;
	}
	strand = strands_enter(walk->strands, segment->strand);
	if (segment->strand <= walk->last_strand)
		find_segment(walk->audit, segment, "is not in the order of strands");
	if (segment->first_index != walk->next_index)
		find_segment(walk->audit, segment, "does not begin where the one before it ends");
	if (segment->first_seq != strand->sealed + 1)
		find_segment(walk->audit, segment, "does not begin where the strand's last segment ended");

	walk->last_strand = segment->strand;
	walk->next_index = segment->first_index + (segment->last_seq - segment->first_seq + 1);
	strand->sealed = Max(strand->sealed, segment->last_seq);
	if (segment->block < walk->plan->from_block)
		strand->skipped = strand->sealed;
}

/* Cut units up to the end of this block. */
static void
cut_units(LogWalk *walk, const LogBlock *block)
{
	AuditPlan  *plan = walk->plan;

	if (block->number < plan->from_block)
	{
		walk->planned = plan->from_index = block->size;
		memcpy(plan->from_root, block->root, sizeof(MerkleHash));
		return;
	}
	while (walk->planned < block->size)
	{
		int64		end = (walk->planned / walk->unit_size + 1) * walk->unit_size;

		end = Min(end, plan->size);
		if (end <= walk->planned)
			break;				/* block sizes that do not grow were found */
		add_unit(plan, UNIT_TREE, NO_LEAF, 0, walk->planned, end)->block = block->number;
		walk->planned = end;
	}
}

static void
take_block(LogWalk *walk, const LogBlock *block, const Segment *segments, int64 n)
{
	Audit	   *audit = walk->audit;

	if (block->number != walk->next_block)
	{
		audit->patchy = true;
		finding(audit, FOUND_BLOCK, NO_STRAND, NO_SEQ,
				"Block " INT64_FORMAT " follows block " INT64_FORMAT ": those between are gone. "
				"Compare anshim.block with a backup.",
				block->number, walk->next_block - 1);
	}
	walk->next_block = block->number + 1;
	if (n == 0)
		finding(audit, FOUND_BLOCK, NO_STRAND, NO_SEQ,
				"Block " INT64_FORMAT " has no segments. Compare anshim.segment with a backup.",
				block->number);
	walk->last_strand = -1;
	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		take_segment(walk, &segments[i]);
	}
	if (block->size != walk->next_index)
	{
		audit->patchy = true;
		finding(audit, FOUND_BLOCK, NO_STRAND, NO_SEQ,
				"Block " INT64_FORMAT " ends, so it says, with leaf " INT64_FORMAT ", and its segments with leaf " INT64_FORMAT ". "
				"Compare anshim.block and anshim.segment with a backup.",
				block->number, block->size - 1, walk->next_index - 1);
	}
	cut_units(walk, block);
	if (block->number >= walk->plan->from_block)
		walk->plan->rows = block->size - walk->plan->from_index;
}

static void
find_stray_segments(Audit *audit, const Segment *segments, int64 n)
{
	for (int64 i = 0; i < n; i++)
		find_segment(audit, &segments[i], "is of no block that anshim.block has");
}

/*
 * A batch of blocks, whose segments are sorted by block.
 */
static void
take_batch(LogWalk *walk, const LogBlock *blocks, int nblocks, const Segment *segments, int64 n)
{
	int64		at = 0;

	for (int i = 0; i < nblocks; i++)
	{
		int64		begin;

		for (begin = at; at < n && segments[at].block < blocks[i].number; at++)
			;
		find_stray_segments(walk->audit, &segments[begin], at - begin);
		for (begin = at; at < n && segments[at].block == blocks[i].number; at++)
			;
		take_block(walk, &blocks[i], &segments[begin], at - begin);
	}
	find_stray_segments(walk->audit, &segments[at], n - at);
}

/*
 * Segments and nodes of blocks that are not there (any more)
 */
static void
find_surplus(Audit *audit, const AuditPlan *plan)
{
	MerkleHash	hash;
	int64		n;
	Segment    *segments = log_segments(&audit->chain->id, plan->to_block + 1,
										plan->to_block + BATCH, audit->snapshot, &n);

	find_stray_segments(audit, segments, n);
	for (int level = 8; level < MERKLE_MAX_LEVELS; level += 8)
	{
		if (log_stored(audit->log, level, plan->size >> level, hash))
			finding(audit, FOUND_NODE, NO_STRAND, NO_SEQ,
					"The log ends at leaf " INT64_FORMAT ", but there is a node of level %d, index " INT64_FORMAT ", of more leaves. "
					"Blocks may be gone; compare anshim.block and anshim.tile with a backup.",
					plan->size - 1, level, plan->size >> level);
	}
}

void
plan_log(Audit *audit, HTAB *strands, AuditPlan *plan)
{
	LogWalk		walk = {.audit = audit,.strands = strands,.plan = plan,.next_block = 1};
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "anshim blocks",
												ALLOCSET_DEFAULT_SIZES);
	bool		whole_log = plan->to_block == 0;
	LogBlock	last;

	merkle_empty_root(plan->from_root);
	plan->allocated = 64;
	plan->units = palloc_array(Unit, plan->allocated);
	if (whole_log && log_last_block(&audit->chain->id, audit->snapshot, &last))
	{
		plan->to_block = last.number;
		plan->size = last.size;
	}
	walk.unit_size = Max(TYPEALIGN(256, plan->size / TREE_UNITS), SMALLEST_UNIT);

	for (int64 first = 1; first <= plan->to_block; first += BATCH)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		int			nblocks;
		int64		nsegments;
		int64		to = Min(first + BATCH - 1, plan->to_block);
		LogBlock   *blocks = log_blocks(&audit->chain->id, first, to, audit->snapshot, &nblocks);
		Segment    *segments = log_segments(&audit->chain->id, first, to, audit->snapshot, &nsegments);

		MemoryContextSwitchTo(old);
		take_batch(&walk, blocks, nblocks, segments, nsegments);
		MemoryContextReset(batch);
		if (nblocks == 0)
		{
			finding(audit, FOUND_BLOCK, NO_STRAND, NO_SEQ,
					"Blocks from " INT64_FORMAT " on are gone, though there is a block " INT64_FORMAT ". "
					"Compare anshim.block with a backup.",
					walk.next_block, plan->to_block);
			break;
		}
	}
	if (whole_log)
		find_surplus(audit, plan);
	MemoryContextDelete(batch);
}

/* What is not sealed yet */
void
plan_tails(Audit *audit, AuditPlan *plan)
{
	for (int i = 0; i < audit->nstrands; i++)
	{
		AuditStrand *strand = &audit->strands[i];
		int64		first = Max(Max(strand->sealed + 1, strand->begins), strand->found_first);

		if (strand->leaf < 0 || first > strand->found_last)
			continue;
		plan->rows += strand->found_last - first + 1;
		for (int64 from = first; from <= strand->found_last; from += SMALLEST_UNIT)
			add_unit(plan, UNIT_TAIL, strand->leaf, strand->strand, from,
					 Min(from + SMALLEST_UNIT, strand->found_last + 1));
	}
}

void
plan_count(Audit *audit, AuditPlan *plan, int leaf)
{
	const ChainLeaf *table = &audit->chain->leaves[leaf];
	int64		pages = RelationGetNumberOfBlocks(table->heap);

	/* that it has no column of links structure_check() tells */
	if (table->link_attno == InvalidAttrNumber)
		return;
	for (int64 from = 0; from < pages; from += PAGES_A_UNIT)
		add_unit(plan, UNIT_HEAP, leaf, 0, from, Min(from + PAGES_A_UNIT, pages));
}

/*
 * All rows of the tables are counted.  Those before `from_block` nobody
 * looks at; their strands say how many there should be.
 */
void
plan_counts(Audit *audit, AuditPlan *plan)
{
	for (int i = 0; i < audit->nstrands; i++)
	{
		AuditStrand *strand = &audit->strands[i];
		int64		last = Min(strand->skipped, strand->found_last);

		if (strand->leaf >= 0 && last >= strand->found_first)
			pg_atomic_fetch_add_u64(&audit->counts[strand->leaf].in_index,
									last - strand->found_first + 1);
	}
	for (int leaf = 0; leaf < audit->chain->nleaves; leaf++)
		plan_count(audit, plan, leaf);
}
