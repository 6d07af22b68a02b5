/*-------------------------------------------------------------------------
 *
 * log_check.h
 *	  What a table must be and have to be a visit log
 *
 * Shared by log.c, which demands it, and track.c, which adds what is missing.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_CHECK_H
#define ANSHIM_LOG_CHECK_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "ident.h"
#include "log.h"
#include "log_record.h"

/* The name of the CHECK that bounds a stay */
#define STAY_CHECK "anshim_stay"

/* The visit columns of one relation, a partition perhaps */
typedef struct LogColumns
{
	AttrNumber	subject;
	AttrNumber	venue;
	AttrNumber	entered_at;
	AttrNumber	left_at;
} LogColumns;

typedef enum StayCheck
{
	STAY_CHECK_ABSENT,
	STAY_CHECK_DIFFERENT,		/* does not bound stays as expected */
	STAY_CHECK_NOT_VALID,		/* would, but is not validated */
	STAY_CHECK_GOOD
} StayCheck;

typedef enum IndexShape
{
	INDEX_OTHER,
	INDEX_BY_SUBJECT,
	INDEX_BY_VENUE,
	INDEX_LONG_STAYS
} IndexShape;

/* What an index of a relation must look like; see index_shape(). */
typedef struct IndexPattern
{
	LogColumns	columns;
	Oid			opfamily[3];	/* of subject, venue and entered_at */
	Oid			opcintype[3];
	Oid			collation[3];
} IndexPattern;

/*
 * Open the table that a user named, which must be an ordinary or partitioned
 * table and no parent of inheritance.
 */
extern Relation log_table_open(Oid relid, LOCKMODE lockmode);

/* "schema"."table", quoted where SQL needs it */
extern char *relation_sql_name(Relation rel);

/*
 * Find the columns by name, and check their types.  While `tracking`, names
 * are the caller's arguments; else they are recorded ones, that once fitted.
 */
extern void log_columns_find(Relation rel, const LogRecord *record, bool tracking,
							 LogColumns *columns);

/* A column that may be left out of an error; its number, or 0 */
extern AttrNumber column_by_name(Relation rel, const char *name);

/*
 * Refuse a partitioned table whose key could part the rows of one visit.
 */
extern void log_partition_key_check(Relation rel, const LogColumns *columns);

/*
 * Is the relation none whose B-trees can be read here?  Then it is asked in
 * SQL, and has neither a CHECK that is believed nor indexes that are known.
 */
extern bool log_is_in_sql(Relation rel);

/* Is it a table that Citus has distributed? */
extern bool log_is_distributed(Relation rel);

/*
 * Does the table's CHECK named anshim_stay bound stays by max_stay?  A
 * tighter one will do, unless `exactly` this one is wanted.
 */
extern StayCheck stay_check_state(Relation rel, const LogColumns *columns,
								  int64 max_stay, bool exactly);

/* Its text, as SQL */
extern char *stay_check_sql(const LogRecord *record);

/* Did the CHECK hold for all that the active snapshot sees? */
extern bool stay_check_old_enough(Relation rel);

/* What an index of this table must look like to be of use. */
extern void index_pattern_init(IndexPattern *pattern, Relation rel,
							   const LogColumns *columns);

/*
 * What the index, valid, ready and live, is good for; sets *left_attno, and
 * *long_stay where it is INDEX_LONG_STAYS.
 */
extern IndexShape index_shape(Relation index, const IndexPattern *pattern,
							  AttrNumber *left_attno, int64 *long_stay);

/*
 * Open the leaf tables below `rel`, itself included, that may hold visits
 * which begin in [from, to): LogParts with heap, from and to set.
 */
extern List *log_parts_open(Relation rel, const LogRecord *record, int64 from, int64 to);

/*
 * Is the table partitioned by ranges of entered_at alone, and is there a
 * partition for all of [from, to)?
 */
extern bool log_days_partitioned(Relation rel, const LogRecord *record);
extern bool log_day_has_partition(Relation rel, int64 from, int64 to);

#endif							/* ANSHIM_LOG_CHECK_H */
