/*-------------------------------------------------------------------------
 *
 * log_test.c
 *	  Unit tests of the parts of the log that know no server
 *
 *		log_test VECTORS
 *
 * VECTORS holds the proofs of test/data/rfc6962, a line each: see
 * test/scripts/log_unit.sh.  Prints what went wrong, and exits with 1 if
 * anything did.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "check.h"

int			checks;
int			failures;

int
main(int argc, char **argv)
{
	FILE	   *vectors = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (vectors == NULL)
		return 2;
	test_merkle(vectors);
	test_note();
	printf("%d checks, %d failed\n", checks, failures);
	return failures > 0;
}
