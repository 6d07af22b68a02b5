/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_FUZZ_H
#define ANSHIM_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's name for it: one input. */
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", \
					__FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* An input that is taken apart byte by byte; what lies behind its end is 0. */
typedef struct FuzzBytes
{
	const uint8 *next;
	size_t		left;
} FuzzBytes;

static inline int
fuzz_byte(FuzzBytes *bytes)
{
	if (bytes->left == 0)
		return 0;
	bytes->left--;
	return *bytes->next++;
}

#endif							/* ANSHIM_FUZZ_H */
