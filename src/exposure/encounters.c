/*-------------------------------------------------------------------------
 *
 * encounters.c
 *	  How often, and how long, somebody met those who exposed her at first
 *
 * What is wanted of a visit [s, e) is how many of the level's pieces expose it,
 * and the sum of the time that it shares with them, without looking at every
 * pair: a stadium has too many.  Take a piece [ps, pe), whose air, shortened
 * by the least overlap M, ends at pa.  It exposes the visit (see spread.c) if
 *
 *		ps <= e - M  and  pa > s
 *
 * and as the air is not empty and the visit no shorter than M, a piece fails
 * in one of the two at most.  So the number is that of the pieces with
 * ps <= e - M, less that of those with pa <= s.
 *
 * The time is a difference likewise.  Let f(e) be the part of the piece before
 * e if ps <= e - M, else 0; let g(s) be the part before s if pa > s, else all
 * of the piece.  Then f(e) - g(s) is the time shared, if the piece exposes the
 * visit.  If it begins too late, both are 0: s < e - M + 1 <= ps.  If its air
 * ends too early, both are all of it, since pe <= pa + M - 1 < s + M <= e.
 * Each grows only where time passes within the piece:
 *
 *		f(e) = (e - ps if e >= ps + M) - (e - pe if e >= max(pe, ps + M))
 *		g(s) = (s - ps if s >= ps)     - (s - pe if s >= min(pe, pa))
 *
 * So the sums over all pieces of a venue come from its pieces sorted by these
 * moments, with sums of what is taken off: a few searches a visit.
 *
 * Somebody reached for the first time was in no older air (that would have
 * reached her), so all that she meets is of this level's pieces and was asked
 * about.  Where minutes add up that is not so, but at the first level.
 *
 * The sums are taken modulo 2 ^ 64, which does not matter to a difference that
 * is small enough, and that is checked.
 *
 * Memory: the level's pieces and sums are used again in the next; tallies grow
 * with the subjects.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "encounters.h"

/* A moment of a piece; before it is summed up, `sum` is the piece's own. */
typedef struct Moment
{
	int64		at;
	uint64		sum;			/* of this and all the venue's moments before */
} Moment;

typedef struct MetPiece
{
	Span		stay;
	int32		venue;
} MetPiece;

/* What is sorted of a venue's pieces. */
enum
{
	BEGINS,						/* ps, the sum of ps */
	AIR_ENDS,					/* pa */
	ENDS_BEHIND,				/* max(pe, ps + M), the sum of pe */
	ENDS_BEFORE,				/* min(pe, pa), the sum of pe */
	NMOMENTS
};

/* A venue's part of each list of moments. */
typedef struct MetVenue
{
	Size		first;
	Size		n;
} MetVenue;

typedef struct Encounters
{
	MetPiece   *pieces;			/* of the level under way */
	Size		npieces;
	Size		pieces_size;
	Moment	   *moments[NMOMENTS];
	Size		moments_size[NMOMENTS];
	MetVenue   *venues;			/* beside trace->airs */
	Size		venues_size;
	Tally	   *tallies;		/* by subject number */
	Size		ntallies;
	Size		tallies_size;
} Encounters;

static void group_pieces(Trace *trace);
static void add_moment(Encounters *encounters, int list, Size place, int64 at, int64 sum);
static void sum_up(Moment *moments, Size n);
static Size count_until(const Moment *moments, Size n, int64 at);
static uint64 time_passed(const Moment *moments, Size n, int64 at, int64 now);
static Tally *find_tally(Trace *trace, int32 subject);

#define ST_SORT moment_sort
#define ST_ELEMENT_TYPE Moment
#define ST_COMPARE(a, b) ((a)->at < (b)->at ? -1 : (a)->at > (b)->at)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

Encounters *
encounters_create(Memory *memory)
{
	return memory_alloc_zero(memory, 1, sizeof(Encounters));
}

void
encounters_add_piece(Trace *trace, int32 venue, Span piece)
{
	Encounters *encounters = trace->encounters;

	if (span_is_empty(trace_air(trace, piece)))
		return;
	memory_reserve(trace->memory, encounters->pieces, encounters->npieces,
				   encounters->pieces_size, 1);
	encounters->pieces[encounters->npieces].stay = piece;
	encounters->pieces[encounters->npieces++].venue = venue;
}

void
encounters_share_pieces(Trace *trace)
{
	Encounters *encounters = trace->encounters;
	Size		n = encounters->npieces;

	for (Size i = 0; i < n; i++)
	{
		MetPiece	piece = encounters->pieces[i];
		const Venue *venue = trace_venue(trace, piece.venue);

		CHECK_FOR_INTERRUPTS();
		for (int32 j = 0; j < venue->nnear; j++)
			encounters_add_piece(trace, trace->near[venue->first_near + j].venue, piece.stay);
	}
}

void
encounters_build(Trace *trace)
{
	Encounters *encounters = trace->encounters;

	for (int list = 0; list < NMOMENTS; list++)
		memory_reserve(trace->memory, encounters->moments[list], 0,
					   encounters->moments_size[list], encounters->npieces);
	memory_reserve(trace->memory, encounters->venues, 0, encounters->venues_size, trace->nairs);
	group_pieces(trace);
	for (Size i = 0; i < trace->nairs; i++)
	{
		const MetVenue *venue = &encounters->venues[i];

		CHECK_FOR_INTERRUPTS();
		for (int list = 0; list < NMOMENTS; list++)
			sum_up(encounters->moments[list] + venue->first, venue->n);
	}
	encounters->npieces = 0;
}

