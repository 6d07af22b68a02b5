/*-------------------------------------------------------------------------
 *
 * notes.c
 *	  Checkpoints that were kept elsewhere, and the keys to believe
 *
 * A key's name is the origin of the log whose checkpoints it signs; so the
 * keys given say which logs are believed at all, and not the server.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <fcntl.h>
#include <unistd.h>

#include "notes.h"

#define NOTE_MAX_LEN 65536

/* Microseconds since 2000 of 1970 */
#define UNIX_EPOCH (INT64CONST(-946684800) * 1000000)

static bool
add_key(NoteKey **keys, int *n, const char *vkey, uint8 type, const char **reason)
{
	NoteKey		key;

	if (!note_key_read(vkey, &key, reason))
		return false;
	if (key.type != type)
	{
		*reason = type == NOTE_ED25519 ? "This is not the key of a log." : "This is not the key of a witness.";
		return false;
	}
	*keys = pg_realloc(*keys, (*n + 1) * sizeof(NoteKey));
	(*keys)[(*n)++] = key;
	return true;
}

bool
notes_add_key(Notes *notes, const char *vkey, const char **reason)
{
	return add_key(&notes->keys, &notes->nkeys, vkey, NOTE_ED25519, reason);
}

/*
 * A cosignature does not cover the witness's name: one public key under two
 * names is one witness.
 */
bool
notes_add_witness(Notes *notes, const char *vkey, const char **reason)
{
	const NoteKey *added;

	if (!add_key(&notes->witnesses, &notes->nwitnesses, vkey, NOTE_COSIGNATURE, reason))
		return false;
	added = &notes->witnesses[notes->nwitnesses - 1];
	for (int i = 0; i < notes->nwitnesses - 1; i++)
	{
		if (memcmp(notes->witnesses[i].public_key, added->public_key, CRYPTO_PUBLIC_KEY_LEN) == 0)
		{
			*reason = "This witness was given before.";
			return false;
		}
	}
	return true;
}

bool
notes_add_checkpoint(Notes *notes, const char *file, char **error)
{
	int			fd = open(file, O_RDONLY | PG_BINARY, 0);
	char	   *str = pg_malloc(NOTE_MAX_LEN + 1);
	ssize_t		len = 0;
	ssize_t		n = 0;
	KeptCheckpoint *checkpoint;

	while (fd >= 0 && len <= NOTE_MAX_LEN && (n = read(fd, str + len, NOTE_MAX_LEN + 1 - len)) > 0)
		len += n;
	if (fd < 0 || n < 0)
		*error = psprintf("could not read file \"%s\": %s", file, strerror(errno));
	else if (len > NOTE_MAX_LEN)
		*error = psprintf("file \"%s\" is too long for a checkpoint", file);
	else
		*error = NULL;
	if (fd >= 0)
		close(fd);
	if (*error != NULL)
	{
		pg_free(str);
		return false;
	}

	notes->checkpoints = pg_realloc(notes->checkpoints, (notes->ncheckpoints + 1) * sizeof(KeptCheckpoint));
	checkpoint = &notes->checkpoints[notes->ncheckpoints++];
	memset(checkpoint, 0, sizeof(*checkpoint));
	checkpoint->file = file;
	/* psql ends what it prints with a newline, and a note ends with one */
	if (len >= 2 && str[len - 1] == '\n' && str[len - 2] == '\n')
		len--;
	str[len] = '\0';
	checkpoint->text = str;
	checkpoint->len = len;
	checkpoint->blobs = pg_malloc(len + 1);
	return true;
}

static void
find(const KeptCheckpoint *checkpoint, Report *report, FindingKind kind, const char *what)
{
	report_finding(report, kind, NO_STRAND, NO_SEQ, "%s: %s", checkpoint->file, what);
}

