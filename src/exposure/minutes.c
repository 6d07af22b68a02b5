/*-------------------------------------------------------------------------
 *
 * minutes.c
 *	  Minutes that add up: whose sum is long enough, and from when on
 *
 * Whoever got a breath at this level has all of hers gathered, sorted and
 * united; then each one's beginning is tried, the earliest first.  minutes.h
 * says why no other moment has to be.
 *
 * Memory: breaths are kept to the end of the trace; what one subject's sum
 * needs is used again for the next.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "encounters.h"
#include "minutes.h"

/* Subjects whose breaths are looked for ahead of their turn. */
#define AHEAD 16

/* A list of breaths, whose memory is used again. */
typedef struct BreathList
{
	Breath	   *breaths;
	Size		n;
	Size		size;
} BreathList;

/* All of one subject's time in others' air. */
typedef struct BreathSum
{
	BreathList	counted;		/* by beginning */
	BreathList	own;
	BreathList	shared;
	SpanList	united;
	int64	   *before;			/* total of the united spans before each */
	Size		before_size;
} BreathSum;

static void sum_up(Trace *trace, int32 number);
static void gather(Trace *trace, Breather *breather);
static void add_to_list(Memory *memory, BreathList *list, const Breath *breath);
static void share_own_air(Trace *trace, BreathSum *sum);
static void unite(Trace *trace, BreathSum *sum);
static const Breath *first_sum(const Trace *trace, int64 before);
static int	compare_infectors(const Trace *trace, const Breath *a, const Breath *b);
static int32 infector_subject(const Trace *trace, const Breath *breath);
static void reach(Trace *trace, int32 number, const Breath *breath);

const Breather new_breather = {
	.subject = {.time = TIME_MAX,.record = -1},
	.breaths = -1
};
const AiredVenue new_aired_venue = {0};

#define ST_SORT breath_sort
#define ST_ELEMENT_TYPE Breath
#define ST_COMPARE(a, b) \
	((a)->span.from < (b)->span.from ? -1 : (a)->span.from > (b)->span.from)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

Minutes *
minutes_create(Memory *memory)
{
	Minutes    *minutes = memory_alloc_zero(memory, 1, sizeof(Minutes));

	store_init(&minutes->breaths, memory, sizeof(Breath));
	minutes->sum = memory_alloc_zero(memory, 1, sizeof(BreathSum));
	return minutes;
}

