/*-------------------------------------------------------------------------
 *
 * witness.c
 *	  anshim.witness(): cosign other organisations' checkpoints
 *
 * A cosignature says that this is the largest tree seen of a log, and that it
 * continues every other that was cosigned.  It must hold whatever becomes of
 * the transaction that asked for it: the caller may be the log's owner, who
 * would like nothing better than a witness that forgets.  So what was cosigned
 * last is in a file (head.c), compared and replaced before the cosignature is
 * returned; anshim.witnessed is the record of it.
 *
 * What bears the log's signature and cannot be cosigned may be evidence against
 * it.  It is recorded, and NULL returned with a warning: an error would take
 * the record away.
 *
 * Locking: a lock of the origin, to the end of the transaction, so that two who
 * hand over checkpoints of one log see each other's rows.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "key/spi.h"
#include "log/checkpoint.h"
#include "log/store.h"
#include "own/own.h"

/* Columns of anshim.trusted_log and anshim.witnessed, in sql/46-checkpoint.sql's order */
enum
{
	TRUSTED_ORIGIN = 1,
	TRUSTED_VKEY,
	TRUSTED_ADDED_AT
};

enum
{
	WITNESSED_ORIGIN = 1,
	WITNESSED_SIZE,
	WITNESSED_ROOT,
	WITNESSED_NOTE,
	WITNESSED_COSIGNATURE,
	WITNESSED_REFUSED,
	WITNESSED_AT,
	WITNESSED_COLUMNS = WITNESSED_AT
};

PG_FUNCTION_INFO_V1(anshim_trust_log);
PG_FUNCTION_INFO_V1(anshim_distrust_log);
PG_FUNCTION_INFO_V1(anshim_witness);
PG_FUNCTION_INFO_V1(anshim_witnessed_size);
PG_FUNCTION_INFO_V1(anshim_witness_vkey);

/* Why a checkpoint is refused, as in anshim.witnessed.refused; NULL: it is not. */
static const char refused_stale[] = "stale";
static const char refused_contradicts[] = "contradicts";
static const char refused_not_proven[] = "not proven";

/* A checkpoint that was handed over. */
typedef struct Submission
{
	text	   *origin;
	char	   *utf8;			/* the note; its text comes first */
	Note		note;
	Checkpoint	checkpoint;
} Submission;

/*
 * Trusted logs
 */

static void
begin_trusted_scan(StoreScan *scan, Datum origin, const char *vkey, Snapshot snapshot)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], TRUSTED_ORIGIN, BTEqualStrategyNumber, F_TEXTEQ, origin);
	if (vkey != NULL)
		ScanKeyInit(&keys[1], TRUSTED_VKEY, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(vkey));
	store_scan_begin(scan, "trusted_log", "trusted_log_pkey", snapshot, vkey != NULL ? 2 : 1, keys);
}

Datum
anshim_trust_log(PG_FUNCTION_ARGS)
{
	text	   *origin = PG_GETARG_TEXT_PP(0);
	Size		len = VARSIZE_ANY_EXHDR(origin);
	Datum		values[] = {
		PointerGetDatum(origin),
		PG_GETARG_DATUM(1),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};
	NoteKey		key;

	PreventCommandIfReadOnly("anshim.trust_log()");
	log_require_dash();
	if (len == 0 || strlen(utf8_from_server(VARDATA_ANY(origin), len)) > NOTE_ORIGIN_MAX_LEN ||
		memchr(VARDATA_ANY(origin), '\n', len) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid origin of a log"),
				 errdetail("It is a line of 1 to %d bytes.", NOTE_ORIGIN_MAX_LEN)));
	log_read_vkey(text_to_cstring(PG_GETARG_TEXT_PP(1)), &key);
	if (key.type != NOTE_ED25519)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is the verifier key of a witness"),
				 errhint("A log's is given by anshim.vkey() there.")));
	store_insert("trusted_log", values, NULL);
	CommandCounterIncrement();
	PG_RETURN_VOID();
}

