/*-------------------------------------------------------------------------
 *
 * point.h
 *	  Which 32 bytes may be a public key
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_POINT_H
#define ANSHIM_POINT_H

#include "crypto/crypto.h"

/* If not, *reason says why not: a full sentence. */
extern bool crypto_point_is_good(CryptoAlgorithm algorithm, const uint8 *raw, Size len,
								 const char **reason);

#endif							/* ANSHIM_POINT_H */
