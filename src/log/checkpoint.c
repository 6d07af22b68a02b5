/*-------------------------------------------------------------------------
 *
 * checkpoint.c
 *	  anshim.checkpoint(), and checking checkpoints
 *
 * A checkpoint is a promise never to sign another history.  So before one is
 * returned, what it stands for must be settled: in a block whose transaction
 * has committed, with that commit on disk, and on the synchronous standbys
 * where there are any; and the log must continue the checkpoint signed last,
 * which lies outside of the database (head.c).
 *
 * The order is: look at the head, sign in memory, write the row of
 * anshim.checkpoint, flush the WAL up to there and wait for the standbys, which
 * brings every earlier commit with it, replace the head if it is still what was
 * looked at, return.  Whatever fails leaves a head that was signed.
 *
 * Locking: log_lock(), against those who seal or sign in this database.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "chain/catalog.h"
#include "compat.h"
#include "log/checkpoint.h"
#include "log/store.h"

/* How often we look whether standbys have confirmed, in milliseconds */
#define STANDBY_INTERVAL 20

/* Columns of anshim.checkpoint, in sql/46-checkpoint.sql's order */
enum
{
	CHECKPOINT_CHAIN = 1,
	CHECKPOINT_SIZE,
	CHECKPOINT_ROOT,
	CHECKPOINT_KID
};

PG_FUNCTION_INFO_V1(anshim_checkpoint);
PG_FUNCTION_INFO_V1(anshim_adopt_head);
PG_FUNCTION_INFO_V1(anshim_vkey);
PG_FUNCTION_INFO_V1(anshim_verify_checkpoint);

/*
 * Keys
 */

void
log_require_ed25519(const Key *key)
{
	if (key->algorithm != CRYPTO_ED25519)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key \"%s\" cannot sign checkpoints", key->kid),
				 errdetail("It is of algorithm \"%s\".", key_algorithm_name(key->algorithm)),
				 errhint("Take a key of algorithm \"%s\".", key_algorithm_name(CRYPTO_ED25519))));
}

Key *
log_signing_key(text *kid)
{
	Key		   *key = key_for_signing(VARDATA_ANY(kid), VARSIZE_ANY_EXHDR(kid));

	log_require_ed25519(key);
	return key;
}

/* A key as it stands in signature lines, under this name (in UTF-8) */
void
log_note_key(NoteKey *note_key, const char *name, uint8 type, const Key *key)
{
	if (!note_name_is_valid(name, strlen(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be a name in signed notes",
						server_from_utf8(name, strlen(name))),
				 errdetail("Such names have 1 to %d bytes, no spaces and no plus signs.",
						   NOTE_ORIGIN_MAX_LEN)));
	strlcpy(note_key->name, name, sizeof(note_key->name));
	note_key->type = type;
	memcpy(note_key->public_key, key->public_key, CRYPTO_PUBLIC_KEY_LEN);
	note_key_id(note_key);
}

/* The key of this name, if it is one that notes can be signed with */
Key *
log_find_key(text *kid)
{
	Key		   *key = key_lookup(VARDATA_ANY(kid), VARSIZE_ANY_EXHDR(kid));

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", text_to_cstring(kid)),
				 errhint("The keys are in anshim.key.")));
	log_require_ed25519(key);
	return key;
}

Datum
log_vkey(const NoteKey *key)
{
	char		vkey[NOTE_VKEY_MAX];

	return CStringGetTextDatum(server_from_utf8(vkey, note_key_write(key, vkey)));
}

void
log_read_vkey(const char *vkey, NoteKey *key)
{
	const char *reason;

	if (!note_key_read(utf8_from_server(vkey, strlen(vkey)), key, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid verifier key: \"%s\"", vkey),
				 errdetail("%s", reason),
				 errhint("At a log anshim.vkey() gives its verifier key, at a witness "
						 "anshim.witness_vkey().")));
}

bool
log_read_note(text *data, Note *note, const char **reason)
{
	char	   *utf8 = utf8_from_server(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
	Size		len = strlen(utf8);

	return note_read(utf8, len, palloc(Max(len, 1)), note, reason);
}

/*
 * Is the log what the head says?
 */

static void
refuse_rolled_back(const Chain *chain, const char *what, int64 size, const Head *head)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the database has been rolled back"),
			 errdetail("The log of table \"%s\" %s: a checkpoint of %lld leaves was signed, and it has %lld.",
					   get_rel_name(chain->target), what, (long long) head->size, (long long) size),
			 errhint("Go back to the server that has the newer data. If they are lost, end this "
					 "chain with anshim.unchain(), and begin another.")));
}

