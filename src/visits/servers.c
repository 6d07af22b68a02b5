/*-------------------------------------------------------------------------
 *
 * servers.c
 *	  The foreign servers that a visit log's parts lie on
 *
 * A part is reachable if a scan of it can begin: postgres_fdw connects then,
 * and begins a transaction, but asks for nothing yet.  That is tried in a
 * subtransaction, which rolls back what was begun on servers that failed.
 *
 * When a server fails later, its message seldom says which server it is: they
 * are all asked in one statement, and their tables may have the same name.  So
 * the foreign scans of that statement call their wrapper through routines of
 * ours, which only add a line of context to errors.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "compat.h"
#include "log_check.h"
#include "part_rights.h"
#include "servers.h"

/* A foreign scan's routines, and whose they are */
typedef struct NamedRoutine
{
	FdwRoutine	routine;		/* first, so that the scan's pointer is ours */
	const FdwRoutine *wrapped;
	const char *server;
	const char *table;			/* NULL: a join over there, in a view */
} NamedRoutine;

/*
 * Which relations are remote
 */

static bool
find_foreign_table(Node *node, void *context)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_foreign_table, context,
								 QTW_EXAMINE_RTES_BEFORE);
	if (!IsA(node, RangeTblEntry))
		return expression_tree_walker(node, find_foreign_table, context);
	if (((RangeTblEntry *) node)->relkind == RELKIND_FOREIGN_TABLE)
		return true;
	if (((RangeTblEntry *) node)->rtekind != RTE_RELATION || !((RangeTblEntry *) node)->inh)
		return false;
	foreach(lc, find_all_inheritors(((RangeTblEntry *) node)->relid, NoLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return true;
	}
	return false;
}

/*
 * A view's query is looked at after its rewriting, which puts the views that
 * it reads in their place.  It is not planned: that may ask the server.
 */
bool
reads_foreign_table(Relation rel)
{
	bool		found = false;
	SPIPlanPtr	plan;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_VIEW)
		return rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	SPI_connect();
	plan = SPI_prepare(psprintf("SELECT FROM %s", relation_sql_name(rel)), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	foreach(lc, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = lfirst(lc);

		found |= find_foreign_table((Node *) source->query_list, NULL);
	}
	SPI_finish();
	return found;
}

/*
 * Which can be reached
 */

static bool
is_unreachable(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_CRASH_SHUTDOWN:
		case ERRCODE_CANNOT_CONNECT_NOW:
		case ERRCODE_TOO_MANY_CONNECTIONS:
		case ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION:
			return true;
		default:
			return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_CONNECTION_EXCEPTION;
	}
}

/* Begin a scan of the relation, and end it. */
static void
begin_scan(Relation rel)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare(psprintf("SELECT FROM %s", relation_sql_name(rel)), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	part_rights_waive(plan, list_make1_oid(RelationGetRelid(rel)));
	SPI_cursor_close(SPI_cursor_open(NULL, plan, NULL, NULL, true));
	SPI_finish();
}

/* Why the relation cannot be reached; NULL if it can. */
static ErrorData *
try_to_reach(Relation rel)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		begin_scan(rel);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error && !is_unreachable(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

/* Try a part; false, with a WARNING, if it cannot be reached. */
static bool
is_reachable(Relation rel, const char *log)
{
	ErrorData  *error = try_to_reach(rel);

	if (error == NULL)
		return true;
	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("server \"%s\" cannot be reached: what visit log \"%s\" has there is left out",
						GetForeignServer(GetForeignTable(RelationGetRelid(rel))->serverid)->servername, log),
				 errdetail_internal("%s", error->message)));
	else
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("a server cannot be reached: view \"%s\" is left out", log),
				 errdetail_internal("%s", error->message)));
	FreeErrorData(error);
	return false;
}

List *
without_unreachable(List *parts, const char *log)
{
	List	   *kept = NIL;
	List	   *good = NIL;		/* OIDs of servers */
	List	   *bad = NIL;
	ListCell   *lc;

	foreach(lc, parts)
	{
		LogPart    *part = lfirst(lc);
		Relation	rel = part->heap;
		Oid			server = InvalidOid;

		if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			server = GetForeignTable(RelationGetRelid(rel))->serverid;
		if (list_member_oid(good, server) || !reads_foreign_table(rel))
		{
			kept = lappend(kept, part);
			continue;
		}
		if (IsInParallelMode())
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
					 errmsg("skip_unreachable cannot be used in a parallel query"),
					 errhint("SET max_parallel_workers_per_gather = 0; or let the trace be a query of its own.")));
		if (!list_member_oid(bad, server) && is_reachable(rel, log))
		{
			good = lappend_oid(good, server);
			kept = lappend(kept, part);
			continue;
		}
		bad = lappend_oid(bad, server);
		table_close(rel, NoLock);
		pfree(part);
	}
	list_free(parts);
	return kept;
}

