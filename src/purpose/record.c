/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Write the record of a look, and commit it
 *
 * Who looks could roll her own transaction back once she has seen the rows,
 * and with it any record that was made in it.  So the record is inserted and
 * committed by a process of its own, a background worker, before the first row
 * is returned.  The backend waits for it, and shows nothing if it fails.
 *
 * The worker inserts as the owner of the table, in a security-restricted
 * operation, as autovacuum evaluates an index's expressions: a trigger on the
 * table has its owner's rights, not those of the worker.
 *
 * Locking: the worker takes what an INSERT takes.  If the backend's own
 * transaction stands in its way, nobody would notice the deadlock: the worker
 * gives up after LOCK_TIMEOUT.
 *
 * Memory: record and answer are in a segment of dynamic shared memory, which
 * belongs to the backend's resource owner and to the worker, whoever lives
 * longer.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "key/spi.h"
#include "purpose/record.h"

/* How long the worker waits for a lock, as lock_timeout has it. */
#define LOCK_TIMEOUT "5s"

/* How long the backend waits for a worker to be free, in milliseconds. */
#define WORKER_TIMEOUT 5000

/* What backend and worker tell each other. */
typedef struct Message
{
	Oid			database;
	TimestampTz looked_at;
	int64		rows;
	Size		offsets[RECORD_TEXTS + 1];	/* of the texts, then of the
											 * table's name, in data[] */
	bool		committed;		/* the worker's answer */
	char		error[512];		/* or this */
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Message;

pg_noreturn extern PGDLLEXPORT void anshim_record_worker(Datum main_arg);

static dsm_segment *make_message(const LookRecord *record, const char *table);
static BackgroundWorkerHandle *start_worker(dsm_segment *segment);
static void insert_record(const Message *message);
static Oid	find_table(const char *name);

void
record_write(const LookRecord *record, const char *table)
{
	dsm_segment *segment = make_message(record, table);
	Message    *message = dsm_segment_address(segment);
	BackgroundWorkerHandle *worker = start_worker(segment);

	if (WaitForBackgroundWorkerShutdown(worker) == BGWH_POSTMASTER_DIED)
		proc_exit(1);
	if (!message->committed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the look could not be recorded, so nothing is shown"),
				 errdetail("Inserting into table %s failed: %s.", table,
						   message->error[0] ? message->error : "the process that does it has ended"),
				 errhint("Have an administrator look after that table; anshim.create_purpose_log() makes one that fits.")));
	pfree(worker);
	dsm_detach(segment);
}

static dsm_segment *
make_message(const LookRecord *record, const char *table)
{
	const char *texts[RECORD_TEXTS + 1];
	Size		size = offsetof(Message, data);
	Size		offset = 0;
	dsm_segment *segment;
	Message    *message;

	memcpy(texts, record->texts, sizeof(record->texts));
	texts[RECORD_TEXTS] = table;
	for (int i = 0; i <= RECORD_TEXTS; i++)
		size = add_size(size, strlen(texts[i]) + 1);

	segment = dsm_create(size, 0);
	message = dsm_segment_address(segment);
	memset(message, 0, offsetof(Message, data));
	message->database = MyDatabaseId;
	message->looked_at = record->looked_at;
	message->rows = record->rows;
	for (int i = 0; i <= RECORD_TEXTS; i++)
	{
		Size		length = strlen(texts[i]) + 1;

		message->offsets[i] = offset;
		memcpy(message->data + offset, texts[i], length);
		offset += length;
	}
	return segment;
}

/*
 * All of max_worker_processes may be busy, with parallel queries most likely,
 * which end soon.
 */
static BackgroundWorkerHandle *
start_worker(dsm_segment *segment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;
	TimestampTz start = GetCurrentTimestamp();

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "anshim", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "anshim_record_worker", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, BGW_MAXLEN, "anshim record of a look by process %d", MyProcPid);
	strlcpy(worker.bgw_type, "anshim record", BGW_MAXLEN);
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;

	while (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), WORKER_TIMEOUT))
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("the look could not be recorded, so nothing is shown"),
					 errdetail("No process is free to record it."),
					 errhint("Try again, or have an administrator raise max_worker_processes.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 20,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return handle;
}

/*
 * The worker: one INSERT, one COMMIT.
 */
void
anshim_record_worker(Datum main_arg)
{
	dsm_segment *segment;
	Message    *message;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(main_arg));
	if (segment == NULL)
		proc_exit(0);			/* the backend has given up */
	/* this process has no resource owner yet that would let go of it */
	dsm_pin_mapping(segment);
	message = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(message->database, InvalidOid, 0);

	PG_TRY();
	{
		StartTransactionCommand();
		insert_record(message);
		CommitTransactionCommand();
		message->committed = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(TopMemoryContext);
		EmitErrorReport();
		error = CopyErrorData();
		FlushErrorState();
		strlcpy(message->error, error->message,
				1 + pg_mbcliplen(error->message, strlen(error->message),
								 sizeof(message->error) - 1));
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	proc_exit(0);
}

static void
insert_record(const Message *message)
{
	Oid			types[] = {TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID};
	Datum		values[lengthof(types)];
	Oid			relid;
	Relation	rel;
	char	   *name;

	/* whatever the database's settings are */
	XactReadOnly = false;
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE,
							 GUC_ACTION_SET, true, 0, false);
	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE,
							 GUC_ACTION_SET, true, 0, false);
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, "recording a look");

	relid = find_table(message->data + message->offsets[RECORD_TEXTS]);
	rel = table_open(relid, RowExclusiveLock);
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));

	values[0] = TimestampTzGetDatum(message->looked_at);
	for (int i = 0; i < RECORD_TEXTS; i++)
		values[1 + i] = CStringGetTextDatum(message->data + message->offsets[i]);
	values[1 + RECORD_TEXTS] = Int64GetDatum(message->rows);

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	spi_run(psprintf("INSERT INTO %s (looked_at, looked_by, acting_as, function, purpose, arguments, row_count)"
					 " VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.jsonb, $7)", name),
			lengthof(types), types, values, NULL, SPI_OK_INSERT);
	SetUserIdAndSecContext(GetSessionUserId(), 0);
	SPI_finish();
	PopActiveSnapshot();
	table_close(rel, NoLock);
}

/*
 * The table of this name, which is schema-qualified: anshim.purpose_log's.
 */
static Oid
find_table(const char *name)
{
	List	   *names;
	Oid			schema = InvalidOid;
	Oid			relid = InvalidOid;

	if (SplitIdentifierString(pstrdup(name), '.', &names) && list_length(names) == 2)
		schema = get_namespace_oid(linitial(names), true);
	if (OidIsValid(schema))
		relid = get_relname_relid(lsecond(names), schema);
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s does not exist, or is not committed", name)));
	return relid;
}
