/*-------------------------------------------------------------------------
 *
 * token_test.c
 *	  Unit tests of the token layers that know no server
 *
 *		token_test ITEMS COSE...
 *
 * ITEMS is test/data/cbor/items.txt; each COSE argument is an example of the
 * COSE working group, as NAME:MESSAGE:AAD:TOBESIGNED in hexadecimal.  Prints
 * what went wrong, and exits with 1 if anything did.
 *
 * Every message is read from memory of exactly its size, so that the address
 * sanitizer sees any read beyond it.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "token/cwt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base45.h"
#include "token/base64url.h"

#include "check.h"

int			checks;
int			failures;
static bool seen[CWT_BAD_SUBJECT + 1];

/* Bytes of hexadecimal digits; blanks are ignored. */
static size_t
unhex(const char *hex, uint8 *out)
{
	size_t		count = 0;
	int			high = -1;

	for (; *hex != '\0'; hex++)
	{
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = strchr(digits, *hex);
		int			value;

		if (*hex == ' ')
			continue;
		if (digit == NULL)
			abort();
		value = (int) (digit - digits) % 16;
		if (high < 0)
			high = value;
		else
		{
			out[count++] = (uint8) (high << 4 | value);
			high = -1;
		}
	}
	return count;
}

/*
 * Base45
 */

static void
base45_case(const char *plain, const char *text)
{
	char		encoded[64];
	uint8		decoded[64];
	CwtFault	fault;
	size_t		len = strlen(plain);

	CHECK(BASE45_ENCODED_LEN(len) == strlen(text), "length of \"%s\"", text);
	CHECK(BASE45_DECODED_LEN(strlen(text)) == len, "length of \"%s\"", plain);
	memset(encoded, '!', sizeof(encoded));
	base45_encode((const uint8 *) plain, len, encoded);
	CHECK(memcmp(encoded, text, strlen(text)) == 0, "encoding of \"%s\"", plain);
	CHECK(encoded[strlen(text)] == '!', "\"%s\" is encoded too long", plain);
	CHECK(base45_decode(text, strlen(text), decoded, &fault) &&
		  memcmp(decoded, plain, len) == 0, "decoding of \"%s\"", text);
}

static void
base45_refused(const char *text, CwtFaultCode code, size_t at)
{
	uint8		decoded[64];
	CwtFault	fault = {CWT_SOUND, 0};

	CHECK(!base45_decode(text, strlen(text), decoded, &fault) &&
		  fault.code == code && fault.at == at,
		  "\"%s\": fault %d at %zu", text, fault.code, fault.at);
	seen[fault.code] = true;
}

static void
test_base45(void)
{
	/* RFC 9285, section 4.3 and 4.4 */
	base45_case("AB", "BB8");
	base45_case("Hello!!", "%69 VD92EX0");
	base45_case("base-45", "UJCLQE7W581");
	base45_case("ietf!", "QED8WEX0");
	base45_case("", "");

	/* the greatest values of two characters and of three */
	base45_case("\xff", "U5");
	base45_case("\xff\xff", "FGW");

	/* the same, section 6: GGW is 65536; two characters hold no 256 */
	base45_refused("GGW", TEXT_BAD_GROUP, 0);
	base45_refused(":::", TEXT_BAD_GROUP, 0);
	base45_refused("BB8GGW", TEXT_BAD_GROUP, 3);
	base45_refused("V5", TEXT_BAD_GROUP, 0);
	base45_refused("BB8::", TEXT_BAD_GROUP, 3);
	base45_refused("B", TEXT_BAD_LENGTH, 0);
	base45_refused("BB8B", TEXT_BAD_LENGTH, 3);
	base45_refused("bb8", TEXT_NOT_BASE45, 0);
	base45_refused("BB8B\n", TEXT_NOT_BASE45, 4);
	base45_refused("BB_", TEXT_NOT_BASE45, 2);
	base45_refused("B\xc3\x9f", TEXT_NOT_BASE45, 1);
	base45_refused("BB8\x7f" "B", TEXT_NOT_BASE45, 3);

	/* every group of two or three characters: decoded only as encoded */
	for (int group = 0; group < 256 * 256; group++)
	{
		uint8		bytes[2] = {(uint8) (group >> 8), (uint8) group};
		uint8		decoded[2];
		char		chars[3];
		CwtFault	fault;

		base45_encode(bytes, 2, chars);
		if (!base45_decode(chars, 3, decoded, &fault) ||
			memcmp(bytes, decoded, 2) != 0)
			CHECK(false, "group %d does not come back", group);
	}
	for (int a = 0; a < 256; a++)
	{
		int			accepted = 0;

		for (int b = 0; b < 256; b++)
		{
			char		chars[2] = {(char) a, (char) b};
			char		again[2];
			uint8		byte;
			CwtFault	fault;

			if (!base45_decode(chars, 2, &byte, &fault))
				continue;
			accepted++;
			base45_encode(&byte, 1, again);
			if (memcmp(chars, again, 2) != 0)
				CHECK(false, "%02x%02x is no encoding", a, b);
		}
		if (a >= '0' && a <= '9')
			CHECK(accepted == (a - '0' <= 255 % 45 ? 6 : 5) || accepted == 6,
				  "%c begins %d pairs", a, accepted);
	}
}

