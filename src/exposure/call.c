/*-------------------------------------------------------------------------
 *
 * call.c
 *	  A call of one of the tracing functions: its arguments, its result
 *
 * anshim.check_call() checks the same for functions in SQL that call one of
 * these, so that what is wrong is told of the call that the user wrote.
 *
 * A call goes: call_begin(), arguments, call_open_log(), call_add_cases(), the
 * trace, call_begin_rows(), call_row() for each row, call_end().  Rows go to a
 * tuplestore, and are seen by nobody before the call has ended: so call_end()
 * can record the look first, and a failure shows nothing.
 *
 * Memory: the values of ROWS_KEPT rows at a time, in a context of their own.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "call.h"
#include "compat.h"

/* Rows whose values are kept before the memory is used again. */
#define ROWS_KEPT 256

static void reject_types(const Call *call, const VisitLog *log);

PG_FUNCTION_INFO_V1(anshim_check_call);

/*
 * What the call is about, without looking at anything yet
 */
static void
read_call(Call *call, FunctionCallInfo fcinfo, const char *keys, int nargs)
{
	Oid			keys_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	Oid			element = get_base_element_type(keys_type);

	memset(call, 0, sizeof(Call));
	call->fcinfo = fcinfo;
	call->keys = keys;
	call->shift = PG_NARGS() - nargs;
	Assert(call->shift == 0 || call->shift == 1);

	call->relid = DatumGetObjectId(call_argument(call, 0, "visits"));
	call->keys_are_array = strcmp(keys, "cases") == 0;
	call->subject_type = call->keys_are_array ? element : keys_type;
	call->venue_type = call->shift == 0 ? call->subject_type :
		get_fn_expr_argtype(fcinfo->flinfo, 2);
}

void
call_begin(Call *call, FunctionCallInfo fcinfo, const char *function,
		   const char *keys, int nargs)
{
	Look	   *look = purpose_begin(fcinfo, function);

	read_call(call, fcinfo, keys, nargs);
	call->look = look;
	call->form = psprintf("anshim.%s(%%s, during, ...)", function);
	call->result = (ReturnSetInfo *) fcinfo->resultinfo;
}

/*
 * Where in fcinfo an argument of the short form is.
 */
static inline int
actual_place(const Call *call, int place)
{
	if (place < 2)
		return place;
	return place + call->shift + (place > 2 && call->with_details ? 1 : 0);
}

bool
call_details(Call *call)
{
	bool		details = DatumGetBool(call_argument(call, 3, "details"));

	call->with_details = true;
	return details;
}

bool
call_has(const Call *call, int place)
{
	return !call->fcinfo->args[actual_place(call, place)].isnull;
}

Datum
call_argument(const Call *call, int place, const char *name)
{
	if (!call_has(call, place))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 errhint("Leave out an argument that has a default, or give it a value.")));
	return call->fcinfo->args[actual_place(call, place)].value;
}

/*
 * The time that is traced over: not empty, and not beyond all time.
 */
Span
call_during(const Call *call)
{
	Span		during = span_from_range(DatumGetRangeTypeP(call_argument(call, 2, "during")));

	if (span_is_empty(during) || during.from == TIME_MAX || during.to == TIME_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("during must not be empty"),
				 errhint("Give a range of time such as '[2021-01-01, 2021-01-15)'.")));
	return during;
}

int64
call_length(const Call *call, int place, const char *name)
{
	return length_from_interval(DatumGetIntervalP(call_argument(call, place, name)), name);
}

double
call_within(const Call *call, int place)
{
	double		within = DatumGetFloat8(call_argument(call, place, "within"));

	if (isnan(within) || isinf(within) || within < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("within must be a distance in metres, not negative"),
				 errhint("Use a number such as 50, or 0 for the same venue only.")));
	return within;
}

double
call_linger_ratio(const Call *call, int place)
{
	double		ratio;

	if (!call_has(call, place))
		return -1;
	ratio = DatumGetFloat8(call_argument(call, place, "linger_ratio"));
	if (isnan(ratio) || isinf(ratio) || ratio < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("linger_ratio must be a number, not negative"),
				 errhint("Use 1 for air that stays infectious as long as somebody stayed, or NULL for all of linger.")));
	return ratio;
}

