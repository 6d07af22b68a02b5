/*-------------------------------------------------------------------------
 *
 * events.c
 *	  What a chain's events say, played back from the first to the last
 *
 * The members of their details are in docs/formats.md, "Events" and "Expiry";
 * members that are not known are ignored.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "events.h"
#include "json.h"

#define ITEMS_MAX 1000000		/* layouts, partitions, guards: more is no
								 * table */

typedef struct Event
{
	int64		seq;
	int64		at;
	const char *actor;
	JsonCursor	detail;
	StrandTable *strands;
} Event;

/* Plays an event back; false for one that makes no sense. */
typedef bool (*PlayEvent) (Events *events, Event *event);

void
events_open(Events *events)
{
	memset(events, 0, sizeof(*events));
}

/*
 * Names
 */

static void
free_table(EventTable *table)
{
	pg_free(table->schema);
	pg_free(table->table);
	table->schema = NULL;
	table->table = NULL;
}

static bool
same_table(const EventTable *a, const EventTable *b)
{
	return strcmp(a->schema, b->schema) == 0 && strcmp(a->table, b->table) == 0;
}

/* The value of a member that is a string, in place of an older one */
static void
read_member(JsonCursor *cursor, char **value)
{
	pg_free(*value);
	*value = json_string(cursor);
}

/* Members that name a table, among others.  False if the key is another one. */
static bool
read_table_member(JsonCursor *cursor, const char *key, EventTable *table)
{
	if (strcmp(key, "schema") == 0)
		read_member(cursor, &table->schema);
	else if (strcmp(key, "table") == 0)
		read_member(cursor, &table->table);
	else
		return false;
	return true;
}

/* An object that names a table */
static bool
read_table(JsonCursor *cursor, EventTable *table)
{
	char	   *key;

	if (json_object(cursor))
	{
		while ((key = json_member(cursor)) != NULL)
		{
			if (!read_table_member(cursor, key, table))
				json_skip(cursor);
			pg_free(key);
		}
	}
	return !cursor->bad && table->schema != NULL && table->table != NULL;
}

/*
 * The kinds
 */

static bool
play_chained(Events *events, Event *event)
{
	if (events->n == 1 && read_table(&event->detail, &events->table) && json_end(&event->detail))
		return true;
	if (events->n == 1)
		free_table(&events->table);
	return false;
}

static bool
read_column(JsonCursor *cursor, LeafColumn *column)
{
	char	   *key;

	if (json_object(cursor))
	{
		while ((key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "name") == 0)
				read_member(cursor, &column->name);
			else if (strcmp(key, "type") == 0)
				read_member(cursor, &column->type);
			else
				json_skip(cursor);
			pg_free(key);
		}
	}
	return !cursor->bad && column->name != NULL && column->type != NULL;
}

static bool
read_columns(JsonCursor *cursor, EventLayout *layout)
{
	if (layout->columns != NULL || !json_array(cursor))
		return false;
	/* a table may have no column but its link */
	layout->columns = pg_malloc(sizeof(LeafColumn));
	while (json_element(cursor))
	{
		if (layout->ncolumns == PG_INT16_MAX)
			return false;
		layout->columns = pg_realloc(layout->columns, (layout->ncolumns + 1) * sizeof(LeafColumn));
		memset(&layout->columns[layout->ncolumns], 0, sizeof(LeafColumn));
		if (!read_column(cursor, &layout->columns[layout->ncolumns++]))
			return false;
	}
	return !cursor->bad;
}

static void
free_layout(EventLayout *layout)
{
	for (int i = 0; i < layout->ncolumns; i++)
	{
		pg_free(layout->columns[i].name);
		pg_free(layout->columns[i].type);
	}
	pg_free(layout->columns);
}

static bool
play_layout(Events *events, Event *event)
{
	EventLayout layout = {0};
	JsonCursor *cursor = &event->detail;
	int64		number = 0;
	bool		good = true;
	char	   *key;

	if (json_object(cursor))
	{
		while (good && (key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "layout") == 0)
				good = json_int8(cursor, &number);
			else if (strcmp(key, "columns") == 0)
				good = read_columns(cursor, &layout);
			else
				json_skip(cursor);
			pg_free(key);
		}
	}
	if (!good || !json_end(cursor) || layout.columns == NULL ||
		number != events->nlayouts + 1 || number > ITEMS_MAX)
	{
		free_layout(&layout);
		return false;
	}
	events->layouts = pg_realloc(events->layouts, (events->nlayouts + 1) * sizeof(EventLayout));
	events->layouts[events->nlayouts++] = layout;
	return true;
}

