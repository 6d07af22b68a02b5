/*-------------------------------------------------------------------------
 *
 * verdict.h
 *	  Is a token good, at a moment?
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_VERDICT_H
#define ANSHIM_VERDICT_H

#include "key/key.h"
#include "token/token.h"

/* In the order in which they are found; the first that applies is given. */
typedef enum Verdict
{
	VERDICT_UNKNOWN_KEY,
	VERDICT_BAD_SIGNATURE,
	VERDICT_KEY_REVOKED,
	VERDICT_KEY_NOT_VALID,
	VERDICT_NOT_YET_VALID,
	VERDICT_EXPIRED,
	VERDICT_VALID
} Verdict;

/*
 * Judges a token that was taken apart already.  *key, if wanted, is the key
 * that it was judged by, or NULL.
 */
extern Verdict token_verdict(const Token *token, const Cwt *cwt, TimestampTz at, Key **key);
extern const char *verdict_name(Verdict verdict);

#endif							/* ANSHIM_VERDICT_H */
