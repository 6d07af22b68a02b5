/*-------------------------------------------------------------------------
 *
 * cbor_oracle.c
 *	  A second opinion on what deterministic CBOR is
 *
 * The reader in src/token checks rule after rule while it goes along.  This
 * one comes from the other side: it decodes any well-formed item, however it
 * is encoded, encodes what it means deterministically, and accepts the item
 * if that gives the same bytes.  It shares no code with the other, recurses
 * and allocates as it likes, and leaves floats to the compiler.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "cbor_oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Thrown away in one go after each question. */
typedef struct OracleChunk
{
	struct OracleChunk *next;
} OracleChunk;

typedef struct OracleBuffer
{
	uint8	   *data;
	size_t		len;
} OracleBuffer;

typedef struct OracleReader
{
	const uint8 *p;
	const uint8 *end;
	bool		invalid;		/* well-formed perhaps, but not to be had */
	OracleChunk *chunks;
} OracleReader;

static bool decode(OracleReader *r, int depth, OracleBuffer *out);

static uint8 *
get_memory(OracleReader *r, size_t size)
{
	OracleChunk *chunk = malloc(sizeof(OracleChunk) + size);

	if (chunk == NULL)
		abort();
	chunk->next = r->chunks;
	r->chunks = chunk;
	return (uint8 *) (chunk + 1);
}

static void
append(OracleReader *r, OracleBuffer *out, const uint8 *data, size_t len)
{
	uint8	   *joined = get_memory(r, out->len + len);

	if (out->len > 0)
		memcpy(joined, out->data, out->len);
	if (len > 0)
		memcpy(joined + out->len, data, len);
	out->data = joined;
	out->len += len;
}

static void
append_head(OracleReader *r, OracleBuffer *out, int major, uint64 n)
{
	uint8		head[9];
	int			width = n < 24 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 :
		n < 0x100000000 ? 4 : 8;

	head[0] = (uint8) (major * 32 + (width == 0 ? (int) n : width == 1 ? 24 :
									 width == 2 ? 25 : width == 4 ? 26 : 27));
	for (int i = width; i > 0; i--, n /= 256)
		head[i] = (uint8) (n % 256);
	append(r, out, head, (size_t) width + 1);
}

/* The double that a half of this number is. */
static double
half(unsigned bits)
{
	double		sign = bits >= 0x8000 ? -1 : 1;
	int			exponent = (int) (bits / 0x400 % 32);
	double		fraction = bits % 0x400;

	if (exponent == 31)
		return fraction == 0 ? sign * INFINITY : NAN;
	if (exponent == 0)
		return sign * fraction * ldexp(1, -24);
	return sign * (1 + fraction / 1024) * ldexp(1, exponent - 15);
}

/* Tries the widths from the shortest on: by looking for a half that equals. */
static void
append_float(OracleReader *r, OracleBuffer *out, double value)
{
	static double halves[0x10000];
	static bool ready = false;
	uint8		item[9];
	int			width;
	unsigned	low = 0;
	unsigned	high = 0x7c00;
	uint64		bits;
	float		single;

	if (!ready)
	{
		for (unsigned i = 0; i < 0x10000; i++)
			halves[i] = half(i);
		ready = true;
	}

	if (isnan(value))
	{
		append(r, out, (const uint8 *) "\xf9\x7e\x00", 3);
		return;
	}

	/* positive halves ascend with their bits: bisect */
	while (low < high)
	{
		unsigned	middle = (low + high) / 2;

		if (halves[middle] < fabs(value))
			low = middle + 1;
		else
			high = middle;
	}

	single = fabs(value) > 3.4028235677973366e38 ? NAN : (float) value;
	if (halves[low] == fabs(value))
	{
		bits = low + (signbit(value) ? 0x8000 : 0);
		width = 2;
	}
	else if ((double) single == value)
	{
		unsigned	single_bits;

		memcpy(&single_bits, &single, 4);
		bits = single_bits;
		width = 4;
	}
	else
	{
		memcpy(&bits, &value, 8);
		width = 8;
	}

	item[0] = (uint8) (0xf8 + (width == 2 ? 1 : width == 4 ? 2 : 3));
	for (int i = width; i > 0; i--, bits /= 256)
		item[i] = (uint8) (bits % 256);
	append(r, out, item, (size_t) width + 1);
}

static bool
text_is_valid(const uint8 *p, size_t len)
{
	static const uint32 least[] = {1, 0x80, 0x800, 0x10000};

	for (size_t i = 0; i < len;)
	{
		size_t		more = p[i] < 0x80 ? 0 : p[i] / 32 == 6 ? 1 :
			p[i] / 16 == 14 ? 2 : p[i] / 8 == 30 ? 3 : len;
		uint32		c;

		if (i + more >= len)
			return false;
		c = more == 0 ? p[i] : p[i] % (more == 1 ? 32 : more == 2 ? 16 : 8);
		for (size_t k = 1; k <= more; k++)
		{
			if (p[i + k] / 64 != 2)
				return false;
			c = c * 64 + p[i + k] % 64;
		}
		if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
		i += more + 1;
	}
	return true;
}

