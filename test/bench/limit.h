/*-------------------------------------------------------------------------
 *
 * limit.h
 *	  What the parts of the limit program share; see limit.c
 *
 *-------------------------------------------------------------------------
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOUR			INT64_C(3600000000)
#define DEFAULT_STAY	HOUR
#define SHORT_STAY		(3 * HOUR)
#define NEVER			INT64_MAX
#define MAX_LEVELS		32

/* how far ahead a loop fetches what it will need */
#define AHEAD			8

/* Of a subject or a venue: dense, from 0, in the order of the names */
typedef int32_t Number;

/* One visit as seen from a venue (who: the subject) or a subject (the venue) */
typedef struct Visit
{
	int64_t		start;
	int64_t		end;
	Number		who;
} Visit;

/* Visits of owner i: visits[first[i]] .. visits[first[i + 1] - 1], by start */
typedef struct Side
{
	Visit	   *visits;
	uint32_t   *first;
} Side;

typedef struct Log
{
	int64_t    *subject_names;
	int64_t    *venue_names;
	uint32_t	subject_count;
	uint32_t	venue_count;
	Side		by_subject;
	Side		by_venue;
	Side		long_by_venue;	/* those that exceed SHORT_STAY */
	int64_t		longest_stay;
} Log;

/* What became of a subject; when is in T */
typedef struct Fate
{
	Number		via;
	Number		venue;
	int16_t		degree;
	int16_t		level;			/* at which T was last improved */
} Fate;

/* What a level read and found */
typedef struct Level
{
	int64_t		infectors;
	int64_t		subject_rows;
	int64_t		pieces;
	int64_t		segments;
	int64_t		venue_rows;
	int64_t		reached;		/* so far */
} Level;

/* limit_log.c */
extern Log	visits;				/* immutable once loaded */

extern void *must(void *p);
extern void *allocate(size_t count, size_t size);
extern void load_visits(const char *path);
extern Number subject_number(int64_t name);

/* limit_trace.c; the result stands until the next trace */
extern int64_t *T;				/* by subject */
extern Fate *fates;				/* by subject */
extern Number *touched;			/* the subjects reached */
extern uint32_t touched_count;
extern Level levels[MAX_LEVELS];

extern void prepare_traces(void);
extern void run_trace(Number index_case, int64_t from, int64_t until, int degrees);

#endif							/* LIMIT_H */
