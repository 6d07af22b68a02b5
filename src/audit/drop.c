/*-------------------------------------------------------------------------
 *
 * drop.c
 *	  Dropping partitions all of whose rows have expired
 *
 * A partition goes as a whole only if nothing can come into it any more: it is
 * one of a range of times, all of which has passed.  Anything else might be
 * needed tomorrow, and its rows are deleted instead.
 *
 * Locking: dropping a partition locks its parent against everybody.  That is
 * waited for no longer than lock_timeout, or two seconds if there is none,
 * since whoever comes next waits behind us; what is then still in use is left
 * to DELETE.  The lock is held to the end of expire()'s transaction, which
 * comes right after.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "audit.h"
#include "compat.h"

#define PATIENCE "2s"

/*
 * The end of a range of times in microseconds, for sure no earlier, whatever
 * the time zone; false if there is none.
 */
static bool
end_of_times(PartitionKey key, PartitionBoundInfo bounds, int bound, int64 *end)
{
	Datum		value = bounds->datums[bound][0];

	if (bounds->kind[bound][0] != PARTITION_RANGE_DATUM_VALUE)
		return false;
	switch (key->parttypid[0])
	{
		case TIMESTAMPTZOID:
			*end = DatumGetTimestampTz(value);
			break;
		case TIMESTAMPOID:
			*end = DatumGetTimestamp(value);
			if (!TIMESTAMP_NOT_FINITE(*end))
				*end += USECS_PER_DAY;
			break;
		case DATEOID:
			if (DATE_NOT_FINITE(DatumGetDateADT(value)))
				return false;
			*end = (DatumGetDateADT(value) + INT64CONST(1)) * USECS_PER_DAY;
			break;
		default:
			return false;
	}
	return !TIMESTAMP_NOT_FINITE(*end);
}

/*
 * Do its bounds say that its rows are from before this time?
 */
bool
partition_is_past(Oid partition, TimestampTz before)
{
	Oid			parent_oid;
	Relation	parent;
	PartitionKey key;
	PartitionDesc desc;
	bool		past = false;

	if (!get_rel_relispartition(partition))
		return false;
	parent_oid = get_partition_parent(partition, true);
	parent = relation_open(parent_oid, AccessShareLock);
	key = RelationGetPartitionKey(parent);
	desc = RelationGetPartitionDesc(parent, true);
	for (int i = 0; key->strategy == PARTITION_STRATEGY_RANGE && i < desc->boundinfo->ndatums; i++)
	{
		int			child = desc->boundinfo->indexes[i];
		int64		end;

		/* with further key columns, rows of that very time may belong to it */
		if (child >= 0 && desc->oids[child] == partition)
			past = end_of_times(key, desc->boundinfo, i, &end) &&
				(key->partnatts == 1 ? end <= before : end < before);
	}
	relation_close(parent, NoLock);
	return past;
}

/*
 * Has anybody appended to it since it was verified?
 */
static bool
has_grown(Oid target, Oid partition, const Audit *audit)
{
	Audit		now = {0};
	bool		grown = false;

	audit_attach(&now, target, RowExclusiveLock);
	for (int leaf = 0; leaf < now.chain->nleaves; leaf++)
	{
		StrandTail *tails;
		int			n;

		if (RelationGetRelid(now.chain->leaves[leaf].heap) != partition)
			continue;
		tails = strand_tails(now.chain, &now.chain->leaves[leaf], now.snapshot, &n);
		for (int i = 0; i < n; i++)
		{
			const AuditStrand *strand = audit_strand(audit, tails[i].strand);

			grown = grown || strand == NULL || tails[i].last_seq > strand->sealed;
		}
	}
	audit_detach(&now);
	return grown;
}

static bool
lock_and_drop(Oid target, Oid partition, const Audit *audit)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(partition)),
												  get_rel_name(partition));

	LockRelationOid(get_partition_parent(partition, true), AccessExclusiveLock);
	LockRelationOid(partition, AccessExclusiveLock);
	if (has_grown(target, partition, audit))
		return false;
	SPI_connect();
	if (SPI_execute(psprintf("DROP TABLE %s", name), false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "the partition was not dropped");
	SPI_finish();
	return true;
}

/* Reasons to delete the rows instead; others are the caller's to see. */
static bool
can_be_deleted_instead(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlerrcode == ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST ||
		sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		sqlerrcode == ERRCODE_OBJECT_IN_USE;
}

/*
 * Drop the partition; false if its rows have to be deleted.
 */
bool
partition_drop(Oid target, Oid partition, const Audit *audit)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int			guc_level = NewGUCNestLevel();
	volatile bool dropped = false;

	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", PATIENCE, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		dropped = lock_and_drop(target, partition, audit);
		if (dropped)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();	/* and the locks */
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!can_be_deleted_instead(error->sqlerrcode))
			ReThrowError(error);
		ereport(NOTICE,
				(errmsg("partition %s cannot be dropped now: its rows are deleted", get_rel_name(partition)),
				 errdetail("%s", error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	AtEOXact_GUC(true, guc_level);
	return dropped;
}
