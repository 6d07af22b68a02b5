/*-------------------------------------------------------------------------
 *
 * part_rights.h
 *	  Rights on the parts of a log (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_PART_RIGHTS_H
#define ANSHIM_PART_RIGHTS_H

#include "executor/spi.h"

/*
 * Have the plan of a statement of ours read these relations, OIDs, without
 * looking whether the current user may.  That she may read the log whose parts
 * they are must have been checked.  Plans, if need be, and raises what that
 * raises.
 */
extern void part_rights_waive(SPIPlanPtr plan, const List *relids);

#endif							/* ANSHIM_PART_RIGHTS_H */
