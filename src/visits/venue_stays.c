/*-------------------------------------------------------------------------
 *
 * venue_stays.c
 *	  When visits end that nobody checks out, by venue
 *
 * Venues are asked for in batches, as a trace meets them, and remembered to its
 * end.  A trace that has met many batches reads the whole table instead: by
 * then that costs less than what is still to come.
 *
 * The statements name everything with its schema, so they mean the same under
 * any search_path, and run with the rights and under the snapshot of the trace.
 *
 * A time of day is that of the venue's time zone, or the session's, as
 * PostgreSQL reads it: `date + closes AT TIME ZONE zone`.  The two such moments
 * around the last visit asked about are remembered of each venue.
 *
 * Memory: all in the trace's.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "log_check.h"
#include "uncompiled.h"
#include "venue_stays.h"

/* After so many statements, all venues are read. */
#define ASK_MAX 16

/* Answers that are fetched at a time */
#define FETCH_BATCH 1000

/* What is known of a venue: an entry of the table. */
typedef struct VenueStay
{
	Ident		ident;
	bool		known;
	bool		closes;
	int64		length;			/* or PG_INT64_MAX */
	TimeADT		closing;		/* time of day */
	pg_tz	   *zone;
	int64		closed;			/* two closing times, one after the other; */
	int64		next_closing;	/* or both 0 */
} VenueStay;

struct VenueStays
{
	Memory	   *memory;
	const VisitLog *log;
	Oid			array_type;		/* of the venues */
	char	   *query;			/* of those in $1 */
	char	   *query_all;
	int			asked;			/* statements so far */
	bool		all;			/* are all known that there are? */
	IdentTable *table;
};

static const VenueStay unknown_venue = {.length = PG_INT64_MAX};

static bool
is_recorded(const NameData *name)
{
	return NameStr(*name)[0] != '\0';
}

/*
 * Checks
 */

static AttrNumber
check_column(Relation rel, const VenuesUse *use, const char *argument, const NameData *name,
			 Oid typid, const char *hint)
{
	AttrNumber	attno = venues_column(rel, use, argument, name);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);

	if (ident_base_type(attribute->atttypid) != typid)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" must be of type %s",
						NameStr(attribute->attname), RelationGetRelationName(rel),
						format_type_be(typid)),
				 errdetail("It is of type %s.", format_type_be(attribute->atttypid)),
				 errhint("%s", hint)));
	return attno;
}

void
venue_stays_check(Relation rel, const VenuesUse *use, const VenuesRecord *names,
				  const IdentType *venue_type)
{
	AttrNumber	columns[4];
	int			n = 0;

	columns[n++] = venues_column(rel, use, "venue", &names->venue);
	if (is_recorded(&names->default_stay))
		columns[n++] = check_column(rel, use, "default_stay", &names->default_stay, INTERVALOID,
									"It says how long a visit lasts that nobody checks out, such as '3 hours'.");
	if (is_recorded(&names->closes))
		columns[n++] = check_column(rel, use, "closes", &names->closes, TIMEOID,
									"It says at which time of the venue's day a visit ends that nobody checks out, such as '22:00'.");
	if (is_recorded(&names->time_zone))
		columns[n++] = check_column(rel, use, "time_zone", &names->time_zone, TEXTOID,
									"It says in which time zone the venue closes, such as 'Asia/Seoul'.");
	venues_rights_check(rel, use, columns, n);
	venues_key_check(rel, columns[0], venue_type);
}

/*
 * Asking
 */

/* A column, or null where none is recorded */
static char *
column_sql(const NameData *name, const char *type)
{
	return is_recorded(name) ?
		psprintf("%s::pg_catalog.%s", quote_qualified_identifier("v", NameStr(*name)), type) :
		psprintf("NULL::pg_catalog.%s", type);
}

/*
 * Of a venue's rows the longest stay and the latest closing time count.  Time
 * zones stand in pairs with closing times.
 */
