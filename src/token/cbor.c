/*-------------------------------------------------------------------------
 *
 * cbor.c
 *	  Deterministic CBOR (RFC 8949, section 4.2.1), read and written
 *
 * cbor_item() walks nested items with a stack of its own, CBOR_MAX_DEPTH
 * frames deep.  A container's count is never believed further than the bytes
 * that are left, so no input makes the reader loop.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "cbor.h"

#include <string.h>

/* An array, map or tag that cbor_item() has begun and not yet finished. */
typedef struct CborFrame
{
	uint64		left;			/* items still to come; in a map, keys and
								 * values count one each */
	bool		is_map;
	const uint8 *item;			/* where the current item begins */
	ByteSpan	last_key;
} CborFrame;

static bool cbor_check_simple(CborCursor *cur, const CborHead *head,
							  const uint8 *where);
static bool cbor_check_text(CborCursor *cur, ByteSpan text);
static bool cbor_check_tag(CborCursor *cur, uint64 tag, const uint8 *where);
static bool cbor_check_key(CborCursor *cur, CborFrame *frame);
static bool cbor_complete(CborCursor *cur, CborFrame *stack, int *depth);
static bool cbor_fits_half(uint32 bits);
static bool cbor_fits_single(uint64 bits);
static uint64 cbor_half_to_double(uint32 half);
static uint64 cbor_single_to_double(uint32 single);
static uint32 cbor_double_to_single(uint64 bits);
static uint32 cbor_single_to_half(uint32 bits);

void
cbor_open(CborCursor *cur, const uint8 *bytes, size_t len)
{
	cur->begin = bytes;
	cur->next = bytes;
	cur->end = bytes + len;
	cur->fault.code = CWT_SOUND;
	cur->fault.at = 0;
}

/* Opens a span inside of another cursor's bytes; faults count from there. */
void
cbor_enter(CborCursor *inner, const CborCursor *outer, ByteSpan span)
{
	cbor_open(inner, span.data, span.len);
	inner->begin = outer->begin;
}

/* Notes the first fault; always false. */
bool
cbor_fail(CborCursor *cur, CwtFaultCode code, const uint8 *where)
{
	cur->fault.code = code;
	cur->fault.at = (size_t) (where - cur->begin);
	return false;
}

/* Reads a head, and checks all that can be told from a head alone. */
bool
cbor_head(CborCursor *cur, CborHead *head)
{
	const uint8 *where = cur->next;
	uint64		value;
	int			width;

	if (where == cur->end)
		return cbor_fail(cur, CBOR_TRUNCATED, where);

	head->major = *where >> 5;
	head->info = *where & 0x1f;
	cur->next++;

	if (head->info < 24)
	{
		head->value = head->info;
		return true;
	}
	if (head->info > 27)
	{
		if (head->info == 31 &&
			(head->major >= CBOR_BYTES && head->major <= CBOR_MAP))
			return cbor_fail(cur, CBOR_INDEFINITE, where);
		return cbor_fail(cur, CBOR_RESERVED, where);
	}

	width = 1 << (head->info - 24);
	if (cur->end - cur->next < width)
		return cbor_fail(cur, CBOR_TRUNCATED, where);
	value = 0;
	for (int i = 0; i < width; i++)
		value = value << 8 | *cur->next++;
	head->value = value;

	if (head->major == CBOR_SIMPLE)
		return cbor_check_simple(cur, head, where);

	/* the next shorter form holds less than 24, or half as many bits */
	if (width == 1 ? value < 24 : value >> (width * 4) == 0)
		return cbor_fail(cur, CBOR_LONG_HEAD, where);
	return true;
}

/* A simple value of one more byte, or a float. */
static bool
cbor_check_simple(CborCursor *cur, const CborHead *head, const uint8 *where)
{
	bool		is_nan;
	bool		fits;

	switch (head->info)
	{
		case CBOR_INFO_BYTE:
			if (head->value < 32)
				return cbor_fail(cur, CBOR_BAD_SIMPLE, where);
			return true;
		case CBOR_INFO_HALF:
			is_nan = (head->value & 0x7fff) > 0x7c00 && head->value != 0x7e00;
			fits = false;
			break;
		case CBOR_INFO_SINGLE:
			is_nan = (head->value & 0x7fffffff) > 0x7f800000;
			fits = cbor_fits_half((uint32) head->value);
			break;
		default:
			is_nan = (head->value & ~(UINT64_C(1) << 63)) >
				UINT64_C(0x7ff0000000000000);
			fits = cbor_fits_single(head->value);
			break;
	}
	if (is_nan)
		return cbor_fail(cur, CBOR_BAD_NAN, where);
	if (fits)
		return cbor_fail(cur, CBOR_LONG_FLOAT, where);
	return true;
}

