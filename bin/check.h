/*-------------------------------------------------------------------------
 *
 * check.h
 *	  Checking one chain of a source
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_CHECK_H
#define ANSHIM_BIN_CHECK_H

#include "catalog.h"
#include "events.h"
#include "notes.h"
#include "strands.h"
#include "tree.h"

/* Links that are not there, of a strand */
typedef struct Gap
{
	int32		strand;
	int64		first_seq;
	int64		last_seq;
} Gap;

/* What each layout covers of a leaf's rows */
typedef struct LeafLayout
{
	int			nfields;
	int		   *fields;			/* of a tuple, in the layout's order; NULL if
								 * a column is gone */
	bool		contiguous;		/* they stand there in just this order */
} LeafLayout;

typedef struct Check
{
	Source	   *source;
	Report	   *report;
	Catalog		catalog;
	StrandTable strands;
	Events		events;
	Summary		summary;

	/* the tree */
	bool		tree_is_whole;	/* else its leaves cannot be placed */
	Tree		tree;
	int64		next_block;		/* whose root is to come */
	int64		ncheckpoints;
	KeptCheckpoint **checkpoints;	/* of this log, ascending by size */
	int64	   *covered;		/* rows below each of them that the one before
								 * does not cover */
	int64		next_checkpoint;

	/* rows.c: where it is */
	int			leaf;			/* EVENTS_LEAF, or the number of one of the
								 * catalog's */
	LeafLayout *layouts;
	int			nlayouts;
	Strand	   *strand;			/* of the row before; not kept over
								 * strands_enter() */
	CryptoSha256 *hash;
	int64		rows;			/* in all leaves, for the progress bar */
	int64		ngaps;
	Gap		   *gaps;			/* not yet reported: a strand may turn out to
								 * lie elsewhere */
} Check;

/*
 * check.c: check the chain whole.  False if that could not be done; then the
 * source's error says why.  known_events: switched-off guards up to there have
 * been looked into.
 */
extern bool check_chain(Source *source, const char *chain, Notes *notes, int64 known_events, Report *report);

/* rows.c: read the rows of all leaves, the events first; then what is not there */
extern bool check_events(Check *check);
extern bool check_rows(Check *check);
extern void check_gaps(Check *check);

#endif							/* ANSHIM_BIN_CHECK_H */
