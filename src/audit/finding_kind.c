/*-------------------------------------------------------------------------
 *
 * finding_kind.c
 *	  What a finding can be, of verify_chain() as of anshim_verify
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "audit/finding_kind.h"

static const char *const names[] = {
	[FOUND_CHANGED] = "changed",
	[FOUND_MISSING] = "missing",
	[FOUND_INSERTED] = "inserted",
	[FOUND_MOVED] = "moved",
	[FOUND_OUT_OF_ORDER] = "out of order",
	[FOUND_SEGMENT] = "segment root differs",
	[FOUND_BLOCK] = "block differs",
	[FOUND_NODE] = "node differs",
	[FOUND_EXPIRY] = "expiry differs",
	[FOUND_LAYOUT] = "layout differs",
	[FOUND_TABLE] = "table differs",
	[FOUND_LOG] = "log differs from the checkpoint",
	[FOUND_ROLLED_BACK] = "rolled back",
	[FOUND_SIGNATURE] = "checkpoint signature bad",
	[FOUND_COSIGNATURES] = "cosignatures missing",
	[FOUND_TRIGGER] = "trigger missing or disabled",
	[FOUND_INDEX] = "position index missing or wrong",
};

const char *
finding_kind_name(FindingKind kind)
{
	return names[kind];
}
