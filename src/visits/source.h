/*-------------------------------------------------------------------------
 *
 * source.h
 *	  Visit sources: the two questions that a trace asks of a visit log
 *
 * A trace needs to know two things of a log, a level at a time: where these
 * subjects were, and who was at these venues.  A source answers both, for
 * many subjects or venues at once, from wherever the visits lie; nothing in
 * src/exposure knows more of them than this.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SOURCE_H
#define ANSHIM_SOURCE_H

#include "ident.h"
#include "log.h"

/*
 * Times are timestamptz's microseconds.  In questions, PG_INT64_MIN and
 * PG_INT64_MAX stand for no bound.
 */

/* Subject's visits that overlap [from, to), which is not empty. */
typedef struct SubjectQuestion
{
	Ident		subject;
	int64		from;
	int64		to;
} SubjectQuestion;

/*
 * Visits at the venue that begin in [from, to), and, if under_way is set,
 * those that began before `from` and end after it.
 */
typedef struct VenueQuestion
{
	Ident		venue;
	int64		from;
	int64		to;
	int32		tag;			/* what the answers carry: the caller's number
								 * for this venue */
	bool		under_way;
} VenueQuestion;

/*
 * A visit, whole: its rows grouped, its end at the latest check-out or after
 * the default stay, and never at its start.  `other` is the venue in answer to a SubjectQuestion, the
 * subject in answer to a VenueQuestion; valid until the sink returns.
 */
typedef struct Visit
{
	Ident		other;
	int64		start;
	int64		end;
	int32		tag;			/* the SubjectQuestion's index, or the
								 * VenueQuestion's tag */
} Visit;

/*
 * Takes n > 0 visits.  The answers to the questions come in the order of the
 * questions, and those to one question by time of entry; but a log in several
 * parts answers part by part, each in that order.  A visit is delivered once
 * for a subject's question, and once for a venue's tag, however many of the
 * questions with that tag it answers.  Visits that nobody asked for may come
 * too; the sink must not count on the opposite.
 */
typedef void (*VisitSink) (void *arg, const Visit *visits, int n);

typedef struct VisitCounts
{
	uint64		subject_rows;	/* index rows read for SubjectQuestions */
	uint64		venue_rows;		/* ... for VenueQuestions */
	uint64		heap_fetches;	/* rows whose visibility the heap decided */
	uint64		moved_rows;		/* rows that came as answers in SQL */
	uint64		statements;		/* that asked for them */
} VisitCounts;

typedef struct VisitSource VisitSource;

struct VisitSource
{
	const VisitLog *log;
	struct VenueStays *stays;	/* NULL: without a check-out, all visits last
								 * the log's default_stay */
	VisitCounts counts;

	/* questions sorted by subject, each subject once */
	void		(*visits_of_subjects) (VisitSource *source,
									   const SubjectQuestion *questions, int n,
									   VisitSink sink, void *arg);

	/* questions sorted by venue, then from; those of a venue disjoint */
	void		(*visits_at_venues) (VisitSource *source,
									 const VenueQuestion *questions, int n,
									 VisitSink sink, void *arg);

	void		(*close) (VisitSource *source);
};

/*
 * The source for all parts of the log: btree.c reads the covering B-trees of
 * those that have any, sql_source.c asks the others in SQL.
 */
extern VisitSource *visit_source_create(Memory *memory, const VisitLog *log);

#endif							/* ANSHIM_SOURCE_H */
