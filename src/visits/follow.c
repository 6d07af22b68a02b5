/*-------------------------------------------------------------------------
 *
 * follow.c
 *	  Event triggers that keep anshim.visit_log in step with the tables
 *
 * Visit logs are recorded by name.  When a table that is recorded is dropped,
 * its row goes; when it, its schema or a recorded column is renamed, or it is
 * moved to another schema, its row follows.  That happens in the command's own
 * transaction, and is undone with it.
 *
 * These run after other people's commands, so they are quick where nothing is
 * tracked, and never raise an error of their own.  Where they did not run
 * (session_replication_role, event_triggers), a row may be left behind: it is
 * overwritten when its name is tracked again, and harmless until then, as
 * every trace checks what it finds.
 *
 * Locking: anshim.visit_log is locked against other writers only if a row of
 * it changes.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "ddl/command.h"
#include "log_record.h"

/* A relation's name, or what it was */
typedef struct RelationName
{
	const char *schema;
	const char *name;
} RelationName;

static bool
is_log(const LogRecord *record, RelationName table)
{
	return strcmp(NameStr(record->schema_name), table.schema) == 0 &&
		strcmp(NameStr(record->table_name), table.name) == 0;
}

static bool
is_venues(const LogRecord *record, RelationName table)
{
	return record->has_venues &&
		strcmp(NameStr(record->venues.schema_name), table.schema) == 0 &&
		strcmp(NameStr(record->venues.table_name), table.name) == 0;
}

/*
 * Dropped tables
 */

static bool
was_dropped(RelationName name)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		const char *schema = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		const char *table = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);

		if (schema && table && strcmp(schema, name.schema) == 0 && strcmp(table, name.name) == 0)
			return true;
	}
	return false;
}

PG_FUNCTION_INFO_V1(anshim_forget_dropped);
Datum
anshim_forget_dropped(PG_FUNCTION_ARGS)
{
	List	   *records;
	ListCell   *lc;

	(void) command_event(fcinfo);
	records = log_records_read();
	if (records == NIL)
		PG_RETURN_NULL();

	SPI_connect();
	SPI_execute("SELECT schema_name, object_name "
				"FROM pg_catalog.pg_event_trigger_dropped_objects() "
				"WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass "
				"AND objsubid OPERATOR(pg_catalog.=) 0", false, 0);
	foreach(lc, records)
	{
		LogRecord  *record = lfirst(lc);
		RelationName log = {NameStr(record->schema_name), NameStr(record->table_name)};
		RelationName venues = {NameStr(record->venues.schema_name), NameStr(record->venues.table_name)};

		if (was_dropped(log))
			(void) log_record_remove(log.schema, log.name);
		else if (record->has_venues && was_dropped(venues))
		{
			record->has_venues = false;
			log_record_write(record);
		}
	}
	SPI_finish();
	PG_RETURN_NULL();
}

/*
 * Renamed tables, columns and schemas
 */

/* Write the record under its new name, and remove what has the old one. */
static void
replace_record(const LogRecord *record, const NameData *old_schema, const NameData *old_table)
{
	if (strcmp(NameStr(record->schema_name), NameStr(*old_schema)) != 0 ||
		strcmp(NameStr(record->table_name), NameStr(*old_table)) != 0)
		(void) log_record_remove(NameStr(*old_schema), NameStr(*old_table));
	log_record_write(record);
}

static void
follow_relation(RelationName old, RelationName new)
{
	List	   *records = log_records_read();
	ListCell   *lc;

	foreach(lc, records)
	{
		LogRecord  *record = lfirst(lc);
		NameData	old_schema = record->schema_name;
		NameData	old_table = record->table_name;
		bool		log = is_log(record, old);
		bool		venues = is_venues(record, old);

		if (log)
		{
			namestrcpy(&record->schema_name, new.schema);
			namestrcpy(&record->table_name, new.name);
		}
		if (venues)
		{
			namestrcpy(&record->venues.schema_name, new.schema);
			namestrcpy(&record->venues.table_name, new.name);
		}
		if (log || venues)
			replace_record(record, &old_schema, &old_table);
	}
}

