/*-------------------------------------------------------------------------
 *
 * log_index.c
 *	  Which of a table's indexes a trace can read
 *
 * An index is known by its shape, never by its name, so that indexes made by
 * hand count as well as those that track_visits() made.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "nodes/primnodes.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "log_check.h"

/* Places in IndexPattern's arrays */
enum
{
	SUBJECT,
	VENUE,
	ENTERED_AT
};

static void
pattern_column(IndexPattern *pattern, int place, Relation rel, AttrNumber attno)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	TypeCacheEntry *type = lookup_type_cache(attribute->atttypid, TYPECACHE_BTREE_OPFAMILY);

	pattern->opfamily[place] = type->btree_opf;
	pattern->opcintype[place] = type->btree_opintype;
	pattern->collation[place] = attribute->attcollation;
}

void
index_pattern_init(IndexPattern *pattern, Relation rel, const LogColumns *columns)
{
	pattern->columns = *columns;
	pattern_column(pattern, SUBJECT, rel, columns->subject);
	pattern_column(pattern, VENUE, rel, columns->venue);
	pattern_column(pattern, ENTERED_AT, rel, columns->entered_at);
}

/* Is key column `key` of the index this column, in its usual order? */
static bool
key_is(Relation index, int key, const IndexPattern *pattern, int place)
{
	const AttrNumber attnos[] = {pattern->columns.subject, pattern->columns.venue,
	pattern->columns.entered_at};

	return index->rd_index->indkey.values[key] == attnos[place] &&
		index->rd_opfamily[key] == pattern->opfamily[place] &&
		index->rd_opcintype[key] == pattern->opcintype[place] &&
		index->rd_indcollation[key] == pattern->collation[place] &&
		index->rd_indoption[key] == 0;
}

/* A column, perhaps of a domain */
static bool
is_column(Node *node, AttrNumber attno)
{
	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varattno == attno;
}

/*
 * Is the index's predicate `left_at - entered_at > constant`?  Intervals
 * compare by length, so that is what the constant says.
 */
static bool
predicate_is_long_stay(Relation index, const LogColumns *columns, int64 *long_stay)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	OpExpr	   *greater;
	OpExpr	   *stay;
	Const	   *constant;

	if (list_length(predicate) != 1 || !IsA(linitial(predicate), OpExpr))
		return false;
	greater = linitial(predicate);
	if (get_opcode(greater->opno) != F_INTERVAL_GT ||
		!IsA(linitial(greater->args), OpExpr) || !IsA(lsecond(greater->args), Const))
		return false;
	stay = linitial(greater->args);
	constant = lsecond(greater->args);
	return get_opcode(stay->opno) == F_TIMESTAMPTZ_MI &&
		is_column(linitial(stay->args), columns->left_at) &&
		is_column(lsecond(stay->args), columns->entered_at) &&
		!constant->constisnull &&
		interval_to_length(DatumGetIntervalP(constant->constvalue), long_stay);
}

IndexShape
index_shape(Relation index, const IndexPattern *pattern,
			AttrNumber *left_attno, int64 *long_stay)
{
	Form_pg_index form = index->rd_index;
	IndexShape	shape;

	if (index->rd_rel->relam != BTREE_AM_OID || form->indnkeyatts < 3 ||
		!form->indisvalid || !form->indisready || !form->indislive ||
		!key_is(index, 1, pattern, ENTERED_AT))
		return INDEX_OTHER;
	if (key_is(index, 0, pattern, VENUE) && key_is(index, 2, pattern, SUBJECT))
		shape = INDEX_BY_VENUE;
	else if (key_is(index, 0, pattern, SUBJECT) && key_is(index, 2, pattern, VENUE))
		shape = INDEX_BY_SUBJECT;
	else
		return INDEX_OTHER;

	*left_attno = InvalidAttrNumber;
	for (int i = 3; i < form->indnatts && *left_attno == InvalidAttrNumber; i++)
		if (form->indkey.values[i] == pattern->columns.left_at)
			*left_attno = i + 1;
	if (*left_attno == InvalidAttrNumber)
		return INDEX_OTHER;

	if (heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return shape;
	if (shape == INDEX_BY_VENUE &&
		predicate_is_long_stay(index, &pattern->columns, long_stay))
		return INDEX_LONG_STAYS;
	return INDEX_OTHER;
}
