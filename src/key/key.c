/*-------------------------------------------------------------------------
 *
 * key.c
 *	  The rows of anshim.key, as this backend knows them
 *
 * A revocation must hold in every session as soon as it is committed, under
 * whatever isolation level that session's transaction runs.  So rows are read
 * with a snapshot of their own, the catalogs' kind, which parallel workers
 * may take as well, and kept in a cache that is dropped whole on any change:
 * a trigger on anshim.key registers a relcache invalidation with the changing
 * transaction, which its commit hands to every backend before it is confirmed
 * to the client, and key_lookup() accepts those that have come in before it
 * believes the cache.  On a standby they arrive with the commit record.
 *
 * A message that comes in while a row is being read, after the snapshot was
 * taken, marks the cache as stale like any other: the row is used this once.
 *
 * Locking: AccessShareLock on anshim.key while a row is read.
 *
 * Memory: the cache lies in a context of its own below TopMemoryContext and
 * is bounded by KEYS_CACHED.  It is only dropped in key_lookup(), so a Key
 * can be used until then, whatever messages come in.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "key/directory.h"
#include "key/key.h"
#include "own/own.h"
#include "token/cwt.h"

#define KEYS_CACHED 1024

StaticAssertDecl(KEY_KID_MAX_LEN == CWT_KID_MAX_LEN, "length of a kid");

/* The columns of anshim.key, in sql/10-key.sql's order */
enum
{
	COLUMN_KID = 1,
	COLUMN_ISSUER,
	COLUMN_ALGORITHM,
	COLUMN_PUBLIC_KEY,
	COLUMN_VALID,
	COLUMN_REVOKED_AT,
	COLUMN_ADDED_AT,
	COLUMNS = COLUMN_ADDED_AT
};

char	   *anshim_key_directory;

static MemoryContext cache_context;
static HTAB *cache;
static bool cache_is_stale;
static uint64 generation;
static Oid	key_relid;			/* InvalidOid: to be looked up */

static const char *const algorithm_names[] = {
	[CRYPTO_ED25519] = "Ed25519",
	[CRYPTO_HMAC_SHA256] = "HMAC 256/256",
	[CRYPTO_X25519] = "X25519"
};

PG_FUNCTION_INFO_V1(anshim_key_changed);

static void
assign_key_directory(const char *newval, void *extra)
{
	key_directory_changed();
}

/*
 * Superusers set the directory, and nobody else: who may choose where the
 * server looks for secrets may choose whose secrets it signs with.  Not only
 * in the configuration file, though, as databases of one cluster may belong
 * to different issuers: ALTER DATABASE ... SET.
 */
void
key_define_settings(void)
{
	DefineCustomStringVariable("anshim.key_directory",
							   "Sets the directory of secret keys",
							   "It must lie outside of the data directory and be closed to "
							   "everybody but the server.  Without it nothing can be signed, nor "
							   "HMACs verified.",
							   &anshim_key_directory,
							   "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY,
							   private_directory_setting, assign_key_directory, NULL);
}

bool
key_name_is_valid(const char *kid, Size len)
{
	ByteSpan	span = {(const uint8 *) kid, len};

	return cwt_kid_is_valid(span);
}

const char *
key_algorithm_name(CryptoAlgorithm algorithm)
{
	return algorithm_names[algorithm];
}

static void
relation_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == key_relid || key_relid == InvalidOid)
		cache_is_stale = true;
}

/*
 * Trigger on anshim.key: every backend shall forget what it knows of keys
 * when this transaction commits, and this one at the end of the command.
 */
Datum
anshim_key_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("not called by trigger manager")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}

static void
drop_cache(void)
{
	if (cache != NULL)
	{
		HASH_SEQ_STATUS status;
		Key		   *key;

		hash_seq_init(&status, cache);
		while ((key = hash_seq_search(&status)) != NULL)
		{
			CryptoKey  *public_half = key->public_half;

			key->public_half = NULL;
			if (public_half != NULL)
				crypto_key_free(public_half);
		}
		cache = NULL;
		MemoryContextReset(cache_context);
	}
	key_secrets_forget();
	key_relid = InvalidOid;
	generation++;
}

