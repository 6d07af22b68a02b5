/*-------------------------------------------------------------------------
 *
 * report.h
 *	  What anshim_verify tells: findings, a summary, how far it is
 *
 * Findings go to standard output, a line each, everything else to standard
 * error.  Names and values come from strangers: nothing of them that could
 * move a terminal's cursor, or begin another line, is printed as it is.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_REPORT_H
#define ANSHIM_BIN_REPORT_H

#include "audit/finding_kind.h"

typedef struct Report
{
	bool		json;
	bool		quiet;			/* findings alone */
	bool		show_progress;
	bool		show_source;	/* there are several */
	int64		findings;		/* in all */

	/* of the chain that is being checked */
	const char *source;
	char	   *chain;			/* id; NULL between chains */
	char	   *table;
	int64		chain_findings;

	/* report.c's own */
	int64		total;			/* rows, about */
	int64		printed_at;		/* when progress was shown last, in
								 * microseconds; 0: not yet */
} Report;

extern void report_begin_chain(Report *report, const char *source, const char *chain,
							   const char *schema, const char *table, int64 total);
extern void report_end_chain(Report *report);

extern void report_finding(Report *report, FindingKind kind, int32 strand, int64 seq,
						   const char *format,...) pg_attribute_printf(5, 6);

/* What was checked of a chain, findings aside. */
typedef struct Summary
{
	int			leaves;			/* tables or partitions */
	int64		strands;
	int64		rows;
	int64		events;
	int64		blocks;
	int64		unsealed;		/* rows */
	int64		expired;		/* rows that are gone lawfully */
	int64		expired_at;		/* when the last of them went */

	/* of the checkpoints that agree, the newest */
	bool		has_checkpoint;
	int64		size;
	int64		checkpoint_at;	/* cosigned, or else sealed */
	bool		witnessed;		/* the former */
	int64		unprotected;	/* rows after it; all, if there is none */
	int64		now;			/* by the source's clock */
} Summary;

extern void report_summary(Report *report, const Summary *summary);

/*
 * A checkpoint that agrees.  `unproven` leaves, some of which are missing, were
 * not computed of rows, but taken from a stored node.
 */
extern void report_checkpoint(Report *report, const char *file, int64 size, int cosignatures, int64 unproven);

/* Rows done so far; cheap enough for every thousandth row. */
extern void report_progress(Report *report, int64 rows);

/* Take the progress bar away before something else is printed. */
extern void report_clear_progress(Report *report);

/* The name as SQL has it: quoted where needed. */
extern char *quoted_name(const char *schema, const char *table);

/* A moment in microseconds since 2000, as "2021-01-31 12:00:00+00" */
extern char *time_text(int64 time);

/* A length of time in words: "3 hours 20 minutes" */
extern char *span_text(int64 microseconds);

#endif							/* ANSHIM_BIN_REPORT_H */
