/*-------------------------------------------------------------------------
 *
 * remote_list.h
 *	  Lists that postgres_fdw asks about at once (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_REMOTE_LIST_H
#define ANSHIM_REMOTE_LIST_H

#include "nodes/plannodes.h"
#include "utils/relcache.h"

/* Is the relation a foreign table that can be asked about lists? */
extern bool remote_list_allowed(Relation rel);

/* SQL for an element of the array that is parameter $number */
extern char *remote_list_element(int number);

/*
 * Have foreign scans with conditions on such elements asked about all elements
 * instead of the first ones.  What is changed is allocated in the current
 * memory context, in which the plan must be.
 */
extern void remote_list_apply(PlannedStmt *stmt);

/* How many scans of the plan ask about lists */
extern int	remote_list_count(const PlannedStmt *stmt);

#endif							/* ANSHIM_REMOTE_LIST_H */
