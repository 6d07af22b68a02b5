/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Reading JSON from left to right, for those who know what should be there
 *
 * RFC 8259, with integers for numbers.  Of what is skipped only the structure
 * is looked at.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "mb/pg_wchar.h"
#include "pqexpbuffer.h"

#include "json.h"

#define JSON_MAX_DEPTH 1000		/* of what is skipped */

static bool
fail(JsonCursor *cursor)
{
	cursor->bad = true;
	return false;
}

void
json_open(JsonCursor *cursor, const char *str, size_t len)
{
	cursor->next = str;
	cursor->end = str + len;
	cursor->bad = pg_encoding_verifymbstr(PG_UTF8, str, (int) len) != (int) len;
}

/* The next character that is no blank; '\0' at the end. */
static char
peek(JsonCursor *cursor)
{
	if (cursor->bad)
		return '\0';
	while (cursor->next < cursor->end &&
		   (*cursor->next == ' ' || *cursor->next == '\t' || *cursor->next == '\n' || *cursor->next == '\r'))
		cursor->next++;
	return cursor->next < cursor->end ? *cursor->next : '\0';
}

static bool
expect(JsonCursor *cursor, char c)
{
	if (peek(cursor) != c || c == '\0')
		return fail(cursor);
	cursor->next++;
	return true;
}

bool
json_object(JsonCursor *cursor)
{
	return expect(cursor, '{');
}

bool
json_array(JsonCursor *cursor)
{
	return expect(cursor, '[');
}

/*
 * Is there another member or element?  Behind the opening bracket there may be
 * one, or the closing bracket; behind a value a comma and another one, or that.
 * What the last character read was says which.
 */
static bool
another(JsonCursor *cursor, char open, char close)
{
	bool		first = !cursor->bad && cursor->next[-1] == open;
	char		c = peek(cursor);

	if (c == close)
	{
		cursor->next++;
		return false;
	}
	return first ? c != '\0' || fail(cursor) : expect(cursor, ',');
}

bool
json_element(JsonCursor *cursor)
{
	return another(cursor, '[', ']');
}

char *
json_member(JsonCursor *cursor)
{
	char	   *key;

	if (!another(cursor, '{', '}'))
		return NULL;
	key = json_string(cursor);
	if (key == NULL || expect(cursor, ':'))
		return key;
	pg_free(key);
	return NULL;
}

/* Four hexadecimal digits, behind \u */
static bool
read_unit(JsonCursor *cursor, uint32 *unit)
{
	*unit = 0;
	if (cursor->end - cursor->next < 4)
		return fail(cursor);
	for (int i = 0; i < 4; i++)
	{
		char		c = *cursor->next++;
		int			digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return fail(cursor);
		*unit = *unit << 4 | digit;
	}
	return true;
}

/* Is this half of a surrogate pair, the one whose range begins here? */
#define IS_SURROGATE(unit, first) ((unit) >= (first) && (unit) < (first) + 0x400)

/* A character behind a backslash */
static bool
read_escape(JsonCursor *cursor, PQExpBuffer str)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	unsigned char utf8[5] = {0};
	uint32		unit;
	uint32		low;

	if (cursor->next == cursor->end)
		return fail(cursor);
	found = *cursor->next == '\0' ? NULL : strchr(from, *cursor->next);
	if (found != NULL)
	{
		cursor->next++;
		appendPQExpBufferChar(str, to[found - from]);
		return true;
	}
	if (*cursor->next++ != 'u' || !read_unit(cursor, &unit))
		return fail(cursor);
	if (IS_SURROGATE(unit, 0xd800))
	{
		if (cursor->end - cursor->next < 6 || *cursor->next++ != '\\' || *cursor->next++ != 'u' ||
			!read_unit(cursor, &low) || !IS_SURROGATE(low, 0xdc00))
			return fail(cursor);
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	}
	else if (unit == 0 || IS_SURROGATE(unit, 0xdc00))
		return fail(cursor);
	unicode_to_utf8(unit, utf8);
	appendPQExpBufferStr(str, (char *) utf8);
	return true;
}

char *
json_string(JsonCursor *cursor)
{
	PQExpBufferData str;

	if (!expect(cursor, '"'))
		return NULL;
	initPQExpBuffer(&str);
	while (!cursor->bad)
	{
		const char *plain = cursor->next;

		while (cursor->next < cursor->end && (unsigned char) *cursor->next >= ' ' &&
			   *cursor->next != '"' && *cursor->next != '\\')
			cursor->next++;
		appendBinaryPQExpBuffer(&str, plain, cursor->next - plain);

		if (cursor->next < cursor->end && *cursor->next == '"')
		{
			cursor->next++;
			if (PQExpBufferDataBroken(str))
				break;
			return str.data;
		}
		if (cursor->next == cursor->end || *cursor->next++ != '\\')
			fail(cursor);
		else
			read_escape(cursor, &str);
	}
	termPQExpBuffer(&str);
	fail(cursor);
	return NULL;
}

bool
json_int8(JsonCursor *cursor, int64 *value)
{
	bool		negative = peek(cursor) == '-';
	const char *digits = cursor->next + negative;
	const char *s = digits;
	int64		sum = 0;

	if (cursor->bad)
		return false;
	for (; s < cursor->end && *s >= '0' && *s <= '9'; s++)
	{
		int			digit = *s - '0';

		/* negative numbers reach farther */
		if (sum < (PG_INT64_MIN + digit) / 10)
			return fail(cursor);
		sum = sum * 10 - digit;
	}
	if (s == digits || (*digits == '0' && s - digits > 1) || (!negative && sum == PG_INT64_MIN) ||
		(s < cursor->end && (*s == '.' || *s == 'e' || *s == 'E')))
		return fail(cursor);
	*value = negative ? sum : -sum;
	cursor->next = s;
	return true;
}

/* A number of any kind, true, false or null, as far as it goes. */
static bool
skip_word(JsonCursor *cursor)
{
	static const char word[] = "0123456789+-.eEtrufalsn";
	const char *begin = cursor->next;

	while (cursor->next < cursor->end && *cursor->next != '\0' && strchr(word, *cursor->next) != NULL)
		cursor->next++;
	return cursor->next > begin || fail(cursor);
}

/* A value of whatever kind.  Nesting is counted, and its brackets are remembered. */
bool
json_skip(JsonCursor *cursor)
{
	char		closers[JSON_MAX_DEPTH];
	int			depth = 0;

	do
	{
		char		c = peek(cursor);
		char	   *string = NULL;

		if (c == '{' || c == '[')
		{
			if (depth == JSON_MAX_DEPTH)
				return fail(cursor);
			closers[depth++] = c == '{' ? '}' : ']';
			cursor->next++;
		}
		else if (c == '"')
		{
			string = json_string(cursor);
			pg_free(string);
		}
		else if (!skip_word(cursor))
			return false;

		/* to the next value, over brackets that close */
		while (depth > 0 && !cursor->bad)
		{
			char		close = closers[depth - 1];

			if (!another(cursor, close == '}' ? '{' : '[', close))
			{
				depth--;
				continue;
			}
			if (close == '}')
			{
				string = json_string(cursor);
				pg_free(string);
				expect(cursor, ':');
			}
			break;
		}
	} while (depth > 0 && !cursor->bad);
	return !cursor->bad;
}

bool
json_end(JsonCursor *cursor)
{
	return peek(cursor) == '\0' && !cursor->bad && cursor->next == cursor->end;
}
