/*-------------------------------------------------------------------------
 *
 * row_fuzz.c
 *	  Fuzz target: rows, and the hashes of their images
 *
 * A row has columns of any of the types whose images are written without a
 * call, of one that is sent by its type's function, and of sizes about those
 * at which the image leaves its buffer.  A few rows go through one hasher, as
 * they do in a server; some raise an error halfway.  What must hold, besides
 * that no sanitizer complains:
 *
 *	- the hash is SHA-256 of the prefix and the image, which are put together
 *	  here from the words of docs/formats.md alone;
 *	- an error leaves the client's encoding as it was, and the hasher good for
 *	  the next row;
 *	- a digest is freed, and nothing stays in the caller's memory context.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "chain/image.h"
#include "compat.h"
#include "fuzz.h"
#include "server.h"

#define COLUMNS_MAX 12
#define ROWS_MAX 4
#define VALUE_MAX 20000
#define IMAGE_MAX (4096 + COLUMNS_MAX * 2 * VALUE_MAX)
#define ERRCODE_OF_TYPE ERRCODE_DATA_EXCEPTION

typedef struct TypeUnderTest
{
	Oid			type;
	Oid			send;
	int			size;			/* of the image; -1: it varies */
} TypeUnderTest;

static const TypeUnderTest types[] = {
	{BOOLOID, F_BOOLSEND, 1},
	{CHAROID, F_CHARSEND, 1},
	{INT2OID, F_INT2SEND, 2},
	{INT4OID, F_INT4SEND, 4},
	{OIDOID, F_OIDSEND, 4},
	{DATEOID, F_DATE_SEND, 4},
	{FLOAT4OID, F_FLOAT4SEND, 4},
	{INT8OID, F_INT8SEND, 8},
	{TIMESTAMPTZOID, F_TIMESTAMPTZ_SEND, 8},
	{FLOAT8OID, F_FLOAT8SEND, 8},
	{UUIDOID, F_UUID_SEND, 16},
	{BYTEAOID, F_BYTEASEND, -1},
	{TEXTOID, F_TEXTSEND, -1},
	{JSONOID, F_JSON_SEND, -1},
	{NUMERICOID, F_NUMERIC_SEND, -1}	/* stands for all others */
};

/* What the row image should be. */
static uint8 image[IMAGE_MAX];
static Size image_len;

/* The server that there is not */
static int	database_encoding;
static int	client_encoding;
static bool no_conversion;		/* there is none between the two */
static bool fails;				/* a type's send function raises an error */
static CryptoSha256 *digests;	/* those that are open */

/*
 * What image.c asks of a server
 */

struct CryptoSha256
{
	EVP_MD_CTX *ctx;
	CryptoSha256 *next;
};

void
crypto_sha256(const void *data, Size len, uint8 digest[CRYPTO_SHA256_LEN])
{
	MUST(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1);
}

CryptoSha256 *
crypto_sha256_begin(void)
{
	CryptoSha256 *hash = malloc(sizeof(CryptoSha256));

	MUST(hash != NULL);
	hash->ctx = EVP_MD_CTX_new();
	MUST(hash->ctx != NULL && EVP_DigestInit_ex(hash->ctx, EVP_sha256(), NULL) == 1);
	hash->next = digests;
	digests = hash;
	return hash;
}

void
crypto_sha256_add(CryptoSha256 *hash, const void *data, Size len)
{
	MUST(EVP_DigestUpdate(hash->ctx, data, len) == 1);
}

void
crypto_sha256_end(CryptoSha256 *hash, uint8 digest[CRYPTO_SHA256_LEN])
{
	MUST(EVP_DigestFinal_ex(hash->ctx, digest, NULL) == 1);
}

void
crypto_sha256_free(CryptoSha256 *hash)
{
	MUST(digests == hash);
	digests = hash->next;
	EVP_MD_CTX_free(hash->ctx);
	free(hash);
}

static const TypeUnderTest *
find_type(Oid type)
{
	for (int i = 0; i < lengthof(types); i++)
		if (types[i].type == type)
			return &types[i];
	abort();
}

