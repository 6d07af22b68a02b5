/*-------------------------------------------------------------------------
 *
 * btree.c
 *	  The visit source that reads a log's covering B-trees
 *
 * A question becomes ranges of an index; the rows that the leaf pages give
 * back pass the visibility check, rows of one visit are joined, and whole
 * visits go to the caller in batches.
 *
 * How far back a visit may have begun is bounded by max_stay, which the
 * table's CHECK guarantees.  Where the partial index for long stays is there,
 * only long_stay is read back in the main one, and the few longer visits come
 * from the partial index: a check-out row with a long stay is in it, and the
 * visit's end, the latest check-out, is then among the long ones.
 *
 * Where the venues' table says how long visits last that are not checked out,
 * those may be longer than long_stay without being in that index: as far as a
 * venue's longest such visit, the main one is read back.
 *
 * Leaf tables are read one after another, and opened when they are first
 * needed.  What is no local heap is left to sql_source.c.
 *
 * Locking: none beyond visit_log_open()'s, and a pin on one leaf page at a
 * time.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "btree_page.h"
#include "sql_source.h"
#include "venue_stays.h"

/* Questions that are turned into ranges at a time. */
#define QUESTION_BATCH 8192

/* Ranges of long visits no further apart than so many times max_stay are one. */
#define LONG_GAP 4

/* Visits that are handed over at a time. */
#define VISIT_BATCH 256

typedef struct PartReaders
{
	HeapChecker *heap;
	BtreeReader *by_subject;
	BtreeReader *by_venue;
	BtreeReader *by_venue_long;
} PartReaders;

typedef struct RangeList
{
	ReadRange  *ranges;
	Size		n;
	Size		capacity;
} RangeList;

typedef struct BtreeSource
{
	VisitSource base;
	Memory	   *memory;
	PartReaders *parts;			/* beside the local ones of log->parts */
	SqlSource  *in_sql;			/* for the others; NULL if there are none */
	RangeList	main;			/* of the index over all visits */
	RangeList	lasting;		/* of that over the long ones */
} BtreeSource;

/* Joins rows to visits and hands these over. */
typedef struct VisitJoiner
{
	BtreeSource *source;
	const ReadRange *ranges;
	HeapChecker *heap;
	const IdentType *key;		/* type of the ranges' keys */
	const IdentType *other;		/* type of the visits' `other` */
	uint64	   *rows_read;
	VisitSink	sink;
	void	   *arg;

	/*
	 * Visits that these ranges hold were read already: those of the main
	 * index, while the one of long visits is read.
	 */
	const RangeList *read_before;
	Size		next_before;	/* the first that may still matter */

	bool		pending;		/* may the last visit have further rows? */
	int32		pending_range;
	bool		pending_left;	/* has one of its rows a left_at? */
	int			n;
	Visit		visits[VISIT_BATCH];

	/*
	 * Where the venues' table says how long visits last, those of subjects
	 * that are not checked out are ended when they are handed over, many at a
	 * time; until then their end is the least that matters.
	 */
	bool		by_subject;
	int			nopen;
	bool		open[VISIT_BATCH];
} VisitJoiner;

static void visits_of_subjects(VisitSource *base, const SubjectQuestion *questions, int n,
							   VisitSink sink, void *arg);
static void visits_at_venues(VisitSource *base, const VenueQuestion *questions, int n,
							 VisitSink sink, void *arg);
static void close_source(VisitSource *base);
static void add_subject_ranges(BtreeSource *source, const LogPart *part,
							   const SubjectQuestion *questions, int from, int to);
static void add_venue_ranges(BtreeSource *source, const LogPart *part,
							 const VenueQuestion *questions, int n);
static void add_long_ranges(BtreeSource *source, const LogPart *part,
							const VenueQuestion *questions, int n);
static void read_ranges(BtreeSource *source, int part, const LogIndex *index,
						BtreeReader **reader, const RangeList *list,
						const IdentType *key, VisitJoiner *joiner);
static void join_rows(void *arg, IndexRow *rows, int n);
static void finish_visit(VisitJoiner *joiner);
static int	end_open_visits(VisitJoiner *joiner, int n);
static void hand_over(VisitJoiner *joiner);

VisitSource *
visit_source_create(Memory *memory, const VisitLog *log)
{
	BtreeSource *source = memory_alloc_zero(memory, 1, sizeof(BtreeSource));

	source->base.log = log;
	source->base.stays = venue_stays_open(memory, log);
	source->base.visits_of_subjects = visits_of_subjects;
	source->base.visits_at_venues = visits_at_venues;
	source->base.close = close_source;
	source->memory = memory;
	source->parts = memory_alloc_zero(memory, log->nlocal, sizeof(PartReaders));
	if (log->nlocal < log->nparts)
		source->in_sql = sql_source_create(memory, &source->base);
	return &source->base;
}

