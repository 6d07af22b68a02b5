/*-------------------------------------------------------------------------
 *
 * sql_statement.c
 *	  The statement that asks about many keys at once
 *
 * Each table is a branch of a UNION ALL, whose parameters are arrays, so that a
 * list of any length is one statement and one plan.  There are three forms of a
 * branch.
 *
 * A table that this server reads itself is joined with the ranges:
 *
 *		FROM ROWS FROM (unnest(keys), unnest(starts), ...) AS q
 *		JOIN t ON t.key = q.key AND ...
 *
 * which is a nested loop over an index, row for row what the B-tree source
 * reads.  A foreign table would be asked range by range then, one round trip
 * each.  So the branch of one of postgres_fdw asks about the first range,
 *
 *		FROM t WHERE t.key = (keys)[1] AND t.entered_at >= (starts)[1] AND ...
 *
 * out of which remote_list.c makes the same join, to be done over there.
 *
 * What else may be far away, tables of another wrapper, views that read foreign
 * tables, and Citus's, has nothing but conditions, all of which can be sent along:
 *
 *		WHERE key = ANY (keys) AND entered_at >= least AND entered_at < greatest
 *		  AND the row lies in one of its key's ranges
 *
 * The first line is what the remote index is searched for, the second keeps
 * all other rows there.  It looks the key up in the sorted keys, then the time
 * in that key's slice of the sorted starts, with the built-in width_bucket(),
 * a binary search; nothing has to be installed on the other side.  Keys whose
 * order depends on a collation are not looked up so, since the other side may
 * sort them differently: of these all rows between least and greatest come,
 * and are sorted out by the caller.
 *
 * The remote index reads all that lies between least and greatest, a key's
 * ranges and what is between them.  So a long list is cut into slices of time,
 * a branch each, that ask only for the keys that have a range there.
 *
 * Branches over foreign tables stand in one Append, so that those of several
 * servers work at the same time if they are async_capable.  That is why the
 * statement has no ORDER BY.
 *
 * Everything is palloc'd, and is not freed here.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "log_check.h"
#include "remote_list.h"
#include "sql_statement.h"

/* Ranges for each slice of time, and the most slices */
#define SLICE_RANGES 256
#define MAX_SLICES 16

/* Parameters of a branch, in this order, counted from its first one */
enum
{
	/* arrays with an element a range */
	STARTS,
	ENDS,
	ASKED,
	YOUNG,

	/* an array with an element a range; where there are conditions, one a key */
	KEYS,

	/* for each key the numbers of its first and last range */
	FIRST,
	LAST,

	/* over all ranges */
	LEAST,
	GREATEST,
	CONDITION_PARAMS,
	JOIN_PARAMS = FIRST
};

/* Can the other side look a key up in our order? */
static bool
is_order_everywhere(const IdentType *type)
{
	return !OidIsValid(type->collation) && type->typid < FirstGenbkiObjectId &&
		get_typtype(type->typid) == TYPTYPE_BASE;
}

/* SQL for: rows that can matter, given SQL for asked and young of their range */
static void
append_matters(StringInfo sql, const char *time, const char *left, const char *asked,
			   const char *young)
{
	appendStringInfo(sql, " AND (%s OPERATOR(pg_catalog.>) %s OR %s OPERATOR(pg_catalog.>=) %s)",
					 left, asked, time, young);
}

/* SQL for: the row lies in its key's range, or in one of them, and can matter */
static void
append_in_range(StringInfo sql, const char *key, const char *time, const char *left, int base,
				bool several)
{
	char	   *begin = psprintf("pg_catalog.width_bucket(%s, $%d)", key, base + KEYS);
	char	   *range = begin;

	if (several)
	{
		char	   *slice = psprintf("($%d)[($%d)[%s]:($%d)[%s]]", base + STARTS, base + FIRST, begin,
									 base + LAST, begin);

		begin = psprintf("($%d)[%s]", base + FIRST, begin);
		range = psprintf("%s OPERATOR(pg_catalog.-) 1 OPERATOR(pg_catalog.+) "
						 "pg_catalog.width_bucket(%s, %s)", begin, time, slice);
	}
	appendStringInfo(sql, " AND %s OPERATOR(pg_catalog.>=) ($%d)[%s]", time, base + STARTS, begin);
	appendStringInfo(sql, " AND %s OPERATOR(pg_catalog.<) ($%d)[%s]", time, base + ENDS, range);
	append_matters(sql, time, left, psprintf("($%d)[%s]", base + ASKED, range),
				   psprintf("($%d)[%s]", base + YOUNG, range));
}

