/*-------------------------------------------------------------------------
 *
 * strands.c
 *	  Which strands there are, where they begin and end, and what lacks
 *
 * There is no list of strands: those that the position indexes show, those
 * that the log has sealed and those that expire() has removed are put together
 * here.  What lacks at a strand's beginning or end, or as a whole, and what
 * lies in a table or partition where it does not belong, is found here, once;
 * gaps between are found by those who walk.
 *
 * Memory: some hundred bytes a strand.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "audit.h"

/* A strand as one leaf shows it */
typedef struct Shown
{
	int32		strand;
	int			leaf;
	int64		first;
	int64		last;
} Shown;

AuditStrand *
strands_enter(HTAB *strands, int32 strand)
{
	bool		found;
	AuditStrand *entry = hash_search(strands, &strand, HASH_ENTER, &found);

	if (!found)
	{
		memset(entry, 0, sizeof(AuditStrand));
		entry->strand = strand;
		entry->leaf = NO_LEAF;
		entry->found_first = 1;
		entry->begins = 1;
		memcpy(entry->before, link_no_hash, LINK_HASH_LEN);
	}
	return entry;
}

/* By strand; of one strand, the leaf that has its beginning first */
static int
compare_shown(const void *a, const void *b)
{
	const Shown *x = a;
	const Shown *y = b;

	if (x->strand != y->strand)
		return x->strand < y->strand ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->last != y->last)
		return x->last > y->last ? -1 : 1;
	return x->leaf < y->leaf ? -1 : 1;
}

/*
 * These rows of a leaf are of no strand of its own.
 */
static void
find_strangers(Audit *audit, const Shown *shown, FindingKind kind, const char *why)
{
	const ChainLeaf *leaf = audit_leaf(audit, shown->leaf);
	StrandScan *scan = audit_scan(audit, shown->leaf);
	StrandRow	row;
	uint64		n = 0;

	strand_scan_rescan(scan, shown->strand, shown->first, shown->last, link_no_hash);
	while (strand_scan_next_link(scan, &row))
	{
		CHECK_FOR_INTERRUPTS();
		n++;
		finding(audit, kind, row.link.strand, row.link.seq, "%s: %s",
				finding_row(audit, leaf, row.slot), why);
	}
	if (shown->leaf != EVENTS_LEAF)
		pg_atomic_fetch_add_u64(&audit->counts[shown->leaf].in_index, n);
}

static void
take_shown(Audit *audit, HTAB *strands, const Shown *shown)
{
	AuditStrand *strand;

	if ((shown->leaf == EVENTS_LEAF) != (shown->strand == EVENT_STRAND) || shown->strand < 0)
	{
		find_strangers(audit, shown, FOUND_INSERTED,
					   "no strand of this table has such a number. The row was not appended; compare it with a backup.");
		return;
	}
	strand = strands_enter(strands, shown->strand);
	if (strand->leaf != NO_LEAF)
	{
		find_strangers(audit, shown, FOUND_MOVED,
					   "its strand is in another table or partition. The row was moved, or copied, from there.");
		return;
	}
	strand->leaf = shown->leaf;
	strand->found_first = shown->first;
	strand->found_last = shown->last;
}

/*
 * The strands that the position indexes show.
 */
