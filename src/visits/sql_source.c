/*-------------------------------------------------------------------------
 *
 * sql_source.c
 *	  The visit source that asks in SQL: views, foreign and distributed tables
 *
 * A question list becomes, for each table, a list of ranges: key, from, to.
 * All tables are asked in one statement, a branch of a UNION ALL each, whose
 * parameters are arrays, so that a list of any length is one statement and
 * one plan.  There are two forms of a branch.
 *
 * A table that this server reads itself is joined with the ranges:
 *
 *		FROM ROWS FROM (unnest(keys), unnest(starts), unnest(ends)) AS q
 *		JOIN t ON t.key = q.key AND ...
 *
 * which is a nested loop over an index, row for row what the B-tree source
 * reads.  A foreign table would be asked range by range then, one round trip
 * each.  So its branch has nothing but conditions, all of which postgres_fdw
 * (or Citus) sends along:
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
 * and are sorted out here.
 *
 * Branches over foreign tables stand in one Append, so that those of several
 * servers work at the same time if they are async_capable.  That is why the
 * statement has no ORDER BY: rows are sorted here.
 *
 * The plans are generic: with the arrays as constants planning would take
 * longer than reading.
 *
 * Rights: the statement runs as the current user, and names the partitions
 * that are asked; she needs SELECT on them.
 *
 * Locking: what PostgreSQL's executor takes.  Memory: what a piece of the
 * question list brings in is counted with the trace's memory, and goes away
 * with the piece.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "log_check.h"
#include "servers.h"
#include "sql_source.h"
#include "venue_stays.h"

/* Ranges that go into one statement. */
#define PIECE_MAX 131072

/* Rows that are fetched at a time. */
#define FETCH_BATCH 8192

/* Visits that are handed over at a time. */
#define VISIT_BATCH 256

/* Parameters of a branch; see bind_branch(). */
#define BRANCH_PARAMS 7

typedef struct SqlRange
{
	Ident		key;
	int64		from;
	int64		to;
} SqlRange;

/* The ranges of one part, sorted by key and time, disjoint */
typedef struct RangeList
{
	SqlRange   *ranges;
	Size		n;
	Size		capacity;
} RangeList;

/* What a key was asked for, and what its visits are tagged with */
typedef struct AskedKey
{
	Ident		key;
	int64		from;
	int64		to;
	int32		tag;
} AskedKey;

typedef struct SqlRow
{
	Ident		key;
	Ident		other;
	int64		start;
	int64		left;			/* NO_LEFT: null */
} SqlRow;

#define NO_LEFT PG_INT64_MIN

/* One question list, of either kind, and what has been read of the answers */
typedef struct Asking
{
	SqlSource  *source;
	Memory	   *memory;			/* of this piece */
	const NameData *key_column;
	const NameData *other_column;
	const IdentType *key;
	const IdentType *other;
	AskedKey   *asked;			/* sorted by key, each once */
	Size		nasked;
	Size		asked_size;
	RangeList  *lists;			/* beside source->parts */
	SqlRow	   *rows;
	Size		nrows;
	Size		rows_size;
} Asking;

typedef struct SqlPart
{
	const LogPart *part;
	bool		remote;			/* all conditions must be sent along */
} SqlPart;

struct SqlSource
{
	Memory	   *memory;
	const VisitLog *log;
	struct VenueStays *stays;	/* the whole source's */
	VisitCounts *counts;		/* likewise */
	int			nparts;
	SqlPart    *parts;
};

static int
compare_rows(const SqlRow *a, const SqlRow *b, const Asking *asking)
{
	int			order = ident_compare(asking->key, a->key, b->key);

	if (order == 0)
		order = a->start < b->start ? -1 : a->start > b->start;
	if (order == 0)
		order = ident_compare(asking->other, a->other, b->other);
	return order;
}

#define ST_SORT sql_row_sort
#define ST_ELEMENT_TYPE SqlRow
#define ST_COMPARE(a, b, asking) compare_rows(a, b, asking)
#define ST_COMPARE_ARG_TYPE const Asking
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Which form a part needs
 */

