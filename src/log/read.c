/*-------------------------------------------------------------------------
 *
 * read.c
 *	  Reading nodes of a log's tree, wherever they are
 *
 * Nodes of level 8, 16, ... are in tiles, and those between are computed of
 * them.  The seven levels below are not stored: 256 leaves at a time, which
 * make up a node of level 8, are read from the rows' links and hashed.  Where
 * rows have expired, the nodes that were kept of them take their places.  A
 * proof needs one such bush, or two.
 *
 * What is read is not proven: a link, a tile or a kept node that somebody has
 * edited makes other roots, which whoever reads has to compare.
 *
 * Locking: the chain's leaves are open, and stay so.
 *
 * Memory: a reader has a context of its own, below the current one: 16 kB of a
 * bush, 8 kB a tile level, and a scan for each leaf of the chain that was read.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "chain/chain.h"
#include "compat.h"
#include "log/store.h"

/*
 * A node of level 8 with all that is below: as a heap, in which node i of level
 * l is at (256 >> l) + i, and the children of k at 2k and 2k + 1.
 */
#define BUSH_LEVELS TILE_LEVELS
#define BUSH_LEAVES TILE_NODES
#define BUSH_SLOT(level, index) ((BUSH_LEAVES >> (level)) + (int) ((index) & ((BUSH_LEAVES >> (level)) - 1)))

typedef struct Bush
{
	int64		number;			/* its root's index; -1: none is loaded */
	bool		have[2 * BUSH_LEAVES];
	MerkleHash	nodes[2 * BUSH_LEAVES];
} Bush;

/* Where a strand's rows are; strands that are nowhere are remembered, too. */
typedef struct StrandPlace
{
	int32		strand;			/* the hash key */
	int			leaf;			/* see leaf_scan(); -1: nowhere */
} StrandPlace;

struct LogReader
{
	Chain	   *chain;
	Snapshot	snapshot;
	MemoryContext context;
	bool		has_kept;
	Bush		bush;
	Tile		tiles[TILE_MAX_LEVEL + 1];	/* the one read last of each level */
	StrandScan **scans;			/* one a leaf, the events first; NULL: not
								 * begun */
	HTAB	   *places;
};

LogReader *
log_reader_begin(Chain *chain, Snapshot snapshot)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "anshim log reader",
												  ALLOCSET_DEFAULT_SIZES);
	LogReader  *reader = MemoryContextAllocZero(context, sizeof(LogReader));
	HASHCTL		ctl = {0};

	reader->chain = chain;
	reader->snapshot = RegisterSnapshot(snapshot);
	reader->context = context;
	reader->has_kept = store_has_kept(&chain->id, snapshot);
	reader->bush.number = -1;
	for (int level = 0; level <= TILE_MAX_LEVEL; level++)
		reader->tiles[level].number = -1;
	reader->scans = MemoryContextAllocZero(context, mul_size(chain->nleaves + 1, sizeof(StrandScan *)));
	ctl.keysize = sizeof(int32);
	ctl.entrysize = sizeof(StrandPlace);
	ctl.hcxt = context;
	reader->places = hash_create("anshim strands", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return reader;
}

void
log_reader_end(LogReader *reader)
{
	for (int i = 0; i <= reader->chain->nleaves; i++)
	{
		if (reader->scans[i] != NULL)
			strand_scan_end(reader->scans[i]);
	}
	UnregisterSnapshot(reader->snapshot);
	MemoryContextDelete(reader->context);
}

/*
 * Rows
 */

/* The scan of a leaf: 0 are the events. */
static StrandScan *
leaf_scan(LogReader *reader, int number)
{
	if (reader->scans[number] == NULL)
	{
		const ChainLeaf *leaf = number == 0 ? &reader->chain->events : &reader->chain->leaves[number - 1];
		MemoryContext old;

		if (leaf->position == NULL)
			return NULL;
		old = MemoryContextSwitchTo(reader->context);
		reader->scans[number] = strand_scan_begin(reader->chain, leaf, reader->snapshot);
		MemoryContextSwitchTo(old);
	}
	return reader->scans[number];
}

/*
 * Begin to read a part of a strand, from the leaf that has it.  NULL if none
 * has its first row.
 */
