/*-------------------------------------------------------------------------
 *
 * sql_statement.h
 *	  The statement that asks about many keys at once (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SQL_STATEMENT_H
#define ANSHIM_SQL_STATEMENT_H

#include "lib/stringinfo.h"

#include "ident.h"
#include "log.h"

/* What is asked about: keys of one column, for the values of the other */
typedef struct SqlQuestion
{
	const VisitLog *log;
	const NameData *key_column;
	const NameData *other_column;
	const IdentType *key;
	const IdentType *other;
	bool		packed;			/* answers come as in sql_packed.h */
} SqlQuestion;

/* How a part of the log is asked; see sql_statement.c */
typedef enum SqlForm
{
	SQL_JOIN,					/* joined with the ranges here */
	SQL_REMOTE_LIST,			/* joined with the ranges over there */
	SQL_CONDITIONS				/* nothing but conditions */
} SqlForm;

/* One part of the log */
typedef struct SqlPart
{
	const LogPart *part;
	SqlForm		form;
} SqlPart;

/*
 * Rows of the key that begin in [from, to), without those that are of no use:
 * a visit that began before `young` matters only if it was checked out after
 * `asked`.
 */
typedef struct SqlRange
{
	Ident		key;
	int64		from;
	int64		to;
	int64		asked;
	int64		young;
} SqlRange;

/*
 * The ranges of one part, sorted by key; where there are nothing but conditions
 * also by time, and disjoint
 */
typedef struct RangeList
{
	SqlRange   *ranges;
	Size		n;
	Size		capacity;
} RangeList;

/* All zeros: asks for nothing yet */
typedef struct SqlStatement
{
	StringInfoData sql;
	Oid		   *types;
	Datum	   *values;
	int			nparams;
	int			nlists;			/* branches of the form SQL_REMOTE_LIST */
	List	   *relids;			/* the parts that are asked */
	int			params_size;
} SqlStatement;

/*
 * Ask a part for the rows of its ranges as well: key, other, entered_at,
 * left_at, or these packed, in no order.  Rows that are in no range may come,
 * too.
 */
extern void sql_statement_add(SqlStatement *statement, const SqlQuestion *question,
							  const SqlPart *part, const RangeList *list);

#endif							/* ANSHIM_SQL_STATEMENT_H */
