/*-------------------------------------------------------------------------
 *
 * log_stay.c
 *	  The CHECK that bounds how long a visit lasts
 *
 * A trace looks for visits that were under way at some time by their time of
 * entry, and so has to know how long before that they may have begun.  The
 * bound is only worth something if every row that the snapshot sees obeys it:
 * hence a validated CHECK, older than the snapshot.
 *
 * It may have been written by hand, as the way without long locks requires,
 * so it is compared by meaning: whatever implies the bound will do.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "log_check.h"

/* A column of times, as the parser would hand it to an operator */
static Expr *
time_column(Relation rel, AttrNumber attno)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	Var		   *var = makeVar(1, attno, attribute->atttypid, attribute->atttypmod,
							  InvalidOid, 0);

	if (attribute->atttypid == TIMESTAMPTZOID)
		return (Expr *) var;
	return (Expr *) makeRelabelType((Expr *) var, TIMESTAMPTZOID, -1, InvalidOid,
									COERCE_IMPLICIT_CAST);
}

static Expr *
core_operator(const char *name, Oid type, Oid result, Expr *left, Expr *right)
{
	List	   *names = list_make2(makeString("pg_catalog"), makeString(pstrdup(name)));
	Oid			opno = OpernameGetOprid(names, type, type);

	if (!OidIsValid(opno))
		elog(ERROR, "operator pg_catalog.%s is missing", name);
	return make_opclause(opno, result, false, left, right, InvalidOid, InvalidOid);
}

static Expr *
is_finite(Expr *time)
{
	return (Expr *) makeFuncExpr(F_ISFINITE_TIMESTAMPTZ, BOOLOID, list_make1(time),
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

static Expr *
length_constant(int64 length)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = length;
	return (Expr *) makeConst(INTERVALOID, -1, InvalidOid, sizeof(Interval),
							  IntervalPGetDatum(interval), false, false);
}

/* What stay_check_sql() says, as an expression over the relation's columns */
static Expr *
stay_bound(Relation rel, const LogColumns *columns, int64 max_stay)
{
	Expr	   *entered = time_column(rel, columns->entered_at);
	Expr	   *left = time_column(rel, columns->left_at);
	Expr	   *stay = core_operator("-", TIMESTAMPTZOID, INTERVALOID, left, entered);
	NullTest   *unknown = makeNode(NullTest);
	Expr	   *bound;

	unknown->arg = (Expr *) makeVar(1, columns->left_at,
									TupleDescAttr(RelationGetDescr(rel), columns->left_at - 1)->atttypid,
									TupleDescAttr(RelationGetDescr(rel), columns->left_at - 1)->atttypmod,
									InvalidOid, 0);
	unknown->nulltesttype = IS_NULL;
	unknown->argisrow = false;
	unknown->location = -1;
	bound = makeBoolExpr(AND_EXPR,
						 list_make3(is_finite(left),
									core_operator(">", TIMESTAMPTZOID, BOOLOID, left, entered),
									core_operator("<=", INTERVALOID, BOOLOID, stay,
												  length_constant(max_stay))), -1);
	bound = makeBoolExpr(OR_EXPR, list_make2(unknown, bound), -1);
	return makeBoolExpr(AND_EXPR, list_make2(is_finite(entered), bound), -1);
}

char *
stay_check_sql(const LogRecord *record)
{
	const char *entered = quote_identifier(NameStr(record->entered_at));
	const char *left = quote_identifier(NameStr(record->left_at));

	return psprintf("isfinite(%s) AND (%s IS NULL OR (isfinite(%s) AND %s > %s AND %s - %s <= interval '%s'))",
					entered, left, left, left, entered, left, entered,
					length_to_string(record->max_stay));
}

/*
 * Whether the CHECK implies the bound, and with `exactly`, the bound it.  A
 * CHECK passes what is null, hence the weak form of implication.  No constant
 * is folded, so nothing that the table's owner wrote is executed here.
 */
static bool
bounds_stay(Expr *check, Expr *bound, bool exactly)
{
	List	   *checks;
	List	   *bounds;

	if (equal(check, bound))
		return true;
	checks = make_ands_implicit(check);
	bounds = make_ands_implicit(bound);
	return predicate_implied_by(bounds, checks, true) &&
		(!exactly || predicate_implied_by(checks, bounds, true));
}

/*
 * The CHECK that was judged last, and what came out: most traces of a session
 * are of one log, and to read an expression takes longer than a small trace.
 * Judged is a text, so that nothing but its words has to be the same.
 */
typedef struct JudgedCheck
{
	char	   *words;
	Oid			entered_type;
	Oid			left_type;
	LogColumns	columns;
	int64		max_stay;
	bool		bounds;
} JudgedCheck;

static JudgedCheck judged;

static bool
judge_check(Relation rel, const char *words, const LogColumns *columns, int64 max_stay)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	Oid			entered_type = TupleDescAttr(tupdesc, columns->entered_at - 1)->atttypid;
	Oid			left_type = TupleDescAttr(tupdesc, columns->left_at - 1)->atttypid;
	bool		bounds;

	if (judged.words != NULL && strcmp(judged.words, words) == 0 &&
		judged.entered_type == entered_type && judged.left_type == left_type &&
		judged.columns.entered_at == columns->entered_at &&
		judged.columns.left_at == columns->left_at && judged.max_stay == max_stay)
		return judged.bounds;

	bounds = bounds_stay(stringToNode(words), stay_bound(rel, columns, max_stay), false);
	if (judged.words != NULL)
		pfree(judged.words);
	judged.words = NULL;
	judged.words = MemoryContextStrdup(TopMemoryContext, words);
	judged.entered_type = entered_type;
	judged.left_type = left_type;
	judged.columns = *columns;
	judged.max_stay = max_stay;
	judged.bounds = bounds;
	return bounds;
}

StayCheck
stay_check_state(Relation rel, const LogColumns *columns, int64 max_stay, bool exactly)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	for (int i = 0; constr && i < constr->num_check; i++)
	{
		ConstrCheck *check = &constr->check[i];

		if (strcmp(check->ccname, STAY_CHECK) != 0)
			continue;
		if (exactly ?
			!bounds_stay(stringToNode(check->ccbin), stay_bound(rel, columns, max_stay), true) :
			!judge_check(rel, check->ccbin, columns, max_stay))
			return STAY_CHECK_DIFFERENT;
		return check->ccvalid ? STAY_CHECK_GOOD : STAY_CHECK_NOT_VALID;
	}
	return STAY_CHECK_ABSENT;
}

/*
 * A snapshot older than the CHECK may see rows that were deleted before the
 * CHECK was added, and that it never looked at.
 */
bool
stay_check_old_enough(Relation rel)
{
	Oid			oid = get_relation_constraint_oid(RelationGetRelid(rel), STAY_CHECK, true);
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	TransactionId xmin;

	if (!HeapTupleIsValid(tuple))
		return false;
	xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	return !TransactionIdIsNormal(xmin) ||
		TransactionIdIsCurrentTransactionId(xmin) ||
		!XidInMVCCSnapshot(xmin, GetActiveSnapshot());
}
