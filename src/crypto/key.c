/*-------------------------------------------------------------------------
 *
 * key.c
 *	  Ed25519, X25519 and HMAC keys: made, read, and used to sign
 *
 * A key keeps what OpenSSL needs to work with it, so that a signature costs
 * little more than its arithmetic: contexts are set up at the first use and
 * then used again.  A key can do one thing only, which its algorithm says;
 * nothing that a token holds chooses what is computed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/store.h>

#include "crypto/handle.h"
#include "crypto/point.h"

struct CryptoKey
{
	CryptoHandle handle;
	CryptoAlgorithm algorithm;

	/* CRYPTO_ED25519, and the first of them CRYPTO_X25519 */
	EVP_PKEY   *pkey;
	EVP_MD_CTX *signer;			/* NULL before the first signature */
	EVP_MD_CTX *verifier;		/* NULL before the first verification */

	/* CRYPTO_HMAC_SHA256 */
	EVP_MAC_CTX *mac;			/* without the key, except while it is used */
	uint8	   *secret;			/* in secure memory */
	Size		secret_len;
};

/*
 * What goes before the 32 bytes of a secret in PKCS #8, and of a public key in
 * SubjectPublicKeyInfo (RFC 8410, sections 7 and 4); and the name that OpenSSL
 * has for such a key.
 */
#define DER_START_LEN 16
#define INFO_START_LEN 12

typedef struct KeyKind
{
	const char *name;
	uint8		der_start[DER_START_LEN];
	uint8		info_start[INFO_START_LEN];
	const char *other_kind;		/* what is said of another kind of key */
} KeyKind;

static const KeyKind kinds[] = {
	[CRYPTO_ED25519] = {
		"ED25519",
		{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20},
		{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00},
		"The private key found there is not of the kind Ed25519."
	},
	[CRYPTO_X25519] = {
		"X25519",
		{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20},
		{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00},
		"The private key found there is not of the kind X25519."
	}
};

/* As PEM it is one line between two. */
static const char pem_begin[] = "-----BEGIN PRIVATE KEY-----\n";
static const char pem_end[] = "\n-----END PRIVATE KEY-----\n";

#define DER_LEN (DER_START_LEN + 32)
#define BASE64_LEN (DER_LEN / 3 * 4)
#define PEM_LEN (sizeof(pem_begin) - 1 + BASE64_LEN + sizeof(pem_end) - 1)

static EVP_MAC *hmac;

static void
release_key(CryptoHandle *handle)
{
	CryptoKey  *key = (CryptoKey *) handle;

	EVP_MD_CTX_free(key->signer);
	EVP_MD_CTX_free(key->verifier);
	EVP_PKEY_free(key->pkey);
	EVP_MAC_CTX_free(key->mac);
	OPENSSL_secure_clear_free(key->secret, key->secret_len);
}

static CryptoKey *
alloc_key(CryptoAlgorithm algorithm)
{
	CryptoKey  *key = crypto_handle_alloc(sizeof(CryptoKey), release_key);

	key->algorithm = algorithm;
	return key;
}

CryptoKey *
crypto_key_generate(CryptoAlgorithm algorithm)
{
	CryptoKey  *key;

	ERR_clear_error();
	crypto_secure_memory();
	key = alloc_key(algorithm);
	key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, kinds[algorithm].name);
	if (key->pkey == NULL)
		crypto_fail("could not generate a key");
	return key;
}

/*
 * The secret half as PEM.  It is put together here, in secure memory, as
 * OpenSSL's encoders and decoders leave copies of a key behind in the heap.
 */
CryptoSecret *
crypto_key_to_pem(CryptoKey *key)
{
	CryptoSecret *der = crypto_secret_alloc(DER_LEN);
	CryptoSecret *pem = crypto_secret_alloc(PEM_LEN);
	uint8	   *out = crypto_secret_data(pem);
	size_t		len = DER_LEN - DER_START_LEN;

	ERR_clear_error();
	memcpy(crypto_secret_data(der), kinds[key->algorithm].der_start, DER_START_LEN);
	if (EVP_PKEY_get_raw_private_key(key->pkey, crypto_secret_data(der) + DER_START_LEN,
									 &len) != 1 ||
		len != DER_LEN - DER_START_LEN)
		crypto_fail("could not write a key");

	memcpy(out, pem_begin, strlen(pem_begin));
	out += strlen(pem_begin);
	/* it closes with a NUL, where the end is to begin */
	out += EVP_EncodeBlock(out, crypto_secret_data(der), DER_LEN);
	memcpy(out, pem_end, strlen(pem_end));
	crypto_secret_free(der);
	return pem;
}

