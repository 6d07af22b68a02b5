/*-------------------------------------------------------------------------
 *
 * hpke_evp.c
 *	  HPKE as RFC 9180 says, of OpenSSL's primitives, where it has none itself
 *
 * Functions are called as there: LabeledExtract, LabeledExpand (section 4),
 * ExtractAndExpand (4.1), KeySchedule (5.1), DeriveKeyPair (7.1.3).  Each
 * message has a key of its own, so the sequence number is always zero and the
 * nonce the base nonce.
 *
 * Secrets on the way are wiped when the function that has them returns.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/hpke.h"

#ifndef HPKE_OF_OPENSSL

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define HASH_LEN 32				/* Nh, and Nsecret */
#define KEY_LEN 32				/* Nk */
#define NONCE_LEN 12			/* Nn */
#define DH_LEN 32

/* "KEM" or "HPKE", and the numbers of the algorithms */
#define SUITE_KEM "KEM\x00\x20"
#define SUITE_HPKE "HPKE\x00\x20\x00\x01\x00\x03"
#define SUITE_MAX_LEN (sizeof(SUITE_HPKE) - 1)
#define LABEL_MAX_LEN 16

typedef struct Suite
{
	const char *id;
	Size		len;
} Suite;

static const Suite suite_kem = {SUITE_KEM, sizeof(SUITE_KEM) - 1};
static const Suite suite_hpke = {SUITE_HPKE, sizeof(SUITE_HPKE) - 1};

/* What HKDF is given: a length (to expand), a label, and anything else. */
#define LABELED_MAX_LEN (2 + 7 + SUITE_MAX_LEN + LABEL_MAX_LEN + CRYPTO_HPKE_INFO_MAX_LEN)

typedef struct Labeled
{
	Size		len;
	uint8		bytes[LABELED_MAX_LEN];
} Labeled;

/* What a message is encrypted with. */
typedef struct MessageKey
{
	uint8		key[KEY_LEN];
	uint8		nonce[NONCE_LEN];
} MessageKey;

static EVP_KDF *hkdf;
static EVP_CIPHER *aead;

static bool
fetch_algorithms(void)
{
	if (hkdf == NULL)
		hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (aead == NULL)
		aead = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	return hkdf != NULL && aead != NULL;
}

static void
labeled_add(Labeled *labeled, const void *bytes, Size len)
{
	Assert(len <= LABELED_MAX_LEN - labeled->len);
	if (len > 0)
		memcpy(labeled->bytes + labeled->len, bytes, len);
	labeled->len += len;
}

/* "HPKE-v1", the suite, the label, and what follows these */
static void
labeled_add_all(Labeled *labeled, Suite suite, const char *label, const void *bytes, Size len)
{
	labeled_add(labeled, "HPKE-v1", 7);
	labeled_add(labeled, suite.id, suite.len);
	labeled_add(labeled, label, strlen(label));
	labeled_add(labeled, bytes, len);
}

static bool
run_hkdf(OSSL_PARAM *params, uint8 *out, Size out_len)
{
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(hkdf);
	bool		done = ctx != NULL && EVP_KDF_derive(ctx, out, out_len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	return done;
}

/* `salt` is a hash or NULL, for none. */
static bool
labeled_extract(Suite suite, const uint8 *salt, const char *label,
				const void *ikm, Size ikm_len, uint8 prk[HASH_LEN])
{
	Labeled		labeled = {0};
	int			mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	OSSL_PARAM	params[5];
	int			n = 0;
	bool		done;

	labeled_add_all(&labeled, suite, label, ikm, ikm_len);
	params[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
	params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, labeled.bytes, labeled.len);
	if (salt != NULL)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
														unconstify(uint8 *, salt), HASH_LEN);
	params[n] = OSSL_PARAM_construct_end();
	done = run_hkdf(params, prk, HASH_LEN);
	OPENSSL_cleanse(&labeled, sizeof(labeled));
	return done;
}

