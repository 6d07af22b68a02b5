/*-------------------------------------------------------------------------
 *
 * fault.h
 *	  What can be wrong with the bytes or the text of a token
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_FAULT_H
#define ANSHIM_FAULT_H

#include "bytes.h"

typedef enum CwtFaultCode
{
	CWT_SOUND = 0,

	/* text form */
	TEXT_NO_PREFIX,
	TEXT_NOT_BASE45,
	TEXT_BAD_LENGTH,
	TEXT_BAD_GROUP,

	/* CBOR: well-formed, valid, and in its one deterministic encoding */
	CBOR_TRUNCATED,
	CBOR_TRAILING,
	CBOR_RESERVED,
	CBOR_INDEFINITE,
	CBOR_LONG_HEAD,
	CBOR_BAD_SIMPLE,
	CBOR_LONG_FLOAT,
	CBOR_BAD_NAN,
	CBOR_BAD_UTF8,
	CBOR_TEXT_NUL,
	CBOR_KEY_ORDER,
	CBOR_KEY_TWICE,
	CBOR_TOO_DEEP,
	CBOR_BAD_BIGNUM,
	CBOR_BAD_UUID,

	/* COSE: the structure of COSE_Sign1 and COSE_Mac0 */
	COSE_BAD_TAG,
	COSE_BAD_ARRAY,
	COSE_BAD_PROTECTED,
	COSE_BAD_UNPROTECTED,
	COSE_BAD_PAYLOAD,
	COSE_BAD_SIGNATURE,

	/* what an anshim token may be, beyond that */
	CWT_TOO_LONG,
	CWT_NO_TAG,
	CWT_BAD_HEADER,
	CWT_BAD_ALG,
	CWT_BAD_KID,
	CWT_UNPROTECTED,
	CWT_NO_CLAIMS,
	CWT_BAD_CLAIM_KEY,
	CWT_BAD_ISSUER,
	CWT_BAD_DATE,
	CWT_DATE_RANGE,
	CWT_BAD_ID,
	CWT_BAD_VENUE,
	CWT_BAD_SUBJECT
} CwtFaultCode;

/* The first thing wrong, and how many bytes (or characters) come before it. */
typedef struct CwtFault
{
	CwtFaultCode code;
	size_t		at;
} CwtFault;

/* A full sentence, in English, that a DETAIL line can hold. */
extern const char *cwt_fault_text(CwtFaultCode code);

#endif							/* ANSHIM_FAULT_H */
