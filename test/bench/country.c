/*-------------------------------------------------------------------------
 *
 * country.c
 *	  How many people does a trace reach in a country, at each degree?
 *
 * usage: country levels [option ...]		what a trace reaches
 *		  country log [option ...]			the visits themselves
 *
 *	-p PEOPLE	so many live there, at the same density (50000)
 *	-r VISITS	a venue has as many rooms as let each have at most so many
 *				visits a day, on average; each room has a code of its own
 *				(0: a venue is one room)
 *	-d DAYS		that are traced, or written (14)
 *	-n LEVELS	degrees (5)
 *	-c CASES	index cases, each traced by itself (8)
 *	-o MINUTES	min_overlap (0)
 *	-l DAYS		latent (0)
 *	-s SEED		(1861)
 *
 * country_log.c says what the country is like, and by whose figures.
 *
 * Levels are those of anshim.exposures() with linger 0 and infectious_for NULL.
 * Times are whole minutes and no visit goes on past midnight, so days are taken
 * one after the other, and in each of them level after level: who is reached at
 * level k on a day was infected by somebody who was reached at level k - 1, on this
 * day or before.  So nothing is kept but each person's T, and nothing is sorted but
 * a day by its rooms.
 *
 * Printed are lines of fields with `|` between them:
 *
 *	log|people|room visits|venues|rooms|visits of a day|meetings of a person and day
 *	reached|people|room visits|case|level|people reached at this level or before
 *		|visits looked at, of infectors|and of others
 *
 * A meeting lasts min_overlap at least; those of the first day are counted.  Looked
 * at are the visits that matter: an engine reads some more to find them.
 *
 * Memory: 2 bytes for each person, case and level, and what a day takes.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "country.h"

/* A time when a room's air is infectious; minutes of the day, both inclusive */
typedef struct Stretch
{
	int			start;
	int			end;
} Stretch;

/* Visits that a level has to look at */
typedef struct Rows
{
	uint64_t	infectors;		/* of those who infect, while they do */
	uint64_t	others;			/* of whoever is there meanwhile */
} Rows;

static int	days = 14;
static int	levels = 5;
static int	case_count = 8;
static int	min_overlap = 0;
static int	latent = 0;			/* minutes */

static uint32_t cases[MAX_CASES];
static uint16_t *reached;		/* T, by person, case and level */
static uint16_t *reached_by;	/* by person: a bit for each case */
static Rows rows[MAX_CASES][MAX_LEVELS + 1];

static uint16_t *
times_of(uint32_t person, int number)
{
	return reached + ((size_t) person * case_count + number) * (levels + 1);
}

/*
 * Spreading
 */

static int
compare_stretches(const void *a, const void *b)
{
	return ((const Stretch *) a)->start - ((const Stretch *) b)->start;
}

/*
 * When the air of a room is infectious by those whom the level before reached
 * sooner than any earlier one: all others have done theirs.  Each time is
 * shortened by the least overlap, so that to touch it is to share enough of it.
 */
static int
find_stretches(const Visit *visits, uint32_t n, int number, int level, int day_start,
			   int least, Stretch *stretches)
{
	int			found = 0;
	int			merged = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		const Visit *v = &visits[i];
		const uint16_t *times = times_of(v->person, number);
		int			delay = v->person == cases[number] ? -day_start : latent - day_start;
		int			since;

		if (!(reached_by[v->person] & (1 << number)) || times[level - 1] == NEVER)
			continue;
		if (level > 1 && (times[level - 2] == times[level - 1] || times[level - 2] + delay <= v->start))
			continue;
		since = times[level - 1] + delay;
		if (since < v->start)
			since = v->start;
		if (since < v->end)
			rows[number][level].infectors++;
		if (since <= v->end - least)
		{
			stretches[found].start = since;
			stretches[found++].end = v->end - least;
		}
	}
	if (found > 1)
		qsort(stretches, (size_t) found, sizeof(Stretch), compare_stretches);
	for (int i = 0; i < found; i++)
	{
		if (merged > 0 && stretches[i].start <= stretches[merged - 1].end)
		{
			if (stretches[merged - 1].end < stretches[i].end)
				stretches[merged - 1].end = stretches[i].end;
		}
		else
			stretches[merged++] = stretches[i];
	}
	return merged;
}

