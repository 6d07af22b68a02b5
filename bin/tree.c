/*-------------------------------------------------------------------------
 *
 * tree.c
 *	  The hash tree over a log's leaves, which come in any order
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "tree.h"

/* A compact range with just so many nodes as it has. */
struct TreePiece
{
	TreePiece  *next;
	MerkleRange range;
};

static int
compare_cuts(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

void
tree_open(Tree *tree, int64 *cuts, int64 ncuts, TreeRoot on_root, MerkleSink on_node, void *arg)
{
	int64		n = 0;

	memset(tree, 0, sizeof(*tree));
	if (ncuts > 0)
		qsort(cuts, ncuts, sizeof(int64), compare_cuts);
	for (int64 i = 0; i < ncuts; i++)
	{
		if (cuts[i] > (n == 0 ? 0 : cuts[n - 1]))
			cuts[n++] = cuts[i];
	}
	tree->cuts = cuts;
	tree->ncuts = n;
	tree->pieces = pg_malloc0(Max(n, 1) * sizeof(TreePiece *));
	tree->on_root = on_root;
	tree->on_node = on_node;
	tree->arg = arg;
	merkle_range_init(&tree->front, 0);
	merkle_range_init(&tree->run, 0);
}

void
tree_close(Tree *tree)
{
	for (int64 i = 0; i < tree->ncuts; i++)
	{
		while (tree->pieces[i] != NULL)
		{
			TreePiece  *next = tree->pieces[i]->next;

			pg_free(tree->pieces[i]);
			tree->pieces[i] = next;
		}
	}
	pg_free(tree->pieces);
	pg_free(tree->cuts);
	memset(tree, 0, sizeof(*tree));
}

/* Number of the first cut above this index; ncuts if there is none. */
static int64
find_cut(const Tree *tree, int64 index)
{
	int64		low = 0;
	int64		high = tree->ncuts;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		if (tree->cuts[middle] <= index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int64
tree_cut_above(const Tree *tree, int64 index)
{
	int64		cut = find_cut(tree, index);

	return cut == tree->ncuts ? PG_INT64_MAX : tree->cuts[cut];
}

static TreePiece *
new_piece(const MerkleRange *range, TreePiece *next)
{
	size_t		len = offsetof(MerkleRange, nodes) + range->n * sizeof(MerkleNode);
	TreePiece  *piece = pg_malloc(offsetof(TreePiece, range) + len);

	piece->next = next;
	memcpy(&piece->range, range, len);
	return piece;
}

/* Move the front over all cuts whose leaves have come. */
static void
advance(Tree *tree)
{
	while (tree->done < tree->ncuts)
	{
		TreePiece  *piece = tree->pieces[tree->done];
		MerkleHash	root;

		/* there is but one piece if all is there, as neighbours merge */
		if (piece == NULL || piece->range.from != tree->front.to || piece->range.to != tree->cuts[tree->done])
			return;
		merkle_range_merge(&tree->front, &piece->range, tree->on_node, tree->arg);
		tree->pieces[tree->done++] = NULL;
		pg_free(piece);
		merkle_range_root(&tree->front, root);
		tree->on_root(tree->arg, tree->front.to, root);
	}
}

/* Put the range among the pieces below its cut, and merge it with its neighbours. */
static void
insert_range(Tree *tree, int64 cut, MerkleRange *range)
{
	TreePiece **place = &tree->pieces[cut];
	TreePiece  *piece;

	while ((piece = *place) != NULL && piece->range.to < range->from)
		place = &piece->next;
	if (piece != NULL && piece->range.to == range->from)
	{
		MerkleRange joined;

		memcpy(&joined, &piece->range, offsetof(MerkleRange, nodes) + piece->range.n * sizeof(MerkleNode));
		merkle_range_merge(&joined, range, tree->on_node, tree->arg);
		*range = joined;
		*place = piece->next;
		pg_free(piece);
		piece = *place;
	}
	if (piece != NULL && piece->range.from == range->to)
	{
		merkle_range_merge(range, &piece->range, tree->on_node, tree->arg);
		*place = piece->next;
		pg_free(piece);
	}
	*place = new_piece(range, *place);
	if (cut == tree->done)
		advance(tree);
}

static void
flush_run(Tree *tree)
{
	if (tree->run.to > tree->run.from)
		insert_range(tree, find_cut(tree, tree->run.from), &tree->run);
	merkle_range_init(&tree->run, 0);
}

void
tree_add_leaf(Tree *tree, int64 index, const MerkleHash leaf)
{
	if (tree->run.to == tree->run.from || index != tree->run.to)
	{
		flush_run(tree);
		if (tree->ncuts == 0 || index >= tree->cuts[tree->ncuts - 1])
			return;
		merkle_range_init(&tree->run, index);
		tree->run_end = tree_cut_above(tree, index);
	}
	merkle_range_add_leaf(&tree->run, leaf, tree->on_node, tree->arg);
	if (tree->run.to == tree->run_end)
		flush_run(tree);
}

static void
set_node(MerkleRange *range, int level, int64 index, const MerkleHash hash)
{
	range->from = index << level;
	range->to = (index + 1) << level;
	range->n = 1;
	range->nodes[0].level = level;
	range->nodes[0].index = index;
	memcpy(range->nodes[0].hash, hash, MERKLE_HASH_LEN);
}

void
tree_add_node(Tree *tree, int level, int64 index, const MerkleHash hash)
{
	MerkleRange range;
	int64		cut = find_cut(tree, index << level);

	if (cut == tree->ncuts)
		return;
	set_node(&range, level, index, hash);
	flush_run(tree);
	insert_range(tree, cut, &range);
}

/*
 * Holes
 */

typedef struct Patch
{
	Tree	   *tree;
	int			level;
	MerkleFetch fetch;
	void	   *arg;
} Patch;

/* Move the front over a node that begins where it ends, and over cuts. */
static void
append_node(Tree *tree, const MerkleRange *node)
{
	merkle_range_merge(&tree->front, node, tree->on_node, tree->arg);
	while (tree->done < tree->ncuts && tree->cuts[tree->done] <= tree->front.to)
	{
		if (tree->cuts[tree->done++] == tree->front.to)
		{
			MerkleHash	root;

			merkle_range_root(&tree->front, root);
			tree->on_root(tree->arg, tree->front.to, root);
		}
	}
}

/*
 * Take the stored nodes for [front, to), and for what is before it under the
 * first of them.
 */
static bool
fill_hole(Patch *patch, int64 to)
{
	Tree	   *tree = patch->tree;
	int64		index = tree->front.to >> patch->level;

	/*
	 * the front's nodes are aligned: none reaches across the beginning of
	 * that one
	 */
	while (tree->front.n > 0 && tree->front.nodes[tree->front.n - 1].index << tree->front.nodes[tree->front.n - 1].level >= index << patch->level)
		tree->front.n--;
	tree->front.to = index << patch->level;

	while (tree->front.to < to)
	{
		MerkleRange node;
		MerkleHash	hash;

		/* the log has no complete node there */
		if (tree->cuts[tree->ncuts - 1] >> patch->level <= index || !patch->fetch(patch->arg, patch->level, index, hash))
			return false;
		set_node(&node, patch->level, index++, hash);
		tree->replaced += node.to - node.from;
		append_node(tree, &node);
	}
	return true;
}

/* All nodes of a piece but those that a stored one has replaced. */
static bool
append_piece(Patch *patch, const MerkleRange *piece)
{
	for (int i = 0; i < piece->n; i++)
	{
		const MerkleNode *n = &piece->nodes[i];
		MerkleRange node;

		set_node(&node, n->level, n->index, n->hash);
		if (node.to <= patch->tree->front.to)
			continue;
		if (node.from > patch->tree->front.to && !fill_hole(patch, node.from))
			return false;
		/* that may have gone beyond it */
		if (node.from == patch->tree->front.to)
			append_node(patch->tree, &node);
	}
	return true;
}

int64
tree_finish(Tree *tree, int level, MerkleFetch fetch, void *arg)
{
	Patch		patch = {.tree = tree,.level = level,.fetch = fetch,.arg = arg};
	bool		good = true;

	flush_run(tree);
	for (int64 i = tree->done; i < tree->ncuts && good; i++)
	{
		for (const TreePiece *piece = tree->pieces[i]; piece != NULL && good; piece = piece->next)
			good = append_piece(&patch, &piece->range);
	}
	if (good && tree->done < tree->ncuts)
		fill_hole(&patch, tree->cuts[tree->ncuts - 1]);
	return tree->done == tree->ncuts ? -1 : tree->cuts[tree->done];
}
