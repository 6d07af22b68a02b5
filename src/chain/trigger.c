/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  The triggers of chained tables: making them, and whether they are right
 *
 * The append trigger's argument is the chain, so that it depends on nobody's
 * names, and goes with the table into a dump.  Row triggers are made on the
 * table, from which PostgreSQL clones them to the partitions; the one against
 * TRUNCATE is made on each table that holds rows.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "chain/trigger.h"
#include "chain/upkeep.h"
#include "compat.h"
#include "own/own.h"

typedef struct TriggerForm
{
	int16		type;			/* as pg_trigger.tgtype */
	const char *event;			/* the same in SQL */
	const char *function;
} TriggerForm;

const char *const chain_trigger_names[CHAIN_TRIGGERS] = {
	[TRIGGER_APPEND] = APPEND_TRIGGER,
	[TRIGGER_GUARD] = GUARD_TRIGGER,
	[TRIGGER_GUARD_TRUNCATE] = GUARD_TRUNCATE_TRIGGER
};

static const TriggerForm forms[CHAIN_TRIGGERS] = {
	[TRIGGER_APPEND] = {
		TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT,
		"INSERT ON %s FOR EACH ROW", "append"
	},
	[TRIGGER_GUARD] = {
		TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE,
		"UPDATE OR DELETE ON %s FOR EACH ROW", "refuse_change"
	},
	[TRIGGER_GUARD_TRUNCATE] = {
		TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE,
		"TRUNCATE ON %s FOR EACH STATEMENT", "refuse_change"
	}
};

static char *
chain_text(const pg_uuid_t *chain)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(chain)));
}

bool
chain_of_trigger(const Trigger *trigger, pg_uuid_t *chain)
{
	const char *digits = "0123456789abcdef";
	int			at = 0;

	if (trigger->tgnargs != 1)
		return false;
	memset(chain, 0, sizeof(*chain));
	for (const char *s = trigger->tgargs[0]; *s != '\0'; s++)
	{
		const char *digit = strchr(digits, *s);

		if (*s == '-')
			continue;
		if (digit == NULL || at == 2 * UUID_LEN)
			return false;
		chain->data[at / 2] = (unsigned char) (chain->data[at / 2] << 4 | (digit - digits));
		at++;
	}
	return at == 2 * UUID_LEN;
}

static const Trigger *
find_trigger(Relation rel, const char *name)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		if (strcmp(rel->trigdesc->triggers[i].tgname, name) == 0)
			return &rel->trigdesc->triggers[i];
	return NULL;
}

/* Does it do what it has to, whenever it has to? */
static bool
is_right(const Trigger *trigger, ChainTrigger which, const pg_uuid_t *chain)
{
	const char *function = get_func_name(trigger->tgfoid);
	pg_uuid_t	its_chain;

	if (function == NULL || strcmp(function, forms[which].function) != 0 ||
		get_func_namespace(trigger->tgfoid) != get_rel_namespace(own_relation("chain")) ||
		trigger->tgtype != forms[which].type || trigger->tgqual != NULL || trigger->tgnattr != 0)
		return false;
	return which != TRIGGER_APPEND ||
		(chain_of_trigger(trigger, &its_chain) &&
		 memcmp(&its_chain, chain, sizeof(its_chain)) == 0);
}

char
chain_trigger_state(Relation rel, ChainTrigger trigger, const pg_uuid_t *chain)
{
	const Trigger *found = find_trigger(rel, chain_trigger_names[trigger]);

	return found != NULL && is_right(found, trigger, chain) ? found->tgenabled : '-';
}

static char *
table_name_of(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* That of a partition goes with the table's, of which it is a clone. */
void
chain_trigger_drop(Oid relid, ChainTrigger trigger)
{
	Relation	rel = table_open(relid, NoLock);
	const Trigger *found = find_trigger(rel, chain_trigger_names[trigger]);
	bool		droppable = found != NULL && !found->tgisclone;

	table_close(rel, NoLock);
	if (droppable)
		upkeep_run(psprintf("DROP TRIGGER %s ON %s", chain_trigger_names[trigger],
							table_name_of(relid)));
}

void
chain_trigger_enable(Oid relid, ChainTrigger trigger)
{
	upkeep_run(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table_name_of(relid),
						chain_trigger_names[trigger]));
}

void
chain_trigger_make(Oid relid, ChainTrigger trigger, const pg_uuid_t *chain)
{
	const TriggerForm *form = &forms[trigger];
	StringInfoData sql;

	chain_trigger_drop(relid, trigger);
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TRIGGER %s BEFORE ", chain_trigger_names[trigger]);
	appendStringInfo(&sql, form->event, table_name_of(relid));
	appendStringInfo(&sql, " EXECUTE FUNCTION anshim.%s(%s)", form->function,
					 trigger == TRIGGER_APPEND ? quote_literal_cstr(chain_text(chain)) : "");
	upkeep_run(sql.data);
	chain_trigger_enable(relid, trigger);
}

void
chain_trigger_warn(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, APPEND_TRIGGER) > 0 &&
			TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
			TRIGGER_FOR_INSERT(trigger->tgtype))
			ereport(WARNING,
					(errcode(ERRCODE_WARNING),
					 errmsg("trigger \"%s\" of chained table \"%s\" comes after the one that links rows",
							trigger->tgname, RelationGetRelationName(rel)),
					 errdetail("What it changes in a row would be found as tampering."),
					 errhint("If it changes rows, give it a name that sorts before \"%s\".", APPEND_TRIGGER)));
	}
	table_close(rel, NoLock);
}
