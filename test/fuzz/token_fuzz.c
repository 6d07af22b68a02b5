/*-------------------------------------------------------------------------
 *
 * token_fuzz.c
 *	  Fuzz target: whatever comes in as a token
 *
 * The first byte says how the others are to be taken: as a token's bytes, as
 * its text, as its claims, as one claim's value, or as one CBOR item.  What
 * must hold, besides that no sanitizer complains:
 *
 *	- an item is accepted exactly if the oracle accepts it;
 *	- what is accepted is written again as the same bytes, its known claims too;
 *	- text is accepted exactly if its bytes are, and encoded as it was;
 *	- a fault lies within the input, and has words.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "token/cwt.h"

#include <string.h>

#include "cbor_oracle.h"
#include "fuzz.h"
#include "token/base45.h"

#define MAX_INPUT 8192

/* One item: as the oracle says, and written again as the same bytes. */
static bool
take_item(const uint8 *bytes, size_t len, int depth)
{
	static uint8 again[MAX_INPUT];
	CborWriter	w = {again, sizeof(again), 0};
	CborCursor	cur;
	ByteSpan	item;
	bool		sound;

	cbor_open(&cur, bytes, len);
	sound = cbor_item(&cur, &item) && cbor_end(&cur);
	MUST(sound == (cur.fault.code == CWT_SOUND));
	MUST(cur.fault.at <= len);
	MUST(sound == oracle_accepts(bytes, len, depth));
	if (!sound)
		return false;

	cbor_open(&cur, bytes, len);
	while (cur.next < cur.end)
	{
		CborHead	head;
		ByteSpan	content;
		int64		number;

		MUST(cbor_head(&cur, &head));
		if (cbor_head_is_float(&head))
			cbor_write_double(&w, cbor_head_double(&head));
		else if (cbor_head_int64(&head, &number))
			cbor_write_int(&w, number);
		else if (head.major == CBOR_BYTES || head.major == CBOR_TEXT)
		{
			MUST(cbor_content(&cur, &head, &content));
			if (head.major == CBOR_BYTES)
				cbor_write_bytes(&w, content.data, content.len);
			else
				cbor_write_text(&w, content.data, content.len);
		}
		else
			cbor_write_head(&w, head.major, head.value);
	}
	MUST(w.used == len && memcmp(again, bytes, len) == 0);
	return true;
}

/* A token's bytes; what was accepted is looked at from all sides. */
static bool
take_token(const uint8 *bytes, size_t len)
{
	static uint8 again[MAX_INPUT];
	Cwt			cwt;
	CwtFault	fault;
	CwtClaimWalk walk;
	CborHead	key;
	ByteSpan	value;
	size_t		used;

	if (!cwt_read(bytes, len, &cwt, &fault))
	{
		MUST(fault.code != CWT_SOUND && fault.at <= len);
		MUST(strlen(cwt_fault_text(fault.code)) > 10);
		return false;
	}
	MUST(fault.code == CWT_SOUND && len <= CWT_MAX_LEN);
	MUST(cwt_tag_of_alg(cwt.alg) == cwt.tag && cwt_kid_is_valid(cwt.kid));

	MUST(oracle_accepts(bytes, len, CBOR_MAX_DEPTH));
	MUST(oracle_accepts(cwt.protected_header.data, cwt.protected_header.len,
						CBOR_MAX_DEPTH));
	MUST(oracle_accepts(cwt.payload.data, cwt.payload.len, CBOR_MAX_DEPTH + 1));

	used = cwt_write_protected(cwt.alg, cwt.kid, again, sizeof(again));
	MUST(used == cwt.protected_header.len &&
		 memcmp(again, cwt.protected_header.data, used) == 0);
	used = cwt_write(cwt.tag, cwt.protected_header, cwt.payload, cwt.signature,
					 again, sizeof(again));
	MUST(used == len && memcmp(again, bytes, len) == 0);
	used = cwt_to_be_signed(cwt.tag, cwt.protected_header, cwt.payload,
							again, CWT_TO_BE_SIGNED_MAX_LEN);
	MUST(used <= CWT_TO_BE_SIGNED_MAX_LEN);
	MUST(oracle_accepts(again, used, 1));
	if ((cwt.claims.present & CWT_HAS_OTHERS) == 0)
	{
		used = cwt_write_payload(&cwt.claims, again, sizeof(again));
		MUST(used == cwt.payload.len &&
			 memcmp(again, cwt.payload.data, used) == 0);
	}

	cwt_walk_claims(&cwt, &walk);
	while (cwt_next_claim(&walk, &key, &value))
		MUST(take_item(value.data, value.len, CBOR_MAX_DEPTH));
	MUST(walk.left == 0 && walk.cursor.next == walk.cursor.end);
	return true;
}

/* The same as text. */
static void
take_text(const char *text, size_t len)
{
	static char again[MAX_INPUT * 2];
	static uint8 bytes[MAX_INPUT];
	CwtFault	fault = {CWT_SOUND, 0};

	if (!base45_decode(text, len, bytes, &fault))
	{
		MUST(fault.code != CWT_SOUND && fault.at < len);
		return;
	}
	MUST(BASE45_ENCODED_LEN(BASE45_DECODED_LEN(len)) == len);
	base45_encode(bytes, BASE45_DECODED_LEN(len), again);
	MUST(memcmp(again, text, len) == 0);
	take_token(bytes, BASE45_DECODED_LEN(len));
}

/* Bytes as claims, in a token that is sound otherwise. */
static void
take_claims(const uint8 *bytes, size_t len)
{
	static uint8 token[MAX_INPUT * 2];
	static char text[MAX_INPUT * 4];
	uint8		header[CWT_PROTECTED_MAX_LEN];
	ByteSpan	kid = {(const uint8 *) "k1", 2};
	ByteSpan	parts[3] = {{header, 0}, {bytes, len}, {header, 2}};
	size_t		used;

	parts[0].len = cwt_write_protected(COSE_ALG_EDDSA, kid, header, sizeof(header));
	used = cwt_write(COSE_TAG_SIGN1, parts[0], parts[1], parts[2],
					 token, sizeof(token));
	MUST(used <= sizeof(token));
	if (take_token(token, used))
	{
		base45_encode(token, used, text);
		take_text(text, BASE45_ENCODED_LEN(used));
	}
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	static uint8 claims[MAX_INPUT];
	CborWriter	w = {claims, sizeof(claims), 0};
	Cose		cose;
	CwtFault	fault;

	if (size == 0 || size > MAX_INPUT - 16)
		return 0;
	size--;
	switch (*data++ % 5)
	{
		case 0:
			take_token(data, size);
			if (cose_read(data, size, &cose, &fault))
				MUST(oracle_accepts(data, size, CBOR_MAX_DEPTH));
			break;
		case 1:
			take_text((const char *) data, size);
			break;
		case 2:
			take_claims(data, size);
			break;
		case 3:
			cbor_write_head(&w, CBOR_MAP, 1);
			cbor_write_int(&w, 100);
			cbor_write_raw(&w, data, size);
			take_claims(claims, w.used);
			break;
		default:
			take_item(data, size, CBOR_MAX_DEPTH);
			break;
	}
	return 0;
}
