/*-------------------------------------------------------------------------
 *
 * image.h
 *	  Row images, and the hashes over them
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_IMAGE_H
#define ANSHIM_IMAGE_H

#include "access/tupdesc.h"
#include "fmgr.h"

#include "chain/chain.h"

typedef struct ImageColumn ImageColumn;

/* A layout as it lies in the rows of one table. */
typedef struct RowShape
{
	int32		layout;
	int			ncolumns;
	ImageColumn *columns;
} RowShape;

/*
 * Fit the layout to a table's rows, in the current memory context.  NULL if a
 * column of it is not there, or is of a type whose values the layout does not
 * describe.
 */
extern RowShape *row_shape(TupleDesc tupdesc, const Layout *layout);

/*
 * Is an image of this type's values the same on every server?  If not, why
 * goes to *reason: the end of a sentence that begins with "Type X".
 */
extern bool image_type_stable(Oid type, const char **reason);

/* Layouts that no row has may name types that are gone. */
extern bool type_exists(Oid type);

/* Do values of the one type, as they are stored, mean the same as the other's? */
extern bool image_types_agree(Oid a, Oid b);

/*
 * Put one value for all those that are the same to everybody but a send
 * function: a NaN has many bit patterns, of which a dump restores one.
 */
extern void row_settle(const RowShape *shape, Datum *values, const bool *nulls);

/*
 * What hashes rows.  It lives in the memory context in which it is made, and
 * may be used for rows of any shape, and of one chain after the other.
 */
typedef struct RowHasher RowHasher;

extern RowHasher *row_hasher_create(const pg_uuid_t *chain);
extern void row_hasher_set_chain(RowHasher *hasher, const pg_uuid_t *chain);
extern void row_hasher_free(RowHasher *hasher);

/*
 * The hash that belongs into a link with this strand, layout and seq: `values`
 * and `nulls` are all of the row's, as the shape's table has them.  Leaves no
 * memory behind in the current context.
 */
extern void row_hash(RowHasher *hasher, const RowShape *shape, const Link *link,
					 const uint8 previous[LINK_HASH_LEN], const Datum *values,
					 const bool *nulls, uint8 hash[LINK_HASH_LEN]);

#endif							/* ANSHIM_IMAGE_H */