static bool
is_remote(Relation rel)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
			return reads_foreign_table(rel);
		case RELKIND_RELATION:
			return log_is_distributed(rel);
		default:
			return false;
	}
}

SqlSource *
sql_source_create(Memory *memory, VisitSource *whole)
{
	SqlSource  *source = memory_alloc_zero(memory, 1, sizeof(SqlSource));
	const VisitLog *log = whole->log;

	source->memory = memory;
	source->log = log;
	source->stays = whole->stays;
	source->counts = &whole->counts;
	source->nparts = log->nparts - log->nlocal;
	source->parts = memory_alloc_zero(memory, source->nparts, sizeof(SqlPart));
	for (int i = 0; i < source->nparts; i++)
	{
		source->parts[i].part = &log->parts[log->nlocal + i];
		source->parts[i].remote = is_remote(source->parts[i].part->heap);
	}
	return source;
}

/*
 * The statement
 */

/* Can the other side look a key up in our order? */
static bool
is_order_everywhere(const IdentType *type)
{
	return !OidIsValid(type->collation) && type->typid < FirstGenbkiObjectId &&
		get_typtype(type->typid) == TYPTYPE_BASE;
}

/* SQL for: the row lies in one of its key's ranges */
static void
append_in_range(StringInfo sql, const char *key, const char *time, int first)
{
	char	   *place = psprintf("pg_catalog.width_bucket(%s, $%d)", key, first);
	char	   *begin = psprintf("($%d)[%s]", first + 3, place);
	char	   *slice = psprintf("($%d)[%s:($%d)[%s]]", first + 5, begin, first + 4, place);

	appendStringInfo(sql, " AND %s OPERATOR(pg_catalog.>=) ($%d)[%s]", time, first + 5, begin);
	appendStringInfo(sql, " AND %s OPERATOR(pg_catalog.<) ($%d)[%s OPERATOR(pg_catalog.-) 1 "
					 "OPERATOR(pg_catalog.+) pg_catalog.width_bucket(%s, %s)]",
					 time, first + 6, begin, time, slice);
}

/*
 * One table's branch, whose parameters are numbered from `first` on.
 */
