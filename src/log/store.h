/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The tables of the log: blocks, segments, tiles and kept nodes
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_STORE_H
#define ANSHIM_LOG_STORE_H

#include "access/genam.h"
#include "access/skey.h"
#include "utils/array.h"

#include "log/log.h"

/* A tile holds this many nodes, of a level that is a multiple of 8. */
#define TILE_LEVELS 8
#define TILE_NODES 256
#define TILE_MAX_LEVEL (MERKLE_MAX_LEVELS / TILE_LEVELS)

typedef struct Tile
{
	int			level;			/* an eighth of its nodes' level, from 1 */
	int64		number;			/* its nodes' index divided by 256 */
	int			n;
	MerkleHash	hashes[TILE_NODES];
} Tile;

/*
 * One of the extension's tables, read by an index, under a snapshot.  Both are
 * locked with AccessShareLock while the scan lasts; a row is good until the next.
 */
typedef struct StoreScan
{
	Relation	table;
	Relation	index;
	SysScanDesc scan;
} StoreScan;

extern void store_scan_begin(StoreScan *scan, const char *table, const char *index,
							 Snapshot snapshot, int nkeys, ScanKey keys);
extern HeapTuple store_scan_next(StoreScan *scan, ScanDirection direction);
extern void store_scan_end(StoreScan *scan);

/*
 * Waits for whoever has locked the same of a table: rows that belong together,
 * and will.  To the end of the transaction.  Those of which the hash is the same
 * wait for each other in vain, that is all.
 */
extern void store_lock(const char *table, const void *what, Size len);

/* Adds a row to one of the extension's tables, whoever the current user is. */
extern void store_insert(const char *table, Datum *values, bool *nulls);

/* The bytes of a hash in a bytea; an error if it is none. */
extern void store_hash(Datum value, const char *table, MerkleHash hash);
extern Datum store_hash_datum(const MerkleHash hash);

/* The segment that holds this leaf; the last of a strand that begins at seq or before. */
extern bool store_segment_of_index(const pg_uuid_t *chain, int64 index, Snapshot snapshot,
								   Segment *segment);
extern bool store_segment_of_seq(const pg_uuid_t *chain, int32 strand, int64 seq,
								 Snapshot snapshot, Segment *segment);

/* Those that begin at leaves in [first, end). */
extern Segment *store_segments_from(const pg_uuid_t *chain, int64 first, int64 end,
									Snapshot snapshot, int *n);

/* The newest block that no running transaction has made; are there newer ones? */
extern bool store_last_settled_block(const pg_uuid_t *chain, Snapshot snapshot, LogBlock *block,
									 bool *newer);

/* Add a row to anshim.block, and to anshim.segment. */
extern void store_block(const pg_uuid_t *chain, const LogBlock *block);
extern void store_segment(const pg_uuid_t *chain, const Segment *segment);

/* tile->n is 0 if there is none. */
extern void store_tile_read(const pg_uuid_t *chain, int level, int64 number, Snapshot snapshot,
							Tile *tile);

/* Writes a tile, in the place of a shorter one if there is one. */
extern void store_tile_write(const pg_uuid_t *chain, const Tile *tile, Snapshot snapshot);

/* Has the log kept any node? */
extern bool store_has_kept(const pg_uuid_t *chain, Snapshot snapshot);

/* Calls back for the kept nodes of a level with an index in [first, end). */
extern void store_kept_read(const pg_uuid_t *chain, int level, int64 first, int64 end,
							Snapshot snapshot, MerkleSink found, void *arg);
extern void store_kept_write(const pg_uuid_t *chain, const MerkleNode *node);

/* Seals the table's new rows; the log's size. */
extern int64 log_seal(Oid target);

/* The nodes of a path that came as bytea[]; false if they are none. */
extern bool log_path_read(ArrayType *array, MerkleHash path[MERKLE_PATH_MAX], int *n);

#endif							/* ANSHIM_LOG_STORE_H */
