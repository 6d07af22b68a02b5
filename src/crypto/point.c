/*-------------------------------------------------------------------------
 *
 * point.c
 *	  Which 32 bytes may be a public key of Ed25519 or X25519
 *
 * RFC 8032 leaves two things open that a verifier of tokens must not.  A
 * point of small order is a key under which one signature is good for many
 * messages, so that nobody can be held to what "her" key signed.  And a
 * coordinate beyond the field's prime is a second encoding of a key, which
 * verifiers disagree about.  OpenSSL takes both.
 *
 * With a point of small order no secret can be agreed on, so OpenSSL would
 * fail whenever something is sealed to it: it had better not be registered.
 * RFC 9180 binds messages to the very bytes of the key, so there must be one
 * encoding of it only.
 *
 * Public keys are public: nothing here needs constant time.
 *
 * Shared with bin/, which compiles it with PostgreSQL's frontend headers.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "crypto/crypto.h"
#include "crypto/point.h"

#define SMALL_ORDER_POINTS 5

/* How a coordinate of one of the two curves is written. */
typedef struct PointKind
{
	uint8		sign_bits;		/* of the last byte, that are not the
								 * coordinate's */
	const char *wrong_length;
	const char *is_of_small_order;
	uint8		small_order[SMALL_ORDER_POINTS][CRYPTO_PUBLIC_KEY_LEN];
} PointKind;

/* The field's prime, 2^255 - 19, little-endian as all numbers here are. */
static const uint8 prime[CRYPTO_PUBLIC_KEY_LEN] = {
	0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
};

/*
 * The coordinates of all points whose order divides 8: of Edwards' form the y
 * of multiples of L times any point, where L is the order of the base point;
 * of Montgomery's the u, which is (1 + y) / (1 - y).
 */
static const PointKind kinds[] = {
	[CRYPTO_ED25519] = {
		0x80,
		"An Ed25519 public key has 32 bytes.",
		"The bytes are a point of small order, under which signatures prove nothing.",
		{
			{0},				/* order 4 */
			{1},				/* order 1 */
			{
				0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
				0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05
			},					/* order 8 */
			{
				0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
				0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a
			},					/* order 8 */
			{
				0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
			},					/* order 2 */
		}
	},
	[CRYPTO_X25519] = {
		0x00,
		"An X25519 public key has 32 bytes.",
		"The bytes are a point of small order, to which nothing can be sealed.",
		{
			{0},				/* order 2, and 1 */
			{1},				/* order 4 */
			{
				0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
				0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00
			},					/* order 8 */
			{
				0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
				0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57
			},					/* order 8 */
			{
				0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
			},					/* order 4, on the twist */
		}
	}
};

/* Is the coordinate less than the prime? */
static bool
is_reduced(const uint8 *coordinate)
{
	for (int i = CRYPTO_PUBLIC_KEY_LEN - 1; i >= 0; i--)
	{
		if (coordinate[i] != prime[i])
			return coordinate[i] < prime[i];
	}
	return false;
}

bool
crypto_point_is_good(CryptoAlgorithm algorithm, const uint8 *raw, Size len, const char **reason)
{
	const PointKind *kind = &kinds[algorithm];
	uint8		coordinate[CRYPTO_PUBLIC_KEY_LEN];

	if (len != CRYPTO_PUBLIC_KEY_LEN)
	{
		*reason = kind->wrong_length;
		return false;
	}

	memcpy(coordinate, raw, sizeof(coordinate));
	coordinate[CRYPTO_PUBLIC_KEY_LEN - 1] &= ~kind->sign_bits;

	if (!is_reduced(coordinate))
	{
		*reason = "The bytes are not the canonical encoding of a point.";
		return false;
	}
	for (int i = 0; i < SMALL_ORDER_POINTS; i++)
	{
		if (memcmp(coordinate, kind->small_order[i], sizeof(coordinate)) == 0)
		{
			*reason = kind->is_of_small_order;
			return false;
		}
	}
	*reason = NULL;
	return true;
}
