/*-------------------------------------------------------------------------
 *
 * point.h
 *	  Which 32 bytes may be an Ed25519 public key
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_POINT_H
#define ANSHIM_POINT_H

/* If not, *reason says why not: a full sentence. */
extern bool crypto_point_is_good(const uint8 *raw, Size len, const char **reason);

#endif							/* ANSHIM_POINT_H */