/* Takes the bytes of a byte or text string whose head was just read. */
bool
cbor_content(CborCursor *cur, const CborHead *head, ByteSpan *content)
{
	if (head->value > (uint64) (cur->end - cur->next))
		return cbor_fail(cur, CBOR_TRUNCATED, cur->next);

	content->data = cur->next;
	content->len = (size_t) head->value;
	if (head->major == CBOR_TEXT && !cbor_check_text(cur, *content))
		return false;
	cur->next += content->len;
	return true;
}

/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, no NUL. */
static bool
cbor_check_text(CborCursor *cur, ByteSpan text)
{
	const uint8 *p = text.data;
	const uint8 *end = text.data + text.len;

	while (p < end)
	{
		uint8		low = 0x80;
		uint8		high = 0xbf;
		int			more;

		if (*p < 0x80)
		{
			if (*p == 0)
				return cbor_fail(cur, CBOR_TEXT_NUL, p);
			p++;
			continue;
		}
		if (*p < 0xc2 || *p > 0xf4)
			return cbor_fail(cur, CBOR_BAD_UTF8, p);

		/* the second byte's range is narrower after some first bytes */
		more = *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
		if (*p == 0xe0)
			low = 0xa0;
		else if (*p == 0xed)
			high = 0x9f;
		else if (*p == 0xf0)
			low = 0x90;
		else if (*p == 0xf4)
			high = 0x8f;

		if (end - p <= more || p[1] < low || p[1] > high)
			return cbor_fail(cur, CBOR_BAD_UTF8, p);
		for (int i = 2; i <= more; i++)
		{
			if ((p[i] & 0xc0) != 0x80)
				return cbor_fail(cur, CBOR_BAD_UTF8, p);
		}
		p += more + 1;
	}
	return true;
}

/*
 * An item is complete, and so is each container that it completes: these are
 * taken off the stack.
 */
static bool
cbor_complete(CborCursor *cur, CborFrame *stack, int *depth)
{
	while (*depth > 0)
	{
		CborFrame  *frame = &stack[*depth - 1];

		if (frame->is_map && frame->left % 2 == 0 &&
			!cbor_check_key(cur, frame))
			return false;
		if (--frame->left > 0)
			break;
		(*depth)--;
	}
	return true;
}

/* Reads one whole item, however deep, and checks all of it. */
bool
cbor_item(CborCursor *cur, ByteSpan *item)
{
	CborFrame	stack[CBOR_MAX_DEPTH];
	int			depth = 0;
	const uint8 *begin = cur->next;

	for (;;)
	{
		const uint8 *where = cur->next;
		CborHead	head;
		ByteSpan	content;
		uint64		inside = 0;

		if (depth > 0)
			stack[depth - 1].item = where;
		if (!cbor_head(cur, &head))
			return false;

		switch (head.major)
		{
			case CBOR_BYTES:
			case CBOR_TEXT:
				if (!cbor_content(cur, &head, &content))
					return false;
				break;
			case CBOR_ARRAY:
			case CBOR_MAP:
				if (head.value > (uint64) (cur->end - cur->next))
					return cbor_fail(cur, CBOR_TRUNCATED, where);
				inside = head.major == CBOR_MAP ? head.value * 2 : head.value;
				break;
			case CBOR_TAG:
				if (!cbor_check_tag(cur, head.value, where))
					return false;
				inside = 1;
				break;
			default:
				break;
		}

		if (inside > 0)
		{
			if (depth == CBOR_MAX_DEPTH)
				return cbor_fail(cur, CBOR_TOO_DEEP, where);
			stack[depth].left = inside;
			stack[depth].is_map = head.major == CBOR_MAP;
			stack[depth].last_key.data = NULL;
			stack[depth].last_key.len = 0;
			depth++;
			continue;
		}

		if (!cbor_complete(cur, stack, &depth))
			return false;
		if (depth == 0)
			break;
	}

	item->data = begin;
	item->len = (size_t) (cur->next - begin);
	return true;
}

/*
 * Tags whose content has a fixed form, or, for bignums, a shorter encoding
 * that must be preferred.  Looks ahead at the content's head; whatever is
 * wrong with that head by itself is found when it is read.
 */
