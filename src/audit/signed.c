/*-------------------------------------------------------------------------
 *
 * signed.c
 *	  Is the log the one that was signed?
 *
 * A checkpoint says what root the log has at one size.  The blocks, whose
 * roots are proven of the rows, say so too; the two must agree.  The
 * checkpoint that the caller gives, kept outside, is what counts: nobody who
 * holds the database can have changed it.  Those that are stored here, and the
 * head that was signed last, are compared as well.
 *
 * Which keys to believe is the caller's to say.  If she says nothing, those of
 * anshim.key are taken, which a superuser can add to.
 *
 * Memory: a batch of stored checkpoints.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "audit.h"
#include "key/key.h"
#include "log/head.h"

/* Stored checkpoints that are read at a time */
#define BATCH 100

/* Who says so, for messages: the beginning of a sentence. */
typedef struct Source
{
	FindingKind differs;
	const char *name;
} Source;

/*
 * What the log says it was at this size; false if it never was.
 */
static bool
root_at(Audit *audit, int64 size, MerkleHash root)
{
	if (size == 0)
	{
		merkle_empty_root(root);
		return true;
	}
	return log_block_of_size(&audit->chain->id, size, audit->snapshot, root);
}

static void
compare_root(Audit *audit, Source source, int64 size, const MerkleHash root)
{
	LogBlock	last;
	MerkleHash	ours;

	if (!log_last_block(&audit->chain->id, audit->snapshot, &last))
		last.size = 0;
	if (size > last.size)
		finding(audit, source.differs, NO_STRAND, NO_SEQ,
				"%s is of " INT64_FORMAT " leaves; the log has " INT64_FORMAT ". "
				"It was longer once: this is an older copy of the database, or blocks were removed.",
				source.name, size, last.size);
	else if (!root_at(audit, size, ours))
		finding(audit, source.differs, NO_STRAND, NO_SEQ,
				"%s is of " INT64_FORMAT " leaves; no block of the log ends there. "
				"This log was sealed anew, or its blocks were edited.", source.name, size);
	else if (memcmp(ours, root, MERKLE_HASH_LEN) != 0)
		finding(audit, source.differs, NO_STRAND, NO_SEQ,
				"%s has another root at " INT64_FORMAT " leaves than the log: what was sealed up to there was rewritten. "
				"Compare the rows with a backup that makes the checkpoint's root.", source.name, size);
}

/* Another origin: another log, or anshim.chain was edited.  origin is UTF-8. */
static bool
compare_origin(Audit *audit, const char *name, const char *origin)
{
	char	   *shown = server_from_utf8(origin, strlen(origin));

	if (strcmp(shown, audit->chain->origin) == 0)
		return true;
	finding(audit, FOUND_LOG, NO_STRAND, NO_SEQ,
			"%s is of log \"%s\"; this one is \"%s\".", name, shown, audit->chain->origin);
	return false;
}

/*
 * Signatures
 */

static void
find_signature(Audit *audit, const char *name, const char *what)
{
	finding(audit, FOUND_SIGNATURE, NO_STRAND, NO_SEQ, "%s: %s", name, what);
}

/* Any of the keys here? */
static bool
signed_by_known_key(Audit *audit, const char *name, const Note *note, const char *origin)
{
	bool		good = false;

	SPI_connect();
	if (SPI_execute("SELECT kid, public_key, revoked_at <= pg_catalog.now() FROM anshim.key WHERE algorithm = 'Ed25519'",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read anshim.key");
	for (uint64 i = 0; i < SPI_processed && !good; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		public_key = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);
		NoteKey		key = {.type = NOTE_ED25519};
		Datum		revoked;

		strlcpy(key.name, origin, sizeof(key.name));
		memcpy(key.public_key, VARDATA_ANY(DatumGetByteaPP(public_key)), CRYPTO_PUBLIC_KEY_LEN);
		note_key_id(&key);
		if (note_verify(note, &key, NULL) != NOTE_GOOD)
			continue;
		revoked = SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull);
		if (!isnull && DatumGetBool(revoked))
			find_signature(audit, name,
						   psprintf("key \"%s\" was revoked. If the checkpoint is older than that, say so by pinning the key: vkey => '...'.",
									SPI_getvalue(row, SPI_tuptable->tupdesc, 1)));
		good = true;
	}
	SPI_finish();
	return good;
}

