/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  What the tests ask of this folder directly
 *
 * Published test vectors sign messages of their own, which no token can be.
 * The extension declares no SQL function for these: test/sql/crypto.sql does,
 * and only a superuser can.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "crypto/handle.h"

PG_FUNCTION_INFO_V1(anshim_probe_sha256);
PG_FUNCTION_INFO_V1(anshim_probe_sign);
PG_FUNCTION_INFO_V1(anshim_probe_verify);
PG_FUNCTION_INFO_V1(anshim_probe_hmac);
PG_FUNCTION_INFO_V1(anshim_probe_hpke_seal);
PG_FUNCTION_INFO_V1(anshim_probe_hpke_open);
PG_FUNCTION_INFO_V1(anshim_probe_handles);
PG_FUNCTION_INFO_V1(anshim_probe_heap);

static bytea *
make_bytea(const uint8 *data, Size len)
{
	return (bytea *) cstring_to_text_with_len((const char *) data, len);
}

static CryptoSecret *
make_secret(bytea *bytes)
{
	CryptoSecret *secret = crypto_secret_alloc(VARSIZE_ANY_EXHDR(bytes));

	memcpy(crypto_secret_data(secret), VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	return secret;
}

/* (message bytea, piece int) -> bytea: SHA-256, computed in pieces this long */
Datum
anshim_probe_sha256(PG_FUNCTION_ARGS)
{
	bytea	   *message = PG_GETARG_BYTEA_PP(0);
	Size		piece = PG_GETARG_INT32(1);
	const char *data = VARDATA_ANY(message);
	Size		len = VARSIZE_ANY_EXHDR(message);
	CryptoSha256 *hash = crypto_sha256_begin();
	uint8		pieces[CRYPTO_SHA256_LEN];
	uint8		whole[CRYPTO_SHA256_LEN];

	/* twice, as it can be used again */
	for (int round = 0; round < 2; round++)
	{
		for (Size at = 0; at < len; at += piece)
			crypto_sha256_add(hash, data + at, Min(piece, len - at));
		crypto_sha256_end(hash, pieces);
	}
	crypto_sha256_free(hash);
	crypto_sha256(data, len, whole);
	if (!crypto_equal(pieces, whole, sizeof(whole)))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(make_bytea(whole, sizeof(whole)));
}

/* (pem bytea, message bytea) -> bytea: the public key, then the signature */
Datum
anshim_probe_sign(PG_FUNCTION_ARGS)
{
	CryptoSecret *pem = make_secret(PG_GETARG_BYTEA_PP(0));
	bytea	   *message = PG_GETARG_BYTEA_PP(1);
	uint8		out[CRYPTO_PUBLIC_KEY_LEN + CRYPTO_SIGNATURE_MAX_LEN];
	const char *reason;
	CryptoKey  *key;
	Size		len;

	key = crypto_key_from_pem(CRYPTO_ED25519, pem, &reason);
	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not a key"),
				 errdetail("%s", reason)));
	if (!crypto_key_public(key, out))
		PG_RETURN_NULL();
	len = crypto_sign(key, (const uint8 *) VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message),
					  out + CRYPTO_PUBLIC_KEY_LEN);
	crypto_key_free(key);
	crypto_secret_free(pem);
	PG_RETURN_BYTEA_P(make_bytea(out, CRYPTO_PUBLIC_KEY_LEN + len));
}

/* (public_key bytea, message bytea, signature bytea) -> text: valid, invalid, or why the key is none */
Datum
anshim_probe_verify(PG_FUNCTION_ARGS)
{
	bytea	   *public_key = PG_GETARG_BYTEA_PP(0);
	bytea	   *message = PG_GETARG_BYTEA_PP(1);
	bytea	   *signature = PG_GETARG_BYTEA_PP(2);
	const char *reason;
	CryptoKey  *key;
	bool		good;

	key = crypto_key_from_public((const uint8 *) VARDATA_ANY(public_key),
								 VARSIZE_ANY_EXHDR(public_key), &reason);
	if (key == NULL)
		PG_RETURN_TEXT_P(cstring_to_text(reason));
	good = crypto_verify(key, (const uint8 *) VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message),
						 (const uint8 *) VARDATA_ANY(signature), VARSIZE_ANY_EXHDR(signature));
	/* and once more, as keys are used again */
	if (good != crypto_verify(key, (const uint8 *) VARDATA_ANY(message),
							  VARSIZE_ANY_EXHDR(message),
							  (const uint8 *) VARDATA_ANY(signature),
							  VARSIZE_ANY_EXHDR(signature)))
		PG_RETURN_NULL();
	crypto_key_free(key);
	PG_RETURN_TEXT_P(cstring_to_text(good ? "valid" : "invalid"));
}

