/*-------------------------------------------------------------------------
 *
 * sql_cursor.c
 *	  Cursors on statements that ask about many keys
 *
 * How our own statements are planned is not left to the session's settings.
 *
 * Rows are packed over there, as groups (remote_list.c).  Where no statistics
 * tell, the planner could rather fetch the rows and group them here.  So neither
 * way of grouping is offered to it here.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execdesc.h"
#include "executor/spi.h"
#include "utils/plancache.h"

#include "compat.h"
#include "part_rights.h"
#include "remote_list.h"
#include "sql_cursor.h"
#include "uncompiled.h"

static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Have the plan's lists asked about as such; false if not all of them can be. */
static bool
apply_lists(SPIPlanPtr plan, int nlists)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	PlannedStmt *stmt = linitial_node(PlannedStmt, cached->stmt_list);
	MemoryContext old = MemoryContextSwitchTo(cached->context);
	bool		all;

	remote_list_apply(stmt);
	all = remote_list_count(stmt) == nlists;
	MemoryContextSwitchTo(old);
	ReleaseCachedPlan(cached, NULL);
	return all;
}

/*
 * What changes a server's definition meanwhile has PostgreSQL make the plan
 * again, without our lists.
 */
static Portal
open_plan(SPIPlanPtr plan, const SqlStatement *statement)
{
	for (;;)
	{
		Portal		portal;

		part_rights_waive(plan, statement->relids);
		if (statement->nlists > 0 && !apply_lists(plan, statement->nlists))
			return NULL;
		portal = SPI_cursor_open(NULL, plan, statement->values, NULL, true);
		if (remote_list_count(portal->queryDesc->plannedstmt) == statement->nlists)
			return portal;
		SPI_cursor_close(portal);
	}
}

Portal
sql_cursor_open(const SqlStatement *statement)
{
	int			guc_level = uncompiled_begin();
	SPIPlanPtr	plan;
	Portal		portal;

	if (statement->nlists > 0)
	{
		set_for_now("enable_hashagg", "off");
		set_for_now("enable_sort", "off");
	}
	plan = SPI_prepare_cursor(statement->sql.data, statement->nparams, statement->types,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	portal = open_plan(plan, statement);

	/* the portal has a copy of its own */
	SPI_freeplan(plan);
	uncompiled_end(guc_level);
	return portal;
}