Oid
getBaseType(Oid typid)
{
	return typid;
}

void
getTypeBinaryOutputInfo(Oid type, Oid *typSend, bool *typIsVarlena)
{
	*typSend = find_type(type)->send;
	*typIsVarlena = find_type(type)->size < 0;
}

void
fmgr_info(Oid functionId, FmgrInfo *finfo)
{
	finfo->fn_oid = functionId;
}

int
GetDatabaseEncoding(void)
{
	return database_encoding;
}

const char *
GetDatabaseEncodingName(void)
{
	return "";
}

int
pg_get_client_encoding(void)
{
	return client_encoding;
}

int
PrepareClientEncoding(int encoding)
{
	return no_conversion ? -1 : 0;
}

int
SetClientEncoding(int encoding)
{
	client_encoding = encoding;
	return 0;
}

/* From LATIN1, which is what a database has here that is not UTF8. */
static Size
to_utf8(const uint8 *from, Size len, uint8 *to)
{
	Size		n = 0;

	for (Size i = 0; i < len; i++)
	{
		if (from[i] < 0x80)
			to[n++] = from[i];
		else
		{
			to[n++] = 0xc0 | from[i] >> 6;
			to[n++] = 0x80 | (from[i] & 0x3f);
		}
	}
	return n;
}

char *
pg_server_to_any(const char *s, int len, int encoding)
{
	char	   *to;

	MUST(encoding == PG_UTF8 && database_encoding == PG_LATIN1);
	if (len == 0)
		return unconstify(char *, s);
	to = palloc(2 * len + 1);
	to[to_utf8((const uint8 *) s, len, (uint8 *) to)] = '\0';
	return to;
}

/* What is compressed here is as it was. */
struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	struct varlena *copy;

	if (!VARATT_IS_COMPRESSED(datum))
		return datum;
	copy = palloc(VARSIZE(datum));
	memcpy(copy, datum, VARSIZE(datum));
	SET_VARSIZE(copy, VARSIZE(datum));
	return copy;
}

/* As numeric's does: whatever the bytes, the server's encoding plays no part. */
bytea *
SendFunctionCall(FmgrInfo *flinfo, Datum val)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(val);
	bytea	   *sent = palloc(VARSIZE_ANY_EXHDR(value) + VARHDRSZ);

	MUST(flinfo->fn_oid == F_NUMERIC_SEND);
	MUST(client_encoding == (database_encoding == PG_SQL_ASCII ? PG_SQL_ASCII : PG_UTF8));
	if (fails)
		ereport(ERROR, errcode(ERRCODE_OF_TYPE), errmsg("of the type"));
	memcpy(VARDATA(sent), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	SET_VARSIZE(sent, VARSIZE_ANY_EXHDR(value) + VARHDRSZ);
	return sent;
}

/*
 * The oracle: an image as docs/formats.md describes it
 */

static void
put(const void *bytes, Size len)
{
	MUST(image_len + len <= IMAGE_MAX);
	memcpy(image + image_len, bytes, len);
	image_len += len;
}

/* The lower n bytes, the highest first. */
static void
put_number(uint64 number, int n)
{
	while (n-- > 0)
	{
		uint8		byte = (uint8) (number >> (8 * n));

		put(&byte, 1);
	}
}

static void
put_value(const TypeUnderTest *type, const uint8 *bytes, Size len)
{
	bool		converted = (type->type == TEXTOID || type->type == JSONOID) &&
		database_encoding == PG_LATIN1;

	if (converted)
	{
		uint8	   *utf8 = malloc(2 * len + 1);
		Size		utf8_len;

		MUST(utf8 != NULL);
		utf8_len = to_utf8(bytes, len, utf8);
		put_number(utf8_len, 4);
		put(utf8, utf8_len);
		free(utf8);
	}
	else
	{
		put_number(len, 4);
		put(bytes, len);
	}
}

/*
 * Values
 */

