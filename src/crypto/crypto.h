/*-------------------------------------------------------------------------
 *
 * crypto.h
 *	  All of OpenSSL that anshim uses: digests, signatures, keys
 *
 * Nothing outside this folder calls OpenSSL, and nothing in this header
 * shows that it is there.  Digests, keys and secrets are handles: each
 * belongs to the resource owner that was current when it was made, and is
 * freed with it at the latest, so that an error leaks nothing.
 *
 * Whatever fails inside of OpenSSL raises 38000 with its reason as DETAIL;
 * a bad signature is no failure.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_CRYPTO_H
#define ANSHIM_CRYPTO_H

#define CRYPTO_SHA256_LEN 32
#define CRYPTO_PUBLIC_KEY_LEN 32
#define CRYPTO_HMAC_KEY_LEN 32
#define CRYPTO_ED25519_LEN 64	/* of a signature */
#define CRYPTO_HMAC_LEN 32		/* of an authentication tag */
#define CRYPTO_SIGNATURE_MAX_LEN 64

/*
 * SHA-256 (FIPS 180-4) of one piece, and of many.  A CryptoSha256 can be used
 * again and again: crypto_sha256_end() leaves it ready for the next message.
 */
typedef struct CryptoSha256 CryptoSha256;

extern void crypto_sha256(const void *data, Size len, uint8 digest[CRYPTO_SHA256_LEN]);

extern CryptoSha256 *crypto_sha256_begin(void);
extern void crypto_sha256_add(CryptoSha256 *hash, const void *data, Size len);
extern void crypto_sha256_end(CryptoSha256 *hash, uint8 digest[CRYPTO_SHA256_LEN]);
extern void crypto_sha256_free(CryptoSha256 *hash);

/* Takes the digest from its resource owner: it lives until it is freed. */
extern void crypto_sha256_keep(CryptoSha256 *hash);

/* Are these bytes the same?  In a time that depends on len alone. */
extern bool crypto_equal(const void *a, const void *b, Size len);

/*
 * Memory for a secret of `size` bytes, zeros at first: zeroed again when it is
 * freed, and kept from core files and from swap where the system lets us.
 * Errors: 53200 where what is set aside for secrets is used up.
 */
typedef struct CryptoSecret CryptoSecret;

extern CryptoSecret *crypto_secret_alloc(Size size);
extern uint8 *crypto_secret_data(CryptoSecret *secret);
extern Size crypto_secret_size(const CryptoSecret *secret);
extern void crypto_secret_free(CryptoSecret *secret);

/* For secrets elsewhere than there: zeroes bytes, and is not optimised away. */
extern void crypto_forget(void *data, Size len);

typedef enum CryptoAlgorithm
{
	CRYPTO_ED25519,				/* RFC 8032, pure: signs */
	CRYPTO_HMAC_SHA256,			/* RFC 2104, with 32 bytes of key: signs */
	CRYPTO_X25519				/* RFC 7748: messages are sealed to it */
} CryptoAlgorithm;

typedef struct CryptoKey CryptoKey;

/*
 * A new key pair of Ed25519 or X25519, and its secret as PEM (PKCS #8).
 */
extern CryptoKey *crypto_key_generate(CryptoAlgorithm algorithm);
extern CryptoSecret *crypto_key_to_pem(CryptoKey *key);

/*
 * Keys from elsewhere.  What is no key of the right kind gives NULL, and why
 * in *reason: a full sentence that says nothing of the bytes.
 *
 * A public key, to verify with or to seal to, must be the one encoding of a
 * point that is not of small order.  A URI is anything that OSSL_STORE can
 * open; the first private key behind it is taken.
 */
extern CryptoKey *crypto_key_from_public(const uint8 *raw, Size len, const char **reason);
extern CryptoKey *crypto_key_to_seal_to(const uint8 *raw, Size len, const char **reason);
extern CryptoKey *crypto_key_from_pem(CryptoAlgorithm algorithm, CryptoSecret *pem,
									  const char **reason);
extern CryptoKey *crypto_key_from_uri(CryptoAlgorithm algorithm, CryptoSecret *uri,
									  const char **reason);
extern CryptoKey *crypto_key_from_hmac(CryptoSecret *secret);

/* The 32 bytes of the public half of a key pair; false where a token in an
 * HSM does not show it. */
extern bool crypto_key_public(const CryptoKey *key, uint8 raw[CRYPTO_PUBLIC_KEY_LEN]);

extern CryptoAlgorithm crypto_key_algorithm(const CryptoKey *key);

/* Takes the key from its resource owner: it lives until it is freed. */
extern void crypto_key_keep(CryptoKey *key);
extern void crypto_key_free(CryptoKey *key);

/*
 * Signatures and authentication tags.  crypto_sign() returns the length of
 * what it wrote.  crypto_verify() is false for whatever is not exactly the
 * canonical signature of this message under this key, its length included.
 */
extern Size crypto_sign(CryptoKey *key, const uint8 *message, Size len,
						uint8 signature[CRYPTO_SIGNATURE_MAX_LEN]);
extern bool crypto_verify(CryptoKey *key, const uint8 *message, Size len,
						  const uint8 *signature, Size signature_len);

/*
 * HPKE (RFC 9180) in base mode: one message to an X25519 key, with
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305.  Sealed it
 * is CRYPTO_HPKE_EXTRA_LEN bytes longer: the encapsulated key comes first.
 * An empty message cannot be sealed.
 */
#define CRYPTO_HPKE_ENC_LEN 32
#define CRYPTO_HPKE_TAG_LEN 16
#define CRYPTO_HPKE_EXTRA_LEN (CRYPTO_HPKE_ENC_LEN + CRYPTO_HPKE_TAG_LEN)
#define CRYPTO_HPKE_INFO_MAX_LEN 256
#define CRYPTO_HPKE_IKM_LEN 32

/* What a sealed message is bound to, and has to be opened with again. */
typedef struct CryptoBinding
{
	const void *info;			/* at most CRYPTO_HPKE_INFO_MAX_LEN */
	Size		info_len;
	const void *aad;
	Size		aad_len;
} CryptoBinding;

/*
 * `ikm` is what the ephemeral key is derived from: NULL, which means random
 * bytes, for whoever does not check test vectors.
 */
extern void crypto_hpke_seal(CryptoKey *key, const CryptoBinding *binding,
							 const uint8 *message, Size len,
							 const uint8 *ikm, uint8 *sealed);

/* False for whatever was not sealed to this key under this binding. */
extern bool crypto_hpke_open(CryptoKey *key, const CryptoBinding *binding,
							 const uint8 *sealed, Size sealed_len, uint8 *message);

#endif							/* ANSHIM_CRYPTO_H */
