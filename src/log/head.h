/*-------------------------------------------------------------------------
 *
 * head.h
 *	  The heads that were signed last, in files below anshim.head_directory
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_HEAD_H
#define ANSHIM_LOG_HEAD_H

#include "log/note.h"

/* A checkpoint that was signed, or cosigned. */
typedef struct Head
{
	char	   *note;			/* all of it, in UTF-8; NULL: there is none
								 * yet */
	Size		len;
	char	   *origin;			/* in UTF-8 */
	int64		size;
	MerkleHash	root;
} Head;

/* The files' names: of a log of our own, of one that we witness (origin in UTF-8). */
extern char *head_name_of_chain(const pg_uuid_t *chain);
extern char *head_name_of_origin(const char *origin);

/* The head in the file of this name.  It is an error if that is of another origin. */
extern void head_read(const char *name, const char *origin, Head *head);

/*
 * The head of a chain of our own, of whatever origin it is; false if there is
 * none, or no anshim.head_directory.
 */
extern bool head_of_chain(const pg_uuid_t *chain, Head *head);

/*
 * Put a note in the place of the head that was read, on disk before it
 * returns; an error if somebody else has been quicker.
 */
extern void head_replace(const char *name, const Head *head, const char *note, Size len);

/* Text between the server's encoding and UTF-8, in new memory. */
extern char *utf8_from_server(const char *string, Size len);
extern char *server_from_utf8(const char *string, Size len);

#endif							/* ANSHIM_LOG_HEAD_H */
