/*-------------------------------------------------------------------------
 *
 * expire.c
 *	  expire(): lawful deletion of what was sealed long enough ago
 *
 * Whole segments go, from the beginning of every strand but strand 0: those of
 * all blocks that were sealed before the given time, up to the first that was
 * not.  They are verified first, as verify_chain() does it, and nothing goes
 * if anything is amiss.  Then the log keeps the nodes that the tree still needs,
 * the event and anshim.expired say what is gone, and the rows go: with their
 * partition where that holds nothing else, or by DELETE.  All of that happens
 * in one transaction, so that a crash leaves either all or nothing of it.
 *
 * The rows are deleted as the table's owner, with the row triggers and foreign
 * keys that she has: a row that one of these keeps is an error.
 *
 * Locking: ShareUpdateExclusiveLock on the table, so that there is one expire()
 * at a time, and no partition comes or goes.  Writers and sealers go on.  For
 * dropping partitions see drop.c.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "audit.h"
#include "chain/catalog.h"
#include "chain/event.h"
#include "compat.h"
#include "ddl/owner.h"
#include "key/spi.h"
#include "own/own.h"

/* Blocks that are read at a time */
#define BATCH 256

/* The columns of anshim.expired, in sql/42-chain.sql's order */
enum
{
	EXPIRED_CHAIN,
	EXPIRED_STRAND,
	EXPIRED_LAST_SEQ,
	EXPIRED_LAST_HASH,
	EXPIRED_COLUMNS
};

/* What a strand loses */
typedef struct Loss
{
	int32		strand;
	int			leaf;
	int64		first_seq;
	int64		last_seq;
	uint8		last_hash[LINK_HASH_LEN];
} Loss;

typedef struct Expiry
{
	Audit		audit;
	Findings	findings;
	AuditPlan	plan;
	TimestampTz before;
	bool		referenced;		/* by foreign keys */
	int			nlosses;
	Loss	   *losses;
	bool	   *past;			/* leaves that may be dropped whole */
	int64		rows;
} Expiry;

PG_FUNCTION_INFO_V1(anshim_expire);

/*
 * Is it allowed?
 */

static Relation
owned_chain_open(Oid target)
{
	Relation	rel;

	require_writable("anshim.expire()");
	rel = chained_relation_open(target, AccessShareLock);
	require_owner(rel);
	relation_close(rel, NoLock);
	return chained_relation_open(target, ShareUpdateExclusiveLock);
}

/*
 * Foreign keys that would change or remove rows of other tables with ours are
 * refused.  Others see to it themselves that no row goes to which one of
 * theirs refers; but a partition to which they refer cannot be dropped.
 */
static bool
check_references(const Chain *chain)
{
	StringInfoData sql;
	bool		referenced;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT conname, conrelid::regclass::text, confdeltype IN ('c', 'n', 'd') FROM pg_constraint "
					 "WHERE contype = 'f' AND conrelid <> confrelid AND confrelid IN (%u", chain->target);
	for (int i = 0; i < chain->nleaves; i++)
		appendStringInfo(&sql, ", %u", RelationGetRelid(chain->leaves[i].heap));
	appendStringInfoString(&sql, ") ORDER BY 3 DESC, 1");

	SPI_connect();
	if (SPI_execute(sql.data, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_constraint");
	referenced = SPI_processed > 0;
	if (referenced)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		bool		isnull;

		if (DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("foreign key \"%s\" of table %s follows deletions",
							SPI_getvalue(row, SPI_tuptable->tupdesc, 1),
							SPI_getvalue(row, SPI_tuptable->tupdesc, 2)),
					 errdetail("Rows of that table would be changed or removed together with those that expire."),
					 errhint("Give it ON DELETE NO ACTION, and remove the rows that refer to expired ones first.")));
	}
	SPI_finish();
	return referenced;
}

/*
 * The last block that was sealed early enough, as all before it were.
 */
static void
find_last_block(Expiry *expiry)
{
	const pg_uuid_t *chain = &expiry->audit.chain->id;
	Snapshot	snapshot = expiry->audit.snapshot;
	AuditPlan  *plan = &expiry->plan;
	int			n;

	for (int64 first = plan->from_block;; first += n)
	{
		LogBlock   *blocks = log_blocks(chain, first, first + BATCH - 1, snapshot, &n);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < n; i++)
		{
			if (blocks[i].number != first + i || blocks[i].sealed_at >= expiry->before)
				return;
			plan->to_block = blocks[i].number;
			plan->size = blocks[i].size;
		}
		pfree(blocks);
		if (n == 0)
			return;
	}
}

