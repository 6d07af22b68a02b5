/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Write the record of a look, and commit it (inside src/purpose only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_PURPOSE_RECORD_H
#define ANSHIM_PURPOSE_RECORD_H

#include "datatype/timestamp.h"

/* The texts of a record, in the order of purpose.c's columns. */
typedef enum RecordText
{
	RECORD_LOOKED_BY,
	RECORD_ACTING_AS,
	RECORD_FUNCTION,
	RECORD_PURPOSE,
	RECORD_ARGUMENTS,			/* JSON */
	RECORD_TEXTS
} RecordText;

typedef struct LookRecord
{
	TimestampTz looked_at;
	int64		rows;
	const char *texts[RECORD_TEXTS];
} LookRecord;

/*
 * Insert the record into the table of this name, schema-qualified, in a
 * transaction of another process, and wait until it is committed.
 */
extern void record_write(const LookRecord *record, const char *table);

#endif							/* ANSHIM_PURPOSE_RECORD_H */
