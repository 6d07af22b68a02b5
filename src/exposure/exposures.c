/*-------------------------------------------------------------------------
 *
 * exposures.c
 *	  anshim.exposures, anshim.exposure_paths, anshim.sources and
 *	  anshim.explain_exposures
 *
 * All of them run a trace and differ in what they tell of it.
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
#include "encounters.h"
#include "stats.h"

/* The arguments' places in the form without venue_type. */
enum
{
	ARG_DEGREES = 3,
	ARG_LINGER,
	ARG_MIN_OVERLAP,
	ARG_WITHIN,
	ARG_LATENT,
	ARG_INFECTIOUS_FOR,
	ARG_LIMIT,					/* until, or since */
	ARG_CASE_PERIODS,
	ARG_LINGER_RATIO,
	ARG_ACCUMULATE,
	ARG_SKIP_UNREACHABLE,
	NARGS
};

/* Subjects that are looked for ahead of their turn. */
#define AHEAD 16

static Trace *run_trace(Call *call, bool backward, bool details);
static void return_exposures(Call *call, Trace *trace);
static void return_exposure(Call *call, const Trace *trace, int32 number);
static void add_details(const Trace *trace, int32 number, Datum *values, bool *nulls);
static void return_paths(Call *call, Trace *trace);

PG_FUNCTION_INFO_V1(anshim_exposures);
PG_FUNCTION_INFO_V1(anshim_exposures_details);
PG_FUNCTION_INFO_V1(anshim_exposure_paths);
PG_FUNCTION_INFO_V1(anshim_sources);
PG_FUNCTION_INFO_V1(anshim_explain_exposures);

/*
 * anshim.exposures(visits, cases, [venue_type,] during, ...)
 *		-> (subject, degree, exposed_at, via, venue)
 */
Datum
anshim_exposures(PG_FUNCTION_ARGS)
{
	Call		call;
	Trace	   *trace;

	call_begin(&call, fcinfo, "exposures", "cases", NARGS);
	trace = run_trace(&call, false, false);
	return_exposures(&call, trace);
	trace_end(trace);
	call_end(&call);
	return (Datum) 0;
}

/*
 * anshim.exposures(visits, cases, [venue_type,] during, details, ...)
 *		-> (subject, degree, exposed_at, via, venue, encounters, together)
 */
Datum
anshim_exposures_details(PG_FUNCTION_ARGS)
{
	Call		call;
	Trace	   *trace;

	call_begin(&call, fcinfo, "exposures", "cases", NARGS + 1);
	trace = run_trace(&call, false, call_details(&call));
	return_exposures(&call, trace);
	trace_end(trace);
	call_end(&call);
	return (Datum) 0;
}

/*
 * anshim.exposure_paths(visits, cases, [venue_type,] during, ...)
 *		-> (subject, step, infector, infected, venue, exposed_at)
 */
Datum
anshim_exposure_paths(PG_FUNCTION_ARGS)
{
	Call		call;
	Trace	   *trace;

	call_begin(&call, fcinfo, "exposure_paths", "cases", NARGS);
	trace = run_trace(&call, false, false);
	return_paths(&call, trace);
	trace_end(trace);
	call_end(&call);
	return (Datum) 0;
}

/*
 * anshim.sources(visits, cases, [venue_type,] during, ...)
 *		-> (subject, degree, shed_until, via, venue)
 */
Datum
anshim_sources(PG_FUNCTION_ARGS)
{
	Call		call;
	Trace	   *trace;

	call_begin(&call, fcinfo, "sources", "cases", NARGS);
	trace = run_trace(&call, true, false);
	return_exposures(&call, trace);
	trace_end(trace);
	call_end(&call);
	return (Datum) 0;
}

/*
 * anshim.explain_exposures(visits, cases, [venue_type,] during, ...)
 *		-> (level, source, subjects, pieces, stretches, rows_read, rows_moved,
 *			statements, milliseconds)
 */
Datum
anshim_explain_exposures(PG_FUNCTION_ARGS)
{
	Call		call;
	Trace	   *trace;
	char	   *source;

	call_begin(&call, fcinfo, "explain_exposures", "cases", NARGS);
	trace = run_trace(&call, false, false);
	source = visit_log_source(trace->log);
	trace_end(trace);
	stats_explain(fcinfo, source);
	call_end(&call);
	return (Datum) 0;
}

/*
 * Read the arguments that these functions share, and run the trace.
 */
