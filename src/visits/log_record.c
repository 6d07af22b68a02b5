/*-------------------------------------------------------------------------
 *
 * log_record.c
 *	  Reads and writes the rows of anshim.visit_log
 *
 * The table is a configuration table of the extension: everybody may read it,
 * and nobody but the functions of this library writes to it.  Both go by the
 * table access methods, not by SQL, so no rights of the current user on it
 * matter: who may change a row is for the callers to decide.
 *
 * Rows are read with the latest snapshot, whatever the isolation level, since
 * they describe the table's definition, which always is the latest.
 *
 * Locking: readers take AccessShareLock.  Writers take ShareRowExclusiveLock
 * to the end of the transaction, so that two of them never meet in a row.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "common/int.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "log_record.h"
#include "own/own.h"

/* The columns of anshim.visit_log, in sql/50-visits.sql's order */
enum
{
	COLUMN_SCHEMA_NAME = 1,
	COLUMN_TABLE_NAME,
	COLUMN_SUBJECT,
	COLUMN_VENUE,
	COLUMN_ENTERED_AT,
	COLUMN_LEFT_AT,
	COLUMN_MAX_STAY,
	COLUMN_DEFAULT_STAY,
	COLUMN_VENUES_SCHEMA,
	COLUMN_VENUES_TABLE,
	COLUMN_VENUES_VENUE,
	COLUMN_VENUES_LOCATION,
	COLUMN_VENUES_DEFAULT_STAY,
	COLUMN_VENUES_CLOSES,
	COLUMN_VENUES_TIME_ZONE,
	COLUMN_TIME_ZONE,
	COLUMNS = COLUMN_TIME_ZONE
};

/* How anshim.track_visits()'s arguments default, for log_record_track_call() */
static const LogRecord defaults = {
	.subject = {"subject"},
	.venue = {"venue"},
	.entered_at = {"entered_at"},
	.left_at = {"left_at"},
	.max_stay = 24 * USECS_PER_HOUR,
	.default_stay = USECS_PER_HOUR
};

static SysScanDesc
begin_scan(Relation table, const char *schema_name, const char *table_name,
		   NameData names[2])
{
	ScanKeyData keys[2];

	namestrcpy(&names[0], schema_name);
	namestrcpy(&names[1], table_name);
	ScanKeyInit(&keys[0], COLUMN_SCHEMA_NAME, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(&names[0]));
	ScanKeyInit(&keys[1], COLUMN_TABLE_NAME, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(&names[1]));
	return systable_beginscan(table, own_relation("visit_log_pkey"), true,
							  NULL, 2, keys);
}

/* Somebody may have written to the table by hand: 0 for what is no length. */
static int64
read_length(Datum value)
{
	int64		length;

	return interval_to_length(DatumGetIntervalP(value), &length) ? length : 0;
}

static void
deform_record(Relation table, HeapTuple tuple, LogRecord *record)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
#define COPY_NAME(column, field) \
	record->field = *DatumGetName(values[(column) - 1])
	COPY_NAME(COLUMN_SCHEMA_NAME, schema_name);
	COPY_NAME(COLUMN_TABLE_NAME, table_name);
	COPY_NAME(COLUMN_SUBJECT, subject);
	COPY_NAME(COLUMN_VENUE, venue);
	COPY_NAME(COLUMN_ENTERED_AT, entered_at);
	COPY_NAME(COLUMN_LEFT_AT, left_at);
	record->max_stay = read_length(values[COLUMN_MAX_STAY - 1]);
	record->default_stay = read_length(values[COLUMN_DEFAULT_STAY - 1]);
	record->has_venues = !nulls[COLUMN_VENUES_SCHEMA - 1] &&
		!nulls[COLUMN_VENUES_TABLE - 1] && !nulls[COLUMN_VENUES_VENUE - 1];
	memset(&record->venues, 0, sizeof(VenuesRecord));
	if (record->has_venues)
	{
#define COPY_NAME_IF_ANY(column, field) \
		if (!nulls[(column) - 1]) \
			COPY_NAME(column, field)
		COPY_NAME(COLUMN_VENUES_SCHEMA, venues.schema_name);
		COPY_NAME(COLUMN_VENUES_TABLE, venues.table_name);
		COPY_NAME(COLUMN_VENUES_VENUE, venues.venue);
		COPY_NAME_IF_ANY(COLUMN_VENUES_LOCATION, venues.location);
		COPY_NAME_IF_ANY(COLUMN_VENUES_DEFAULT_STAY, venues.default_stay);
		COPY_NAME_IF_ANY(COLUMN_VENUES_CLOSES, venues.closes);
		COPY_NAME_IF_ANY(COLUMN_VENUES_TIME_ZONE, venues.time_zone);
#undef COPY_NAME_IF_ANY
	}
#undef COPY_NAME
	record->time_zone = nulls[COLUMN_TIME_ZONE - 1] ? NULL :
		TextDatumGetCString(values[COLUMN_TIME_ZONE - 1]);
}

