/*-------------------------------------------------------------------------
 *
 * cose.c
 *	  COSE_Sign1 and COSE_Mac0 (RFC 9052): structure, no cryptography
 *
 * A message is read in one pass, without a copy: what is found points into
 * the caller's bytes.  Only its structure is checked here; which headers and
 * algorithms a token may have is cwt.c's to say.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "cose.h"

#include <string.h>

static bool cose_read_tag(CborCursor *cur, int *tag);
static bool cose_read_bytes(CborCursor *cur, CwtFaultCode otherwise,
							ByteSpan *content);
static bool cose_read_map(CborCursor *cur, CwtFaultCode otherwise,
						  ByteSpan *map);
static bool cose_read_message(CborCursor *cur, Cose *out);

bool
cose_read(const uint8 *bytes, size_t len, Cose *out, CwtFault *fault)
{
	CborCursor	cur;
	bool		sound;

	cbor_open(&cur, bytes, len);
	sound = cose_read_message(&cur, out);
	*fault = cur.fault;
	return sound;
}

static bool
cose_read_message(CborCursor *cur, Cose *out)
{
	const uint8 *where;
	CborHead	head;

	if (!cose_read_tag(cur, &out->tag))
		return false;

	where = cur->next;
	if (!cbor_head(cur, &head))
		return false;
	if (head.major != CBOR_ARRAY || head.value != 4)
		return cbor_fail(cur, COSE_BAD_ARRAY, where);

	/* an empty protected header may be written as no bytes at all */
	if (!cose_read_bytes(cur, COSE_BAD_PROTECTED, &out->protected_header))
		return false;
	if (out->protected_header.len > 0)
	{
		CborCursor	inner;
		ByteSpan	map;

		cbor_enter(&inner, cur, out->protected_header);
		if (!cose_read_map(&inner, COSE_BAD_PROTECTED, &map) ||
			!cbor_end(&inner))
		{
			cur->fault = inner.fault;
			return false;
		}
	}

	return cose_read_map(cur, COSE_BAD_UNPROTECTED, &out->unprotected_header) &&
		cose_read_bytes(cur, COSE_BAD_PAYLOAD, &out->payload) &&
		cose_read_bytes(cur, COSE_BAD_SIGNATURE, &out->signature) &&
		cbor_end(cur);
}

/* The message's tag; none at all is the caller's to accept. */
static bool
cose_read_tag(CborCursor *cur, int *tag)
{
	CborCursor	ahead = *cur;
	CborHead	head;

	*tag = COSE_TAG_NONE;
	if (!cbor_head(&ahead, &head))
	{
		cur->fault = ahead.fault;
		return false;
	}
	if (head.major != CBOR_TAG)
		return true;
	if (head.value != COSE_TAG_SIGN1 && head.value != COSE_TAG_MAC0)
		return cbor_fail(cur, COSE_BAD_TAG, cur->next);
	*tag = (int) head.value;
	*cur = ahead;
	return true;
}

static bool
cose_read_bytes(CborCursor *cur, CwtFaultCode otherwise, ByteSpan *content)
{
	const uint8 *where = cur->next;
	CborHead	head;

	if (!cbor_head(cur, &head))
		return false;
	if (head.major != CBOR_BYTES)
		return cbor_fail(cur, otherwise, where);
	return cbor_content(cur, &head, content);
}

static bool
cose_read_map(CborCursor *cur, CwtFaultCode otherwise, ByteSpan *map)
{
	if (cur->next < cur->end && *cur->next >> 5 != CBOR_MAP)
		return cbor_fail(cur, otherwise, cur->next);
	return cbor_item(cur, map);
}

bool
cose_header(ByteSpan header, int64 label, ByteSpan *value)
{
	CborCursor	cur;
	CborHead	map;

	cbor_open(&cur, header.data, header.len);
	if (header.len == 0 || !cbor_head(&cur, &map))
		return false;

	for (uint64 i = 0; i < map.value; i++)
	{
		ByteSpan	key;
		CborCursor	inner;
		CborHead	head;
		int64		number;

		if (!cbor_item(&cur, &key) || !cbor_item(&cur, value))
			return false;
		cbor_open(&inner, key.data, key.len);
		if (cbor_head(&inner, &head) && cbor_head_int64(&head, &number) &&
			number == label)
			return true;
	}
	return false;
}

size_t
cose_to_be_signed(int tag, ByteSpan protected_header, ByteSpan external_aad,
				  ByteSpan payload, uint8 *out, size_t size)
{
	CborWriter	w = {out, size, 0};
	const char *context = tag == COSE_TAG_MAC0 ? "MAC0" : "Signature1";

	/* an empty map is signed as if it were no bytes at all */
	if (protected_header.len == 1 &&
		protected_header.data[0] == CBOR_MAP << 5)
		protected_header.len = 0;

	cbor_write_head(&w, CBOR_ARRAY, 4);
	cbor_write_text(&w, context, strlen(context));
	cbor_write_bytes(&w, protected_header.data, protected_header.len);
	cbor_write_bytes(&w, external_aad.data, external_aad.len);
	cbor_write_bytes(&w, payload.data, payload.len);
	return w.used;
}

size_t
cose_write(int tag, ByteSpan protected_header, ByteSpan payload,
		   ByteSpan signature, uint8 *out, size_t size)
{
	CborWriter	w = {out, size, 0};

	if (tag != COSE_TAG_NONE)
		cbor_write_head(&w, CBOR_TAG, (uint64) tag);
	cbor_write_head(&w, CBOR_ARRAY, 4);
	cbor_write_bytes(&w, protected_header.data, protected_header.len);
	cbor_write_head(&w, CBOR_MAP, 0);
	cbor_write_bytes(&w, payload.data, payload.len);
	cbor_write_bytes(&w, signature.data, signature.len);
	return w.used;
}
