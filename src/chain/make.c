/*-------------------------------------------------------------------------
 *
 * make.c
 *	  chain(): makes a chained table, or brings up to date what chains it
 *
 * What a table needs besides its record is added in plain SQL as its owner,
 * with search_path set to pg_catalog, pg_temp; see sql/42-chain.sql.
 *
 * Locking: AccessExclusiveLock on the table and its partitions to the end of
 * the transaction.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "chain/append.h"
#include "chain/catalog.h"
#include "chain/event.h"
#include "chain/guard.h"
#include "chain/image.h"
#include "chain/make.h"
#include "chain/position.h"
#include "compat.h"
#include "key/spi.h"

#define DEFAULT_ORIGIN "anshim.invalid/"

static char *
sql_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

static void
run(const char *statement)
{
	SPI_connect();
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "statement was not run: %s", statement);
	SPI_finish();
}

static char *
chain_id_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/*
 * Details of events, in JSON
 */

static void
json_string(StringInfo json, const char *name, const char *value)
{
	appendStringInfoString(json, json->len == 0 ? "{" : ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	escape_json(json, value);
}

static Jsonb *
json_finish(StringInfo json)
{
	appendStringInfoString(json, json->len == 0 ? "{}" : "}");
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data)));
}

static Jsonb *
layout_detail(const Layout *layout)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"layout\": %d, \"columns\": [", layout->number);
	for (int i = 0; i < layout->ncolumns; i++)
	{
		appendStringInfoString(&json, i == 0 ? "{\"name\": " : ", {\"name\": ");
		escape_json(&json, NameStr(layout->columns[i]));
		appendStringInfoString(&json, ", \"type\": ");
		escape_json(&json, format_type_be(layout->types[i]));
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');
	return json_finish(&json);
}

/*
 * Layouts
 */

/* Record what links cover from now on. */
static void
add_layout(const pg_uuid_t *chain, Relation rel, int32 number)
{
	Layout		layout;

	layout_of_table(RelationGetDescr(rel), &layout);
	layout.number = number;
	layout_write(chain, &layout);
	chain_event(chain, "layout added", layout_detail(&layout));
}

/*
 * Indexes and triggers
 */

static void
add_position_index(Relation leaf)
{
	char	   *name = ChooseRelationName(RelationGetRelationName(leaf), NULL, "link",
										  RelationGetNamespace(leaf), false);

	run(psprintf("CREATE UNIQUE INDEX %s ON %s USING btree (anshim.strand(link), anshim.seq(link))",
				 quote_identifier(name), sql_name(leaf)));
}

static void
add_trigger(Relation rel, const char *trigger, const char *when, const char *call)
{
	run(psprintf("CREATE TRIGGER %s BEFORE %s EXECUTE FUNCTION %s",
				 trigger, psprintf(when, sql_name(rel)), call));
	run(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", sql_name(rel), trigger));
}

static void
add_row_triggers(Relation rel, const pg_uuid_t *chain)
{
	add_trigger(rel, APPEND_TRIGGER, "INSERT ON %s FOR EACH ROW",
				psprintf("anshim.append('%s')", chain_id_text(chain)));
	add_trigger(rel, GUARD_TRIGGER, "UPDATE OR DELETE ON %s FOR EACH ROW",
				"anshim.refuse_change()");
}

static void
add_truncate_trigger(Relation rel)
{
	add_trigger(rel, GUARD_TRUNCATE_TRIGGER, "TRUNCATE ON %s FOR EACH STATEMENT",
				"anshim.refuse_change()");
}

/*
 * chain()
 */

static Relation
owned_target_open(Oid relid, LOCKMODE lockmode, const char *command)
{
	Relation	rel;

	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	PreventCommandDuringRecovery(command);
	rel = chained_relation_open(relid, AccessShareLock);
	if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", RelationGetRelationName(rel)),
				 errhint("Let %s call it, or a member of that role.",
						 GetUserNameFromId(rel->rd_rel->relowner, false))));
	relation_close(rel, NoLock);
	return chained_relation_open(relid, lockmode);
}

static void
new_chain(Oid relid, const char *origin)
{
	Relation	rel = chained_relation_open(relid, NoLock);
	ChainRecord record = {0};
	StringInfoData json;

	record.id = *DatumGetUUIDP(DirectFunctionCall1(gen_random_uuid, (Datum) 0));
	namestrcpy(&record.schema_name, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&record.table_name, RelationGetRelationName(rel));
	record.origin = origin != NULL ? pstrdup(origin) :
		psprintf(DEFAULT_ORIGIN "%s", chain_id_text(&record.id));
	record.created_at = GetCurrentTimestamp();
	chain_record_write(&record);
	layout_write(&record.id, layout_of_events());

	initStringInfo(&json);
	json_string(&json, "schema", NameStr(record.schema_name));
	json_string(&json, "table", NameStr(record.table_name));
	chain_event(&record.id, "chained", json_finish(&json));
	add_layout(&record.id, rel, 1);
	relation_close(rel, NoLock);

	run(psprintf("ALTER TABLE %s ADD COLUMN link anshim.link NOT NULL",
				 quote_qualified_identifier(NameStr(record.schema_name),
											NameStr(record.table_name))));
	rel = chained_relation_open(relid, NoLock);
	relation_close(rel, NoLock);
	add_position_index(rel);
	add_row_triggers(rel, &record.id);
	add_truncate_trigger(rel);
}

PG_FUNCTION_INFO_V1(anshim_chain);
Datum
anshim_chain(PG_FUNCTION_ARGS)
{
	Relation	rel;
	ChainRecord record;
	Oid			relid;
	bool		chained;

	spi_refuse_null(fcinfo, 0, "target");
	relid = PG_GETARG_OID(0);
	rel = owned_target_open(relid, AccessExclusiveLock, "anshim.chain()");
	chained = chain_record_of(rel, &record);
	relation_close(rel, NoLock);
	if (!chained)
		new_chain(relid, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}
