/*-------------------------------------------------------------------------
 *
 * sql_source.c
 *	  The visit source that asks in SQL: views, foreign and distributed tables
 *
 * A question list becomes, for each table, a list of ranges: key, from, to.
 * All tables are asked in one statement (sql_statement.c), whose rows are
 * sorted here, and joined to visits.
 *
 * Rights: the statement runs as the current user, and names the partitions
 * that are asked; see part_rights.c.
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

#include "common/int.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "log_check.h"
#include "part_keys.h"
#include "remote_list.h"
#include "servers.h"
#include "sql_cursor.h"
#include "sql_packed.h"
#include "sql_source.h"
#include "sql_statement.h"
#include "venue_stays.h"

/* Ranges that go into one statement. */
#define PIECE_MAX 131072

/* Rows that are fetched at a time. */
#define FETCH_BATCH 8192

/* Visits that are handed over at a time. */
#define VISIT_BATCH 256

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
	SqlQuestion question;
	AskedKey   *asked;			/* sorted by key, each once */
	Size		nasked;
	Size		asked_size;
	PartKeys  **bounds;			/* source->subjects or source->venues */
	bool	   *holds;			/* can the part hold the last of the keys? */
	RangeList  *lists;			/* these two beside source->parts */
	SqlRow	   *rows;
	Size		nrows;
	Size		rows_size;
} Asking;

struct SqlSource
{
	Memory	   *memory;
	const VisitLog *log;
	struct VenueStays *stays;	/* the whole source's */
	VisitCounts *counts;		/* likewise */
	int			nparts;
	SqlPart    *parts;
	PartKeys  **subjects;		/* beside parts: which they can hold */
	PartKeys  **venues;
};

