/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  What a chain's events say
 *
 * The events, strand 0, are linked and sealed as rows are.  Replayed from the
 * first to the last they tell what the table and its layouts must be called
 * and consist of, which partitions there must be, and where strands begin that
 * expire() has shortened.  compare.c sees whether the catalog says the same.
 *
 * Memory: what there is to say of layouts, partitions, guards and expired
 * strands, in the context of the call.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "chain/event.h"
#include "compat.h"
#include "member.h"
#include "replay.h"

/* An event as its row has it */
typedef struct Event
{
	int64		seq;
	TimestampTz at;
	char	   *kind;
	char	   *actor;
	JsonbContainer *detail;
} Event;

static bool
read_name(JsonbContainer *object, TableName *name)
{
	name->schema = member_text(object, "schema");
	name->table = member_text(object, "table");
	return name->schema != NULL && name->table != NULL;
}

/*
 * Events.  Each returns false for one that makes no sense.
 */

static bool
replay_chained(Replay *replay, const Event *event)
{
	return replay->n == 1 && read_name(event->detail, &replay->table);
}

static bool
replay_layout(Replay *replay, const Event *event)
{
	ReplayLayout *layout = palloc0_object(ReplayLayout);
	JsonbContainer *columns = member_array(event->detail, "columns");

	if (columns == NULL || !member_integer(event->detail, "layout", &layout->number) ||
		layout->number != list_length(replay->layouts) + 1)
		return false;
	layout->ncolumns = member_length(columns);
	layout->columns = palloc_array(char *, layout->ncolumns);
	layout->types = palloc_array(char *, layout->ncolumns);
	for (int i = 0; i < layout->ncolumns; i++)
	{
		JsonbContainer *column = member_element(columns, i);

		layout->columns[i] = member_text(column, "name");
		layout->types[i] = member_text(column, "type");
		if (layout->columns[i] == NULL || layout->types[i] == NULL)
			return false;
	}
	replay->layouts = lappend(replay->layouts, layout);
	return true;
}

/* Let the layouts call a column, or a type, by its new name. */
static bool
replay_renamed(Replay *replay, const Event *event, bool is_column)
{
	char	   *from = member_text(event->detail, "from");
	char	   *to = member_text(event->detail, "to");
	ListCell   *lc;

	if (from == NULL || to == NULL)
		return false;
	foreach(lc, replay->layouts)
	{
		ReplayLayout *layout = lfirst(lc);
		char	  **names = is_column ? layout->columns : layout->types;

		for (int i = 0; i < layout->ncolumns; i++)
		{
			if (strcmp(names[i], from) == 0)
				names[i] = to;
		}
	}
	return true;
}

ReplayPartition *
replay_find_partition(const Replay *replay, TableName name)
{
	ListCell   *lc;

	foreach(lc, replay->partitions)
	{
		ReplayPartition *partition = lfirst(lc);

		if (same_table(partition->name, name))
			return partition;
	}
	return NULL;
}

/* The table itself, or one of its partitions */
static bool
replay_table_renamed(Replay *replay, const Event *event)
{
	TableName	from;
	TableName	to;
	ReplayPartition *partition;

	if (!read_name(member_object(event->detail, "from"), &from) ||
		!read_name(member_object(event->detail, "to"), &to))
		return false;
	partition = replay_find_partition(replay, from);
	if (partition != NULL)
		partition->name = to;
	else if (replay->table.schema != NULL && same_table(replay->table, from))
		replay->table = to;
	return true;
}

static bool
replay_partition(Replay *replay, const Event *event, bool attached)
{
	TableName	name;
	ReplayPartition *partition;

	if (!read_name(event->detail, &name))
		return false;
	partition = replay_find_partition(replay, name);
	if (partition == NULL)
	{
		partition = palloc_object(ReplayPartition);
		partition->name = name;
		replay->partitions = lappend(replay->partitions, partition);
	}
	partition->attached = attached;
	return true;
}

static bool
replay_guard(Replay *replay, const Event *event, bool enabled)
{
	ReplayGuard *guard = palloc0_object(ReplayGuard);
	ListCell   *lc;

	guard->trigger = member_text(event->detail, "trigger");
	if (!read_name(event->detail, &guard->table) || guard->trigger == NULL)
		return false;
	if (!enabled)
	{
		guard->seq = event->seq;
		guard->actor = event->actor;
		guard->from = event->at;
		guard->to = DT_NOEND;
		replay->guards = lappend(replay->guards, guard);
		return true;
	}
	foreach(lc, replay->guards)
	{
		ReplayGuard *off = lfirst(lc);

		if (off->to == DT_NOEND && same_table(off->table, guard->table) &&
			strcmp(off->trigger, guard->trigger) == 0)
			off->to = event->at;
	}
	return true;
}

/* Each strand loses what follows the part that it has lost before. */
static bool
replay_expired(Replay *replay, const Event *event)
{
	JsonbContainer *strands = member_array(event->detail, "strands");

	if (strands == NULL || !member_integer(event->detail, "block", &replay->expired_block))
		return false;
	for (int i = 0; i < member_length(strands); i++)
	{
		JsonbContainer *lost = member_element(strands, i);
		int64		strand;
		int64		first_seq;
		int64		last_seq;
		int32		number;
		bool		found;
		ReplayExpiry *expiry;

		if (!member_integer(lost, "strand", &strand) || strand <= EVENT_STRAND || strand > PG_INT32_MAX ||
			!member_integer(lost, "first_seq", &first_seq) || !member_integer(lost, "last_seq", &last_seq) ||
			first_seq < 1 || last_seq < first_seq || last_seq == PG_INT64_MAX)
			return false;
		number = (int32) strand;
		expiry = hash_search(replay->expiries, &number, HASH_ENTER, &found);
		if (first_seq != (found ? expiry->last_seq + 1 : 1))
			return false;
		expiry->last_seq = last_seq;
		if (!member_bytes(lost, "last_hash", expiry->last_hash, LINK_HASH_LEN))
			return false;
	}
	return true;
}

