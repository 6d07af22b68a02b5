/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  Whether the catalog says the same as a chain's events
 *
 * The catalog and the table are compared with the events, not the other way
 * round: they are easily edited, the events are not.  Events of a guard that was
 * switched off are findings of their own.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "chain/upkeep.h"
#include "compat.h"
#include "replay.h"

static void
compare_table(Audit *audit, const Replay *replay)
{
	TableName	name = {get_namespace_name(get_rel_namespace(audit->chain->target)),
	get_rel_name(audit->chain->target)};

	if (replay->n == 0)
		finding(audit, FOUND_MISSING, EVENT_STRAND, 1,
				"There are no events of this chain: not even of its beginning. Look for them, in anshim.event, in a backup.");
	else if (replay->ended)
		finding(audit, FOUND_TABLE, EVENT_STRAND, replay->n,
				"The chain was ended by unchain(), so its events say. Compare anshim.chain with a backup.");
	else if (replay->table.schema != NULL && !same_table(replay->table, name))
		finding(audit, FOUND_TABLE, EVENT_STRAND, NO_SEQ,
				"The table is %s; the chain's events are of %s. Either it was renamed while no event trigger saw it, or anshim.chain was edited. "
				"If the new name is right, SELECT anshim.chain(%s) records it.",
				quote_qualified_identifier(name.schema, name.table),
				quote_qualified_identifier(replay->table.schema, replay->table.table),
				quote_literal_cstr(quote_qualified_identifier(name.schema, name.table)));
}

static bool
same_layout(const ReplayLayout *replayed, const Layout *layout)
{
	if (replayed->ncolumns != layout->ncolumns)
		return false;
	for (int i = 0; i < layout->ncolumns; i++)
	{
		if (strcmp(replayed->columns[i], NameStr(layout->columns[i])) != 0 ||
			strcmp(replayed->types[i], layout_type_name(layout->types[i])) != 0)
			return false;
	}
	return true;
}

static char *
layout_text(const ReplayLayout *layout)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < layout->ncolumns; i++)
		appendStringInfo(&list, "%s%s %s", i == 0 ? "" : ", ",
						 quote_identifier(layout->columns[i]), layout->types[i]);
	return list.data;
}

static void
compare_layouts(Audit *audit, const Replay *replay)
{
	ListCell   *lc;

	foreach(lc, replay->layouts)
	{
		const ReplayLayout *replayed = lfirst(lc);
		const Layout *layout = NULL;

		for (int i = 0; i < audit->chain->nlayouts; i++)
		{
			if (audit->chain->layouts[i].number == replayed->number)
				layout = &audit->chain->layouts[i];
		}
		if (layout == NULL || !same_layout(replayed, layout))
			finding(audit, FOUND_LAYOUT, EVENT_STRAND, NO_SEQ,
					"Layout " INT64_FORMAT " is %s in anshim.layout; by the chain's events it is (%s). Put that back.",
					replayed->number, layout == NULL ? "missing" : "another", layout_text(replayed));
	}
	for (int i = 0; i < audit->chain->nlayouts; i++)
	{
		if (audit->chain->layouts[i].number > list_length(replay->layouts))
			finding(audit, FOUND_LAYOUT, EVENT_STRAND, NO_SEQ,
					"Layout %d is in anshim.layout, but no event of the chain speaks of it. Remove it.",
					audit->chain->layouts[i].number);
	}
}

static bool
layout_has(const Layout *layout, Form_pg_attribute attribute)
{
	for (int i = 0; i < layout->ncolumns; i++)
	{
		if (namestrcmp(&layout->columns[i], NameStr(attribute->attname)) == 0)
			return layout->types[i] == attribute->atttypid;
	}
	return false;
}

/*
 * Columns that no link of today covers could be changed unseen.
 */
static void
compare_columns(Audit *audit)
{
	const Layout *newest = &audit->chain->layouts[audit->chain->nlayouts - 1];

	if (audit->chain->nlayouts == 0 || newest->number == EVENT_LAYOUT)
		return;					/* which was found */
	for (int leaf = 0; leaf < audit->chain->nleaves; leaf++)
	{
		TupleDesc	tupdesc = RelationGetDescr(audit->chain->leaves[leaf].heap);

		for (int i = 0; i < tupdesc->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

			if (attribute->attisdropped || attribute->attgenerated != '\0' ||
				attribute->attnum == audit->chain->leaves[leaf].link_attno ||
				layout_has(newest, attribute))
				continue;
			finding(audit, FOUND_LAYOUT, NO_STRAND, NO_SEQ,
					"Column %s of %s is not, with its type, in the newest layout: links do not cover it. "
					"If it was added while no event trigger saw it, SELECT anshim.chain(%s) mends that.",
					quote_identifier(NameStr(attribute->attname)),
					finding_leaf(audit, &audit->chain->leaves[leaf]),
					quote_literal_cstr(quote_qualified_identifier(get_namespace_name(get_rel_namespace(audit->chain->target)),
																  get_rel_name(audit->chain->target))));
		}
	}
}

