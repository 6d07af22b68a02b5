/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  anshim.token: order, equality and hash, all over the bytes
 *
 * Equal tokens are equal bytes, as there is one encoding of each; so order
 * and hash need not take a token apart.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/sortsupport.h"

#include "compat.h"
#include "token/token.h"

/* Bytewise; of two tokens that agree as far as both go, the shorter is less. */
static int
token_compare(const Token *a, const Token *b)
{
	Size		a_len = VARSIZE_ANY_EXHDR(a);
	Size		b_len = VARSIZE_ANY_EXHDR(b);
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b),
							   Min(a_len, b_len));

	if (order == 0 && a_len != b_len)
		order = a_len < b_len ? -1 : 1;
	return order;
}

static int
token_compare_args(FunctionCallInfo fcinfo)
{
	Token	   *a = PG_GETARG_TOKEN_PP(0);
	Token	   *b = PG_GETARG_TOKEN_PP(1);
	int			order = token_compare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return order;
}

PG_FUNCTION_INFO_V1(anshim_token_eq);
Datum
anshim_token_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(token_compare_args(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(anshim_token_ne);
Datum
anshim_token_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(token_compare_args(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(anshim_token_lt);
Datum
anshim_token_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(token_compare_args(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(anshim_token_le);
Datum
anshim_token_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(token_compare_args(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(anshim_token_gt);
Datum
anshim_token_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(token_compare_args(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(anshim_token_ge);
Datum
anshim_token_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(token_compare_args(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(anshim_token_cmp);
Datum
anshim_token_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(token_compare_args(fcinfo));
}

static int
token_sort_compare(Datum x, Datum y, SortSupport ssup)
{
	Token	   *a = DatumGetTokenPP(x);
	Token	   *b = DatumGetTokenPP(y);
	int			order = token_compare(a, b);

	if ((Pointer) a != DatumGetPointer(x))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(y))
		pfree(b);
	return order;
}

/*
 * No abbreviated keys: tokens of one key begin with the same bytes, so that
 * an abbreviation would tell nothing.
 */
PG_FUNCTION_INFO_V1(anshim_token_sortsupport);
Datum
anshim_token_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = token_sort_compare;
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(anshim_token_hash);
Datum
anshim_token_hash(PG_FUNCTION_ARGS)
{
	Token	   *token = PG_GETARG_TOKEN_PP(0);
	Datum		hash = hash_any((unsigned char *) VARDATA_ANY(token),
								VARSIZE_ANY_EXHDR(token));

	PG_FREE_IF_COPY(token, 0);
	PG_RETURN_DATUM(hash);
}

PG_FUNCTION_INFO_V1(anshim_token_hash_extended);
Datum
anshim_token_hash_extended(PG_FUNCTION_ARGS)
{
	Token	   *token = PG_GETARG_TOKEN_PP(0);
	Datum		hash = hash_any_extended((unsigned char *) VARDATA_ANY(token),
										 VARSIZE_ANY_EXHDR(token),
										 (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(token, 0);
	PG_RETURN_DATUM(hash);
}