/*
 * Reads what crypto_key_to_pem() writes, and others that write keys as
 * plainly, in secure memory alone.  False if it is something else.
 */
static bool
key_from_plain_pem(CryptoKey *key, CryptoSecret *pem)
{
	const KeyKind *kind = &kinds[key->algorithm];
	const uint8 *text_form = crypto_secret_data(pem);
	CryptoSecret *der;
	EVP_PKEY   *pkey = NULL;

	if (crypto_secret_size(pem) < PEM_LEN - 1 ||
		memcmp(text_form, pem_begin, strlen(pem_begin)) != 0 ||
		memcmp(text_form + strlen(pem_begin) + BASE64_LEN, pem_end, strlen(pem_end) - 1) != 0)
		return false;

	der = crypto_secret_alloc(DER_LEN);
	if (EVP_DecodeBlock(crypto_secret_data(der), text_form + strlen(pem_begin),
						BASE64_LEN) == DER_LEN &&
		memcmp(crypto_secret_data(der), kind->der_start, DER_START_LEN) == 0)
		pkey = EVP_PKEY_new_raw_private_key_ex(NULL, kind->name, NULL,
											   crypto_secret_data(der) + DER_START_LEN,
											   DER_LEN - DER_START_LEN);
	crypto_secret_free(der);

	/* such a key lies in the heap, and is wiped when freed; its duplicate not */
	if (pkey != NULL)
		key->pkey = EVP_PKEY_dup(pkey);
	EVP_PKEY_free(pkey);
	return key->pkey != NULL;
}

static CryptoKey *
key_from_point(CryptoAlgorithm algorithm, const uint8 *raw, Size len, const char **reason)
{
	CryptoKey  *key;

	if (!crypto_point_is_good(algorithm, raw, len, reason))
		return NULL;
	ERR_clear_error();
	key = alloc_key(algorithm);
	key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, kinds[algorithm].name, NULL, raw, len);
	if (key->pkey == NULL)
		crypto_fail("could not read a public key");
	return key;
}

CryptoKey *
crypto_key_from_public(const uint8 *raw, Size len, const char **reason)
{
	return key_from_point(CRYPTO_ED25519, raw, len, reason);
}

CryptoKey *
crypto_key_to_seal_to(const uint8 *raw, Size len, const char **reason)
{
	return key_from_point(CRYPTO_X25519, raw, len, reason);
}

/*
 * Fills in the key with the first private key behind an opened store, which
 * is closed.  Where there is none, the key is freed.  No method to ask for a
 * passphrase was given to the store: a server has nobody to ask.
 */
static CryptoKey *
key_from_store(CryptoKey *key, OSSL_STORE_CTX *store, const char **reason)
{
	(void) OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
	while (key->pkey == NULL && !OSSL_STORE_eof(store))
	{
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL)
		{
			if (OSSL_STORE_error(store))
				break;
			continue;
		}
		if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			key->pkey = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	(void) OSSL_STORE_close(store);
	ERR_clear_error();

	*reason = NULL;
	if (key->pkey == NULL)
		*reason = "No private key without a passphrase was found there.";
	else if (!EVP_PKEY_is_a(key->pkey, kinds[key->algorithm].name))
		*reason = kinds[key->algorithm].other_kind;
	if (*reason != NULL)
	{
		crypto_key_free(key);
		return NULL;
	}
	return key;
}

