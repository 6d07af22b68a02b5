/*-------------------------------------------------------------------------
 *
 * track_venues.c
 *	  track_venues(): records where the venues of a visit log lie
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
#include "venues.h"
#include "visits/log_check.h"
#include "visits/track.h"

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
advise_index(Relation rel, const char *location, const VenuesTable *table)
{
	char		relkind = rel->rd_rel->relkind;

	if (relkind == RELKIND_VIEW || relkind == RELKIND_FOREIGN_TABLE ||
		has_location_index(rel, location))
		return;
	ereport(NOTICE,
			(errmsg("table of venues \"%s\" has no index on its locations",
					RelationGetRelationName(rel)),
			 errdetail("Traces with a distance will read the whole table."),
			 errhint("CREATE INDEX ON %s USING gist (%s);", table->sql_name, table->location)));
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

PG_FUNCTION_INFO_V1(anshim_track_venues);
Datum
anshim_track_venues(PG_FUNCTION_ARGS)
{
	Oid			visits = relation_argument(fcinfo, 0, "visits");
	Oid			venues = relation_argument(fcinfo, 1, "venues");
	LogRecord	record = {0};
	VenuesNames names = {.tracking = true};
	VenuesTable table;
	IdentType	venue_type;
	Relation	log;
	Relation	rel;

	names.venue = NameStr(*name_argument(fcinfo, 2, "venue"));
	names.location = NameStr(*name_argument(fcinfo, 3, "location"));
	log = owned_table_open(visits, "anshim.track_venues()");
	tracked_record(log, &record);
	names.visits = relation_sql_name(log);
	log_venue_type(log, &record, &venue_type);
	postgis_check();
	rel = open_venues(venues);
	venues_table_check(rel, &names, &venue_type, &table);
	SPI_connect();
	venues_metres_check(&table);
	SPI_finish();
	advise_index(rel, names.location, &table);

	record.has_venues = true;
	namestrcpy(&record.venues_schema, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&record.venues_table, RelationGetRelationName(rel));
	namestrcpy(&record.venues_venue, names.venue);
	namestrcpy(&record.venues_location, names.location);
	log_record_write(&record);
	relation_close(rel, NoLock);
	relation_close(log, NoLock);
	PG_RETURN_VOID();
}
