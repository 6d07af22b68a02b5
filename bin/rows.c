/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Each row is the one that was linked, and each link has its row
 *
 * Rows come leaf by leaf, by strand and seq.  A strand lies in one leaf; the
 * first row of it that is met there says which, unless that is not its first
 * row: then the true one may come yet, and this was a copy.  So what is missing
 * is said only at the end.
 *
 * A row that is not what was linked goes into the tree with the link that it
 * bears, so that one forged row does not hide others.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "port/pg_bswap.h"

#include "check.h"

#define LINK_LEN 48				/* as it is sent */
#define LINK_FIELD 0
#define CTID_FIELD 1
#define FIRST_FIELD 2			/* of the row's own */
#define PROGRESS_ROWS 1000

/*
 * Names of rows, for findings
 */

static char *
leaf_name(const Check *check, int number)
{
	if (number == EVENTS_LEAF)
		return quoted_name("anshim", "event");
	return quoted_name(check->catalog.leaves[number - 1].schema, check->catalog.leaves[number - 1].table);
}

/* "Row (0,7) of public.visit" */
static char *
row_name(const Check *check, const CopyReader *row)
{
	char	   *leaf = leaf_name(check, check->leaf);
	const CopyField *ctid = &row->fields[CTID_FIELD];
	char	   *name;

	if (ctid->len == 6)
		name = psprintf("Row (%u,%u) of %s", (uint32) read_int4(ctid->data),
						(uint32) (ctid->data[4] << 8 | ctid->data[5]), leaf);
	else
		name = psprintf("A row of %s", leaf);
	pg_free(leaf);
	return name;
}

static void
find_row(Check *check, FindingKind kind, int32 strand, int64 seq, const CopyReader *row, const char *what)
{
	char	   *name = row_name(check, row);

	report_finding(check->report, kind, strand, seq, "%s: %s", name, what);
	pg_free(name);
}

/*
 * Layouts
 */

static int
find_field(const Leaf *leaf, const char *name)
{
	for (int i = 0; i < leaf->ncolumns; i++)
	{
		if (strcmp(leaf->columns[i].name, name) == 0)
			return FIRST_FIELD + i;
	}
	return -1;
}

static void
free_layouts(Check *check)
{
	for (int i = 0; i < check->nlayouts; i++)
		pg_free(check->layouts[i].fields);
	pg_free(check->layouts);
	check->layouts = NULL;
	check->nlayouts = 0;
}

/* A layout that covers so many fields of the tuple, from FIRST_FIELD on */
static LeafLayout
plain_layout(int nfields)
{
	LeafLayout	layout = {.nfields = nfields,.contiguous = true};

	layout.fields = pg_malloc((nfields + 1) * sizeof(int));
	for (int i = 0; i < nfields; i++)
		layout.fields[i] = FIRST_FIELD + i;
	return layout;
}

/* Find the columns of all layouts in a leaf.  What they are is for the events to say. */
static void
prepare_layouts(Check *check, const Leaf *leaf)
{
	const Events *events = &check->events;

	free_layouts(check);
	check->nlayouts = 1 + events->nlayouts;
	check->layouts = pg_malloc0(check->nlayouts * sizeof(LeafLayout));
	for (int i = 0; i < events->nlayouts; i++)
	{
		const EventLayout *said = &events->layouts[i];
		LeafLayout	layout = plain_layout(said->ncolumns);

		for (int j = 0; j < said->ncolumns && layout.fields != NULL; j++)
		{
			layout.fields[j] = find_field(leaf, said->columns[j].name);
			layout.contiguous &= layout.fields[j] == FIRST_FIELD + j;
			if (layout.fields[j] < 0)
			{
				pg_free(layout.fields);
				layout.fields = NULL;
			}
		}
		check->layouts[1 + i] = layout;
	}
}

/* The bytes of a field, its length before it: they stand so in the tuple. */
static void
add_field(CryptoSha256 *hash, const CopyField *field)
{
	static const uint8 null_len[4] = {0xff, 0xff, 0xff, 0xff};

	if (field->data == NULL)
		crypto_sha256_add(hash, null_len, 4);
	else
		crypto_sha256_add(hash, field->data - 4, 4 + field->len);
}

