/*-------------------------------------------------------------------------
 *
 * event.c
 *	  Events of chains: the rows of anshim.event, strand 0 of each chain
 *
 * An event is appended when a table's definition changes, so that waiting for
 * another transaction that does the same is fine: chain_lock() is held to the
 * end of the transaction.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain/catalog.h"
#include "chain/chain.h"
#include "chain/event.h"
#include "chain/image.h"
#include "chain/position.h"
#include "compat.h"
#include "own/own.h"

/* The columns of anshim.event, in sql/42-chain.sql's order */
enum
{
	EVENT_CHAIN = 1,
	EVENT_AT,
	EVENT_KIND,
	EVENT_ACTOR,
	EVENT_DETAIL,
	EVENT_LINK,
	EVENT_COLUMNS = EVENT_LINK
};

void
chain_lock(const pg_uuid_t *chain)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, own_relation("event"),
					   DatumGetUInt32(hash_any(chain->data, UUID_LEN)), POSITION_LOCK_SUBID);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* The link after the last one of strand 0, but for its hash; the hash before it. */
static void
next_link(ChainLeaf *events, const pg_uuid_t *chain, Link *link,
		  uint8 previous[LINK_HASH_LEN])
{
	Link		last;

	link->strand = EVENT_STRAND;
	link->layout = EVENT_LAYOUT;
	if (position_last(events, chain, EVENT_STRAND, NULL, &last))
	{
		link->seq = last.seq + 1;
		memcpy(previous, last.hash, LINK_HASH_LEN);
	}
	else
	{
		link->seq = 1;
		memcpy(previous, link_no_hash, LINK_HASH_LEN);
	}
}

/* As a statement would insert it: with its place in all indexes. */
static void
insert_event(Relation table, const Datum *values)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsVirtual);

	InitResultRelInfo(target, table, 1, NULL, 0);
	ExecOpenIndices(target, false);
	for (int i = 0; i < EVENT_COLUMNS; i++)
	{
		slot->tts_values[i] = values[i];
		slot->tts_isnull[i] = false;
	}
	ExecStoreVirtualTuple(slot);

	PushActiveSnapshot(GetTransactionSnapshot());
	ExecSimpleRelationInsert(target, estate, slot);
	PopActiveSnapshot();

	ExecCloseIndices(target);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

void
chain_event(const pg_uuid_t *chain, const char *kind, Jsonb *detail)
{
	ChainLeaf	events;
	RowShape   *shape;
	RowHasher  *hasher;
	Datum		values[EVENT_COLUMNS];
	bool		nulls[EVENT_COLUMNS] = {0};
	Link		link;
	uint8		previous[LINK_HASH_LEN];

	chain_lock(chain);
	leaf_open(&events, own_relation("event"), RowExclusiveLock);
	next_link(&events, chain, &link, previous);

	values[EVENT_CHAIN - 1] = UUIDPGetDatum(chain);
	values[EVENT_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[EVENT_KIND - 1] = CStringGetTextDatum(kind);
	values[EVENT_ACTOR - 1] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	values[EVENT_DETAIL - 1] = JsonbPGetDatum(detail);
	values[EVENT_LINK - 1] = LinkPGetDatum(&link);

	shape = row_shape(RelationGetDescr(events.heap), layout_of_events());
	if (shape == NULL)
		elog(ERROR, "anshim.event has other columns than expected");
	hasher = row_hasher_create(chain);
	row_hash(hasher, shape, &link, previous, values, nulls, link.hash);
	row_hasher_free(hasher);

	insert_event(events.heap, values);
	leaf_close(&events, NoLock);
	CommandCounterIncrement();
}

/*
 * Details
 */

static void
detail_name(StringInfo detail, const char *name)
{
	appendStringInfoString(detail, detail->len == 0 ? "{" : ", ");
	escape_json(detail, name);
	appendStringInfoString(detail, ": ");
}

void
detail_string(StringInfo detail, const char *name, const char *value)
{
	detail_name(detail, name);
	escape_json(detail, value);
}

void
detail_json(StringInfo detail, const char *name, const char *value)
{
	detail_name(detail, name);
	appendStringInfoString(detail, value);
}

void
detail_table(StringInfo detail, const char *schema, const char *table)
{
	detail_string(detail, "schema", schema);
	detail_string(detail, "table", table);
}

void
detail_event(const pg_uuid_t *chain, const char *kind, StringInfo detail)
{
	appendStringInfoString(detail, detail->len == 0 ? "{}" : "}");
	chain_event(chain, kind,
				DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(detail->data))));
	pfree(detail->data);
}

/*
 * Reading them
 */

void
events_replay(const pg_uuid_t *chain, EventCallback callback, void *arg)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ChainLeaf	events;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[2];

	leaf_open(&events, own_relation("event"), AccessShareLock);
	slot = table_slot_create(events.heap, NULL);
	scan = index_beginscan(events.heap, events.position, snapshot, NULL, 1, 0);
	position_keys(keys, &events, chain, EVENT_STRAND, BTEqualStrategyNumber, 0);
	index_rescan(scan, keys, 1, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		callback(TextDatumGetCString(slot->tts_values[EVENT_KIND - 1]),
				 DatumGetJsonbP(slot->tts_values[EVENT_DETAIL - 1]), arg);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	leaf_close(&events, AccessShareLock);
	UnregisterSnapshot(snapshot);
}
