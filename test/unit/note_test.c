/*-------------------------------------------------------------------------
 *
 * note_test.c
 *	  Signed notes, checkpoints and cosignatures: published ones, and what is none
 *
 * PeterNeumann's and EnochRoot's notes are those of golang.org/x/mod,
 * sumdb/note; the key remora.n621.de is transparency-dev/formats' example. The
 * checkpoint of example.com/log and its cosignature were made with Peter's
 * secret.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "log/note.h"

#include "check.h"

#define DASH "\xe2\x80\x94"

static const char peter_vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char enoch_vkey[] = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
static const char words[] =
"If you think cryptography is the answer to your problem,\n"
"then you don't know what your problem is.\n";

#define PETER_LINE DASH " PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define ENOCH_LINE DASH " EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

#define CHECKPOINT "example.com/log\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94=\n"
#define LOG_LINE DASH " example.com/log uqBrD+NRWSY8gO6z0IcOW0kvkCGAaqIYPSQyIKo7rtq9eeSIIs7yin49EbL/hlaJKICDiyRCEn8uERqU/EDLVbyIhwo=\n"
#define WITNESS_LINE DASH " witness.example/w1 zJpwRAAAAABkGFDLG9MNDaPSKd6aC+ONcJVuLV1UchbhUp4CEntQZ+RpDbA656ij5LwOEEc/aLmBhX6ijkBktlbZb4bX0gj8vhVjDA==\n"

static NoteKey
key_of(const char *vkey)
{
	NoteKey		key;
	const char *reason = NULL;

	if (!note_key_read(vkey, &key, &reason))
	{
		printf("%s: %s\n", vkey, reason);
		abort();
	}
	return key;
}

/* The same public key under another name, or of another type. */
static NoteKey
renamed(NoteKey key, const char *name, uint8 type)
{
	snprintf(key.name, sizeof(key.name), "%s", name);
	key.type = type;
	note_key_id(&key);
	return key;
}

/* What a key has to say to these bytes; NOTE_KEY_UNKNOWN if they are no note. */
static NoteVerdict
verdict(const char *data, Size len, const NoteKey *key, int64 *time)
{
	char	   *copy = exact_copy(data, len);
	uint8	   *blobs = malloc(len > 0 ? len : 1);
	Note	   *note = malloc(sizeof(Note));
	const char *reason = NULL;
	NoteVerdict result = NOTE_KEY_UNKNOWN;

	if (note_read(copy, len, blobs, note, &reason))
		result = note_verify(note, key, time);
	else
		CHECK(reason != NULL && reason[strlen(reason) - 1] == '.', "a refusal without a reason");
	free(note);
	free(blobs);
	free(copy);
	return result;
}

static void
is_note(const char *note, bool expected)
{
	Size		len = strlen(note);
	char	   *copy = exact_copy(note, len);
	uint8	   *blobs = malloc(len > 0 ? len : 1);
	Note		read;
	const char *reason = NULL;

	CHECK(note_read(copy, len, blobs, &read, &reason) == expected, "%s\n(%s)", note, reason != NULL ? reason : "taken");
	free(blobs);
	free(copy);
}

static void
test_keys(void)
{
	NoteKey		key;
	const char *reason;
	char		out[NOTE_VKEY_MAX];
	char		text_form[sizeof(peter_vkey)];
	static const char *const good[] = {
		peter_vkey, enoch_vkey, "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
		"TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6"
	};
	static const char *const bad[] = {
		"", "+", "++", "PeterNeumann", "PeterNeumann+c74f20a3", "PeterNeumann+c74f20a3+", "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
		"PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"bananas.sigstore.dev+12344556", "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!", "rekor.sigstore.dev+12345678+AwEB"
	};

	for (int i = 0; i < lengthof(good); i++)
	{
		CHECK(note_key_read(good[i], &key, &reason), "%s is refused", good[i]);
		CHECK(note_key_write(&key, out) == strlen(good[i]) && strcmp(out, good[i]) == 0, "%s is written as %s", good[i], out);
	}
	for (int i = 0; i < lengthof(bad); i++)
	{
		reason = NULL;
		CHECK(!note_key_read(bad[i], &key, &reason) && reason != NULL, "%s is taken", bad[i]);
	}

	/* every part of it, and every change of a byte */
	for (Size from = 0; from < sizeof(peter_vkey) - 1; from++)
	{
		for (Size to = from; to < sizeof(peter_vkey); to++)
		{
			char	   *part;

			if (from == 0 && to == sizeof(peter_vkey) - 1)
				continue;
			memcpy(text_form, peter_vkey + from, to - from);
			text_form[to - from] = '\0';
			part = exact_copy(text_form, to - from + 1);
			CHECK(!note_key_read(part, &key, &reason), "%s is taken", part);
			free(part);
		}
	}
	for (Size at = 0; at < sizeof(peter_vkey) - 1; at++)
	{
		memcpy(text_form, peter_vkey, sizeof(text_form));
		for (int byte = 0; byte < 256; byte++)
		{
			text_form[at] = (char) byte;
			CHECK(text_form[at] == peter_vkey[at] || !note_key_read(text_form, &key, &reason), "%s is taken", text_form);
		}
	}
}

