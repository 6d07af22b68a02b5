/*-------------------------------------------------------------------------
 *
 * image.c
 *	  Row images, and the hashes over them
 *
 * A row image is the row's columns in the layout's order as COPY (FORMAT
 * binary) sends them under client encoding UTF8: the number of columns, then
 * for each its length and the output of its type's send function, or -1 for a
 * null.  What it must not depend on is who inserts or verifies: send functions
 * convert text to the client's encoding, so that is switched to UTF8 around
 * them.  (Under SQL_ASCII, where nobody knows what the bytes mean, they are
 * taken as they are.)
 *
 * The common types are written here, without a call or an allocation.  Which
 * they are is decided by the type's send function, so domains are included.
 *
 * Image and prefix are built in one buffer and hashed at once.  A field that
 * would make the buffer large is fed to the digest by itself, so that a row of
 * any size can be hashed.
 *
 * Memory: the hasher's own context; what send functions and detoasting leave
 * is dropped after each row that needed them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_range.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "chain/image.h"
#include "compat.h"

#define BUFFER_SIZE 16384
/* A field that is longer goes to the digest without a stop in the buffer. */
#define FIELD_MAX_LEN 4096

typedef enum FieldWriter
{
	WRITE_BYTE,
	WRITE_INT16,
	WRITE_INT32,
	WRITE_INT64,
	WRITE_FLOAT4,
	WRITE_FLOAT8,
	WRITE_UUID,
	WRITE_BYTES,				/* a varlena's, as they are */
	WRITE_TEXT,					/* the same, in UTF8 */
	WRITE_SENT					/* what the send function gives */
} FieldWriter;

struct ImageColumn
{
	AttrNumber	attno;
	FieldWriter writer;
	FmgrInfo	send;
};

struct RowHasher
{
	pg_uuid_t	chain;
	MemoryContext scratch;		/* for one row */
	bool		scratch_used;
	CryptoSha256 *digest;		/* of a row that outgrew the buffer, or NULL */
	Size		used;
	uint8		buffer[BUFFER_SIZE];
};

/*
 * Shapes
 */

static FieldWriter
choose_writer(Oid send)
{
	switch (send)
	{
		case F_BOOLSEND:
		case F_CHARSEND:
			return WRITE_BYTE;
		case F_INT2SEND:
			return WRITE_INT16;
		case F_INT4SEND:
		case F_OIDSEND:
		case F_DATE_SEND:
			return WRITE_INT32;
		case F_FLOAT4SEND:
			return WRITE_FLOAT4;
		case F_INT8SEND:
		case F_TIMESTAMP_SEND:
		case F_TIMESTAMPTZ_SEND:
		case F_TIME_SEND:
		case F_CASH_SEND:
			return WRITE_INT64;
		case F_FLOAT8SEND:
			return WRITE_FLOAT8;
		case F_UUID_SEND:
			return WRITE_UUID;
		case F_BYTEASEND:
			return WRITE_BYTES;
		case F_TEXTSEND:
		case F_VARCHARSEND:
		case F_BPCHARSEND:
		case F_JSON_SEND:
			/* No conversion: neither between UTF8 and UTF8, nor of SQL_ASCII. */
			return GetDatabaseEncoding() == PG_UTF8 ||
				GetDatabaseEncoding() == PG_SQL_ASCII ? WRITE_BYTES : WRITE_TEXT;
		default:
			return WRITE_SENT;
	}
}

static AttrNumber
find_attribute(TupleDesc tupdesc, const NameData *name)
{
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && attribute->attgenerated == '\0' &&
			strcmp(NameStr(attribute->attname), NameStr(*name)) == 0)
			return i + 1;
	}
	return InvalidAttrNumber;
}

RowShape *
row_shape(TupleDesc tupdesc, const Layout *layout)
{
	RowShape   *shape = palloc_object(RowShape);

	shape->layout = layout->number;
	shape->ncolumns = layout->ncolumns;
	shape->columns = palloc0_array(ImageColumn, layout->ncolumns);
	for (int i = 0; i < layout->ncolumns; i++)
	{
		ImageColumn *column = &shape->columns[i];
		Oid			type = layout->types[i];
		Oid			send;
		bool		varlena;

		column->attno = find_attribute(tupdesc, &layout->columns[i]);
		if (column->attno == InvalidAttrNumber ||
			!image_types_agree(type, TupleDescAttr(tupdesc, column->attno - 1)->atttypid))
			return NULL;
		getTypeBinaryOutputInfo(type, &send, &varlena);
		column->writer = choose_writer(send);
		if (column->writer == WRITE_SENT)
			fmgr_info(send, &column->send);
	}
	return shape;
}

