/*-------------------------------------------------------------------------
 *
 * parallel.c
 *	  Verifying the units of a plan, with parallel workers where that helps
 *
 * Workers and leader take the units in their order, one after another, each
 * the next that nobody has.  A worker opens the chain for itself, under the
 * leader's snapshot and in her lock group; what it is told are the strands and
 * the order of the leaves.  Its findings go to a shared tuplestore, the
 * leader's straight into the result.
 *
 * How many workers there are is max_parallel_workers_per_gather, as for a
 * query.  Small logs have none.
 *
 * Memory: shared memory for the strands and units.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/sharedfileset.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "audit.h"

/* So many rows are worth a worker's start. */
#define ROWS_A_WORKER UINT64CONST(200000)

enum
{
	KEY_SHARED = 1,
	KEY_FINDINGS,
	KEY_LEAVES,
	KEY_COUNTS,
	KEY_STRANDS,
	KEY_UNITS
};

typedef struct Shared
{
	Oid			target;
	int			nleaves;
	int			nstrands;
	uint64		nunits;
	pg_atomic_uint64 next_unit;
	pg_atomic_uint64 found;		/* by workers */
	pg_atomic_uint64 found_of_rows;
	Progress	progress;
	SharedFileSet files;
} Shared;

/* optimizer/cost.h has it, and much that does not compile with our warnings */
extern PGDLLIMPORT int max_parallel_workers_per_gather;

extern PGDLLEXPORT void anshim_verify_worker(dsm_segment *seg, shm_toc *toc);

static void
verify_unit(Audit *audit, Unit *unit)
{
	AuditStrand *strand;

	switch (unit->kind)
	{
		case UNIT_TREE:
			tree_verify(audit, unit);
			break;
		case UNIT_TAIL:
			strand = audit_strand(audit, unit->strand);
			walk_strand(audit, strand, unit->from, unit->to - 1, NULL, NULL);
			break;
		case UNIT_HEAP:
			count_rows(audit, unit);
			break;
	}
}

/*
 * Verify units as long as there are any.  What a unit takes is freed after it.
 */
static void
verify_units(Audit *audit, Unit *units, uint64 n, pg_atomic_uint64 *next)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "anshim unit",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		i;

	while ((i = pg_atomic_fetch_add_u64(next, 1)) < n)
	{
		verify_unit(audit, &units[i]);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * The worker's side
 */

/* The chain's leaves, in the order that the leader has them in. */
static void
order_leaves(Chain *chain, const Oid *leaves, int n)
{
	for (int i = 0; i < n; i++)
	{
		int			found = i;
		ChainLeaf	leaf;

		while (found < chain->nleaves &&
			   RelationGetRelid(chain->leaves[found].heap) != leaves[i])
			found++;
		if (found == chain->nleaves)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("partitions of the table changed while it was verified"),
					 errhint("Verify again.")));
		leaf = chain->leaves[found];
		chain->leaves[found] = chain->leaves[i];
		chain->leaves[i] = leaf;
	}
	chain->nleaves = n;
}

/* As verify_chain() returns them */
static TupleDesc
findings_tupdesc(void)
{
	TupleDesc	tupdesc = CreateTemplateTupleDesc(4);

	TupleDescInitEntry(tupdesc, 1, "finding", TEXTOID, -1, 0);
	TupleDescInitEntry(tupdesc, 2, "strand", INT4OID, -1, 0);
	TupleDescInitEntry(tupdesc, 3, "seq", INT8OID, -1, 0);
	TupleDescInitEntry(tupdesc, 4, "detail", TEXTOID, -1, 0);
	return tupdesc;
}

