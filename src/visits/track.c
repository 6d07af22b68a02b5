/*-------------------------------------------------------------------------
 *
 * track.c
 *	  track_visits(), untrack_visits() and track_venues()
 *
 * track_visits() looks what a table lacks to be a visit log (log_check.h),
 * adds that in plain SQL as the table's owner, and records the rest as a row
 * of anshim.visit_log.  The functions of this file run with search_path set to
 * pg_catalog, pg_temp; see sql/50-visits.sql.
 *
 * Locking: ShareUpdateExclusiveLock on the table to the end of the
 * transaction, so that two calls for one table wait for each other, and what
 * ALTER TABLE and CREATE INDEX take where they are needed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "ddl/owner.h"
#include "log_check.h"
#include "track.h"

/* The statements that make a visit log of a table */
typedef struct Repair
{
	List	   *statements;		/* of char * */
	char	   *violations;		/* SQL that finds rows which break the CHECK */
} Repair;

/*
 * Arguments
 */

void
non_null_argument(FunctionCallInfo fcinfo, int number, const char *name, const char *hint)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 errhint("%s", hint)));
}

Name
name_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	non_null_argument(fcinfo, number, name, "Leave the argument out to get its default.");
	return PG_GETARG_NAME(number);
}

int64
length_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	Interval   *interval;
	int64		length;

	non_null_argument(fcinfo, number, name, "Leave the argument out to get its default.");
	interval = PG_GETARG_INTERVAL_P(number);
	if (interval->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a length of time without months", name),
				 errdetail("A month has no fixed length; a day counts as 24 hours."),
				 errhint("Use an interval such as '24 hours'.")));
	if (!interval_to_length(interval, &length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW),
				 errmsg("%s is out of range", name),
				 errhint("Use an interval such as '24 hours'.")));
	if (length <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be positive", name),
				 errhint("Use an interval such as '24 hours'.")));
	return length;
}

Oid
relation_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	non_null_argument(fcinfo, number, name, "Name a table.");
	return PG_GETARG_OID(number);
}

/*
 * The table that a user wants to change the tracking of, open and locked.
 */
Relation
owned_table_open(Oid relid, const char *command)
{
	Relation	rel;

	require_writable(command);
	rel = log_table_open(relid, AccessShareLock);
	require_owner(rel);
	relation_close(rel, NoLock);
	return log_table_open(relid, ShareUpdateExclusiveLock);
}

static void
plan_statement(Repair *repair, char *statement)
{
	repair->statements = lappend(repair->statements, statement);
}

/*
 * The CHECK
 */

/* Is there a CHECK of our name that is the table's own, inherited or not? */
static bool
has_local_stay_check(Oid relid)
{
	Oid			oid = get_relation_constraint_oid(relid, STAY_CHECK, true);
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	Form_pg_constraint constraint;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	constraint = (Form_pg_constraint) GETSTRUCT(tuple);
	found = constraint->contype == CONSTRAINT_CHECK && constraint->conislocal;
	ReleaseSysCache(tuple);
	return found;
}

/*
 * A partition that was attached, not created, keeps its own CHECK when the
 * parent's goes.  Another bound than the new one would be in its way.
 */
static void
plan_leftover_checks(Repair *repair, Relation rel, const LogRecord *record)
{
	List	   *relids = find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL);
	ListCell   *lc;

	foreach(lc, relids)
	{
		Relation	part;
		LogColumns	columns;

		if (lfirst_oid(lc) == RelationGetRelid(rel) || !has_local_stay_check(lfirst_oid(lc)))
			continue;
		part = relation_open(lfirst_oid(lc), NoLock);
		log_columns_find(part, record, true, &columns);
		if (stay_check_state(part, &columns, record->max_stay, true) != STAY_CHECK_GOOD)
			plan_statement(repair, psprintf("ALTER TABLE %s DROP CONSTRAINT " STAY_CHECK,
											relation_sql_name(part)));
		relation_close(part, NoLock);
	}
}

