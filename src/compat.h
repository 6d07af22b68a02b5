/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between PostgreSQL's major versions
 *
 * The only file that asks for PG_VERSION_NUM.  It gives older servers the
 * newest one's names, so that everything else reads as PostgreSQL 18.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_COMPAT_H
#define ANSHIM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "anshim needs PostgreSQL 15 or newer"
#endif

#include "access/tupdesc.h"

/*
 * Compilers: ask for a cache line that is read soon, or, to a cache that is
 * larger and not so near, one of many that are read later.  GCC takes a function
 * that does nothing else for one without effect, and drops the calls of it,
 * unless it is inlined always.
 */
#if defined(__GNUC__)
#define anshim_prefetch(address) __builtin_prefetch(address)
#define anshim_prefetch_far(address) __builtin_prefetch(address, 0, 2)
#else
#define anshim_prefetch(address) ((void) 0)
#define anshim_prefetch_far(address) ((void) 0)
#endif

/*
 * PostgreSQL 16 renamed RelFileNode to RelFileLocator (utils/rel.h,
 * storage/relfilelocator.h) and its number's type.
 */
#if PG_VERSION_NUM < 160000
typedef Oid RelFileNumber;
#define rd_locator rd_node
#define relNumber relNode
#endif

/* PostgreSQL 16 took the rights that a plan needs out of its range table (nodes/plannodes.h). */
#if PG_VERSION_NUM < 160000
#define RTEPermissionInfo RangeTblEntry
#define permInfos rtable
#endif

/* PostgreSQL 18 put pg_noreturn before the declaration. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* PostgreSQL 17 brought murmurhash64() (common/hashfn.h). */
#if PG_VERSION_NUM < 170000
static inline uint64
murmurhash64(uint64 data)
{
	uint64		h = data;

	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}
#endif

/*
 * PostgreSQL 17 lets an extension remember resources of its own kinds in
 * resource owners.  Before, there was one callback for all: compat.c builds
 * the new interface on it.
 */
#if PG_VERSION_NUM < 170000
#include "utils/resowner.h"

#define ANSHIM_EMULATES_RESOURCE_KINDS

typedef uint32 ResourceReleasePriority;

#define RELEASE_PRIO_FIRST 1

typedef struct ResourceOwnerDesc
{
	const char *name;
	ResourceReleasePhase release_phase;
	ResourceReleasePriority release_priority;
	void		(*ReleaseResource) (Datum res);
	char	   *(*DebugPrint) (Datum res);
} ResourceOwnerDesc;

#define ResourceOwnerEnlarge anshim_resource_owner_enlarge
#define ResourceOwnerRemember anshim_resource_owner_remember
#define ResourceOwnerForget anshim_resource_owner_forget

extern void ResourceOwnerEnlarge(ResourceOwner owner);
extern void ResourceOwnerRemember(ResourceOwner owner, Datum res, const ResourceOwnerDesc *kind);
extern void ResourceOwnerForget(ResourceOwner owner, Datum res, const ResourceOwnerDesc *kind);
#endif

/*
 * Tokens.  PostgreSQL 16 moved varlena macros to varatt.h, and brought soft
 * errors: before it, ereturn() raises as ereport() does, and make_range()
 * takes no context to report in.
 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#else
#define ereturn(context, dummy_value, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
	} while (0)
#include "utils/rangetypes.h"
#define make_range(typcache, lower, upper, empty, escontext) \
	make_range(typcache, lower, upper, empty)
#endif

/* PostgreSQL 17 numbers backends from 0, as MyProcNumber (storage/procnumber.h). */
#if PG_VERSION_NUM < 170000
#define MyProcNumber (MyBackendId - 1)
#endif

/* PostgreSQL 18 counts an index scan's searches for EXPLAIN (access/genam.h). */
#if PG_VERSION_NUM < 180000
#include "access/genam.h"
#define index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, nkeys, norderbys)
#endif

/* PostgreSQL 18 makes tuples with room before them (access/htup_details.h). */
#if PG_VERSION_NUM < 180000
#include "access/htup_details.h"
#define heap_form_minimal_tuple(tupdesc, values, isnull, extra) \
	heap_form_minimal_tuple(tupdesc, values, isnull)
#endif

/* PostgreSQL 18 brought NOT NULL constraints that are not validated. */
static inline bool
attribute_not_null(TupleDesc tupdesc, AttrNumber attno)
{
#if PG_VERSION_NUM >= 180000
	return TupleDescCompactAttr(tupdesc, attno - 1)->attnullability == ATTNULLABLE_VALID;
#else
	return TupleDescAttr(tupdesc, attno - 1)->attnotnull;
#endif
}

#endif							/* ANSHIM_COMPAT_H */
