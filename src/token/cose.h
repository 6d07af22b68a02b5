/*-------------------------------------------------------------------------
 *
 * cose.h
 *	  COSE_Sign1 and COSE_Mac0 (RFC 9052): structure, no cryptography
 *
 * This layer takes whatever headers a message has, as long as its CBOR is
 * deterministic.  What an anshim token may say in them is cwt.h's matter.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_COSE_H
#define ANSHIM_COSE_H

#include "bytes.h"
#include "cbor.h"
#include "fault.h"

#define COSE_TAG_NONE 0
#define COSE_TAG_MAC0 17
#define COSE_TAG_SIGN1 18

/* Header parameters' labels. */
#define COSE_HEADER_ALG 1
#define COSE_HEADER_KID 4

/* Algorithms: EdDSA, Ed25519 by its own number (RFC 9864), HMAC 256/256. */
#define COSE_ALG_EDDSA (-8)
#define COSE_ALG_ED25519 (-19)
#define COSE_ALG_HMAC_256 5

#define COSE_ED25519_SIGNATURE_LEN 64
#define COSE_HMAC_256_TAG_LEN 32

/*
 * A message taken apart.  All spans point into the bytes given to
 * cose_read(), and live no longer than those.
 */
typedef struct Cose
{
	int			tag;			/* COSE_TAG_MAC0, _SIGN1, or _NONE where the
								 * message has no tag */
	ByteSpan	protected_header;	/* the byte string's content: a map, or
									 * nothing at all */
	ByteSpan	unprotected_header; /* a map */
	ByteSpan	payload;
	ByteSpan	signature;		/* or authentication tag; of any length */
} Cose;

/* Takes a whole message apart; false and `fault` if it is not one. */
extern bool cose_read(const uint8 *bytes, size_t len, Cose *out,
					  CwtFault *fault);

/*
 * Finds a parameter with an integer label in a header (a map as cose_read()
 * gave it).  False if it is not there.
 */
extern bool cose_header(ByteSpan header, int64 label, ByteSpan *value);

/*
 * Writes what is signed or authenticated: Sig_structure (RFC 9052, section
 * 4.4) with the context "Signature1" for COSE_TAG_SIGN1, MAC_structure
 * (section 6.3) with "MAC0" for COSE_TAG_MAC0.  Returns the length needed;
 * `out` is good only if that is at most `size`.
 */
extern size_t cose_to_be_signed(int tag, ByteSpan protected_header,
								ByteSpan external_aad, ByteSpan payload,
								uint8 *out, size_t size);

/* Writes a message with an empty unprotected header; returns as above. */
extern size_t cose_write(int tag, ByteSpan protected_header, ByteSpan payload,
						 ByteSpan signature, uint8 *out, size_t size);

#endif							/* ANSHIM_COSE_H */
