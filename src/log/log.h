/*-------------------------------------------------------------------------
 *
 * log.h
 *	  The Merkle log over a chain's sealed links
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_LOG_H
#define ANSHIM_LOG_LOG_H

#include "chain/chain.h"
#include "datatype/timestamp.h"
#include "merkle.h"

/* Defines the settings of this room. */
extern void log_define_settings(void);

/* Those of sealing in the background, which begins where we are preloaded. */
extern void log_seal_in_background(void);

/* A row of anshim.block: one sealing. */
typedef struct LogBlock
{
	int64		number;			/* from 1 */
	int64		size;			/* leaves in the tree after it */
	MerkleHash	root;
	TimestampTz sealed_at;
} LogBlock;

/* A row of anshim.segment: what a block took of one strand. */
typedef struct Segment
{
	int64		block;
	int32		strand;
	int64		first_seq;
	int64		last_seq;
	int64		first_index;	/* of its first leaf in the tree */
	uint8		last_hash[LINK_HASH_LEN];	/* of its last link, which stands
											 * for all before it in the strand */
} Segment;

/* Blocks with numbers in [first, last], and their segments in the order of the tree. */
extern LogBlock *log_blocks(const pg_uuid_t *chain, int64 first, int64 last, Snapshot snapshot, int *n);
extern Segment *log_segments(const pg_uuid_t *chain, int64 first_block, int64 last_block,
							 Snapshot snapshot, int64 *n);

/* Waits for whoever is sealing the chain; to the end of the transaction. */
extern void log_lock(const pg_uuid_t *chain);

/* The newest block; false if nothing is sealed. */
extern bool log_last_block(const pg_uuid_t *chain, Snapshot snapshot, LogBlock *block);

/*
 * Any complete node of the tree, from where it is: a tile, what expire() kept,
 * the rows' links, or computed of its children.  A MerkleFetch, whose arg is a
 * LogReader; false if the log does not have it (any more).
 */
typedef struct LogReader LogReader;

extern LogReader *log_reader_begin(Chain *chain, Snapshot snapshot);
extern bool log_fetch(void *reader, int level, int64 index, MerkleHash hash);
extern void log_reader_end(LogReader *reader);

/*
 * A node as it is stored: in a tile (level 8, 16, ...), or as one that expire()
 * kept.  Nothing is computed.
 */
extern bool log_stored(LogReader *reader, int level, int64 index, MerkleHash hash);

/* The root of the block that ends at this size; false if none does. */
extern bool log_block_of_size(const pg_uuid_t *chain, int64 size, Snapshot snapshot,
							  MerkleHash root);

/* The compact range [0, size) as the log keeps it, to go on from there. */
extern bool log_range(LogReader *reader, int64 size, MerkleRange *range);

/*
 * Before expire() removes a segment's rows it has the log keep the nodes below
 * level 8 that the tree still needs of them.
 */
extern void log_keep_segment(LogReader *reader, const Segment *segment);

#endif							/* ANSHIM_LOG_LOG_H */