static void
check_name_is_free(Relation rel)
{
	if (OidIsValid(get_relation_constraint_oid(RelationGetRelid(rel), STAY_CHECK, true)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" of table \"%s\" is no CHECK",
						STAY_CHECK, RelationGetRelationName(rel)),
				 errdetail("The CHECK that bounds stays has to have this name."),
				 errhint("ALTER TABLE %s RENAME CONSTRAINT %s TO ...;",
						 relation_sql_name(rel), STAY_CHECK)));
}

static void
plan_stay_check(Repair *repair, Relation rel, const LogRecord *record,
				const LogColumns *columns)
{
	const char *table = relation_sql_name(rel);
	const char *bound = stay_check_sql(record);

	repair->violations = psprintf("SELECT * FROM %s WHERE NOT (%s);", table, bound);
	switch (stay_check_state(rel, columns, record->max_stay, true))
	{
		case STAY_CHECK_GOOD:
			return;
		case STAY_CHECK_NOT_VALID:
			plan_statement(repair, psprintf("ALTER TABLE %s VALIDATE CONSTRAINT " STAY_CHECK, table));
			return;
		case STAY_CHECK_DIFFERENT:
			plan_statement(repair, psprintf("ALTER TABLE %s DROP CONSTRAINT " STAY_CHECK, table));
			break;
		case STAY_CHECK_ABSENT:
			check_name_is_free(rel);
			break;
	}
	plan_leftover_checks(repair, rel, record);
	plan_statement(repair, psprintf("ALTER TABLE %s ADD CONSTRAINT " STAY_CHECK " CHECK (%s)",
									table, bound));
}

/*
 * The indexes
 */

/*
 * What the index for long stays leaves to the main one.  A stay of unknown
 * length counts as default_stay and is not in the index, so it must not be
 * shorter.  An eighth of the longest is where, in logs whose stays have a
 * heavy tail, few visits remain.
 */
static int64
long_stay_wanted(const LogRecord *record)
{
	return Max(record->default_stay, record->max_stay / 8);
}

static bool
long_stay_useful(const LogRecord *record, int64 long_stay)
{
	return long_stay >= record->default_stay && long_stay < record->max_stay;
}

static char *
new_index_name(Relation rel, const char *label)
{
	return ChooseRelationName(RelationGetRelationName(rel), NULL, label,
							  RelationGetNamespace(rel), false);
}

static void
plan_index(Repair *repair, Relation rel, const LogRecord *record,
		   const char *name, const char *first, const char *third, const char *where)
{
	plan_statement(repair,
				   psprintf("CREATE INDEX %s ON %s USING btree (%s, %s, %s) INCLUDE (%s)%s",
							quote_identifier(name), relation_sql_name(rel),
							quote_identifier(first),
							quote_identifier(NameStr(record->entered_at)),
							quote_identifier(third),
							quote_identifier(NameStr(record->left_at)), where));
}

/* An index for stays of another length than is of use now: ours, by its form */
static void
plan_index_drop(Repair *repair, Relation index)
{
	plan_statement(repair, psprintf("DROP INDEX %s", relation_sql_name(index)));
}

