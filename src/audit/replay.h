/*-------------------------------------------------------------------------
 *
 * replay.h
 *	  What a chain's events say of its table (inside src/audit only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_REPLAY_H
#define ANSHIM_REPLAY_H

#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "audit.h"

typedef struct TableName
{
	char	   *schema;			/* NULL: none was read */
	char	   *table;
} TableName;

typedef struct ReplayLayout
{
	int64		number;
	int			ncolumns;
	char	  **columns;
	char	  **types;
} ReplayLayout;

typedef struct ReplayPartition
{
	TableName	name;
	bool		attached;
} ReplayPartition;

/* A guard that was switched off, and when it came back */
typedef struct ReplayGuard
{
	int64		seq;
	TableName	table;
	char	   *trigger;
	char	   *actor;
	TimestampTz from;
	TimestampTz to;				/* DT_NOEND: it did not */
} ReplayGuard;

typedef struct ReplayExpiry
{
	int32		strand;
	int64		last_seq;
	uint8		last_hash[LINK_HASH_LEN];
} ReplayExpiry;

struct Replay
{
	Audit	   *audit;
	MemoryContext context;		/* of what follows */
	int64		n;				/* events so far */
	bool		ended;
	TableName	table;
	List	   *layouts;		/* of ReplayLayout */
	List	   *partitions;		/* of ReplayPartition */
	List	   *guards;			/* of ReplayGuard */
	HTAB	   *expiries;		/* ReplayExpiry, by strand */
	int64		expired_block;
};

static inline bool
same_table(TableName a, TableName b)
{
	return strcmp(a.schema, b.schema) == 0 && strcmp(a.table, b.table) == 0;
}

/* The partition of this name, attached or not; NULL if the events tell of none */
extern ReplayPartition *replay_find_partition(const Replay *replay, TableName name);

#endif							/* ANSHIM_REPLAY_H */
