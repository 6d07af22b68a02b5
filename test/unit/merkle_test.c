/*-------------------------------------------------------------------------
 *
 * merkle_test.c
 *	  The tree against its definition, word by word, and published proofs
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "log/merkle.h"

#include "check.h"

#define LEAVES 70

static MerkleHash leaves[LEAVES];

/* For reference_fetch: every node asked for must be complete in this tree. */
static int64 fetch_size;
static int	fetches_left;

/*
 * The definitions of RFC 9162, sections 2.1.1, 2.1.3.1 and 2.1.4.1, over
 * leaves [from, from + n)
 */

static int64
split(int64 n)
{
	int64		k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

static void
mth(int64 from, int64 n, MerkleHash hash)
{
	MerkleHash	left;
	MerkleHash	right;

	if (n == 1)
	{
		memcpy(hash, leaves[from], MERKLE_HASH_LEN);
		return;
	}
	mth(from, split(n), left);
	mth(from + split(n), n - split(n), right);
	merkle_node_hash(left, right, hash);
}

static int
path(int64 m, int64 from, int64 n, MerkleHash *out)
{
	int64		k = split(n);
	int			len;

	if (n == 1)
		return 0;
	if (m < k)
	{
		len = path(m, from, k, out);
		mth(from + k, n - k, out[len]);
	}
	else
	{
		len = path(m - k, from + k, n - k, out);
		mth(from, k, out[len]);
	}
	return len + 1;
}

static int
subproof(int64 m, int64 from, int64 n, bool known, MerkleHash *out)
{
	int64		k = split(n);
	int			len;

	if (m == n)
	{
		if (known)
			return 0;
		mth(from, n, out[0]);
		return 1;
	}
	if (m <= k)
	{
		len = subproof(m, from, k, known, out);
		mth(from + k, n - k, out[len]);
	}
	else
	{
		len = subproof(m - k, from + k, n - k, false, out);
		mth(from, k, out[len]);
	}
	return len + 1;
}

static bool
reference_fetch(void *arg, int level, int64 index, MerkleHash hash)
{
	CHECK((index + 1) << level <= fetch_size, "node %d/%d is not complete", level, (int) index);
	if (fetches_left == 0)
		return false;
	fetches_left--;
	mth(index << level, INT64CONST(1) << level, hash);
	return true;
}

static void
fetch_from(int64 size)
{
	fetch_size = size;
	fetches_left = -1;
}

/*
 * Ranges
 */

static char sunk[8][LEAVES];

static void
sink(void *arg, const MerkleNode *node)
{
	MerkleHash	hash;

	mth(node->index << node->level, INT64CONST(1) << node->level, hash);
	CHECK(memcmp(hash, node->hash, MERKLE_HASH_LEN) == 0, "node %d/%d", node->level, (int) node->index);
	sunk[node->level][node->index]++;
}

static void
fill(MerkleRange *range, int64 from, int64 to, MerkleSink to_sink)
{
	merkle_range_init(range, from);
	for (int64 i = from; i < to; i++)
		merkle_range_add_leaf(range, leaves[i], to_sink, NULL);
	CHECK(range->from == from && range->to == to, "range %d to %d", (int) from, (int) to);
}

/* Every node is told of once, whichever way the range was made. */
static void
check_sunk(int64 size)
{
	for (int level = 0; level < 7; level++)
	{
		for (int64 index = 0; index < LEAVES; index++)
			CHECK(sunk[level][index] == ((index + 1) << level <= size),
				  "node %d/%d was told of %d times", level, (int) index, sunk[level][index]);
	}
	memset(sunk, 0, sizeof(sunk));
}

static void
test_ranges(int64 size)
{
	MerkleHash	want;
	MerkleHash	root;
	MerkleRange whole;

	if (size == 0)
		merkle_empty_root(want);
	else
		mth(0, size, want);
	fill(&whole, 0, size, sink);
	check_sunk(size);
	merkle_range_root(&whole, root);
	CHECK(memcmp(root, want, MERKLE_HASH_LEN) == 0, "root of %d", (int) size);

	fetch_from(size);
	CHECK(merkle_root(size, reference_fetch, NULL, root) && memcmp(root, want, MERKLE_HASH_LEN) == 0,
		  "fetched root of %d", (int) size);

	for (int64 a = 0; a <= size; a++)
	{
		for (int64 b = a; b <= size; b += 1 + (size - b) / 3)
		{
			MerkleRange first;
			MerkleRange second;
			MerkleRange third;

			fill(&first, 0, a, sink);
			fill(&second, a, b, sink);
			fill(&third, b, size, sink);
			if (a < b)
				CHECK(!merkle_range_merge(&first, &third, NULL, NULL), "a gap was merged");
			fill(&first, 0, a, NULL);
			CHECK(merkle_range_merge(&second, &third, sink, NULL) &&
				  merkle_range_merge(&first, &second, sink, NULL), "merge of %d, %d", (int) a, (int) b);
			check_sunk(size);
			merkle_range_root(&first, root);
			CHECK(memcmp(root, want, MERKLE_HASH_LEN) == 0 && first.n == whole.n,
				  "root of 0 to %d to %d to %d", (int) a, (int) b, (int) size);
		}
	}
}

/*
 * Proofs, and what is none
 */

static void
test_inclusion(int64 index, int64 size)
{
	MerkleHash	want[MERKLE_PATH_MAX];
	MerkleHash	got[MERKLE_PATH_MAX + 1];
	MerkleHash	root;
	int			n = -1;
	int			want_n = path(index, 0, size, want);

	mth(0, size, root);
	fetch_from(size);
	CHECK(merkle_inclusion_path(index, size, reference_fetch, NULL, got, &n) && n == want_n &&
		  memcmp(got, want, n * sizeof(MerkleHash)) == 0, "path of %d in %d", (int) index, (int) size);
	CHECK(merkle_verify_inclusion(leaves[index], index, size, got, n, root), "inclusion of %d in %d", (int) index, (int) size);

	/* without each of its nodes there is no proof */
	for (int have = 0; have < n; have++)
	{
		int			len;

		fetches_left = have;
		CHECK(!merkle_inclusion_path(index, size, reference_fetch, NULL, got, &len), "a proof of nothing");
	}
	memcpy(got, want, sizeof(want));

	for (int i = 0; i < n; i++)
	{
		for (int bit = 0; bit < 256; bit += 37)
		{
			got[i][bit / 8] ^= 1 << bit % 8;
			CHECK(!merkle_verify_inclusion(leaves[index], index, size, got, n, root), "bit %d of %d", bit, i);
			got[i][bit / 8] ^= 1 << bit % 8;
		}
		if (i > 0)
		{
			memcpy(got[i - 1], want[i], MERKLE_HASH_LEN);
			memcpy(got[i], want[i - 1], MERKLE_HASH_LEN);
			CHECK(!merkle_verify_inclusion(leaves[index], index, size, got, n, root), "swapped %d", i);
			memcpy(got, want, sizeof(want));
		}
	}
	if (n > 0)
		CHECK(!merkle_verify_inclusion(leaves[index], index, size, got, n - 1, root) &&
			  !merkle_verify_inclusion(leaves[index], index, size, got + 1, n - 1, root), "a shorter path");
	memcpy(got[n], root, MERKLE_HASH_LEN);
	CHECK(!merkle_verify_inclusion(leaves[index], index, size, got, n + 1, root), "a longer path");
	CHECK(!merkle_verify_inclusion(root, index, size, got, n, root) || size == 1, "the root as a leaf");
	for (int64 other = -1; other <= size + 1; other++)
		CHECK(other == index || !merkle_verify_inclusion(leaves[index], other, size, got, n, root), "at %d", (int) other);
	CHECK(!merkle_verify_inclusion(leaves[index], index, index, got, n, root), "beyond the end");
}

static void
test_consistency(int64 old_size, int64 size)
{
	MerkleHash	want[MERKLE_PATH_MAX];
	MerkleHash	got[MERKLE_PATH_MAX + 1];
	MerkleHash	old_root;
	MerkleHash	root;
	int			n = -1;
	int			want_n = subproof(old_size, 0, size, true, want);

	mth(0, old_size, old_root);
	mth(0, size, root);
	fetch_from(size);
	CHECK(merkle_consistency_path(old_size, size, reference_fetch, NULL, got, &n) && n == want_n &&
		  memcmp(got, want, n * sizeof(MerkleHash)) == 0, "path of %d to %d", (int) old_size, (int) size);
	CHECK(merkle_verify_consistency(old_size, size, old_root, root, got, n), "%d to %d", (int) old_size, (int) size);

	for (int i = 0; i < n; i++)
	{
		for (int bit = 0; bit < 256; bit += 37)
		{
			got[i][bit / 8] ^= 1 << bit % 8;
			CHECK(!merkle_verify_consistency(old_size, size, old_root, root, got, n), "bit %d of %d", bit, i);
			got[i][bit / 8] ^= 1 << bit % 8;
		}
	}
	if (n > 0)
		CHECK(!merkle_verify_consistency(old_size, size, old_root, root, got, n - 1) &&
			  !merkle_verify_consistency(old_size, size, old_root, root, got + 1, n - 1), "a shorter path");
	memcpy(got[n], root, MERKLE_HASH_LEN);
	CHECK(!merkle_verify_consistency(old_size, size, old_root, root, got, n + 1), "a longer path");
	if (old_size < size)
	{
		CHECK(!merkle_verify_consistency(old_size, size, root, old_root, got, n), "roots swapped");
		CHECK(!merkle_verify_consistency(size, old_size, old_root, root, got, n), "sizes swapped");
		CHECK(!merkle_verify_consistency(old_size, size, old_root, old_root, got, n), "the old root");
		CHECK(!merkle_verify_consistency(old_size, size, root, root, got, n), "the new root");
	}
	CHECK(!merkle_verify_consistency(0, size, old_root, root, got, n), "from nothing");
	CHECK(!merkle_verify_consistency(-1, size, old_root, root, got, n), "from less than nothing");
	for (int64 other = 1; other <= size; other++)
		CHECK(other == old_size || !merkle_verify_consistency(other, size, old_root, root, got, n), "from %d", (int) other);
}

/*
 * The largest trees: where all leaves are the same, so are a level's nodes.
 */

static MerkleHash level_hash[MERKLE_MAX_LEVELS];

static bool
uniform_fetch(void *arg, int level, int64 index, MerkleHash hash)
{
	memcpy(hash, level_hash[level], MERKLE_HASH_LEN);
	return true;
}

static void
test_large(void)
{
	static const int64 sizes[] = {
		INT64CONST(10000000), INT64CONST(1) << 40, INT64CONST(1) << 62, PG_INT64_MAX - 1, PG_INT64_MAX
	};
	MerkleHash	nodes[MERKLE_PATH_MAX];
	MerkleHash	root;
	MerkleHash	old_root;
	int			n;

	memcpy(level_hash[0], leaves[0], MERKLE_HASH_LEN);
	for (int level = 1; level < MERKLE_MAX_LEVELS; level++)
		merkle_node_hash(level_hash[level - 1], level_hash[level - 1], level_hash[level]);
	for (int i = 0; i < lengthof(sizes); i++)
	{
		int64		at[] = {0, 1, sizes[i] / 3, sizes[i] / 2, sizes[i] - 2, sizes[i] - 1};

		merkle_root(sizes[i], uniform_fetch, NULL, root);
		for (int j = 0; j < lengthof(at); j++)
		{
			CHECK(merkle_inclusion_path(at[j], sizes[i], uniform_fetch, NULL, nodes, &n) &&
				  merkle_verify_inclusion(leaves[0], at[j], sizes[i], nodes, n, root), "large %d, %d", i, j);
			merkle_root(at[j] + 1, uniform_fetch, NULL, old_root);
			CHECK(merkle_consistency_path(at[j] + 1, sizes[i], uniform_fetch, NULL, nodes, &n) &&
				  merkle_verify_consistency(at[j] + 1, sizes[i], old_root, root, nodes, n), "large %d, %d", i, j);
		}
	}
}

/*
 * Published proofs
 */

static int
unhex(const char *hex, uint8 *out, int max)
{
	int			n = 0;

	if (strcmp(hex, "-") == 0)
		return 0;
	for (; n < max && hex[2 * n] != '\0'; n++)
	{
		unsigned int byte;

		if (sscanf(hex + 2 * n, "%2x", &byte) != 1)
			abort();
		out[n] = byte;
	}
	return n;
}

static void
test_vector(char *line)
{
	char		name[100];
	char		kind[20];
	char		wanted[10];
	char		hex1[100];
	char		hex2[100];
	long long	a;
	long long	b;
	int			at;
	MerkleHash	h1;
	MerkleHash	h2;
	MerkleHash	proof[20];
	int			n = 0;
	bool		whole;
	bool		good;

	if (sscanf(line, "%19s %99s %9s %lld %lld %99s %99s%n", kind, name, wanted, &a, &b, hex1, hex2, &at) != 7)
		abort();
	/* hashes of other lengths are for the functions in SQL to refuse */
	whole = unhex(hex1, h1, MERKLE_HASH_LEN) == MERKLE_HASH_LEN &&
		unhex(hex2, h2, MERKLE_HASH_LEN) == MERKLE_HASH_LEN;
	for (char *word = strtok(line + at, " \n"); word != NULL; word = strtok(NULL, " \n"))
		whole = unhex(word, proof[n++], MERKLE_HASH_LEN) == MERKLE_HASH_LEN && whole;
	if (!whole)
		return;
	if (strcmp(kind, "inclusion") == 0)
		good = merkle_verify_inclusion(h2, a, b, proof, n, h1);
	else
		good = merkle_verify_consistency(a, b, h1, h2, proof, n);
	CHECK(good == (strcmp(wanted, "good") == 0), "%s %s is taken for %s", kind, name, good ? "good" : "bad");
}

void
test_merkle(FILE * vectors)
{
	char		line[4000];
	int			n = 0;

	for (int i = 0; i < LEAVES; i++)
		crypto_sha256(&i, sizeof(i), leaves[i]);
	for (int64 size = 0; size <= LEAVES; size++)
	{
		test_ranges(size);
		for (int64 i = 0; i < size; i++)
		{
			test_inclusion(i, size);
			test_consistency(i + 1, size);
		}
	}
	test_large();
	for (; fgets(line, sizeof(line), vectors) != NULL; n++)
		test_vector(line);
	CHECK(n == 196, "%d vectors", n);
}
