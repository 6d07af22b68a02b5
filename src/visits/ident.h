/*-------------------------------------------------------------------------
 *
 * ident.h
 *	  Subject and venue identifiers: how the engine holds a key of any type
 *
 * A visit log's subjects and venues may be of any type that has a default
 * B-tree operator class.  The engine compares, hashes and remembers millions
 * of them, so it never works on Datums: an Ident is sixteen bytes, whatever
 * the type, and an IdentTable numbers the distinct ones densely from 0.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_IDENT_H
#define ANSHIM_IDENT_H

#include "fmgr.h"

#include "memory.h"

/*
 * How identifiers of a type are held.
 *
 * IDENT_FIXED: int2, int4, int8 and uuid.  (hi, lo) is an image of the value
 * whose unsigned order is the type's own; no function call anywhere.
 *
 * IDENT_IMAGE: types whose equal values have equal bytes (the operator
 * class's "equalimage" support function says so): text under a deterministic
 * collation, bytea, date and so on.  hi is a hash of the bytes, lo the Datum.
 *
 * IDENT_ORDERED: all others (numeric, where 1.0 = 1.00).  lo is the Datum;
 * only the operator class's comparison is believed.
 */
typedef enum IdentClass
{
	IDENT_FIXED,
	IDENT_IMAGE,
	IDENT_ORDERED
} IdentClass;

typedef struct IdentType
{
	IdentClass	class;
	Oid			typid;			/* domains flattened, varchar as text */
	Oid			collation;		/* of the column, InvalidOid if none */
	int16		typlen;
	bool		typbyval;
	char		typalign;
	FmgrInfo	cmp;			/* B-tree comparison, valid in the context
								 * that ident_type_init() was called in */
} IdentType;

typedef struct Ident
{
	uint64		hi;
	uint64		lo;
} Ident;

/*
 * Fill in *type for keys of type typid under collation.  Raises 42883 if the
 * type has no default B-tree operator class, 0A000 if the collation is
 * nondeterministic.
 */
extern void ident_type_init(IdentType *type, Oid typid, Oid collation);

/* The type that keys of a column of this type have: domains flattened, varchar as text. */
extern Oid	ident_base_type(Oid typid);

/*
 * A Datum's Ident.  For types held by reference it points into the Datum, and
 * lives as long as that does; a toasted or compressed value is expanded in
 * the current memory context.
 */
extern Ident ident_from_datum(const IdentType *type, Datum value);
extern Datum ident_to_datum(const IdentType *type, Ident ident);

/* The same of a copy in this memory, if the type is held by reference. */
extern Ident ident_keep(Memory *memory, const IdentType *type, Datum value);

/* The type's equality as SQL writes it: OPERATOR(schema.=) */
extern char *ident_equality_operator(const IdentType *type);

/* <0, 0, >0 in the order of the type's B-tree operator class. */
extern int	ident_compare_datum(const IdentType *type, Datum a, Ident b);
extern int	ident_compare_slow(const IdentType *type, Ident a, Ident b);

static inline int
ident_compare(const IdentType *type, Ident a, Ident b)
{
	if (likely(type->class == IDENT_FIXED))
	{
		if (a.hi != b.hi)
			return a.hi < b.hi ? -1 : 1;
		if (a.lo != b.lo)
			return a.lo < b.lo ? -1 : 1;
		return 0;
	}
	return ident_compare_slow(type, a, b);
}

/*
 * A table that numbers distinct identifiers 0, 1, 2, ... in the order in
 * which they were first seen, and keeps an entry for each: a struct of the
 * caller's that begins with the Ident.  A new entry is a copy of `initial`
 * but for that.  Values held by reference are copied in.
 */
typedef struct IdentTable
{
	Store		entries;		/* use ident_table_entry() */

	/* ident.c's own */
	Memory	   *memory;
	const IdentType *type;
	const void *initial;
	uint32		mask;			/* number of buckets less one */
	struct IdentBucket *buckets;
	struct RBTree *tree;		/* IDENT_ORDERED only */
} IdentTable;

/* An empty table; `type` and `initial` have to live as long. */
extern IdentTable *ident_table_create(Memory *memory, const IdentType *type,
									  Size entry_size, const void *initial);

static inline void *
ident_table_entry(const IdentTable *table, int32 number)
{
	return store_at(&table->entries, number);
}

static inline int32
ident_table_size(const IdentTable *table)
{
	return table->entries.n;
}

static inline Ident
ident_table_get(const IdentTable *table, int32 number)
{
	return *(const Ident *) ident_table_entry(table, number);
}

/* The identifier's number, added if it is new. */
extern int32 ident_table_add(IdentTable *table, Ident ident);

/*
 * The same for n identifiers at once, `stride` bytes apart: the look-ups'
 * cache misses overlap, which is what makes a large table fast.
 */
extern void ident_table_add_many(IdentTable *table, const Ident *first, Size stride,
								 int n, int32 *numbers);

#endif							/* ANSHIM_IDENT_H */