/*
 * The log, of this size now, must continue the head.
 */
static void
check_continues(Chain *chain, Snapshot snapshot, const LogBlock *block, const Head *head)
{
	LogReader  *reader;
	MerkleHash	root;
	bool		found;

	if (block->size < head->size)
		refuse_rolled_back(chain, "is shorter than it was", block->size, head);

	reader = log_reader_begin(chain, snapshot);
	found = merkle_root(block->size, log_fetch, reader, root);
	if (!found || memcmp(root, block->root, MERKLE_HASH_LEN) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the log of table \"%s\" is damaged", get_rel_name(chain->target)),
				 errdetail("Its tree does not have the root of its block of %lld leaves. Nothing was signed.",
						   (long long) block->size),
				 errhint("See with anshim.verify_chain() what is amiss.")));
	if (head->note != NULL &&
		(!merkle_root(head->size, log_fetch, reader, root) ||
		 memcmp(root, head->root, MERKLE_HASH_LEN) != 0))
		refuse_rolled_back(chain, "has another root at that size", block->size, head);
	log_reader_end(reader);
}

/*
 * anshim.checkpoint
 */

/* Has a checkpoint been recorded: of this size, by this key, or any if none is given? */
static bool
is_recorded(const Chain *chain, Snapshot snapshot, int64 size, const char *kid)
{
	ScanKeyData keys[3];
	StoreScan	scan;
	bool		found;

	ScanKeyInit(&keys[0], CHECKPOINT_CHAIN, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&chain->id));
	ScanKeyInit(&keys[1], CHECKPOINT_SIZE, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(size));
	ScanKeyInit(&keys[2], CHECKPOINT_KID, BTEqualStrategyNumber, F_TEXTEQ,
				kid != NULL ? CStringGetTextDatum(kid) : (Datum) 0);
	store_scan_begin(&scan, "checkpoint", "checkpoint_pkey", snapshot, kid != NULL ? 3 : 1, keys);
	found = store_scan_next(&scan, ForwardScanDirection) != NULL;
	store_scan_end(&scan);
	return found;
}

static void
insert_signed(const Chain *chain, const LogBlock *block, const char *kid, text *note)
{
	Datum		values[] = {
		UUIDPGetDatum(&chain->id),
		Int64GetDatum(block->size),
		store_hash_datum(block->root),
		CStringGetTextDatum(kid),
		PointerGetDatum(note),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};

	store_insert("checkpoint", values, NULL);
}

/*
 * Wait until the synchronous standbys, if there are any, have on their disks
 * what we have on ours, whatever synchronous_commit says.
 *
 * Not SyncRepWaitForLSN(): it can be cancelled into going on all the same.
 */
static void
wait_for_standbys(XLogRecPtr lsn)
{
	while (max_wal_senders > 0 && SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0')
	{
		bool		confirmed;

		LWLockAcquire(SyncRepLock, LW_SHARED);
		confirmed = WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH] >= lsn;
		LWLockRelease(SyncRepLock);
		if (confirmed)
			return;
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 STANDBY_INTERVAL, WAIT_EVENT_SYNC_REP);
		ResetLatch(MyLatch);
	}
}

/*
 * All that has been committed so far, our own WAL included, is safe after this.
 */
static void
settle(void)
{
	XLogRecPtr	lsn = XactLastRecEnd;

	if (XLogRecPtrIsInvalid(lsn))
		lsn = GetFlushRecPtr(NULL);
	XLogFlush(lsn);
	wait_for_standbys(lsn);
}

/* The whole note, in UTF-8 */
static char *
sign_block(const LogBlock *block, const NoteKey *note_key, Key *key)
{
	char		body[CHECKPOINT_TEXT_MAX];
	char		line[NOTE_LINE_MAX];
	uint8		signature[CRYPTO_SIGNATURE_MAX_LEN];
	Size		len = checkpoint_write(note_key->name, block->size, block->root, body);

	len = key_sign(key, (const uint8 *) body, len, signature);
	(void) note_line_write(note_key, signature, len, line);
	return psprintf("%s\n%s", body, line);
}