static bool
labeled_expand(Suite suite, const uint8 prk[HASH_LEN], const char *label,
			   const void *info, Size info_len, uint8 *out, Size out_len)
{
	Labeled		labeled = {0};
	uint8		length[2] = {(uint8) (out_len >> 8), (uint8) out_len};
	int			mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM	params[5];

	labeled_add(&labeled, length, sizeof(length));
	labeled_add_all(&labeled, suite, label, info, info_len);
	params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
												  unconstify(uint8 *, prk), HASH_LEN);
	params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, labeled.bytes, labeled.len);
	params[4] = OSSL_PARAM_construct_end();
	return run_hkdf(params, out, out_len);
}

/*
 * DeriveKeyPair: a key pair of these bytes, or NULL.
 */
static EVP_PKEY *
derive_key_pair(const uint8 ikm[CRYPTO_HPKE_IKM_LEN])
{
	uint8		prk[HASH_LEN];
	uint8		secret[DH_LEN];
	EVP_PKEY   *pair = NULL;

	if (labeled_extract(suite_kem, NULL, "dkp_prk", ikm, CRYPTO_HPKE_IKM_LEN, prk) &&
		labeled_expand(suite_kem, prk, "sk", NULL, 0, secret, sizeof(secret)))
		pair = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, sizeof(secret));
	OPENSSL_cleanse(prk, sizeof(prk));
	OPENSSL_cleanse(secret, sizeof(secret));
	return pair;
}

/*
 * DH: fails, too, if the result is zero, as it is for points of small order.
 */
static bool
diffie_hellman(EVP_PKEY *mine, const uint8 theirs[CRYPTO_PUBLIC_KEY_LEN], uint8 dh[DH_LEN])
{
	EVP_PKEY   *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, theirs,
													  CRYPTO_PUBLIC_KEY_LEN);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
	size_t		len = DH_LEN;
	bool		done;

	done = peer != NULL && ctx != NULL &&
		EVP_PKEY_derive_init(ctx) == 1 &&
		EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
		EVP_PKEY_derive(ctx, dh, &len) == 1 &&
		len == DH_LEN;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return done;
}

/*
 * The key of a message, of what both sides have agreed on: the second half of
 * Encap and of Decap, ExtractAndExpand, and then KeySchedule.
 */
static bool
derive_message_key(const uint8 dh[DH_LEN], const uint8 enc[CRYPTO_HPKE_ENC_LEN],
				   const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
				   const CryptoBinding *binding, MessageKey *key)
{
	uint8		kem_context[CRYPTO_HPKE_ENC_LEN + CRYPTO_PUBLIC_KEY_LEN];
	uint8		context[1 + 2 * HASH_LEN] = {0};	/* mode 0: base */
	uint8		prk[HASH_LEN];
	uint8		shared[HASH_LEN];
	bool		done;

	memcpy(kem_context, enc, CRYPTO_HPKE_ENC_LEN);
	memcpy(kem_context + CRYPTO_HPKE_ENC_LEN, public_key, CRYPTO_PUBLIC_KEY_LEN);
	done = labeled_extract(suite_kem, NULL, "eae_prk", dh, DH_LEN, prk) &&
		labeled_expand(suite_kem, prk, "shared_secret", kem_context, sizeof(kem_context),
					   shared, sizeof(shared)) &&
		labeled_extract(suite_hpke, NULL, "psk_id_hash", NULL, 0, context + 1) &&
		labeled_extract(suite_hpke, NULL, "info_hash", binding->info, binding->info_len,
						context + 1 + HASH_LEN) &&
		labeled_extract(suite_hpke, shared, "secret", NULL, 0, prk) &&
		labeled_expand(suite_hpke, prk, "key", context, sizeof(context), key->key, KEY_LEN) &&
		labeled_expand(suite_hpke, prk, "base_nonce", context, sizeof(context),
					   key->nonce, NONCE_LEN);
	OPENSSL_cleanse(prk, sizeof(prk));
	OPENSSL_cleanse(shared, sizeof(shared));
	return done;
}

