/*-------------------------------------------------------------------------
 *
 * link_hash.c
 *	  What a link's hash covers besides the row, and its leaf in the tree
 *
 * Shared with bin/: it allocates nothing, and raises nothing of its own.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "port/pg_bswap.h"

#include "chain/link.h"

#define LINK_PREFIX_TAG 0x02	/* apart from 0x00 and 0x01, the tree's */
#define LEAF_TAG 0x00

const uint8 link_no_hash[LINK_HASH_LEN] = {0};

static uint8 *
put_bytes(uint8 *to, const void *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static uint8 *
put_int32(uint8 *to, int32 value)
{
	uint32		bytes = pg_hton32((uint32) value);

	return put_bytes(to, &bytes, sizeof(bytes));
}

static uint8 *
put_int64(uint8 *to, int64 value)
{
	uint64		bytes = pg_hton64((uint64) value);

	return put_bytes(to, &bytes, sizeof(bytes));
}

void
link_prefix(uint8 prefix[LINK_PREFIX_LEN], const uint8 chain[CHAIN_ID_LEN],
			int32 strand, int32 layout, int64 seq, const uint8 previous[LINK_HASH_LEN])
{
	uint8	   *to = prefix;

	*to++ = LINK_PREFIX_TAG;
	to = put_bytes(to, chain, CHAIN_ID_LEN);
	to = put_int32(to, strand);
	to = put_int32(to, layout);
	to = put_int64(to, seq);
	(void) put_bytes(to, previous, LINK_HASH_LEN);
}

void
link_leaf_hash(const uint8 hash[LINK_HASH_LEN], uint8 leaf[LINK_HASH_LEN])
{
	uint8		data[1 + LINK_HASH_LEN];

	data[0] = LEAF_TAG;
	memcpy(data + 1, hash, LINK_HASH_LEN);
	crypto_sha256(data, sizeof(data), leaf);
}