/*
 * What is to go, and is it intact?
 */

static void
refuse_if_found(const Expiry *expiry)
{
	if (expiry->findings.n == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("rows that are to expire do not verify"),
			 errdetail("%s", expiry->findings.first),
			 errhint("Nothing was removed. See all that is amiss with anshim.verify_chain().")));
}

static void
note_losses(Expiry *expiry)
{
	Audit	   *audit = &expiry->audit;

	expiry->losses = palloc_array(Loss, Max(audit->nstrands, 1));
	for (int i = 0; i < audit->nstrands; i++)
	{
		const AuditStrand *strand = &audit->strands[i];

		if (strand->strand == EVENT_STRAND || strand->sealed < strand->begins)
			continue;
		expiry->rows += strand->sealed - strand->begins + 1;
		expiry->losses[expiry->nlosses++] = (Loss)
		{
			.strand = strand->strand,.leaf = strand->leaf,
				.first_seq = strand->begins,.last_seq = strand->sealed
		};
	}
}

/*
 * Partitions that hold nothing else, and that nothing else can come into.
 */
static void
note_past_partitions(Expiry *expiry)
{
	Audit	   *audit = &expiry->audit;
	TimestampTz before = Min(expiry->before, GetCurrentTimestamp());

	expiry->past = palloc0_array(bool, Max(audit->chain->nleaves, 1));
	for (int i = 0; i < expiry->nlosses; i++)
	{
		int			leaf = expiry->losses[i].leaf;

		expiry->past[leaf] = !expiry->referenced &&
			partition_is_past(RelationGetRelid(audit->chain->leaves[leaf].heap), before);
	}
	for (int i = 0; i < audit->nstrands; i++)
	{
		const AuditStrand *strand = &audit->strands[i];

		if (strand->leaf >= 0 && strand->found_last > strand->sealed)
			expiry->past[strand->leaf] = false;
	}
	for (int leaf = 0; leaf < audit->chain->nleaves; leaf++)
	{
		if (expiry->past[leaf])
			plan_count(audit, &expiry->plan, leaf);
	}
}

static void
take_last_hashes(Expiry *expiry)
{
	for (int i = 0; i < expiry->nlosses; i++)
	{
		const AuditStrand *strand = audit_strand(&expiry->audit, expiry->losses[i].strand);

		if (strand->place_seq != expiry->losses[i].last_seq)
			elog(ERROR, "strand %d was not verified to its end", strand->strand);
		memcpy(expiry->losses[i].last_hash, strand->place_hash, LINK_HASH_LEN);
	}
}

/* A row to which no index leads would go unverified with its partition. */
static void
compare_counts(Expiry *expiry)
{
	Audit	   *audit = &expiry->audit;

	for (int leaf = 0; leaf < audit->chain->nleaves; leaf++)
	{
		if (expiry->past[leaf] && pg_atomic_read_u64(&audit->counts[leaf].in_heap) !=
			pg_atomic_read_u64(&audit->counts[leaf].in_index))
			expiry->past[leaf] = false;
	}
}

/*
 * False if there is nothing to remove.
 */
static bool
verify_first(Expiry *expiry)
{
	Audit	   *audit = &expiry->audit;
	AuditPlan  *plan = &expiry->plan;
	Replay	   *replay = replay_events(audit);
	HTAB	   *strands;

	refuse_if_found(expiry);
	plan->from_block = replay_expired_block(replay) + 1;
	find_last_block(expiry);
	if (plan->to_block == 0)
		return false;
	strands = strands_find(audit);
	replay_expiries(replay, strands);
	plan_log(audit, strands, plan);
	strands_settle(audit, strands);
	refuse_if_found(expiry);

	note_losses(expiry);
	note_past_partitions(expiry);
	units_verify(audit, plan);
	if (!tree_is_intact(plan))
		tree_diagnose(audit, plan);
	refuse_if_found(expiry);
	take_last_hashes(expiry);
	compare_counts(expiry);
	return expiry->nlosses > 0;
}

