/*-------------------------------------------------------------------------
 *
 * hpke.c
 *	  Messages sealed to an X25519 key
 *
 * Checks what is asked for, and leaves the rest to hpke_openssl.c or
 * hpke_evp.c, whichever is compiled.  What does not open leaves nothing of
 * itself in `message`: it is wiped.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include <openssl/err.h>

#include "crypto/handle.h"
#include "crypto/hpke.h"

void
crypto_hpke_seal(CryptoKey *key, const CryptoBinding *binding,
				 const uint8 *message, Size len, const uint8 *ikm, uint8 *sealed)
{
	uint8		public_key[CRYPTO_PUBLIC_KEY_LEN];

	Assert(crypto_key_algorithm(key) == CRYPTO_X25519);
	Assert(binding->info_len <= CRYPTO_HPKE_INFO_MAX_LEN);
	Assert(binding->aad_len <= INT_MAX);
	Assert(len > 0 && len <= INT_MAX);

	ERR_clear_error();
	if (!crypto_key_public(key, public_key) ||
		!hpke_seal(public_key, binding, message, len, ikm,
				   sealed, sealed + CRYPTO_HPKE_ENC_LEN))
		crypto_fail("could not seal a message");
}

bool
crypto_hpke_open(CryptoKey *key, const CryptoBinding *binding,
				 const uint8 *sealed, Size sealed_len, uint8 *message)
{
	uint8		public_key[CRYPTO_PUBLIC_KEY_LEN];
	bool		opened;

	Assert(crypto_key_algorithm(key) == CRYPTO_X25519);
	Assert(binding->info_len <= CRYPTO_HPKE_INFO_MAX_LEN);
	Assert(binding->aad_len <= INT_MAX);

	if (sealed_len <= CRYPTO_HPKE_EXTRA_LEN || sealed_len > INT_MAX)
		return false;
	ERR_clear_error();
	opened = crypto_key_public(key, public_key) &&
		hpke_open(crypto_key_pkey(key), public_key, binding, sealed,
				  sealed + CRYPTO_HPKE_ENC_LEN, sealed_len - CRYPTO_HPKE_ENC_LEN, message);
	ERR_clear_error();
	/* what was decrypted before the tag was found wrong */
	if (!opened)
		crypto_forget(message, sealed_len - CRYPTO_HPKE_EXTRA_LEN);
	return opened;
}