/* Who was reached that early at a level was so at all later ones */
static void
reach(uint32_t person, int number, int level, int when)
{
	uint16_t   *times = times_of(person, number);

	reached_by[person] |= (uint16_t) (1 << number);
	for (; level <= levels && when < times[level]; level++)
		times[level] = (uint16_t) when;
}

static void
spread_in_room(const Visit *visits, uint32_t n, int number, int level, int day_start, Stretch *stretches)
{
	int			least = min_overlap > 1 ? min_overlap : 1;
	int			count = find_stretches(visits, n, number, level, day_start, least, stretches);

	for (uint32_t i = 0; count > 0 && i < n; i++)
	{
		const Visit *v = &visits[i];
		int			low = 0;
		int			high = count;

		/* the first stretch that ends no sooner than she comes */
		while (low < high)
		{
			int			middle = (low + high) / 2;

			if (stretches[middle].end < v->start)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == count || stretches[low].start >= v->end)
			continue;
		rows[number][level].others++;
		if (stretches[low].start <= v->end - least && v->start <= v->end - least)
			reach(v->person, number, level, day_start +
				  (stretches[low].start > v->start ? stretches[low].start : v->start));
	}
}

static void
spread_over_day(const Day *day, int number_of_day, Stretch *stretches)
{
	for (int level = 1; level <= levels; level++)
	{
		for (uint32_t room = 0; room < room_count; room++)
		{
			const Visit *visits = day->visits + day->first[room];
			uint32_t	n = day->first[room + 1] - day->first[room];
			unsigned int who = 0;

			for (uint32_t i = 0; i < n; i++)
				who |= reached_by[visits[i].person];
			for (int number = 0; who != 0 && number < case_count; number++)
			{
				if (who & (1U << number))
					spread_in_room(visits, n, number, level, number_of_day * MINUTES, stretches);
			}
		}
	}
}

/*
 * Counting
 */

static int
compare_visits(const void *a, const void *b)
{
	return ((const Visit *) a)->start - ((const Visit *) b)->start;
}

/* Pairs that are in a room together, for long enough */
static double
count_meetings(Day *day)
{
	int			least = min_overlap > 1 ? min_overlap : 1;
	double		pairs = 0;

	for (uint32_t room = 0; room < room_count; room++)
	{
		Visit	   *visits = day->visits + day->first[room];
		uint32_t	n = 0;

		for (uint32_t i = day->first[room]; i < day->first[room + 1]; i++)
		{
			if (day->visits[i].end - day->visits[i].start >= least)
				visits[n++] = day->visits[i];
		}
		qsort(visits, n, sizeof(Visit), compare_visits);
		for (uint32_t i = 0; i < n; i++)
		{
			uint32_t	low = i + 1;
			uint32_t	high = n;

			while (low < high)
			{
				uint32_t	middle = (low + high) / 2;

				if (visits[middle].start <= visits[i].end - least)
					low = middle + 1;
				else
					high = middle;
			}
			pairs += low - i - 1;
		}
	}
	return pairs;
}

static void
print_levels(void)
{
	static uint32_t counts[MAX_CASES][MAX_LEVELS + 1];

	for (uint32_t person = 0; person < country.people; person++)
	{
		for (int number = 0; number < case_count; number++)
		{
			if (!(reached_by[person] & (1 << number)) || person == cases[number])
				continue;
			for (int level = 1; level <= levels; level++)
				counts[number][level] += times_of(person, number)[level] != NEVER;
		}
	}
	for (int number = 0; number < case_count; number++)
	{
		for (int level = 1; level <= levels; level++)
			printf("reached|%u|%u|%u|%d|%u|%" PRIu64 "|%" PRIu64 "\n", country.people, country.room_visits,
				   cases[number], level, counts[number][level],
				   rows[number][level].infectors, rows[number][level].others);
	}
}

