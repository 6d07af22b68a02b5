/*-------------------------------------------------------------------------
 *
 * finding.c
 *	  What an audit finds: named so that an auditor can act
 *
 * A finding goes to the result of verify_chain(), to the file that parallel
 * workers share, or, for expire(), which stops at the first, to a string.
 *
 * Memory: what is made for one finding goes with it, so that a table where
 * every row is wrong takes no more than one where a single row is.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "audit.h"
#include "compat.h"

/* A key's value is cut after so many bytes. */
#define SHOWN_VALUE_LEN 80

static void
put(Findings *findings, Datum *values, bool *nulls)
{
	if (findings->store != NULL)
		tuplestore_putvalues(findings->store, findings->tupdesc, values, nulls);
	else
		sts_puttuple(findings->shared, NULL,
					 heap_form_minimal_tuple(findings->tupdesc, values, nulls, 0));
}

void
finding(Audit *audit, FindingKind kind, int32 strand, int64 seq, const char *format,...)
{
	Findings   *findings = audit->findings;
	MemoryContext old = MemoryContextSwitchTo(findings->context);
	StringInfoData detail;

	initStringInfo(&detail);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&detail, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&detail, needed);
	}

	findings->n++;
	if (kind <= FOUND_EXPIRY)
		findings->of_rows++;
	if (findings->store != NULL || findings->shared != NULL)
	{
		Datum		values[4];
		bool		nulls[4] = {false, strand == NO_STRAND, seq == NO_SEQ, false};

		values[0] = CStringGetTextDatum(finding_kind_name(kind));
		values[1] = Int32GetDatum(strand);
		values[2] = Int64GetDatum(seq);
		values[3] = CStringGetTextDatum(detail.data);
		put(findings, values, nulls);
	}
	else if (findings->first == NULL)
		findings->first = MemoryContextStrdup(MemoryContextGetParent(findings->context), detail.data);

	MemoryContextSwitchTo(old);
	MemoryContextReset(findings->context);
}

static void
append_value(StringInfo name, Form_pg_attribute attribute, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attribute->attnum, &isnull);
	Oid			output;
	bool		is_varlena;
	char	   *shown;
	int			len;

	appendStringInfo(name, ", %s ", quote_identifier(NameStr(attribute->attname)));
	if (isnull)
	{
		appendStringInfoString(name, "NULL");
		return;
	}
	getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
	shown = OidOutputFunctionCall(output, value);
	len = strlen(shown);
	if (len > SHOWN_VALUE_LEN)
	{
		len = pg_mbcliplen(shown, len, SHOWN_VALUE_LEN);
		appendStringInfo(name, "%.*s...", len, shown);
	}
	else
		appendStringInfoString(name, shown);
}

/*
 * How a row is called in a finding: its place, and its primary key if the
 * table has one; as the beginning of a sentence.
 */
const char *
finding_row(Audit *audit, const ChainLeaf *leaf, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(audit->findings->context);
	TupleDesc	tupdesc = RelationGetDescr(leaf->heap);
	Bitmapset  *keys = RelationGetIndexAttrBitmap(leaf->heap, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	StringInfoData name;
	int			key = -1;

	initStringInfo(&name);
	appendStringInfo(&name, "Row (%u,%u) of %s",
					 ItemPointerGetBlockNumberNoCheck(&slot->tts_tid),
					 ItemPointerGetOffsetNumberNoCheck(&slot->tts_tid), leaf_name(leaf));
	while ((key = bms_next_member(keys, key)) >= 0)
	{
		AttrNumber	attno = key + FirstLowInvalidHeapAttributeNumber;

		if (attno > 0)
			append_value(&name, TupleDescAttr(tupdesc, attno - 1), slot);
	}
	MemoryContextSwitchTo(old);
	return name.data;
}

const char *
finding_leaf(Audit *audit, const ChainLeaf *leaf)
{
	MemoryContext old = MemoryContextSwitchTo(audit->findings->context);
	const char *name = leaf_name(leaf);

	MemoryContextSwitchTo(old);
	return name;
}

const char *
finding_seqs(Audit *audit, int64 first, int64 last)
{
	MemoryContext old = MemoryContextSwitchTo(audit->findings->context);
	const char *seqs;

	if (first == last)
		seqs = psprintf("The row of seq " INT64_FORMAT " is", first);
	else
		seqs = psprintf("The " INT64_FORMAT " rows of seqs " INT64_FORMAT " to " INT64_FORMAT " are",
						last - first + 1, first, last);
	MemoryContextSwitchTo(old);
	return seqs;
}
