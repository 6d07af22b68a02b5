/*-------------------------------------------------------------------------
 *
 * track_venues.c
 *	  track_venues(): records what a table says of the venues of a visit log
 *
 * Locking: ShareUpdateExclusiveLock on the visit log, as its other tracking
 * functions take, AccessShareLock on the table of venues, both to the end of
 * the transaction.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "locations.h"
#include "visits/log_check.h"
#include "visits/track.h"
#include "visits/venue_stays.h"

static Relation
open_venues(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Name the table of the venues, as in 'venue'::regclass.")));
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_MATVIEW:
		case RELKIND_VIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" cannot be a table of venues", RelationGetRelationName(rel)),
					 errdetail_relkind_not_supported(rel->rd_rel->relkind),
					 errhint("Name a table or a view.")));
	}
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary relation \"%s\" cannot be a table of venues",
						RelationGetRelationName(rel)),
				 errhint("Use an unlogged table instead.")));
	return rel;
}

/* Can the locations near a point be found without reading all of them? */
static bool
has_location_index(Relation rel, const char *location)
{
	AttrNumber	attno = column_by_name(rel, location);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if ((index->rd_rel->relam == GIST_AM_OID || index->rd_rel->relam == SPGIST_AM_OID) &&
			index->rd_index->indisvalid && index->rd_index->indkey.values[0] == attno)
			found = true;
		index_close(index, AccessShareLock);
	}
	return found;
}

/*
 * The index is left to the table's owner, who need not be the caller: a table
 * of venues is often somebody else's, and in use.
 */
static void
advise_index(Relation rel, const Locations *locations, const NameData *location)
{
	char		relkind = rel->rd_rel->relkind;

	if (relkind == RELKIND_VIEW || relkind == RELKIND_FOREIGN_TABLE ||
		has_location_index(rel, NameStr(*location)))
		return;
	ereport(NOTICE,
			(errmsg("table of venues \"%s\" has no index on its locations",
					RelationGetRelationName(rel)),
			 errdetail("Traces with a distance will read the whole table."),
			 errhint("CREATE INDEX ON %s USING gist (%s);", locations->sql_name, locations->location)));
}

/* The type of the log's venues */
static void
log_venue_type(Relation log, const LogRecord *record, IdentType *type)
{
	LogColumns	columns;
	Form_pg_attribute attribute;

	log_columns_find(log, record, false, &columns);
	attribute = TupleDescAttr(RelationGetDescr(log), columns.venue - 1);
	ident_type_init(type, ident_base_type(attribute->atttypid), attribute->attcollation);
}

/* Check that the table says where the venues lie. */
static void
check_locations(Relation rel, const VenuesUse *use, const VenuesRecord *names,
				const IdentType *venue_type)
{
	Locations	locations;

	locations_check(rel, use, names, venue_type, &locations);
	SPI_connect();
	locations_metres_check(&locations);
	SPI_finish();
	advise_index(rel, &locations, &names->location);
}

/* A column that need not be named */
static void
optional_name(FunctionCallInfo fcinfo, int number, NameData *name)
{
	if (!PG_ARGISNULL(number))
		*name = *PG_GETARG_NAME(number);
}

static void
read_names(FunctionCallInfo fcinfo, VenuesRecord *names)
{
	names->venue = *name_argument(fcinfo, 2, "venue");
	optional_name(fcinfo, 3, &names->location);
	optional_name(fcinfo, 4, &names->default_stay);
	optional_name(fcinfo, 5, &names->closes);
	optional_name(fcinfo, 6, &names->time_zone);
	if (PG_ARGISNULL(4) && PG_ARGISNULL(5))
		non_null_argument(fcinfo, 3, "location",
						  "Name the column of the locations, or that of default_stay or closes.");
	if (PG_ARGISNULL(5) && !PG_ARGISNULL(6))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time_zone needs closes"),
				 errdetail("A time zone is that of the time of day at which a venue closes."),
				 errhint("Say which column that is: closes => '...'.")));
}

PG_FUNCTION_INFO_V1(anshim_track_venues);
Datum
anshim_track_venues(PG_FUNCTION_ARGS)
{
	Oid			visits = relation_argument(fcinfo, 0, "visits");
	Oid			venues = relation_argument(fcinfo, 1, "venues");
	LogRecord	record = {0};
	VenuesRecord names = {0};
	VenuesUse	use = {.tracking = true,.without = "leave out what is not needed of track_venues()"};
	IdentType	venue_type;
	Relation	log;
	Relation	rel;

	read_names(fcinfo, &names);
	log = owned_table_open(visits, "anshim.track_venues()");
	tracked_record(log, &record);
	use.log = relation_sql_name(log);
	log_venue_type(log, &record, &venue_type);
	if (!PG_ARGISNULL(3))
		postgis_check("record stays alone, without it: location => NULL, default_stay => '...'");
	rel = open_venues(venues);
	if (!PG_ARGISNULL(3))
		check_locations(rel, &use, &names, &venue_type);
	if (!PG_ARGISNULL(4) || !PG_ARGISNULL(5))
		venue_stays_check(rel, &use, &names, &venue_type);

	namestrcpy(&names.schema_name, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&names.table_name, RelationGetRelationName(rel));
	record.has_venues = true;
	record.venues = names;
	log_record_write(&record);
	relation_close(rel, NoLock);
	relation_close(log, NoLock);
	PG_RETURN_VOID();
}