CryptoKey *
crypto_key_from_pem(CryptoAlgorithm algorithm, CryptoSecret *pem, const char **reason)
{
	OSSL_STORE_CTX *store;
	CryptoKey  *key;
	BIO		   *bio;

	ERR_clear_error();
	crypto_secure_memory();
	key = alloc_key(algorithm);
	if (key_from_plain_pem(key, pem))
		return key;
	ERR_clear_error();
	bio = BIO_new_mem_buf(crypto_secret_data(pem), (int) crypto_secret_size(pem));
	if (bio == NULL)
		crypto_fail("could not read a key");
	store = OSSL_STORE_attach(bio, "file", NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	if (store == NULL)
	{
		BIO_free(bio);
		crypto_fail("could not read a key");
	}
	key = key_from_store(key, store, reason);
	BIO_free(bio);
	return key;
}

/*
 * The URI may hold a PIN, so it comes as a secret, with its closing NUL.
 */
CryptoKey *
crypto_key_from_uri(CryptoAlgorithm algorithm, CryptoSecret *uri, const char **reason)
{
	OSSL_STORE_CTX *store;
	CryptoKey  *key;

	ERR_clear_error();
	crypto_secure_memory();
	key = alloc_key(algorithm);
	store = OSSL_STORE_open_ex((const char *) crypto_secret_data(uri), NULL, NULL,
							   NULL, NULL, NULL, NULL, NULL);
	if (store == NULL)
	{
		*reason = "OpenSSL cannot open the URI.";
		ERR_clear_error();
		crypto_key_free(key);
		return NULL;
	}
	return key_from_store(key, store, reason);
}

CryptoKey *
crypto_key_from_hmac(CryptoSecret *secret)
{
	CryptoKey  *key;

	ERR_clear_error();
	crypto_secure_memory();
	if (hmac == NULL)
		hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (hmac == NULL)
		crypto_fail("could not find HMAC");

	key = alloc_key(CRYPTO_HMAC_SHA256);
	key->mac = EVP_MAC_CTX_new(hmac);
	key->secret = OPENSSL_secure_malloc(Max(crypto_secret_size(secret), 1));
	if (key->mac == NULL || key->secret == NULL)
		crypto_fail("could not set up HMAC");
	key->secret_len = crypto_secret_size(secret);
	memcpy(key->secret, crypto_secret_data(secret), key->secret_len);
	return key;
}

/*
 * The public half out of a SubjectPublicKeyInfo.
 */
static bool
public_from_info(const CryptoKey *key, uint8 raw[CRYPTO_PUBLIC_KEY_LEN])
{
	OSSL_ENCODER_CTX *encoder;
	unsigned char *info = NULL;
	size_t		len = 0;
	bool		found;

	encoder = OSSL_ENCODER_CTX_new_for_pkey(key->pkey, EVP_PKEY_PUBLIC_KEY, "DER",
											"SubjectPublicKeyInfo", NULL);
	found = encoder != NULL && OSSL_ENCODER_to_data(encoder, &info, &len) == 1 &&
		len == INFO_START_LEN + CRYPTO_PUBLIC_KEY_LEN &&
		memcmp(info, kinds[key->algorithm].info_start, INFO_START_LEN) == 0;
	if (found)
		memcpy(raw, info + INFO_START_LEN, CRYPTO_PUBLIC_KEY_LEN);
	OSSL_ENCODER_CTX_free(encoder);
	OPENSSL_free(info);
	return found;
}

/*
 * A key in an HSM may show its public half in the one way and not the other.
 */
bool
crypto_key_public(const CryptoKey *key, uint8 raw[CRYPTO_PUBLIC_KEY_LEN])
{
	size_t		len = 0;
	bool		found;

	if (key->pkey == NULL)
		return false;
	found = (EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_PUB_KEY, raw,
											 CRYPTO_PUBLIC_KEY_LEN, &len) == 1 &&
			 len == CRYPTO_PUBLIC_KEY_LEN) ||
		public_from_info(key, raw);
	ERR_clear_error();
	return found;
}

EVP_PKEY *
crypto_key_pkey(const CryptoKey *key)
{
	return key->pkey;
}

CryptoAlgorithm
crypto_key_algorithm(const CryptoKey *key)
{
	return key->algorithm;
}

