/*-------------------------------------------------------------------------
 *
 * check.c
 *	  Checking one chain of a source
 *
 * In the order of docs/formats.md, "Verifying".  The seam between rows and
 * tree is where such systems have failed: here every row that is read puts its
 * own link into the tree, at the one place that its segment gives it, and a
 * root is only computed once every leaf below it has come from a row, or is
 * covered by nodes that an expiry has left.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "port/pg_bitutils.h"

#include "check.h"

/* The triggers that chain() gives to each leaf */
static const char *const guards[] = {"zz_anshim_append", "anshim_guard", "anshim_guard_truncate"};

static void
check_guards(Check *check)
{
	const Catalog *catalog = &check->catalog;

	for (int i = 0; i < catalog->nleaves; i++)
	{
		for (int j = 0; j < lengthof(guards); j++)
		{
			const char *state = NULL;
			char	   *name;

			for (int k = 0; k < catalog->nguards; k++)
			{
				if (catalog->guards[k].leaf == i + 1 && strcmp(catalog->guards[k].trigger, guards[j]) == 0)
					state = catalog->guards[k].enabled;
			}
			if (state != NULL && strcmp(state, "A") == 0)
				continue;
			name = quoted_name(catalog->leaves[i].schema, catalog->leaves[i].table);
			report_finding(check->report, FOUND_TRIGGER, NO_STRAND, NO_SEQ,
						   "Trigger %s of %s is %s. Calling anshim.chain() again mends that; look into what was done meanwhile.",
						   guards[j], name, state == NULL ? "missing" : "not enabled always");
			pg_free(name);
		}
	}
}

static int64
log_size(const Check *check)
{
	return check->catalog.nblocks == 0 ? 0 : check->catalog.blocks[check->catalog.nblocks - 1].size;
}

/*
 * Checkpoints
 */

