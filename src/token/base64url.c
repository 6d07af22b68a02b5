/*-------------------------------------------------------------------------
 *
 * base64url.c
 *	  base64url (RFC 4648, section 5), without padding
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What a character stands for, or -1. */
static inline int
base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

void
base64url_encode(const uint8 *bytes, size_t len, char *out)
{
	uint32		bits = 0;
	int			count = 0;

	for (size_t i = 0; i < len; i++)
	{
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			*out++ = alphabet[bits >> (count - 6) & 0x3f];
	}
	if (count > 0)
		*out = alphabet[bits << (6 - count) & 0x3f];
}

bool
base64url_decode(const char *text, size_t len, uint8 *out)
{
	uint32		bits = 0;
	int			count = 0;

	for (size_t i = 0; i < len; i++)
	{
		int			value = base64url_value(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32) value;
		count += 6;
		if (count >= 8)
		{
			count -= 8;
			*out++ = (uint8) (bits >> count);
		}
	}
	/* no character too many, and the bits left over are zeros */
	return count < 6 && (bits & ((UINT32_C(1) << count) - 1)) == 0;
}