static bool
replay_event(Replay *replay, const Event *event)
{
	if (replay->ended)
		return false;
	if (strcmp(event->kind, EVENT_CHAINED) == 0)
		return replay_chained(replay, event);
	if (strcmp(event->kind, EVENT_LAYOUT_ADDED) == 0)
		return replay_layout(replay, event);
	if (strcmp(event->kind, EVENT_COLUMN_RENAMED) == 0)
		return replay_renamed(replay, event, true);
	if (strcmp(event->kind, EVENT_TYPE_RENAMED) == 0)
		return replay_renamed(replay, event, false);
	if (strcmp(event->kind, EVENT_TABLE_RENAMED) == 0)
		return replay_table_renamed(replay, event);
	if (strcmp(event->kind, EVENT_PARTITION_ATTACHED) == 0)
		return replay_partition(replay, event, true);
	if (strcmp(event->kind, EVENT_PARTITION_DROPPED) == 0)
		return replay_partition(replay, event, false);
	if (strcmp(event->kind, EVENT_GUARD_DISABLED) == 0)
		return replay_guard(replay, event, false);
	if (strcmp(event->kind, EVENT_GUARD_ENABLED) == 0)
		return replay_guard(replay, event, true);
	if (strcmp(event->kind, EVENT_EXPIRED) == 0)
		return replay_expired(replay, event);
	if (strcmp(event->kind, EVENT_UNCHAINED) == 0 || strcmp(event->kind, EVENT_DROPPED) == 0)
		return replay->ended = true;
	return false;
}

/* A column of anshim.event's row */
static Datum
event_column(TupleTableSlot *slot, const char *name, Oid type)
{
	TupleDesc	tupdesc = slot->tts_tupleDescriptor;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && attribute->atttypid == type &&
			strcmp(NameStr(attribute->attname), name) == 0)
		{
			bool		isnull;
			Datum		value = slot_getattr(slot, i + 1, &isnull);

			return isnull ? (Datum) 0 : value;
		}
	}
	return (Datum) 0;
}

static void
take_event(void *arg, const StrandRow *row)
{
	Replay	   *replay = arg;
	MemoryContext old = MemoryContextSwitchTo(replay->context);
	Datum		at = event_column(row->slot, "at", TIMESTAMPTZOID);
	Datum		kind = event_column(row->slot, "kind", TEXTOID);
	Datum		actor = event_column(row->slot, "actor", TEXTOID);
	Datum		detail = event_column(row->slot, "detail", JSONBOID);
	bool		good = false;
	Event		event = {.seq = row->link.seq};

	replay->n++;
	if (kind != (Datum) 0 && actor != (Datum) 0 && detail != (Datum) 0)
	{
		event.at = DatumGetTimestampTz(at);
		event.kind = TextDatumGetCString(kind);
		event.actor = TextDatumGetCString(actor);
		event.detail = &DatumGetJsonbPCopy(detail)->root;
		good = replay_event(replay, &event);
	}
	MemoryContextSwitchTo(old);
	if (!good)
		finding(replay->audit, FOUND_TABLE, EVENT_STRAND, row->link.seq,
				"The event of this seq, \"%s\", does not fit to those before it, or cannot be read. Compare anshim.event with a backup.",
				event.kind == NULL ? "" : event.kind);
}

/*
 * Walk strand 0, verify it, and remember what it says.
 */
Replay *
replay_events(Audit *audit)
{
	HASHCTL		info = {.keysize = sizeof(int32),.entrysize = sizeof(ReplayExpiry),
	.hcxt = CurrentMemoryContext};
	Replay	   *replay = palloc0_object(Replay);
	AuditStrand strand = {.strand = EVENT_STRAND,.leaf = EVENTS_LEAF,.begins = 1};
	StrandTail *tails;
	int			n = 0;

	replay->audit = audit;
	replay->context = CurrentMemoryContext;
	replay->expiries = hash_create("anshim expiries", 64, &info,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (audit->chain->events.position == NULL)
		return replay;
	tails = strand_tails(audit->chain, &audit->chain->events, audit->snapshot, &n);
	if (n != 1)
		return replay;
	strand.found_first = tails[0].first_seq;
	strand.found_last = tails[0].last_seq;
	walk_strand(audit, &strand, 1, PG_INT64_MAX, take_event, replay);
	return replay;
}

int64
replay_expired_block(const Replay *replay)
{
	return replay->expired_block;
}

void
replay_expiries(const Replay *replay, HTAB *strands)
{
	HASH_SEQ_STATUS status;
	const ReplayExpiry *expiry;

	hash_seq_init(&status, replay->expiries);
	while ((expiry = hash_seq_search(&status)) != NULL)
	{
		AuditStrand *strand = strands_enter(strands, expiry->strand);

		strand->begins = expiry->last_seq + 1;
		memcpy(strand->before, expiry->last_hash, LINK_HASH_LEN);
	}
}
