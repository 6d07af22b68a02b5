/*-------------------------------------------------------------------------
 *
 * geo.h
 *	  Proximity: which venues lie within so many metres of these
 *
 * All of PostGIS stands behind this header; nothing else knows of it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_GEO_H
#define ANSHIM_GEO_H

#include "visits/log.h"

typedef struct Proximity Proximity;

/* Venue number `venue` of the question shares its air with `other`. */
typedef struct Neighbour
{
	int32		venue;			/* index into the question */
	Ident		other;			/* another venue, never the same one */
	double		metres;			/* 0 to within; the least, if a venue has
								 * several locations */
} Neighbour;

/*
 * Prepare to ask for neighbours within `within` > 0 metres.  Checks, as the
 * current user, the venues' table, its columns, her SELECT on it and that no
 * row-level security applies to her.
 * Errors: 55000 with the hint to call track_venues() where no venues' table is
 * recorded or it has changed; 0A000 / 55000 with the hint to create PostGIS
 * where that is missing; 42804 for a location in degrees; 42501.
 */
extern Proximity *proximity_open(Memory *memory, const VisitLog *log, double within);

/*
 * The neighbours of n venues, in one statement, under the active snapshot;
 * sorted by question index, then by venue.  The array and what it points to
 * are charged to the Memory and live as long as that does.
 */
extern int	proximity_neighbours(Proximity *proximity, const Ident *venues, int n,
								 Neighbour **neighbours);
extern void proximity_close(Proximity *proximity);

#endif							/* ANSHIM_GEO_H */
