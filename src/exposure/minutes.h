/*-------------------------------------------------------------------------
 *
 * minutes.h
 *	  Minutes that add up: a level of a trace with rules.window > 0
 *	  (inside src/exposure only)
 *
 * Where a sum of meetings exposes, and not one of them, it is not enough to
 * know when somebody was reached: all her time in infectious air is kept, as
 * breaths, one for each visit and stretch of air.  A level then goes through
 *
 *	  minutes_air.c		pieces, by venue: air that is new to somebody
 *	  minutes_spread.c	visits in that air: breaths
 *	  minutes.c			each subject's breaths: is a sum long enough, and from
 *						when on?
 *
 * What need not be looked at, and why.  Let E(y) be y's time in the infectious
 * air of others, which only grows from level to level, W the window and M the
 * least sum; y is reached at T(y), the least t of E(y) with
 * |E(y) n [t, t + W)| >= M.
 *
 * (1) A moment of a venue's air that two subjects' pieces made infectious
 *	   before is in the E of everybody who was there then: for each of them one
 *	   of the two is another.  A further piece adds nothing.
 * (2) A moment that x's pieces alone made infectious before is in the E of
 *	   everybody who was there but x.  If another's piece is added, that
 *	   concerns x alone, and her visits at that moment were read when it became
 *	   infectious: nothing has to be read again.
 * (3) E(y) at T(y) + W or later does not matter any more.  Only a t before
 *	   T(y) could change something, and its window ends before T(y) + W.  So if
 *	   x in (2) is a case, or was reached at least W before, the moment is as
 *	   good as one of two subjects.
 * (4) While t moves to the right within E(y), |E(y) n [t, t + W)| does not
 *	   grow: what leaves on the left is as long as what can come in on the
 *	   right.  So T(y) is the beginning of a maximal interval of E(y), and of a
 *	   breath.
 *
 * So a moment of a venue's air is asked about once over all levels, as without
 * sums.  But old air may be followed by new, and whoever breathed the old is
 * wanted in the new one too: those under way at the beginning of a stretch
 * always matter here.
 *
 * On mirrored time the same holds.  There a breath's moment t is one at which
 * somebody receptive breathed the air that y leaves behind from her visit's
 * (mirrored) beginning s on, perhaps before it; what counts is the later of s
 * and t.  That is least for the least t of the breath, which by (4) is also
 * the one with the greatest sum.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_MINUTES_H
#define ANSHIM_MINUTES_H

#include "trace.h"

/* What a breath is good for. */
enum
{
	BREATH_COUNTS,				/* in others' air */
	BREATH_OWN,					/* in the subject's own air alone */
	BREATH_SHARED				/* not a breath, but others' air where hers
								 * alone was before: counts where she has a
								 * BREATH_OWN at the same venue */
};

/* Time that a subject spent in the infectious air of one venue. */
typedef struct Breath
{
	Span		span;
	int64		stay;			/* when her visit began */
	int32		older;			/* the same subject's breath before, or -1 */
	int32		venue;
	int32		infector;		/* at the beginning of the span: how she was
								 * reached, or for a case ~ her number */
	unsigned	kind:2;
	unsigned	level:30;		/* the level that the infector infects in */
} Breath;

/* An entry of Trace.subjects. */
typedef struct Breather
{
	Subject		subject;
	int32		breaths;		/* the newest, or -1 */
	int32		touched;		/* the last level that gave her one that
								 * counts */
} Breather;

/* Air that became infectious at an older level, and for whom that is news. */
typedef struct OldAir
{
	Span		span;
	int32		owner;			/* whose air alone it is, so that another's
								 * would be news to her; or -1 */
} OldAir;

/* An entry of Trace.venues. */
typedef struct AiredVenue
{
	Venue		venue;
	OldAir	   *old;			/* ascending, disjoint */
	Size		nold;
	Size		old_size;
} AiredVenue;

/*
 * New air with the same two smallest infectors, indexes into Trace.infectors.
 */
typedef struct SharedStrip
{
	Span		air;
	int32		first;
	int32		second;			/* or -1 */
	uint32		run;			/* so many strips, with this one, follow each
								 * other without a gap */
} SharedStrip;

typedef struct Minutes
{
	Store		breaths;
	int32	   *touched;		/* subjects of this level's new breaths */
	Size		ntouched;
	Size		touched_size;
	SharedStrip *strips;		/* of this level; see VenueAir */
	Size		nstrips;
	Size		strips_size;

	/* minutes.c's own: the sum of one subject's breaths */
	struct BreathSum *sum;
} Minutes;

static inline Breather *
trace_breather(const Trace *trace, int32 number)
{
	return ident_table_entry(trace->subjects, number);
}

/* An index into Trace.infectors, as breaths name her */
static inline int32
minutes_infector(const Trace *trace, int32 infector)
{
	const Infector *one = &trace->infectors[infector];

	return one->record >= 0 ? one->record : ~one->subject;
}

/* The smallest infector whose air this is to the subject, or -1: her own alone. */
static inline int32
others_air(const Trace *trace, int32 subject, const SharedStrip *strip)
{
	return trace->infectors[strip->first].subject != subject ? strip->first : strip->second;
}

/* minutes.c */
extern const Breather new_breather;
extern const AiredVenue new_aired_venue;
extern Minutes *minutes_create(Memory *memory);

/*
 * From trace->pieces on to the level's records, complete as after a level
 * without sums.
 */
extern void minutes_level(Trace *trace);

/*
 * Add a breath, and remember to sum the subject's up if it may count.  One too
 * late to matter is left out, and false returned.  Sets its `older` and
 * `level`.
 */
extern bool minutes_add_breath(Trace *trace, int32 subject, Breath *breath);

/* minutes_air.c */
extern void minutes_build_air(Trace *trace);

/* minutes_spread.c */
extern void minutes_spread(Trace *trace);

#endif							/* ANSHIM_MINUTES_H */
