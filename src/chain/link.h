/*-------------------------------------------------------------------------
 *
 * link.h
 *	  A row's place in a chain, and the hash that ties it to the one before
 *
 * Shared with bin/: compiles with PostgreSQL's frontend headers as well.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LINK_H
#define ANSHIM_LINK_H

#include "crypto/crypto.h"

#define LINK_HASH_LEN CRYPTO_SHA256_LEN
#define CHAIN_ID_LEN 16			/* a uuid's bytes */
#define EVENT_STRAND 0			/* the chain's own events */
#define EVENT_LAYOUT 0
#define LINK_COLUMN "link"		/* of every chained table */

/* A value of type anshim.link: 48 bytes, in the server's byte order. */
typedef struct Link
{
	int32		strand;
	int32		layout;
	int64		seq;			/* from 1 */
	uint8		hash[LINK_HASH_LEN];
} Link;

/* The bytes that stand before the row image in what is hashed. */
#define LINK_PREFIX_LEN (1 + CHAIN_ID_LEN + 4 + 4 + 8 + LINK_HASH_LEN)

/* The hash before the first link of a strand. */
extern const uint8 link_no_hash[LINK_HASH_LEN];

/*
 * Write the prefix: 0x02, chain, strand, layout and seq of the link, hash of
 * the link before.  A caller that builds its row images behind a prefix in one
 * buffer hashes both at once.
 */
extern void link_prefix(uint8 prefix[LINK_PREFIX_LEN], const uint8 chain[CHAIN_ID_LEN],
						int32 strand, int32 layout, int64 seq,
						const uint8 previous[LINK_HASH_LEN]);

/* The leaf's hash in the tree: SHA-256(0x00 || hash), RFC 6962, section 2.1. */
extern void link_leaf_hash(const uint8 hash[LINK_HASH_LEN], uint8 leaf[LINK_HASH_LEN]);

#endif							/* ANSHIM_LINK_H */