static bool
cbor_check_tag(CborCursor *cur, uint64 tag, const uint8 *where)
{
	CborCursor	ahead = *cur;
	CborHead	head;

	if (tag != CBOR_TAG_BIGNUM && tag != CBOR_TAG_NEGATIVE_BIGNUM &&
		tag != CBOR_TAG_UUID)
		return true;
	if (!cbor_head(&ahead, &head))
		return true;

	if (tag == CBOR_TAG_UUID)
	{
		if (head.major != CBOR_BYTES || head.value != 16)
			return cbor_fail(cur, CBOR_BAD_UUID, where);
	}
	else if (head.major != CBOR_BYTES || head.value <= 8 ||
			 (ahead.next < ahead.end && *ahead.next == 0))
		return cbor_fail(cur, CBOR_BAD_BIGNUM, where);
	return true;
}

/* A key just read must sort after the one before it. */
static bool
cbor_check_key(CborCursor *cur, CborFrame *frame)
{
	ByteSpan	key;

	key.data = frame->item;
	key.len = (size_t) (cur->next - frame->item);

	if (frame->last_key.data != NULL)
	{
		size_t		common = key.len < frame->last_key.len ?
			key.len : frame->last_key.len;
		int			order = memcmp(frame->last_key.data, key.data, common);

		/* no item's encoding is a prefix of another's */
		if (order == 0)
			return cbor_fail(cur, CBOR_KEY_TWICE, key.data);
		if (order > 0)
			return cbor_fail(cur, CBOR_KEY_ORDER, key.data);
	}
	frame->last_key = key;
	return true;
}

bool
cbor_end(CborCursor *cur)
{
	if (cur->next != cur->end)
		return cbor_fail(cur, CBOR_TRAILING, cur->next);
	return true;
}

/* The value of an integer's head, if it is an integer within int64. */
bool
cbor_head_int64(const CborHead *head, int64 *value)
{
	if (head->major > CBOR_NINT || head->value > (uint64) INT64_MAX)
		return false;
	*value = head->major == CBOR_UINT ?
		(int64) head->value : -1 - (int64) head->value;
	return true;
}

bool
cbor_head_is_float(const CborHead *head)
{
	return head->major == CBOR_SIMPLE && head->info >= CBOR_INFO_HALF;
}

/* The value of a float's head. */
double
cbor_head_double(const CborHead *head)
{
	uint64		bits = head->value;
	double		result;

	if (head->info == CBOR_INFO_HALF)
		bits = cbor_half_to_double((uint32) bits);
	else if (head->info == CBOR_INFO_SINGLE)
		bits = cbor_single_to_double((uint32) bits);
	memcpy(&result, &bits, sizeof(result));
	return result;
}

/*
 * Can this single (not NaN) be a half?  A half has 10 bits of fraction where
 * a single has 23, and exponents from -14 to 15; below that its fraction
 * loses a bit with each step, down to 2^-24.
 */
static bool
cbor_fits_half(uint32 bits)
{
	uint32		fraction = bits & 0x7fffff;
	int			exponent = (int) (bits >> 23 & 0xff) - 127;

	if ((bits & 0x7fffffff) == 0 || exponent == 128)
		return true;
	if (exponent > 15 || exponent < -24)
		return false;
	if (exponent >= -14)
		return (fraction & 0x1fff) == 0;
	return ((fraction | 0x800000) &
			((UINT32_C(1) << (13 - 14 - exponent)) - 1)) == 0;
}

/* Can this double (not NaN) be a single?  As above, with 52 and 23 bits. */
static bool
cbor_fits_single(uint64 bits)
{
	uint64		fraction = bits & UINT64_C(0xfffffffffffff);
	int			exponent = (int) (bits >> 52 & 0x7ff) - 1023;

	if ((bits & ~(UINT64_C(1) << 63)) == 0 || exponent == 1024)
		return true;
	if (exponent > 127 || exponent < -149)
		return false;
	if (exponent >= -126)
		return (fraction & 0x1fffffff) == 0;
	return ((fraction | UINT64_C(1) << 52) &
			((UINT64_C(1) << (29 - 126 - exponent)) - 1)) == 0;
}

/*
 * Halves and singles as doubles, bit by bit, whatever the machine's floats.
 * Infinities and NaN are halves: the reader lets no others through.
 */
static uint64
cbor_half_to_double(uint32 half)
{
	uint64		sign = (uint64) (half & 0x8000) << 48;
	uint64		fraction = half & 0x3ff;
	int			exponent = half >> 10 & 0x1f;

	if (exponent == 0)
	{
		if (fraction == 0)
			return sign;
		exponent = 1;
		while ((fraction & 0x400) == 0)
		{
			fraction <<= 1;
			exponent--;
		}
		fraction &= 0x3ff;
	}
	else if (exponent == 31)
		exponent = 2047 - 1023 + 15;

	return sign | (uint64) (exponent - 15 + 1023) << 52 | fraction << 42;
}

