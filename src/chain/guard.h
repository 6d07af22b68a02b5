/*-------------------------------------------------------------------------
 *
 * guard.h
 *	  The triggers that keep a chained table append-only
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_GUARD_H
#define ANSHIM_GUARD_H

#define GUARD_TRIGGER "anshim_guard"	/* UPDATE and DELETE, for each row */
#define GUARD_TRUNCATE_TRIGGER "anshim_guard_truncate"

#endif							/* ANSHIM_GUARD_H */
