/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  The memory of one trace: one context, one limit
 *
 * A Memory counts what its users hold, in the sizes that they asked for, so
 * that the limit falls in the same place on every machine; the allocator's
 * own overhead, a few percent for arrays of this size, comes on top.
 *
 * Sizes are computed with add_size() and mul_size(), which raise an error
 * rather than wrap around.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

#include "memory.h"

static void memory_charge(Memory *memory, Size size);

/*
 * A new Memory, whose context is a child of the current one.
 */
Memory *
memory_create(const char *name)
{
	Memory	   *memory = palloc0(sizeof(Memory));

	memory->context = AllocSetContextCreate(CurrentMemoryContext,
											"anshim trace",
											ALLOCSET_DEFAULT_SIZES);
	MemoryContextSetIdentifier(memory->context, name);
	memory->limit = mul_size(anshim_max_memory, 1024);
	return memory;
}

void *
memory_alloc(Memory *memory, Size n, Size size)
{
	Size		bytes = mul_size(n, size);

	memory_charge(memory, bytes);
	return MemoryContextAllocHuge(memory->context, Max(bytes, 1));
}

void *
memory_alloc_zero(Memory *memory, Size n, Size size)
{
	void	   *array = memory_alloc(memory, n, size);

	memset(array, 0, mul_size(n, size));
	return array;
}

/*
 * While an array is copied to its new place both copies exist, so both are
 * charged; the old one is given back at the end.
 */
void *
memory_resize(Memory *memory, void *array, Size old_n, Size new_n, Size size)
{
	if (array == NULL)
		return memory_alloc(memory, new_n, size);

	memory_charge(memory, mul_size(new_n, size));
	array = repalloc_huge(array, Max(mul_size(new_n, size), 1));
	memory->used -= mul_size(old_n, size);
	return array;
}

void
memory_free(Memory *memory, void *array, Size n, Size size)
{
	if (array == NULL)
		return;
	pfree(array);
	memory->used -= mul_size(n, size);
}

void
store_init(Store *store, Memory *memory, Size size)
{
	memset(store, 0, sizeof(Store));
	store->memory = memory;
	store->size = size;
}

void *
store_add(Store *store)
{
	if (store->n == store->nchunks * STORE_CHUNK)
	{
		memory_reserve(store->memory, store->chunks, store->nchunks, store->chunks_size, 1);
		store->chunks[store->nchunks++] = memory_alloc(store->memory, STORE_CHUNK, store->size);
	}
	store->n++;
	return store_at(store, store->n - 1);
}

static void
memory_charge(Memory *memory, Size size)
{
	Size		used = add_size(memory->used, size);

	if (used > memory->limit)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("trace needs more memory than anshim.max_memory allows"),
				 errdetail("The limit is %d kB.", anshim_max_memory),
				 errhint("Trace over a shorter time or fewer degrees, or raise anshim.max_memory.")));
	memory->used = used;
	memory->peak = Max(memory->peak, used);
}