static void
run_levels(void)
{
	Day			day = {0};
	size_t		n = (size_t) country.people * case_count * (levels + 1);
	Stretch    *stretches;

	reached = allocate(n, sizeof(uint16_t));
	reached_by = allocate(country.people, sizeof(uint16_t));
	memset(reached, 0xFF, n * sizeof(uint16_t));
	for (int number = 0; number < case_count; number++)
	{
		cases[number] = draw_person(number);
		reached_by[cases[number]] |= (uint16_t) (1 << number);
		memset(times_of(cases[number], number), 0, (levels + 1) * sizeof(uint16_t));
	}
	for (int i = 0; i < days; i++)
	{
		uint32_t	most = 0;

		make_day(i, &day);
		for (uint32_t room = 0; room < room_count; room++)
		{
			if (most < day.first[room + 1] - day.first[room])
				most = day.first[room + 1] - day.first[room];
		}
		stretches = allocate(most, sizeof(Stretch));
		spread_over_day(&day, i, stretches);
		free(stretches);
		if (i == 0)
			printf("log|%u|%u|%u|%u|%u|%.1f\n", country.people, country.room_visits, venue_count,
				   room_count, day.count, 2 * count_meetings(&day) / country.people);
	}
	print_levels();
}

/* As COPY reads it: subject, venue, entered_at, left_at */
static void
write_log(void)
{
	Day			day = {0};

	for (int i = 0; i < days; i++)
	{
		make_day(i, &day);
		for (uint32_t room = 0; room < room_count; room++)
		{
			for (uint32_t j = day.first[room]; j < day.first[room + 1]; j++)
			{
				const Visit *v = &day.visits[j];

				printf("%u|%u|2021-02-%02d %02d:%02d+00|2021-02-%02d %02d:%02d+00\n", v->person, room,
					   i + 1, v->start / 60, v->start % 60, i + 1, v->end / 60, v->end % 60);
			}
		}
	}
}

static void
usage(void)
{
	fprintf(stderr, "usage: country levels|log [-p people] [-r room_visits] [-d days] [-n levels]"
			" [-c cases] [-o min_overlap] [-l latent_days] [-s seed]\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	int			option;
	bool		levels_wanted = argc > 1 && strcmp(argv[1], "levels") == 0;

	if (argc < 2 || (!levels_wanted && strcmp(argv[1], "log") != 0))
		usage();
	country.people = 50000;
	country.seed = 1861;
	optind = 2;
	while ((option = getopt(argc, argv, "p:r:d:n:c:o:l:s:")) != -1)
	{
		switch (option)
		{
			case 'p':
				country.people = (uint32_t) strtoul(optarg, NULL, 10);
				break;
			case 'r':
				country.room_visits = (uint32_t) strtoul(optarg, NULL, 10);
				break;
			case 'd':
				days = atoi(optarg);
				break;
			case 'n':
				levels = atoi(optarg);
				break;
			case 'c':
				case_count = atoi(optarg);
				break;
			case 'o':
				min_overlap = atoi(optarg);
				break;
			case 'l':
				latent = atoi(optarg) * MINUTES;
				break;
			case 's':
				country.seed = strtoull(optarg, NULL, 10);
				break;
			default:
				usage();
		}
	}
	if (optind < argc || country.people < 1000 || country.people > 100000000 || days < 1 || days > MAX_DAYS ||
		levels < 1 || levels > MAX_LEVELS || case_count < 1 || case_count > MAX_CASES ||
		min_overlap < 0 || min_overlap > MINUTES || latent < 0 || latent > MAX_DAYS * MINUTES)
		usage();

	make_country();
	if (levels_wanted)
		run_levels();
	else
		write_log();
	if (fflush(stdout) != 0 || ferror(stdout))
	{
		perror("country: could not write");
		return 1;
	}
	return 0;
}