static void
append_branch(StringInfo sql, const Asking *asking, const SqlPart *part, int first)
{
	const VisitLog *log = asking->source->log;
	const char *equals = ident_equality_operator(asking->key);
	const char *key = quote_qualified_identifier("t", NameStr(*asking->key_column));
	const char *time = quote_qualified_identifier("t", NameStr(log->entered_at_column));

	key = psprintf("%s::%s", key, format_type_be_qualified(asking->key->typid));
	appendStringInfo(sql, "SELECT %s, %s::%s, ", key,
					 quote_qualified_identifier("t", NameStr(*asking->other_column)),
					 format_type_be_qualified(asking->other->typid));
	appendStringInfo(sql, "%s, %s FROM ", time,
					 quote_qualified_identifier("t", NameStr(log->left_at_column)));
	if (part->remote)
	{
		appendStringInfo(sql, "%s AS t WHERE %s %s ANY ($%d)"
						 " AND %s OPERATOR(pg_catalog.>=) $%d AND %s OPERATOR(pg_catalog.<) $%d",
						 relation_sql_name(part->part->heap), key, equals, first,
						 time, first + 1, time, first + 2);
		if (is_order_everywhere(asking->key))
			append_in_range(sql, key, time, first);
	}
	else
		appendStringInfo(sql, "ROWS FROM (pg_catalog.unnest($%d), pg_catalog.unnest($%d), "
						 "pg_catalog.unnest($%d)) AS q (key, lower, upper) JOIN %s AS t"
						 " ON %s %s q.key"
						 " AND %s OPERATOR(pg_catalog.>=) q.lower AND %s OPERATOR(pg_catalog.<) q.upper",
						 first, first + 5, first + 6, relation_sql_name(part->part->heap),
						 key, equals, time, time);
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

/*
 * A branch's parameters: the keys (each once where the branch is remote, else
 * one a range), least and greatest time, for each key the numbers of its first
 * and last range, and starts and ends of the ranges.
 */
static void
bind_branch(const Asking *asking, const SqlPart *part, const RangeList *list,
			Oid *types, Datum *values)
{
	Size		n = list->n;
	Datum	   *keys = palloc_array(Datum, n);
	Datum	   *first = palloc_array(Datum, n);
	Datum	   *last = palloc_array(Datum, n);
	Datum	   *starts = palloc_array(Datum, n);
	Datum	   *ends = palloc_array(Datum, n);
	int64		least = PG_INT64_MAX;
	int64		greatest = PG_INT64_MIN;
	Size		nkeys = 0;

	for (Size i = 0; i < n; i++)
	{
		const SqlRange *range = &list->ranges[i];

		if ((i & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (!part->remote || i == 0 ||
			ident_compare(asking->key, range->key, list->ranges[i - 1].key) != 0)
		{
			keys[nkeys] = ident_to_datum(asking->key, range->key);
			first[nkeys++] = Int32GetDatum((int32) i + 1);
		}
		last[nkeys - 1] = Int32GetDatum((int32) i + 1);
		starts[i] = TimestampTzGetDatum(range->from);
		ends[i] = TimestampTzGetDatum(range->to);
		least = Min(least, range->from);
		greatest = Max(greatest, range->to);
	}
	types[0] = array_type(asking->key);
	values[0] = make_array(keys, nkeys, asking->key->typid);
	types[1] = types[2] = TIMESTAMPTZOID;
	values[1] = TimestampTzGetDatum(least);
	values[2] = TimestampTzGetDatum(greatest);
	types[3] = types[4] = INT4ARRAYOID;
	values[3] = make_array(first, nkeys, INT4OID);
	values[4] = make_array(last, nkeys, INT4OID);
	types[5] = types[6] = TIMESTAMPTZARRAYOID;
	values[5] = make_array(starts, n, TIMESTAMPTZOID);
	values[6] = make_array(ends, n, TIMESTAMPTZOID);
}

/*
 * The answers
 */

/* What bounds how far back a trace looks must hold for rows from anywhere. */
static void
check_row(const Asking *asking, const SqlRow *row)
{
	const VisitLog *log = asking->source->log;
	int64		stay;

	if (TIMESTAMP_NOT_FINITE(row->start))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("visit log \"%s\" has a visit that begins at no finite time",
						get_rel_name(log->relid)),
				 errhint("Leave such rows out of the view, or mend them where they are stored.")));
	if (row->left == NO_LEFT)
		return;
	if (TIMESTAMP_NOT_FINITE(row->left) || row->left <= row->start ||
		pg_sub_s64_overflow(row->left, row->start, &stay) || stay > log->max_stay)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("visit log \"%s\" has a visit from %s to %s", get_rel_name(log->relid),
						pstrdup(timestamptz_to_str(row->start)),
						pstrdup(timestamptz_to_str(row->left))),
				 errdetail("A visit must end after it begins, and last %s at most.",
						   length_to_string(log->max_stay)),
				 errhint("Mend the row where it is stored, or let the log's owner raise max_stay.")));
}

static void
take_rows(Asking *asking, SPITupleTable *batch, uint64 n)
{
	memory_reserve(asking->memory, asking->rows, asking->nrows, asking->rows_size, n);
	asking->source->counts->moved_rows += n;
	for (uint64 i = 0; i < n; i++)
	{
		SqlRow	   *row = &asking->rows[asking->nrows];
		Datum		values[4];
		bool		nulls[4];

		heap_deform_tuple(batch->vals[i], batch->tupdesc, values, nulls);
		if (nulls[0] || nulls[1] || nulls[2])
			continue;			/* never counts */
		row->key = ident_keep(asking->memory, asking->key, values[0]);
		row->other = ident_keep(asking->memory, asking->other, values[1]);
		row->start = DatumGetTimestampTz(values[2]);
		row->left = nulls[3] ? NO_LEFT : DatumGetTimestampTz(values[3]);
		if (!nulls[3] && row->left == NO_LEFT)
			row->left = row->start; /* -infinity: refused in a moment */
		check_row(asking, row);
		asking->nrows++;
	}
}

