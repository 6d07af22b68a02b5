/*-------------------------------------------------------------------------
 *
 * owner.h
 *	  What a function that changes a table asks first
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_DDL_OWNER_H
#define ANSHIM_DDL_OWNER_H

#include "utils/relcache.h"

/*
 * May anything be changed here and now?  25006 in a read-only transaction or
 * on a standby, 25000 in a parallel worker, naming the command.
 */
extern void require_writable(const char *command);

/* Does the current user own the table?  42501 if not. */
extern void require_owner(Relation rel);

#endif							/* ANSHIM_DDL_OWNER_H */
