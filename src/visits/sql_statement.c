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
 * out of which remote_list.c makes the same join, to be done over there.  Where
 * it can be, the answer is packed (sql_packed.c), in all branches.
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
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "log_check.h"
#include "remote_list.h"
#include "sql_packed.h"
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

/* What a branch's SQL depends on, of its ranges */
typedef struct BranchShape
{
	bool		several;		/* conditions: ranges of one key */
	bool		seconds;		/* a remote list's times are seconds since
								 * 1970 */
} BranchShape;

/* Seconds of these are as exact as times: see bind_times() */
#define LEAST_IN_SECONDS (((int64) (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE)) * USECS_PER_DAY)
#define GREATEST_IN_SECONDS (LEAST_IN_SECONDS + (INT64CONST(1) << 32) * USECS_PER_SEC - 1)

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

/* The join of a table with the ranges */
static void
append_join(StringInfo sql, const SqlPart *part, const char *key, const char *equals,
			const char *time, const char *left, int base)
{
	appendStringInfo(sql, "ROWS FROM (pg_catalog.unnest($%d), pg_catalog.unnest($%d), "
					 "pg_catalog.unnest($%d), pg_catalog.unnest($%d), pg_catalog.unnest($%d))"
					 " AS q (key, lower, upper, asked, young) JOIN %s AS t"
					 " ON %s %s q.key AND %s OPERATOR(pg_catalog.>=) q.lower AND %s OPERATOR(pg_catalog.<) q.upper",
					 base + KEYS, base + STARTS, base + ENDS, base + ASKED, base + YOUNG,
					 relation_sql_name(part->part->heap), key, equals, time, time);
	append_matters(sql, time, left, "q.asked", "q.young");
}

/* An element of times, which may come as seconds */
static char *
time_element(int param, bool seconds)
{
	char	   *element = remote_list_element(param);

	return seconds ? psprintf("pg_catalog.to_timestamp(%s)", element) : element;
}

/*
 * The same join as of the first of the ranges: to be done over there.  Packed
 * rows are what they are grouped by, so that postgres_fdw has them packed there.
 */
static void
append_remote_join(StringInfo sql, const SqlPart *part, const char *key, const char *equals,
				   const char *time, const char *left, int base, bool seconds, bool packed)
{
	appendStringInfo(sql, "%s AS t WHERE %s %s %s"
					 " AND %s OPERATOR(pg_catalog.>=) %s AND %s OPERATOR(pg_catalog.<) %s",
					 relation_sql_name(part->part->heap),
					 key, equals, remote_list_element(base + KEYS),
					 time, time_element(base + STARTS, seconds),
					 time, time_element(base + ENDS, seconds));
	append_matters(sql, time, left, time_element(base + ASKED, seconds),
				   time_element(base + YOUNG, seconds));
	if (packed)
		appendStringInfoString(sql, " GROUP BY 1");
}

/*
 * One table's branch, whose parameters are numbered from `base` on.
 */