/*
 * The newest block that can be signed
 */
static void
choose_block(const Chain *chain, Snapshot snapshot, LogBlock *block)
{
	bool		newer;

	if (!store_last_settled_block(&chain->id, snapshot, block, &newer))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing is sealed of table \"%s\"", get_rel_name(chain->target)),
				 newer ? errdetail("What this transaction has sealed could still be rolled back.") : 0,
				 newer ? errhint("Commit first.") : errhint("Call anshim.seal() first.")));
	if (newer)
		ereport(NOTICE,
				(errmsg("the checkpoint does not cover what this transaction has sealed"),
				 errdetail("That could still be rolled back."),
				 errhint("Commit between anshim.seal() and anshim.checkpoint().")));
}

/*
 * Where checkpoints are recorded but no head is, the file is in another place.
 */
static void
require_head(const Chain *chain, Snapshot snapshot, const Head *head)
{
	if (head->note == NULL && is_recorded(chain, snapshot, 0, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("it is not known which checkpoint of table \"%s\" was signed last",
						get_rel_name(chain->target)),
				 errdetail("Checkpoints have been signed, but anshim.head_directory has no file \"%s\".",
						   head_name_of_chain(&chain->id)),
				 errhint("Bring the file from the server that has it, or call anshim.adopt_head() "
						 "with the newest checkpoint that is known outside.")));
}

/*
 * A note is text of this database, so its encoding must have the dash with
 * which signature lines begin.
 */
void
log_require_dash(void)
{
	static const char dash[] = "\xE2\x80\x94";
	int			encoding = GetDatabaseEncoding();
	unsigned char converted[MAX_CONVERSION_GROWTH * sizeof(dash)];
	Oid			proc;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return;
	proc = FindDefaultConversionProc(PG_UTF8, encoding);
	if (OidIsValid(proc) &&
		pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding, (unsigned char *) dash, strlen(dash),
									  converted, sizeof(converted), true) == strlen(dash))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
			 errmsg("checkpoints cannot be written in encoding \"%s\"", pg_encoding_to_char(encoding)),
			 errdetail("Their signatures begin with an em dash (U+2014), which it does not have."),
			 errhint("Use a database of encoding UTF8: links and seals of a chained table stay valid when it is dumped and restored there.")));
}

/*
 * Sign the newest block; NULL if that is to be done only once, and has been.
 */
static text *
sign_newest(Oid target, text *kid, bool once)
{
	Chain	   *chain;
	Snapshot	snapshot;
	LogBlock	block;
	NoteKey		note_key;
	Head		head;
	Key		   *key;
	char	   *name;
	char	   *utf8;
	text	   *note = NULL;
	bool		recorded;

	PreventCommandIfReadOnly("anshim.checkpoint()");
	log_require_dash();
	chain = chain_open(target, AccessShareLock);
	log_lock(&chain->id);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	choose_block(chain, snapshot, &block);

	key = log_signing_key(kid);
	recorded = is_recorded(chain, snapshot, block.size, key->kid);
	if (!recorded || !once)
	{
		log_note_key(&note_key, utf8_from_server(chain->origin, strlen(chain->origin)), NOTE_ED25519, key);
		name = head_name_of_chain(&chain->id);
		head_read(name, note_key.name, &head);
		require_head(chain, snapshot, &head);
		check_continues(chain, snapshot, &block, &head);

		/*
		 * raises an error where the encoding lacks a character of the origin:
		 * in time
		 */
		utf8 = sign_block(&block, &note_key, key);
		note = cstring_to_text(server_from_utf8(utf8, strlen(utf8)));

		if (!recorded)
			insert_signed(chain, &block, key->kid, note);
		settle();
		head_replace(name, &head, utf8, strlen(utf8));
	}
	UnregisterSnapshot(snapshot);
	chain_close(chain);
	CommandCounterIncrement();
	return note;
}

Datum
anshim_checkpoint(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(sign_newest(PG_GETARG_OID(0), PG_GETARG_TEXT_PP(1), false));
}

void
log_sign_newest(Oid target, const char *kid)
{
	(void) sign_newest(target, cstring_to_text(kid), true);
}