void
row_settle(const RowShape *shape, Datum *values, const bool *nulls)
{
	for (int i = 0; i < shape->ncolumns; i++)
	{
		int			at = shape->columns[i].attno - 1;

		if (nulls[at])
			continue;
		if (shape->columns[i].writer == WRITE_FLOAT4 && isnan(DatumGetFloat4(values[at])))
			values[at] = Float4GetDatum(get_float4_nan());
		else if (shape->columns[i].writer == WRITE_FLOAT8 && isnan(DatumGetFloat8(values[at])))
			values[at] = Float8GetDatum(get_float8_nan());
	}
}

/*
 * Types
 */

/* The type's strings are stored, and sent, as text's are. */
static bool
is_string(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

bool
type_exists(Oid type)
{
	return SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type));
}

bool
image_types_agree(Oid a, Oid b)
{
	if (a == b)
		return true;
	if (!type_exists(a) || !type_exists(b))
		return false;
	a = getBaseType(a);
	b = getBaseType(b);
	return a == b || (is_string(a) && is_string(b));
}

static Oid
send_function(Oid type)
{
	return GetSysCacheOid1(TYPEOID, Anum_pg_type_typsend, ObjectIdGetDatum(type));
}

bool
image_type_stable(Oid type, const char **reason)
{
	Oid			base = getBaseType(type);
	Oid			element;
	Oid			send;

	switch (base)
	{
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
		case REGNAMESPACEOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGROLEOID:
		case REGTYPEOID:
			*reason = "is sent as an OID, and that of the same object is another one after a restore";
			return false;
		default:
			break;
	}
	if (get_typtype(base) == TYPTYPE_COMPOSITE || get_typtype(base) == TYPTYPE_PSEUDO)
	{
		*reason = "is sent with the OIDs of its columns' types, which may be others after a restore";
		return false;
	}
	send = send_function(base);
	if (!OidIsValid(send))
	{
		*reason = "has no binary form";
		return false;
	}
	if (get_typtype(base) == TYPTYPE_MULTIRANGE)
		return image_type_stable(get_multirange_range(base), reason);
	if (get_typtype(base) == TYPTYPE_RANGE)
		return image_type_stable(get_range_subtype(base), reason);
	element = get_base_element_type(base);
	if (OidIsValid(element) && send == F_ARRAY_SEND)
	{
		if (element >= FirstGenbkiObjectId)
		{
			*reason = "is sent with the OID of its elements' type, which may be another one after a restore";
			return false;
		}
		return image_type_stable(element, reason);
	}
	return true;
}

/*
 * Hashers
 */

RowHasher *
row_hasher_create(const pg_uuid_t *chain)
{
	RowHasher  *hasher = palloc_object(RowHasher);

	hasher->chain = *chain;
	hasher->scratch = AllocSetContextCreate(CurrentMemoryContext, "anshim row image",
											ALLOCSET_DEFAULT_SIZES);
	hasher->scratch_used = false;
	hasher->digest = NULL;
	hasher->used = 0;
	return hasher;
}

void
row_hasher_set_chain(RowHasher *hasher, const pg_uuid_t *chain)
{
	hasher->chain = *chain;
}

void
row_hasher_free(RowHasher *hasher)
{
	MemoryContextDelete(hasher->scratch);
	pfree(hasher);
}

static void
flush(RowHasher *hasher)
{
	if (hasher->digest == NULL)
		hasher->digest = crypto_sha256_begin();
	crypto_sha256_add(hasher->digest, hasher->buffer, hasher->used);
	hasher->used = 0;
}

static void
finish(RowHasher *hasher, uint8 hash[LINK_HASH_LEN])
{
	if (likely(hasher->digest == NULL))
	{
		crypto_sha256(hasher->buffer, hasher->used, hash);
		return;
	}
	flush(hasher);
	crypto_sha256_end(hasher->digest, hash);
	crypto_sha256_free(hasher->digest);
	hasher->digest = NULL;
}

/* Room for a short field; the caller fills it. */
static inline uint8 *
extend(RowHasher *hasher, Size len)
{
	uint8	   *room;

	Assert(len <= FIELD_MAX_LEN + sizeof(int32));
	if (unlikely(hasher->used + len > BUFFER_SIZE))
		flush(hasher);
	room = hasher->buffer + hasher->used;
	hasher->used += len;
	return room;
}

static inline void
put_length(uint8 *to, int32 len)
{
	uint32		bytes = pg_hton32((uint32) len);

	memcpy(to, &bytes, sizeof(bytes));
}

static void
write_field(RowHasher *hasher, const void *bytes, Size len)
{
	uint8	   *to;

	if (unlikely(len > FIELD_MAX_LEN))
	{
		put_length(extend(hasher, sizeof(int32)), (int32) len);
		flush(hasher);
		crypto_sha256_add(hasher->digest, bytes, len);
		return;
	}
	to = extend(hasher, sizeof(int32) + len);
	put_length(to, (int32) len);
	memcpy(to + sizeof(int32), bytes, len);
}

static void
write_null(RowHasher *hasher)
{
	put_length(extend(hasher, sizeof(int32)), -1);
}

