/*-------------------------------------------------------------------------
 *
 * merkle.c
 *	  The hash tree of RFC 6962 and RFC 9162, section 2.1: roots and proofs
 *
 * The RFCs split n leaves at the largest power of two below n.  Seen from
 * below that is a binary tree whose node (level, index) covers the leaves
 * [index << level, (index + 1) << level), cut off at n: its hash is that of
 * its two children, or that of the left one where the right one would begin
 * behind the last leaf.  A node that is not cut off is complete, and never
 * changes again; all others are computed of complete ones.
 *
 * Memory: none but the caller's.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "port/pg_bitutils.h"

#include "merkle.h"

void
merkle_node_hash(const MerkleHash left, const MerkleHash right, MerkleHash node)
{
	uint8		message[1 + 2 * MERKLE_HASH_LEN];

	message[0] = 0x01;
	memcpy(message + 1, left, MERKLE_HASH_LEN);
	memcpy(message + 1 + MERKLE_HASH_LEN, right, MERKLE_HASH_LEN);
	crypto_sha256(message, sizeof(message), node);
}

void
merkle_empty_root(MerkleHash root)
{
	crypto_sha256("", 0, root);
}

/*
 * Compact ranges
 */

void
merkle_range_init(MerkleRange *range, int64 from)
{
	Assert(from >= 0);
	range->from = from;
	range->to = from;
	range->n = 0;
}

/*
 * Add a complete node behind the range.  Two siblings make their parent, as
 * often as there are two.
 */
static void
add_node(MerkleRange *range, const MerkleNode *node, MerkleSink sink, void *arg)
{
	Assert(node->index << node->level == range->to);
	Assert(range->n < MERKLE_RANGE_MAX);
	range->nodes[range->n++] = *node;
	range->to += INT64CONST(1) << node->level;

	while (range->n >= 2)
	{
		MerkleNode *left = &range->nodes[range->n - 2];
		const MerkleNode *right = &range->nodes[range->n - 1];

		if (left->level != right->level || left->index % 2 != 0)
			break;
		Assert(right->index == left->index + 1);
		merkle_node_hash(left->hash, right->hash, left->hash);
		left->level++;
		left->index /= 2;
		range->n--;
		if (sink != NULL)
			sink(arg, left);
	}
}

void
merkle_range_add_leaf(MerkleRange *range, const MerkleHash leaf, MerkleSink sink, void *arg)
{
	MerkleNode	node;

	node.level = 0;
	node.index = range->to;
	memcpy(node.hash, leaf, MERKLE_HASH_LEN);
	if (sink != NULL)
		sink(arg, &node);
	add_node(range, &node, sink, arg);
}

bool
merkle_range_merge(MerkleRange *range, const MerkleRange *next, MerkleSink sink, void *arg)
{
	if (next->from != range->to)
		return false;
	for (int i = 0; i < next->n; i++)
		add_node(range, &next->nodes[i], sink, arg);
	return true;
}

void
merkle_range_root(const MerkleRange *range, MerkleHash root)
{
	Assert(range->from == 0);
	if (range->n == 0)
	{
		merkle_empty_root(root);
		return;
	}
	memcpy(root, range->nodes[range->n - 1].hash, MERKLE_HASH_LEN);
	for (int i = range->n - 2; i >= 0; i--)
		merkle_node_hash(range->nodes[i].hash, root, root);
}

/*
 * Proofs
 */

/*
 * The hash of leaves [from, size), where `from` is the first leaf of a node
 * that covers all of them: its largest complete parts, joined from the right.
 */
static bool
hash_of_rest(int64 from, int64 size, MerkleFetch fetch, void *arg, MerkleHash hash)
{
	MerkleHash	parts[MERKLE_MAX_LEVELS];
	int			n = 0;

	Assert(from < size);
	do
	{
		int			level = pg_leftmost_one_pos64(size - from);

		if (!fetch(arg, level, from >> level, parts[n++]))
			return false;
		from += INT64CONST(1) << level;
	} while (from < size);
	memcpy(hash, parts[--n], MERKLE_HASH_LEN);
	while (n-- > 0)
		merkle_node_hash(parts[n], hash, hash);
	return true;
}

/*
 * The hash of a node in a tree of this size, complete or cut off.
 */
static bool
node_in_tree(int level, int64 index, int64 size, MerkleFetch fetch, void *arg, MerkleHash hash)
{
	int64		from = index << level;

	if (size - from >= INT64CONST(1) << level)
		return fetch(arg, level, index, hash);
	return hash_of_rest(from, size, fetch, arg, hash);
}

