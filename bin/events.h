/*-------------------------------------------------------------------------
 *
 * events.h
 *	  What a chain's events say, played back from the first to the last
 *
 * The events, strand 0, are linked and sealed as rows are.  What they say of
 * layouts, partitions and expiries is what counts; the catalog's tables, which
 * are easier to edit, are compared with it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_EVENTS_H
#define ANSHIM_BIN_EVENTS_H

#include "catalog.h"
#include "strands.h"

/* Columns of STREAM_EVENT, and those of them that the row image consists of */
#define EVENT_FIRST_COLUMN 2
#define EVENT_COLUMNS 5

typedef struct EventTable
{
	char	   *schema;			/* NULL: not known */
	char	   *table;
} EventTable;

typedef struct EventLayout
{
	int			ncolumns;
	LeafColumn *columns;		/* as they are called by now */
} EventLayout;

typedef struct EventPartition
{
	EventTable	name;
	bool		attached;
} EventPartition;

typedef struct EventGuard
{
	int64		seq;			/* of the event that it was switched off with */
	EventTable	table;
	char	   *trigger;
	char	   *actor;
	int64		from;
	int64		to;				/* PG_INT64_MAX: it is off still */
} EventGuard;

typedef struct Events
{
	int64		n;
	bool		ended;
	EventTable	table;
	int			nlayouts;
	EventLayout *layouts;		/* number i + 1 */
	int			npartitions;
	EventPartition *partitions;
	int			nguards;
	EventGuard *guards;
	int64		expired;		/* rows */
	int64		expired_at;		/* the last of them */
} Events;

extern void events_open(Events *events);
extern void events_close(Events *events);

/*
 * The next event, a row of STREAM_EVENT whose link has this seq.  Expiries are
 * noted in the strands.  An event that does not fit is a finding.
 */
extern void events_take(Events *events, int64 seq, CopyReader *row, StrandTable *strands, Report *report);

/* Compare what the catalog says. */
extern void events_compare(const Events *events, const Catalog *catalog, const StrandTable *strands,
						   int64 known_events, Report *report);

#endif							/* ANSHIM_BIN_EVENTS_H */
