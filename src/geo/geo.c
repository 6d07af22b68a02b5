/*-------------------------------------------------------------------------
 *
 * geo.c
 *	  Proximity: which venues lie within so many metres of these
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "geo.h"

Proximity *
proximity_open(Memory *memory, const VisitLog *log, double within)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("no venues are recorded for this visit log"),
			 errhint("Trace with within => 0.")));
}

int
proximity_neighbours(Proximity *proximity, const Ident *venues, int n, Neighbour **neighbours)
{
	return 0;
}

void
proximity_close(Proximity *proximity)
{
}
