/*-------------------------------------------------------------------------
 *
 * head.c
 *	  The heads that were signed last, in files below anshim.head_directory
 *
 * A database that was restored from a backup does not know what it has signed
 * since.  So the newest signed checkpoint of each log lies outside of it, where
 * no restore brings back an older one; and so does the newest that a witness
 * has cosigned, which neither a restore nor a ROLLBACK of the transaction that
 * returned the cosignature may take back.
 *
 * A file holds the note and nothing else.  It is replaced as a whole: written
 * under another name, brought to disk, renamed.  A crash leaves the old one or
 * the new one, and perhaps a rest under the other name, which the next one
 * overwrites.
 *
 * Locking: while a file is compared and replaced, its directory is locked
 * with flock(), which holds against other databases and other servers, too.
 * Nobody waits long for that.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "key/directory.h"
#include "log/head.h"
#include "log/log.h"

/* A note with all signatures that we read, ML-DSA ones among them */
#define HEAD_MAX_LEN (512 * 1024)

static char *anshim_head_directory;

static const PrivateDirectory directory_kind = {
	.name = "head",
	.purpose = "signed heads",
	.setting = "anshim.head_directory",
	.inside = "A restore would bring back older heads, with the data."
};

/*
 * In the configuration file alone: databases of one server cannot be restored
 * one by one from a base backup.
 */
void
log_define_settings(void)
{
	DefineCustomStringVariable("anshim.head_directory",
							   "Sets the directory of the heads that were signed last",
							   "It must lie outside of the data directory and be closed to "
							   "everybody but the server.  Without it no checkpoint can be signed.",
							   &anshim_head_directory,
							   "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   private_directory_setting, NULL, NULL);
}

char *
head_name_of_chain(const pg_uuid_t *chain)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(chain)));
}

/* Origins can hold anything, so their hashes take their places. */
char *
head_name_of_origin(const char *origin)
{
	uint8		digest[CRYPTO_SHA256_LEN];
	char		hex[2 * CRYPTO_SHA256_LEN + 1];

	crypto_sha256(origin, strlen(origin), digest);
	hex[hex_encode((const char *) digest, sizeof(digest), hex)] = '\0';
	return psprintf("witness-%s", hex);
}

static char *
path_of(const char *name, const char *end)
{
	(void) private_directory_check(anshim_head_directory, &directory_kind, ERROR);
	return psprintf("%s/%s%s", anshim_head_directory, name, end);
}

static void
refuse_file(const char *path, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("head file \"%s\" %s", path, what),
			 errhint("Put the newest checkpoint into it, whole, that was signed for this log.")));
}

/*
 * What is in a file; NULL if it is not there.
 */
static char *
read_file(const char *path, Size *len)
{
	struct stat st;
	char	   *content;
	Size		done = 0;
	int			fd;

	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || fstat(fd, &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open head file \"%s\": %m", path)));
	if (!S_ISREG(st.st_mode) || st.st_size > HEAD_MAX_LEN)
		refuse_file(path, "is not a note");

	content = palloc(st.st_size + 1);
	while (done < st.st_size)
	{
		ssize_t		n = read(fd, content + done, st.st_size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read head file \"%s\": %m", path)));
		if (n == 0)
			break;
		done += n;
	}
	CloseTransientFile(fd);
	content[done] = '\0';
	*len = done;
	return content;
}

static void
read_head(const char *path, Head *head)
{
	Checkpoint	checkpoint;
	const char *reason;
	Note		note;

	head->origin = NULL;
	head->size = 0;
	head->note = read_file(path, &head->len);
	if (head->note == NULL)
		return;
	if (!note_read(head->note, head->len, palloc(Max(head->len, 1)), &note, &reason) ||
		!checkpoint_read(note.text, &checkpoint, &reason))
		refuse_file(path, "is not a checkpoint");
	head->origin = pnstrdup(checkpoint.origin.data, checkpoint.origin.len);
	head->size = checkpoint.size;
	memcpy(head->root, checkpoint.root, MERKLE_HASH_LEN);
}

void
head_read(const char *name, const char *origin, Head *head)
{
	char	   *path = path_of(name, "");

	read_head(path, head);
	if (head->note != NULL && strcmp(head->origin, origin) != 0)
		refuse_file(path, "is of another log");
	pfree(path);
}

/*
 * The lock goes with the file descriptor, which an error closes.
 */
static int
lock_directory(void)
{
	int			fd = OpenTransientFile(anshim_head_directory, O_RDONLY | PG_BINARY);

	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open head directory \"%s\": %m", anshim_head_directory)));
	while (flock(fd, LOCK_EX | LOCK_NB) != 0)
	{
		if (errno != EWOULDBLOCK && errno != EINTR)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not lock head directory \"%s\": %m", anshim_head_directory)));
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
	return fd;
}

void
head_replace(const char *name, const Head *head, const char *note, Size len)
{
	char	   *path = path_of(name, "");
	char	   *new_path = path_of(name, ".new");
	int			lock = lock_directory();
	Size		now_len = 0;
	char	   *now = read_file(path, &now_len);
	int			fd;

	if ((now == NULL) != (head->note == NULL) ||
		(now != NULL && (now_len != head->len || memcmp(now, head->note, now_len) != 0)))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("somebody else has signed for this log at the same time"),
				 errdetail("Head file \"%s\" has changed.", path),
				 errhint("Try again.")));

	fd = OpenTransientFilePerm(new_path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, S_IRUSR | S_IWUSR);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create head file \"%s\": %m", new_path)));
	private_file_write(fd, new_path, note, len);
	durable_rename(new_path, path, ERROR);
	CloseTransientFile(lock);
	pfree(new_path);
	pfree(path);
}

bool
head_of_chain(const pg_uuid_t *chain, Head *head)
{
	if (anshim_head_directory == NULL || anshim_head_directory[0] == '\0')
		return false;
	read_head(path_of(head_name_of_chain(chain), ""), head);
	return head->note != NULL;
}

/* The conversions return what they were given where there is nothing to do. */
char *
utf8_from_server(const char *string, Size len)
{
	char	   *copy = pnstrdup(string, len);

	return pg_server_to_any(copy, (int) len, PG_UTF8);
}

char *
server_from_utf8(const char *string, Size len)
{
	char	   *copy = pnstrdup(string, len);

	return pg_any_to_server(copy, (int) len, PG_UTF8);
}
