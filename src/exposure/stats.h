/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  What the backend's last trace read and found, level by level
 *	  (inside src/exposure only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_STATS_H
#define ANSHIM_STATS_H

#include "trace.h"

/* A trace begins: forget the one before. */
extern void stats_begin(void);

/* One more level is done. */
extern void stats_level(const LevelStats *level);

/* Return the last trace's levels as rows of anshim.explain_exposures(). */
extern void stats_explain(FunctionCallInfo fcinfo, const char *source);

#endif							/* ANSHIM_STATS_H */