static char *
stays_query(Relation rel, const VisitLog *log, bool all)
{
	const VenuesRecord *names = &log->venues_names;
	const char *venue = quote_qualified_identifier("v", NameStr(names->venue));
	const char *closes = column_sql(&names->closes, "time");
	const char *zone = column_sql(&names->time_zone, "text");
	const char *type = format_type_be_qualified(log->venue.typid);
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT %s::%s, pg_catalog.max(%s), "
					 "(pg_catalog.array_agg(%s ORDER BY %s DESC NULLS LAST, %s))[1], "
					 "(pg_catalog.array_agg(%s ORDER BY %s DESC NULLS LAST, %s))[1] "
					 "FROM %s AS v",
					 venue, type, column_sql(&names->default_stay, "interval"),
					 closes, closes, zone, zone, closes, zone, relation_sql_name(rel));
	if (!all)
		appendStringInfo(&query, " WHERE %s::%s %s ANY ($1)", venue, type,
						 ident_equality_operator(&log->venue));
	appendStringInfo(&query, " GROUP BY %s", venue);
	return query.data;
}

VenueStays *
venue_stays_open(Memory *memory, const VisitLog *log)
{
	const VenuesRecord *names = &log->venues_names;
	VenuesUse	use = {
		.log = log_sql_name(log),
		.without = "record venues without default_stay and closes"
	};
	VenueStays *stays;
	MemoryContext caller;
	Relation	rel;

	if (!is_recorded(&names->default_stay) && !is_recorded(&names->closes))
		return NULL;
	rel = venues_table_open(log);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("how long visits last at the venues of visit log \"%s\" is not known",
						get_rel_name(log->relid)),
				 errdetail("The table of venues that was recorded does not exist any more."),
				 errhint("Record a table of venues: SELECT anshim.track_venues(%s, '...');",
						 quote_literal_cstr(use.log))));
	venue_stays_check(rel, &use, names, &log->venue);

	stays = memory_alloc_zero(memory, 1, sizeof(VenueStays));
	stays->memory = memory;
	stays->log = log;
	stays->table = ident_table_create(memory, &log->venue, sizeof(VenueStay), &unknown_venue);
	stays->array_type = get_array_type(log->venue.typid);
	if (!OidIsValid(stays->array_type))
		stays->asked = ASK_MAX;
	caller = MemoryContextSwitchTo(memory->context);
	stays->query = stays_query(rel, log, false);
	stays->query_all = stays_query(rel, log, true);
	MemoryContextSwitchTo(caller);
	relation_close(rel, NoLock);
	return stays;
}

static void
reject_stay(const VenueStays *stays, Ident venue, const char *what, const char *value, const char *hint)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(stays->log->venue.typid, &output, &is_varlena);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("venue %s has %s %s",
					OidOutputFunctionCall(output, ident_to_datum(&stays->log->venue, venue)),
					what, value),
			 errhint("Mend the row in table %s. %s",
					 quote_qualified_identifier(NameStr(stays->log->venues_names.schema_name),
												NameStr(stays->log->venues_names.table_name)), hint)));
}

static void
take_row(VenueStays *stays, const Datum *values, const bool *nulls)
{
	Ident		ident = ident_from_datum(&stays->log->venue, values[0]);
	VenueStay  *venue = ident_table_entry(stays->table, ident_table_add(stays->table, ident));

	venue->known = true;
	if (!nulls[1] &&
		(!interval_to_length(DatumGetIntervalP(values[1]), &venue->length) || venue->length <= 0))
		reject_stay(stays, ident, "default stay",
					DatumGetCString(DirectFunctionCall1(interval_out, values[1])),
					"It has to be longer than nothing, without months.");
	if (nulls[2])
		return;
	venue->closes = true;
	venue->closing = DatumGetTimeADT(values[2]);
	venue->zone = session_timezone;
	if (!nulls[3])
	{
		char	   *name = TextDatumGetCString(values[3]);

		venue->zone = pg_tzset(name);
		if (venue->zone == NULL)
			reject_stay(stays, ident, "time zone", name,
						"The view pg_timezone_names lists those that there are.");
	}
}

static void
run_query(VenueStays *stays, const char *query, int nargs, Oid *types, Datum *values)
{
	int			guc_level = uncompiled_begin();
	Portal		portal = SPI_cursor_open_with_args(NULL, query, nargs, types, values, NULL, true, 0);

	uncompiled_end(guc_level);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_BATCH);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		row[4];
			bool		nulls[4];

			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, row, nulls);
			if (!nulls[0])
				take_row(stays, row, nulls);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
}

