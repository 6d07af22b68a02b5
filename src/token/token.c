/*-------------------------------------------------------------------------
 *
 * token.c
 *	  anshim.token: input and output, casts, accessors
 *
 * Text and binary input meet in token_check(), so that both accept exactly
 * the same tokens.  No error repeats a token: whoever holds one may use it,
 * and logs are read by more people than tables.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "token/base45.h"
#include "token/token.h"

#define TOKEN_TEXT_MAX_LEN (TOKEN_PREFIX_LEN + BASE45_ENCODED_LEN(CWT_MAX_LEN))

/* The smallest and the largest date that is a timestamptz are as cwt.h says. */
#define UNIX_TO_PG_SECONDS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

StaticAssertDecl(CWT_DATE_MIN == MIN_TIMESTAMP / USECS_PER_SEC +
				 UNIX_TO_PG_SECONDS, "earliest NumericDate");
StaticAssertDecl(CWT_DATE_END == END_TIMESTAMP / USECS_PER_SEC +
				 UNIX_TO_PG_SECONDS, "end of NumericDates");
StaticAssertDecl(CWT_UUID_LEN == UUID_LEN, "length of a UUID");

static Token *
token_alloc(size_t len)
{
	Token	   *token = palloc(VARHDRSZ + len);

	SET_VARSIZE(token, VARHDRSZ + len);
	return token;
}

/* Are these bytes a token?  If not, an error, softly where that is wanted. */
static bool
token_check(const uint8 *bytes, size_t len, int sqlstate, const char *message,
			Node *escontext)
{
	Cwt			cwt;
	CwtFault	fault;

	if (likely(cwt_read(bytes, len, &cwt, &fault)))
		return true;

	ereturn(escontext, false,
			(errcode(sqlstate),
			 errmsg("%s", _(message)),
			 errdetail("%s This was seen after %zu of %zu bytes.",
					   _(cwt_fault_text(fault.code)), fault.at, len)));
}

static const char *const text_fault =
gettext_noop("invalid input syntax for type anshim.token");
static const char *const binary_fault =
gettext_noop("invalid binary representation of type anshim.token");

Token *
token_make(const uint8 *bytes, size_t len)
{
	Token	   *token;

	token_check(bytes, len, ERRCODE_INVALID_BINARY_REPRESENTATION,
				binary_fault, NULL);
	token = token_alloc(len);
	memcpy(VARDATA(token), bytes, len);
	return token;
}

void
token_read(const Token *token, Cwt *out)
{
	CwtFault	fault;

	if (!cwt_read((const uint8 *) VARDATA_ANY(token),
				  VARSIZE_ANY_EXHDR(token), out, &fault))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored token is damaged"),
				 errdetail("%s This was seen after %zu of %zu bytes.",
						   _(cwt_fault_text(fault.code)), fault.at,
						   (size_t) VARSIZE_ANY_EXHDR(token))));
}

TimestampTz
token_timestamp(int64 date)
{
	return (date - UNIX_TO_PG_SECONDS) * USECS_PER_SEC;
}

int64
token_date(TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC;

	if (at % USECS_PER_SEC < 0)
		seconds--;
	return seconds + UNIX_TO_PG_SECONDS;
}

char *
token_text(const Token *token, size_t *len)
{
	size_t		bytes = VARSIZE_ANY_EXHDR(token);
	char	   *s;

	*len = TOKEN_PREFIX_LEN + BASE45_ENCODED_LEN(bytes);
	s = palloc(*len + 1);
	memcpy(s, TOKEN_PREFIX, TOKEN_PREFIX_LEN);
	base45_encode((const uint8 *) VARDATA_ANY(token), bytes,
				  s + TOKEN_PREFIX_LEN);
	return s;
}

PG_FUNCTION_INFO_V1(anshim_token_in);
Datum
anshim_token_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);
	size_t		len = strlen(s);
	CwtFault	fault = {CWT_SOUND, 0};
	Token	   *token = NULL;
	size_t		bytes = 0;

	if (strncmp(s, TOKEN_PREFIX, TOKEN_PREFIX_LEN) != 0)
		fault.code = TEXT_NO_PREFIX;
	else if (len > TOKEN_TEXT_MAX_LEN)
	{
		fault.code = CWT_TOO_LONG;
		fault.at = TOKEN_TEXT_MAX_LEN;
	}
	else
	{
		bytes = BASE45_DECODED_LEN(len - TOKEN_PREFIX_LEN);
		token = token_alloc(bytes);
		if (!base45_decode(s + TOKEN_PREFIX_LEN, len - TOKEN_PREFIX_LEN,
						   (uint8 *) VARDATA(token), &fault))
			fault.at += TOKEN_PREFIX_LEN;
	}

	if (fault.code != CWT_SOUND)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("%s", _(text_fault)),
				 errdetail("%s This was seen after %zu of %zu characters.",
						   _(cwt_fault_text(fault.code)), fault.at, len)));

	if (!token_check((const uint8 *) VARDATA(token), bytes,
					 ERRCODE_INVALID_TEXT_REPRESENTATION, text_fault,
					 fcinfo->context))
		PG_RETURN_NULL();
	PG_RETURN_TOKEN_P(token);
}

