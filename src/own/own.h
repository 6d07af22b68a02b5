/*-------------------------------------------------------------------------
 *
 * own.h
 *	  The extension's own tables, read and written like catalogs
 *
 * Nobody's rights are asked for here: callers decide who may.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_OWN_H
#define ANSHIM_OWN_H

#include "access/genam.h"
#include "access/htup.h"
#include "utils/relcache.h"

typedef void (*OwnRowReader) (Relation table, HeapTuple row, void *arg);

/* A table, index or sequence of schema anshim; 42P01 if it is not there. */
extern Oid	own_relation(const char *name);

/* The same; InvalidOid while the extension is created or dropped. */
extern Oid	own_relation_if_any(const char *name);

/*
 * Have each of a table's rows read, as of now, in no order: for tables of few
 * rows.  None while the extension is created or dropped.  The row is the
 * reader's for the call alone.
 */
extern void own_rows_read(const char *table_name, OwnRowReader reader, void *arg);

/*
 * Put a row in place of the one that the scan finds, or add it if it finds
 * none, and let the next command see it.  Ends the scan, frees the row and
 * closes the table, whose lock is kept.
 */
extern void own_row_write(Relation table, SysScanDesc scan, HeapTuple row);

#endif							/* ANSHIM_OWN_H */
