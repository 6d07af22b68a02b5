/*-------------------------------------------------------------------------
 *
 * secret_file.c
 *	  Secrets in files below anshim.key_directory
 *
 * A key's secret lies in no table, so that no dump, no replica and no query
 * can bring it out.  Its file is looked at as PostgreSQL looks at server.key:
 * it must belong to the server's owner and be closed to everybody else, or
 * belong to root, who may let the server's group read it.  The directory must
 * be one in which nobody else can put files, and lie outside of the data
 * directory, which base backups copy whole.
 *
 * A file that the current transaction made goes away if that aborts.  After a
 * crash in between it stays, a secret without a row; a new key of that name
 * is then refused until somebody removes it.
 *
 * Memory: contents are CryptoSecrets.  The list of the files made by the
 * transaction lies in TopMemoryContext and is emptied at its end.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "key/directory.h"
#include "key/key.h"
#include "key/secret_file.h"

/* No key, and no URI, comes near to that. */
#define SECRET_FILE_MAX_LEN 16384

/* A file that this transaction has made. */
typedef struct NewFile
{
	dlist_node	node;
	SubTransactionId subid;
	bool		created;
	char		path[FLEXIBLE_ARRAY_MEMBER];
} NewFile;

static dlist_head new_files = DLIST_STATIC_INIT(new_files);

static const char *const file_ends[] = {
	[SECRET_PEM] = "pem",
	[SECRET_URI] = "uri",
	[SECRET_HMAC] = "hmac"
};

bool
secret_directory_check(int elevel)
{
	static const PrivateDirectory kind = {
		.name = "key",
		.purpose = "secret keys",
		.setting = "anshim.key_directory",
		.inside = "Base backups would carry the secret keys away."
	};

	return private_directory_check(anshim_key_directory, &kind, elevel);
}

char *
secret_file_path(const char *kid, SecretFileKind kind)
{
	return psprintf("%s/%s.%s", anshim_key_directory, kid, file_ends[kind]);
}

/*
 * The rules of server.key (be-secure-common.c), asked of the open file, so
 * that it cannot be another one when it is read.
 */
static bool
check_file_mode(const char *path, const struct stat *st, int elevel)
{
	if (!S_ISREG(st->st_mode))
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("secret key file \"%s\" is not a regular file", path)));
		return false;
	}

#if !defined(WIN32) && !defined(__CYGWIN__)
	if (st->st_uid != geteuid() && st->st_uid != 0)
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("secret key file \"%s\" must be owned by the database user or root",
						path)));
		return false;
	}
	if ((st->st_uid == geteuid() && st->st_mode & (S_IRWXG | S_IRWXO)) ||
		(st->st_uid == 0 && st->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)))
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("secret key file \"%s\" has group or world access", path),
				 errdetail("File must have permissions u=rw (0600) or less if owned by the "
						   "database user, or permissions u=rw,g=r (0640) or less if owned by "
						   "root.")));
		return false;
	}
#endif

	if (st->st_size > SECRET_FILE_MAX_LEN)
	{
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("secret key file \"%s\" is too long", path),
				 errdetail("It has %lld bytes, and no secret needs more than %d.",
						   (long long) st->st_size, SECRET_FILE_MAX_LEN)));
		return false;
	}
	return true;
}

/*
 * Reads what check_file_mode() has let through; NULL if the file is not as
 * long as it said.
 */
static CryptoSecret *
read_open_file(int fd, Size len)
{
	CryptoSecret *content = crypto_secret_alloc(len + 1);
	Size		done = 0;

	while (done <= len)
	{
		ssize_t		n = read(fd, crypto_secret_data(content) + done, len + 1 - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	if (done != len)
	{
		crypto_secret_free(content);
		return NULL;
	}
	crypto_secret_data(content)[len] = '\0';
	return content;
}

CryptoSecret *
secret_file_read(const char *path, struct stat *st, int elevel)
{
	CryptoSecret *content;
	int			fd;

	/* a pipe in its place must not make us wait */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
	{
		ereport(elevel,
				(errcode_for_file_access(),
				 errmsg("could not open secret key file \"%s\": %m", path)));
		return NULL;
	}
	if (fstat(fd, st) != 0)
	{
		ereport(elevel,
				(errcode_for_file_access(),
				 errmsg("could not look at secret key file \"%s\": %m", path)));
		CloseTransientFile(fd);
		return NULL;
	}
	if (!check_file_mode(path, st, elevel))
	{
		CloseTransientFile(fd);
		return NULL;
	}
	content = read_open_file(fd, st->st_size);
	CloseTransientFile(fd);
	if (content == NULL)
		ereport(elevel,
				(errcode(ERRCODE_IO_ERROR),
				 errmsg("could not read secret key file \"%s\"", path)));
	return content;
}

static void
forget_new_file(NewFile *file, bool remove)
{
	if (remove && file->created && unlink(file->path) != 0 && errno != ENOENT)
		ereport(WARNING,
				(errcode_for_file_access(),
				 errmsg("could not remove secret key file \"%s\": %m", file->path)));
	dlist_delete(&file->node);
	pfree(file);
}

static void
new_files_at_end(XactEvent event, void *arg)
{
	dlist_mutable_iter iter;

	if (dlist_is_empty(&new_files))
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot prepare a transaction that has generated a key"),
					 errdetail("Rolled back later, it would leave the secret behind.")));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
			dlist_foreach_modify(iter, &new_files)
				forget_new_file(dlist_container(NewFile, node, iter.cur),
								event == XACT_EVENT_ABORT);
			break;
		default:
			break;
	}
}

static void
new_files_at_subend(SubXactEvent event, SubTransactionId mySubid,
					SubTransactionId parentSubid, void *arg)
{
	dlist_mutable_iter iter;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	dlist_foreach_modify(iter, &new_files)
	{
		NewFile    *file = dlist_container(NewFile, node, iter.cur);

		if (file->subid != mySubid)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			forget_new_file(file, true);
		else
			file->subid = parentSubid;
	}
}

/*
 * Notes, before the file is made, that it may have to go again.
 */
static NewFile *
remember_new_file(const char *path)
{
	static bool registered = false;
	Size		len = strlen(path) + 1;
	NewFile    *file;

	if (!registered)
	{
		RegisterXactCallback(new_files_at_end, NULL);
		RegisterSubXactCallback(new_files_at_subend, NULL);
		registered = true;
	}
	file = MemoryContextAlloc(TopMemoryContext, offsetof(NewFile, path) + len);
	file->subid = GetCurrentSubTransactionId();
	file->created = false;
	dlist_push_tail(&new_files, &file->node);
	memcpy(file->path, path, len);
	return file;
}

void
secret_file_create(const char *kid, SecretFileKind kind, const uint8 *content, Size len)
{
	char	   *path = secret_file_path(kid, kind);
	NewFile    *file = remember_new_file(path);
	int			fd;

	fd = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY,
							   S_IRUSR | S_IWUSR);
	if (fd < 0)
	{
		bool		exists = errno == EEXIST;

		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create secret key file \"%s\": %m", path),
				 exists ?
				 errhint("Nothing is overwritten: take another name, or move the file away.") : 0));
	}
	file->created = true;

	private_file_write(fd, path, content, len);
	fsync_fname(anshim_key_directory, true);
	pfree(path);
}
