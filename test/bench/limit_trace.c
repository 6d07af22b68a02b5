/*-------------------------------------------------------------------------
 *
 * limit_trace.c
 *	  The exposure engine's algorithm over two sorted arrays
 *
 * Level by level:
 *
 * - A subject whose time T improved at the last level is expanded: those of
 *	 her visits are read that overlap the new part of her infectious time, from
 *	 T to what T was before.  What lies after that was air of hers already.
 * - Her visits, cut at T and at the end, are the level's pieces.  They are
 *	 distributed to the venues; a piece that lies in air which an older level
 *	 made infectious (the venue's coverage) is dropped, the others are sorted.
 * - What their union adds to the coverage are the segments.  Whoever is there
 *	 in a segment for the first time is exposed.  A visit begun in older
 *	 infectious air needs no second look, hence only a segment that does not
 *	 continue older coverage looks back for visits under way; and the look back
 *	 is short, because the few visits longer than that lie in an array of their
 *	 own.
 *
 * Memory: what the pieces of the largest level need; kept for the next trace.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "limit.h"

typedef struct Piece
{
	int64_t		start;
	int64_t		end;
	Number		infector;
	Number		venue;
} Piece;

/* Infectious air: [start, end) */
typedef struct Stretch
{
	int64_t		start;
	int64_t		end;
} Stretch;

/* Air that this level adds */
typedef struct Segment
{
	int64_t		start;
	int64_t		end;
	Number		infector;		/* smallest one at start; -1: continues
								 * coverage, so nobody need look back */
} Segment;

/* All air of a venue that older levels made infectious: sorted, disjoint */
typedef struct Coverage
{
	Stretch    *stretches;
	uint32_t	count;
} Coverage;

typedef struct Expansion
{
	Number		subject;
	int64_t		before;			/* T before the last level */
} Expansion;

typedef struct Heap
{
	Piece	   *pieces;
	uint32_t	count;
} Heap;

/* T is NEVER everywhere between two traces */
int64_t    *T;
Fate	   *fates;
Number	   *touched;
uint32_t	touched_count;
Level		levels[MAX_LEVELS];

static int16_t level;
static Coverage *coverages;
static Number *exposed_venues;
static uint32_t exposed_venue_count;
static Expansion *frontier;
static uint32_t frontier_count;
static Expansion *next_frontier;
static uint32_t next_count;
static Expansion *sort_space;

/* Scratch of a level */
static Piece *pieces;
static size_t piece_count;
static size_t piece_space;
static Piece *by_venue_pieces;
static Piece *sort_pieces;
static size_t by_venue_space;
static uint32_t *venue_fill;
static uint32_t *bucket_fill;
static Segment *segments;
static Heap heap;

/* Coverage lists are carved from chunks that the next trace uses again */
typedef struct Chunk
{
	struct Chunk *next;
	size_t		used;
	size_t		size;
	Stretch		stretches[];
} Chunk;

static Chunk *chunks;
static Chunk *chunk;

static Stretch *
allocate_stretches(size_t count)
{
	while (chunk == NULL || chunk->used + count > chunk->size)
	{
		if (chunk != NULL && chunk->next != NULL)
			chunk = chunk->next;
		else
		{
			size_t		size = count > (1 << 16) ? count : (1 << 16);
			Chunk	   *new = allocate(1, sizeof(Chunk) + size * sizeof(Stretch));

			new->size = size;
			if (chunk != NULL)
				chunk->next = new;
			else
				chunks = new;
			chunk = new;
		}
		chunk->used = 0;
	}
	chunk->used += count;
	return &chunk->stretches[chunk->used - count];
}

/* The first visit that begins at or after a moment */
static inline const Visit *
first_from(const Visit *from, const Visit *to, int64_t moment)
{
	size_t		n = (size_t) (to - from);

	while (n > 0)
	{
		size_t		half = n / 2;

		if (from[half].start < moment)
		{
			from += half + 1;
			n -= half + 1;
		}
		else
			n = half;
	}
	return from;
}

