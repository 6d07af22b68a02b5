/*-------------------------------------------------------------------------
 *
 * source_db.c
 *	  Reading chains from a database
 *
 * One read-only transaction, one snapshot, from the beginning to the end.  Of
 * the server nothing is called but what PostgreSQL has, the accessors of
 * anshim.link for the order of rows, and the types' send functions.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/string.h"
#include "libpq-fe.h"
#include "pqexpbuffer.h"

#include "source.h"

typedef struct Database
{
	Source		source;
	PGconn	   *conn;
	char	   *name;
} Database;

typedef struct CopyStream
{
	ByteStream	stream;
	Database   *database;
	char	   *piece;			/* libpq's, until the next one */
	bool		running;
} CopyStream;

/*
 * What this session must not depend on: names are PostgreSQL's, nothing times
 * out, and row security raises an error where it would hide rows.
 */
static const char *const settings[] = {
	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	"SET LOCAL search_path = pg_catalog, pg_temp",
	"SET LOCAL row_security = off",
	"SET LOCAL statement_timeout = 0",
	"SET LOCAL lock_timeout = 0",
	"SET LOCAL idle_in_transaction_session_timeout = 0",
};

/* The server's last message in one line, as part of ours. */
static void
fail_server(Database *database, const char *what)
{
	char	   *message = pg_strdup(PQerrorMessage(database->conn));

	for (char *c = message; *c != '\0'; c++)
	{
		if (*c == '\n')
			*c = c[1] == '\0' ? '\0' : ' ';
	}
	source_fail(&database->source, "%s: %s", what, message);
	pg_free(message);
}

static bool
execute(Database *database, const char *command)
{
	PGresult   *result = PQexec(database->conn, command);
	bool		good = PQresultStatus(result) == PGRES_COMMAND_OK;

	if (!good)
		fail_server(database, "could not prepare the session");
	PQclear(result);
	return good;
}

static PGconn *
connect_once(const char *dbname, const ConnectOptions *options, const char *password)
{
	const char *keywords[] = {"host", "port", "user", "password", "dbname", "fallback_application_name", "client_encoding", NULL};
	const char *values[] = {options->host, options->port, options->user, password, dbname, "anshim_verify", "UTF8", NULL};

	/*
	 * dbname may be a connection string, whose parts count less than what
	 * follows it
	 */
	return PQconnectdbParams(keywords, values, true);
}

static void
connect_database(Database *database, const char *dbname, const ConnectOptions *options)
{
	char	   *password = options->always_prompt ? simple_prompt("Password: ", false) : NULL;

	database->conn = connect_once(dbname, options, password);
	if (PQstatus(database->conn) == CONNECTION_BAD && PQconnectionNeedsPassword(database->conn) &&
		password == NULL && !options->never_prompt)
	{
		PQfinish(database->conn);
		password = simple_prompt("Password: ", false);
		database->conn = connect_once(dbname, options, password);
	}
	pg_free(password);

	if (PQstatus(database->conn) != CONNECTION_OK)
		fail_server(database, "could not connect");
	else if (PQsetClientEncoding(database->conn, "UTF8") != 0)
		source_fail(&database->source, "the server does not send text in UTF-8");
}

/*
 * Streams
 */

static StreamResult
read_copy(ByteStream *stream, const char **data, size_t *len)
{
	CopyStream *copy = (CopyStream *) stream;
	PGconn	   *conn = copy->database->conn;
	PGresult   *result;
	bool		good;
	int			n;

	PQfreemem(copy->piece);
	copy->piece = NULL;
	if (!copy->running)
		return stream->error == NULL ? STREAM_END : STREAM_FAILED;
	n = PQgetCopyData(conn, &copy->piece, false);
	if (n > 0)
	{
		*data = copy->piece;
		*len = n;
		return STREAM_MORE;
	}

	/* the end, or an error: which of them the command's result says */
	copy->running = false;
	result = PQgetResult(conn);
	good = n == -1 && PQresultStatus(result) == PGRES_COMMAND_OK;
	if (!good)
		fail_server(copy->database, "could not read from the server");
	PQclear(result);
	while ((result = PQgetResult(conn)) != NULL)
		PQclear(result);
	if (good)
		return STREAM_END;
	stream->error = pg_strdup(copy->database->source.error);
	return STREAM_FAILED;
}

