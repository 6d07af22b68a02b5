/*-------------------------------------------------------------------------
 *
 * limit.c
 *	  How fast could any engine trace?  The algorithm of the exposure engine
 *	  over two sorted arrays that already lie in memory, with no database
 *	  around them: no snapshot, no pages, no keys to intern.
 *
 * usage: limit visits.copy from until runs case:degrees ...
 *
 * The file is COPY BINARY data with the columns subject, venue (bigint),
 * entered_at and left_at.  Times are microseconds since 2000-01-01 UTC.
 * Traced is exposures(..., '[from, until)', degrees => ...) with all other
 * parameters at their defaults: no linger, min_overlap, latent, near venues;
 * infectious to the end.
 *
 * Printed are, for each case, the milliseconds of each run (`run|case|degrees|`
 * and so on, without loading), the number of subjects reached and a checksum
 * (`answer|...`), and what each level read and found (`level|...`): infectors,
 * rows of theirs, pieces, segments, rows of venues, all reached so far.
 *
 * Memory: the log twice, 24 bytes a visit, and per run what the pieces need.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "limit.h"

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1000 + (double) t.tv_nsec / 1000000;
}

/* The answer, in the form that the stop-watches of rivals.sql give it */
static void
print_checksum(void)
{
	unsigned	__int128 sum = 0;
	char		digits[48];
	char	   *p = digits + sizeof(digits);

	for (uint32_t i = 0; i < touched_count; i++)
	{
		Number		subject = touched[i];
		uint64_t	who = (uint64_t) visits.subject_names[subject] % 1000003;

		sum += (who * 64 + (uint64_t) fates[subject].degree) *
			((uint64_t) T[subject] % 998244353);
	}
	*--p = '\0';
	do
	{
		*--p = (char) ('0' + (int) (sum % 10));
		sum /= 10;
	} while (sum > 0);
	printf("%" PRIu32 ":%s", touched_count, p);
}

static void
measure(const char *name, int degrees, int64_t from, int64_t until, int runs)
{
	Number		index_case = subject_number(strtoll(name, NULL, 10));
	double	   *times = allocate((size_t) runs, sizeof(double));

	for (int i = 0; i < runs; i++)
	{
		double		start = now_ms();

		run_trace(index_case, from, until, degrees);
		times[i] = now_ms() - start;
	}
	for (int i = 0; i < runs; i++)
		printf("run|%s|%d|%.5f\n", name, degrees, times[i]);
	printf("answer|%s|%d|", name, degrees);
	print_checksum();
	printf("\n");
	for (int i = 0; i < degrees; i++)
		printf("level|%s|%d|%d|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%"
			   PRId64 "|%" PRId64 "\n", name, degrees, i + 1, levels[i].infectors, levels[i].subject_rows,
			   levels[i].pieces, levels[i].segments, levels[i].venue_rows,
			   levels[i].reached);
	free(times);
}

int
main(int argc, char **argv)
{
	if (argc < 5)
	{
		fprintf(stderr, "usage: limit visits.copy from until runs case:degrees ...\n");
		return 2;
	}
	load_visits(argv[1]);
	prepare_traces();
	for (int i = 5; i < argc; i++)
	{
		char	   *colon = strchr(argv[i], ':');
		int			degrees = colon == NULL ? 0 : atoi(colon + 1);

		if (degrees < 1 || degrees > MAX_LEVELS)
		{
			fprintf(stderr, "limit: degrees must be from 1 to %d\n", MAX_LEVELS);
			return 2;
		}
		*colon = '\0';
		measure(argv[i], degrees, strtoll(argv[2], NULL, 10),
				strtoll(argv[3], NULL, 10), atoi(argv[4]));
		fflush(stdout);
	}
	return 0;
}