/* The hash that the row should bear, behind this one.  False if no layout says so. */
static bool
compute_hash(Check *check, const Link *link, const uint8 *before, const CopyReader *row, uint8 *computed)
{
	uint8		prefix[LINK_PREFIX_LEN + 2];
	const LeafLayout *layout;

	if (link->layout < 0 || link->layout >= check->nlayouts || check->layouts[link->layout].fields == NULL)
		return false;
	layout = &check->layouts[link->layout];
	link_prefix(prefix, check->catalog.chain, link->strand, link->layout, link->seq, before);
	prefix[LINK_PREFIX_LEN] = (uint8) (layout->nfields >> 8);
	prefix[LINK_PREFIX_LEN + 1] = (uint8) layout->nfields;
	crypto_sha256_add(check->hash, prefix, sizeof(prefix));
	for (int i = 0; i < layout->nfields; i++)
		add_field(check->hash, &row->fields[layout->fields[i]]);
	crypto_sha256_end(check->hash, computed);
	return true;
}

/*
 * Strands
 */

static void
add_gap(Check *check, int32 strand, int64 first_seq, int64 last_seq)
{
	if ((check->ngaps & (check->ngaps - 1)) == 0)
		check->gaps = pg_realloc(check->gaps, Max(16, 2 * check->ngaps) * sizeof(Gap));
	check->gaps[check->ngaps++] = (Gap)
	{
		strand, first_seq, last_seq
	};
}

static void
drop_gaps(Check *check, int32 strand)
{
	int64		n = 0;

	for (int64 i = 0; i < check->ngaps; i++)
	{
		if (check->gaps[i].strand != strand)
			check->gaps[n++] = check->gaps[i];
	}
	/* room was made for a power of two */
	if (n < check->ngaps)
	{
		int64		allocated = 16;

		while (allocated <= n)
			allocated *= 2;
		check->gaps = pg_realloc(check->gaps, allocated * sizeof(Gap));
	}
	check->ngaps = n;
}

/*
 * The strand was met in another leaf before.  True if its rows are to be
 * looked for in this one from now on.
 */
static bool
change_leaf(Check *check, Strand *strand, const Link *link, const CopyReader *row)
{
	char	   *other = leaf_name(check, strand->leaf);
	char	   *what;
	bool		follow = false;

	if (strand->headless && link->seq == strand->begins)
	{
		/* the others were copies: forget what was concluded from them */
		report_finding(check->report, FOUND_MOVED, strand->strand, strand->found_first,
					   "%s has rows of this strand, seqs " INT64_FORMAT " to " INT64_FORMAT ", which is in another table or partition. They were moved, or copied, from there.",
					   other, strand->found_first, strand->last_seq);
		drop_gaps(check, strand->strand);
		strand->headless = false;
		strand->last_seq = 0;
		follow = true;
	}
	else if (link->seq == strand->last_seq + 1)
	{
		what = psprintf("its strand is in %s up to the seq before. Its rows were moved from one to the other.", other);
		find_row(check, FOUND_MOVED, strand->strand, link->seq, row, what);
		pg_free(what);
		follow = true;
	}
	else
	{
		what = psprintf("its strand is in %s. The row was moved, or copied, from there.", other);
		find_row(check, FOUND_MOVED, strand->strand, link->seq, row, what);
		pg_free(what);
	}
	pg_free(other);
	if (follow)
		strand->leaf = check->leaf;
	return follow;
}

static int64
expected_seq(const Strand *strand)
{
	return strand->last_seq == 0 ? strand->begins : strand->last_seq + 1;
}

