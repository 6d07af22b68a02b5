/*-------------------------------------------------------------------------
 *
 * hpke_openssl.c
 *	  HPKE by OpenSSL's own functions, 3.2 or newer
 *
 * One context a message, freed before the function returns.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/hpke.h"

#ifdef HPKE_OF_OPENSSL

#include <openssl/hpke.h>

static const OSSL_HPKE_SUITE suite = {
	OSSL_HPKE_KEM_ID_X25519,
	OSSL_HPKE_KDF_ID_HKDF_SHA256,
	OSSL_HPKE_AEAD_ID_CHACHA_POLY1305
};

bool
hpke_seal(const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
		  const CryptoBinding *binding, const uint8 *message, Size len,
		  const uint8 *ikm, uint8 enc[CRYPTO_HPKE_ENC_LEN], uint8 *sealed)
{
	size_t		enc_len = CRYPTO_HPKE_ENC_LEN;
	size_t		sealed_len = len + CRYPTO_HPKE_TAG_LEN;
	OSSL_HPKE_CTX *ctx;
	bool		done;

	ctx = OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, OSSL_HPKE_ROLE_SENDER, NULL, NULL);
	done = ctx != NULL &&
		(ikm == NULL || OSSL_HPKE_CTX_set1_ikme(ctx, ikm, CRYPTO_HPKE_IKM_LEN) == 1) &&
		OSSL_HPKE_encap(ctx, enc, &enc_len, public_key, CRYPTO_PUBLIC_KEY_LEN,
						binding->info, binding->info_len) == 1 &&
		enc_len == CRYPTO_HPKE_ENC_LEN &&
		OSSL_HPKE_seal(ctx, sealed, &sealed_len, binding->aad, binding->aad_len,
					   message, len) == 1 &&
		sealed_len == len + CRYPTO_HPKE_TAG_LEN;
	OSSL_HPKE_CTX_free(ctx);
	return done;
}

bool
hpke_open(EVP_PKEY *secret, const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
		  const CryptoBinding *binding, const uint8 enc[CRYPTO_HPKE_ENC_LEN],
		  const uint8 *sealed, Size len, uint8 *message)
{
	size_t		message_len = len - CRYPTO_HPKE_TAG_LEN;
	OSSL_HPKE_CTX *ctx;
	bool		done;

	ctx = OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, OSSL_HPKE_ROLE_RECEIVER, NULL, NULL);
	done = ctx != NULL &&
		OSSL_HPKE_decap(ctx, enc, CRYPTO_HPKE_ENC_LEN, secret,
						binding->info, binding->info_len) == 1 &&
		OSSL_HPKE_open(ctx, message, &message_len, binding->aad, binding->aad_len,
					   sealed, len) == 1 &&
		message_len == len - CRYPTO_HPKE_TAG_LEN;
	OSSL_HPKE_CTX_free(ctx);
	return done;
}

#endif							/* HPKE_OF_OPENSSL */