void
crypto_key_keep(CryptoKey *key)
{
	crypto_handle_keep(&key->handle);
}

void
crypto_key_free(CryptoKey *key)
{
	crypto_handle_free(&key->handle);
}

/*
 * OpenSSL keeps an HMAC's key, and what it makes of it, in ordinary memory.
 * They are there for the time of the computation only: a key of zeros takes
 * their place afterwards.
 */
static void
compute_hmac(CryptoKey *key, const uint8 *message, Size len, uint8 tag[CRYPTO_HMAC_LEN])
{
	static const uint8 zeros[CRYPTO_HMAC_KEY_LEN];
	OSSL_PARAM	params[2];
	size_t		tag_len = 0;
	bool		done;

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0);
	params[1] = OSSL_PARAM_construct_end();
	done = EVP_MAC_init(key->mac, key->secret, key->secret_len, params) == 1 &&
		EVP_MAC_update(key->mac, message, len) == 1 &&
		EVP_MAC_final(key->mac, tag, &tag_len, CRYPTO_HMAC_LEN) == 1 &&
		tag_len == CRYPTO_HMAC_LEN;
	done = EVP_MAC_init(key->mac, zeros, sizeof(zeros), NULL) == 1 && done;
	if (!done)
		crypto_fail("could not compute an authentication tag");
}

Size
crypto_sign(CryptoKey *key, const uint8 *message, Size len,
			uint8 signature[CRYPTO_SIGNATURE_MAX_LEN])
{
	size_t		signature_len = CRYPTO_ED25519_LEN;

	ERR_clear_error();
	if (key->algorithm == CRYPTO_HMAC_SHA256)
	{
		compute_hmac(key, message, len, signature);
		return CRYPTO_HMAC_LEN;
	}

	if (key->signer == NULL)
		key->signer = EVP_MD_CTX_new();
	else
		EVP_MD_CTX_reset(key->signer);
	if (key->signer == NULL ||
		EVP_DigestSignInit_ex(key->signer, NULL, NULL, NULL, NULL, key->pkey, NULL) != 1 ||
		EVP_DigestSign(key->signer, signature, &signature_len, message, len) != 1 ||
		signature_len != CRYPTO_ED25519_LEN)
		crypto_fail("could not sign");
	return signature_len;
}

/*
 * Makes the key's context ready for one more verification.  An Ed25519
 * context can start again without its key; where a provider wants the key
 * again, it gets it.
 */
static void
start_verifier(CryptoKey *key)
{
	if (key->verifier != NULL &&
		EVP_DigestVerifyInit_ex(key->verifier, NULL, NULL, NULL, NULL, NULL, NULL) == 1)
		return;
	if (key->verifier == NULL)
		key->verifier = EVP_MD_CTX_new();
	else
		EVP_MD_CTX_reset(key->verifier);
	if (key->verifier == NULL ||
		EVP_DigestVerifyInit_ex(key->verifier, NULL, NULL, NULL, NULL, key->pkey, NULL) != 1)
		crypto_fail("could not set up a verification");
}

/*
 * Ed25519: OpenSSL refuses S >= L, and compares R in its one encoding; what
 * it cannot check is the public key, see crypto_point_is_good().
 */
bool
crypto_verify(CryptoKey *key, const uint8 *message, Size len,
			  const uint8 *signature, Size signature_len)
{
	bool		good;

	ERR_clear_error();
	if (key->algorithm == CRYPTO_HMAC_SHA256)
	{
		uint8		tag[CRYPTO_HMAC_LEN];

		if (signature_len != CRYPTO_HMAC_LEN)
			return false;
		compute_hmac(key, message, len, tag);
		good = crypto_equal(tag, signature, CRYPTO_HMAC_LEN);
		/* the right tag of a forged message is as good as a signature */
		crypto_forget(tag, sizeof(tag));
		return good;
	}

	if (key->algorithm != CRYPTO_ED25519 || signature_len != CRYPTO_ED25519_LEN)
		return false;
	start_verifier(key);
	good = EVP_DigestVerify(key->verifier, signature, signature_len, message, len) == 1;
	ERR_clear_error();
	return good;
}
