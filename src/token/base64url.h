/*-------------------------------------------------------------------------
 *
 * base64url.h
 *	  base64url (RFC 4648, section 5), without padding
 *
 * The decoder takes only what the encoder could have made.  Neither keeps
 * anything of what passes through it: secrets may.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BASE64URL_H
#define ANSHIM_BASE64URL_H

#include "bytes.h"

#define BASE64URL_ENCODED_LEN(bytes) (((bytes) * 8 + 5) / 6)
#define BASE64URL_DECODED_LEN(chars) ((chars) * 6 / 8)

/* `out` has room for BASE64URL_ENCODED_LEN(len) characters; no NUL is added. */
extern void base64url_encode(const uint8 *bytes, size_t len, char *out);

/* `out` has room for BASE64URL_DECODED_LEN(len) bytes. */
extern bool base64url_decode(const char *text, size_t len, uint8 *out);

#endif							/* ANSHIM_BASE64URL_H */
