/*-------------------------------------------------------------------------
 *
 * append.h
 *	  The trigger that appends to a chain
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_APPEND_H
#define ANSHIM_APPEND_H

#include "utils/reltrigger.h"
#include "utils/uuid.h"

/* Its name sorts after those of most users' triggers, so it comes last. */
#define APPEND_TRIGGER "zz_anshim_append"

/* Its argument, the chain that it appends to; false if there is none. */
extern bool chain_of_trigger(const Trigger *trigger, pg_uuid_t *chain);

#endif							/* ANSHIM_APPEND_H */