void
call_accumulate(const Call *call, int place, TraceRules *rules)
{
	int64		window;

	if (!call_has(call, place))
		return;
	window = call_length(call, place, "accumulate");
	if (window == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("accumulate must be longer than nothing"),
				 errhint("Use the time within which minutes add up, such as '24 hours', or NULL if they do not.")));
	if (window < rules->need)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("accumulate must not be shorter than min_overlap"),
				 errdetail("No sum of minutes within it could be long enough."),
				 errhint("Give the time within which meetings add up to min_overlap, such as '24 hours'.")));
	rules->window = window;
	rules->least_sum = rules->need;
	rules->need = 1;
}

static VisitLog *
open_log(const Call *call, Span span, bool skip_unreachable)
{
	VisitLog   *log = visit_log_open(call->relid, span.from, span.to, skip_unreachable);

	if (ident_base_type(call->subject_type) != log->subject.typid ||
		(OidIsValid(call->venue_type) &&
		 ident_base_type(call->venue_type) != log->venue.typid))
		reject_types(call, log);
	return log;
}

VisitLog *
call_open_log(const Call *call, Span span, int place_skip)
{
	return open_log(call, span,
					DatumGetBool(call_argument(call, place_skip, "skip_unreachable")));
}

/*
 * The call as it would be right for the log's key types
 */
static char *
right_call(const Call *call, const VisitLog *log)
{
	const char *place = strstr(call->form, "%s");
	char	   *table = DatumGetCString(DirectFunctionCall1(regclassout,
															ObjectIdGetDatum(log->relid)));
	StringInfoData right;

	if (place == NULL)
		return pstrdup(call->form);
	initStringInfo(&right);
	appendStringInfo(&right, "%.*s%s, %s::%s%s", (int) (place - call->form), call->form,
					 quote_literal_cstr(table), call->keys, format_type_be(log->subject.typid),
					 call->keys_are_array ? "[]" : "");
	if (OidIsValid(call->venue_type) && log->subject.typid != log->venue.typid)
		appendStringInfo(&right, ", NULL::%s", format_type_be(log->venue.typid));
	appendStringInfoString(&right, place + strlen("%s"));
	return right.data;
}

/*
 * The call's key types are not the log's: show the call that is right.
 */
static void
reject_types(const Call *call, const VisitLog *log)
{
	const char *subject = format_type_be(log->subject.typid);
	const char *given = format_type_be(call->subject_type);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("key types do not match those of visit log \"%s\"",
					get_rel_name(log->relid)),
			 OidIsValid(call->venue_type) ?
			 errdetail("Its subjects are of type %s and its venues of type %s; the call has %s and %s.",
					   subject, format_type_be(log->venue.typid), given,
					   format_type_be(call->venue_type)) :
			 errdetail("Its subjects are of type %s; the call has %s.", subject, given),
			 errhint("Call %s", right_call(call, log))));
}

/*
 * The spans of case_periods, n of them, or NULL if that is null.
 */
static Span *
read_periods(const Call *call, int place, int n, Span during)
{
	ArrayType  *array;
	Datum	   *values;
	bool	   *nulls;
	int			found;
	Span	   *periods;

	if (!call_has(call, place))
		return NULL;
	array = DatumGetArrayTypeP(call_argument(call, place, "case_periods"));
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &values, &nulls, &found);
	if (found != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("case_periods must be as long as cases"),
				 errdetail("There are %d cases and %d periods.", n, found),
				 errhint("Give one period for each case, NULL for all of during.")));

	periods = palloc_array(Span, n);
	for (int i = 0; i < n; i++)
		periods[i] = nulls[i] ? during :
			span_intersect(span_from_range(DatumGetRangeTypeP(values[i])), during);
	return periods;
}

static void
reject_null_case(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("cases must not contain null"),
			 errhint("Leave it out, for example with array_remove(cases, NULL).")));
}

