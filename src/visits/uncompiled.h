/*-------------------------------------------------------------------------
 *
 * uncompiled.h
 *	  Have our own statements planned without being compiled
 *
 * The planner takes long lists for dear, and LLVM needs longer to compile what
 * it makes of them than they take, again for each one, and without a look for
 * interrupts.  What counts is the setting when a statement is planned.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_UNCOMPILED_H
#define ANSHIM_UNCOMPILED_H

#include "utils/guc.h"

/*
 * From here on nothing is compiled, up to uncompiled_end() with what this
 * returns, or the end of the (sub)transaction, which an error brings.
 */
static inline int
uncompiled_begin(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* Settings are again what they were before uncompiled_begin(). */
static inline void
uncompiled_end(int level)
{
	AtEOXact_GUC(false, level);
}

#endif							/* ANSHIM_UNCOMPILED_H */