void
anshim_verify_worker(dsm_segment *seg, shm_toc *toc)
{
	Shared	   *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	const AuditStrand *strands = shm_toc_lookup(toc, KEY_STRANDS, false);
	Findings	findings = {0};
	Audit		audit = {0};

	SharedFileSetAttach(&shared->files, seg);
	findings.tupdesc = findings_tupdesc();
	findings.shared = sts_attach(shm_toc_lookup(toc, KEY_FINDINGS, false),
								 ParallelWorkerNumber, &shared->files);
	findings.context = AllocSetContextCreate(CurrentMemoryContext, "anshim finding",
											 ALLOCSET_DEFAULT_SIZES);

	audit.chain = chain_open(shared->target, AccessShareLock);
	order_leaves(audit.chain, shm_toc_lookup(toc, KEY_LEAVES, false), shared->nleaves);
	audit.snapshot = GetActiveSnapshot();
	audit.findings = &findings;
	audit.progress = &shared->progress;
	audit.nstrands = shared->nstrands;
	audit.strands = palloc_extended(mul_size(Max(audit.nstrands, 1), sizeof(AuditStrand)),
									MCXT_ALLOC_HUGE);
	memcpy(audit.strands, strands, mul_size(audit.nstrands, sizeof(AuditStrand)));
	audit.counts = shm_toc_lookup(toc, KEY_COUNTS, false);

	audit_begin(&audit);
	verify_units(&audit, shm_toc_lookup(toc, KEY_UNITS, false), shared->nunits,
				 &shared->next_unit);
	audit_end(&audit);
	chain_close(audit.chain);
	sts_end_write(findings.shared);
	pg_atomic_fetch_add_u64(&shared->found, findings.n);
	pg_atomic_fetch_add_u64(&shared->found_of_rows, findings.of_rows);
}

/*
 * The leader's side
 */

/* Memory for an array, and its place in the table of contents */
static void *
share_array(ParallelContext *pcxt, uint64 key, Size n, Size size)
{
	void	   *array = shm_toc_allocate(pcxt->toc, mul_size(Max(n, 1), size));

	shm_toc_insert(pcxt->toc, key, array);
	return array;
}

static void
estimate_array(ParallelContext *pcxt, Size n, Size size)
{
	shm_toc_estimate_chunk(&pcxt->estimator, mul_size(Max(n, 1), size));
	shm_toc_estimate_keys(&pcxt->estimator, 1);
}

static void
estimate_shared(ParallelContext *pcxt, const Audit *audit, const AuditPlan *plan)
{
	estimate_array(pcxt, 1, sizeof(Shared));
	estimate_array(pcxt, 1, sts_estimate(pcxt->nworkers));
	estimate_array(pcxt, audit->chain->nleaves, sizeof(Oid));
	estimate_array(pcxt, audit->chain->nleaves, sizeof(LeafCount));
	estimate_array(pcxt, audit->nstrands, sizeof(AuditStrand));
	estimate_array(pcxt, plan->nunits, sizeof(Unit));
}

/*
 * From here on counts, units and progress are the shared ones.
 */
static Shared *
share(ParallelContext *pcxt, Audit *audit, AuditPlan *plan, SharedTuplestoreAccessor **findings)
{
	Shared	   *shared = share_array(pcxt, KEY_SHARED, 1, sizeof(Shared));
	Oid		   *leaves = share_array(pcxt, KEY_LEAVES, audit->chain->nleaves, sizeof(Oid));
	LeafCount  *counts = share_array(pcxt, KEY_COUNTS, audit->chain->nleaves, sizeof(LeafCount));
	AuditStrand *strands = share_array(pcxt, KEY_STRANDS, audit->nstrands, sizeof(AuditStrand));
	Unit	   *units = share_array(pcxt, KEY_UNITS, plan->nunits, sizeof(Unit));

	shared->target = audit->chain->target;
	shared->nleaves = audit->chain->nleaves;
	shared->nstrands = audit->nstrands;
	shared->nunits = plan->nunits;
	pg_atomic_init_u64(&shared->next_unit, 0);
	pg_atomic_init_u64(&shared->found, 0);
	pg_atomic_init_u64(&shared->found_of_rows, 0);
	SharedFileSetInit(&shared->files, pcxt->seg);
	*findings = sts_initialize(share_array(pcxt, KEY_FINDINGS, 1, sts_estimate(pcxt->nworkers)),
							   pcxt->nworkers, 0, 0, SHARED_TUPLESTORE_SINGLE_PASS,
							   &shared->files, "findings");
	for (int i = 0; i < audit->chain->nleaves; i++)
		leaves[i] = RelationGetRelid(audit->chain->leaves[i].heap);
	memcpy(counts, audit->counts, mul_size(audit->chain->nleaves, sizeof(LeafCount)));
	memcpy(strands, audit->strands, mul_size(audit->nstrands, sizeof(AuditStrand)));
	memcpy(units, plan->units, mul_size(plan->nunits, sizeof(Unit)));

	audit->counts = counts;
	audit->progress = &shared->progress;
	plan->units = units;
	progress_begin(audit->progress, plan->rows);
	return shared;
}

