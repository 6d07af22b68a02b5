/*-------------------------------------------------------------------------
 *
 * limit_log.c
 *	  Reads a visit log into memory, once by subject and once by venue
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "limit.h"

#define HUGE_PAGE		((size_t) 2 << 20)

typedef struct Row
{
	int64_t		subject;
	int64_t		venue;
	int64_t		start;
	int64_t		end;
} Row;

Log			visits;

static Row *rows;
static size_t row_count;

void *
must(void *p)
{
	if (p == NULL)
	{
		fprintf(stderr, "limit: out of memory\n");
		exit(1);
	}
	return p;
}

void *
allocate(size_t count, size_t size)
{
	size_t		bytes = (count * size / HUGE_PAGE + 1) * HUGE_PAGE;
	void	   *p;

	if (count * size < HUGE_PAGE)
		return must(calloc(count > 0 ? count : 1, size));
	p = must(aligned_alloc(HUGE_PAGE, bytes));
#ifdef MADV_HUGEPAGE
	madvise(p, bytes, MADV_HUGEPAGE);
#endif
	return memset(p, 0, bytes);
}

static uint16_t
get16(const unsigned char *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

static uint32_t
get32(const unsigned char *p)
{
	return (uint32_t) get16(p) << 16 | get16(p + 2);
}

static int64_t
get64(const unsigned char *p)
{
	return (int64_t) ((uint64_t) get32(p) << 32 | get32(p + 4));
}

static void
must_read(FILE * file, void *data, size_t size)
{
	if (fread(data, 1, size, file) != size)
	{
		fprintf(stderr, "limit: the file of visits ends too early\n");
		exit(1);
	}
}

static void
read_rows(const char *path)
{
	FILE	   *file = must(fopen(path, "rb"));
	unsigned char field[48];
	size_t		space = 1 << 20;

	rows = allocate(space, sizeof(Row));
	must_read(file, field, 19);
	if (memcmp(field, "PGCOPY\n\377\r\n\0", 11) != 0 || get32(field + 15) != 0)
	{
		fprintf(stderr, "limit: this is no COPY BINARY file\n");
		exit(1);
	}
	for (;;)
	{
		Row		   *row;

		must_read(file, field, 2);
		if (get16(field) == UINT16_MAX)
			break;
		must_read(file, field, 40);
		if (row_count == space)
		{
			space *= 2;
			rows = must(realloc(rows, space * sizeof(Row)));
		}
		row = &rows[row_count++];
		row->subject = get64(field + 4);
		row->venue = get64(field + 16);
		row->start = get64(field + 28);
		row->end = row->start + DEFAULT_STAY;
		if (get32(field + 36) == 8)
		{
			must_read(file, field, 8);
			row->end = get64(field);
		}
	}
	fclose(file);
}

static int
compare_names(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static int64_t *
distinct_names(int64_t *names, size_t n, uint32_t *count)
{
	size_t		distinct = 0;

	qsort(names, n, sizeof(int64_t), compare_names);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || names[i] != names[distinct - 1])
			names[distinct++] = names[i];
	*count = (uint32_t) distinct;
	return must(realloc(names, (distinct + 1) * sizeof(int64_t)));
}

/* Dense numbers in the order of the names; -1: no such name */
static Number
number(const int64_t *names, uint32_t count, int64_t name)
{
	const int64_t *found = bsearch(&name, names, count, sizeof(int64_t), compare_names);

	return found == NULL ? -1 : (Number) (found - names);
}

static int
compare_rows(const void *a, const void *b)
{
	const Row  *x = a;
	const Row  *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Distribute the rows, which are sorted by start, to their owners */
static Side
build_side(bool venues, int64_t longer_than)
{
	uint32_t	owners = venues ? visits.venue_count : visits.subject_count;
	Side		side;
	uint32_t	total = 0;

	side.first = allocate((size_t) owners + 2, sizeof(uint32_t));
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].end - rows[i].start > longer_than)
			side.first[(venues ? rows[i].venue : rows[i].subject) + 2]++;
	for (uint32_t i = 0; i < owners; i++)
	{
		total += side.first[i + 2];
		side.first[i + 2] = total;
	}
	side.visits = allocate((size_t) total + AHEAD, sizeof(Visit));
	for (size_t i = 0; i < row_count; i++)
	{
		const Row  *row = &rows[i];
		Visit	   *visit;

		if (row->end - row->start <= longer_than)
			continue;
		visit = &side.visits[side.first[(venues ? row->venue : row->subject) + 1]++];
		visit->start = row->start;
		visit->end = row->end;
		visit->who = (Number) (venues ? row->subject : row->venue);
	}
	return side;
}

Number
subject_number(int64_t name)
{
	return number(visits.subject_names, visits.subject_count, name);
}

void
load_visits(const char *path)
{
	read_rows(path);
	qsort(rows, row_count, sizeof(Row), compare_rows);

	visits.subject_names = allocate(row_count, sizeof(int64_t));
	visits.venue_names = allocate(row_count, sizeof(int64_t));
	for (size_t i = 0; i < row_count; i++)
	{
		visits.subject_names[i] = rows[i].subject;
		visits.venue_names[i] = rows[i].venue;
		if (rows[i].end - rows[i].start > visits.longest_stay)
			visits.longest_stay = rows[i].end - rows[i].start;
	}
	visits.subject_names = distinct_names(visits.subject_names, row_count, &visits.subject_count);
	visits.venue_names = distinct_names(visits.venue_names, row_count, &visits.venue_count);
	for (size_t i = 0; i < row_count; i++)
	{
		rows[i].subject = number(visits.subject_names, visits.subject_count, rows[i].subject);
		rows[i].venue = number(visits.venue_names, visits.venue_count, rows[i].venue);
	}
	visits.by_subject = build_side(false, -1);
	visits.by_venue = build_side(true, -1);
	visits.long_by_venue = build_side(true, SHORT_STAY);
	free(rows);

}
