/*-------------------------------------------------------------------------
 *
 * export.c
 *	  Writing what is read from a source into files, as it came
 *
 * A folder is new, or nothing is written: what lies there already is not
 * mixed with what is exported.  The files hold personal data, so nobody but
 * their owner can read them.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog.h"
#include "source.h"

static bool
write_all(int fd, const char *data, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

static bool
write_stream(Source *source, ByteStream *stream, const char *path, int64 *bytes)
{
	int			fd = open(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, 0600);
	const char *data;
	size_t		len;
	StreamResult result = STREAM_FAILED;

	if (fd < 0)
	{
		source_fail(source, "could not create file \"%s\": %s", path, strerror(errno));
		return false;
	}
	while ((result = stream->read(stream, &data, &len)) == STREAM_MORE)
	{
		if (!write_all(fd, data, len))
			break;
		*bytes += len;
	}
	if (result == STREAM_FAILED)
		source_fail(source, "%s", stream->error);
	else if (result == STREAM_MORE || fsync(fd) != 0)
		source_fail(source, "could not write to file \"%s\": %s", path, strerror(errno));
	if (close(fd) != 0)
		source_fail(source, "could not write to file \"%s\": %s", path, strerror(errno));
	return source->error == NULL;
}

static bool
export_stream(Source *source, StreamKind kind, const char *chain, const Leaf *leaf,
			  const char *folder, int64 *bytes)
{
	ByteStream *stream = source->open(source, kind, chain, leaf);
	char	   *name = stream_file(kind, leaf);
	char	   *path = psprintf("%s/%s", folder, name);
	bool		good = stream != NULL && write_stream(source, stream, path, bytes);

	if (stream != NULL)
		stream->close(stream);
	pg_free(name);
	pg_free(path);
	return good && source->error == NULL;
}

bool
export_chain(Source *source, const char *chain, const char *folder, int64 *bytes)
{
	char	   *path = psprintf("%s/%s", folder, chain);
	Leaf	   *leaves = NULL;
	int			nleaves = 0;

	if (mkdir(path, 0700) != 0)
		source_fail(source, "could not create directory \"%s\": %s", path, strerror(errno));
	for (StreamKind kind = 0; kind < NSTREAMS && source->error == NULL; kind++)
		export_stream(source, kind, chain, NULL, path, bytes);
	if (source->error == NULL && catalog_read_leaves(source, chain, &leaves, &nleaves))
	{
		for (int i = 0; i < nleaves && source->error == NULL; i++)
			export_stream(source, STREAM_ROWS, chain, &leaves[i], path, bytes);
	}
	catalog_free_leaves(leaves, nleaves);
	pg_free(path);
	return source->error == NULL;
}
