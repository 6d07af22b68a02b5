/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  Reads and writes the tables in which chains are recorded
 *
 * They are configuration tables of the extension: everybody may read them, and
 * nobody but the functions of this library writes to them.  Both go by the
 * table access methods, not by SQL, so no rights of the current user on them
 * matter: who may change a row is for the callers to decide.
 *
 * Rows are read with the latest snapshot, whatever the isolation level, since
 * they describe tables' definitions, which always are the latest.
 *
 * Locking: writers hold chain_lock() (see event.c) to the end of the
 * transaction, so that two never meet in a row.
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
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "chain/catalog.h"
#include "chain/event.h"
#include "compat.h"
#include "own/own.h"

/* The columns of anshim.chain, in sql/42-chain.sql's order */
enum
{
	CHAIN_ID = 1,
	CHAIN_SCHEMA_NAME,
	CHAIN_TABLE_NAME,
	CHAIN_ORIGIN,
	CHAIN_CREATED_AT,
	CHAIN_ENDED_AT,
	CHAIN_COLUMNS = CHAIN_ENDED_AT
};

/* Those of anshim.chain_partition */
enum
{
	PARTITION_CHAIN = 1,
	PARTITION_SCHEMA_NAME,
	PARTITION_TABLE_NAME,
	PARTITION_COLUMNS = PARTITION_TABLE_NAME
};

/* Those of anshim.layout */
enum
{
	LAYOUT_CHAIN = 1,
	LAYOUT_NUMBER,
	LAYOUT_COLUMN_NAMES,
	LAYOUT_TYPES,
	LAYOUT_ADDED_AT,
	LAYOUT_COLUMNS = LAYOUT_ADDED_AT
};

int32
next_strand_number(void)
{
	return (int32) nextval_internal(own_relation("strand_number"), false);
}

/*
 * anshim.chain
 */

static void
deform_chain(Relation table, HeapTuple tuple, ChainRecord *record)
{
	Datum		values[CHAIN_COLUMNS];
	bool		nulls[CHAIN_COLUMNS];

	heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
	record->id = *DatumGetUUIDP(values[CHAIN_ID - 1]);
	record->schema_name = *DatumGetName(values[CHAIN_SCHEMA_NAME - 1]);
	record->table_name = *DatumGetName(values[CHAIN_TABLE_NAME - 1]);
	record->origin = TextDatumGetCString(values[CHAIN_ORIGIN - 1]);
	record->created_at = DatumGetTimestampTz(values[CHAIN_CREATED_AT - 1]);
	record->ended = !nulls[CHAIN_ENDED_AT - 1];
	record->ended_at = record->ended ? DatumGetTimestampTz(values[CHAIN_ENDED_AT - 1]) : 0;
}

static HeapTuple
form_chain(Relation table, const ChainRecord *record)
{
	Datum		values[CHAIN_COLUMNS] = {0};
	bool		nulls[CHAIN_COLUMNS] = {0};

	values[CHAIN_ID - 1] = UUIDPGetDatum(&record->id);
	values[CHAIN_SCHEMA_NAME - 1] = NameGetDatum(&record->schema_name);
	values[CHAIN_TABLE_NAME - 1] = NameGetDatum(&record->table_name);
	values[CHAIN_ORIGIN - 1] = CStringGetTextDatum(record->origin);
	values[CHAIN_CREATED_AT - 1] = TimestampTzGetDatum(record->created_at);
	values[CHAIN_ENDED_AT - 1] = TimestampTzGetDatum(record->ended_at);
	nulls[CHAIN_ENDED_AT - 1] = !record->ended;
	return heap_form_tuple(RelationGetDescr(table), values, nulls);
}

