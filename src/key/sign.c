/*-------------------------------------------------------------------------
 *
 * sign.c
 *	  anshim.sign(), anshim.issue_pass()
 *
 * A token is signed with what the key's row says now, by key_for_signing(),
 * and verified before it is returned, by key_sign().  issue_pass() writes
 * nothing of the subject into it: the row of anshim.pass has that, and is
 * inserted in the caller's transaction, so that a pass whose transaction came
 * to nothing belongs to nobody.
 *
 * Locking: RowExclusiveLock on the tables of passes, by SQL.
 * Memory: a token is put together on the stack, and returned in the caller's
 * memory context.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "key/key.h"
#include "key/spi.h"
#include "key/verdict.h"
#include "token/token.h"

#define RANDOM_ID_LEN 16

/* Long enough for anybody's, and far from filling a QR code. */
#define ID_MAX_LEN 64

PG_FUNCTION_INFO_V1(anshim_random_id);
PG_FUNCTION_INFO_V1(anshim_sign);
PG_FUNCTION_INFO_V1(anshim_issue_pass);

static bytea *
random_id(void)
{
	bytea	   *id = palloc(VARHDRSZ + RANDOM_ID_LEN);

	SET_VARSIZE(id, VARHDRSZ + RANDOM_ID_LEN);
	if (!pg_strong_random(VARDATA(id), RANDOM_ID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not generate random bytes")));
	return id;
}

Datum
anshim_random_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(random_id());
}

static ByteSpan
text_span(const char *data, Size len)
{
	ByteSpan	span = {(const uint8 *) data, len};

	return span;
}

static ByteSpan
bytea_span(bytea *bytes)
{
	return text_span(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/*
 * Sets nbf and exp.  A token's dates are whole seconds, so both bounds are
 * rounded down: a token that is to be valid from now on is valid now, and
 * none is valid for longer than was said.
 */
static void
set_dates(CwtClaims *claims, RangeType *range)
{
	TypeCacheEntry *typcache = lookup_type_cache(RangeTypeGetOid(range), TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(typcache, range, &lower, &upper, &empty);
	if (empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a token must be valid at some time"),
				 errdetail("The range given is empty.")));

	if (!lower.infinite && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(lower.val)))
	{
		TimestampTz from = DatumGetTimestampTz(lower.val) + (lower.inclusive ? 0 : 1);

		claims->nbf = token_date(from);
		claims->present |= CWT_HAS_NBF;
	}
	if (!upper.infinite && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(upper.val)))
	{
		TimestampTz until = DatumGetTimestampTz(upper.val) + (upper.inclusive ? 1 : 0);

		claims->exp = token_date(until);
		claims->present |= CWT_HAS_EXP;
	}

	/* bounds of a range may be infinite the wrong way round */
	if ((!lower.infinite && TIMESTAMP_IS_NOEND(DatumGetTimestampTz(lower.val))) ||
		(!upper.infinite && TIMESTAMP_IS_NOBEGIN(DatumGetTimestampTz(upper.val))) ||
		(claims->present & CWT_HAS_EXP && claims->exp >= CWT_DATE_END) ||
		((claims->present & CWT_HAS_NBF) && (claims->present & CWT_HAS_EXP) &&
		 claims->exp <= claims->nbf))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a token must be valid for a second at least"),
				 errdetail("Its dates are whole seconds, and the range given does not hold one.")));
}

/*
 * Signs claims with a key that key_for_signing() has found.
 */
static Token *
make_token(Key *key, const CwtClaims *claims)
{
	int			alg = key->algorithm == CRYPTO_HMAC_SHA256 ? COSE_ALG_HMAC_256 : COSE_ALG_EDDSA;
	int			tag = cwt_tag_of_alg(alg);
	uint8		header[CWT_PROTECTED_MAX_LEN];
	uint8		payload[CWT_MAX_LEN];
	uint8		message[CWT_TO_BE_SIGNED_MAX_LEN];
	uint8		signature[CRYPTO_SIGNATURE_MAX_LEN];
	uint8		bytes[CWT_MAX_LEN];
	ByteSpan	header_span = {header, 0};
	ByteSpan	payload_span = {payload, 0};
	ByteSpan	signature_span = {signature, 0};
	Size		len;

	header_span.len = cwt_write_protected(alg, text_span(key->kid, strlen(key->kid)),
										  header, sizeof(header));
	payload_span.len = cwt_write_payload(claims, payload, sizeof(payload));
	len = cwt_to_be_signed(tag, header_span, payload_span, message, sizeof(message));

	/* issuer and id are bounded, so all of it has room */
	Assert(header_span.len <= sizeof(header) && payload_span.len <= sizeof(payload) &&
		   len <= sizeof(message));
	signature_span.len = key_sign(key, message, len, signature);
	len = cwt_write(tag, header_span, payload_span, signature_span, bytes, sizeof(bytes));
	Assert(len <= sizeof(bytes));
	return token_make(bytes, len);
}

