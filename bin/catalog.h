/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  What a source says of a chain besides its rows
 *
 * Read whole, before the rows.  It needs 72 bytes a segment, 56 a block, and
 * an eighth of a byte a row for the nodes of the tree.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_CATALOG_H
#define ANSHIM_BIN_CATALOG_H

#include "chain/link.h"
#include "log/merkle.h"
#include "report.h"
#include "source.h"

/* anshim.layout, a row a column */
typedef struct CatalogColumn
{
	int32		layout;
	int32		position;
	char	   *name;
	char	   *type;
} CatalogColumn;

/* anshim.block */
typedef struct CatalogBlock
{
	int64		number;
	int64		size;
	MerkleHash	root;
	int64		sealed_at;		/* microseconds since 2000 */
} CatalogBlock;

/* anshim.segment */
typedef struct CatalogSegment
{
	int64		block;
	int32		strand;
	int64		first_seq;
	int64		last_seq;
	int64		first_index;
	uint8		last_hash[LINK_HASH_LEN];
} CatalogSegment;

/* anshim.tile: the hashes of up to 256 nodes that stand beside each other */
#define TILE_HEIGHT 8
#define TILE_WIDTH 256

typedef struct CatalogTile
{
	int16		level;			/* from 1: of nodes at TILE_HEIGHT times that */
	int64		tile;
	int			n;
	MerkleHash *hashes;
} CatalogTile;

/* anshim.kept */
typedef struct CatalogKept
{
	int16		level;
	int64		index;
	MerkleHash	hash;
} CatalogKept;

/* anshim.expired */
typedef struct CatalogExpired
{
	int32		strand;
	int64		last_seq;
	uint8		last_hash[LINK_HASH_LEN];
} CatalogExpired;

/* A trigger of anshim's on a leaf, and its pg_trigger.tgenabled */
typedef struct CatalogGuard
{
	int32		leaf;
	char	   *trigger;
	char	   *enabled;
} CatalogGuard;

/* A row that cannot be one of its table: it is a finding, and left out. */
typedef struct CatalogProblem
{
	FindingKind kind;
	char	   *text;
} CatalogProblem;

typedef struct Catalog
{
	const char *chain_text;
	uint8		chain[CHAIN_ID_LEN];
	char	   *schema;
	char	   *table;
	char	   *origin;
	bool		ended;
	int64		now;			/* the source's time */
	int			ncolumns;
	CatalogColumn *columns;
	int64		nblocks;
	CatalogBlock *blocks;
	int64		nsegments;
	CatalogSegment *segments;	/* as they came, by block and strand */
	int64		ntiles;
	CatalogTile *tiles;			/* ascending by level and tile */
	int64		nkept;
	CatalogKept *kept;			/* ascending by level and index */
	int64		nexpired;
	CatalogExpired *expired;	/* ascending by strand */
	int			nleaves;
	Leaf	   *leaves;
	int			nguards;
	CatalogGuard *guards;
	int64		nproblems;
	CatalogProblem *problems;
} Catalog;

/*
 * All of it, or false: then the source's error is set.  What is returned is
 * only well-formed: it has no NULLs, and each table ascends by its key.
 */
extern bool catalog_read(Source *source, const char *chain, Catalog *catalog);
extern void catalog_free(Catalog *catalog);

/* Its names and its id alone; the rest is empty. */
extern bool catalog_read_chain(Source *source, const char *chain, Catalog *catalog);

extern bool catalog_read_leaves(Source *source, const char *chain, Leaf **leaves, int *nleaves);
extern void catalog_free_leaves(Leaf *leaves, int nleaves);

/* The node that is stored for this place in the tree, or NULL */
extern const uint8 *catalog_node(const Catalog *catalog, int level, int64 index);

#endif							/* ANSHIM_BIN_CATALOG_H */
