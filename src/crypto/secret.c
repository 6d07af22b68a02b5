/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  Memory for secrets
 *
 * OpenSSL's secure heap lies between guard pages, is left out of core files,
 * and is locked into memory as far as RLIMIT_MEMLOCK lets us.  Once it is
 * there OpenSSL keeps its own private keys in it, too.  It is set up when a
 * backend first touches a secret, so that one which only verifies has none.
 *
 * What it does not hold: what OpenSSL computes with while it does, in
 * registers, on the stack and in its contexts.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypto/handle.h"

/*
 * Room for the keys that a backend holds at a time, many times over: once
 * the heap is there, whoever else uses OpenSSL in this backend (libpq's
 * client keys) takes from it as well, and finds it exhausted rather than
 * growing.
 */
#define SECURE_HEAP_SIZE (256 * 1024)
#define SECURE_HEAP_GRAIN 32

struct CryptoSecret
{
	CryptoHandle handle;
	uint8	   *data;
	Size		size;
};

void
crypto_secure_memory(void)
{
	/*
	 * Without it secrets lie in the ordinary heap, and are zeroed all the
	 * same.
	 */
	if (!CRYPTO_secure_malloc_initialized())
		(void) CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_GRAIN);
	ERR_clear_error();
}

static void
release_secret(CryptoHandle *handle)
{
	CryptoSecret *secret = (CryptoSecret *) handle;

	OPENSSL_secure_clear_free(secret->data, secret->size);
}

/*
 * Zeroed memory of this size, at least one byte.
 */
CryptoSecret *
crypto_secret_alloc(Size size)
{
	CryptoSecret *secret;

	crypto_secure_memory();
	secret = crypto_handle_alloc(sizeof(CryptoSecret), release_secret);
	secret->size = size;
	secret->data = OPENSSL_secure_zalloc(Max(size, 1));
	if (secret->data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The memory set aside for secrets is used up.")));
	return secret;
}

uint8 *
crypto_secret_data(CryptoSecret *secret)
{
	return secret->data;
}

Size
crypto_secret_size(const CryptoSecret *secret)
{
	return secret->size;
}

void
crypto_secret_free(CryptoSecret *secret)
{
	crypto_handle_free(&secret->handle);
}

void
crypto_forget(void *data, Size len)
{
	OPENSSL_cleanse(data, len);
}
