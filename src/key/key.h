/*-------------------------------------------------------------------------
 *
 * key.h
 *	  Keys: the rows of anshim.key, and the secrets that belong to them
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_KEY_H
#define ANSHIM_KEY_H

#include "datatype/timestamp.h"

#include "crypto/crypto.h"

#define KEY_KID_MAX_LEN 64
#define KEY_ISSUER_MAX_LEN 255

/*
 * A row of anshim.key.  It stays as it is until the next key_lookup(), and
 * is not to be used after that.
 */
typedef struct Key
{
	char		kid[KEY_KID_MAX_LEN + 1];	/* also the cache's hash key */
	char	   *issuer;			/* UTF-8 */
	Size		issuer_len;
	CryptoAlgorithm algorithm;
	uint8		public_key[CRYPTO_PUBLIC_KEY_LEN];	/* not of an HMAC key */
	TimestampTz valid_from;		/* valid at t: valid_from <= t < valid_until */
	TimestampTz valid_until;	/* DT_NOEND: for ever */
	TimestampTz revoked_at;		/* DT_NOEND: not revoked */
	CryptoKey  *public_half;	/* NULL before the first use; not of an HMAC
								 * key */
	bool		complained;		/* that an HMAC key's secret is missing */
} Key;

/* anshim.key_directory */
extern PGDLLIMPORT char *anshim_key_directory;

/* Defines the settings of this room. */
extern void key_define_settings(void);

/* Is this a name that a key can have? */
extern bool key_name_is_valid(const char *kid, Size len);

/*
 * The key of this name as it is now, whatever the transaction's snapshot
 * says, or NULL.  Cheap: a hash look-up, as long as no key has changed.
 */
extern Key *key_lookup(const char *kid, Size len);

/*
 * Counts up whenever a key may have changed; what was derived of keys before
 * is to be dropped.  As of the last key_lookup().
 */
extern uint64 key_generation(void);

/* Was, or will, the key be revoked at this moment?  See the definition. */
extern bool key_is_revoked(const Key *key, TimestampTz at);
extern bool key_is_valid(const Key *key, TimestampTz at);

/* How algorithms are called in anshim.key. */
extern const char *key_algorithm_name(CryptoAlgorithm algorithm);

typedef enum KeyVerdict
{
	KEY_SIGNATURE_GOOD,
	KEY_SIGNATURE_BAD,
	KEY_SECRET_MISSING			/* an HMAC key's; a warning was raised */
} KeyVerdict;

/*
 * Is this the key's signature of the message?  Nothing is asked of the key's
 * validity, or of its revocation.
 */
extern KeyVerdict key_verify(Key *key, const uint8 *message, Size len,
							 const uint8 *signature, Size signature_len);

/*
 * Looks the key up for signing: it must be known, valid now and not revoked,
 * and its secret within reach; else an error says what is amiss.
 */
extern Key *key_for_signing(const char *kid, Size len);

/*
 * Signs with such a key, and returns the length of the signature.  Nothing
 * leaves that does not verify under the key's row.
 */
extern Size key_sign(Key *key, const uint8 *message, Size len,
					 uint8 signature[CRYPTO_SIGNATURE_MAX_LEN]);

/*
 * The public half of a key to which messages are sealed.  It must be known,
 * of algorithm X25519, valid now and not revoked; else an error says what is
 * amiss.
 */
extern CryptoKey *key_for_sealing(const char *kid, Size len);

/*
 * The secret of the key to which a message was sealed, whenever it was valid:
 * what was sealed once has to be opened later.
 */
extern CryptoKey *key_for_opening(const char *kid, Size len);

/* An elevel below all that is reported anywhere. */
#define KEY_SILENT 0

/*
 * The secret of a key, held by the backend until the next call; if it cannot
 * be had, a report at this level says why, and NULL is returned.
 */
extern CryptoKey *key_secret(const char *kid, CryptoAlgorithm algorithm, int elevel);

/* Forgets all secrets that the backend holds, now or before the next use. */
extern void key_secrets_forget(void);
extern void key_directory_changed(void);

#endif							/* ANSHIM_KEY_H */