/*
 * What is said of it, and kept
 */

static void
keep_nodes(Expiry *expiry)
{
	const Audit *audit = &expiry->audit;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "anshim segments",
												  ALLOCSET_DEFAULT_SIZES);

	for (int64 first = expiry->plan.from_block; first <= expiry->plan.to_block; first += BATCH)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		int64		n;
		Segment    *segments = log_segments(&audit->chain->id, first,
											Min(first + BATCH - 1, expiry->plan.to_block),
											audit->snapshot, &n);

		for (int64 i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (segments[i].strand != EVENT_STRAND)
				log_keep_segment(audit->log, &segments[i]);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}

static void
append_hex(StringInfo to, const uint8 *bytes, int len)
{
	for (int i = 0; i < len; i++)
		appendStringInfo(to, "%02x", bytes[i]);
}

static void
add_event(const Expiry *expiry)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"block\": " INT64_FORMAT ", \"rows\": " INT64_FORMAT ", \"strands\": [",
					 expiry->plan.to_block, expiry->rows);
	for (int i = 0; i < expiry->nlosses; i++)
	{
		const Loss *loss = &expiry->losses[i];

		appendStringInfo(&json, "%s{\"strand\": %d, \"first_seq\": " INT64_FORMAT ", \"last_seq\": " INT64_FORMAT ", \"last_hash\": \"",
						 i == 0 ? "" : ", ", loss->strand, loss->first_seq, loss->last_seq);
		append_hex(&json, loss->last_hash, LINK_HASH_LEN);
		appendStringInfoString(&json, "\"}");
	}
	appendStringInfoString(&json, "]}");
	chain_event(&expiry->audit.chain->id, EVENT_EXPIRED,
				DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data))));
}

static void
record_loss(Relation table, CatalogIndexState indexes, const pg_uuid_t *chain, const Loss *loss)
{
	Datum		values[EXPIRED_COLUMNS];
	bool		nulls[EXPIRED_COLUMNS] = {0};
	bytea	   *hash = palloc(VARHDRSZ + LINK_HASH_LEN);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	old;
	HeapTuple	new;

	SET_VARSIZE(hash, VARHDRSZ + LINK_HASH_LEN);
	memcpy(VARDATA(hash), loss->last_hash, LINK_HASH_LEN);
	values[EXPIRED_CHAIN] = UUIDPGetDatum(chain);
	values[EXPIRED_STRAND] = Int32GetDatum(loss->strand);
	values[EXPIRED_LAST_SEQ] = Int64GetDatum(loss->last_seq);
	values[EXPIRED_LAST_HASH] = PointerGetDatum(hash);
	new = heap_form_tuple(RelationGetDescr(table), values, nulls);

	ScanKeyInit(&keys[0], EXPIRED_CHAIN + 1, BTEqualStrategyNumber, F_UUID_EQ, values[EXPIRED_CHAIN]);
	ScanKeyInit(&keys[1], EXPIRED_STRAND + 1, BTEqualStrategyNumber, F_INT4EQ, values[EXPIRED_STRAND]);
	scan = systable_beginscan(table, own_relation("expired_pkey"), true, NULL, 2, keys);
	old = systable_getnext(scan);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdateWithInfo(table, &old->t_self, new, indexes);
	else
		CatalogTupleInsertWithInfo(table, new, indexes);
	systable_endscan(scan);
	heap_freetuple(new);
	pfree(hash);
}

static void
record_losses(const Expiry *expiry)
{
	Relation	table = table_open(own_relation("expired"), RowExclusiveLock);
	CatalogIndexState indexes = CatalogOpenIndexes(table);

	for (int i = 0; i < expiry->nlosses; i++)
		record_loss(table, indexes, &expiry->audit.chain->id, &expiry->losses[i]);
	CatalogCloseIndexes(indexes);
	table_close(table, NoLock);
	CommandCounterIncrement();
}

/*
 * Removing
 */

static char *
partition_name(Oid relid)
{
	Relation	rel = relation_open(relid, NoLock);
	char	   *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												  RelationGetRelationName(rel));

	relation_close(rel, NoLock);
	return name;
}

/*
 * Delete what the strands lose in one table, by its position index.
 */