/* From now on, in all layouts, columns or types of the one name have the other. */
static bool
play_renamed(Events *events, Event *event, bool columns)
{
	JsonCursor *cursor = &event->detail;
	char	   *from = NULL;
	char	   *to = NULL;
	bool		good;
	char	   *key;

	if (json_object(cursor))
	{
		while ((key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "from") == 0)
				read_member(cursor, &from);
			else if (strcmp(key, "to") == 0)
				read_member(cursor, &to);
			else
				json_skip(cursor);
			pg_free(key);
		}
	}
	good = json_end(cursor) && from != NULL && to != NULL;
	for (int i = 0; i < events->nlayouts && good; i++)
	{
		EventLayout *layout = &events->layouts[i];

		for (int j = 0; j < layout->ncolumns; j++)
		{
			char	  **name = columns ? &layout->columns[j].name : &layout->columns[j].type;

			if (strcmp(*name, from) == 0)
			{
				pg_free(*name);
				*name = pg_strdup(to);
			}
		}
	}
	pg_free(from);
	pg_free(to);
	return good;
}

static bool
play_column_renamed(Events *events, Event *event)
{
	return play_renamed(events, event, true);
}

static bool
play_type_renamed(Events *events, Event *event)
{
	return play_renamed(events, event, false);
}

static EventPartition *
find_partition(const Events *events, const EventTable *name)
{
	for (int i = 0; i < events->npartitions; i++)
	{
		if (same_table(&events->partitions[i].name, name))
			return &events->partitions[i];
	}
	return NULL;
}

/* The table itself, or one of its partitions */
static bool
play_table_renamed(Events *events, Event *event)
{
	JsonCursor *cursor = &event->detail;
	EventTable	from = {0};
	EventTable	to = {0};
	EventTable *name = NULL;
	EventPartition *partition;
	bool		good = true;
	char	   *key;

	if (json_object(cursor))
	{
		while (good && (key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "from") == 0)
				good = read_table(cursor, &from);
			else if (strcmp(key, "to") == 0)
				good = read_table(cursor, &to);
			else
				json_skip(cursor);
			pg_free(key);
		}
	}
	good = good && json_end(cursor) && from.schema != NULL && to.schema != NULL;
	if (good)
	{
		partition = find_partition(events, &from);
		if (partition != NULL)
			name = &partition->name;
		else if (events->table.schema != NULL && same_table(&events->table, &from))
			name = &events->table;
	}
	if (name != NULL)
	{
		free_table(name);
		*name = to;
	}
	else
		free_table(&to);
	free_table(&from);
	return good;
}

static bool
play_partition(Events *events, Event *event, bool attached)
{
	EventTable	name = {0};
	EventPartition *partition;

	if (!read_table(&event->detail, &name) || !json_end(&event->detail) || events->npartitions == ITEMS_MAX)
	{
		free_table(&name);
		return false;
	}
	partition = find_partition(events, &name);
	if (partition == NULL)
	{
		events->partitions = pg_realloc(events->partitions, (events->npartitions + 1) * sizeof(EventPartition));
		partition = &events->partitions[events->npartitions++];
		partition->name = name;
	}
	else
		free_table(&name);
	partition->attached = attached;
	return true;
}

static bool
play_attached(Events *events, Event *event)
{
	return play_partition(events, event, true);
}

static bool
play_detached(Events *events, Event *event)
{
	return play_partition(events, event, false);
}

static bool
read_guard(JsonCursor *cursor, EventTable *table, char **trigger)
{
	char	   *key;

	if (json_object(cursor))
	{
		while ((key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "trigger") == 0)
				read_member(cursor, trigger);
			else if (!read_table_member(cursor, key, table))
				json_skip(cursor);
			pg_free(key);
		}
	}
	return json_end(cursor) && table->schema != NULL && table->table != NULL && *trigger != NULL;
}

static bool
play_guard_disabled(Events *events, Event *event)
{
	EventGuard	guard = {0};

	if (!read_guard(&event->detail, &guard.table, &guard.trigger) || events->nguards == ITEMS_MAX)
	{
		free_table(&guard.table);
		pg_free(guard.trigger);
		return false;
	}
	guard.seq = event->seq;
	guard.actor = pg_strdup(event->actor);
	guard.from = event->at;
	guard.to = PG_INT64_MAX;
	events->guards = pg_realloc(events->guards, (events->nguards + 1) * sizeof(EventGuard));
	events->guards[events->nguards++] = guard;
	return true;
}

static bool
play_guard_enabled(Events *events, Event *event)
{
	EventTable	table = {0};
	char	   *trigger = NULL;
	bool		good = read_guard(&event->detail, &table, &trigger);

	for (int i = 0; i < events->nguards && good; i++)
	{
		EventGuard *guard = &events->guards[i];

		if (guard->to == PG_INT64_MAX && same_table(&guard->table, &table) && strcmp(guard->trigger, trigger) == 0)
			guard->to = event->at;
	}
	free_table(&table);
	pg_free(trigger);
	return good;
}

