/*-------------------------------------------------------------------------
 *
 * ident.c
 *	  Subject and venue identifiers: how the engine holds a key of any type
 *
 * An IdentTable is a hash table with linear probing whose buckets hold a
 * number and the upper half of the hash, so that a miss is seldom followed
 * to the identifiers themselves.  For IDENT_ORDERED types, where only the
 * comparison function knows what is equal, a red-black tree takes its place.
 *
 * Memory: all of a table lies in the Memory that it was made with, the
 * identifiers' values included.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "lib/rbtree.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "compat.h"
#include "ident.h"

#define SIGN_BIT UINT64CONST(0x8000000000000000)

/* Identifiers that are looked up together. */
#define LOOKUP_BATCH 64

typedef struct IdentBucket
{
	uint32		tag;			/* upper half of the hash */
	int32		number;			/* -1: empty */
} IdentBucket;

typedef struct OrderedNode
{
	RBTNode		rbtnode;
	Ident		ident;
	int32		number;
} OrderedNode;

static bool equal_means_same_bytes(TypeCacheEntry *entry, Oid collation);
static Ident copy_value(IdentTable *table, Ident ident);
static void grow_buckets(IdentTable *table);
static int32 ordered_add(IdentTable *table, Ident ident);
static int	ordered_compare(const RBTNode *a, const RBTNode *b, void *arg);
static void ordered_combine(RBTNode *existing, const RBTNode *newdata, void *arg);
static RBTNode *ordered_alloc(void *arg);

Oid
ident_base_type(Oid typid)
{
	Oid			base = getBaseType(typid);

	return base == VARCHAROID ? TEXTOID : base;
}

void
ident_type_init(IdentType *type, Oid typid, Oid collation)
{
	TypeCacheEntry *entry;

	memset(type, 0, sizeof(IdentType));
	type->typid = ident_base_type(typid);
	type->collation = collation;
	get_typlenbyvalalign(type->typid, &type->typlen, &type->typbyval, &type->typalign);

	entry = lookup_type_cache(type->typid,
							  TYPECACHE_BTREE_OPFAMILY | TYPECACHE_CMP_PROC);
	if (!OidIsValid(entry->cmp_proc))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no default B-tree operator class",
						format_type_be(type->typid)),
				 errhint("Subjects and venues need a type that can be ordered, such as uuid, bigint or text.")));
	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("subjects and venues under a nondeterministic collation are not supported"),
				 errdetail("The collation is \"%s\".", get_collation_name(collation)),
				 errhint("Give the column a deterministic collation, such as \"C\".")));
	fmgr_info(entry->cmp_proc, &type->cmp);

	switch (type->typid)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case UUIDOID:
			type->class = IDENT_FIXED;
			break;
		default:
			type->class = equal_means_same_bytes(entry, collation) ?
				IDENT_IMAGE : IDENT_ORDERED;
			break;
	}
}

/*
 * Does the default operator class promise that equal values have equal bytes?
 * "name" does, but its bytes behind the terminating zero are another matter,
 * and its index entries are shorter than the type; it is compared instead.
 */
static bool
equal_means_same_bytes(TypeCacheEntry *entry, Oid collation)
{
	Oid			proc;

	if (entry->type_id == NAMEOID)
		return false;
	proc = get_opfamily_proc(entry->btree_opf, entry->btree_opintype,
							 entry->btree_opintype, BTEQUALIMAGE_PROC);
	return OidIsValid(proc) &&
		DatumGetBool(OidFunctionCall1Coll(proc, collation,
										  ObjectIdGetDatum(entry->btree_opintype)));
}

Ident
ident_from_datum(const IdentType *type, Datum value)
{
	Ident		ident = {0, 0};

	switch (type->typid)
	{
		case INT2OID:
			ident.hi = (uint64) DatumGetInt16(value) ^ SIGN_BIT;
			return ident;
		case INT4OID:
			ident.hi = (uint64) DatumGetInt32(value) ^ SIGN_BIT;
			return ident;
		case INT8OID:
			ident.hi = (uint64) DatumGetInt64(value) ^ SIGN_BIT;
			return ident;
		case UUIDOID:
			memcpy(&ident, DatumGetUUIDP(value)->data, UUID_LEN);
			ident.hi = pg_ntoh64(ident.hi);
			ident.lo = pg_ntoh64(ident.lo);
			return ident;
		case NAMEOID:

			/*
			 * A B-tree keeps names as strings of their own length; functions
			 * want all of NAMEDATALEN.
			 */
			{
				Name		name = palloc(NAMEDATALEN);

				namestrcpy(name, DatumGetCString(value));
				value = NameGetDatum(name);
			}
			break;
		default:
			if (type->typlen == -1)
				value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
			break;
	}

	if (type->class == IDENT_IMAGE)
		ident.hi = murmurhash64(datum_image_hash(value, type->typbyval, type->typlen));
	ident.lo = (uint64) value;
	return ident;
}