static HeapTuple
form_record(Relation table, const LogRecord *record)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};
	Interval	max_stay = {.time = record->max_stay};
	Interval	default_stay = {.time = record->default_stay};

	values[COLUMN_SCHEMA_NAME - 1] = NameGetDatum(&record->schema_name);
	values[COLUMN_TABLE_NAME - 1] = NameGetDatum(&record->table_name);
	values[COLUMN_SUBJECT - 1] = NameGetDatum(&record->subject);
	values[COLUMN_VENUE - 1] = NameGetDatum(&record->venue);
	values[COLUMN_ENTERED_AT - 1] = NameGetDatum(&record->entered_at);
	values[COLUMN_LEFT_AT - 1] = NameGetDatum(&record->left_at);
	values[COLUMN_MAX_STAY - 1] = IntervalPGetDatum(&max_stay);
	values[COLUMN_DEFAULT_STAY - 1] = IntervalPGetDatum(&default_stay);
	values[COLUMN_VENUES_SCHEMA - 1] = NameGetDatum(&record->venues.schema_name);
	values[COLUMN_VENUES_TABLE - 1] = NameGetDatum(&record->venues.table_name);
	values[COLUMN_VENUES_VENUE - 1] = NameGetDatum(&record->venues.venue);
	values[COLUMN_VENUES_LOCATION - 1] = NameGetDatum(&record->venues.location);
	values[COLUMN_VENUES_DEFAULT_STAY - 1] = NameGetDatum(&record->venues.default_stay);
	values[COLUMN_VENUES_CLOSES - 1] = NameGetDatum(&record->venues.closes);
	values[COLUMN_VENUES_TIME_ZONE - 1] = NameGetDatum(&record->venues.time_zone);
	for (int column = COLUMN_VENUES_SCHEMA; column <= COLUMN_VENUES_TIME_ZONE; column++)
		nulls[column - 1] = !record->has_venues ||
			NameStr(*DatumGetName(values[column - 1]))[0] == '\0';
	if (record->time_zone)
		values[COLUMN_TIME_ZONE - 1] = CStringGetTextDatum(record->time_zone);
	else
		nulls[COLUMN_TIME_ZONE - 1] = true;
	return heap_form_tuple(RelationGetDescr(table), values, nulls);
}

bool
log_record_read(const char *schema_name, const char *table_name, LogRecord *record)
{
	NameData	names[2];
	Relation	table = table_open(own_relation("visit_log"), AccessShareLock);
	SysScanDesc scan = begin_scan(table, schema_name, table_name, names);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
		deform_record(table, tuple, record);
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

bool
log_record_remove(const char *schema_name, const char *table_name)
{
	NameData	names[2];
	Relation	table = table_open(own_relation("visit_log"), ShareRowExclusiveLock);
	SysScanDesc scan = begin_scan(table, schema_name, table_name, names);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
		CatalogTupleDelete(table, &tuple->t_self);
	systable_endscan(scan);
	table_close(table, NoLock);
	CommandCounterIncrement();
	return found;
}

void
log_record_write(const LogRecord *record)
{
	NameData	names[2];
	Relation	table = table_open(own_relation("visit_log"), ShareRowExclusiveLock);
	SysScanDesc scan = begin_scan(table, NameStr(record->schema_name),
								  NameStr(record->table_name), names);

	own_row_write(table, scan, form_record(table, record));
}

static void
add_record(Relation table, HeapTuple row, void *arg)
{
	List	  **records = arg;
	LogRecord  *record = palloc_object(LogRecord);

	deform_record(table, row, record);
	*records = lappend(*records, record);
}

List *
log_records_read(void)
{
	List	   *records = NIL;

	own_rows_read("visit_log", add_record, &records);
	return records;
}

static void
append_argument(StringInfo call, const char *name, const char *value, const char *usual)
{
	if (strcmp(value, usual) != 0)
		appendStringInfo(call, ", %s => %s", name, quote_literal_cstr(value));
}

char *
log_record_track_call(const LogRecord *record)
{
	StringInfoData call;

	initStringInfo(&call);
	appendStringInfo(&call, "SELECT anshim.track_visits(%s",
					 quote_literal_cstr(quote_qualified_identifier(NameStr(record->schema_name),
																   NameStr(record->table_name))));
	append_argument(&call, "subject", NameStr(record->subject), NameStr(defaults.subject));
	append_argument(&call, "venue", NameStr(record->venue), NameStr(defaults.venue));
	append_argument(&call, "entered_at", NameStr(record->entered_at), NameStr(defaults.entered_at));
	append_argument(&call, "left_at", NameStr(record->left_at), NameStr(defaults.left_at));
	append_argument(&call, "max_stay", length_to_string(record->max_stay),
					length_to_string(defaults.max_stay));
	append_argument(&call, "default_stay", length_to_string(record->default_stay),
					length_to_string(defaults.default_stay));
	appendStringInfoString(&call, ");");
	return call.data;
}

char *
length_to_string(int64 length)
{
	int64		seconds = length / USECS_PER_SEC;
	int			fraction = (int) (length % USECS_PER_SEC);
	char	   *string;

	string = psprintf("%02lld:%02d:%02d",
					  (long long) (seconds / SECS_PER_HOUR),
					  (int) (seconds % SECS_PER_HOUR / SECS_PER_MINUTE),
					  (int) (seconds % SECS_PER_MINUTE));
	return fraction == 0 ? string : psprintf("%s.%06d", string, fraction);
}

bool
interval_to_length(const Interval *interval, int64 *length)
{
	return interval->month == 0 &&
		!pg_mul_s64_overflow(interval->day, USECS_PER_DAY, length) &&
		!pg_add_s64_overflow(*length, interval->time, length);
}
