/*-------------------------------------------------------------------------
 *
 * log.h
 *	  Tracked visit logs: what is known of one, checked and opened
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_H
#define ANSHIM_LOG_H

#include "utils/relcache.h"

#include "ident.h"
#include "log_record.h"

/*
 * One covering index of one leaf table.  Its first three key columns are
 * (venue, entered_at, subject) or (subject, entered_at, venue), ascending,
 * nulls last; left_at is index column `left_attno` (key or included).
 */
typedef struct LogIndex
{
	Relation	rel;			/* NULL if there is none (by_venue_long only) */
	AttrNumber	left_attno;
} LogIndex;

/*
 * One leaf table: a partition, or the whole of a plain table.  What is no local
 * heap with its own B-trees (a view, a foreign table, a distributed table) is
 * asked in SQL, and has no indexes here.
 */
typedef struct LogPart
{
	Relation	heap;
	bool		in_sql;
	int64		from;			/* entered_at lies in [from, to) here, by the */
	int64		to;				/* partition's bounds; the extremes if
								 * unbounded */
	LogIndex	by_subject;
	LogIndex	by_venue;

	/*
	 * Optional partial index: (venue, entered_at, subject) INCLUDE (left_at)
	 * WHERE left_at - entered_at > long_stay.
	 */
	LogIndex	by_venue_long;
	int64		long_stay;		/* microseconds; max_stay if there is no such
								 * index */
} LogPart;

typedef struct VisitLog
{
	Oid			relid;			/* the table that the user named */
	IdentType	subject;
	IdentType	venue;
	NameData	subject_column; /* names, the same in all parts */
	NameData	venue_column;
	NameData	entered_at_column;
	NameData	left_at_column;
	int64		max_stay;		/* microseconds; no visit is longer */
	int64		default_stay;	/* of a visit without a check-out */
	int			nparts;
	LogPart    *parts;			/* those that the time can touch, locked and
								 * open; those to be asked in SQL come last */
	int			nlocal;			/* parts that are not */
	bool		has_venues;		/* is a table of venues recorded? */
	Oid			venues;			/* which, InvalidOid if it is gone */
	VenuesRecord venues_names;	/* its columns, by name: resolve at use */
} VisitLog;

/*
 * Look up what track_visits() recorded of the table, check that it still
 * holds (columns, types; CHECK and covering indexes where there can be any),
 * that the current user may read it (SELECT on the table or its four columns; no row-level security
 * that applies to her), and open the leaf tables that may hold visits that
 * begin in [from - max_stay, to), with AccessShareLock, until
 * visit_log_close() or the end of the transaction.
 *
 * Everything is allocated in the current memory context.  Errors: 42809 or
 * 42P01 for what is no visit log, 55000 for one that is not tracked or whose
 * index, CHECK or column is gone, or whose index is too young for the
 * snapshot; 42501 for missing rights or row-level security; each with the
 * call that mends it.
 */
extern VisitLog *visit_log_open(Oid relid, int64 from, int64 to, bool skip_unreachable);
extern void visit_log_close(VisitLog *log);

/*
 * How the log's parts are read, and why so, in words: "B-trees: table (2); SQL:
 * foreign table on server north (28)".
 */
extern char *visit_log_source(const VisitLog *log);

#endif							/* ANSHIM_LOG_H */