static bool
signature_is_good(Audit *audit, const char *name, const Note *note, const char *origin,
				  const Trust *trust)
{
	NoteKey		key;
	const char *reason;

	if (trust->vkey == NULL)
	{
		if (signed_by_known_key(audit, name, note, origin))
			return true;
		find_signature(audit, name, "no key of anshim.key has signed it.");
		return false;
	}
	if (!note_key_read(trust->vkey, &key, &reason))
		elog(ERROR, "the verifier key was not checked");
	switch (note_verify(note, &key, NULL))
	{
		case NOTE_GOOD:
			return true;
		case NOTE_BAD:
			find_signature(audit, name, "the signature is not that of the given key.");
			return false;
		default:
			find_signature(audit, name, "the given key has not signed it.");
			return false;
	}
}

static void
check_witnesses(Audit *audit, const char *name, const Note *note, const Trust *trust)
{
	int			good = 0;

	for (int i = 0; i < trust->nwitnesses; i++)
	{
		NoteKey		key;
		const char *reason;
		NoteVerdict verdict;

		if (!note_key_read(trust->witnesses[i], &key, &reason))
			elog(ERROR, "the verifier key was not checked");
		verdict = note_verify(note, &key, NULL);
		if (verdict == NOTE_GOOD)
			good++;
		else if (verdict == NOTE_BAD)
			find_signature(audit, name,
						   psprintf("the cosignature of witness %s is not good.", key.name));
	}
	if (good < trust->quorum)
		finding(audit, FOUND_COSIGNATURES, NO_STRAND, NO_SEQ,
				"%s: %d of %d witnesses have cosigned it; %d are demanded. Let the others see it.",
				name, good, trust->nwitnesses, trust->quorum);
}

/*
 * Take a note apart.  False, and a finding, if it is not a checkpoint.
 */
static bool
read_checkpoint(Audit *audit, const char *name, const char *utf8, Size len,
				Note *note, Checkpoint *checkpoint)
{
	const char *reason = NULL;

	if (note_read(utf8, len, palloc(Max(len, 1)), note, &reason) &&
		checkpoint_read(note->text, checkpoint, &reason))
		return true;
	find_signature(audit, name, psprintf("this is no checkpoint. %s", reason));
	return false;
}

/*
 * The checkpoint that the caller has kept
 */
void
checkpoint_check(Audit *audit, const char *data, Size len, const Trust *trust)
{
	Source		source = {FOUND_LOG, "The checkpoint"};
	const char *utf8 = utf8_from_server(data, len);
	Note		note;
	Checkpoint	checkpoint;
	char	   *origin;

	if (!read_checkpoint(audit, source.name, utf8, strlen(utf8), &note, &checkpoint))
		return;
	origin = pnstrdup(checkpoint.origin.data, checkpoint.origin.len);
	if (!signature_is_good(audit, source.name, &note, origin, trust))
		return;
	check_witnesses(audit, source.name, &note, trust);
	if (compare_origin(audit, source.name, origin))
		compare_root(audit, source, checkpoint.size, checkpoint.root);
}

/*
 * A row of anshim.checkpoint
 */
