/*-------------------------------------------------------------------------
 *
 * part_keys.h
 *	  Which keys a partition can hold (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_PART_KEYS_H
#define ANSHIM_PART_KEYS_H

#include "utils/relcache.h"

typedef struct PartKeys PartKeys;

/*
 * What the partition's bounds say of one column alone; NULL if they say
 * nothing.  Allocated in the current memory context, for as long as the
 * relation is open.
 */
extern PartKeys *part_keys_create(Relation part, const char *column);

/* May the partition hold this value in that column? */
extern bool part_keys_allow(PartKeys *keys, Datum value);

#endif							/* ANSHIM_PART_KEYS_H */