static void
test_names(void)
{
	char		longest[NOTE_ORIGIN_MAX_LEN + 2];
	static const char *const bad[] = {
		"", "a b", "a+b", "a\tb", "a\nb", "a\x01", "\xff", "a\xc2\x85", "a\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x8a",
		"\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xed\xa0\x80", "\xc0\xaf"
	};
	static const char *const good[] = {"a", "example.com/log", "\xec\xa0\x9c\xec\xa3\xbc", "\xe2\x80\x8b", "\xe2\x80\x94", "\xf0\x9f\x8d\x8a"};

	for (int i = 0; i < lengthof(bad); i++)
		CHECK(!note_name_is_valid(bad[i], strlen(bad[i])), "name %d is taken", i);
	for (int i = 0; i < lengthof(good); i++)
		CHECK(note_name_is_valid(good[i], strlen(good[i])), "name %s is refused", good[i]);
	memset(longest, 'x', sizeof(longest));
	CHECK(note_name_is_valid(longest, NOTE_ORIGIN_MAX_LEN), "a long name");
	CHECK(!note_name_is_valid(longest, NOTE_ORIGIN_MAX_LEN + 1), "too long a name");
}

/* n lines of this kind behind the words */
static char *
with_lines(const char *line, int n)
{
	char	   *out = malloc(strlen(words) + 2 + n * strlen(line));
	char	   *end = out + sprintf(out, "%s\n", words);

	for (int i = 0; i < n; i++)
		end += sprintf(end, "%s", line);
	return out;
}

static void
test_reading(void)
{
	char		line[4000];
	char	   *many;
	static const char *const malformed[] = {
		"", "\n", "\n\n", words,
		"text\n\n",
		"text\n\n" DASH " PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
		"\x01text\n\n" PETER_LINE, "\xfftext\n\n" PETER_LINE, "te\rxt\n\n" PETER_LINE, "te\txt\n\n" PETER_LINE,
		"text\n" PETER_LINE, "text\n\n" PETER_LINE "Unexpected line.\n", "text\n\n" PETER_LINE "\n", "text\n\nx" PETER_LINE,
		"text\n\n" DASH " Bad Name x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
		"text\n\n" DASH "  AAAABBBB\n", "text\n\n" DASH " a+b AAAABBBB\n", "text\n\n" DASH " a\xc2\xa0" "b AAAABBBB\n",
		"text\n\n" DASH " ab AAAABBB\n", "text\n\n" DASH " ab AAAABBBB \n", "text\n\n" DASH " ab  AAAABBBB\n",
		"text\n\n" DASH " ab AAAABB=B\n", "text\n\n" DASH " ab AAA=BBBB\n", "text\n\n" DASH " ab AAAABB==\n", "text\n\n" DASH " ab AAAABBB=\n",
		"text\n\n" DASH " ab AAAA====\n", "text\n\n" DASH " ab AA==AA==AA==AA==AA==AA==AA==\n", "text\n\n" DASH " ab \n", "text\n\n" DASH " ab AAAA\n", "text\n\n" DASH " ab AAAAAA==\n",
		"text\n\n" DASH " ab AAAAB-_B\n", "text\n\n" DASH "ab AAAABBBB\n", "text\n\n- ab AAAABBBB\n", "text\n\n" DASH " AAAABBBB\n", "text\n\n" DASH " \n"
	};

	for (int i = 0; i < lengthof(malformed); i++)
		is_note(malformed[i], false);
	is_note("text\n\n" DASH " ab AAAABBBB\n", true);
	is_note("text\n\n" DASH " ab AAAABBA=\n", true);
	is_note("text\n\n" DASH " ab AAAAAAA=\n", true);
	/* the last empty line parts text and signatures */
	is_note("a text\n\nof two parts\n\n" PETER_LINE, true);
	is_note("\n\n" PETER_LINE, true);

	many = with_lines(PETER_LINE, NOTE_SIGNATURES_MAX);
	is_note(many, true);
	free(many);
	many = with_lines(PETER_LINE, NOTE_SIGNATURES_MAX + 1);
	is_note(many, false);
	free(many);

	/*
	 * an ML-DSA-44 cosignature: 4 + 8 + 2420 bytes, of a key that is not
	 * known
	 */
	memset(line, 'A', sizeof(line));
	memcpy(line, DASH " w ", 6);
	strcpy(line + 6 + 3242, "A=\n");
	many = with_lines(line, 1);
	is_note(many, true);
	free(many);
}

