/*-------------------------------------------------------------------------
 *
 * manage.c
 *	  anshim.generate_key(), adopt_key(), trust_key(), revoke_key()
 *
 * All run with the rights of the extension's owner, who alone may write to
 * anshim.key, and with a search_path that is nobody's.  Who may call them is
 * decided by EXECUTE, which PUBLIC does not have.
 *
 * The row comes before the secret's file, so that whatever the table refuses
 * leaves no file behind.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "key/key.h"
#include "key/secret_file.h"
#include "key/spi.h"
#include "token/base64url.h"

/* What the functions that add a row have in common. */
typedef struct NewKey
{
	char	   *kid;
	char	   *issuer;
	CryptoAlgorithm algorithm;
	Datum		valid;
	bool		has_public_key;
	uint8		public_key[CRYPTO_PUBLIC_KEY_LEN];
} NewKey;

PG_FUNCTION_INFO_V1(anshim_generate_key);
PG_FUNCTION_INFO_V1(anshim_adopt_key);
PG_FUNCTION_INFO_V1(anshim_trust_key);
PG_FUNCTION_INFO_V1(anshim_revoke_key);

/*
 * The name of an algorithm, or one of those it goes by elsewhere.
 */
static CryptoAlgorithm
parse_algorithm(const char *name)
{
	static const struct
	{
		const char *name;
		CryptoAlgorithm algorithm;
	}			names[] = {
		{"Ed25519", CRYPTO_ED25519},
		{"EdDSA", CRYPTO_ED25519},
		{"HMAC 256/256", CRYPTO_HMAC_SHA256},
		{"HMAC-SHA-256", CRYPTO_HMAC_SHA256},
		{"HMAC-SHA256", CRYPTO_HMAC_SHA256},
		{"HMAC", CRYPTO_HMAC_SHA256},
		{"HS256", CRYPTO_HMAC_SHA256},
		{"X25519", CRYPTO_X25519}
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (pg_strcasecmp(name, names[i].name) == 0)
			return names[i].algorithm;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown algorithm: \"%s\"", name),
			 errhint("Keys are of algorithm \"Ed25519\", \"HMAC 256/256\" or \"X25519\".")));
	return CRYPTO_ED25519;		/* keep compiler quiet */
}

/*
 * Arguments 0 and 1, as all of these functions begin with; and the number of
 * the one that says when the key is valid.
 */
static void
read_arguments(FunctionCallInfo fcinfo, int valid_argument, NewKey *key)
{
	spi_refuse_null(fcinfo, 0, "kid");
	spi_refuse_null(fcinfo, 1, "issuer");
	spi_refuse_null(fcinfo, valid_argument, "valid");
	PreventCommandIfReadOnly("adding a key");

	key->kid = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!key_name_is_valid(key->kid, strlen(key->kid)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name of a key: \"%s\"", key->kid),
				 errdetail("It must have 1 to %d letters, digits, dots, underscores and hyphens of "
						   "ASCII, and not begin with a dot.", KEY_KID_MAX_LEN)));
	if (key_lookup(key->kid, strlen(key->kid)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("key \"%s\" already exists", key->kid),
				 errhint("Names of keys are never used again: take another one.")));

	/* in tokens the issuer is UTF-8: see that it can be */
	key->issuer = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (key->issuer[0] == '\0' ||
		strlen(pg_server_to_any(key->issuer, strlen(key->issuer), PG_UTF8)) > KEY_ISSUER_MAX_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid issuer of a key"),
				 errdetail("It must have 1 to %d bytes in UTF-8.", KEY_ISSUER_MAX_LEN)));

	key->valid = PG_GETARG_DATUM(valid_argument);
	if (RangeIsEmpty(DatumGetRangeTypeP(key->valid)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key must be valid at some time"),
				 errdetail("The range given is empty.")));
}

static Datum
public_key_datum(const NewKey *key)
{
	bytea	   *bytes = palloc(VARHDRSZ + CRYPTO_PUBLIC_KEY_LEN);

	SET_VARSIZE(bytes, VARHDRSZ + CRYPTO_PUBLIC_KEY_LEN);
	memcpy(VARDATA(bytes), key->public_key, CRYPTO_PUBLIC_KEY_LEN);
	return PointerGetDatum(bytes);
}

static void
insert_key(const NewKey *key)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TSTZRANGEOID};
	Datum		values[] = {
		CStringGetTextDatum(key->kid),
		CStringGetTextDatum(key->issuer),
		CStringGetTextDatum(key_algorithm_name(key->algorithm)),
		key->has_public_key ? public_key_datum(key) : (Datum) 0,
		key->valid
	};

	SPI_connect();
	spi_run("INSERT INTO anshim.key (kid, issuer, algorithm, public_key, valid) "
			"VALUES ($1, $2, $3, $4, $5)",
			lengthof(types), types, values, key->has_public_key ? "     " : "   n ",
			SPI_OK_INSERT);
	SPI_finish();
}

/*
 * Whatever kind of secret: a name is that of one key.
 */
static void
refuse_existing_files(const char *kid)
{
	static const SecretFileKind kinds[] = {SECRET_PEM, SECRET_URI, SECRET_HMAC};
	struct stat st;

	for (int i = 0; i < lengthof(kinds); i++)
	{
		char	   *path = secret_file_path(kid, kinds[i]);

		if (lstat(path, &st) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_FILE),
					 errmsg("secret key file \"%s\" already exists", path),
					 errhint("Nothing is overwritten: take another name, move the file away, or "
							 "register the key that it holds with anshim.adopt_key().")));
		pfree(path);
	}
}

