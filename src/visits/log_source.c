/*-------------------------------------------------------------------------
 *
 * log_source.c
 *	  In words: how a visit log is read, and why so
 *
 * What a part is decides which source reads it, so parts are counted by what
 * they are: "B-trees: table (2); SQL: foreign table on server north (28)".
 *
 * Locking: the parts of an open log are locked.  anshim.visit_source(), which
 * is for looking at all logs at once, opens and locks one part after the
 * other, and lets go of it again.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "log_check.h"

/* How many parts are of one kind */
typedef struct PartKind
{
	char	   *name;
	int			n;
} PartKind;

PG_FUNCTION_INFO_V1(anshim_visit_source);

/* What a part is; NULL for what has parts and is none. */
static char *
part_kind(Relation part)
{
	switch (part->rd_rel->relkind)
	{
		case RELKIND_VIEW:
			return "view";
		case RELKIND_MATVIEW:
			return "materialized view";
		case RELKIND_FOREIGN_TABLE:
			return psprintf("foreign table on server %s",
							GetForeignServer(GetForeignTable(RelationGetRelid(part))->serverid)->servername);
		case RELKIND_RELATION:
			return log_is_distributed(part) ? "distributed table" :
				log_is_in_sql(part) ? "table of another access method" : "table";
		default:
			return NULL;
	}
}

/* Count one part more. */
static List *
count_part(List *kinds, Relation part)
{
	char	   *name = part_kind(part);
	PartKind   *kind;
	ListCell   *lc;

	if (name == NULL)
		return kinds;
	foreach(lc, kinds)
	{
		kind = lfirst(lc);
		if (strcmp(kind->name, name) == 0)
		{
			kind->n++;
			return kinds;
		}
	}
	kind = palloc_object(PartKind);
	kind->name = name;
	kind->n = 1;
	return lappend(kinds, kind);
}

static void
append_kinds(StringInfo words, const char *source, List *kinds)
{
	ListCell   *lc;

	foreach(lc, kinds)
	{
		PartKind   *kind = lfirst(lc);

		if (lc != list_head(kinds))
			appendStringInfoString(words, ", ");
		else
			appendStringInfo(words, "%s%s: ", words->len > 0 ? "; " : "", source);
		appendStringInfo(words, "%s (%d)", kind->name, kind->n);
	}
}

/* What both lists come to; no part at all is a log that no source reads. */
static char *
source_words(List *local, List *in_sql)
{
	StringInfoData words;

	initStringInfo(&words);
	append_kinds(&words, "B-trees", local);
	append_kinds(&words, "SQL", in_sql);
	return words.len > 0 ? words.data : "none: no part of the log lies there";
}

char *
visit_log_source(const VisitLog *log)
{
	List	   *local = NIL;
	List	   *in_sql = NIL;

	for (int i = 0; i < log->nparts; i++)
	{
		if (log->parts[i].in_sql)
			in_sql = count_part(in_sql, log->parts[i].heap);
		else
			local = count_part(local, log->parts[i].heap);
	}
	return source_words(local, in_sql);
}

/*
 * anshim.visit_source(visits) -> text
 *
 * Nothing is checked: this tells of logs that are no longer as they were, too.
 */
Datum
anshim_visit_source(PG_FUNCTION_ARGS)
{
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	List	   *parts;
	List	   *local = NIL;
	List	   *in_sql = NIL;
	ListCell   *lc;

	if (rel == NULL)
		PG_RETURN_NULL();
	parts = find_all_inheritors(RelationGetRelid(rel), NoLock, NULL);
	relation_close(rel, AccessShareLock);
	foreach(lc, parts)
	{
		Relation	part = try_relation_open(lfirst_oid(lc), AccessShareLock);

		CHECK_FOR_INTERRUPTS();
		if (part == NULL)
			continue;			/* dropped in the meantime */
		if (log_is_in_sql(part))
			in_sql = count_part(in_sql, part);
		else
			local = count_part(local, part);
		relation_close(part, AccessShareLock);
	}
	if (local == NIL && in_sql == NIL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(source_words(local, in_sql)));
}
