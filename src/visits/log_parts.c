/*-------------------------------------------------------------------------
 *
 * log_parts.c
 *	  The leaf tables of a visit log that a span of time can touch
 *
 * A partitioned table's children are chosen by the bounds that the parent's
 * own relcache entry holds, so those that the span cannot touch are neither
 * opened nor locked, be there hundreds of them.  Only a range partitioning
 * whose first key column is entered_at tells anything about time; below any
 * other, and in default partitions, everything is read.
 *
 * Locking: AccessShareLock, kept to the end of the transaction, on each
 * parent before its children are looked at, and then on the chosen children
 * in the order of their bounds, depth first.  That is what the planner and
 * the executor do: a parent's lock holds off DROP and DETACH of its children,
 * and DETACH CONCURRENTLY is seen or not as the active snapshot sees it.  A
 * child that was detached so, and then dropped, cannot be opened any more; it
 * counts as detached.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "log_check.h"

/* Entries in [from, to) */
typedef struct Span
{
	int64		from;
	int64		to;
} Span;

typedef struct PartSearch
{
	const LogRecord *record;
	Span		wanted;
	List	   *parts;			/* of LogPart */
} PartSearch;

static void search_relation(PartSearch *search, Relation rel, Span span);

/* Do the partitions' bounds say something about the time of entry? */
static bool
is_partitioned_by_time(PartitionKey key, const LogColumns *columns)
{
	TypeCacheEntry *type = lookup_type_cache(TIMESTAMPTZOID, TYPECACHE_BTREE_OPFAMILY);

	return key->strategy == PARTITION_STRATEGY_RANGE &&
		key->partattrs[0] == columns->entered_at &&
		key->partopfamily[0] == type->btree_opf;
}

/*
 * The first key column's value in a bound of range partitions.  With further
 * key columns, rows of that very time may lie on either side of the bound.
 */
static int64
bound_time(PartitionBoundInfo bounds, int bound, bool upper, bool further_keys)
{
	int64		time;

	switch (bounds->kind[bound][0])
	{
		case PARTITION_RANGE_DATUM_MINVALUE:
			return PG_INT64_MIN;
		case PARTITION_RANGE_DATUM_MAXVALUE:
			return PG_INT64_MAX;
		case PARTITION_RANGE_DATUM_VALUE:
			break;
	}
	time = DatumGetTimestampTz(bounds->datums[bound][0]);
	if (upper && further_keys && pg_add_s64_overflow(time, 1, &time))
		time = PG_INT64_MAX;
	return time;
}

/* Narrow each child's span to what its bounds leave of it. */
static void
narrow_by_bounds(PartitionDesc desc, PartitionKey key, Span *spans)
{
	PartitionBoundInfo bounds = desc->boundinfo;

	/* Partition indexes[i] holds what is below bound i, and not below i - 1. */
	for (int i = 0; i < bounds->ndatums; i++)
	{
		int			child = bounds->indexes[i];

		if (child < 0 || i == 0)
			continue;			/* no partition there */
		spans[child].from = Max(spans[child].from,
								bound_time(bounds, i - 1, false, key->partnatts > 1));
		spans[child].to = Min(spans[child].to,
							  bound_time(bounds, i, true, key->partnatts > 1));
	}
}

static void
search_children(PartSearch *search, Relation rel, Span span)
{
	PartitionDesc desc = RelationGetPartitionDesc(rel, true);
	PartitionKey key = RelationGetPartitionKey(rel);
	LogColumns	columns;
	Span	   *spans;

	log_columns_find(rel, search->record, false, &columns);
	log_partition_key_check(rel, &columns);
	if (desc->nparts == 0)
		return;

	spans = palloc_array(Span, desc->nparts);
	for (int child = 0; child < desc->nparts; child++)
		spans[child] = span;
	if (is_partitioned_by_time(key, &columns))
		narrow_by_bounds(desc, key, spans);

	for (int child = 0; child < desc->nparts; child++)
	{
		Relation	part;

		CHECK_FOR_INTERRUPTS();
		if (spans[child].to <= search->wanted.from || spans[child].from >= search->wanted.to)
			continue;
		part = try_relation_open(desc->oids[child], AccessShareLock);
		if (part != NULL)
			search_relation(search, part, spans[child]);
	}
	pfree(spans);
}

/* Takes over the open relation. */
static void
search_relation(PartSearch *search, Relation rel, Span span)
{
	LogPart    *part;

	check_stack_depth();
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		search_children(search, rel, span);
		relation_close(rel, NoLock);
		return;
	}
	part = palloc0_object(LogPart);
	part->heap = rel;
	part->in_sql = log_is_in_sql(rel);
	part->from = span.from;
	part->to = span.to;
	search->parts = lappend(search->parts, part);
}

List *
log_parts_open(Relation rel, const LogRecord *record, int64 from, int64 to)
{
	PartSearch	search = {
		.record = record,
		.wanted = {from, to}
	};
	Span		all = {PG_INT64_MIN, PG_INT64_MAX};

	RelationIncrementReferenceCount(rel);
	search_relation(&search, rel, all);
	return search.parts;
}

bool
log_days_partitioned(Relation rel, const LogRecord *record)
{
	PartitionKey key;
	LogColumns	columns;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	key = RelationGetPartitionKey(rel);
	log_columns_find(rel, record, false, &columns);
	return key->partnatts == 1 && is_partitioned_by_time(key, &columns);
}

bool
log_day_has_partition(Relation rel, int64 from, int64 to)
{
	PartitionBoundInfo bounds = RelationGetPartitionDesc(rel, false)->boundinfo;

	for (int i = 1; bounds && i < bounds->ndatums; i++)
		if (bounds->indexes[i] >= 0 &&
			bound_time(bounds, i - 1, false, false) <= from &&
			bound_time(bounds, i, true, false) >= to)
			return true;
	return false;
}
