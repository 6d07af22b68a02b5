/*-------------------------------------------------------------------------
 *
 * venues.c
 *	  The table of a visit log's venues: its columns, and who may read it
 *
 * Locking: AccessShareLock on the table, to the end of the transaction.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "log_check.h"
#include "venues.h"

char *
log_sql_name(const VisitLog *log)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(log->relid)),
									  get_rel_name(log->relid));
}

Relation
venues_table_open(const VisitLog *log)
{
	return OidIsValid(log->venues) ? try_relation_open(log->venues, AccessShareLock) : NULL;
}

AttrNumber
venues_column(Relation rel, const VenuesUse *use, const char *argument, const NameData *name)
{
	AttrNumber	attno = column_by_name(rel, NameStr(*name));

	if (attno != InvalidAttrNumber)
		return attno;
	ereport(ERROR,
			(errcode(use->tracking ? ERRCODE_UNDEFINED_COLUMN :
					 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table of venues \"%s\" has no column \"%s\"",
					RelationGetRelationName(rel), NameStr(*name)),
			 errhint("Say which column it is: SELECT anshim.track_venues(%s, %s, %s => '...');",
					 quote_literal_cstr(use->log),
					 quote_literal_cstr(relation_sql_name(rel)), argument)));
}

void
venues_key_check(Relation rel, AttrNumber attno, const IdentType *venue_type)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	IdentType	type;

	if (ident_base_type(attribute->atttypid) != venue_type->typid)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" must have the type of the log's venues",
						NameStr(attribute->attname), RelationGetRelationName(rel)),
				 errdetail("It is of type %s, and the log's venues are of type %s.",
						   format_type_be(attribute->atttypid), format_type_be(venue_type->typid)),
				 errhint("Name another column, or change its type.")));
	/* Refuses what is equal without being the same. */
	ident_type_init(&type, venue_type->typid, attribute->attcollation);
}

/* Their names as in a GRANT */
static char *
column_list(Relation rel, const AttrNumber *columns, int n)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(rel),
																columns[i] - 1)->attname)));
	return list.data;
}

void
venues_rights_check(Relation rel, const VenuesUse *use, const AttrNumber *columns, int n)
{
	Oid			relid = RelationGetRelid(rel);
	Oid			user = GetUserId();
	bool		allowed = true;

	for (int i = 0; i < n; i++)
		allowed &= pg_attribute_aclcheck(relid, columns[i], user, ACL_SELECT) == ACLCHECK_OK;
	if (!allowed && pg_class_aclcheck(relid, user, ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table of venues \"%s\"", RelationGetRelationName(rel)),
				 errhint("Its owner can allow it: GRANT SELECT (%s) ON %s TO %s;",
						 column_list(rel, columns, n), relation_sql_name(rel),
						 quote_identifier(GetUserNameFromId(user, false)))));
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of table of venues \"%s\" applies to user \"%s\"",
						RelationGetRelationName(rel), GetUserNameFromId(user, false)),
				 errdetail("A trace without some of the venues would miss exposures."),
				 errhint("Let a role with BYPASSRLS trace, or %s.", use->without)));
}