PG_FUNCTION_INFO_V1(anshim_token_out);
Datum
anshim_token_out(PG_FUNCTION_ARGS)
{
	size_t		len;
	char	   *s = token_text(PG_GETARG_TOKEN_PP(0), &len);

	s[len] = '\0';
	PG_RETURN_CSTRING(s);
}

PG_FUNCTION_INFO_V1(anshim_token_recv);
Datum
anshim_token_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;

	PG_RETURN_TOKEN_P(token_make((const uint8 *) pq_getmsgbytes(buf, len),
								 (size_t) len));
}

PG_FUNCTION_INFO_V1(anshim_token_send);
Datum
anshim_token_send(PG_FUNCTION_ARGS)
{
	/* the external form is the content of the varlena, as it is of bytea */
	PG_RETURN_BYTEA_P(PG_GETARG_BYTEA_P_COPY(0));
}

PG_FUNCTION_INFO_V1(anshim_token);
Datum
anshim_token(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_TOKEN_P(token_make((const uint8 *) VARDATA_ANY(bytes),
								 VARSIZE_ANY_EXHDR(bytes)));
}

PG_FUNCTION_INFO_V1(anshim_bytea);
Datum
anshim_bytea(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(PG_GETARG_BYTEA_P_COPY(0));
}

static Datum
token_uuid(const uint8 *bytes)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, bytes, UUID_LEN);
	PG_RETURN_UUID_P(uuid);
}

PG_FUNCTION_INFO_V1(anshim_venue);
Datum
anshim_venue(PG_FUNCTION_ARGS)
{
	Cwt			cwt;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);
	if ((cwt.claims.present & CWT_HAS_VENUE) == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(token_uuid(cwt.claims.venue));
}

PG_FUNCTION_INFO_V1(anshim_subject);
Datum
anshim_subject(PG_FUNCTION_ARGS)
{
	Cwt			cwt;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);
	if ((cwt.claims.present & CWT_HAS_SUBJECT) == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(token_uuid(cwt.claims.subject));
}

PG_FUNCTION_INFO_V1(anshim_id);
Datum
anshim_id(PG_FUNCTION_ARGS)
{
	Cwt			cwt;
	bytea	   *id;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);
	if ((cwt.claims.present & CWT_HAS_CTI) == 0)
		PG_RETURN_NULL();
	id = palloc(VARHDRSZ + cwt.claims.cti.len);
	SET_VARSIZE(id, VARHDRSZ + cwt.claims.cti.len);
	memcpy(VARDATA(id), cwt.claims.cti.data, cwt.claims.cti.len);
	PG_RETURN_BYTEA_P(id);
}

PG_FUNCTION_INFO_V1(anshim_kid);
Datum
anshim_kid(PG_FUNCTION_ARGS)
{
	Cwt			cwt;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);
	PG_RETURN_TEXT_P(cstring_to_text_with_len((const char *) cwt.kid.data,
											  (int) cwt.kid.len));
}

PG_FUNCTION_INFO_V1(anshim_issuer);
Datum
anshim_issuer(PG_FUNCTION_ARGS)
{
	Cwt			cwt;
	const char *utf8;
	char	   *s;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);
	if ((cwt.claims.present & CWT_HAS_ISS) == 0)
		PG_RETURN_NULL();

	utf8 = (const char *) cwt.claims.iss.data;
	s = pg_any_to_server(utf8, (int) cwt.claims.iss.len, PG_UTF8);
	if (s != utf8)
		PG_RETURN_TEXT_P(cstring_to_text(s));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(utf8,
											  (int) cwt.claims.iss.len));
}

PG_FUNCTION_INFO_V1(anshim_valid);
Datum
anshim_valid(PG_FUNCTION_ARGS)
{
	Cwt			cwt;
	TypeCacheEntry *type = range_get_typcache(fcinfo, TSTZRANGEOID);
	RangeBound	lower = {.infinite = true,.inclusive = false,.lower = true};
	RangeBound	upper = {.infinite = true,.inclusive = false,.lower = false};
	bool		empty = false;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);
	if (cwt.claims.present & CWT_HAS_NBF)
	{
		lower.val = TimestampTzGetDatum(token_timestamp(cwt.claims.nbf));
		lower.infinite = false;
		lower.inclusive = true;
	}
	if (cwt.claims.present & CWT_HAS_EXP)
	{
		upper.val = TimestampTzGetDatum(token_timestamp(cwt.claims.exp));
		upper.infinite = false;
	}

	/* a token that expires before it becomes valid never is */
	if (!lower.infinite && !upper.infinite &&
		cwt.claims.nbf >= cwt.claims.exp)
		empty = true;

	PG_RETURN_RANGE_P(make_range(type, &lower, &upper, empty, NULL));
}
