/*-------------------------------------------------------------------------
 *
 * air.c
 *	  Pieces, by venue: the air that is infectious for the first time
 *
 * The level's pieces are sorted by venue and beginning, and each venue's are
 * swept once.  The sweep gives strips: disjoint, ascending spans of air, each
 * with the smallest of the infectors whose air it is (the definitions' rule
 * for ties).  Air that an older level covered is left out.  Strips that touch
 * make a stretch, and about each stretch the source is asked once.
 *
 * Why old air can be left out.  Let a visit first meet a new piece's air at
 * moment f, and let f lie in the air of an older piece.  Then the visit met
 * that one at f or before; its subject was reached from there no later than
 * she would be now, and only an earlier time changes anything.  In particular
 * nobody is reached anew through her own air.  The same moment decides who
 * has to be looked for: one who came before f and is still there was in the
 * old air just before f, unless there was none; so visits under way matter at
 * the beginning of a stretch only where no old air ends right there.
 *
 * (This uses that the exposures' beginning does not depend on when the piece
 * began, if the visit began later.  What holds where minutes add up is told in
 * minutes.h.)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/pairingheap.h"
#include "miscadmin.h"

#include "trace.h"

/* A piece whose air reaches the moment that the sweep stands at. */
typedef struct ActivePiece
{
	pairingheap_node node;
	const Piece *piece;
} ActivePiece;

/* The sweep over one venue's pieces. */
typedef struct Sweep
{
	Trace	   *trace;
	VenueAir   *air;
	const SpanList *covered;
	Size		next_covered;	/* first old span that may still matter */
	SpanList	stretches;		/* of this venue; the memory is used again */
	bool	   *under_way;		/* beside stretches.spans */
	Size		under_way_size;
	ActivePiece *active;
	Size		active_size;
	pairingheap *heap;			/* by infector */
} Sweep;

static void leave_out_old_air(VenueAir *air, Piece *pieces, const SpanList *covered);
static void sweep_venue(Sweep *sweep, const Piece *pieces, Size n);
static void add_strip(Sweep *sweep, Span span, int32 infector);
static int	smaller_infector(const pairingheap_node *a, const pairingheap_node *b, void *arg);

/* Venues in the order of their identifiers. */
#define ST_SORT venue_air_sort
#define ST_ELEMENT_TYPE VenueAir
#define ST_COMPARE(a, b, trace) \
	ident_compare(&(trace)->log->venue, \
				  ident_table_get((trace)->venues, (a)->venue), \
				  ident_table_get((trace)->venues, (b)->venue))
#define ST_COMPARE_ARG_TYPE const Trace
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT piece_sort
#define ST_ELEMENT_TYPE Piece
#define ST_COMPARE(a, b) \
	((a)->air.from < (b)->air.from ? -1 : (a)->air.from > (b)->air.from)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Turn trace->pieces, which are grouped by venue then, into trace->airs,
 * trace->strips and the questions that are to be asked, and note the new air
 * as covered for the levels that follow.
 */
void
trace_build_air(Trace *trace)
{
	Sweep		sweep = {0};

	trace_group_pieces(trace);
	trace->nfresh = 0;
	memory_reserve(trace->memory, trace->strips, 0, trace->strips_size, trace->npieces);
	memory_reserve(trace->memory, trace->questions, 0, trace->questions_size, trace->npieces);

	sweep.trace = trace;
	sweep.heap = pairingheap_allocate(smaller_infector, NULL);
	for (Size i = 0; i < trace->nairs; i++)
	{
		VenueAir   *air = &trace->airs[i];
		Venue	   *venue = trace_venue(trace, air->venue);
		Piece	   *pieces = trace->pieces + air->first_piece;

		CHECK_FOR_INTERRUPTS();
		leave_out_old_air(air, pieces, &venue->covered);
		trace->nfresh += air->npieces;
		trace_sort_pieces(pieces, air->npieces);

		sweep.air = air;
		sweep.covered = &venue->covered;
		sweep.next_covered = 0;
		sweep.stretches.n = 0;
		air->first = trace->nstrips;
		sweep_venue(&sweep, pieces, air->npieces);
		air->n = trace->nstrips - air->first;
		trace_ask_stretches(trace, i, &sweep.stretches, sweep.under_way);
		if (trace->level < trace->rules.degrees)
			span_list_unite(trace->memory, &venue->covered,
							sweep.stretches.spans, sweep.stretches.n);
	}

	pairingheap_free(sweep.heap);
	memory_free(trace->memory, sweep.stretches.spans, sweep.stretches.capacity, sizeof(Span));
	memory_free(trace->memory, sweep.under_way, sweep.under_way_size, sizeof(bool));
	memory_free(trace->memory, sweep.active, sweep.active_size, sizeof(ActivePiece));
}

