/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  Does the catalog say what the events say?
 *
 * The events were hashed on their way in; the catalog's tables were not, so
 * whatever differs from the events is a finding, and a row is hashed by the
 * layout that the events give.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "pqexpbuffer.h"

#include "events.h"

/* Layout 0, of which no event speaks */
static LeafColumn columns_of_events[] = {
	{.name = "chain",.type = "uuid"},
	{.name = "at",.type = "timestamp with time zone"},
	{.name = "kind",.type = "text"},
	{.name = "actor",.type = "text"},
	{.name = "detail",.type = "jsonb"},
};
static const EventLayout layout_of_events = {lengthof(columns_of_events), columns_of_events};

static void
compare_table(const Events *events, const Catalog *catalog, Report *report)
{
	if (events->n == 0)
		report_finding(report, FOUND_MISSING, EVENT_STRAND, 1,
					   "There are no events of this chain: not even of its beginning. Look for them, in anshim.event, in a backup.");
	else if (events->ended)
		report_finding(report, FOUND_TABLE, EVENT_STRAND, events->n,
					   "The chain was ended by unchain(), so its events say. Compare anshim.chain with a backup.");
	else if (events->table.schema != NULL &&
			 (strcmp(events->table.schema, catalog->schema) != 0 || strcmp(events->table.table, catalog->table) != 0))
	{
		char	   *name = quoted_name(events->table.schema, events->table.table);

		report_finding(report, FOUND_TABLE, EVENT_STRAND, NO_SEQ,
					   "By the chain's events the table is called %s. Either it was renamed while no event trigger saw it, or anshim.chain was edited.",
					   name);
		pg_free(name);
	}
}

/*
 * Layouts
 */

/* The first of the catalog's columns of this layout, and how many there are */
static const CatalogColumn *
catalog_layout(const Catalog *catalog, int32 number, int *ncolumns)
{
	const CatalogColumn *first = NULL;

	*ncolumns = 0;
	for (int i = 0; i < catalog->ncolumns; i++)
	{
		if (catalog->columns[i].layout != number)
			continue;
		if (first == NULL)
			first = &catalog->columns[i];
		(*ncolumns)++;
	}
	return first;
}

static bool
same_layout(const EventLayout *layout, const CatalogColumn *columns, int ncolumns)
{
	if (layout->ncolumns != ncolumns)
		return false;
	for (int i = 0; i < ncolumns; i++)
	{
		if (strcmp(layout->columns[i].name, columns[i].name) != 0 || strcmp(layout->columns[i].type, columns[i].type) != 0)
			return false;
	}
	return true;
}

static char *
layout_text(const EventLayout *layout)
{
	PQExpBufferData str;

	initPQExpBuffer(&str);
	for (int i = 0; i < layout->ncolumns; i++)
		appendPQExpBuffer(&str, "%s%s %s", i == 0 ? "" : ", ", layout->columns[i].name, layout->columns[i].type);
	return str.data;
}

static void
compare_layout(const EventLayout *layout, int32 number, const Catalog *catalog, Report *report)
{
	int			ncolumns;
	const CatalogColumn *columns = catalog_layout(catalog, number, &ncolumns);
	char	   *str;

	if (same_layout(layout, columns, ncolumns))
		return;
	str = layout_text(layout);
	report_finding(report, FOUND_LAYOUT, EVENT_STRAND, NO_SEQ,
				   "Layout %d is %s in anshim.layout; %s (%s). Put that back.",
				   number, columns == NULL ? "missing" : "another",
				   number == 0 ? "that of the events is always" : "by the chain's events it is", str);
	pg_free(str);
}

static void
compare_layouts(const Events *events, const Catalog *catalog, Report *report)
{
	compare_layout(&layout_of_events, 0, catalog, report);
	for (int i = 0; i < events->nlayouts; i++)
		compare_layout(&events->layouts[i], i + 1, catalog, report);
	if (catalog->ncolumns > 0 && catalog->columns[catalog->ncolumns - 1].layout > events->nlayouts)
		report_finding(report, FOUND_LAYOUT, EVENT_STRAND, NO_SEQ,
					   "Layout %d is in anshim.layout, but no event of the chain speaks of it. Remove it.",
					   catalog->columns[catalog->ncolumns - 1].layout);
}

/* Columns that no link of today covers could be changed unseen. */
static void
compare_columns(const Events *events, const Catalog *catalog, Report *report)
{
	const EventLayout *newest = events->nlayouts == 0 ? NULL : &events->layouts[events->nlayouts - 1];

	for (int i = 0; i < catalog->nleaves && newest != NULL; i++)
	{
		const Leaf *leaf = &catalog->leaves[i];

		for (int j = 0; j < leaf->ncolumns; j++)
		{
			bool		covered = false;
			char	   *name;

			for (int k = 0; k < newest->ncolumns && !covered; k++)
				covered = strcmp(newest->columns[k].name, leaf->columns[j].name) == 0 &&
					strcmp(newest->columns[k].type, leaf->columns[j].type) == 0;
			if (covered)
				continue;
			name = quoted_name(leaf->schema, leaf->table);
			report_finding(report, FOUND_LAYOUT, NO_STRAND, NO_SEQ,
						   "Column %s of %s, of type %s, is not in the newest layout: links do not cover it. If it was added while no event trigger saw it, calling anshim.chain() again mends that.",
						   leaf->columns[j].name, name, leaf->columns[j].type);
			pg_free(name);
		}
	}
}

/*
 * Partitions
 */

