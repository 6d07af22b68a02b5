/*-------------------------------------------------------------------------
 *
 * pieces.c
 *	  Infectors' visits, cut to their infectious time
 *
 * Asks the source where the level's infectors were, and turns each stay into
 * the air that it makes infectious, at the venue itself and at those near it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "encounters.h"

/* Stays whose venues are looked up together. */
#define STAYS_BATCH 256

static SubjectQuestion *make_questions(Trace *trace);
static void take_stays(void *arg, const Visit *visits, int n);
static void take_stay(Trace *trace, const Visit *visit, int32 venue);
static void add_stay(Trace *trace, int32 infector, int32 venue, Span piece);
static void share_air(Trace *trace);

/*
 * Fill trace->pieces from trace->infectors.
 */
void
trace_collect_pieces(Trace *trace)
{
	SubjectQuestion *questions = make_questions(trace);

	trace->source->visits_of_subjects(trace->source, questions, trace->ninfectors,
									  take_stays, trace);
	memory_free(trace->memory, questions, trace->ninfectors, sizeof(SubjectQuestion));
	if (trace->proximity)
		share_air(trace);
}

static SubjectQuestion *
make_questions(Trace *trace)
{
	SubjectQuestion *questions = memory_alloc(trace->memory, trace->ninfectors,
											  sizeof(SubjectQuestion));

	if (trace->ninfectors > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace reaches too many subjects"),
				 errhint("Trace over a shorter time or fewer degrees.")));
	for (Size i = 0; i < trace->ninfectors; i++)
	{
		const Infector *infector = &trace->infectors[i];
		Span		ask = {infector->infectious.from, infector->ask_to};

		if (trace->rules.backward)
			ask = span_mirror(ask);
		questions[i].subject = infector->ident;
		questions[i].from = ask.from;
		questions[i].to = ask.to;
	}
	return questions;
}

/*
 * VisitSink: stays of infectors.
 */
static void
take_stays(void *arg, const Visit *visits, int n)
{
	Trace	   *trace = arg;
	int32		venues[STAYS_BATCH];

	for (int done = 0; done < n; done += STAYS_BATCH)
	{
		int			batch = Min(n - done, STAYS_BATCH);

		ident_table_add_many(trace->venues, &visits[done].other, sizeof(Visit), batch,
							 venues);
		for (int i = 0; i < batch; i++)
			take_stay(trace, &visits[done + i], venues[i]);
	}
}

/*
 * Make pieces of one stay.  Each of a case's periods stands for itself; the
 * infectious time of others is one.
 */
static void
take_stay(Trace *trace, const Visit *visit, int32 venue)
{
	const Infector *infector = &trace->infectors[visit->tag];
	Span		stay = span_intersect(trace_visit_span(trace, visit), infector->infectious);

	if (infector->periods == NULL)
		add_stay(trace, visit->tag, venue, stay);
	else
		for (Size i = 0; i < infector->periods->n; i++)
		{
			Span		piece = span_intersect(stay, infector->periods->spans[i]);

			add_stay(trace, visit->tag, venue, piece);
		}
}

static void
add_stay(Trace *trace, int32 infector, int32 venue, Span piece)
{
	trace_add_piece(trace, infector, venue, trace_air(trace, piece));
	if (trace->encounters)
		encounters_add_piece(trace, venue, piece);
}

/*
 * The air of a piece, as far as somebody who comes then can still share `need`
 * of it, and before the horizon; empty if the piece is.  Where minutes add up,
 * those after the horizon do too.
 */
Span
trace_air(const Trace *trace, Span piece)
{
	const TraceRules *rules = &trace->rules;
	Span		air = piece;

	if (!span_is_empty(piece))
	{
		air.to = time_add(time_add(piece.to, trace_tail(trace, piece)), 1 - rules->need);
		if (rules->window == 0)
			air.to = Min(air.to, rules->horizon);
	}
	return air;
}

/*
 * Add the air of one stay at one venue to the level's pieces, unless it is
 * empty.
 */
void
trace_add_piece(Trace *trace, int32 infector, int32 venue, Span air)
{
	Piece	   *piece;

	if (span_is_empty(air))
		return;
	memory_reserve(trace->memory, trace->pieces, trace->npieces, trace->pieces_size, 1);
	piece = &trace->pieces[trace->npieces++];
	piece->air = air;
	piece->venue = venue;
	piece->infector = infector;
}

/*
 * Let each piece's air reach the venues near its own.
 */
static void
share_air(Trace *trace)
{
	Size		n = trace->npieces;
	int32	   *venues = memory_alloc(trace->memory, n, sizeof(int32));

	for (Size i = 0; i < n; i++)
		venues[i] = trace->pieces[i].venue;
	trace_ask_neighbours(trace, venues, n);
	memory_free(trace->memory, venues, n, sizeof(int32));

	for (Size i = 0; i < n; i++)
	{
		Piece		piece = trace->pieces[i];
		const Venue *venue = trace_venue(trace, piece.venue);

		CHECK_FOR_INTERRUPTS();
		for (int32 j = 0; j < venue->nnear; j++)
			trace_add_piece(trace, piece.infector,
							trace->near[venue->first_near + j].venue, piece.air);
	}
	if (trace->encounters)
		encounters_share_pieces(trace);
}

/*
 * Make sure that the neighbours of these venues, named any number of times,
 * are known.
 */
void
trace_ask_neighbours(Trace *trace, const int32 *venues, Size n)
{
	Ident	   *asked = memory_alloc(trace->memory, n, sizeof(Ident));
	int32	   *numbers = memory_alloc(trace->memory, n, sizeof(int32));
	int			nasked = 0;
	int			nfound;
	Neighbour  *found;

	for (Size i = 0; i < n; i++)
	{
		Venue	   *venue = trace_venue(trace, venues[i]);

		CHECK_FOR_INTERRUPTS();
		if (venue->asked)
			continue;
		venue->asked = true;
		asked[nasked] = venue->ident;
		numbers[nasked++] = venues[i];
	}
	if (nasked > 0)
	{
		nfound = proximity_neighbours(trace->proximity, asked, nasked, &found);
		for (int i = 0; i < nfound; i++)
		{
			int32		near = ident_table_add(trace->venues, found[i].other);
			Venue	   *venue = trace_venue(trace, numbers[found[i].venue]);

			CHECK_FOR_INTERRUPTS();
			memory_reserve(trace->memory, trace->near, trace->nnear, trace->near_size, 1);
			if (venue->nnear++ == 0)
				venue->first_near = trace->nnear;
			trace->near[trace->nnear].venue = near;
			trace->near[trace->nnear++].metres = found[i].metres;
		}
	}
	memory_free(trace->memory, asked, n, sizeof(Ident));
	memory_free(trace->memory, numbers, n, sizeof(int32));
}
