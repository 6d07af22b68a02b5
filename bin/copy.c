/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  Reading COPY ... (FORMAT binary) from wherever it comes
 *
 * The format is PostgreSQL's own, see the reference page of COPY.  A tuple is
 * put together in one buffer, so that its fields are contiguous there whatever
 * pieces they came in.  The buffer grows with the bytes that are really
 * there, never with a length that somebody claims; what it can hold at most is
 * a field of 1 GB, and what is around it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "mb/pg_wchar.h"

#include "copy.h"

#define FIELD_MAX_LEN 0x3fffffff	/* no value is longer: 1 GB */
#define TUPLE_MAX_LEN ((size_t) 2 * FIELD_MAX_LEN)

static const uint8 signature[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};

#define HEADER_LEN (sizeof(signature) + 4 + 4)

static bool fail(CopyReader *reader, const char *format,...) pg_attribute_printf(2, 3);
static bool misfit(CopyReader *reader, const char *format,...) pg_attribute_printf(2, 3);

/* The first error is the one that counts.  Returns false. */
static bool
fail(CopyReader *reader, const char *format,...)
{
	char		message[512];
	va_list		args;

	if (reader->error != NULL)
		return false;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	reader->error = psprintf("%s, after " INT64_FORMAT " rows", message, reader->tuples);
	return false;
}

void
copy_open(CopyReader *reader, ByteStream *stream, int nfields)
{
	memset(reader, 0, sizeof(*reader));
	reader->stream = stream;
	reader->nfields = nfields;
	reader->fields = pg_malloc0(nfields * sizeof(CopyField));
}

void
copy_close(CopyReader *reader)
{
	if (reader->stream != NULL)
		reader->stream->close(reader->stream);
	pg_free(reader->buffer);
	pg_free(reader->fields);
	pg_free(reader->error);
	memset(reader, 0, sizeof(*reader));
}

/*
 * Append the stream's next piece to the buffer.  What has been read of it
 * goes, but for the tuple that begins at `from`.
 */
static StreamResult
fill(CopyReader *reader)
{
	const char *data;
	size_t		len;
	StreamResult result = reader->stream->read(reader->stream, &data, &len);

	if (result == STREAM_FAILED)
		fail(reader, "%s", reader->stream->error);
	if (result != STREAM_MORE)
		return result;

	if (reader->from > 0)
	{
		memmove(reader->buffer, reader->buffer + reader->from, reader->to - reader->from);
		reader->to -= reader->from;
		reader->from = 0;
	}
	if (len > reader->allocated - reader->to)
	{
		if (len > TUPLE_MAX_LEN || reader->to > TUPLE_MAX_LEN)
		{
			fail(reader, "a row is longer than any can be");
			return STREAM_FAILED;
		}
		reader->allocated = Max(reader->to + len, reader->to + reader->to / 2);
		reader->buffer = pg_realloc(reader->buffer, reader->allocated);
	}
	memcpy(reader->buffer + reader->to, data, len);
	reader->to += len;
	return STREAM_MORE;
}

/* Have len bytes behind `offset` from the tuple's beginning. */
static bool
need(CopyReader *reader, size_t offset, size_t len)
{
	while (reader->to - reader->from < offset + len)
	{
		StreamResult result = fill(reader);

		if (result == STREAM_END)
			return fail(reader, "the data end in the middle of a row");
		if (result == STREAM_FAILED)
			return false;
	}
	return true;
}

static bool
read_header(CopyReader *reader)
{
	const uint8 *header;
	int32		flags;
	int32		extension;

	if (!need(reader, 0, HEADER_LEN))
		return false;
	header = reader->buffer + reader->from;
	flags = read_int4(header + sizeof(signature));
	extension = read_int4(header + sizeof(signature) + 4);
	if (memcmp(header, signature, sizeof(signature)) != 0)
		return fail(reader, "the data do not begin as those of COPY in binary format do");
	if (flags != 0 || extension != 0)
		return fail(reader, "the data are of another kind of COPY in binary format");
	reader->from += HEADER_LEN;
	return true;
}

