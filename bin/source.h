/*-------------------------------------------------------------------------
 *
 * source.h
 *	  Where chains are read from: a database, or a folder that was exported
 *
 * Both give the same streams of COPY in binary format, which docs/formats.md,
 * "Export", lists: what is verified does not depend on where it comes from.
 * Nothing that a source says is believed for its own sake.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_SOURCE_H
#define ANSHIM_BIN_SOURCE_H

#include "copy.h"

#define CHAIN_ID_TEXT_LEN 36	/* of a uuid */

typedef enum StreamKind
{
	STREAM_CHAIN,
	STREAM_LAYOUT,
	STREAM_EVENT,
	STREAM_BLOCK,
	STREAM_SEGMENT,
	STREAM_TILE,
	STREAM_KEPT,
	STREAM_EXPIRED,
	STREAM_LEAF,
	STREAM_GUARD,
	STREAM_ROWS					/* of one leaf */
} StreamKind;

#define NSTREAMS STREAM_ROWS	/* of those that each chain has once */

/* A column of a leaf, as PostgreSQL calls it. */
typedef struct LeafColumn
{
	char	   *name;
	char	   *type;
} LeafColumn;

/* A table with rows: a plain one, or a partition. */
typedef struct Leaf
{
	int			number;			/* from 1 */
	char	   *schema;
	char	   *table;
	int			ncolumns;		/* all but `link` and generated ones */
	LeafColumn *columns;
} Leaf;

/* streams.c: a stream's number of columns, its file, and the query that gives it */
extern int	stream_columns(StreamKind kind, const Leaf *leaf);
extern char *stream_file(StreamKind kind, const Leaf *leaf);
extern char *stream_query(StreamKind kind, const char *chain, const Leaf *leaf);

/* The query of the ids of all living chains, as text. */
extern const char stream_chains_query[];

typedef struct Source Source;
struct Source
{
	const char *name;			/* in messages */

	/* The ids of its chains; false on failure. */
	bool		(*list) (Source *source, char ***chains, int *nchains);

	/* One stream of a chain; NULL on failure.  One at a time. */
	ByteStream *(*open) (Source *source, StreamKind kind, const char *chain, const Leaf *leaf);

	void		(*close) (Source *source);
	char	   *error;			/* a sentence without a full stop */
};

/* source_db.c: connects; never NULL, but with `error` set on failure */
typedef struct ConnectOptions
{
	const char *host;
	const char *port;
	const char *user;
	bool		never_prompt;
	bool		always_prompt;
} ConnectOptions;

extern Source *source_database(const char *dbname, const ConnectOptions *options);

/* source_files.c: the same of a folder */
extern Source *source_folder(const char *path);

/* Note an error, if it is the first one. */
extern void source_fail(Source *source, const char *format,...) pg_attribute_printf(2, 3);

/* Is this a uuid as PostgreSQL writes it? */
extern bool is_chain_id(const char *str);

/* export.c: write all streams of a chain into a new folder below this one */
extern bool export_chain(Source *source, const char *chain, const char *folder, int64 *bytes);

#endif							/* ANSHIM_BIN_SOURCE_H */
