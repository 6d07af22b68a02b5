/*-------------------------------------------------------------------------
 *
 * member.c
 *	  The details of events: members of jsonb objects
 *
 * Numbers are exact: one that is no integer, or beyond int8, is none.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "member.h"

static JsonbValue *
member_of(JsonbContainer *object, const char *member)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, member, strlen(member), NULL);
}

static JsonbContainer *
container(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary ? value->val.binary.data : NULL;
}

JsonbContainer *
member_object(JsonbContainer *object, const char *member)
{
	JsonbContainer *found = container(member_of(object, member));

	return found != NULL && JsonContainerIsObject(found) ? found : NULL;
}

JsonbContainer *
member_array(JsonbContainer *object, const char *member)
{
	JsonbContainer *found = container(member_of(object, member));

	return found != NULL && JsonContainerIsArray(found) ? found : NULL;
}

JsonbContainer *
member_element(JsonbContainer *array, int i)
{
	return container(getIthJsonbValueFromContainer(array, i));
}

int
member_length(const JsonbContainer *array)
{
	return JsonContainerSize(array);
}

char *
member_text(JsonbContainer *object, const char *member)
{
	JsonbValue *value = member_of(object, member);

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

bool
member_integer(JsonbContainer *object, const char *member, int64 *value)
{
	JsonbValue *number = member_of(object, member);
	char	   *digits;
	char	   *end;

	if (number == NULL || number->type != jbvNumeric)
		return false;
	digits = numeric_normalize(number->val.numeric);
	errno = 0;
	*value = strtoi64(digits, &end, 10);
	return errno == 0 && *end == '\0';
}

bool
member_bytes(JsonbContainer *object, const char *member, uint8 *bytes, int len)
{
	char	   *digits = member_text(object, member);

	if (digits == NULL || strlen(digits) != 2 * (Size) len ||
		strspn(digits, "0123456789abcdef") != 2 * (Size) len)
		return false;
	(void) hex_decode(digits, 2 * (Size) len, (char *) bytes);
	return true;
}
