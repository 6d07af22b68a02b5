/*-------------------------------------------------------------------------
 *
 * venues.c
 *	  Checks on the table that says where the venues of a visit log lie
 *
 * It is not anshim's, and may change after it was recorded, so it is checked
 * whenever distances are asked for as it was when it was recorded.
 *
 * PostGIS may lie in any schema.  It is known by being the extension of that
 * name, and everything of it is called by its full name.
 *
 * Locking: none; the callers hold AccessShareLock on the table.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "compat.h"
#include "venues.h"
#include "visits/log_check.h"

void
postgis_check(void)
{
	if (!OidIsValid(get_extension_oid("postgis", true)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("distances between venues need PostGIS"),
				 errdetail("The extension postgis is not installed in this database."),
				 errhint("CREATE EXTENSION postgis; or trace with within => 0.")));
}

static AttrNumber
find_column(Relation rel, const VenuesNames *names, const char *argument, const char *name)
{
	AttrNumber	attno = column_by_name(rel, name);

	if (attno != InvalidAttrNumber)
		return attno;
	ereport(ERROR,
			(errcode(names->tracking ? ERRCODE_UNDEFINED_COLUMN :
					 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table of venues \"%s\" has no column \"%s\"",
					RelationGetRelationName(rel), name),
			 errhint("Say which column it is: SELECT anshim.track_venues(%s, %s, %s => '...');",
					 quote_literal_cstr(names->visits),
					 quote_literal_cstr(relation_sql_name(rel)), argument)));
}

static void
check_venue_type(Relation rel, AttrNumber attno, const IdentType *venue_type)
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

/* Is it PostGIS's geography, or its geometry?  Sets the schema it lies in. */
static void
check_location_type(Relation rel, AttrNumber attno, VenuesTable *table)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	int32		typmod = attribute->atttypmod;
	Oid			typid = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	Form_pg_type type = (Form_pg_type) GETSTRUCT(tuple);
	bool		geometry = strcmp(NameStr(type->typname), "geometry") == 0;

	table->geography = strcmp(NameStr(type->typname), "geography") == 0;
	if ((!geometry && !table->geography) ||
		getExtensionOfObject(TypeRelationId, typid) != get_extension_oid("postgis", false))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" must be a geography or a geometry",
						NameStr(attribute->attname), RelationGetRelationName(rel)),
				 errdetail("It is of type %s.", format_type_be(attribute->atttypid)),
				 errhint("Make a column of type geography(Point), and fill it with longitude and latitude: ST_MakePoint(longitude, latitude).")));
	table->postgis = pstrdup(quote_identifier(get_namespace_name(type->typnamespace)));
	table->location_typmod = typmod;
	ReleaseSysCache(tuple);
}

static void
check_rights(Relation rel, AttrNumber venue, AttrNumber location, const VenuesTable *table)
{
	Oid			user = GetUserId();

	if (pg_class_aclcheck(table->relid, user, ACL_SELECT) != ACLCHECK_OK &&
		(pg_attribute_aclcheck(table->relid, venue, user, ACL_SELECT) != ACLCHECK_OK ||
		 pg_attribute_aclcheck(table->relid, location, user, ACL_SELECT) != ACLCHECK_OK))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table of venues \"%s\"", RelationGetRelationName(rel)),
				 errhint("Its owner can allow it: GRANT SELECT (%s, %s) ON %s TO %s;",
						 table->venue, table->location, table->sql_name,
						 quote_identifier(GetUserNameFromId(user, false)))));
	if (check_enable_rls(table->relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of table of venues \"%s\" applies to user \"%s\"",
						RelationGetRelationName(rel), GetUserNameFromId(user, false)),
				 errdetail("A trace without some of the venues would miss exposures."),
				 errhint("Let a role with BYPASSRLS trace, or trace with within => 0.")));
}

