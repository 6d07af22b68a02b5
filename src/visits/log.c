/*-------------------------------------------------------------------------
 *
 * log.c
 *	  Opens a tracked visit log for a trace, having checked all of it
 *
 * Every trace begins here, so this goes by the relation and system caches
 * alone, with no SQL: some ten microseconds and a few for each leaf table.
 *
 * Nothing that was true when the table was tracked is believed: the columns,
 * the CHECK and the indexes are looked up again, in each leaf table that the
 * trace touches.  The table is locked meanwhile, so what is found stays true.
 *
 * The rights that count are those on the table that the user named, as in a
 * query of it; its partitions' own grants and policies do not.
 *
 * Locking: AccessShareLock on the table, on the leaf tables that are opened
 * (see log_parts.c), and on their indexes; all kept to the end of the
 * transaction.
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
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "log_check.h"
#include "servers.h"

static bool
can_select(Oid relid, const LogColumns *columns)
{
	Oid			user = GetUserId();

	return pg_class_aclcheck(relid, user, ACL_SELECT) == ACLCHECK_OK ||
		(pg_attribute_aclcheck(relid, columns->subject, user, ACL_SELECT) == ACLCHECK_OK &&
		 pg_attribute_aclcheck(relid, columns->venue, user, ACL_SELECT) == ACLCHECK_OK &&
		 pg_attribute_aclcheck(relid, columns->entered_at, user, ACL_SELECT) == ACLCHECK_OK &&
		 pg_attribute_aclcheck(relid, columns->left_at, user, ACL_SELECT) == ACLCHECK_OK);
}

/* May the current user read all of the log? */
static void
check_rights(Relation rel, const LogRecord *record, const LogColumns *columns)
{
	if (!can_select(RelationGetRelid(rel), columns))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for visit log \"%s\"", RelationGetRelationName(rel)),
				 errhint("Its owner can allow it: GRANT SELECT (%s, %s, %s, %s) ON %s TO %s;",
						 quote_identifier(NameStr(record->subject)),
						 quote_identifier(NameStr(record->venue)),
						 quote_identifier(NameStr(record->entered_at)),
						 quote_identifier(NameStr(record->left_at)),
						 relation_sql_name(rel),
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of visit log \"%s\" applies to user \"%s\"",
						RelationGetRelationName(rel), GetUserNameFromId(GetUserId(), false)),
				 errdetail("A trace reads the log's indexes, to which policies cannot be applied."),
				 errhint("Let a role with BYPASSRLS trace, perhaps in a SECURITY DEFINER function.")));
}

static void
read_record(Relation rel, LogRecord *record)
{
	if (!log_record_read(get_namespace_name(RelationGetNamespace(rel)),
						 RelationGetRelationName(rel), record))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not tracked as a visit log", RelationGetRelationName(rel)),
				 errhint("Its owner can track it: SELECT anshim.track_visits(%s);",
						 quote_literal_cstr(relation_sql_name(rel)))));
	if (record->default_stay <= 0 || record->max_stay < record->default_stay)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("what is recorded of visit log \"%s\" makes no sense", RelationGetRelationName(rel)),
				 errdetail("Its stays have to be positive lengths of time without months, and default_stay at most max_stay."),
				 errhint("Its owner can mend it: SELECT anshim.track_visits(%s);",
						 quote_literal_cstr(relation_sql_name(rel)))));
}

static void
check_stays_bounded(Relation rel, const LogRecord *record, const LogColumns *columns)
{
	StayCheck	state = stay_check_state(rel, columns, record->max_stay, false);

	if (state == STAY_CHECK_GOOD)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("nothing bounds the stays in visit log \"%s\"", RelationGetRelationName(rel)),
			 state == STAY_CHECK_ABSENT ?
			 errdetail("The table has no CHECK named \"%s\" any more.", STAY_CHECK) :
			 state == STAY_CHECK_NOT_VALID ?
			 errdetail("Its CHECK \"%s\" is not validated.", STAY_CHECK) :
			 errdetail("Its CHECK \"%s\" does not bound stays to %s.", STAY_CHECK,
					   length_to_string(record->max_stay)),
			 errhint("Its owner can mend it: %s", log_record_track_call(record))));
}