void
venue_stays_learn(VenueStays *stays, const Ident *venues, Size stride, Size n)
{
	const IdentType *type = &stays->log->venue;
	Datum	   *unknown = NULL;
	Size		nunknown = 0;
	Size		size = 0;

	if (stays->all)
		return;
	for (Size i = 0; i < n; i++)
	{
		Ident		ident = *(const Ident *) ((const char *) venues + i * stride);
		VenueStay  *venue = ident_table_entry(stays->table, ident_table_add(stays->table, ident));

		if ((i & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (venue->known)
			continue;
		venue->known = true;	/* even if nothing is said of it */
		memory_reserve(stays->memory, unknown, nunknown, size, 1);
		unknown[nunknown++] = ident_to_datum(type, venue->ident);
	}
	if (nunknown == 0)
		return;

	SPI_connect();
	if (stays->asked++ < ASK_MAX)
	{
		Datum		array = PointerGetDatum(construct_array(unknown, (int) nunknown, type->typid,
															type->typlen, type->typbyval,
															type->typalign));

		run_query(stays, stays->query, 1, &stays->array_type, &array);
	}
	else
	{
		run_query(stays, stays->query_all, 0, NULL, NULL);
		stays->all = true;
	}
	SPI_finish();
	memory_free(stays->memory, unknown, size, sizeof(Datum));
}

/*
 * Ends
 */

static VenueStay *
find_venue(VenueStays *stays, Ident venue)
{
	return ident_table_entry(stays->table, ident_table_add(stays->table, venue));
}

/* The day's closing time; days count from 2000-01-01. */
static int64
closing_on(const VenueStay *venue, int day)
{
	int64		local = (int64) day * USECS_PER_DAY + venue->closing;
	struct pg_tm tm;
	fsec_t		fraction;
	int			offset;

	if (timestamp2tm(local, NULL, &tm, &fraction, NULL, NULL) != 0)
		return local;			/* beyond all time: any zone will do */
	offset = DetermineTimeZoneOffset(&tm, venue->zone);
	return local + (int64) offset * USECS_PER_SEC;
}

/* Set the venue's two closing times to the last one up to `time`, and the next. */
static void
find_closing_times(VenueStay *venue, int64 time)
{
	struct pg_tm tm;
	fsec_t		fraction;
	const char *zone_name;
	int			offset;
	int			day;

	if (venue->closed <= time && time < venue->next_closing)
		return;
	if (timestamp2tm(time, &offset, &tm, &fraction, &zone_name, venue->zone) == 0)
		day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
	else
		day = (int) (time / USECS_PER_DAY);

	/* 24:00 is a time of day too, and zones have skipped days */
	day -= 2;
	venue->next_closing = closing_on(venue, day);
	do
	{
		venue->closed = venue->next_closing;
		venue->next_closing = closing_on(venue, ++day);
	} while (venue->next_closing <= time);
}

int64
venue_stays_end(VenueStays *stays, Ident ident, int64 start)
{
	VenueStay  *venue = find_venue(stays, ident);
	int64		length = Min(venue->length, stays->log->max_stay);

	int64		end;

	if (venue->length == PG_INT64_MAX && !venue->closes)
		length = stays->log->default_stay;
	if (pg_add_s64_overflow(start, length, &end))
		end = PG_INT64_MAX;
	if (!venue->closes)
		return end;
	find_closing_times(venue, start);
	return Min(end, venue->next_closing);
}

int64
venue_stays_since(VenueStays *stays, Ident ident, int64 time)
{
	VenueStay  *venue = find_venue(stays, ident);
	int64		length = Min(venue->length, stays->log->max_stay);
	int64		since;

	if (venue->length == PG_INT64_MAX && !venue->closes)
		length = stays->log->default_stay;
	if (pg_sub_s64_overflow(time, length - 1, &since))
		return PG_INT64_MIN;
	if (!venue->closes || !IS_VALID_TIMESTAMP(time))
		return since;
	find_closing_times(venue, time);
	return Max(since, venue->closed);
}