static int
compare_rows(const SqlRow *a, const SqlRow *b, const Asking *asking)
{
	int			order = ident_compare(asking->question.key, a->key, b->key);

	if (order == 0)
		order = a->start < b->start ? -1 : a->start > b->start;
	if (order == 0)
		order = ident_compare(asking->question.other, a->other, b->other);
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

static SqlForm
form_of(Relation rel)
{
	if (remote_list_allowed(rel))
		return SQL_REMOTE_LIST;
	if (reads_foreign_table(rel) ||
		(rel->rd_rel->relkind == RELKIND_RELATION && log_is_distributed(rel)))
		return SQL_CONDITIONS;
	return SQL_JOIN;
}

SqlSource *
sql_source_create(Memory *memory, VisitSource *whole)
{
	SqlSource  *source = memory_alloc_zero(memory, 1, sizeof(SqlSource));
	const VisitLog *log = whole->log;
	MemoryContext old;

	source->memory = memory;
	source->log = log;
	source->stays = whole->stays;
	source->counts = &whole->counts;
	source->nparts = log->nparts - log->nlocal;
	source->parts = memory_alloc_zero(memory, source->nparts, sizeof(SqlPart));
	source->subjects = memory_alloc_zero(memory, source->nparts, sizeof(PartKeys *));
	source->venues = memory_alloc_zero(memory, source->nparts, sizeof(PartKeys *));
	old = MemoryContextSwitchTo(memory->context);
	for (int i = 0; i < source->nparts; i++)
	{
		const LogPart *part = &log->parts[log->nlocal + i];

		source->parts[i].part = part;
		source->parts[i].form = form_of(part->heap);
		source->subjects[i] = part_keys_create(part->heap, NameStr(log->subject_column));
		source->venues[i] = part_keys_create(part->heap, NameStr(log->venue_column));
	}
	MemoryContextSwitchTo(old);
	return source;
}

/*
 * Ranges
 */

/*
 * Would hardly a row more come if these two were one range?  Of what began before
 * `young` only long stays come, if each range has its own row in a join.
 * Conditions need disjoint ranges.
 */
static bool
is_near(SqlForm form, const SqlRange *last, const SqlRange *range)
{
	if (form == SQL_CONDITIONS)
		return range->from <= last->to;
	return range->young <= last->to && range->from >= last->from;
}

/* Add a range, united with those before that it is near to. */
static void
add_united(Asking *asking, int part, SqlRange range)
{
	RangeList  *list = &asking->lists[part];

	while (list->n > 0)
	{
		const SqlRange *last = &list->ranges[list->n - 1];

		if (ident_compare(asking->question.key, last->key, range.key) != 0 ||
			!is_near(asking->source->parts[part].form, last, &range))
			break;
		range.from = Min(range.from, last->from);
		range.to = Max(range.to, last->to);
		range.asked = Min(range.asked, last->asked);
		range.young = Min(range.young, last->young);
		list->n--;
	}
	memory_reserve(asking->memory, list->ranges, list->n, list->capacity, 1);
	list->ranges[list->n++] = range;
}

/* Ask this part by conditions from now on. */
static void
use_conditions(Asking *asking, int part)
{
	RangeList  *list = &asking->lists[part];
	Size		n = list->n;

	asking->source->parts[part].form = SQL_CONDITIONS;
	list->n = 0;
	for (Size i = 0; i < n; i++)
		add_united(asking, part, list->ranges[i]);
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
	const SqlQuestion *question = &asking->question;

	memory_reserve(asking->memory, asking->rows, asking->nrows, asking->rows_size, n);
	asking->source->counts->moved_rows += n;
	for (uint64 i = 0; i < n; i++)
	{
		SqlRow	   *row = &asking->rows[asking->nrows];
		Datum		values[4];
		bool		nulls[4];

		heap_deform_tuple(batch->vals[i], batch->tupdesc, values, nulls);
		if (question->packed && !nulls[0])
			sql_packed_read(question->key, question->other, values[0], values, nulls);
		if (nulls[0] || nulls[1] || nulls[2])
			continue;			/* never counts */
		row->key = ident_keep(asking->memory, question->key, values[0]);
		row->other = ident_keep(asking->memory, question->other, values[1]);
		row->start = DatumGetTimestampTz(values[2]);
		row->left = nulls[3] ? NO_LEFT : DatumGetTimestampTz(values[3]);
		if (!nulls[3] && row->left == NO_LEFT)
			row->left = row->start; /* -infinity: refused in a moment */
		check_row(asking, row);
		asking->nrows++;
	}
}

/*
 * Put together what asks all parts that have ranges.  Answers are packed if any
 * come from far away.
 */
static void
make_statement(Asking *asking, SqlStatement *statement)
{
	const SqlSource *source = asking->source;
	SqlQuestion *question = &asking->question;

	memset(statement, 0, sizeof(SqlStatement));
	question->packed = false;
	for (int i = 0; i < source->nparts; i++)
		question->packed |= source->parts[i].form == SQL_REMOTE_LIST && asking->lists[i].n > 0 &&
			sql_packed_allowed(question->key, question->other);
	for (int i = 0; i < source->nparts; i++)
		sql_statement_add(statement, question, &source->parts[i], &asking->lists[i]);
}

/*
 * Ask all parts that have ranges, in one statement.
 */
static void
ask(Asking *asking)
{
	SqlSource  *source = asking->source;
	SqlStatement statement;
	Portal		portal;
	ErrorContextCallback callback;

	make_statement(asking, &statement);
	if (statement.nparams == 0)
		return;
	servers_begin(&callback);
	portal = sql_cursor_open(&statement);
	if (portal == NULL)
	{
		/* some condition cannot be sent: those that can must do */
		for (int i = 0; i < source->nparts; i++)
		{
			if (source->parts[i].form == SQL_REMOTE_LIST)
				use_conditions(asking, i);
		}
		make_statement(asking, &statement);
		portal = sql_cursor_open(&statement);
	}
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
									 asking->question.key == &asking->source->log->venue ? row->key : row->other,
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
	asking->question.log = source->log;
	asking->memory = memory_create("answers in SQL");
	asking->memory->limit = source->memory->limit - source->memory->used;
	asking->holds = memory_alloc_zero(asking->memory, source->nparts, sizeof(bool));
	asking->lists = memory_alloc_zero(asking->memory, source->nparts, sizeof(RangeList));
}

/* Times beyond what a timestamp can be have no text form. */
static int64
sql_time(int64 time)
{
	return time < MIN_TIMESTAMP ? DT_NOBEGIN : time >= END_TIMESTAMP ? DT_NOEND : time;
}

/* When a visit may have begun that lasts that long at most and is under way at this time */
static int64
look_back(int64 time, int64 longest)
{
	if (time == PG_INT64_MIN || pg_sub_s64_overflow(time, longest - 1, &time))
		return PG_INT64_MIN;
	return time;
}

/* How long visits last at most that nobody checked out */
static int64
longest_open_stay(const SqlSource *source)
{
	return source->stays ? source->log->max_stay : source->log->default_stay;
}

/*
 * Add what the parts can hold of a range.  What is asked for begins in
 * [from, to), or is under way at `from`.
 */
static void
add_ranges(Asking *asking, Ident key, int64 from, int64 to, bool under_way)
{
	SqlRange	range = {
		.key = key,
		.from = from,
		.to = to,
		.asked = sql_time(from),
		.young = sql_time(from)
	};

	if (under_way)
	{
		range.from = look_back(from, asking->source->log->max_stay);
		range.young = sql_time(look_back(from, longest_open_stay(asking->source)));
	}
	for (int part = 0; part < asking->source->nparts; part++)
	{
		const LogPart *leaf = asking->source->parts[part].part;
		SqlRange	held = range;

		held.from = sql_time(Max(range.from, leaf->from));
		held.to = sql_time(Min(range.to, leaf->to));
		if (asking->holds[part] && held.from < held.to)
			add_united(asking, part, held);
	}
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
	if (asking->question.key == &asking->source->log->venue)
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
			   ident_compare(asking->question.key, asking->asked[at].key, key) < 0)
			at++;
		if (at == asking->nasked)
			break;
		asked = &asking->asked[at];
		if (ident_compare(asking->question.key, asked->key, key) != 0 ||
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

/* A key that ranges are added of next */
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
	for (int part = 0; part < asking->source->nparts; part++)
		asking->holds[part] = asking->bounds[part] == NULL ||
			part_keys_allow(asking->bounds[part], ident_to_datum(asking->question.key, key));
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
		asking.question.key_column = &log->subject_column;
		asking.question.other_column = &log->venue_column;
		asking.question.key = &log->subject;
		asking.question.other = &log->venue;
		asking.bounds = source->subjects;
		for (int i = begin; i < Min(n, begin + PIECE_MAX); i++)
		{
			const SubjectQuestion *question = &questions[i];

			add_key(&asking, question->subject, i, question->from, question->to);
			add_ranges(&asking, question->subject, question->from, question->to, true);
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
		asking.question.key_column = &log->venue_column;
		asking.question.other_column = &log->subject_column;
		asking.question.key = &log->venue;
		asking.question.other = &log->subject;
		asking.bounds = source->venues;

		/* the questions about one venue stay together */
		for (; i < n && (i < begin + PIECE_MAX || questions[i].tag == questions[i - 1].tag); i++)
		{
			const VenueQuestion *question = &questions[i];

			if (i == begin || question->tag != questions[i - 1].tag)
				add_key(&asking, question->venue, question->tag, PG_INT64_MIN, PG_INT64_MAX);
			add_ranges(&asking, question->venue, question->from, question->to, question->under_way);
		}
		answer(&asking, &source->counts->venue_rows, sink, arg);
		memory_delete(asking.memory);
		SPI_finish();
	}
}
