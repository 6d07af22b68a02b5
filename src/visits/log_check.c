/*-------------------------------------------------------------------------
 *
 * log_check.c
 *	  What a table must be to be a visit log: its kind, columns and keys
 *
 * Nothing here writes.  Relations are locked by the callers.
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
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "compat.h"
#include "log_check.h"

char *
relation_sql_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

/* A table, of a kind that holds rows of its own or in partitions */
static void
check_kind(Relation rel)
{
	char		relkind = rel->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE &&
		relkind != RELKIND_VIEW && relkind != RELKIND_MATVIEW &&
		relkind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot be a visit log", RelationGetRelationName(rel)),
				 errdetail_relkind_not_supported(relkind),
				 errhint("Track the table that holds the visits.")));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" cannot be a visit log",
						RelationGetRelationName(rel)),
				 errhint("Use an unlogged table instead.")));
	if (relkind == RELKIND_RELATION && rel->rd_rel->relhassubclass &&
		find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" with inheritance children cannot be a visit log",
						RelationGetRelationName(rel)),
				 errhint("Use a partitioned table instead.")));
}

Relation
log_table_open(Oid relid, LOCKMODE lockmode)
{
	Relation	rel = try_relation_open(relid, lockmode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Name the table of the visits, as in 'visit'::regclass.")));
	check_kind(rel);
	return rel;
}

AttrNumber
column_by_name(Relation rel, const char *name)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return i + 1;
	}
	return InvalidAttrNumber;
}

/*
 * The column that is named in this field of the record, as the argument of
 * track_visits() that has the field's name
 */
#define FIND_COLUMN(rel, record, tracking, field) \
	find_column(rel, record, tracking, #field, offsetof(LogRecord, field))

static AttrNumber
find_column(Relation rel, const LogRecord *record, bool tracking,
			const char *argument, Size field)
{
	const char *name = NameStr(*(const NameData *) ((const char *) record + field));
	AttrNumber	attno = column_by_name(rel, name);
	LogRecord	question = *record;

	if (attno != InvalidAttrNumber)
		return attno;
	namestrcpy((Name) ((char *) &question + field), "...");
	ereport(ERROR,
			(errcode(tracking ? ERRCODE_UNDEFINED_COLUMN :
					 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(rel), name),
			 tracking ? 0 :
			 errdetail("The table was tracked with this column as its %s.", argument),
			 errhint("Say which column it is: %s", log_record_track_call(&question))));
}

static void
check_time_column(Relation rel, AttrNumber attno)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	Oid			type = getBaseType(attribute->atttypid);

	if (type == TIMESTAMPTZOID)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of table \"%s\" must be of type timestamp with time zone",
					NameStr(attribute->attname), RelationGetRelationName(rel)),
			 errdetail("It is of type %s.", format_type_be(attribute->atttypid)),
			 type == TIMESTAMPOID ?
			 errhint("Say in which time zone its times are: ALTER TABLE %s ALTER COLUMN %s TYPE timestamptz USING %s AT TIME ZONE '...';",
					 relation_sql_name(rel), quote_identifier(NameStr(attribute->attname)),
					 quote_identifier(NameStr(attribute->attname))) :
			 errhint("Name another column, or change its type.")));
}

static void
check_not_null(Relation rel, AttrNumber attno)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);

	/* a view's columns never are; its rows without a time do not count */
	if (attribute_not_null(RelationGetDescr(rel), attno) ||
		rel->rd_rel->relkind == RELKIND_VIEW || rel->rd_rel->relkind == RELKIND_MATVIEW ||
		rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("column \"%s\" of visit log \"%s\" must not be nullable",
					NameStr(attribute->attname), RelationGetRelationName(rel)),
			 errhint("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;",
					 relation_sql_name(rel), quote_identifier(NameStr(attribute->attname)))));
}

static void
check_distinct(Relation rel, const LogColumns *columns)
{
	const AttrNumber attnos[] = {columns->subject, columns->venue,
	columns->entered_at, columns->left_at};

	for (int i = 0; i < lengthof(attnos); i++)
		for (int j = 0; j < i; j++)
			if (attnos[i] == attnos[j])
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" of table \"%s\" is named twice",
								NameStr(TupleDescAttr(RelationGetDescr(rel), attnos[i] - 1)->attname),
								RelationGetRelationName(rel)),
						 errhint("Name four different columns as subject, venue, entered_at and left_at.")));
}

void
log_columns_find(Relation rel, const LogRecord *record, bool tracking,
				 LogColumns *columns)
{
	columns->subject = FIND_COLUMN(rel, record, tracking, subject);
	columns->venue = FIND_COLUMN(rel, record, tracking, venue);
	columns->entered_at = FIND_COLUMN(rel, record, tracking, entered_at);
	columns->left_at = FIND_COLUMN(rel, record, tracking, left_at);
	check_distinct(rel, columns);
	check_time_column(rel, columns->entered_at);
	check_time_column(rel, columns->left_at);
	check_not_null(rel, columns->entered_at);
}

/*
 * All rows of a visit have the same subject, venue and entered_at, and must
 * lie in the same leaf table for the engine to join them.
 */
void
log_partition_key_check(Relation rel, const LogColumns *columns)
{
	PartitionKey key = RelationGetPartitionKey(rel);

	for (int i = 0; i < key->partnatts; i++)
	{
		AttrNumber	attno = key->partattrs[i];

		if (attno != InvalidAttrNumber &&
			(attno == columns->subject || attno == columns->venue ||
			 attno == columns->entered_at))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is partitioned by something else than subject, venue and time of entry",
						RelationGetRelationName(rel)),
				 attno == InvalidAttrNumber ?
				 errdetail("Its partition key contains an expression.") :
				 errdetail("Its partition key contains column \"%s\".",
						   NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname)),
				 errhint("The rows of one visit, its check-in and check-outs, have to stay in one partition: partition by those columns alone.")));
	}
}

/*
 * The distributed tables are listed in a catalog of Citus.
 */
bool
log_is_distributed(Relation rel)
{
	Oid			catalog = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	Relation	table;
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	if (!OidIsValid(catalog))
		return false;
	table = table_open(catalog, AccessShareLock);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(rel)));
	scan = systable_beginscan(table, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

bool
log_is_in_sql(Relation rel)
{
	return rel->rd_rel->relkind != RELKIND_RELATION ||
		rel->rd_tableam != GetHeapamTableAmRoutine() || log_is_distributed(rel);
}