static bool
read_hex(const char *str, uint8 *bytes, int len)
{
	static const char digits[] = "0123456789abcdef";

	if (str == NULL || strlen(str) != 2 * len)
		return false;
	for (int i = 0; i < 2 * len; i++)
	{
		const char *digit = strchr(digits, str[i]);

		if (digit == NULL)
			return false;
		bytes[i / 2] = (uint8) (bytes[i / 2] << 4 | (digit - digits));
	}
	return true;
}

/* One strand's part of an expiry: it loses what follows the part that it has lost before. */
static bool
read_lost(Events *events, JsonCursor *cursor, StrandTable *strands)
{
	int64		number = -1;
	int64		first_seq = 0;
	int64		last_seq = 0;
	char	   *last_hash = NULL;
	uint8		hash[LINK_HASH_LEN];
	Strand	   *strand;
	bool		good = true;
	char	   *key;

	if (json_object(cursor))
	{
		while (good && (key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "strand") == 0)
				good = json_int8(cursor, &number);
			else if (strcmp(key, "first_seq") == 0)
				good = json_int8(cursor, &first_seq);
			else if (strcmp(key, "last_seq") == 0)
				good = json_int8(cursor, &last_seq);
			else if (strcmp(key, "last_hash") == 0)
				read_member(cursor, &last_hash);
			else
				json_skip(cursor);
			pg_free(key);
		}
	}
	good = good && !cursor->bad && number > EVENT_STRAND && number <= PG_INT32_MAX &&
		first_seq >= 1 && last_seq >= first_seq && last_seq < PG_INT64_MAX &&
		read_hex(last_hash, hash, LINK_HASH_LEN);
	pg_free(last_hash);
	if (!good)
		return false;

	strand = strands_enter(strands, (int32) number);
	if (first_seq != strand->begins)
		return false;
	strand->begins = last_seq + 1;
	memcpy(strand->before, hash, LINK_HASH_LEN);
	events->expired += last_seq - first_seq + 1;
	return true;
}

static bool
play_expired(Events *events, Event *event)
{
	JsonCursor *cursor = &event->detail;
	bool		good = true;
	char	   *key;

	if (json_object(cursor))
	{
		while (good && (key = json_member(cursor)) != NULL)
		{
			if (strcmp(key, "strands") == 0)
			{
				good = json_array(cursor);
				while (good && json_element(cursor))
					good = read_lost(events, cursor, event->strands);
			}
			else
				json_skip(cursor);
			pg_free(key);
		}
	}
	events->expired_at = event->at;
	return good && json_end(cursor);
}

static bool
play_ended(Events *events, Event *event)
{
	events->ended = true;
	return true;
}

static const struct
{
	const char *kind;
	PlayEvent	play;
}			kinds[] = {
	{"chained", play_chained},
	{"layout added", play_layout},
	{"column renamed", play_column_renamed},
	{"type renamed", play_type_renamed},
	{"table renamed", play_table_renamed},
	{"partition attached", play_attached},
	{"partition dropped", play_detached},
	{"guard disabled", play_guard_disabled},
	{"guard enabled", play_guard_enabled},
	{"expired", play_expired},
	{"unchained", play_ended},
	{"dropped", play_ended},
};

void
events_take(Events *events, int64 seq, CopyReader *row, StrandTable *strands, Report *report)
{
	Event		event = {.seq = seq,.strands = strands};
	char	   *kind = copy_text(row, 4);
	char	   *actor = copy_text(row, 5);
	const CopyField *detail = &row->fields[6];
	bool		good = false;

	events->n++;
	/* jsonb begins with the number of its version */
	if (kind != NULL && actor != NULL && copy_int8(row, 3, &event.at) && !events->ended &&
		detail->len > 0 && detail->data[0] == 1)
	{
		event.actor = actor;
		json_open(&event.detail, (const char *) detail->data + 1, detail->len - 1);
		for (int i = 0; i < lengthof(kinds); i++)
		{
			if (strcmp(kinds[i].kind, kind) == 0)
				good = kinds[i].play(events, &event);
		}
	}
	if (!good)
		report_finding(report, FOUND_TABLE, EVENT_STRAND, seq,
					   "The event of this seq, \"%s\", does not fit to those before it, or cannot be read. Compare anshim.event with a backup.",
					   kind == NULL ? "" : kind);
	pg_free(kind);
	pg_free(actor);
}

void
events_close(Events *events)
{
	for (int i = 0; i < events->nlayouts; i++)
		free_layout(&events->layouts[i]);
	for (int i = 0; i < events->npartitions; i++)
		free_table(&events->partitions[i].name);
	for (int i = 0; i < events->nguards; i++)
	{
		free_table(&events->guards[i].table);
		pg_free(events->guards[i].trigger);
		pg_free(events->guards[i].actor);
	}
	pg_free(events->layouts);
	pg_free(events->partitions);
	pg_free(events->guards);
	free_table(&events->table);
}