static void
compare_partitions(Audit *audit, const Replay *replay)
{
	ListCell   *lc;

	if (get_rel_relkind(audit->chain->target) == RELKIND_PARTITIONED_TABLE)
	{
		for (int leaf = 0; leaf < audit->chain->nleaves; leaf++)
		{
			Relation	heap = audit->chain->leaves[leaf].heap;
			TableName	name = {get_namespace_name(RelationGetNamespace(heap)),
			RelationGetRelationName(heap)};
			ReplayPartition *partition = replay_find_partition(replay, name);

			if (partition == NULL || !partition->attached)
				finding(audit, FOUND_TABLE, NO_STRAND, NO_SEQ,
						"Partition %s was attached while no event trigger saw it. If it belongs there, calling anshim.chain() again records it.",
						finding_leaf(audit, &audit->chain->leaves[leaf]));
		}
	}
	foreach(lc, replay->partitions)
	{
		const ReplayPartition *partition = lfirst(lc);
		bool		found = false;

		for (int leaf = 0; leaf < audit->chain->nleaves && !found; leaf++)
		{
			Relation	heap = audit->chain->leaves[leaf].heap;
			TableName	name = {get_namespace_name(RelationGetNamespace(heap)),
			RelationGetRelationName(heap)};

			found = same_table(partition->name, name);
		}
		if (partition->attached && !found)
			finding(audit, FOUND_TABLE, NO_STRAND, NO_SEQ,
					"Partition %s was dropped, detached or renamed while no event trigger saw it.",
					quote_qualified_identifier(partition->name.schema, partition->name.table));
	}
}

static void
report_guards(Audit *audit, const Replay *replay, int64 known_events)
{
	ListCell   *lc;

	foreach(lc, replay->guards)
	{
		const ReplayGuard *guard = lfirst(lc);
		char	   *from = pstrdup(timestamptz_to_str(guard->from));

		if (guard->seq <= known_events)
			continue;
		finding(audit, FOUND_TRIGGER, EVENT_STRAND, guard->seq,
				"Trigger %s of %s was switched off at %s by %s, %s%s. What was done meanwhile left no other trace, if it was done well. "
				"When you have looked into it: known_events => " INT64_FORMAT ".",
				quote_identifier(guard->trigger),
				quote_qualified_identifier(guard->table.schema, guard->table.table),
				from, guard->actor,
				guard->to == DT_NOEND ? "and not on again" : "and on again at ",
				guard->to == DT_NOEND ? "" : timestamptz_to_str(guard->to), guard->seq);
	}
}

/* anshim.expired repeats what the events say. */
void
compare_expiries(Audit *audit)
{
	for (int i = 0; i < audit->nstrands; i++)
	{
		const AuditStrand *strand = &audit->strands[i];
		uint8		hash[LINK_HASH_LEN];
		int64		last_seq = 0;

		memset(hash, 0, LINK_HASH_LEN);
		(void) strand_lost(&audit->chain->id, strand->strand, &last_seq, hash);
		if (last_seq != strand->begins - 1 || memcmp(hash, strand->before, LINK_HASH_LEN) != 0)
			finding(audit, FOUND_EXPIRY, strand->strand, last_seq == 0 ? NO_SEQ : last_seq,
					"By anshim.expired, strand %d has lost its rows up to seq " INT64_FORMAT "; by the chain's events, up to seq " INT64_FORMAT "%s. Put that back.",
					strand->strand, last_seq, strand->begins - 1,
					last_seq == strand->begins - 1 ? ", with another hash" : "");
		if (strand->begins - 1 > strand->sealed)
			finding(audit, FOUND_EXPIRY, strand->strand, strand->begins - 1,
					"Strand %d has lost its rows up to seq " INT64_FORMAT ", though it was sealed up to seq " INT64_FORMAT " only. No call of expire() does that.",
					strand->strand, strand->begins - 1, strand->sealed);
	}
}

void
compare_catalog(Audit *audit, const Replay *replay, int64 known_events)
{
	compare_table(audit, replay);
	compare_layouts(audit, replay);
	compare_columns(audit);
	compare_partitions(audit, replay);
	report_guards(audit, replay, known_events);
}