Datum
anshim_distrust_log(PG_FUNCTION_ARGS)
{
	StoreScan	scan;
	Relation	table;
	HeapTuple	tuple;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	PreventCommandIfReadOnly("anshim.distrust_log()");
	table = table_open(own_relation("trusted_log"), ShareRowExclusiveLock);
	begin_trusted_scan(&scan, PG_GETARG_DATUM(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), snapshot);
	tuple = store_scan_next(&scan, ForwardScanDirection);
	if (tuple == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("this log is not trusted under this key"),
				 errhint("The logs that are trusted are in anshim.trusted_log.")));
	CatalogTupleDelete(table, &tuple->t_self);
	store_scan_end(&scan);
	table_close(table, NoLock);
	UnregisterSnapshot(snapshot);
	CommandCounterIncrement();
	PG_RETURN_VOID();
}

/*
 * Checks that the checkpoint is signed by a key that is trusted for the origin.
 */
static void
require_trusted(const Submission *submission, Snapshot snapshot)
{
	StoreScan	scan;
	HeapTuple	tuple;
	int			known = 0;
	int			good = 0;
	int			bad = 0;

	begin_trusted_scan(&scan, PointerGetDatum(submission->origin), NULL, snapshot);
	while ((tuple = store_scan_next(&scan, ForwardScanDirection)) != NULL)
	{
		NoteKey		key;
		NoteVerdict verdict;
		bool		isnull;

		known++;
		log_read_vkey(TextDatumGetCString(heap_getattr(tuple, TRUSTED_VKEY, RelationGetDescr(scan.table), &isnull)),
					  &key);
		verdict = note_verify(&submission->note, &key, NULL);
		good += verdict == NOTE_GOOD;
		bad += verdict == NOTE_BAD;
	}
	store_scan_end(&scan);

	if (known == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("log \"%s\" is not trusted", text_to_cstring(submission->origin)),
				 errhint("Name its key with anshim.trust_log().")));
	if (good == 0 || bad > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the checkpoint is not signed by a trusted key"),
				 bad > 0 ? errdetail("A signature of a trusted key is bad.") :
				 errdetail("It bears no signature of a key that is trusted for this log."),
				 errhint("The keys that are trusted are in anshim.trusted_log.")));
}

/*
 * The record
 */

static void
begin_witnessed_scan(StoreScan *scan, const Submission *submission, int nkeys, Snapshot snapshot)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], WITNESSED_ORIGIN, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(submission->origin));
	ScanKeyInit(&keys[1], WITNESSED_SIZE, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(submission->checkpoint.size));
	ScanKeyInit(&keys[2], WITNESSED_ROOT, BTEqualStrategyNumber, F_BYTEAEQ,
				store_hash_datum(submission->checkpoint.root));
	store_scan_begin(scan, "witnessed", "witnessed_pkey", snapshot, nkeys, keys);
}

static Datum
get_column(const StoreScan *scan, HeapTuple tuple, AttrNumber column, bool *isnull)
{
	return heap_getattr(tuple, column, RelationGetDescr(scan->table), isnull);
}

/*
 * Enter a checkpoint into the record, cosigned or refused.  What is cosigned
 * takes the place of what was refused; else the first entry stands.
 */
static void
record(const Submission *submission, const char *cosignature, const char *refused, Snapshot snapshot)
{
	Datum		values[WITNESSED_COLUMNS] = {
		PointerGetDatum(submission->origin),
		Int64GetDatum(submission->checkpoint.size),
		store_hash_datum(submission->checkpoint.root),
		CStringGetTextDatum(server_from_utf8(submission->utf8, strlen(submission->utf8))),
		cosignature == NULL ? (Datum) 0 : CStringGetTextDatum(server_from_utf8(cosignature, strlen(cosignature))),
		refused == NULL ? (Datum) 0 : CStringGetTextDatum(refused),
		TimestampTzGetDatum(GetCurrentTimestamp())
	};
	bool		nulls[WITNESSED_COLUMNS] = {false};
	StoreScan	scan;
	HeapTuple	old;
	bool		was_cosigned;

