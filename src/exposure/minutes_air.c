/*-------------------------------------------------------------------------
 *
 * minutes_air.c
 *	  Minutes that add up: the air that is new to somebody
 *
 * As in air.c, each venue's pieces are swept once; but the sweep knows the two
 * smallest infectors at every moment, since what is somebody's own air is
 * nothing to her, and what an older level made infectious is told apart by
 * whose it is.  minutes.h says why that is enough.
 *
 * What is new to everybody becomes strips, and is asked about; what is new to
 * one subject only, in whose own air she was alone before, becomes a breath of
 * hers.
 *
 * Memory: the heap's nodes and the questions are used again from venue to
 * venue; a venue's old air grows with its pieces.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/pairingheap.h"
#include "miscadmin.h"

#include "minutes.h"

/* An infector's air, as long as it lasts. */
typedef struct ActiveAir
{
	pairingheap_node node;
	int32		infector;
	int64		to;
} ActiveAir;

/* The sweep over one venue's pieces. */
typedef struct MinutesSweep
{
	Trace	   *trace;
	VenueAir   *air;
	SpanList	stretches;		/* of this venue; the memory is used again */

	/* who is infectious there at the moment: the smallest, and the others */
	int32		first;			/* infector, or -1 */
	int64		first_to;
	pairingheap *heap;
	ActiveAir  *active;
	Size		nactive;
	Size		active_size;

	/* the old air, of which all before next_old is in `merged` already */
	OldAir	   *old;
	Size		nold;
	Size		next_old;
	OldAir	   *merged;
	Size		nmerged;
	Size		merged_size;
} MinutesSweep;

static void leave_out_old_air(Trace *trace, VenueAir *air);
static void sweep_venue(MinutesSweep *sweep);
static void begin_air(MinutesSweep *sweep, const Piece *piece);
static int32 second_infector(MinutesSweep *sweep, int64 at, int64 *until);
static bool end_air(MinutesSweep *sweep, int64 at);
static void add_span(MinutesSweep *sweep, Span span, int32 first, int32 second);
static void share_old_air(MinutesSweep *sweep, Span span, int32 owner, int32 first, int32 second);
static void add_new_air(MinutesSweep *sweep, Span span, int32 first, int32 second);
static void keep_air(MinutesSweep *sweep, Span span, int32 owner);
static void keep_old_air(MinutesSweep *sweep, int64 before);
static void count_runs(MinutesSweep *sweep);
static int	smaller_infector(const pairingheap_node *a, const pairingheap_node *b, void *arg);

/*
 * Turn trace->pieces into trace->airs, strips and the questions that are to be
 * asked, and note the new air as old.
 */
void
minutes_build_air(Trace *trace)
{
	Minutes    *minutes = trace->minutes;
	MinutesSweep sweep = {0};

	trace_group_pieces(trace);
	trace->nfresh = 0;
	minutes->nstrips = 0;
	sweep.trace = trace;
	sweep.heap = pairingheap_allocate(smaller_infector, NULL);
	for (Size i = 0; i < trace->nairs; i++)
	{
		VenueAir   *air = &trace->airs[i];
		AiredVenue *venue = ident_table_entry(trace->venues, air->venue);

		CHECK_FOR_INTERRUPTS();
		leave_out_old_air(trace, air);
		trace->nfresh += air->npieces;
		trace_sort_pieces(trace->pieces + air->first_piece, air->npieces);

		sweep.air = air;
		sweep.old = venue->old;
		sweep.nold = venue->nold;
		sweep.next_old = 0;
		sweep.merged = NULL;
		sweep.nmerged = sweep.merged_size = 0;
		sweep.stretches.n = 0;
		air->first = minutes->nstrips;
		if (air->npieces > 0)
		{
			sweep_venue(&sweep);
			memory_free(trace->memory, venue->old, venue->old_size, sizeof(OldAir));
			venue->old = sweep.merged;
			venue->nold = sweep.nmerged;
			venue->old_size = sweep.merged_size;
		}
		air->n = minutes->nstrips - air->first;
		count_runs(&sweep);
		trace_ask_stretches(trace, i, &sweep.stretches, NULL);
	}

	pairingheap_free(sweep.heap);
	memory_free(trace->memory, sweep.stretches.spans, sweep.stretches.capacity, sizeof(Span));
	memory_free(trace->memory, sweep.active, sweep.active_size, sizeof(ActiveAir));
}

