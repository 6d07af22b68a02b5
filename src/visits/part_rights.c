/*-------------------------------------------------------------------------
 *
 * part_rights.c
 *	  Rights on the parts of a log
 *
 * Who may read a partitioned table may read its partitions by it, whatever their
 * own grants say.  Our statements name the partitions instead, which PostgreSQL
 * would have her be granted one by one.  So once the log was opened, which checks
 * her rights on it, those on its parts are not asked for.  What a view reads is
 * another matter: its owner's rights count there as ever, and a foreign server
 * is asked as the current user.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/plannodes.h"
#include "utils/plancache.h"

#include "compat.h"
#include "part_rights.h"

void
part_rights_waive(SPIPlanPtr plan, const List *relids)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	ListCell   *lc;

	foreach(lc, linitial_node(PlannedStmt, cached->stmt_list)->permInfos)
	{
		RTEPermissionInfo *info = lfirst(lc);

		if (list_member_oid(relids, info->relid))
			info->requiredPerms = 0;
	}
	ReleaseCachedPlan(cached, NULL);
}
