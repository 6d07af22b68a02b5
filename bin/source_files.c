/*-------------------------------------------------------------------------
 *
 * source_files.c
 *	  Reading chains from a folder that anshim_verify --export has written
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

#define PIECE_LEN 65536

typedef struct FileStream
{
	ByteStream	stream;
	char	   *path;
	int			fd;
	char		piece[PIECE_LEN];
} FileStream;

static StreamResult
read_file(ByteStream *stream, const char **data, size_t *len)
{
	FileStream *file = (FileStream *) stream;
	ssize_t		n;

	do
		n = read(file->fd, file->piece, PIECE_LEN);
	while (n < 0 && errno == EINTR);
	if (n < 0)
	{
		pg_free(stream->error);
		stream->error = psprintf("could not read file \"%s\": %s", file->path, strerror(errno));
		return STREAM_FAILED;
	}
	*data = file->piece;
	*len = n;
	return n == 0 ? STREAM_END : STREAM_MORE;
}

static void
close_file(ByteStream *stream)
{
	FileStream *file = (FileStream *) stream;

	close(file->fd);
	pg_free(file->path);
	pg_free(stream->error);
	pg_free(file);
}

static ByteStream *
open_folder(Source *source, StreamKind kind, const char *chain, const Leaf *leaf)
{
	char	   *name = stream_file(kind, leaf);
	char	   *path = psprintf("%s/%s/%s", source->name, chain, name);
	int			fd = open(path, O_RDONLY | PG_BINARY, 0);
	FileStream *file;

	pg_free(name);
	if (fd < 0)
	{
		source_fail(source, "could not open file \"%s\": %s", path, strerror(errno));
		pg_free(path);
		return NULL;
	}
	file = pg_malloc0(sizeof(FileStream));
	file->stream.read = read_file;
	file->stream.close = close_file;
	file->path = path;
	file->fd = fd;
	return &file->stream;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Folders that are called as a uuid are chains. */
static bool
list_folder(Source *source, char ***chains, int *nchains)
{
	DIR		   *folder = opendir(source->name);
	struct dirent *entry;
	int			allocated = 0;

	*chains = NULL;
	*nchains = 0;
	if (folder == NULL)
	{
		source_fail(source, "could not open directory \"%s\": %s", source->name, strerror(errno));
		return false;
	}
	while (errno = 0, (entry = readdir(folder)) != NULL)
	{
		if (!is_chain_id(entry->d_name))
			continue;
		if (*nchains == allocated)
		{
			allocated = Max(16, 2 * allocated);
			*chains = pg_realloc(*chains, allocated * sizeof(char *));
		}
		(*chains)[(*nchains)++] = pg_strdup(entry->d_name);
	}
	if (errno != 0)
		source_fail(source, "could not read directory \"%s\": %s", source->name, strerror(errno));
	closedir(folder);
	if (*nchains > 0)
		qsort(*chains, *nchains, sizeof(char *), compare_names);
	return source->error == NULL;
}

static void
close_folder(Source *source)
{
	pg_free(source->error);
	pg_free(source);
}

Source *
source_folder(const char *path)
{
	Source	   *source = pg_malloc0(sizeof(Source));

	source->name = path;
	source->list = list_folder;
	source->open = open_folder;
	source->close = close_folder;
	return source;
}