static void
generate_pair(NewKey *key)
{
	CryptoKey  *pair = crypto_key_generate(key->algorithm);
	CryptoSecret *pem = crypto_key_to_pem(pair);

	key->has_public_key = crypto_key_public(pair, key->public_key);
	crypto_key_free(pair);
	insert_key(key);
	secret_file_create(key->kid, SECRET_PEM, crypto_secret_data(pem), crypto_secret_size(pem));
	crypto_secret_free(pem);
}

/*
 * 32 random bytes, and the line of base64url that is their file.
 */
static void
generate_hmac(NewKey *key)
{
	Size		len = BASE64URL_ENCODED_LEN(CRYPTO_HMAC_KEY_LEN);
	CryptoSecret *secret = crypto_secret_alloc(CRYPTO_HMAC_KEY_LEN);
	CryptoSecret *written = crypto_secret_alloc(len + 1);

	if (!pg_strong_random(crypto_secret_data(secret), CRYPTO_HMAC_KEY_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not generate random bytes")));
	base64url_encode(crypto_secret_data(secret), CRYPTO_HMAC_KEY_LEN,
					 (char *) crypto_secret_data(written));
	crypto_secret_data(written)[len] = '\n';

	key->has_public_key = false;
	insert_key(key);
	secret_file_create(key->kid, SECRET_HMAC, crypto_secret_data(written),
					   crypto_secret_size(written));
	crypto_secret_free(written);
	crypto_secret_free(secret);
}

Datum
anshim_generate_key(PG_FUNCTION_ARGS)
{
	NewKey		key = {0};

	spi_refuse_null(fcinfo, 2, "algorithm");
	key.algorithm = parse_algorithm(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	read_arguments(fcinfo, 3, &key);
	(void) secret_directory_check(ERROR);
	refuse_existing_files(key.kid);

	if (key.algorithm == CRYPTO_HMAC_SHA256)
		generate_hmac(&key);
	else
		generate_pair(&key);
	if (!key.has_public_key)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(public_key_datum(&key));
}

Datum
anshim_adopt_key(PG_FUNCTION_ARGS)
{
	NewKey		key = {0};
	CryptoKey  *secret;

	spi_refuse_null(fcinfo, 2, "algorithm");
	key.algorithm = parse_algorithm(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	read_arguments(fcinfo, 3, &key);

	secret = key_secret(key.kid, key.algorithm, ERROR);
	if (key.algorithm != CRYPTO_HMAC_SHA256)
	{
		if (!crypto_key_public(secret, key.public_key))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the secret of key \"%s\" does not show its public key", key.kid),
					 errhint("Register the public key with anshim.trust_key().")));
		key.has_public_key = true;
	}
	insert_key(&key);
	if (!key.has_public_key)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(public_key_datum(&key));
}

Datum
anshim_trust_key(PG_FUNCTION_ARGS)
{
	NewKey		key = {0};
	CryptoKey  *public_half;
	const char *reason;
	const uint8 *raw;
	Size		len;

	spi_refuse_null(fcinfo, 2, "public_key");
	spi_refuse_null(fcinfo, 3, "algorithm");
	key.algorithm = parse_algorithm(text_to_cstring(PG_GETARG_TEXT_PP(3)));
	read_arguments(fcinfo, 4, &key);
	if (key.algorithm == CRYPTO_HMAC_SHA256)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an HMAC key has no public key"),
				 errhint("Put the shared secret into %s.hmac in the key directory, and call "
						 "anshim.adopt_key().", key.kid)));

	raw = (const uint8 *) VARDATA_ANY(PG_GETARG_BYTEA_PP(2));
	len = VARSIZE_ANY_EXHDR(PG_GETARG_BYTEA_PP(2));
	public_half = key.algorithm == CRYPTO_X25519 ?
		crypto_key_to_seal_to(raw, len, &reason) : crypto_key_from_public(raw, len, &reason);
	if (public_half == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid public key"),
				 errdetail("%s", reason)));
	crypto_key_free(public_half);
	memcpy(key.public_key, raw, CRYPTO_PUBLIC_KEY_LEN);
	key.has_public_key = true;
	insert_key(&key);
	PG_RETURN_VOID();
}

Datum
anshim_revoke_key(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[2];
	char	   *kid;
	Key		   *key;

	spi_refuse_null(fcinfo, 0, "kid");
	spi_refuse_null(fcinfo, 1, "at");
	kid = text_to_cstring(PG_GETARG_TEXT_PP(0));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);

	SPI_connect();
	spi_run("UPDATE anshim.key SET revoked_at = $2 "
			"WHERE kid OPERATOR(pg_catalog.=) $1 "
			"AND (revoked_at IS NULL OR revoked_at OPERATOR(pg_catalog.>) $2)",
			lengthof(types), types, values, NULL, SPI_OK_UPDATE);
	if (SPI_processed == 0)
	{
		/* it is gone, or revoked from an earlier time on */
		key = key_lookup(kid, strlen(kid));
		if (key == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("key \"%s\" does not exist", kid)));
		ereport(NOTICE,
				(errmsg("key \"%s\" is revoked already", kid),
				 errdetail("It is revoked since %s.", timestamptz_to_str(key->revoked_at))));
	}
	SPI_finish();
	PG_RETURN_VOID();
}
