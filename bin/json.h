/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Reading JSON from left to right, for those who know what should be there
 *
 * The text is a stranger's.  Nothing is kept in memory but the string asked
 * for, and nothing recurses: PostgreSQL's own parser does, in programs without
 * a limit before version 17.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_JSON_H
#define ANSHIM_BIN_JSON_H

typedef struct JsonCursor
{
	const char *next;
	const char *end;
	bool		bad;			/* from the first fault on, everything fails */
} JsonCursor;

extern void json_open(JsonCursor *cursor, const char *str, size_t len);

/*
 * Objects and arrays: after json_object() or json_array(), ask for members or
 * elements until there are none: each call that gives true must be followed by
 * reading that value, or skipping it.  Keys are allocated.
 *
 *		if (json_object(&cursor))
 *			while ((key = json_member(&cursor)) != NULL) ...
 */
extern bool json_object(JsonCursor *cursor);
extern char *json_member(JsonCursor *cursor);
extern bool json_array(JsonCursor *cursor);
extern bool json_element(JsonCursor *cursor);

/* Values.  A string is allocated, in UTF-8, without NULs; NULL if it is none. */
extern char *json_string(JsonCursor *cursor);
extern bool json_int8(JsonCursor *cursor, int64 *value);
extern bool json_skip(JsonCursor *cursor);

/* True if all has been read, and all was well. */
extern bool json_end(JsonCursor *cursor);

#endif							/* ANSHIM_BIN_JSON_H */
