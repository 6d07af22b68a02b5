/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  SHA-256, and comparing bytes in constant time
 *
 * The algorithm is fetched once a backend: OpenSSL 3 searches its providers
 * at each fetch, which takes longer than hashing a token does.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypto/handle.h"

struct CryptoSha256
{
	CryptoHandle handle;
	EVP_MD_CTX *ctx;
	bool		started;		/* a message is under way */
};

static EVP_MD *sha256;
static CryptoSha256 *one_shot;	/* kept by the backend */

static void
release_sha256(CryptoHandle *handle)
{
	EVP_MD_CTX_free(((CryptoSha256 *) handle)->ctx);
}

CryptoSha256 *
crypto_sha256_begin(void)
{
	CryptoSha256 *hash;

	ERR_clear_error();
	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (sha256 == NULL)
		crypto_fail("could not find SHA-256");

	hash = crypto_handle_alloc(sizeof(CryptoSha256), release_sha256);
	hash->ctx = EVP_MD_CTX_new();
	if (hash->ctx == NULL || EVP_DigestInit_ex2(hash->ctx, sha256, NULL) != 1)
		crypto_fail("could not begin a digest");
	hash->started = true;
	return hash;
}

void
crypto_sha256_add(CryptoSha256 *hash, const void *data, Size len)
{
	if (!hash->started)
	{
		/* without an algorithm: the same again */
		if (EVP_DigestInit_ex2(hash->ctx, NULL, NULL) != 1)
			crypto_fail("could not begin a digest");
		hash->started = true;
	}
	if (EVP_DigestUpdate(hash->ctx, data, len) != 1)
	{
		/* a digest that is kept must not begin in the middle next time */
		hash->started = false;
		crypto_fail("could not compute a digest");
	}
}

void
crypto_sha256_end(CryptoSha256 *hash, uint8 digest[CRYPTO_SHA256_LEN])
{
	if (!hash->started)
		crypto_sha256_add(hash, "", 0);
	hash->started = false;
	if (EVP_DigestFinal_ex(hash->ctx, digest, NULL) != 1)
		crypto_fail("could not compute a digest");
}

void
crypto_sha256_free(CryptoSha256 *hash)
{
	crypto_handle_free(&hash->handle);
}

void
crypto_sha256_keep(CryptoSha256 *hash)
{
	crypto_handle_keep(&hash->handle);
}

void
crypto_sha256(const void *data, Size len, uint8 digest[CRYPTO_SHA256_LEN])
{
	if (one_shot == NULL)
	{
		CryptoSha256 *hash = crypto_sha256_begin();

		crypto_sha256_keep(hash);
		one_shot = hash;
	}
	crypto_sha256_add(one_shot, data, len);
	crypto_sha256_end(one_shot, digest);
}

bool
crypto_equal(const void *a, const void *b, Size len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
