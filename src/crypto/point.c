/*-------------------------------------------------------------------------
 *
 * point.c
 *	  Which 32 bytes may be an Ed25519 public key
 *
 * RFC 8032 leaves two things open that a verifier of tokens must not.  A
 * point of small order is a key under which one signature is good for many
 * messages, so that nobody can be held to what "her" key signed.  And a
 * coordinate beyond the field's prime is a second encoding of a key, which
 * verifiers disagree about.  OpenSSL takes both.
 *
 * Public keys are public: nothing here needs constant time.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/crypto.h"
#include "crypto/point.h"

/* The field's prime, 2^255 - 19, little-endian as all numbers here are. */
static const uint8 prime[CRYPTO_PUBLIC_KEY_LEN] = {
	0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
};

/*
 * The y of the eight points whose order divides 8: multiples of L times any
 * point of the curve, where L is the order of the base point.
 */
static const uint8 small_order[][CRYPTO_PUBLIC_KEY_LEN] = {
	{0},						/* order 4 */
	{1},						/* order 1 */
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05
	},							/* order 8 */
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a
	},							/* order 8 */
	{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
	},							/* order 2 */
};

/* Is y less than the prime? */
static bool
is_reduced(const uint8 *y)
{
	for (int i = CRYPTO_PUBLIC_KEY_LEN - 1; i >= 0; i--)
	{
		if (y[i] != prime[i])
			return y[i] < prime[i];
	}
	return false;
}

bool
crypto_point_is_good(const uint8 *raw, Size len, const char **reason)
{
	uint8		y[CRYPTO_PUBLIC_KEY_LEN];

	if (len != CRYPTO_PUBLIC_KEY_LEN)
	{
		*reason = "An Ed25519 public key has 32 bytes.";
		return false;
	}

	/* the top bit is the sign of x */
	memcpy(y, raw, sizeof(y));
	y[CRYPTO_PUBLIC_KEY_LEN - 1] &= 0x7f;

	if (!is_reduced(y))
	{
		*reason = "The bytes are not the canonical encoding of a point.";
		return false;
	}
	for (int i = 0; i < lengthof(small_order); i++)
	{
		if (memcmp(y, small_order[i], sizeof(y)) == 0)
		{
			*reason = "The bytes are a point of small order, under which signatures prove nothing.";
			return false;
		}
	}
	*reason = NULL;
	return true;
}
