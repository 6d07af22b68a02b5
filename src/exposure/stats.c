/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  What the backend's last trace read and found, level by level
 *
 * Memory: an array of a hundred levels, in the library's static data.  A trace
 * that goes on for longer adds its further levels to the last one kept.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "stats.h"

#define MAX_LEVELS 100

static LevelStats levels[MAX_LEVELS];
static int	nlevels = 0;

PG_FUNCTION_INFO_V1(anshim_last_trace);

void
stats_begin(void)
{
	nlevels = 0;
}

void
stats_level(const LevelStats *level)
{
	if (nlevels < MAX_LEVELS)
		levels[nlevels++] = *level;
	else
	{
		LevelStats *last = &levels[MAX_LEVELS - 1];

		last->infectors += level->infectors;
		last->subject_rows += level->subject_rows;
		last->pieces += level->pieces;
		last->stretches += level->stretches;
		last->venue_rows += level->venue_rows;
		last->heap_fetches += level->heap_fetches;
		last->moved_rows += level->moved_rows;
		last->statements += level->statements;
		last->reached += level->reached;
		last->milliseconds += level->milliseconds;
	}
}

/*
 * anshim.last_trace() -> a row a level
 */
Datum
anshim_last_trace(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < nlevels; i++)
	{
		Datum		values[9];
		bool		nulls[9] = {0};

		values[0] = Int32GetDatum(i + 1);
		values[1] = Int64GetDatum(levels[i].infectors);
		values[2] = Int64GetDatum(levels[i].subject_rows);
		values[3] = Int64GetDatum(levels[i].pieces);
		values[4] = Int64GetDatum(levels[i].stretches);
		values[5] = Int64GetDatum(levels[i].venue_rows);
		values[6] = Int64GetDatum(levels[i].heap_fetches);
		values[7] = Int64GetDatum(levels[i].reached);
		values[8] = Float8GetDatum(levels[i].milliseconds);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * The same of a trace that was run to be explained: what was read, rather than
 * what was found.
 */
void
stats_explain(FunctionCallInfo fcinfo, const char *source)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < nlevels; i++)
	{
		Datum		values[9];
		bool		nulls[9] = {0};

		values[0] = Int32GetDatum(i + 1);
		values[1] = CStringGetTextDatum(source);
		values[2] = Int64GetDatum(levels[i].infectors);
		values[3] = Int64GetDatum(levels[i].pieces);
		values[4] = Int64GetDatum(levels[i].stretches);
		values[5] = Int64GetDatum(levels[i].subject_rows + levels[i].venue_rows);
		values[6] = Int64GetDatum(levels[i].moved_rows);
		values[7] = Int64GetDatum(levels[i].statements);
		values[8] = Float8GetDatum(levels[i].milliseconds);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