static void
close_source(VisitSource *base)
{
	BtreeSource *source = (BtreeSource *) base;

	for (int i = 0; i < base->log->nlocal; i++)
	{
		PartReaders *part = &source->parts[i];

		if (part->by_subject)
			btree_reader_close(part->by_subject);
		if (part->by_venue)
			btree_reader_close(part->by_venue);
		if (part->by_venue_long)
			btree_reader_close(part->by_venue_long);
		if (part->heap)
			heap_checker_close(part->heap);
	}
}

static void
init_joiner(VisitJoiner *joiner, BtreeSource *source, const IdentType *other,
			uint64 *rows_read, VisitSink sink, void *arg)
{
	joiner->source = source;
	joiner->other = other;
	joiner->rows_read = rows_read;
	joiner->sink = sink;
	joiner->arg = arg;
	joiner->pending = false;
	joiner->n = 0;
	joiner->by_subject = other == &source->base.log->venue;
	joiner->nopen = 0;
}

/* a + b, where a bound that is none stays so */
static inline int64
shift_time(int64 a, int64 b)
{
	int64		sum;

	if (a == PG_INT64_MIN || a == PG_INT64_MAX)
		return a;
	if (pg_add_s64_overflow(a, b, &sum))
		return b < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return sum;
}

static void
visits_of_subjects(VisitSource *base, const SubjectQuestion *questions, int n,
				   VisitSink sink, void *arg)
{
	BtreeSource *source = (BtreeSource *) base;
	const VisitLog *log = base->log;
	VisitJoiner joiner;

	init_joiner(&joiner, source, &log->venue, &base->counts.subject_rows, sink, arg);
	for (int part = 0; part < log->nlocal; part++)
		for (int done = 0; done < n; done += QUESTION_BATCH)
		{
			source->main.n = 0;
			add_subject_ranges(source, &log->parts[part], questions, done,
							   Min(n, done + QUESTION_BATCH));
			read_ranges(source, part, &log->parts[part].by_subject,
						&source->parts[part].by_subject, &source->main,
						&log->subject, &joiner);
		}
	if (source->in_sql)
		sql_source_visits_of_subjects(source->in_sql, questions, n, sink, arg);
}

/*
 * What to read of one leaf table for questions from..to - 1.
 */
static void
add_subject_ranges(BtreeSource *source, const LogPart *part,
				   const SubjectQuestion *questions, int from, int to)
{
	RangeList  *list = &source->main;

	for (int i = from; i < to; i++)
	{
		const SubjectQuestion *question = &questions[i];
		ReadRange	range;

		range.key = question->subject;
		range.from = Max(shift_time(question->from, 1 - source->base.log->max_stay),
						 part->from);
		range.to = Min(question->to, part->to);
		range.min_end = question->from;
		range.tag = i;
		if (range.from >= range.to)
			continue;
		memory_reserve(source->memory, list->ranges, list->n, list->capacity, 1);
		list->ranges[list->n++] = range;
	}
}

static void
visits_at_venues(VisitSource *base, const VenueQuestion *questions, int n,
				 VisitSink sink, void *arg)
{
	BtreeSource *source = (BtreeSource *) base;
	const VisitLog *log = base->log;
	VisitJoiner joiner;

	if (base->stays && n > 0)
		venue_stays_learn(base->stays, &questions[0].venue, sizeof(VenueQuestion), n);
	init_joiner(&joiner, source, &log->subject, &base->counts.venue_rows, sink, arg);
	for (int part = 0; part < log->nlocal; part++)
	{
		int			done = 0;

		while (done < n)
		{
			source->main.n = source->lasting.n = 0;
			while (done < n && source->main.n < QUESTION_BATCH)
			{
				int			next = done + 1;

				while (next < n && questions[next].tag == questions[done].tag)
					next++;
				add_venue_ranges(source, &log->parts[part], questions + done, next - done);
				done = next;
			}
			read_ranges(source, part, &log->parts[part].by_venue,
						&source->parts[part].by_venue, &source->main,
						&log->venue, &joiner);
			read_ranges(source, part, &log->parts[part].by_venue_long,
						&source->parts[part].by_venue_long, &source->lasting,
						&log->venue, &joiner);
		}
	}
	if (source->in_sql)
		sql_source_visits_at_venues(source->in_sql, questions, n, sink, arg);
}

