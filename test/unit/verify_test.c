/*-------------------------------------------------------------------------
 *
 * verify_test.c
 *	  Unit tests of what anshim_verify reads strangers' bytes with
 *
 *		verify_test SEED
 *
 * Copies of COPY streams, whole and in pieces, cut off and mutated; JSON; and
 * trees whose leaves come in any order.  Prints what went wrong, and exits
 * with 1 if anything did.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/pg_prng.h"

#include "check.h"
#include "../../bin/copy.h"
#include "../../bin/json.h"
#include "../../bin/tree.h"

int			checks;
int			failures;

static pg_prng_state prng;

static int
random_below(int n)
{
	return (int) pg_prng_uint64_range(&prng, 0, n - 1);
}

/*
 * Streams from memory, in pieces
 */

typedef struct MemoryStream
{
	ByteStream	stream;
	const char *data;
	size_t		len;
	size_t		piece;			/* 0: of random lengths */
	char	   *copy;			/* of the last piece, of exactly its size */
} MemoryStream;

static StreamResult
read_memory(ByteStream *stream, const char **data, size_t *len)
{
	MemoryStream *memory = (MemoryStream *) stream;
	size_t		want = memory->piece > 0 ? memory->piece : 1 + random_below(20);

	free(memory->copy);
	memory->copy = NULL;
	if (memory->len == 0)
		return STREAM_END;
	*len = Min(want, memory->len);
	*data = memory->copy = exact_copy(memory->data, *len);
	memory->data += *len;
	memory->len -= *len;
	return STREAM_MORE;
}

static void
close_memory(ByteStream *stream)
{
	free(((MemoryStream *) stream)->copy);
	free(stream);
}

static void
open_memory(CopyReader *reader, const void *data, size_t len, size_t piece, int nfields)
{
	MemoryStream *memory = calloc(1, sizeof(MemoryStream));

	memory->stream.read = read_memory;
	memory->stream.close = close_memory;
	memory->data = data;
	memory->len = len;
	memory->piece = piece;
	copy_open(reader, &memory->stream, nfields);
}

#define HEADER "PGCOPY\n\xff\r\n\0" "\0\0\0\0" "\0\0\0\0"
#define ROW_1 "\0\2" "\0\0\0\4" "\0\0\1\2" "\xff\xff\xff\xff"
#define ROW_2 "\0\2" "\0\0\0\4" "\xff\xff\xff\xfe" "\0\0\0\3" "abc"
#define TRAILER "\xff\xff"

static const char sound[] = HEADER ROW_1 ROW_2 TRAILER;

#define SOUND_LEN (sizeof(sound) - 1)

static void
test_copy_sound(size_t piece)
{
	CopyReader	reader;
	int32		n;
	int64		n8;
	char	   *str;

	open_memory(&reader, sound, SOUND_LEN, piece, 2);
	CHECK(copy_next(&reader) == COPY_ROW, "first row, pieces of %zu: %s", piece, reader.error);
	CHECK(copy_int4(&reader, 0, &n) && n == 258, "integer");
	CHECK(!copy_int8(&reader, 0, &n8) && strcmp(reader.misfit, "column 1 has 4 bytes instead of 8") == 0, "length: %s", reader.misfit);
	CHECK(copy_is_null(&reader, 1) && reader.fields[1].data == NULL, "NULL");
	CHECK(copy_text(&reader, 1) == NULL && strcmp(reader.misfit, "column 2 is NULL") == 0, "NULL: %s", reader.misfit);
	CHECK(copy_next(&reader) == COPY_ROW, "second row, pieces of %zu: %s", piece, reader.error);
	CHECK(copy_int4(&reader, 0, &n) && n == -2, "negative integer");
	str = copy_text(&reader, 1);
	CHECK(str != NULL && strcmp(str, "abc") == 0, "text");
	pg_free(str);
	CHECK(copy_next(&reader) == COPY_END && reader.error == NULL, "end, pieces of %zu: %s", piece, reader.error);
	copy_close(&reader);
}