void
minutes_level(Trace *trace)
{
	Minutes    *minutes = trace->minutes;

	minutes->ntouched = 0;
	minutes_build_air(trace);
	if (trace->encounters)
		encounters_build(trace);
	minutes_spread(trace);
	for (Size i = 0; i < minutes->ntouched; i++)
	{
		if ((i & 0xFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (i + AHEAD < minutes->ntouched)
			anshim_prefetch(store_at(&minutes->breaths,
									 trace_breather(trace, minutes->touched[i + AHEAD])->breaths));
		sum_up(trace, minutes->touched[i]);
	}
}

bool
minutes_add_breath(Trace *trace, int32 subject, Breath *breath)
{
	Minutes    *minutes = trace->minutes;
	Breather   *breather = trace_breather(trace, subject);

	if (breath->span.from >= time_add(breather->subject.time, trace->rules.window))
		return false;
	if (minutes->breaths.n == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace adds up too many visits"),
				 errhint("Trace over a shorter time or fewer degrees.")));
	breath->older = breather->breaths;
	breath->level = trace->level;
	breather->breaths = minutes->breaths.n;
	*(Breath *) store_add(&minutes->breaths) = *breath;

	if (breath->kind != BREATH_OWN && breather->touched != trace->level)
	{
		breather->touched = trace->level;
		memory_reserve(trace->memory, minutes->touched, minutes->ntouched,
					   minutes->touched_size, 1);
		minutes->touched[minutes->ntouched++] = subject;
	}
	return true;
}

/*
 * Is some sum of the subject's breaths long enough, and does it begin earlier
 * than what is known?
 */
static void
sum_up(Trace *trace, int32 number)
{
	BreathSum  *sum = trace->minutes->sum;
	Breather   *breather = trace_breather(trace, number);
	const Breath *first;

	gather(trace, breather);
	share_own_air(trace, sum);
	breath_sort(sum->counted.breaths, sum->counted.n);
	unite(trace, sum);
	first = first_sum(trace, Min(breather->subject.time, trace->rules.horizon));
	if (first)
		reach(trace, number, first);
}

/*
 * Gather the subject's breaths that still matter, and forget the others.
 */
static void
gather(Trace *trace, Breather *breather)
{
	Minutes    *minutes = trace->minutes;
	BreathSum  *sum = minutes->sum;
	int64		limit = time_add(breather->subject.time, trace->rules.window);
	int32	   *link = &breather->breaths;

	sum->counted.n = sum->own.n = sum->shared.n = 0;
	while (*link >= 0)
	{
		Breath	   *breath = store_at(&minutes->breaths, *link);

		CHECK_FOR_INTERRUPTS();
		if (breath->span.from >= limit)
		{
			*link = breath->older;
			continue;
		}
		link = &breath->older;
		add_to_list(trace->memory,
					breath->kind == BREATH_COUNTS ? &sum->counted :
					breath->kind == BREATH_OWN ? &sum->own : &sum->shared, breath);
	}
}

static void
add_to_list(Memory *memory, BreathList *list, const Breath *breath)
{
	memory_reserve(memory, list->breaths, list->n, list->size, 1);
	list->breaths[list->n++] = *breath;
}

/*
 * Where others' air came to her own, that counts.
 */
static void
share_own_air(Trace *trace, BreathSum *sum)
{
	for (Size i = 0; i < sum->own.n; i++)
		for (Size j = 0; j < sum->shared.n; j++)
		{
			const Breath *own = &sum->own.breaths[i];
			Breath		both = sum->shared.breaths[j];

			if ((j & 0xFF) == 0)
				CHECK_FOR_INTERRUPTS();
			both.span = span_intersect(own->span, both.span);
			both.stay = own->stay;
			if (own->venue == both.venue && !span_is_empty(both.span))
				add_to_list(trace->memory, &sum->counted, &both);
		}
}

/*
 * Unite the breaths, which are sorted.
 */
static void
unite(Trace *trace, BreathSum *sum)
{
	int64		total = 0;

	sum->united.n = 0;
	for (Size i = 0; i < sum->counted.n; i++)
		span_list_append(trace->memory, &sum->united, sum->counted.breaths[i].span);
	memory_reserve(trace->memory, sum->before, 0, sum->before_size, sum->united.n);
	for (Size i = 0; i < sum->united.n; i++)
	{
		sum->before[i] = total;
		total += sum->united.spans[i].to - sum->united.spans[i].from;
	}
}

/*
 * The breath with which the first sum begins that is long enough, and counts
 * from a moment before this one; NULL if there is none.
 */
static const Breath *
first_sum(const Trace *trace, int64 before)
{
	const BreathSum *sum = trace->minutes->sum;
	const Span *united = sum->united.spans;
	const Breath *best = NULL;
	Size		left = 0;		/* the united span that the breath is in */
	Size		right = 0;		/* the first that ends after the window */

	for (Size i = 0; i < sum->counted.n; i++)
	{
		const Breath *breath = &sum->counted.breaths[i];
		int64		time = Max(breath->span.from, breath->stay);
		int64		best_time = best ? Max(best->span.from, best->stay) : before;
		int64		end = time_add(breath->span.from, trace->rules.window);
		int64		length;

		if (breath->span.from > best_time)
			break;
		if (time > best_time || (best == NULL && time == before))
			continue;
		while (united[left].to <= breath->span.from)
			left++;
		while (right < sum->united.n && united[right].to <= end)
			right++;
		length = right < sum->united.n ?
			sum->before[right] + Max(end - united[right].from, 0) :
			sum->before[right - 1] + united[right - 1].to - united[right - 1].from;
		length -= sum->before[left] + breath->span.from - united[left].from;
		if (length < trace->rules.least_sum)
			continue;
		if (best == NULL || time < best_time || compare_infectors(trace, breath, best) < 0)
			best = breath;
	}
	return best;
}

/*
 * Which of two breaths at the same moment names the infector: that of the
 * lowest level, then of the smallest infector, then of the smallest venue.
 */
static int
compare_infectors(const Trace *trace, const Breath *a, const Breath *b)
{
	int			order;

	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	order = ident_compare(&trace->log->subject,
						  ident_table_get(trace->subjects, infector_subject(trace, a)),
						  ident_table_get(trace->subjects, infector_subject(trace, b)));
	if (order == 0)
		order = ident_compare(&trace->log->venue,
							  ident_table_get(trace->venues, a->venue),
							  ident_table_get(trace->venues, b->venue));
	return order;
}

static int32
infector_subject(const Trace *trace, const Breath *breath)
{
	return breath->infector >= 0 ? trace_record(trace, breath->infector)->subject :
		~breath->infector;
}

/*
 * Note that the subject is reached, earlier than before.
 */
static void
reach(Trace *trace, int32 number, const Breath *breath)
{
	Subject    *subject = trace_subject(trace, number);
	Record	   *record;

	if (trace->records.n == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace reaches too many subjects"),
				 errhint("Trace over a shorter time or fewer degrees.")));
	record = store_add(&trace->records);
	record->subject = number;
	record->older = subject->record;
	record->time = subject->time = Max(breath->span.from, breath->stay);
	record->via = infector_subject(trace, breath);
	record->via_record = Max(breath->infector, -1);
	record->venue = breath->venue;
	subject->record = trace->records.n - 1;
	if (subject->degree == 0)
		subject->degree = trace->level;
}