static void
test_verifying(void)
{
	NoteKey		peter = key_of(peter_vkey);
	NoteKey		enoch = key_of(enoch_vkey);
	NoteKey		stranger = renamed(peter, "CarmenSandiego", NOTE_ED25519);
	char	   *both;
	char	   *single;
	char	   *twice;
	Size		len;

	both = malloc(2000);
	sprintf(both, "%s\n%s%s", words, PETER_LINE, ENOCH_LINE);
	CHECK(verdict(both, strlen(both), &peter, NULL) == NOTE_GOOD, "Peter's signature");
	CHECK(verdict(both, strlen(both), &enoch, NULL) == NOTE_GOOD, "Enoch's signature");
	CHECK(verdict(both, strlen(both), &stranger, NULL) == NOTE_KEY_UNKNOWN, "nobody's signature");
	/* the same name with another ID is another key */
	stranger = renamed(enoch, "PeterNeumann", NOTE_ED25519);
	CHECK(verdict(both, strlen(both), &stranger, NULL) == NOTE_KEY_UNKNOWN, "an impostor's key");
	/* and with the same ID its signature does not verify */
	memcpy(stranger.id, peter.id, NOTE_KEY_ID_LEN);
	CHECK(verdict(both, strlen(both), &stranger, NULL) == NOTE_BAD, "a collision");
	free(both);

	single = with_lines(PETER_LINE, 1);
	len = strlen(single);
	for (Size at = 0; at < len; at++)
	{
		char		was = single[at];

		for (int byte = 0; byte < 256; byte++)
		{
			single[at] = (char) byte;
			CHECK((verdict(single, len, &peter, NULL) == NOTE_GOOD) == (single[at] == was),
				  "byte %d of the note is %02x", (int) at, byte);
		}
		single[at] = was;
	}
	for (Size at = 0; at < len; at++)
		CHECK(verdict(single, at, &peter, NULL) != NOTE_GOOD, "%d bytes of the note", (int) at);

	/* one bad signature among good ones of a key spoils the note */
	twice = malloc(2000);
	sprintf(twice, "%s\n%s%s", words, PETER_LINE, PETER_LINE);
	CHECK(verdict(twice, strlen(twice), &peter, NULL) == NOTE_GOOD, "signed twice");
	twice[len + strlen(DASH " PeterNeumann x08go/ZJ")] ^= 1;
	CHECK(verdict(twice, strlen(twice), &peter, NULL) == NOTE_BAD, "signed twice, once badly");
	sprintf(twice, "%s\n%s%s", words, PETER_LINE, PETER_LINE);
	twice[strlen(words) + 1 + strlen(DASH " PeterNeumann x08go/ZJ")] ^= 1;
	CHECK(verdict(twice, strlen(twice), &peter, NULL) == NOTE_BAD, "signed twice, first badly");
	free(twice);
	free(single);
}