static void
plan_indexes(Repair *repair, Relation rel, const LogRecord *record,
			 const LogColumns *columns)
{
	IndexPattern pattern;
	bool		found[INDEX_LONG_STAYS + 1] = {0};
	char	   *freed_name = NULL;
	List	   *oids = RelationGetIndexList(rel);
	ListCell   *lc;

	index_pattern_init(&pattern, rel, columns);
	foreach(lc, oids)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		AttrNumber	left_attno;
		int64		long_stay;
		IndexShape	shape = index_shape(index, &pattern, &left_attno, &long_stay);

		if (shape == INDEX_LONG_STAYS && !long_stay_useful(record, long_stay))
		{
			plan_index_drop(repair, index);
			freed_name = pstrdup(RelationGetRelationName(index));
		}
		else
			found[shape] = true;
		index_close(index, AccessShareLock);
	}
	if (!found[INDEX_BY_VENUE])
		plan_index(repair, rel, record, new_index_name(rel, "by_venue"), NameStr(record->venue),
				   NameStr(record->subject), "");
	if (!found[INDEX_BY_SUBJECT])
		plan_index(repair, rel, record, new_index_name(rel, "by_subject"), NameStr(record->subject),
				   NameStr(record->venue), "");
	if (!found[INDEX_LONG_STAYS] && long_stay_useful(record, long_stay_wanted(record)))
		plan_index(repair, rel, record, freed_name ? freed_name : new_index_name(rel, "long_stays"),
				   NameStr(record->venue), NameStr(record->subject),
				   psprintf(" WHERE %s - %s > interval '%s'",
							quote_identifier(NameStr(record->left_at)),
							quote_identifier(NameStr(record->entered_at)),
							length_to_string(long_stay_wanted(record))));
}

/*
 * track_visits()
 */

/* A partition may be a log of its own; its parent's rules are its own too. */
static void
check_no_child(Relation rel)
{
	if (!rel->rd_rel->relispartition && has_superclass(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("inheritance child \"%s\" cannot be a visit log",
						RelationGetRelationName(rel)),
				 errhint("Use a partitioned table instead, or ALTER TABLE %s NO INHERIT its parents.",
						 relation_sql_name(rel))));
}

/* Subject and venue must have an order that the engine can work with. */
static void
check_keys(Relation rel, const LogColumns *columns)
{
	IdentType	type;
	Form_pg_attribute subject = TupleDescAttr(RelationGetDescr(rel), columns->subject - 1);
	Form_pg_attribute venue = TupleDescAttr(RelationGetDescr(rel), columns->venue - 1);

	ident_type_init(&type, ident_base_type(subject->atttypid), subject->attcollation);
	ident_type_init(&type, ident_base_type(venue->atttypid), venue->attcollation);
}

/* All partitions, too, must be such that the engine can read them. */
static void
check_parts(Relation rel, const LogRecord *record)
{
	List	   *parts = log_parts_open(rel, record, PG_INT64_MIN, PG_INT64_MAX);
	ListCell   *lc;

	foreach(lc, parts)
		relation_close(((LogPart *) lfirst(lc))->heap, NoLock);
	list_free_deep(parts);
}

/* Tells the owner which rows stand in the way of the CHECK. */
static void
repair_error_callback(void *arg)
{
	Repair	   *repair = arg;

	if (geterrcode() == ERRCODE_CHECK_VIOLATION)
		errhint("Mend the rows that this finds, or raise max_stay: %s", repair->violations);
}

static void
run_repair(Repair *repair)
{
	ErrorContextCallback context = {
		.callback = repair_error_callback,
		.arg = repair
	};
	ListCell   *lc;

	if (repair->statements == NIL)
		return;
	context.previous = error_context_stack;
	error_context_stack = &context;
	SPI_connect();
	foreach(lc, repair->statements)
	{
		if (SPI_execute(lfirst(lc), false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "statement was not run: %s", (char *) lfirst(lc));
	}
	SPI_finish();
	error_context_stack = context.previous;
}

/*
 * A view or a foreign table can have neither a CHECK that is enforced nor
 * indexes.  A partitioned table has both, in its local partitions at least;
 * but one with foreign partitions takes no more indexes, so its local ones get
 * theirs one by one.
 */
static void
plan_repair(Repair *repair, Relation rel, const LogRecord *record, const LogColumns *columns)
{
	List	   *parts;
	ListCell   *lc;
	bool		foreign = false;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		if (!log_is_in_sql(rel))
		{
			plan_stay_check(repair, rel, record, columns);
			plan_indexes(repair, rel, record, columns);
		}
		return;
	}
	plan_stay_check(repair, rel, record, columns);
	parts = log_parts_open(rel, record, PG_INT64_MIN, PG_INT64_MAX);
	foreach(lc, parts)
		foreign |= ((LogPart *) lfirst(lc))->heap->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	if (!foreign)
		plan_indexes(repair, rel, record, columns);
	foreach(lc, parts)
	{
		LogPart    *part = lfirst(lc);

		if (foreign && !part->in_sql)
		{
			LogColumns	part_columns;

			log_columns_find(part->heap, record, true, &part_columns);
			plan_indexes(repair, part->heap, record, &part_columns);
		}
		relation_close(part->heap, NoLock);
	}
	list_free_deep(parts);
}

