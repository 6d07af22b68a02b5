/*-------------------------------------------------------------------------
 *
 * sql_packed.h
 *	  Rows of answers that come as one value each (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SQL_PACKED_H
#define ANSHIM_SQL_PACKED_H

#include "ident.h"

/* Can rows with such keys be packed? */
extern bool sql_packed_allowed(const IdentType *key, const IdentType *other);

/*
 * SQL for a row's value, given SQL for its four columns; NULL where one of the
 * first three is NULL.
 */
extern char *sql_packed_value(const IdentType *key_type, const char *key,
							  const IdentType *other_type, const char *other,
							  const char *time, const char *left);

/*
 * A value's four columns.  Those held by reference point into the value.  One of
 * another length, which no server of ours makes, raises an error.
 */
extern void sql_packed_read(const IdentType *key_type, const IdentType *other_type,
							Datum value, Datum *values, bool *nulls);

#endif							/* ANSHIM_SQL_PACKED_H */