static void
follow_schema(const char *old, const char *new)
{
	List	   *records = log_records_read();
	ListCell   *lc;

	foreach(lc, records)
	{
		LogRecord  *record = lfirst(lc);
		NameData	old_schema = record->schema_name;
		bool		log = strcmp(NameStr(record->schema_name), old) == 0;
		bool		venues = record->has_venues &&
			strcmp(NameStr(record->venues.schema_name), old) == 0;

		if (log)
			namestrcpy(&record->schema_name, new);
		if (venues)
			namestrcpy(&record->venues.schema_name, new);
		if (log || venues)
			replace_record(record, &old_schema, &record->table_name);
	}
}

static bool
rename_name(NameData *name, const char *old, const char *new)
{
	if (strcmp(NameStr(*name), old) != 0)
		return false;
	namestrcpy(name, new);
	return true;
}

/* One column may serve as several. */
static bool
rename_venues_column(VenuesRecord *venues, const char *old, const char *new)
{
	NameData   *columns[] = {&venues->venue, &venues->location, &venues->default_stay,
	&venues->closes, &venues->time_zone};
	bool		changed = false;

	for (int i = 0; i < lengthof(columns); i++)
		changed |= rename_name(columns[i], old, new);
	return changed;
}

static bool
names_one_of(const NameData *schema, const NameData *table, List *relids)
{
	Oid			schema_oid = get_namespace_oid(NameStr(*schema), true);

	return OidIsValid(schema_oid) &&
		list_member_oid(relids, get_relname_relid(NameStr(*table), schema_oid));
}

/* The column of a parent is renamed in its partitions too. */
static void
follow_column(Oid relid, const char *old, const char *new)
{
	List	   *records = log_records_read();
	List	   *relids = records == NIL ? NIL : find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, records)
	{
		LogRecord  *record = lfirst(lc);
		bool		changed = false;

		if (names_one_of(&record->schema_name, &record->table_name, relids))
			changed = rename_name(&record->subject, old, new) ||
				rename_name(&record->venue, old, new) ||
				rename_name(&record->entered_at, old, new) ||
				rename_name(&record->left_at, old, new);
		if (record->has_venues &&
			names_one_of(&record->venues.schema_name, &record->venues.table_name, relids))
			changed |= rename_venues_column(&record->venues, old, new);
		if (changed)
			log_record_write(record);
	}
}

static void
follow_rename(const RenameStmt *stmt)
{
	ObjectAddress address;
	ObjectAddress secondary;

	if (stmt->renameType == OBJECT_SCHEMA)
	{
		follow_schema(stmt->subname, stmt->newname);
		return;
	}
	if (stmt->relation == NULL || !command_addresses(&address, &secondary) ||
		address.classId != RelationRelationId)
		return;
	if (stmt->renameType == OBJECT_COLUMN)
		follow_column(address.objectId, stmt->subname, stmt->newname);
	else if (address.objectSubId == 0 && stmt->subname == NULL)
	{
		const char *schema = get_namespace_name(get_rel_namespace(address.objectId));
		RelationName old = {schema, stmt->relation->relname};
		RelationName new = {schema, stmt->newname};

		follow_relation(old, new);
	}
}

static void
follow_move(const AlterObjectSchemaStmt *stmt)
{
	ObjectAddress address;
	ObjectAddress secondary;
	RelationName old;
	RelationName new;

	if (stmt->relation == NULL || !command_addresses(&address, &secondary) ||
		address.classId != RelationRelationId || secondary.classId != NamespaceRelationId)
		return;
	old.schema = get_namespace_name(secondary.objectId);
	old.name = new.name = get_rel_name(address.objectId);
	new.schema = stmt->newschema;
	if (old.schema && old.name)
		follow_relation(old, new);
}

PG_FUNCTION_INFO_V1(anshim_follow_renamed);
Datum
anshim_follow_renamed(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = command_event(fcinfo);

	if (IsA(event->parsetree, RenameStmt))
		follow_rename((const RenameStmt *) event->parsetree);
	else if (IsA(event->parsetree, AlterObjectSchemaStmt))
		follow_move((const AlterObjectSchemaStmt *) event->parsetree);
	PG_RETURN_NULL();
}
