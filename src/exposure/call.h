/*-------------------------------------------------------------------------
 *
 * call.h
 *	  A call of one of the tracing functions: its arguments, its result
 *	  (inside src/exposure only)
 *
 * Each function has two forms in SQL, one for logs whose two keys share a
 * type, and one with a further argument, venue_type, at the third place.  Both
 * come to the same C function; arguments are counted here as in the form
 * without venue_type, and without `details`, which stands before the fourth in
 * two further forms of exposures.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_CALL_H
#define ANSHIM_CALL_H

#include "fmgr.h"
#include "funcapi.h"

#include "purpose/purpose.h"
#include "trace.h"

typedef struct Call
{
	FunctionCallInfo fcinfo;
	const char *form;			/* how it is called, for hints */
	const char *keys;			/* its second argument's name */
	int			shift;			/* 1 in the form with venue_type */
	bool		with_details;	/* is it a form with details? */
	Oid			relid;			/* the log */
	Oid			subject_type;	/* of the cases, and of the result */
	Oid			venue_type;		/* of the result */
	bool		keys_are_array;
	ReturnSetInfo *result;
	MemoryContext row_context;	/* for the values of a few rows */
	HeapTuple	mold;			/* for rows without nulls, or NULL */
	int		   *places;			/* of its columns */
	int			rows;
	Look	   *look;			/* to be recorded, or NULL */
} Call;

/*
 * Start a call of `function`, which has nargs arguments in its short form.
 * Errors: 22004, purpose_begin()'s.
 */
extern void call_begin(Call *call, FunctionCallInfo fcinfo, const char *function,
					   const char *keys, int nargs);

/* The argument `details`, in a call_begin() of one place more.  Errors: 22004. */
extern bool call_details(Call *call);

/* Arguments, by their place in the short form.  Errors: 22004, 22023. */
extern bool call_has(const Call *call, int place);
extern Datum call_argument(const Call *call, int place, const char *name);
extern Span call_during(const Call *call);
extern int64 call_length(const Call *call, int place, const char *name);
extern double call_within(const Call *call, int place);
extern double call_linger_ratio(const Call *call, int place);

/* Set the rules for minutes that add up to rules->need, if they are to. */
extern void call_accumulate(const Call *call, int place, TraceRules *rules);

/*
 * Open the log for a trace that concerns visits in this span, and check that
 * its keys have the types of the call.  At place_skip the call says whether
 * servers that cannot be reached are to be left out.  Errors:
 * visit_log_open()'s, and 42804.
 */
extern VisitLog *call_open_log(const Call *call, Span span, int place_skip);

/*
 * Add the cases of the call's second argument, an array, to the trace, each
 * infectious in `during`, or in her own of case_periods if that is at
 * place_periods and not null.
 */
extern void call_add_cases(const Call *call, Trace *trace, Span during, int place_periods);

/* Prepare to return rows, and return one. */
extern void call_begin_rows(Call *call);
extern void call_row(Call *call, const Datum *values, const bool *nulls);

/* End the call: from here on its rows may be shown. */
extern void call_end(Call *call);

#endif							/* ANSHIM_CALL_H */
