/*-------------------------------------------------------------------------
 *
 * fault.c
 *	  Faults of tokens in words
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fault.h"

const char *
cwt_fault_text(CwtFaultCode code)
{
	/* no default, so that the compiler asks for every fault's sentence */
	switch (code)
	{
		case CWT_SOUND:
			return "Nothing is wrong.";
		case TEXT_NO_PREFIX:
			return "A token's text begins with \"ANSHIM1:\".";
		case TEXT_NOT_BASE45:
			return "This character is not in the Base45 alphabet.";
		case TEXT_BAD_LENGTH:
			return "No Base45 text has this length.";
		case TEXT_BAD_GROUP:
			return "This Base45 group stands for more than its bytes can hold.";
		case CBOR_TRUNCATED:
			return "The bytes end in the middle of an item.";
		case CBOR_TRAILING:
			return "Something follows where the bytes should end.";
		case CBOR_RESERVED:
			return "This CBOR head is reserved.";
		case CBOR_INDEFINITE:
			return "Lengths must be definite.";
		case CBOR_LONG_HEAD:
			return "This number or length is not in its shortest form.";
		case CBOR_BAD_SIMPLE:
			return "This simple value is not well-formed.";
		case CBOR_LONG_FLOAT:
			return "This floating-point number is not in its shortest form.";
		case CBOR_BAD_NAN:
			return "The only NaN allowed is 0xf97e00.";
		case CBOR_BAD_UTF8:
			return "This text is not valid UTF-8.";
		case CBOR_TEXT_NUL:
			return "Text may not hold the character NUL.";
		case CBOR_KEY_ORDER:
			return "The keys of a map must be in the bytewise order of their encodings.";
		case CBOR_KEY_TWICE:
			return "This map has a key twice.";
		case CBOR_TOO_DEEP:
			return "Arrays, maps and tags are nested too deep.";
		case CBOR_BAD_BIGNUM:
			return "A bignum must be a byte string of more than 8 bytes without leading zeros.";
		case CBOR_BAD_UUID:
			return "A UUID must be a byte string of 16 bytes.";
		case COSE_BAD_TAG:
			return "The CBOR tag must be 18 (COSE_Sign1) or 17 (COSE_Mac0).";
		case COSE_BAD_ARRAY:
			return "A COSE message is an array of four.";
		case COSE_BAD_PROTECTED:
			return "The protected header must be a byte string that holds one map.";
		case COSE_BAD_UNPROTECTED:
			return "The unprotected header must be a map.";
		case COSE_BAD_PAYLOAD:
			return "The payload must be a byte string.";
		case COSE_BAD_SIGNATURE:
			return "The signature must be a byte string.";
		case CWT_TOO_LONG:
			return "A token is at most 4096 bytes long.";
		case CWT_NO_TAG:
			return "A token begins with the CBOR tag 18 (COSE_Sign1) or 17 (COSE_Mac0).";
		case CWT_BAD_HEADER:
			return "The protected header must hold the algorithm (1) and the key's name (4), and nothing else.";
		case CWT_BAD_ALG:
			return "The algorithm must be EdDSA (-8) or Ed25519 (-19) in COSE_Sign1, HMAC 256/256 (5) in COSE_Mac0.";
		case CWT_BAD_KID:
			return "A key's name must be a byte string of 1 to 64 letters, digits, \"_\", \"-\" and \".\" that does not begin with \".\".";
		case CWT_UNPROTECTED:
			return "The unprotected header must be empty.";
		case CWT_NO_CLAIMS:
			return "The payload must be one map of claims.";
		case CWT_BAD_CLAIM_KEY:
			return "The keys of claims must be integers.";
		case CWT_BAD_ISSUER:
			return "The issuer (claim 1) must be text.";
		case CWT_BAD_DATE:
			return "Dates (claims 4, 5 and 6) must be integers.";
		case CWT_DATE_RANGE:
			return "This date is out of range for type timestamp with time zone.";
		case CWT_BAD_ID:
			return "The id (claim 7) must be a byte string.";
		case CWT_BAD_VENUE:
			return "The venue (claim -65537) must be a UUID: tag 37 over 16 bytes.";
		case CWT_BAD_SUBJECT:
			return "The subject (claim -65538) must be a UUID: tag 37 over 16 bytes.";
	}

	return "The token is damaged.";
}
