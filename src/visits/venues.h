/*-------------------------------------------------------------------------
 *
 * venues.h
 *	  The table of a visit log's venues: its columns, and who may read it
 *
 * It says where the venues lie (all of that is src/geo's) and how long visits
 * there last that nobody checks out (venue_stays.c).  It is not anshim's, and
 * may change after it was recorded, so it is checked at each use as it was
 * when it was recorded.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_VISITS_VENUES_H
#define ANSHIM_VISITS_VENUES_H

#include "log.h"

/* What errors tell of. */
typedef struct VenuesUse
{
	const char *log;			/* quoted for SQL */
	bool		tracking;		/* are the columns' names arguments now? */
	const char *without;		/* how to do without, to end a hint with */
} VenuesUse;

/* The log's name, quoted for SQL. */
extern char *log_sql_name(const VisitLog *log);

/* The recorded table, open with AccessShareLock; NULL if it is gone. */
extern Relation venues_table_open(const VisitLog *log);

/* A column by its name, which was, or is, that argument of track_venues(). */
extern AttrNumber venues_column(Relation rel, const VenuesUse *use, const char *argument,
								const NameData *name);

/* Refuses a column that cannot say which venue. */
extern void venues_key_check(Relation rel, AttrNumber attno, const IdentType *venue_type);

/* May the current user read these columns, of all rows? */
extern void venues_rights_check(Relation rel, const VenuesUse *use,
								const AttrNumber *columns, int n);

#endif							/* ANSHIM_VISITS_VENUES_H */
