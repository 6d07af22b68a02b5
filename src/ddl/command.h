/*-------------------------------------------------------------------------
 *
 * command.h
 *	  What functions of event triggers learn of the command
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_DDL_COMMAND_H
#define ANSHIM_DDL_COMMAND_H

#include "catalog/objectaddress.h"
#include "commands/event_trigger.h"
#include "fmgr.h"
#include "nodes/pg_list.h"

/* The event; an error if something else than an event trigger calls. */
extern EventTriggerData *command_event(FunctionCallInfo fcinfo);

/* What the command, a simple one, did: the object's address, and another */
extern bool command_addresses(ObjectAddress *address, ObjectAddress *secondary);

/* Objects of this catalog that the command made or changed: a list of OIDs. */
extern List *command_objects(Oid class_id);

#endif							/* ANSHIM_DDL_COMMAND_H */