/*
 * Which one failed
 */

static void
advise(void *arg)
{
	if (is_unreachable(geterrcode()))
		errhint("Try again later, or with skip_unreachable => true, which leaves out what cannot be reached.");
}

void
servers_begin(ErrorContextCallback *callback)
{
	callback->callback = advise;
	callback->arg = NULL;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

void
servers_end(ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

static void
tell_server(void *arg)
{
	const NamedRoutine *named = arg;

	if (named->table)
		errcontext("foreign table \"%s\" on server \"%s\"", named->table, named->server);
	else
		errcontext("join of foreign tables on server \"%s\"", named->server);
}

static const NamedRoutine *
begin_naming(ErrorContextCallback *callback, ForeignScanState *scan)
{
	callback->callback = tell_server;
	callback->arg = scan->fdwroutine;
	callback->previous = error_context_stack;
	error_context_stack = callback;
	return (const NamedRoutine *) scan->fdwroutine;
}

static TupleTableSlot *
named_iterate(ForeignScanState *scan)
{
	ErrorContextCallback callback;
	const NamedRoutine *named = begin_naming(&callback, scan);
	TupleTableSlot *slot = named->wrapped->IterateForeignScan(scan);

	error_context_stack = callback.previous;
	return slot;
}

static void
named_end(ForeignScanState *scan)
{
	ErrorContextCallback callback;
	const NamedRoutine *named = begin_naming(&callback, scan);

	named->wrapped->EndForeignScan(scan);
	error_context_stack = callback.previous;
}

static void
named_request(AsyncRequest *request)
{
	ErrorContextCallback callback;
	const NamedRoutine *named = begin_naming(&callback, (ForeignScanState *) request->requestee);

	named->wrapped->ForeignAsyncRequest(request);
	error_context_stack = callback.previous;
}

static void
named_configure_wait(AsyncRequest *request)
{
	ErrorContextCallback callback;
	const NamedRoutine *named = begin_naming(&callback, (ForeignScanState *) request->requestee);

	named->wrapped->ForeignAsyncConfigureWait(request);
	error_context_stack = callback.previous;
}

static void
named_notify(AsyncRequest *request)
{
	ErrorContextCallback callback;
	const NamedRoutine *named = begin_naming(&callback, (ForeignScanState *) request->requestee);

	named->wrapped->ForeignAsyncNotify(request);
	error_context_stack = callback.previous;
}

/* The one table that is scanned, or whose groups are; NULL if there are several. */
static const char *
scanned_table(const ForeignScanState *scan)
{
	int			member;

	if (scan->ss.ss_currentRelation)
		return RelationGetRelationName(scan->ss.ss_currentRelation);
	if (!bms_get_singleton_member(castNode(ForeignScan, scan->ss.ps.plan)->fs_relids, &member))
		return NULL;
	return get_rel_name(exec_rt_fetch(member, scan->ss.ps.state)->relid);
}

static bool
name_scan(PlanState *state, void *context)
{
	ForeignScanState *scan = (ForeignScanState *) state;
	NamedRoutine *named;

	if (!IsA(state, ForeignScanState))
		return planstate_tree_walker(state, name_scan, context);
	named = MemoryContextAlloc(state->state->es_query_cxt, sizeof(NamedRoutine));
	named->routine = *scan->fdwroutine;
	named->wrapped = scan->fdwroutine;
	named->table = scanned_table(scan);
	named->server = GetForeignServer(castNode(ForeignScan, state->plan)->fs_server)->servername;
	named->routine.IterateForeignScan = named_iterate;
	named->routine.EndForeignScan = named_end;
	if (named->wrapped->ForeignAsyncRequest)
	{
		named->routine.ForeignAsyncRequest = named_request;
		named->routine.ForeignAsyncConfigureWait = named_configure_wait;
		named->routine.ForeignAsyncNotify = named_notify;
	}
	scan->fdwroutine = &named->routine;
	return false;
}

void
servers_name(Portal portal)
{
	MemoryContext old = MemoryContextSwitchTo(portal->queryDesc->estate->es_query_cxt);

	name_scan(portal->queryDesc->planstate, NULL);
	MemoryContextSwitchTo(old);
}