static int
compare_checkpoints(const void *a, const void *b)
{
	const KeptCheckpoint *x = *(KeptCheckpoint *const *) a;
	const KeptCheckpoint *y = *(KeptCheckpoint *const *) b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* Those of this log, by size */
static void
choose_checkpoints(Check *check, Notes *notes)
{
	check->checkpoints = pg_malloc((notes->ncheckpoints + 1) * sizeof(KeptCheckpoint *));
	for (int i = 0; i < notes->ncheckpoints; i++)
	{
		KeptCheckpoint *checkpoint = &notes->checkpoints[i];

		if (!checkpoint->believed || strcmp(checkpoint->origin, check->catalog.origin) != 0)
			continue;
		checkpoint->compared = true;
		if (checkpoint->size > log_size(check))
			report_finding(check->report, FOUND_ROLLED_BACK, NO_STRAND, NO_SEQ,
						   "%s is of " INT64_FORMAT " leaves; the log has " INT64_FORMAT ". It was longer once: this is an older copy of the database, or blocks were removed.",
						   checkpoint->file, checkpoint->size, log_size(check));
		else
			check->checkpoints[check->ncheckpoints++] = checkpoint;
	}
	check->covered = pg_malloc0((check->ncheckpoints + 1) * sizeof(int64));
	if (check->ncheckpoints > 0)
		qsort(check->checkpoints, check->ncheckpoints, sizeof(KeptCheckpoint *), compare_checkpoints);
}

/* What is to blame was found before. */
static void
find_incomparable(Check *check, const KeptCheckpoint *checkpoint)
{
	report_finding(check->report, FOUND_LOG, NO_STRAND, NO_SEQ,
				   "%s is of " INT64_FORMAT " leaves, and not all of these are there to compute its root from.",
				   checkpoint->file, checkpoint->size);
}

static void
compare_checkpoint(Check *check, const KeptCheckpoint *checkpoint, const MerkleHash root)
{
	Summary    *summary = &check->summary;

	if (memcmp(checkpoint->root, root, MERKLE_HASH_LEN) != 0)
	{
		report_finding(check->report, FOUND_LOG, NO_STRAND, NO_SEQ,
					   "%s has another root at " INT64_FORMAT " leaves than the rows: what was sealed up to there was rewritten. Compare the rows with a backup that makes the checkpoint's root.",
					   checkpoint->file, checkpoint->size);
		return;
	}
	report_checkpoint(check->report, checkpoint->file, checkpoint->size, checkpoint->cosignatures, check->tree.replaced);
	summary->has_checkpoint = true;
	summary->size = checkpoint->size;
	summary->witnessed = checkpoint->cosigned_at != 0;
	summary->checkpoint_at = checkpoint->cosigned_at;
	for (int64 i = 0; i < check->catalog.nblocks && !summary->witnessed; i++)
	{
		if (check->catalog.blocks[i].size >= checkpoint->size)
		{
			summary->checkpoint_at = check->catalog.blocks[i].sealed_at;
			break;
		}
	}
}

/*
 * The tree
 */

/* The root of the first `size` leaves is known: sizes ascend. */
static void
take_root(void *arg, int64 size, const MerkleHash root)
{
	Check	   *check = arg;
	const Catalog *catalog = &check->catalog;

	while (check->next_block < catalog->nblocks && catalog->blocks[check->next_block].size <= size)
	{
		const CatalogBlock *block = &catalog->blocks[check->next_block++];

		if (block->size == size && memcmp(block->root, root, MERKLE_HASH_LEN) != 0)
			report_finding(check->report, FOUND_SEGMENT, NO_STRAND, NO_SEQ,
						   "Block " INT64_FORMAT " has another root in anshim.block than its rows: rows up to leaf " INT64_FORMAT ", or the block, were rewritten.",
						   block->number, size - 1);
	}
	while (check->next_checkpoint < check->ncheckpoints && check->checkpoints[check->next_checkpoint]->size <= size)
	{
		const KeptCheckpoint *checkpoint = check->checkpoints[check->next_checkpoint++];

		if (checkpoint->size == size)
			compare_checkpoint(check, checkpoint, root);
		else
			find_incomparable(check, checkpoint);
	}
}

/* A complete node was computed: the log should have stored the same. */
static void
take_node(void *arg, const MerkleNode *node)
{
	Check	   *check = arg;
	const uint8 *stored;

	if (node->level == 0 || node->level % TILE_HEIGHT != 0)
		return;
	stored = catalog_node(&check->catalog, node->level, node->index);
	if (stored == NULL || memcmp(stored, node->hash, MERKLE_HASH_LEN) != 0)
		report_finding(check->report, FOUND_NODE, NO_STRAND, NO_SEQ,
					   "The node of leaves " INT64_FORMAT " to " INT64_FORMAT " is %s in anshim.tile. Either it was edited, or rows under it were rewritten.",
					   node->index << node->level, (node->index + 1) << node->level,
					   stored == NULL ? "missing" : "another");
}

static void
open_tree(Check *check)
{
	int64		n = 0;
	int64	   *cuts = pg_malloc((check->catalog.nblocks + check->ncheckpoints + 1) * sizeof(int64));
	MerkleHash	root;

	if (check->tree_is_whole)
	{
		for (int64 i = 0; i < check->catalog.nblocks; i++)
			cuts[n++] = check->catalog.blocks[i].size;
		for (int64 i = 0; i < check->ncheckpoints; i++)
			cuts[n++] = check->checkpoints[i]->size;
	}
	tree_open(&check->tree, cuts, n, take_root, take_node, check);

	/* the root of no leaves is known already */
	merkle_empty_root(root);
	take_root(check, 0, root);
}

/* The node from where it is stored, or from the nodes below it. */
static bool
stored_node(const Catalog *catalog, int level, int64 index, MerkleHash hash)
{
	const uint8 *stored = catalog_node(catalog, level, index);
	MerkleHash	left;
	MerkleHash	right;

	if (stored != NULL)
	{
		memcpy(hash, stored, MERKLE_HASH_LEN);
		return true;
	}
	if (level == 0 || !stored_node(catalog, level - 1, 2 * index, left) ||
		!stored_node(catalog, level - 1, 2 * index + 1, right))
		return false;
	merkle_node_hash(left, right, hash);
	return true;
}

/* Leaves [from, to) have expired: put the nodes that they left into the tree. */
static bool
place_expired(Check *check, int64 from, int64 to)
{
	while (from < to)
	{
		int64		end = Min(to, tree_cut_above(&check->tree, from));
		int			level = pg_leftmost_one_pos64(end - from);
		MerkleHash	hash;

		if (from > 0)
			level = Min(level, pg_rightmost_one_pos64(from));
		if (!stored_node(&check->catalog, level, from >> level, hash))
			return false;
		tree_add_node(&check->tree, level, from >> level, hash);
		from += INT64CONST(1) << level;
	}
	return true;
}

/* Segments whose rows have expired.  An expiry takes segments whole. */
static void
place_all_expired(Check *check)
{
	for (int64 i = 0; i < check->strands.nsegments && check->tree_is_whole; i++)
	{
		const CatalogSegment *segment = &check->strands.segments[i];
		const Strand *strand = strands_lookup(&check->strands, segment->strand);
		int64		count = segment->last_seq - segment->first_seq + 1;

		if (segment->first_seq >= strand->begins)
			continue;
		if (segment->last_seq >= strand->begins)
			report_finding(check->report, FOUND_EXPIRY, segment->strand, strand->begins,
						   "By the chain's events an expiry ended in the middle of a segment, seqs " INT64_FORMAT " to " INT64_FORMAT ". No call of expire() does that.",
						   segment->first_seq, segment->last_seq);
		else if (segment->last_seq == strand->begins - 1 && memcmp(segment->last_hash, strand->before, LINK_HASH_LEN) != 0)
			report_finding(check->report, FOUND_EXPIRY, segment->strand, segment->last_seq,
						   "The last link of this strand that has expired has another hash in the chain's events than in anshim.segment. Either of them was rewritten.");
		if (segment->last_seq < strand->begins && !place_expired(check, segment->first_index, segment->first_index + count))
			report_finding(check->report, FOUND_NODE, segment->strand, segment->first_seq,
						   "Nodes of leaves " INT64_FORMAT " to " INT64_FORMAT ", whose rows have expired, are gone from anshim.kept or anshim.tile. Look for them in a backup.",
						   segment->first_index, segment->first_index + count - 1);
	}
}

static bool
fetch_node(void *catalog, int level, int64 index, MerkleHash hash)
{
	return stored_node(catalog, level, index, hash);
}

/*
 * Rows that are missing leave holes, which the stored nodes fill: if the roots
 * then agree, all the other rows are those that were sealed.
 */
static void
finish_tree(Check *check)
{
	int64		stopped = 0;

	if (check->tree_is_whole)
		stopped = tree_finish(&check->tree, TILE_HEIGHT, fetch_node, &check->catalog);
	while (stopped >= 0 && check->next_checkpoint < check->ncheckpoints)
		find_incomparable(check, check->checkpoints[check->next_checkpoint++]);
}

/*
 * The whole
 */

static void
begin_check(Check *check, Notes *notes)
{
	Catalog    *catalog = &check->catalog;

	for (int64 i = 0; i < catalog->nproblems; i++)
		report_finding(check->report, catalog->problems[i].kind, NO_STRAND, NO_SEQ, "%s", catalog->problems[i].text);
	check_guards(check);
	check->tree_is_whole = strands_take_segments(&check->strands, catalog, check->report);
	choose_checkpoints(check, notes);
	open_tree(check);
}

static void
end_check(Check *check)
{
	Summary    *summary = &check->summary;

	check_gaps(check);
	finish_tree(check);
	summary->leaves = check->catalog.nleaves;
	summary->blocks = check->catalog.nblocks;
	summary->expired = check->events.expired;
	summary->expired_at = check->events.expired_at;
	summary->now = check->catalog.now;
	summary->unprotected = summary->rows;
	for (int64 i = 0; i < check->ncheckpoints && check->checkpoints[i]->size <= summary->size; i++)
		summary->unprotected -= check->covered[i];
	report_summary(check->report, summary);
}

bool
check_chain(Source *source, const char *chain, Notes *notes, int64 known_events, Report *report)
{
	Check		check;

	memset(&check, 0, sizeof(check));
	check.source = source;
	check.report = report;
	if (!catalog_read(source, chain, &check.catalog))
	{
		catalog_free(&check.catalog);
		return false;
	}
	report_begin_chain(report, source->name, chain, check.catalog.schema, check.catalog.table, log_size(&check));
	strands_open(&check.strands);
	events_open(&check.events);
	check.hash = crypto_sha256_begin();

	begin_check(&check, notes);
	if (check_events(&check))
	{
		events_compare(&check.events, &check.catalog, &check.strands, known_events, report);
		place_all_expired(&check);
		if (check_rows(&check))
			end_check(&check);
	}

	report_end_chain(report);
	crypto_sha256_free(check.hash);
	tree_close(&check.tree);
	events_close(&check.events);
	strands_close(&check.strands);
	catalog_free(&check.catalog);
	pg_free(check.checkpoints);
	pg_free(check.covered);
	pg_free(check.gaps);
	return source->error == NULL;
}
