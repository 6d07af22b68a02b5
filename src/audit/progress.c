/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far an audit is: a NOTICE every few seconds, where it is wanted
 *
 * The counter may lie in shared memory, and is added to by parallel workers;
 * only the leader says anything.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "audit.h"

/* Between two notices, in milliseconds */
#define INTERVAL 3000

/* Rows between two looks at the clock */
#define ROWS_A_LOOK 4096

/* anshim.progress */
static bool wanted = false;

static TimestampTz begun;
static TimestampTz said;
static uint64 not_yet_added;

void
audit_define_settings(void)
{
	DefineCustomBoolVariable("anshim.progress",
							 "Says every few seconds how far a verification is",
							 "As a NOTICE, by anshim.verify_chain and anshim.expire.",
							 &wanted, false, PGC_USERSET, 0,
							 NULL, NULL, NULL);
}

void
progress_begin(Progress *progress, uint64 total)
{
	pg_atomic_init_u64(&progress->done, 0);
	progress->total = total;
	begun = said = GetCurrentTimestamp();
	not_yet_added = 0;
}

static void
progress_look(Progress *progress)
{
	TimestampTz now;
	uint64		done;
	double		seconds;

	if (!wanted || IsParallelWorker())
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(said, now, INTERVAL))
		return;
	said = now;
	done = pg_atomic_read_u64(&progress->done);
	seconds = (now - begun) / (double) USECS_PER_SEC;
	ereport(NOTICE,
			(errmsg("verified " UINT64_FORMAT " of about " UINT64_FORMAT " rows, %.0f%%, %.0f a second",
					done, Max(done, progress->total),
					100.0 * done / Max(Max(done, progress->total), 1), done / seconds)));
}

void
progress_add(Progress *progress, uint64 done)
{
	not_yet_added += done;
	if (not_yet_added < ROWS_A_LOOK)
		return;
	pg_atomic_fetch_add_u64(&progress->done, not_yet_added);
	not_yet_added = 0;
	progress_look(progress);
}
