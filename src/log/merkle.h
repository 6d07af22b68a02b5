/*-------------------------------------------------------------------------
 *
 * merkle.h
 *	  The hash tree of RFC 6962 and RFC 9162, section 2.1: roots and proofs
 *
 * Pure: knows nothing of tables.  Shared with bin/: compiles with
 * PostgreSQL's frontend headers as well.
 *
 * A tree of n leaves is seen as its *compact range* [0, n): the roots of its
 * largest complete subtrees from left to right.  A range [a, b) that begins
 * anywhere has one too, whose nodes are complete and aligned in the whole
 * tree; ranges that follow each other merge.  So a long log can be hashed in
 * parts, by several workers, or from where another stopped.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_MERKLE_H
#define ANSHIM_MERKLE_H

#include "crypto/crypto.h"

#define MERKLE_HASH_LEN CRYPTO_SHA256_LEN
#define MERKLE_MAX_LEVELS 63	/* sizes are int8 */
#define MERKLE_RANGE_MAX (2 * MERKLE_MAX_LEVELS)
#define MERKLE_PATH_MAX (2 * MERKLE_MAX_LEVELS)

typedef uint8 MerkleHash[MERKLE_HASH_LEN];

/* The node at `level` that covers leaves [index << level, (index + 1) << level) */
typedef struct MerkleNode
{
	int			level;
	int64		index;
	MerkleHash	hash;
} MerkleNode;

typedef struct MerkleRange
{
	int64		from;
	int64		to;
	int			n;
	MerkleNode	nodes[MERKLE_RANGE_MAX];	/* from left to right */
} MerkleRange;

/* Called for every complete node that appending brings about, leaves included. */
typedef void (*MerkleSink) (void *arg, const MerkleNode *node);

/* SHA-256(0x01 || left || right); and SHA-256 of nothing, the root of no leaves. */
extern void merkle_node_hash(const MerkleHash left, const MerkleHash right, MerkleHash node);
extern void merkle_empty_root(MerkleHash root);

/* The empty range [from, from) */
extern void merkle_range_init(MerkleRange *range, int64 from);

/* Add the leaf with this leaf hash, at index range->to.  sink may be NULL. */
extern void merkle_range_add_leaf(MerkleRange *range, const MerkleHash leaf,
								  MerkleSink sink, void *arg);

/*
 * Add what follows; false if next->from is not range->to.  The sink is told of
 * the nodes that merging brings about, not of those that were there.
 */
extern bool merkle_range_merge(MerkleRange *range, const MerkleRange *next,
							   MerkleSink sink, void *arg);

/* The root of the tree; the range must begin at 0. */
extern void merkle_range_root(const MerkleRange *range, MerkleHash root);

/*
 * Proofs.  What a proof consists of is a list of nodes, some of which may be
 * incomplete (the right edge of a tree of `size` leaves) and are computed of
 * several: merkle_*_path() asks `fetch` for complete nodes alone.  fetch
 * returns false if it does not have one, which ends the call with false.
 */
typedef bool (*MerkleFetch) (void *arg, int level, int64 index, MerkleHash hash);

/* RFC 9162, section 2.1.3.1; 0 <= index < size */
extern bool merkle_inclusion_path(int64 index, int64 size, MerkleFetch fetch, void *arg,
								  MerkleHash *path, int *n);

/* RFC 9162, section 2.1.4.1; 0 < old_size <= size */
extern bool merkle_consistency_path(int64 old_size, int64 size, MerkleFetch fetch, void *arg,
									MerkleHash *path, int *n);

/* The root of the first `size` leaves. */
extern bool merkle_root(int64 size, MerkleFetch fetch, void *arg, MerkleHash root);

/*
 * Verifiers: RFC 9162, sections 2.1.3.2 and 2.1.4.2; false for whatever is not
 * exactly right, a consistency with no leaves (old_size 0) included, which
 * says nothing.
 */
extern bool merkle_verify_inclusion(const MerkleHash leaf, int64 index, int64 size,
									const MerkleHash *path, int n, const MerkleHash root);
extern bool merkle_verify_consistency(int64 old_size, int64 size, const MerkleHash old_root,
									  const MerkleHash root, const MerkleHash *path, int n);

#endif							/* ANSHIM_MERKLE_H */
