/*-------------------------------------------------------------------------
 *
 * append.c
 *	  The trigger zz_anshim_append: gives each inserted row its link
 *
 * A transaction that inserts into a leaf takes a strand of it by a try-lock,
 * and keeps it to its end: so nobody ever waits, and nobody else appends to
 * the strand meanwhile.  The lock is one of the lock manager's, so PREPARE
 * TRANSACTION carries it along.  A strand's number says nothing but which one
 * it is; that it belongs to this leaf, the leaf's position index shows.
 *
 * The head of a strand is read from the index when the strand is taken, with
 * SnapshotSelf: the isolation level does not matter, as nobody else can be
 * appending, and whoever did before has committed or aborted.
 *
 * A link that was handed out is not yet a row: ON CONFLICT DO NOTHING, or a
 * BEFORE trigger that comes after this one, may drop it.  So it becomes the
 * head only when the row is seen, before the next append to the strand.  All
 * that is remembered is dropped when a subtransaction aborts and when the
 * transaction ends, and whenever the table changes.  To drop it is always
 * right: it only costs to look in the index again.
 *
 * In a worker of logical replication rows come with their links, made where
 * they were inserted first, and keep them.
 *
 * Memory: what is known of a leaf lies in a context of its own under
 * TopMemoryContext; it is made anew when the leaf has changed.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "chain/catalog.h"
#include "chain/image.h"
#include "chain/position.h"
#include "chain/trigger.h"
#include "compat.h"

/* What this backend knows of a leaf that it inserts into. */
typedef struct Writer
{
	Oid			relid;			/* the key */
	bool		valid;			/* what follows is up to date */
	MemoryContext context;
	pg_uuid_t	chain;
	RowShape   *shape;
	AttrNumber	link_attno;
	Oid			position;

	/* Strands that were there when it looked, and the one taken last. */
	int32	   *strands;
	int			nstrands;
	int32		last_strand;	/* 0: none yet */
	BlockNumber last_block;		/* of the index, where that was seen to end */

	/* In this transaction: the strand that it holds. */
	bool		holding;
	struct Writer *next;		/* of those that hold one */
	Link		head;			/* seq 0: no row yet */
	bool		pending;		/* handed_out has been, and may be a row by
								 * now */
	Link		handed_out;
} Writer;

static HTAB *writers;
static Writer *holders;
static RowHasher *hasher;		/* for all of them: it has a buffer */

/*
 * Forgetting
 */

static void
release_strands(void)
{
	for (; holders != NULL; holders = holders->next)
		holders->holding = holders->pending = false;
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	release_strands();
}

static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		release_strands();
}

static void
at_relation_change(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	Writer	   *writer;

	if (OidIsValid(relid))
	{
		writer = hash_search(writers, &relid, HASH_FIND, NULL);
		if (writer != NULL)
			writer->valid = false;
		return;
	}
	hash_seq_init(&status, writers);
	while ((writer = hash_seq_search(&status)) != NULL)
		writer->valid = false;
}

static void
make_writers(void)
{
	HASHCTL		ctl = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(Writer),
		.hcxt = TopMemoryContext
	};

	MemoryContext outside = MemoryContextSwitchTo(TopMemoryContext);
	pg_uuid_t	none = {0};

	hasher = row_hasher_create(&none);
	MemoryContextSwitchTo(outside);
	writers = hash_create("anshim writers", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
	CacheRegisterRelcacheCallback(at_relation_change, (Datum) 0);
}

/*
 * Knowing the leaf
 */

pg_noreturn static void
refuse_append(Relation rel, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("chained table \"%s\" cannot take rows", RelationGetRelationName(rel)),
			 errdetail("%s", detail),
			 errhint("Let the owner of the chained table call anshim.chain() for it again: that makes what is missing.")));
}

/* Do the links of this layout cover all that rows of the table have? */
static bool
is_covered(Relation rel, const Layout *layout)
{
	Layout		wanted;

	layout_of_table(RelationGetDescr(rel), &wanted);
	return wanted.ncolumns == layout->ncolumns;
}

