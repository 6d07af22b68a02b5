/*-------------------------------------------------------------------------
 *
 * remote_list.c
 *	  Lists that postgres_fdw asks about at once
 *
 * A foreign table that is joined with a list is asked element by element, or
 * is brought here whole: postgres_fdw joins over there what lies there, but
 * knows no way to send a list along.  So we let it plan what the join does for
 * one element, whose parameters are the first elements of arrays,
 *
 *		SELECT ... FROM t WHERE t.key = ($1)[1] AND t.entered_at >= ($2)[1] ...
 *
 * and make the statement that it would send into the join,
 *
 *		SELECT t.* FROM ROWS FROM (unnest($1), unnest($2), ...) AS q (e1, e2, ...),
 *			LATERAL (SELECT ... WHERE t.key = q.e1 AND t.entered_at >= q.e2 ...) AS t
 *
 * which the other side plans as it would any other.  If it groups by an
 * expression, that was only for having the expression done over there, and is
 * left out.  Everything else stays as
 * postgres_fdw has it: names, casts, parameters, connection, transaction and
 * fetching.
 *
 * Its statement is the first item of what it keeps in the scan's node, as
 * EXPLAIN shows it.  That is not promised by anybody.  So the statement is only
 * made anew if it looks as expected in all that matters here: no condition
 * stays on this side, and there are no other parameters than elements.  Whoever
 * asks counts what was made anew, and asks in another form if that is too few:
 * what is left asks about one element alone.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "remote_list.h"

/* How statements begin that were made anew */
#define LIST_BEGIN "SELECT anshim_t.* FROM ROWS FROM ("

/* How those end that ask for groups of one row, which need not be groups */
#define GROUP_END " GROUP BY 1"

/* How postgres_fdw writes ($1)[1], but for what is between these */
#define ELEMENT_BEGIN "(($"
#define ELEMENT_END "[])[1])"

bool
remote_list_allowed(Relation rel)
{
	ForeignServer *server;
	char	   *handler;

	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		return false;
	server = GetForeignServer(GetForeignTable(RelationGetRelid(rel))->serverid);
	handler = get_func_name(GetForeignDataWrapper(server->fdwid)->fdwhandler);
	return handler && strcmp(handler, "postgres_fdw_handler") == 0;
}

char *
remote_list_element(int number)
{
	return psprintf("($%d)[1]", number);
}

/*
 * The statement that asks about the whole of n arrays; NULL if this is no
 * statement about an element of each.
 */
static char *
list_statement(const char *element_sql, int n)
{
	char	  **types = palloc0(sizeof(char *) * n);
	StringInfoData inner;
	StringInfoData sql;
	char		quote = '\0';

	initStringInfo(&inner);
	for (const char *at = element_sql; *at; at++)
	{
		const char *type;
		const char *end;
		char	   *after;
		long		number;

		if (quote != '\0' || *at == '"' || *at == '\'')
			quote = quote == '\0' ? *at : *at == quote ? '\0' : quote;
		if (quote != '\0' || *at != '$')
		{
			appendStringInfoChar(&inner, *at);
			continue;
		}

		/* a parameter: the brackets before it are there already */
		number = strtol(at + 1, &after, 10);
		type = after + strlen("::");
		end = strncmp(after, "::", strlen("::")) == 0 ? strstr(type, ELEMENT_END) : NULL;
		if (end == NULL || number < 1 || number > n || inner.len < 2 ||
			strcmp(inner.data + inner.len - 2, "((") != 0)
			return NULL;
		inner.len -= 2;
		appendStringInfo(&inner, "anshim_q.e%ld", number);
		if (types[number - 1] == NULL)
			types[number - 1] = pnstrdup(type, end + strlen("[]") - type);
		at = end + strlen(ELEMENT_END) - 1;
	}

	if (inner.len > strlen(GROUP_END) &&
		strcmp(inner.data + inner.len - strlen(GROUP_END), GROUP_END) == 0)
	{
		inner.len -= strlen(GROUP_END);
		inner.data[inner.len] = '\0';
	}

	initStringInfo(&sql);
	appendStringInfoString(&sql, LIST_BEGIN);
	for (int i = 0; i < n; i++)
	{
		if (types[i] == NULL)
			return NULL;
		appendStringInfo(&sql, "%spg_catalog.unnest($%d::%s)", i > 0 ? ", " : "", i + 1, types[i]);
	}
	appendStringInfoString(&sql, ") AS anshim_q (");
	for (int i = 0; i < n; i++)
		appendStringInfo(&sql, "%se%d", i > 0 ? ", " : "", i + 1);
	appendStringInfo(&sql, "), LATERAL (%s) AS anshim_t", inner.data);
	return sql.data;
}

/* The node that has the scan's statement; NULL if there is none */
static String *
scan_statement(const ForeignScan *scan)
{
	if (scan->fdw_private == NIL || !IsA(scan->fdw_private, List) ||
		!IsA(linitial(scan->fdw_private), String))
		return NULL;
	return linitial_node(String, scan->fdw_private);
}

/* Count the scans that ask about lists, after making those that do not. */
static int
visit_plan(Plan *plan, bool apply)
{
	List	   *children = NIL;
	int			count = 0;
	ListCell   *lc;

	if (plan == NULL)
		return 0;
	if (IsA(plan, ForeignScan))
	{
		ForeignScan *scan = (ForeignScan *) plan;
		String	   *statement = scan_statement(scan);
		char	   *made;

		if (statement == NULL)
			return 0;
		if (strncmp(strVal(statement), LIST_BEGIN, strlen(LIST_BEGIN)) == 0)
			return 1;
		if (!apply || scan->scan.plan.qual != NIL || scan->fdw_exprs == NIL)
			return 0;
		made = list_statement(strVal(statement), list_length(scan->fdw_exprs));
		if (made == NULL)
			return 0;
		statement->sval = made;
		return 1;
	}
	if (IsA(plan, Append))
		children = ((Append *) plan)->appendplans;
	else if (IsA(plan, SubqueryScan))
		children = list_make1(((SubqueryScan *) plan)->subplan);
	foreach(lc, children)
		count += visit_plan(lfirst(lc), apply);
	return count + visit_plan(plan->lefttree, apply) + visit_plan(plan->righttree, apply);
}

void
remote_list_apply(PlannedStmt *stmt)
{
	visit_plan(stmt->planTree, true);
}

int
remote_list_count(const PlannedStmt *stmt)
{
	return visit_plan(stmt->planTree, false);
}