Ident
ident_keep(Memory *memory, const IdentType *type, Datum value)
{
	MemoryContext caller;
	Ident		ident;

	if (type->class != IDENT_FIXED && !type->typbyval)
	{
		Size		size;
		void	   *copy;

		if (type->typlen == -1)
			value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
		size = datumGetSize(value, type->typbyval, type->typlen);
		copy = memory_alloc(memory, size, 1);
		memcpy(copy, DatumGetPointer(value), size);
		value = PointerGetDatum(copy);
	}
	caller = MemoryContextSwitchTo(memory->context);
	ident = ident_from_datum(type, value);
	MemoryContextSwitchTo(caller);
	return ident;
}

char *
ident_equality_operator(const IdentType *type)
{
	Oid			opno = lookup_type_cache(type->typid, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
	Form_pg_operator operator = (Form_pg_operator) GETSTRUCT(tuple);
	char	   *name;

	name = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(operator->oprnamespace)),
					NameStr(operator->oprname));
	ReleaseSysCache(tuple);
	return name;
}

Datum
ident_to_datum(const IdentType *type, Ident ident)
{
	switch (type->typid)
	{
		case INT2OID:
			return Int16GetDatum((int16) (ident.hi ^ SIGN_BIT));
		case INT4OID:
			return Int32GetDatum((int32) (ident.hi ^ SIGN_BIT));
		case INT8OID:
			return Int64GetDatum((int64) (ident.hi ^ SIGN_BIT));
		case UUIDOID:
			{
				pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

				ident.hi = pg_hton64(ident.hi);
				ident.lo = pg_hton64(ident.lo);
				memcpy(uuid->data, &ident, UUID_LEN);
				return UUIDPGetDatum(uuid);
			}
		default:
			return (Datum) ident.lo;
	}
}

int
ident_compare_slow(const IdentType *type, Ident a, Ident b)
{
	return DatumGetInt32(FunctionCall2Coll(unconstify(FmgrInfo *, &type->cmp),
										   type->collation,
										   (Datum) a.lo, (Datum) b.lo));
}

/*
 * Compare a Datum, as an index holds it, without making an Ident of it.
 */
int
ident_compare_datum(const IdentType *type, Datum a, Ident b)
{
	if (type->class == IDENT_FIXED || type->typid == NAMEOID)
		return ident_compare(type, ident_from_datum(type, a), b);
	return DatumGetInt32(FunctionCall2Coll(unconstify(FmgrInfo *, &type->cmp),
										   type->collation, a, (Datum) b.lo));
}

static inline uint64
ident_hash(const IdentType *type, Ident ident)
{
	if (type->class != IDENT_FIXED)
		return ident.hi;
	return murmurhash64(ident.lo == 0 ? ident.hi : ident.hi ^ murmurhash64(ident.lo));
}

static inline bool
ident_same(const IdentType *type, Ident a, Ident b)
{
	if (a.hi != b.hi)
		return false;
	return type->class == IDENT_FIXED ? a.lo == b.lo :
		datum_image_eq((Datum) a.lo, (Datum) b.lo, type->typbyval, type->typlen);
}

IdentTable *
ident_table_create(Memory *memory, const IdentType *type, Size entry_size, const void *initial)
{
	IdentTable *table = memory_alloc_zero(memory, 1, sizeof(IdentTable));

	table->memory = memory;
	table->type = type;
	store_init(&table->entries, memory, entry_size);
	table->initial = initial;
	if (type->class == IDENT_ORDERED)
	{
		MemoryContext old = MemoryContextSwitchTo(memory->context);

		table->tree = rbt_create(sizeof(OrderedNode), ordered_compare,
								 ordered_combine, ordered_alloc, NULL, table);
		MemoryContextSwitchTo(old);
	}
	else
		grow_buckets(table);
	return table;
}

/*
 * Give the identifier, known to be new, the next number.
 */
static int32
append_ident(IdentTable *table, Ident ident)
{
	void	   *entry;

	if (table->entries.n == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace reaches too many subjects or venues"),
				 errdetail("A trace can hold %d of each.", PG_INT32_MAX),
				 errhint("Trace over a shorter time or fewer degrees.")));
	ident = copy_value(table, ident);
	entry = store_add(&table->entries);
	memcpy(entry, table->initial, table->entries.size);
	memcpy(entry, &ident, sizeof(Ident));
	return table->entries.n - 1;
}

/*
 * The identifier with its value, if that lies elsewhere, copied to our memory.
 */
