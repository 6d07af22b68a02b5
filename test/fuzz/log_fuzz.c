/*-------------------------------------------------------------------------
 *
 * log_fuzz.c
 *	  Fuzz target: notes, checkpoints, keys and proofs that others send
 *
 * The first byte says how the others are to be taken.  What must hold, besides
 * that no sanitizer complains:
 *
 *	- a verifier key that is read is written again as it was;
 *	- a note that is read is its text, an empty line and its signatures, and a
 *	  checkpoint without extensions is written again as it was;
 *	- a proof that was made verifies, and with one bit changed it does not.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "fuzz.h"
#include "log/merkle.h"
#include "log/note.h"

#define MAX_INPUT 8192
#define MAX_LEAVES 300

static void
take_key(const char *text)
{
	NoteKey		key;
	const char *reason = NULL;
	char		again[NOTE_VKEY_MAX];

	if (!note_key_read(text, &key, &reason))
	{
		MUST(reason != NULL);
		return;
	}
	MUST(note_key_write(&key, again) == strlen(text));
	MUST(strcmp(again, text) == 0);
}

static void
take_checkpoint(NoteText text)
{
	Checkpoint	checkpoint;
	const char *reason = NULL;
	char		origin[NOTE_ORIGIN_MAX_LEN + 1];
	char		again[CHECKPOINT_TEXT_MAX];

	if (!checkpoint_read(text, &checkpoint, &reason))
	{
		MUST(reason != NULL);
		return;
	}
	MUST(checkpoint.size >= 0 && checkpoint.origin.len <= NOTE_ORIGIN_MAX_LEN);
	if (checkpoint.extensions.len > 0)
		return;
	memcpy(origin, checkpoint.origin.data, checkpoint.origin.len);
	origin[checkpoint.origin.len] = '\0';
	MUST(checkpoint_write(origin, checkpoint.size, checkpoint.root, again) == text.len);
	MUST(memcmp(again, text.data, text.len) == 0);
}

static void
take_note(const char *data, Size len)
{
	static uint8 blobs[MAX_INPUT];
	Note		note;
	const char *reason = NULL;
	Size		at;

	if (!note_read(data, len, blobs, &note, &reason))
	{
		MUST(reason != NULL);
		return;
	}
	MUST(note.text.data == data);
	at = note.text.len;
	MUST(at < len && data[at] == '\n');
	at++;
	MUST(note.nsignatures > 0);
	for (int i = 0; i < note.nsignatures; i++)
	{
		MUST(note.signatures[i].line.data == data + at);
		at += note.signatures[i].line.len;
	}
	MUST(at == len);
	take_checkpoint(note.text);
}

/*
 * MerkleFetch: the node of a tree whose leaf hashes are a function of their
 * indexes, computed from its leaves.
 */
static bool
fetch_node(void *arg, int level, int64 index, MerkleHash hash)
{
	MerkleRange range;
	int64		size = *(int64 *) arg;

	if (((index + 1) << level) > size)
		return false;
	if (level == 0)
	{
		crypto_sha256(&index, sizeof(index), hash);
		return true;
	}
	merkle_range_init(&range, index << level);
	for (int64 i = index << level; i < (index + 1) << level; i++)
	{
		MerkleHash	leaf;

		crypto_sha256(&i, sizeof(i), leaf);
		merkle_range_add_leaf(&range, leaf, NULL, NULL);
	}
	MUST(range.n == 1);
	memcpy(hash, range.nodes[0].hash, sizeof(MerkleHash));
	return true;
}

static void
take_proofs(const uint8 *data, Size len)
{
	int64		size;
	int64		index;
	int64		old_size;
	int			n;
	MerkleHash	path[MERKLE_PATH_MAX];
	MerkleHash	leaf;
	MerkleHash	root;
	MerkleHash	old_root;
	Size		bit;

	if (len < 8)
		return;
	size = 1 + ((data[0] << 8) | data[1]) % MAX_LEAVES;
	index = ((data[2] << 8) | data[3]) % size;
	old_size = 1 + ((data[4] << 8) | data[5]) % size;
	bit = (data[6] << 8) | data[7];

	MUST(merkle_root(size, fetch_node, &size, root));
	MUST(merkle_root(old_size, fetch_node, &size, old_root));
	MUST(fetch_node(&size, 0, index, leaf));
	MUST(merkle_inclusion_path(index, size, fetch_node, &size, path, &n));
	MUST(merkle_verify_inclusion(leaf, index, size, path, n, root));
	if (n > 0)
	{
		MUST(!merkle_verify_inclusion(leaf, index, size, path, n - 1, root));
		path[bit / 256 % n][bit / 8 % 32] ^= 1 << bit % 8;
		MUST(!merkle_verify_inclusion(leaf, index, size, path, n, root));
	}

	MUST(merkle_consistency_path(old_size, size, fetch_node, &size, path, &n));
	MUST(merkle_verify_consistency(old_size, size, old_root, root, path, n));
	if (n > 0)
	{
		path[bit / 256 % n][bit / 8 % 32] ^= 1 << bit % 8;
		MUST(!merkle_verify_consistency(old_size, size, old_root, root, path, n));
	}
}

/* Numbers and hashes that nobody made. */
static void
take_false_proof(const uint8 *data, Size len)
{
	static MerkleHash path[MERKLE_PATH_MAX];
	MerkleHash	leaf = {0};
	MerkleHash	root = {1};
	int64		numbers[2];
	int			n;

	if (len < sizeof(numbers))
		return;
	memcpy(numbers, data, sizeof(numbers));
	data += sizeof(numbers);
	len -= sizeof(numbers);
	n = (int) Min(len / sizeof(MerkleHash), MERKLE_PATH_MAX);
	memcpy(path, data, n * sizeof(MerkleHash));
	MUST(!merkle_verify_inclusion(leaf, numbers[0], numbers[1], path, n, root));
	(void) merkle_verify_consistency(numbers[0], numbers[1], leaf, root, path, n);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	static char text[MAX_INPUT + 1];

	if (size < 1 || size > MAX_INPUT)
		return 0;
	size--;
	memcpy(text, data + 1, size);
	text[		size] = '\0';

	switch (data[0] % 4)
	{
		case 0:
			take_key(text);
			break;
		case 1:
			{
				/* exactly as long, so that a read behind it is seen */
				char	   *copy = malloc(size > 0 ? size : 1);

				memcpy(copy, data + 1, size);
				take_note(copy, size);
				free(copy);
				break;
			}
		case 2:
			take_proofs(data + 1, size);
			break;
		default:
			take_false_proof(data + 1, size);
			break;
	}
	return 0;
}
