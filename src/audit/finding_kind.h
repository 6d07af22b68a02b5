/*-------------------------------------------------------------------------
 *
 * finding_kind.h
 *	  What a finding can be, of verify_chain() as of anshim_verify
 *
 * FRONTEND too.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_AUDIT_FINDING_KIND_H
#define ANSHIM_AUDIT_FINDING_KIND_H

typedef enum FindingKind
{
	FOUND_CHANGED,				/* a row is not the one that was linked */
	FOUND_MISSING,				/* links without their rows */
	FOUND_INSERTED,				/* rows that were never appended */
	FOUND_MOVED,				/* rows in another table or partition than
								 * theirs */
	FOUND_OUT_OF_ORDER,			/* rows come in another order than asked for */
	FOUND_SEGMENT,				/* the rows are not those that were sealed */
	FOUND_BLOCK,				/* a block is not what was sealed */
	FOUND_NODE,					/* nor is a node of the tree */
	FOUND_EXPIRY,				/* nor what is recorded of an expiry */
	FOUND_LAYOUT,				/* nor of columns */
	FOUND_TABLE,				/* nor of the table and its partitions */
	FOUND_LOG,					/* the log is not the one of a checkpoint */
	FOUND_ROLLED_BACK,			/* it was longer once */
	FOUND_SIGNATURE,			/* a checkpoint cannot be believed */
	FOUND_COSIGNATURES,			/* too few witnesses have seen it */
	FOUND_TRIGGER,				/* a guard is not in its place, or was not */
	FOUND_INDEX					/* nor is a position index: the server's own
								 * finding alone */
} FindingKind;

/* For findings that are of no strand, or of no row. */
#define NO_STRAND (-1)
#define NO_SEQ INT64CONST(0)

/* What auditors know it as */
extern const char *finding_kind_name(FindingKind kind);

#endif							/* ANSHIM_AUDIT_FINDING_KIND_H */
