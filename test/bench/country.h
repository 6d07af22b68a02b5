/*-------------------------------------------------------------------------
 *
 * country.h
 *	  What the parts of the country program share; see country.c
 *
 *-------------------------------------------------------------------------
 */
#ifndef COUNTRY_H
#define COUNTRY_H

#include <stddef.h>
#include <stdint.h>

#define MINUTES			1440	/* of a day */
#define NEVER			UINT16_MAX
#define MAX_DAYS		28
#define MAX_LEVELS		8
#define MAX_CASES		16

/* One visit; minutes of its day, half-open */
typedef struct Visit
{
	uint32_t	person;
	uint16_t	start;
	uint16_t	end;
} Visit;

/* All visits of a day: those of room i are visits[first[i]] .. visits[first[i + 1] - 1] */
typedef struct Day
{
	Visit	   *visits;
	uint32_t   *first;
	uint32_t	count;
} Day;

/* What is asked for */
typedef struct Country
{
	uint32_t	people;
	uint32_t	room_visits;	/* a day, at most, of one room; 0: a venue is
								 * one room */
	uint64_t	seed;
} Country;

/* country_log.c; immutable once made */
extern Country country;
extern uint32_t venue_count;
extern uint32_t room_count;

extern void *allocate(size_t count, size_t size);
extern void make_country(void);
extern void make_day(int number, Day *day);
extern uint32_t draw_person(int number);

#endif							/* COUNTRY_H */
