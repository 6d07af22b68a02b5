/*-------------------------------------------------------------------------
 *
 * create.c
 *	  create_visit_log() and add_days(): a ready-made visit log, and a
 *	  partition for each of its days
 *
 * The table is made in plain SQL with the rights of whoever calls, and is
 * hers.  Its name is looked up along her search_path; everything after that
 * runs with search_path set to pg_catalog, pg_temp.
 *
 * A day is that of a time zone, which is recorded with the log, so that days
 * added from sessions in other zones fit to those that are there.
 *
 * Locking: add_days() takes ShareUpdateExclusiveLock on the log, so it waits
 * for no reader or writer, unless the log has a default partition, which
 * ATTACH PARTITION looks through while nobody can use it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "chain/make.h"
#include "compat.h"
#include "log_check.h"
#include "track.h"

/* Days [from, to) of a time zone */
typedef struct DaySpan
{
	DateADT		from;
	DateADT		to;
	const char *time_zone;
	pg_tz	   *zone;
} DaySpan;

/*
 * Settings for our own statements, until the returned level is left
 */
static int
enter_settings(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("DateStyle", "ISO, YMD", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static void
run_statement(const char *statement)
{
	SPI_connect();
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "statement was not run: %s", statement);
	SPI_finish();
}

/*
 * Days
 */

static void
set_zone(DaySpan *span, const char *time_zone)
{
	span->time_zone = time_zone;
	span->zone = pg_tzset(time_zone);
	if (span->zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", time_zone),
				 errhint("Use a full name, such as 'Europe/Berlin'; pg_timezone_names lists them.")));
}

static void
set_days(DaySpan *span, RangeType *range)
{
	TypeCacheEntry *typcache = lookup_type_cache(RangeTypeGetOid(range), TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	span->from = span->to = 0;
	range_deserialize(typcache, range, &lower, &upper, &empty);
	if (empty)
		return;
	if (!lower.infinite && !upper.infinite)
	{
		span->from = DatumGetDateADT(lower.val);
		span->to = DatumGetDateADT(upper.val);
	}
	if (lower.infinite || upper.infinite ||
		DATE_NOT_FINITE(span->from) || DATE_NOT_FINITE(span->to))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("days must have a beginning and an end"),
				 errdetail("A partition is made for each day."),
				 errhint("Use a range such as '[2021-01-01, 2021-02-01)'.")));
}

/* When the day begins in its time zone */
static TimestampTz
midnight(const DaySpan *span, DateADT day)
{
	struct pg_tm tm = {0};
	TimestampTz result;
	int			offset;

	j2date(day + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	tm.tm_isdst = -1;
	offset = DetermineTimeZoneOffset(&tm, span->zone);
	if (tm2timestamp(&tm, 0, &offset, &result) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("days out of range"),
				 errhint("Use a range such as '[2021-01-01, 2021-02-01)'.")));
	return result;
}

static char *
bound_literal(TimestampTz time)
{
	return quote_literal_cstr(DatumGetCString(DirectFunctionCall1(timestamptz_out,
																  TimestampTzGetDatum(time))));
}

static char *
partition_name(Relation rel, DateADT day)
{
	int			year;
	int			month;
	int			mday;
	char	   *date;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	date = psprintf("%04d_%02d_%02d", year, month, mday);
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  makeObjectName(RelationGetRelationName(rel), date, NULL));
}

/*
 * A partition that is made by itself and then attached keeps nobody from
 * reading and writing the log meanwhile; CREATE TABLE PARTITION OF would.
 * ATTACH adds what partitions get from their parent alone, as indexes.
 */
