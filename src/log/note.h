/*-------------------------------------------------------------------------
 *
 * note.h
 *	  Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint and
 *	  tlog-cosignature, read strictly and written
 *
 * Pure: shared with bin/, which compiles it with PostgreSQL's frontend
 * headers.  Reading points into the text that was given; nothing is raised.
 * All text is UTF-8.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_NOTE_H
#define ANSHIM_NOTE_H

#include "merkle.h"

#define NOTE_ORIGIN_MAX_LEN 255
#define NOTE_SIGNATURES_MAX 64
#define NOTE_KEY_ID_LEN 4

/* Types of keys: the byte that key IDs and verifier keys begin with. */
#define NOTE_ED25519 0x01
#define NOTE_COSIGNATURE 0x04	/* cosignature/v1 */

/* A cosignature: its moment, 8 bytes, and the signature of an Ed25519 key. */
#define NOTE_COSIGNATURE_LEN (8 + CRYPTO_ED25519_LEN)

typedef struct NoteText
{
	const char *data;
	Size		len;
} NoteText;

typedef struct NoteSignature
{
	NoteText	name;
	uint8		key_id[NOTE_KEY_ID_LEN];
	const uint8 *signature;		/* behind the key ID; in `blobs` */
	Size		signature_len;
	NoteText	line;			/* as it stands in the note, with its newline */
} NoteSignature;

/* A note taken apart.  Whose the signatures are is not known yet. */
typedef struct Note
{
	NoteText text;				/* what is signed, its last newline included */
	int			nsignatures;
	NoteSignature signatures[NOTE_SIGNATURES_MAX];
	uint8	   *blobs;			/* decoded; given by the caller, see
								 * note_read() */
} Note;

typedef struct Checkpoint
{
	NoteText	origin;
	int64		size;
	MerkleHash	root;
	NoteText	extensions;		/* lines behind the root; empty, or ends with
								 * a newline */
} Checkpoint;

/* A key that notes are signed with: its name, type and public half. */
typedef struct NoteKey
{
	char		name[NOTE_ORIGIN_MAX_LEN + 1];
	uint8		type;			/* NOTE_ED25519 or NOTE_COSIGNATURE */
	uint8		public_key[CRYPTO_PUBLIC_KEY_LEN];
	uint8		id[NOTE_KEY_ID_LEN];
} NoteKey;

/*
 * Take a note apart.  `blobs` has room for `len` bytes.  On false, *reason says
 * what is wrong, in a sentence.
 */
extern bool note_read(const char *data, Size len, uint8 *blobs, Note *note, const char **reason);

/* Read the text of a note as a checkpoint. */
extern bool checkpoint_read(NoteText text, Checkpoint *checkpoint, const char **reason);

/*
 * Is this a name that a key, or a log, can have?  In valid UTF-8 the rules are
 * signed-note's; the length is ours.
 */
extern bool note_name_is_valid(const char *name, Size len);

/* Fill in key->id from the rest: SHA-256(name || 0A || type || public key)[:4]. */
extern void note_key_id(NoteKey *key);

/* A verifier key: name+<8 hex>+base64(type || public key); and back. */
extern bool note_key_read(const char *vkey, NoteKey *key, const char **reason);

/*
 * Does one of the note's signatures verify under this key?  NOTE_KEY_UNKNOWN if
 * none bears its name and ID; NOTE_BAD if one does and is not good.  For a
 * cosignature *time is its moment, in seconds since 1970: the last, if there
 * are several.  time may be NULL.
 */
typedef enum NoteVerdict
{
	NOTE_KEY_UNKNOWN,
	NOTE_BAD,
	NOTE_GOOD
} NoteVerdict;

extern NoteVerdict note_verify(const Note *note, const NoteKey *key, int64 *time);

/*
 * Is the note a checkpoint of the log that this key is named after, signed by
 * it, and cosigned by at least `quorum` of these witnesses?  Every signature
 * of a key that is given must be good.  A witness is a public key: it counts
 * once, however often it is named, and not at all if it is the log's.
 */
extern bool checkpoint_verify(const Note *note, const NoteKey *log,
							  const NoteKey *witnesses, int nwitnesses, int quorum,
							  Checkpoint *checkpoint, const char **reason);

/* How many witnesses these are, in that sense: no quorum can be larger. */
extern int	checkpoint_count_witnesses(const NoteKey *log, const NoteKey *witnesses, int n);

/*
 * Writing, into buffers of these sizes; a terminating zero follows.  What is
 * returned is the length without it.
 */
#define NOTE_VKEY_MAX (NOTE_ORIGIN_MAX_LEN + 1 + 8 + 1 + 44 + 1)
#define NOTE_LINE_MAX (3 + 1 + NOTE_ORIGIN_MAX_LEN + 1 + 104 + 1 + 1)
#define CHECKPOINT_TEXT_MAX (NOTE_ORIGIN_MAX_LEN + 1 + 19 + 1 + 44 + 1 + 1)
#define NOTE_COSIGNED_HEAD_MAX (15 + 5 + 19 + 1 + 1)

extern Size note_key_write(const NoteKey *key, char vkey[NOTE_VKEY_MAX]);

/* The text of a checkpoint, without extensions. */
extern Size checkpoint_write(const char *origin, int64 size, const MerkleHash root,
							 char out[CHECKPOINT_TEXT_MAX]);

/* The two lines that stand before the text in what a cosignature signs. */
extern Size note_cosigned_head(int64 time, char head[NOTE_COSIGNED_HEAD_MAX]);

/* A signature line; the signature has at most NOTE_COSIGNATURE_LEN bytes. */
extern Size note_line_write(const NoteKey *key, const uint8 *signature, Size signature_len,
							char line[NOTE_LINE_MAX]);

#endif							/* ANSHIM_NOTE_H */
