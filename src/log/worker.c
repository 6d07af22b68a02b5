/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  Sealing in the background, where the library is preloaded
 *
 * A launcher runs as long as the server does, connected to no database.  Each
 * anshim.seal_interval it has every database visited by a process of its own,
 * a sealer, which seals all chained tables there, signs a checkpoint of each
 * if the database's anshim.checkpoint_key names a key, and ends.  A database
 * is visited by one sealer at a time, and a few are at work at once, so that
 * one who waits does not keep the others from being sealed.
 *
 * Every table has a transaction of its own.  What fails is reported and tried
 * again in the next round.  A sealer works as a superuser, under settings of
 * its own: nothing of what it calls runs code of the tables' owners.
 *
 * Nothing is done before the server's recovery has ended: a standby begins
 * when it is promoted.
 *
 * Locking: besides what anshim.seal() and anshim.checkpoint() take, a sealer
 * holds in each transaction the lock of the database itself that a new
 * connection takes.  So DROP DATABASE and the like wait for it instead of
 * failing, and the launcher, which sees them wait, ends it.  It waits for other
 * locks only for LOCK_TIMEOUT.
 *
 * Memory: the launcher's is its list of databases, made anew each round.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "chain/catalog.h"
#include "compat.h"
#include "key/key.h"
#include "log/checkpoint.h"
#include "log/store.h"

/* Databases that are visited at once */
#define MAX_SEALERS 3

/* How long a sealer waits for a lock, as lock_timeout has it */
#define LOCK_TIMEOUT "10s"

/* How often the launcher looks whether a sealer stands in somebody's way, in milliseconds */
#define LOOK_INTERVAL 500

/* After how many seconds the launcher is started again, should it end */
#define RESTART_INTERVAL 5

/* A sealer that was started */
typedef struct Sealer
{
	Oid			database;		/* InvalidOid: none is */
	BackgroundWorkerHandle *handle;
} Sealer;

pg_noreturn extern PGDLLEXPORT void anshim_launcher(Datum main_arg);
pg_noreturn extern PGDLLEXPORT void anshim_sealer(Datum main_arg);

/* anshim.seal_interval, in seconds, and anshim.checkpoint_key */
static int	seal_interval;
static char *checkpoint_key;

static Sealer sealers[MAX_SEALERS];

static bool
check_checkpoint_key(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || key_name_is_valid(*newval, strlen(*newval)))
		return true;
	GUC_check_errdetail("It must be the kid of a key.");
	return false;
}

static void
describe_worker(BackgroundWorker *worker, const char *type, const char *function)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "anshim", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, type, BGW_MAXLEN);
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
}