static const EventPartition *
partition_of(const Events *events, const Leaf *leaf)
{
	for (int i = 0; i < events->npartitions; i++)
	{
		const EventTable *name = &events->partitions[i].name;

		if (strcmp(name->schema, leaf->schema) == 0 && strcmp(name->table, leaf->table) == 0)
			return &events->partitions[i];
	}
	return NULL;
}

static bool
has_leaf(const Catalog *catalog, const EventTable *name)
{
	for (int i = 0; i < catalog->nleaves; i++)
	{
		if (strcmp(name->schema, catalog->leaves[i].schema) == 0 && strcmp(name->table, catalog->leaves[i].table) == 0)
			return true;
	}
	return false;
}

static void
compare_partitions(const Events *events, const Catalog *catalog, Report *report)
{
	for (int i = 0; i < catalog->nleaves; i++)
	{
		const Leaf *leaf = &catalog->leaves[i];
		const EventPartition *partition = partition_of(events, leaf);
		char	   *name;

		/* the table itself, where it is not partitioned */
		if ((partition != NULL && partition->attached) ||
			(strcmp(leaf->schema, catalog->schema) == 0 && strcmp(leaf->table, catalog->table) == 0))
			continue;
		name = quoted_name(leaf->schema, leaf->table);
		report_finding(report, FOUND_TABLE, NO_STRAND, NO_SEQ,
					   "Partition %s was attached while no event trigger saw it. If it belongs there, calling anshim.chain() again records it.",
					   name);
		pg_free(name);
	}
	for (int i = 0; i < events->npartitions; i++)
	{
		const EventPartition *partition = &events->partitions[i];
		char	   *name;

		if (!partition->attached || has_leaf(catalog, &partition->name))
			continue;
		name = quoted_name(partition->name.schema, partition->name.table);
		report_finding(report, FOUND_TABLE, NO_STRAND, NO_SEQ,
					   "Partition %s was dropped, detached or renamed while no event trigger saw it.", name);
		pg_free(name);
	}
	if (catalog->nleaves == 0 && events->npartitions == 0)
		report_finding(report, FOUND_TABLE, NO_STRAND, NO_SEQ, "The table is gone. Look for it in a backup.");
}

/*
 * Expiries
 */

static void
compare_expiry(const Strand *strand, const CatalogExpired *expired, Report *report)
{
	int64		last_seq = expired == NULL ? 0 : expired->last_seq;
	bool		same = last_seq == strand->begins - 1 &&
		memcmp(expired == NULL ? link_no_hash : expired->last_hash, strand->before, LINK_HASH_LEN) == 0;

	if (!same)
		report_finding(report, FOUND_EXPIRY, strand->strand, last_seq,
					   "By anshim.expired, strand %d has lost its rows up to seq " INT64_FORMAT "; by the chain's events, up to seq " INT64_FORMAT "%s. Put that back.",
					   strand->strand, last_seq, strand->begins - 1,
					   last_seq == strand->begins - 1 ? ", with another hash" : "");
	if (strand->begins - 1 > strand->sealed)
		report_finding(report, FOUND_EXPIRY, strand->strand, strand->begins - 1,
					   "Strand %d has lost its rows up to seq " INT64_FORMAT ", though it was sealed up to seq " INT64_FORMAT " only. No call of expire() does that.",
					   strand->strand, strand->begins - 1, strand->sealed);
}

/* Both ascend by strand. */
static void
compare_expiries(const Catalog *catalog, const StrandTable *strands, Report *report)
{
	int64		n;
	Strand	  **sorted = strands_sorted(strands, &n);
	int64		next = 0;

	for (int64 i = 0; i < n; i++)
	{
		const CatalogExpired *expired = NULL;

		for (; next < catalog->nexpired && catalog->expired[next].strand <= sorted[i]->strand; next++)
		{
			if (catalog->expired[next].strand == sorted[i]->strand)
				expired = &catalog->expired[next];
			else
				report_finding(report, FOUND_EXPIRY, catalog->expired[next].strand, catalog->expired[next].last_seq,
							   "anshim.expired has a strand that the chain does not have. Remove it.");
		}
		compare_expiry(sorted[i], expired, report);
	}
	for (; next < catalog->nexpired; next++)
		report_finding(report, FOUND_EXPIRY, catalog->expired[next].strand, catalog->expired[next].last_seq,
					   "anshim.expired has a strand that the chain does not have. Remove it.");
	pg_free(sorted);
}

/*
 * Guards
 */

static void
report_guards(const Events *events, int64 known_events, Report *report)
{
	for (int i = 0; i < events->nguards; i++)
	{
		const EventGuard *guard = &events->guards[i];
		bool		off = guard->to == PG_INT64_MAX;
		char	   *name;
		char	   *from;
		char	   *to;

		if (guard->seq <= known_events)
			continue;
		name = quoted_name(guard->table.schema, guard->table.table);
		from = time_text(guard->from);
		to = off ? pg_strdup("") : time_text(guard->to);
		report_finding(report, FOUND_TRIGGER, EVENT_STRAND, guard->seq,
					   "Trigger %s of %s was switched off at %s by %s, and %s%s. What was done meanwhile left no other trace, if it was done well. When you have looked into it: --known-events=" INT64_FORMAT,
					   guard->trigger, name, from, guard->actor, off ? "not on again" : "on again at ", to, guard->seq);
		pg_free(name);
		pg_free(from);
		pg_free(to);
	}
}

void
events_compare(const Events *events, const Catalog *catalog, const StrandTable *strands,
			   int64 known_events, Report *report)
{
	compare_table(events, catalog, report);
	compare_layouts(events, catalog, report);
	compare_columns(events, catalog, report);
	compare_partitions(events, catalog, report);
	compare_expiries(catalog, strands, report);
	report_guards(events, known_events, report);
}
