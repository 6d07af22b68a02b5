/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between PostgreSQL's major versions
 *
 * The only file that asks for PG_VERSION_NUM.  It gives older servers the
 * newest one's names, so that everything else reads as PostgreSQL 18.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_COMPAT_H
#define ANSHIM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "anshim needs PostgreSQL 15 or newer"
#endif

#endif							/* ANSHIM_COMPAT_H */
