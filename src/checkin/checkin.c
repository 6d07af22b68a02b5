/*-------------------------------------------------------------------------
 *
 * checkin.c
 *	  anshim.check_in(), check_out(), log_paper(): rows of a visit log
 *
 * These write to a log as the current user, by SQL, so that her rights, row
 * security, defaults and triggers apply as to any INSERT.  She needs no
 * rights on the tables of passes: those are reached through two functions
 * that run as their owner, that PUBLIC may not call, and that are called from
 * here alone, after the pass has been judged.
 *
 * The log is one that anshim.create_visit_log() made, or a tracked table with
 * columns named as there: id and source beside those that its tracking names.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "key/spi.h"
#include "key/verdict.h"
#include "visits/log_check.h"
#include "visits/log_record.h"
#include "visits/track.h"

/* More companions than that do not fit on a line of paper. */
#define COMPANIONS_MAX 1000

/* A visit log to write to. */
typedef struct Log
{
	char	   *table;			/* quoted */
	LogRecord	record;
} Log;

/* A visit, as far as it is known. */
typedef struct Visit
{
	const char *source;
	const pg_uuid_t *subject;
	const pg_uuid_t *venue;
	TimestampTz entered_at;
	TimestampTz left_at;		/* DT_NOEND: not known */
} Visit;

PG_FUNCTION_INFO_V1(anshim_check_in);
PG_FUNCTION_INFO_V1(anshim_check_out);
PG_FUNCTION_INFO_V1(anshim_log_paper);

static void
require_column(Relation rel, const char *name)
{
	if (column_by_name(rel, name) == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("visit log \"%s\" has no column \"%s\"",
						RelationGetRelationName(rel), name),
				 errhint("Check in to a log that anshim.create_visit_log() made, or add the column.")));
}

/*
 * Finds out how to write to the log that argument 0 names.  Whether the user
 * may is asked by her INSERT.
 */
static void
open_log(FunctionCallInfo fcinfo, Log *log)
{
	Relation	rel;
	LogColumns	columns;

	spi_refuse_null(fcinfo, 0, "visits");
	rel = log_table_open(PG_GETARG_OID(0), AccessShareLock);
	tracked_record(rel, &log->record);
	log_columns_find(rel, &log->record, false, &columns);
	require_column(rel, "id");
	require_column(rel, "source");
	log->table = relation_sql_name(rel);
	table_close(rel, NoLock);
}

static TimestampTz
get_time(FunctionCallInfo fcinfo, int argument, const char *name)
{
	TimestampTz at;

	spi_refuse_null(fcinfo, argument, name);
	at = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("the time of a visit must be finite")));
	return at;
}

static const pg_uuid_t *
get_uuid(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_GETARG_UUID_P(argument);
}

static bool
same_uuid(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

/*
 * Inserts a row, within SPI, under a new id, which is returned in `context`.
 * The id is made here and not by the column's default, since RETURNING takes
 * a right to read.
 */
static Datum
insert_visit(const Log *log, const Visit *visit, MemoryContext context)
{
	Oid			types[] = {UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
	Datum		values[6];
	pg_uuid_t  *id;
	StringInfoData sql;

	id = MemoryContextAlloc(context, sizeof(pg_uuid_t));
	*id = *DatumGetUUIDP(OidFunctionCall0(F_GEN_RANDOM_UUID));
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(visit->subject);
	values[2] = UUIDPGetDatum(visit->venue);
	values[3] = TimestampTzGetDatum(visit->entered_at);
	values[4] = TimestampTzGetDatum(visit->left_at);
	values[5] = CStringGetTextDatum(visit->source);

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (id, ", log->table);
	appendStringInfo(&sql, "%s, ", quote_identifier(NameStr(log->record.subject)));
	appendStringInfo(&sql, "%s, ", quote_identifier(NameStr(log->record.venue)));
	appendStringInfo(&sql, "%s, ", quote_identifier(NameStr(log->record.entered_at)));
	appendStringInfo(&sql, "%s, ", quote_identifier(NameStr(log->record.left_at)));
	appendStringInfoString(&sql, "source) VALUES ($1, $2, $3, $4, $5, $6)");
	spi_run(sql.data, lengthof(types), types, values,
			visit->left_at == DT_NOEND ? "    n " : "      ", SPI_OK_INSERT);

	/* a rule, a trigger or a policy may have kept it out silently */
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the visit was not written to %s", log->table),
				 errdetail("A trigger or a rule of the table has dropped the row.")));
	return UUIDPGetDatum(id);
}

/*
 * Whose pass of anshim.issue_pass() this is; NULL if it is none, or forgotten.
 */
static const pg_uuid_t *
subject_of_pass(const Cwt *cwt)
{
	Oid			types[] = {TEXTOID, BYTEAOID};
	Datum		values[2];
	Datum		subject;
	bool		isnull;

	if (!(cwt->claims.present & CWT_HAS_CTI))
		return NULL;
	values[0] = PointerGetDatum(cstring_to_text_with_len((const char *) cwt->kid.data,
														 cwt->kid.len));
	values[1] = PointerGetDatum(cstring_to_text_with_len((const char *) cwt->claims.cti.data,
														 cwt->claims.cti.len));
	subject = spi_call("pass_subject", lengthof(types), types, values, NULL, &isnull);
	return isnull ? NULL : DatumGetUUIDP(subject);
}

/*
 * Takes a visitor's pass at a venue, which can be done once.
 */
static void
take_pass(const Cwt *cwt, const Key *key, const pg_uuid_t *venue)
{
	Oid			types[] = {UUIDOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID};
	Datum		values[4];
	bool		isnull;

	if (!(cwt->claims.present & CWT_HAS_CTI))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a visitor's pass must have an id"),
				 errdetail("Without one it cannot be seen whether the pass was used already.")));
	values[0] = UUIDPGetDatum(venue);
	values[1] = CStringGetTextDatum(key->issuer);
	values[2] = PointerGetDatum(cstring_to_text_with_len((const char *) cwt->claims.cti.data,
														 cwt->claims.cti.len));
	values[3] = TimestampTzGetDatum(cwt->claims.present & CWT_HAS_EXP ?
									token_timestamp(cwt->claims.exp) : DT_NOEND);
	if (!DatumGetBool(spi_call("take_pass", lengthof(types), types, values, NULL, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("pass was used at this venue already"),
				 errdetail("Each visitor's pass is taken once at a venue."),
				 errhint("Let the visitor show a new pass.")));
}