/*
 * Fill trace->airs with the venues that have pieces, sorted, and bring the
 * pieces into their order: a counting sort.
 */
void
trace_group_pieces(Trace *trace)
{
	Size		nvenues = ident_table_size(trace->venues);
	uint32	   *counts = memory_alloc_zero(trace->memory, nvenues, sizeof(uint32));
	Size	   *places = memory_alloc(trace->memory, nvenues, sizeof(Size));
	Size		size = trace->npieces;
	Piece	   *grouped = memory_alloc(trace->memory, size, sizeof(Piece));
	Size		at = 0;

	for (Size i = 0; i < trace->npieces; i++)
	{
		int32		venue = trace->pieces[i].venue;

		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (counts[venue]++ == 0)
		{
			memory_reserve(trace->memory, trace->airs, trace->nairs, trace->airs_size, 1);
			trace->airs[trace->nairs++].venue = venue;
		}
	}
	venue_air_sort(trace->airs, trace->nairs, trace);

	for (Size i = 0; i < trace->nairs; i++)
	{
		VenueAir   *air = &trace->airs[i];

		air->first_piece = places[air->venue] = at;
		air->npieces = counts[air->venue];
		at += air->npieces;
	}
	for (Size i = 0; i < trace->npieces; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		grouped[places[trace->pieces[i].venue]++] = trace->pieces[i];
	}

	memory_free(trace->memory, counts, nvenues, sizeof(uint32));
	memory_free(trace->memory, places, nvenues, sizeof(Size));
	memory_free(trace->memory, trace->pieces, trace->pieces_size, sizeof(Piece));
	trace->pieces = grouped;
	trace->pieces_size = size;
}

/*
 * Sort pieces by the beginning of their air.
 */
void
trace_sort_pieces(Piece *pieces, Size n)
{
	piece_sort(pieces, n);
}

/*
 * Drop the pieces with nothing but old air.
 */
