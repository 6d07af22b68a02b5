/*-------------------------------------------------------------------------
 *
 * hpke.h
 *	  HPKE, by OpenSSL's own functions or put together of others
 *
 * OpenSSL has HPKE since 3.2; hpke_openssl.c calls that.  For older ones
 * hpke_evp.c does what RFC 9180 says, with OpenSSL's X25519, HKDF and
 * ChaCha20-Poly1305.  One of the two is compiled; both offer this.
 *
 * Nothing here raises errors, so no handle is needed: each function frees what
 * it has made.  False says that OpenSSL has failed, or a message is not good.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_HPKE_H
#define ANSHIM_HPKE_H

#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include "crypto/crypto.h"

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
#define HPKE_OF_OPENSSL
#endif

/* `enc` and `sealed` lie apart; `sealed` is CRYPTO_HPKE_TAG_LEN longer. */
extern bool hpke_seal(const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
					  const CryptoBinding *binding, const uint8 *message, Size len,
					  const uint8 *ikm, uint8 enc[CRYPTO_HPKE_ENC_LEN], uint8 *sealed);
extern bool hpke_open(EVP_PKEY *secret, const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
					  const CryptoBinding *binding, const uint8 enc[CRYPTO_HPKE_ENC_LEN],
					  const uint8 *sealed, Size len, uint8 *message);

#endif							/* ANSHIM_HPKE_H */
