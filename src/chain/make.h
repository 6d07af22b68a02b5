/*-------------------------------------------------------------------------
 *
 * make.h
 *	  Making chained tables
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_MAKE_H
#define ANSHIM_MAKE_H

/*
 * What anshim.chain() does, for `command`, of which errors speak.  `origin`
 * may be NULL.
 */
extern void chain_table(Oid relid, const char *origin, const char *command);

#endif							/* ANSHIM_MAKE_H */