static void
create_cache(void)
{
	HASHCTL		ctl = {0};

	if (cache_context == NULL)
	{
		cache_context = AllocSetContextCreate(TopMemoryContext, "anshim keys",
											  ALLOCSET_SMALL_SIZES);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	}
	ctl.keysize = KEY_KID_MAX_LEN + 1;
	ctl.entrysize = sizeof(Key);
	ctl.hcxt = cache_context;
	cache = hash_create("anshim keys", 32, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/*
 * A range's bounds as a half-open interval of microseconds.
 */
static void
read_valid(Datum value, TimestampTz *from, TimestampTz *until)
{
	RangeType  *range = DatumGetRangeTypeP(value);
	TypeCacheEntry *typcache = lookup_type_cache(RangeTypeGetOid(range), TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(typcache, range, &lower, &upper, &empty);
	if (empty)
	{
		*from = *until = 0;
		return;
	}
	*from = lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	*until = upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);
	if (!lower.inclusive && !TIMESTAMP_NOT_FINITE(*from))
		(*from)++;
	if (upper.inclusive && !TIMESTAMP_NOT_FINITE(*until))
		(*until)++;
}

/*
 * Fills in a key from its row.  Issuers are compared with those in tokens,
 * which are in UTF-8.
 */
static void
read_row(Relation rel, HeapTuple tuple, Key *key, MemoryContext context)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	char	   *issuer;
	char	   *algorithm;

	heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);

	issuer = TextDatumGetCString(values[COLUMN_ISSUER - 1]);
	issuer = pg_server_to_any(issuer, strlen(issuer), PG_UTF8);
	key->issuer = MemoryContextStrdup(context, issuer);
	key->issuer_len = strlen(issuer);

	/* the table's CHECK lets no other in */
	algorithm = TextDatumGetCString(values[COLUMN_ALGORITHM - 1]);
	key->algorithm = CRYPTO_ED25519;
	for (int i = 0; i < lengthof(algorithm_names); i++)
	{
		if (strcmp(algorithm, algorithm_names[i]) == 0)
			key->algorithm = i;
	}

	memset(key->public_key, 0, sizeof(key->public_key));
	if (!nulls[COLUMN_PUBLIC_KEY - 1])
	{
		bytea	   *bytes = DatumGetByteaPP(values[COLUMN_PUBLIC_KEY - 1]);

		memcpy(key->public_key, VARDATA_ANY(bytes),
			   Min(VARSIZE_ANY_EXHDR(bytes), sizeof(key->public_key)));
	}

	read_valid(values[COLUMN_VALID - 1], &key->valid_from, &key->valid_until);
	key->revoked_at = nulls[COLUMN_REVOKED_AT - 1] ? DT_NOEND :
		DatumGetTimestampTz(values[COLUMN_REVOKED_AT - 1]);
	key->public_half = NULL;
	key->complained = false;
}

/*
 * Reads a row; false if there is none of this name.
 */
static bool
load_key(const char *kid, Key *key)
{
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData scankey;
	HeapTuple	tuple;
	bool		found;

	key_relid = own_relation("key");
	rel = table_open(key_relid, AccessShareLock);
	ScanKeyInit(&scankey, COLUMN_KID, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(kid));
	scan = systable_beginscan(rel, own_relation("key_pkey"), true, NULL, 1, &scankey);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		read_row(rel, tuple, key, cache_context);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

Key *
key_lookup(const char *kid, Size len)
{
	char		name[KEY_KID_MAX_LEN + 1];
	Key		   *key;
	Key			row;
	bool		found;

	if (!key_name_is_valid(kid, len))
		return NULL;
	memcpy(name, kid, len);
	name[len] = '\0';

	AcceptInvalidationMessages();
	if (cache_is_stale)
	{
		drop_cache();
		cache_is_stale = false;
	}
	if (cache == NULL)
		create_cache();

	key = hash_search(cache, name, HASH_FIND, NULL);
	if (key != NULL)
		return key;

	/* names of no key are not remembered: strangers could fill the cache */
	if (hash_get_num_entries(cache) >= KEYS_CACHED)
	{
		drop_cache();
		create_cache();
	}
	if (!load_key(name, &row))
		return NULL;
	key = hash_search(cache, name, HASH_ENTER, &found);
	strlcpy(row.kid, name, sizeof(row.kid));
	*key = row;
	return key;
}

uint64
key_generation(void)
{
	return generation;
}

/*
 * A revocation says from when on a key is not to be believed; before that
 * moment it is, so a past visit keeps its verdict.  Whoever asks about the
 * present is told by the clock, though: the moments "now" of a transaction
 * that began before the revocation would otherwise not know of it.
 */
bool
key_is_revoked(const Key *key, TimestampTz at)
{
	if (key->revoked_at == DT_NOEND)
		return false;
	if (at >= GetCurrentTransactionStartTimestamp())
		at = Max(at, GetCurrentTimestamp());
	return key->revoked_at <= at;
}

bool
key_is_valid(const Key *key, TimestampTz at)
{
	return at >= key->valid_from && (at < key->valid_until || key->valid_until == DT_NOEND);
}

/*
 * The public half, ready for use, or NULL if the row's public key is none.
 */
static CryptoKey *
get_public_half(Key *key)
{
	const char *reason;

	if (key->public_half == NULL)
	{
		CryptoKey  *public_half = key->algorithm == CRYPTO_X25519 ?
			crypto_key_to_seal_to(key->public_key, sizeof(key->public_key), &reason) :
			crypto_key_from_public(key->public_key, sizeof(key->public_key), &reason);

		if (public_half == NULL)
			return NULL;
		crypto_key_keep(public_half);
		key->public_half = public_half;
	}
	return key->public_half;
}

KeyVerdict
key_verify(Key *key, const uint8 *message, Size len,
		   const uint8 *signature, Size signature_len)
{
	CryptoKey  *verifier;

	if (key->algorithm == CRYPTO_HMAC_SHA256)
	{
		verifier = key_secret(key->kid, key->algorithm, key->complained ? KEY_SILENT : LOG_SERVER_ONLY);
		if (verifier == NULL)
		{
			/* anybody may verify: paths are for the log alone, and once */
			if (!key->complained)
				ereport(WARNING,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("tokens of key \"%s\" cannot be verified on this server", key->kid),
						 errdetail("The secret of an HMAC key is needed for that."),
						 errhint("The server's log says what is wrong with its file.")));
			key->complained = true;
			return KEY_SECRET_MISSING;
		}
	}
	else
	{
		verifier = get_public_half(key);
		if (verifier == NULL)
			return KEY_SIGNATURE_BAD;
	}
	return crypto_verify(verifier, message, len, signature, signature_len) ?
		KEY_SIGNATURE_GOOD : KEY_SIGNATURE_BAD;
}