/* (secret bytea, message bytea, tag bytea) -> bool */
Datum
anshim_probe_hmac(PG_FUNCTION_ARGS)
{
	CryptoSecret *secret = make_secret(PG_GETARG_BYTEA_PP(0));
	bytea	   *message = PG_GETARG_BYTEA_PP(1);
	bytea	   *tag = PG_GETARG_BYTEA_PP(2);
	CryptoKey  *key = crypto_key_from_hmac(secret);
	uint8		computed[CRYPTO_SIGNATURE_MAX_LEN];
	bool		good;

	(void) crypto_sign(key, (const uint8 *) VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message),
					   computed);
	good = crypto_verify(key, (const uint8 *) VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message),
						 (const uint8 *) VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag));
	crypto_key_free(key);
	crypto_secret_free(secret);
	PG_RETURN_BOOL(good);
}

static CryptoBinding
make_binding(bytea *info, bytea *aad)
{
	CryptoBinding binding = {
		VARDATA_ANY(info), VARSIZE_ANY_EXHDR(info), VARDATA_ANY(aad), VARSIZE_ANY_EXHDR(aad)
	};

	return binding;
}

/* (public_key bytea, ikm bytea, info bytea, aad bytea, message bytea) -> bytea */
Datum
anshim_probe_hpke_seal(PG_FUNCTION_ARGS)
{
	bytea	   *public_key = PG_GETARG_BYTEA_PP(0);
	bytea	   *ikm = PG_GETARG_BYTEA_PP(1);
	CryptoBinding binding = make_binding(PG_GETARG_BYTEA_PP(2), PG_GETARG_BYTEA_PP(3));
	bytea	   *message = PG_GETARG_BYTEA_PP(4);
	Size		len = VARSIZE_ANY_EXHDR(message);
	const char *reason;
	CryptoKey  *key;
	uint8	   *sealed;

	key = crypto_key_to_seal_to((const uint8 *) VARDATA_ANY(public_key),
								VARSIZE_ANY_EXHDR(public_key), &reason);
	if (key == NULL || VARSIZE_ANY_EXHDR(ikm) != CRYPTO_HPKE_IKM_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not a key"),
				 key == NULL ? errdetail("%s", reason) : 0));
	sealed = palloc(len + CRYPTO_HPKE_EXTRA_LEN);
	crypto_hpke_seal(key, &binding, (const uint8 *) VARDATA_ANY(message), len,
					 (const uint8 *) VARDATA_ANY(ikm), sealed);
	crypto_key_free(key);
	PG_RETURN_BYTEA_P(make_bytea(sealed, len + CRYPTO_HPKE_EXTRA_LEN));
}

/* (pem bytea, info bytea, aad bytea, sealed bytea) -> bytea, NULL if it cannot be opened */
Datum
anshim_probe_hpke_open(PG_FUNCTION_ARGS)
{
	CryptoSecret *pem = make_secret(PG_GETARG_BYTEA_PP(0));
	CryptoBinding binding = make_binding(PG_GETARG_BYTEA_PP(1), PG_GETARG_BYTEA_PP(2));
	bytea	   *sealed = PG_GETARG_BYTEA_PP(3);
	Size		len = VARSIZE_ANY_EXHDR(sealed);
	const char *reason;
	CryptoKey  *key;
	uint8	   *message;
	bool		opened;

	key = crypto_key_from_pem(CRYPTO_X25519, pem, &reason);
	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not a key"),
				 errdetail("%s", reason)));
	message = palloc0(Max(len, 1));
	opened = crypto_hpke_open(key, &binding, (const uint8 *) VARDATA_ANY(sealed), len, message);
	crypto_key_free(key);
	crypto_secret_free(pem);
	if (!opened)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(make_bytea(message, len - CRYPTO_HPKE_EXTRA_LEN));
}

/* (fail bool) -> int: handles that exist; makes one of each kind, and fails if so wanted */
Datum
anshim_probe_handles(PG_FUNCTION_ARGS)
{
	CryptoSha256 *hash = crypto_sha256_begin();
	CryptoKey  *key = crypto_key_generate(CRYPTO_ED25519);
	CryptoSecret *pem = crypto_key_to_pem(key);

	if (PG_GETARG_BOOL(0))
		ereport(ERROR,
				(errcode(ERRCODE_RAISE_EXCEPTION),
				 errmsg("failed with %d handles", crypto_handle_count())));
	crypto_secret_free(pem);
	crypto_key_free(key);
	crypto_sha256_free(hash);
	PG_RETURN_INT32(crypto_handle_count());
}

/*
 * () -> bigint: bytes that the C library's heap has given out and not got back,
 * OpenSSL's objects among them; 0 where the library cannot tell
 */
Datum
anshim_probe_heap(PG_FUNCTION_ARGS)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 heap = mallinfo2();

	PG_RETURN_INT64(heap.uordblks + heap.hblkhd);
#else
	PG_RETURN_INT64(0);
#endif
}