static void
append_branch(StringInfo sql, const SqlQuestion *question, const SqlPart *part, int base,
			  const BranchShape *shape)
{
	const VisitLog *log = question->log;
	const char *equals = ident_equality_operator(question->key);
	const char *key = quote_qualified_identifier("t", NameStr(*question->key_column));
	const char *time = quote_qualified_identifier("t", NameStr(log->entered_at_column));
	const char *left = quote_qualified_identifier("t", NameStr(log->left_at_column));
	const char *other = quote_qualified_identifier("t", NameStr(*question->other_column));

	key = psprintf("%s::%s", key, format_type_be_qualified(question->key->typid));
	other = psprintf("%s::%s", other, format_type_be_qualified(question->other->typid));
	if (question->packed)
		appendStringInfo(sql, "SELECT %s FROM ",
						 sql_packed_value(question->key, key, question->other, other, time, left));
	else
		appendStringInfo(sql, "SELECT %s, %s, %s, %s FROM ", key, other, time, left);
	if (part->form == SQL_JOIN)
	{
		append_join(sql, part, key, equals, time, left, base);
		return;
	}
	if (part->form == SQL_REMOTE_LIST)
	{
		append_remote_join(sql, part, key, equals, time, left, base, shape->seconds,
						   question->packed);
		return;
	}
	appendStringInfo(sql, "%s AS t WHERE %s %s ANY ($%d)"
					 " AND %s OPERATOR(pg_catalog.>=) $%d AND %s OPERATOR(pg_catalog.<) $%d",
					 relation_sql_name(part->part->heap), key, equals, base + KEYS,
					 time, base + LEAST, time, base + GREATEST);
	if (is_order_everywhere(question->key))
		append_in_range(sql, key, time, left, base, shape->several);
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

/* Is each of the times infinite, or within what seconds can say? */
static bool
are_seconds(const Datum *times, Size n)
{
	for (Size i = 0; i < n; i++)
	{
		int64		time = DatumGetTimestampTz(times[i]);

		if (!TIMESTAMP_NOT_FINITE(time) && (time < LEAST_IN_SECONDS || time > GREATEST_IN_SECONDS))
			return false;
	}
	return true;
}

static Datum
seconds_of(int64 time)
{
	if (TIMESTAMP_IS_NOBEGIN(time))
		return Float8GetDatum(-get_float8_infinity());
	if (TIMESTAMP_IS_NOEND(time))
		return Float8GetDatum(get_float8_infinity());
	return Float8GetDatum((float8) (time - LEAST_IN_SECONDS) / USECS_PER_SEC);
}

/* One of the fields of all ranges, which is a time */
static void
copy_times(const SqlRange *ranges, Size n, Size offset, Datum *times)
{
	for (Size i = 0; i < n; i++)
		times[i] = TimestampTzGetDatum(*(const int64 *) ((const char *) &ranges[i] + offset));
	CHECK_FOR_INTERRUPTS();
}

/*
 * Bind the ranges' times; true if as seconds since 1970, for to_timestamp() to
 * take.  These are shorter as text, and sooner written and read, as which they
 * are sent.  Until 2106 they lose nothing: a double is off by a quarter of a
 * microsecond at most then, to_timestamp() by as much again, less than makes it
 * round to another one.
 */
static bool
bind_times(SqlForm form, const SqlRange *ranges, Size n, Oid *types, Datum *values)
{
	static const Size offsets[] = {
		[STARTS] = offsetof(SqlRange, from),
		[ENDS] = offsetof(SqlRange, to),
		[ASKED] = offsetof(SqlRange, asked),
		[YOUNG] = offsetof(SqlRange, young)
	};
	Datum	   *times = palloc_array(Datum, n);
	bool		seconds = form == SQL_REMOTE_LIST;

	for (int i = 0; i < lengthof(offsets) && seconds; i++)
	{
		copy_times(ranges, n, offsets[i], times);
		seconds = are_seconds(times, n);
	}
	for (int i = 0; i < lengthof(offsets); i++)
	{
		copy_times(ranges, n, offsets[i], times);
		for (Size j = 0; seconds && j < n; j++)
			times[j] = seconds_of(DatumGetTimestampTz(times[j]));
		types[i] = seconds ? FLOAT8ARRAYOID : TIMESTAMPTZARRAYOID;
		values[i] = make_array(times, n, seconds ? FLOAT8OID : TIMESTAMPTZOID);
		CHECK_FOR_INTERRUPTS();
	}
	return seconds;
}

/* A branch's parameters: those that all branches have, then those of conditions */
static BranchShape
bind_branch(const SqlQuestion *question, SqlForm form, const SqlRange *ranges, Size n,
			Oid *types, Datum *values)
{
	Datum	   *keys = palloc_array(Datum, n);
	Datum	   *first = palloc_array(Datum, n);
	Datum	   *last = palloc_array(Datum, n);
	int64		least = PG_INT64_MAX;
	int64		greatest = PG_INT64_MIN;
	Size		nkeys = 0;
	BranchShape shape;

	shape.seconds = bind_times(form, ranges, n, types, values);
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
	shape.several = nkeys < n;
	types[KEYS] = array_type(question->key);
	values[KEYS] = make_array(keys, nkeys, question->key->typid);
	if (form != SQL_CONDITIONS)
		return shape;
	types[FIRST] = types[LAST] = INT4ARRAYOID;
	values[FIRST] = make_array(first, nkeys, INT4OID);
	values[LAST] = make_array(last, nkeys, INT4OID);
	types[LEAST] = types[GREATEST] = TIMESTAMPTZOID;
	values[LEAST] = TimestampTzGetDatum(least);
	values[GREATEST] = TimestampTzGetDatum(greatest);
	return shape;
}

static void
add_branch(SqlStatement *statement, const SqlQuestion *question, const SqlPart *part,
		   const SqlRange *ranges, Size n)
{
	int			base = statement->nparams;
	BranchShape shape;

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
	shape = bind_branch(question, part->form, ranges, n, statement->types + base,
						statement->values + base);
	append_branch(&statement->sql, question, part, base + 1, &shape);
	statement->nparams += part->form == SQL_CONDITIONS ? CONDITION_PARAMS : JOIN_PARAMS;
	statement->nlists += part->form == SQL_REMOTE_LIST;
	statement->relids = list_append_unique_oid(statement->relids, RelationGetRelid(part->part->heap));
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
