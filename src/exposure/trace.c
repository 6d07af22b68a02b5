/*-------------------------------------------------------------------------
 *
 * trace.c
 *	  A trace: its levels, and what they found
 *
 * With T(y) the earliest time at which y was reached so far, a level takes
 * those whose T became earlier in the level before, and spreads from what is
 * new of their infectious time.  That is all that can change anything: what
 * they did later than their old T was spread from when that was found.
 *
 * What a level found is kept in records, which are never changed afterwards:
 * a record points to that of its infector, so following these gives a chain
 * of hops each of which happened while the infector was infectious through
 * the chain's own earlier hop.
 *
 * Invariants, between levels: a subject's time is T(y), and the time of her
 * record, which is her newest; a venue's `covered` is all air that the levels
 * so far made infectious there.
 *
 * Memory: all in trace->memory; the arrays of a level are used again in the
 * next.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"

#include "encounters.h"
#include "minutes.h"
#include "stats.h"

static void close_level(Trace *trace);
static void choose_infectors(Trace *trace);
static void sort_infectors(Trace *trace);

static const Subject new_subject = {.time = TIME_MAX,.record = -1};
static const Venue new_venue = {0};

#define ST_SORT infector_sort
#define ST_ELEMENT_TYPE Infector
#define ST_COMPARE(a, b, type) ident_compare(type, (a)->ident, (b)->ident)
#define ST_COMPARE_ARG_TYPE const IdentType
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Prepare a trace over an open log.
 */
Trace *
trace_begin(VisitLog *log, const TraceRules *rules)
{
	Memory	   *memory = memory_create("visits");
	Trace	   *trace = memory_alloc_zero(memory, 1, sizeof(Trace));

	trace->memory = memory;
	trace->rules = *rules;
	trace->log = log;
	trace->source = visit_source_create(memory, log);
	if (rules->within > 0)
		trace->proximity = proximity_open(memory, log, rules->within);
	if (rules->details)
		trace->encounters = encounters_create(memory);
	store_init(&trace->records, memory, sizeof(Record));
	if (rules->window > 0)
	{
		trace->minutes = minutes_create(memory);
		trace->subjects = ident_table_create(memory, &log->subject, sizeof(Breather), &new_breather);
		trace->venues = ident_table_create(memory, &log->venue, sizeof(AiredVenue), &new_aired_venue);
	}
	else
	{
		trace->subjects = ident_table_create(memory, &log->subject, sizeof(Subject), &new_subject);
		trace->venues = ident_table_create(memory, &log->venue, sizeof(Venue), &new_venue);
	}
	return trace;
}

/*
 * Release what is not memory.  After an error the resource owner does that.
 */
void
trace_end(Trace *trace)
{
	trace->source->close(trace->source);
	if (trace->proximity)
		proximity_close(trace->proximity);
	visit_log_close(trace->log);
	memory_delete(trace->memory);
}

/*
 * Add a case who is infectious in this period, which may be empty; for one
 * who was added before, the union counts.  Returns her subject number.
 */
int32
trace_add_case(Trace *trace, Ident ident, Span period)
{
	int32		subject = ident_table_add(trace->subjects, ident);
	TraceCase  *found = NULL;

	if (trace_subject(trace, subject)->time == TIME_MIN)
	{
		/* while only cases have numbers, theirs are the cases' own */
		found = &trace->cases[subject];
	}
	else
	{
		Assert(subject == trace->ncases);
		memory_reserve(trace->memory, trace->cases, trace->ncases, trace->cases_size, 1);
		found = &trace->cases[trace->ncases++];
		memset(found, 0, sizeof(TraceCase));
		found->subject = subject;
		trace_subject(trace, subject)->time = TIME_MIN;
	}
	if (!span_is_empty(period))
		span_list_unite(trace->memory, &found->periods, &period, 1);
	return subject;
}

