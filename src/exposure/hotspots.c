/*-------------------------------------------------------------------------
 *
 * hotspots.c
 *	  anshim.hotspots: where several cases' air met
 *
 * The cases' stays, each prolonged by linger, are swept by venue as in a
 * trace's first level; the stretches that come out are kept if enough distinct
 * cases are in them, and the visitors of those are counted.
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
	ARG_MIN_CASES = 3,
	ARG_LINGER,
	ARG_CASE_PERIODS,
	ARG_LINGER_RATIO,
	ARG_SKIP_UNREACHABLE,
	NARGS
};

typedef struct Hotspot
{
	Span		span;
	int32		air;			/* in trace->airs: the venue */
	int32		cases;
	int32		visitors;
} Hotspot;

/* A subject was at a hotspot. */
typedef struct Presence
{
	uint32		hotspot;
	int32		subject;
} Presence;

typedef struct Hotspots
{
	Call		call;
	Trace	   *trace;
	int32		min_cases;
	Hotspot    *spots;			/* by venue, then time */
	Size		nspots;
	Size		spots_size;
	Size	   *first_spot;		/* of each of trace->airs, and one more */
	Presence   *presences;
	Size		npresences;
	Size		presences_size;
} Hotspots;

static void begin_trace(Hotspots *hotspots);
static void find_spots(Hotspots *hotspots);
static int32 count_cases(const Trace *trace, const VenueAir *air, Size *piece, Span span,
						 int32 *cases);
static void take_visits(void *arg, const Visit *visits, int n);
static void count_visitors(Hotspots *hotspots);
static void return_spots(Hotspots *hotspots);

#define ST_SORT case_sort
#define ST_ELEMENT_TYPE int32
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT presence_sort
#define ST_ELEMENT_TYPE Presence
#define ST_COMPARE(a, b) \
	((a)->hotspot != (b)->hotspot ? ((a)->hotspot < (b)->hotspot ? -1 : 1) : \
	 (a)->subject < (b)->subject ? -1 : (a)->subject > (b)->subject)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

PG_FUNCTION_INFO_V1(anshim_hotspots);

/*
 * anshim.hotspots(visits, cases, [venue_type,] during, ...)
 *		-> (venue, started_at, ended_at, case_count, visitor_count)
 */
Datum
anshim_hotspots(PG_FUNCTION_ARGS)
{
	Hotspots	hotspots = {0};
	Trace	   *trace;

	call_begin(&hotspots.call, fcinfo, "hotspots", "cases", NARGS);
	begin_trace(&hotspots);
	trace = hotspots.trace;

	trace_start(trace);
	trace_collect_pieces(trace);
	trace_build_air(trace);
	find_spots(&hotspots);
	trace_ask_venues(trace, take_visits, &hotspots);
	count_visitors(&hotspots);
	return_spots(&hotspots);
	trace_end(trace);
	call_end(&hotspots.call);
	return (Datum) 0;
}

static void
begin_trace(Hotspots *hotspots)
{
	Call	   *call = &hotspots->call;
	Span		during = call_during(call);
	Span		visits = during;
	TraceRules	rules = {0};

	hotspots->min_cases = DatumGetInt32(call_argument(call, ARG_MIN_CASES, "min_cases"));
	if (hotspots->min_cases < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_cases must be at least 1"),
				 errhint("Use 2 for places where two cases' stays followed upon each other.")));
	call_argument(call, 1, call->keys);

	/* a stretch is as long as its air: nothing is shortened, or cut */
	rules.degrees = 1;
	rules.linger = call_length(call, ARG_LINGER, "linger");
	rules.linger_ratio = call_linger_ratio(call, ARG_LINGER_RATIO);
	rules.need = 1;
	rules.horizon = TIME_MAX;
	visits.to = time_add(during.to, rules.linger);
	hotspots->trace = trace_begin(call_open_log(call, visits, ARG_SKIP_UNREACHABLE), &rules);
	call_add_cases(call, hotspots->trace, during, ARG_CASE_PERIODS);
}

/*
 * Find the stretches with enough cases, and leave the questions about these
 * alone.
 */
