/*-------------------------------------------------------------------------
 *
 * locations.h
 *	  Where the table of venues says that they lie (inside src/geo only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOCATIONS_H
#define ANSHIM_LOCATIONS_H

#include "visits/venues.h"

typedef struct Locations
{
	char	   *sql_name;		/* of the table; all names quoted for SQL */
	char	   *venue;
	char	   *location;
	char	   *postgis;		/* PostGIS's schema */
	int32		location_typmod;
	bool		geography;		/* else geometry */
} Locations;

/* Raises 55000 with a hint to create it, or to do without it so, if PostGIS is not there. */
extern void postgis_check(const char *without);

/*
 * Check that the open table of venues can say where venues of this type lie,
 * and that the current user may read it.
 */
extern void locations_check(Relation rel, const VenuesUse *use, const VenuesRecord *names,
							const IdentType *venue_type, Locations *locations);

/*
 * Check that the locations, all in the same system, are measured in metres.
 * Reads the table unless the column's type says it.  Needs SPI connected.
 */
extern void locations_metres_check(const Locations *locations);

#endif							/* ANSHIM_LOCATIONS_H */