static void
check_stays_long_bounded(Relation rel)
{
	if (stay_check_old_enough(rel))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("CHECK \"%s\" of table \"%s\" is too young for this transaction",
					STAY_CHECK, RelationGetRelationName(rel)),
			 errdetail("The transaction may see rows that it was never applied to."),
			 errhint("Try again in a new transaction.")));
}

/*
 * Rows in an index built after a broken chain of updates may be missing to
 * transactions that were already running.
 */
static bool
index_old_enough(Relation index)
{
	return !index->rd_index->indcheckxmin ||
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							  TransactionXmin);
}

static void
demand_index(Relation rel, const LogIndex *index, const LogRecord *record,
			 const char *first, const char *third, bool too_young)
{
	if (index->rel)
		return;
	if (too_young)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index of visit log \"%s\" is too young for this transaction",
						RelationGetRelationName(rel)),
				 errdetail("Its index on (%s, %s, %s) may lack rows that this transaction can see.",
						   first, NameStr(record->entered_at), third),
				 errhint("Try again in a new transaction, once those older than the index have ended.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("visit log \"%s\" has no usable index on (%s, %s, %s) with %s",
					RelationGetRelationName(rel), first, NameStr(record->entered_at),
					third, NameStr(record->left_at)),
			 errdetail("It has to be a valid B-tree in the columns' default order, and neither partial nor an index of expressions."),
			 errhint("The log's owner can mend it: %s", log_record_track_call(record))));
}

/*
 * Find and open the leaf table's indexes.  That for long stays must leave no
 * visit out that lasts longer than it says: one that is not checked out lasts
 * default_stay.
 */
static void
open_indexes(LogPart *part, const LogRecord *record, const LogColumns *columns)
{
	IndexPattern pattern;
	List	   *oids = RelationGetIndexList(part->heap);
	bool		young_by_subject = false;
	bool		young_by_venue = false;
	ListCell   *lc;

	index_pattern_init(&pattern, part->heap, columns);
	part->long_stay = record->max_stay;
	foreach(lc, oids)
	{
		LogIndex	index = {.rel = index_open(lfirst_oid(lc), AccessShareLock)};
		LogIndex   *place = NULL;
		bool		young = !index_old_enough(index.rel);
		int64		long_stay;

		switch (index_shape(index.rel, &pattern, &index.left_attno, &long_stay))
		{
			case INDEX_OTHER:
				break;
			case INDEX_BY_SUBJECT:
				place = &part->by_subject;
				young_by_subject |= young;
				break;
			case INDEX_BY_VENUE:
				place = &part->by_venue;
				young_by_venue |= young;
				break;
			case INDEX_LONG_STAYS:
				if (young || long_stay < record->default_stay || long_stay >= part->long_stay)
					break;
				if (part->by_venue_long.rel)
					index_close(part->by_venue_long.rel, NoLock);
				part->by_venue_long = index;
				part->long_stay = long_stay;
				continue;
		}
		if (place && !place->rel && !young)
			*place = index;
		else
			index_close(index.rel, NoLock);
	}
	list_free(oids);
	demand_index(part->heap, &part->by_subject, record, NameStr(record->subject),
				 NameStr(record->venue), young_by_subject);
	demand_index(part->heap, &part->by_venue, record, NameStr(record->venue),
				 NameStr(record->subject), young_by_venue);
}

/*
 * The WAL brings no rows of unlogged tables to a standby, not even files.
 */
static void
check_replicated(Relation rel)
{
	if (!RelationIsPermanent(rel) && RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot trace unlogged table \"%s\" during recovery",
						RelationGetRelationName(rel)),
				 errdetail("Rows of unlogged tables are on the primary alone."),
				 errhint("Trace on the primary, or let the table's owner make it a logged one: ALTER TABLE %s SET LOGGED;",
						 relation_sql_name(rel))));
}

