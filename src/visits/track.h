/*-------------------------------------------------------------------------
 *
 * track.h
 *	  What the functions that track visit logs share
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TRACK_H
#define ANSHIM_TRACK_H

#include "fmgr.h"

#include "log_record.h"

/* Arguments by their number, and their names for messages; null is refused. */
extern void non_null_argument(FunctionCallInfo fcinfo, int number, const char *name,
							  const char *hint);
extern Name name_argument(FunctionCallInfo fcinfo, int number, const char *name);
extern Oid	relation_argument(FunctionCallInfo fcinfo, int number, const char *name);

/* An interval's microseconds, more than 0 */
extern int64 length_argument(FunctionCallInfo fcinfo, int number, const char *name);

/*
 * Open a table to change how it is tracked, with ShareUpdateExclusiveLock.
 * The current user must own it; `command` is for messages.
 */
extern Relation owned_table_open(Oid relid, const char *command);

/*
 * Make a visit log of the open table, and close it: the columns' names and
 * lengths are set in the record, the rest is added here.
 */
extern void track_table(Relation rel, LogRecord *record);

/* Refuses a default_stay that is longer than max_stay. */
extern void check_stays(int64 max_stay, int64 default_stay);

/* What is recorded of an open table; 55000 if nothing is. */
extern void tracked_record(Relation rel, LogRecord *record);

#endif							/* ANSHIM_TRACK_H */