/* The argument of a head; false at the end of input and for reserved ones. */
static bool
argument(OracleReader *r, int info, uint64 *n)
{
	int			width;

	if (info < 24)
	{
		*n = (uint64) info;
		return true;
	}
	if (info > 27)
		return false;
	width = info == 24 ? 1 : info == 25 ? 2 : info == 26 ? 4 : 8;
	if (r->end - r->p < width)
		return false;
	*n = 0;
	for (int i = 0; i < width; i++)
		*n = *n * 256 + *r->p++;
	return true;
}

static int
compare_buffers(const void *a, const void *b)
{
	const OracleBuffer *x = a;
	const OracleBuffer *y = b;
	int			order = memcmp(x->data, y->data,
							   x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static bool
decode_map(OracleReader *r, uint64 pairs, int depth, OracleBuffer *out)
{
	OracleBuffer *keys;
	size_t		count = (size_t) pairs;

	/* key and value together sort as the key alone does */
	if (pairs > (uint64) (r->end - r->p) / 2)
		return false;
	keys = (OracleBuffer *) get_memory(r, (count + 1) * 2 * sizeof(OracleBuffer));
	for (size_t i = 0; i < count; i++)
	{
		OracleBuffer value = {NULL, 0};

		keys[i].data = NULL;
		keys[i].len = 0;
		if (!decode(r, depth, &keys[i]))
			return false;
		keys[count + i] = keys[i];
		if (!decode(r, depth, &value))
			return false;
		append(r, &keys[i], value.data, value.len);
	}
	if (count > 0)
	{
		qsort(keys, count, sizeof(OracleBuffer), compare_buffers);
		qsort(keys + count, count, sizeof(OracleBuffer), compare_buffers);
	}
	append_head(r, out, 5, pairs);
	for (size_t i = 0; i < count; i++)
	{
		append(r, out, keys[i].data, keys[i].len);
		if (i > 0 && compare_buffers(&keys[count + i - 1], &keys[count + i]) == 0)
			r->invalid = true;
	}
	return true;
}

static bool
decode_tag(OracleReader *r, uint64 tag, int depth, OracleBuffer *out)
{
	OracleBuffer content = {NULL, 0};
	const uint8 *p;
	size_t		len;

	append_head(r, out, 6, tag);
	if (!decode(r, depth, &content))
		return false;
	append(r, out, content.data, content.len);

	if (tag != 2 && tag != 3 && tag != 37)
		return true;
	if (content.data[0] / 32 != 2)
	{
		r->invalid = true;
		return true;
	}

	/* a byte string, written above, so that its head is a sound one */
	len = content.len - 1;
	if (content.data[0] % 32 >= 24)
		len -= (size_t) 1 << (content.data[0] % 32 - 24);
	p = content.data + content.len - len;
	if (tag == 37 ? len != 16 : (len <= 8 || p[0] == 0))
		r->invalid = true;
	return true;
}

static bool
decode_string(OracleReader *r, int major, uint64 n, OracleBuffer *out)
{
	if (n > (uint64) (r->end - r->p))
		return false;
	if (major == 3 && !text_is_valid(r->p, (size_t) n))
		r->invalid = true;
	append_head(r, out, major, n);
	append(r, out, r->p, (size_t) n);
	r->p += n;
	return true;
}

static bool
decode_simple(OracleReader *r, int info, uint64 n, OracleBuffer *out)
{
	uint32		bits = (uint32) n;
	float		single;
	double		value;

	if (info == 24 && n < 32)
		return false;
	if (info <= 24)
	{
		append_head(r, out, 7, n);
		return true;
	}
	if (info == 25)
		value = half((unsigned) n);
	else if (info == 26)
	{
		memcpy(&single, &bits, 4);
		value = single;
	}
	else
		memcpy(&value, &n, 8);
	append_float(r, out, value);
	return true;
}

/* `depth` is how many containers may still be entered. */
static bool
decode(OracleReader *r, int depth, OracleBuffer *out)
{
	int			major;
	int			info;
	uint64		n;

	if (r->p == r->end)
		return false;
	major = *r->p / 32;
	info = *r->p++ % 32;

	/* indefinite lengths would be encoded otherwise in any case */
	if (!argument(r, info, &n))
		return false;

	if (major >= 4 && major <= 6 && depth == 0 && (major == 6 || n > 0))
		return false;
	switch (major)
	{
		case 0:
		case 1:
			append_head(r, out, major, n);
			return true;
		case 2:
		case 3:
			return decode_string(r, major, n, out);
		case 4:
			append_head(r, out, 4, n);
			for (uint64 i = 0; i < n; i++)
			{
				if (!decode(r, depth - 1, out))
					return false;
			}
			return true;
		case 5:
			return decode_map(r, n, depth - 1, out);
		case 6:
			return decode_tag(r, n, depth - 1, out);
		default:
			return decode_simple(r, info, n, out);
	}
}

bool
oracle_accepts(const uint8 *bytes, size_t len, int depth)
{
	OracleReader r = {bytes, bytes + len, false, NULL};
	OracleBuffer out = {NULL, 0};
	bool		accepts;

	accepts = decode(&r, depth, &out) && !r.invalid && r.p == r.end &&
		out.len == len && memcmp(out.data, bytes, len) == 0;

	while (r.chunks != NULL)
	{
		OracleChunk *next = r.chunks->next;

		free(r.chunks);
		r.chunks = next;
	}
	return accepts;
}
