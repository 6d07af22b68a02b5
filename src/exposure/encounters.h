/*-------------------------------------------------------------------------
 *
 * encounters.h
 *	  How often, and how long, somebody met those who exposed her at first
 *	  (inside src/exposure only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_ENCOUNTERS_H
#define ANSHIM_ENCOUNTERS_H

#include "trace.h"

/* All encounters of a subject at the level that reached her first. */
typedef struct Tally
{
	int32		encounters;
	int64		together;		/* microseconds */
} Tally;

/* For one trace, in its memory; nothing is counted yet. */
extern struct Encounters *encounters_create(Memory *memory);

/* Note a piece of the level under way: its stay, without the air behind. */
extern void encounters_add_piece(Trace *trace, int32 venue, Span piece);

/* Let the pieces so far reach the venues near their own, too. */
extern void encounters_share_pieces(Trace *trace);

/* The level's pieces are all known, and so are trace->airs. */
extern void encounters_build(Trace *trace);

/*
 * Add what the visit meets of the level's pieces at one of trace->airs, unless
 * the subject is a case, or was reached at an older level.  Errors: 22003 if
 * that is more than can be counted.
 */
extern void encounters_count(Trace *trace, int32 subject, int32 air, Span visit);

/* What was counted of a subject, at the end of a trace; zeros for a case. */
extern Tally encounters_of(const Trace *trace, int32 subject);

#endif							/* ANSHIM_ENCOUNTERS_H */