/* The same where it is seldom far: by steps that grow */
static inline const Visit *
next_from(const Visit *from, const Visit *to, int64_t moment)
{
	size_t		step = 4;

	while ((size_t) (to - from) > step && from[step].start < moment)
	{
		from += step + 1;
		step *= 2;
	}
	if ((size_t) (to - from) > step)
		to = from + step;
	return first_from(from, to, moment);
}

/* Expand the frontier: collect its pieces */
static void
collect_pieces(int64_t until, Level *t)
{
	piece_count = 0;
	t->infectors = frontier_count;
	for (uint32_t i = 0; i < frontier_count; i++)
	{
		Number		subject = frontier[i].subject;
		int64_t		from = T[subject];
		int64_t		before = frontier[i].before < until ? frontier[i].before : until;
		const Visit *visit;
		const Visit *end;

		if (i + 2 * AHEAD < frontier_count)
			__builtin_prefetch(&visits.by_subject.first[frontier[i + 2 * AHEAD].subject]);
		if (i + AHEAD < frontier_count)
		{
			const Visit *later = &visits.by_subject.visits[visits.by_subject.first[frontier[i + AHEAD].subject]];

			for (int line = 0; line < 6; line++)
				__builtin_prefetch((const char *) later + line * 64);
		}

		visit = &visits.by_subject.visits[visits.by_subject.first[subject]];
		end = &visits.by_subject.visits[visits.by_subject.first[subject + 1]];
		if (piece_count + (size_t) (end - visit) > piece_space)
		{
			piece_space = 2 * piece_space + (size_t) (end - visit) + 1024;
			pieces = must(realloc(pieces, piece_space * sizeof(Piece)));
		}
		while (visit < end && visit->start <= from - visits.longest_stay)
			visit++;
		for (; visit < end && visit->start < before; visit++)
		{
			Piece	   *piece = &pieces[piece_count];

			t->subject_rows++;
			piece->start = visit->start > from ? visit->start : from;
			piece->end = visit->end < until ? visit->end : until;
			piece->infector = subject;
			piece->venue = visit->who;
			piece_count += piece->start < piece->end;
		}
	}
	t->pieces = (int64_t) piece_count;
}

static int
compare_pieces(const void *a, const void *b)
{
	const Piece *x = a;
	const Piece *y = b;

	if (x->venue != y->venue)
		return x->venue < y->venue ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

/* Sort by start what is nearly sorted, or short */
static inline void
insertion_sort(Piece *p, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		Piece		piece = p[i];
		size_t		j = i;

		for (; j > 0 && p[j - 1].start > piece.start; j--)
			p[j] = p[j - 1];
		p[j] = piece;
	}
}

/* Sort a venue's pieces by start: into as many buckets of time as there are
 * pieces, and then the little that is left to do */
