/*-------------------------------------------------------------------------
 *
 * spi.h
 *	  What SQL-callable functions share: arguments, statements, calls
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SPI_H
#define ANSHIM_SPI_H

#include "executor/spi.h"
#include "fmgr.h"

/* Refuses NULL as the value of an argument. */
extern void spi_refuse_null(FunctionCallInfo fcinfo, int argument, const char *name);

/*
 * Runs one statement between SPI_connect() and SPI_finish(), of the kind that
 * `expected` says: SPI_OK_INSERT or the like.  A rule that makes something
 * else of it is an error.
 */
extern void spi_run(const char *sql, int nargs, Oid *types, Datum *values,
					const char *nulls, int expected);

/*
 * Calls a function of the extension, one that PUBLIC may not execute perhaps:
 * what calls it is our own code, which decides what it asks for.
 */
extern Datum spi_call(const char *name, int nargs, const Oid *types, const Datum *values,
					  const bool *nulls, bool *isnull);

#endif							/* ANSHIM_SPI_H */