static Ident
copy_value(IdentTable *table, Ident ident)
{
	const IdentType *type = table->type;

	if (type->class != IDENT_FIXED && !type->typbyval)
	{
		Size		size = datumGetSize((Datum) ident.lo, false, type->typlen);
		void	   *copy = memory_alloc(table->memory, size, 1);

		memcpy(copy, DatumGetPointer((Datum) ident.lo), size);
		ident.lo = (uint64) PointerGetDatum(copy);
	}
	return ident;
}

static inline IdentBucket *
find_bucket(const IdentTable *table, Ident ident, uint64 hash)
{
	uint32		at = (uint32) hash & table->mask;
	uint32		tag = (uint32) (hash >> 32);

	for (;;)
	{
		IdentBucket *bucket = &table->buckets[at];

		if (bucket->number < 0)
			return bucket;
		if (bucket->tag == tag &&
			ident_same(table->type, ident_table_get(table, bucket->number), ident))
			return bucket;
		at = (at + 1) & table->mask;
	}
}

static int32
add_hashed(IdentTable *table, Ident ident, uint64 hash)
{
	IdentBucket *bucket = find_bucket(table, ident, hash);

	if (bucket->number < 0)
	{
		/* at most half full, so that probes stay short */
		if (table->entries.n >= table->mask / 2)
		{
			grow_buckets(table);
			bucket = find_bucket(table, ident, hash);
		}
		bucket->number = append_ident(table, ident);
		bucket->tag = (uint32) (hash >> 32);
	}
	return bucket->number;
}

int32
ident_table_add(IdentTable *table, Ident ident)
{
	if (table->tree)
		return ordered_add(table, ident);
	return add_hashed(table, ident, ident_hash(table->type, ident));
}

void
ident_table_add_many(IdentTable *table, const Ident *first, Size stride, int n, int32 *numbers)
{
	const char *at = (const char *) first;
	uint64		hashes[LOOKUP_BATCH];

	if (table->tree)
	{
		for (int i = 0; i < n; i++, at += stride)
			numbers[i] = ordered_add(table, *(const Ident *) at);
		return;
	}

	for (int done = 0; done < n; done += LOOKUP_BATCH)
	{
		int			batch = Min(n - done, LOOKUP_BATCH);
		const char *start = at;

		for (int i = 0; i < batch; i++, at += stride)
		{
			hashes[i] = ident_hash(table->type, *(const Ident *) at);
			anshim_prefetch(&table->buckets[(uint32) hashes[i] & table->mask]);
		}
		for (int i = 0; i < batch; i++)
		{
			int32		number = table->buckets[(uint32) hashes[i] & table->mask].number;

			if (number >= 0)
				anshim_prefetch(ident_table_entry(table, number));
		}
		for (int i = 0; i < batch; i++, start += stride)
			numbers[done + i] = add_hashed(table, *(const Ident *) start, hashes[i]);
	}
}

/*
 * Twice the buckets, or the first ones.
 */
static void
grow_buckets(IdentTable *table)
{
	uint32		old_n = table->buckets ? table->mask + 1 : 0;
	uint32		n = old_n ? old_n * 2 : 1024;

	memory_free(table->memory, table->buckets, old_n, sizeof(IdentBucket));
	table->buckets = memory_alloc(table->memory, n, sizeof(IdentBucket));
	table->mask = n - 1;
	memset(table->buckets, 0xFF, mul_size(n, sizeof(IdentBucket)));

	for (int32 number = 0; number < ident_table_size(table); number++)
	{
		uint64		hash = ident_hash(table->type, ident_table_get(table, number));
		uint32		at = (uint32) hash & table->mask;

		if ((number & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		while (table->buckets[at].number >= 0)
			at = (at + 1) & table->mask;
		table->buckets[at].number = number;
		table->buckets[at].tag = (uint32) (hash >> 32);
	}
}

static int32
ordered_add(IdentTable *table, Ident ident)
{
	OrderedNode node;
	OrderedNode *found;
	bool		is_new;

	memset(&node, 0, sizeof(node));
	node.ident = ident;
	found = (OrderedNode *) rbt_insert(table->tree, &node.rbtnode, &is_new);
	if (is_new)
	{
		found->number = append_ident(table, ident);
		found->ident = ident_table_get(table, found->number);
	}
	return found->number;
}

static int
ordered_compare(const RBTNode *a, const RBTNode *b, void *arg)
{
	IdentTable *table = arg;

	return ident_compare(table->type, ((const OrderedNode *) a)->ident,
						 ((const OrderedNode *) b)->ident);
}

static void
ordered_combine(RBTNode *existing, const RBTNode *newdata, void *arg)
{
	/* the identifier is there: nothing to add to it */
}

static RBTNode *
ordered_alloc(void *arg)
{
	IdentTable *table = arg;

	return memory_alloc(table->memory, 1, sizeof(OrderedNode));
}
