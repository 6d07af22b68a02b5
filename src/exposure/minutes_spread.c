/*-------------------------------------------------------------------------
 *
 * minutes_spread.c
 *	  Minutes that add up: visits in infectious air give breaths
 *
 * A visit gives a breath for each stretch of new air that it meets.  Somebody
 * who infects at this level herself may be in her own air: hers are told strip
 * by strip.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "encounters.h"
#include "minutes.h"

/* Visits that are looked at together. */
#define MET_BATCH 256

/* A visit that meets the level's air. */
typedef struct Met
{
	Ident		subject;
	Span		open;			/* with the air that it leaves, if that counts */
	int64		stay;			/* when it began */
	Size		strip;			/* the first that it may meet */
	int32		air;
} Met;

typedef struct MinutesSpread
{
	Trace	   *trace;
	int			n;
	Met			met[MET_BATCH];
	int32		subjects[MET_BATCH];
} MinutesSpread;

static void take_visits(void *arg, const Visit *visits, int n);
static bool meet_air(const Trace *trace, const Visit *visit, Met *met);
static void breathe_all(MinutesSpread *spread);
static void breathe(Trace *trace, int32 number, const Met *met);
static Size strips_alike(const Trace *trace, int32 number, Size strip, Size end, const Met *met);

/*
 * Ask who was in the level's air, and keep their breaths.
 */
void
minutes_spread(Trace *trace)
{
	MinutesSpread *spread = memory_alloc(trace->memory, 1, sizeof(MinutesSpread));

	spread->trace = trace;
	spread->n = 0;
	trace_ask_venues(trace, take_visits, spread);
	breathe_all(spread);
	memory_free(trace->memory, spread, 1, sizeof(MinutesSpread));
}

/*
 * VisitSink: visits at the venues that were asked about.
 */
static void
take_visits(void *arg, const Visit *visits, int n)
{
	MinutesSpread *spread = arg;

	for (int i = 0; i < n; i++)
	{
		if (spread->n == MET_BATCH)
			breathe_all(spread);
		if (meet_air(spread->trace, &visits[i], &spread->met[spread->n]))
			spread->n++;
	}

	/* subjects held by reference are valid only now */
	if (spread->trace->log->subject.class != IDENT_FIXED)
		breathe_all(spread);
}

/*
 * Does the visit meet the level's air at its venue?
 */
static bool
meet_air(const Trace *trace, const Visit *visit, Met *met)
{
	const VenueAir *air = &trace->airs[visit->tag];
	const SharedStrip *strips = trace->minutes->strips;
	Span		stay = trace_visit_span(trace, visit);
	Size		low = air->first;
	Size		end = air->first + air->n;
	Size		high = end;

	met->subject = visit->other;
	met->open.from = time_add(stay.from, -trace_reach(trace, stay));
	met->open.to = stay.to;
	met->stay = stay.from;
	met->air = visit->tag;

	/* the first strip that ends after the visit began */
	while (low < high)
	{
		Size		mid = low + (high - low) / 2;

		if (strips[mid].air.to <= met->open.from)
			low = mid + 1;
		else
			high = mid;
	}
	met->strip = low;
	return low < end && strips[low].air.from < met->open.to;
}

/*
 * Look up the subjects that were met, all at once, and add their breaths.
 */
static void
breathe_all(MinutesSpread *spread)
{
	Trace	   *trace = spread->trace;

	ident_table_add_many(trace->subjects, &spread->met[0].subject, sizeof(Met),
						 spread->n, spread->subjects);
	for (int i = 0; i < spread->n; i++)
		breathe(trace, spread->subjects[i], &spread->met[i]);
	if (trace->encounters)
		for (int i = 0; i < spread->n; i++)
			encounters_count(trace, spread->subjects[i], spread->met[i].air,
							 spread->met[i].open);
	spread->n = 0;
}

/*
 * Add the breaths of one visit.
 */
static void
breathe(Trace *trace, int32 number, const Met *met)
{
	const SharedStrip *strips = trace->minutes->strips;
	const VenueAir *air = &trace->airs[met->air];
	Size		end = air->first + air->n;

	if (trace_subject(trace, number)->time == TIME_MIN)
		return;					/* a case */
	for (Size strip = met->strip; strip < end && strips[strip].air.from < met->open.to;)
	{
		Size		next = strips_alike(trace, number, strip, end, met);
		int32		infector = others_air(trace, number, &strips[strip]);
		Breath		breath = {0};

		CHECK_FOR_INTERRUPTS();
		breath.span.from = Max(met->open.from, strips[strip].air.from);
		breath.span.to = Min(met->open.to, strips[next - 1].air.to);
		breath.stay = met->stay;
		breath.venue = air->venue;
		breath.kind = infector >= 0 ? BREATH_COUNTS : BREATH_OWN;
		breath.infector = infector >= 0 ? minutes_infector(trace, infector) : -1;
		if (!minutes_add_breath(trace, number, &breath))
			break;				/* the next ones are later still */
		strip = next;
	}
}

/*
 * The end of the strips, from this one on, that give one breath: without a gap
 * between them, and all in her own air alone, or none.  On mirrored time all
 * infectors up to the visit's beginning matter to a tie, so those are told
 * apart.
 */
static Size
strips_alike(const Trace *trace, int32 number, Size strip, Size end, const Met *met)
{
	const SharedStrip *strips = trace->minutes->strips;
	int32		record = trace_subject(trace, number)->record;
	bool		infects = record >= trace->first_infecting && record < trace->first_record;
	bool		own = others_air(trace, number, &strips[strip]) < 0;
	Size		next = strip + 1;

	end = Min(end, strip + strips[strip].run);
	if (next < end && strips[next].air.from <= met->stay)
		return next;
	if (!infects)
		return end;
	while (next < end && (others_air(trace, number, &strips[next]) < 0) == own)
		next++;
	return next;
}
