/*-------------------------------------------------------------------------
 *
 * event.h
 *	  Who changes what is recorded of a chain
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_EVENT_H
#define ANSHIM_EVENT_H

#include "utils/uuid.h"

/*
 * Keep others from appending events to the chain, and from changing what is
 * recorded of it, to the end of the transaction.
 */
extern void chain_lock(const pg_uuid_t *chain);

#endif							/* ANSHIM_EVENT_H */
