/*-------------------------------------------------------------------------
 *
 * venue_stays.h
 *	  When visits end that nobody checks out, by venue
 *
 * The table of venues may say of each how long such a visit lasts, and at
 * which time of day it ends; see track_venues().  The earlier counts, and
 * max_stay bounds both; where it says nothing, the log's default_stay counts.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_VENUE_STAYS_H
#define ANSHIM_VENUE_STAYS_H

#include "venues.h"

typedef struct VenueStays VenueStays;

/*
 * Check that the columns of the open table of venues can say so, and that the
 * current user may read them.
 */
extern void venue_stays_check(Relation rel, const VenuesUse *use, const VenuesRecord *names,
							  const IdentType *venue_type);

/*
 * Prepare to ask; NULL if the log's visits all last default_stay.  Errors:
 * 55000 if the recorded table or a column is gone or unfit, 42501.
 */
extern VenueStays *venue_stays_open(Memory *memory, const VisitLog *log);

/*
 * Get to know n venues, `stride` bytes apart: those not known yet are asked
 * for in one statement, under the active snapshot.
 */
extern void venue_stays_learn(VenueStays *stays, const Ident *venues, Size stride, Size n);

/*
 * When a visit that began at `start` ends if it was never checked out; and
 * since when one has to have begun to be under way at `time`.  For venues that
 * are known.
 */
extern int64 venue_stays_end(VenueStays *stays, Ident venue, int64 start);
extern int64 venue_stays_since(VenueStays *stays, Ident venue, int64 time);

#endif							/* ANSHIM_VENUE_STAYS_H */
