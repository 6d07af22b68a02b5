/*-------------------------------------------------------------------------
 *
 * spi.c
 *	  What SQL-callable functions share: arguments, statements, calls
 *
 * Whoever calls has connected SPI, but for spi_refuse_null().  What these raise
 * is for the user, and what SPI itself cannot do is an internal error.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/value.h"
#include "parser/parse_func.h"

#include "key/spi.h"

void
spi_refuse_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

void
spi_run(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, int expected)
{
	int			result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
	if (result != expected)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a rule has put something else in the place of a statement"),
				 errdetail("The statement is: %s", sql),
				 errhint("Drop the rule of that table.")));
}

Datum
spi_call(const char *name, int nargs, const Oid *types, const Datum *values,
		 const bool *nulls, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);
	FmgrInfo	function;
	Datum		result;

	/* with the function manager go the function's owner and search_path */
	fmgr_info(LookupFuncName(list_make2(makeString("anshim"), makeString(pstrdup(name))),
							 nargs, types, false), &function);
	InitFunctionCallInfoData(*fcinfo, &function, nargs, InvalidOid, NULL, NULL);
	for (int i = 0; i < nargs; i++)
	{
		fcinfo->args[i].value = values[i];
		fcinfo->args[i].isnull = nulls != NULL && nulls[i];
	}
	result = FunctionCallInvoke(fcinfo);
	*isnull = fcinfo->isnull;
	return result;
}