/*
 * Since when a visit that is in the main index alone can be under way as the
 * question begins: one that was checked out, for long_stay; one that was not,
 * as long as its venue says.
 */
static int64
under_way_since(const BtreeSource *source, const LogPart *part, const VenueQuestion *question)
{
	int64		since = shift_time(question->from, 1 - part->long_stay);

	if (source->base.stays && question->from != PG_INT64_MIN)
		since = Min(since, venue_stays_since(source->base.stays, question->venue, question->from));
	return since;
}

/*
 * What to read of one leaf table for the n questions about one venue.
 * Overlapping ranges are united, so that no row is read twice.
 */
static void
add_venue_ranges(BtreeSource *source, const LogPart *part,
				 const VenueQuestion *questions, int n)
{
	RangeList  *list = &source->main;
	Size		first = list->n;

	for (int i = 0; i < n; i++)
	{
		const VenueQuestion *question = &questions[i];
		ReadRange	range;

		range.key = question->venue;
		range.from = question->from;
		if (question->under_way)
			range.from = under_way_since(source, part, question);
		range.from = Max(range.from, part->from);
		range.to = Min(question->to, part->to);
		range.min_end = question->from;
		range.tag = question->tag;
		if (range.from >= range.to)
			continue;

		if (list->n > first && range.from <= list->ranges[list->n - 1].to)
		{
			ReadRange  *last = &list->ranges[list->n - 1];

			last->to = Max(last->to, range.to);
			continue;
		}
		memory_reserve(source->memory, list->ranges, list->n, list->capacity, 1);
		list->ranges[list->n++] = range;
	}
	if (part->by_venue_long.rel)
		add_long_ranges(source, part, questions, n);
}

/*
 * The same for the visits too long for that: what began more than long_stay
 * before a question.  Such visits are few, so that reading what lies between
 * two ranges takes less than searching for the second.
 */
static void
add_long_ranges(BtreeSource *source, const LogPart *part,
				const VenueQuestion *questions, int n)
{
	RangeList  *list = &source->lasting;
	Size		first = list->n;
	int64		gap = Min(source->base.log->max_stay, PG_INT64_MAX / LONG_GAP) * LONG_GAP;

	for (int i = 0; i < n; i++)
	{
		const VenueQuestion *question = &questions[i];
		ReadRange	range;

		if (!question->under_way)
			continue;
		range.key = question->venue;
		range.from = Max(shift_time(question->from, 1 - source->base.log->max_stay), part->from);
		range.to = Min(shift_time(question->from, 1 - part->long_stay), part->to);
		range.min_end = question->from;
		range.tag = question->tag;
		if (range.from >= range.to)
			continue;
		if (list->n > first && range.from <= shift_time(list->ranges[list->n - 1].to, gap))
		{
			list->ranges[list->n - 1].to = Max(list->ranges[list->n - 1].to, range.to);
			continue;
		}
		memory_reserve(source->memory, list->ranges, list->n, list->capacity, 1);
		list->ranges[list->n++] = range;
	}
}

/*
 * Read the ranges of one index of one leaf table, and hand over the visits.
 */
static void
read_ranges(BtreeSource *source, int part, const LogIndex *index, BtreeReader **reader,
			const RangeList *list, const IdentType *key, VisitJoiner *joiner)
{
	HeapChecker **heap = &source->parts[part].heap;

	if (list->n == 0)
		return;
	if (*heap == NULL)
		*heap = heap_checker_create(source->memory, source->base.log->parts[part].heap,
									GetActiveSnapshot());
	if (*reader == NULL)
		*reader = btree_reader_create(source->memory, index->rel, key, joiner->other,
									  index->left_attno);
	joiner->heap = *heap;
	joiner->ranges = list->ranges;
	joiner->key = key;
	joiner->read_before = list == &source->lasting ? &source->main : NULL;
	joiner->next_before = 0;
	btree_reader_read(*reader, list->ranges, list->n, join_rows, joiner);
	finish_visit(joiner);
	hand_over(joiner);
}

/*
 * Is this the row of the visit that is pending?
 */
static inline bool
same_visit(const VisitJoiner *joiner, const IndexRow *row)
{
	const Visit *last = &joiner->visits[joiner->n - 1];

	return joiner->pending && last->start == row->start &&
		joiner->pending_range == row->range &&
		ident_compare(joiner->other, last->other, row->other) == 0;
}