/*
 * Append to the path what leads from a node up to the root: on each level the
 * sibling, where there is one.
 */
static bool
path_to_root(int level, int64 index, int64 size, MerkleFetch fetch, void *arg,
			 MerkleHash *path, int *n)
{
	for (; (size - 1) >> level != 0; level++, index /= 2)
	{
		int64		sibling = index ^ 1;

		if (sibling > (size - 1) >> level)
			continue;
		Assert(*n < MERKLE_PATH_MAX);
		if (!node_in_tree(level, sibling, size, fetch, arg, path[(*n)++]))
			return false;
	}
	return true;
}

bool
merkle_inclusion_path(int64 index, int64 size, MerkleFetch fetch, void *arg,
					  MerkleHash *path, int *n)
{
	Assert(index >= 0 && index < size);
	*n = 0;
	return path_to_root(0, index, size, fetch, arg, path, n);
}

/*
 * The last complete node of the old tree is the place where the two part.  If
 * it is all of the old tree, its hash is the old root, which the verifier has.
 */
bool
merkle_consistency_path(int64 old_size, int64 size, MerkleFetch fetch, void *arg,
						MerkleHash *path, int *n)
{
	int			level = pg_rightmost_one_pos64(old_size);
	int64		index = (old_size >> level) - 1;

	Assert(old_size > 0 && old_size <= size);
	*n = 0;
	if (old_size == size)
		return true;
	if (index > 0 && !fetch(arg, level, index, path[(*n)++]))
		return false;
	return path_to_root(level, index, size, fetch, arg, path, n);
}

bool
merkle_root(int64 size, MerkleFetch fetch, void *arg, MerkleHash root)
{
	Assert(size >= 0);
	if (size == 0)
	{
		merkle_empty_root(root);
		return true;
	}
	return hash_of_rest(0, size, fetch, arg, root);
}

/*
 * Verifiers
 *
 * The variables are those of RFC 9162: fn is the number of the node that the
 * path has come to, sn that of the last node on its level.
 */

/* Go up as long as the node is a left child whose parent has no other. */
static void
skip_only_children(uint64 *fn, uint64 *sn)
{
	while (*fn % 2 == 0 && *fn != 0)
	{
		*fn >>= 1;
		*sn >>= 1;
	}
}

bool
merkle_verify_inclusion(const MerkleHash leaf, int64 index, int64 size,
						const MerkleHash *path, int n, const MerkleHash root)
{
	uint64		fn = index;
	uint64		sn = (uint64) size - 1;
	MerkleHash	r;

	if (index < 0 || index >= size)
		return false;
	memcpy(r, leaf, MERKLE_HASH_LEN);
	for (int i = 0; i < n; i++)
	{
		if (sn == 0)
			return false;
		if (fn % 2 == 1 || fn == sn)
		{
			merkle_node_hash(path[i], r, r);
			skip_only_children(&fn, &sn);
		}
		else
			merkle_node_hash(r, path[i], r);
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(r, root, MERKLE_HASH_LEN) == 0;
}

/*
 * Of an empty tree nothing is proved: old_size 0 is refused.
 */
bool
merkle_verify_consistency(int64 old_size, int64 size, const MerkleHash old_root,
						  const MerkleHash root, const MerkleHash *path, int n)
{
	uint64		fn = (uint64) old_size - 1;
	uint64		sn = (uint64) size - 1;
	int			i = 0;
	MerkleHash	fr;
	MerkleHash	sr;

	if (old_size <= 0 || old_size > size)
		return false;
	if (old_size == size)
		return n == 0 && memcmp(old_root, root, MERKLE_HASH_LEN) == 0;

	while (fn % 2 == 1)
	{
		fn >>= 1;
		sn >>= 1;
	}

	/* the old tree is one complete node exactly if nothing is left of fn */
	if (fn == 0)
		memcpy(fr, old_root, MERKLE_HASH_LEN);
	else if (n > 0)
		memcpy(fr, path[i++], MERKLE_HASH_LEN);
	else
		return false;
	memcpy(sr, fr, MERKLE_HASH_LEN);

	for (; i < n; i++)
	{
		if (sn == 0)
			return false;
		if (fn % 2 == 1 || fn == sn)
		{
			merkle_node_hash(path[i], fr, fr);
			merkle_node_hash(path[i], sr, sr);
			skip_only_children(&fn, &sn);
		}
		else
			merkle_node_hash(sr, path[i], sr);
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, old_root, MERKLE_HASH_LEN) == 0 &&
		memcmp(sr, root, MERKLE_HASH_LEN) == 0;
}