/* Read all; the last result. */
static CopyResult
read_all(const char *data, size_t len, char *error, size_t error_len)
{
	CopyReader	reader;
	CopyResult	result;
	char	   *exact = exact_copy(data, len);

	open_memory(&reader, exact, len, 0, 2);
	while ((result = copy_next(&reader)) == COPY_ROW)
	{
		pg_free(copy_text(&reader, 1));
		for (int i = 0; i < 2; i++)
		{
			/* every byte can be read */
			for (int j = 0; j < reader.fields[i].len; j++)
				(void) *(volatile const uint8 *) &reader.fields[i].data[j];
		}
	}
	CHECK((result == COPY_BAD) == (reader.error != NULL), "an error, and nothing bad, or the reverse");
	CHECK(copy_next(&reader) == result || result == COPY_END, "bad once, bad for ever");
	snprintf(error, error_len, "%s", reader.error == NULL ? "" : reader.error);
	copy_close(&reader);
	free(exact);
	return result;
}

static void
refused(const char *data, size_t len, const char *expected)
{
	char		error[200];

	CHECK(read_all(data, len, error, sizeof(error)) == COPY_BAD && strcmp(error, expected) == 0,
		  "\"%s\", not \"%s\"", error, expected);
}

#define REFUSED(data, expected) refused(data, sizeof(data) - 1, expected)

static void
test_copy(void)
{
	char		error[200];
	char		mutated[SOUND_LEN + 1];

	for (size_t piece = 0; piece <= SOUND_LEN; piece++)
		test_copy_sound(piece);

	for (size_t len = 0; len < SOUND_LEN; len++)
		refused(sound, len, len < 19 + 14 ? "the data end in the middle of a row, after 0 rows" :
				len < 19 + 14 + 17 ? "the data end in the middle of a row, after 1 rows" :
				"the data end in the middle of a row, after 2 rows");
	REFUSED("PGCOPY\n\xff\r\n\1" "\0\0\0\0" "\0\0\0\0" TRAILER, "the data do not begin as those of COPY in binary format do, after 0 rows");
	REFUSED("PGCOPY\n\xff\r\n\0" "\0\1\0\0" "\0\0\0\0" TRAILER, "the data are of another kind of COPY in binary format, after 0 rows");
	REFUSED("PGCOPY\n\xff\r\n\0" "\0\0\0\0" "\0\0\0\4" "xxxx" TRAILER, "the data are of another kind of COPY in binary format, after 0 rows");
	REFUSED(HEADER ROW_1 TRAILER "x", "there are more data behind their end, after 1 rows");
	REFUSED(HEADER ROW_1 TRAILER ROW_1 TRAILER, "there are more data behind their end, after 1 rows");
	REFUSED(HEADER ROW_1 "\0\1" "\0\0\0\4" "\0\0\1\2", "a row has 1 columns instead of 2, after 1 rows");
	REFUSED(HEADER "\xff\xfe", "a row has -2 columns instead of 2, after 0 rows");
	REFUSED(HEADER "\0\2" "\xff\xff\xff\xfe", "a column has the length -2, after 0 rows");
	REFUSED(HEADER "\0\2" "\x7f\xff\xff\xff", "a column has the length 2147483647, after 0 rows");
	REFUSED(HEADER "\0\2" "\x40\0\0\0", "a column has the length 1073741824, after 0 rows");
	REFUSED(HEADER "\0\2" "\x3f\xff\xff\xff" "x", "the data end in the middle of a row, after 0 rows");

	for (int i = 0; i < 200000; i++)
	{
		size_t		len = random_below(2) ? SOUND_LEN : random_below(SOUND_LEN);

		memcpy(mutated, sound, SOUND_LEN);
		for (int n = random_below(4); n >= 0; n--)
			mutated[random_below(SOUND_LEN)] = (char) random_below(256);
		read_all(mutated, len, error, sizeof(error));
	}
}

/*
 * JSON
 */

static bool
skips(const char *text_of)
{
	size_t		len = strlen(text_of);
	char	   *exact = exact_copy(text_of, len);
	JsonCursor	cursor;
	bool		good;

	json_open(&cursor, exact, len);
	json_skip(&cursor);
	good = json_end(&cursor);
	free(exact);
	return good;
}

static void
string_is(const char *json, const char *expected)
{
	JsonCursor	cursor;
	char	   *str;

	json_open(&cursor, json, strlen(json));
	str = json_string(&cursor);
	CHECK((str == NULL) == (expected == NULL) && (str == NULL || strcmp(str, expected) == 0), "string %s is %s", json, str);
	CHECK(json_end(&cursor) == (expected != NULL), "end of string %s", json);
	pg_free(str);
}

static void
number_is(const char *json, bool good, int64 expected)
{
	JsonCursor	cursor;
	int64		n = 0;

	json_open(&cursor, json, strlen(json));
	CHECK(json_int8(&cursor, &n) == good && n == expected, "number %s is " INT64_FORMAT, json, n);
	CHECK(json_end(&cursor) == good, "end of number %s", json);
}

