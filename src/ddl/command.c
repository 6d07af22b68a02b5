/*-------------------------------------------------------------------------
 *
 * command.c
 *	  What functions of event triggers learn of the command
 *
 * Asked in SQL of pg_event_trigger_ddl_commands(), since nothing else tells
 * an extension.  It works inside an event trigger's function alone, and raises
 * the server's own error elsewhere.
 *
 * Memory: a list that is returned lies in the caller's memory context.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "tcop/deparse_utility.h"
#include "utils/builtins.h"

#include "ddl/command.h"

EventTriggerData *
command_event(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function serves event triggers alone"),
				 errhint("The extension's event triggers call it where it is needed.")));
	return (EventTriggerData *) fcinfo->context;
}

bool
command_addresses(ObjectAddress *address, ObjectAddress *secondary)
{
	bool		found = false;

	SPI_connect();
	SPI_execute("SELECT command FROM pg_catalog.pg_event_trigger_ddl_commands()", false, 0);
	if (SPI_processed == 1)
	{
		bool		isnull;
		Datum		command = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		CollectedCommand *collected = (CollectedCommand *) DatumGetPointer(command);

		if (!isnull && collected->type == SCT_Simple)
		{
			*address = collected->d.simple.address;
			*secondary = collected->d.simple.secondaryObject;
			found = true;
		}
	}
	SPI_finish();
	return found;
}

List *
command_objects(Oid class_id)
{
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(class_id)};
	MemoryContext outside = CurrentMemoryContext;
	List	   *oids = NIL;

	SPI_connect();
	SPI_execute_with_args("SELECT DISTINCT objid FROM pg_catalog.pg_event_trigger_ddl_commands() "
						  "WHERE classid OPERATOR(pg_catalog.=) $1 AND objid IS NOT NULL",
						  lengthof(types), types, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		oid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext inside = MemoryContextSwitchTo(outside);

		oids = lappend_oid(oids, DatumGetObjectId(oid));
		MemoryContextSwitchTo(inside);
	}
	SPI_finish();
	return oids;
}