/* Nothing may come behind the trailer. */
static CopyResult
read_end(CopyReader *reader)
{
	StreamResult result;

	do
	{
		if (reader->from < reader->to)
		{
			fail(reader, "there are more data behind their end");
			return COPY_BAD;
		}
		result = fill(reader);
	} while (result == STREAM_MORE);
	return result == STREAM_END ? COPY_END : COPY_BAD;
}

CopyResult
copy_next(CopyReader *reader)
{
	size_t		offset = 2;
	int			nfields;

	if (reader->error != NULL)
		return COPY_BAD;
	if (!reader->begun && !read_header(reader))
		return COPY_BAD;
	reader->begun = true;

	if (!need(reader, 0, 2))
		return COPY_BAD;
	nfields = (int16) (reader->buffer[reader->from] << 8 | reader->buffer[reader->from + 1]);
	if (nfields == -1)
	{
		reader->from += 2;
		return read_end(reader);
	}
	if (nfields != reader->nfields)
	{
		fail(reader, "a row has %d columns instead of %d", nfields, reader->nfields);
		return COPY_BAD;
	}

	/* The buffer may move while it grows: lengths first, pointers then. */
	for (int i = 0; i < nfields; i++)
	{
		int32		len;

		if (!need(reader, offset, 4))
			return COPY_BAD;
		len = read_int4(reader->buffer + reader->from + offset);
		offset += 4;
		if (len < -1 || len > FIELD_MAX_LEN)
		{
			fail(reader, "a column has the length %d", len);
			return COPY_BAD;
		}
		if (len > 0 && !need(reader, offset, len))
			return COPY_BAD;
		reader->fields[i].len = len;
		offset += Max(len, 0);
	}
	offset = reader->from + 2;
	for (int i = 0; i < nfields; i++)
	{
		CopyField  *field = &reader->fields[i];

		offset += 4;
		field->data = field->len < 0 ? NULL : reader->buffer + offset;
		offset += Max(field->len, 0);
	}
	reader->from = offset;
	reader->tuples++;
	return COPY_ROW;
}

static bool
misfit(CopyReader *reader, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(reader->misfit, sizeof(reader->misfit), format, args);
	va_end(args);
	return false;
}

static bool
has_length(CopyReader *reader, int column, int len)
{
	if (reader->fields[column].len == len)
		return true;
	if (reader->fields[column].len < 0)
		return misfit(reader, "column %d is NULL", column + 1);
	return misfit(reader, "column %d has %d bytes instead of %d", column + 1, reader->fields[column].len, len);
}

bool
copy_int2(CopyReader *reader, int column, int16 *value)
{
	const uint8 *data = reader->fields[column].data;

	if (!has_length(reader, column, 2))
		return false;
	*value = (int16) (data[0] << 8 | data[1]);
	return true;
}

bool
copy_int4(CopyReader *reader, int column, int32 *value)
{
	if (!has_length(reader, column, 4))
		return false;
	*value = read_int4(reader->fields[column].data);
	return true;
}

bool
copy_int8(CopyReader *reader, int column, int64 *value)
{
	if (!has_length(reader, column, 8))
		return false;
	*value = read_int8(reader->fields[column].data);
	return true;
}

bool
copy_bytes(CopyReader *reader, int column, uint8 *value, int len)
{
	if (!has_length(reader, column, len))
		return false;
	memcpy(value, reader->fields[column].data, len);
	return true;
}

char *
copy_text(CopyReader *reader, int column)
{
	const CopyField *field = &reader->fields[column];
	char	   *str;

	if (field->len < 0)
		misfit(reader, "column %d is NULL", column + 1);
	else if (pg_encoding_verifymbstr(PG_UTF8, (const char *) field->data, field->len) != field->len ||
			 memchr(field->data, '\0', field->len) != NULL)
		misfit(reader, "column %d is not text in UTF-8", column + 1);
	else
	{
		str = pg_malloc(field->len + 1);
		memcpy(str, field->data, field->len);
		str[field->len] = '\0';
		return str;
	}
	return NULL;
}