	nulls[WITNESSED_COSIGNATURE - 1] = cosignature == NULL;
	nulls[WITNESSED_REFUSED - 1] = refused == NULL;
	begin_witnessed_scan(&scan, submission, 3, snapshot);
	old = store_scan_next(&scan, ForwardScanDirection);
	if (old == NULL)
		store_insert("witnessed", values, nulls);
	else if (refused == NULL)
	{
		(void) get_column(&scan, old, WITNESSED_REFUSED, &was_cosigned);
		if (!was_cosigned)
		{
			Relation	table = table_open(own_relation("witnessed"), RowExclusiveLock);

			CatalogTupleUpdate(table, &old->t_self,
							   heap_form_tuple(RelationGetDescr(table), values, nulls));
			table_close(table, NoLock);
		}
	}
	store_scan_end(&scan);
	CommandCounterIncrement();
}

/*
 * A cosignature that was returned by a transaction that was rolled back is in
 * the file alone: enter it into the record now.
 */
static void
record_head(const Submission *submission, const Head *head, Snapshot snapshot)
{
	Submission	last = {.origin = submission->origin};
	const char *reason;
	NoteSignature *ours;

	if (head->note == NULL ||
		!note_read(head->note, head->len, palloc(head->len), &last.note, &reason) ||
		!checkpoint_read(last.note.text, &last.checkpoint, &reason))
		return;
	/* the submission's own entry is made elsewhere */
	if (last.checkpoint.size == submission->checkpoint.size &&
		memcmp(last.checkpoint.root, submission->checkpoint.root, MERKLE_HASH_LEN) == 0)
		return;
	ours = &last.note.signatures[last.note.nsignatures - 1];
	last.utf8 = pnstrdup(head->note, ours->line.data - head->note);
	record(&last, pnstrdup(ours->line.data, ours->line.len), NULL, snapshot);
}

/* Has another root been cosigned for the submission's size? */
static bool
is_contradicted(const Submission *submission, Snapshot snapshot)
{
	StoreScan	scan;
	HeapTuple	tuple;
	bool		found = false;

	begin_witnessed_scan(&scan, submission, 2, snapshot);
	while (!found && (tuple = store_scan_next(&scan, ForwardScanDirection)) != NULL)
	{
		MerkleHash	root;
		bool		was_cosigned;
		bool		isnull;

		(void) get_column(&scan, tuple, WITNESSED_REFUSED, &was_cosigned);
		store_hash(get_column(&scan, tuple, WITNESSED_ROOT, &isnull), "witnessed", root);
		found = was_cosigned && memcmp(root, submission->checkpoint.root, MERKLE_HASH_LEN) != 0;
	}
	store_scan_end(&scan);
	return found;
}

/*
 * What the file of this log has; the file's name.
 */
static char *
read_head(const text *origin, Head *head)
{
	char	   *utf8 = utf8_from_server(VARDATA_ANY(origin), VARSIZE_ANY_EXHDR(origin));
	char	   *name = head_name_of_origin(utf8);

	head_read(name, utf8, head);
	return name;
}

/*
 * What was cosigned last: by the file, or by the record if that knows more,
 * the file being lost.
 */