/*
 * Ask all parts that have ranges, in one statement.
 */
static void
ask(Asking *asking)
{
	SqlSource  *source = asking->source;
	int			nparams = source->nparts * BRANCH_PARAMS;
	Oid		   *types = palloc_array(Oid, nparams);
	Datum	   *values = palloc_array(Datum, nparams);
	int			n = 0;
	StringInfoData sql;
	SPIPlanPtr	plan;
	Portal		portal;
	ErrorContextCallback callback;

	initStringInfo(&sql);
	for (int i = 0; i < source->nparts; i++)
	{
		if (asking->lists[i].n == 0)
			continue;
		if (n > 0)
			appendStringInfoString(&sql, " UNION ALL ");
		append_branch(&sql, asking, &source->parts[i], n + 1);
		bind_branch(asking, &source->parts[i], &asking->lists[i], types + n, values + n);
		n += BRANCH_PARAMS;
	}
	if (n == 0)
		return;

	servers_begin(&callback);
	plan = SPI_prepare_cursor(sql.data, n, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	servers_name(portal);
	source->counts->statements++;
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_BATCH);
		take_rows(asking, SPI_tuptable, SPI_processed);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	servers_end(&callback);
}

/*
 * Whole visits of sorted rows; row i is the first of the visit.  Returns where
 * the next visit begins.
 */
static Size
join_visit(const Asking *asking, Size i, Visit *visit)
{
	const SqlRow *row = &asking->rows[i];
	int64		left = NO_LEFT;
	Size		next;

	for (next = i; next < asking->nrows &&
		 compare_rows(row, &asking->rows[next], asking) == 0; next++)
		left = Max(left, asking->rows[next].left);
	visit->other = row->other;
	visit->start = row->start;
	if (left != NO_LEFT)
		visit->end = left;
	else if (asking->source->stays)
		visit->end = venue_stays_end(asking->source->stays,
									 asking->key == &asking->source->log->venue ? row->key : row->other,
									 row->start);
	else
		visit->end = row->start + asking->source->log->default_stay;
	return next;
}

static void
begin_asking(Asking *asking, SqlSource *source)
{
	memset(asking, 0, sizeof(Asking));
	asking->source = source;
	asking->memory = memory_create("answers in SQL");
	asking->memory->limit = source->memory->limit - source->memory->used;
	asking->lists = memory_alloc_zero(asking->memory, source->nparts, sizeof(RangeList));
}

/* Add what a part can hold of a range, united with the range before. */
static void
add_range(Asking *asking, int part, Ident key, int64 from, int64 to)
{
	const LogPart *leaf = asking->source->parts[part].part;
	RangeList  *list = &asking->lists[part];
	SqlRange   *last = list->n > 0 ? &list->ranges[list->n - 1] : NULL;

	from = Max(from, leaf->from);
	to = Min(to, leaf->to);
	if (from >= to)
		return;

	/* times beyond what a timestamp can be have no text form */
	if (from < MIN_TIMESTAMP)
		from = DT_NOBEGIN;
	if (to >= END_TIMESTAMP)
		to = DT_NOEND;
	if (last && from <= last->to && ident_compare(asking->key, last->key, key) == 0)
	{
		last->to = Max(last->to, to);
		return;
	}
	memory_reserve(asking->memory, list->ranges, list->n, list->capacity, 1);
	last = &list->ranges[list->n++];
	last->key = key;
	last->from = from;
	last->to = to;
}

static void
add_ranges(Asking *asking, Ident key, int64 from, int64 to)
{
	for (int part = 0; part < asking->source->nparts; part++)
		add_range(asking, part, key, from, to);
}

/* How far back a visit that is under way at this time may have begun */
static int64
look_back(const VisitLog *log, int64 time)
{
	if (time == PG_INT64_MIN || pg_sub_s64_overflow(time, log->max_stay - 1, &time))
		return PG_INT64_MIN;
	return time;
}

/*
 * Know how long visits last at the venues of those that are not checked out.
 */