/* Is there a place for this link behind the row before it in its strand? */
static bool
accept_place(Check *check, Strand *strand, const Link *link, const CopyReader *row)
{
	if (strand->leaf == NO_LEAF)
	{
		strand->leaf = check->leaf;
		strand->found_first = link->seq;
	}
	else if (strand->leaf != check->leaf && !change_leaf(check, strand, link, row))
		return false;

	if (link->seq < strand->begins)
	{
		find_row(check, FOUND_EXPIRY, strand->strand, link->seq, row,
				 "expire() has removed the row of this seq. If rows came back from a backup, remove them again.");
		return false;
	}
	if (strand->last_seq != 0 && link->seq == strand->last_seq)
	{
		find_row(check, FOUND_INSERTED, strand->strand, link->seq, row,
				 "a second row with the same strand and seq. Only one of them was appended; compare both with a backup.");
		return false;
	}
	if (link->seq < expected_seq(strand))
	{
		find_row(check, FOUND_OUT_OF_ORDER, strand->strand, link->seq, row,
				 "it does not come in the order of the strand. Rebuild the position index, with REINDEX, and see that anshim's functions are its own.");
		return false;
	}
	if (link->seq > expected_seq(strand))
	{
		add_gap(check, strand->strand, expected_seq(strand), link->seq - 1);
		if (strand->last_seq == 0)
			strand->headless = true;
	}
	return true;
}

/* Note which of the checkpoints is the first to cover a leaf. */
static void
count_covered(Check *check, int64 index)
{
	int64		low = 0;
	int64		high = check->ncheckpoints;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		if (check->checkpoints[middle]->size <= index)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < check->ncheckpoints)
		check->covered[low]++;
}

/* Count the row, and put its link into the tree where it was sealed. */
static void
place_link(Check *check, Strand *strand, const Link *link)
{
	const CatalogSegment *segment = NULL;
	MerkleHash	leaf;
	int64		index;

	while (strand->segment < strand->segments_end &&
		   check->strands.segments[strand->segment].last_seq < link->seq)
		strand->segment++;
	if (strand->segment < strand->segments_end &&
		check->strands.segments[strand->segment].first_seq <= link->seq)
		segment = &check->strands.segments[strand->segment];

	if (segment != NULL && segment->last_seq == link->seq &&
		memcmp(segment->last_hash, link->hash, LINK_HASH_LEN) != 0)
		report_finding(check->report, FOUND_SEGMENT, link->strand, link->seq,
					   "The segment of block " INT64_FORMAT " that ends with this seq has another last_hash in anshim.segment than the row's link. Either of them was rewritten.",
					   segment->block);

	if (check->leaf == EVENTS_LEAF)
		check->summary.events++;
	else if (segment == NULL)
		check->summary.unsealed++;
	if (segment == NULL || !check->tree_is_whole)
		return;
	index = segment->first_index + (link->seq - segment->first_seq);
	if (check->leaf != EVENTS_LEAF)
		count_covered(check, index);
	if (strand->headless)
		return;
	link_leaf_hash(link->hash, leaf);
	tree_add_leaf(&check->tree, index, leaf);
}

/*
 * Rows
 */

static bool
read_link(const CopyReader *row, Link *link)
{
	const CopyField *field = &row->fields[LINK_FIELD];

	if (field->len != LINK_LEN)
		return false;
	link->strand = read_int4(field->data);
	link->layout = read_int4(field->data + 4);
	link->seq = read_int8(field->data + 8);
	memcpy(link->hash, field->data + 16, LINK_HASH_LEN);
	return link->seq >= 1 && link->seq < PG_INT64_MAX;
}

/* Judge one row.  False if it has no place in the chain. */
static bool
take_row(Check *check, const CopyReader *row, Link *link)
{
	Strand	   *strand = check->strand;
	uint8		computed[LINK_HASH_LEN];
	const uint8 *before;
	bool		known;

	if (!read_link(row, link) || (link->strand == EVENT_STRAND) != (check->leaf == EVENTS_LEAF) || link->strand < 0)
	{
		find_row(check, FOUND_INSERTED, NO_STRAND, NO_SEQ, row,
				 "it has no link, or one that no row of this table can have. It was not appended; compare it with a backup.");
		return false;
	}
	if (strand == NULL || strand->strand != link->strand)
		check->strand = strand = strands_enter(&check->strands, link->strand);
	if (!accept_place(check, strand, link, row))
		return false;

	/* behind a gap, the hash before is not known */
	known = link->seq == expected_seq(strand);
	before = strand->last_seq == 0 ? strand->before : strand->last_hash;
	if (!compute_hash(check, link, before, row, computed))
		find_row(check, FOUND_LAYOUT, link->strand, link->seq, row,
				 "its link was made of a layout of which the chain's events, or the table, lack something. Compare the columns with those that the events name.");
	else if (known && memcmp(computed, link->hash, LINK_HASH_LEN) != 0)
		find_row(check, FOUND_CHANGED, link->strand, link->seq, row,
				 "its values, or its link, are not those that it was appended with. Compare it with a backup.");

	place_link(check, strand, link);
	strand->last_seq = link->seq;
	memcpy(strand->last_hash, link->hash, LINK_HASH_LEN);
	return true;
}