void
track_table(Relation rel, LogRecord *record)
{
	Repair		repair = {0};
	LogRecord	old;
	LogColumns	columns;

	namestrcpy(&record->schema_name, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&record->table_name, RelationGetRelationName(rel));
	check_no_child(rel);
	log_columns_find(rel, record, true, &columns);
	check_keys(rel, &columns);
	check_parts(rel, record);
	plan_repair(&repair, rel, record, &columns);

	/* ALTER TABLE will not work on a table that somebody has open. */
	relation_close(rel, NoLock);
	run_repair(&repair);

	/* What the other functions recorded stays. */
	if (log_record_read(NameStr(record->schema_name), NameStr(record->table_name), &old))
	{
		record->has_venues = old.has_venues;
		record->venues = old.venues;
		if (record->time_zone == NULL)
			record->time_zone = old.time_zone;
	}
	log_record_write(record);
}

void
check_stays(int64 max_stay, int64 default_stay)
{
	if (default_stay > max_stay)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("default_stay must not exceed max_stay"),
				 errdetail("A visit without a check-out would last %s, but none may last longer than %s.",
						   length_to_string(default_stay), length_to_string(max_stay)),
				 errhint("Raise max_stay or lower default_stay.")));
}

PG_FUNCTION_INFO_V1(anshim_track_visits);
Datum
anshim_track_visits(PG_FUNCTION_ARGS)
{
	Oid			relid = relation_argument(fcinfo, 0, "visits");
	LogRecord	record = {0};

	record.subject = *name_argument(fcinfo, 1, "subject");
	record.venue = *name_argument(fcinfo, 2, "venue");
	record.entered_at = *name_argument(fcinfo, 3, "entered_at");
	record.left_at = *name_argument(fcinfo, 4, "left_at");
	record.max_stay = length_argument(fcinfo, 5, "max_stay");
	record.default_stay = length_argument(fcinfo, 6, "default_stay");
	check_stays(record.max_stay, record.default_stay);

	track_table(owned_table_open(relid, "anshim.track_visits()"), &record);
	PG_RETURN_VOID();
}

static void
find_record(Relation rel, LogRecord *record, const char *hint)
{
	namestrcpy(&record->schema_name, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&record->table_name, RelationGetRelationName(rel));
	if (!log_record_read(NameStr(record->schema_name), NameStr(record->table_name), record))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not tracked as a visit log",
						RelationGetRelationName(rel)),
				 errhint("%s", hint)));
}

void
tracked_record(Relation rel, LogRecord *record)
{
	find_record(rel, record,
				psprintf("Track it first: SELECT anshim.track_visits(%s);",
						 quote_literal_cstr(relation_sql_name(rel))));
}

PG_FUNCTION_INFO_V1(anshim_untrack_visits);
Datum
anshim_untrack_visits(PG_FUNCTION_ARGS)
{
	Oid			relid = relation_argument(fcinfo, 0, "visits");
	Relation	rel = owned_table_open(relid, "anshim.untrack_visits()");
	LogRecord	record = {0};

	find_record(rel, &record,
				"SELECT schema_name, table_name FROM anshim.visit_log; shows those that are.");
	log_record_remove(NameStr(record.schema_name), NameStr(record.table_name));
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}