/*
 * base64url
 */

static void
base64url_case(const char *plain, const char *text)
{
	char		encoded[64];
	uint8		decoded[64];
	size_t		len = strlen(plain);

	CHECK(BASE64URL_ENCODED_LEN(len) == strlen(text), "length of \"%s\"", text);
	CHECK(BASE64URL_DECODED_LEN(strlen(text)) == len, "length of \"%s\"", plain);
	memset(encoded, '!', sizeof(encoded));
	base64url_encode((const uint8 *) plain, len, encoded);
	CHECK(memcmp(encoded, text, strlen(text)) == 0, "encoding of \"%s\"", plain);
	CHECK(encoded[strlen(text)] == '!', "\"%s\" is encoded too long", plain);
	CHECK(base64url_decode(text, strlen(text), decoded) &&
		  memcmp(decoded, plain, len) == 0, "decoding of \"%s\"", text);
}

static void
base64url_refused(const char *text)
{
	uint8		decoded[64];

	CHECK(!base64url_decode(text, strlen(text), decoded), "\"%s\" is taken", text);
}

static void
test_base64url(void)
{
	/* RFC 4648, section 10, without the padding; and its two own digits */
	base64url_case("", "");
	base64url_case("f", "Zg");
	base64url_case("fo", "Zm8");
	base64url_case("foo", "Zm9v");
	base64url_case("foob", "Zm9vYg");
	base64url_case("fooba", "Zm9vYmE");
	base64url_case("foobar", "Zm9vYmFy");
	base64url_case("\xfb\xff\xbf", "-_-_");

	/* a character too many, bits that stand for nothing, other alphabets */
	base64url_refused("Z");
	base64url_refused("Zm9vY");
	base64url_refused("Zh");
	base64url_refused("Zm9");
	base64url_refused("Zg==");
	base64url_refused("+/+/");
	base64url_refused("Zm9v\n");
	base64url_refused("Zm 9");
}

/*
 * CBOR
 */

/* Why an item is refused, in the words of items.txt. */
typedef struct FaultReason
{
	const char *reason;
	CwtFaultCode code;
} FaultReason;

static CwtFaultCode
reason_code(const char *reason)
{
	static const FaultReason reasons[] = {
		{"truncated", CBOR_TRUNCATED},
		{"trailing", CBOR_TRAILING},
		{"reserved", CBOR_RESERVED},
		{"indefinite", CBOR_INDEFINITE},
		{"long head", CBOR_LONG_HEAD},
		{"simple", CBOR_BAD_SIMPLE},
		{"long float", CBOR_LONG_FLOAT},
		{"NaN", CBOR_BAD_NAN},
		{"UTF-8", CBOR_BAD_UTF8},
		{"NUL", CBOR_TEXT_NUL},
		{"order", CBOR_KEY_ORDER},
		{"twice", CBOR_KEY_TWICE},
		{"deep", CBOR_TOO_DEEP},
		{"bignum", CBOR_BAD_BIGNUM},
		{"UUID", CBOR_BAD_UUID},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
	{
		if (strcmp(reasons[i].reason, reason) == 0)
			return reasons[i].code;
	}
	printf("unknown reason \"%s\"\n", reason);
	abort();
}

/* Writes an item anew from its heads: from sound bytes come the same. */
static void
rewrite(const uint8 *bytes, size_t len, CborWriter *w)
{
	CborCursor	cur;
	CborHead	head;
	ByteSpan	content;

	cbor_open(&cur, bytes, len);
	while (cur.next < cur.end)
	{
		int64		number;

		if (!cbor_head(&cur, &head))
			return;
		if (cbor_head_is_float(&head))
			cbor_write_double(w, cbor_head_double(&head));
		else if (cbor_head_int64(&head, &number))
			cbor_write_int(w, number);
		else if (head.major == CBOR_BYTES || head.major == CBOR_TEXT)
		{
			if (!cbor_content(&cur, &head, &content))
				return;
			if (head.major == CBOR_BYTES)
				cbor_write_bytes(w, content.data, content.len);
			else
				cbor_write_text(w, content.data, content.len);
		}
		else
			cbor_write_head(w, head.major, head.value);
	}
}

static CwtFaultCode
read_item(const uint8 *bytes, size_t len)
{
	uint8	   *copy = exact_copy(bytes, len);
	CborCursor	cur;
	ByteSpan	item = {NULL, 0};
	bool		sound;

	cbor_open(&cur, copy, len);
	sound = cbor_item(&cur, &item) && cbor_end(&cur);
	CHECK(sound == (cur.fault.code == CWT_SOUND), "fault without refusal");
	CHECK(cur.fault.at <= len, "fault beyond the end");
	if (sound)
		CHECK(item.data == copy && item.len == len, "item's span");
	free(copy);
	return cur.fault.code;
}

static void
test_items(const char *path)
{
	FILE	   *file = fopen(path, "r");
	static char line[65536];
	static uint8 bytes[65536];
	static uint8 again[65536];
	int			count = 0;

	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char	   *hex = strchr(line, '\t');
		char	   *rest = hex == NULL ? NULL : strchr(hex + 1, '\t');
		size_t		len;
		CwtFaultCode code;

		if (line[0] == '#' || rest == NULL)
			continue;
		*hex++ = '\0';
		*rest++ = '\0';
		rest[strcspn(rest, "\n")] = '\0';
		count++;

		len = unhex(hex, bytes);
		code = read_item(bytes, len);
		seen[code] = true;
		if (strcmp(line, "accept") == 0)
		{
			CborWriter	w = {again, sizeof(again), 0};

			CHECK(code == CWT_SOUND, "%s: %s", hex, cwt_fault_text(code));
			rewrite(bytes, len, &w);
			CHECK(w.used == len && memcmp(bytes, again, len) == 0,
				  "%s is written otherwise", hex);
			for (size_t i = 0; i < len; i++)
				CHECK(read_item(bytes, i) == CBOR_TRUNCATED ||
					  bytes[0] >> 5 == CBOR_TAG,
					  "%s: the first %zu bytes are not truncated", hex, i);
		}
		else
			CHECK(code == reason_code(rest), "%s: %s, instead of: %s",
				  hex, cwt_fault_text(code), rest);
	}
	fclose(file);
	CHECK(count > 300, "only %d items in %s", count, path);
}

