/*-------------------------------------------------------------------------
 *
 * target.c
 *	  What a table must be to be chained: its kind, its columns, its partitions
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
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "chain/catalog.h"
#include "chain/image.h"
#include "chain/position.h"
#include "chain/target.h"
#include "compat.h"
#include "own/own.h"

char *
table_sql_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

Oid
target_of(Oid relid)
{
	return get_rel_relispartition(relid) ? llast_oid(get_partition_ancestors(relid)) : relid;
}

/*
 * The table
 */

static void
check_owner_is_a_user(Relation rel)
{
	if (RelationGetRelid(rel) >= FirstNormalObjectId &&
		RelationGetNamespace(rel) != get_rel_namespace(own_relation("chain")))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("table \"%s\" cannot be chained", RelationGetRelationName(rel)),
			 errdetail("It is a table of PostgreSQL's, or of the extension's, own."),
			 errhint("Chain a table of your own.")));
}

static void
check_lasting(Relation rel)
{
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT)
		return;
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary table \"%s\" cannot be chained", RelationGetRelationName(rel)),
				 errhint("Chain a table that lasts.")));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("unlogged table \"%s\" cannot be chained", RelationGetRelationName(rel)),
			 errdetail("It would be empty after a crash, as if somebody had removed its rows."),
			 errhint("ALTER TABLE %s SET LOGGED;", table_sql_name(rel))));
}

static void
check_inheritance(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("partition \"%s\" cannot be chained by itself",
						RelationGetRelationName(rel)),
				 errhint("Chain the table that it is a partition of, or detach it first.")));
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return;
	if (has_superclass(relid) || find_inheritance_children(relid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" with inheritance cannot be chained",
						RelationGetRelationName(rel)),
				 errhint("Use a partitioned table instead.")));
}

/* The type's columns are changed without this table's being named. */
static void
check_not_typed(Relation rel)
{
	if (OidIsValid(rel->rd_rel->reloftype))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("typed table \"%s\" cannot be chained", RelationGetRelationName(rel)),
				 errhint("ALTER TABLE %s NOT OF;", table_sql_name(rel))));
}

void
target_check(Relation rel)
{
	check_owner_is_a_user(rel);
	check_inheritance(rel);
	check_not_typed(rel);
	if (rel->rd_rel->relkind == RELKIND_RELATION)
		target_check_leaf(rel);
}

void
target_check_leaf(Relation leaf)
{
	if (leaf->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign table \"%s\" cannot be chained", RelationGetRelationName(leaf)),
				 errdetail("Its rows are changed by others, whom no trigger here stops."),
				 errhint("Chain the table on the server that holds it, or detach it.")));
	check_lasting(leaf);
	if (leaf->rd_tableam != GetHeapamTableAmRoutine())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot be chained", RelationGetRelationName(leaf)),
				 errdetail("It does not use the heap access method."),
				 errhint("Copy its rows into a table made with USING heap.")));
}

/*
 * Others
 */

static bool
is_chained(Oid relid)
{
	ChainRecord record;

	return chain_record_find(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid),
							 &record);
}

static void
check_parents(Oid relid)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;

		if (is_chained(parent))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("no table can inherit from chained table \"%s\"",
							get_rel_name(parent)),
					 errdetail("Queries of that would show its rows, which have no links."),
					 errhint("Use a partitioned table instead, or a view.")));
	}
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
}

static void
check_partitions(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		if (lfirst_oid(lc) != relid && is_chained(lfirst_oid(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("chained table \"%s\" cannot become a partition",
							get_rel_name(lfirst_oid(lc))),
					 errhint("End its chain with anshim.unchain() first, then chain the partitioned table.")));
	}
}

void
target_check_relatives(Oid relid)
{
	check_parents(relid);
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		check_partitions(relid);
}

/*
 * Its columns
 */

static void
check_link_column(Relation rel, Form_pg_attribute attribute)
{
	if (attribute->atttypid == link_type() && attribute->attgenerated == '\0')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_COLUMN),
			 errmsg("table \"%s\" has another column \"%s\" already",
					RelationGetRelationName(rel), LINK_COLUMN),
			 errdetail("That name is needed for the rows' links."),
			 errhint("ALTER TABLE %s RENAME COLUMN %s TO ...;", table_sql_name(rel), LINK_COLUMN)));
}

static void
check_column(Relation rel, Form_pg_attribute attribute)
{
	const char *reason;

	if (strcmp(NameStr(attribute->attname), LINK_COLUMN) == 0)
	{
		check_link_column(rel, attribute);
		return;
	}
	if (attribute->attgenerated != '\0' || image_type_stable(attribute->atttypid, &reason))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of table \"%s\" cannot be chained",
					NameStr(attribute->attname), RelationGetRelationName(rel)),
			 errdetail("Type %s %s.", format_type_be(attribute->atttypid), reason),
			 errhint("Use a column of another type, such as text or jsonb.")));
}

void
target_check_columns(Relation rel)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped)
			check_column(rel, attribute);
	}
}

static Form_pg_attribute
find_column(TupleDesc tupdesc, const NameData *name)
{
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && attribute->attgenerated == '\0' &&
			strcmp(NameStr(attribute->attname), NameStr(*name)) == 0)
			return attribute;
	}
	return NULL;
}

void
target_check_layout(Relation rel, const Layout *layout)
{
	for (int i = 0; i < layout->ncolumns; i++)
	{
		const NameData *name = &layout->columns[i];
		Form_pg_attribute attribute = find_column(RelationGetDescr(rel), name);

		if (attribute == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("chained table \"%s\" must keep its column \"%s\"",
							RelationGetRelationName(rel), NameStr(*name)),
					 errdetail("The links of rows cover what is stored in it."),
					 errhint("Leave the column, empty in new rows; or end the chain with anshim.unchain().")));
		if (!image_types_agree(layout->types[i], attribute->atttypid))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of chained table \"%s\" must keep its type",
							NameStr(*name), RelationGetRelationName(rel)),
					 errdetail("The links of rows cover what is stored in it, as type %s.",
							   format_type_be(layout->types[i])),
					 errhint("Add a column of the other type; or end the chain with anshim.unchain().")));
	}
}
