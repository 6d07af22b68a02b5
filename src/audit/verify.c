/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  verify_chain(): is the table what was linked, sealed and signed?
 *
 * In one pass: the chain's events are replayed, the strands gathered, the
 * log's blocks and segments compared with each other, all rows hashed again
 * and put into the tree, and the catalog, the guards and the checkpoints
 * compared with what came out.
 *
 * Everything is read under one snapshot, the latest, whatever the isolation
 * level: what the catalog says of the table is its latest definition as well.
 * Neither writers nor sealers wait, and whatever they do meanwhile is not seen.
 *
 * It runs as the table's owner: an index's or a partition's expressions are
 * hers, and must not run as an auditor who may be a superuser.
 *
 * Locking: AccessShareLock on the table and its partitions, to the end of the
 * transaction.
 *
 * Memory: strands and units, batches of the log, one row.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "audit.h"
#include "chain/catalog.h"
#include "compat.h"
#include "key/spi.h"
#include "log/note.h"

/* The arguments of verify_chain(), in order */
enum
{
	ARG_TARGET,
	ARG_CHECKPOINT,
	ARG_FROM_BLOCK,
	ARG_VKEY,
	ARG_WITNESSES,
	ARG_QUORUM,
	ARG_KNOWN_EVENTS
};

PG_FUNCTION_INFO_V1(anshim_verify_chain);

/*
 * All that is verified of a chain but what signatures say.
 */
static void
verify_all(Audit *audit, AuditPlan *plan, int64 known_events)
{
	Replay	   *replay;
	HTAB	   *strands;

	audit_begin(audit);

	structure_check(audit);
	replay = replay_events(audit);
	compare_catalog(audit, replay, known_events);
	strands = strands_find(audit);
	replay_expiries(replay, strands);
	plan_log(audit, strands, plan);
	strands_settle(audit, strands);
	compare_expiries(audit);
	plan_tails(audit, plan);
	plan_counts(audit, plan);

	units_verify(audit, plan);
	if (!tree_is_intact(plan))
		tree_diagnose(audit, plan);
	count_compare(audit);
	audit_end(audit);
}

/*
 * Arguments
 */

static void
bad_argument(const char *name, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s %s", name, what),
			 errhint("%s", hint)));
}

static int64
count_argument(FunctionCallInfo fcinfo, int number, const char *name, int64 least, int64 otherwise)
{
	int64		value;

	if (PG_ARGISNULL(number))
		return otherwise;
	value = PG_GETARG_INT64(number);
	if (value < least)
		bad_argument(name, "is too small", psprintf("Give a number from " INT64_FORMAT " on.", least));
	return value;
}

static char *
key_argument(Datum datum, const char *name, uint8 type, NoteKey *key)
{
	char	   *vkey = TextDatumGetCString(datum);
	const char *reason = NULL;

	if (!note_key_read(vkey, key, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is no verifier key", name),
				 errdetail("%s", reason),
				 errhint("Verifier keys look like name+1234abcd+AQ...; see docs/formats.md.")));
	if (key->type != type)
		bad_argument(name, type == NOTE_ED25519 ? "is the key of a witness" : "is no key of a witness",
					 "Logs sign with keys of type 1, witnesses with keys of type 4.");
	return vkey;
}

/* A witness counts once, under whatever names. */
static void
witnesses_argument(FunctionCallInfo fcinfo, Trust *trust)
{
	Datum	   *elements;
	bool	   *nulls;
	NoteKey    *keys;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_WITNESSES), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &trust->nwitnesses);
	trust->witnesses = palloc_array(char *, Max(trust->nwitnesses, 1));
	keys = palloc_array(NoteKey, Max(trust->nwitnesses, 1));
	for (int i = 0; i < trust->nwitnesses; i++)
	{
		if (nulls[i])
			bad_argument("witnesses", "must not contain nulls", "Give their verifier keys.");
		trust->witnesses[i] = key_argument(elements[i], "an element of witnesses", NOTE_COSIGNATURE, &keys[i]);
		for (int j = 0; j < i; j++)
		{
			if (memcmp(keys[j].public_key, keys[i].public_key, CRYPTO_PUBLIC_KEY_LEN) == 0)
				bad_argument("witnesses", "contain a key twice", "Give each witness's key once.");
		}
	}
}

