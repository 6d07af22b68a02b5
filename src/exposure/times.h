/*-------------------------------------------------------------------------
 *
 * times.h
 *	  Times, lengths and spans of a trace (inside src/exposure only)
 *
 * A trace counts in whole microseconds, in half-open spans [from, to).  Since
 * time is discrete, the definitions' closed conditions become half-open ones
 * by adding one, and "meets" is always "overlaps".
 *
 * A trace backwards in time (anshim.sources) runs on mirrored time, where t
 * stands for -t and [a, b) for [-b, -a); so the extremes have to be
 * symmetric, and PG_INT64_MIN is no time here.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TIMES_H
#define ANSHIM_TIMES_H

#include "common/int.h"
#include "datatype/timestamp.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"

#include "visits/memory.h"

#define TIME_MAX PG_INT64_MAX
#define TIME_MIN (-PG_INT64_MAX)

typedef struct Span
{
	int64		from;
	int64		to;
} Span;

/* Disjoint, not touching, in ascending order. */
typedef struct SpanList
{
	Span	   *spans;
	Size		n;
	Size		capacity;
} SpanList;

/* t + length, staying infinite where t is, and at the extremes beyond them */
static inline int64
time_add(int64 t, int64 length)
{
	int64		sum;

	if (t == TIME_MAX || t == TIME_MIN)
		return t;
	if (pg_add_s64_overflow(t, length, &sum) || sum == PG_INT64_MIN)
		return length < 0 ? TIME_MIN : TIME_MAX;
	return sum;
}

static inline bool
span_is_empty(Span span)
{
	return span.from >= span.to;
}

static inline Span
span_intersect(Span a, Span b)
{
	Span		both = {Max(a.from, b.from), Min(a.to, b.to)};

	return both;
}

static inline Span
span_mirror(Span span)
{
	Span		mirrored = {-span.to, -span.from};

	return mirrored;
}

/*
 * A timestamptz, which may be infinite, as a time of a trace, and back: what
 * lies beyond those that it can hold, as some air may, is infinite.
 */
static inline int64
time_from_timestamp(TimestampTz t)
{
	return t == DT_NOBEGIN ? TIME_MIN : t;
}

static inline TimestampTz
time_to_timestamp(int64 t)
{
	if (t < MIN_TIMESTAMP)
		return DT_NOBEGIN;
	return t < END_TIMESTAMP ? t : DT_NOEND;
}

/* A tstzrange as a span; an empty one gives an empty span. */
extern Span span_from_range(RangeType *range);

/*
 * An interval as a length in microseconds; its days count as 24 hours.  Raises
 * 22023 if it has months or is negative, naming the argument.
 */
extern int64 length_from_interval(const Interval *interval, const char *argument);

/* Does one span of the list hold all of [from, to)? */
extern bool span_list_covers(const SpanList *list, int64 from, int64 to);

/* Append a span that begins no earlier than the last; joins what touches. */
extern void span_list_append(Memory *memory, SpanList *list, Span span);

/* Unite the list with n further spans, sorted by beginning. */
extern void span_list_unite(Memory *memory, SpanList *list, const Span *more, Size n);

/* Sort spans by their beginning. */
extern void span_sort(Span *spans, Size n);

#endif							/* ANSHIM_TIMES_H */
