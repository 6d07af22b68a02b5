/*-------------------------------------------------------------------------
 *
 * directory.h
 *	  Directories of the server's own, outside of the data directory
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_DIRECTORY_H
#define ANSHIM_DIRECTORY_H

#include "utils/guc.h"

/* What a directory is for, in messages. */
typedef struct PrivateDirectory
{
	const char *name;			/* "key": it is called a key directory */
	const char *purpose;		/* of what it holds */
	const char *setting;		/* which names it */
	const char *inside;			/* why it must not lie in the data directory:
								 * a sentence */
} PrivateDirectory;

/* The check hook of such a setting: an absolute path, or nothing. */
extern bool private_directory_setting(char **newval, void **extra, GucSource source);

/*
 * May files be put there that nobody else can change, and no base backup
 * copies?  False after a report at this level.
 */
extern bool private_directory_check(const char *path, const PrivateDirectory *kind, int elevel);

/* Writes all of that into an open transient file, and to disk, and closes it. */
extern void private_file_write(int fd, const char *path, const void *content, Size len);

#endif							/* ANSHIM_DIRECTORY_H */