void
call_add_cases(const Call *call, Trace *trace, Span during, int place_periods)
{
	ArrayType  *array = DatumGetArrayTypeP(call_argument(call, 1, call->keys));
	const IdentType *type = &trace->log->subject;
	Datum	   *values;
	bool	   *nulls;
	int			n;
	Span	   *periods;

	deconstruct_array(array, ARR_ELEMTYPE(array), type->typlen, type->typbyval,
					  type->typalign, &values, &nulls, &n);
	periods = read_periods(call, place_periods, n, during);
	for (int i = 0; i < n; i++)
	{
		Span		period = periods ? periods[i] : during;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			reject_null_case();
		if (trace->rules.backward)
			period = span_mirror(period);
		trace_add_case(trace, ident_from_datum(type, values[i]), period);
	}
}

/*
 * Where the columns' values stand in a tuple without nulls, or NULL if that
 * is not the same in all of them.
 */
static int *
find_places(TupleDesc desc)
{
	int		   *places = palloc_array(int, desc->natts);
	int			at = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attlen <= 0)
			return NULL;
		places[i] = at = att_align_nominal(at, column->attalign);
		at += column->attlen;
	}
	return places;
}

void
call_begin_rows(Call *call)
{
	InitMaterializedSRF(call->fcinfo, 0);
	call->row_context = AllocSetContextCreate(CurrentMemoryContext, "anshim rows",
											  ALLOCSET_DEFAULT_SIZES);
	call->places = find_places(call->result->setDesc);
}

static bool
any_null(const bool *nulls, int n)
{
	for (int i = 0; i < n; i++)
		if (nulls[i])
			return true;
	return false;
}

/*
 * Put a row's values, none of which is null, where those of the row before
 * were.
 */
static void
fill_mold(Call *call, const Datum *values)
{
	TupleDesc	desc = call->result->setDesc;
	char	   *data = (char *) call->mold->t_data + call->mold->t_data->t_hoff;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attbyval)
			store_att_byval(data + call->places[i], values[i], column->attlen);
		else
			memcpy(data + call->places[i], DatumGetPointer(values[i]), column->attlen);
	}
}

/*
 * Return a row.  Its values may have been made in call->row_context, which is
 * emptied from time to time.
 *
 * Rows of columns of fixed size are cast in one mold: to form a tuple for each
 * takes longer than to find out what is in it.
 */
void
call_row(Call *call, const Datum *values, const bool *nulls)
{
	TupleDesc	desc = call->result->setDesc;
	Tuplestorestate *rows = call->result->setResult;

	if (call->places == NULL || any_null(nulls, desc->natts))
		tuplestore_putvalues(rows, desc, unconstify(Datum *, values), unconstify(bool *, nulls));
	else
	{
		if (call->mold == NULL)
			call->mold = heap_form_tuple(desc, unconstify(Datum *, values), unconstify(bool *, nulls));
		else
			fill_mold(call, values);
		tuplestore_puttuple(rows, call->mold);
	}
	if (++call->rows % ROWS_KEPT == 0)
	{
		MemoryContextReset(call->row_context);
		CHECK_FOR_INTERRUPTS();
	}
}

void
call_end(Call *call)
{
	purpose_end(call->look, call->rows);
}

/*
 * anshim.check_call(visits, cases, [venue_type,] during, call) -> visits
 *
 * Without venue_type, venues of any type are right.  No partition need be
 * opened to know that.
 */
Datum
anshim_check_call(PG_FUNCTION_ARGS)
{
	Call		call;
	Span		none = {TIME_MIN, TIME_MIN};

	read_call(&call, fcinfo, "cases", 4);
	call.form = text_to_cstring(DatumGetTextPP(call_argument(&call, 3, "call")));
	if (call.shift == 0)
		call.venue_type = InvalidOid;

	call_during(&call);
	call_argument(&call, 1, call.keys);
	visit_log_close(open_log(&call, none, false));
	if (array_contains_nulls(DatumGetArrayTypeP(call_argument(&call, 1, call.keys))))
		reject_null_case();
	PG_RETURN_OID(call.relid);
}
