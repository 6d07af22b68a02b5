/*-------------------------------------------------------------------------
 *
 * trace.h
 *	  A trace: who was reached from the cases, level by level
 *	  (inside src/exposure only)
 *
 * One level of a trace goes through three files:
 *
 *	  pieces.c	infectors' visits, cut to their infectious time: pieces
 *	  air.c		pieces, by venue: air that is infectious for the first time
 *	  spread.c	visits in that air: who is reached, or reached earlier
 *
 * and trace.c keeps what was found and decides who infects in the next one.
 * A trace backwards in time is the same trace on mirrored time; see times.h.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TRACE_H
#define ANSHIM_TRACE_H

#include <math.h>

#include "geo/geo.h"
#include "times.h"
#include "visits/source.h"

/* What was asked for, in the times of the trace. */
typedef struct TraceRules
{
	bool		backward;		/* on mirrored time */
	int			degrees;		/* levels */
	int64		horizon;		/* exposures begin before this */
	int64		latent;
	int64		infectious_for; /* TIME_MAX: without end */
	double		within;			/* metres */
	bool		details;		/* count encounters: see encounters.h */

	int64		need;			/* the least overlap, at least 1 */
	int64		window;			/* if not 0, meetings add up within so long: */
	int64		least_sum;		/* to at least this, and `need` is 1 */
	int64		linger;			/* air stays infectious for so long at most */
	double		linger_ratio;	/* ... for so many times the stay, unless < 0 */
} TraceRules;

typedef struct TraceCase
{
	int32		subject;
	SpanList	periods;		/* infectious time, not joined with others' */
} TraceCase;

/* What is known of a subject: what an entry of Trace.subjects begins with. */
typedef struct Subject
{
	Ident		ident;
	int64		time;			/* reached then; TIME_MAX: not, TIME_MIN: a
								 * case */
	int32		record;			/* how, or -1 */
	int32		degree;			/* the first level that reached her */
} Subject;

/* At this level a subject was reached for the first time, or earlier. */
typedef struct Record
{
	int64		time;
	int32		subject;
	int32		older;			/* the same subject's record before, or -1 */

	/*
	 * While its level is under way, an index into Trace.infectors and one
	 * into Trace.airs, whose order is that of the identifiers; then the
	 * infector's subject number and the venue's number.
	 */
	int32		via;
	int32		venue;
	int32		via_record;		/* how the infector was reached; -1: a case */
} Record;

/* Who infects in the level under way. */
typedef struct Infector
{
	Ident		ident;
	int32		subject;
	int32		record;			/* -1: a case */
	const SpanList *periods;	/* a case's; else the infectious time is: */
	Span		infectious;
	int64		ask_to;			/* visits that begin here or later were asked
								 * for before */
} Infector;

/* Air made infectious by one infector's stay, at one venue. */
typedef struct Piece
{
	Span		air;			/* already shortened by `need`; see TraceRules */
	int32		venue;
	int32		infector;		/* index into Trace.infectors */
} Piece;

/* A stretch of newly infectious air with one smallest infector. */
typedef struct Strip
{
	Span		air;
	int32		infector;
} Strip;

/* The newly infectious air of one venue. */
typedef struct VenueAir
{
	int32		venue;
	Size		first;			/* strips, ascending, disjoint */
	Size		n;
	Size		first_piece;	/* the pieces that they were made of, by
								 * beginning */
	Size		npieces;		/* those with old air alone left out */
} VenueAir;

/* What is known of a venue: what an entry of Trace.venues begins with. */
typedef struct Venue
{
	Ident		ident;
	SpanList	covered;		/* air that an older level made infectious */
	bool		asked;			/* are the neighbours known? */
	Size		first_near;		/* in Trace.near */
	int32		nnear;
} Venue;

typedef struct NearVenue
{
	int32		venue;
	float8		metres;
} NearVenue;

typedef struct LevelStats
{
	int64		infectors;
	int64		subject_rows;
	int64		pieces;
	int64		stretches;
	int64		venue_rows;
	int64		heap_fetches;
	int64		moved_rows;
	int64		statements;
	int64		reached;
	double		milliseconds;
} LevelStats;