/*
 * What reads a log by its name meets its policies, never its partitions'.  A
 * statement that names a partition would meet these.
 */
static void
check_policies_of_part(Relation part)
{
	if (check_enable_rls(RelationGetRelid(part), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of partition \"%s\" applies to user \"%s\"",
						RelationGetRelationName(part), GetUserNameFromId(GetUserId(), false)),
				 errdetail("The partition is asked in SQL, where its own policies would hide rows that the log shows."),
				 errhint("Let a role with BYPASSRLS trace, perhaps in a SECURITY DEFINER function, or let the partition's owner leave policies to the log: ALTER TABLE %s DISABLE ROW LEVEL SECURITY;",
						 relation_sql_name(part))));
}

static void
open_part(LogPart *part, const LogRecord *record)
{
	LogColumns	columns;

	log_columns_find(part->heap, record, false, &columns);
	if (part->in_sql)
	{
		check_policies_of_part(part->heap);
		return;
	}
	check_replicated(part->heap);
	/* A partition's CHECK is its parent's, so only its age is its own. */
	check_stays_long_bounded(part->heap);
	open_indexes(part, record, &columns);
}

static void
init_key_type(IdentType *type, Relation rel, AttrNumber attno)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);

	ident_type_init(type, ident_base_type(attribute->atttypid), attribute->attcollation);
}

static void
resolve_venues(VisitLog *log, const LogRecord *record)
{
	Oid			schema;

	if (!record->has_venues)
		return;
	log->has_venues = true;
	log->venues_names = record->venues;
	schema = get_namespace_oid(NameStr(record->venues.schema_name), true);
	if (OidIsValid(schema))
		log->venues = get_relname_relid(NameStr(record->venues.table_name), schema);
}

VisitLog *
visit_log_open(Oid relid, int64 from, int64 to, bool skip_unreachable)
{
	VisitLog   *log = palloc0_object(VisitLog);
	Relation	rel = log_table_open(relid, AccessShareLock);
	LogRecord	record;
	LogColumns	columns;
	List	   *parts;
	int			in_sql = 0;
	ListCell   *lc;

	read_record(rel, &record);
	log_columns_find(rel, &record, false, &columns);
	check_rights(rel, &record, &columns);
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE || !log_is_in_sql(rel))
		check_stays_bounded(rel, &record, &columns);

	log->relid = relid;
	log->subject_column = record.subject;
	log->venue_column = record.venue;
	log->entered_at_column = record.entered_at;
	log->left_at_column = record.left_at;
	init_key_type(&log->subject, rel, columns.subject);
	init_key_type(&log->venue, rel, columns.venue);
	log->max_stay = record.max_stay;
	log->default_stay = record.default_stay;
	resolve_venues(log, &record);

	/* Visits that began before `from` may still be under way then. */
	if (pg_sub_s64_overflow(from, record.max_stay, &from))
		from = PG_INT64_MIN;
	parts = log_parts_open(rel, &record, from, to);
	if (skip_unreachable)
		parts = without_unreachable(parts, RelationGetRelationName(rel));
	log->parts = palloc0_array(LogPart, Max(list_length(parts), 1));
	log->nparts = list_length(parts);
	foreach(lc, parts)
	{
		LogPart    *part = lfirst(lc);

		open_part(part, &record);
		if (!part->in_sql)
			log->parts[log->nlocal++] = *part;
		else
			log->parts[log->nparts - ++in_sql] = *part;
	}
	list_free_deep(parts);
	relation_close(rel, NoLock);
	return log;
}

static void
close_index(LogIndex *index)
{
	if (index->rel)
		index_close(index->rel, NoLock);
}

void
visit_log_close(VisitLog *log)
{
	for (int i = 0; i < log->nparts; i++)
	{
		close_index(&log->parts[i].by_subject);
		close_index(&log->parts[i].by_venue);
		close_index(&log->parts[i].by_venue_long);
		table_close(log->parts[i].heap, NoLock);
	}
	pfree(log->parts);
	pfree(log);
}