static StrandScan *
begin_part(LogReader *reader, int32 strand, int64 first_seq, int64 last_seq, StrandRow *row)
{
	StrandPlace *place;
	bool		found;

	place = hash_search(reader->places, &strand, HASH_ENTER, &found);
	if (!found)
		place->leaf = strand == EVENT_STRAND ? 0 : -1;

	for (int i = 0; i <= reader->chain->nleaves; i++)
	{
		/* first where it was before; events are nowhere else */
		int			number = (Max(place->leaf, 0) + i) % (reader->chain->nleaves + 1);
		StrandScan *scan;

		if ((number == 0) != (strand == EVENT_STRAND))
			continue;
		scan = leaf_scan(reader, number);
		if (scan == NULL)
			continue;
		strand_scan_rescan(scan, strand, first_seq, last_seq, link_no_hash);
		if (strand_scan_next_link(scan, row))
		{
			place->leaf = number;
			return scan;
		}
	}
	return NULL;
}

/*
 * Put the links of a segment into a bush, those of its leaves [from, end).
 */
static void
read_links(LogReader *reader, const Segment *segment, int64 from, int64 end)
{
	Bush	   *bush = &reader->bush;
	int64		first_seq = segment->first_seq + (from - segment->first_index);
	int64		last_seq = segment->first_seq + (end - 1 - segment->first_index);
	StrandRow	row;
	StrandScan *scan = begin_part(reader, segment->strand, first_seq, last_seq, &row);

	if (scan == NULL)
		return;
	do
	{
		/* what is stored need not be what the index says */
		if (row.link.strand == segment->strand &&
			row.link.seq >= first_seq && row.link.seq <= last_seq)
		{
			int			slot = BUSH_SLOT(0, from + (row.link.seq - first_seq));

			link_leaf_hash(row.link.hash, bush->nodes[slot]);
			bush->have[slot] = true;
		}
	} while (strand_scan_next_link(scan, &row));
}

static void
put_kept(void *arg, const MerkleNode *node)
{
	Bush	   *bush = arg;
	int			slot = BUSH_SLOT(node->level, node->index);

	memcpy(bush->nodes[slot], node->hash, MERKLE_HASH_LEN);
	bush->have[slot] = true;
}

/*
 * Load the bush of this number.
 */
static void
load_bush(LogReader *reader, int64 number)
{
	const pg_uuid_t *chain = &reader->chain->id;
	Bush	   *bush = &reader->bush;
	int64		from = number * BUSH_LEAVES;
	int64		end = from + BUSH_LEAVES;
	Segment    *segments;
	Segment		first;
	int			n;

	bush->number = -1;
	memset(bush->have, false, sizeof(bush->have));

	/* the segment that its first leaf is in, and those that begin in it */
	if (store_segment_of_index(chain, from, reader->snapshot, &first) &&
		first.first_index < from && first.first_index + (first.last_seq - first.first_seq) >= from)
		read_links(reader, &first, from,
				   Min(end, first.first_index + (first.last_seq - first.first_seq) + 1));
	segments = store_segments_from(chain, from, end, reader->snapshot, &n);
	for (int i = 0; i < n; i++)
		read_links(reader, &segments[i], segments[i].first_index,
				   Min(end, segments[i].first_index + (segments[i].last_seq - segments[i].first_seq) + 1));
	pfree(segments);

	if (reader->has_kept)
	{
		for (int level = 0; level < BUSH_LEVELS; level++)
			store_kept_read(chain, level, from >> level, end >> level, reader->snapshot, put_kept, bush);
	}
	for (int slot = BUSH_LEAVES - 1; slot > 0; slot--)
	{
		if (bush->have[slot] || !bush->have[2 * slot] || !bush->have[2 * slot + 1])
			continue;
		merkle_node_hash(bush->nodes[2 * slot], bush->nodes[2 * slot + 1], bush->nodes[slot]);
		bush->have[slot] = true;
	}
	bush->number = number;
}

/*
 * A node of level 0 to 8.
 */
