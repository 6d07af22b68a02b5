/*-------------------------------------------------------------------------
 *
 * cwt.c
 *	  An anshim token: a CWT (RFC 8392) in COSE, read and written
 *
 * Everything that a token may be, cwt_read() checks; its parts point into the
 * caller's bytes.  Nothing here allocates or raises anything.  Writers count
 * what does not fit, so that one call tells the length that another needs.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "cwt.h"

static bool cwt_read_header(CborCursor *cur, Cwt *out);
static bool cwt_read_claims(CborCursor *cur, CwtClaims *claims);
static bool cwt_read_claim(CborCursor *cur, int64 key, CwtClaims *claims);
static bool cwt_read_date(CborCursor *cur, int64 *date);
static bool cwt_read_string(CborCursor *cur, CborMajor major,
							CwtFaultCode otherwise, ByteSpan *content);
static bool cwt_read_uuid(CborCursor *cur, CwtFaultCode otherwise,
						  const uint8 **uuid);
static void cwt_write_uuid(CborWriter *w, int64 key, const uint8 *uuid);

bool
cwt_kid_is_valid(ByteSpan kid)
{
	if (kid.len < 1 || kid.len > CWT_KID_MAX_LEN || kid.data[0] == '.')
		return false;
	for (size_t i = 0; i < kid.len; i++)
	{
		uint8		c = kid.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
			return false;
	}
	return true;
}

int
cwt_tag_of_alg(int alg)
{
	switch (alg)
	{
		case COSE_ALG_EDDSA:
		case COSE_ALG_ED25519:
			return COSE_TAG_SIGN1;
		case COSE_ALG_HMAC_256:
			return COSE_TAG_MAC0;
		default:
			return COSE_TAG_NONE;
	}
}

bool
cwt_read(const uint8 *bytes, size_t len, Cwt *out, CwtFault *fault)
{
	CborCursor	whole;
	CborCursor	part;
	Cose		cose;

	cbor_open(&whole, bytes, len);
	*fault = whole.fault;

	if (len > CWT_MAX_LEN)
	{
		fault->code = CWT_TOO_LONG;
		fault->at = CWT_MAX_LEN;
		return false;
	}
	if (!cose_read(bytes, len, &cose, fault))
		return false;
	if (cose.tag == COSE_TAG_NONE)
	{
		fault->code = CWT_NO_TAG;
		return false;
	}
	if (cose.unprotected_header.len != 1)
	{
		fault->code = CWT_UNPROTECTED;
		fault->at = (size_t) (cose.unprotected_header.data - bytes);
		return false;
	}

	out->tag = cose.tag;
	out->protected_header = cose.protected_header;
	out->payload = cose.payload;
	out->signature = cose.signature;

	cbor_enter(&part, &whole, cose.protected_header);
	if (cwt_read_header(&part, out))
	{
		cbor_enter(&part, &whole, cose.payload);
		if (cwt_read_claims(&part, &out->claims))
			return true;
	}
	*fault = part.fault;
	return false;
}

/* The protected header: {1: alg, 4: kid}, known to be one sound map or empty. */
static bool
cwt_read_header(CborCursor *cur, Cwt *out)
{
	const uint8 *begin = cur->next;
	const uint8 *where;
	CborHead	head;
	int64		number;

	if (begin == cur->end || *begin != (CBOR_MAP << 5 | 2))
		return cbor_fail(cur, CWT_BAD_HEADER, begin);
	if (!cbor_head(cur, &head) || !cbor_head(cur, &head))
		return false;
	if (!cbor_head_int64(&head, &number) || number != COSE_HEADER_ALG)
		return cbor_fail(cur, CWT_BAD_HEADER, begin);

	where = cur->next;
	if (!cbor_head(cur, &head))
		return false;
	if (!cbor_head_int64(&head, &number) ||
		number < INT16_MIN || number > INT16_MAX ||
		cwt_tag_of_alg((int) number) != out->tag)
		return cbor_fail(cur, CWT_BAD_ALG, where);
	out->alg = (int) number;

	if (!cbor_head(cur, &head))
		return false;
	if (!cbor_head_int64(&head, &number) || number != COSE_HEADER_KID)
		return cbor_fail(cur, CWT_BAD_HEADER, begin);
	where = cur->next;
	if (!cwt_read_string(cur, CBOR_BYTES, CWT_BAD_KID, &out->kid))
		return false;
	if (!cwt_kid_is_valid(out->kid))
		return cbor_fail(cur, CWT_BAD_KID, where);
	return true;
}

