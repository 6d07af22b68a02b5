/*-------------------------------------------------------------------------
 *
 * handle.h
 *	  What the files of this folder share: handles, errors
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_HANDLE_H
#define ANSHIM_HANDLE_H

#include <openssl/evp.h>

#include "utils/resowner.h"

#include "compat.h"
#include "crypto/crypto.h"

/*
 * The head of every struct that holds objects of OpenSSL.  `release` frees
 * those that are there: it must not fail, and takes NULL for absent.
 */
typedef struct CryptoHandle CryptoHandle;

struct CryptoHandle
{
	ResourceOwner owner;		/* NULL: kept by the backend */
	void		(*release) (CryptoHandle *handle);
};

/*
 * A struct of `size` bytes, zeroed, that begins with a CryptoHandle and belongs
 * to the current resource owner; keeping takes it from there; freeing calls
 * `release`, whoever it belongs to.
 */
extern void *crypto_handle_alloc(Size size, void (*release) (CryptoHandle *handle));
extern void crypto_handle_keep(CryptoHandle *handle);
extern void crypto_handle_free(CryptoHandle *handle);

/* How many handles this backend holds, for tests. */
extern int	crypto_handle_count(void);

/* 38000, with OpenSSL's reason as DETAIL. */
pg_noreturn extern void crypto_fail(const char *message);

/* The key pair, or its public half alone; NULL of an HMAC key.  key.c */
extern EVP_PKEY *crypto_key_pkey(const CryptoKey *key);

/* Memory that is left out of core files; secret.c */
extern void crypto_secure_memory(void);

#endif							/* ANSHIM_HANDLE_H */