static void
sort_by_start(Piece *p, size_t n, int64_t from, int64_t until)
{
	double		scale;
	uint32_t	total = 0;

	if (n <= 12)
	{
		insertion_sort(p, n);
		return;
	}
	scale = (double) n / (double) (until - from);
	memset(bucket_fill, 0, (n + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		bucket_fill[(size_t) ((double) (p[i].start - from) * scale)]++;
	for (size_t i = 0; i <= n; i++)
	{
		uint32_t	count = bucket_fill[i];

		bucket_fill[i] = total;
		total += count;
	}
	for (size_t i = 0; i < n; i++)
		sort_pieces[bucket_fill[(size_t) ((double) (p[i].start - from) * scale)]++] = p[i];
	memcpy(p, sort_pieces, n * sizeof(Piece));
	insertion_sort(p, n);
}

/* Does older infectious air hold all of a piece? */
static inline bool
is_covered(const Coverage *coverage, const Piece *piece)
{
	const Stretch *stretch = coverage->stretches;
	size_t		n = coverage->count;

	if (n == 0)
		return false;
	while (n > 1)				/* the last one that begins early enough */
	{
		size_t		half = n / 2;

		stretch = stretch[half].start <= piece->start ? stretch + half : stretch;
		n -= half;
	}
	return stretch->start <= piece->start && stretch->end >= piece->end;
}

static inline void
add_segment(Segment *segment, int64_t start, int64_t end, Number infector)
{
	segment->start = start;
	segment->end = end;
	segment->infector = infector;
}

/* What the union of a venue's sorted pieces adds to its coverage */
static size_t
build_segments(const Piece *p, size_t n, const Coverage *coverage)
{
	const Stretch *old = coverage->stretches;
	const Stretch *old_end = old + coverage->count;
	size_t		count = 0;
	size_t		i = 0;

	while (i < n)
	{
		int64_t		start = p[i].start;
		int64_t		end = p[i].end;
		Number		infector = p[i].infector;

		for (i++; i < n && p[i].start <= end; i++)
		{
			if (p[i].end > end)
				end = p[i].end;
			if (p[i].start == start && p[i].infector < infector)
				infector = p[i].infector;
		}
		while (old < old_end && old->end < start)
			old++;
		for (; old < old_end && old->start < end; old++)
		{
			if (start < old->start)
				add_segment(&segments[count++], start, old->start, infector);
			if (old->end > end)
			{
				start = end;
				break;
			}
			start = old->end;
			infector = -1;
		}
		if (start < end)
			add_segment(&segments[count++], start, end, infector);
	}
	return count;
}

static void
add_coverage(Number venue, size_t segment_count)
{
	Coverage   *coverage = &coverages[venue];
	const Stretch *old = coverage->stretches;
	const Stretch *old_end = old + coverage->count;
	Stretch    *new = allocate_stretches(coverage->count + segment_count);
	const Segment *segment = segments;
	const Segment *segment_end = segments + segment_count;
	size_t		n = 0;

	if (coverage->stretches == NULL)
		exposed_venues[exposed_venue_count++] = venue;
	while (old < old_end || segment < segment_end)
	{
		Stretch		next;

		if (segment == segment_end || (old < old_end && old->start < segment->start))
			next = *old++;
		else
		{
			next.start = segment->start;
			next.end = segment++->end;
		}
		if (n > 0 && new[n - 1].end == next.start)
			new[n - 1].end = next.end;
		else
			new[n++] = next;
	}
	chunk->used -= coverage->count + segment_count - n;
	coverage->stretches = new;
	coverage->count = (uint32_t) n;
}

static void
heap_push(const Piece *piece)
{
	uint32_t	i = heap.count++;

	while (i > 0 && heap.pieces[(i - 1) / 2].infector > piece->infector)
	{
		heap.pieces[i] = heap.pieces[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap.pieces[i] = *piece;
}

static void
heap_pop(void)
{
	Piece		last = heap.pieces[--heap.count];
	uint32_t	i = 0;

	for (;;)
	{
		uint32_t	child = 2 * i + 1;

		if (child >= heap.count)
			break;
		if (child + 1 < heap.count &&
			heap.pieces[child + 1].infector < heap.pieces[child].infector)
			child++;
		if (heap.pieces[child].infector >= last.infector)
			break;
		heap.pieces[i] = heap.pieces[child];
		i = child;
	}
	heap.pieces[i] = last;
}

/* The smallest infector who is there at a moment; moments never go back */
static Number
infector_at(int64_t moment, const Piece **next, const Piece *end)
{
	for (; *next < end && (*next)->start <= moment; (*next)++)
		if ((*next)->end > moment)
			heap_push(*next);
	while (heap.pieces[0].end <= moment)
		heap_pop();
	return heap.pieces[0].infector;
}

static void
expose(Number subject, int64_t moment, Number via, Number venue)
{
	Fate	   *fate = &fates[subject];

	if (moment == T[subject])
	{
		if (fate->level == level &&
			(via < fate->via || (via == fate->via && venue < fate->venue)))
		{
			fate->via = via;
			fate->venue = venue;
		}
		return;
	}
	if (T[subject] == NEVER)
	{
		touched[touched_count++] = subject;
		fate->degree = level;
		fate->level = 0;
	}
	if (fate->level != level)
	{
		next_frontier[next_count].subject = subject;
		next_frontier[next_count++].before = T[subject];
		fate->level = level;
	}
	T[subject] = moment;
	fate->via = via;
	fate->venue = venue;
}

/*
 * Whoever is at a venue in one of its segments.  Only the first segment that
 * ends after a visit's start matters to it.
 */
static void
read_venue(Number venue, size_t segment_count, const Piece *next, const Piece *end,
		   Level *t)
{
	const Segment *segment_end = segments + segment_count;
	const Segment *segment = segments;
	const Visit *visit = &visits.by_venue.visits[visits.by_venue.first[venue]];
	const Visit *visit_end = &visits.by_venue.visits[visits.by_venue.first[venue + 1]];
	bool		look_back = false;

	heap.count = 0;
	while (segment < segment_end)
	{
		int64_t		start = segment->start;

		if (segment->infector >= 0)
		{
			look_back = true;
			start -= SHORT_STAY - 1;
		}
		visit = segment == segments ? first_from(visit, visit_end, start) :
			next_from(visit, visit_end, start);
		for (; visit < visit_end && visit->start < segment->end; visit++)
		{
			Number		subject = visit->who;

			t->venue_rows++;
			__builtin_prefetch(&T[visit[AHEAD].who]);
			if (visit->start >= segment->start)
			{
				if (visit->start <= T[subject])
					expose(subject, visit->start,
						   infector_at(visit->start, &next, end), venue);
			}
			else if (visit->end > segment->start && segment->start <= T[subject])
				expose(subject, segment->start, segment->infector, venue);
		}
		segment++;
	}

	if (!look_back)
		return;
	visit = &visits.long_by_venue.visits[visits.long_by_venue.first[venue]];
	visit_end = &visits.long_by_venue.visits[visits.long_by_venue.first[venue + 1]];
	for (segment = segments; segment < segment_end; segment++)
	{
		if (segment->infector < 0)
			continue;
		visit = next_from(visit, visit_end, segment->start - visits.longest_stay + 1);
		for (const Visit *v = visit;
			 v < visit_end && v->start <= segment->start - SHORT_STAY; v++)
		{
			t->venue_rows++;
			if (v->end > segment->start && segment->start <= T[v->who])
				expose(v->who, segment->start, segment->infector, venue);
		}
	}
}

/* All pieces of one venue */
static void
trace_venue(Piece *p, size_t n, int64_t from, int64_t until, bool last, Level *t)
{
	Number		venue = p[0].venue;
	Coverage   *coverage = &coverages[venue];
	size_t		kept = 0;
	size_t		segment_count;

	for (size_t i = 0; i < n; i++)
	{
		p[kept] = p[i];
		kept += !is_covered(coverage, &p[i]);
	}
	if (kept == 0)
		return;
	sort_by_start(p, kept, from, until);
	segment_count = build_segments(p, kept, coverage);
	t->segments += (int64_t) segment_count;
	read_venue(venue, segment_count, p, p + kept, t);
	if (!last)
		add_coverage(venue, segment_count);
}

/* Bring the pieces of a venue together */
static Piece *
group_by_venue(void)
{
	uint32_t	total = 0;

	if (piece_count > by_venue_space)
	{
		by_venue_space = 2 * piece_count;
		by_venue_pieces = must(realloc(by_venue_pieces, by_venue_space * sizeof(Piece)));
		sort_pieces = must(realloc(sort_pieces, by_venue_space * sizeof(Piece)));
		bucket_fill = must(realloc(bucket_fill, (by_venue_space + 1) * sizeof(uint32_t)));
		segments = must(realloc(segments, 3 * by_venue_space * sizeof(Segment)));
		heap.pieces = must(realloc(heap.pieces, by_venue_space * sizeof(Piece)));
	}
	if (piece_count < visits.venue_count / 16)
	{
		qsort(pieces, piece_count, sizeof(Piece), compare_pieces);
		return pieces;
	}
	memset(venue_fill, 0, ((size_t) visits.venue_count + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < piece_count; i++)
		venue_fill[pieces[i].venue]++;
	for (uint32_t i = 0; i < visits.venue_count; i++)
	{
		uint32_t	count = venue_fill[i];

		venue_fill[i] = total;
		total += count;
	}
	for (size_t i = 0; i < piece_count; i++)
		by_venue_pieces[venue_fill[pieces[i].venue]++] = pieces[i];
	return by_venue_pieces;
}

static int
compare_expansions(const void *a, const void *b)
{
	Number		x = ((const Expansion *) a)->subject;
	Number		y = ((const Expansion *) b)->subject;

	return (x > y) - (x < y);
}

/* The next frontier, in the order in which the visits lie */
static void
turn_frontier(void)
{
	Expansion  *expansions = frontier;

	frontier = next_frontier;
	frontier_count = next_count;
	next_frontier = expansions;
	next_count = 0;
	if (frontier_count < 4096)
	{
		qsort(frontier, frontier_count, sizeof(Expansion), compare_expansions);
		return;
	}
	for (int shift = 0; visits.subject_count >> shift > 0; shift += 11)
	{
		uint32_t	fill[2048] = {0};
		uint32_t	total = 0;

		for (uint32_t i = 0; i < frontier_count; i++)
			fill[frontier[i].subject >> shift & 2047]++;
		for (int i = 0; i < 2048; i++)
		{
			uint32_t	count = fill[i];

			fill[i] = total;
			total += count;
		}
		for (uint32_t i = 0; i < frontier_count; i++)
			sort_space[fill[frontier[i].subject >> shift & 2047]++] = frontier[i];
		expansions = frontier;
		frontier = sort_space;
		sort_space = expansions;
	}
}

/* Room for any trace of the log */
void
prepare_traces(void)
{
	T = allocate(visits.subject_count, sizeof(int64_t));
	for (uint32_t i = 0; i < visits.subject_count; i++)
		T[i] = NEVER;
	fates = allocate(visits.subject_count, sizeof(Fate));
	touched = allocate(visits.subject_count, sizeof(Number));
	frontier = allocate(visits.subject_count, sizeof(Expansion));
	next_frontier = allocate(visits.subject_count, sizeof(Expansion));
	sort_space = allocate(visits.subject_count, sizeof(Expansion));
	coverages = allocate(visits.venue_count, sizeof(Coverage));
	exposed_venues = allocate(visits.venue_count, sizeof(Number));
	venue_fill = allocate((size_t) visits.venue_count + 2, sizeof(uint32_t));
}

static void
forget_trace(void)
{
	for (uint32_t i = 0; i < touched_count; i++)
		T[touched[i]] = NEVER;
	touched_count = 0;
	for (uint32_t i = 0; i < exposed_venue_count; i++)
		memset(&coverages[exposed_venues[i]], 0, sizeof(Coverage));
	exposed_venue_count = 0;
	chunk = chunks;
	if (chunk != NULL)
		chunk->used = 0;
	memset(levels, 0, sizeof(levels));
}

void
run_trace(Number index_case, int64_t from, int64_t until, int degrees)
{
	forget_trace();
	frontier_count = 0;
	next_count = 0;
	if (index_case >= 0)
	{
		T[index_case] = from;
		frontier[0].subject = index_case;
		frontier[0].before = NEVER;
		frontier_count = 1;
	}
	for (level = 1; level <= degrees; level++)
	{
		Level	   *t = &levels[level - 1];
		Piece	   *grouped;
		size_t		end;

		collect_pieces(until, t);
		if (level == 1 && index_case >= 0)
			T[index_case] = INT64_MIN;	/* a case is never exposed */
		grouped = group_by_venue();
		for (size_t i = 0; i < piece_count; i = end)
		{
			for (end = i + 1; end < piece_count && grouped[end].venue == grouped[i].venue;)
				end++;
			trace_venue(&grouped[i], end - i, from, until, level == degrees, t);
		}
		t->reached = touched_count;
		turn_frontier();
	}
	if (index_case >= 0)
		T[index_case] = NEVER;
}