static inline MemoryContext
enter_scratch(RowHasher *hasher)
{
	hasher->scratch_used = true;
	return MemoryContextSwitchTo(hasher->scratch);
}

static void
write_varlena(RowHasher *hasher, Datum value, bool is_text)
{
	struct varlena *varlena = (struct varlena *) DatumGetPointer(value);
	MemoryContext outside = NULL;
	char	   *bytes;
	int			len;

	if (is_text || VARATT_IS_EXTENDED(varlena))
	{
		outside = enter_scratch(hasher);
		varlena = pg_detoast_datum_packed(varlena);
	}
	bytes = VARDATA_ANY(varlena);
	len = VARSIZE_ANY_EXHDR(varlena);
	if (is_text)
	{
		char	   *utf8 = pg_server_to_any(bytes, len, PG_UTF8);

		if (utf8 != bytes)
		{
			bytes = utf8;
			len = strlen(utf8);
		}
	}
	write_field(hasher, bytes, len);
	if (outside != NULL)
		MemoryContextSwitchTo(outside);
}

/*
 * Calls of send functions, with text going to where an image wants it
 */
static bytea *
send_value(ImageColumn *column, Datum value)
{
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_SQL_ASCII : PG_UTF8;
	int			old_encoding = pg_get_client_encoding();
	bytea	   *sent = NULL;

	if (likely(encoding == old_encoding))
		return SendFunctionCall(&column->send, value);

	if (PrepareClientEncoding(encoding) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("conversion between %s and %s is not supported",
						GetDatabaseEncodingName(), pg_encoding_to_char(encoding)),
				 errhint("Create the default conversion again, or use a database with encoding UTF8.")));
	PG_TRY();
	{
		SetClientEncoding(encoding);
		sent = SendFunctionCall(&column->send, value);
	}
	PG_FINALLY();
	{
		SetClientEncoding(old_encoding);
	}
	PG_END_TRY();
	return sent;
}

static void
write_sent(RowHasher *hasher, ImageColumn *column, Datum value)
{
	MemoryContext outside = enter_scratch(hasher);
	bytea	   *sent = send_value(column, value);

	write_field(hasher, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
	MemoryContextSwitchTo(outside);
}

static inline void
write_int32(RowHasher *hasher, int32 value)
{
	uint8	   *to = extend(hasher, sizeof(int32) + sizeof(int32));

	put_length(to, sizeof(int32));
	put_length(to + sizeof(int32), value);
}

static inline void
write_int64(RowHasher *hasher, int64 value)
{
	uint8	   *to = extend(hasher, sizeof(int32) + sizeof(int64));
	uint64		bytes = pg_hton64((uint64) value);

	put_length(to, sizeof(int64));
	memcpy(to + sizeof(int32), &bytes, sizeof(bytes));
}

static inline void
write_column(RowHasher *hasher, ImageColumn *column, Datum value)
{
	uint8		byte;
	uint16		int16_bytes;

	switch (column->writer)
	{
		case WRITE_BYTE:
			byte = DatumGetUInt8(value);
			write_field(hasher, &byte, sizeof(byte));
			break;
		case WRITE_INT16:
			int16_bytes = pg_hton16((uint16) DatumGetInt16(value));
			write_field(hasher, &int16_bytes, sizeof(int16_bytes));
			break;
		case WRITE_INT32:
		case WRITE_FLOAT4:		/* the same bits */
			write_int32(hasher, DatumGetInt32(value));
			break;
		case WRITE_INT64:
		case WRITE_FLOAT8:
			write_int64(hasher, DatumGetInt64(value));
			break;
		case WRITE_UUID:
			write_field(hasher, DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case WRITE_BYTES:
			write_varlena(hasher, value, false);
			break;
		case WRITE_TEXT:
			write_varlena(hasher, value, true);
			break;
		case WRITE_SENT:
			write_sent(hasher, column, value);
			break;
	}
}

void
row_hash(RowHasher *hasher, const RowShape *shape, const Link *link,
		 const uint8 previous[LINK_HASH_LEN], const Datum *values, const bool *nulls,
		 uint8 hash[LINK_HASH_LEN])
{
	uint16		ncolumns = pg_hton16((uint16) shape->ncolumns);

	/* An error may have left something of another row. */
	hasher->used = LINK_PREFIX_LEN;
	hasher->digest = NULL;
	link_prefix(hasher->buffer, hasher->chain.data, link->strand, link->layout, link->seq,
				previous);
	memcpy(extend(hasher, sizeof(ncolumns)), &ncolumns, sizeof(ncolumns));
	for (int i = 0; i < shape->ncolumns; i++)
	{
		ImageColumn *column = &shape->columns[i];

		if (nulls[column->attno - 1])
			write_null(hasher);
		else
			write_column(hasher, column, values[column->attno - 1]);
	}
	finish(hasher, hash);
	if (hasher->scratch_used)
	{
		MemoryContextReset(hasher->scratch);
		hasher->scratch_used = false;
	}
}
