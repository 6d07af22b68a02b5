/*-------------------------------------------------------------------------
 *
 * sql_packed.c
 *	  Rows of answers that come as one value each
 *
 * postgres_fdw has all columns sent as text.  To write and read a time as text
 * takes longer than all else that is done with its row.  So where the keys are
 * of a length that is known, the other side packs a row into one bytea, whose
 * text is cheap:
 *
 *		int8send(key) || int8send(other) || timestamptz_send(entered_at) || ...
 *
 * with the types' own binary forms, which are the same on all servers.  Of keys
 * that are text only their own server knows the encoding, and they are not
 * packed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "sql_packed.h"

/* Instead of a time that is NULL: no timestamptz is packed as this. */
#define NO_TIME (PG_INT64_MIN + 1)
#define NO_TIME_SQL "'\\x8000000000000001'::pg_catalog.bytea"

bool
sql_packed_allowed(const IdentType *key, const IdentType *other)
{
	return key->class == IDENT_FIXED && other->class == IDENT_FIXED;
}

static const char *
send_function(const IdentType *type)
{
	switch (type->typid)
	{
		case INT2OID:
			return "int2send";
		case INT4OID:
			return "int4send";
		case INT8OID:
			return "int8send";
		default:
			return "uuid_send";
	}
}

char *
sql_packed_value(const IdentType *key_type, const char *key,
				 const IdentType *other_type, const char *other,
				 const char *time, const char *left)
{
#define AND_THEN " OPERATOR(pg_catalog.||) "
	return psprintf("pg_catalog.%s(%s)" AND_THEN "pg_catalog.%s(%s)" AND_THEN
					"pg_catalog.timestamptz_send(%s)" AND_THEN
					"CASE WHEN %s IS NULL THEN " NO_TIME_SQL " ELSE pg_catalog.timestamptz_send(%s) END",
					send_function(key_type), key, send_function(other_type), other,
					time, left, left);
#undef AND_THEN
}

static int64
read_int64(const char *at)
{
	uint64		value;

	memcpy(&value, at, sizeof(value));
	return (int64) pg_ntoh64(value);
}

/* A key, which for uuid stays where it is */
static Datum
read_key(const IdentType *type, const char *at)
{
	uint16		small;
	uint32		medium;

	switch (type->typid)
	{
		case INT2OID:
			memcpy(&small, at, sizeof(small));
			return Int16GetDatum((int16) pg_ntoh16(small));
		case INT4OID:
			memcpy(&medium, at, sizeof(medium));
			return Int32GetDatum((int32) pg_ntoh32(medium));
		case INT8OID:
			return Int64GetDatum(read_int64(at));
		default:
			return UUIDPGetDatum((const pg_uuid_t *) at);
	}
}

void
sql_packed_read(const IdentType *key_type, const IdentType *other_type,
				Datum value, Datum *values, bool *nulls)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	const char *at = VARDATA_ANY(packed);
	int64		left;

	if (VARSIZE_ANY_EXHDR(packed) != key_type->typlen + other_type->typlen + 2 * sizeof(int64))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("a server answered with a visit of %zu bytes", (Size) VARSIZE_ANY_EXHDR(packed)),
				 errhint("Look whether it is a PostgreSQL server whose pg_catalog was not changed.")));
	values[0] = read_key(key_type, at);
	at += key_type->typlen;
	values[1] = read_key(other_type, at);
	at += other_type->typlen;
	values[2] = TimestampTzGetDatum(read_int64(at));
	left = read_int64(at + sizeof(int64));
	values[3] = TimestampTzGetDatum(left);
	nulls[0] = nulls[1] = nulls[2] = false;
	nulls[3] = left == NO_TIME;
}