void
log_seal_in_background(void)
{
	BackgroundWorker worker;

	DefineCustomIntVariable("anshim.seal_interval",
							"Sets how often all chained tables are sealed in the background",
							"It needs anshim in shared_preload_libraries.  0: never.",
							&seal_interval,
							0, 0, 24 * SECS_PER_HOUR,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomStringVariable("anshim.checkpoint_key",
							   "Names the key that signs a checkpoint of what was sealed in the background",
							   "Set it for a database, whose key it is.  Empty: nothing is signed.",
							   &checkpoint_key,
							   "",
							   PGC_SUSET, 0,
							   check_checkpoint_key, NULL, NULL);

	if (!process_shared_preload_libraries_in_progress)
		return;
	describe_worker(&worker, "anshim launcher", "anshim_launcher");
	worker.bgw_restart_time = RESTART_INTERVAL;
	RegisterBackgroundWorker(&worker);
}

/*
 * The launcher
 */

/*
 * The databases to be visited, in this memory context.
 */
static List *
list_databases(MemoryContext context)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	table;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	/* a catalog is scanned under a snapshot that somebody must hold */
	(void) GetTransactionSnapshot();
	table = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(table, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (form->datistemplate || !form->datallowconn || database_is_invalid_form(form))
			continue;
		old = MemoryContextSwitchTo(context);
		databases = lappend_oid(databases, form->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(table, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return databases;
}

/*
 * The lock that connecting to a database takes for a moment.  False if
 * somebody has one that conflicts with it, or waits for one.
 */
static bool
lock_database(Oid database)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	return LockAcquire(&tag, RowExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Forget sealers that have ended; is any at work?
 */
static bool
reap_sealers(void)
{
	bool		at_work = false;

	for (int i = 0; i < MAX_SEALERS; i++)
	{
		Sealer	   *sealer = &sealers[i];
		pid_t		pid;

		if (!OidIsValid(sealer->database))
			continue;
		if (GetBackgroundWorkerPid(sealer->handle, &pid) == BGWH_STOPPED)
		{
			pfree(sealer->handle);
			sealer->database = InvalidOid;
		}
		else
			at_work = true;
	}
	return at_work;
}

static bool
is_visited(Oid database)
{
	for (int i = 0; i < MAX_SEALERS; i++)
	{
		if (sealers[i].database == database)
			return true;
	}
	return false;
}

/*
 * Have as many of the databases visited as sealers are free, and take them
 * from the list; those too at which one is still at work.
 */
static List *
start_sealers(List *databases)
{
	for (int i = 0; i < MAX_SEALERS && databases != NIL;)
	{
		Sealer	   *sealer = &sealers[i];
		Oid			database = linitial_oid(databases);
		BackgroundWorker worker;

		if (is_visited(database))
		{
			databases = list_delete_first(databases);
			continue;
		}
		if (OidIsValid(sealer->database))
		{
			i++;
			continue;
		}
		describe_worker(&worker, "anshim sealer", "anshim_sealer");
		worker.bgw_restart_time = BGW_NEVER_RESTART;
		worker.bgw_main_arg = ObjectIdGetDatum(database);
		worker.bgw_notify_pid = MyProcPid;
		/* all of max_worker_processes may be busy for now */
		if (!RegisterDynamicBackgroundWorker(&worker, &sealer->handle))
			break;
		sealer->database = database;
		databases = list_delete_first(databases);
	}
	return databases;
}

/*
 * Say so if a round has ended before all databases were visited.
 */
static void
warn_left(List *databases)
{
	if (databases != NIL)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg_plural("%d database was not sealed in the background in time",
							   "%d databases were not sealed in the background in time",
							   list_length(databases), list_length(databases)),
				 errdetail("All processes that could do it were busy."),
				 errhint("Raise max_worker_processes or anshim.seal_interval.")));
}

/*
 * End the sealers of databases that somebody waits to drop, rename, move or copy.
 */
static void
clear_the_way(void)
{
	StartTransactionCommand();
	for (int i = 0; i < MAX_SEALERS; i++)
	{
		if (OidIsValid(sealers[i].database) && !lock_database(sealers[i].database))
			TerminateBackgroundWorker(sealers[i].handle);
	}
	CommitTransactionCommand();
}

/*
 * Wait until something happens, or for so many milliseconds; -1: without end.
 */
static void
wait_for_news(long timeout)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0),
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	/* with this status the postmaster starts us again, if it goes on itself */
	if (ShutdownRequestPending)
		proc_exit(1);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

void
anshim_launcher(Datum main_arg)
{
	MemoryContext round = AllocSetContextCreate(TopMemoryContext, "anshim round", ALLOCSET_SMALL_SIZES);
	List	   *databases = NIL;	/* that this round has still to visit */
	TimestampTz begun = 0;		/* when it began */

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	for (;;)
	{
		bool		at_work = reap_sealers();
		long		timeout = -1;	/* for ever */

		if (seal_interval > 0)
		{
			TimestampTz now = GetCurrentTimestamp();
			TimestampTz next = TimestampTzPlusMilliseconds(begun, seal_interval * (int64) 1000);

			/* a clock that was set back must not stop us */
			if (now >= next || now < begun)
			{
				warn_left(databases);
				MemoryContextReset(round);
				databases = list_databases(round);
				begun = now;
				next = TimestampTzPlusMilliseconds(begun, seal_interval * (int64) 1000);
			}
			databases = start_sealers(databases);
			at_work = reap_sealers();
			timeout = databases == NIL ? TimestampDifferenceMilliseconds(now, next) : LOOK_INTERVAL;
		}
		if (at_work)
		{
			clear_the_way();
			timeout = LOOK_INTERVAL;
		}
		wait_for_news(timeout);
	}
}

/*
 * The sealer
 */

/* A chained table */
typedef struct Target
{
	Oid			relid;
	char	   *name;
} Target;

/* What says so in the server's log, when something fails */
static void
add_context(void *arg)
{
	errcontext("sealing table %s in the background", ((Target *) arg)->name);
}

/*
 * Begin a transaction.  False if somebody waits to drop the database, or the
 * like: then there is none, and nothing more is to be done here.
 */
static bool
begin_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (lock_database(MyDatabaseId))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		return true;
	}
	AbortCurrentTransaction();
	return false;
}

