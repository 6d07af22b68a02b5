/*-------------------------------------------------------------------------
 *
 * status.c
 *	  What the view anshim.status asks of a chained table's indexes, and how
 *	  long its rows are to be kept
 *
 * Two descents of the position index a strand: nothing is counted row by row.
 *
 * Locking: AccessShareLock on the table and its partitions, until the end of
 * the transaction, as any query on it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "chain/chain.h"
#include "compat.h"
#include "ddl/owner.h"
#include "key/spi.h"

static void return_ends(ReturnSetInfo *result, const Chain *chain, const ChainLeaf *leaf);

PG_FUNCTION_INFO_V1(anshim_strand_ends);
PG_FUNCTION_INFO_V1(anshim_keep_for);

/*
 * anshim.strand_ends(target) -> (leaf, strand, first_seq, last_seq)
 */
Datum
anshim_strand_ends(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Chain	   *chain;

	InitMaterializedSRF(fcinfo, 0);
	chain = chain_open(PG_GETARG_OID(0), AccessShareLock);
	return_ends(result, chain, &chain->events);
	for (int i = 0; i < chain->nleaves; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* without the index nobody knows; verify_chain says that it is gone */
		if (chain->leaves[i].position != NULL)
			return_ends(result, chain, &chain->leaves[i]);
	}
	chain_close(chain);
	return (Datum) 0;
}

static void
return_ends(ReturnSetInfo *result, const Chain *chain, const ChainLeaf *leaf)
{
	int			n;
	StrandTail *tails = strand_tails(chain, leaf, GetActiveSnapshot(), &n);

	for (int i = 0; i < n; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = ObjectIdGetDatum(RelationGetRelid(leaf->heap));
		values[1] = Int32GetDatum(tails[i].strand);
		values[2] = Int64GetDatum(tails[i].first_seq);
		values[3] = Int64GetDatum(tails[i].last_seq);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	pfree(tails);
}

/*
 * anshim.keep_for(target, keep_for)
 */
Datum
anshim_keep_for(PG_FUNCTION_ARGS)
{
	const Oid	types[] = {UUIDOID, INTERVALOID, TEXTOID};
	Datum		values[3];
	bool		nulls[3] = {0};
	bool		isnull;
	Chain	   *chain;
	Oid			target;
	Relation	rel;

	spi_refuse_null(fcinfo, 0, "target");
	target = PG_GETARG_OID(0);
	chain = chain_open(target, AccessShareLock);
	rel = relation_open(target, AccessShareLock);
	require_owner(rel);
	relation_close(rel, NoLock);
	nulls[1] = PG_ARGISNULL(1);
	if (!nulls[1])
	{
		Interval   *keep_for = PG_GETARG_INTERVAL_P(1);
		Interval	nothing = {0};

		if (DatumGetInt32(DirectFunctionCall2(interval_cmp, IntervalPGetDatum(keep_for),
											  IntervalPGetDatum(&nothing))) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rows must be kept for some time"),
					 errhint("Give an interval such as '28 days', or NULL to keep them for good.")));
	}

	values[0] = UUIDPGetDatum(&chain->id);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	(void) spi_call("set_retention", 3, types, values, nulls, &isnull);
	chain_close(chain);
	PG_RETURN_VOID();
}