static void
trust_arguments(FunctionCallInfo fcinfo, Trust *trust)
{
	NoteKey		key;

	memset(trust, 0, sizeof(Trust));
	if (PG_ARGISNULL(ARG_CHECKPOINT) &&
		!(PG_ARGISNULL(ARG_VKEY) && PG_ARGISNULL(ARG_WITNESSES) && PG_ARGISNULL(ARG_QUORUM)))
		bad_argument("checkpoint", "must be given with vkey, witnesses or quorum",
					 "They say whose signatures it needs.");
	if (!PG_ARGISNULL(ARG_VKEY))
		trust->vkey = key_argument(PG_GETARG_DATUM(ARG_VKEY), "vkey", NOTE_ED25519, &key);
	if (!PG_ARGISNULL(ARG_WITNESSES))
		witnesses_argument(fcinfo, trust);
	trust->quorum = PG_ARGISNULL(ARG_QUORUM) ? trust->nwitnesses : PG_GETARG_INT32(ARG_QUORUM);
	if (trust->quorum < 0 || trust->quorum > trust->nwitnesses)
		bad_argument("quorum", "must be a number of witnesses",
					 "Give no more than there are keys in witnesses, or leave it out to demand all.");
}

/*
 * Rights: those of somebody who may read all of the table, as findings name
 * rows.
 */
static void
check_rights(Relation rel)
{
	if (pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", RelationGetRelationName(rel)),
				 errdetail("Findings name its rows."),
				 errhint("Let its owner GRANT SELECT on the whole table.")));
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security hides rows of table %s", RelationGetRelationName(rel)),
				 errdetail("A chain can be verified only as a whole."),
				 errhint("Let the table's owner verify it, or a role with BYPASSRLS.")));
}

static void
check_from_block(Audit *audit, int64 from_block)
{
	LogBlock	last;

	if (from_block == 1)
		return;
	if (!log_last_block(&audit->chain->id, audit->snapshot, &last))
		last.number = 0;
	if (from_block > last.number)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the log has no block " INT64_FORMAT, from_block),
				 errhint("Its last one is %lld.", (long long) last.number)));
}

static void
verify(FunctionCallInfo fcinfo, Audit *audit, const Trust *trust)
{
	AuditPlan	plan = {.from_block = count_argument(fcinfo, ARG_FROM_BLOCK, "from_block", 1, 1)};
	int64		known_events = count_argument(fcinfo, ARG_KNOWN_EVENTS, "known_events", 0, 0);

	check_from_block(audit, plan.from_block);
	verify_all(audit, &plan, known_events);
	checkpoints_check(audit);
	if (!PG_ARGISNULL(ARG_CHECKPOINT))
	{
		text	   *checkpoint = PG_GETARG_TEXT_PP(ARG_CHECKPOINT);

		checkpoint_check(audit, VARDATA_ANY(checkpoint), VARSIZE_ANY_EXHDR(checkpoint), trust);
	}
}

/*
 * anshim.verify_chain(target, checkpoint, from_block, vkey, witnesses, quorum,
 * known_events) -> (finding, strand, seq, detail)
 */
Datum
anshim_verify_chain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Findings	findings = {0};
	Audit		audit = {0};
	Trust		trust;
	Oid			target;
	Relation	rel;
	Oid			user;
	int			sec_context;
	int			guc_level;

	spi_refuse_null(fcinfo, ARG_TARGET, "target");
	target = PG_GETARG_OID(ARG_TARGET);
	trust_arguments(fcinfo, &trust);
	InitMaterializedSRF(fcinfo, 0);

	rel = chained_relation_open(target, AccessShareLock);
	check_rights(rel);
	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, sec_context | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();
	relation_close(rel, NoLock);

	findings.store = result->setResult;
	findings.tupdesc = result->setDesc;
	findings.context = AllocSetContextCreate(CurrentMemoryContext, "anshim finding",
											 ALLOCSET_DEFAULT_SIZES);
	audit.findings = &findings;
	audit_attach(&audit, target, AccessShareLock);
	PushActiveSnapshot(audit.snapshot);
	verify(fcinfo, &audit, &trust);
	PopActiveSnapshot();
	audit_detach(&audit);

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, sec_context);
	return (Datum) 0;
}