static void
end_transaction(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * The chained tables of this database, in the current memory context.
 */
static List *
list_targets(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *targets = NIL;
	ListCell   *cell;

	if (!begin_transaction())
		return NIL;
	if (OidIsValid(get_extension_oid("anshim", true)))
	{
		foreach(cell, chain_records_living())
		{
			ChainRecord *record = lfirst(cell);
			char	   *schema = NameStr(record->schema_name);
			Oid			namespace = get_namespace_oid(schema, true);
			Oid			relid = OidIsValid(namespace) ?
				get_relname_relid(NameStr(record->table_name), namespace) : InvalidOid;
			MemoryContext old = MemoryContextSwitchTo(caller);

			if (OidIsValid(relid))
			{
				Target	   *target = palloc(sizeof(Target));

				target->relid = relid;
				target->name = quote_qualified_identifier(schema, NameStr(record->table_name));
				targets = lappend(targets, target);
			}
			MemoryContextSwitchTo(old);
		}
	}
	end_transaction();
	MemoryContextSwitchTo(caller);
	return targets;
}

/*
 * Seal a table, and sign what was sealed: in two transactions, as a block is
 * signed once it is committed.  False if nothing more is to be done here.
 */
static bool
seal_table(Target *target)
{
	ErrorContextCallback context = {
		.callback = add_context,
		.arg = target,
		.previous = error_context_stack
	};

	if (!begin_transaction())
		return false;
	error_context_stack = &context;
	pgstat_report_activity(STATE_RUNNING, psprintf("sealing %s", target->name));
	(void) log_seal(target->relid);
	end_transaction();

	if (checkpoint_key[0] != '\0')
	{
		if (!begin_transaction())
		{
			error_context_stack = context.previous;
			return false;
		}
		pgstat_report_activity(STATE_RUNNING, psprintf("signing a checkpoint of %s", target->name));
		log_sign_newest(target->relid, checkpoint_key);
		end_transaction();
	}
	error_context_stack = context.previous;
	return true;
}

/*
 * The same; an error is reported, and does not keep us from the next table.
 */
static bool
try_to_seal(Target *target)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool go_on = true;

	PG_TRY();
	{
		go_on = seal_table(target);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		pgstat_report_activity(STATE_IDLE, NULL);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return go_on;
}

void
anshim_sealer(Datum main_arg)
{
	ListCell   *cell;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(main_arg), InvalidOid, 0);

	/* whatever the database's settings are */
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);

	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "anshim sealer", ALLOCSET_SMALL_SIZES));
	foreach(cell, list_targets())
	{
		CHECK_FOR_INTERRUPTS();
		if (!try_to_seal(lfirst(cell)))
			break;
	}
	proc_exit(0);
}
