/*-------------------------------------------------------------------------
 *
 * spread.c
 *	  Visits in infectious air: who is reached, or reached earlier
 *
 * When does a visit [s, e) of somebody else meet a piece [ps, pe)?  With
 * linger L and the least overlap M, at least 1 microsecond, the definitions
 * ask that [s, e) and [ps, pe + L) share at least M, and that is so exactly if
 *
 *		[s, e - M + 1)  and  [ps, pe + L - M + 1)
 *
 * overlap (each shortened at its end, in whole microseconds): so a visit needs
 * no look at single pieces, only at the union of such air.  The exposure
 * begins where the two first overlap.
 *
 * Backwards the same meeting is seen on mirrored time, where linger comes
 * before the visit: [s, e) is then the mirrored visit and [ps, pe) the
 * mirrored piece, the two are
 *
 *		[s - L, e - M + 1)  and  [ps, pe - M + 1)
 *
 * and what counts is the later of s and the first overlap.  trace_tail() and
 * trace_reach() are the two L's, one of which is 0.  It does not matter here
 * that L may follow the stay (linger_ratio): L is the stay's own in both.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "encounters.h"

/* Visits that are looked at together. */
#define FOUND_BATCH 256

/* A visit that meets the level's air. */
typedef struct Found
{
	Ident		subject;
	int64		time;
	int32		infector;
	int32		air;
} Found;

typedef struct Spread
{
	Trace	   *trace;

	/* Where the last visit's air was found: the next is often close behind. */
	int32		last_air;
	Size		last_strip;
	int64		last_from;

	int			n;
	Found		found[FOUND_BATCH];
	int32		subjects[FOUND_BATCH];
	Span		visits[FOUND_BATCH];	/* if encounters are counted */
} Spread;

static void take_visits(void *arg, const Visit *visits, int n);
static bool meet_air(Spread *spread, const Visit *visit, Found *found);
static Size find_strip(Spread *spread, const VenueAir *air, int32 number, int64 from);
static void reach_found(Spread *spread);
static void reach(Trace *trace, int32 number, const Found *found);

/*
 * Ask who was in the level's air, and keep records of them.
 */
void
trace_spread(Trace *trace)
{
	Spread	   *spread = memory_alloc(trace->memory, 1, sizeof(Spread));

	spread->trace = trace;
	spread->last_air = -1;
	spread->n = 0;
	trace_ask_venues(trace, take_visits, spread);
	reach_found(spread);
	memory_free(trace->memory, spread, 1, sizeof(Spread));
}

/*
 * VisitSink: visits at the venues that were asked about.
 */
static void
take_visits(void *arg, const Visit *visits, int n)
{
	Spread	   *spread = arg;

	for (int i = 0; i < n; i++)
	{
		if (spread->n == FOUND_BATCH)
			reach_found(spread);
		if (!meet_air(spread, &visits[i], &spread->found[spread->n]))
			continue;
		if (spread->trace->encounters)
			spread->visits[spread->n] = trace_visit_span(spread->trace, &visits[i]);
		spread->n++;
	}

	/* subjects held by reference are valid only now */
	if (spread->trace->log->subject.class != IDENT_FIXED)
		reach_found(spread);
}

/*
 * Does the visit meet the level's air at its venue; when, and whose?
 */
static bool
meet_air(Spread *spread, const Visit *visit, Found *found)
{
	Trace	   *trace = spread->trace;
	const TraceRules *rules = &trace->rules;
	const VenueAir *air = &trace->airs[visit->tag];
	Size		end = air->first + air->n;
	Span		stay = trace_visit_span(trace, visit);
	Span		open;
	Size		strip;

	open.from = time_add(stay.from, -trace_reach(trace, stay));
	open.to = time_add(stay.to, 1 - rules->need);
	strip = find_strip(spread, air, visit->tag, open.from);
	if (strip >= end || trace->strips[strip].air.from >= open.to || span_is_empty(open))
		return false;

	found->subject = visit->other;
	found->time = Max(stay.from, trace->strips[strip].air.from);
	if (found->time >= rules->horizon)
		return false;
	found->infector = trace->strips[strip].infector;
	found->air = visit->tag;

	/* all that is met by the time that counts is met in time */
	for (strip++; strip < end; strip++)
	{
		const Strip *next = &trace->strips[strip];

		if (next->air.from > stay.from || next->air.from >= open.to)
			break;
		found->infector = Min(found->infector, next->infector);
	}
	return true;
}

/*
 * The first of the air's strips that ends after `from`.
 */
static Size
find_strip(Spread *spread, const VenueAir *air, int32 number, int64 from)
{
	const Strip *strips = spread->trace->strips;
	Size		low = air->first;
	Size		high = air->first + air->n;

	if (spread->last_air == number && spread->last_from <= from)
	{
		/* visits come by time of entry: step on, but not far */
		low = spread->last_strip;
		for (int i = 0; i < 4 && low < high && strips[low].air.to <= from; i++)
			low++;
		if (low < high && strips[low].air.to > from)
			high = low;
	}
	while (low < high)
	{
		Size		mid = low + (high - low) / 2;

		if (strips[mid].air.to <= from)
			low = mid + 1;
		else
			high = mid;
	}
	spread->last_air = number;
	spread->last_strip = low;
	spread->last_from = from;
	return low;
}

/*
 * Look up the subjects that were found, all at once, and note what is new.
 */
static void
reach_found(Spread *spread)
{
	Trace	   *trace = spread->trace;

	ident_table_add_many(trace->subjects, &spread->found[0].subject, sizeof(Found),
						 spread->n, spread->subjects);
	for (int i = 0; i < spread->n; i++)
		reach(trace, spread->subjects[i], &spread->found[i]);
	if (trace->encounters)
		for (int i = 0; i < spread->n; i++)
			encounters_count(trace, spread->subjects[i], spread->found[i].air,
							 spread->visits[i]);
	spread->n = 0;
}

/*
 * Note that the subject is reached, if that is earlier than all that is known,
 * or by a smaller infector or venue at the same time at this same level.
 */
static void
reach(Trace *trace, int32 number, const Found *found)
{
	Subject    *subject = trace_subject(trace, number);
	bool		known;
	Record	   *record;

	if (found->time > subject->time)
		return;

	/* reached at this level already? */
	known = subject->record >= 0 && subject->record >= trace->first_record;
	if (found->time == subject->time)
	{
		if (!known)
			return;
		record = trace_record(trace, subject->record);
		if (found->infector > record->via ||
			(found->infector == record->via && found->air >= record->venue))
			return;
	}

	if (known)
		record = trace_record(trace, subject->record);
	else
	{
		if (trace->records.n == PG_INT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("trace reaches too many subjects"),
					 errhint("Trace over a shorter time or fewer degrees.")));
		record = store_add(&trace->records);
		record->subject = number;
		record->older = subject->record;
		subject->record = trace->records.n - 1;
		if (subject->degree == 0)
			subject->degree = trace->level;
	}
	record->time = subject->time = found->time;
	record->via = found->infector;
	record->venue = found->air;
}
