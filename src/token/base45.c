/*-------------------------------------------------------------------------
 *
 * base45.c
 *	  Base45 (RFC 9285), the alphabet of alphanumeric QR codes
 *
 * No table of the server's, no allocation: the fuzzer compiles this alone.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "base45.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

#define NONE 0xff

/* Values of the characters from ' ' to 'Z'. */
static const uint8 value_of[] = {
	36, NONE, NONE, NONE, 37, 38, NONE, NONE,	/* space to ' */
	NONE, NONE, 39, 40, NONE, 41, 42, 43,	/* ( to / */
	0, 1, 2, 3, 4, 5, 6, 7,
	8, 9, 44, NONE, NONE, NONE, NONE, NONE, /* 8 to ? */
	NONE, 10, 11, 12, 13, 14, 15, 16,	/* @ to G */
	17, 18, 19, 20, 21, 22, 23, 24,
	25, 26, 27, 28, 29, 30, 31, 32,
	33, 34, 35,
};

static inline uint32
base45_value(char c)
{
	uint32		index = (uint32) (uint8) c - ' ';

	return index < sizeof(value_of) ? value_of[index] : NONE;
}

static bool
base45_fail(CwtFault *fault, CwtFaultCode code, size_t at)
{
	fault->code = code;
	fault->at = at;
	return false;
}

/* A group is faulty: is it for a character, or for its value? */
static bool
base45_bad_group(const char *text, size_t at, size_t count, CwtFault *fault)
{
	for (size_t i = at; i < at + count; i++)
	{
		if (base45_value(text[i]) == NONE)
			return base45_fail(fault, TEXT_NOT_BASE45, i);
	}
	return base45_fail(fault, TEXT_BAD_GROUP, at);
}

void
base45_encode(const uint8 *bytes, size_t len, char *out)
{
	size_t		i;

	for (i = 0; i + 1 < len; i += 2)
	{
		uint32		n = (uint32) bytes[i] << 8 | bytes[i + 1];

		*out++ = alphabet[n % 45];
		*out++ = alphabet[n / 45 % 45];
		*out++ = alphabet[n / (45 * 45)];
	}
	if (i < len)
	{
		*out++ = alphabet[bytes[i] % 45];
		*out++ = alphabet[bytes[i] / 45];
	}
}

bool
base45_decode(const char *text, size_t len, uint8 *out, CwtFault *fault)
{
	size_t		i;

	for (i = 0; i + 2 < len; i += 3)
	{
		uint32		a = base45_value(text[i]);
		uint32		b = base45_value(text[i + 1]);
		uint32		c = base45_value(text[i + 2]);
		uint32		n = a + b * 45 + c * (45 * 45);

		if (a == NONE || b == NONE || c == NONE || n > 0xffff)
			return base45_bad_group(text, i, 3, fault);
		*out++ = (uint8) (n >> 8);
		*out++ = (uint8) n;
	}
	if (len - i == 1)
		return base45_fail(fault, TEXT_BAD_LENGTH, i);
	if (len - i == 2)
	{
		uint32		a = base45_value(text[i]);
		uint32		b = base45_value(text[i + 1]);

		if (a == NONE || b == NONE || a + b * 45 > 0xff)
			return base45_bad_group(text, i, 2, fault);
		*out = (uint8) (a + b * 45);
	}
	return true;
}