static bool
agree_on_key(EVP_PKEY *mine, const uint8 theirs[CRYPTO_PUBLIC_KEY_LEN],
			 const uint8 enc[CRYPTO_HPKE_ENC_LEN], const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
			 const CryptoBinding *binding, MessageKey *key)
{
	uint8		dh[DH_LEN];
	bool		done;

	done = diffie_hellman(mine, theirs, dh) &&
		derive_message_key(dh, enc, public_key, binding, key);
	OPENSSL_cleanse(dh, sizeof(dh));
	return done;
}

static bool
encrypt(const MessageKey *key, const CryptoBinding *binding,
		const uint8 *message, Size len, uint8 *sealed)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int			n;
	bool		done;

	done = ctx != NULL &&
		EVP_EncryptInit_ex2(ctx, aead, key->key, key->nonce, NULL) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &n, binding->aad, (int) binding->aad_len) == 1 &&
		EVP_EncryptUpdate(ctx, sealed, &n, message, (int) len) == 1 &&
		EVP_EncryptFinal_ex(ctx, sealed + n, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_HPKE_TAG_LEN, sealed + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return done;
}

static bool
decrypt(const MessageKey *key, const CryptoBinding *binding,
		const uint8 *sealed, Size len, uint8 *message)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	Size		message_len = len - CRYPTO_HPKE_TAG_LEN;
	int			n;
	bool		done;

	done = ctx != NULL &&
		EVP_DecryptInit_ex2(ctx, aead, key->key, key->nonce, NULL) == 1 &&
		EVP_DecryptUpdate(ctx, NULL, &n, binding->aad, (int) binding->aad_len) == 1 &&
		EVP_DecryptUpdate(ctx, message, &n, sealed, (int) message_len) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_HPKE_TAG_LEN,
							unconstify(uint8 *, sealed) + message_len) == 1 &&
		EVP_DecryptFinal_ex(ctx, message + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return done;
}

bool
hpke_seal(const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
		  const CryptoBinding *binding, const uint8 *message, Size len,
		  const uint8 *ikm, uint8 enc[CRYPTO_HPKE_ENC_LEN], uint8 *sealed)
{
	uint8		random[CRYPTO_HPKE_IKM_LEN];
	EVP_PKEY   *ephemeral;
	MessageKey	key;
	size_t		enc_len = CRYPTO_HPKE_ENC_LEN;
	bool		done;

	if (!fetch_algorithms() || (ikm == NULL && !pg_strong_random(random, sizeof(random))))
		return false;
	ephemeral = derive_key_pair(ikm != NULL ? ikm : random);
	OPENSSL_cleanse(random, sizeof(random));

	done = ephemeral != NULL &&
		EVP_PKEY_get_raw_public_key(ephemeral, enc, &enc_len) == 1 &&
		agree_on_key(ephemeral, public_key, enc, public_key, binding, &key) &&
		encrypt(&key, binding, message, len, sealed);
	EVP_PKEY_free(ephemeral);
	OPENSSL_cleanse(&key, sizeof(key));
	return done;
}

bool
hpke_open(EVP_PKEY *secret, const uint8 public_key[CRYPTO_PUBLIC_KEY_LEN],
		  const CryptoBinding *binding, const uint8 enc[CRYPTO_HPKE_ENC_LEN],
		  const uint8 *sealed, Size len, uint8 *message)
{
	MessageKey	key;
	bool		done;

	done = fetch_algorithms() &&
		agree_on_key(secret, enc, enc, public_key, binding, &key) &&
		decrypt(&key, binding, sealed, len, message);
	OPENSSL_cleanse(&key, sizeof(key));
	return done;
}

#endif							/* !HPKE_OF_OPENSSL */
