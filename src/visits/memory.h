/*-------------------------------------------------------------------------
 *
 * memory.h
 *	  The memory of one trace: one context, one limit
 *
 * Everything that grows with the data is allocated through a Memory, which
 * raises 53400 before anshim.max_memory is exceeded.  The context is a child
 * of the caller's, so an error frees all of it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_MEMORY_H
#define ANSHIM_MEMORY_H

#include "utils/palloc.h"

typedef struct Memory
{
	MemoryContext context;
	Size		used;			/* bytes handed out and not given back */
	Size		limit;			/* anshim.max_memory, in bytes */

	/* memory.c's own: the room that small traces need; see there */
	char	   *room;
	Size		room_used;
	char	   *extent;			/* for what is never given back alone */
	Size		extent_left;
} Memory;

/* anshim.max_memory, in kilobytes */
extern PGDLLIMPORT int anshim_max_memory;

/*
 * A Memory of its own context, a child of the current one, and with it the end
 * of all that was taken of it.  Errors of all functions here: 53400 beyond the
 * limit.
 */
extern Memory *memory_create(const char *name);
extern void memory_delete(Memory *memory);

/* Room for n elements of `size` bytes; huge allocations are allowed. */
extern void *memory_alloc(Memory *memory, Size n, Size size);
extern void *memory_alloc_zero(Memory *memory, Size n, Size size);

/* The array grown, or shrunk, from old_n to new_n elements. */
extern void *memory_resize(Memory *memory, void *array, Size old_n, Size new_n, Size size);
extern void memory_free(Memory *memory, void *array, Size n, Size size);

/*
 * An array that may have to grow by one more element: doubles the capacity
 * where `used` has reached it.  An lvalue array, used count and capacity.
 */
#define memory_reserve(memory, array, used, capacity, more) \
	do { \
		if ((Size) (used) + (Size) (more) > (Size) (capacity)) \
		{ \
			Size		want_ = Max((Size) (capacity) * 2, (Size) (used) + (Size) (more)); \
			want_ = Max(want_, 16); \
			(array) = memory_resize((memory), (array), (capacity), want_, sizeof(*(array))); \
			(capacity) = want_; \
		} \
	} while (0)

/*
 * An array that grows without moving: in chunks of 2 ^ STORE_BITS elements.
 * Nothing is copied, and addresses stay.
 */
#define STORE_BITS 10
#define STORE_CHUNK ((Size) 1 << STORE_BITS)

typedef struct Store
{
	Memory	   *memory;
	Size		size;			/* of an element */
	Size		n;				/* elements in use */
	char	  **chunks;
	Size		nchunks;
	Size		chunks_size;
} Store;

/* An empty one, of elements of `size` bytes */
extern void store_init(Store *store, Memory *memory, Size size);

/* One more element, whose contents are undefined. */
extern void *store_add(Store *store);

static inline void *
store_at(const Store *store, Size i)
{
	Assert(i < store->n);
	return store->chunks[i >> STORE_BITS] + (i & (STORE_CHUNK - 1)) * store->size;
}

#endif							/* ANSHIM_MEMORY_H */