static void
read_last(const Submission *submission, const Head *head, Snapshot snapshot,
		  int64 *size, MerkleHash root)
{
	StoreScan	scan;
	HeapTuple	tuple;
	bool		was_cosigned = false;

	*size = head->size;
	if (head->note != NULL)
		memcpy(root, head->root, MERKLE_HASH_LEN);
	else
		merkle_empty_root(root);

	begin_witnessed_scan(&scan, submission, 1, snapshot);
	while (!was_cosigned && (tuple = store_scan_next(&scan, BackwardScanDirection)) != NULL)
	{
		int64		recorded;
		bool		isnull;

		(void) get_column(&scan, tuple, WITNESSED_REFUSED, &was_cosigned);
		recorded = DatumGetInt64(get_column(&scan, tuple, WITNESSED_SIZE, &isnull));
		if (was_cosigned && recorded > *size)
		{
			*size = recorded;
			store_hash(get_column(&scan, tuple, WITNESSED_ROOT, &isnull), "witnessed", root);
		}
	}
	store_scan_end(&scan);
}

/*
 * Judging
 */

static void
refuse_argument(const char *message, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 errdetail("%s", detail)));
}

static void
read_submission(Submission *submission, text *origin, text *data)
{
	const char *reason;
	char	   *utf8_origin = utf8_from_server(VARDATA_ANY(origin), VARSIZE_ANY_EXHDR(origin));

	submission->origin = origin;
	if (!log_read_note(data, &submission->note, &reason) ||
		!checkpoint_read(submission->note.text, &submission->checkpoint, &reason))
		refuse_argument("invalid checkpoint", reason);
	submission->utf8 = unconstify(char *, submission->note.text.data);
	if (submission->checkpoint.origin.len != strlen(utf8_origin) ||
		memcmp(submission->checkpoint.origin.data, utf8_origin, strlen(utf8_origin)) != 0)
		refuse_argument("the checkpoint is of another log", "Its first line is not the origin.");
	if (submission->note.nsignatures == NOTE_SIGNATURES_MAX)
		refuse_argument("the checkpoint has too many signatures", "There is no room for one more.");
}

/*
 * Does the checkpoint continue the one of this size and root?  NULL if so,
 * else why not.
 */
static const char *
judge(const Submission *submission, Snapshot snapshot, int64 last_size, const MerkleHash last_root,
	  const MerkleHash *path, int n)
{
	const Checkpoint *checkpoint = &submission->checkpoint;

	if (is_contradicted(submission, snapshot))
		return refused_contradicts;
	if (checkpoint->size < last_size)
		return refused_stale;
	if (checkpoint->size == last_size &&
		memcmp(checkpoint->root, last_root, MERKLE_HASH_LEN) != 0)
		return refused_contradicts;
	if (last_size == 0 || checkpoint->size == last_size)
	{
		if (n > 0)
			refuse_argument("invalid proof", "It must be empty for a log's first checkpoint, and for "
							"one that has been cosigned already.");
		return NULL;
	}
	if (!merkle_verify_consistency(last_size, checkpoint->size, last_root, checkpoint->root, path, n))
		return refused_not_proven;
	return NULL;
}

static void
warn_refused(const Submission *submission, const char *refused, int64 last_size)
{
	const char *origin = text_to_cstring(submission->origin);
	long long	size = submission->checkpoint.size;

	if (refused == refused_stale)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a checkpoint of log \"%s\" was not cosigned", origin),
				 errdetail("%lld leaves have been cosigned, and it is of %lld.", (long long) last_size, size),
				 errhint("Hand over the newest checkpoint. If there is no larger one, the log has lost "
						 "what it had signed.")));
	else if (refused == refused_contradicts)
		ereport(WARNING,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("log \"%s\" contradicts itself", origin),
				 errdetail("It has signed another root of %lld leaves.", size),
				 errhint("Both checkpoints are in anshim.witnessed. Show them to those who trust the log.")));
	else
		ereport(WARNING,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a checkpoint of log \"%s\" was not cosigned", origin),
				 errdetail("The proof does not show that its %lld leaves continue the %lld that were cosigned last.",
						   size, (long long) last_size),
				 errhint("Hand over the log's anshim.consistency_proof() from that size. If it has none, "
						 "it contradicts what it signed before.")));
}

