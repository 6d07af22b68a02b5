/*-------------------------------------------------------------------------
 *
 * note.c
 *	  Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint and
 *	  tlog-cosignature, read strictly and written
 *
 * The formats are those of https://c2sp.org/signed-note, /tlog-checkpoint and
 * /tlog-cosignature.  There is one way to write a thing: base64 with its
 * padding and no stray bits, hexadecimal in lower case, sizes without leading
 * zeros.  Signatures of unknown keys, of whatever kind and length, are no
 * fault of a note.
 *
 * Memory: the caller's, but for the message of a cosignature, which is freed
 * before note_verify() returns.
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

#include <limits.h>

#include "common/base64.h"
#include "mb/pg_wchar.h"

#include "note.h"

#define KEY_ID_HEX_LEN (2 * NOTE_KEY_ID_LEN)
#define ROOT_BASE64_LEN 44
#define VKEY_BASE64_LEN 44		/* of the type and 32 bytes */

/* What signature lines begin with: an em dash and a space. */
static const char line_start[] = "\xe2\x80\x94 ";

#define LINE_START_LEN (sizeof(line_start) - 1)

static bool
refuse(const char **reason, const char *why)
{
	*reason = why;
	return false;
}

/*
 * Decode base64 that is exactly as an encoder writes it.  `out` has room for
 * 3 bytes a 4 characters.
 */
static bool
read_base64(const char *body, Size len, uint8 *out, Size *out_len)
{
	char		last[4];
	int			n;
	int			rest;

	if (len == 0 || len % 4 != 0 || len > INT_MAX / 2 || memchr(body, '=', len - 4) != NULL)
		return false;
	/* through void *, as versions of PostgreSQL differ in the type of bytes */
	n = pg_b64_decode(body, (int) len, (void *) out, (int) (len / 4 * 3));
	if (n < 0)
		return false;

	/*
	 * the decoder does not look at bits that are left over: the last group
	 * has them
	 */
	rest = (n - 1) % 3 + 1;
	if (pg_b64_encode((const void *) (out + n - rest), rest, last, sizeof(last)) != sizeof(last) ||
		memcmp(last, body + len - 4, sizeof(last)) != 0)
		return false;
	*out_len = n;
	return true;
}

/* The next line, without its newline; false if there is no newline. */
static bool
next_line(NoteText *rest, NoteText *line)
{
	const char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	line->data = rest->data;
	line->len = end - rest->data;
	rest->len -= line->len + 1;
	rest->data = end + 1;
	return true;
}

/*
 * Is there a space in the sense of Unicode's property White_Space?
 */
