/*-------------------------------------------------------------------------
 *
 * contacts.c
 *	  anshim.contacts: every encounter with one case
 *
 * The case's stays and the air around them are found as in a trace's first
 * level, but each visit is then held against every single piece, since each
 * pair is a row of the answer.  Where minutes add up, such a level is run
 * first, to know whom the case exposed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "call.h"
#include "compat.h"

/* The arguments' places in the form without venue_type. */
enum
{
	ARG_WITHIN = 3,
	ARG_LINGER,
	ARG_MIN_OVERLAP,
	ARG_LINGER_RATIO,
	ARG_ACCUMULATE,
	ARG_SKIP_UNREACHABLE,
	NARGS
};

/* A stay of the case, within the time that is asked about. */
typedef struct Stay
{
	Span		span;
	int32		venue;
} Stay;

/* A stay's air reaches a venue: what Piece.infector points to here. */
typedef struct Reach
{
	int32		stay;
	float8		metres;
} Reach;

typedef struct Contacts
{
	Call		call;
	Trace	   *trace;
	Ident		subject;		/* the case */
	Span		during;
	Stay	   *stays;
	Size		nstays;
	Size		stays_size;
	Reach	   *reaches;
	Size		nreaches;
	Size		reaches_size;
	int64	   *longest;		/* longest piece of each of trace->airs */
	bool		exposed_only;	/* those alone whom the trace has reached */
} Contacts;

static void begin_trace(Contacts *contacts);
static void find_exposed(Contacts *contacts);
static void take_stays(void *arg, const Visit *visits, int n);
static void spread_air(Contacts *contacts);
static void add_reach(Contacts *contacts, int32 stay, int32 venue, float8 metres);
static void measure_pieces(Contacts *contacts);
static void take_visits(void *arg, const Visit *visits, int n);
static void return_contact(Contacts *contacts, const Visit *visit, int32 venue,
						   const Reach *reach);

PG_FUNCTION_INFO_V1(anshim_contacts);

/*
 * anshim.contacts(visits, case_subject, [venue_type,] during, ...)
 *		-> (subject, venue, case_venue, started_at, ended_at, together, distance)
 */
Datum
anshim_contacts(PG_FUNCTION_ARGS)
{
	Contacts	contacts = {0};
	SubjectQuestion question;
	Trace	   *trace;

	call_begin(&contacts.call, fcinfo, "contacts", "case_subject", NARGS);
	begin_trace(&contacts);
	trace = contacts.trace;
	if (trace->rules.window > 0)
		find_exposed(&contacts);

	question.subject = contacts.subject;
	question.from = contacts.during.from;
	question.to = contacts.during.to;
	trace->source->visits_of_subjects(trace->source, &question, 1, take_stays, &contacts);
	spread_air(&contacts);
	trace_build_air(trace);
	measure_pieces(&contacts);

	call_begin_rows(&contacts.call);
	trace_ask_venues(trace, take_visits, &contacts);
	trace_end(trace);
	call_end(&contacts.call);
	return (Datum) 0;
}

static void
begin_trace(Contacts *contacts)
{
	Call	   *call = &contacts->call;
	TraceRules	rules = {0};
	Datum		subject = call_argument(call, 1, call->keys);
	Span		visits;
	VisitLog   *log;

	contacts->during = visits = call_during(call);
	rules.degrees = 1;
	rules.within = call_within(call, ARG_WITHIN);
	rules.linger = call_length(call, ARG_LINGER, "linger");
	rules.need = Max(call_length(call, ARG_MIN_OVERLAP, "min_overlap"), 1);
	rules.linger_ratio = call_linger_ratio(call, ARG_LINGER_RATIO);
	call_accumulate(call, ARG_ACCUMULATE, &rules);
	rules.horizon = visits.to;
	visits.to = trace_last_visit(&rules);
	log = call_open_log(call, visits, ARG_SKIP_UNREACHABLE);
	contacts->trace = trace_begin(log, &rules);
	contacts->subject = ident_from_datum(&log->subject, subject);
}

/*
 * Let the trace find whom the case's minutes expose, and be ready for their
 * meetings, however short.
 */
static void
find_exposed(Contacts *contacts)
{
	Trace	   *trace = contacts->trace;

	trace_add_case(trace, contacts->subject, contacts->during);
	trace_start(trace);
	trace->level = 1;
	trace_level(trace);
	trace->npieces = trace->nairs = trace->nquestions = 0;
	trace->rules.window = 0;
	contacts->exposed_only = true;
}

/*
 * VisitSink: the case's stays.
 */
static void
take_stays(void *arg, const Visit *visits, int n)
{
	Contacts   *contacts = arg;
	Trace	   *trace = contacts->trace;

	for (int i = 0; i < n; i++)
	{
		Stay		stay;

		stay.span = span_intersect(trace_visit_span(trace, &visits[i]), contacts->during);
		if (span_is_empty(stay.span))
			continue;
		stay.venue = ident_table_add(trace->venues, visits[i].other);
		memory_reserve(trace->memory, contacts->stays, contacts->nstays,
					   contacts->stays_size, 1);
		contacts->stays[contacts->nstays++] = stay;
	}
}

