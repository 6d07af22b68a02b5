/*-------------------------------------------------------------------------
 *
 * crypto.c
 *	  What the shared code wants of crypto/crypto.h, for programs
 *
 * SHA-256, and verifying Ed25519; there are no resource owners here, and what
 * fails inside of OpenSSL ends the program.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "common/logging.h"

#include "crypto/crypto.h"
#include "crypto/point.h"

struct CryptoSha256
{
	EVP_MD_CTX *ctx;
	bool		started;
};

struct CryptoKey
{
	EVP_PKEY   *key;
};

static EVP_MD *sha256;
static CryptoSha256 *one_shot;

static void
fail(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	pg_log_error("OpenSSL failed: %s", reason != NULL ? reason : "it gives no reason");
	exit(2);
}

CryptoSha256 *
crypto_sha256_begin(void)
{
	CryptoSha256 *hash = pg_malloc0(sizeof(CryptoSha256));

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hash->ctx = EVP_MD_CTX_new();
	if (sha256 == NULL || hash->ctx == NULL)
		fail();
	return hash;
}

void
crypto_sha256_add(CryptoSha256 *hash, const void *data, Size len)
{
	if (!hash->started && EVP_DigestInit_ex2(hash->ctx, sha256, NULL) != 1)
		fail();
	hash->started = true;
	if (EVP_DigestUpdate(hash->ctx, data, len) != 1)
		fail();
}

void
crypto_sha256_end(CryptoSha256 *hash, uint8 digest[CRYPTO_SHA256_LEN])
{
	if (!hash->started)
		crypto_sha256_add(hash, "", 0);
	if (EVP_DigestFinal_ex(hash->ctx, digest, NULL) != 1)
		fail();
	hash->started = false;
}

void
crypto_sha256_free(CryptoSha256 *hash)
{
	EVP_MD_CTX_free(hash->ctx);
	pg_free(hash);
}

void
crypto_sha256(const void *data, Size len, uint8 digest[CRYPTO_SHA256_LEN])
{
	if (one_shot == NULL)
		one_shot = crypto_sha256_begin();
	crypto_sha256_add(one_shot, data, len);
	crypto_sha256_end(one_shot, digest);
}

CryptoKey *
crypto_key_from_public(const uint8 *raw, Size len, const char **reason)
{
	CryptoKey  *key;

	if (!crypto_point_is_good(CRYPTO_ED25519, raw, len, reason))
		return NULL;
	key = pg_malloc0(sizeof(CryptoKey));
	key->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, len);
	if (key->key == NULL)
		fail();
	return key;
}

void
crypto_key_free(CryptoKey *key)
{
	EVP_PKEY_free(key->key);
	pg_free(key);
}

bool
crypto_verify(CryptoKey *key, const uint8 *message, Size len,
			  const uint8 *signature, Size signature_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool		good;

	if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->key) != 1)
		fail();
	good = signature_len == CRYPTO_ED25519_LEN &&
		EVP_DigestVerify(ctx, signature, signature_len, message, len) == 1;
	ERR_clear_error();
	EVP_MD_CTX_free(ctx);
	return good;
}