static bool
has_space(const char *body, Size len)
{
	const unsigned char *at = (const unsigned char *) body;
	const unsigned char *end = at + len;

	while (at < end)
	{
		pg_wchar	c = utf8_to_unicode(at);

		if ((c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
			(c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
			c == 0x205f || c == 0x3000)
			return true;
		at += pg_utf_mblen(at);
	}
	return false;
}

static bool
is_utf8(const char *body, Size len)
{
	return len <= INT_MAX && pg_encoding_verifymbstr(PG_UTF8, body, (int) len) == (int) len;
}

/* A name in text that is known to be UTF-8, of whatever length. */
static bool
is_name(const char *name, Size len)
{
	return len > 0 && memchr(name, '+', len) == NULL && !has_space(name, len);
}

bool
note_name_is_valid(const char *name, Size len)
{
	if (len > NOTE_ORIGIN_MAX_LEN || !is_utf8(name, len))
		return false;
	for (Size i = 0; i < len; i++)
	{
		if ((unsigned char) name[i] < 0x20)
			return false;
	}
	return is_name(name, len);
}

/*
 * Where the signatures begin: behind the last empty line.  NULL if the note
 * has none.
 */
static const char *
find_signatures(const char *data, Size len)
{
	for (Size i = len; i >= 2; i--)
	{
		if (data[i - 1] == '\n' && data[i - 2] == '\n')
			return data + i;
	}
	return NULL;
}

static bool
read_signature(NoteText line, uint8 *blob, NoteSignature *signature)
{
	const char *end = line.data + line.len;
	const char *space;
	Size		blob_len;

	if (line.len <= LINE_START_LEN || memcmp(line.data, line_start, LINE_START_LEN) != 0)
		return false;
	signature->line.data = line.data;
	signature->line.len = line.len + 1;
	signature->name.data = line.data + LINE_START_LEN;
	space = memchr(signature->name.data, ' ', end - signature->name.data);
	if (space == NULL)
		return false;
	signature->name.len = space - signature->name.data;
	if (!is_name(signature->name.data, signature->name.len) ||
		!read_base64(space + 1, end - (space + 1), blob, &blob_len) ||
		blob_len <= NOTE_KEY_ID_LEN)
		return false;

	memcpy(signature->key_id, blob, NOTE_KEY_ID_LEN);
	signature->signature = blob + NOTE_KEY_ID_LEN;
	signature->signature_len = blob_len - NOTE_KEY_ID_LEN;
	return true;
}

bool
note_read(const char *data, Size len, uint8 *blobs, Note *note, const char **reason)
{
	const char *signatures;
	NoteText	rest;
	NoteText	line;

	if (!is_utf8(data, len))
		return refuse(reason, "A note is text in UTF-8.");
	for (Size i = 0; i < len; i++)
	{
		if ((unsigned char) data[i] < 0x20 && data[i] != '\n')
			return refuse(reason, "A note has no control characters other than newlines.");
	}

	signatures = find_signatures(data, len);
	if (signatures == NULL)
		return refuse(reason, "A note has an empty line before its signatures.");
	note->text.data = data;
	note->text.len = signatures - 1 - data;

	note->blobs = blobs;
	note->nsignatures = 0;
	rest.data = signatures;
	rest.len = len - (signatures - data);
	while (rest.len > 0)
	{
		NoteSignature *signature;

		if (!next_line(&rest, &line))
			return refuse(reason, "A note ends with a newline.");
		if (note->nsignatures == NOTE_SIGNATURES_MAX)
			return refuse(reason, "The note has more than 64 signatures.");
		signature = &note->signatures[note->nsignatures++];
		if (!read_signature(line, blobs, signature))
			return refuse(reason, "A signature line is an em dash, a key's name without spaces and "
						  "plus signs, and base64 of the key's ID and a signature.");
		blobs += NOTE_KEY_ID_LEN + signature->signature_len;
	}
	if (note->nsignatures == 0)
		return refuse(reason, "A note has at least one signature.");
	return true;
}

/* A decimal that fits into int8, in its shortest form */
static bool
read_decimal(NoteText body, int64 *value)
{
	int64		result = 0;

	if (body.len == 0 || (body.len > 1 && body.data[0] == '0'))
		return false;
	for (Size i = 0; i < body.len; i++)
	{
		int			digit = body.data[i] - '0';

		if (digit < 0 || digit > 9 || result > (PG_INT64_MAX - digit) / 10)
			return false;
		result = result * 10 + digit;
	}
	*value = result;
	return true;
}

bool
checkpoint_read(NoteText body, Checkpoint *checkpoint, const char **reason)
{
	uint8		root[ROOT_BASE64_LEN / 4 * 3];
	NoteText	line;
	Size		root_len;

	if (!next_line(&body, &checkpoint->origin) || checkpoint->origin.len == 0 ||
		checkpoint->origin.len > NOTE_ORIGIN_MAX_LEN)
		return refuse(reason, "The first line of a checkpoint is its log's origin, at most 255 bytes.");
	if (!next_line(&body, &line) || !read_decimal(line, &checkpoint->size))
		return refuse(reason, "The second line of a checkpoint is the log's size, a decimal without leading zeros.");
	if (!next_line(&body, &line) || line.len != ROOT_BASE64_LEN ||
		!read_base64(line.data, line.len, root, &root_len) || root_len != MERKLE_HASH_LEN)
		return refuse(reason, "The third line of a checkpoint is the root hash, base64 of 32 bytes.");
	memcpy(checkpoint->root, root, MERKLE_HASH_LEN);

	checkpoint->extensions = body;
	while (body.len > 0)
	{
		if (!next_line(&body, &line) || line.len == 0)
			return refuse(reason, "The further lines of a checkpoint are not empty.");
	}
	return true;
}

/*
 * Keys
 */

void
note_key_id(NoteKey *key)
{
	uint8		message[NOTE_ORIGIN_MAX_LEN + 2 + CRYPTO_PUBLIC_KEY_LEN];
	uint8		digest[CRYPTO_SHA256_LEN];
	Size		len = strlen(key->name);

	memcpy(message, key->name, len);
	message[len++] = '\n';
	message[len++] = key->type;
	memcpy(message + len, key->public_key, CRYPTO_PUBLIC_KEY_LEN);
	len += CRYPTO_PUBLIC_KEY_LEN;
	crypto_sha256(message, len, digest);
	memcpy(key->id, digest, NOTE_KEY_ID_LEN);
}

static void
write_hex(const uint8 id[NOTE_KEY_ID_LEN], char hex[KEY_ID_HEX_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < NOTE_KEY_ID_LEN; i++)
	{
		hex[2 * i] = digits[id[i] >> 4];
		hex[2 * i + 1] = digits[id[i] & 0x0f];
	}
}

bool
note_key_read(const char *vkey, NoteKey *key, const char **reason)
{
	const char *name_end = strchr(vkey, '+');
	const char *id_end = name_end != NULL ? strchr(name_end + 1, '+') : NULL;
	uint8		bytes[VKEY_BASE64_LEN / 4 * 3];
	char		hex[KEY_ID_HEX_LEN];
	Size		len;
	CryptoKey  *verifier;

	if (id_end == NULL || !note_name_is_valid(vkey, name_end - vkey))
		return refuse(reason, "A verifier key is a name without spaces, a plus sign, 8 hexadecimal "
					  "digits, a plus sign, and base64 of its type and public key.");
	memcpy(key->name, vkey, name_end - vkey);
	key->name[name_end - vkey] = '\0';

	/*
	 * the type comes first, so that a key of another kind is not called
	 * malformed
	 */
	if (strlen(id_end + 1) < 4 || !read_base64(id_end + 1, 4, bytes, &len) ||
		(bytes[0] != NOTE_ED25519 && bytes[0] != NOTE_COSIGNATURE))
		return refuse(reason, "The key's type is neither Ed25519 (1) nor an Ed25519 cosigner's (4).");
	if (strlen(id_end + 1) != VKEY_BASE64_LEN ||
		!read_base64(id_end + 1, VKEY_BASE64_LEN, bytes, &len) ||
		len != 1 + CRYPTO_PUBLIC_KEY_LEN)
		return refuse(reason, "Behind its second plus sign a verifier key has base64 of 33 bytes.");
	key->type = bytes[0];
	memcpy(key->public_key, bytes + 1, CRYPTO_PUBLIC_KEY_LEN);

	verifier = crypto_key_from_public(key->public_key, CRYPTO_PUBLIC_KEY_LEN, reason);
	if (verifier == NULL)
		return false;
	crypto_key_free(verifier);

	note_key_id(key);
	write_hex(key->id, hex);
	if (id_end - (name_end + 1) != KEY_ID_HEX_LEN || memcmp(name_end + 1, hex, KEY_ID_HEX_LEN) != 0)
		return refuse(reason, "The key's ID, between its plus signs, does not fit its name and public key.");
	return true;
}

/*
 * Verifying
 */

/*
 * A cosignature/v1: the moment, and a signature of it and the text.
 */
static bool
cosignature_is_good(NoteText body, const NoteSignature *signature, CryptoKey *verifier, int64 *time)
{
	char		head[NOTE_COSIGNED_HEAD_MAX];
	uint64		moment = 0;
	uint8	   *message;
	Size		head_len;
	bool		good;

	if (signature->signature_len != NOTE_COSIGNATURE_LEN)
		return false;
	for (int i = 0; i < 8; i++)
		moment = moment << 8 | signature->signature[i];
	if (moment > PG_INT64_MAX)
		return false;

	head_len = note_cosigned_head((int64) moment, head);
	message = palloc(head_len + body.len);
	memcpy(message, head, head_len);
	memcpy(message + head_len, body.data, body.len);
	good = crypto_verify(verifier, message, head_len + body.len,
						 signature->signature + 8, CRYPTO_ED25519_LEN);
	pfree(message);
	*time = (int64) moment;
	return good;
}

NoteVerdict
note_verify(const Note *note, const NoteKey *key, int64 *time)
{
	NoteVerdict verdict = NOTE_KEY_UNKNOWN;
	Size		name_len = strlen(key->name);
	int64		last = 0;
	const char *reason;
	CryptoKey  *verifier;

	verifier = crypto_key_from_public(key->public_key, CRYPTO_PUBLIC_KEY_LEN, &reason);
	for (int i = 0; i < note->nsignatures && verdict != NOTE_BAD; i++)
	{
		const NoteSignature *signature = &note->signatures[i];
		int64		moment = 0;
		bool		good;

		if (signature->name.len != name_len ||
			memcmp(signature->name.data, key->name, name_len) != 0 ||
			memcmp(signature->key_id, key->id, NOTE_KEY_ID_LEN) != 0)
			continue;
		if (verifier == NULL)
			good = false;
		else if (key->type == NOTE_COSIGNATURE)
			good = cosignature_is_good(note->text, signature, verifier, &moment);
		else
			good = key->type == NOTE_ED25519 &&
				crypto_verify(verifier, (const uint8 *) note->text.data, note->text.len,
							  signature->signature, signature->signature_len);
		verdict = good ? NOTE_GOOD : NOTE_BAD;
		last = Max(last, moment);
	}
	if (verifier != NULL)
		crypto_key_free(verifier);
	if (time != NULL)
		*time = last;
	return verdict;
}

/*
 * Writing
 */

/* Append base64 and a terminating zero; the new end. */
static char *
write_base64(const uint8 *bytes, int len, char *out)
{
	int			n = pg_b64_encode((const void *) bytes, len, out, (len + 2) / 3 * 4);

	Assert(n == (len + 2) / 3 * 4);
	out[n] = '\0';
	return out + n;
}

Size
note_key_write(const NoteKey *key, char vkey[NOTE_VKEY_MAX])
{
	uint8		bytes[1 + CRYPTO_PUBLIC_KEY_LEN];
	char	   *end = vkey + strlen(key->name);

	memcpy(vkey, key->name, end - vkey);
	*end++ = '+';
	write_hex(key->id, end);
	end += KEY_ID_HEX_LEN;
	*end++ = '+';
	bytes[0] = key->type;
	memcpy(bytes + 1, key->public_key, CRYPTO_PUBLIC_KEY_LEN);
	return write_base64(bytes, sizeof(bytes), end) - vkey;
}

Size
checkpoint_write(const char *origin, int64 size, const MerkleHash root,
				 char out[CHECKPOINT_TEXT_MAX])
{
	char	   *end = out;

	end += snprintf(end, CHECKPOINT_TEXT_MAX, "%s\n" INT64_FORMAT "\n", origin, size);
	end = write_base64(root, MERKLE_HASH_LEN, end);
	*end++ = '\n';
	*end = '\0';
	return end - out;
}

Size
note_cosigned_head(int64 time, char head[NOTE_COSIGNED_HEAD_MAX])
{
	return snprintf(head, NOTE_COSIGNED_HEAD_MAX, "cosignature/v1\ntime " INT64_FORMAT "\n", time);
}

Size
note_line_write(const NoteKey *key, const uint8 *signature, Size signature_len,
				char line[NOTE_LINE_MAX])
{
	uint8		blob[NOTE_KEY_ID_LEN + NOTE_COSIGNATURE_LEN];
	char	   *end = line;

	Assert(signature_len <= NOTE_COSIGNATURE_LEN);
	memcpy(blob, key->id, NOTE_KEY_ID_LEN);
	memcpy(blob + NOTE_KEY_ID_LEN, signature, signature_len);
	end += snprintf(end, NOTE_LINE_MAX, "%s%s ", line_start, key->name);
	end = write_base64(blob, NOTE_KEY_ID_LEN + (int) signature_len, end);
	*end++ = '\n';
	*end = '\0';
	return end - line;
}

/*
 * Whole checkpoints
 */

static bool
is_named(NoteText name, const char *key_name)
{
	return name.len == strlen(key_name) && memcmp(name.data, key_name, name.len) == 0;
}

/*
 * Can this witness count?  Not if the same key is named earlier, under
 * whatever name, nor if it is the log's own.
 */
static bool
witness_counts(const NoteKey *log, const NoteKey *witnesses, int at)
{
	if (memcmp(witnesses[at].public_key, log->public_key, CRYPTO_PUBLIC_KEY_LEN) == 0)
		return false;
	for (int i = 0; i < at; i++)
	{
		if (memcmp(witnesses[at].public_key, witnesses[i].public_key, CRYPTO_PUBLIC_KEY_LEN) == 0)
			return false;
	}
	return true;
}

int
checkpoint_count_witnesses(const NoteKey *log, const NoteKey *witnesses, int n)
{
	int			count = 0;

	for (int i = 0; i < n; i++)
		count += witness_counts(log, witnesses, i);
	return count;
}

bool
checkpoint_verify(const Note *note, const NoteKey *log, const NoteKey *witnesses, int nwitnesses,
				  int quorum, Checkpoint *checkpoint, const char **reason)
{
	int			cosigned = 0;

	if (!checkpoint_read(note->text, checkpoint, reason))
		return false;
	if (!is_named(checkpoint->origin, log->name))
		return refuse(reason, "The checkpoint is of another log than the one that the key is named after.");
	switch (note_verify(note, log, NULL))
	{
		case NOTE_GOOD:
			break;
		case NOTE_BAD:
			return refuse(reason, "The log's signature is bad.");
		case NOTE_KEY_UNKNOWN:
			return refuse(reason, "The log's key has not signed it.");
	}
	for (int i = 0; i < nwitnesses; i++)
	{
		NoteVerdict verdict = note_verify(note, &witnesses[i], NULL);

		if (verdict == NOTE_BAD)
			return refuse(reason, "The signature of a witness is bad.");
		if (verdict == NOTE_GOOD && witness_counts(log, witnesses, i))
			cosigned++;
	}
	if (cosigned < quorum)
		return refuse(reason, "Fewer witnesses have cosigned it than are demanded.");
	return true;
}