/*
 * Make the stays' air, at their venues and at those near them, pieces.
 */
static void
spread_air(Contacts *contacts)
{
	Trace	   *trace = contacts->trace;

	if (trace->proximity)
	{
		int32	   *venues = memory_alloc(trace->memory, contacts->nstays, sizeof(int32));

		for (Size i = 0; i < contacts->nstays; i++)
			venues[i] = contacts->stays[i].venue;
		trace_ask_neighbours(trace, venues, contacts->nstays);
		memory_free(trace->memory, venues, contacts->nstays, sizeof(int32));
	}

	for (Size i = 0; i < contacts->nstays; i++)
	{
		int32		number = contacts->stays[i].venue;
		const Venue *venue = trace_venue(trace, number);

		CHECK_FOR_INTERRUPTS();
		add_reach(contacts, i, number, 0);
		for (int32 j = 0; j < venue->nnear; j++)
		{
			const NearVenue *near = &trace->near[venue->first_near + j];

			add_reach(contacts, i, near->venue, near->metres);
		}
	}
}

static void
add_reach(Contacts *contacts, int32 stay, int32 venue, float8 metres)
{
	Trace	   *trace = contacts->trace;
	Span		air = trace_air(trace, contacts->stays[stay].span);

	if (span_is_empty(air))
		return;
	memory_reserve(trace->memory, contacts->reaches, contacts->nreaches,
				   contacts->reaches_size, 1);
	contacts->reaches[contacts->nreaches].stay = stay;
	contacts->reaches[contacts->nreaches].metres = metres;
	trace_add_piece(trace, contacts->nreaches++, venue, air);
}

/*
 * How far back a piece may have begun that still reaches a visit.
 */
static void
measure_pieces(Contacts *contacts)
{
	Trace	   *trace = contacts->trace;

	contacts->longest = memory_alloc_zero(trace->memory, trace->nairs, sizeof(int64));
	for (Size i = 0; i < trace->nairs; i++)
		for (Size j = 0; j < trace->airs[i].npieces; j++)
		{
			Span		air = trace->pieces[trace->airs[i].first_piece + j].air;

			CHECK_FOR_INTERRUPTS();
			contacts->longest[i] = Max(contacts->longest[i], air.to - air.from);
		}
}

/*
 * VisitSink: visits at venues that the case's air reaches.
 */
static void
take_visits(void *arg, const Visit *visits, int n)
{
	Contacts   *contacts = arg;
	Trace	   *trace = contacts->trace;

	for (int i = 0; i < n; i++)
	{
		const Visit *visit = &visits[i];
		const VenueAir *air = &trace->airs[visit->tag];
		const Piece *pieces = trace->pieces + air->first_piece;
		Span		open = {visit->start, time_add(visit->end, 1 - trace->rules.need)};
		Size		low = 0;
		Size		high = air->npieces;

		if (span_is_empty(open) ||
			ident_compare(&trace->log->subject, visit->other, contacts->subject) == 0)
			continue;
		if (contacts->exposed_only &&
			trace_subject(trace, ident_table_add(trace->subjects, visit->other))->record < 0)
			continue;

		/* the first piece that began late enough to reach the visit */
		while (low < high)
		{
			Size		mid = low + (high - low) / 2;

			if (pieces[mid].air.from <= time_add(open.from, -contacts->longest[visit->tag]))
				low = mid + 1;
			else
				high = mid;
		}
		for (; low < air->npieces && pieces[low].air.from < open.to; low++)
			if (!span_is_empty(span_intersect(pieces[low].air, open)))
				return_contact(contacts, visit, air->venue,
							   &contacts->reaches[pieces[low].infector]);
	}
}

static void
return_contact(Contacts *contacts, const Visit *visit, int32 venue, const Reach *reach)
{
	Trace	   *trace = contacts->trace;
	const Stay *stay = &contacts->stays[reach->stay];
	Span		span = {visit->start, visit->end};
	Span		both = span_intersect(span, stay->span);
	int64		air_end = time_add(stay->span.to, trace_tail(trace, stay->span));
	MemoryContext old = MemoryContextSwitchTo(contacts->call.row_context);
	Interval   *together = palloc0(sizeof(Interval));
	Datum		values[7];
	bool		nulls[7] = {0};

	together->time = span_is_empty(both) ? 0 : both.to - both.from;
	values[0] = ident_to_datum(&trace->log->subject, visit->other);
	values[1] = ident_to_datum(&trace->log->venue, ident_table_get(trace->venues, venue));
	values[2] = ident_to_datum(&trace->log->venue,
							   ident_table_get(trace->venues, stay->venue));
	values[3] = TimestampTzGetDatum(time_to_timestamp(Max(span.from, stay->span.from)));
	values[4] = TimestampTzGetDatum(time_to_timestamp(Min(span.to, air_end)));
	values[5] = IntervalPGetDatum(together);
	values[6] = Float8GetDatum(reach->metres);
	MemoryContextSwitchTo(old);
	call_row(&contacts->call, values, nulls);
}
