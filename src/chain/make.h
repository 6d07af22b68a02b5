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

#endif							/* ANSHIM_MAKE_H */
