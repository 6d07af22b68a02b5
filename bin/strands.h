/*-------------------------------------------------------------------------
 *
 * strands.h
 *	  What should be in each strand, and how far it has been read
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_STRANDS_H
#define ANSHIM_BIN_STRANDS_H

#include "catalog.h"

/* Leaves by number, the events among them */
#define EVENTS_LEAF 0
#define NO_LEAF (-1)

typedef struct Strand
{
	int32		strand;			/* key */
	char		status;			/* simplehash's */

	/* what should be there */
	int64		begins;			/* the first seq that has not expired */
	uint8		before[LINK_HASH_LEN];	/* the hash before it */
	int64		segment;		/* its segments in StrandTable.segments: the
								 * next one to be met */
	int64		segments_end;
	int64		sealed;			/* last seq of the last of them; 0: none */

	/* what has been read */
	int			leaf;			/* where */
	bool		headless;		/* its first row was not `begins`: goes into
								 * no tree */
	int64		found_first;
	int64		last_seq;		/* 0: nothing yet */
	uint8		last_hash[LINK_HASH_LEN];
} Strand;

typedef struct StrandTable
{
	struct strandhash_hash *hash;
	CatalogSegment *segments;	/* ascending by strand and seq */
	int64		nsegments;
} StrandTable;

extern void strands_open(StrandTable *table);
extern void strands_close(StrandTable *table);

/* The strand of this number, made if it is new. */
extern Strand *strands_enter(StrandTable *table, int32 strand);

/* The same, NULL if there is none. */
extern Strand *strands_lookup(const StrandTable *table, int32 strand);

/* All of them, ascending; to be freed. */
extern Strand **strands_sorted(const StrandTable *table, int64 *n);
extern int64 strands_count(const StrandTable *table);

/*
 * Check the catalog's blocks and segments against themselves, and note for each
 * strand what should be there; takes the segments over.  False if no tree can
 * be made of them.
 */
extern bool strands_take_segments(StrandTable *table, Catalog *catalog, Report *report);

#endif							/* ANSHIM_BIN_STRANDS_H */