/*
 * The key of this name, or an error.
 */
static Key *
key_find(const char *kid, Size len)
{
	Key		   *key = key_lookup(kid, len);

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", pnstrdup(kid, len)),
				 errhint("Make it with anshim.generate_key(), or register it with anshim.trust_key().")));
	return key;
}

/*
 * What a key has to be for anything new to be made with it.
 */
static void
require_valid(const Key *key)
{
	TimestampTz now = GetCurrentTimestamp();

	if (key_is_revoked(key, now))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key \"%s\" is revoked", key->kid),
				 errdetail("It is revoked since %s.", timestamptz_to_str(key->revoked_at)),
				 errhint("Take another key.")));
	if (!key_is_valid(key, now))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key \"%s\" is not valid now", key->kid),
				 errhint("Column \"valid\" of anshim.key says when it is. Take another key.")));
}

static void
require_sealing(const Key *key)
{
	if (key->algorithm != CRYPTO_X25519)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing can be sealed to key \"%s\"", key->kid),
				 errdetail("It is of algorithm %s.", key_algorithm_name(key->algorithm)),
				 errhint("Take a key of algorithm X25519.")));
}

Key *
key_for_signing(const char *kid, Size len)
{
	Key		   *key = key_find(kid, len);

	if (key->algorithm == CRYPTO_X25519)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key \"%s\" cannot sign", key->kid),
				 errdetail("It is of algorithm X25519, to which identities are sealed."),
				 errhint("Take a key of algorithm Ed25519 or HMAC 256/256.")));
	require_valid(key);
	(void) key_secret(key->kid, key->algorithm, ERROR);
	return key;
}

CryptoKey *
key_for_sealing(const char *kid, Size len)
{
	Key		   *key = key_find(kid, len);
	CryptoKey  *public_half;

	require_sealing(key);
	require_valid(key);
	public_half = get_public_half(key);
	if (public_half == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the public key of key \"%s\" is none", key->kid),
				 errhint("Register the right one under another name with anshim.trust_key().")));
	return public_half;
}

CryptoKey *
key_for_opening(const char *kid, Size len)
{
	Key		   *key = key_find(kid, len);

	require_sealing(key);
	return key_secret(key->kid, key->algorithm, ERROR);
}

/*
 * A signature is verified before it is given out, for two reasons.  The
 * secret may not be the one that belongs to the row.  And an Ed25519
 * signature in which one bit went wrong while it was computed gives the
 * secret away.
 */
Size
key_sign(Key *key, const uint8 *message, Size len,
		 uint8 signature[CRYPTO_SIGNATURE_MAX_LEN])
{
	CryptoKey  *secret = key_secret(key->kid, key->algorithm, ERROR);
	Size		signature_len = crypto_sign(secret, message, len, signature);

	if (key_verify(key, message, len, signature, signature_len) != KEY_SIGNATURE_GOOD)
	{
		crypto_forget(signature, signature_len);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the secret of key \"%s\" does not belong to its public key", key->kid),
				 errdetail("What it signed does not verify under the public key in anshim.key."),
				 errhint("Bring the file of the key that was registered, or generate a new key.")));
	}
	return signature_len;
}
