/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  anshim.seal(): append what is committed to the log
 *
 * What goes into the tree stays there: a link whose row does not hash to it,
 * once under a root that was signed, could be told from tampering by nobody.
 * So each row is hashed again on its way into the tree, and the tree as it is
 * stored must have the root of the last block before anything is added to it.
 *
 * All is read under one snapshot, the latest when sealing begins, whatever the
 * isolation level: the committed links of a strand are an unbroken beginning
 * of it, and what is committed later can only come behind.
 *
 * Locking: AccessShareLock on the table and its partitions, which no writer
 * waits for, nor makes us wait; log_lock() against others who seal.
 *
 * Memory: the strands' ends; one unfinished tile a level.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain/catalog.h"
#include "compat.h"
#include "log/store.h"

PG_FUNCTION_INFO_V1(anshim_seal);

/* The end of a strand, and how far it is sealed. */
typedef struct Tail
{
	const ChainLeaf *leaf;
	StrandTail	end;
	int64		sealed_seq;		/* 0: not at all */
	uint8		sealed_hash[LINK_HASH_LEN];
} Tail;

typedef struct Sealer
{
	Chain	   *chain;
	Snapshot	snapshot;
	LogBlock	last;			/* the newest block there is; size 0: none */
	MerkleRange range;			/* the tree, as it grows */
	Tile		tiles[TILE_MAX_LEVEL + 1];	/* by level; each the one that is
											 * being filled */
	bool		filled[TILE_MAX_LEVEL + 1]; /* it is not as it was read */
	int			ntails;
	Tail	   *tails;
	int			nsegments;
	Segment    *segments;
} Sealer;

void
log_lock(const pg_uuid_t *chain)
{
	store_lock("block", chain->data, UUID_LEN);
}

/*
 * The tree as it is
 */

static void
refuse_log(const Sealer *sealer, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the log of table \"%s\" is damaged", get_rel_name(sealer->chain->target)),
			 errdetail("%s Nothing was sealed.", detail),
			 errhint("See with anshim.verify_chain() what is amiss.")));
}

/*
 * Read what is to be gone on from, and compare it with the last block: it
 * comes from tiles and rows that somebody may have edited since.
 */
static void
read_tree(Sealer *sealer)
{
	LogReader  *reader = log_reader_begin(sealer->chain, sealer->snapshot);
	int64		size = sealer->last.size;
	MerkleHash	root;

	if (!log_range(reader, size, &sealer->range))
		refuse_log(sealer, "Not all links that were sealed are there.");
	log_reader_end(reader);
	merkle_range_root(&sealer->range, root);
	if (size > 0 && memcmp(root, sealer->last.root, MERKLE_HASH_LEN) != 0)
		refuse_log(sealer, "Its tree has another root than its last block.");

	for (int level = 1; level <= TILE_MAX_LEVEL; level++)
	{
		Tile	   *tile = &sealer->tiles[level];
		int64		nodes = size >> (level * TILE_LEVELS);

		store_tile_read(&sealer->chain->id, level, nodes / TILE_NODES, sealer->snapshot, tile);
		if (tile->n != nodes % TILE_NODES)
			refuse_log(sealer, "A tile of its tree has a wrong length.");
	}
}

/*
 * Strands
 */

static int
compare_tails(const void *a, const void *b)
{
	int32		left = ((const Tail *) a)->end.strand;
	int32		right = ((const Tail *) b)->end.strand;

	return (left > right) - (left < right);
}

static void
refuse_row(const Tail *tail, int64 seq, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("row %lld of strand %d of table %s %s",
					(long long) seq, tail->end.strand, leaf_name(tail->leaf), what),
			 errdetail("Nothing was sealed."),
			 errhint("See with anshim.verify_chain() what is amiss.")));
}

/*
 * The strands of a leaf, behind those that are there already.
 */
static void
add_tails(Sealer *sealer, const ChainLeaf *leaf)
{
	int			n;
	StrandTail *ends = strand_tails(sealer->chain, leaf, sealer->snapshot, &n);
	Size		size = mul_size(add_size(sealer->ntails, n), sizeof(Tail));

	sealer->tails = sealer->tails == NULL ? palloc(size) : repalloc(sealer->tails, size);
	for (int i = 0; i < n; i++)
	{
		Tail	   *tail = &sealer->tails[sealer->ntails++];
		Segment		last;

		tail->leaf = leaf;
		tail->end = ends[i];
		tail->sealed_seq = 0;
		memcpy(tail->sealed_hash, link_no_hash, LINK_HASH_LEN);
		if (store_segment_of_seq(&sealer->chain->id, ends[i].strand, PG_INT64_MAX, sealer->snapshot, &last))
		{
			tail->sealed_seq = last.last_seq;
			memcpy(tail->sealed_hash, last.last_hash, LINK_HASH_LEN);
		}
		if (tail->end.last.seq < tail->sealed_seq)
			refuse_row(tail, tail->end.last.seq + 1, "is missing");
	}
	pfree(ends);
}

/*
 * The ends of all strands, in the order in which they go into the tree.
 */