typedef struct Trace
{
	Memory	   *memory;
	TraceRules	rules;
	VisitLog   *log;
	VisitSource *source;
	Proximity  *proximity;		/* NULL unless rules.within > 0 */
	struct Minutes *minutes;	/* NULL unless rules.window > 0 */
	struct Encounters *encounters;	/* NULL unless rules.details */

	IdentTable *subjects;
	IdentTable *venues;
	NearVenue  *near;
	Size		nnear;
	Size		near_size;

	TraceCase  *cases;
	Size		ncases;
	Size		cases_size;

	Store		records;

	/* the level under way */
	int			level;
	int64		first_record;	/* of this level */
	int64		first_infecting;	/* of the level before */
	Infector   *infectors;
	Size		ninfectors;
	Size		infectors_size;
	Piece	   *pieces;
	Size		npieces;
	Size		pieces_size;
	Size		nfresh;			/* those whose air was not all old */
	VenueAir   *airs;
	Size		nairs;
	Size		airs_size;
	Strip	   *strips;
	Size		nstrips;
	Size		strips_size;
	VenueQuestion *questions;
	Size		nquestions;
	Size		questions_size;
} Trace;

/*
 * Visits that begin at this moment or later do not matter to a trace forwards:
 * where minutes add up, some in air that lingers behind the horizon do.
 */
static inline int64
trace_last_visit(const TraceRules *rules)
{
	return time_add(rules->horizon, Min(rules->linger, rules->window));
}

/*
 * Visits that end at this moment or before do not matter to a trace backwards:
 * where minutes add up, air that they left may linger to the horizon and count
 * with what was shed after it.
 */
static inline int64
trace_first_visit(const TraceRules *rules)
{
	return time_add(-rules->horizon, rules->window > 0 ? -rules->linger : 0);
}

/* trace.c */
extern Trace *trace_begin(VisitLog *log, const TraceRules *rules);
extern int32 trace_add_case(Trace *trace, Ident ident, Span period);
extern void trace_start(Trace *trace);
extern void trace_level(Trace *trace);
extern void trace_run(Trace *trace);
extern void trace_end(Trace *trace);

static inline Subject *
trace_subject(const Trace *trace, int32 number)
{
	return ident_table_entry(trace->subjects, number);
}

static inline Venue *
trace_venue(const Trace *trace, int32 number)
{
	return ident_table_entry(trace->venues, number);
}

static inline Record *
trace_record(const Trace *trace, int32 number)
{
	return store_at(&trace->records, number);
}

/* The times of a visit in this trace. */
static inline Span
trace_visit_span(const Trace *trace, const Visit *visit)
{
	Span		span = {visit->start, visit->end};

	return trace->rules.backward ? span_mirror(span) : span;
}

/* How long the air of a stay stays infectious. */
static inline int64
trace_linger(const TraceRules *rules, Span stay)
{
	double		share;

	if (rules->linger_ratio < 0)
		return rules->linger;
	share = rint(rules->linger_ratio * (double) (stay.to - stay.from));
	return share < (double) rules->linger ? (int64) share : rules->linger;
}

/*
 * A visit [s, e) meets a piece [ps, pe) if [s - reach, e - need + 1) and
 * [ps, pe + tail - need + 1) overlap: see spread.c.  Air lingers behind a
 * piece forwards, and before a visit on mirrored time.
 */
static inline int64
trace_tail(const Trace *trace, Span piece)
{
	return trace->rules.backward ? 0 : trace_linger(&trace->rules, piece);
}

static inline int64
trace_reach(const Trace *trace, Span visit)
{
	return trace->rules.backward ? trace_linger(&trace->rules, visit) : 0;
}

/* pieces.c */
extern void trace_collect_pieces(Trace *trace);
extern Span trace_air(const Trace *trace, Span piece);
extern void trace_add_piece(Trace *trace, int32 infector, int32 venue, Span air);
extern void trace_ask_neighbours(Trace *trace, const int32 *venues, Size n);

/* air.c */
extern void trace_build_air(Trace *trace);
extern void trace_group_pieces(Trace *trace);
extern void trace_sort_pieces(Piece *pieces, Size n);
extern void trace_ask_stretches(Trace *trace, int32 tag, const SpanList *stretches,
								const bool *under_way);
extern void trace_ask_venues(Trace *trace, VisitSink sink, void *arg);

/* spread.c */
extern void trace_spread(Trace *trace);

#endif							/* ANSHIM_TRACE_H */
