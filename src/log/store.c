/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The tables of the log: blocks, segments, tiles and kept nodes
 *
 * Everybody may read them, and nobody but the functions of this library writes
 * to them.  Both go by the table access methods, not by SQL, so no rights of
 * the current user on them matter, nor what is in her search_path: who may seal
 * is for the callers to decide.
 *
 * Somebody who writes to them by hand can make hashes of other lengths: that
 * is an error, which verify_chain() names.
 *
 * Locking: AccessShareLock to read, released at once; RowExclusiveLock to
 * write, kept to the end of the transaction.  That no two write rows of one
 * chain at once is for the callers to see to.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "log/store.h"
#include "own/own.h"

/* Columns, in sql/44-log.sql's order; the first of each is `chain` */
#define CHAIN 1
#define MOST_COLUMNS 8

enum
{
	BLOCK_NUMBER = CHAIN + 1,
	BLOCK_SIZE,
	BLOCK_ROOT,
	BLOCK_SEALED_AT
};

enum
{
	SEGMENT_BLOCK = CHAIN + 1,
	SEGMENT_STRAND,
	SEGMENT_FIRST_SEQ,
	SEGMENT_LAST_SEQ,
	SEGMENT_FIRST_INDEX,
	SEGMENT_LAST_HASH
};

enum
{
	TILE_LEVEL = CHAIN + 1,
	TILE_NUMBER,
	TILE_HASHES
};

enum
{
	KEPT_LEVEL = CHAIN + 1,
	KEPT_INDEX,
	KEPT_HASH
};

/*
 * Any table
 */

void
store_scan_begin(StoreScan *scan, const char *table, const char *index,
				 Snapshot snapshot, int nkeys, ScanKey keys)
{
	scan->table = table_open(own_relation(table), AccessShareLock);
	scan->index = index_open(own_relation(index), AccessShareLock);
	scan->scan = systable_beginscan_ordered(scan->table, scan->index, snapshot, nkeys, keys);
}

HeapTuple
store_scan_next(StoreScan *scan, ScanDirection direction)
{
	CHECK_FOR_INTERRUPTS();
	return systable_getnext_ordered(scan->scan, direction);
}

void
store_scan_end(StoreScan *scan)
{
	systable_endscan_ordered(scan->scan);
	index_close(scan->index, AccessShareLock);
	table_close(scan->table, AccessShareLock);
}

void
store_lock(const char *table, const void *what, Size len)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, own_relation(table), hash_bytes(what, (int) len), 0);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
store_insert(const char *table, Datum *values, bool *nulls)
{
	bool		no_nulls[MOST_COLUMNS] = {false};
	Relation	rel = table_open(own_relation(table), RowExclusiveLock);
	HeapTuple	tuple;

	Assert(RelationGetNumberOfAttributes(rel) <= MOST_COLUMNS);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls != NULL ? nulls : no_nulls);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, NoLock);
}

static void
refuse_length(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a hash in table anshim.%s has a wrong length", table),
			 errdetail("Somebody has edited the log."),
			 errhint("See with anshim.verify_chain() what is amiss.")));
}

void
store_hash(Datum value, const char *table, MerkleHash hash)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != MERKLE_HASH_LEN)
		refuse_length(table);
	memcpy(hash, VARDATA_ANY(bytes), MERKLE_HASH_LEN);
}

Datum
store_hash_datum(const MerkleHash hash)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) hash, MERKLE_HASH_LEN));
}

static void
key_of_chain(ScanKey key, const pg_uuid_t *chain)
{
	ScanKeyInit(key, CHAIN, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(chain));
}

/* Values in [first, last], of a column of type int8 */
static void
keys_of_range(ScanKey keys, AttrNumber column, int64 first, int64 last)
{
	ScanKeyInit(&keys[0], column, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(first));
	ScanKeyInit(&keys[1], column, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(last));
}

static Datum
get_column(const StoreScan *scan, HeapTuple tuple, AttrNumber column)
{
	bool		isnull;

	/* all are NOT NULL */
	return heap_getattr(tuple, column, RelationGetDescr(scan->table), &isnull);
}

/*
 * Blocks
 */