static List *
partition_statements(List *statements, Relation rel, const DaySpan *span, DateADT day)
{
	const char *table = relation_sql_name(rel);
	const char *partition = partition_name(rel, day);
	Oid			tablespace = rel->rd_rel->reltablespace;
	bool		unlogged = rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED;
	StringInfoData create;

	initStringInfo(&create);
	appendStringInfo(&create, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL "
					 "EXCLUDING IDENTITY EXCLUDING INDEXES EXCLUDING STATISTICS)",
					 unlogged ? "UNLOGGED " : "", partition, table);
	if (OidIsValid(tablespace))
		appendStringInfo(&create, " TABLESPACE %s",
						 quote_identifier(get_tablespace_name(tablespace)));
	statements = lappend(statements, create.data);
	return lappend(statements,
				   psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)",
							table, partition, bound_literal(midnight(span, day)),
							bound_literal(midnight(span, day + 1))));
}

static void
days_error_callback(void *arg)
{
	const DaySpan *span = arg;

	if (geterrcode() == ERRCODE_INVALID_OBJECT_DEFINITION ||
		geterrcode() == ERRCODE_DUPLICATE_TABLE)
		errhint("Days were to begin at midnight in time zone %s; let them begin as those of the partitions that are there.",
				span->time_zone);
	else if (geterrcode() == ERRCODE_CHECK_VIOLATION)
		errhint("Detach the default partition, add the days, and insert its rows again.");
}

/*
 * Make the partitions that are missing, and return their number.  Closes the
 * table, which must not be open while it gets partitions.
 */
static int
add_partitions(Relation rel, const DaySpan *span)
{
	ErrorContextCallback context = {
		.callback = days_error_callback,
		.arg = unconstify(DaySpan *, span)
	};
	List	   *statements = NIL;
	ListCell   *lc;
	int			added = 0;

	for (DateADT day = span->from; day < span->to; day++)
	{
		TimestampTz from = midnight(span, day);
		TimestampTz to = midnight(span, day + 1);

		CHECK_FOR_INTERRUPTS();
		/* Where a zone crossed the date line, a day has been left out. */
		if (from < to && !log_day_has_partition(rel, from, to))
		{
			statements = partition_statements(statements, rel, span, day);
			added++;
		}
	}
	relation_close(rel, NoLock);

	context.previous = error_context_stack;
	error_context_stack = &context;
	foreach(lc, statements)
		run_statement(lfirst(lc));
	error_context_stack = context.previous;
	return added;
}

/*
 * create_visit_log()
 */

/* Says what to do about a name that will not do. */
static void
name_error_callback(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_NAME || geterrcode() == ERRCODE_INVALID_SCHEMA_NAME)
		errhint("Name the table to make, with or without a schema that there is, as in 'visit' or 'public.visit'.");
	else if (geterrcode() == ERRCODE_INSUFFICIENT_PRIVILEGE)
		errhint("Name a schema in which you may create tables.");
	else if (geterrcode() == ERRCODE_DUPLICATE_TABLE)
		errhint("Give another name, or make a log of the table that is there: SELECT anshim.track_visits('...');");
}

/* The schema-qualified name of the new table, in SQL */
static char *
creation_name(text *argument, char **table_name, Oid *schema)
{
	RangeVar   *name = makeRangeVarFromNameList(textToQualifiedNameList(argument));

	*schema = RangeVarGetCreationNamespace(name);
	*table_name = name->relname;
	if (isAnyTempNamespace(*schema))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" cannot be a visit log", name->relname),
				 errhint("Name another schema.")));
	return quote_qualified_identifier(get_namespace_name(*schema), name->relname);
}

static char *
table_statement(const char *sql_name, bool by_day)
{
	return psprintf("CREATE TABLE %s ("
					"id uuid NOT NULL DEFAULT gen_random_uuid(), "
					"subject uuid NOT NULL, "
					"venue uuid NOT NULL, "
					"entered_at timestamptz NOT NULL, "
					"left_at timestamptz, "
					"recorded_at timestamptz NOT NULL DEFAULT now(), "
					"source text NOT NULL DEFAULT 'direct' "
					"CHECK (source IN ('direct', 'venue pass', 'visitor pass', 'paper')), "
					"PRIMARY KEY %s)%s",
					sql_name, by_day ? "(id, entered_at)" : "(id)",
					by_day ? " PARTITION BY RANGE (entered_at)" : "");
}