static void
leave_out_old_air(VenueAir *air, Piece *pieces, const SpanList *covered)
{
	Size		kept = 0;

	for (Size i = 0; i < air->npieces; i++)
	{
		if ((i & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (!span_list_covers(covered, pieces[i].air.from, pieces[i].air.to))
			pieces[kept++] = pieces[i];
	}
	air->npieces = kept;
}

/*
 * Sweep over one venue's pieces, which are sorted by beginning.
 */
static void
sweep_venue(Sweep *sweep, const Piece *pieces, Size n)
{
	pairingheap *heap = sweep->heap;
	Size		i = 0;
	int64		at = 0;

	memory_reserve(sweep->trace->memory, sweep->active, 0, sweep->active_size, n);
	while (i < n || !pairingheap_is_empty(heap))
	{
		const Piece *first;
		Span		span;

		CHECK_FOR_INTERRUPTS();
		if (pairingheap_is_empty(heap))
			at = pieces[i].air.from;
		for (; i < n && pieces[i].air.from <= at; i++)
		{
			sweep->active[i].piece = &pieces[i];
			pairingheap_add(heap, &sweep->active[i].node);
		}
		first = pairingheap_container(ActivePiece, node, pairingheap_first(heap))->piece;
		if (first->air.to <= at)
		{
			pairingheap_remove_first(heap);
			continue;
		}

		/* she is the smallest until her air ends, or somebody else's begins */
		span.from = at;
		span.to = first->air.to;
		if (i < n)
			span.to = Min(span.to, pieces[i].air.from);
		add_strip(sweep, span, first->infector);
		at = span.to;
	}
}

/*
 * Keep what is new of this span, which follows those before it.
 */
static void
add_strip(Sweep *sweep, Span span, int32 infector)
{
	Trace	   *trace = sweep->trace;
	const SpanList *covered = sweep->covered;
	SpanList   *stretches = &sweep->stretches;

	while (!span_is_empty(span))
	{
		const Span *old;
		Strip	   *last = trace->nstrips > sweep->air->first ?
			&trace->strips[trace->nstrips - 1] : NULL;
		Span		fresh = span;

		while (sweep->next_covered < covered->n &&
			   covered->spans[sweep->next_covered].to <= span.from)
			sweep->next_covered++;
		old = sweep->next_covered < covered->n ?
			&covered->spans[sweep->next_covered] : NULL;
		if (old && old->from <= span.from)
		{
			span.from = old->to;
			continue;
		}
		if (old)
			fresh.to = Min(fresh.to, old->from);
		span.from = fresh.to;

		if (last && last->air.to == fresh.from && last->infector == infector)
			last->air.to = fresh.to;
		else
		{
			memory_reserve(trace->memory, trace->strips, trace->nstrips,
						   trace->strips_size, 1);
			trace->strips[trace->nstrips].air = fresh;
			trace->strips[trace->nstrips++].infector = infector;
		}

		if (stretches->n == 0 || stretches->spans[stretches->n - 1].to < fresh.from)
		{
			memory_reserve(trace->memory, sweep->under_way, stretches->n,
						   sweep->under_way_size, 1);
			sweep->under_way[stretches->n] = sweep->next_covered == 0 ||
				covered->spans[sweep->next_covered - 1].to < fresh.from;
		}
		span_list_append(trace->memory, stretches, fresh);
	}
}

/*
 * Ask about the new stretches of one of trace->airs, and about visits under
 * way at the beginning of each, or of those for which that is set.
 *
 * Backwards, a stretch [a, b) of mirrored time is met by visits that end after
 * -b and begin before -a, give or take what the rules say; how a visit meets
 * it depends on its end, so those under way always count.
 */
void
trace_ask_stretches(Trace *trace, int32 tag, const SpanList *stretches, const bool *under_way)
{
	const TraceRules *rules = &trace->rules;
	Size		first = trace->nquestions;

	memory_reserve(trace->memory, trace->questions, trace->nquestions,
				   trace->questions_size, stretches->n);
	for (Size i = 0; i < stretches->n; i++)
	{
		VenueQuestion *question = &trace->questions[trace->nquestions];
		VenueQuestion *last = trace->nquestions > first ? question - 1 : NULL;

		question->venue = ident_table_get(trace->venues, trace->airs[tag].venue);
		question->tag = tag;
		if (!rules->backward)
		{
			question->from = stretches->spans[i].from;
			question->to = stretches->spans[i].to;
			question->under_way = under_way == NULL || under_way[i];
		}
		else
		{
			Span		span = span_mirror(stretches->spans[stretches->n - 1 - i]);

			question->from = time_add(span.from, -rules->linger);
			question->to = Max(time_add(span.to, 1 - rules->need), question->from);
			question->under_way = true;
			if (last && question->from <= last->to)
			{
				last->to = Max(last->to, question->to);
				continue;
			}
		}
		trace->nquestions++;
	}
}

/*
 * Ask the source about all stretches at once.
 */
void
trace_ask_venues(Trace *trace, VisitSink sink, void *arg)
{
	if (trace->nquestions > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace reaches too many stretches of air"),
				 errhint("Trace over a shorter time or fewer degrees.")));
	trace->source->visits_at_venues(trace->source, trace->questions, trace->nquestions, sink, arg);
}

static int
smaller_infector(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	int32		first = pairingheap_const_container(ActivePiece, node, a)->piece->infector;
	int32		second = pairingheap_const_container(ActivePiece, node, b)->piece->infector;

	/* a pairing heap has the greatest first */
	return first > second ? -1 : first < second;
}