static void
read_block(const StoreScan *scan, HeapTuple tuple, LogBlock *block)
{
	block->number = DatumGetInt64(get_column(scan, tuple, BLOCK_NUMBER));
	block->size = DatumGetInt64(get_column(scan, tuple, BLOCK_SIZE));
	store_hash(get_column(scan, tuple, BLOCK_ROOT), "block", block->root);
	block->sealed_at = DatumGetTimestampTz(get_column(scan, tuple, BLOCK_SEALED_AT));
}

LogBlock *
log_blocks(const pg_uuid_t *chain, int64 first, int64 last, Snapshot snapshot, int *n)
{
	ScanKeyData keys[3];
	StoreScan	scan;
	HeapTuple	tuple;
	int			size = 16;
	LogBlock   *blocks = palloc(size * sizeof(LogBlock));

	*n = 0;
	key_of_chain(&keys[0], chain);
	keys_of_range(&keys[1], BLOCK_NUMBER, first, last);
	store_scan_begin(&scan, "block", "block_pkey", snapshot, 3, keys);
	while ((tuple = store_scan_next(&scan, ForwardScanDirection)) != NULL)
	{
		if (*n == size)
		{
			size *= 2;
			blocks = repalloc(blocks, mul_size(size, sizeof(LogBlock)));
		}
		read_block(&scan, tuple, &blocks[(*n)++]);
	}
	store_scan_end(&scan);
	return blocks;
}

bool
log_last_block(const pg_uuid_t *chain, Snapshot snapshot, LogBlock *block)
{
	ScanKeyData key;
	StoreScan	scan;
	HeapTuple	tuple;

	key_of_chain(&key, chain);
	store_scan_begin(&scan, "block", "block_pkey", snapshot, 1, &key);
	tuple = store_scan_next(&scan, BackwardScanDirection);
	if (tuple != NULL)
		read_block(&scan, tuple, block);
	store_scan_end(&scan);
	return tuple != NULL;
}

bool
log_block_of_size(const pg_uuid_t *chain, int64 size, Snapshot snapshot, MerkleHash root)
{
	ScanKeyData keys[2];
	StoreScan	scan;
	HeapTuple	tuple;

	key_of_chain(&keys[0], chain);
	ScanKeyInit(&keys[1], BLOCK_SIZE, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(size));
	store_scan_begin(&scan, "block", "block_size", snapshot, 2, keys);
	tuple = store_scan_next(&scan, ForwardScanDirection);
	if (tuple != NULL)
		store_hash(get_column(&scan, tuple, BLOCK_ROOT), "block", root);
	store_scan_end(&scan);
	return tuple != NULL;
}

/*
 * The newest block whose transaction has ended; false if there is none.  With
 * the latest snapshot a block that is seen is committed, or our own.
 */
bool
store_last_settled_block(const pg_uuid_t *chain, Snapshot snapshot, LogBlock *block,
						 bool *newer)
{
	ScanKeyData key;
	StoreScan	scan;
	HeapTuple	tuple;

	*newer = false;
	key_of_chain(&key, chain);
	store_scan_begin(&scan, "block", "block_pkey", snapshot, 1, &key);
	while ((tuple = store_scan_next(&scan, BackwardScanDirection)) != NULL)
	{
		if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
			break;
		*newer = true;
	}
	if (tuple != NULL)
		read_block(&scan, tuple, block);
	store_scan_end(&scan);
	return tuple != NULL;
}

void
store_block(const pg_uuid_t *chain, const LogBlock *block)
{
	Datum		values[] = {
		UUIDPGetDatum(chain),
		Int64GetDatum(block->number),
		Int64GetDatum(block->size),
		store_hash_datum(block->root),
		TimestampTzGetDatum(block->sealed_at)
	};

	store_insert("block", values, NULL);
}

/*
 * Segments
 */

