/*-------------------------------------------------------------------------
 *
 * check.h
 *	  What the unit tests share
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_TEST_CHECK_H
#define ANSHIM_TEST_CHECK_H

extern int	checks;
extern int	failures;

#define CHECK(condition, ...) \
	do { \
		checks++; \
		if (!(condition)) \
		{ \
			failures++; \
			printf("%s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* A copy whose end is the end of its memory: the sanitizer sees reads beyond. */
static inline void *
exact_copy(const void *bytes, size_t len)
{
	void	   *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

extern void test_merkle(FILE * vectors);
extern void test_note(void);

#endif							/* ANSHIM_TEST_CHECK_H */
