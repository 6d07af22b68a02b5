/*-------------------------------------------------------------------------
 *
 * venues.h
 *	  The table that says where the venues of a visit log lie
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_VENUES_H
#define ANSHIM_VENUES_H

#include "utils/relcache.h"

#include "visits/ident.h"

typedef struct VenuesTable
{
	Oid			relid;
	char	   *sql_name;		/* all names quoted for SQL */
	char	   *venue;
	char	   *location;
	char	   *postgis;		/* PostGIS's schema */
	int32		location_typmod;
	bool		geography;		/* else geometry */
} VenuesTable;

/*
 * What the table's columns are called: the arguments of track_venues(), or
 * what these were when it was called.
 */
typedef struct VenuesNames
{
	const char *visits;			/* the log, quoted for SQL */
	const char *venue;
	const char *location;
	bool		tracking;		/* are they arguments now? */
} VenuesNames;

/* Raises 55000 with a hint to create it, if PostGIS is not there. */
extern void postgis_check(void);

/*
 * Check that the open relation can say where venues of this type lie, and
 * that the current user may read it.
 */
extern void venues_table_check(Relation rel, const VenuesNames *names,
							   const IdentType *venue_type, VenuesTable *table);

/*
 * Check that the locations, all in the same system, are measured in metres.
 * Reads the table unless the column's type says it.  Needs SPI connected.
 */
extern void venues_metres_check(const VenuesTable *table);

#endif							/* ANSHIM_VENUES_H */