/* A number of n bytes, and the same in the image. */
static Datum
make_number(const TypeUnderTest *type, FuzzBytes *input)
{
	uint64		number = 0;

	/* often a small one, or all ones: a NaN, for floats */
	for (int i = fuzz_byte(input) % 10; i > 0; i--)
		number = number << 8 | (i == 9 ? 0xff : fuzz_byte(input));
	put_number(type->size, 4);
	put_number(number, type->size);
	switch (type->size)
	{
		case 1:
			return CharGetDatum((char) number);
		case 2:
			return Int16GetDatum((int16) number);
		case 4:
			return Int32GetDatum((int32) number);
		default:
			return Int64GetDatum((int64) number);
	}
}

/* A varlena in one of the forms in which it may lie in a row. */
static Datum
make_varlena(const TypeUnderTest *type, FuzzBytes *input)
{
	static const int sizes[] = {0, 1, 126, 127, 4091, 4092, 4096, 4097, 8000, 12000, 16384, VALUE_MAX - 255};
	int			form = fuzz_byte(input);
	Size		len = sizes[form % lengthof(sizes)] + (form & 0x40 ? fuzz_byte(input) : 0);
	uint8		filler = fuzz_byte(input);
	struct varlena *value;
	uint8	   *bytes;

	if (form & 0x80 && len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		value = palloc(len + VARHDRSZ_SHORT);
		SET_VARSIZE_SHORT(value, len + VARHDRSZ_SHORT);
	}
	else
	{
		value = palloc(len + VARHDRSZ);
		if (form & 0x80 && type->send != F_NUMERIC_SEND)
			SET_VARSIZE_COMPRESSED(value, len + VARHDRSZ);
		else
			SET_VARSIZE(value, len + VARHDRSZ);
	}
	bytes = VARATT_IS_1B(value) ? (uint8 *) VARDATA_SHORT(value) : (uint8 *) VARDATA(value);

	for (Size i = 0; i < len; i++)
	{
		bytes[i] = i < 8 ? fuzz_byte(input) : filler + i;
		if (bytes[i] == 0)
			bytes[i] = 1;		/* no text has a zero in it */
	}
	put_value(type, bytes, len);
	return PointerGetDatum(value);
}

static Datum
make_value(const TypeUnderTest *type, FuzzBytes *input)
{
	uint8	   *bytes;

	if (type->size < 0)
		return make_varlena(type, input);
	if (type->size <= 8)
		return make_number(type, input);
	bytes = palloc(type->size);
	for (int i = 0; i < type->size; i++)
		bytes[i] = fuzz_byte(input);
	put_value(type, bytes, type->size);
	return PointerGetDatum(bytes);
}

/*
 * Rows
 */

typedef struct RowInput
{
	FuzzBytes  *bytes;
	const TypeUnderTest *types[COLUMNS_MAX];
	Layout		layout;
	int			places[COLUMNS_MAX];	/* in the table, from 0 */
	TupleDesc	tupdesc;
	RowShape   *shape;
	RowHasher  *hasher;

	/* one row */
	Link		link;
	uint8		previous[LINK_HASH_LEN];
	Datum		values[COLUMNS_MAX + 1];
	bool		nulls[COLUMNS_MAX + 1];
	uint8		hash[LINK_HASH_LEN];
} RowInput;

static void
put_name(NameData *name, int number)
{
	memset(name, 0, sizeof(NameData));
	snprintf(NameStr(*name), NAMEDATALEN, "column %d", number);
}