/*
 * What workers have found goes to the result, after what the leader has.
 */
static void
take_findings(Audit *audit, Shared *shared, SharedTuplestoreAccessor *findings)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(audit->findings->tupdesc,
													&TTSOpsMinimalTuple);
	MinimalTuple tuple;

	audit->findings->n += pg_atomic_read_u64(&shared->found);
	audit->findings->of_rows += pg_atomic_read_u64(&shared->found_of_rows);
	sts_begin_parallel_scan(findings);
	while ((tuple = sts_parallel_scan_next(findings, NULL)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		ExecStoreMinimalTuple(tuple, slot, false);
		tuplestore_puttupleslot(audit->findings->store, slot);
	}
	sts_end_parallel_scan(findings);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Results move out of the shared memory, which goes away.
 */
static void
take_back(Audit *audit, AuditPlan *plan, LeafCount *counts, Unit *units, Progress *progress)
{
	memcpy(counts, audit->counts, mul_size(audit->chain->nleaves, sizeof(LeafCount)));
	memcpy(units, plan->units, mul_size(plan->nunits, sizeof(Unit)));
	audit->counts = counts;
	plan->units = units;
	audit->progress = progress;
}

static void
verify_in_parallel(Audit *audit, AuditPlan *plan, int nworkers)
{
	LeafCount  *counts = audit->counts;
	Unit	   *units = plan->units;
	Progress   *progress = audit->progress;
	SharedTuplestoreAccessor *findings;
	ParallelContext *pcxt;
	Shared	   *shared;

	EnterParallelMode();
	pcxt = CreateParallelContext("anshim", "anshim_verify_worker", nworkers);
	estimate_shared(pcxt, audit, plan);
	InitializeParallelDSM(pcxt);
	if (pcxt->seg == NULL)
	{
		/* no shared memory to be had: the leader alone */
		pg_atomic_uint64 next;

		DestroyParallelContext(pcxt);
		ExitParallelMode();
		pg_atomic_init_u64(&next, 0);
		verify_units(audit, plan->units, plan->nunits, &next);
		return;
	}
	shared = share(pcxt, audit, plan, &findings);
	LaunchParallelWorkers(pcxt);
	verify_units(audit, plan->units, plan->nunits, &shared->next_unit);
	WaitForParallelWorkersToFinish(pcxt);

	take_findings(audit, shared, findings);
	take_back(audit, plan, counts, units, progress);
	DestroyParallelContext(pcxt);
	ExitParallelMode();
}

static int
workers_wanted(const AuditPlan *plan)
{
	uint64		by_rows = plan->rows / ROWS_A_WORKER;

	if (by_rows == 0 || IsInParallelMode())
		return 0;
	return (int) Min((uint64) max_parallel_workers_per_gather, by_rows);
}

void
units_verify(Audit *audit, AuditPlan *plan)
{
	int			nworkers = audit->findings->store == NULL ? 0 : workers_wanted(plan);
	pg_atomic_uint64 next;

	progress_begin(audit->progress, plan->rows);
	if (nworkers > 0)
	{
		verify_in_parallel(audit, plan, nworkers);
		return;
	}
	pg_atomic_init_u64(&next, 0);
	verify_units(audit, plan->units, plan->nunits, &next);
}