/* Is it signed with a given key for its origin?  Every such key must agree. */
static bool
judge_signature(const Notes *notes, const KeptCheckpoint *checkpoint, const Note *note, Report *report)
{
	bool		known = false;
	bool		good = false;

	for (int i = 0; i < notes->nkeys; i++)
	{
		if (strcmp(notes->keys[i].name, checkpoint->origin) != 0)
			continue;
		known = true;
		switch (note_verify(note, &notes->keys[i], NULL))
		{
			case NOTE_GOOD:
				good = true;
				break;
			case NOTE_BAD:
				find(checkpoint, report, FOUND_SIGNATURE, "The signature is not that of the given key.");
				return false;
			case NOTE_KEY_UNKNOWN:
				break;
		}
	}
	if (!good)
		find(checkpoint, report, FOUND_SIGNATURE,
			 known ? "The given key has not signed it." : "No key was given for its origin.");
	return good;
}

static int
compare_times(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static bool
judge_witnesses(const Notes *notes, KeptCheckpoint *checkpoint, const Note *note, Report *report)
{
	int64	   *times = pg_malloc((notes->nwitnesses + 1) * sizeof(int64));
	int			good = 0;

	for (int i = 0; i < notes->nwitnesses; i++)
	{
		char	   *message;

		switch (note_verify(note, &notes->witnesses[i], &times[good]))
		{
			case NOTE_GOOD:
				good++;
				break;
			case NOTE_BAD:
				message = psprintf("The cosignature of witness %s is not good.", notes->witnesses[i].name);
				find(checkpoint, report, FOUND_SIGNATURE, message);
				pg_free(message);
				break;
			case NOTE_KEY_UNKNOWN:
				break;
		}
	}
	checkpoint->cosignatures = good;
	if (good > 0)
	{
		int64		time;

		qsort(times, good, sizeof(int64), compare_times);
		time = times[Min(good, Max(notes->quorum, 1)) - 1];
		/* times beyond those of PostgreSQL are as good as none */
		if (time < PG_INT64_MAX / 1000000 / 2)
			checkpoint->cosigned_at = time * 1000000 + UNIX_EPOCH;
	}
	pg_free(times);
	if (good < notes->quorum)
	{
		char	   *message = psprintf("%d of %d witnesses have cosigned it; %d are demanded. Let the others see it.",
									   good, notes->nwitnesses, notes->quorum);

		find(checkpoint, report, FOUND_COSIGNATURES, message);
		pg_free(message);
	}
	return good >= notes->quorum;
}

void
notes_judge(Notes *notes, Report *report)
{
	for (int i = 0; i < notes->ncheckpoints; i++)
	{
		KeptCheckpoint *checkpoint = &notes->checkpoints[i];
		Note		note;
		Checkpoint	said;
		const char *reason;

		if (!note_read(checkpoint->text, checkpoint->len, checkpoint->blobs, &note, &reason) ||
			!checkpoint_read(note.text, &said, &reason))
		{
			char	   *message = psprintf("This is no checkpoint. %s", reason);

			find(checkpoint, report, FOUND_SIGNATURE, message);
			pg_free(message);
			continue;
		}
		checkpoint->origin = pg_strdup(said.origin.data);
		checkpoint->origin[said.origin.len] = '\0';
		checkpoint->size = said.size;
		memcpy(checkpoint->root, said.root, MERKLE_HASH_LEN);
		checkpoint->believed = judge_signature(notes, checkpoint, &note, report) &&
			judge_witnesses(notes, checkpoint, &note, report);
	}
}

void
notes_report_unused(const Notes *notes, Report *report)
{
	for (int i = 0; i < notes->ncheckpoints; i++)
	{
		const KeptCheckpoint *checkpoint = &notes->checkpoints[i];

		if (checkpoint->believed && !checkpoint->compared)
			report_finding(report, FOUND_LOG, NO_STRAND, NO_SEQ,
						   "%s: None of the chains that were checked has the origin %s. If there should be one, it was chained anew, or anshim.chain was edited.",
						   checkpoint->file, checkpoint->origin);
	}
}
