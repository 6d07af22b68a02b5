/*-------------------------------------------------------------------------
 *
 * country_log.c
 *	  Who is where and when in a synthetic country, day by day
 *
 * Everything is a hash of (seed, person, day): nothing is kept of a person,
 * and the same seed gives the same country.  So many people live evenly spread
 * on a square that has no shore (who leaves it in the east comes in from the
 * west), whatever their number at the same density.
 *
 * Published, and taken as it is:
 *
 * - PEOPLE_A_KM2: the Republic of Korea's, 51.8 million on 100 thousand km2.
 * - PEOPLE_A_VENUE, WORKERS_EXPONENT: Statistics Korea, economic census of 2020:
 *   6.013 million establishments with 24.834 million workers; 86.4 % have 1 to 4,
 *   7.9 % 5 to 9, 5.4 % 10 to 99, 0.3 % 100 to 299 and 0.1 % more.  The share of those
 *   with at least n falls as n^-1.2 from 1 to 300; of classes that have 1, 2, 4, 8, ...
 *   workers and follow that, the mean is 4.1, as in the census.  (Chowell et al.,
 *   Phys. Rev. E 68, 066102, 2003: Portland has 8.8 people a location, too, and
 *   traffic that falls by a power law.)
 * - AT_HOME: Christensen, Sobrino Vazquez, Post-harmonised European National Travel
 *   Surveys: 8 to 28 % of people do not leave home on a day, 15 to 17 % in six of
 *   twelve surveys.
 * - FAMILIAR: Alessandretti et al., Nat. Hum. Behav. 2, 485, 2018: some 25 places.
 * - ZIPF, NEW_RHO, NEW_GAMMA, STAY_BETA, STAY_TAU: Song, Koren, Wang, Barabasi, Nature
 *   Physics 6, 818, 2010: the k-th most visited place is visited in proportion to
 *   k^-1.2, the next visit is to a new place with probability 0.6 S^-0.21, S places
 *   being known, and stays of t hours are found in proportion to t^-1.8, up to 17 h.
 * - JUMP_BETA, JUMP_0, JUMP_KAPPA: Gonzalez, Hidalgo, Barabasi, Nature 453, 779, 2008: ways
 *   of r km are found in proportion to (r + 1.5)^-1.75 exp(-r / 400).
 *
 * Given by the question: VISITS_A_DAY, 150 million visits by 50 million people.
 *
 * Ours, for want of something better: visits to a venue are in proportion to its
 * workers, of whom none has more than 2^12; a person's most visited place is home,
 * where nobody checks in, so that ranks begin with the second; ways go out from home;
 * visits begin evenly between 7:00 and 22:00, last 20 minutes at least unless
 * something else comes in between, and end by midnight; a venue's larger
 * catchment is that the same people are spread over fewer of its kind.
 *
 * Memory: a day's visits twice, 20 bytes each, and a counter a room.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "country.h"

#define PEOPLE_A_KM2		518.0
#define PEOPLE_A_VENUE		8.6
#define WORKERS_EXPONENT	1.2
#define CLASSES				13
#define VISITS_A_DAY		3.0
#define AT_HOME				0.15
#define FAMILIAR			25
#define ZIPF				1.2
#define NEW_RHO				0.6
#define NEW_GAMMA			0.21
#define STAY_LEAST			(1.0 / 3)
#define STAY_MOST			17.0
#define STAY_BETA			0.8
#define STAY_TAU			17.0
#define JUMP_LEAST			0.01
#define JUMP_MOST			2000.0
#define JUMP_BETA			1.75
#define JUMP_0				1.5
#define JUMP_KAPPA			400.0
#define OPENS				(7 * 60)
#define CLOSES				(22 * 60)

#define MOST_VISITS			24	/* of a person on a day */
#define QUANTILES			4096

/* what a stream of numbers is for */
enum
{
	S_HOME,
	S_PLACE,
	S_DAY,
	S_CASE
};

/* The venues of one size, on a square grid of their own */
typedef struct VenueClass
{
	uint32_t	side;			/* so many to a side */
	uint32_t	rooms;			/* of each venue */
	uint32_t	base;			/* number of the first one's first room */
	double		share;			/* of all visits, up to and including these */
} VenueClass;

Country		country;
uint32_t	venue_count;
uint32_t	room_count;

static double side_km;
static int	class_count;
static VenueClass classes[CLASSES];
static double visit_shares[MOST_VISITS];	/* cumulative */
static double rank_shares[FAMILIAR + 1];	/* cumulative; [FAMILIAR]: new
											 * places */