static bool
read_rows(Check *check, StreamKind kind, const Leaf *leaf)
{
	ByteStream *stream = check->source->open(check->source, kind, check->catalog.chain_text, leaf);
	CopyReader	reader;
	CopyResult	result;
	Link		link;

	if (stream == NULL)
		return false;
	check->leaf = leaf == NULL ? EVENTS_LEAF : leaf->number;
	check->strand = NULL;
	copy_open(&reader, stream, stream_columns(kind, leaf));
	while ((result = copy_next(&reader)) == COPY_ROW)
	{
		bool		taken = take_row(check, &reader, &link);

		if (taken && leaf == NULL)
		{
			/* an expiry may make strands, and move them */
			events_take(&check->events, link.seq, &reader, &check->strands, check->report);
			check->strand = NULL;
		}
		if (leaf != NULL)
			check->summary.rows++;
		if (++check->rows % PROGRESS_ROWS == 0)
			report_progress(check->report, check->rows);
	}
	if (result == COPY_BAD)
	{
		char	   *name = leaf_name(check, check->leaf);

		source_fail(check->source, "the rows of %s are malformed: %s", name, reader.error);
		pg_free(name);
	}
	copy_close(&reader);
	return check->source->error == NULL;
}

bool
check_events(Check *check)
{
	bool		good;

	check->nlayouts = 1;
	check->layouts = pg_malloc(sizeof(LeafLayout));
	check->layouts[0] = plain_layout(EVENT_COLUMNS);
	good = read_rows(check, STREAM_EVENT, NULL);
	free_layouts(check);
	return good;
}

bool
check_rows(Check *check)
{
	bool		good = true;

	for (int i = 0; i < check->catalog.nleaves && good; i++)
	{
		prepare_layouts(check, &check->catalog.leaves[i]);
		good = read_rows(check, STREAM_ROWS, &check->catalog.leaves[i]);
	}
	free_layouts(check);
	return good;
}

/*
 * What is not there
 */

static void
find_gap(Check *check, const Strand *strand, int64 first_seq, int64 last_seq)
{
	char	   *name = strand->leaf == NO_LEAF ? pg_strdup("the table") : leaf_name(check, strand->leaf);

	if (first_seq == last_seq)
		report_finding(check->report, FOUND_MISSING, strand->strand, first_seq,
					   "The row of this seq is gone from %s. The row after it cannot be judged by its own link, which builds on this one. Look for it in a backup.",
					   name);
	else
		report_finding(check->report, FOUND_MISSING, strand->strand, first_seq,
					   INT64_FORMAT " rows, seqs " INT64_FORMAT " to " INT64_FORMAT ", are gone from %s. Look for them in a backup, or in a partition that was detached.",
					   last_seq - first_seq + 1, first_seq, last_seq, name);
	pg_free(name);
}

/* Gaps between rows, as they were met; then what is missing behind the last row of each strand. */
void
check_gaps(Check *check)
{
	int64		n;
	Strand	  **sorted = strands_sorted(&check->strands, &n);

	for (int64 i = 0; i < check->ngaps; i++)
		find_gap(check, strands_lookup(&check->strands, check->gaps[i].strand),
				 check->gaps[i].first_seq, check->gaps[i].last_seq);
	for (int64 i = 0; i < n; i++)
	{
		int64		last = sorted[i]->last_seq == 0 ? sorted[i]->begins - 1 : sorted[i]->last_seq;

		if (last < sorted[i]->sealed)
			find_gap(check, sorted[i], last + 1, sorted[i]->sealed);
	}
	check->summary.strands = n;
	pg_free(sorted);
	pg_free(check->gaps);
	check->gaps = NULL;
	check->ngaps = 0;
}