static Trace *
run_trace(Call *call, bool backward, bool details)
{
	Span		during = call_during(call);
	Span		visits = during;
	TraceRules	rules = {0};
	Trace	   *trace;

	call_argument(call, 1, call->keys);
	rules.backward = backward;
	rules.degrees = DatumGetInt32(call_argument(call, ARG_DEGREES, "degrees"));
	if (rules.degrees < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("degrees must be at least 1"),
				 errhint("Use 1 for direct contacts, 2 for the contacts of these, and so on.")));
	rules.linger = call_length(call, ARG_LINGER, "linger");
	rules.need = Max(call_length(call, ARG_MIN_OVERLAP, "min_overlap"), 1);
	rules.within = call_within(call, ARG_WITHIN);
	rules.latent = call_length(call, ARG_LATENT, "latent");
	rules.infectious_for = call_has(call, ARG_INFECTIOUS_FOR) ?
		call_length(call, ARG_INFECTIOUS_FOR, "infectious_for") : TIME_MAX;
	rules.linger_ratio = call_linger_ratio(call, ARG_LINGER_RATIO);
	call_accumulate(call, ARG_ACCUMULATE, &rules);
	rules.details = details;
	if (details && rules.window > 0 && rules.degrees > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("details of minutes that add up are known at degree 1 only"),
				 errdetail("At higher degrees, minutes of several degrees may have exposed somebody."),
				 errhint("Use degrees => 1, or leave out details or accumulate.")));

	if (call_has(call, ARG_LIMIT))
	{
		int64		limit;

		limit = time_from_timestamp(DatumGetTimestampTz(call_argument(call, ARG_LIMIT, "")));
		if (backward)
			visits.from = limit;
		else
			visits.to = limit;
	}
	rules.horizon = backward ? -visits.from : visits.to;
	if (backward)
		visits.from = trace_first_visit(&rules);
	else
		visits.to = trace_last_visit(&rules);

	trace = trace_begin(call_open_log(call, visits, ARG_SKIP_UNREACHABLE), &rules);
	call_add_cases(call, trace, during, ARG_CASE_PERIODS);
	trace_run(trace);
	return trace;
}

/*
 * Records, and the infectors that they name, lie all over main memory: fetch
 * those of the subjects that come soon after this one.
 */
static pg_attribute_always_inline void
fetch_ahead(const Trace *trace, int32 number)
{
	int32		soon = number + AHEAD;
	int32		later = number + 2 * AHEAD;

	if (later >= ident_table_size(trace->subjects))
		return;
	if (trace_subject(trace, later)->record >= 0)
		anshim_prefetch(trace_record(trace, trace_subject(trace, later)->record));
	if (trace_subject(trace, soon)->record >= 0)
		anshim_prefetch(trace_subject(trace,
									  trace_record(trace, trace_subject(trace, soon)->record)->via));
}

/*
 * A row for everyone who was reached.
 */
static void
return_exposures(Call *call, Trace *trace)
{
	call_begin_rows(call);
	for (int32 i = 0; i < ident_table_size(trace->subjects); i++)
	{
		if (trace_subject(trace, i)->record >= 0)
			return_exposure(call, trace, i);
		fetch_ahead(trace, i);
	}
}

static void
return_exposure(Call *call, const Trace *trace, int32 number)
{
	const Subject *subject = trace_subject(trace, number);
	const Record *record = trace_record(trace, subject->record);
	MemoryContext old = MemoryContextSwitchTo(call->row_context);
	int64		time = trace->rules.backward ? -subject->time : subject->time;
	Datum		values[7];
	bool		nulls[7] = {0};

	values[0] = ident_to_datum(&trace->log->subject, subject->ident);
	values[1] = Int32GetDatum(subject->degree);
	values[2] = TimestampTzGetDatum(time_to_timestamp(time));
	values[3] = ident_to_datum(&trace->log->subject, trace_subject(trace, record->via)->ident);
	values[4] = ident_to_datum(&trace->log->venue, trace_venue(trace, record->venue)->ident);
	if (call->with_details)
		add_details(trace, number, values + 5, nulls + 5);
	MemoryContextSwitchTo(old);
	call_row(call, values, nulls);
}

static void
add_details(const Trace *trace, int32 number, Datum *values, bool *nulls)
{
	Interval   *together;
	Tally		tally;

	if (!trace->encounters)
	{
		nulls[0] = nulls[1] = true;
		return;
	}
	tally = encounters_of(trace, number);
	together = palloc0(sizeof(Interval));
	together->time = tally.together;
	values[0] = Int32GetDatum(tally.encounters);
	values[1] = IntervalPGetDatum(together);
}

/*
 * For everyone who was reached, a row for each hop from a case to her.
 */
static void
return_paths(Call *call, Trace *trace)
{
	int32	   *hops = memory_alloc(trace->memory, Min(trace->rules.degrees,
													   Max(trace->records.n, 1)),
									sizeof(int32));

	call_begin_rows(call);
	for (int32 i = 0; i < ident_table_size(trace->subjects); i++)
	{
		int			n = 0;

		for (int32 at = trace_subject(trace, i)->record; at >= 0; at = trace_record(trace, at)->via_record)
			hops[n++] = at;
		for (int step = 1; step <= n; step++)
		{
			const Record *record = trace_record(trace, hops[n - step]);
			MemoryContext old = MemoryContextSwitchTo(call->row_context);
			Datum		values[6];
			bool		nulls[6] = {0};

			values[0] = ident_to_datum(&trace->log->subject,
									   ident_table_get(trace->subjects, i));
			values[1] = Int32GetDatum(step);
			values[2] = ident_to_datum(&trace->log->subject,
									   ident_table_get(trace->subjects, record->via));
			values[3] = ident_to_datum(&trace->log->subject,
									   ident_table_get(trace->subjects, record->subject));
			values[4] = ident_to_datum(&trace->log->venue,
									   ident_table_get(trace->venues, record->venue));
			values[5] = TimestampTzGetDatum(time_to_timestamp(record->time));
			MemoryContextSwitchTo(old);
			call_row(call, values, nulls);
		}
	}
}
