/*-------------------------------------------------------------------------
 *
 * tree.h
 *	  The hash tree over a log's leaves, which come in any order
 *
 * Rows come table by table and strand by strand, leaves stand in the tree by
 * block.  So the tree is put together from pieces: a compact range for each
 * run of leaves, merged with its neighbours as they come.  Sizes of which the
 * root is wanted are *cuts*; no piece reaches across one, and as soon as all
 * leaves below a cut are there, its root is known and the pieces are gone.
 *
 * Memory: some hundred bytes a cut that waits for others.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_TREE_H
#define ANSHIM_BIN_TREE_H

#include "log/merkle.h"

typedef struct TreePiece TreePiece;

/* Called in the order of sizes, once for each cut that can be computed. */
typedef void (*TreeRoot) (void *arg, int64 size, const MerkleHash root);

typedef struct Tree
{
	int64		ncuts;
	int64	   *cuts;			/* ascending, none twice */
	TreePiece **pieces;			/* of what lies between a cut and the one
								 * before it */
	int64		done;			/* so many cuts are computed */
	MerkleRange front;			/* everything up to there */
	MerkleRange run;			/* leaves that came last, one after the other */
	int64		run_end;		/* the cut that it must not cross */
	TreeRoot	on_root;
	MerkleSink	on_node;		/* for every complete node that is computed */
	int64		replaced;		/* leaves that a stored node was taken for */
	void	   *arg;
} Tree;

/* Takes the cuts, in any order, of which some may be equal, or 0. */
extern void tree_open(Tree *tree, int64 *cuts, int64 ncuts, TreeRoot on_root, MerkleSink on_node, void *arg);
extern void tree_close(Tree *tree);

/* Add a leaf; each index at most once.  Those behind the last cut are ignored. */
extern void tree_add_leaf(Tree *tree, int64 index, const MerkleHash leaf);

/* Add a complete node whose leaves are not there.  It must not reach across a cut. */
extern void tree_add_node(Tree *tree, int level, int64 index, const MerkleHash hash);

/* The first cut above this index; PG_INT64_MAX if there is none. */
extern int64 tree_cut_above(const Tree *tree, int64 index);

/*
 * All has been added: compute what there is.  Where leaves are missing, the
 * node of this level that covers them is asked for, with merkle.h's MerkleFetch,
 * and taken instead of what is below it, so that one hole does not hide what
 * comes after it.  Cuts within such a node have no root.
 *
 * Returns the first cut that was not reached in the end, or -1.
 */
extern int64 tree_finish(Tree *tree, int level, MerkleFetch fetch, void *arg);

#endif							/* ANSHIM_BIN_TREE_H */
