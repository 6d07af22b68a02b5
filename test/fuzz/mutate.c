/*-------------------------------------------------------------------------
 *
 * mutate.c
 *	  Seeds for the fuzzer, and a plain mutator where there is none
 *
 *		mutate ITEMS run COUNT SEED		feed COUNT mutated inputs to the target
 *		mutate ITEMS corpus FOLDER		write the seeds as files, for libFuzzer
 *		mutate ITEMS text COUNT SEED	print mutated tokens, a line each, for the
 *										SQL tests: their bytes in hexadecimal,
 *										and their text
 *
 * ITEMS is test/data/cbor/items.txt.  The same SEED gives the same inputs on
 * every machine.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "token/cwt.h"

#include <string.h>

#include "fuzz.h"
#include "token/base45.h"

#define MAX_SEEDS 4096
#define MAX_INPUT 8192

typedef struct FuzzInput
{
	uint8		data[MAX_INPUT];
	size_t		size;
} FuzzInput;

static ByteSpan seeds[MAX_SEEDS];
static int	seed_count = 0;
static uint64 state;

/* xorshift64* */
static uint32
random_below(uint32 n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32) ((state * UINT64_C(2685821657736338717)) >> 32) % n;
}

static void
add_seed(uint8 mode, const void *bytes, size_t len)
{
	uint8	   *copy = malloc(len + 1);

	if (copy == NULL || seed_count == MAX_SEEDS)
		abort();
	copy[0] = mode;
	memcpy(copy + 1, bytes, len);
	seeds[seed_count].data = copy;
	seeds[seed_count++].len = len + 1;
}

static void
add_items(const char *path)
{
	static char line[65536];
	static uint8 bytes[32768];
	FILE	   *file = fopen(path, "r");

	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char	   *hex = strchr(line, '\t');
		size_t		len = 0;
		unsigned	byte;

		if (line[0] == '#' || hex == NULL)
			continue;
		for (hex++; sscanf(hex, "%2x", &byte) == 1 && *hex != '\t'; hex += 2)
			bytes[len++] = (uint8) byte;
		if (len > 100)
			continue;
		add_seed(3, bytes, len);
		add_seed(4, bytes, len);
	}
	fclose(file);
}

/* Tokens with all combinations of claims. */
static void
add_tokens(void)
{
	static const int algs[] = {COSE_ALG_EDDSA, COSE_ALG_ED25519, COSE_ALG_HMAC_256};
	static const uint8 uuid[] = "\x01\x23\x45\x67\x89\xab\xcd\xef"
		"\x01\x23\x45\x67\x89\xab\xcd\xef";

	for (uint32 present = 0; present < CWT_HAS_OTHERS; present += 3)
	{
		CwtClaims	claims = {present, {(const uint8 *) "b\xc3\xbcro", 5},
		1610612736, 1593835520, present, {uuid, 16}, uuid, uuid};
		int			alg = algs[present % 3];
		ByteSpan	kid = {(const uint8 *) "key.2026", 8};
		uint8		header[CWT_PROTECTED_MAX_LEN];
		uint8		payload[256];
		uint8		signature[64];
		uint8		whole[512];
		char		chars[1024];
		ByteSpan	parts[3] = {
			{header, cwt_write_protected(alg, kid, header, sizeof(header))},
			{payload, cwt_write_payload(&claims, payload, sizeof(payload))},
			{signature, alg == COSE_ALG_HMAC_256 ? 32 : 64}
		};
		size_t		len;

		memset(signature, 0x5a, sizeof(signature));
		len = cwt_write(cwt_tag_of_alg(alg), parts[0], parts[1], parts[2],
						whole, sizeof(whole));
		base45_encode(whole, len, chars);
		add_seed(0, whole, len);
		add_seed(1, chars, BASE45_ENCODED_LEN(len));
		add_seed(2, payload, parts[1].len);
	}
}