static void
find_spots(Hotspots *hotspots)
{
	Trace	   *trace = hotspots->trace;
	int32	   *cases = memory_alloc(trace->memory, trace->npieces, sizeof(int32));
	Size		question = 0;
	Size		kept = 0;

	hotspots->first_spot = memory_alloc(trace->memory, trace->nairs + 1, sizeof(Size));
	for (Size i = 0; i < trace->nairs; i++)
	{
		Size		piece = 0;

		CHECK_FOR_INTERRUPTS();
		hotspots->first_spot[i] = hotspots->nspots;
		for (; question < trace->nquestions && trace->questions[question].tag == i; question++)
		{
			Hotspot		spot = {0};

			spot.span.from = trace->questions[question].from;
			spot.span.to = trace->questions[question].to;
			spot.air = i;
			spot.cases = count_cases(trace, &trace->airs[i], &piece, spot.span, cases);
			if (spot.cases < hotspots->min_cases)
				continue;
			memory_reserve(trace->memory, hotspots->spots, hotspots->nspots,
						   hotspots->spots_size, 1);
			hotspots->spots[hotspots->nspots++] = spot;
			trace->questions[kept++] = trace->questions[question];
		}
	}
	hotspots->first_spot[trace->nairs] = hotspots->nspots;
	trace->nquestions = kept;
	memory_free(trace->memory, cases, trace->npieces, sizeof(int32));
}

/*
 * How many distinct cases' pieces make this stretch?  *piece is the first of
 * them, and moves on behind the last.
 */
static int32
count_cases(const Trace *trace, const VenueAir *air, Size *piece, Span span, int32 *cases)
{
	const Piece *pieces = trace->pieces + air->first_piece;
	int32		n = 0;
	int32		distinct = 0;

	for (; *piece < air->npieces && pieces[*piece].air.from < span.to; (*piece)++)
		cases[n++] = pieces[*piece].infector;
	case_sort(cases, n);
	for (int32 i = 0; i < n; i++)
		if (i == 0 || cases[i] != cases[i - 1])
			distinct++;
	return distinct;
}

/*
 * VisitSink: visits at venues with hotspots.
 */
static void
take_visits(void *arg, const Visit *visits, int n)
{
	Hotspots   *hotspots = arg;
	Trace	   *trace = hotspots->trace;

	for (int i = 0; i < n; i++)
	{
		const Visit *visit = &visits[i];
		Size		low = hotspots->first_spot[visit->tag];
		Size		end = hotspots->first_spot[visit->tag + 1];
		Size		high = end;
		int32		subject;

		/* the first hotspot that ends after the visit began */
		while (low < high)
		{
			Size		mid = low + (high - low) / 2;

			if (hotspots->spots[mid].span.to <= visit->start)
				low = mid + 1;
			else
				high = mid;
		}
		if (low == end || hotspots->spots[low].span.from >= visit->end)
			continue;

		subject = ident_table_add(trace->subjects, visit->other);
		if (trace_subject(trace, subject)->time == TIME_MIN)
			continue;			/* a case */
		for (; low < end && hotspots->spots[low].span.from < visit->end; low++)
		{
			Presence   *presence;

			memory_reserve(trace->memory, hotspots->presences, hotspots->npresences,
						   hotspots->presences_size, 1);
			presence = &hotspots->presences[hotspots->npresences++];
			presence->hotspot = low;
			presence->subject = subject;
		}
	}
}

/*
 * Count each subject once a hotspot.
 */
static void
count_visitors(Hotspots *hotspots)
{
	presence_sort(hotspots->presences, hotspots->npresences);
	for (Size i = 0; i < hotspots->npresences; i++)
	{
		const Presence *this = &hotspots->presences[i];

		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (i == 0 || this->hotspot != this[-1].hotspot || this->subject != this[-1].subject)
			hotspots->spots[this->hotspot].visitors++;
	}
}

static void
return_spots(Hotspots *hotspots)
{
	Trace	   *trace = hotspots->trace;

	call_begin_rows(&hotspots->call);
	for (Size i = 0; i < hotspots->nspots; i++)
	{
		const Hotspot *spot = &hotspots->spots[i];
		MemoryContext old = MemoryContextSwitchTo(hotspots->call.row_context);
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = ident_to_datum(&trace->log->venue,
								   ident_table_get(trace->venues,
												   trace->airs[spot->air].venue));
		values[1] = TimestampTzGetDatum(time_to_timestamp(spot->span.from));
		values[2] = TimestampTzGetDatum(time_to_timestamp(spot->span.to));
		values[3] = Int32GetDatum(spot->cases);
		values[4] = Int32GetDatum(spot->visitors);
		MemoryContextSwitchTo(old);
		call_row(&hotspots->call, values, nulls);
	}
}
