/*-------------------------------------------------------------------------
 *
 * sql_source.h
 *	  The visit source that asks in SQL (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SQL_SOURCE_H
#define ANSHIM_SQL_SOURCE_H

#include "source.h"

typedef struct SqlSource SqlSource;

/* For the log's parts from log->nlocal on, as a part of this source. */
extern SqlSource *sql_source_create(Memory *memory, VisitSource *whole);

/* The questions of VisitSource */
extern void sql_source_visits_of_subjects(SqlSource *source,
										  const SubjectQuestion *questions, int n,
										  VisitSink sink, void *arg);
extern void sql_source_visits_at_venues(SqlSource *source,
										const VenueQuestion *questions, int n,
										VisitSink sink, void *arg);

#endif							/* ANSHIM_SQL_SOURCE_H */
