/*-------------------------------------------------------------------------
 *
 * cwt.h
 *	  An anshim token: a CWT (RFC 8392) in COSE, read and written
 *
 * A token's bytes are a tagged COSE_Sign1 (18) or COSE_Mac0 (17) in
 * deterministic CBOR, at most CWT_MAX_LEN long, with the protected header
 * {1: alg, 4: kid}, an empty unprotected header, and a map of claims with
 * integer keys as its payload:
 *
 *		  1		iss			text
 *		  4		exp			integer, seconds since 1970 (NumericDate)
 *		  5		nbf			integer
 *		  6		iat			integer
 *		  7		cti			byte string
 *	 -65537		venue		tag 37 over 16 bytes: a UUID
 *	 -65538		subject		the same
 *
 * Each is optional.  Claims with other integer keys may hold any
 * deterministic CBOR that does not nest too deep.
 *
 * Whether the signature is good, or even of a length that could be, is not
 * asked here: a reader of `signature` has to look at its length first.
 *
 * This header needs no server: see bytes.h.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_CWT_H
#define ANSHIM_CWT_H

#include "bytes.h"
#include "cbor.h"
#include "cose.h"
#include "fault.h"

#define CWT_MAX_LEN 4096
#define CWT_KID_MAX_LEN 64
#define CWT_UUID_LEN 16

/* The longest protected header, and room for what is signed besides a token. */
#define CWT_PROTECTED_MAX_LEN (5 + 1 + CWT_KID_MAX_LEN)
#define CWT_TO_BE_SIGNED_MAX_LEN (CWT_MAX_LEN + 32)

/* Claim keys. */
#define CWT_CLAIM_ISS 1
#define CWT_CLAIM_SUB 2
#define CWT_CLAIM_AUD 3
#define CWT_CLAIM_EXP 4
#define CWT_CLAIM_NBF 5
#define CWT_CLAIM_IAT 6
#define CWT_CLAIM_CTI 7
#define CWT_CLAIM_VENUE (-65537)
#define CWT_CLAIM_SUBJECT (-65538)

/* Bits of CwtClaims.present. */
#define CWT_HAS_ISS (1 << 0)
#define CWT_HAS_EXP (1 << 1)
#define CWT_HAS_NBF (1 << 2)
#define CWT_HAS_IAT (1 << 3)
#define CWT_HAS_CTI (1 << 4)
#define CWT_HAS_VENUE (1 << 5)
#define CWT_HAS_SUBJECT (1 << 6)
#define CWT_HAS_OTHERS (1 << 7) /* set by the reader, not by a writer */

/*
 * The range of a NumericDate: timestamptz's, in whole seconds since 1970;
 * the upper bound is exclusive.
 */
#define CWT_DATE_MIN INT64_C(-210866803200)
#define CWT_DATE_END INT64_C(9224318016000)

/* The claims that anshim knows; fields are set only where `present` says so. */
typedef struct CwtClaims
{
	uint32		present;		/* CWT_HAS_xxx */
	ByteSpan	iss;			/* UTF-8 without NUL */
	int64		exp;
	int64		nbf;
	int64		iat;
	ByteSpan	cti;
	const uint8 *venue;			/* CWT_UUID_LEN bytes */
	const uint8 *subject;		/* CWT_UUID_LEN bytes */
} CwtClaims;

/* A token taken apart.  All pointers lead into the token's own bytes. */
typedef struct Cwt
{
	int			tag;			/* COSE_TAG_SIGN1 or COSE_TAG_MAC0 */
	int			alg;			/* COSE_ALG_xxx, one that fits the tag */
	ByteSpan	kid;			/* 1 to CWT_KID_MAX_LEN characters, as
								 * cwt_kid_is_valid() wants them */
	ByteSpan	protected_header;
	ByteSpan	payload;
	ByteSpan	signature;		/* or authentication tag; of any length */
	CwtClaims	claims;
} Cwt;

/* Is this a kid: [A-Za-z0-9_-][A-Za-z0-9._-]{0,63} ? */
extern bool cwt_kid_is_valid(ByteSpan kid);

/* Takes a token apart; false and `fault` if the bytes are not one. */
extern bool cwt_read(const uint8 *bytes, size_t len, Cwt *out,
					 CwtFault *fault);

/*
 * Walks all claims of a token that cwt_read() has accepted, known or not, in
 * the order of their encoded keys.  The key is a CBOR_UINT or CBOR_NINT head
 * (it may lie beyond int64), the value one whole item.
 */
typedef struct CwtClaimWalk
{
	CborCursor	cursor;
	uint64		left;
} CwtClaimWalk;

extern void cwt_walk_claims(const Cwt *cwt, CwtClaimWalk *walk);
extern bool cwt_next_claim(CwtClaimWalk *walk, CborHead *key, ByteSpan *value);

/*
 * Making a token: write the protected header and the payload, then what is to
 * be signed over them, sign that, and write the whole.  Each returns the
 * length needed; the output is good only if that is at most `size` (and, for
 * the whole, at most CWT_MAX_LEN).  The caller keeps the rules above: a valid
 * kid, an algorithm that fits the tag, UTF-8 without NUL, dates in range.
 */
extern int	cwt_tag_of_alg(int alg);	/* COSE_TAG_NONE: unknown algorithm */
extern size_t cwt_write_protected(int alg, ByteSpan kid,
								  uint8 *out, size_t size);
extern size_t cwt_write_payload(const CwtClaims *claims,
								uint8 *out, size_t size);
extern size_t cwt_to_be_signed(int tag, ByteSpan protected_header,
							   ByteSpan payload, uint8 *out, size_t size);
extern size_t cwt_write(int tag, ByteSpan protected_header, ByteSpan payload,
						ByteSpan signature, uint8 *out, size_t size);

#endif							/* ANSHIM_CWT_H */