static uint64
cbor_single_to_double(uint32 single)
{
	uint64		sign = (uint64) (single & UINT32_C(0x80000000)) << 32;
	uint64		fraction = single & 0x7fffff;
	int			exponent = single >> 23 & 0xff;

	if (exponent == 0)
	{
		if (fraction == 0)
			return sign;
		exponent = 1;
		while ((fraction & 0x800000) == 0)
		{
			fraction <<= 1;
			exponent--;
		}
		fraction &= 0x7fffff;
	}

	return sign | (uint64) (exponent - 127 + 1023) << 52 | fraction << 29;
}

/* And back, where they fit. */
static uint32
cbor_double_to_single(uint64 bits)
{
	uint32		sign = (uint32) (bits >> 32 & UINT32_C(0x80000000));
	uint64		fraction = bits & UINT64_C(0xfffffffffffff);
	int			exponent = (int) (bits >> 52 & 0x7ff) - 1023;

	if (exponent == -1023)
		return sign;
	if (exponent == 1024)
		return sign | UINT32_C(0x7f800000);
	if (exponent < -126)
		return sign | (uint32) ((fraction | UINT64_C(1) << 52) >>
								(29 - 126 - exponent));
	return sign | (uint32) (exponent + 127) << 23 | (uint32) (fraction >> 29);
}

static uint32
cbor_single_to_half(uint32 bits)
{
	uint32		sign = bits >> 16 & 0x8000;
	uint32		fraction = bits & 0x7fffff;
	int			exponent = (int) (bits >> 23 & 0xff) - 127;

	if (exponent == -127)
		return sign;
	if (exponent == 128)
		return sign | 0x7c00;
	if (exponent < -14)
		return sign | (fraction | 0x800000) >> (13 - 14 - exponent);
	return sign | (uint32) (exponent + 15) << 10 | fraction >> 13;
}

void
cbor_write_raw(CborWriter *w, const void *bytes, size_t len)
{
	if (len > 0 && w->used <= w->size && len <= w->size - w->used)
		memcpy(w->out + w->used, bytes, len);
	w->used += len;
}

void
cbor_write_head(CborWriter *w, CborMajor major, uint64 value)
{
	uint8		head[9];
	int			log_width;
	int			width;

	if (value < 24)
	{
		head[0] = (uint8) (major << 5 | value);
		cbor_write_raw(w, head, 1);
		return;
	}

	log_width = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 :
		value <= UINT32_MAX ? 2 : 3;
	width = 1 << log_width;
	head[0] = (uint8) (major << 5 | 24) + (uint8) log_width;
	for (int i = 0; i < width; i++)
		head[1 + i] = (uint8) (value >> (8 * (width - 1 - i)));
	cbor_write_raw(w, head, (size_t) width + 1);
}

void
cbor_write_int(CborWriter *w, int64 value)
{
	if (value >= 0)
		cbor_write_head(w, CBOR_UINT, (uint64) value);
	else
		cbor_write_head(w, CBOR_NINT, (uint64) (-1 - value));
}

void
cbor_write_bytes(CborWriter *w, const void *bytes, size_t len)
{
	cbor_write_head(w, CBOR_BYTES, len);
	cbor_write_raw(w, bytes, len);
}

void
cbor_write_text(CborWriter *w, const void *bytes, size_t len)
{
	cbor_write_head(w, CBOR_TEXT, len);
	cbor_write_raw(w, bytes, len);
}

void
cbor_write_double(CborWriter *w, double value)
{
	uint64		bits;
	uint8		head[9];
	int			width;

	memcpy(&bits, &value, sizeof(bits));
	if ((bits & ~(UINT64_C(1) << 63)) > UINT64_C(0x7ff0000000000000))
	{
		bits = 0x7e00;
		width = 2;
	}
	else if (!cbor_fits_single(bits))
		width = 8;
	else
	{
		bits = cbor_double_to_single(bits);
		width = 4;
		if (cbor_fits_half((uint32) bits))
		{
			bits = cbor_single_to_half((uint32) bits);
			width = 2;
		}
	}

	head[0] = (uint8) (CBOR_SIMPLE << 5 |
					   (width == 2 ? CBOR_INFO_HALF :
						width == 4 ? CBOR_INFO_SINGLE : CBOR_INFO_DOUBLE));
	for (int i = 0; i < width; i++)
		head[1 + i] = (uint8) (bits >> (8 * (width - 1 - i)));
	cbor_write_raw(w, head, (size_t) width + 1);
}
