/*-------------------------------------------------------------------------
 *
 * anshim.c
 *	  Entry of the library: what happens when a backend loads it
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"

#include "audit/audit.h"
#include "compat.h"
#include "key/key.h"
#include "log/log.h"
#include "purpose/purpose.h"
#include "visits/memory.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "anshim",.version = ANSHIM_VERSION);
#else
PG_MODULE_MAGIC;
#endif

/* anshim.max_memory, in kilobytes */
int			anshim_max_memory;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	DefineCustomIntVariable("anshim.max_memory",
							"Limits the memory that one trace may use",
							"A trace that needs more raises an error.  What it needs grows "
							"with the subjects that it reaches, some hundred bytes each.",
							&anshim_max_memory,
							1024 * 1024, 1024, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	key_define_settings();
	log_define_settings();
	audit_define_settings();
	log_seal_in_background();
	purpose_define_settings();
	MarkGUCPrefixReserved("anshim");
}
