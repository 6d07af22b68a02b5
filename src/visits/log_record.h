/*-------------------------------------------------------------------------
 *
 * log_record.h
 *	  What is recorded of a visit log: the rows of anshim.visit_log
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_RECORD_H
#define ANSHIM_LOG_RECORD_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

/*
 * A table of venues and its columns; a name that is empty is not recorded.
 */
typedef struct VenuesRecord
{
	NameData	schema_name;
	NameData	table_name;
	NameData	venue;
	NameData	location;		/* where the venue lies */
	NameData	default_stay;	/* how long a visit not checked out lasts */
	NameData	closes;			/* at which time of day it ends */
	NameData	time_zone;		/* in which time zone that is */
} VenuesRecord;

/*
 * One row of anshim.visit_log.  Everything is recorded by name, so that a
 * restored dump means the same; lengths are microseconds here and intervals
 * in the table.
 */
typedef struct LogRecord
{
	NameData	schema_name;
	NameData	table_name;
	NameData	subject;		/* the table's columns */
	NameData	venue;
	NameData	entered_at;
	NameData	left_at;
	int64		max_stay;
	int64		default_stay;
	bool		has_venues;		/* is `venues` set? */
	VenuesRecord venues;
	char	   *time_zone;		/* in which the log's days begin, or NULL */
} LogRecord;

/* Both return whether there was such a row; the latest snapshot decides. */
extern bool log_record_read(const char *schema_name, const char *table_name,
							LogRecord *record);
extern bool log_record_remove(const char *schema_name, const char *table_name);

/* Insert the row, or replace the one of the same table. */
extern void log_record_write(const LogRecord *record);

/* All rows: a list of LogRecord, empty if there is no such table either */
extern List *log_records_read(void);

/* The call of track_visits() that would record the same, for hints. */
extern char *log_record_track_call(const LogRecord *record);

/* A length in microseconds as an interval literal without quotes. */
extern char *length_to_string(int64 length);

/*
 * An interval's length in microseconds, its days counting as 24 hours.
 * Returns false if it has months or is infinite, or too long.
 */
extern bool interval_to_length(const Interval *interval, int64 *length);

#endif							/* ANSHIM_LOG_RECORD_H */
