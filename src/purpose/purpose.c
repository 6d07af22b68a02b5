/*-------------------------------------------------------------------------
 *
 * purpose.c
 *	  Purposes: what people say they look at others' visits for
 *
 * The arguments are written down as they were given, each by its type's own
 * output function, under settings that make the text mean one thing: ISO
 * dates in UTC, and every table's name with its schema.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compat.h"
#include "purpose/purpose.h"
#include "purpose/record.h"

struct Look
{
	FunctionCallInfo fcinfo;
	const char *function;
	TimestampTz looked_at;
};

/* anshim.require_purpose, anshim.purpose and anshim.purpose_log */
static bool require_purpose;
static char *purpose;
static char *purpose_log;

static bool check_purpose_log(char **newval, void **extra, GucSource source);
static bool is_blank(const char *words);
static char *arguments_json(FunctionCallInfo fcinfo);

void
purpose_define_settings(void)
{
	DefineCustomStringVariable("anshim.purpose",
							   "Says what the session traces visits for",
							   "It is recorded with each look where anshim.require_purpose is on.",
							   &purpose,
							   "",
							   PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("anshim.purpose_log",
							   "Names the table in which looks are recorded",
							   "Its name has to be given with its schema.  "
							   "anshim.create_purpose_log() makes one.",
							   &purpose_log,
							   "",
							   PGC_SUSET, 0,
							   check_purpose_log, NULL, NULL);
	DefineCustomBoolVariable("anshim.require_purpose",
							 "Lets nobody trace visits without saying what for",
							 "Each look is then recorded in the table of anshim.purpose_log, "
							 "and what cannot be recorded is not shown.",
							 &require_purpose,
							 false,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
}

static bool
check_purpose_log(char **newval, void **extra, GucSource source)
{
	List	   *names;

	if (**newval == '\0')
		return true;
	if (SplitIdentifierString(pstrdup(*newval), '.', &names) && list_length(names) == 2)
		return true;
	GUC_check_errdetail("It must be the name of a table with its schema.");
	GUC_check_errhint("Write it as in audit.look.");
	return false;
}

static bool
is_blank(const char *words)
{
	return words == NULL || words[strspn(words, " \t\r\n")] == '\0';
}

Look *
purpose_begin(FunctionCallInfo fcinfo, const char *function)
{
	Look	   *look;

	if (!require_purpose)
		return NULL;
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("a look cannot be recorded on a standby"),
				 errdetail("A standby writes nothing, and anshim.require_purpose is on."),
				 errhint("Do this on the primary.")));
	if (is_blank(purpose))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("say first what this is for"),
				 errdetail("Each look at visits is recorded, with its purpose, as anshim.require_purpose is on."),
				 errhint("SET anshim.purpose = 'outbreak 2021-17, school', then try again.")));
	if (is_blank(purpose_log))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no table in which looks are recorded"),
				 errhint("Have an administrator make one with anshim.create_purpose_log(), and name it in anshim.purpose_log.")));

	look = palloc(sizeof(Look));
	look->fcinfo = fcinfo;
	look->function = function;
	look->looked_at = GetCurrentTimestamp();
	return look;
}

void
purpose_end(Look *look, int64 rows)
{
	LookRecord	record;

	if (look == NULL)
		return;
	record.looked_at = look->looked_at;
	record.rows = rows;
	record.texts[RECORD_LOOKED_BY] = GetUserNameFromId(GetSessionUserId(), false);
	record.texts[RECORD_ACTING_AS] = GetUserNameFromId(GetUserId(), false);
	record.texts[RECORD_FUNCTION] = look->function;
	record.texts[RECORD_PURPOSE] = purpose;
	record.texts[RECORD_ARGUMENTS] = arguments_json(look->fcinfo);
	record_write(&record, purpose_log);
	pfree(look);
}

/*
 * The call's arguments as a JSON object of texts and nulls.
 */
static char *
arguments_json(FunctionCallInfo fcinfo)
{
	HeapTuple	tuple;
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			level;
	StringInfoData json;

	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	get_func_arg_info(tuple, &types, &names, &modes);
	ReleaseSysCache(tuple);

	level = NewGUCNestLevel();
	(void) set_config_option("datestyle", "ISO, YMD", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("intervalstyle", "postgres", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("timezone", "UTC", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);

	/* the arguments of a call stand before the columns of its result */
	initStringInfo(&json);
	for (int i = 0; i < fcinfo->nargs; i++)
	{
		Oid			output;
		bool		is_varlena;

		appendStringInfoString(&json, i == 0 ? "{" : ", ");
		escape_json(&json, names[i]);
		appendStringInfoString(&json, ": ");
		if (fcinfo->args[i].isnull)
		{
			appendStringInfoString(&json, "null");
			continue;
		}
		getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, i), &output, &is_varlena);
		escape_json(&json, OidOutputFunctionCall(output, fcinfo->args[i].value));
	}
	appendStringInfoChar(&json, '}');

	AtEOXact_GUC(true, level);
	return json.data;
}