static CwtFaultCode
read_float(int info, uint64 bits)
{
	uint8		bytes[9];
	int			width = 1 << (info - 24);

	bytes[0] = (uint8) (CBOR_SIMPLE << 5 | info);
	for (int i = 0; i < width; i++)
		bytes[1 + i] = (uint8) (bits >> (8 * (width - 1 - i)));
	return read_item(bytes, (size_t) width + 1);
}

static double
half_value(uint32 half)
{
	int			exponent = half >> 10 & 31;
	double		fraction = half & 1023;
	double		value;

	value = exponent == 0 ? ldexp(fraction, -24) :
		exponent < 31 ? ldexp(fraction + 1024, exponent - 25) :
		fraction == 0 ? INFINITY : NAN;
	return half & 0x8000 ? -value : value;
}

/* One double: written in its shortest form, refused in every other. */
static void
float_case(double value)
{
	uint8		bytes[9];
	CborWriter	w = {bytes, sizeof(bytes), 0};
	CborCursor	cur;
	CborHead	head;
	uint64		bits;
	float		single = (float) value;
	uint32		single_bits;
	bool		is_single = (double) single == value;

	memcpy(&bits, &value, sizeof(bits));
	memcpy(&single_bits, &single, sizeof(single_bits));

	cbor_write_double(&w, value);
	cbor_open(&cur, bytes, w.used);
	if (!cbor_head(&cur, &head) || !cbor_end(&cur) ||
		cbor_head_double(&head) != value ||
		signbit(cbor_head_double(&head)) != signbit(value))
		CHECK(false, "%a is not read as written", value);
	if (is_single != (w.used < 9))
		CHECK(false, "%a takes %zu bytes", value, w.used);
	if (w.used < 9 && read_float(CBOR_INFO_DOUBLE, bits) != CBOR_LONG_FLOAT)
		CHECK(false, "%a accepted as double", value);
	if (w.used < 5 &&
		read_float(CBOR_INFO_SINGLE, single_bits) != CBOR_LONG_FLOAT)
		CHECK(false, "%a accepted as single", value);
}

static void
test_floats(void)
{
	uint64		random = 88172645463325252U;
	int			halves = 0;

	/* every half, and none of them is written longer */
	for (uint32 half = 0; half < 0x10000; half++)
	{
		double		value = half_value(half);
		uint64		bits;
		uint8		bytes[9];
		CborWriter	w = {bytes, sizeof(bytes), 0};
		CwtFaultCode code = read_float(CBOR_INFO_HALF, half);

		if (isnan(value))
		{
			CHECK(code == (half == 0x7e00 ? CWT_SOUND : CBOR_BAD_NAN),
				  "NaN %04x", half);
			/* a double that is none either, down to the least of its kind */
			bits = UINT64_C(0x7ff0000000000000) | (half - 0x7c00) % 0x8000;
			memcpy(&value, &bits, sizeof(value));
			cbor_write_double(&w, value);
			CHECK(w.used == 3 && bytes[1] == 0x7e && bytes[2] == 0,
				  "NaN is written otherwise");
			continue;
		}
		halves++;
		cbor_write_double(&w, value);
		if (code != CWT_SOUND || w.used != 3 || bytes[0] != 0xf9 ||
			(uint32) (bytes[1] << 8 | bytes[2]) != half)
			CHECK(false, "half %04x", half);
		float_case(value);
	}
	CHECK(halves == 0x10000 - 2 * 1023, "%d halves", halves);

	/* singles and doubles of every exponent, with few and with many bits */
	for (int i = 0; i < 400000; i++)
	{
		uint64		bits;
		double		value;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		bits = random & ~(UINT64_C(0xfffffffffffff) >> (i % 53));
		memcpy(&value, &bits, sizeof(value));
		if (!isnan(value) && !(fabs(value) > 3.4028235677973366e38 &&
							   !isinf(value)))
			float_case(value);
	}
	for (int exponent = -1074; exponent < 128; exponent++)
	{
		float_case(ldexp(1, exponent));
		float_case(-ldexp(1, exponent));
		float_case(ldexp(3, exponent - 1));
		float_case(ldexp(2047, exponent - 10));
		float_case(ldexp(16777215, exponent - 23));
	}
}

