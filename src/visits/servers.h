/*-------------------------------------------------------------------------
 *
 * servers.h
 *	  The foreign servers that a visit log's parts lie on (inside src/visits
 *	  only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SERVERS_H
#define ANSHIM_SERVERS_H

#include "nodes/pg_list.h"
#include "utils/portal.h"
#include "utils/relcache.h"

#include "log.h"

/* Is this a foreign table, or a view that reads one? */
extern bool reads_foreign_table(Relation rel);

/*
 * Without the LogParts whose server cannot be reached, which are closed: a
 * WARNING a server.  Errors: 25000 in a parallel query; whatever else goes
 * wrong with a server.
 */
extern List *without_unreachable(List *parts, const char *log);

/*
 * Begin and end what may fail because of a foreign server.  Errors then tell
 * what can be done about one that cannot be reached, and those that come while
 * rows are fetched from the portal tell of which foreign table they are.
 */
extern void servers_begin(ErrorContextCallback *callback);
extern void servers_name(Portal portal);
extern void servers_end(ErrorContextCallback *callback);

#endif							/* ANSHIM_SERVERS_H */
