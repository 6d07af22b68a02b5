/*-------------------------------------------------------------------------
 *
 * island.c
 *	  Writes the visit log of a synthetic island, as COPY BINARY data.
 *
 * usage: island [scale [seed]] > visits.copy
 *
 * At scale 1: 10 million visits by 500 thousand subjects at 20 thousand
 * venues over 28 days.  Scale n has n times the visits, subjects and venues
 * over the same days, so that everybody meets as many people as at scale 1.
 *
 * Every value is a hash of (seed, day, number of the visit, purpose), reckoned
 * in integers alone: the same file on every machine.  Rows come in the order
 * of entered_at, as they would have been inserted.
 *
 * Venues: the k-th busiest of V receives a share of roughly 1 / sqrt(k), cut
 * off at some 100 times the mean.  Time of day: 70 % of visits begin in the six
 * busy hours 11-14 and 17-20, the others evenly in the remaining eighteen.
 * Stay: 97 % from 10 minutes to 3 hours, 3 % from 3 to 12 hours, 1 hour on
 * average.  One visit in a hundred is never checked out (left_at is NULL).
 *
 * Memory: one day's visits.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISITS			INT64_C(10000000)
#define SUBJECTS		UINT64_C(500000)
#define VENUES			UINT64_C(20000)
#define DAYS			28

#define SECOND			INT64_C(1000000)
#define HOUR			(3600 * SECOND)
#define DAY				(24 * HOUR)

/* 2021-02-01 00:00 UTC in PostgreSQL's epoch, which begins in 2000 */
#define FIRST_DAY		(INT64_C(7702) * DAY)

/* what a hash is for */
enum
{
	H_SUBJECT,
	H_VENUE,
	H_COPY,
	H_MICROSECOND,
	H_BUSY,
	H_TIME,
	H_LONG,
	H_STAY1,
	H_STAY2,
	H_OPEN,
	H_PURPOSES
};

typedef struct Visit
{
	int64_t		entered_at;
	int64_t		left_at;		/* 0: not checked out */
	int64_t		subject;
	int64_t		venue;
} Visit;

static uint64_t seed;

/* splitmix64's finalizer */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9E3779B97F4A7C15);
	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

/* A number evenly drawn from [0, limit); limit < 2^32 */
static uint64_t
draw(uint64_t visit, int purpose, uint64_t limit)
{
	uint64_t	h = mix(mix(seed) ^ mix(visit * H_PURPOSES + purpose));

	return ((h >> 32) * limit) >> 32;
}

/* The rank of a venue, 0 being the busiest */
static uint64_t
draw_rank(uint64_t visit)
{
	const uint64_t one = UINT64_C(1) << 20;
	const uint64_t offset = one / 300;
	uint64_t	u = draw(visit, H_VENUE, one) + offset;

	return (u * u - offset * offset) / (one + 2 * offset) * VENUES / one;
}

static int64_t
draw_time(uint64_t visit)
{
	static const int busy[] = {11, 12, 13, 17, 18, 19};
	static const int quiet[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 20, 21, 22, 23};
	uint64_t	second;
	int			hour;

	if (draw(visit, H_BUSY, 100) < 70)
	{
		second = draw(visit, H_TIME, 6 * 3600);
		hour = busy[second / 3600];
	}
	else
	{
		second = draw(visit, H_TIME, 18 * 3600);
		hour = quiet[second / 3600];
	}
	return hour * HOUR + (int64_t) (second % 3600) * SECOND +
		(int64_t) draw(visit, H_MICROSECOND, SECOND);
}

static int64_t
draw_stay(uint64_t visit)
{
	int64_t		u = (int64_t) draw(visit, H_STAY1, 1 << 16);
	int64_t		v = (int64_t) draw(visit, H_STAY2, 1 << 16);
	int64_t		share = u * v;	/* of 2^32 */

	if (draw(visit, H_LONG, 100) < 3)
		return 3 * HOUR + ((9 * 3600 * share) >> 32) * SECOND + SECOND;
	return 600 * SECOND + ((10200 * share) >> 32) * SECOND;
}

/* Names without order: neither the busy venues nor the subjects are dense */
static int64_t
name(uint64_t number, uint64_t bits)
{
	return (int64_t) ((number + 1) * UINT64_C(0x9E3779B97F4A7C15) &
					  ((UINT64_C(1) << bits) - 1));
}

static int
compare_visits(const void *a, const void *b)
{
	const Visit *x = a;
	const Visit *y = b;

	if (x->entered_at != y->entered_at)
		return x->entered_at < y->entered_at ? -1 : 1;
	if (x->subject != y->subject)
		return x->subject < y->subject ? -1 : 1;
	return (x->venue > y->venue) - (x->venue < y->venue);
}

static char *
put16(char *p, uint16_t value)
{
	p[0] = (char) (value >> 8);
	p[1] = (char) value;
	return p + 2;
}

static char *
put32(char *p, uint32_t value)
{
	return put16(put16(p, (uint16_t) (value >> 16)), (uint16_t) value);
}

static char *
put64(char *p, int64_t value)
{
	p = put32(p, 8);
	p = put32(p, (uint32_t) ((uint64_t) value >> 32));
	return put32(p, (uint32_t) value);
}

static void
write_all(const void *data, size_t size)
{
	if (fwrite(data, 1, size, stdout) != size)
	{
		perror("island: could not write");
		exit(1);
	}
}

static void
write_visit(const Visit *visit)
{
	char		row[64];
	char	   *p = put16(row, 4);

	p = put64(p, visit->subject);
	p = put64(p, visit->venue);
	p = put64(p, visit->entered_at);
	if (visit->left_at != 0)
		p = put64(p, visit->left_at);
	else
		p = put32(p, UINT32_MAX);
	write_all(row, (size_t) (p - row));
}

int
main(int argc, char **argv)
{
	static const char header[19] = "PGCOPY\n\377\r\n\0";
	int64_t		scale = argc > 1 ? atoll(argv[1]) : 1;
	int64_t		total;
	int64_t		done = 0;
	Visit	   *visits;

	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1861;
	if (scale < 1 || scale > 100)
	{
		fprintf(stderr, "usage: island [scale, 1 to 100 [seed]] > visits.copy\n");
		return 2;
	}
	total = scale * VISITS;
	visits = malloc((size_t) (total / DAYS + 1) * sizeof(Visit));
	if (visits == NULL)
	{
		perror("island");
		return 1;
	}

	write_all(header, sizeof(header));
	for (int day = 0; day < DAYS; day++)
	{
		int64_t		end = total * (day + 1) / DAYS;
		size_t		n = 0;

		for (; done < end; done++)
		{
			uint64_t	i = (uint64_t) done;
			uint64_t	copy = draw(i, H_COPY, (uint64_t) scale);
			Visit	   *visit = &visits[n++];

			visit->subject = name(draw(i, H_SUBJECT, SUBJECTS * (uint64_t) scale), 40);
			visit->venue = name(draw_rank(i) * (uint64_t) scale + copy, 36);
			visit->entered_at = FIRST_DAY + day * DAY + draw_time(i);
			visit->left_at = draw(i, H_OPEN, 100) == 0 ? 0 :
				visit->entered_at + draw_stay(i);
		}
		qsort(visits, n, sizeof(Visit), compare_visits);
		for (size_t i = 0; i < n; i++)
			write_visit(&visits[i]);
	}
	write_all("\377\377", 2);
	if (fflush(stdout) != 0)
	{
		perror("island: could not write");
		return 1;
	}
	free(visits);
	return 0;
}