static bool
fetch_from_bush(LogReader *reader, int level, int64 index, MerkleHash hash)
{
	int64		number = index >> (BUSH_LEVELS - level);
	int			slot = BUSH_SLOT(level, index);

	if (reader->bush.number != number)
		load_bush(reader, number);
	if (!reader->bush.have[slot])
		return false;
	memcpy(hash, reader->bush.nodes[slot], MERKLE_HASH_LEN);
	return true;
}

/*
 * Tiles
 */

static bool
fetch_from_tile(LogReader *reader, int level, int64 index, MerkleHash hash)
{
	Tile	   *tile = &reader->tiles[level / TILE_LEVELS];
	int64		number = index / TILE_NODES;

	if (tile->number != number)
	{
		tile->number = -1;
		store_tile_read(&reader->chain->id, level / TILE_LEVELS, number, reader->snapshot, tile);
	}
	if (index % TILE_NODES >= tile->n)
		return false;
	memcpy(hash, tile->hashes[index % TILE_NODES], MERKLE_HASH_LEN);
	return true;
}

static void
copy_node(void *arg, const MerkleNode *node)
{
	*(MerkleNode *) arg = *node;
}

static bool
fetch_kept(LogReader *reader, int level, int64 index, MerkleHash hash)
{
	MerkleNode	node = {.level = -1};

	store_kept_read(&reader->chain->id, level, index, index + 1, reader->snapshot, copy_node, &node);
	if (node.level < 0)
		return false;
	memcpy(hash, node.hash, MERKLE_HASH_LEN);
	return true;
}

bool
log_stored(LogReader *reader, int level, int64 index, MerkleHash hash)
{
	if (level < TILE_LEVELS)
		return reader->has_kept && fetch_kept(reader, level, index, hash);
	return level % TILE_LEVELS == 0 && fetch_from_tile(reader, level, index, hash);
}

/*
 * Recursion ends at a tile, or at a bush: it is at most 63 levels deep, and
 * where no tile is missing 8.
 */
bool
log_fetch(void *arg, int level, int64 index, MerkleHash hash)
{
	LogReader  *reader = arg;
	MerkleHash	right;

	CHECK_FOR_INTERRUPTS();
	if (level < TILE_LEVELS)
		return fetch_from_bush(reader, level, index, hash);
	if (level % TILE_LEVELS == 0 && fetch_from_tile(reader, level, index, hash))
		return true;
	if (level == TILE_LEVELS)
		return fetch_from_bush(reader, level, index, hash);
	if (!log_fetch(reader, level - 1, 2 * index, hash) ||
		!log_fetch(reader, level - 1, 2 * index + 1, right))
		return false;
	merkle_node_hash(hash, right, hash);
	return true;
}

/*
 * Ranges
 */

/* The largest complete node that begins at `from` and ends at `end` at the latest */
static int
level_between(int64 from, int64 end)
{
	int			level = pg_leftmost_one_pos64(end - from);

	return from == 0 ? level : Min(level, pg_rightmost_one_pos64(from));
}

bool
log_range(LogReader *reader, int64 size, MerkleRange *range)
{
	merkle_range_init(range, 0);
	while (range->to < size)
	{
		MerkleNode *node = &range->nodes[range->n];

		node->level = level_between(range->to, size);
		node->index = range->to >> node->level;
		if (!log_fetch(reader, node->level, node->index, node->hash))
			return false;
		range->n++;
		range->to += INT64CONST(1) << node->level;
	}
	return true;
}

void
log_keep_segment(LogReader *reader, const Segment *segment)
{
	int64		at = segment->first_index;
	int64		end = at + (segment->last_seq - segment->first_seq) + 1;

	while (at < end)
	{
		MerkleNode	node;
		MerkleHash	kept;

		node.level = level_between(at, end);
		node.index = at >> node.level;
		at += INT64CONST(1) << node.level;
		/* higher ones are in tiles, or computed of what is there */
		if (node.level >= TILE_LEVELS || fetch_kept(reader, node.level, node.index, kept))
			continue;
		if (!fetch_from_bush(reader, node.level, node.index, node.hash))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("rows of strand %d are missing", segment->strand),
					 errdetail("Of the segment that begins at seq %lld not all links are there.",
							   (long long) segment->first_seq),
					 errhint("See with anshim.verify_chain() which.")));
		store_kept_write(&reader->chain->id, &node);
	}
}