static void
learn_venues(const Asking *asking)
{
	VenueStays *stays = asking->source->stays;

	if (stays == NULL)
		return;
	if (asking->key == &asking->source->log->venue)
		venue_stays_learn(stays, &asking->asked[0].key, sizeof(AskedKey), asking->nasked);
	else
		venue_stays_learn(stays, &asking->rows[0].other, sizeof(SqlRow), asking->nrows);
}

/*
 * Ask, join the rows to visits, and hand these over with their keys' tags.
 */
static void
answer(Asking *asking, uint64 *rows_read, VisitSink sink, void *arg)
{
	Visit		batch[VISIT_BATCH];
	int			n = 0;
	Size		at = 0;
	uint64		moved = asking->source->counts->moved_rows;

	ask(asking);
	*rows_read += asking->source->counts->moved_rows - moved;
	sql_row_sort(asking->rows, asking->nrows, asking);
	learn_venues(asking);
	for (Size i = 0; i < asking->nrows;)
	{
		Ident		key = asking->rows[i].key;
		const AskedKey *asked;

		i = join_visit(asking, i, &batch[n]);
		while (at < asking->nasked &&
			   ident_compare(asking->key, asking->asked[at].key, key) < 0)
			at++;
		if (at == asking->nasked)
			break;
		asked = &asking->asked[at];
		if (ident_compare(asking->key, asked->key, key) != 0 ||
			batch[n].start >= asked->to || batch[n].end <= asked->from)
			continue;
		batch[n++].tag = asked->tag;
		if (n == VISIT_BATCH)
		{
			CHECK_FOR_INTERRUPTS();
			sink(arg, batch, n);
			n = 0;
		}
	}
	if (n > 0)
		sink(arg, batch, n);
}

static void
add_key(Asking *asking, Ident key, int32 tag, int64 from, int64 to)
{
	AskedKey   *asked;

	memory_reserve(asking->memory, asking->asked, asking->nasked, asking->asked_size, 1);
	asked = &asking->asked[asking->nasked++];
	asked->key = key;
	asked->tag = tag;
	asked->from = from;
	asked->to = to;
}

void
sql_source_visits_of_subjects(SqlSource *source, const SubjectQuestion *questions, int n,
							  VisitSink sink, void *arg)
{
	const VisitLog *log = source->log;

	for (int begin = 0; begin < n; begin += PIECE_MAX)
	{
		Asking		asking;

		SPI_connect();
		begin_asking(&asking, source);
		asking.key_column = &log->subject_column;
		asking.other_column = &log->venue_column;
		asking.key = &log->subject;
		asking.other = &log->venue;
		for (int i = begin; i < Min(n, begin + PIECE_MAX); i++)
		{
			const SubjectQuestion *question = &questions[i];

			add_key(&asking, question->subject, i, question->from, question->to);
			add_ranges(&asking, question->subject, look_back(log, question->from), question->to);
		}
		answer(&asking, &source->counts->subject_rows, sink, arg);
		memory_delete(asking.memory);
		SPI_finish();
	}
}

/*
 * Visits that a venue's ranges hold beside those that were asked for are
 * delivered, too.
 */
void
sql_source_visits_at_venues(SqlSource *source, const VenueQuestion *questions, int n,
							VisitSink sink, void *arg)
{
	const VisitLog *log = source->log;
	int			i = 0;

	while (i < n)
	{
		int			begin = i;
		Asking		asking;

		SPI_connect();
		begin_asking(&asking, source);
		asking.key_column = &log->venue_column;
		asking.other_column = &log->subject_column;
		asking.key = &log->venue;
		asking.other = &log->subject;

		/* the questions about one venue stay together */
		for (; i < n && (i < begin + PIECE_MAX || questions[i].tag == questions[i - 1].tag); i++)
		{
			const VenueQuestion *question = &questions[i];

			if (i == begin || question->tag != questions[i - 1].tag)
				add_key(&asking, question->venue, question->tag, PG_INT64_MIN, PG_INT64_MAX);
			add_ranges(&asking, question->venue,
					   question->under_way ? look_back(log, question->from) : question->from,
					   question->to);
		}
		answer(&asking, &source->counts->venue_rows, sink, arg);
		memory_delete(asking.memory);
		SPI_finish();
	}
}
