/*-------------------------------------------------------------------------
 *
 * claims.c
 *	  A token's claims as jsonb
 *
 * Every claim is there, the unknown ones included.  jsonb has fewer types
 * than CBOR, so this is a view for people and reports: the token's bytes keep
 * what is lost here.  RFC 8949, section 6.1, is followed where it advises:
 *
 *	  integers, bignums, finite floats	numbers, exactly; a float by the
 *										shortest decimal that means it
 *	  NaN, infinities, undefined and
 *	  other simple values				null
 *	  byte strings						base64url without padding
 *	  tag 37							a UUID's usual text
 *	  other tags						their content alone
 *	  maps								objects, if all keys are text or all
 *										are integers; else an array of
 *										[key, value] pairs
 *
 * The reader has bounded how deep items nest, so recursion is safe here.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"
#include "token/base64url.h"
#include "token/token.h"

/* Names that RFC 8392 or anshim gives to claims. */
typedef struct ClaimName
{
	int64		key;
	const char *name;
} ClaimName;

static const ClaimName claim_names[] = {
	{CWT_CLAIM_ISS, "iss"},
	{CWT_CLAIM_SUB, "sub"},
	{CWT_CLAIM_AUD, "aud"},
	{CWT_CLAIM_EXP, "exp"},
	{CWT_CLAIM_NBF, "nbf"},
	{CWT_CLAIM_IAT, "iat"},
	{CWT_CLAIM_CTI, "cti"},
	{CWT_CLAIM_VENUE, "venue"},
	{CWT_CLAIM_SUBJECT, "subject"},
};

static void push_item(JsonbParseState **state, CborCursor *cur,
					  JsonbIteratorToken as);

/* The reader has accepted these bytes once: it cannot refuse them now. */
static void
expect(bool sound)
{
	if (unlikely(!sound))
		elog(ERROR, "token changed while it was read");
}

static void
set_string(JsonbValue *value, const char *s, size_t len)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, s);
	value->val.string.len = (int) len;
}

/* Text of the token, which is UTF-8, in the database's encoding. */
static void
set_text(JsonbValue *value, ByteSpan span)
{
	const char *utf8 = (const char *) span.data;
	const char *s = pg_any_to_server(utf8, (int) span.len, PG_UTF8);

	set_string(value, s, s == utf8 ? span.len : strlen(s));
}

static void
set_numeric(JsonbValue *value, const char *digits)
{
	value->type = jbvNumeric;
	value->val.numeric =
		DatumGetNumeric(DirectFunctionCall3(numeric_in,
											CStringGetDatum(digits),
											ObjectIdGetDatum(InvalidOid),
											Int32GetDatum(-1)));
}

/* The decimal digits of an integer's head. */
static char *
integer_text(const CborHead *head)
{
	if (head->major == CBOR_UINT)
		return psprintf(UINT64_FORMAT, head->value);
	if (head->value == PG_UINT64_MAX)
		return pstrdup("-18446744073709551616");
	return psprintf("-" UINT64_FORMAT, head->value + 1);
}

static void
set_integer(JsonbValue *value, const CborHead *head)
{
	int64		number;

	if (cbor_head_int64(head, &number))
	{
		value->type = jbvNumeric;
		value->val.numeric = int64_to_numeric(number);
	}
	else
		set_numeric(value, integer_text(head));
}

/*
 * A bignum's decimal digits: its bytes go, one by one, into limbs of nine
 * digits each.
 */
static void
set_bignum(JsonbValue *value, ByteSpan bytes, bool negative)
{
	uint32	   *limbs = palloc((bytes.len / 3 + 1) * sizeof(uint32));
	size_t		used = 1;
	StringInfoData digits;

	/* -1 - n: count up from one instead of from zero, and negate */
	limbs[0] = 0;
	for (size_t i = 0; i < bytes.len; i++)
	{
		uint64		carry = bytes.data[i];

		CHECK_FOR_INTERRUPTS();
		if (negative && i == bytes.len - 1)
			carry++;
		for (size_t k = 0; k < used; k++)
		{
			carry += (uint64) limbs[k] << 8;
			limbs[k] = (uint32) (carry % 1000000000);
			carry /= 1000000000;
		}
		if (carry > 0)
			limbs[used++] = (uint32) carry;
	}

	initStringInfo(&digits);
	appendStringInfo(&digits, "%s%u", negative ? "-" : "", limbs[used - 1]);
	for (size_t k = used - 1; k-- > 0;)
		appendStringInfo(&digits, "%09u", limbs[k]);
	set_numeric(value, digits.data);
	pfree(limbs);
	pfree(digits.data);
}

static void
set_base64url(JsonbValue *value, ByteSpan bytes)
{
	size_t		len = BASE64URL_ENCODED_LEN(bytes.len);
	char	   *s = palloc(len + 1);

	base64url_encode(bytes.data, bytes.len, s);
	set_string(value, s, len);
}

static void
set_uuid(JsonbValue *value, ByteSpan bytes)
{
	Datum		uuid = PointerGetDatum(bytes.data);
	char	   *s = DatumGetCString(DirectFunctionCall1(uuid_out, uuid));

	set_string(value, s, strlen(s));
}