static float stays[QUANTILES + 1];	/* minutes */
static float jumps[QUANTILES + 1];	/* km */

void *
allocate(size_t count, size_t size)
{
	void	   *p = calloc(count, size);

	if (p == NULL)
	{
		fprintf(stderr, "country: out of memory, %zu times %zu bytes\n", count, size);
		exit(1);
	}
	return p;
}

/*
 * Numbers by splitmix64
 */

static uint64_t
next(uint64_t *state)
{
	uint64_t	x = *state += UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

static uint64_t
stream(int purpose, uint64_t who, uint64_t what)
{
	uint64_t	state = country.seed * 4 + (uint64_t) purpose;

	state = next(&state) + who;
	state = next(&state) + what;
	return next(&state);
}

/* From [0, 1) */
static double
draw(uint64_t *state)
{
	return (double) (next(state) >> 11) / 9007199254740992.0;	/* 2^53 */
}

static int
draw_from(uint64_t *state, const double *cumulative, int n)
{
	double		u = draw(state);
	int			i = 0;

	while (i < n - 1 && u >= cumulative[i])
		i++;
	return i;
}

static double
draw_quantile(uint64_t *state, const float *quantiles)
{
	double		u = draw(state) * QUANTILES;
	int			i = (int) u;

	return quantiles[i] + (u - i) * (quantiles[i + 1] - quantiles[i]);
}

/*
 * Tables
 */

/* Quantiles of a density (x + shift)^-exponent exp(-x / scale) on [least, most] */
static void
make_quantiles(float *quantiles, double least, double most, double shift,
			   double exponent, double scale, double unit)
{
	enum
	{
		STEPS = 200000
	};
	double	   *sums = allocate(STEPS + 1, sizeof(double));
	double		ratio = pow(most / least, 1.0 / STEPS);
	int			step = 0;

	for (int i = 1; i <= STEPS; i++)
	{
		double		x = least * pow(ratio, i - 0.5);

		sums[i] = sums[i - 1] + pow(x + shift, -exponent) * exp(-x / scale) * x * log(ratio);
	}
	for (int q = 0; q <= QUANTILES; q++)
	{
		while (step < STEPS && sums[step] < sums[STEPS] * q / QUANTILES)
			step++;
		quantiles[q] = (float) (least * pow(ratio, step) * unit);
	}
	free(sums);
}

/* Visits a day: negative binomial, with that mean, and so many who have none */
static void
make_visit_shares(void)
{
	double		low = 0.01;
	double		high = 100;
	double		share;
	double		sum = 0;

	for (int i = 0; i < 200; i++)
	{
		double		k = (low + high) / 2;

		if (pow(1 + VISITS_A_DAY / k, -k) > AT_HOME)
			low = k;
		else
			high = k;
	}
	share = AT_HOME;
	for (int n = 0; n < MOST_VISITS; n++)
	{
		visit_shares[n] = sum += share;
		share *= (n + low) / (n + 1) * VISITS_A_DAY / (low + VISITS_A_DAY);
	}
}

/* The places that are known, from the second on, and those that are new */
static void
make_rank_shares(void)
{
	double		fresh = NEW_RHO * pow(FAMILIAR, -NEW_GAMMA);
	double		all = 0;
	double		sum = 0;

	for (int k = 2; k <= FAMILIAR; k++)
		all += pow(k, -ZIPF);
	for (int k = 2; k <= FAMILIAR; k++)
		rank_shares[k - 1] = sum += (1 - fresh) * pow(k, -ZIPF) / all;
	rank_shares[FAMILIAR] = 1;
}

static void
make_classes(void)
{
	double		venues = country.people / PEOPLE_A_VENUE;
	double		visits = country.people * VISITS_A_DAY;
	double		all = 0;
	double		workers = 0;

	for (int c = 0; c < CLASSES; c++)
	{
		double		n = venues * (1 - pow(2, -WORKERS_EXPONENT)) * pow(2, -WORKERS_EXPONENT * c);

		classes[c].side = (uint32_t) (sqrt(n) + 0.5);
		if (classes[c].side == 0)
			break;
		class_count = c + 1;
		classes[c].share = all += (double) classes[c].side * classes[c].side * pow(2, c);
	}
	for (int c = 0; c < class_count; c++)
	{
		uint32_t	n = classes[c].side * classes[c].side;
		double		visits_each = visits * pow(2, c) / all;

		classes[c].share /= all;
		classes[c].rooms = country.room_visits == 0 ? 1 :
			(uint32_t) ceil(visits_each / country.room_visits);
		classes[c].base = room_count;
		venue_count += n;
		room_count += n * classes[c].rooms;
		workers += n * pow(2, c);
	}
}

void
make_country(void)
{
	side_km = sqrt(country.people / PEOPLE_A_KM2);
	make_classes();
	make_visit_shares();
	make_rank_shares();
	make_quantiles(stays, STAY_LEAST, STAY_MOST, 0, 1 + STAY_BETA, STAY_TAU, 60);
	make_quantiles(jumps, JUMP_LEAST, JUMP_MOST, JUMP_0, JUMP_BETA, JUMP_KAPPA, 1);
}

/* Somebody, the same for each number */
uint32_t
draw_person(int number)
{
	uint64_t	state = stream(S_CASE, (uint64_t) number, 0);

	return (uint32_t) (next(&state) % country.people);
}

/*
 * A day
 */

static uint32_t
wrap(double km, uint32_t side)
{
	double		part = km / side_km;
	uint32_t	cell = (uint32_t) ((part - floor(part)) * side);

	return cell < side ? cell : side - 1;
}

/* A room, some way from home */
static uint32_t
draw_place(uint32_t person, uint64_t *state)
{
	uint64_t	home = stream(S_HOME, person, 0);
	double		way = draw_quantile(state, jumps);
	double		angle = draw(state) * 2 * M_PI;
	double		x = draw(&home) * side_km + way * cos(angle);
	double		y = draw(&home) * side_km + way * sin(angle);
	double		u = draw(state);
	const VenueClass *class = classes;

	while (class < classes + class_count - 1 && u >= class->share)
		class++;
	return class->base + (wrap(y, class->side) * class->side + wrap(x, class->side)) * class->rooms +
		(uint32_t) (draw(state) * class->rooms);
}

static int
compare_starts(const void *a, const void *b)
{
	return *(const uint16_t *) a - *(const uint16_t *) b;
}

/* A person's day, in the order of time; the number of visits */
static int
make_person_day(uint32_t person, int number, Visit *visits, uint32_t *rooms)
{
	uint64_t	state = stream(S_DAY, person, (uint64_t) number);
	int			planned = draw_from(&state, visit_shares, MOST_VISITS);
	uint16_t	starts[MOST_VISITS + 1];
	int			n = 0;

	for (int i = 0; i < planned; i++)
		starts[i] = (uint16_t) (OPENS + draw(&state) * (CLOSES - OPENS));
	qsort(starts, (size_t) planned, sizeof(uint16_t), compare_starts);
	starts[planned] = MINUTES;
	for (int i = 0; i < planned; i++)
	{
		int			rank = draw_from(&state, rank_shares, FAMILIAR + 1);
		uint64_t	place = rank < FAMILIAR ? stream(S_PLACE, person, (uint64_t) rank) : next(&state);
		int			end = starts[i] + (int) draw_quantile(&state, stays);

		if (starts[i] == starts[i + 1])
			continue;			/* she can be at one of them only */
		rooms[n] = draw_place(person, &place);
		visits[n].person = person;
		visits[n].start = starts[i];
		visits[n].end = (uint16_t) (end < starts[i + 1] ? end : starts[i + 1]);
		n++;
	}
	return n;
}

/* All visits of a day, room by room; what was there before is overwritten. */
void
make_day(int number, Day *day)
{
	static Visit *visits = NULL;
	static uint32_t *rooms = NULL;
	static size_t size = 0;
	uint32_t	count = 0;

	if (size == 0)
	{
		size = (size_t) (country.people * (VISITS_A_DAY + 0.05)) + 10000;
		visits = allocate(size, sizeof(Visit));
		rooms = allocate(size, sizeof(uint32_t));
	}
	if (day->visits == NULL)
	{
		day->visits = allocate(size, sizeof(Visit));
		day->first = allocate((size_t) room_count + 2, sizeof(uint32_t));
	}
	memset(day->first, 0, ((size_t) room_count + 2) * sizeof(uint32_t));

	for (uint32_t person = 0; person < country.people; person++)
	{
		if (count + MOST_VISITS > size)
		{
			fprintf(stderr, "country: more visits than expected\n");
			exit(1);
		}
		count += (uint32_t) make_person_day(person, number, visits + count, rooms + count);
	}
	for (uint32_t i = 0; i < count; i++)
		day->first[rooms[i] + 2]++;
	for (uint32_t room = 0; room < room_count; room++)
		day->first[room + 2] += day->first[room + 1];
	for (uint32_t i = 0; i < count; i++)
		day->visits[day->first[rooms[i] + 1]++] = visits[i];
	day->count = count;
}
