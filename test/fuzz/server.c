/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The few services of a server that code without data needs
 *
 * Memory contexts, errors and a heap, for fuzz targets that are linked to code
 * of the extension and to no server.  Every allocation is the C library's own,
 * exactly as large as it was asked for: the address sanitizer sees what is
 * used behind its end, after it was freed, or never freed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <setjmp.h>

#include "common/int.h"
#include "lib/pairingheap.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "fuzz.h"
#include "server.h"

typedef struct Context Context;

/* Stands before what was given out. */
typedef struct Block
{
	Context    *context;
	struct Block *previous;
	struct Block *next;
	Size		size;
} Block;

struct Context
{
	Block	   *blocks;
	MemoryContextCallback *callbacks;
	Context    *next;			/* of all contexts */
};

static Context top;
static Context *contexts = NULL;

int			server_errcode;

MemoryContext TopMemoryContext = (MemoryContext) &top;
MemoryContext CurrentMemoryContext = (MemoryContext) &top;
sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;
volatile sig_atomic_t InterruptPending = false;

/*
 * Memory
 */

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	Context    *owner = (Context *) context;
	Block	   *block = malloc(sizeof(Block) + size);

	MUST(block != NULL);
	block->context = owner;
	block->size = size;
	block->previous = NULL;
	block->next = owner->blocks;
	if (block->next)
		block->next->previous = block;
	owner->blocks = block;
	return block + 1;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	MUST(AllocSizeIsValid(size));
	return MemoryContextAllocHuge(context, size);
}

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void
pfree(void *pointer)
{
	Block	   *block = (Block *) pointer - 1;

	if (block->next)
		block->next->previous = block->previous;
	if (block->previous)
		block->previous->next = block->next;
	else
		block->context->blocks = block->next;
	free(block);
}

void *
repalloc_huge(void *pointer, Size size)
{
	Block	   *block = (Block *) pointer - 1;
	void	   *copy = MemoryContextAllocHuge((MemoryContext) block->context, size);

	memcpy(copy, pointer, Min(size, block->size));
	pfree(pointer);
	return copy;
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name, Size minContextSize,
							  Size initBlockSize, Size maxBlockSize)
{
	Context    *context = calloc(1, sizeof(Context));

	MUST(context != NULL);
	context->next = contexts;
	contexts = context;
	return (MemoryContext) context;
}

void
MemoryContextReset(MemoryContext context)
{
	Context    *owner = (Context *) context;

	while (owner->callbacks)
	{
		MemoryContextCallback *callback = owner->callbacks;

		owner->callbacks = callback->next;
		callback->func(callback->arg);
	}
	while (owner->blocks)
		pfree(owner->blocks + 1);
}

void
MemoryContextDelete(MemoryContext context)
{
	Context   **link = &contexts;

	while (*link != (Context *) context)
		link = &(*link)->next;
	*link = (*link)->next;
	MemoryContextReset(context);
	free(context);
}

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *cb)
{
	Context    *owner = (Context *) context;

	cb->next = owner->callbacks;
	owner->callbacks = cb;
}

void
MemoryContextSetIdentifier(MemoryContext context, const char *id)
{
}

void
server_begin(void)
{
	CurrentMemoryContext = AllocSetContextCreateInternal(TopMemoryContext, "input", 0, 0, 0);
}

int
server_blocks(void)
{
	int			n = 0;

	for (Block *block = ((Context *) CurrentMemoryContext)->blocks; block; block = block->next)
		n++;
	return n;
}

void
server_end(void)
{
	while (contexts)
		MemoryContextDelete((MemoryContext) contexts);
	CurrentMemoryContext = TopMemoryContext;
}

Size
add_size(Size s1, Size s2)
{
	MUST(s1 <= SIZE_MAX - s2);
	return s1 + s2;
}

Size
mul_size(Size s1, Size s2)
{
	MUST(s1 == 0 || s2 <= SIZE_MAX / s1);
	return s1 * s2;
}

/* Behind palloc_array() and palloc0_array(), in the newer minor versions. */
void *
palloc_mul(Size s1, Size s2)
{
	return palloc(mul_size(s1, s2));
}

void *
palloc0_mul(Size s1, Size s2)
{
	return palloc0(mul_size(s1, s2));
}

/*
 * Errors
 */

bool
errstart(int elevel, const char *domain)
{
	MUST(elevel == ERROR);
	server_errcode = 0;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	server_errcode = sqlerrcode;
	return 0;
}

int
errmsg(const char *fmt,...)
{
	return 0;
}

int
errdetail(const char *fmt,...)
{
	return 0;
}

int
errhint(const char *fmt,...)
{
	return 0;
}

void
pg_re_throw(void)
{
	MUST(PG_exception_stack != NULL);
	siglongjmp(*PG_exception_stack, 1);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (PG_exception_stack == NULL)
		fprintf(stderr, "%s:%d: raised an error\n", filename, lineno);
	pg_re_throw();
}

bool
server_try(void (*function) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	sigjmp_buf	here;
	bool		good = sigsetjmp(here, 0) == 0;

	if (good)
	{
		PG_exception_stack = &here;
		function(arg);
	}
	PG_exception_stack = NULL;
	CurrentMemoryContext = context;
	return good;
}

/*
 * PostgreSQL's pairing heap, as a sorted list
 */

pairingheap *
pairingheap_allocate(pairingheap_comparator compare, void *arg)
{
	pairingheap *heap = palloc0(sizeof(pairingheap));

	heap->ph_compare = compare;
	heap->ph_arg = arg;
	return heap;
}

void
pairingheap_free(pairingheap *heap)
{
	pfree(heap);
}

void
pairingheap_add(pairingheap *heap, pairingheap_node *node)
{
	pairingheap_node **link = &heap->ph_root;

	while (*link && heap->ph_compare(*link, node, heap->ph_arg) >= 0)
		link = &(*link)->next_sibling;
	node->next_sibling = *link;
	*link = node;
}

pairingheap_node *
pairingheap_first(pairingheap *heap)
{
	MUST(heap->ph_root != NULL);
	return heap->ph_root;
}

pairingheap_node *
pairingheap_remove_first(pairingheap *heap)
{
	pairingheap_node *first = pairingheap_first(heap);

	heap->ph_root = first->next_sibling;
	return first;
}
