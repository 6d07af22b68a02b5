/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  The triggers that keep a chained table append-only
 *
 * A worker of logical replication is let through: what it does was allowed, or
 * refused, where it was done first.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "chain/chain.h"
#include "compat.h"

static bool expiring;

static void
at_transaction_event(XactEvent event, void *arg)
{
	expiring = false;
}

static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		expiring = false;
}

void
guards_allow_expiry(bool allow)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_subtransaction_event, NULL);
		registered = true;
	}
	expiring = allow;
}

static const char *
refused_command(TriggerEvent event)
{
	if (TRIGGER_FIRED_BY_UPDATE(event))
		return "UPDATE";
	return TRIGGER_FIRED_BY_DELETE(event) ? "DELETE" : "TRUNCATE";
}

PG_FUNCTION_INFO_V1(anshim_refuse_change);
Datum
anshim_refuse_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const char *table;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function serves triggers before UPDATE, DELETE and TRUNCATE alone"),
				 errhint("The triggers that call it are made by anshim.chain().")));
	if (expiring || IsLogicalWorker())
		PG_RETURN_POINTER(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple :
						  trigger->tg_trigtuple);

	table = RelationGetRelationName(trigger->tg_relation);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" is append-only", table),
			 errdetail("It is chained, so that %s would not go unnoticed.",
					   refused_command(trigger->tg_event)),
			 errhint("Insert a row that corrects the other. Old rows are removed by anshim.expire(); anshim.unchain() ends the chain.")));
}
