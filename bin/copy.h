/*-------------------------------------------------------------------------
 *
 * copy.h
 *	  Reading COPY ... (FORMAT binary) from wherever it comes
 *
 * The bytes are a server's, which may lie, or a file's, which anybody may
 * have written: no length is believed before so many bytes are there.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_COPY_H
#define ANSHIM_BIN_COPY_H

/*
 * Where bytes come from: pieces of any length, one after the other.  A piece
 * lives until the next one is read.  On failure `error` says why.
 */
typedef enum StreamResult
{
	STREAM_MORE,
	STREAM_END,
	STREAM_FAILED
} StreamResult;

typedef struct ByteStream ByteStream;
struct ByteStream
{
	StreamResult (*read) (ByteStream *stream, const char **data, size_t *len);
	void		(*close) (ByteStream *stream);	/* frees it */
	char	   *error;
};

/* A field as it came; data is NULL for a NULL. */
typedef struct CopyField
{
	const uint8 *data;
	int32		len;			/* -1 for a NULL */
} CopyField;

typedef enum CopyResult
{
	COPY_ROW,
	COPY_END,					/* properly ended, nothing behind it */
	COPY_BAD					/* see `error` */
} CopyResult;

typedef struct CopyReader
{
	ByteStream *stream;
	int			nfields;		/* every tuple must have so many */
	CopyField  *fields;			/* of the tuple, until the next one is read */
	char	   *error;			/* a sentence without a full stop */
	char		misfit[64];		/* of the last value that was none, the same */

	/* copy.c's own */
	uint8	   *buffer;
	size_t		allocated;
	size_t		from;			/* bytes [from, to) of the buffer are to be
								 * read */
	size_t		to;
	bool		begun;
	int64		tuples;
} CopyReader;

/* Takes the stream over: copy_close() closes it. */
extern void copy_open(CopyReader *reader, ByteStream *stream, int nfields);
extern CopyResult copy_next(CopyReader *reader);
extern void copy_close(CopyReader *reader);

/*
 * The values of a tuple's fields.  False, and `misfit` set, for NULLs and for
 * other lengths than the type has.  The stream itself is still in order then.
 */
extern bool copy_int2(CopyReader *reader, int column, int16 *value);
extern bool copy_int4(CopyReader *reader, int column, int32 *value);
extern bool copy_int8(CopyReader *reader, int column, int64 *value);
extern bool copy_bytes(CopyReader *reader, int column, uint8 *value, int len);

/* Text in valid UTF-8 without NULs, allocated; NULL where it is none, as above. */
extern char *copy_text(CopyReader *reader, int column);

static inline bool
copy_is_null(const CopyReader *reader, int column)
{
	return reader->fields[column].len < 0;
}

/* Integers as they are sent. */
static inline int32
read_int4(const uint8 *data)
{
	return (int32) ((uint32) data[0] << 24 | (uint32) data[1] << 16 | (uint32) data[2] << 8 | data[3]);
}

static inline int64
read_int8(const uint8 *data)
{
	return (int64) ((uint64) (uint32) read_int4(data) << 32 | (uint32) read_int4(data + 4));
}

#endif							/* ANSHIM_BIN_COPY_H */