/* A simple value or a float. */
static void
set_simple(JsonbValue *value, const CborHead *head)
{
	if (cbor_head_is_float(head) && isfinite(cbor_head_double(head)))
	{
		char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

		/* not float8out: that obeys extra_float_digits */
		double_to_shortest_decimal_buf(cbor_head_double(head), digits);
		set_numeric(value, digits);
	}
	else if (!cbor_head_is_float(head) &&
			 (head->value == CBOR_FALSE || head->value == CBOR_TRUE))
	{
		value->type = jbvBool;
		value->val.boolean = head->value == CBOR_TRUE;
	}
	else
		value->type = jbvNull;
}

/* A tag: what it says of its content is told for UUIDs and bignums alone. */
static void
push_tagged(JsonbParseState **state, CborCursor *cur, uint64 tag,
			JsonbIteratorToken as)
{
	JsonbValue	value;
	CborHead	head;
	ByteSpan	bytes;

	if (tag != CBOR_TAG_UUID && tag != CBOR_TAG_BIGNUM &&
		tag != CBOR_TAG_NEGATIVE_BIGNUM)
	{
		push_item(state, cur, as);
		return;
	}

	expect(cbor_head(cur, &head) && cbor_content(cur, &head, &bytes));
	if (tag == CBOR_TAG_UUID)
		set_uuid(&value, bytes);
	else
		set_bignum(&value, bytes, tag == CBOR_TAG_NEGATIVE_BIGNUM);
	pushJsonbValue(state, as, &value);
}

/* Can this map, whose head was read, be an object? */
static bool
map_is_object(CborCursor cur, uint64 pairs)
{
	bool		all_text = true;
	bool		all_integer = true;

	for (uint64 i = 0; i < pairs; i++)
	{
		int			major = *cur.next >> 5;
		ByteSpan	ignored;

		all_text = all_text && major == CBOR_TEXT;
		all_integer = all_integer && major <= CBOR_NINT;
		expect(cbor_item(&cur, &ignored) && cbor_item(&cur, &ignored));
	}
	return all_text || all_integer;
}

static void
push_map(JsonbParseState **state, CborCursor *cur, uint64 pairs)
{
	bool		object = map_is_object(*cur, pairs);

	pushJsonbValue(state, object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	for (uint64 i = 0; i < pairs; i++)
	{
		CborHead	head;
		ByteSpan	content;
		JsonbValue	key;

		if (!object)
		{
			pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
			push_item(state, cur, WJB_ELEM);
			push_item(state, cur, WJB_ELEM);
			pushJsonbValue(state, WJB_END_ARRAY, NULL);
			continue;
		}

		expect(cbor_head(cur, &head));
		if (head.major == CBOR_TEXT)
		{
			expect(cbor_content(cur, &head, &content));
			set_text(&key, content);
		}
		else
		{
			char	   *digits = integer_text(&head);

			set_string(&key, digits, strlen(digits));
		}
		pushJsonbValue(state, WJB_KEY, &key);
		push_item(state, cur, WJB_VALUE);
	}
	pushJsonbValue(state, object ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
}

/* One item, as an array's element or an object's value. */
static void
push_item(JsonbParseState **state, CborCursor *cur, JsonbIteratorToken as)
{
	CborHead	head;
	ByteSpan	content;
	JsonbValue	value;

	expect(cbor_head(cur, &head));
	switch (head.major)
	{
		case CBOR_ARRAY:
			pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
			for (uint64 i = 0; i < head.value; i++)
				push_item(state, cur, WJB_ELEM);
			pushJsonbValue(state, WJB_END_ARRAY, NULL);
			return;
		case CBOR_MAP:
			push_map(state, cur, head.value);
			return;
		case CBOR_TAG:
			push_tagged(state, cur, head.value, as);
			return;
		case CBOR_BYTES:
			expect(cbor_content(cur, &head, &content));
			set_base64url(&value, content);
			break;
		case CBOR_TEXT:
			expect(cbor_content(cur, &head, &content));
			set_text(&value, content);
			break;
		case CBOR_SIMPLE:
			set_simple(&value, &head);
			break;
		default:
			set_integer(&value, &head);
			break;
	}
	pushJsonbValue(state, as, &value);
}

static void
push_claim_name(JsonbParseState **state, const CborHead *key)
{
	const char *name = NULL;
	int64		number;
	JsonbValue	value;

	if (cbor_head_int64(key, &number))
	{
		for (int i = 0; i < lengthof(claim_names); i++)
		{
			if (claim_names[i].key == number)
				name = claim_names[i].name;
		}
	}
	if (name == NULL)
		name = integer_text(key);
	set_string(&value, name, strlen(name));
	pushJsonbValue(state, WJB_KEY, &value);
}

PG_FUNCTION_INFO_V1(anshim_claims);
Datum
anshim_claims(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	Cwt			cwt;
	CwtClaimWalk walk;
	CborHead	key;
	ByteSpan	claim;

	token_read(PG_GETARG_TOKEN_PP(0), &cwt);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	cwt_walk_claims(&cwt, &walk);
	while (cwt_next_claim(&walk, &key, &claim))
	{
		CborCursor	cur;

		push_claim_name(&state, &key);
		cbor_open(&cur, claim.data, claim.len);
		push_item(&state, &cur, WJB_VALUE);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													   NULL)));
}
