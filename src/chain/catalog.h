/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  The tables in which chains are recorded: anshim.chain, anshim.layout,
 *	  anshim.chain_partition
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_CHAIN_CATALOG_H
#define ANSHIM_CHAIN_CATALOG_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "chain/chain.h"
#include "compat.h"

/* A row of anshim.chain. */
typedef struct ChainRecord
{
	pg_uuid_t	id;
	NameData	schema_name;
	NameData	table_name;
	char	   *origin;
	TimestampTz created_at;
	bool		ended;
	TimestampTz ended_at;
} ChainRecord;

/* What is read lies in the current memory context. */
extern bool chain_record_read(const pg_uuid_t *id, ChainRecord *record);
extern bool chain_record_find(const char *schema_name, const char *table_name,
							  ChainRecord *record);
extern List *chain_records_living(void);

/* Is this the origin of a chain, living or not? */
extern bool chain_origin_exists(const char *origin);

/* Is there any?  The quickest of answers for those who follow all commands. */
extern bool chain_records_exist(void);

/* Insert, or replace the one of the same id. */
extern void chain_record_write(const ChainRecord *record);

/* Layouts of a chain, ascending; the newest; one more, or one that changed. */
extern Layout *layouts_read(const pg_uuid_t *chain, int *n);
extern bool layout_read_newest(const pg_uuid_t *chain, Layout *layout);
extern void layout_write(const pg_uuid_t *chain, const Layout *layout);

/*
 * Partitions that the chain covers.  To remove one that is not recorded is no
 * error, and gives false.
 */
typedef struct PartitionRecord
{
	pg_uuid_t	chain;
	NameData	schema_name;
	NameData	table_name;
} PartitionRecord;

extern List *partition_records(const pg_uuid_t *chain);
extern bool partition_record_exists(const PartitionRecord *record);
extern void partition_record_add(const PartitionRecord *record);
extern bool partition_record_remove(const PartitionRecord *record);

/* The layout of rows of anshim.event, always the same. */
extern const Layout *layout_of_events(void);

/* What the table's columns make for a layout: its number is left out. */
extern void layout_of_table(TupleDesc tupdesc, Layout *layout);

/* The living chain of an open table, if it has one */
extern bool chain_record_of(Relation rel, ChainRecord *record);

/* Says that the table is not chained, and what to do. */
pg_noreturn extern void chain_refuse_unchained(Relation rel);

/* A table that is, or could be, chained; errors for what could not. */
extern Relation chained_relation_open(Oid relid, LOCKMODE lockmode);

/* The table itself, or all of its partitions that hold rows, locked. */
extern List *chain_leaf_oids(Oid target, LOCKMODE lockmode);

/* A number that no strand has had: those of all chains come from one sequence. */
extern int32 next_strand_number(void);

#endif							/* ANSHIM_CHAIN_CATALOG_H */