Datum
anshim_sign(PG_FUNCTION_ARGS)
{
	CwtClaims	claims = {0};
	text	   *kid;
	Key		   *key;

	spi_refuse_null(fcinfo, 0, "kid");
	kid = PG_GETARG_TEXT_PP(0);
	if (!PG_ARGISNULL(1))
	{
		claims.present |= CWT_HAS_VENUE;
		claims.venue = PG_GETARG_UUID_P(1)->data;
	}
	if (!PG_ARGISNULL(2))
	{
		claims.present |= CWT_HAS_SUBJECT;
		claims.subject = PG_GETARG_UUID_P(2)->data;
	}
	if (!PG_ARGISNULL(3))
		set_dates(&claims, PG_GETARG_RANGE_P(3));
	if (!PG_ARGISNULL(4))
	{
		claims.present |= CWT_HAS_CTI;
		claims.cti = bytea_span(PG_GETARG_BYTEA_PP(4));
		if (claims.cti.len < 1 || claims.cti.len > ID_MAX_LEN)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid length of a token's id: %zu", claims.cti.len),
					 errdetail("It must have 1 to %d bytes.", ID_MAX_LEN)));
	}

	key = key_for_signing(VARDATA_ANY(kid), VARSIZE_ANY_EXHDR(kid));
	claims.present |= CWT_HAS_ISS | CWT_HAS_IAT;
	claims.iss = text_span(key->issuer, key->issuer_len);
	claims.iat = token_date(GetCurrentTimestamp());
	PG_RETURN_TOKEN_P(make_token(key, &claims));
}

/*
 * Such a token shows nothing that two of them could have in common but their
 * key: not even when it was made.
 */
Datum
anshim_issue_pass(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, BYTEAOID, UUIDOID, TIMESTAMPTZOID};
	Datum		values[4];
	CwtClaims	claims = {0};
	bytea	   *id = random_id();
	text	   *kid;
	Key		   *key;
	Token	   *token;

	spi_refuse_null(fcinfo, 0, "kid");
	spi_refuse_null(fcinfo, 1, "subject");
	spi_refuse_null(fcinfo, 2, "valid");
	kid = PG_GETARG_TEXT_PP(0);
	set_dates(&claims, PG_GETARG_RANGE_P(2));
	if (!(claims.present & CWT_HAS_EXP))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a visitor's pass must expire"),
				 errdetail("Who it belongs to is kept until then."),
				 errhint("Give a range with an end, such as tstzrange(now(), now() + '15 minutes').")));
	if (!PG_ARGISNULL(3))
	{
		claims.present |= CWT_HAS_VENUE;
		claims.venue = PG_GETARG_UUID_P(3)->data;
	}
	claims.present |= CWT_HAS_CTI;
	claims.cti = bytea_span(id);

	key = key_for_signing(VARDATA_ANY(kid), VARSIZE_ANY_EXHDR(kid));
	token = make_token(key, &claims);

	values[0] = CStringGetTextDatum(key->kid);
	values[1] = PointerGetDatum(id);
	values[2] = PG_GETARG_DATUM(1);
	values[3] = TimestampTzGetDatum(token_timestamp(claims.exp));
	SPI_connect();
	spi_run("INSERT INTO anshim.pass (kid, id, subject, expires_at) VALUES ($1, $2, $3, $4)",
			lengthof(types), types, values, NULL, SPI_OK_INSERT);
	/* rows that others have deleted meanwhile would be an error to a snapshot */
	if (!IsolationUsesXactSnapshot())
		spi_run("SELECT anshim.forget_passes(10)", 0, NULL, NULL, NULL, SPI_OK_SELECT);
	SPI_finish();
	PG_RETURN_TOKEN_P(token);
}
