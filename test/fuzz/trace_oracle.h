/*-------------------------------------------------------------------------
 *
 * trace_oracle.h
 *	  A second opinion on who was exposed
 *
 * Small questions over small logs: subjects, venues and visits are numbers.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_FUZZ_TRACE_ORACLE_H
#define ANSHIM_FUZZ_TRACE_ORACLE_H

#define SUBJECTS 8
#define VENUES 4
#define VISITS_MAX 24
#define PERIODS_MAX 8
#define DEGREES_MAX 5

/*
 * Times and lengths, in microseconds.  No sum of a few of them leaves this
 * type; infinity is far beyond all that is finite.
 */
typedef __int128 Moment;

#define FOREVER ((Moment) 1 << 100)

/* [from, to) */
typedef struct Stretch
{
	Moment		from;
	Moment		to;
} Stretch;

typedef struct OracleVisit
{
	int			subject;
	int			venue;
	Stretch		stay;
} OracleVisit;

typedef struct OracleQuestion
{
	bool		backward;		/* anshim.sources */
	int			degrees;
	Moment		limit;			/* the definitions' H, or G backwards */
	Moment		latent;
	Moment		infectious_for; /* FOREVER: without end */
	Moment		linger;
	double		linger_ratio;	/* < 0: none */
	Moment		min_overlap;
	Moment		accumulate;		/* 0: minutes do not add up */

	int			ncases;
	int			cases[PERIODS_MAX];
	Stretch		periods[PERIODS_MAX];	/* in `during`; may be empty */
	int			nvisits;
	OracleVisit visits[VISITS_MAX];
	bool		near[VENUES][VENUES];
} OracleQuestion;

typedef struct OracleAnswer
{
	bool		reached;
	int			degree;
	Moment		time;
	int			via;
	int			venue;
	int			encounters;		/* of the level that reached her first */
	Moment		together;
} OracleAnswer;

extern void oracle_trace(const OracleQuestion *question, OracleAnswer answers[SUBJECTS]);

extern bool oracle_is_case(const OracleQuestion *question, int subject);

/*
 * Is this a hop of a path: does the infector, infectious as a case is or by
 * having been reached at `since`, expose the other at that venue from `time`
 * on?
 */
extern bool oracle_hop(const OracleQuestion *question, int infector, const Moment *since,
					   int infected, int venue, Moment time);

#endif							/* ANSHIM_FUZZ_TRACE_ORACLE_H */