/* One small change at a random place. */
static void
mutate(FuzzInput *in)
{
	static const uint8 heads[] = {
		0x00, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1f, 0x20, 0x38, 0x3b, 0x40,
		0x50, 0x58, 0x5f, 0x60, 0x61, 0x78, 0x80, 0x81, 0x84, 0x98, 0x9f, 0xa0,
		0xa1, 0xa2, 0xb8, 0xbf, 0xc1, 0xc2, 0xd1, 0xd2, 0xd8, 0xf4, 0xf6, 0xf8,
		0xf9, 0xfa, 0xfb, 0xff
	};
	size_t		at = random_below((uint32) in->size + 1);
	size_t		len = 1 + random_below(random_below(4) == 0 ? 64 : 4);
	const ByteSpan *other = &seeds[random_below((uint32) seed_count)];

	switch (random_below(8))
	{
		case 0:					/* flip a bit */
			if (at < in->size)
				in->data[at] ^= (uint8) (1 << random_below(8));
			break;
		case 1:					/* a byte that means something */
			if (at < in->size)
				in->data[at] = heads[random_below(sizeof(heads))];
			break;
		case 2:					/* any byte */
			if (at < in->size)
				in->data[at] = (uint8) random_below(256);
			break;
		case 3:					/* one more or less */
			if (at < in->size)
				in->data[at] += (uint8) (random_below(2) == 0 ? 1 : 255);
			break;
		case 4:					/* leave some out */
			if (len > in->size - at)
				len = in->size - at;
			memmove(in->data + at, in->data + at + len, in->size - at - len);
			in->size -= len;
			break;
		case 5:					/* cut */
			if (random_below(4) == 0)
				in->size = at;
			break;
		case 6:					/* put in a part of another seed */
			if (len > other->len)
				len = other->len;
			if (in->size + len > 4200)
				break;
			memmove(in->data + at + len, in->data + at, in->size - at);
			memcpy(in->data + at,
				   other->data + random_below((uint32) (other->len - len) + 1),
				   len);
			in->size += len;
			break;
		case 7:					/* put in one byte */
			if (in->size + 1 > 4200)
				break;
			memmove(in->data + at + 1, in->data + at, in->size - at);
			in->data[at] = heads[random_below(sizeof(heads))];
			in->size++;
			break;
	}
}

static void
make_input(FuzzInput *in, int mode)
{
	const ByteSpan *seed;

	do
		seed = &seeds[random_below((uint32) seed_count)];
	while (mode >= 0 && seed->data[0] != mode);
	memcpy(in->data, seed->data, seed->len);
	in->size = seed->len;
	for (uint32 i = random_below(random_below(3) == 0 ? 10 : 3) + 1; i > 0; i--)
		mutate(in);
}

static void
run(uint64 count)
{
	for (uint64 i = 0; i < count; i++)
	{
		static FuzzInput in;
		uint8	   *copy;

		make_input(&in, -1);
		/* exactly as much memory, for the address sanitizer */
		copy = malloc(in.size + 1);
		if (copy == NULL)
			abort();
		memcpy(copy, in.data, in.size);
		copy = realloc(copy, in.size > 0 ? in.size : 1);
		LLVMFuzzerTestOneInput(copy, in.size);
		free(copy);
	}
}

static void
print_tokens(uint64 count)
{
	static char chars[MAX_INPUT * 2];

	for (uint64 i = 0; i < count; i++)
	{
		static FuzzInput in;

		do
			make_input(&in, 0);
		while (in.size == 0);
		for (size_t k = 1; k < in.size; k++)
			printf("%02x", in.data[k]);
		base45_encode(in.data + 1, in.size - 1, chars);
		printf("\tANSHIM1:%.*s\n",
			   (int) BASE45_ENCODED_LEN(in.size - 1), chars);
	}
}

static void
write_corpus(const char *folder)
{
	for (int i = 0; i < seed_count; i++)
	{
		char		path[4096];
		FILE	   *file;

		snprintf(path, sizeof(path), "%s/seed-%04d", folder, i);
		file = fopen(path, "wb");
		if (file == NULL ||
			fwrite(seeds[i].data, 1, seeds[i].len, file) != seeds[i].len ||
			fclose(file) != 0)
		{
			perror(path);
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	if (argc < 4 || (strcmp(what, "corpus") != 0 && argc < 5))
	{
		fprintf(stderr, "usage: mutate ITEMS run|text COUNT SEED\n"
				"       mutate ITEMS corpus FOLDER\n");
		return 2;
	}
	add_items(argv[1]);
	add_tokens();
	if (strcmp(what, "corpus") == 0)
	{
		write_corpus(argv[3]);
		return 0;
	}

	state = strtoull(argv[4], NULL, 10) * 2 + 1;
	for (int i = 0; i < 16; i++)
		random_below(2);
	if (strcmp(what, "run") == 0)
		run(strtoull(argv[3], NULL, 10));
	else
		print_tokens(strtoull(argv[3], NULL, 10));
	return 0;
}
