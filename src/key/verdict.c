/*-------------------------------------------------------------------------
 *
 * verdict.c
 *	  Verifies tokens
 *
 * A poster is scanned all day, so a backend remembers which tokens' Ed25519
 * signatures it has verified: the next time, the same bytes under the same
 * public key are known by their digest.  What depends on the time, validity
 * and revocation, is asked each time.  A digest covers the public key, so it
 * could not become wrong; all are dropped when any key changes nevertheless.
 * HMACs are not remembered: computing one is as quick.
 *
 * Memory: MEMORY_SETS * MEMORY_WAYS digests, allocated at the first use, for
 * the backend's life.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "key/verdict.h"

/* 4096 digests, 128 kB: more posters than one backend meets in a day */
#define MEMORY_SETS 1024
#define MEMORY_WAYS 4

/* Digests that share a place, the last used one first; zero: none. */
typedef struct MemorySet
{
	uint8		digest[MEMORY_WAYS][CRYPTO_SHA256_LEN];
} MemorySet;

static MemorySet *memory;
static uint64 memory_generation;
static CryptoSha256 *memory_hash;

static const char *const verdict_names[] = {
	[VERDICT_UNKNOWN_KEY] = "unknown key",
	[VERDICT_BAD_SIGNATURE] = "bad signature",
	[VERDICT_KEY_REVOKED] = "key revoked",
	[VERDICT_KEY_NOT_VALID] = "key not valid then",
	[VERDICT_NOT_YET_VALID] = "not yet valid",
	[VERDICT_EXPIRED] = "expired",
	[VERDICT_VALID] = "valid"
};

PG_FUNCTION_INFO_V1(anshim_verify);
PG_FUNCTION_INFO_V1(anshim_verdict);

const char *
verdict_name(Verdict verdict)
{
	return verdict_names[verdict];
}

/*
 * The digest by which a token under a key is remembered.
 */
static void
memory_digest(const Key *key, const Token *token, uint8 digest[CRYPTO_SHA256_LEN])
{
	if (memory_hash == NULL)
	{
		CryptoSha256 *hash = crypto_sha256_begin();

		crypto_sha256_keep(hash);
		memory_hash = hash;
	}
	crypto_sha256_add(memory_hash, key->public_key, sizeof(key->public_key));
	crypto_sha256_add(memory_hash, VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token));
	crypto_sha256_end(memory_hash, digest);
}

static MemorySet *
memory_set(const uint8 *digest)
{
	uint32		number;

	if (memory == NULL)
		memory = MemoryContextAllocZero(TopMemoryContext, MEMORY_SETS * sizeof(MemorySet));
	else if (memory_generation != key_generation())
		memset(memory, 0, MEMORY_SETS * sizeof(MemorySet));
	memory_generation = key_generation();

	memcpy(&number, digest, sizeof(number));
	return &memory[number % MEMORY_SETS];
}

/*
 * Puts a digest first in its set, over the one at this place.
 */
static void
memory_put_first(MemorySet *set, int place, const uint8 *digest)
{
	memmove(set->digest[1], set->digest[0], place * CRYPTO_SHA256_LEN);
	memcpy(set->digest[0], digest, CRYPTO_SHA256_LEN);
}

static bool
memory_has(MemorySet *set, const uint8 *digest)
{
	for (int i = 0; i < MEMORY_WAYS; i++)
	{
		if (memcmp(set->digest[i], digest, CRYPTO_SHA256_LEN) == 0)
		{
			if (i > 0)
				memory_put_first(set, i, digest);
			return true;
		}
	}
	return false;
}

static KeyVerdict
check_signature(Key *key, const Cwt *cwt)
{
	uint8		message[CWT_TO_BE_SIGNED_MAX_LEN];
	Size		len;

	len = cwt_to_be_signed(cwt->tag, cwt->protected_header, cwt->payload,
						   message, sizeof(message));
	Assert(len <= sizeof(message));
	return key_verify(key, message, len, cwt->signature.data, cwt->signature.len);
}