/*
 * Cosigning
 */

static void
witness_key(NoteKey *note_key, const Key *key)
{
	/* the issuer is in UTF-8 already, and kids are ASCII */
	log_note_key(note_key, psprintf("%.*s/%s", (int) key->issuer_len, key->issuer, key->kid),
				 NOTE_COSIGNATURE, key);
}

static void
cosign(const Submission *submission, text *kid, char line[NOTE_LINE_MAX])
{
	Key		   *key = log_signing_key(kid);
	int64		now = (GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY) / USECS_PER_SEC;
	NoteText	body = submission->note.text;
	char	   *message = palloc(NOTE_COSIGNED_HEAD_MAX + body.len);
	uint8		cosignature[8 + CRYPTO_SIGNATURE_MAX_LEN];
	NoteKey		note_key;
	Size		len;

	witness_key(&note_key, key);
	len = note_cosigned_head(now, message);
	memcpy(message + len, body.data, body.len);
	len += body.len;
	for (int i = 0; i < 8; i++)
		cosignature[i] = (uint8) ((uint64) now >> (8 * (7 - i)));
	len = key_sign(key, (const uint8 *) message, len, cosignature + 8);
	(void) note_line_write(&note_key, cosignature, 8 + len, line);
}

Datum
anshim_witness(PG_FUNCTION_ARGS)
{
	MerkleHash	path[MERKLE_PATH_MAX];
	Submission	submission;
	Snapshot	snapshot;
	char		line[NOTE_LINE_MAX];
	MerkleHash	last_root;
	int64		last_size;
	const char *refused;
	char	   *name;
	char	   *utf8;
	Datum		cosigned;
	Head		head;
	int			n;

	spi_refuse_null(fcinfo, 0, "origin");
	spi_refuse_null(fcinfo, 1, "checkpoint");
	spi_refuse_null(fcinfo, 2, "proof");
	spi_refuse_null(fcinfo, 3, "kid");
	PreventCommandIfReadOnly("anshim.witness()");
	read_submission(&submission, PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1));
	if (!log_path_read(PG_GETARG_ARRAYTYPE_P(2), path, &n))
		refuse_argument("invalid proof", "It is an array of hashes, 32 bytes each.");

	store_lock("witnessed", VARDATA_ANY(submission.origin), VARSIZE_ANY_EXHDR(submission.origin));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	require_trusted(&submission, snapshot);
	name = read_head(submission.origin, &head);
	read_last(&submission, &head, snapshot, &last_size, last_root);

	record_head(&submission, &head, snapshot);
	refused = judge(&submission, snapshot, last_size, last_root, path, n);
	if (refused != NULL)
	{
		record(&submission, NULL, refused, snapshot);
		UnregisterSnapshot(snapshot);
		warn_refused(&submission, refused, last_size);
		PG_RETURN_NULL();
	}

	cosign(&submission, PG_GETARG_TEXT_PP(3), line);
	utf8 = psprintf("%s%s", submission.utf8, line);
	cosigned = CStringGetTextDatum(server_from_utf8(utf8, strlen(utf8)));
	record(&submission, line, NULL, snapshot);
	head_replace(name, &head, utf8, strlen(utf8));
	UnregisterSnapshot(snapshot);
	PG_RETURN_DATUM(cosigned);
}

Datum
anshim_witnessed_size(PG_FUNCTION_ARGS)
{
	Submission	submission = {.origin = PG_GETARG_TEXT_PP(0)};
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Head		head;
	MerkleHash	root;
	int64		size;

	(void) read_head(submission.origin, &head);
	read_last(&submission, &head, snapshot, &size, root);
	UnregisterSnapshot(snapshot);
	PG_RETURN_INT64(size);
}

Datum
anshim_witness_vkey(PG_FUNCTION_ARGS)
{
	NoteKey		key;

	witness_key(&key, log_find_key(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_DATUM(log_vkey(&key));
}