static void
read_segment(const StoreScan *scan, HeapTuple tuple, Segment *segment)
{
	segment->block = DatumGetInt64(get_column(scan, tuple, SEGMENT_BLOCK));
	segment->strand = DatumGetInt32(get_column(scan, tuple, SEGMENT_STRAND));
	segment->first_seq = DatumGetInt64(get_column(scan, tuple, SEGMENT_FIRST_SEQ));
	segment->last_seq = DatumGetInt64(get_column(scan, tuple, SEGMENT_LAST_SEQ));
	segment->first_index = DatumGetInt64(get_column(scan, tuple, SEGMENT_FIRST_INDEX));
	store_hash(get_column(scan, tuple, SEGMENT_LAST_HASH), "segment", segment->last_hash);
}

/* All that a scan returns, which ends with that. */
static Segment *
read_segments(StoreScan *scan, int64 *n)
{
	Size		size = 64;
	Segment    *segments = palloc(size * sizeof(Segment));
	HeapTuple	tuple;

	*n = 0;
	while ((tuple = store_scan_next(scan, ForwardScanDirection)) != NULL)
	{
		if (*n == size)
		{
			size *= 2;
			segments = repalloc_huge(segments, mul_size(size, sizeof(Segment)));
		}
		read_segment(scan, tuple, &segments[(*n)++]);
	}
	store_scan_end(scan);
	return segments;
}

Segment *
log_segments(const pg_uuid_t *chain, int64 first_block, int64 last_block,
			 Snapshot snapshot, int64 *n)
{
	ScanKeyData keys[3];
	StoreScan	scan;

	/* by block and strand is the order of the tree */
	key_of_chain(&keys[0], chain);
	keys_of_range(&keys[1], SEGMENT_BLOCK, first_block, last_block);
	store_scan_begin(&scan, "segment", "segment_pkey", snapshot, 3, keys);
	return read_segments(&scan, n);
}

Segment *
store_segments_from(const pg_uuid_t *chain, int64 first, int64 end, Snapshot snapshot, int *n)
{
	ScanKeyData keys[3];
	StoreScan	scan;
	Segment    *segments;
	int64		count;

	key_of_chain(&keys[0], chain);
	keys_of_range(&keys[1], SEGMENT_FIRST_INDEX, first, end - 1);
	store_scan_begin(&scan, "segment", "segment_index", snapshot, 3, keys);
	segments = read_segments(&scan, &count);
	*n = (int) count;
	return segments;
}

/* The last segment of those that a scan with such keys returns */
static bool
last_segment(const char *index, Snapshot snapshot, int nkeys, ScanKey keys, Segment *segment)
{
	StoreScan	scan;
	HeapTuple	tuple;

	store_scan_begin(&scan, "segment", index, snapshot, nkeys, keys);
	tuple = store_scan_next(&scan, BackwardScanDirection);
	if (tuple != NULL)
		read_segment(&scan, tuple, segment);
	store_scan_end(&scan);
	return tuple != NULL;
}

bool
store_segment_of_index(const pg_uuid_t *chain, int64 index, Snapshot snapshot, Segment *segment)
{
	ScanKeyData keys[2];

	key_of_chain(&keys[0], chain);
	ScanKeyInit(&keys[1], SEGMENT_FIRST_INDEX, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(index));
	return last_segment("segment_index", snapshot, 2, keys, segment);
}

bool
store_segment_of_seq(const pg_uuid_t *chain, int32 strand, int64 seq, Snapshot snapshot,
					 Segment *segment)
{
	ScanKeyData keys[3];

	key_of_chain(&keys[0], chain);
	ScanKeyInit(&keys[1], SEGMENT_STRAND, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(strand));
	ScanKeyInit(&keys[2], SEGMENT_FIRST_SEQ, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(seq));
	return last_segment("segment_seq", snapshot, 3, keys, segment);
}

void
store_segment(const pg_uuid_t *chain, const Segment *segment)
{
	Datum		values[] = {
		UUIDPGetDatum(chain),
		Int64GetDatum(segment->block),
		Int32GetDatum(segment->strand),
		Int64GetDatum(segment->first_seq),
		Int64GetDatum(segment->last_seq),
		Int64GetDatum(segment->first_index),
		store_hash_datum(segment->last_hash)
	};

	store_insert("segment", values, NULL);
}

/*
 * Tiles
 */