static void
test_json(void)
{
	static const char *const good[] = {
		"{}", "[]", " [ ] ", "{\"a\": 1}", "{\"a\": 1, \"b\": [1, 2, {\"c\": null}], \"d\": \"x\"}", "[[], {}, [[]]]", "true", "-1.5e+3", "\"\"",
		"[\"]\", \"}\", \"\\\"\"]", "{\"a\": {\"b\": {}}, \"c\": []}"
	};
	static const char *const bad[] = {
		"", "{", "[", "]", "}", "{]", "[}", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\" 1}", "{\"a\": }", "{1: 1}", "{\"a\": 1,}", "[1]]", "\"", "\"a",
		"{\"a\": 1 \"b\": 2}", "[\"\xff\"]", "\"\n\"", "\"\\x\"", "\"\\u12\"", "\"\\u0000\"", "[[[[", "{\"a\": [}", "[1}", "{\"a\": 1]"
	};
	static const char alphabet[] = "{}[]:,\"\\u0a1-\t x";
	char		deep[2 * 1001 + 1];

	for (int i = 0; i < lengthof(good); i++)
		CHECK(skips(good[i]), "refused: %s", good[i]);
	for (int i = 0; i < lengthof(bad); i++)
		CHECK(!skips(bad[i]), "accepted: %s", bad[i]);

	string_is("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\b\f\n\r\t");
	string_is("\"\\u00e9\\uD83D\\uDe00\xc3\xa9\"", "\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9");
	string_is("\"\\ud83d\"", NULL);
	string_is("\"\\ud83dx\"", NULL);
	string_is("\"\\ud83d\\u0041\"", NULL);
	string_is("\"\\ude00\"", NULL);
	string_is("1", NULL);
	number_is("0", true, 0);
	number_is("-7", true, -7);
	number_is("9223372036854775807", true, PG_INT64_MAX);
	number_is("-9223372036854775808", true, PG_INT64_MIN);
	number_is("9223372036854775808", false, 0);
	number_is("-9223372036854775809", false, 0);
	number_is("01", false, 0);
	number_is("1.0", false, 0);
	number_is("1e3", false, 0);
	number_is("-", false, 0);
	number_is("+1", false, 0);
	number_is("x", false, 0);

	memset(deep, '[', 1001);
	memset(deep + 1001, ']', 1001);
	deep[2 * 1001] = '\0';
	CHECK(!skips(deep), "too deep");
	deep[2 * 1001 - 1] = '\0';
	CHECK(skips(deep + 1), "deep");

	for (int i = 0; i < 200000; i++)
	{
		char		noise[24];
		int			len = random_below(sizeof(noise));

		for (int j = 0; j < len; j++)
			noise[j] = alphabet[random_below(sizeof(alphabet) - 1)];
		noise[len] = '\0';
		skips(noise);
	}
}

/*
 * Trees
 */

#define LEAVES_MAX 1200

static MerkleHash leaves[LEAVES_MAX];

typedef struct TreeSeen
{
	int64		last;			/* size of the last root */
	int			nroots;
	int			nnodes;			/* of level 8 */
} TreeSeen;

static void
expected_root(int64 size, MerkleHash root)
{
	MerkleRange range;

	merkle_range_init(&range, 0);
	for (int64 i = 0; i < size; i++)
		merkle_range_add_leaf(&range, leaves[i], NULL, NULL);
	merkle_range_root(&range, root);
}

static void
see_root(void *arg, int64 size, const MerkleHash root)
{
	TreeSeen   *seen = arg;
	MerkleHash	expected;

	expected_root(size, expected);
	CHECK(memcmp(root, expected, MERKLE_HASH_LEN) == 0, "root of " INT64_FORMAT " leaves", size);
	CHECK(size > seen->last, "sizes do not ascend");
	seen->last = size;
	seen->nroots++;
}

static void
see_node(void *arg, const MerkleNode *node)
{
	if (node->level == 8)
		((TreeSeen *) arg)->nnodes++;
}

#define PATCH_LEVEL 4

/* Nodes that would be stored: of what is below the size alone */
static bool
fetch_node(void *arg, int level, int64 index, MerkleHash hash)
{
	MerkleRange range;

	if (level != PATCH_LEVEL || (index + 1) << level > *(int *) arg)
		return false;
	merkle_range_init(&range, index << level);
	for (int64 i = index << level; i < (index + 1) << level; i++)
		merkle_range_add_leaf(&range, leaves[i], NULL, NULL);
	if (range.n != 1)
		return false;
	memcpy(hash, range.nodes[0].hash, MERKLE_HASH_LEN);
	return true;
}