static KeyVerdict
check_signature_remembering(Key *key, const Token *token, const Cwt *cwt)
{
	uint8		digest[CRYPTO_SHA256_LEN];
	MemorySet  *set;
	KeyVerdict	result;

	if (key->algorithm != CRYPTO_ED25519)
		return check_signature(key, cwt);

	memory_digest(key, token, digest);
	set = memory_set(digest);
	if (memory_has(set, digest))
		return KEY_SIGNATURE_GOOD;
	result = check_signature(key, cwt);
	if (result == KEY_SIGNATURE_GOOD)
		memory_put_first(set, MEMORY_WAYS - 1, digest);
	return result;
}

/*
 * Does the key do what the token's header says was done?  A token cannot
 * choose: one tag, and its algorithms, for each kind of key.
 */
static bool
algorithm_fits(const Key *key, const Cwt *cwt)
{
	switch (key->algorithm)
	{
		case CRYPTO_ED25519:
			return cwt->tag == COSE_TAG_SIGN1 &&
				(cwt->alg == COSE_ALG_EDDSA || cwt->alg == COSE_ALG_ED25519);
		case CRYPTO_HMAC_SHA256:
			return cwt->tag == COSE_TAG_MAC0 && cwt->alg == COSE_ALG_HMAC_256;
		case CRYPTO_X25519:
			return false;
	}
	return false;
}

/*
 * A token need not name its issuer, as its key does; but it must not name
 * another.
 */
static bool
issuer_fits(const Key *key, const Cwt *cwt)
{
	return !(cwt->claims.present & CWT_HAS_ISS) ||
		(cwt->claims.iss.len == key->issuer_len &&
		 memcmp(cwt->claims.iss.data, key->issuer, key->issuer_len) == 0);
}

Verdict
token_verdict(const Token *token, const Cwt *cwt, TimestampTz at, Key **key_out)
{
	Key		   *key = key_lookup((const char *) cwt->kid.data, cwt->kid.len);

	if (key_out != NULL)
		*key_out = key;
	if (key == NULL || !algorithm_fits(key, cwt) || !issuer_fits(key, cwt))
		return VERDICT_UNKNOWN_KEY;
	switch (check_signature_remembering(key, token, cwt))
	{
		case KEY_SIGNATURE_GOOD:
			break;
		case KEY_SIGNATURE_BAD:
			return VERDICT_BAD_SIGNATURE;
		case KEY_SECRET_MISSING:
			return VERDICT_UNKNOWN_KEY;
	}
	if (key_is_revoked(key, at))
		return VERDICT_KEY_REVOKED;
	if (!key_is_valid(key, at))
		return VERDICT_KEY_NOT_VALID;
	if (cwt->claims.present & CWT_HAS_NBF && at < token_timestamp(cwt->claims.nbf))
		return VERDICT_NOT_YET_VALID;
	if (cwt->claims.present & CWT_HAS_EXP && at >= token_timestamp(cwt->claims.exp))
		return VERDICT_EXPIRED;
	return VERDICT_VALID;
}

Datum
anshim_verify(PG_FUNCTION_ARGS)
{
	Token	   *token = PG_GETARG_TOKEN_PP(0);
	Cwt			cwt;

	token_read(token, &cwt);
	PG_RETURN_BOOL(token_verdict(token, &cwt, PG_GETARG_TIMESTAMPTZ(1), NULL) == VERDICT_VALID);
}

Datum
anshim_verdict(PG_FUNCTION_ARGS)
{
	Token	   *token = PG_GETARG_TOKEN_PP(0);
	Cwt			cwt;

	token_read(token, &cwt);
	PG_RETURN_TEXT_P(cstring_to_text(verdict_name(token_verdict(token, &cwt,
																PG_GETARG_TIMESTAMPTZ(1),
																NULL))));
}
