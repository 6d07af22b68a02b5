/*-------------------------------------------------------------------------
 *
 * crypto.c
 *	  The few functions of crypto/crypto.h that pure code calls, for unit tests
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <openssl/evp.h>

#include "crypto/crypto.h"

struct CryptoKey
{
	EVP_PKEY   *pkey;
};

void
crypto_sha256(const void *data, Size len, uint8 digest[CRYPTO_SHA256_LEN])
{
	if (EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

CryptoKey *
crypto_key_from_public(const uint8 *raw, Size len, const char **reason)
{
	CryptoKey  *key = pg_malloc(sizeof(CryptoKey));

	key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, len);
	if (key->pkey == NULL)
		abort();
	return key;
}

bool
crypto_verify(CryptoKey *key, const uint8 *message, Size len,
			  const uint8 *signature, Size signature_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool		good;

	good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
		EVP_DigestVerify(ctx, signature, signature_len, message, len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

void
crypto_key_free(CryptoKey *key)
{
	EVP_PKEY_free(key->pkey);
	pg_free(key);
}