static void
delete_rows(const Expiry *expiry, int leaf, Oid relid)
{
	Oid			types[] = {INT4OID, INT8OID, INT8OID};
	char	   *name = partition_name(relid);
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare(psprintf("DELETE FROM ONLY %s WHERE anshim.strand(link) = $1 AND anshim.seq(link) BETWEEN $2 AND $3",
								name), lengthof(types), types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	guards_allow_expiry(true);
	for (int i = 0; i < expiry->nlosses; i++)
	{
		const Loss *loss = &expiry->losses[i];
		Datum		values[] = {Int32GetDatum(loss->strand), Int64GetDatum(loss->first_seq),
		Int64GetDatum(loss->last_seq)};

		if (loss->leaf != leaf)
			continue;
		if (SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot,
								 false, true, 0) != SPI_OK_DELETE)
			elog(ERROR, "SPI_execute_snapshot failed");
		if (SPI_processed != loss->last_seq - loss->first_seq + 1)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("rows of table %s did not go", name),
					 errdetail("Of %lld rows of strand %d, %lld were removed. Nothing is removed now.",
							   (long long) (loss->last_seq - loss->first_seq + 1), loss->strand,
							   (long long) SPI_processed),
					 errhint("See whether a trigger BEFORE DELETE keeps rows.")));
	}
	guards_allow_expiry(false);
	SPI_finish();
}

static bool
loses_rows(const Expiry *expiry, int leaf)
{
	for (int i = 0; i < expiry->nlosses; i++)
	{
		if (expiry->losses[i].leaf == leaf)
			return true;
	}
	return false;
}

/*
 * The relations are closed before, as a partition that is open cannot be
 * dropped; their locks stay.
 */
static void
remove_rows(Expiry *expiry, Oid target, const Oid *leaves, int nleaves)
{
	/* the lock that a drop takes is held shortest if the drops come last */
	for (int leaf = 0; leaf < nleaves; leaf++)
	{
		if (!expiry->past[leaf] && loses_rows(expiry, leaf))
			delete_rows(expiry, leaf, leaves[leaf]);
	}
	for (int leaf = 0; leaf < nleaves; leaf++)
	{
		if (expiry->past[leaf] && !partition_drop(target, leaves[leaf], &expiry->audit))
			delete_rows(expiry, leaf, leaves[leaf]);
	}
}

static void
expire(Expiry *expiry, Oid target)
{
	Audit	   *audit = &expiry->audit;
	int			nleaves;
	Oid		   *leaves;
	bool		any;

	audit->findings = &expiry->findings;
	expiry->findings.context = AllocSetContextCreate(CurrentMemoryContext, "anshim finding",
													 ALLOCSET_DEFAULT_SIZES);
	audit_attach(audit, target, RowExclusiveLock);
	PushActiveSnapshot(audit->snapshot);
	expiry->referenced = check_references(audit->chain);
	audit_begin(audit);
	any = verify_first(expiry);
	if (any)
	{
		keep_nodes(expiry);
		add_event(expiry);
		record_losses(expiry);
	}
	nleaves = audit->chain->nleaves;
	leaves = palloc_array(Oid, Max(nleaves, 1));
	for (int i = 0; i < nleaves; i++)
		leaves[i] = RelationGetRelid(audit->chain->leaves[i].heap);
	audit_end(audit);
	PopActiveSnapshot();
	audit_detach(audit);
	if (any)
		remove_rows(expiry, target, leaves, nleaves);
}

/*
 * anshim.expire(target, before) -> rows removed
 */
Datum
anshim_expire(PG_FUNCTION_ARGS)
{
	Expiry		expiry = {0};
	Oid			target;
	Relation	rel;
	Oid			user;
	int			sec_context;
	int			guc_level;

	spi_refuse_null(fcinfo, 0, "target");
	spi_refuse_null(fcinfo, 1, "before");
	target = PG_GETARG_OID(0);
	expiry.before = PG_GETARG_TIMESTAMPTZ(1);

	rel = owned_chain_open(target);
	GetUserIdAndSecContext(&user, &sec_context);
	/* as for foreign keys' own statements: all rows count */
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   sec_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);

	/* Rows go by their positions, which is not worth compiling. */
	guc_level = NewGUCNestLevel();
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	relation_close(rel, NoLock);

	expire(&expiry, target);

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, sec_context);
	PG_RETURN_INT64(expiry.rows);
}
