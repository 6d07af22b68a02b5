/*-------------------------------------------------------------------------
 *
 * cbor_oracle.h
 *	  A second opinion on what deterministic CBOR is
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_FUZZ_CBOR_ORACLE_H
#define ANSHIM_FUZZ_CBOR_ORACLE_H

#include "token/bytes.h"

/*
 * Is this one item, valid, and what a deterministic encoder makes of it, with
 * nothing after it and no deeper than `depth`?
 */
extern bool oracle_accepts(const uint8 *bytes, size_t len, int depth);

#endif							/* ANSHIM_FUZZ_CBOR_ORACLE_H */