/* The join of a table with the ranges, here or, as of the first one, there */
static void
append_join(StringInfo sql, const SqlPart *part, const char *key, const char *equals,
			const char *time, const char *left, int base)
{
	bool		here = part->form == SQL_JOIN;
	const char *table = relation_sql_name(part->part->heap);
#define ELEMENT(param, name) (here ? name : remote_list_element(base + param))

	if (here)
		appendStringInfo(sql, "ROWS FROM (pg_catalog.unnest($%d), pg_catalog.unnest($%d), "
						 "pg_catalog.unnest($%d), pg_catalog.unnest($%d), pg_catalog.unnest($%d))"
						 " AS q (key, lower, upper, asked, young) JOIN %s AS t ON",
						 base + KEYS, base + STARTS, base + ENDS, base + ASKED, base + YOUNG, table);
	else
		appendStringInfo(sql, "%s AS t WHERE", table);
	appendStringInfo(sql, " %s %s %s AND %s OPERATOR(pg_catalog.>=) %s AND %s OPERATOR(pg_catalog.<) %s",
					 key, equals, ELEMENT(KEYS, "q.key"), time, ELEMENT(STARTS, "q.lower"),
					 time, ELEMENT(ENDS, "q.upper"));
	append_matters(sql, time, left, ELEMENT(ASKED, "q.asked"), ELEMENT(YOUNG, "q.young"));
#undef ELEMENT
}

/*
 * One table's branch, whose parameters are numbered from `base` on.
 */
static void
append_branch(StringInfo sql, const SqlQuestion *question, const SqlPart *part, int base,
			  bool several)
{
	const VisitLog *log = question->log;
	const char *equals = ident_equality_operator(question->key);
	const char *key = quote_qualified_identifier("t", NameStr(*question->key_column));
	const char *time = quote_qualified_identifier("t", NameStr(log->entered_at_column));
	const char *left = quote_qualified_identifier("t", NameStr(log->left_at_column));

	key = psprintf("%s::%s", key, format_type_be_qualified(question->key->typid));
	appendStringInfo(sql, "SELECT %s, %s::%s, %s, %s FROM ", key,
					 quote_qualified_identifier("t", NameStr(*question->other_column)),
					 format_type_be_qualified(question->other->typid), time, left);
	if (part->form != SQL_CONDITIONS)
	{
		append_join(sql, part, key, equals, time, left, base);
		return;
	}
	appendStringInfo(sql, "%s AS t WHERE %s %s ANY ($%d)"
					 " AND %s OPERATOR(pg_catalog.>=) $%d AND %s OPERATOR(pg_catalog.<) $%d",
					 relation_sql_name(part->part->heap), key, equals, base + KEYS,
					 time, base + LEAST, time, base + GREATEST);
	if (is_order_everywhere(question->key))
		append_in_range(sql, key, time, left, base, several);
}

static Datum
make_array(const Datum *values, Size n, Oid typid)
{
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(typid, &len, &byval, &align);
	return PointerGetDatum(construct_array(unconstify(Datum *, values), (int) n, typid, len,
										   byval, align));
}

static Oid
array_type(const IdentType *type)
{
	Oid			array = get_array_type(type->typid);

	if (!OidIsValid(array))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a visit log with keys of type %s cannot be read in SQL",
						format_type_be(type->typid)),
				 errdetail("There are no arrays of this type."),
				 errhint("Use keys of type uuid, bigint, integer or text.")));
	return array;
}

