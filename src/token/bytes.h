/*-------------------------------------------------------------------------
 *
 * bytes.h
 *	  Integer types and byte spans for the parts that know no server
 *
 * cbor.c, cose.c, cwt.c, base45.c and fault.c include nothing of PostgreSQL,
 * so that the fuzzer and the unit tests compile them alone.  They use
 * PostgreSQL's integer names all the same: from c.h where a server file
 * includes this header (after postgres.h), from here otherwise.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BYTES_H
#define ANSHIM_BYTES_H

#ifndef C_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int8_t int8;
typedef uint8_t uint8;
typedef uint16_t uint16;
typedef int32_t int32;
typedef uint32_t uint32;
typedef int64_t int64;
typedef uint64_t uint64;
#endif

/* Bytes that belong to somebody else; data is NULL where there are none. */
typedef struct ByteSpan
{
	const uint8 *data;
	size_t		len;
} ByteSpan;

#endif							/* ANSHIM_BYTES_H */
