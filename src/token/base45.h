/*-------------------------------------------------------------------------
 *
 * base45.h
 *	  Base45 (RFC 9285), the alphabet of alphanumeric QR codes
 *
 * Two bytes make three characters, a last single byte makes two.  The decoder
 * takes only what the encoder could have made, so bytes and text are one to
 * one.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BASE45_H
#define ANSHIM_BASE45_H

#include "bytes.h"
#include "fault.h"

#define BASE45_ENCODED_LEN(bytes) ((bytes) / 2 * 3 + (bytes) % 2 * 2)
#define BASE45_DECODED_LEN(chars) ((chars) / 3 * 2 + (chars) % 3 / 2)

/* `out` has room for BASE45_ENCODED_LEN(len) characters; no NUL is added. */
extern void base45_encode(const uint8 *bytes, size_t len, char *out);

/* `out` has room for BASE45_DECODED_LEN(len) bytes. */
extern bool base45_decode(const char *text, size_t len, uint8 *out,
						  CwtFault *fault);

#endif							/* ANSHIM_BASE45_H */
