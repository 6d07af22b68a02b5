/*-------------------------------------------------------------------------
 *
 * geo.c
 *	  Proximity: which venues lie within so many metres of these
 *
 * One statement for each level of a trace finds the neighbours of all of its
 * venues, through the index on their locations: ST_DWithin() brings its own
 * index condition.  The statement names everything with its schema, so it
 * means the same under any search_path, and runs with the rights and under
 * the snapshot of the trace.
 *
 * Memory: the answers are fetched in batches, so what lies here beside the
 * result is bounded; the executor's own sort is by work_mem.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "compat.h"
#include "geo.h"
#include "locations.h"
#include "visits/log_check.h"
#include "visits/uncompiled.h"

/* Answers that are fetched at a time */
#define FETCH_BATCH 1000

struct Proximity
{
	Memory	   *memory;
	IdentType	venue;			/* the log's venues */
	Oid			array_type;		/* of these */
	double		within;
	char	   *query;
};

/* Where the answers go */
typedef struct Answers
{
	Neighbour  *neighbours;
	Size		n;
	Size		capacity;
} Answers;

/* The operator that tells venues apart, with its schema */
static char *
neighbours_query(const Locations *locations, const IdentType *venue)
{
	const char *equals = ident_equality_operator(venue);
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfo(&query,
					 "SELECT asked.number, near.%s, "
					 "pg_catalog.min(%s.ST_Distance(here.%s, near.%s)) "
					 "FROM pg_catalog.unnest($1) WITH ORDINALITY AS asked (venue, number) ",
					 locations->venue, locations->postgis, locations->location, locations->location);
	appendStringInfo(&query,
					 "JOIN %s AS here ON here.%s %s asked.venue "
					 "JOIN %s AS near ON %s.ST_DWithin(here.%s, near.%s, $2) ",
					 locations->sql_name, locations->venue, equals,
					 locations->sql_name, locations->postgis, locations->location, locations->location);
	appendStringInfo(&query,
					 "WHERE NOT near.%s %s here.%s "
					 "GROUP BY asked.number, near.%s ORDER BY asked.number, near.%s",
					 locations->venue, equals, locations->venue, locations->venue, locations->venue);
	return query.data;
}

/* The recorded table of venues, open, or an error that says what is missing */
static Relation
open_venues(const VisitLog *log, const VenuesUse *use)
{
	Relation	rel = NULL;

	postgis_check(use->without);
	if (NameStr(log->venues_names.location)[0] != '\0')
		rel = venues_table_open(log);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("where the venues of visit log \"%s\" lie is not recorded",
						get_rel_name(log->relid)),
				 NameStr(log->venues_names.location)[0] != '\0' ?
				 errdetail("The table of venues that was recorded does not exist any more.") : 0,
				 errhint("Record a table of venues: SELECT anshim.track_venues(%s, '...'); or %s.",
						 quote_literal_cstr(use->log), use->without)));
	return rel;
}

Proximity *
proximity_open(Memory *memory, const VisitLog *log, double within)
{
	VenuesUse	use = {.log = log_sql_name(log),.without = "trace with within => 0"};
	Relation	rel = open_venues(log, &use);
	Locations	locations;
	Proximity  *proximity;
	MemoryContext caller;

	caller = MemoryContextSwitchTo(memory->context);
	proximity = memory_alloc_zero(memory, 1, sizeof(Proximity));
	proximity->memory = memory;
	proximity->venue = log->venue;
	proximity->within = within;
	proximity->array_type = get_array_type(log->venue.typid);
	if (!OidIsValid(proximity->array_type))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("distances between venues of type %s are not supported",
						format_type_be(log->venue.typid)),
				 errdetail("There are no arrays of this type."),
				 errhint("Trace with within => 0.")));
	locations_check(rel, &use, &log->venues_names, &log->venue, &locations);
	proximity->query = neighbours_query(&locations, &log->venue);
	MemoryContextSwitchTo(caller);

	SPI_connect();
	locations_metres_check(&locations);
	SPI_finish();
	relation_close(rel, NoLock);
	return proximity;
}

static void
keep_batch(Proximity *proximity, SPITupleTable *batch, uint64 n, Answers *answers)
{
	memory_reserve(proximity->memory, answers->neighbours, answers->n, answers->capacity, n);
	for (uint64 i = 0; i < n; i++)
	{
		Neighbour  *neighbour = &answers->neighbours[answers->n++];
		Datum		values[3];
		bool		nulls[3];

		heap_deform_tuple(batch->vals[i], batch->tupdesc, values, nulls);
		neighbour->venue = (int32) DatumGetInt64(values[0]) - 1;
		neighbour->other = ident_keep(proximity->memory, &proximity->venue, values[1]);
		/* Distances on the earth are compared with some tolerance. */
		neighbour->metres = Min(DatumGetFloat8(values[2]), proximity->within);
	}
}

static Datum
venue_array(const Proximity *proximity, const Ident *venues, int n)
{
	const IdentType *type = &proximity->venue;
	Datum	   *values = palloc_array(Datum, n);

	for (int i = 0; i < n; i++)
		values[i] = ident_to_datum(type, venues[i]);
	return PointerGetDatum(construct_array(values, n, type->typid, type->typlen,
										   type->typbyval, type->typalign));
}

int
proximity_neighbours(Proximity *proximity, const Ident *venues, int n,
					 Neighbour **neighbours)
{
	Oid			types[2] = {proximity->array_type, FLOAT8OID};
	Datum		values[2];
	Answers		answers = {0};
	Portal		portal;
	int			guc_level;

	/* Distances are dear, to the planner at least. */
	guc_level = uncompiled_begin();
	SPI_connect();
	values[0] = venue_array(proximity, venues, n);
	values[1] = Float8GetDatum(proximity->within);
	portal = SPI_cursor_open_with_args(NULL, proximity->query, 2, types, values, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_BATCH);
		if (SPI_processed == 0)
			break;
		keep_batch(proximity, SPI_tuptable, SPI_processed, &answers);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	uncompiled_end(guc_level);

	if (answers.n > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many venues lie near each other"),
				 errhint("Trace with a smaller distance.")));
	*neighbours = answers.neighbours;
	return (int) answers.n;
}

void
proximity_close(Proximity *proximity)
{
	memory_free(proximity->memory, proximity, 1, sizeof(Proximity));
}