static void
is_checkpoint(const char *text_form, bool expected)
{
	char	   *copy = exact_copy(text_form, strlen(text_form));
	NoteText	span = {copy, strlen(text_form)};
	Checkpoint	checkpoint;
	const char *reason = NULL;

	CHECK(checkpoint_read(span, &checkpoint, &reason) == expected, "%s(%s)", text_form, reason != NULL ? reason : "taken");
	free(copy);
}

static void
test_checkpoints(void)
{
#define ROOT "2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94=\n"
	char		out[CHECKPOINT_TEXT_MAX];
	char		long_one[400];
	Checkpoint	checkpoint;
	NoteText	body = {CHECKPOINT "one\ntwo\n", strlen(CHECKPOINT "one\ntwo\n")};
	const char *reason;
	static const char *const good[] = {
		CHECKPOINT, CHECKPOINT "extension\n", "o\n0\n" ROOT, "o\n9223372036854775807\n" ROOT, "an origin with spaces+\n7\n" ROOT
	};
	static const char *const bad[] = {
		"", "\n", "o\n", "o\n1\n", "\n1\n" ROOT, "o\n\n" ROOT, "o\n01\n" ROOT, "o\n00\n" ROOT, "o\n-1\n" ROOT, "o\n+1\n" ROOT, "o\n 1\n" ROOT,
		"o\n1 \n" ROOT, "o\n1.0\n" ROOT, "o\n0x1\n" ROOT, "o\n9223372036854775808\n" ROOT, "o\n18446744073709551616\n" ROOT,
		"o\n99999999999999999999\n" ROOT, "o\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94=",
		"o\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94\n", "o\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs95=\n",
		"o\n1\n2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs97A\n", "o\n1\nAAAA\n", "o\n1\n\n", CHECKPOINT "\n", CHECKPOINT "x", CHECKPOINT "x\n\ny\n"
	};

	for (int i = 0; i < lengthof(good); i++)
		is_checkpoint(good[i], true);
	for (int i = 0; i < lengthof(bad); i++)
		is_checkpoint(bad[i], false);

	memset(long_one, 'o', sizeof(long_one));
	strcpy(long_one + NOTE_ORIGIN_MAX_LEN, "\n1\n" ROOT);
	is_checkpoint(long_one, true);
	strcpy(long_one + NOTE_ORIGIN_MAX_LEN, "o\n1\n" ROOT);
	is_checkpoint(long_one, false);

	CHECK(checkpoint_read(body, &checkpoint, &reason) && checkpoint.size == 1 &&
		  checkpoint.origin.len == strlen("example.com/log") &&
		  checkpoint.extensions.len == strlen("one\ntwo\n") &&
		  memcmp(checkpoint.extensions.data, "one\ntwo\n", strlen("one\ntwo\n")) == 0, "a checkpoint's parts");
	CHECK(checkpoint_write("example.com/log", 1, checkpoint.root, out) == strlen(CHECKPOINT) &&
		  strcmp(out, CHECKPOINT) == 0, "written: %s", out);
	long_one[NOTE_ORIGIN_MAX_LEN] = '\0';
	CHECK(checkpoint_write(long_one, PG_INT64_MAX, checkpoint.root, out) == CHECKPOINT_TEXT_MAX - 1, "the longest checkpoint");
}

/* A line is written as it was read. */
static void
test_line(const NoteKey *key, const char *line)
{
	const char	note_form[] = CHECKPOINT "\n" LOG_LINE WITNESS_LINE;
	uint8		blobs[sizeof(note_form)];
	char		out[NOTE_LINE_MAX];
	Note		note;
	const char *reason;
	int			found = 0;

	CHECK(note_read(note_form, strlen(note_form), blobs, &note, &reason) && note.nsignatures == 2, "the example");
	for (int i = 0; i < note.nsignatures; i++)
	{
		const NoteSignature *signature = &note.signatures[i];

		if (memcmp(signature->key_id, key->id, NOTE_KEY_ID_LEN) != 0)
			continue;
		found++;
		CHECK(note_line_write(key, signature->signature, signature->signature_len, out) == strlen(line) &&
			  strcmp(out, line) == 0, "written: %s", out);
		CHECK(signature->line.len == strlen(line) && memcmp(signature->line.data, line, signature->line.len) == 0,
			  "a line's place");
	}
	CHECK(found == 1, "%s has signed %d times", key->name, found);
}