static void
learn(Writer *writer, Relation rel, const Trigger *trigger)
{
	MemoryContext outside;
	Layout		layout;

	writer->link_attno = link_attribute(RelationGetDescr(rel));
	if (writer->link_attno == InvalidAttrNumber)
		refuse_append(rel, "It has no column link of type anshim.link.");
	writer->position = position_index(rel, writer->link_attno);
	if (!OidIsValid(writer->position))
		refuse_append(rel, "It lacks the unique index on anshim.strand(link), anshim.seq(link).");

	/* It may be another chain by now. */
	release_strands();
	MemoryContextReset(writer->context);
	outside = MemoryContextSwitchTo(writer->context);
	if (!chain_of_trigger(trigger, &writer->chain) ||
		!layout_read_newest(&writer->chain, &layout) ||
		layout.number == EVENT_LAYOUT)
		refuse_append(rel, "The chain that its trigger names is not recorded.");
	writer->shape = row_shape(RelationGetDescr(rel), &layout);
	if (writer->shape == NULL || !is_covered(rel, &layout))
		refuse_append(rel, "It has other columns than those of the newest layout recorded for it.");
	writer->strands = NULL;
	writer->nstrands = 0;
	writer->last_block = InvalidBlockNumber;
	MemoryContextSwitchTo(outside);
	writer->valid = true;
}

static Writer *
find_writer(Relation rel, const Trigger *trigger)
{
	Oid			relid = RelationGetRelid(rel);
	Writer	   *writer;
	bool		found;

	if (unlikely(writers == NULL))
		make_writers();
	writer = hash_search(writers, &relid, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) writer + sizeof(Oid), 0, sizeof(Writer) - sizeof(Oid));
		writer->context = NULL;
	}
	if (writer->context == NULL)
		writer->context = AllocSetContextCreate(TopMemoryContext, "anshim writer",
												ALLOCSET_SMALL_SIZES);
	if (unlikely(!writer->valid))
		learn(writer, rel, trigger);
	return writer;
}

/*
 * Taking a strand
 */

/* The executor has locked the table's indexes so: asking again for the same costs least. */
static void
open_position(const Writer *writer, Relation rel, ChainLeaf *leaf)
{
	leaf->heap = rel;
	leaf->position = index_open(writer->position, RowExclusiveLock);
	leaf->link_attno = writer->link_attno;
	leaf->events = false;
}

static void
close_position(ChainLeaf *leaf)
{
	index_close(leaf->position, NoLock);
}

static bool
try_strand(const Writer *writer, int32 strand)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, writer->relid, strand, POSITION_LOCK_SUBID);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* One that nobody holds, of those that we know; 0 if there is none. */
static int32
try_strands(const Writer *writer)
{
	for (int i = 0; i < writer->nstrands; i++)
	{
		/* Backends begin at different ones, so that few meet. */
		int32		strand = writer->strands[(MyProcNumber + i) % writer->nstrands];

		CHECK_FOR_INTERRUPTS();
		if (try_strand(writer, strand))
			return strand;
	}
	return 0;
}

static void
learn_strands(Writer *writer, const ChainLeaf *leaf)
{
	MemoryContext outside = MemoryContextSwitchTo(writer->context);

	if (writer->strands != NULL)
		pfree(writer->strands);
	writer->strands = NULL;
	writer->nstrands = 0;
	writer->strands = position_strands(leaf, &writer->nstrands);
	MemoryContextSwitchTo(outside);
}

static int32
new_strand(const Writer *writer, Relation rel)
{
	Oid			target = writer->relid;
	int32		strand;

	if (rel->rd_rel->relispartition)
		target = llast_oid(get_partition_ancestors(writer->relid));
	do
	{
		strand = unused_strand_number(target);
	} while (!try_strand(writer, strand));
	return strand;
}

static int32
choose_strand(Writer *writer, Relation rel, const ChainLeaf *leaf)
{
	int32		strand;

	if (writer->last_strand != 0 && try_strand(writer, writer->last_strand))
		return writer->last_strand;
	strand = try_strands(writer);
	if (strand == 0)
	{
		learn_strands(writer, leaf);
		strand = try_strands(writer);
	}
	if (strand == 0)
		strand = new_strand(writer, rel);
	return strand;
}

static void
take_strand(Writer *writer, Relation rel)
{
	ChainLeaf	leaf;
	int32		strand;

	open_position(writer, rel, &leaf);
	strand = choose_strand(writer, rel, &leaf);
	if (strand != writer->last_strand)
		writer->last_block = InvalidBlockNumber;
	writer->last_strand = strand;
	/* a strand all of whose rows have expired goes on behind them */
	if (!position_last(&leaf, NULL, strand, &writer->last_block, &writer->head) &&
		!strand_lost(&writer->chain, strand, &writer->head.seq, writer->head.hash))
	{
		writer->head.seq = 0;
		memcpy(writer->head.hash, link_no_hash, LINK_HASH_LEN);
	}
	writer->head.strand = strand;
	close_position(&leaf);

	writer->pending = false;
	writer->holding = true;
	writer->next = holders;
	holders = writer;
}