/* The payload: a map with integer keys in strictly ascending order. */
static bool
cwt_read_claims(CborCursor *cur, CwtClaims *claims)
{
	CborHead	map;
	CborHead	key;
	CborHead	last = {0, 0, 0};

	claims->present = 0;
	if (cur->next == cur->end || *cur->next >> 5 != CBOR_MAP)
		return cbor_fail(cur, CWT_NO_CLAIMS, cur->next);
	if (!cbor_head(cur, &map))
		return false;
	if (map.value > (uint64) (cur->end - cur->next))
		return cbor_fail(cur, CBOR_TRUNCATED, cur->next);

	for (uint64 i = 0; i < map.value; i++)
	{
		const uint8 *where = cur->next;
		int64		number;
		ByteSpan	ignored;

		if (!cbor_head(cur, &key))
			return false;
		if (key.major > CBOR_NINT)
			return cbor_fail(cur, CWT_BAD_CLAIM_KEY, where);

		/* in their shortest form, integers sort as major type, then value */
		if (i > 0 && key.major == last.major && key.value == last.value)
			return cbor_fail(cur, CBOR_KEY_TWICE, where);
		if (i > 0 && (key.major < last.major ||
					  (key.major == last.major && key.value < last.value)))
			return cbor_fail(cur, CBOR_KEY_ORDER, where);
		last = key;

		if (cbor_head_int64(&key, &number))
		{
			if (!cwt_read_claim(cur, number, claims))
				return false;
		}
		else
		{
			claims->present |= CWT_HAS_OTHERS;
			if (!cbor_item(cur, &ignored))
				return false;
		}
	}
	return cbor_end(cur);
}

static bool
cwt_read_claim(CborCursor *cur, int64 key, CwtClaims *claims)
{
	ByteSpan	ignored;

	switch (key)
	{
		case CWT_CLAIM_ISS:
			claims->present |= CWT_HAS_ISS;
			return cwt_read_string(cur, CBOR_TEXT, CWT_BAD_ISSUER,
								   &claims->iss);
		case CWT_CLAIM_EXP:
			claims->present |= CWT_HAS_EXP;
			return cwt_read_date(cur, &claims->exp);
		case CWT_CLAIM_NBF:
			claims->present |= CWT_HAS_NBF;
			return cwt_read_date(cur, &claims->nbf);
		case CWT_CLAIM_IAT:
			claims->present |= CWT_HAS_IAT;
			return cwt_read_date(cur, &claims->iat);
		case CWT_CLAIM_CTI:
			claims->present |= CWT_HAS_CTI;
			return cwt_read_string(cur, CBOR_BYTES, CWT_BAD_ID, &claims->cti);
		case CWT_CLAIM_VENUE:
			claims->present |= CWT_HAS_VENUE;
			return cwt_read_uuid(cur, CWT_BAD_VENUE, &claims->venue);
		case CWT_CLAIM_SUBJECT:
			claims->present |= CWT_HAS_SUBJECT;
			return cwt_read_uuid(cur, CWT_BAD_SUBJECT, &claims->subject);
		default:
			claims->present |= CWT_HAS_OTHERS;
			return cbor_item(cur, &ignored);
	}
}

static bool
cwt_read_date(CborCursor *cur, int64 *date)
{
	const uint8 *where = cur->next;
	CborHead	head;

	if (!cbor_head(cur, &head))
		return false;
	if (head.major > CBOR_NINT)
		return cbor_fail(cur, CWT_BAD_DATE, where);
	if (!cbor_head_int64(&head, date) ||
		*date < CWT_DATE_MIN || *date >= CWT_DATE_END)
		return cbor_fail(cur, CWT_DATE_RANGE, where);
	return true;
}

static bool
cwt_read_string(CborCursor *cur, CborMajor major, CwtFaultCode otherwise,
				ByteSpan *content)
{
	const uint8 *where = cur->next;
	CborHead	head;

	if (!cbor_head(cur, &head))
		return false;
	if (head.major != major)
		return cbor_fail(cur, otherwise, where);
	return cbor_content(cur, &head, content);
}

