/*-------------------------------------------------------------------------
 *
 * times.c
 *	  Times, lengths and spans of a trace
 *
 * Spans are sorted with a look for interrupts now and then, as a trace may
 * have millions.  Lists lie in a trace's Memory, and only grow.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "times.h"

/* void span_sort(Span *first, size_t n) */
#define ST_SORT span_sort_template
#define ST_ELEMENT_TYPE Span
#define ST_COMPARE(a, b) ((a)->from < (b)->from ? -1 : (a)->from > (b)->from)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

void
span_sort(Span *spans, Size n)
{
	span_sort_template(spans, n);
}

/*
 * An exclusive lower and an inclusive upper bound move by a microsecond; a
 * bound that is missing is infinite.
 */
Span
span_from_range(RangeType *range)
{
	TypeCacheEntry *typcache = lookup_type_cache(RangeTypeGetOid(range),
												 TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;
	Span		span = {0, 0};

	range_deserialize(typcache, range, &lower, &upper, &empty);
	if (empty)
		return span;

	span.from = lower.infinite ? TIME_MIN :
		time_from_timestamp(DatumGetTimestampTz(lower.val));
	if (!lower.infinite && !lower.inclusive)
		span.from = time_add(span.from, 1);
	span.to = upper.infinite ? TIME_MAX :
		time_from_timestamp(DatumGetTimestampTz(upper.val));
	if (!upper.infinite && upper.inclusive)
		span.to = time_add(span.to, 1);
	return span;
}

int64
length_from_interval(const Interval *interval, const char *argument)
{
	int64		length;

	if (interval->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a fixed length of time", argument),
				 errdetail("The interval has months or years, whose lengths differ, or is infinite."),
				 errhint("Give it in days, hours or minutes, such as '14 days'.")));
	if (pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &length) ||
		pg_add_s64_overflow(length, interval->time, &length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW),
				 errmsg("%s is out of range", argument),
				 errhint("Give it in days, hours or minutes, such as '14 days'.")));
	if (length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative", argument),
				 errhint("Use an interval such as '15 minutes'.")));
	return length;
}

/*
 * A binary search without branches, which could not be foreseen: each step
 * moves or not, and halves what is left either way.
 */
bool
span_list_covers(const SpanList *list, int64 from, int64 to)
{
	const Span *span = list->spans;
	Size		left = list->n;

	if (left == 0)
		return false;

	/* the last span that begins at or before `from`, or the first of all */
	while (left > 1)
	{
		Size		half = left / 2;

		span += half & -(Size) (span[half].from <= from);
		left -= half;
	}
	return span->from <= from && to <= span->to;
}

void
span_list_append(Memory *memory, SpanList *list, Span span)
{
	if (list->n > 0 && span.from <= list->spans[list->n - 1].to)
	{
		list->spans[list->n - 1].to = Max(list->spans[list->n - 1].to, span.to);
		return;
	}
	memory_reserve(memory, list->spans, list->n, list->capacity, 1);
	list->spans[list->n++] = span;
}

void
span_list_unite(Memory *memory, SpanList *list, const Span *more, Size n)
{
	SpanList	united = {NULL, 0, 0};
	Size		i = 0;
	Size		j = 0;

	if (n == 0)
		return;
	memory_reserve(memory, united.spans, united.n, united.capacity, list->n + n);
	while (i < list->n || j < n)
	{
		CHECK_FOR_INTERRUPTS();
		if (j >= n || (i < list->n && list->spans[i].from <= more[j].from))
			span_list_append(memory, &united, list->spans[i++]);
		else
			span_list_append(memory, &united, more[j++]);
	}
	memory_free(memory, list->spans, list->capacity, sizeof(Span));
	*list = united;
}