/*
 * Was the row's visit found in the main index?  Rows come in the ranges' order.
 */
static bool
was_read_before(VisitJoiner *joiner, const IndexRow *row)
{
	const RangeList *list = joiner->read_before;

	for (; joiner->next_before < list->n; joiner->next_before++)
	{
		const ReadRange *range = &list->ranges[joiner->next_before];
		int			cmp = ident_compare(joiner->key, range->key, joiner->ranges[row->range].key);

		if (cmp > 0)
			return false;
		if (cmp == 0 && range->to > row->start)
			return range->from <= row->start;
	}
	return false;
}

/*
 * RowSink: the rows of one leaf page, which is pinned.
 */
static void
join_rows(void *arg, IndexRow *rows, int n)
{
	VisitJoiner *joiner = arg;

	*joiner->rows_read += n;
	for (int i = 0; i < n; i++)
	{
		IndexRow   *row = &rows[i];
		Visit	   *visit = &joiner->visits[joiner->n - 1];
		bool		same = same_visit(joiner, row);

		/* a value held by reference is to be found on the newest page */
		if (same)
			visit->other = row->other;
		else
			finish_visit(joiner);

		if (joiner->read_before && was_read_before(joiner, row))
			continue;
		if (!heap_checker_sees(joiner->heap, &row->tid,
							   &joiner->source->base.counts.heap_fetches))
			continue;

		if (!same)
		{
			if (joiner->n == VISIT_BATCH)
				hand_over(joiner);
			visit = &joiner->visits[joiner->n++];
			visit->other = row->other;
			visit->start = row->start;
			visit->end = shift_time(row->start, joiner->source->base.log->default_stay);
			visit->tag = joiner->ranges[row->range].tag;
			joiner->pending = true;
			joiner->pending_range = row->range;
			joiner->pending_left = false;
		}
		if (row->left != NO_LEFT)
		{
			visit->end = joiner->pending_left ? Max(visit->end, row->left) : row->left;
			joiner->pending_left = true;
		}
	}

	/* values held by reference live until the page after this one is read */
	if (joiner->other->class != IDENT_FIXED)
		hand_over(joiner);
}

/*
 * No further row belongs to the pending visit; keep it if it matters.
 */
static void
finish_visit(VisitJoiner *joiner)
{
	VenueStays *stays = joiner->source->base.stays;
	const ReadRange *range;
	Visit	   *visit;
	bool		open;

	if (!joiner->pending)
		return;
	joiner->pending = false;
	range = &joiner->ranges[joiner->pending_range];
	visit = &joiner->visits[joiner->n - 1];
	open = stays && !joiner->pending_left;
	joiner->open[joiner->n - 1] = open && joiner->by_subject;
	if (joiner->open[joiner->n - 1])
	{
		visit->end = range->min_end;
		joiner->nopen++;
		return;
	}
	if (open)
		visit->end = venue_stays_end(stays, range->key, visit->start);
	if (visit->end <= range->min_end)
		joiner->n--;
}

/*
 * End the open ones of the first n visits as their venues say, and leave out
 * those that do not matter then.  Returns how many remain.
 */
static int
end_open_visits(VisitJoiner *joiner, int n)
{
	VenueStays *stays = joiner->source->base.stays;
	Ident		venues[VISIT_BATCH] = {{0}};
	int			kept = 0;

	joiner->nopen = 0;
	for (int i = 0; i < n; i++)
		if (joiner->open[i])
			venues[joiner->nopen++] = joiner->visits[i].other;
	venue_stays_learn(stays, venues, sizeof(Ident), joiner->nopen);
	for (int i = 0; i < n; i++)
	{
		Visit		visit = joiner->visits[i];
		int64		min_end = visit.end;

		if (joiner->open[i])
			visit.end = venue_stays_end(stays, visit.other, visit.start);
		if (!joiner->open[i] || visit.end > min_end)
			joiner->visits[kept++] = visit;
	}
	joiner->nopen = 0;
	return kept;
}

/*
 * Hand over all visits but a pending one.
 */
static void
hand_over(VisitJoiner *joiner)
{
	int			n = joiner->pending ? joiner->n - 1 : joiner->n;
	int			ended = joiner->nopen > 0 ? end_open_visits(joiner, n) : n;

	if (ended > 0)
	{
		CHECK_FOR_INTERRUPTS();
		joiner->sink(joiner->arg, joiner->visits, ended);
	}
	if (joiner->pending && n > 0)
		joiner->visits[0] = joiner->visits[n];
	joiner->n -= n;
}
