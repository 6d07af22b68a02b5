/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  What a function that changes a table asks first
 *
 * Nothing here takes a lock: what is said of a relation holds as long as the
 * caller's own lock on it does.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/rel.h"

#include "ddl/owner.h"

void
require_writable(const char *command)
{
	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	PreventCommandDuringRecovery(command);
}

void
require_owner(Relation rel)
{
	if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", RelationGetRelationName(rel)),
				 errhint("Let %s call it, or a member of that role.",
						 GetUserNameFromId(rel->rd_rel->relowner, false))));
}