/*
 * Make the table that the argument names, and return it.  The caller's
 * settings hold for its name alone; ours are left with *level.
 */
static Oid
make_table(text *name, bool by_day, int *level)
{
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = name_error_callback
	};
	char	   *sql_name;
	char	   *table_name;
	Oid			schema;

	error_context_stack = &context;
	sql_name = creation_name(name, &table_name, &schema);
	*level = enter_settings();
	run_statement(table_statement(sql_name, by_day));
	error_context_stack = context.previous;
	return get_relname_relid(table_name, schema);
}

PG_FUNCTION_INFO_V1(anshim_create_visit_log);
Datum
anshim_create_visit_log(PG_FUNCTION_ARGS)
{
	LogRecord	record = {0};
	DaySpan		span = {0};
	bool		by_day = !PG_ARGISNULL(1);
	Oid			relid;
	int			level;

	PreventCommandIfReadOnly("anshim.create_visit_log()");
	PreventCommandDuringRecovery("anshim.create_visit_log()");
	non_null_argument(fcinfo, 0, "name", "Name the table to make.");
	record.max_stay = length_argument(fcinfo, 3, "max_stay");
	record.default_stay = length_argument(fcinfo, 4, "default_stay");
	check_stays(record.max_stay, record.default_stay);
	non_null_argument(fcinfo, 5, "chained", "Say true or false, or leave the argument out.");
	if (by_day)
	{
		set_zone(&span, PG_ARGISNULL(2) ? pstrdup(pg_get_timezone_name(session_timezone)) :
				 text_to_cstring(PG_GETARG_TEXT_PP(2)));
		set_days(&span, PG_GETARG_RANGE_P(1));
		record.time_zone = unconstify(char *, span.time_zone);
	}
	else if (!PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time_zone needs days"),
				 errdetail("A time zone says when the days begin that the log is partitioned by."),
				 errhint("Give the days as well, such as '[2021-01-01, 2021-02-01)', or leave out time_zone.")));

	relid = make_table(PG_GETARG_TEXT_PP(0), by_day, &level);
	namestrcpy(&record.subject, "subject");
	namestrcpy(&record.venue, "venue");
	namestrcpy(&record.entered_at, "entered_at");
	namestrcpy(&record.left_at, "left_at");
	track_table(owned_table_open(relid, "anshim.create_visit_log()"), &record);
	if (by_day)
		add_partitions(owned_table_open(relid, "anshim.create_visit_log()"), &span);
	if (PG_GETARG_BOOL(5))
		chain_table(relid, NULL, "anshim.create_visit_log()");
	AtEOXact_GUC(true, level);
	PG_RETURN_OID(relid);
}

/*
 * add_days()
 */

PG_FUNCTION_INFO_V1(anshim_add_days);
Datum
anshim_add_days(PG_FUNCTION_ARGS)
{
	Oid			relid = relation_argument(fcinfo, 0, "visits");
	LogRecord	record = {0};
	DaySpan		span = {0};
	Relation	rel;
	int			added;
	int			level;

	non_null_argument(fcinfo, 1, "days", "Use a range such as '[2021-01-01, 2021-02-01)'.");
	rel = owned_table_open(relid, "anshim.add_days()");
	tracked_record(rel, &record);
	if (!log_days_partitioned(rel, &record))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("visit log \"%s\" is not partitioned by time of entry alone",
						RelationGetRelationName(rel)),
				 errhint("Make such a log: SELECT anshim.create_visit_log('...', days => '[2021-01-01, 2021-02-01)');")));
	if (!PG_ARGISNULL(2))
		set_zone(&span, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	else
		set_zone(&span, record.time_zone ? record.time_zone :
				 pstrdup(pg_get_timezone_name(session_timezone)));
	set_days(&span, PG_GETARG_RANGE_P(1));

	level = enter_settings();
	added = add_partitions(rel, &span);
	AtEOXact_GUC(true, level);
	PG_RETURN_INT32(added);
}