static SysScanDesc
begin_chain_scan(Relation table, const pg_uuid_t *id)
{
	ScanKeyData key;

	ScanKeyInit(&key, CHAIN_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	return systable_beginscan(table, own_relation("chain_pkey"), true, NULL, 1, &key);
}

bool
chain_record_read(const pg_uuid_t *id, ChainRecord *record)
{
	Relation	table = table_open(own_relation("chain"), AccessShareLock);
	SysScanDesc scan = begin_chain_scan(table, id);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
		deform_chain(table, tuple, record);
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

bool
chain_records_exist(void)
{
	Oid			relid = own_relation_if_any("chain");
	Relation	table;
	SysScanDesc scan;
	bool		found;

	if (!OidIsValid(relid))
		return false;
	table = table_open(relid, AccessShareLock);
	scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

static void
add_record(Relation table, HeapTuple row, void *arg)
{
	List	  **records = arg;
	ChainRecord *record = palloc_object(ChainRecord);

	deform_chain(table, row, record);
	*records = lappend(*records, record);
}

/* There are few enough, hardly more than tables, to look at all. */
static List *
chain_records(void)
{
	List	   *records = NIL;

	own_rows_read("chain", add_record, &records);
	return records;
}

List *
chain_records_living(void)
{
	List	   *records = chain_records();
	ListCell   *lc;

	foreach(lc, records)
		if (((ChainRecord *) lfirst(lc))->ended)
		records = foreach_delete_current(records, lc);
	return records;
}

bool
chain_origin_exists(const char *origin)
{
	ListCell   *lc;

	foreach(lc, chain_records())
		if (strcmp(((ChainRecord *) lfirst(lc))->origin, origin) == 0)
		return true;
	return false;
}

bool
chain_record_find(const char *schema_name, const char *table_name, ChainRecord *record)
{
	List	   *records = chain_records_living();
	ListCell   *lc;

	foreach(lc, records)
	{
		ChainRecord *candidate = lfirst(lc);

		if (strcmp(NameStr(candidate->schema_name), schema_name) == 0 &&
			strcmp(NameStr(candidate->table_name), table_name) == 0)
		{
			*record = *candidate;
			return true;
		}
	}
	return false;
}

void
chain_record_write(const ChainRecord *record)
{
	Relation	table;

	chain_lock(&record->id);
	table = table_open(own_relation("chain"), RowExclusiveLock);
	own_row_write(table, begin_chain_scan(table, &record->id), form_chain(table, record));
}

/*
 * anshim.layout
 */

/* The elements of an array of one dimension, none of them null */
static Datum *
read_array(Datum value, Oid type, int len, bool byval, char align, int *n)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(array, type, len, byval, align, &elements, &nulls, n);
	for (int i = 0; i < *n; i++)
		if (nulls[i])
			return NULL;
	return elements;
}

/*
 * Somebody may have written to the table by hand: what is no layout becomes
 * one that covers nothing, which no row agrees with.
 */
static void
deform_layout(Relation table, HeapTuple tuple, Layout *layout)
{
	Datum		values[LAYOUT_COLUMNS];
	bool		nulls[LAYOUT_COLUMNS];
	Datum	   *names;
	Datum	   *types;
	int			ntypes;

	heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
	layout->number = DatumGetInt32(values[LAYOUT_NUMBER - 1]);
	names = read_array(values[LAYOUT_COLUMN_NAMES - 1], NAMEOID, NAMEDATALEN, false,
					   TYPALIGN_CHAR, &layout->ncolumns);
	types = read_array(values[LAYOUT_TYPES - 1], REGTYPEOID, sizeof(Oid), true,
					   TYPALIGN_INT, &ntypes);
	if (names == NULL || types == NULL || ntypes != layout->ncolumns)
		layout->ncolumns = 0;
	layout->columns = palloc_array(NameData, layout->ncolumns);
	layout->types = palloc_array(Oid, layout->ncolumns);
	for (int i = 0; i < layout->ncolumns; i++)
	{
		layout->columns[i] = *DatumGetName(names[i]);
		layout->types[i] = DatumGetObjectId(types[i]);
	}
}

static HeapTuple
form_layout(Relation table, const pg_uuid_t *chain, const Layout *layout, TimestampTz added_at)
{
	Datum		values[LAYOUT_COLUMNS] = {0};
	bool		nulls[LAYOUT_COLUMNS] = {0};
	Datum	   *names = palloc_array(Datum, layout->ncolumns);
	Datum	   *types = palloc_array(Datum, layout->ncolumns);

	for (int i = 0; i < layout->ncolumns; i++)
	{
		names[i] = NameGetDatum(&layout->columns[i]);
		types[i] = ObjectIdGetDatum(layout->types[i]);
	}
	values[LAYOUT_CHAIN - 1] = UUIDPGetDatum(chain);
	values[LAYOUT_NUMBER - 1] = Int32GetDatum(layout->number);
	values[LAYOUT_COLUMN_NAMES - 1] =
		PointerGetDatum(construct_array(names, layout->ncolumns, NAMEOID, NAMEDATALEN, false,
										TYPALIGN_CHAR));
	values[LAYOUT_TYPES - 1] =
		PointerGetDatum(construct_array(types, layout->ncolumns, REGTYPEOID, sizeof(Oid), true,
										TYPALIGN_INT));
	values[LAYOUT_ADDED_AT - 1] = TimestampTzGetDatum(added_at);
	return heap_form_tuple(RelationGetDescr(table), values, nulls);
}

static void
layout_keys(ScanKeyData keys[2], const pg_uuid_t *chain, int32 number)
{
	ScanKeyInit(&keys[0], LAYOUT_CHAIN, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(chain));
	ScanKeyInit(&keys[1], LAYOUT_NUMBER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
}

Layout *
layouts_read(const pg_uuid_t *chain, int *n)
{
	Relation	table = table_open(own_relation("layout"), AccessShareLock);
	Relation	index = index_open(own_relation("layout_pkey"), AccessShareLock);
	int			size = 4;
	Layout	   *layouts = palloc_array(Layout, size);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	*n = 0;
	layout_keys(keys, chain, 0);
	scan = systable_beginscan_ordered(table, index, NULL, 1, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		if (*n == size)
		{
			size *= 2;
			layouts = repalloc_array(layouts, Layout, size);
		}
		deform_layout(table, tuple, &layouts[(*n)++]);
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return layouts;
}

bool
layout_read_newest(const pg_uuid_t *chain, Layout *layout)
{
	Relation	table = table_open(own_relation("layout"), AccessShareLock);
	Relation	index = index_open(own_relation("layout_pkey"), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	layout_keys(keys, chain, 0);
	scan = systable_beginscan_ordered(table, index, NULL, 1, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	found = HeapTupleIsValid(tuple);
	if (found)
		deform_layout(table, tuple, layout);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return found;
}

void
layout_write(const pg_uuid_t *chain, const Layout *layout)
{
	Relation	table;
	ScanKeyData keys[2];

	chain_lock(chain);
	table = table_open(own_relation("layout"), RowExclusiveLock);
	layout_keys(keys, chain, layout->number);
	own_row_write(table,
				  systable_beginscan(table, own_relation("layout_pkey"), true, NULL, 2, keys),
				  form_layout(table, chain, layout, GetCurrentTimestamp()));
}

const Layout *
layout_of_events(void)
{
	static NameData columns[] = {{"chain"}, {"at"}, {"kind"}, {"actor"}, {"detail"}};
	static Oid	types[] = {UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID};
	static const Layout layout = {EVENT_LAYOUT, lengthof(columns), columns, types};

	return &layout;
}

void
layout_of_table(TupleDesc tupdesc, Layout *layout)
{
	layout->ncolumns = 0;
	layout->columns = palloc_array(NameData, tupdesc->natts);
	layout->types = palloc_array(Oid, tupdesc->natts);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || attribute->attgenerated != '\0' ||
			strcmp(NameStr(attribute->attname), LINK_COLUMN) == 0)
			continue;
		layout->columns[layout->ncolumns] = attribute->attname;
		layout->types[layout->ncolumns++] = attribute->atttypid;
	}
}

/*
 * anshim.chain_partition
 */

static SysScanDesc
begin_partition_scan(Relation table, const PartitionRecord *record, int nkeys)
{
	ScanKeyData keys[PARTITION_COLUMNS];

	ScanKeyInit(&keys[0], PARTITION_CHAIN, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&record->chain));
	ScanKeyInit(&keys[1], PARTITION_SCHEMA_NAME, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(&record->schema_name));
	ScanKeyInit(&keys[2], PARTITION_TABLE_NAME, BTEqualStrategyNumber, F_NAMEEQ,
				NameGetDatum(&record->table_name));
	return systable_beginscan(table, own_relation("chain_partition_pkey"), true, NULL, nkeys,
							  keys);
}

List *
partition_records(const pg_uuid_t *chain)
{
	Relation	table = table_open(own_relation("chain_partition"), AccessShareLock);
	PartitionRecord key = {.chain = *chain};
	SysScanDesc scan = begin_partition_scan(table, &key, 1);
	List	   *records = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		PartitionRecord *record = palloc_object(PartitionRecord);
		Datum		values[PARTITION_COLUMNS];
		bool		nulls[PARTITION_COLUMNS];

		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		record->chain = *chain;
		record->schema_name = *DatumGetName(values[PARTITION_SCHEMA_NAME - 1]);
		record->table_name = *DatumGetName(values[PARTITION_TABLE_NAME - 1]);
		records = lappend(records, record);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return records;
}

bool
partition_record_exists(const PartitionRecord *record)
{
	Relation	table = table_open(own_relation("chain_partition"), AccessShareLock);
	SysScanDesc scan = begin_partition_scan(table, record, PARTITION_COLUMNS);
	bool		found = HeapTupleIsValid(systable_getnext(scan));

	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

void
partition_record_add(const PartitionRecord *record)
{
	Relation	table;
	Datum		values[PARTITION_COLUMNS];
	bool		nulls[PARTITION_COLUMNS] = {0};

	chain_lock(&record->chain);
	table = table_open(own_relation("chain_partition"), RowExclusiveLock);
	values[PARTITION_CHAIN - 1] = UUIDPGetDatum(&record->chain);
	values[PARTITION_SCHEMA_NAME - 1] = NameGetDatum(&record->schema_name);
	values[PARTITION_TABLE_NAME - 1] = NameGetDatum(&record->table_name);
	own_row_write(table, begin_partition_scan(table, record, PARTITION_COLUMNS),
				  heap_form_tuple(RelationGetDescr(table), values, nulls));
}

bool
partition_record_remove(const PartitionRecord *record)
{
	Relation	table;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	chain_lock(&record->chain);
	table = table_open(own_relation("chain_partition"), RowExclusiveLock);
	scan = begin_partition_scan(table, record, PARTITION_COLUMNS);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		CatalogTupleDelete(table, &tuple->t_self);
	systable_endscan(scan);
	table_close(table, NoLock);
	CommandCounterIncrement();
	return found;
}