/* A branch's parameters: those that all branches have, then those of conditions */
static void
bind_branch(const SqlQuestion *question, SqlForm form, const SqlRange *ranges, Size n,
			Oid *types, Datum *values, bool *several)
{
	Datum	   *times = palloc_array(Datum, n);
	Datum	   *keys = palloc_array(Datum, n);
	Datum	   *first = palloc_array(Datum, n);
	Datum	   *last = palloc_array(Datum, n);
	int64		least = PG_INT64_MAX;
	int64		greatest = PG_INT64_MIN;
	Size		nkeys = 0;

#define BIND_TIMES(place, field) \
	do { \
		for (Size i = 0; i < n; i++) \
			times[i] = TimestampTzGetDatum(ranges[i].field); \
		types[place] = TIMESTAMPTZARRAYOID; \
		values[place] = make_array(times, n, TIMESTAMPTZOID); \
		CHECK_FOR_INTERRUPTS(); \
	} while (0)

	BIND_TIMES(STARTS, from);
	BIND_TIMES(ENDS, to);
	BIND_TIMES(ASKED, asked);
	BIND_TIMES(YOUNG, young);
#undef BIND_TIMES

	for (Size i = 0; i < n; i++)
	{
		if (form != SQL_CONDITIONS || i == 0 ||
			ident_compare(question->key, ranges[i].key, ranges[i - 1].key) != 0)
		{
			keys[nkeys] = ident_to_datum(question->key, ranges[i].key);
			first[nkeys++] = Int32GetDatum((int32) i + 1);
		}
		last[nkeys - 1] = Int32GetDatum((int32) i + 1);
		least = Min(least, ranges[i].from);
		greatest = Max(greatest, ranges[i].to);
	}
	*several = nkeys < n;
	types[KEYS] = array_type(question->key);
	values[KEYS] = make_array(keys, nkeys, question->key->typid);
	if (form != SQL_CONDITIONS)
		return;
	types[FIRST] = types[LAST] = INT4ARRAYOID;
	values[FIRST] = make_array(first, nkeys, INT4OID);
	values[LAST] = make_array(last, nkeys, INT4OID);
	types[LEAST] = types[GREATEST] = TIMESTAMPTZOID;
	values[LEAST] = TimestampTzGetDatum(least);
	values[GREATEST] = TimestampTzGetDatum(greatest);
}

static void
add_branch(SqlStatement *statement, const SqlQuestion *question, const SqlPart *part,
		   const SqlRange *ranges, Size n)
{
	int			base = statement->nparams;
	bool		several;

	if (n == 0)
		return;
	if (base == 0)
		initStringInfo(&statement->sql);
	else
		appendStringInfoString(&statement->sql, " UNION ALL ");
	if (base + CONDITION_PARAMS > statement->params_size)
	{
		Oid		   *types = statement->types;
		Datum	   *values = statement->values;

		statement->params_size = 2 * base + 16 * CONDITION_PARAMS;
		statement->types = palloc_array(Oid, statement->params_size);
		statement->values = palloc_array(Datum, statement->params_size);
		if (base > 0)
		{
			memcpy(statement->types, types, base * sizeof(Oid));
			memcpy(statement->values, values, base * sizeof(Datum));
		}
	}
	bind_branch(question, part->form, ranges, n, statement->types + base, statement->values + base,
				&several);
	append_branch(&statement->sql, question, part, base + 1, several);
	statement->nparams += part->form == SQL_CONDITIONS ? CONDITION_PARAMS : JOIN_PARAMS;
	statement->nlists += part->form == SQL_REMOTE_LIST;
}

/*
 * The ranges that begin in a slice of time, those of a key as one.
 */
static Size
cut_slice(const SqlQuestion *question, const RangeList *list, int64 least, uint64 width,
		  int number, SqlRange *slice)
{
	Size		n = 0;

	CHECK_FOR_INTERRUPTS();
	for (Size i = 0; i < list->n; i++)
	{
		const SqlRange *range = &list->ranges[i];

		if (((uint64) range->from - (uint64) least) / width != number)
			continue;
		if (n > 0 && ident_compare(question->key, slice[n - 1].key, range->key) == 0)
			slice[n - 1].to = range->to;
		else
			slice[n++] = *range;
	}
	return n;
}

static void
add_slices(SqlStatement *statement, const SqlQuestion *question, const SqlPart *part,
		   const RangeList *list, int nslices)
{
	SqlRange   *slice = palloc_array(SqlRange, list->n);
	int64		least = PG_INT64_MAX;
	int64		greatest = PG_INT64_MIN;
	uint64		width;

	for (Size i = 0; i < list->n; i++)
	{
		least = Min(least, list->ranges[i].from);
		greatest = Max(greatest, list->ranges[i].from);
	}
	width = ((uint64) greatest - (uint64) least) / nslices + 1;
	for (int number = 0; number < nslices; number++)
		add_branch(statement, question, part, slice,
				   cut_slice(question, list, least, width, number, slice));
	pfree(slice);
}

void
sql_statement_add(SqlStatement *statement, const SqlQuestion *question,
				  const SqlPart *part, const RangeList *list)
{
	int			nslices = Min(list->n / SLICE_RANGES, MAX_SLICES);

	if (part->form == SQL_CONDITIONS && nslices > 1 && is_order_everywhere(question->key))
		add_slices(statement, question, part, list, nslices);
	else
		add_branch(statement, question, part, list->ranges, list->n);
}
