/*-------------------------------------------------------------------------
 *
 * token.h
 *	  anshim.token as a Datum
 *
 * A token is a varlena whose content is the COSE bytes and nothing else.
 * Every value has passed cwt_read(): the input functions, receive and the
 * cast from bytea see to that, and whoever makes one in C calls token_make().
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TOKEN_H
#define ANSHIM_TOKEN_H

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "token/cwt.h"

typedef struct varlena Token;

/* Perhaps with a short header: look at it with VARDATA_ANY alone. */
#define DatumGetTokenPP(X) ((Token *) PG_DETOAST_DATUM_PACKED(X))
#define PG_GETARG_TOKEN_PP(n) DatumGetTokenPP(PG_GETARG_DATUM(n))
#define PG_RETURN_TOKEN_P(x) PG_RETURN_POINTER(x)

/* The prefix of the text form. */
#define TOKEN_PREFIX "ANSHIM1:"
#define TOKEN_PREFIX_LEN 8

/*
 * Takes a token apart; `out` points into the token.  A value that is not a
 * token can only come of damage, and raises data_corrupted.
 */
extern void token_read(const Token *token, Cwt *out);

/* A token of these bytes, in the current context; an error if they are none. */
extern Token *token_make(const uint8 *bytes, size_t len);

/*
 * Dates in tokens are whole seconds since 1970: the timestamp of one that is
 * in range, and the date at or before a finite timestamp.
 */
extern TimestampTz token_timestamp(int64 date);
extern int64 token_date(TimestampTz at);

/* The text form, without a trailing NUL; its length goes to *len. */
extern char *token_text(const Token *token, size_t *len);

#endif							/* ANSHIM_TOKEN_H */