static void
read_tails(Sealer *sealer)
{
	Chain	   *chain = sealer->chain;

	add_tails(sealer, &chain->events);
	for (int i = 0; i < chain->nleaves; i++)
		add_tails(sealer, &chain->leaves[i]);
	qsort(sealer->tails, sealer->ntails, sizeof(Tail), compare_tails);
	sealer->segments = palloc(mul_size(sealer->ntails, sizeof(Segment)));

	for (int i = 1; i < sealer->ntails; i++)
	{
		if (sealer->tails[i].end.strand == sealer->tails[i - 1].end.strand)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("strand %d lies in two tables, %s and %s", sealer->tails[i].end.strand,
							leaf_name(sealer->tails[i - 1].leaf), leaf_name(sealer->tails[i].leaf)),
					 errdetail("Rows were copied with their links. Nothing was sealed."),
					 errhint("See with anshim.verify_chain() what is amiss.")));
	}
}

/*
 * Nodes of every eighth level go into tiles.  A full tile is written at once.
 */
static void
put_into_tile(void *arg, const MerkleNode *node)
{
	Sealer	   *sealer = arg;
	int			level = node->level / TILE_LEVELS;
	Tile	   *tile = &sealer->tiles[level];

	if (node->level == 0 || node->level % TILE_LEVELS != 0)
		return;
	Assert(node->index == tile->number * TILE_NODES + tile->n);
	memcpy(tile->hashes[tile->n++], node->hash, MERKLE_HASH_LEN);
	sealer->filled[level] = true;
	if (tile->n == TILE_NODES)
	{
		store_tile_write(&sealer->chain->id, tile, sealer->snapshot);
		sealer->filled[level] = false;
		tile->number++;
		tile->n = 0;
	}
}

/*
 * Append to the tree what is new of a strand.
 */
static void
seal_strand(Sealer *sealer, StrandScan *scan, const Tail *tail)
{
	int32		strand = tail->end.strand;
	int64		last_seq = tail->end.last.seq;
	int64		seq = tail->sealed_seq + 1;
	Segment    *segment = &sealer->segments[sealer->nsegments];
	StrandRow	row;

	if (seq > last_seq)
		return;
	segment->block = sealer->last.number + 1;
	segment->strand = strand;
	segment->first_seq = seq;
	segment->last_seq = last_seq;
	segment->first_index = sealer->range.to;
	memcpy(segment->last_hash, tail->end.last.hash, LINK_HASH_LEN);
	sealer->nsegments++;

	strand_scan_rescan(scan, strand, seq, last_seq, tail->sealed_hash);
	while (strand_scan_next(scan, &row))
	{
		MerkleHash	leaf;

		if (row.link.strand != strand || row.link.seq > seq)
			refuse_row(tail, seq, "is missing");
		if (row.link.seq < seq)
			refuse_row(tail, row.link.seq, "is there twice");
		if (row.state == ROW_UNREADABLE)
			refuse_row(tail, seq, "is of no known layout");
		if (row.state != ROW_INTACT)
			refuse_row(tail, seq, "does not have the hash that it should");
		link_leaf_hash(row.link.hash, leaf);
		merkle_range_add_leaf(&sealer->range, leaf, put_into_tile, sealer);
		seq++;
	}
	if (seq <= last_seq)
		refuse_row(tail, seq, "is missing");
}

static void
seal_strands(Sealer *sealer)
{
	const ChainLeaf *leaf = NULL;
	StrandScan *scan = NULL;

	for (int i = 0; i < sealer->ntails; i++)
	{
		const Tail *tail = &sealer->tails[i];

		CHECK_FOR_INTERRUPTS();
		if (tail->leaf != leaf)
		{
			if (scan != NULL)
				strand_scan_end(scan);
			leaf = tail->leaf;
			scan = strand_scan_begin(sealer->chain, leaf, sealer->snapshot);
		}
		seal_strand(sealer, scan, tail);
	}
	if (scan != NULL)
		strand_scan_end(scan);
}

/*
 * Write down what was sealed.
 */
static void
write_block(Sealer *sealer)
{
	const pg_uuid_t *chain = &sealer->chain->id;
	LogBlock	block;

	for (int level = 1; level <= TILE_MAX_LEVEL; level++)
	{
		if (sealer->filled[level])
			store_tile_write(chain, &sealer->tiles[level], sealer->snapshot);
	}
	for (int i = 0; i < sealer->nsegments; i++)
		store_segment(chain, &sealer->segments[i]);

	block.number = sealer->last.number + 1;
	block.size = sealer->range.to;
	merkle_range_root(&sealer->range, block.root);
	block.sealed_at = GetCurrentTimestamp();
	store_block(chain, &block);
	CommandCounterIncrement();
}

int64
log_seal(Oid target)
{
	Sealer		sealer = {0};
	int64		size;

	PreventCommandIfReadOnly("anshim.seal()");
	sealer.chain = chain_open(target, AccessShareLock);
	log_lock(&sealer.chain->id);
	sealer.snapshot = RegisterSnapshot(GetLatestSnapshot());
	(void) log_last_block(&sealer.chain->id, sealer.snapshot, &sealer.last);

	read_tails(&sealer);
	read_tree(&sealer);
	seal_strands(&sealer);
	size = sealer.range.to;
	if (size > sealer.last.size)
		write_block(&sealer);
	UnregisterSnapshot(sealer.snapshot);
	chain_close(sealer.chain);
	return size;
}

Datum
anshim_seal(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(log_seal(PG_GETARG_OID(0)));
}