/*
 * A little of what anshim.forget_passes() does.  Under a snapshot of the
 * whole transaction, rows that others have deleted since would be an error.
 */
static void
forget_some_passes(void)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(10)};
	bool		isnull;

	if (!IsolationUsesXactSnapshot())
		(void) spi_call("forget_passes", lengthof(types), types, values, NULL, &isnull);
}

static void
refuse_pass(Verdict verdict, const Cwt *cwt, TimestampTz at)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("pass is refused: %s", verdict_name(verdict)),
			 errdetail("It names key \"%s\", and was judged for %s.",
					   pnstrdup((const char *) cwt->kid.data, cwt->kid.len),
					   timestamptz_to_str(at))));
}

/*
 * One of what the pass says and what the caller says; both, if they agree.
 */
static const pg_uuid_t *
agree(const pg_uuid_t *in_pass, const pg_uuid_t *given, const char *what, const char *detail)
{
	if (in_pass != NULL && given != NULL && !same_uuid(in_pass, given))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pass is for another %s", what),
				 errhint("Leave argument \"%s\" out, or show the right pass.", what)));
	if (in_pass == NULL && given == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("neither the pass nor the call names a %s", what),
				 errdetail("%s", detail)));
	return in_pass != NULL ? in_pass : given;
}

Datum
anshim_check_in(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Log			log;
	Visit		visit = {.left_at = DT_NOEND};
	Token	   *token;
	Cwt			cwt;
	Key		   *key;
	Verdict		verdict;
	const pg_uuid_t *subject;
	Datum		id;

	spi_refuse_null(fcinfo, 1, "pass");
	visit.entered_at = get_time(fcinfo, 4, "at");
	open_log(fcinfo, &log);

	token = PG_GETARG_TOKEN_PP(1);
	token_read(token, &cwt);
	verdict = token_verdict(token, &cwt, visit.entered_at, &key);
	if (verdict != VERDICT_VALID)
		refuse_pass(verdict, &cwt, visit.entered_at);

	subject = cwt.claims.present & CWT_HAS_SUBJECT ?
		(const pg_uuid_t *) cwt.claims.subject : subject_of_pass(&cwt);
	visit.subject = agree(subject, get_uuid(fcinfo, 2), "subject",
						  "With a venue's pass the subject is given. Whose a pass of "
						  "anshim.issue_pass() is, is forgotten when it has expired.");
	visit.venue = agree(cwt.claims.present & CWT_HAS_VENUE ?
						(const pg_uuid_t *) cwt.claims.venue : NULL,
						get_uuid(fcinfo, 3), "venue",
						"With a visitor's pass the venue is given.");
	if (subject != NULL)
	{
		visit.source = "visitor pass";
		take_pass(&cwt, key, visit.venue);
	}
	else if (cwt.claims.present & CWT_HAS_VENUE)
		visit.source = "venue pass";
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pass names neither a venue nor a subject"),
				 errdetail("Whose a pass of anshim.issue_pass() is, is forgotten when it has expired.")));

	SPI_connect();
	id = insert_visit(&log, &visit, context);
	SPI_finish();
	forget_some_passes();
	PG_RETURN_DATUM(id);
}