/*
 * Add all leaves, run by run in a random order, some of them as complete nodes.
 * With `missing`, one run is left out.
 */
static void
random_tree(int size, bool missing)
{
	int64	   *cuts = pg_malloc(10 * sizeof(int64));
	int			ncuts = 1 + random_below(9);
	int			begins[LEAVES_MAX + 1];
	int			nruns = 0;
	int			hole = -1;
	int			hole_end = -1;
	int64		replaced;
	int64		stopped;
	TreeSeen	seen = {0};
	Tree		tree;

	cuts[0] = size;
	for (int i = 1; i < ncuts; i++)
		cuts[i] = random_below(size + 1);
	tree_open(&tree, cuts, ncuts, see_root, see_node, &seen);
	for (int i = 0; i < size; i += 1 + random_below(random_below(2) ? 4 : 300))
		begins[nruns++] = i;
	begins[nruns] = size;
	if (missing)
		hole = begins[random_below(nruns)];

	for (int left = nruns; left > 0; left--)
	{
		int			run = random_below(left);
		int			from = begins[run];
		int			to = size;

		for (int i = 0; i <= nruns; i++)
		{
			if (begins[i] > from && begins[i] < to)
				to = begins[i];
		}
		begins[run] = begins[left - 1];
		begins[left - 1] = from;
		if (from == hole)
		{
			hole_end = to;
			continue;
		}
		while (from < to)
		{
			/* two leaves as their parent, now and then */
			if (from % 2 == 0 && from + 2 <= to && tree_cut_above(&tree, from) != from + 1 && random_below(3) == 0)
			{
				MerkleHash	node;

				merkle_node_hash(leaves[from], leaves[from + 1], node);
				tree_add_node(&tree, 1, from / 2, node);
				from += 2;
			}
			else
			{
				tree_add_leaf(&tree, from, leaves[from]);
				from++;
			}
		}
	}
	/* what lies behind the last cut is of no interest */
	tree_add_leaf(&tree, size + 7, leaves[0]);
	stopped = tree_finish(&tree, PATCH_LEVEL, fetch_node, &size);
	replaced = tree.replaced;
	if (!missing)
	{
		CHECK(replaced == 0 && stopped == -1, "not finished at " INT64_FORMAT, stopped);
		CHECK(seen.last == size, "last root " INT64_FORMAT, seen.last);
		CHECK(seen.nnodes == size / 256, "%d nodes of %d leaves", seen.nnodes, size);
	}
	else if (hole_end > size >> PATCH_LEVEL << PATCH_LEVEL)
		CHECK(stopped > hole, "stopped at " INT64_FORMAT ", hole %d to %d, size %d", stopped, hole, hole_end, size);
	else
	{
		/* from the first leaf to the last of the nodes that cover the hole */
		int64		first = hole >> PATCH_LEVEL;
		int64		last = (hole_end - 1) >> PATCH_LEVEL;

		CHECK(stopped == -1 && seen.last == size, "stopped at " INT64_FORMAT, stopped);
		CHECK(replaced == (last - first + 1) << PATCH_LEVEL, INT64_FORMAT " leaves replaced, hole %d to %d", replaced, hole, hole_end);
	}
	tree_close(&tree);
}

static void
test_tree(void)
{
	TreeSeen	seen = {0};
	int			size = 1;
	Tree		tree;

	for (int i = 0; i < LEAVES_MAX; i++)
		crypto_sha256(&i, sizeof(i), leaves[i]);
	for (int i = 0; i < 300; i++)
		random_tree(1 + random_below(random_below(2) ? 40 : LEAVES_MAX), i % 3 == 0);

	tree_open(&tree, pg_malloc(sizeof(int64)), 0, see_root, see_node, &seen);
	tree_add_leaf(&tree, 0, leaves[0]);
	CHECK(tree_finish(&tree, PATCH_LEVEL, fetch_node, &size) == -1 && seen.nroots == 0, "a tree without cuts");
	tree_close(&tree);
}

int
main(int argc, char **argv)
{
	pg_prng_seed(&prng, argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
	test_copy();
	test_json();
	test_tree();
	printf("%d checks, %d failed\n", checks, failures);
	return failures > 0;
}