static bool
cwt_read_uuid(CborCursor *cur, CwtFaultCode otherwise, const uint8 **uuid)
{
	const uint8 *where = cur->next;
	CborHead	head;
	ByteSpan	content;

	if (!cbor_head(cur, &head))
		return false;
	if (head.major != CBOR_TAG || head.value != CBOR_TAG_UUID)
		return cbor_fail(cur, otherwise, where);
	if (!cwt_read_string(cur, CBOR_BYTES, otherwise, &content))
		return false;
	if (content.len != CWT_UUID_LEN)
		return cbor_fail(cur, otherwise, where);
	*uuid = content.data;
	return true;
}

void
cwt_walk_claims(const Cwt *cwt, CwtClaimWalk *walk)
{
	CborHead	map;

	cbor_open(&walk->cursor, cwt->payload.data, cwt->payload.len);
	walk->left = cbor_head(&walk->cursor, &map) ? map.value : 0;
}

bool
cwt_next_claim(CwtClaimWalk *walk, CborHead *key, ByteSpan *value)
{
	if (walk->left == 0)
		return false;
	walk->left--;
	return cbor_head(&walk->cursor, key) && cbor_item(&walk->cursor, value);
}

size_t
cwt_write_protected(int alg, ByteSpan kid, uint8 *out, size_t size)
{
	CborWriter	w = {out, size, 0};

	cbor_write_head(&w, CBOR_MAP, 2);
	cbor_write_int(&w, COSE_HEADER_ALG);
	cbor_write_int(&w, alg);
	cbor_write_int(&w, COSE_HEADER_KID);
	cbor_write_bytes(&w, kid.data, kid.len);
	return w.used;
}

/* The claims go out in the order of their encoded keys: 1, 4 to 7, -65537, -65538 */
size_t
cwt_write_payload(const CwtClaims *claims, uint8 *out, size_t size)
{
	CborWriter	w = {out, size, 0};
	uint64		count = 0;

	for (uint32 bit = CWT_HAS_ISS; bit <= CWT_HAS_SUBJECT; bit <<= 1)
	{
		if (claims->present & bit)
			count++;
	}
	cbor_write_head(&w, CBOR_MAP, count);

	if (claims->present & CWT_HAS_ISS)
	{
		cbor_write_int(&w, CWT_CLAIM_ISS);
		cbor_write_text(&w, claims->iss.data, claims->iss.len);
	}
	if (claims->present & CWT_HAS_EXP)
	{
		cbor_write_int(&w, CWT_CLAIM_EXP);
		cbor_write_int(&w, claims->exp);
	}
	if (claims->present & CWT_HAS_NBF)
	{
		cbor_write_int(&w, CWT_CLAIM_NBF);
		cbor_write_int(&w, claims->nbf);
	}
	if (claims->present & CWT_HAS_IAT)
	{
		cbor_write_int(&w, CWT_CLAIM_IAT);
		cbor_write_int(&w, claims->iat);
	}
	if (claims->present & CWT_HAS_CTI)
	{
		cbor_write_int(&w, CWT_CLAIM_CTI);
		cbor_write_bytes(&w, claims->cti.data, claims->cti.len);
	}
	if (claims->present & CWT_HAS_VENUE)
		cwt_write_uuid(&w, CWT_CLAIM_VENUE, claims->venue);
	if (claims->present & CWT_HAS_SUBJECT)
		cwt_write_uuid(&w, CWT_CLAIM_SUBJECT, claims->subject);
	return w.used;
}

static void
cwt_write_uuid(CborWriter *w, int64 key, const uint8 *uuid)
{
	cbor_write_int(w, key);
	cbor_write_head(w, CBOR_TAG, CBOR_TAG_UUID);
	cbor_write_bytes(w, uuid, CWT_UUID_LEN);
}

size_t
cwt_to_be_signed(int tag, ByteSpan protected_header, ByteSpan payload,
				 uint8 *out, size_t size)
{
	ByteSpan	no_aad = {NULL, 0};

	return cose_to_be_signed(tag, protected_header, no_aad, payload,
							 out, size);
}

size_t
cwt_write(int tag, ByteSpan protected_header, ByteSpan payload,
		  ByteSpan signature, uint8 *out, size_t size)
{
	return cose_write(tag, protected_header, payload, signature, out, size);
}
