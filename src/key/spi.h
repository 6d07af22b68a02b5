/*-------------------------------------------------------------------------
 *
 * spi.h
 *	  Running a statement
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SPI_H
#define ANSHIM_SPI_H

#include "executor/spi.h"

/* Runs one statement between SPI_connect() and SPI_finish(); it must be of
 * the kind that `expected` says: SPI_OK_INSERT or the like. */
extern void spi_run(const char *sql, int nargs, Oid *types, Datum *values,
					const char *nulls, int expected);

#endif							/* ANSHIM_SPI_H */