HTAB *
strands_find(Audit *audit)
{
	HASHCTL		info = {.keysize = sizeof(int32),.entrysize = sizeof(AuditStrand),
	.hcxt = CurrentMemoryContext};
	HTAB	   *strands = hash_create("anshim strands", 256, &info,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	int			allocated = 64;
	int			n = 0;
	Shown	   *shown = palloc_array(Shown, allocated);

	for (int leaf = EVENTS_LEAF; leaf < audit->chain->nleaves; leaf++)
	{
		StrandTail *tails;
		int			ntails;

		if (audit_leaf(audit, leaf)->position == NULL)
			continue;
		tails = strand_tails(audit->chain, audit_leaf(audit, leaf), audit->snapshot, &ntails);
		if (n + ntails > allocated)
		{
			allocated = 2 * (n + ntails);
			shown = repalloc_array(shown, Shown, allocated);
		}
		for (int i = 0; i < ntails; i++)
			shown[n++] = (Shown)
		{
			tails[i].strand, leaf, tails[i].first_seq, tails[i].last_seq
		};
		pfree(tails);
	}
	qsort(shown, n, sizeof(Shown), compare_shown);
	for (int i = 0; i < n; i++)
		take_shown(audit, strands, &shown[i]);
	pfree(shown);
	return strands;
}

/*
 * Rows before the strand's beginning
 */
static void
find_early(Audit *audit, AuditStrand *strand)
{
	Shown		early = {strand->strand, strand->leaf, strand->found_first,
	Min(strand->found_last, strand->begins - 1)};

	find_strangers(audit, &early, FOUND_INSERTED, strand->begins == 1 ?
				   "seqs begin at 1. The row was not appended; compare it with a backup." :
				   "anshim.expire has removed the row of this seq. If rows came back from a backup, remove them again.");
	strand->found_first = strand->begins;
}

static void
find_gone(Audit *audit, const AuditStrand *strand, int64 first, int64 last, const char *where)
{
	finding(audit, FOUND_MISSING, strand->strand, first,
			"%s gone, %s of the strand, and had been sealed. Look for it in a backup, or in a partition that was detached.",
			finding_seqs(audit, first, last), where);
}

/*
 * Nothing of the strand is sealed, and it does not begin with its first row:
 * either that is gone, or these came from elsewhere.  The fewer are more
 * likely the culprits.
 */
static void
find_headless(Audit *audit, const AuditStrand *strand)
{
	bool		gone = strand->found_first - strand->begins <= strand->found_last - strand->found_first + 1;

	finding(audit, gone ? FOUND_MISSING : FOUND_INSERTED, strand->strand,
			gone ? strand->begins : strand->found_first,
			"Strand %d has seqs from " INT64_FORMAT " to " INT64_FORMAT " in %s, and none before: those are gone, or these were copied from elsewhere. "
			"None is sealed; compare them with a backup.",
			strand->strand, strand->found_first, strand->found_last,
			finding_leaf(audit, audit_leaf(audit, strand->leaf)));
}

static void
compare_ends(Audit *audit, AuditStrand *strand)
{
	if (strand->leaf != NO_LEAF && strand->found_first < strand->begins)
		find_early(audit, strand);
	if (strand->leaf == NO_LEAF || strand->found_last < strand->begins)
	{
		if (strand->sealed >= strand->begins && !audit->blind)
			find_gone(audit, strand, strand->begins, strand->sealed, "all");
		return;
	}
	if (strand->found_first > strand->begins && strand->sealed < strand->begins)
		find_headless(audit, strand);
	else if (strand->found_first > strand->begins)
		find_gone(audit, strand, strand->begins, Min(strand->found_first - 1, strand->sealed), "the beginning");
	if (strand->found_last < strand->sealed)
		find_gone(audit, strand, strand->found_last + 1, strand->sealed, "the end");
}

static int
compare_strands(const void *a, const void *b)
{
	int32		x = ((const AuditStrand *) a)->strand;
	int32		y = ((const AuditStrand *) b)->strand;

	return x < y ? -1 : x > y;
}

void
strands_settle(Audit *audit, HTAB *strands)
{
	HASH_SEQ_STATUS status;
	AuditStrand *entry;

	audit->nstrands = 0;
	audit->strands = palloc_extended(mul_size(hash_get_num_entries(strands) + 1, sizeof(AuditStrand)),
									 MCXT_ALLOC_HUGE);
	hash_seq_init(&status, strands);
	while ((entry = hash_seq_search(&status)) != NULL)
		audit->strands[audit->nstrands++] = *entry;
	hash_destroy(strands);
	qsort(audit->strands, audit->nstrands, sizeof(AuditStrand), compare_strands);
	for (int i = 0; i < audit->nstrands; i++)
		compare_ends(audit, &audit->strands[i]);
}

AuditStrand *
audit_strand(const Audit *audit, int32 strand)
{
	AuditStrand key = {.strand = strand};

	return bsearch(&key, audit->strands, audit->nstrands, sizeof(AuditStrand), compare_strands);
}