static void
test_cosignatures(void)
{
	NoteKey		log = renamed(key_of(peter_vkey), "example.com/log", NOTE_ED25519);
	NoteKey		witness = renamed(log, "witness.example/w1", NOTE_COSIGNATURE);
	char		both[] = CHECKPOINT "\n" LOG_LINE WITNESS_LINE;
	char		cosigned[] = CHECKPOINT "\n" WITNESS_LINE;
	static const char several[] = CHECKPOINT "\n" WITNESS_LINE DASH " witness.example/w1 "
		"zJpwRAAAAABkGFDKPGU8EOSN4LJt+y2Ym8JRSC8dx1l94dAra7MTz1I9SZR4f0iOjKju7QOzY+CLaEEIR4HAqcVdV28K/q9LZyL5AQ==\n";
	static const char *const beyond[] = {
		CHECKPOINT "\n" DASH " witness.example/w1 "
		"zJpwRIAAAAAAAAAA9PrgrbMhAiAT0kjOUQzB32TOHAjtaYgmlLxqRzo+qaBOz4DEUF+BVQ0WpgPmPHhpX1R14EDquhyH7iTE1i5CCw==\n",
		CHECKPOINT "\n" DASH " witness.example/w1 "
		"zJpwRIAAAAAAAAAArzeBKdvX9R9YZfzX+BW+AQj/gu1r15jiGnopXyawlLG+hZa9lM7gV60xEdrYNbUB4rhFJbXELp/EI9/g1Vq4Cw==\n"
	};
	Size		len = strlen(cosigned);
	NoteKey		longest;
	char		out[NOTE_LINE_MAX];
	uint8		most[NOTE_COSIGNATURE_LEN] = {0};
	int64		time = -1;

	CHECK(verdict(both, strlen(both), &log, NULL) == NOTE_GOOD, "the log's signature");
	CHECK(verdict(both, strlen(both), &witness, &time) == NOTE_GOOD && time == 1679315147, "the witness's");
	test_line(&log, LOG_LINE);
	test_line(&witness, WITNESS_LINE);

	for (Size at = 0; at < len; at++)
	{
		char		was = cosigned[at];

		for (int byte = 0; byte < 256; byte++)
		{
			cosigned[at] = (char) byte;
			CHECK((verdict(cosigned, len, &witness, &time) == NOTE_GOOD) == (cosigned[at] == was),
				  "byte %d of the cosigned note is %02x", (int) at, byte);
		}
		cosigned[at] = was;
	}

	/*
	 * a plain signature by a cosigner's key is none of its cosignatures, nor
	 * the other way round
	 */
	witness = renamed(log, "example.com/log", NOTE_COSIGNATURE);
	memcpy(witness.id, log.id, NOTE_KEY_ID_LEN);
	CHECK(verdict(both, strlen(both), &witness, &time) == NOTE_BAD, "a signature for a cosignature");
	witness = renamed(log, "witness.example/w1", NOTE_COSIGNATURE);
	witness.type = NOTE_ED25519;
	CHECK(verdict(both, strlen(both), &witness, NULL) == NOTE_BAD, "a cosignature for a signature");

	/*
	 * of several cosignatures the last moment counts, in whatever order they
	 * stand
	 */
	witness = renamed(log, "witness.example/w1", NOTE_COSIGNATURE);
	CHECK(verdict(several, strlen(several), &witness, &time) == NOTE_GOOD && time == 1679315147, "cosigned twice");

	/*
	 * moments do not go beyond 2^63 - 1, however they are written into what
	 * is signed
	 */
	for (int i = 0; i < lengthof(beyond); i++)
		CHECK(verdict(beyond[i], strlen(beyond[i]), &witness, &time) == NOTE_BAD, "a moment of 2^63");

	memset(&longest, 0, sizeof(longest));
	memset(longest.name, 'n', NOTE_ORIGIN_MAX_LEN);
	CHECK(note_line_write(&longest, most, sizeof(most), out) == NOTE_LINE_MAX - 1, "the longest line");
	CHECK(note_cosigned_head(PG_INT64_MAX, out) == NOTE_COSIGNED_HEAD_MAX - 1, "the longest head");
}

void
test_note(void)
{
	test_keys();
	test_names();
	test_reading();
	test_verifying();
	test_checkpoints();
	test_cosignatures();
}