Datum
anshim_adopt_head(PG_FUNCTION_ARGS)
{
	Chain	   *chain = chain_open(PG_GETARG_OID(0), AccessShareLock);
	text	   *data = PG_GETARG_TEXT_PP(1);
	char	   *origin = utf8_from_server(chain->origin, strlen(chain->origin));
	char	   *name = head_name_of_chain(&chain->id);
	const char *reason;
	Checkpoint	checkpoint;
	Note		note;
	Head		before;
	Head		head;
	LogBlock	block;
	Snapshot	snapshot;

	if (!log_read_note(data, &note, &reason) || !checkpoint_read(note.text, &checkpoint, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid checkpoint"),
				 errdetail("%s", reason)));
	if (checkpoint.origin.len != strlen(origin) ||
		memcmp(checkpoint.origin.data, origin, checkpoint.origin.len) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the checkpoint is of another log"),
				 errdetail("It is of \"%s\", and this one is \"%s\".",
						   server_from_utf8(checkpoint.origin.data, checkpoint.origin.len),
						   chain->origin)));

	log_lock(&chain->id);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	head_read(name, origin, &before);
	if (before.note != NULL && checkpoint.size < before.size)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the checkpoint is not the newest"),
				 errdetail("The file in anshim.head_directory has one of %lld leaves.",
						   (long long) before.size)));
	/* where its text begins, the whole note does */
	head.note = unconstify(char *, note.text.data);
	head.size = checkpoint.size;
	memcpy(head.root, checkpoint.root, MERKLE_HASH_LEN);
	if (!log_last_block(&chain->id, snapshot, &block))
		memset(&block, 0, sizeof(block));
	if (block.size == 0)
		merkle_empty_root(block.root);
	check_continues(chain, snapshot, &block, &head);
	check_continues(chain, snapshot, &block, &before);
	UnregisterSnapshot(snapshot);

	head_replace(name, &before, head.note, strlen(head.note));
	chain_close(chain);
	PG_RETURN_VOID();
}

/*
 * Checking checkpoints
 */

Datum
anshim_vkey(PG_FUNCTION_ARGS)
{
	Relation	rel = chained_relation_open(PG_GETARG_OID(0), AccessShareLock);
	ChainRecord record;
	NoteKey		key;

	if (!chain_record_of(rel, &record))
		chain_refuse_unchained(rel);
	relation_close(rel, AccessShareLock);
	log_note_key(&key, utf8_from_server(record.origin, strlen(record.origin)), NOTE_ED25519,
				 log_find_key(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_DATUM(log_vkey(&key));
}

static void
refuse_type(const char *what, const char *type, const char *function)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("this is not the verifier key of a %s", what),
			 errdetail("A %s's is of type %s.", what, type),
			 errhint("%s gives it.", function)));
}

/* The verifier keys of witnesses, and that there are enough for the quorum */
static NoteKey *
read_witnesses(ArrayType *array, const NoteKey *log, int32 quorum, int *n)
{
	Datum	   *vkeys;
	bool	   *nulls;
	NoteKey    *witnesses;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &vkeys, &nulls, n);
	witnesses = palloc_array(NoteKey, Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the verifier key of a witness must not be null")));
		log_read_vkey(TextDatumGetCString(vkeys[i]), &witnesses[i]);
		if (witnesses[i].type != NOTE_COSIGNATURE)
			refuse_type("witness", "4", "anshim.witness_vkey()");
	}
	if (quorum < 0 || quorum > checkpoint_count_witnesses(log, witnesses, *n))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a quorum of %d cannot be reached", quorum),
				 errdetail("Of the witnesses %d have a public key of their own.",
						   checkpoint_count_witnesses(log, witnesses, *n))));
	return witnesses;
}

Datum
anshim_verify_checkpoint(PG_FUNCTION_ARGS)
{
	int32		quorum = PG_GETARG_INT32(3);
	NoteKey		log;
	NoteKey    *witnesses;
	Checkpoint	checkpoint;
	Note		note;
	const char *reason;
	int			n;

	log_read_vkey(text_to_cstring(PG_GETARG_TEXT_PP(1)), &log);
	if (log.type != NOTE_ED25519)
		refuse_type("log", "1", "anshim.vkey()");
	witnesses = read_witnesses(PG_GETARG_ARRAYTYPE_P(2), &log, quorum, &n);
	PG_RETURN_BOOL(log_read_note(PG_GETARG_TEXT_PP(0), &note, &reason) &&
				   checkpoint_verify(&note, &log, witnesses, n, quorum, &checkpoint, &reason));
}