/*
 * Who stops in the middle of a stream has found it to be nonsense: there is
 * no reason to read the rest of it, or anything else, from that server.
 */
static void
close_copy(ByteStream *stream)
{
	CopyStream *copy = (CopyStream *) stream;

	PQfreemem(copy->piece);
	if (copy->running)
		source_fail(&copy->database->source, "the server's answer was broken off");
	pg_free(stream->error);
	pg_free(copy);
}

static ByteStream *
open_query(Database *database, const char *query)
{
	PQExpBufferData command;
	PGresult   *result;
	CopyStream *copy = NULL;

	if (database->source.error != NULL)
		return NULL;
	initPQExpBuffer(&command);
	appendPQExpBuffer(&command, "COPY (%s) TO STDOUT (FORMAT binary)", query);
	result = PQexec(database->conn, command.data);
	if (PQresultStatus(result) != PGRES_COPY_OUT)
		fail_server(database, "could not read from the server");
	else
	{
		copy = pg_malloc0(sizeof(CopyStream));
		copy->stream.read = read_copy;
		copy->stream.close = close_copy;
		copy->database = database;
		copy->running = true;
	}
	PQclear(result);
	termPQExpBuffer(&command);
	return (ByteStream *) copy;
}

static ByteStream *
open_database(Source *source, StreamKind kind, const char *chain, const Leaf *leaf)
{
	char	   *query = stream_query(kind, chain, leaf);
	ByteStream *stream = open_query((Database *) source, query);

	pg_free(query);
	return stream;
}

static bool
list_database(Source *source, char ***chains, int *nchains)
{
	ByteStream *stream = open_query((Database *) source, stream_chains_query);
	CopyReader	reader;
	CopyResult	result = COPY_BAD;
	int			allocated = 0;

	*chains = NULL;
	*nchains = 0;
	if (stream == NULL)
		return false;
	copy_open(&reader, stream, 1);
	while ((result = copy_next(&reader)) == COPY_ROW)
	{
		char	   *chain = copy_text(&reader, 0);

		if (chain == NULL || !is_chain_id(chain))
		{
			result = COPY_BAD;
			break;
		}
		if (*nchains == allocated)
		{
			allocated = Max(16, 2 * allocated);
			*chains = pg_realloc(*chains, allocated * sizeof(char *));
		}
		(*chains)[(*nchains)++] = chain;
	}
	if (result != COPY_END)
		source_fail(source, "could not read which chains there are: %s",
					reader.error != NULL ? reader.error : "these are no uuids");
	copy_close(&reader);
	return result == COPY_END;
}

static void
close_database(Source *source)
{
	Database   *database = (Database *) source;

	PQfinish(database->conn);
	pg_free(source->error);
	pg_free(database->name);
	pg_free(database);
}

/* "host:port/database", which tells connections apart */
static char *
connection_name(const PGconn * conn)
{
	const char *host = PQhost(conn);
	const char *port = PQport(conn);
	const char *dbname = PQdb(conn);

	return psprintf("%s:%s/%s", host != NULL ? host : "", port != NULL ? port : "", dbname != NULL ? dbname : "");
}

Source *
source_database(const char *dbname, const ConnectOptions *options)
{
	Database   *database = pg_malloc0(sizeof(Database));
	Source	   *source = &database->source;

	source->list = list_database;
	source->open = open_database;
	source->close = close_database;
	connect_database(database, dbname, options);
	database->name = connection_name(database->conn);
	source->name = database->name;
	for (int i = 0; i < lengthof(settings) && source->error == NULL; i++)
		execute(database, settings[i]);
	return source;
}

void
source_fail(Source *source, const char *format,...)
{
	char		message[2048];
	va_list		args;

	if (source->error != NULL)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	source->error = pg_strdup(message);
}
