/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  The memory of one trace: one context, one limit
 *
 * A Memory counts what its users hold, in the sizes that they asked for, so
 * that the limit falls in the same place on every machine; the allocator's
 * own overhead, a few percent for arrays of this size, comes on top, and of a
 * trace that outgrows the room one extent that is not full yet.
 *
 * A backend keeps one room of ROOM_SIZE bytes from its first trace on, and the
 * trace that runs fills it from the bottom up before it asks for more: half of
 * a small trace's time went into memory that was fetched from the operating
 * system, and given back at once.  A trace within a trace does without.
 *
 * Sizes are computed with add_size() and mul_size(), which raise an error
 * rather than wrap around.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>

#include "storage/shmem.h"
#include "utils/memutils.h"

#include "memory.h"

#define ROOM_SIZE ((Size) 1024 * 1024)

/* What the operating system may map as one page, and how many at a time. */
#define HUGE_PAGE ((Size) 2 * 1024 * 1024)
#define EXTENT_SIZE (2 * HUGE_PAGE)

/* Allocations in the room begin at multiples of a cache line. */
#define ROOM_ALIGN 64

static char *room = NULL;
static bool room_taken = false;

static void memory_charge(Memory *memory, Size size);
static void take_room(Memory *memory);
static void leave_room(void *arg);
static void *allocate(Memory *memory, Size bytes);
static void *allocate_kept(Memory *memory, Size bytes);
static void *on_huge_pages(void *array, Size bytes);
static bool in_room(const Memory *memory, const void *array);

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
	take_room(memory);
	return memory;
}

/*
 * Give everything back.  An error does that as well, with the context that the
 * Memory's is a child of.
 */
void
memory_delete(Memory *memory)
{
	MemoryContextDelete(memory->context);
	pfree(memory);
}

static void
take_room(Memory *memory)
{
	MemoryContextCallback *callback;

	if (room_taken)
		return;
	if (room == NULL)
		room = MemoryContextAlloc(TopMemoryContext, ROOM_SIZE + ROOM_ALIGN);

	callback = MemoryContextAlloc(memory->context, sizeof(MemoryContextCallback));
	callback->func = leave_room;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(memory->context, callback);
	room_taken = true;
	memory->room = (char *) TYPEALIGN(ROOM_ALIGN, (uintptr_t) room);
}

static void
leave_room(void *arg)
{
	room_taken = false;
}

static bool
in_room(const Memory *memory, const void *array)
{
	return memory->room && (const char *) array >= memory->room &&
		(const char *) array < memory->room + ROOM_SIZE;
}

static void *
allocate(Memory *memory, Size bytes)
{
	Size		size = TYPEALIGN(ROOM_ALIGN, Max(bytes, 1));

	if (memory->room && size <= ROOM_SIZE - memory->room_used)
	{
		char	   *array = memory->room + memory->room_used;

		memory->room_used += size;
		return array;
	}
	return on_huge_pages(MemoryContextAllocHuge(memory->context, Max(bytes, 1)), bytes);
}

/*
 * Ask for huge pages where the array spans some: fewer page faults, and fewer
 * misses of the processor's table of pages when it is looked into all over.
 */
static void *
on_huge_pages(void *array, Size bytes)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	from = TYPEALIGN(HUGE_PAGE, (uintptr_t) array);
	uintptr_t	to = TYPEALIGN_DOWN(HUGE_PAGE, (uintptr_t) array + bytes);

	if (from < to)
		(void) madvise((void *) from, to - from, MADV_HUGEPAGE);
#endif
	return array;
}

/*
 * Memory that is kept as long as the Memory: part of an extent, which is large
 * enough for huge pages.
 */
static void *
allocate_kept(Memory *memory, Size bytes)
{
	Size		size = TYPEALIGN(ROOM_ALIGN, bytes);
	char	   *array;

	if (size > EXTENT_SIZE / 8 || (memory->room && size <= ROOM_SIZE - memory->room_used))
		return allocate(memory, bytes);
	if (size > memory->extent_left)
	{
		char	   *extent = MemoryContextAllocHuge(memory->context, EXTENT_SIZE + HUGE_PAGE);

		memory->extent = (char *) TYPEALIGN(HUGE_PAGE, (uintptr_t) extent);
		memory->extent_left = EXTENT_SIZE;
		on_huge_pages(memory->extent, EXTENT_SIZE);
	}
	array = memory->extent;
	memory->extent += size;
	memory->extent_left -= size;
	return array;
}

void *
memory_alloc(Memory *memory, Size n, Size size)
{
	Size		bytes = mul_size(n, size);

	memory_charge(memory, bytes);
	return allocate(memory, bytes);
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
	Size		old_bytes = mul_size(old_n, size);
	Size		new_bytes = mul_size(new_n, size);

	memory_charge(memory, new_bytes);
	if (array == NULL)
		return allocate(memory, new_bytes);
	if (in_room(memory, array))
	{
		void	   *copy = allocate(memory, new_bytes);

		memcpy(copy, array, Min(old_bytes, new_bytes));
		memory_free(memory, array, old_n, size);
		return copy;
	}
	array = on_huge_pages(repalloc_huge(array, Max(new_bytes, 1)), new_bytes);
	memory->used -= old_bytes;
	return array;
}

/*
 * What was last put into the room leaves space there; the rest of it is used
 * again by the next trace.
 */
void
memory_free(Memory *memory, void *array, Size n, Size size)
{
	Size		bytes = mul_size(n, size);

	if (array == NULL)
		return;
	memory->used -= bytes;
	if (!in_room(memory, array))
		pfree(array);
	else if ((char *) array + TYPEALIGN(ROOM_ALIGN, Max(bytes, 1)) ==
			 memory->room + memory->room_used)
		memory->room_used = (char *) array - memory->room;
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
		memory_charge(store->memory, STORE_CHUNK * store->size);
		store->chunks[store->nchunks++] = allocate_kept(store->memory, STORE_CHUNK * store->size);
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
}