/*
 * Bring the moments of the pieces of each of trace->airs together.
 */
static void
group_pieces(Trace *trace)
{
	Encounters *encounters = trace->encounters;
	Size		nvenues = ident_table_size(trace->venues);
	MetVenue  **by_number = memory_alloc(trace->memory, nvenues, sizeof(MetVenue *));
	Size		at = 0;

	for (Size i = 0; i < trace->nairs; i++)
	{
		encounters->venues[i].n = 0;
		by_number[trace->airs[i].venue] = &encounters->venues[i];
	}
	for (Size i = 0; i < encounters->npieces; i++)
		by_number[encounters->pieces[i].venue]->n++;
	for (Size i = 0; i < trace->nairs; i++)
	{
		encounters->venues[i].first = at;
		at += encounters->venues[i].n;
		encounters->venues[i].n = 0;
	}

	for (Size i = 0; i < encounters->npieces; i++)
	{
		Span		stay = encounters->pieces[i].stay;
		int64		air_end = trace_air(trace, stay).to;
		MetVenue   *venue = by_number[encounters->pieces[i].venue];
		Size		place = venue->first + venue->n++;

		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		add_moment(encounters, BEGINS, place, stay.from, stay.from);
		add_moment(encounters, AIR_ENDS, place, air_end, 0);
		add_moment(encounters, ENDS_BEHIND, place,
				   Max(stay.to, time_add(stay.from, trace->rules.need)), stay.to);
		add_moment(encounters, ENDS_BEFORE, place, Min(stay.to, air_end), stay.to);
	}
	memory_free(trace->memory, by_number, nvenues, sizeof(MetVenue *));
}

static void
add_moment(Encounters *encounters, int list, Size place, int64 at, int64 sum)
{
	Moment	   *moment = &encounters->moments[list][place];

	moment->at = at;
	moment->sum = (uint64) sum;
}

static void
sum_up(Moment *moments, Size n)
{
	moment_sort(moments, n);
	for (Size i = 1; i < n; i++)
		moments[i].sum += moments[i - 1].sum;
}

void
encounters_count(Trace *trace, int32 number, int32 air, Span visit)
{
	const Encounters *encounters = trace->encounters;
	const Subject *subject = trace_subject(trace, number);
	int64		need = trace->rules.need;
	MetVenue	venue = encounters->venues[air];
	const Moment *moments[NMOMENTS];
	int64		n;
	int64		most;
	Tally	   *tally;

	if (subject->time == TIME_MIN ||
		(subject->degree != 0 && subject->degree != trace->level) ||
		visit.from >= trace->rules.horizon || visit.to - visit.from < need)
		return;
	for (int list = 0; list < NMOMENTS; list++)
		moments[list] = encounters->moments[list] + venue.first;

	n = (int64) count_until(moments[BEGINS], venue.n, visit.to - need) -
		(int64) count_until(moments[AIR_ENDS], venue.n, visit.from);
	if (n == 0)
		return;
	tally = find_tally(trace, number);
	if (n > PG_INT32_MAX - tally->encounters ||
		pg_mul_s64_overflow(n, visit.to - visit.from, &most) ||
		pg_add_s64_overflow(tally->together, most, &most))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("somebody has too many encounters to count"),
				 errhint("Trace over a shorter time, or without details.")));
	tally->encounters += n;
	tally->together += (int64)
		(time_passed(moments[BEGINS], venue.n, visit.to - need, visit.to) -
		 time_passed(moments[ENDS_BEHIND], venue.n, visit.to, visit.to) -
		 time_passed(moments[BEGINS], venue.n, visit.from, visit.from) +
		 time_passed(moments[ENDS_BEFORE], venue.n, visit.from, visit.from));
}

/*
 * How many of the moments are at `at` or before.
 */
static Size
count_until(const Moment *moments, Size n, int64 at)
{
	Size		low = 0;
	Size		high = n;

	while (low < high)
	{
		Size		mid = low + (high - low) / 2;

		if (moments[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * The sum of the time from what these stand for to `now`.
 */
static uint64
time_passed(const Moment *moments, Size n, int64 at, int64 now)
{
	Size		count = count_until(moments, n, at);

	return count == 0 ? 0 : (uint64) count * (uint64) now - moments[count - 1].sum;
}

static Tally *
find_tally(Trace *trace, int32 subject)
{
	Encounters *encounters = trace->encounters;

	if (subject >= encounters->ntallies)
	{
		Size		n = ident_table_size(trace->subjects);

		memory_reserve(trace->memory, encounters->tallies, encounters->ntallies,
					   encounters->tallies_size, n - encounters->ntallies);
		memset(encounters->tallies + encounters->ntallies, 0,
			   (n - encounters->ntallies) * sizeof(Tally));
		encounters->ntallies = n;
	}
	return &encounters->tallies[subject];
}

Tally
encounters_of(const Trace *trace, int32 subject)
{
	static const Tally none = {0};

	return subject < trace->encounters->ntallies ? trace->encounters->tallies[subject] : none;
}