/*
 * Drop the pieces with nothing but air that is news to nobody.
 */
static void
leave_out_old_air(Trace *trace, VenueAir *air)
{
	const AiredVenue *venue = ident_table_entry(trace->venues, air->venue);
	Piece	   *pieces = trace->pieces + air->first_piece;
	Size		kept = 0;

	for (Size i = 0; i < air->npieces; i++)
	{
		Span		span = pieces[i].air;
		Size		low = 0;
		Size		high = venue->nold;

		if ((i & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();

		/* the first old air that ends at or after the piece's */
		while (low < high)
		{
			Size		mid = low + (high - low) / 2;

			if (venue->old[mid].span.to < span.to)
				low = mid + 1;
			else
				high = mid;
		}
		if (low == venue->nold || venue->old[low].span.from > span.from ||
			venue->old[low].owner >= 0)
			pieces[kept++] = pieces[i];
	}
	air->npieces = kept;
}

/*
 * Sweep over one venue's pieces, which are sorted by beginning.
 */
static void
sweep_venue(MinutesSweep *sweep)
{
	const Piece *pieces = sweep->trace->pieces + sweep->air->first_piece;
	Size		n = sweep->air->npieces;
	Size		i = 0;
	int64		at = 0;

	/* each piece that begins pushes one node at most */
	sweep->nactive = 0;
	memory_reserve(sweep->trace->memory, sweep->active, 0, sweep->active_size, n);
	sweep->first = -1;
	while (i < n || sweep->first >= 0)
	{
		Span		span;
		int32		second;

		CHECK_FOR_INTERRUPTS();
		if (sweep->first < 0)
			at = pieces[i].air.from;
		for (; i < n && pieces[i].air.from <= at; i++)
			begin_air(sweep, &pieces[i]);
		if (sweep->first_to <= at && !end_air(sweep, at))
			continue;

		span.from = at;
		second = second_infector(sweep, at, &span.to);
		span.to = Min(span.to, sweep->first_to);
		if (i < n)
			span.to = Min(span.to, pieces[i].air.from);
		add_span(sweep, span, sweep->first, second);
		at = span.to;
	}
	keep_old_air(sweep, TIME_MAX);
}

/*
 * A piece's air begins.
 */
static void
begin_air(MinutesSweep *sweep, const Piece *piece)
{
	ActiveAir  *active;
	int32		infector = piece->infector;
	int64		to = piece->air.to;

	if (infector == sweep->first)
	{
		sweep->first_to = Max(sweep->first_to, to);
		return;
	}
	active = &sweep->active[sweep->nactive];
	if (sweep->first < 0 || infector < sweep->first)
	{
		active->infector = sweep->first;
		active->to = sweep->first_to;
		sweep->first = infector;
		sweep->first_to = to;
		if (active->infector < 0)
			return;
	}
	else
	{
		active->infector = infector;
		active->to = to;
	}
	sweep->nactive++;
	pairingheap_add(sweep->heap, &active->node);
}

/*
 * The smallest but the first of those who are infectious at this moment, or
 * -1, and until when she is.
 */
static int32
second_infector(MinutesSweep *sweep, int64 at, int64 *until)
{
	*until = TIME_MAX;
	while (!pairingheap_is_empty(sweep->heap))
	{
		const ActiveAir *top = pairingheap_container(ActiveAir, node,
													 pairingheap_first(sweep->heap));

		if (top->infector == sweep->first)
			sweep->first_to = Max(sweep->first_to, top->to);
		else if (top->to > at)
		{
			*until = top->to;
			return top->infector;
		}
		pairingheap_remove_first(sweep->heap);
	}
	return -1;
}

/*
 * The first one's air has ended: the next is the first, if there is any.
 */
static bool
end_air(MinutesSweep *sweep, int64 at)
{
	sweep->first = second_infector(sweep, at, &sweep->first_to);
	if (sweep->first < 0)
		return false;
	pairingheap_remove_first(sweep->heap);
	return true;
}

/*
 * In this span, which follows those before it, these two are the smallest
 * infectors.
 */
static void
add_span(MinutesSweep *sweep, Span span, int32 first, int32 second)
{
	keep_old_air(sweep, span.from);
	while (!span_is_empty(span))
	{
		OldAir	   *old = sweep->next_old < sweep->nold ? &sweep->old[sweep->next_old] : NULL;
		Span		part = span;

		if (old && old->span.from <= span.from)
		{
			part.to = Min(span.to, old->span.to);
			share_old_air(sweep, part, old->owner, first, second);
			old->span.from = part.to;
			if (span_is_empty(old->span))
				sweep->next_old++;
		}
		else
		{
			if (old)
				part.to = Min(span.to, old->span.from);
			add_new_air(sweep, part, first, second);
		}
		span.from = part.to;
	}
}

/*
 * Air that was infectious before: news to its only owner, if it is another's
 * now.
 */
static void
share_old_air(MinutesSweep *sweep, Span span, int32 owner, int32 first, int32 second)
{
	Trace	   *trace = sweep->trace;

	if (owner >= 0)
	{
		int32		other = trace->infectors[first].subject != owner ? first : second;

		if (other >= 0)
		{
			Breath		breath = {0};

			breath.span = span;
			breath.venue = sweep->air->venue;
			breath.kind = BREATH_SHARED;
			breath.infector = minutes_infector(trace, other);
			minutes_add_breath(trace, owner, &breath);
			owner = -1;
		}
	}
	keep_air(sweep, span, owner);
}

/*
 * Air that is infectious for the first time.
 */
static void
add_new_air(MinutesSweep *sweep, Span span, int32 first, int32 second)
{
	Trace	   *trace = sweep->trace;
	Minutes    *minutes = trace->minutes;
	SharedStrip *last = minutes->nstrips > sweep->air->first ?
		&minutes->strips[minutes->nstrips - 1] : NULL;
	const Infector *infector = &trace->infectors[first];
	Span		own = span;

	if (last && last->air.to == span.from && last->first == first && last->second == second)
		last->air.to = span.to;
	else
	{
		memory_reserve(trace->memory, minutes->strips, minutes->nstrips,
					   minutes->strips_size, 1);
		last = &minutes->strips[minutes->nstrips++];
		last->air = span;
		last->first = first;
		last->second = second;
	}
	span_list_append(trace->memory, &sweep->stretches, span);

	/* Could her own air, if it were another's too, still matter to her? */
	if (second < 0 && infector->record >= 0)
	{
		own.to = Min(own.to, time_add(trace_subject(trace, infector->subject)->time,
									  trace->rules.window));
		if (!span_is_empty(own))
		{
			keep_air(sweep, own, infector->subject);
			span.from = own.to;
		}
	}
	if (!span_is_empty(span))
		keep_air(sweep, span, -1);
}

/*
 * Add to the venue's old air, behind what is there.
 */
static void
keep_air(MinutesSweep *sweep, Span span, int32 owner)
{
	OldAir	   *last = sweep->nmerged > 0 ? &sweep->merged[sweep->nmerged - 1] : NULL;

	if (last && last->span.to == span.from && last->owner == owner)
	{
		last->span.to = span.to;
		return;
	}
	memory_reserve(sweep->trace->memory, sweep->merged, sweep->nmerged, sweep->merged_size, 1);
	sweep->merged[sweep->nmerged].span = span;
	sweep->merged[sweep->nmerged++].owner = owner;
}

/*
 * Keep the old air before this moment as it is.
 */
static void
keep_old_air(MinutesSweep *sweep, int64 before)
{
	for (; sweep->next_old < sweep->nold; sweep->next_old++)
	{
		OldAir	   *old = &sweep->old[sweep->next_old];
		Span		part = {old->span.from, Min(old->span.to, before)};

		CHECK_FOR_INTERRUPTS();
		if (span_is_empty(part))
			break;
		keep_air(sweep, part, old->owner);
		old->span.from = part.to;
		if (!span_is_empty(old->span))
			break;
	}
}

/*
 * Say of each of the venue's strips how many follow it without a gap.
 */
static void
count_runs(MinutesSweep *sweep)
{
	SharedStrip *strips = sweep->trace->minutes->strips + sweep->air->first;

	for (Size i = sweep->air->n; i > 0; i--)
	{
		SharedStrip *strip = &strips[i - 1];

		strip->run = 1;
		if (i < sweep->air->n && strip[1].air.from == strip->air.to)
			strip->run += strip[1].run;
	}
}

static int
smaller_infector(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	int32		first = pairingheap_const_container(ActiveAir, node, a)->infector;
	int32		second = pairingheap_const_container(ActiveAir, node, b)->infector;

	/* a pairing heap has the greatest first */
	return first > second ? -1 : first < second;
}
