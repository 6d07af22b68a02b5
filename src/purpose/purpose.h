/*-------------------------------------------------------------------------
 *
 * purpose.h
 *	  Purposes: what people say they look at others' visits for
 *
 * Where anshim.require_purpose is on, each function that shows whom somebody
 * met, or who somebody is, calls purpose_begin() before it does anything, and
 * purpose_end() when all of its rows are known but none has been returned.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_PURPOSE_H
#define ANSHIM_PURPOSE_H

#include "fmgr.h"

/* One look, in the memory context in which it began. */
typedef struct Look Look;

/* Defines the settings of this room. */
extern void purpose_define_settings(void);

/*
 * A look by a call of the SQL function `function`, or NULL if looks are not
 * recorded.  Errors: 55000 without a purpose, or without a table to record it
 * in; 25006 on a standby.
 */
extern Look *purpose_begin(FunctionCallInfo fcinfo, const char *function);

/*
 * Record that the look is about to return so many rows.  When this returns,
 * the record is committed, whatever becomes of the caller's transaction.  Does
 * nothing if the look is NULL.  Errors: 55000, 53400.
 */
extern void purpose_end(Look *look, int64 rows);

#endif							/* ANSHIM_PURPOSE_H */