/*
 * Reads the visit that a row of the log, found by its id, belongs to.
 */
static void
read_visit(const Log *log, Datum id, Visit *visit)
{
	Oid			types[] = {UUIDOID};
	StringInfoData sql;
	TupleDesc	tupdesc;
	HeapTuple	tuple;
	bool		isnull[4];

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, ", quote_identifier(NameStr(log->record.subject)));
	appendStringInfo(&sql, "%s, ", quote_identifier(NameStr(log->record.venue)));
	appendStringInfo(&sql, "%s, ", quote_identifier(NameStr(log->record.entered_at)));
	appendStringInfo(&sql, "source::pg_catalog.text FROM %s "
					 "WHERE id OPERATOR(pg_catalog.=) $1 LIMIT 1", log->table);
	spi_run(sql.data, lengthof(types), types, &id, NULL, SPI_OK_SELECT);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no such visit in %s", log->table),
				 errhint("Give what anshim.check_in() returned.")));

	tupdesc = SPI_tuptable->tupdesc;
	tuple = SPI_tuptable->vals[0];
	if (TupleDescAttr(tupdesc, 0)->atttypid != UUIDOID ||
		TupleDescAttr(tupdesc, 1)->atttypid != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("subject and venue of %s must be of type uuid", log->table),
				 errhint("Check in to a log that anshim.create_visit_log() made.")));
	visit->subject = DatumGetUUIDP(SPI_getbinval(tuple, tupdesc, 1, &isnull[0]));
	visit->venue = DatumGetUUIDP(SPI_getbinval(tuple, tupdesc, 2, &isnull[1]));
	visit->entered_at = DatumGetTimestampTz(SPI_getbinval(tuple, tupdesc, 3, &isnull[2]));
	visit->source = SPI_getvalue(tuple, tupdesc, 4);
	isnull[3] = visit->source == NULL;
	if (isnull[0] || isnull[1] || isnull[2] || isnull[3])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("that row of %s is no visit", log->table),
				 errdetail("It lacks a subject, a venue, a time or a source.")));
}

static void
check_stay(const Visit *visit)
{
	if (visit->left_at <= visit->entered_at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a visit must end after it began"),
				 errdetail("It began at %s.", timestamptz_to_str(visit->entered_at))));
}

/*
 * A log is append-only: the check-out is a row of its own.
 */
Datum
anshim_check_out(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Log			log;
	Visit		visit;
	Datum		id;

	spi_refuse_null(fcinfo, 1, "visit");
	open_log(fcinfo, &log);
	SPI_connect();
	read_visit(&log, PG_GETARG_DATUM(1), &visit);
	visit.left_at = get_time(fcinfo, 2, "at");
	check_stay(&visit);
	id = insert_visit(&log, &visit, context);
	SPI_finish();
	PG_RETURN_DATUM(id);
}

/*
 * The subjects of one line: at least one, and nobody twice.
 */
static int
get_companions(FunctionCallInfo fcinfo, int argument, Datum **subjects)
{
	bool	   *nulls;
	int			n;

	spi_refuse_null(fcinfo, argument, "subjects");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
					  subjects, &nulls, &n);
	if (n < 1 || n > COMPANIONS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a line of a paper log must name 1 to %d subjects, not %d",
						COMPANIONS_MAX, n)));
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", "subjects")));
		for (int j = 0; j < i; j++)
		{
			if (same_uuid(DatumGetUUIDP((*subjects)[i]), DatumGetUUIDP((*subjects)[j])))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a line of a paper log must not name a subject twice"),
						 errdetail("Elements %d and %d of argument \"subjects\" are the same.",
								   j + 1, i + 1)));
		}
	}
	return n;
}

Datum
anshim_log_paper(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Log			log;
	Visit		visit = {.source = "paper",.left_at = DT_NOEND};
	Datum	   *subjects;
	Datum	   *ids;
	int			n;

	n = get_companions(fcinfo, 1, &subjects);
	spi_refuse_null(fcinfo, 2, "venue");
	visit.venue = PG_GETARG_UUID_P(2);
	visit.entered_at = get_time(fcinfo, 3, "entered_at");
	if (visit.entered_at > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a line of a paper log cannot lie in the future"),
				 errdetail("It says %s.", timestamptz_to_str(visit.entered_at))));
	if (!PG_ARGISNULL(4))
	{
		visit.left_at = get_time(fcinfo, 4, "left_at");
		check_stay(&visit);
	}
	open_log(fcinfo, &log);

	ids = palloc(n * sizeof(Datum));
	SPI_connect();
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		visit.subject = DatumGetUUIDP(subjects[i]);
		ids[i] = insert_visit(&log, &visit, context);
	}
	SPI_finish();
	PG_RETURN_ARRAYTYPE_P(construct_array(ids, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}