static void
check_stored(Audit *audit, HeapTuple row, TupleDesc tupdesc)
{
	bool		isnull;
	int64		size = DatumGetInt64(SPI_getbinval(row, tupdesc, 1, &isnull));
	bytea	   *root = DatumGetByteaPP(SPI_getbinval(row, tupdesc, 2, &isnull));
	text	   *stored = DatumGetTextPP(SPI_getbinval(row, tupdesc, 3, &isnull));
	char	   *kid = SPI_getvalue(row, tupdesc, 4);
	Datum		public_key = SPI_getbinval(row, tupdesc, 5, &isnull);
	bool		key_known = !isnull;
	bool		revoked = DatumGetBool(SPI_getbinval(row, tupdesc, 6, &isnull)) && !isnull;
	char	   *name = psprintf("The row of anshim.checkpoint with size " INT64_FORMAT, size);
	Source		source = {FOUND_LOG, name};
	char	   *utf8 = utf8_from_server(VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
	char	   *origin = utf8_from_server(audit->chain->origin, strlen(audit->chain->origin));
	NoteKey		key = {.type = NOTE_ED25519};
	Note		note;
	Checkpoint	checkpoint;

	if (!read_checkpoint(audit, name, utf8, strlen(utf8), &note, &checkpoint))
		return;
	if (!key_known)
	{
		find_signature(audit, name, psprintf("its key \"%s\" is not in anshim.key.", kid));
		return;
	}
	strlcpy(key.name, origin, sizeof(key.name));
	memcpy(key.public_key, VARDATA_ANY(DatumGetByteaPP(public_key)), CRYPTO_PUBLIC_KEY_LEN);
	note_key_id(&key);
	if (note_verify(&note, &key, NULL) != NOTE_GOOD)
		find_signature(audit, name, psprintf("key \"%s\" has not signed it.", kid));
	else if (revoked)
		find_signature(audit, name, psprintf("key \"%s\" had been revoked when it signed.", kid));
	else if (checkpoint.size != size || VARSIZE_ANY_EXHDR(root) != MERKLE_HASH_LEN ||
			 memcmp(VARDATA_ANY(root), checkpoint.root, MERKLE_HASH_LEN) != 0)
		finding(audit, FOUND_LOG, NO_STRAND, NO_SEQ,
				"%s: its note says another size or root.", name);
	else
		compare_root(audit, source, checkpoint.size, checkpoint.root);
}

static void
check_all_stored(Audit *audit)
{
	Oid			types[] = {UUIDOID};
	Datum		values[] = {UUIDPGetDatum(&audit->chain->id)};
	MemoryContext scratch;
	Portal		portal;

	SPI_connect();
	scratch = AllocSetContextCreate(CurrentMemoryContext, "anshim checkpoints",
									ALLOCSET_DEFAULT_SIZES);
	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT size, root, note, c.kid, public_key, revoked_at <= signed_at "
									   "FROM anshim.checkpoint AS c LEFT JOIN anshim.key AS k ON k.kid = c.kid AND algorithm = 'Ed25519' "
									   "WHERE chain = $1 ORDER BY size",
									   1, types, values, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, BATCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(scratch);

			CHECK_FOR_INTERRUPTS();
			check_stored(audit, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
			MemoryContextSwitchTo(old);
			MemoryContextReset(scratch);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
}

/*
 * While we verify, others go on sealing and signing: our snapshot need not show
 * the block that the newest head is of.
 */
static bool
is_sealed_by_now(const Audit *audit, int64 size, const MerkleHash root)
{
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	MerkleHash	ours;
	bool		result;

	result = log_block_of_size(&audit->chain->id, size, latest, ours) &&
		memcmp(ours, root, MERKLE_HASH_LEN) == 0;
	UnregisterSnapshot(latest);
	return result;
}

void
checkpoints_check(Audit *audit)
{
	Source		source = {FOUND_ROLLED_BACK, "The checkpoint that was signed last, by anshim.head_directory,"};
	Head		head;

	check_all_stored(audit);
	if (!head_of_chain(&audit->chain->id, &head))
		return;
	compare_origin(audit, source.name, head.origin);
	if (!is_sealed_by_now(audit, head.size, head.root))
		compare_root(audit, source, head.size, head.root);
}