static void
begin_tile_scan(StoreScan *scan, const pg_uuid_t *chain, int level, int64 number,
				Snapshot snapshot)
{
	ScanKeyData keys[3];

	key_of_chain(&keys[0], chain);
	ScanKeyInit(&keys[1], TILE_LEVEL, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(level));
	ScanKeyInit(&keys[2], TILE_NUMBER, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(number));
	store_scan_begin(scan, "tile", "tile_pkey", snapshot, 3, keys);
}

void
store_tile_read(const pg_uuid_t *chain, int level, int64 number, Snapshot snapshot, Tile *tile)
{
	StoreScan	scan;
	HeapTuple	tuple;

	tile->level = level;
	tile->number = number;
	tile->n = 0;
	begin_tile_scan(&scan, chain, level, number, snapshot);
	tuple = store_scan_next(&scan, ForwardScanDirection);
	if (tuple != NULL)
	{
		bytea	   *hashes = DatumGetByteaPP(get_column(&scan, tuple, TILE_HASHES));
		Size		len = VARSIZE_ANY_EXHDR(hashes);

		if (len % MERKLE_HASH_LEN != 0 || len > sizeof(tile->hashes))
			refuse_length("tile");
		memcpy(tile->hashes, VARDATA_ANY(hashes), len);
		tile->n = (int) (len / MERKLE_HASH_LEN);
	}
	store_scan_end(&scan);
}

void
store_tile_write(const pg_uuid_t *chain, const Tile *tile, Snapshot snapshot)
{
	Datum		values[] = {
		UUIDPGetDatum(chain),
		Int16GetDatum(tile->level),
		Int64GetDatum(tile->number),
		PointerGetDatum(cstring_to_text_with_len((const char *) tile->hashes,
												 tile->n * MERKLE_HASH_LEN))
	};
	bool		nulls[lengthof(values)] = {false};
	StoreScan	scan;
	HeapTuple	old;

	begin_tile_scan(&scan, chain, tile->level, tile->number, snapshot);
	old = store_scan_next(&scan, ForwardScanDirection);
	if (old == NULL)
		store_insert("tile", values, NULL);
	else
	{
		Relation	table = table_open(own_relation("tile"), RowExclusiveLock);

		CatalogTupleUpdate(table, &old->t_self,
						   heap_form_tuple(RelationGetDescr(table), values, nulls));
		table_close(table, NoLock);
	}
	store_scan_end(&scan);
	pfree(DatumGetPointer(values[TILE_HASHES - 1]));
}

/*
 * Kept nodes
 */

bool
store_has_kept(const pg_uuid_t *chain, Snapshot snapshot)
{
	ScanKeyData key;
	StoreScan	scan;
	bool		found;

	key_of_chain(&key, chain);
	store_scan_begin(&scan, "kept", "kept_pkey", snapshot, 1, &key);
	found = store_scan_next(&scan, ForwardScanDirection) != NULL;
	store_scan_end(&scan);
	return found;
}

void
store_kept_read(const pg_uuid_t *chain, int level, int64 first, int64 end, Snapshot snapshot,
				MerkleSink found, void *arg)
{
	ScanKeyData keys[4];
	StoreScan	scan;
	HeapTuple	tuple;

	key_of_chain(&keys[0], chain);
	ScanKeyInit(&keys[1], KEPT_LEVEL, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(level));
	keys_of_range(&keys[2], KEPT_INDEX, first, end - 1);
	store_scan_begin(&scan, "kept", "kept_pkey", snapshot, 4, keys);
	while ((tuple = store_scan_next(&scan, ForwardScanDirection)) != NULL)
	{
		MerkleNode	node;

		node.level = level;
		node.index = DatumGetInt64(get_column(&scan, tuple, KEPT_INDEX));
		store_hash(get_column(&scan, tuple, KEPT_HASH), "kept", node.hash);
		found(arg, &node);
	}
	store_scan_end(&scan);
}

void
store_kept_write(const pg_uuid_t *chain, const MerkleNode *node)
{
	Datum		values[] = {
		UUIDPGetDatum(chain),
		Int16GetDatum(node->level),
		Int64GetDatum(node->index),
		store_hash_datum(node->hash)
	};

	store_insert("kept", values, NULL);
}