/*
 * Believing that a link is a row
 */

static bool
is_handed_out(const Writer *writer, Relation rel, HeapTuple tuple)
{
	HeapTupleHeader header = tuple->t_data;
	bool		isnull;
	Datum		value;

	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(header)) ||
		(header->t_infomask & HEAP_XMAX_INVALID) == 0 || HeapTupleHeaderIsSpeculative(header))
		return false;
	value = heap_getattr(tuple, writer->link_attno, RelationGetDescr(rel), &isnull);
	return !isnull && memcmp(DatumGetLinkP(value), &writer->handed_out, sizeof(Link)) == 0;
}

/*
 * Most often the row lies where the table's last one was put: to look there is
 * cheaper than a descent through the index.
 */
static bool
is_last_row(const Writer *writer, Relation rel)
{
	BlockNumber block = RelationGetTargetBlock(rel);
	Buffer		buffer;
	Page		page;
	OffsetNumber offset;
	ItemId		item;
	bool		result = false;

	if (block == InvalidBlockNumber)
		return false;
	buffer = ReadBuffer(rel, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	offset = PageGetMaxOffsetNumber(page);
	item = offset >= FirstOffsetNumber ? PageGetItemId(page, offset) : NULL;
	if (item != NULL && ItemIdIsNormal(item))
	{
		HeapTupleData tuple;

		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		tuple.t_tableOid = RelationGetRelid(rel);
		ItemPointerSet(&tuple.t_self, block, offset);
		result = is_handed_out(writer, rel, &tuple);
	}
	UnlockReleaseBuffer(buffer);
	return result;
}

static void
settle(Writer *writer, Relation rel)
{
	ChainLeaf	leaf;
	Link		link;

	if (!writer->pending)
		return;
	writer->pending = false;
	if (likely(is_last_row(writer, rel)))
	{
		writer->head = writer->handed_out;
		return;
	}
	open_position(writer, rel, &leaf);
	if (position_get(&leaf, writer->handed_out.strand, writer->handed_out.seq, SnapshotSelf,
					 &link))
		writer->head = link;
	close_position(&leaf);
}

/*
 * The trigger
 */

static void
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function serves triggers before the insert of a row alone"),
				 errhint("The trigger that calls it is made by anshim.chain().")));
}

/* The row with the link in it, in the current memory context */
static HeapTuple
linked_tuple(Writer *writer, Relation rel, HeapTuple tuple)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	Datum	   *values = palloc_array(Datum, tupdesc->natts);
	bool	   *nulls = palloc_array(bool, tupdesc->natts);
	Link	   *link = &writer->handed_out;
	HeapTuple	result;

	heap_deform_tuple(tuple, tupdesc, values, nulls);
	row_settle(writer->shape, values, nulls);
	link->strand = writer->head.strand;
	link->layout = writer->shape->layout;
	link->seq = writer->head.seq + 1;
	row_hasher_set_chain(hasher, &writer->chain);
	row_hash(hasher, writer->shape, link, writer->head.hash, values, nulls, link->hash);
	values[writer->link_attno - 1] = LinkPGetDatum(link);
	nulls[writer->link_attno - 1] = false;

	result = heap_form_tuple(tupdesc, values, nulls);
	result->t_self = tuple->t_self;
	result->t_tableOid = tuple->t_tableOid;
	pfree(values);
	pfree(nulls);
	return result;
}

PG_FUNCTION_INFO_V1(anshim_append);
Datum
anshim_append(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	rel;
	Writer	   *writer;
	HeapTuple	result;

	check_call(fcinfo);
	rel = trigger->tg_relation;
	if (IsLogicalWorker())
		PG_RETURN_POINTER(trigger->tg_trigtuple);

	writer = find_writer(rel, trigger->tg_trigger);
	if (writer->holding)
		settle(writer, rel);
	else
		take_strand(writer, rel);
	result = linked_tuple(writer, rel, trigger->tg_trigtuple);
	writer->pending = true;
	PG_RETURN_POINTER(result);
}
