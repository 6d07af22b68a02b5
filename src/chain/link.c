/*-------------------------------------------------------------------------
 *
 * link.c
 *	  anshim.link: input and output, accessors, order
 *
 * Both inputs are strict: a link has one text form, and one binary form of 48
 * bytes, integers big-endian.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"

#include "chain/chain.h"
#include "compat.h"

/* Its length is that of CREATE TYPE, and it has no holes to be hashed. */
StaticAssertDecl(sizeof(Link) == 48, "length of a link");

/* strand/layout/seq/hash */
#define LINK_TEXT_MAX_LEN (2 * MAXINT8LEN + MAXINT8LEN + 3 + 2 * LINK_HASH_LEN)

static const char hex_digits[] = "0123456789abcdef";

/*
 * A decimal number in [minimum, maximum], as itself alone: no sign, no
 * leading zero.  Moves the cursor behind it.
 */
static bool
scan_number(const char **cursor, int64 minimum, int64 maximum, int64 *number)
{
	const char *s = *cursor;
	int64		value = 0;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1] >= '0' && s[1] <= '9'))
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
	{
		int			digit = *s - '0';

		if (value > (maximum - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*cursor = s;
	*number = value;
	return value >= minimum;
}

static bool
scan_slash(const char **cursor)
{
	return *(*cursor)++ == '/';
}

/* Hexadecimal digits in lower case to the end of the string */
static bool
scan_hash(const char *s, uint8 hash[LINK_HASH_LEN])
{
	if (strlen(s) != 2 * LINK_HASH_LEN)
		return false;
	for (int i = 0; i < 2 * LINK_HASH_LEN; i++)
	{
		const char *digit = strchr(hex_digits, s[i]);

		if (digit == NULL)
			return false;
		hash[i / 2] = (uint8) (hash[i / 2] << 4 | (digit - hex_digits));
	}
	return true;
}

PG_FUNCTION_INFO_V1(anshim_link_in);
Datum
anshim_link_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);
	const char *cursor = s;
	Link	   *link = palloc0(sizeof(Link));
	int64		strand;
	int64		layout;

	if (!scan_number(&cursor, 0, PG_INT32_MAX, &strand) || !scan_slash(&cursor) ||
		!scan_number(&cursor, 0, PG_INT32_MAX, &layout) || !scan_slash(&cursor) ||
		!scan_number(&cursor, 1, PG_INT64_MAX, &link->seq) || !scan_slash(&cursor) ||
		!scan_hash(cursor, link->hash))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "anshim.link", s),
				 errdetail("A link is strand/layout/seq/hash, three numbers and 64 hexadecimal digits in lower case.")));
	link->strand = (int32) strand;
	link->layout = (int32) layout;
	PG_RETURN_LINK_P(link);
}

PG_FUNCTION_INFO_V1(anshim_link_out);
Datum
anshim_link_out(PG_FUNCTION_ARGS)
{
	const Link *link = PG_GETARG_LINK_P(0);
	char	   *result = palloc(LINK_TEXT_MAX_LEN + 1);
	char	   *to = result;

	to += pg_ltoa(link->strand, to);
	*to++ = '/';
	to += pg_ltoa(link->layout, to);
	*to++ = '/';
	to += pg_lltoa(link->seq, to);
	*to++ = '/';
	for (int i = 0; i < LINK_HASH_LEN; i++)
	{
		*to++ = hex_digits[link->hash[i] >> 4];
		*to++ = hex_digits[link->hash[i] & 0xF];
	}
	*to = '\0';
	PG_RETURN_CSTRING(result);
}

PG_FUNCTION_INFO_V1(anshim_link_recv);
Datum
anshim_link_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Link	   *link = palloc(sizeof(Link));

	link->strand = (int32) pq_getmsgint(buf, 4);
	link->layout = (int32) pq_getmsgint(buf, 4);
	link->seq = pq_getmsgint64(buf);
	pq_copymsgbytes(buf, (char *) link->hash, LINK_HASH_LEN);
	if (link->strand < 0 || link->layout < 0 || link->seq < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary representation of type %s", "anshim.link"),
				 errdetail("Strand and layout of a link are not negative, and its seq is positive.")));
	PG_RETURN_LINK_P(link);
}

PG_FUNCTION_INFO_V1(anshim_link_send);
Datum
anshim_link_send(PG_FUNCTION_ARGS)
{
	const Link *link = PG_GETARG_LINK_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint32(&buf, (uint32) link->strand);
	pq_sendint32(&buf, (uint32) link->layout);
	pq_sendint64(&buf, (uint64) link->seq);
	pq_sendbytes(&buf, (const char *) link->hash, LINK_HASH_LEN);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * Accessors
 */

static bytea *
make_bytea(const uint8 *bytes, size_t len)
{
	bytea	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), bytes, len);
	return result;
}

PG_FUNCTION_INFO_V1(anshim_strand);
Datum
anshim_strand(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_LINK_P(0)->strand);
}

PG_FUNCTION_INFO_V1(anshim_layout);
Datum
anshim_layout(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_LINK_P(0)->layout);
}

PG_FUNCTION_INFO_V1(anshim_seq);
Datum
anshim_seq(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_LINK_P(0)->seq);
}

PG_FUNCTION_INFO_V1(anshim_hash);
Datum
anshim_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(make_bytea(PG_GETARG_LINK_P(0)->hash, LINK_HASH_LEN));
}

PG_FUNCTION_INFO_V1(anshim_leaf_hash);
Datum
anshim_leaf_hash(PG_FUNCTION_ARGS)
{
	uint8		leaf[LINK_HASH_LEN];

	link_leaf_hash(PG_GETARG_LINK_P(0)->hash, leaf);
	PG_RETURN_BYTEA_P(make_bytea(leaf, sizeof(leaf)));
}

/*
 * Order: along the strands, one after the other
 */

static int
compare_int64(int64 a, int64 b)
{
	return (a > b) - (a < b);
}

static int
link_compare(FunctionCallInfo fcinfo)
{
	const Link *a = PG_GETARG_LINK_P(0);
	const Link *b = PG_GETARG_LINK_P(1);
	int			order = compare_int64(a->strand, b->strand);

	if (order == 0)
		order = compare_int64(a->seq, b->seq);
	if (order == 0)
		order = compare_int64(a->layout, b->layout);
	if (order == 0)
		order = memcmp(a->hash, b->hash, LINK_HASH_LEN);
	return order;
}

PG_FUNCTION_INFO_V1(anshim_link_eq);
Datum
anshim_link_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(link_compare(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(anshim_link_ne);
Datum
anshim_link_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(link_compare(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(anshim_link_lt);
Datum
anshim_link_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(link_compare(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(anshim_link_le);
Datum
anshim_link_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(link_compare(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(anshim_link_gt);
Datum
anshim_link_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(link_compare(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(anshim_link_ge);
Datum
anshim_link_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(link_compare(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(anshim_link_cmp);
Datum
anshim_link_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(link_compare(fcinfo));
}

PG_FUNCTION_INFO_V1(anshim_link_hash);
Datum
anshim_link_hash(PG_FUNCTION_ARGS)
{
	return hash_any((const unsigned char *) PG_GETARG_LINK_P(0), sizeof(Link));
}

PG_FUNCTION_INFO_V1(anshim_link_hash_extended);
Datum
anshim_link_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((const unsigned char *) PG_GETARG_LINK_P(0), sizeof(Link),
							 (uint64) PG_GETARG_INT64(1));
}
