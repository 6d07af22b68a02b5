/*-------------------------------------------------------------------------
 *
 * strands.c
 *	  What should be in each strand, and how far it has been read
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "common/logging.h"

#include "strands.h"

/* PostgreSQL's own template does not mind variables that hide others. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#define SH_PREFIX strandhash
#define SH_ELEMENT_TYPE Strand
#define SH_KEY_TYPE int32
#define SH_KEY strand
#define SH_HASH_KEY(tb, key) murmurhash32((uint32) (key))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_RAW_ALLOCATOR pg_malloc0
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"
#pragma GCC diagnostic pop

void
strands_open(StrandTable *table)
{
	memset(table, 0, sizeof(*table));
	table->hash = strandhash_create(64, NULL);
}

void
strands_close(StrandTable *table)
{
	strandhash_destroy(table->hash);
	pg_free(table->segments);
}

Strand *
strands_lookup(const StrandTable *table, int32 strand)
{
	return strandhash_lookup(table->hash, strand);
}

Strand *
strands_enter(StrandTable *table, int32 number)
{
	bool		found;
	Strand	   *strand = strandhash_insert(table->hash, number, &found);

	if (!found)
	{
		char		status = strand->status;

		memset(strand, 0, sizeof(*strand));
		strand->strand = number;
		strand->status = status;
		strand->begins = 1;
		memcpy(strand->before, link_no_hash, LINK_HASH_LEN);
		strand->leaf = NO_LEAF;
	}
	return strand;
}

static int
compare_strands(const void *a, const void *b)
{
	int32		x = (*(Strand *const *) a)->strand;
	int32		y = (*(Strand *const *) b)->strand;

	return x < y ? -1 : x > y;
}

Strand	  **
strands_sorted(const StrandTable *table, int64 *n)
{
	Strand	  **sorted = pg_malloc(Max(strands_count(table), 1) * sizeof(Strand *));
	strandhash_iterator iterator;
	Strand	   *strand;

	*n = 0;
	strandhash_start_iterate(table->hash, &iterator);
	while ((strand = strandhash_iterate(table->hash, &iterator)) != NULL)
		sorted[(*n)++] = strand;
	qsort(sorted, *n, sizeof(Strand *), compare_strands);
	return sorted;
}

int64
strands_count(const StrandTable *table)
{
	return table->hash->members;
}

static int
compare_segments(const void *a, const void *b)
{
	const CatalogSegment *x = a;
	const CatalogSegment *y = b;

	if (x->strand != y->strand)
		return x->strand < y->strand ? -1 : 1;
	return x->block < y->block ? -1 : x->block > y->block;
}

/*
 * In the order of the tree: each segment begins where the one before it ends,
 * and each block ends with its last one.
 */
static bool
check_blocks(const Catalog *catalog, Report *report)
{
	int64		index = 0;
	int64		segment = 0;
	bool		good = true;

	for (int64 i = 0; i < catalog->nblocks; i++)
	{
		const CatalogBlock *block = &catalog->blocks[i];
		int64		first = segment;

		if (block->number != i + 1)
		{
			report_finding(report, FOUND_BLOCK, NO_STRAND, NO_SEQ,
						   "Block " INT64_FORMAT " is gone from anshim.block. Look for it in a backup.", i + 1);
			return false;
		}
		for (; segment < catalog->nsegments && catalog->segments[segment].block <= block->number; segment++)
		{
			const CatalogSegment *s = &catalog->segments[segment];

			if (s->block != block->number || s->strand < 0 || s->first_seq < 1 || s->last_seq < s->first_seq ||
				s->first_index != index || pg_add_s64_overflow(index, s->last_seq - s->first_seq + 1, &index))
			{
				report_finding(report, FOUND_SEGMENT, s->strand, s->first_seq,
							   "Block " INT64_FORMAT " has seqs " INT64_FORMAT " to " INT64_FORMAT " from leaf " INT64_FORMAT " on in anshim.segment, where leaf " INT64_FORMAT " should follow. Compare that table with a backup.",
							   s->block, s->first_seq, s->last_seq, s->first_index, index);
				return false;
			}
		}
		if (first == segment || block->size != index)
		{
			report_finding(report, FOUND_BLOCK, NO_STRAND, NO_SEQ,
						   "Block " INT64_FORMAT " has size " INT64_FORMAT " in anshim.block, and its segments in anshim.segment end at " INT64_FORMAT ". Compare both with a backup.",
						   block->number, block->size, index);
			good = false;
		}
	}
	if (segment < catalog->nsegments)
	{
		report_finding(report, FOUND_BLOCK, NO_STRAND, NO_SEQ,
					   "anshim.segment has segments of block " INT64_FORMAT ", which is not in anshim.block. Look for it in a backup.",
					   catalog->segments[segment].block);
		good = false;
	}
	return good;
}

/* In the order of strands: each segment begins behind the one before it. */
static bool
check_strands(StrandTable *table, Report *report)
{
	Strand	   *strand = NULL;
	bool		good = true;

	for (int64 i = 0; i < table->nsegments; i++)
	{
		const CatalogSegment *s = &table->segments[i];

		if (strand == NULL || strand->strand != s->strand)
		{
			strand = strands_enter(table, s->strand);
			strand->segment = i;
		}
		if (s->first_seq != strand->sealed + 1)
		{
			report_finding(report, FOUND_SEGMENT, s->strand, s->first_seq,
						   "A segment of block " INT64_FORMAT " begins with this seq in anshim.segment, and the one before it ends with seq " INT64_FORMAT ". Compare that table with a backup.",
						   s->block, strand->sealed);
			good = false;
		}
		strand->sealed = Max(strand->sealed, s->last_seq);
		strand->segments_end = i + 1;
	}
	return good;
}

bool
strands_take_segments(StrandTable *table, Catalog *catalog, Report *report)
{
	bool		good = check_blocks(catalog, report);

	table->segments = catalog->segments;
	table->nsegments = catalog->nsegments;
	catalog->segments = NULL;
	catalog->nsegments = 0;
	if (table->nsegments > 0)
		qsort(table->segments, table->nsegments, sizeof(CatalogSegment), compare_segments);
	return check_strands(table, report) && good;
}
