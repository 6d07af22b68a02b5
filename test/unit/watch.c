/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  How soon a query would notice that it is cancelled
 *
 * A module that test/scripts/trace_cancel.sh builds and loads into its server.
 * While a watch runs, a timer asks for interrupts at each tick of the processor
 * time that is used, and notes how much of it goes by before they are looked
 * for.  Unlike the time that a real cancellation takes, that does not depend on
 * what else the machine does.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "fmgr.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"

PG_MODULE_MAGIC;

#define TICK_MICROSECONDS 1000

static volatile double asked_at;
static volatile double longest;

PG_FUNCTION_INFO_V1(watch_begin);
PG_FUNCTION_INFO_V1(watch_end);

/* Milliseconds of this process's time on a processor */
static double
processor_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void
tick(SIGNAL_ARGS)
{
	int			save_errno = errno;
	double		now = processor_time();

	if (InterruptPending)
		longest = Max(longest, now - asked_at);
	else
	{
		asked_at = now;
		InterruptPending = true;
	}
	errno = save_errno;
}

static void
set_timer(int microseconds)
{
	struct itimerval timer = {{0, microseconds}, {0, microseconds}};

	if (setitimer(ITIMER_PROF, &timer, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not set a timer: %m"),
				 errhint("Look at the limits of the server's process.")));
}

/* () -> void */
Datum
watch_begin(PG_FUNCTION_ARGS)
{
	asked_at = processor_time();
	longest = 0;
	pqsignal(SIGPROF, tick);
	set_timer(TICK_MICROSECONDS);
	PG_RETURN_VOID();
}

/* () -> double precision: the most milliseconds without a look for interrupts */
Datum
watch_end(PG_FUNCTION_ARGS)
{
	set_timer(0);
	pqsignal(SIGPROF, SIG_IGN);
	PG_RETURN_FLOAT8(longest);
}
