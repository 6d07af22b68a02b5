/*-------------------------------------------------------------------------
 *
 * server.h
 *	  The few services of a server that code without data needs
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_FUZZ_SERVER_H
#define ANSHIM_FUZZ_SERVER_H

/* Have a memory context to work in, made anew for each input. */
extern void server_begin(void);

/* Free all contexts but TopMemoryContext, as the end of a transaction does. */
extern void server_end(void);

/* How many pieces of memory the current context has given out. */
extern int	server_blocks(void);

/*
 * Run this; true if it raised no error.  The error's code is server_errcode
 * then, and what the code holds is left to server_end(); the current context is again what it was.
 */
extern bool server_try(void (*function) (void *arg), void *arg);

extern int	server_errcode;

#endif							/* ANSHIM_FUZZ_SERVER_H */
