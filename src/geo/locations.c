/*-------------------------------------------------------------------------
 *
 * locations.c
 *	  Checks on where the table of venues says that they lie
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
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "locations.h"
#include "visits/log_check.h"

void
postgis_check(const char *without)
{
	if (!OidIsValid(get_extension_oid("postgis", true)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("distances between venues need PostGIS"),
				 errdetail("The extension postgis is not installed in this database."),
				 errhint("CREATE EXTENSION postgis; or %s.", without)));
}

/* Is it PostGIS's geography, or its geometry?  Sets the schema it lies in. */
static void
check_location_type(Relation rel, AttrNumber attno, Locations *locations)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	int32		typmod = attribute->atttypmod;
	Oid			typid = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	Form_pg_type type = (Form_pg_type) GETSTRUCT(tuple);
	bool		geometry = strcmp(NameStr(type->typname), "geometry") == 0;

	locations->geography = strcmp(NameStr(type->typname), "geography") == 0;
	if ((!geometry && !locations->geography) ||
		getExtensionOfObject(TypeRelationId, typid) != get_extension_oid("postgis", false))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" must be a geography or a geometry",
						NameStr(attribute->attname), RelationGetRelationName(rel)),
				 errdetail("It is of type %s.", format_type_be(attribute->atttypid)),
				 errhint("Make a column of type geography(Point), and fill it with longitude and latitude: ST_MakePoint(longitude, latitude).")));
	locations->postgis = pstrdup(quote_identifier(get_namespace_name(type->typnamespace)));
	locations->location_typmod = typmod;
	ReleaseSysCache(tuple);
}

void
locations_check(Relation rel, const VenuesUse *use, const VenuesRecord *names,
				const IdentType *venue_type, Locations *locations)
{
	AttrNumber	columns[2];

	columns[0] = venues_column(rel, use, "venue", &names->venue);
	columns[1] = venues_column(rel, use, "location", &names->location);
	locations->sql_name = relation_sql_name(rel);
	locations->venue = pstrdup(quote_identifier(NameStr(names->venue)));
	locations->location = pstrdup(quote_identifier(NameStr(names->location)));
	venues_rights_check(rel, use, columns, lengthof(columns));
	venues_key_check(rel, columns[0], venue_type);
	check_location_type(rel, columns[1], locations);
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
locations_srid(const Locations *locations)
{
	int64		srids[2];
	bool		nulls[2];

	query_integers(psprintf("SELECT %s.postgis_typmod_srid(%d)::bigint, 0::bigint",
							locations->postgis, locations->location_typmod), srids, nulls);
	if (!nulls[0] && srids[0] > 0)
		return srids[0];

	/* The type does not say, so the rows have to. */
	query_integers(psprintf("SELECT pg_catalog.min(srid), pg_catalog.max(srid) "
							"FROM (SELECT %s.ST_SRID(%s)::bigint FROM %s) AS location (srid)",
							locations->postgis, locations->location, locations->sql_name), srids, nulls);
	if (nulls[0])
		return 0;
	if (srids[0] != srids[1])
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("locations of venues are in different coordinate systems"),
				 errdetail("Column %s of table %s holds SRID %lld and SRID %lld.", locations->location,
						   locations->sql_name, (long long) srids[0], (long long) srids[1]),
				 errhint("Bring them into one with ST_Transform(), or use a column of type geography.")));
	return srids[0];
}

void
locations_metres_check(const Locations *locations)
{
	int64		srid;
	int64		answer[2];
	bool		nulls[2];

	if (locations->geography)
		return;
	srid = locations_srid(locations);
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
							locations->postgis, (long long) srid), answer, nulls);
	if (answer[1] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("locations of venues are not measured in metres"),
				 answer[0] == 0 ?
				 errdetail("Column %s of table %s has SRID %lld, which spatial_ref_sys does not know.",
						   locations->location, locations->sql_name, (long long) srid) :
				 errdetail("Column %s of table %s has SRID %lld, which is not projected, or in another unit.",
						   locations->location, locations->sql_name, (long long) srid),
				 answer[0] == 0 ?
				 errhint("Say with ST_SetSRID() which system they are in, or add it to spatial_ref_sys.") :
				 errhint("Use a column of type geography: ALTER TABLE %s ALTER COLUMN %s TYPE %s.geography USING %s.ST_Transform(%s, 4326)::%s.geography;",
						 locations->sql_name, locations->location, locations->postgis, locations->postgis,
						 locations->location, locations->postgis)));
}
