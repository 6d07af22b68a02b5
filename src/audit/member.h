/*-------------------------------------------------------------------------
 *
 * member.h
 *	  The details of events: members of jsonb objects
 *
 * Events may have been tampered with: whatever is not there, or of another
 * type than expected, is answered by NULL or false.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_MEMBER_H
#define ANSHIM_MEMBER_H

#include "utils/jsonb.h"

/* An object within an object, or an array; NULL if there is none */
extern JsonbContainer *member_object(JsonbContainer *object, const char *member);
extern JsonbContainer *member_array(JsonbContainer *object, const char *member);
extern JsonbContainer *member_element(JsonbContainer *array, int i);
extern int	member_length(const JsonbContainer *array);

/* In the current memory context */
extern char *member_text(JsonbContainer *object, const char *member);
extern bool member_integer(JsonbContainer *object, const char *member, int64 *value);

/* Bytes in hexadecimal, exactly so many */
extern bool member_bytes(JsonbContainer *object, const char *member, uint8 *bytes, int len);

#endif							/* ANSHIM_MEMBER_H */
