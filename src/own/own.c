/*-------------------------------------------------------------------------
 *
 * own.c
 *	  The extension's own tables, read and written like catalogs
 *
 * They are read with a catalog snapshot, which sees what is committed now, and
 * what this transaction's commands before have done.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "own.h"

Oid
own_relation(const char *name)
{
	Oid			relid = get_relname_relid(name, get_namespace_oid("anshim", false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" of extension anshim does not exist", name),
				 errhint("Drop the extension and create it again.")));
	return relid;
}

Oid
own_relation_if_any(const char *name)
{
	Oid			schema = get_namespace_oid("anshim", true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

void
own_rows_read(const char *table_name, OwnRowReader reader, void *arg)
{
	Oid			relid = own_relation_if_any(table_name);
	Relation	table;
	SysScanDesc scan;
	HeapTuple	row;

	if (!OidIsValid(relid))
		return;
	table = table_open(relid, AccessShareLock);
	scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		reader(table, row, arg);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

void
own_row_write(Relation table, SysScanDesc scan, HeapTuple row)
{
	HeapTuple	old = systable_getnext(scan);

	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(table, &old->t_self, row);
	else
		CatalogTupleInsert(table, row);
	systable_endscan(scan);
	heap_freetuple(row);
	table_close(table, NoLock);
	CommandCounterIncrement();
}