void
trace_run(Trace *trace)
{
	trace_start(trace);
	stats_begin();
	for (trace->level = 1; trace->level <= trace->rules.degrees; trace->level++)
	{
		VisitCounts before = trace->source->counts;
		LevelStats	stats = {0};
		instr_time	begin;
		instr_time	end;

		if (trace->ninfectors == 0)
			break;
		INSTR_TIME_SET_CURRENT(begin);

		trace_level(trace);

		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_SUBTRACT(end, begin);
		stats.infectors = trace->ninfectors;
		stats.subject_rows = trace->source->counts.subject_rows - before.subject_rows;
		stats.pieces = trace->nfresh;
		stats.stretches = trace->nquestions;
		stats.venue_rows = trace->source->counts.venue_rows - before.venue_rows;
		stats.heap_fetches = trace->source->counts.heap_fetches - before.heap_fetches;
		stats.moved_rows = trace->source->counts.moved_rows - before.moved_rows;
		stats.statements = trace->source->counts.statements - before.statements;
		stats.reached = trace->records.n - trace->first_record;
		stats.milliseconds = INSTR_TIME_GET_MILLISEC(end);
		stats_level(&stats);

		if (trace->level < trace->rules.degrees)
			choose_infectors(trace);
	}
}

/*
 * From the level's infectors on to its records.
 */
void
trace_level(Trace *trace)
{
	trace->first_infecting = trace->first_record;
	trace->first_record = trace->records.n;
	trace->npieces = trace->nairs = trace->nstrips = trace->nquestions = 0;
	trace_collect_pieces(trace);
	if (trace->minutes)
		minutes_level(trace);
	else
	{
		trace_build_air(trace);
		if (trace->encounters)
			encounters_build(trace);
		trace_spread(trace);
		close_level(trace);
	}
}

/*
 * Level 0: let the cases be infectors, in their periods, up to the horizon.
 */
void
trace_start(Trace *trace)
{
	Span		before_horizon = {TIME_MIN, trace->rules.horizon};

	for (Size i = 0; i < trace->ncases; i++)
	{
		TraceCase  *one = &trace->cases[i];
		Infector	infector = {0};

		if (one->periods.n == 0)
			continue;
		infector.ident = ident_table_get(trace->subjects, one->subject);
		infector.subject = one->subject;
		infector.record = -1;
		infector.periods = &one->periods;
		infector.infectious.from = one->periods.spans[0].from;
		infector.infectious.to = one->periods.spans[one->periods.n - 1].to;
		infector.infectious = span_intersect(infector.infectious, before_horizon);
		infector.ask_to = infector.infectious.to;
		if (span_is_empty(infector.infectious))
			continue;
		memory_reserve(trace->memory, trace->infectors, trace->ninfectors,
					   trace->infectors_size, 1);
		trace->infectors[trace->ninfectors++] = infector;
	}
	sort_infectors(trace);
}

/*
 * Let the level's records name subjects and venues by their own numbers,
 * since the arrays that they point into are about to be used again.
 */
static void
close_level(Trace *trace)
{
	for (Size i = trace->first_record; i < trace->records.n; i++)
	{
		Record	   *record = trace_record(trace, i);
		const Infector *infector = &trace->infectors[record->via];

		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		record->via = infector->subject;
		record->via_record = infector->record;
		record->venue = trace->airs[record->venue].venue;
	}
}

/*
 * Those who were reached, or reached earlier, infect in the next level.
 */
static void
choose_infectors(Trace *trace)
{
	const TraceRules *rules = &trace->rules;

	trace->ninfectors = 0;
	memory_reserve(trace->memory, trace->infectors, 0, trace->infectors_size,
				   trace->records.n - trace->first_record);
	for (Size i = trace->first_record; i < trace->records.n; i++)
	{
		const Record *record = trace_record(trace, i);
		Infector   *infector = &trace->infectors[trace->ninfectors];
		Span		time;

		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		time.from = time_add(record->time, rules->latent);
		time.to = rules->infectious_for == TIME_MAX ? TIME_MAX :
			time_add(time.from, rules->infectious_for);
		time.to = Min(time.to, rules->horizon);
		if (span_is_empty(time))
			continue;
		infector->ident = ident_table_get(trace->subjects, record->subject);
		infector->subject = record->subject;
		infector->record = i;
		infector->periods = NULL;
		infector->infectious = time;

		/*
		 * A visit that begins in the older infectious time gives a piece that
		 * is part of the one that it gave then.
		 */
		infector->ask_to = time.to;
		if (record->older >= 0)
			infector->ask_to = Min(time.to, time_add(trace_record(trace, record->older)->time,
													 rules->latent));
		trace->ninfectors++;
	}
	sort_infectors(trace);
}

/*
 * In the order of their identifiers: the source reads them so, and the
 * smallest infector wins a tie.
 */
static void
sort_infectors(Trace *trace)
{
	infector_sort(trace->infectors, trace->ninfectors, &trace->log->subject);
}
