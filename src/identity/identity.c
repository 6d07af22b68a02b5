/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  anshim.seal_identity(), sealed_to(), open_identity()
 *
 * A sealed identity is
 *
 *		version (1 byte, 1), length of the kid (1 byte), kid,
 *		encapsulated key (32 bytes), ciphertext, tag (16 bytes)
 *
 * What stands before the encapsulated key is bound to the message, behind a
 * label of ours, as HPKE's info; the caller's context as its aad.
 *
 * Memory: what is opened lies in the caller's memory context, as any value
 * does.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "key/key.h"
#include "key/spi.h"
#include "purpose/purpose.h"

#define IDENTITY_VERSION 1
#define IDENTITY_PREFIX_LEN 2	/* version, and length of the kid */
#define IDENTITY_MAX_LEN 65536

#define IDENTITY_LABEL "anshim sealed identity"
#define IDENTITY_INFO_MAX_LEN (sizeof(IDENTITY_LABEL) - 1 + IDENTITY_PREFIX_LEN + KEY_KID_MAX_LEN)

StaticAssertDecl(IDENTITY_INFO_MAX_LEN <= CRYPTO_HPKE_INFO_MAX_LEN, "length of HPKE's info");

/* A sealed identity taken apart; the pointers lead into it. */
typedef struct Sealed
{
	const char *kid;
	Size		kid_len;
	Size		header_len;		/* of all before the encapsulated key */
	const uint8 *message;		/* from the encapsulated key on */
	Size		message_len;
} Sealed;

PG_FUNCTION_INFO_V1(anshim_seal_identity);
PG_FUNCTION_INFO_V1(anshim_sealed_to);
PG_FUNCTION_INFO_V1(anshim_open_identity);

static bool
take_apart(const bytea *bytes, Sealed *sealed)
{
	const uint8 *begin = (const uint8 *) VARDATA_ANY(bytes);
	Size		len = VARSIZE_ANY_EXHDR(bytes);

	if (len < IDENTITY_PREFIX_LEN || begin[0] != IDENTITY_VERSION)
		return false;
	sealed->kid_len = begin[1];
	sealed->header_len = IDENTITY_PREFIX_LEN + sealed->kid_len;
	if (len <= sealed->header_len + CRYPTO_HPKE_EXTRA_LEN ||
		len > sealed->header_len + CRYPTO_HPKE_EXTRA_LEN + IDENTITY_MAX_LEN)
		return false;
	sealed->kid = (const char *) begin + IDENTITY_PREFIX_LEN;
	sealed->message = begin + sealed->header_len;
	sealed->message_len = len - sealed->header_len;
	return key_name_is_valid(sealed->kid, sealed->kid_len);
}

static void
read_sealed(const bytea *bytes, Sealed *sealed)
{
	if (!take_apart(bytes, sealed))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("not a sealed identity"),
				 errhint("Give what anshim.seal_identity() returned.")));
}

/*
 * What a message behind this header is bound to, with HPKE's info in a buffer
 * of IDENTITY_INFO_MAX_LEN bytes.
 */
static CryptoBinding
bind_message(const void *header, Size header_len, const bytea *context, char *info)
{
	Size		label_len = strlen(IDENTITY_LABEL);
	CryptoBinding binding = {
		info, label_len + header_len, VARDATA_ANY(context), VARSIZE_ANY_EXHDR(context)
	};

	memcpy(info, IDENTITY_LABEL, label_len);
	memcpy(info + label_len, header, header_len);
	return binding;
}

Datum
anshim_seal_identity(PG_FUNCTION_ARGS)
{
	char		info[IDENTITY_INFO_MAX_LEN];
	CryptoBinding binding;
	CryptoKey  *key;
	text	   *kid;
	bytea	   *plaintext;
	bytea	   *result;
	uint8	   *out;
	Size		kid_len;
	Size		len;

	spi_refuse_null(fcinfo, 0, "recipient");
	spi_refuse_null(fcinfo, 2, "context");
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();

	kid = PG_GETARG_TEXT_PP(0);
	kid_len = VARSIZE_ANY_EXHDR(kid);
	plaintext = PG_GETARG_BYTEA_PP(1);
	len = VARSIZE_ANY_EXHDR(plaintext);
	if (len < 1 || len > IDENTITY_MAX_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid length of an identity: %zu", len),
				 errdetail("It must have 1 to %d bytes.", IDENTITY_MAX_LEN)));
	key = key_for_sealing(VARDATA_ANY(kid), kid_len);

	result = palloc(VARHDRSZ + IDENTITY_PREFIX_LEN + kid_len + CRYPTO_HPKE_EXTRA_LEN + len);
	SET_VARSIZE(result, VARHDRSZ + IDENTITY_PREFIX_LEN + kid_len + CRYPTO_HPKE_EXTRA_LEN + len);
	out = (uint8 *) VARDATA(result);
	out[0] = IDENTITY_VERSION;
	out[1] = (uint8) kid_len;
	memcpy(out + IDENTITY_PREFIX_LEN, VARDATA_ANY(kid), kid_len);

	binding = bind_message(out, IDENTITY_PREFIX_LEN + kid_len, PG_GETARG_BYTEA_PP(2), info);
	crypto_hpke_seal(key, &binding, (const uint8 *) VARDATA_ANY(plaintext), len, NULL,
					 out + IDENTITY_PREFIX_LEN + kid_len);
	PG_RETURN_BYTEA_P(result);
}

Datum
anshim_sealed_to(PG_FUNCTION_ARGS)
{
	Sealed		sealed;

	read_sealed(PG_GETARG_BYTEA_PP(0), &sealed);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sealed.kid, (int) sealed.kid_len));
}

Datum
anshim_open_identity(PG_FUNCTION_ARGS)
{
	Look	   *look = purpose_begin(fcinfo, "open_identity");
	char		info[IDENTITY_INFO_MAX_LEN];
	CryptoBinding binding;
	Sealed		sealed;
	CryptoKey  *key;
	bytea	   *bytes;
	bytea	   *result;
	Size		len;

	spi_refuse_null(fcinfo, 1, "context");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	bytes = PG_GETARG_BYTEA_PP(0);
	read_sealed(bytes, &sealed);
	key = key_for_opening(sealed.kid, sealed.kid_len);

	len = sealed.message_len - CRYPTO_HPKE_EXTRA_LEN;
	result = palloc(VARHDRSZ + len);
	SET_VARSIZE(result, VARHDRSZ + len);
	binding = bind_message(VARDATA_ANY(bytes), sealed.header_len, PG_GETARG_BYTEA_PP(1), info);
	if (!crypto_hpke_open(key, &binding, sealed.message, sealed.message_len,
						  (uint8 *) VARDATA(result)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sealed identity cannot be opened"),
				 errdetail("It was changed, or sealed with another context or to another key of that name.")));
	purpose_end(look, 1);
	PG_RETURN_BYTEA_P(result);
}
