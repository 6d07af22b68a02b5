/*-------------------------------------------------------------------------
 *
 * directory.c
 *	  Directories of the server's own, outside of the data directory
 *
 * They hold what must be in no base backup: secret keys, which would go away
 * with it, and the heads of logs, which it would bring back.  They are looked
 * at anew at each use.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "key/directory.h"

bool
private_directory_setting(char **newval, void **extra, GucSource source)
{
	if ((*newval)[0] != '\0' && !is_absolute_path(*newval))
	{
		GUC_check_errdetail("It must be an absolute path.");
		return false;
	}
	return true;
}

/*
 * Does the data directory contain this one?
 */
static bool
is_in_data_directory(const char *directory)
{
	char	   *real = realpath(directory, NULL);
	char	   *data = realpath(DataDir, NULL);
	bool		inside;

	inside = real != NULL && data != NULL && path_is_prefix_of_path(data, real);
	free(real);
	free(data);
	return inside;
}

bool
private_directory_check(const char *path, const PrivateDirectory *kind, int elevel)
{
	struct stat st;

	if (path == NULL || path[0] == '\0')
	{
		ereport(elevel,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no directory is set for %s", kind->purpose),
				 errhint("Set %s to a directory outside of the data directory, "
						 "with mode 0700, that belongs to the server's owner.", kind->setting)));
		return false;
	}
	if (stat(path, &st) != 0)
	{
		ereport(elevel,
				(errcode_for_file_access(),
				 errmsg("could not look at %s directory \"%s\": %m", kind->name, path)));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s directory \"%s\" is not a directory", kind->name, path)));
		return false;
	}

#if !defined(WIN32) && !defined(__CYGWIN__)
	if (st.st_uid != geteuid() && st.st_uid != 0)
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s directory \"%s\" must be owned by the database user or root",
						kind->name, path)));
		return false;
	}
	if ((st.st_uid == geteuid() && st.st_mode & (S_IRWXG | S_IRWXO)) ||
		(st.st_uid == 0 && st.st_mode & (S_IWGRP | S_IRWXO)))
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s directory \"%s\" has group or world access", kind->name, path),
				 errdetail("It must have permissions u=rwx (0700) if it is owned by the database "
						   "user, or u=rwx,g=rx (0750) or less if it is owned by root.")));
		return false;
	}
#endif

	if (is_in_data_directory(path))
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s directory \"%s\" lies in the data directory", kind->name, path),
				 errdetail("%s", kind->inside),
				 errhint("Set %s to a directory outside of it.", kind->setting)));
		return false;
	}
	return true;
}

void
private_file_write(int fd, const char *path, const void *content, Size len)
{
	Size		done = 0;

	while (done < len)
	{
		ssize_t		n = write(fd, (const char *) content + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
		{
			/* if write didn't set errno, assume the disk is full */
			if (n == 0)
				errno = ENOSPC;
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write file \"%s\": %m", path)));
		}
		done += n;
	}
	if (pg_fsync(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not fsync file \"%s\": %m", path)));
	if (CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not close file \"%s\": %m", path)));
}
