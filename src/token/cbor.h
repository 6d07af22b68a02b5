/*-------------------------------------------------------------------------
 *
 * cbor.h
 *	  Deterministic CBOR (RFC 8949, section 4.2.1), read and written
 *
 * The reader accepts an item only in its one deterministic encoding: heads
 * in their shortest form, definite lengths, map keys in bytewise order and
 * each but once, floats in the shortest form that keeps their value, the one
 * NaN 0x7e00, bignums only beyond 64 bits and without leading zeros.  Text
 * is valid UTF-8 without NUL, tag 37 holds 16 bytes.  What nests deeper than
 * CBOR_MAX_DEPTH arrays, maps and tags is refused.
 *
 * Nothing here allocates, recurses, or reads beyond the cursor's end.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_CBOR_H
#define ANSHIM_CBOR_H

#include "bytes.h"
#include "fault.h"

#define CBOR_MAX_DEPTH 16

#define CBOR_TAG_BIGNUM 2
#define CBOR_TAG_NEGATIVE_BIGNUM 3
#define CBOR_TAG_UUID 37

typedef enum CborMajor
{
	CBOR_UINT = 0,				/* value */
	CBOR_NINT = 1,				/* -1 - value */
	CBOR_BYTES = 2,				/* value: length */
	CBOR_TEXT = 3,				/* value: length */
	CBOR_ARRAY = 4,				/* value: number of items */
	CBOR_MAP = 5,				/* value: number of pairs */
	CBOR_TAG = 6,				/* value: tag number */
	CBOR_SIMPLE = 7				/* value: simple value, or a float's bits */
} CborMajor;

/* For CBOR_SIMPLE: which of them it is. */
#define CBOR_FALSE 20
#define CBOR_TRUE 21
#define CBOR_NULL 22
#define CBOR_INFO_BYTE 24
#define CBOR_INFO_HALF 25
#define CBOR_INFO_SINGLE 26
#define CBOR_INFO_DOUBLE 27

/* The head of an item. */
typedef struct CborHead
{
	uint8		major;			/* a CborMajor */
	uint8		info;			/* the low five bits of the first byte */
	uint64		value;
} CborHead;

/*
 * A place in the bytes.  Reading moves `next`; at the first fault it returns
 * false, has filled `fault`, and must not be asked again.
 */
typedef struct CborCursor
{
	const uint8 *begin;			/* faults are counted from here */
	const uint8 *next;
	const uint8 *end;
	CwtFault	fault;
} CborCursor;

/*
 * A cursor over these bytes; one over a span of another's, whose faults count
 * from where that one's do; and noting a fault, which is always false.
 */
extern void cbor_open(CborCursor *cur, const uint8 *bytes, size_t len);
extern void cbor_enter(CborCursor *inner, const CborCursor *outer,
					   ByteSpan span);
extern bool cbor_fail(CborCursor *cur, CwtFaultCode code, const uint8 *where);

/*
 * Heads and content.  cbor_content() takes the bytes after the head of a byte
 * or text string.  cbor_item() reads one whole item, however deep, and checks
 * all of it; cbor_end() checks that nothing is left.
 */
extern bool cbor_head(CborCursor *cur, CborHead *head);
extern bool cbor_content(CborCursor *cur, const CborHead *head,
						 ByteSpan *content);
extern bool cbor_item(CborCursor *cur, ByteSpan *item);
extern bool cbor_end(CborCursor *cur);

/* Meanings of heads. */
extern bool cbor_head_int64(const CborHead *head, int64 *value);
extern bool cbor_head_is_float(const CborHead *head);
extern double cbor_head_double(const CborHead *head);

/*
 * Writing, always in the shortest form; the order of map keys is the caller's
 * care.  What does not fit is counted and not written, so that `used` is the
 * length needed, and the output good only if used <= size.  Lengths add up
 * without overflow as long as all that is written together is less than
 * SIZE_MAX / 2.
 */
typedef struct CborWriter
{
	uint8	   *out;
	size_t		size;
	size_t		used;
} CborWriter;

extern void cbor_write_raw(CborWriter *w, const void *bytes, size_t len);
extern void cbor_write_head(CborWriter *w, CborMajor major, uint64 value);
extern void cbor_write_int(CborWriter *w, int64 value);
extern void cbor_write_bytes(CborWriter *w, const void *bytes, size_t len);
extern void cbor_write_text(CborWriter *w, const void *bytes, size_t len);
extern void cbor_write_double(CborWriter *w, double value);

#endif							/* ANSHIM_CBOR_H */