/* The Unicode rules in the plainest words, to compare with. */
static bool
is_utf8(const uint8 *p, size_t len)
{
	while (len > 0)
	{
		size_t		more = *p < 0x80 ? 0 : *p >> 5 == 6 ? 1 :
			*p >> 4 == 14 ? 2 : *p >> 3 == 30 ? 3 : 9;
		static const uint32 least[] = {1, 0x80, 0x800, 0x10000};
		uint32		c;

		if (more >= len)
			return false;
		c = more == 0 ? *p : *p & (0x3fU >> more);
		for (size_t i = 1; i <= more; i++)
		{
			if (p[i] >> 6 != 2)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
		p += more + 1;
		len -= more + 1;
	}
	return true;
}

static void
test_utf8(void)
{
	/* one byte of each kind and all the borders between kinds */
	static const uint8 some[] = {
		0x00, 0x01, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
		0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
		0xf5, 0xf8, 0xfc, 0xff
	};
	const int	n = sizeof(some);

	for (int i = 0; i < n * n * n * n; i++)
	{
		uint8		item[5] = {0x64, some[i % n], some[i / n % n],
		some[i / n / n % n], some[i / n / n / n]};

		for (uint8 len = 1; len <= 4; len++)
		{
			CborCursor	cur;
			ByteSpan	span;

			item[0] = (uint8) (0x60 + len);
			cbor_open(&cur, item, (size_t) len + 1);
			if (cbor_item(&cur, &span) != is_utf8(item + 1, len))
				CHECK(false, "text %02x%02x%02x%02x of %d", item[1], item[2],
					  item[3], item[4], len);
		}
	}
}

static void
test_int64(void)
{
	CborHead	head = {CBOR_UINT, 27, (uint64) INT64_MAX};
	int64		value = 0;

	CHECK(cbor_head_int64(&head, &value) && value == INT64_MAX, "INT64_MAX");
	head.major = CBOR_NINT;
	CHECK(cbor_head_int64(&head, &value) && value == INT64_MIN, "INT64_MIN");
	head.value++;
	CHECK(!cbor_head_int64(&head, &value), "below INT64_MIN");
	head.major = CBOR_UINT;
	CHECK(!cbor_head_int64(&head, &value), "beyond INT64_MAX");
	head.major = CBOR_BYTES;
	head.value = 1;
	CHECK(!cbor_head_int64(&head, &value), "a string is an integer");
}

static void
test_small_writer(void)
{
	uint8		out[4] = {1, 2, 3, 4};
	CborWriter	w = {out, 3, 0};

	/* what does not fit is counted and not written, nor is what follows */
	cbor_write_int(&w, 100000);
	CHECK(w.used == 5 && out[0] == 1, "an integer written beyond the end");
	cbor_write_int(&w, 0);
	CHECK(w.used == 6 && out[0] == 1 && out[3] == 4, "written after the end");

	/* nor is what would have fitted if nothing came before it */
	w.used = 2;
	cbor_write_raw(&w, "ab", 2);
	CHECK(w.used == 4 && out[2] == 3 && out[3] == 4, "written beyond the end");
	w.used = 1;
	cbor_write_raw(&w, "ab", 2);
	CHECK(w.used == 3 && out[1] == 'a' && out[2] == 'b' && out[3] == 4,
		  "not written up to the end");
}

/*
 * COSE
 */

static void
test_cose(char *argument)
{
	static uint8 message[4096];
	static uint8 aad[4096];
	static uint8 expected[4096];
	static uint8 actual[4096];
	char	   *name = strtok(argument, ":");
	char	   *message_hex = strtok(NULL, ":");
	char	   *aad_hex = strtok(NULL, ":");
	char	   *expected_hex = strtok(NULL, ":");
	size_t		len = unhex(message_hex, message);
	ByteSpan	external = {aad, unhex(strcmp(aad_hex, "-") == 0 ? "" : aad_hex, aad)};
	size_t		expected_len = unhex(expected_hex, expected);
	uint8	   *copy = exact_copy(message, len);
	Cose		cose;
	CwtFault	fault;
	ByteSpan	value;

	/* tags 992, and 98 (COSE_Sign, with a list of signatures) */
	if (strcmp(name, "mac-fail-01") == 0 || strcmp(name, "eddsa-01") == 0)
	{
		CHECK(!cose_read(copy, len, &cose, &fault) &&
			  fault.code == COSE_BAD_TAG, "%s: accepted", name);
		free(copy);
		return;
	}
	if (!cose_read(copy, len, &cose, &fault))
	{
		CHECK(false, "%s: %s", name, cwt_fault_text(fault.code));
		free(copy);
		return;
	}
	CHECK((cose.tag == COSE_TAG_NONE) == (strcmp(name, "mac-pass-03") == 0),
		  "%s: tag %d", name, cose.tag);
	/* the untagged one is a Mac0; only its reader can know */
	if (cose.tag == COSE_TAG_NONE)
		cose.tag = COSE_TAG_MAC0;

	/* attributes that were changed after signing sign something else */
	if (strstr(name, "fail") == NULL || strcmp(name, "mac-fail-02") == 0)
	{
		size_t		actual_len = cose_to_be_signed(cose.tag,
												   cose.protected_header,
												   external, cose.payload,
												   actual, sizeof(actual));

		CHECK(actual_len == expected_len &&
			  memcmp(actual, expected, actual_len) == 0,
			  "%s: something else would be signed", name);
	}
	CHECK(cose_header(cose.protected_header, COSE_HEADER_ALG, &value) ||
		  cose_header(cose.unprotected_header, COSE_HEADER_ALG, &value),
		  "%s: no algorithm", name);
	CHECK(!cose_header(cose.protected_header, 99, &value) &&
		  !cose_header(cose.unprotected_header, 99, &value),
		  "%s: has a parameter 99", name);
	if (strncmp(name, "eddsa", 5) == 0)
		CHECK(cose_header(cose.unprotected_header, COSE_HEADER_KID, &value) &&
			  value.len == 3 && memcmp(value.data, "\x42" "11", 3) == 0,
			  "%s: kid", name);

	for (size_t i = 0; i < len; i++)
	{
		uint8	   *part = exact_copy(message, i);

		CHECK(!cose_read(part, i, &cose, &fault), "%s: cut at %zu", name, i);
		free(part);
	}
	free(copy);
}

/*
 * Tokens
 */

/* Bytes of a token from its parts in hexadecimal. */
static size_t
build(const char *head, const char *protected_header, const char *unprotected,
	  const char *payload, const char *signature, uint8 *out)
{
	static uint8 part[8192];
	CborWriter	w = {out, 8192, 0};
	size_t		len;

	len = unhex(head, part);
	cbor_write_raw(&w, part, len);
	len = unhex(protected_header, part);
	cbor_write_bytes(&w, part, len);
	len = unhex(unprotected, part);
	cbor_write_raw(&w, part, len);
	len = unhex(payload, part);
	cbor_write_bytes(&w, part, len);
	len = unhex(signature, part);
	cbor_write_bytes(&w, part, len);
	return w.used;
}

static CwtFaultCode
read_token(const uint8 *bytes, size_t len, Cwt *cwt)
{
	uint8	   *copy = exact_copy(bytes, len);
	Cwt			ours;
	CwtFault	fault;
	bool		sound = cwt_read(copy, len, cwt == NULL ? &ours : cwt, &fault);

	CHECK(sound == (fault.code == CWT_SOUND), "fault without refusal");
	CHECK(fault.at <= len, "fault beyond the end");
	CHECK(strlen(cwt_fault_text(fault.code)) > 10, "fault without words");
	seen[fault.code] = true;
	free(copy);
	return fault.code;
}

#define SIGN1 "d284"
#define MAC0 "d184"
#define HEADER "a2 01 27 04 42 6b31"
#define HEADER_MAC "a2 01 05 04 42 6b31"
#define SIGNATURE "0102"
#define VENUE "d825 50 00112233445566778899aabbccddeeff"

typedef struct TokenCase
{
	CwtFaultCode code;
	const char *head;
	const char *protected_header;
	const char *unprotected;
	const char *payload;
} TokenCase;

static const TokenCase token_cases[] = {
	{CWT_SOUND, SIGN1, HEADER, "a0", "a0"},
	{CWT_SOUND, SIGN1, "a2 01 32 04 42 6b31", "a0", "a0"},
	{CWT_SOUND, MAC0, HEADER_MAC, "a0", "a0"},
	{COSE_BAD_TAG, "d384", HEADER, "a0", "a0"},
	{COSE_BAD_TAG, "d0d284", HEADER, "a0", "a0"},
	{COSE_BAD_TAG, "d83dd284", HEADER, "a0", "a0"},
	{CBOR_LONG_HEAD, "d81284", HEADER, "a0", "a0"},
	{CBOR_LONG_HEAD, "d29804", HEADER, "a0", "a0"},
	{CBOR_INDEFINITE, "d29f", HEADER, "a0", "a0"},
	{CWT_NO_TAG, "84", HEADER, "a0", "a0"},
	{COSE_BAD_ARRAY, "d283", HEADER, "a0", "a0"},
	{COSE_BAD_ARRAY, "d285", HEADER, "a0", "a0"},
	{COSE_BAD_ARRAY, "d2", HEADER, "a0", "a0"},
	{COSE_BAD_ARRAY, "d2d284", HEADER, "a0", "a0"},
	{COSE_BAD_PROTECTED, "d28400", HEADER, "a0", "a0"},
	{COSE_BAD_PROTECTED, SIGN1, "80", "a0", "a0"},
	{COSE_BAD_PROTECTED, SIGN1, "00", "a0", "a0"},
	{CBOR_TRAILING, SIGN1, HEADER "00", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a0", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a1 01 27", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a1 04 42 6b31", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a2 01 27 05 42 6b31", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a2 03 27 04 42 6b31", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a2 01 27 6161 01", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a3 01 27 02 81 04 04 42 6b31", "a0", "a0"},
	{CWT_BAD_HEADER, SIGN1, "a3 01 27 03 00 04 42 6b31", "a0", "a0"},
	{CBOR_KEY_ORDER, SIGN1, "a2 04 42 6b31 01 27", "a0", "a0"},
	{CBOR_KEY_TWICE, SIGN1, "a2 01 27 01 27", "a0", "a0"},
	{CBOR_LONG_HEAD, SIGN1, "a2 1801 27 04 42 6b31", "a0", "a0"},
	{CBOR_LONG_HEAD, SIGN1, "a2 01 3807 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, SIGN1, HEADER_MAC, "a0", "a0"},
	{CWT_BAD_ALG, MAC0, HEADER, "a0", "a0"},
	{CWT_BAD_ALG, SIGN1, "a2 01 26 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, MAC0, "a2 01 04 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, SIGN1, "a2 01 65 4564445341 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, SIGN1, "a2 01 3b fffffffffffffff8 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, SIGN1, "a2 01 3a 00010007 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, SIGN1, "a2 01 3b 0000000100000007 04 42 6b31", "a0", "a0"},
	{CWT_BAD_ALG, MAC0, "a2 01 1b 0000000100000005 04 42 6b31", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 40", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 62 6b31", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 41 2e", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 42 2f61", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 42 612f", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 42 6100", "a0", "a0"},
	{CWT_BAD_KID, SIGN1, "a2 01 27 04 42 61c3", "a0", "a0"},
	{CWT_SOUND, SIGN1, "a2 01 27 04 42 2d2e", "a0", "a0"},
	{CWT_UNPROTECTED, SIGN1, HEADER, "a1 04 41 31", "a0"},
	{COSE_BAD_UNPROTECTED, SIGN1, HEADER, "80", "a0"},
	{COSE_BAD_UNPROTECTED, SIGN1, HEADER, "f6", "a0"},
	{COSE_BAD_PAYLOAD, SIGN1, HEADER, "a0 f6", "a0"},
	{COSE_BAD_PAYLOAD, SIGN1, HEADER, "a0 a0", "a0"},
	{COSE_BAD_SIGNATURE, SIGN1, HEADER, "a0 41a0 f6", "a0"},
	{CBOR_TRAILING, SIGN1, HEADER, "a0 41a0 40", "a0"},
	{CWT_NO_CLAIMS, SIGN1, HEADER, "a0", ""},
	{CWT_NO_CLAIMS, SIGN1, HEADER, "a0", "80"},
	{CWT_NO_CLAIMS, SIGN1, HEADER, "a0", "40"},
	{CWT_NO_CLAIMS, SIGN1, HEADER, "a0", "d83da0"},
	{CBOR_TRAILING, SIGN1, HEADER, "a0", "a0 00"},
	{CBOR_INDEFINITE, SIGN1, HEADER, "a0", "bfff"},
	{CBOR_TRUNCATED, SIGN1, HEADER, "a0", "a1"},
	{CBOR_TRUNCATED, SIGN1, HEADER, "a0", "bb ffffffffffffffff"},
	{CBOR_LONG_HEAD, SIGN1, HEADER, "a0", "b800"},
	{CWT_BAD_CLAIM_KEY, SIGN1, HEADER, "a0", "a1 6161 00"},
	{CWT_BAD_CLAIM_KEY, SIGN1, HEADER, "a0", "a1 f93c00 00"},
	{CWT_BAD_CLAIM_KEY, SIGN1, HEADER, "a0", "a1 c2 49 010000000000000000 00"},
	{CBOR_LONG_HEAD, SIGN1, HEADER, "a0", "a1 1801 6161"},
	{CBOR_KEY_TWICE, SIGN1, HEADER, "a0", "a2 04 00 04 00"},
	{CBOR_KEY_TWICE, SIGN1, HEADER, "a0", "a2 3bffffffffffffffff 00 3bffffffffffffffff 00"},
	{CBOR_KEY_ORDER, SIGN1, HEADER, "a0", "a2 05 00 04 00"},
	{CBOR_KEY_ORDER, SIGN1, HEADER, "a0", "a2 20 00 08 00"},
	{CBOR_KEY_ORDER, SIGN1, HEADER, "a0", "a2 1818 00 08 00"},
	{CBOR_KEY_ORDER, SIGN1, HEADER, "a0", "a2 3a00010001 " VENUE " 3a00010000 " VENUE},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 00 00"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 20 00"},
	{CBOR_LONG_HEAD, SIGN1, HEADER, "a0", "a1 1bffffffffffffffff 1800"},
	{CBOR_LONG_HEAD, SIGN1, HEADER, "a0", "a1 08 1800"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a3 08 00 1818 00 20 00"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a2 1bffffffffffffffff 00 3bffffffffffffffff 00"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 01 60"},
	{CWT_BAD_ISSUER, SIGN1, HEADER, "a0", "a1 01 40"},
	{CWT_BAD_ISSUER, SIGN1, HEADER, "a0", "a1 01 f6"},
	{CBOR_BAD_UTF8, SIGN1, HEADER, "a0", "a1 01 61ff"},
	{CBOR_TEXT_NUL, SIGN1, HEADER, "a0", "a1 01 6100"},
	{CWT_BAD_DATE, SIGN1, HEADER, "a0", "a1 04 f93c00"},
	{CWT_BAD_DATE, SIGN1, HEADER, "a0", "a1 05 6131"},
	{CWT_BAD_DATE, SIGN1, HEADER, "a0", "a1 06 c100"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 04 1b 00000863b432d9ff"},
	{CWT_DATE_RANGE, SIGN1, HEADER, "a0", "a1 04 1b 00000863b432da00"},
	{CWT_DATE_RANGE, SIGN1, HEADER, "a0", "a1 04 1b 7fffffffffffffff"},
	{CWT_DATE_RANGE, SIGN1, HEADER, "a0", "a1 05 1b ffffffffffffffff"},
	{CWT_DATE_RANGE, SIGN1, HEADER, "a0", "a1 05 3b ffffffffffffffff"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 06 3b 0000003118a411ff"},
	{CWT_DATE_RANGE, SIGN1, HEADER, "a0", "a1 06 3b 0000003118a41200"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 07 40"},
	{CWT_BAD_ID, SIGN1, HEADER, "a0", "a1 07 6161"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 3a00010000 " VENUE},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 3a00010001 " VENUE},
	{CWT_BAD_VENUE, SIGN1, HEADER, "a0", "a1 3a00010000 50 00112233445566778899aabbccddeeff"},
	{CWT_BAD_VENUE, SIGN1, HEADER, "a0", "a1 3a00010000 d826 50 00112233445566778899aabbccddeeff"},
	{CWT_BAD_VENUE, SIGN1, HEADER, "a0", "a1 3a00010000 d825 4f 00112233445566778899aabbccddee"},
	{CWT_BAD_VENUE, SIGN1, HEADER, "a0", "a1 3a00010000 d825 f6"},
	{CWT_BAD_SUBJECT, SIGN1, HEADER, "a0", "a1 3a00010001 d825 51 00112233445566778899aabbccddeeff00"},
	{CBOR_LONG_HEAD, SIGN1, HEADER, "a0", "a1 3a00010001 d90025 50 00112233445566778899aabbccddeeff"},
	{CBOR_TOO_DEEP, SIGN1, HEADER, "a0", "a1 08 818181818181818181818181818181818100"},
	{CWT_SOUND, SIGN1, HEADER, "a0", "a1 08 8181818181818181818181818181818100"},
};

static void
test_tokens(void)
{
	static uint8 bytes[8192];
	static char hex[16384];

	for (size_t i = 0; i < sizeof(token_cases) / sizeof(*token_cases); i++)
	{
		size_t		len = build(token_cases[i].head,
								token_cases[i].protected_header,
								token_cases[i].unprotected,
								token_cases[i].payload, SIGNATURE, bytes);
		CwtFaultCode code = read_token(bytes, len, NULL);

		CHECK(code == token_cases[i].code, "case %zu: %s", i,
			  cwt_fault_text(code));
		if (code != CWT_SOUND)
			continue;
		for (size_t cut = 0; cut < len; cut++)
			CHECK(read_token(bytes, cut, NULL) != CWT_SOUND,
				  "case %zu cut at %zu", i, cut);
		bytes[len] = 0;
		CHECK(read_token(bytes, len + 1, NULL) == CBOR_TRAILING,
			  "case %zu and one more", i);
	}

	/* names of 64 and 65 bytes, tokens of 4096 and 4097 */
	for (size_t extra = 0; extra < 2; extra++)
	{
		size_t		len;

		strcpy(hex, "a2 01 27 04 58");
		strcat(hex, extra == 0 ? "40" : "41");
		for (size_t i = 0; i < 64 + extra; i++)
			strcat(hex, "61");
		len = build(SIGN1, hex, "a0", "a0", SIGNATURE, bytes);
		CHECK(read_token(bytes, len, NULL) ==
			  (extra == 0 ? CWT_SOUND : CWT_BAD_KID), "a long name");

		strcpy(hex, "a1 07 59");
		len = build(SIGN1, HEADER, "a0", "", SIGNATURE, bytes);
		/* the payload's head grows by 2; the claim takes 5 besides its bytes */
		len = CWT_MAX_LEN + extra - len - 2 - 5;
		sprintf(hex + strlen(hex), "%04x", (unsigned) len);
		for (size_t i = 0; i < len; i++)
			strcat(hex, "00");
		len = build(SIGN1, HEADER, "a0", hex, SIGNATURE, bytes);
		CHECK(len == CWT_MAX_LEN + extra, "%zu bytes long", len);
		CHECK(read_token(bytes, len, NULL) ==
			  (extra == 0 ? CWT_SOUND : CWT_TOO_LONG), "a long token");
	}
	seen[TEXT_NO_PREFIX] = true;	/* the server's to say */
}

/* Every character, as the first of a name, and after it. */
static void
test_kid(void)
{
	static const char after[] = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
		"abcdefghijklmnopqrstuvwxyz";

	for (int c = 0; c < 256; c++)
	{
		uint8		chars[2] = {(uint8) c, (uint8) c};
		ByteSpan	name = {chars, 0};
		bool		good = c != 0 && strchr(after, c) != NULL;

		for (name.len = 0; name.len <= 2; name.len++)
			CHECK(cwt_kid_is_valid(name) == (name.len > 0 && good && c != '.'),
				  "name of %zu times %02x", name.len, c);
		chars[0] = 'x';
		name.len = 2;
		CHECK(cwt_kid_is_valid(name) == good, "x%02x", c);
	}
}

/* What is written is read as it was meant, in all combinations of claims. */
static void
test_round_trip(void)
{
	static const uint8 venue[] = "venue-0123456789";
	static const uint8 subject[] = "subject-01234567";
	static const int algs[] = {COSE_ALG_EDDSA, COSE_ALG_ED25519, COSE_ALG_HMAC_256};

	CHECK(cwt_tag_of_alg(-7) == COSE_TAG_NONE && cwt_tag_of_alg(0) == COSE_TAG_NONE,
		  "an unknown algorithm has a tag");
	for (uint32 present = 0; present < CWT_HAS_OTHERS; present++)
	{
		CwtClaims	claims = {present, {(const uint8 *) "issuer", 6},
		(int64) present * 100000, -1, CWT_DATE_END - 1,
		{(const uint8 *) "\0id", 3}, venue, subject};
		int			alg = algs[present % 3];
		int			tag = cwt_tag_of_alg(alg);
		ByteSpan	kid = {(const uint8 *) "some.key", 8};
		uint8		header[CWT_PROTECTED_MAX_LEN];
		uint8		payload[256];
		uint8		signature[64] = {1, 2, 3};
		uint8		whole[512];
		uint8		again[256];
		ByteSpan	parts[3] = {
			{header, cwt_write_protected(alg, kid, header, sizeof(header))},
			{payload, cwt_write_payload(&claims, payload, sizeof(payload))},
			{signature, sizeof(signature)}
		};
		size_t		len = cwt_write(tag, parts[0], parts[1], parts[2],
									whole, sizeof(whole));
		Cwt			cwt;
		CwtFault	fault;
		CwtClaimWalk walk;
		CborHead	key;
		ByteSpan	value;
		int			count = 0;

		CHECK(len <= sizeof(whole) && cwt_read(whole, len, &cwt, &fault),
			  "%x: %s", present, cwt_fault_text(fault.code));
		CHECK(cwt.tag == tag && cwt.alg == alg &&
			  cwt.kid.len == 8 && memcmp(cwt.kid.data, "some.key", 8) == 0 &&
			  cwt.signature.len == 64 && cwt.signature.data[2] == 3,
			  "%x: header", present);
		CHECK(cwt.claims.present == present, "%x: %x", present, cwt.claims.present);
		CHECK(cose_header(cwt.protected_header, COSE_HEADER_KID, &value) &&
			  value.len == 9, "%x: second parameter", present);
		if (present & CWT_HAS_ISS)
			CHECK(cwt.claims.iss.len == 6 &&
				  memcmp(cwt.claims.iss.data, "issuer", 6) == 0, "iss");
		if (present & CWT_HAS_EXP)
			CHECK(cwt.claims.exp == claims.exp, "exp");
		if (present & CWT_HAS_NBF)
			CHECK(cwt.claims.nbf == claims.nbf, "nbf");
		if (present & CWT_HAS_IAT)
			CHECK(cwt.claims.iat == claims.iat, "iat");
		if (present & CWT_HAS_CTI)
			CHECK(cwt.claims.cti.len == 3 &&
				  memcmp(cwt.claims.cti.data, "\0id", 3) == 0, "cti");
		if (present & CWT_HAS_VENUE)
			CHECK(memcmp(cwt.claims.venue, venue, 16) == 0, "venue");
		if (present & CWT_HAS_SUBJECT)
			CHECK(memcmp(cwt.claims.subject, subject, 16) == 0, "subject");
		CHECK(cwt_write_payload(&cwt.claims, again, sizeof(again)) == parts[1].len &&
			  memcmp(again, payload, parts[1].len) == 0, "%x: written again", present);
		CHECK(cwt_write_payload(&claims, NULL, 0) == parts[1].len, "%x: measured", present);

		cwt_walk_claims(&cwt, &walk);
		while (cwt_next_claim(&walk, &key, &value))
			count++;
		CHECK(count == __builtin_popcount(present), "%x: %d claims", present, count);

		/* flipping any bit is seen, or changes what is signed or signature */
		for (size_t bit = 0; bit < len * 8; bit++)
		{
			Cwt			other;
			uint8		a[512];
			uint8		b[512];
			size_t		a_len;
			size_t		b_len;

			whole[bit / 8] ^= (uint8) (1 << bit % 8);
			if (cwt_read(whole, len, &other, &fault))
			{
				a_len = cwt_to_be_signed(tag, parts[0], parts[1], a, sizeof(a));
				b_len = cwt_to_be_signed(other.tag, other.protected_header,
										 other.payload, b, sizeof(b));
				if (a_len == b_len && memcmp(a, b, a_len) == 0 &&
					other.signature.len == 64 &&
					memcmp(other.signature.data, signature, 64) == 0)
					CHECK(false, "%x: bit %zu changes nothing", present, bit);
			}
			whole[bit / 8] ^= (uint8) (1 << bit % 8);
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc < 2)
	{
		fprintf(stderr, "usage: token_test ITEMS COSE...\n");
		return 2;
	}
	test_base45();
	test_base64url();
	test_items(argv[1]);
	test_floats();
	test_utf8();
	test_int64();
	test_small_writer();
	for (int i = 2; i < argc; i++)
		test_cose(argv[i]);
	test_tokens();
	test_kid();
	test_round_trip();
	for (int code = CWT_SOUND; code <= CWT_BAD_SUBJECT; code++)
		CHECK(seen[code], "no test meets the fault: %s",
			  cwt_fault_text((CwtFaultCode) code));

	printf("%d checks, %d failures\n", checks, failures);
	return failures == 0 ? 0 : 1;
}