void
venues_table_check(Relation rel, const VenuesNames *names, const IdentType *venue_type,
				   VenuesTable *table)
{
	AttrNumber	venue = find_column(rel, names, "venue", names->venue);
	AttrNumber	location = find_column(rel, names, "location", names->location);

	table->relid = RelationGetRelid(rel);
	table->sql_name = relation_sql_name(rel);
	table->venue = pstrdup(quote_identifier(names->venue));
	table->location = pstrdup(quote_identifier(names->location));
	check_rights(rel, venue, location, table);
	check_venue_type(rel, venue, venue_type);
	check_location_type(rel, location, table);
}

/* One row of two integers, either of which may be null */
static void
query_integers(const char *query, int64 values[2], bool nulls[2])
{
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "query failed: %s", query);
	for (int i = 0; i < 2; i++)
		values[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
												i + 1, &nulls[i]));
	SPI_freetuptable(SPI_tuptable);
}

/* The locations' spatial reference system: 0 if none is known */
static int64
locations_srid(const VenuesTable *table)
{
	int64		srids[2];
	bool		nulls[2];

	query_integers(psprintf("SELECT %s.postgis_typmod_srid(%d)::bigint, 0::bigint",
							table->postgis, table->location_typmod), srids, nulls);
	if (!nulls[0] && srids[0] > 0)
		return srids[0];

	/* The type does not say, so the rows have to. */
	query_integers(psprintf("SELECT pg_catalog.min(srid), pg_catalog.max(srid) "
							"FROM (SELECT %s.ST_SRID(%s)::bigint FROM %s) AS location (srid)",
							table->postgis, table->location, table->sql_name), srids, nulls);
	if (nulls[0])
		return 0;
	if (srids[0] != srids[1])
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("locations of venues are in different coordinate systems"),
				 errdetail("Column %s of table %s holds SRID %lld and SRID %lld.", table->location,
						   table->sql_name, (long long) srids[0], (long long) srids[1]),
				 errhint("Bring them into one with ST_Transform(), or use a column of type geography.")));
	return srids[0];
}

void
venues_metres_check(const VenuesTable *table)
{
	int64		srid;
	int64		answer[2];
	bool		nulls[2];

	if (table->geography)
		return;
	srid = locations_srid(table);
	if (srid == 0)
		return;

	/*
	 * PROJ's text is the simplest to read; geocentric metres are no
	 * distances.  Where an administrator added a system without it, its
	 * well-known text ends with the unit of the axes.
	 */
	query_integers(psprintf("SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE "
							"CASE WHEN proj4text OPERATOR(pg_catalog.~) '\\S' "
							"THEN proj4text OPERATOR(pg_catalog.~) '(^|\\s)\\+units=m(\\s|$)' "
							"AND proj4text OPERATOR(pg_catalog.!~) '\\+proj=(longlat|latlong|geocent)' "
							"ELSE srtext OPERATOR(pg_catalog.~*) "
							"'^\\s*proj.*unit\\[\"met(re|er)\",\\s*1(\\.0*)?\\s*[,\\]]' END) "
							"FROM %s.spatial_ref_sys WHERE srid OPERATOR(pg_catalog.=) %lld",
							table->postgis, (long long) srid), answer, nulls);
	if (answer[1] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("locations of venues are not measured in metres"),
				 answer[0] == 0 ?
				 errdetail("Column %s of table %s has SRID %lld, which spatial_ref_sys does not know.",
						   table->location, table->sql_name, (long long) srid) :
				 errdetail("Column %s of table %s has SRID %lld, which is not projected, or in another unit.",
						   table->location, table->sql_name, (long long) srid),
				 answer[0] == 0 ?
				 errhint("Say with ST_SetSRID() which system they are in, or add it to spatial_ref_sys.") :
				 errhint("Use a column of type geography: ALTER TABLE %s ALTER COLUMN %s TYPE %s.geography USING %s.ST_Transform(%s, 4326)::%s.geography;",
						 table->sql_name, table->location, table->postgis, table->postgis,
						 table->location, table->postgis)));
}