/* A table with these columns, in another order, and with one that was dropped. */
static void
make_table(RowInput *row, int ncolumns)
{
	int			turn = fuzz_byte(row->bytes);
	int			natts = ncolumns + 1;

	row->layout.number = fuzz_byte(row->bytes);
	row->layout.ncolumns = ncolumns;
	row->layout.columns = palloc(ncolumns * sizeof(NameData));
	row->layout.types = palloc(ncolumns * sizeof(Oid));

	/* room for what there is of an attribute, in all versions */
	row->tupdesc = palloc0(sizeof(struct TupleDescData) + natts * 2 * sizeof(FormData_pg_attribute));
	row->tupdesc->natts = natts;
	TupleDescAttr(row->tupdesc, turn % natts)->attisdropped = true;
	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute attribute;

		row->types[i] = &types[fuzz_byte(row->bytes) % lengthof(types)];
		put_name(&row->layout.columns[i], i);
		row->layout.types[i] = row->types[i]->type;
		row->places[i] = (turn + 1 + i) % natts;
		attribute = TupleDescAttr(row->tupdesc, row->places[i]);
		put_name(&attribute->attname, i);
		attribute->atttypid = row->types[i]->type;
	}
	row->shape = row_shape(row->tupdesc, &row->layout);
	MUST(row->shape != NULL && row->shape->ncolumns == ncolumns);
}

/* One row, and what has to be hashed of it. */
static void
make_row(RowInput *row, const pg_uuid_t *chain)
{
	int			nulls = fuzz_byte(row->bytes) << 8 | fuzz_byte(row->bytes);

	row->link.strand = fuzz_byte(row->bytes);
	row->link.layout = row->layout.number;
	row->link.seq = (int64) fuzz_byte(row->bytes) << 40 | fuzz_byte(row->bytes);
	for (int i = 0; i < LINK_HASH_LEN; i++)
		row->previous[i] = i < 4 ? fuzz_byte(row->bytes) : i;

	image_len = 0;
	put_number(2, 1);
	put(chain->data, UUID_LEN);
	put_number(row->link.strand, 4);
	put_number(row->link.layout, 4);
	put_number(row->link.seq, 8);
	put(row->previous, LINK_HASH_LEN);
	put_number(row->layout.ncolumns, 2);
	memset(row->nulls, true, sizeof(row->nulls));
	for (int i = 0; i < row->layout.ncolumns; i++)
	{
		if (nulls & 1 << i)
			put_number((uint64) -1, 4);
		else
		{
			row->nulls[row->places[i]] = false;
			row->values[row->places[i]] = make_value(row->types[i], row->bytes);
		}
	}
}

static void
hash_row(void *arg)
{
	RowInput   *row = arg;

	row_hash(row->hasher, row->shape, &row->link, row->previous, row->values, row->nulls,
			 row->hash);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	static const int encodings[] = {PG_UTF8, PG_LATIN1, PG_SQL_ASCII};
	FuzzBytes	bytes = {data, size};
	RowInput	row = {&bytes};
	int			setting = fuzz_byte(&bytes);
	int			nrows = 1 + setting / 64 % ROWS_MAX;
	int			client = encodings[setting / 4 % 3];
	pg_uuid_t	chain;

	database_encoding = encodings[setting % 4 % 3];
	for (int i = 0; i < UUID_LEN; i++)
		chain.data[i] = i < 2 ? fuzz_byte(&bytes) : i;
	server_begin();
	make_table(&row, fuzz_byte(&bytes) % (COLUMNS_MAX + 1));
	row.hasher = row_hasher_create(&chain);
	for (int i = 0; i < nrows; i++)
	{
		int			trouble = fuzz_byte(&bytes);
		uint8		expected[LINK_HASH_LEN];
		int			nblocks;

		no_conversion = (trouble & 3) == 1;
		fails = (trouble & 3) == 2;
		client_encoding = client;
		make_row(&row, &chain);
		crypto_sha256(image, image_len, expected);
		nblocks = server_blocks();
		if (server_try(hash_row, &row))
		{
			MUST(memcmp(row.hash, expected, LINK_HASH_LEN) == 0);
			MUST(digests == NULL);
			MUST(server_blocks() == nblocks);
		}
		else
		{
			MUST(fails || no_conversion);
			MUST(server_errcode == (fails ? ERRCODE_OF_TYPE : ERRCODE_FEATURE_NOT_SUPPORTED));
		}
		MUST(client_encoding == client);

		/* as the resource owner does */
		while (digests)
			crypto_sha256_free(digests);
	}
	row_hasher_free(row.hasher);
	server_end();
	return 0;
}
